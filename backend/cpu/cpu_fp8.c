#include "backend/cpu/cpu_fp8.h"

#include "backend/cpu/cpu_target.h"
#include "backend/fp8.h"

#include <math.h>
#include <string.h>

/* The nearest number of E4M3, of two the even one; of at most FP8_MOST, as scaled rows are.
 * Behind the last of its three bits of mantissa 20 are rounded off; below 2^-6 numbers lie
 * 2^-9 apart, as those of f32 do beside 2^14. */
static inline float e4m3_round(float value)
{
    const float magnitude = fabsf(value);
    uint32_t bits;
    float rounded;

    memcpy(&bits, &magnitude, sizeof bits);
    bits = (bits + 0x7FFFF + (bits >> 20 & 1)) & ~0xFFFFFU;
    memcpy(&rounded, &bits, sizeof rounded);
    rounded = magnitude < 0x1p-6F ? magnitude + 0x1p14F - 0x1p14F : rounded;
    return isnan(value) ? value : copysignf(rounded, value);
}

TARGET_CLONES
static void round_row(float *row, int64_t count, float scale)
{
    const float inverse = 1 / scale;

    for (int64_t i = 0; i < count; i++)
        row[i] = e4m3_round(row[i] * inverse) * scale;
}

TARGET_CLONES
static float greatest(const float *row, int64_t count)
{
    float most = FP8_LEAST;

#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < count; i++)
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    return most;
}

/* Elements first to first + count of row t. */
static void row_widen(float *out, const struct tensor *in, int64_t t, int64_t first,
                      int64_t count)
{
    const int64_t at = t * tensor_row_stride(in) + first;

    dtype_convert(out, DTYPE_F32,
                  (const char *)in->data + at * (int64_t)dtype_bytes(in->dtype), in->dtype,
                  count);
}

struct tensor cpu_fp8_rows(struct cpu_backend *cpu, enum scratch_slot slot,
                           const struct tensor *in)
{
    const int64_t rows = in->shape[0], columns = in->shape[1];
    float *out = cpu_scratch(cpu, slot, rows * columns, sizeof *out);

    if (!out)
        return (struct tensor){0};
    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t t = 0; t < rows; t++) {
        float *row = out + t * columns;
        row_widen(row, in, t, 0, columns);
        round_row(row, columns, greatest(row, columns) / FP8_MOST);
    }
    return tensor_view_2d(out, DTYPE_F32, rows, columns);
}

/* As many neighbouring columns as are rounded together. */
enum { COLUMNS = 64 };

TARGET_CLONES
static void columns_greatest(float *most, const float *row, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        most[i] = fabsf(row[i]) > most[i] ? fabsf(row[i]) : most[i];
}

TARGET_CLONES
static void columns_round(float *row, const float *scales, const float *inverses,
                          int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        row[i] = e4m3_round(row[i] * inverses[i]) * scales[i];
}

static void columns_of(float *out, const struct tensor *in, int64_t first, int64_t count)
{
    const int64_t rows = in->shape[0], columns = in->shape[1];
    float scales[COLUMNS], inverses[COLUMNS];

    for (int64_t i = 0; i < count; i++)
        scales[i] = FP8_LEAST;
    for (int64_t t = 0; t < rows; t++) {
        float *row = out + t * columns + first;
        row_widen(row, in, t, first, count);
        columns_greatest(scales, row, count);
    }
    for (int64_t i = 0; i < count; i++) {
        scales[i] /= FP8_MOST;
        inverses[i] = 1 / scales[i];
    }
    for (int64_t t = 0; t < rows; t++)
        columns_round(out + t * columns + first, scales, inverses, count);
}

struct tensor cpu_fp8_columns(struct cpu_backend *cpu, enum scratch_slot slot,
                              const struct tensor *in)
{
    const int64_t rows = in->shape[0], columns = in->shape[1];
    float *out = cpu_scratch(cpu, slot, rows * columns, sizeof *out);

    if (!out)
        return (struct tensor){0};
    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t first = 0; first < columns; first += COLUMNS) {
        const int64_t left = columns - first;
        columns_of(out, in, first, left < COLUMNS ? left : COLUMNS);
    }
    return tensor_view_2d(out, DTYPE_F32, rows, columns);
}
