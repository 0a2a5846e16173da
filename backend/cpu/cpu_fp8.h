#ifndef HOLDFAST_BACKEND_CPU_CPU_FP8_H
#define HOLDFAST_BACKEND_CPU_CPU_FP8_H

#include "backend/cpu/cpu_backend.h"

/*
 * Products of FP8 numbers (backend/fp8.h) where no processor has them: operands are rounded
 * to FP8, and multiplied in fp32. Not faster than bf16: it shows what FP8 does to a
 * training, and what a GPU has to compute.
 */

/*
 * `in` [T,K] with each row rounded, as f32 in scratch: times its scale, or without where
 * `scales` [T] are asked for. With `factors` [K] each element is multiplied by its column's
 * first. Data NULL: see cpu_scratch().
 */
struct tensor cpu_fp8_rows(struct cpu_backend *cpu, enum scratch_slot slot,
                           const struct tensor *in, const float *factors, float *scales);

#endif
