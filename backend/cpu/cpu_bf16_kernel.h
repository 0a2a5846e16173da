#ifndef HOLDFAST_BACKEND_CPU_CPU_BF16_KERNEL_H
#define HOLDFAST_BACKEND_CPU_CPU_BF16_KERNEL_H

#include "base/dtype.h"

#include <stdint.h>

/*
 * The innermost pieces of products in bf16. A tile of at most 4 x 4 elements of C, each the
 * dot product of a row of a and a row of b (both lie along the depth, bf16), summed in
 * fp32:
 *
 *     C[i,j] = dot(a[i,:], b[j,:]) + base[i base_row + j]
 *
 * The pairs of neighbours (32 s + 2 l, 32 s + 2 l + 1) of the depth go to lane l of 16, in
 * the order of s; then lane l is added to lane l + 8, l + 4, l + 2 and l + 1. That is so
 * for every shape of a tile: an element of C does not depend on the rows and columns beside
 * it, bit for bit.
 *
 * a must be readable, and zero, up to the next multiple of 32 of the depth; b is not read
 * beyond it. base may be NULL, or c itself. Numbers below 2^-126 count as zero.
 */
struct bf16_tile {
    int64_t depth;
    const uint16_t *a;
    int64_t a_row; /* elements from row to row */
    const uint16_t *b;
    int64_t b_row;
    float *c;
    int64_t c_row;
    const float *base;
    int64_t base_row;
    const uint16_t
        *fetch; /* columns, b_row apart, that the caller needs in the cache soon */
    int64_t fetch_columns; /* 0 to BF16_TILE */
};

enum { BF16_TILE = 4, BF16_STEP = 32 };

struct bf16_kernel {
    const char *name;
    /* 1 to BF16_TILE rows and columns. */
    void (*run)(int64_t rows, int64_t columns, const struct bf16_tile *tile);
    /* out [rows, stride] <- in, rounded to nearest even; zeros from `depth` to stride, a
     * multiple of BF16_STEP. `type` of `in` is f32 or bf16, its rows in_row apart. */
    void (*round)(uint16_t *out, int64_t stride, const void *in, enum dtype type,
                  int64_t in_row, int64_t rows, int64_t depth);
    /* The same where `in` lies across: its element (row, k) is in[k in_depth + row]. */
    void (*round_across)(uint16_t *out, int64_t stride, const void *in, enum dtype type,
                         int64_t in_depth, int64_t rows, int64_t depth);
};

/* NULL where the processor has no bf16 instructions (AVX-512 BF16). */
const struct bf16_kernel *bf16_kernel_best(void);

#endif
