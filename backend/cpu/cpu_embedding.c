#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_panels.h"
#include "backend/cpu/cpu_target.h"

static void row_take(const struct cpu_backend *cpu, float *out, const struct tensor *weight,
                     int64_t row)
{
    const int64_t columns = weight->shape[1];

    if (weight->arranged)
        panels_row(cpu, out, weight, row);
    else
        dtype_convert(out, DTYPE_F32,
                      (const char *)weight->data +
                          row * columns * (int64_t)dtype_bytes(weight->dtype),
                      weight->dtype, columns);
}

void cpu_embedding_forward(struct backend *backend, struct tensor *out,
                           const struct tensor *weight, const int32_t *tokens)
{
    const int64_t rows = out->shape[0], columns = out->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++)
        row_take(cpu_of(backend), f32(out) + t * columns, weight, tokens[t]);
}

TARGET_CLONES
static void add_to(float *restrict out, const float *restrict in, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] += in[i];
}

/* A job is a range of columns for all tokens: rows of one token meet in token order. */
void cpu_embedding_backward(struct backend *backend, struct tensor *d_weight,
                            const struct tensor *d_out, const int32_t *tokens)
{
    const int64_t rows = d_out->shape[0], columns = d_out->shape[1];
    const int64_t threads = cpu_of(backend)->thread_count;
    const int64_t width = ((columns + threads - 1) / threads + 15) / 16 * 16;

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t j = 0; j < columns; j += width)
        for (int64_t t = 0; t < rows; t++)
            add_to(f32(d_weight) + tokens[t] * columns + j, f32(d_out) + t * columns + j,
                   minimum(width, columns - j));
}
