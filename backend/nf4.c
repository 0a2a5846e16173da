#include "backend/nf4.h"

#include "backend/cpu/cpu_target.h"

#include <math.h>
#include <string.h>

const float nf4_levels[NF4_LEVELS] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

int64_t nf4_code_bytes(int64_t count)
{
    return (count + 1) / 2;
}

int64_t nf4_block_count(int64_t count)
{
    return (count + NF4_BLOCK - 1) / NF4_BLOCK;
}

int64_t nf4_group_count(int64_t count)
{
    return (nf4_block_count(count) + NF4_GROUP - 1) / NF4_GROUP;
}

/* Divides by the greatest magnitude, which is returned; zeros stay. Without their signs
 * numbers order as their bits do, and integers are what compilers vectorise. */
static inline float normalise(float scaled[NF4_BLOCK], const float *values, int64_t count)
{
    uint32_t bits[NF4_BLOCK] = {0}, most = 0;
    float absmax;

    memcpy(bits, values, (size_t)count * sizeof *values);
    for (int i = 0; i < NF4_BLOCK; i++)
        most = (bits[i] & 0x7FFFFFFFU) > most ? bits[i] & 0x7FFFFFFFU : most;
    memcpy(&absmax, &most, sizeof absmax);
    const float divisor = absmax > 0 ? absmax : 1.0f;
    for (int64_t i = 0; i < count; i++)
        scaled[i] = values[i] / divisor;
    return absmax;
}

/* The nearest level is the number of midpoints between levels that lie below. */
TARGET_CLONES
static float quantize_block(uint8_t *codes, const float *values, int64_t count)
{
    float scaled[NF4_BLOCK] = {0};
    int32_t nearest[NF4_BLOCK] = {0};
    const float absmax = normalise(scaled, values, count);

    for (int level = 0; level + 1 < NF4_LEVELS; level++) {
        const float midpoint = 0.5f * (nf4_levels[level] + nf4_levels[level + 1]);
        for (int i = 0; i < NF4_BLOCK; i++)
            nearest[i] += scaled[i] > midpoint;
    }
    for (int64_t i = 0; i < nf4_code_bytes(count); i++)
        codes[i] = (uint8_t)(nearest[2 * i] | nearest[2 * i + 1] << 4);
    return absmax;
}

void nf4_quantize(uint8_t *codes, float *absmax, const float *values, int64_t count)
{
#pragma omp parallel for if (count > 16384)
    for (int64_t block = 0; block < nf4_block_count(count); block++) {
        const int64_t first = block * NF4_BLOCK, left = count - first;
        absmax[block] = quantize_block(codes + first / 2, values + first,
                                       left < NF4_BLOCK ? left : NF4_BLOCK);
    }
}

/* One group; returns its step. */
static float quantize_group(int8_t *codes, const float *absmax, int64_t blocks,
                            float offset)
{
    float greatest = 0;

    for (int64_t i = 0; i < blocks; i++)
        greatest = fmaxf(greatest, fabsf(absmax[i] - offset));
    const float step = greatest / 127.0f;
    for (int64_t i = 0; i < blocks; i++) {
        const float code = step > 0 ? rintf((absmax[i] - offset) / step) : 0.0f;
        codes[i] = (int8_t)fminf(fmaxf(code, -127.0f), 127.0f);
    }
    return step;
}

float nf4_quantize_scales(int8_t *scale_codes, float *steps, const float *absmax,
                          int64_t blocks)
{
    double sum = 0;

    for (int64_t i = 0; i < blocks; i++)
        sum += (double)absmax[i];
    const float offset = blocks > 0 ? (float)(sum / (double)blocks) : 0.0f;
    for (int64_t first = 0; first < blocks; first += NF4_GROUP) {
        const int64_t left = blocks - first;
        steps[first / NF4_GROUP] =
            quantize_group(scale_codes + first, absmax + first,
                           left < NF4_GROUP ? left : NF4_GROUP, offset);
    }
    return offset;
}
