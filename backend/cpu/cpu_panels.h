#ifndef HOLDFAST_BACKEND_CPU_CPU_PANELS_H
#define HOLDFAST_BACKEND_CPU_CPU_PANELS_H

#include "backend/cpu/cpu_backend.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A weight [M, K] in the panels that products read: neighbouring rows of it are columns of
 * a product's b. Panel p takes the place of rows [W p, W p + W), so this is done in place,
 * and products read memory from its beginning to its end; the last panel may be narrower.
 *
 *     panel    k:  0 | 0 | 0 ...   in words of 32 bits: a number of fp32, or a pair of
 *                  1 | 1 | 1 ...   neighbours of the depth in bf16
 *
 * W is BF16_PANEL where bf16_kernel.run reads the panels, else gemm_kernel.columns. So
 * depth k (even in bf16) of the panel of `width` columns that begins at column j lies
 * j K + k width elements behind the weight's first.
 */

/* False, and nothing is changed, for bf16 with an odd K. Uses SCRATCH_THREADS; false with
 * the sticky error without it. */
bool panels_arrange(struct cpu_backend *cpu, const struct tensor *weight);
/* out [K] <- a row of an arranged weight. */
void panels_row(const struct cpu_backend *cpu, float *out, const struct tensor *weight,
                int64_t row);

#endif
