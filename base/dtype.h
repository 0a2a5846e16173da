#ifndef HOLDFAST_BASE_DTYPE_H
#define HOLDFAST_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

/* Element types of tensors in memory and in files. */
enum dtype {
    DTYPE_F32,
    DTYPE_BF16,
    DTYPE_F16,
    DTYPE_F64,
    DTYPE_I16,
    DTYPE_I32,
    DTYPE_I64,
    DTYPE_U8,
    DTYPE_COUNT
};

size_t dtype_bytes(enum dtype dtype);
const char *dtype_name(enum dtype dtype); /* as safetensors writes it: "F32", "BF16", … */

/* Scalar conversions. To bf16 and f16: round to nearest even; NaN stays NaN. */
uint16_t bf16_from_float(float value);
float bf16_to_float(uint16_t bits);
uint16_t f16_from_float(float value);
float f16_to_float(uint16_t bits);

/*
 * An fp32 number in two halves: bits = (bf16 << 16) + remainder, bf16 being the number
 * rounded to nearest, ties away from zero. Joining them gives every bit back.
 */
uint16_t bf16_split(float value, int16_t *remainder);
float bf16_join(uint16_t bits, int16_t remainder);
/* The same for `count` numbers. */
void bf16_split_all(uint16_t *bits, int16_t *remainders, const float *values,
                    int64_t count);
void bf16_join_all(float *values, const uint16_t *bits, const int16_t *remainders,
                   int64_t count);

/* Converts `count` elements; only F32, BF16 and F16 on either side (CHECK). */
void dtype_convert(void *destination, enum dtype to, const void *source, enum dtype from,
                   int64_t count);

#endif
