#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

/* Turns the first 2 half numbers of `heads` neighbouring heads of `size` by the angles of
 * one row of the table. */
TARGET_CLONES
static void turn_row(float *row, const float *cosines, const float *sines, int64_t heads,
                     int64_t size, int64_t half, float direction)
{
    for (int64_t h = 0; h < heads; h++) {
        float *restrict low = row + h * size;
        float *restrict high = low + half;
        for (int64_t i = 0; i < half; i++) {
            const float x = low[i], y = high[i], sine = direction * sines[i];
            low[i] = x * cosines[i] - y * sine;
            high[i] = y * cosines[i] + x * sine;
        }
    }
}

static void turn(struct backend *backend, struct tensor *qkv, const struct tensor *table,
                 const int32_t *positions, const struct attention_shape *shape,
                 float direction)
{
    const int64_t rows = qkv->shape[0], columns = qkv->shape[1];
    const int64_t turned = table->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++) {
        const float *cosines = f32(table) + positions[t] * turned;
        turn_row(f32(qkv) + t * columns, cosines, cosines + turned / 2,
                 shape->heads + shape->key_value_heads, shape->head_size, turned / 2,
                 direction);
    }
}

void cpu_rope_forward(struct backend *backend, struct tensor *qkv,
                      const struct tensor *table, const int32_t *positions,
                      const struct attention_shape *shape)
{
    turn(backend, qkv, table, positions, shape, 1.0f);
}

void cpu_rope_backward(struct backend *backend, struct tensor *d_qkv,
                       const struct tensor *table, const int32_t *positions,
                       const struct attention_shape *shape)
{
    turn(backend, d_qkv, table, positions, shape, -1.0f);
}
