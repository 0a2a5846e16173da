#ifndef HOLDFAST_BACKEND_CPU_CPU_BF16_GEMM_H
#define HOLDFAST_BACKEND_CPU_CPU_BF16_GEMM_H

#include "backend/cpu/cpu_gemm.h"

/*
 * The product of cpu_gemm.h with the elements of a and b rounded to bf16 and sums in fp32,
 * for processors that multiply bf16 (cpu->bf16 is there). A b in panels, an arranged
 * weight, is read where it is: decoding reads weights from memory once, and writes none.
 * Any other b is brought into panels strip by strip, by each job for its columns.
 *
 * The depth is cut into blocks whose size follows from the depth alone, and sums run as in
 * cpu_bf16_kernel.h: rows have the same bits in every batch and thread count.
 */
void bf16_gemm_parallel(struct cpu_backend *cpu, const struct gemm *gemm);

#endif
