#ifndef HOLDFAST_BACKEND_CPU_CPU_ADAPTER_H
#define HOLDFAST_BACKEND_CPU_CPU_ADAPTER_H

#include "backend/adapter_operations.h"

/* The operations of backend/adapter_operations.h on the CPU, under the same names. */

void cpu_dropout(struct backend *backend, struct tensor *out, const struct tensor *in,
                 const struct dropout_mask *dropout, bool accumulate);
void cpu_adapted_row_norms(struct backend *backend, struct tensor *norms,
                           const struct tensor *weight, const struct tensor *a,
                           const struct tensor *b, float scale);
void cpu_magnitude_gains(struct backend *backend, struct tensor *gains,
                         const struct tensor *magnitude, const struct tensor *remainder,
                         const struct tensor *norms);
void cpu_gain_forward(struct backend *backend, struct tensor *out,
                      const struct tensor *gains, const struct tensor *bias,
                      const struct tensor *residual);
void cpu_gain_backward(struct backend *backend, struct tensor *values,
                       struct tensor *d_magnitude, const struct tensor *d_out,
                       const struct tensor *gains, const struct tensor *norms);

#endif
