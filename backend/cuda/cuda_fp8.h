#ifndef HOLDFAST_BACKEND_CUDA_CUDA_FP8_H
#define HOLDFAST_BACKEND_CUDA_CUDA_FP8_H

#include "backend/cuda/cuda_backend.h"

/*
 * Products of FP8 numbers (backend/fp8.h) on the tensor cores of compute capability 9.0,
 * where cuBLASLt has scales of rows since 12.9. It multiplies where both operands lie along
 * the depth: the backward's weight is transposed while it is quantised. All is made again
 * in each pass, as weights change: 3 bytes for a parameter in the forward and 5 in the
 * backward, beside products of thousands of tokens.
 */

/* An error where this GPU or this cuBLASLt does not serve. */
enum status cuda_fp8_check(int compute_capability, const char *name, struct error *error);

/* As linear_forward() and linear_backward_input(): bf16, sizes of the
 * weight multiples of 16. */
void cuda_fp8_forward(struct cuda_backend *cuda, struct tensor *out,
                      const struct tensor *in, const struct tensor *weight,
                      const struct tensor *bias, const struct tensor *residual);
void cuda_fp8_backward_input(struct cuda_backend *cuda, struct tensor *d_in,
                             const struct tensor *d_out, const struct tensor *weight,
                             bool accumulate);

/*
 * For an operation that makes `rows`, in bf16, and their FP8 numbers in passing: where
 * these go, for the product with rows->fp8_with that comes next of all FP8 products. False
 * sets the sticky error.
 */
struct cuda_fp8_rows {
    uint8_t *numbers; /* [T, columns] */
    float *scales;    /* [T] */
};
bool cuda_fp8_rows_begin(struct cuda_backend *cuda, const struct tensor *rows,
                         bool backward, struct cuda_fp8_rows *made);

#endif
