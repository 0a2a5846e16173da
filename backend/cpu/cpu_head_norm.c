#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>
#include <string.h>

struct head_norm {
    struct head_norm_shape shape;
    int64_t rows, columns; /* of qkv */
    int64_t normed;        /* the first columns: queries and keys */
    int64_t both;          /* a query and a key, as the gradients of their weights lie */
    const float *query_weight, *key_weight;
};

/* One query or key. */
struct head {
    int64_t first, size; /* of its row */
    int64_t sums;        /* where its weight's gradient begins */
    const float *weight;
};

static struct head head_of(const struct head_norm *norm, int64_t index)
{
    const struct head_norm_shape *shape = &norm->shape;
    const int64_t key = index - shape->queries, size = shape->query_size;
    if (key < 0)
        return (struct head){index * size, size, 0, norm->query_weight};
    return (struct head){shape->queries * size + key * shape->key_size, shape->key_size,
                         size, norm->key_weight};
}

/* Without weights where there is no memory to widen them. */
static struct head_norm head_norm_of(struct cpu_backend *cpu, const struct tensor *in,
                                     const struct tensor *query_weight,
                                     const struct tensor *key_weight,
                                     const struct head_norm_shape *shape)
{
    return (struct head_norm){
        .shape = *shape,
        .rows = in->shape[0],
        .columns = in->shape[1],
        .normed = shape->queries * shape->query_size + shape->keys * shape->key_size,
        .both = shape->query_size + shape->key_size,
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
    const float offset = norm->shape.offset;

    for (int64_t h = 0; h < norm->shape.queries + norm->shape.keys; h++) {
        const struct head head = head_of(norm, h);
        const float *x = in + head.first;
        float *y = out + head.first;
        const float rstd = head_rstd(x, head.size, norm->shape.epsilon);
#pragma omp simd
        for (int64_t i = 0; i < head.size; i++)
            y[i] = x[i] * rstd * (head.weight[i] + offset);
    }
}

void cpu_head_norm_forward(struct backend *backend, struct tensor *out,
                           const struct tensor *in, const struct tensor *query_weight,
                           const struct tensor *key_weight,
                           const struct head_norm_shape *shape)
{
    const struct head_norm norm =
        head_norm_of(cpu_of(backend), in, query_weight, key_weight, shape);

    if (!norm.query_weight || !norm.key_weight)
        return;
    CPU_PARALLEL_FOR(cpu_of(backend), norm.rows * norm.columns)
    for (int64_t t = 0; t < norm.rows; t++) {
        const float *from = f32(in) + t * norm.columns;
        float *to = f32(out) + t * norm.columns;
        norm_row(to, from, &norm);
        if (to != from)
            memcpy(to + norm.normed, from + norm.normed,
                   (size_t)(norm.columns - norm.normed) * sizeof *to);
    }
}

/* d: from d_out to d_in; see cpu_norm.c for the formulas. */
TARGET_CLONES
static void norm_backward_row(float *d_row, float *d_weights, const float *in,
                              const struct head_norm *norm)
{
    const float offset = norm->shape.offset;

    for (int64_t h = 0; h < norm->shape.queries + norm->shape.keys; h++) {
        const struct head head = head_of(norm, h);
        const float *restrict weight = head.weight;
        const float *restrict x = in + head.first;
        float *restrict d = d_row + head.first;
        float *restrict d_weight = d_weights + head.sums;
        const float rstd = head_rstd(x, head.size, norm->shape.epsilon);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < head.size; i++)
            sum += d[i] * (weight[i] + offset) * x[i];
        const float mean = sum * rstd * rstd / (float)head.size;
        for (int64_t i = 0; i < head.size; i++) {
            d_weight[i] += d[i] * (x[i] * rstd);
            d[i] = rstd * (d[i] * (weight[i] + offset) - x[i] * mean);
        }
    }
}

enum { ROWS_A_PARTIAL = 64 }; /* fixed, so that thread count changes no bit of d_weight */

/* out [count] += the sum over pieces of partial[piece][first + i], in order. */
static void add_partials(struct tensor *out, const float *partial, int64_t pieces,
                         int64_t first, int64_t both)
{
    for (int64_t piece = 0; piece < pieces; piece++)
        for (int64_t i = 0; i < out->shape[0]; i++)
            f32(out)[i] += partial[piece * both + first + i];
}

void cpu_head_norm_backward(struct backend *backend, struct tensor *d_qkv,
                            struct tensor *d_query_weight, struct tensor *d_key_weight,
                            const struct tensor *in, const struct tensor *query_weight,
                            const struct tensor *key_weight,
                            const struct head_norm_shape *shape)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const struct head_norm norm = head_norm_of(cpu, in, query_weight, key_weight, shape);
    const int64_t pieces = (norm.rows + ROWS_A_PARTIAL - 1) / ROWS_A_PARTIAL;
    float *partial = cpu_scratch(cpu, SCRATCH_PARTIAL, pieces * norm.both, sizeof *partial);

    if (!partial || !norm.query_weight || !norm.key_weight)
        return;
    CPU_PARALLEL_FOR(cpu, norm.rows * norm.columns)
    for (int64_t piece = 0; piece < pieces; piece++) {
        float *sums = partial + piece * norm.both;
        const int64_t end = minimum(norm.rows, (piece + 1) * ROWS_A_PARTIAL);
        memset(sums, 0, (size_t)norm.both * sizeof *sums);
        for (int64_t t = piece * ROWS_A_PARTIAL; t < end; t++)
            norm_backward_row(f32(d_qkv) + t * norm.columns, sums,
                              f32(in) + t * norm.columns, &norm);
    }
    if (!d_query_weight)
        return;
    add_partials(d_query_weight, partial, pieces, 0, norm.both);
    add_partials(d_key_weight, partial, pieces, shape->query_size, norm.both);
}
