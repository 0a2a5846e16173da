#ifndef HOLDFAST_BACKEND_CPU_CPU_MATH_H
#define HOLDFAST_BACKEND_CPU_CPU_MATH_H

#include <stdint.h>
#include <string.h>

static inline int32_t bits_of_float(float value)
{
    int32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of_bits(int32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/*
 * exp(x), written so that a loop over it is vectorised. Within 2 ulp for x in
 * [-87.3, 88]; 0 below, exp(88) = 1.65e38 above; NaN stays NaN.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2, and exp(r) by the polynomial of Cephes' expf
 * (Moshier 1989). Adding 1.5 * 2^23 rounds to a whole number, which then stands in the
 * low bits. The range is checked on the bits, with masks: gcc makes branches of choices
 * between floats, because comparing them may trap, and then vectorises nothing.
 */
static inline float exponential(float x)
{
    const int32_t lowest =
        (int32_t)0xc2ae999au;           /* -87.3; negative floats order backwards */
    const int32_t highest = 0x42b00000; /* 88 */
    const int32_t infinity = 0x7f800000;
    const float shift = 12582912.0f;
    const int32_t bits = bits_of_float(x);
    const int32_t negative = bits >> 31; /* all ones or all zeros */
    const int32_t limit = (negative & lowest) | (~negative & highest);
    const float clamped = float_of_bits(bits < limit ? bits : limit);
    const float shifted = clamped * 1.44269504088896341f + shift;
    const float n = shifted - shift;
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    const int32_t power =
        (int32_t)(((uint32_t)bits_of_float(shifted) << 23) + 0x3f800000u); /* 2^n */
    float p = 1.9875691500e-4f;

    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    const int32_t inside = -(int32_t)((negative & bits) <= lowest);
    const int32_t not_a_number = -(int32_t)((bits & INT32_MAX) > infinity);
    const int32_t result = bits_of_float(p * float_of_bits(power)) & (inside | ~negative);
    return float_of_bits((not_a_number & bits) | (~not_a_number & result));
}

static inline float sigmoid(float x)
{
    return 1.0f / (1.0f + exponential(-x));
}

/*
 * tanh(x), vectorised as exponential() is; within 3 ulp. Below 5/8 the polynomial of
 * Cephes' tanhf (Moshier 1989), above 1 - 2 / (exp(2 |x|) + 1). NaN stays NaN.
 */
static inline float hyperbolic_tangent(float x)
{
    const int32_t bits = bits_of_float(x), sign = bits & INT32_MIN;
    const float size = float_of_bits(bits & INT32_MAX), z = x * x;
    const float far = 1.0f - 2.0f / (exponential(2.0f * size) + 1.0f);
    float p = -5.70498872745e-3f;

    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    p = p * z * x + x;
    const int32_t near = -(int32_t)((bits & INT32_MAX) < 0x3f200000);
    return float_of_bits((near & bits_of_float(p)) | (~near & (bits_of_float(far) | sign)));
}

#endif
