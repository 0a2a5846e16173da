#ifndef HOLDFAST_BACKEND_CPU_CPU_BF16_PANELS_H
#define HOLDFAST_BACKEND_CPU_CPU_BF16_PANELS_H

#include "backend/cpu/cpu_backend.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A bf16 weight [M, K] in the panels that bf16_kernel.run reads: 16 rows of it are 16
 * columns of a product's b. Panel p takes the place of rows [16 p, 16 p + 16), so this is
 * done in place, and products read memory from its beginning to its end.
 */

/* False, and nothing is changed, where products do not read panels: no bf16 instructions,
 * another type, an odd K. Uses SCRATCH_THREADS; false with the sticky error without it. */
bool bf16_panels_arrange(struct cpu_backend *cpu, const struct tensor *weight);
/* out [K] <- a row of an arranged weight. */
void bf16_panels_row(float *out, const struct tensor *weight, int64_t row);

#endif
