#include "backend/cpu/cpu_adamw.h"
#include "backend/cpu/cpu_target.h"

#include <string.h>

/* random_philox() of base/random.h for `count` neighbouring blocks, four draws each: the
 * same loop over many, so that the compiler may take several at once. */
TARGET_CLONES
static void philox_blocks(uint32_t *restrict draws, uint64_t first, int64_t count,
                          uint64_t stream, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++) {
        const uint64_t block = first + (uint64_t)i;
        uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
        uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            const uint64_t product0 = (uint64_t)0xD2511F53 * c0;
            const uint64_t product1 = (uint64_t)0xCD9E8D57 * c2;
            c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)product1;
            c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)product0;
            k0 += 0x9E3779B9; /* golden ratio */
            k1 += 0xBB67AE85; /* sqrt(3) - 1 */
        }
        draws[4 * i] = c0;
        draws[4 * i + 1] = c1;
        draws[4 * i + 2] = c2;
        draws[4 * i + 3] = c3;
    }
}

void adamw_draw(struct adamw_draws *draws, const struct adamw_step_parameters *parameters,
                int64_t first, int64_t count)
{
    CHECK(count > 0 && count <= ADAMW_PIECE);
    const int64_t begin = first / 2, end = (first + count - 1) / 2 + 1;
    philox_blocks(draws->buffer, (uint64_t)begin, end - begin, (uint64_t)parameters->step,
                  parameters->seed);
    draws->of = draws->buffer + 2 * (first % 2);
}

TARGET_CLONES
void round_stochastically(uint16_t *restrict rounded, const float *restrict values,
                          const uint32_t *restrict draws, int shift, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        const uint32_t random = draws[2 * i] >> shift & 0xFFFF;
        const uint32_t quiet = bits & 0x007FFFFF ? 0x00400000 : 0;
        const bool finite = (bits & 0x7F800000) != 0x7F800000;
        rounded[i] = (uint16_t)((finite ? bits + random : bits | quiet) >> 16);
    }
}

struct adamw_weights adamw_weights_of(const struct tensor *weight,
                                      const struct tensor *remainder)
{
    return (struct adamw_weights){.data = weight->data,
                                  .remainder = remainder ? remainder->data : NULL,
                                  .dtype = weight->dtype};
}

bool adamw_weights_are_drawn(const struct adamw_weights *weights)
{
    return weights->dtype == DTYPE_BF16 && !weights->remainder;
}

float *adamw_weights_load(const struct adamw_weights *weights, int64_t first, int64_t count,
                          float *buffer)
{
    if (weights->dtype == DTYPE_F32)
        return (float *)weights->data + first;
    const uint16_t *upper = (const uint16_t *)weights->data + first;
    if (weights->remainder)
        bf16_join_all(buffer, upper, weights->remainder + first, count);
    else
        dtype_convert(buffer, DTYPE_F32, upper, DTYPE_BF16, count);
    return buffer;
}

void adamw_weights_store(const struct adamw_weights *weights, int64_t first, int64_t count,
                         const float *values, const struct adamw_draws *draws)
{
    if (weights->dtype == DTYPE_F32)
        return; /* updated where they lie */
    uint16_t *upper = (uint16_t *)weights->data + first;
    if (weights->remainder)
        bf16_split_all(upper, weights->remainder + first, values, count);
    else
        round_stochastically(upper, values, draws->of + 1, 0, count);
}
