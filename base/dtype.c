#include "base/dtype.h"

#include "base/error.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && !defined(NO_TARGET_CLONES)
#define SEVERAL_PROCESSORS                                                                 \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SEVERAL_PROCESSORS
#endif

size_t dtype_bytes(enum dtype dtype)
{
    static const size_t bytes[DTYPE_COUNT] = {
        [DTYPE_F32] = 4, [DTYPE_BF16] = 2, [DTYPE_F16] = 2, [DTYPE_F64] = 8,
        [DTYPE_I16] = 2, [DTYPE_I32] = 4,  [DTYPE_I64] = 8, [DTYPE_U8] = 1,
    };
    CHECK((unsigned)dtype < DTYPE_COUNT);
    return bytes[dtype];
}

const char *dtype_name(enum dtype dtype)
{
    static const char *const names[DTYPE_COUNT] = {
        [DTYPE_F32] = "F32", [DTYPE_BF16] = "BF16", [DTYPE_F16] = "F16",
        [DTYPE_F64] = "F64", [DTYPE_I16] = "I16",   [DTYPE_I32] = "I32",
        [DTYPE_I64] = "I64", [DTYPE_U8] = "U8",
    };
    CHECK((unsigned)dtype < DTYPE_COUNT);
    return names[dtype];
}

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* condition ? yes : no, which gcc would turn into a branch around the arithmetic of `yes`.
 */
static inline uint32_t choose(int condition, uint32_t yes, uint32_t no)
{
    const uint32_t mask = 0U - (uint32_t)condition;
    return (yes & mask) | (no & ~mask);
}

/*
 * The four conversions below select instead of branching, so that loops over them become
 * vector code. A NaN keeps what fits of its payload; where nothing fits it turns quiet.
 */
static inline uint16_t to_bf16(float value)
{
    const uint32_t bits = bits_of(value);
    const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    const uint32_t kept = bits >> 16;
    const uint32_t nan = kept | ((kept & 0x7F) == 0 ? 0x40 : 0);
    return (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? nan : rounded);
}

static inline float from_bf16(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

/*
 * Normal numbers move their exponent and round the 13 bits that go. Subnormal ones (below
 * 2^-14) are added to 0.5, whose last place is 2^-24, the f16 subnormal step: the adder
 * rounds. From 65520 = 2^16 - 2^4 on, the sum carries into infinity.
 */
static inline uint16_t to_f16(float value)
{
    const uint32_t bits = bits_of(value);
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t exponent_shift = (127 - 15) << 23;
    const uint32_t normal =
        (magnitude - exponent_shift + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    const uint32_t subnormal = bits_of(float_of(magnitude) + 0.5F) - bits_of(0.5F);
    const uint32_t payload = magnitude >> 13 & 0x3FF;
    const uint32_t nan = 0x7C00 | payload | (payload == 0 ? 0x200 : 0);
    uint32_t result = choose(magnitude < 113U << 23, subnormal, normal);
    result = choose(magnitude >= 143U << 23, 0x7C00, result);
    result = choose(magnitude > 0x7F800000, nan, result);
    return (uint16_t)(sign | result);
}

/* Subnormals get an exponent of 2^-14 and lose the implicit one by subtraction. */
static inline float from_f16(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half & 0x7C00;
    const uint32_t shifted = (uint32_t)(half & 0x7FFF) << 13;
    const uint32_t normal = shifted + ((127U - 15) << 23);
    const uint32_t special = shifted + ((255U - 31) << 23);
    const uint32_t subnormal =
        bits_of(float_of(shifted + (113U << 23)) - float_of(113U << 23));
    uint32_t result = choose(exponent == 0, subnormal, normal);
    result = choose(exponent == 0x7C00, special, result);
    return float_of(sign | result);
}

uint16_t bf16_from_float(float value)
{
    return to_bf16(value);
}

float bf16_to_float(uint16_t bits)
{
    return from_bf16(bits);
}

uint16_t f16_from_float(float value)
{
    return to_f16(value);
}

float f16_to_float(uint16_t bits)
{
    return from_f16(bits);
}

SEVERAL_PROCESSORS
static void f32_to_bf16(uint16_t *restrict to, const float *restrict from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = to_bf16(from[i]);
}

SEVERAL_PROCESSORS
static void bf16_to_f32(float *restrict to, const uint16_t *restrict from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = from_bf16(from[i]);
}

SEVERAL_PROCESSORS
static void f32_to_f16(uint16_t *restrict to, const float *restrict from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = to_f16(from[i]);
}

SEVERAL_PROCESSORS
static void f16_to_f32(float *restrict to, const uint16_t *restrict from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = from_f16(from[i]);
}

/* From bf16 to f16 or back: exact in f32 in between, so rounded once. */
static void between_halves(uint16_t *to, enum dtype to_type, const uint16_t *from,
                           int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] =
            to_type == DTYPE_F16 ? to_f16(from_bf16(from[i])) : to_bf16(from_f16(from[i]));
}

static int is_float_type(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16;
}

void dtype_convert(void *destination, enum dtype to, const void *source, enum dtype from,
                   int64_t count)
{
    CHECK(is_float_type(to) && is_float_type(from) && count >= 0);
    if (to == from) {
        if (count > 0)
            memmove(destination, source, (size_t)count * dtype_bytes(to));
    } else if (from == DTYPE_F32) {
        (to == DTYPE_BF16 ? f32_to_bf16 : f32_to_f16)(destination, source, count);
    } else if (to == DTYPE_F32) {
        (from == DTYPE_BF16 ? bf16_to_f32 : f16_to_f32)(destination, source, count);
    } else {
        between_halves(destination, to, source, count);
    }
}

/* Infinity and NaN keep their upper half: adding would carry into the sign or exponent. */
static inline uint16_t split(float value, int16_t *remainder)
{
    const uint32_t bits = bits_of(value);
    const uint32_t carry = choose((bits & 0x7F800000) != 0x7F800000, 0x8000, 0);
    *remainder = (int16_t)(uint16_t)(bits & 0xFFFF);
    return (uint16_t)((bits + carry) >> 16);
}

static inline float join(uint16_t bits, int16_t remainder)
{
    return float_of(((uint32_t)bits << 16) + (uint32_t)(int32_t)remainder);
}

uint16_t bf16_split(float value, int16_t *remainder)
{
    return split(value, remainder);
}

float bf16_join(uint16_t bits, int16_t remainder)
{
    return join(bits, remainder);
}

SEVERAL_PROCESSORS
void bf16_split_all(uint16_t *restrict bits, int16_t *restrict remainders,
                    const float *restrict values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        bits[i] = split(values[i], &remainders[i]);
}

SEVERAL_PROCESSORS
void bf16_join_all(float *restrict values, const uint16_t *restrict bits,
                   const int16_t *restrict remainders, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = join(bits[i], remainders[i]);
}
