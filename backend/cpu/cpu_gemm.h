#ifndef HOLDFAST_BACKEND_CPU_CPU_GEMM_H
#define HOLDFAST_BACKEND_CPU_CPU_GEMM_H

#include "backend/cpu/cpu_backend.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Matrix products after Goto & van de Geijn 2008, "Anatomy of high-performance matrix
 * multiplication":
 *
 *     c[i,j] = sum_k a[i,k] b[k,j]  (+ c[i,j] with `accumulate`, or + base[i base_row + j])
 *
 * Element (i, k) of a is a[i a_row + k a_depth], element (k, j) of b is
 * b[k b_depth + j b_column] (one of the two strides of each is 1); rows of c lie c_row
 * apart. So one struct serves A B, A B^T and A^T B.
 *
 * b is packed into panels as wide as the kernel; depth is cut into blocks whose size
 * follows from the depth alone. The sum of one element therefore runs in an order that
 * depends on nothing else: not on the other rows or columns, their number, or the number
 * of threads. Row t of a product has the same bits in every batch.
 *
 * A b in panels, an arranged weight, is read where it is, from memory's beginning to its
 * end: decoding reads weights once, and packs none.
 *
 * b may be bf16: it is widened as it is packed, or by the kernel. With `in_bf16` the
 * elements of a and b may be rounded to bf16 first, and are where the processor multiplies
 * those (cpu_bf16_gemm.h).
 */
struct gemm {
    int64_t rows;
    int64_t columns;
    int64_t depth;
    const void *a;
    enum dtype a_dtype; /* f32, or bf16 where cpu_bf16_gemm.h computes */
    int64_t a_row;
    int64_t a_depth;
    bool a_ends_in_zero; /* its rows do, behind an odd depth: bf16 is read where it is */
    const void *b;
    enum dtype b_dtype; /* f32 or bf16 */
    int64_t b_depth;
    int64_t b_column;
    float *c;
    int64_t c_row;
    const float *base; /* a residual; with base_row 0 a bias; NULL with `accumulate` */
    int64_t base_row;
    bool accumulate;
    bool in_bf16;
    bool
        b_panels; /* b is what panels_arrange() made of it; b_depth, b_column say nothing */
};

/* What the sums of a tile at (row, column) are added to where `first` of the depth is
 * summed already: c, the base, or nothing. */
static inline void gemm_base_take(const struct gemm *gemm, int64_t row, int64_t column,
                                  int64_t first, const float **base, int64_t *base_row)
{
    const bool sums = first > 0 || gemm->accumulate;
    const float *from = sums ? gemm->c : gemm->base;

    *base_row = sums ? gemm->c_row : gemm->base_row;
    *base = from ? from + row * *base_row + column : NULL;
}

/* On all threads; uses SCRATCH_PACKED and SCRATCH_THREADS. */
void gemm_parallel(struct cpu_backend *cpu, const struct gemm *gemm);

/*
 * Within one thread, for small matrices, in two halves so that a packed b serves several
 * products: gemm_pack() fills `packed` (gemm_packed_floats() long) from b, b_depth,
 * b_column, depth and columns; gemm_packed() reads it and ignores b.
 */
int64_t gemm_packed_floats(const struct gemm_kernel *kernel, int64_t columns,
                           int64_t depth);
void gemm_pack(const struct gemm_kernel *kernel, const struct gemm *gemm, float *packed);
void gemm_packed(const struct gemm_kernel *kernel, const struct gemm *gemm,
                 const float *packed);

#endif
