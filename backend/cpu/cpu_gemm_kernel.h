#ifndef HOLDFAST_BACKEND_CPU_CPU_GEMM_KERNEL_H
#define HOLDFAST_BACKEND_CPU_CPU_GEMM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The innermost piece of every matrix product: a small tile of C held in registers.
 *
 *     C[i,j] = (sum over k, in order, of a[i a_row + k a_depth] * b[k columns + j])
 *              + base[i base_row + j]          for i < tile_rows and j < columns
 *
 * b is packed: `columns` neighbours, then the next k. base may be NULL (nothing is added),
 * c itself (accumulation) or a bias (base_row 0). With b_pairs the numbers of b are bf16,
 * in pairs of neighbours of the depth, which is even: [depth / 2][columns][2].
 *
 * Each element is one chain of fused multiply-adds in the order of k, from zero, whatever
 * tile_rows is: a row of C does not depend on the rows beside it, bit for bit.
 */
struct gemm_tile {
    int64_t depth;
    const float *a;
    int64_t a_row;
    int64_t a_depth;
    const void *b;
    bool b_pairs;
    int64_t ahead; /* bytes from b to what is read next, for the cache; or 0 */
    float *c;
    int64_t c_row;
    const float *base;
    int64_t base_row;
};

enum { GEMM_TILE_ROWS_MAXIMUM = 12, GEMM_TILE_COLUMNS_MAXIMUM = 32 };
/* Steps of the depth that are packed at a time: a panel of 16 columns is 24 KiB, of 32 in
 * L1. */
enum { GEMM_DEPTH_BLOCK = 384 };

struct gemm_kernel {
    const char *name;
    int64_t rows;    /* of the largest tile */
    int64_t columns; /* always full: the caller pads */
    void (*run)(int64_t tile_rows,
                const struct gemm_tile *tile); /* 1 <= tile_rows <= rows */
};

/* The best kernel for this processor: AVX-512, AVX2 with FMA, or portable C. */
const struct gemm_kernel *gemm_kernel_best(void);

/* All kernels that run here, best first, for tests. NULL ends the list. */
const struct gemm_kernel *gemm_kernel_at(int index);

#endif
