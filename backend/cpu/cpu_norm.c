#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_row.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>

TARGET_CLONES
static float rms_rstd(const float *in, int64_t count, float epsilon)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += in[i] * in[i];
    return 1.0f / sqrtf(sum / (float)count + epsilon);
}

TARGET_CLONES
static void rms_norm_piece(float *restrict out, const float *restrict in, float rstd,
                           const float *restrict weight, float offset, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = in[i] * rstd * (weight[i] + offset);
}

enum { PIECE = 512 }; /* of a row at a time, so that what is narrowed is on the stack */

static float rms_norm_row(const struct cpu_row *out, const float *in, const float *weight,
                          int64_t columns, float offset, float epsilon)
{
    const float rstd = rms_rstd(in, columns, epsilon);
    float buffer[PIECE];

    for (int64_t j = 0; j < columns; j += PIECE) {
        const int64_t count = minimum(PIECE, columns - j);
        float *piece = cpu_row_piece(out, j, buffer);
        rms_norm_piece(piece, in + j, rstd, weight + j, offset, count);
        cpu_row_store(out, j, piece, count);
    }
    return rstd;
}

void cpu_rms_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                          const struct tensor *in, const struct tensor *weight,
                          float offset, float epsilon)
{
    const int64_t rows = in->shape[0], columns = in->shape[1];
    const float *wide = cpu_vector(cpu_of(backend), weight, SCRATCH_VECTOR);

    if (!wide)
        return;
    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++)
        f32(rstd)[t] = rms_norm_row(&(struct cpu_row){out, t * columns},
                                    f32(in) + t * columns, wide, columns, offset, epsilon);
}

/*
 * With x^ = in * rstd and u = d_out * (weight + offset):
 *     d_in     += rstd (u - x^ mean(u x^))
 *     d_weight += d_out x^
 */
TARGET_CLONES
static void rms_norm_backward_row(float *restrict d_in, float *restrict d_weight,
                                  const float *restrict d_out, const float *restrict in,
                                  const float *restrict weight, int64_t count, float offset,
                                  float rstd)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += d_out[i] * (weight[i] + offset) * in[i];
    const float mean = sum * rstd * rstd / (float)count;
    for (int64_t i = 0; i < count; i++) {
        d_in[i] += rstd * (d_out[i] * (weight[i] + offset) - in[i] * mean);
        d_weight[i] += d_out[i] * (in[i] * rstd);
    }
}

TARGET_CLONES
static void add_to(float *restrict out, const float *restrict in, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] += in[i];
}

enum { ROWS_A_PARTIAL = 64 }; /* fixed, so that thread count changes no bit of d_weight */

/* Adds the partial sums [count][columns], `stride` apart, to out, in order. */
static void add_partials(struct cpu_backend *cpu, float *out, const float *partial,
                         int64_t count, int64_t columns, int64_t stride)
{
    enum { WIDTH = 64 };

    CPU_PARALLEL_FOR(cpu, count * columns)
    for (int64_t j = 0; j < columns; j += WIDTH)
        for (int64_t i = 0; i < count; i++)
            add_to(out + j, partial + i * stride + j, minimum(WIDTH, columns - j));
}

void cpu_rms_norm_backward(struct backend *backend, struct tensor *d_in,
                           struct tensor *d_weight, const struct tensor *d_out,
                           const struct tensor *in, const struct tensor *weight,
                           float offset, const struct tensor *rstd)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const int64_t rows = in->shape[0], columns = in->shape[1];
    const int64_t pieces = (rows + ROWS_A_PARTIAL - 1) / ROWS_A_PARTIAL;
    float *partial = cpu_scratch(cpu, SCRATCH_PARTIAL, pieces * columns, sizeof *partial);
    const float *wide = cpu_vector(cpu, weight, SCRATCH_VECTOR);

    if (!partial || !wide)
        return;
    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t piece = 0; piece < pieces; piece++) {
        float *sum = partial + piece * columns;
        const int64_t end = minimum(rows, (piece + 1) * ROWS_A_PARTIAL);
        for (int64_t j = 0; j < columns; j++)
            sum[j] = 0;
        for (int64_t t = piece * ROWS_A_PARTIAL; t < end; t++)
            rms_norm_backward_row(f32(d_in) + t * columns, sum, f32(d_out) + t * columns,
                                  f32(in) + t * columns, wide, columns, offset,
                                  f32(rstd)[t]);
    }
    if (d_weight)
        add_partials(cpu, f32(d_weight), partial, pieces, columns, columns);
}

TARGET_CLONES
static float mean_of(const float *in, int64_t count)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += in[i];
    return sum / (float)count;
}

