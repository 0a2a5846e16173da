#include "backend/cpu/cpu_adapter.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_target.h"
#include "base/random.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CHUNK = 512 }; /* columns at a time, in the first-level cache */

/* `count` elements from `first` on, as f32: in `buffer`, or where they are. */
static const float *elements_read(float *buffer, const struct tensor *tensor, int64_t first,
                                  int64_t count)
{
    const unsigned char *data = tensor->data;
    if (tensor->dtype == DTYPE_F32)
        return f32(tensor) + first;
    dtype_convert(buffer, DTYPE_F32, data + (size_t)first * dtype_bytes(tensor->dtype),
                  tensor->dtype, count);
    return buffer;
}

static void elements_write(struct tensor *tensor, int64_t first, const float *values,
                           int64_t count)
{
    unsigned char *data = tensor->data;
    dtype_convert(data + (size_t)first * dtype_bytes(tensor->dtype), tensor->dtype, values,
                  DTYPE_F32, count);
}

/* ---- Dropout ------------------------------------------------------------------------ */

enum { LANES = 16 };

/* random_philox() for LANES neighbouring blocks, the columns of `out` being blocks: plain
 * loops over lanes, which the compiler turns into vectors. */
TARGET_CLONES
static void philox_lanes(uint32_t out[4][LANES], uint32_t first_block,
                         const uint32_t counter[3], const uint32_t key[2])
{
    uint32_t key0 = key[0], key1 = key[1];
    for (uint32_t i = 0; i < LANES; i++) {
        out[0][i] = first_block + i;
        out[1][i] = counter[0];
        out[2][i] = counter[1];
        out[3][i] = counter[2];
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < LANES; i++) {
            const uint64_t product0 = (uint64_t)0xD2511F53U * out[0][i];
            const uint64_t product1 = (uint64_t)0xCD9E8D57U * out[2][i];
            out[0][i] = (uint32_t)(product1 >> 32) ^ out[1][i] ^ key0;
            out[2][i] = (uint32_t)(product0 >> 32) ^ out[3][i] ^ key1;
            out[1][i] = (uint32_t)product1;
            out[3][i] = (uint32_t)product0;
        }
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
}

struct mask {
    uint32_t key[2];
    uint32_t counter[3]; /* position, document, stream */
    uint32_t threshold;
    float factor;
};

/* factors[i] = what column first + i is multiplied by; first is a multiple of 4. */
static void mask_factors(float *factors, const struct mask *mask, int64_t first,
                         int64_t count)
{
    uint32_t draws[4][LANES];
    for (int64_t done = 0; done < count; done += 4 * LANES) {
        philox_lanes(draws, (uint32_t)((first + done) / 4), mask->counter, mask->key);
        for (int64_t i = 0; i < minimum(4 * LANES, count - done); i++)
            factors[done + i] =
                draws[i % 4][i / 4] >= mask->threshold ? mask->factor : 0.0f;
    }
}

static void dropout_row(struct tensor *out, const struct tensor *in, int64_t row,
                        const struct mask *mask, bool accumulate)
{
    const int64_t columns = in->shape[1];
    float factors[CHUNK], from_buffer[CHUNK], to_buffer[CHUNK];
    for (int64_t first = 0; first < columns; first += CHUNK) {
        const int64_t count = minimum(CHUNK, columns - first);
        const int64_t at = row * columns + first;
        const float *from = elements_read(from_buffer, in, at, count);
        const float *to = accumulate ? elements_read(to_buffer, out, at, count) : NULL;
        mask_factors(factors, mask, first, count);
        for (int64_t i = 0; i < count; i++)
            factors[i] = (to ? to[i] : 0.0f) + factors[i] * from[i];
        elements_write(out, at, factors, count);
    }
}

void cpu_dropout(struct backend *backend, struct tensor *out, const struct tensor *in,
                 const struct dropout_mask *dropout, bool accumulate)
{
    const struct mask common = {
        .key = {(uint32_t)dropout->key, (uint32_t)(dropout->key >> 32)},
        .threshold = (uint32_t)((double)dropout->probability * 4294967296.0),
        .factor = 1.0f / (1.0f - dropout->probability),
    };
    CPU_PARALLEL_FOR(cpu_of(backend), tensor_count(in))
    for (int64_t row = 0; row < in->shape[0]; row++) {
        struct mask mask = common;
        mask.counter[0] = (uint32_t)dropout->positions[row];
        mask.counter[1] = (uint32_t)dropout->documents[row];
        mask.counter[2] = dropout->stream;
        dropout_row(out, in, row, &mask, accumulate);
    }
}

/* ---- Magnitudes --------------------------------------------------------------------- */

TARGET_CLONES
static void add_scaled(float *sum, const float *values, float factor, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] += factor * values[i];
}

