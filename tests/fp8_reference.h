#ifndef HOLDFAST_TESTS_FP8_REFERENCE_H
#define HOLDFAST_TESTS_FP8_REFERENCE_H

#include <math.h>

/* E4M3 by looking at all of its numbers. */
enum { E4M3_CODES = 127 }; /* not negative, from 0 to 448; the next is NaN */

/* 4 bits of exponent with a bias of 7, 3 of mantissa; subnormal below 2^-6. */
static inline float e4m3_value(int code)
{
    const int exponent = code >> 3, mantissa = code & 7;

    return exponent == 0 ? ldexpf((float)mantissa, -9)
                         : ldexpf((float)(8 + mantissa), exponent - 10);
}

/* The nearest, of two the one whose last bit is 0. */
static inline double e4m3_round(float value)
{
    const float magnitude = fabsf(value);
    int best = 0;

    for (int code = 1; code < E4M3_CODES; code++) {
        const float nearer = fabsf(e4m3_value(code) - magnitude);
        const float before = fabsf(e4m3_value(best) - magnitude);
        if (nearer < before || (nearer <= before && code % 2 == 0))
            best = code;
    }
    return copysign((double)e4m3_value(best), (double)value);
}

#endif
