#ifndef HOLDFAST_BACKEND_CPU_CPU_BF16_KERNEL_H
#define HOLDFAST_BACKEND_CPU_CPU_BF16_KERNEL_H

#include "base/dtype.h"

#include <stdint.h>

/*
 * The innermost pieces of products in bf16:
 *
 *     C[i,j] = sum_k a[i,k] b[k,j] + base[i base_row + j]
 *
 * b lies in panels of BF16_PANEL columns, of which the last may have fewer, its width. A
 * panel holds pairs of neighbours of the depth, which is what the processor multiplies at
 * a time: element (k, j) of a panel is at [k / 2][j][k % 2]. Rows of a lie along the depth.
 *
 *     panel    k:  0 1 | 0 1 | 0 1 ...   columns 0, 1, 2 ...
 *                  2 3 | 2 3 | 2 3 ...
 *
 * A column's pairs are summed in fp32, one after another. That is so for every shape of a
 * tile: an element of C does not depend on the rows and columns beside it, bit for bit.
 * Numbers below 2^-126 count as zero.
 */
enum { BF16_PANEL = 16, BF16_TILE_ROWS = 8, BF16_TILE_PANELS = 3 };

struct bf16_tile {
    int64_t pairs;     /* of the depth; an odd depth ends with a zero in a and in b */
    const uint16_t *a; /* pairs of the depth: a_row elements from row to row, */
    int64_t a_row;
    int64_t a_pair; /* and a_pair from pair to pair */
    const uint16_t *b;
    int64_t b_panel; /* elements from panel to panel */
    float *c;
    int64_t c_row;
    const float *base; /* NULL, or c itself */
    int64_t base_row;
    const uint16_t *fetch; /* what the caller needs in the cache soon, */
    int64_t fetch_lines;   /* so many lines of it */
};

struct bf16_kernel {
    const char *name;
    /* 1 to BF16_TILE_ROWS rows; 1 to BF16_TILE_PANELS panels of all their columns */
    void (*run)(int64_t rows, int64_t panels, const struct bf16_tile *tile);
    /* One panel of fewer columns. */
    void (*run_narrow)(int64_t rows, int64_t width, const struct bf16_tile *tile);
    /* out [rows, stride] <- in, rounded to nearest even; zeros from `depth` to stride, a
     * multiple of BF16_STEP. `type` of `in` is f32 or bf16, its rows in_row apart. */
    void (*round)(uint16_t *out, int64_t stride, const void *in, enum dtype type,
                  int64_t in_row, int64_t rows, int64_t depth);
    /* One panel of `width` columns <- in, rounded: element (k, j) is in[j in_column + k].
     * out is [(depth + 1) / 2][width][2]. */
    void (*pack)(uint16_t *out, const void *in, enum dtype type, int64_t in_column,
                 int64_t width, int64_t depth);
    /* All panels of `columns`, out_panel apart, where it is in[k in_depth + j]. */
    void (*pack_across)(uint16_t *out, int64_t out_panel, const void *in, enum dtype type,
                        int64_t in_depth, int64_t columns, int64_t depth);
};

enum { BF16_STEP = 32 };

/* NULL where the processor has no bf16 instructions (AVX-512 BF16). */
const struct bf16_kernel *bf16_kernel_best(void);

#endif
