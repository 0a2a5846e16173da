#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>
#include <string.h>

struct head_norm {
    int64_t rows, columns; /* of qkv */
    int64_t heads;         /* that are normed: H + G */
    int64_t query_heads;   /* H */
    int64_t size;          /* D */
    float epsilon;
    const float *query_weight, *key_weight;
};

/* Without weights where there is no memory to widen them. */
static struct head_norm head_norm_of(struct cpu_backend *cpu, const struct tensor *in,
                                     const struct tensor *query_weight,
                                     const struct tensor *key_weight,
                                     const struct attention_shape *shape, float epsilon)
{
    return (struct head_norm){
        .rows = in->shape[0],
        .columns = in->shape[1],
        .heads = shape->heads + shape->key_value_heads,
        .query_heads = shape->heads,
        .size = shape->head_size,
        .epsilon = epsilon,
        .query_weight = cpu_vector(cpu, query_weight, SCRATCH_VECTOR),
        .key_weight = cpu_vector(cpu, key_weight, SCRATCH_VECTOR_2),
    };
}

static float head_rstd(const float *in, int64_t size, float epsilon)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < size; i++)
        sum += in[i] * in[i];
    return 1.0f / sqrtf(sum / (float)size + epsilon);
}

/* `out` may be `in`. */
TARGET_CLONES
static void norm_row(float *out, const float *in, const struct head_norm *norm)
{
    for (int64_t h = 0; h < norm->heads; h++) {
        const float *weight = h < norm->query_heads ? norm->query_weight : norm->key_weight;
        const float *x = in + h * norm->size;
        float *y = out + h * norm->size;
        const float rstd = head_rstd(x, norm->size, norm->epsilon);
#pragma omp simd
        for (int64_t i = 0; i < norm->size; i++)
            y[i] = x[i] * rstd * weight[i];
    }
}

void cpu_head_norm_forward(struct backend *backend, struct tensor *out,
                           const struct tensor *in, const struct tensor *query_weight,
                           const struct tensor *key_weight,
                           const struct attention_shape *shape, float epsilon)
{
    const struct head_norm norm =
        head_norm_of(cpu_of(backend), in, query_weight, key_weight, shape, epsilon);
    const int64_t normed = norm.heads * norm.size;

    if (!norm.query_weight || !norm.key_weight)
        return;
    CPU_PARALLEL_FOR(cpu_of(backend), norm.rows * norm.columns)
    for (int64_t t = 0; t < norm.rows; t++) {
        const float *from = f32(in) + t * norm.columns;
        float *to = f32(out) + t * norm.columns;
        norm_row(to, from, &norm);
        if (to != from)
            memcpy(to + normed, from + normed,
                   (size_t)(norm.columns - normed) * sizeof *to);
    }
}

/* d: from d_out to d_in; see cpu_norm.c for the formulas. */
TARGET_CLONES
static void norm_backward_row(float *d_row, float *d_weights, const float *in,
                              const struct head_norm *norm)
{
    const int64_t size = norm->size;

    for (int64_t h = 0; h < norm->heads; h++) {
        const bool query = h < norm->query_heads;
        const float *restrict weight = query ? norm->query_weight : norm->key_weight;
        const float *restrict x = in + h * size;
        float *restrict d = d_row + h * size;
        float *restrict d_weight = d_weights + (query ? 0 : size);
        const float rstd = head_rstd(x, size, norm->epsilon);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < size; i++)
            sum += d[i] * weight[i] * x[i];
        const float mean = sum * rstd * rstd / (float)size;
        for (int64_t i = 0; i < size; i++) {
            d_weight[i] += d[i] * (x[i] * rstd);
            d[i] = rstd * (d[i] * weight[i] - x[i] * mean);
        }
    }
}

enum { ROWS_A_PARTIAL = 64 }; /* fixed, so that thread count changes no bit of d_weight */

/* out[i] += the sum over pieces of partial[piece][offset + i], in order. */
static void add_partials(float *out, const float *partial, int64_t pieces, int64_t offset,
                         int64_t size)
{
    for (int64_t piece = 0; piece < pieces; piece++)
        for (int64_t i = 0; i < size; i++)
            out[i] += partial[piece * 2 * size + offset + i];
}

void cpu_head_norm_backward(struct backend *backend, struct tensor *d_qkv,
                            struct tensor *d_query_weight, struct tensor *d_key_weight,
                            const struct tensor *in, const struct tensor *query_weight,
                            const struct tensor *key_weight,
                            const struct attention_shape *shape, float epsilon)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const struct head_norm norm =
        head_norm_of(cpu_of(backend), in, query_weight, key_weight, shape, epsilon);
    const int64_t pieces = (norm.rows + ROWS_A_PARTIAL - 1) / ROWS_A_PARTIAL;
    float *partial =
        cpu_scratch(cpu, SCRATCH_PARTIAL, pieces * 2 * norm.size, sizeof *partial);

    if (!partial || !norm.query_weight || !norm.key_weight)
        return;
    CPU_PARALLEL_FOR(cpu, norm.rows * norm.columns)
    for (int64_t piece = 0; piece < pieces; piece++) {
        float *sums = partial + piece * 2 * norm.size;
        const int64_t end = minimum(norm.rows, (piece + 1) * ROWS_A_PARTIAL);
        memset(sums, 0, 2 * (size_t)norm.size * sizeof *sums);
        for (int64_t t = piece * ROWS_A_PARTIAL; t < end; t++)
            norm_backward_row(f32(d_qkv) + t * norm.columns, sums,
                              f32(in) + t * norm.columns, &norm);
    }
    if (!d_query_weight)
        return;
    add_partials(f32(d_query_weight), partial, pieces, 0, norm.size);
    add_partials(f32(d_key_weight), partial, pieces, norm.size, norm.size);
}
