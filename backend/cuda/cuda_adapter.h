#ifndef HOLDFAST_BACKEND_CUDA_CUDA_ADAPTER_H
#define HOLDFAST_BACKEND_CUDA_CUDA_ADAPTER_H

extern "C" {
#include "backend/adapter_operations.h"
}

/* The operations of backend/adapter_operations.h on CUDA, under the same names. */

void cuda_dropout(struct backend *backend, struct tensor *out, const struct tensor *in,
                  const struct dropout_mask *dropout, bool accumulate);
void cuda_adapted_row_norms(struct backend *backend, struct tensor *norms,
                            const struct tensor *weight, const struct tensor *a,
                            const struct tensor *b, float scale);
void cuda_magnitude_gains(struct backend *backend, struct tensor *gains,
                          const struct tensor *magnitude, const struct tensor *remainder,
                          const struct tensor *norms);
void cuda_gain_forward(struct backend *backend, struct tensor *out,
                       const struct tensor *gains, const struct tensor *bias,
                       const struct tensor *residual);
void cuda_gain_backward(struct backend *backend, struct tensor *values,
                        struct tensor *d_magnitude, const struct tensor *d_out,
                        const struct tensor *gains, const struct tensor *norms);

#endif