TARGET_CLONES
static float rstd_of(const float *in, int64_t count, float mean, float epsilon)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (in[i] - mean) * (in[i] - mean);
    return 1.0f / sqrtf(sum / (float)count + epsilon);
}

TARGET_CLONES
static void layer_norm_piece(float *restrict out, const float *restrict in, float mean,
                             float rstd, const float *restrict weight,
                             const float *restrict bias, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (in[i] - mean) * rstd * weight[i] + bias[i];
}

static float layer_norm_row(const struct cpu_row *out, const float *in, const float *weight,
                            const float *bias, int64_t columns, float epsilon)
{
    const float mean = mean_of(in, columns), rstd = rstd_of(in, columns, mean, epsilon);
    float buffer[PIECE];

    for (int64_t j = 0; j < columns; j += PIECE) {
        const int64_t count = minimum(PIECE, columns - j);
        float *piece = cpu_row_piece(out, j, buffer);
        layer_norm_piece(piece, in + j, mean, rstd, weight + j, bias + j, count);
        cpu_row_store(out, j, piece, count);
    }
    return rstd;
}

void cpu_layer_norm_forward(struct backend *backend, struct tensor *out,
                            struct tensor *rstd, const struct tensor *in,
                            const struct tensor *weight, const struct tensor *bias,
                            float epsilon)
{
    const int64_t rows = in->shape[0], columns = in->shape[1];
    const float *wide = cpu_vector(cpu_of(backend), weight, SCRATCH_VECTOR);
    const float *wide_bias = cpu_vector(cpu_of(backend), bias, SCRATCH_VECTOR_2);

    if (!wide || !wide_bias)
        return;
    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++)
        f32(rstd)[t] =
            layer_norm_row(&(struct cpu_row){out, t * columns}, f32(in) + t * columns, wide,
                           wide_bias, columns, epsilon);
}

/*
 * With x^ = (in - mean) rstd and u = d_out * weight:
 *     d_in     += rstd (u - mean(u) - x^ mean(u x^))
 *     d_weight += d_out x^,  d_bias += d_out
 * gradients [2 count]: d_weight, then d_bias.
 */
TARGET_CLONES
static void layer_norm_backward_row(float *restrict d_in, float *restrict gradients,
                                    const float *restrict d_out, const float *restrict in,
                                    const float *restrict weight, int64_t count, float rstd)
{
    const float mean = mean_of(in, count);
    float sum = 0, product = 0;

#pragma omp simd reduction(+ : sum, product)
    for (int64_t i = 0; i < count; i++) {
        sum += d_out[i] * weight[i];
        product += d_out[i] * weight[i] * ((in[i] - mean) * rstd);
    }
    sum /= (float)count;
    product /= (float)count;
    for (int64_t i = 0; i < count; i++) {
        const float normed = (in[i] - mean) * rstd;
        d_in[i] += rstd * (d_out[i] * weight[i] - sum - normed * product);
        gradients[i] += d_out[i] * normed;
        gradients[count + i] += d_out[i];
    }
}

void cpu_layer_norm_backward(struct backend *backend, struct tensor *d_in,
                             struct tensor *d_weight, struct tensor *d_bias,
                             const struct tensor *d_out, const struct tensor *in,
                             const struct tensor *weight, const struct tensor *rstd)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const int64_t rows = in->shape[0], columns = in->shape[1];
    const int64_t pieces = (rows + ROWS_A_PARTIAL - 1) / ROWS_A_PARTIAL;
    float *partial =
        cpu_scratch(cpu, SCRATCH_PARTIAL, 2 * pieces * columns, sizeof *partial);
    const float *wide = cpu_vector(cpu, weight, SCRATCH_VECTOR);

    if (!partial || !wide)
        return;
    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t piece = 0; piece < pieces; piece++) {
        float *sum = partial + piece * 2 * columns;
        const int64_t end = minimum(rows, (piece + 1) * ROWS_A_PARTIAL);
        for (int64_t j = 0; j < 2 * columns; j++)
            sum[j] = 0;
        for (int64_t t = piece * ROWS_A_PARTIAL; t < end; t++)
            layer_norm_backward_row(f32(d_in) + t * columns, sum, f32(d_out) + t * columns,
                                    f32(in) + t * columns, wide, columns, f32(rstd)[t]);
    }
    if (d_weight)
        add_partials(cpu, f32(d_weight), partial, pieces, columns, 2 * columns);
    if (d_bias)
        add_partials(cpu, f32(d_bias), partial + columns, pieces, columns, 2 * columns);
}
