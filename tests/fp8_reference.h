#ifndef HOLDFAST_TESTS_FP8_REFERENCE_H
#define HOLDFAST_TESTS_FP8_REFERENCE_H

#include "base/json.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/*
 * What the tests of FP8 products (backend/fp8.h) expect: E4M3 by looking among all of
 * its numbers, rows quantised so, and PyTorch's results.
 */
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
    int low = 0, high = E4M3_CODES; /* low's number is not above it, high's is */

    while (high - low > 1) {
        const int middle = (low + high) / 2;
        *(e4m3_value(middle) <= magnitude ? &low : &high) = middle;
    }
    if (high < E4M3_CODES) {
        const float below = magnitude - e4m3_value(low);
        const float above = e4m3_value(high) - magnitude;
        low = above < below || (above <= below && high % 2 == 0) ? high : low;
    }
    return copysign((double)e4m3_value(low), (double)value);
}

/* Rows as FP8 holds them, without their scales. */
static inline void fp8_rows(double *out, float *scales, const float *rows, int64_t count,
                            int64_t columns)
{
    for (int64_t r = 0; r < count; r++) {
        const float *row = rows + r * columns;
        float most = 1e-30F;
        for (int64_t i = 0; i < columns; i++)
            most = fmaxf(most, fabsf(row[i]));
        scales[r] = most / e4m3_value(E4M3_CODES - 1);
        const float inverse = 1 / scales[r];
        for (int64_t i = 0; i < columns; i++)
            out[r * columns + i] = e4m3_round(row[i] * inverse);
    }
}

/* PyTorch's float8_e4m3fn: scripts/reference/make-fp8-goldens. */
static inline cJSON *fp8_golden(int64_t *T, int64_t *M, int64_t *K)
{
    const char *path = "tests/golden/fp8.json";
    cJSON *golden = NULL;
    struct error error = {0};

    if (json_parse_file(&golden, path, &error) ||
        json_required_integer(golden, "T", T, path, &error) ||
        json_required_integer(golden, "M", M, path, &error) ||
        json_required_integer(golden, "K", K, path, &error))
        fail_msg("%s", error.message);
    return golden;
}

/* The numbers of a matrix of it, freed by the caller; how many is checked. */
static inline double *fp8_golden_read(const cJSON *golden, const char *name, int64_t count)
{
    double *out = memory_allocate_array((size_t)count, sizeof *out);
    const cJSON *item;
    int64_t i = 0;

    assert_int_equal(cJSON_GetArraySize(json_get(golden, name)), count);
    cJSON_ArrayForEach(item, json_get(golden, name)) out[i++] = item->valuedouble;
    return out;
}

#endif
