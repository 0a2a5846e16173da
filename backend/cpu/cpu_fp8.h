#ifndef HOLDFAST_BACKEND_CPU_CPU_FP8_H
#define HOLDFAST_BACKEND_CPU_CPU_FP8_H

#include "backend/cpu/cpu_backend.h"

/*
 * Products of FP8 numbers (backend/fp8.h) where no processor has them: operands are rounded
 * to FP8, and multiplied in fp32. Not faster than bf16: it shows what FP8 does to a
 * training, and what a GPU has to compute.
 */

/* `in` [T,K] with each row, or each column, rounded, times its scale, as f32 in scratch.
 * Data NULL: see cpu_scratch(). */
struct tensor cpu_fp8_rows(struct cpu_backend *cpu, enum scratch_slot slot,
                           const struct tensor *in);
struct tensor cpu_fp8_columns(struct cpu_backend *cpu, enum scratch_slot slot,
                              const struct tensor *in);

#endif