TARGET_CLONES
static double squares(const float *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

static float row_norm(const struct tensor *weight, const struct tensor *a,
                      const struct tensor *b, int64_t row, float scale)
{
    const int64_t columns = weight->shape[1], rank = a->shape[0];
    float sum[CHUNK], buffer[CHUNK], factor;
    double total = 0;
    for (int64_t first = 0; first < columns; first += CHUNK) {
        const int64_t count = minimum(CHUNK, columns - first);
        const float *from = elements_read(buffer, weight, row * columns + first, count);
        memcpy(sum, from, (size_t)count * sizeof *sum);
        for (int64_t r = 0; r < rank; r++) {
            const float *b_row = elements_read(&factor, b, row * rank + r, 1);
            const float *a_row = elements_read(buffer, a, r * columns + first, count);
            add_scaled(sum, a_row, scale * *b_row, count);
        }
        total += squares(sum, count);
    }
    return fmaxf((float)sqrt(total), FLT_MIN);
}

void cpu_adapted_row_norms(struct backend *backend, struct tensor *norms,
                           const struct tensor *weight, const struct tensor *a,
                           const struct tensor *b, float scale)
{
    CPU_PARALLEL_FOR(cpu_of(backend), tensor_count(weight))
    for (int64_t row = 0; row < weight->shape[0]; row++)
        f32(norms)[row] = row_norm(weight, a, b, row, scale);
}

void cpu_magnitude_gains(struct backend *backend, struct tensor *gains,
                         const struct tensor *magnitude, const struct tensor *remainder,
                         const struct tensor *norms)
{
    (void)backend;
    for (int64_t i = 0; i < gains->shape[0]; i++) {
        float value;
        const float *plain = elements_read(&value, magnitude, i, 1);
        if (remainder)
            value = bf16_join(((const uint16_t *)magnitude->data)[i],
                              ((const int16_t *)remainder->data)[i]);
        f32(gains)[i] = (remainder ? value : *plain) / f32(norms)[i];
    }
}

static void gain_row(struct tensor *out, int64_t row, const struct tensor *gains,
                     const struct tensor *bias, const struct tensor *residual)
{
    const int64_t columns = out->shape[1];
    float values[CHUNK], buffer[CHUNK];
    for (int64_t first = 0; first < columns; first += CHUNK) {
        const int64_t count = minimum(CHUNK, columns - first);
        const int64_t at = row * columns + first;
        const float *gain = f32(gains) + first;
        const float *from = elements_read(buffer, out, at, count);
        for (int64_t i = 0; i < count; i++)
            values[i] = from[i] * gain[i];
        if (bias)
            add_scaled(values, elements_read(buffer, bias, first, count), 1, count);
        if (residual)
            add_scaled(values, elements_read(buffer, residual, at, count), 1, count);
        elements_write(out, at, values, count);
    }
}

void cpu_gain_forward(struct backend *backend, struct tensor *out,
                      const struct tensor *gains, const struct tensor *bias,
                      const struct tensor *residual)
{
    CPU_PARALLEL_FOR(cpu_of(backend), tensor_count(out))
    for (int64_t row = 0; row < out->shape[0]; row++)
        gain_row(out, row, gains, bias, residual);
}

/* Columns [first, first + count) of all rows: sums in the order of rows, whatever the
 * threads. */
static void gain_columns(struct tensor *values, struct tensor *d_magnitude,
                         const struct tensor *d_out, const struct tensor *gains,
                         const struct tensor *norms, int64_t first, int64_t count)
{
    float sums[CHUNK] = {0}, value_buffer[CHUNK], d_buffer[CHUNK];
    for (int64_t row = 0; row < d_out->shape[0]; row++) {
        const int64_t at = row * tensor_row_stride(values) + first;
        const float *value = elements_read(value_buffer, values, at, count);
        const float *d =
            elements_read(d_buffer, d_out, row * tensor_row_stride(d_out) + first, count);
        for (int64_t i = 0; i < count; i++) {
            sums[i] += value[i] * d[i];
            value_buffer[i] = f32(gains)[first + i] * d[i];
        }
        elements_write(values, at, value_buffer, count);
    }
    for (int64_t i = 0; d_magnitude && i < count; i++)
        f32(d_magnitude)[first + i] += sums[i] / f32(norms)[first + i];
}

void cpu_gain_backward(struct backend *backend, struct tensor *values,
                       struct tensor *d_magnitude, const struct tensor *d_out,
                       const struct tensor *gains, const struct tensor *norms)
{
    const int64_t columns = d_out->shape[1];
    CPU_PARALLEL_FOR(cpu_of(backend), tensor_count(d_out))
    for (int64_t first = 0; first < columns; first += CHUNK)
        gain_columns(values, d_magnitude, d_out, gains, norms, first,
                     minimum(CHUNK, columns - first));
}
