#ifndef HOLDFAST_BACKEND_CPU_CPU_MATH_H
#define HOLDFAST_BACKEND_CPU_CPU_MATH_H

#include <stdint.h>
#include <string.h>

/*
 * exp(x) without branches, so that a loop over it is vectorised. Within 2 ulp for
 * x in [-87.3, 88]; 0 below, exp(88) = 1.65e38 above; NaN stays NaN.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2, and exp(r) by the polynomial of Cephes' expf
 * (Moshier 1989). Adding 1.5 * 2^23 rounds to a whole number, which then stands in the
 * low bits.
 */
static inline float exponential(float x)
{
    const float shift = 12582912.0f;
    const float clamped = x > 88.0f ? 88.0f : x;
    const float shifted = clamped * 1.44269504088896341f + shift;
    const float n = shifted - shift;
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    uint32_t bits;
    float power;

    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000; /* 2^n */
    memcpy(&power, &bits, sizeof power);
    return x < -87.3f ? 0.0f : p * power;
}

static inline float sigmoid(float x)
{
    return 1.0f / (1.0f + exponential(-x));
}

#endif
