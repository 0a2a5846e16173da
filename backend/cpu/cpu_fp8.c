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
static float greatest(const float *row, int64_t count)
{
    float most = FP8_LEAST;

#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < count; i++)
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    return most;
}

TARGET_CLONES
static void round_all(float *row, int64_t count, float inverse, float scale)
{
    for (int64_t i = 0; i < count; i++)
        row[i] = e4m3_round(row[i] * inverse) * scale;
}

TARGET_CLONES
static void multiply(float *row, const float *factors, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        row[i] *= factors[i];
}

struct tensor cpu_fp8_rows(struct cpu_backend *cpu, enum scratch_slot slot,
                           const struct tensor *in, const float *factors, float *scales)
{
    const int64_t rows = in->shape[0], columns = in->shape[1];
    const int64_t step = tensor_row_stride(in) * (int64_t)dtype_bytes(in->dtype);
    float *out = cpu_scratch(cpu, slot, rows * columns, sizeof *out);

    if (!out)
        return (struct tensor){0};
    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t t = 0; t < rows; t++) {
        float *row = out + t * columns;
        dtype_convert(row, DTYPE_F32, (const char *)in->data + t * step, in->dtype,
                      columns);
        if (factors)
            multiply(row, factors, columns);
        const float scale = greatest(row, columns) / FP8_MOST;
        round_all(row, columns, 1 / scale, scales ? 1 : scale);
        if (scales)
            scales[t] = scale;
    }
    return tensor_view_2d(out, DTYPE_F32, rows, columns);
}
