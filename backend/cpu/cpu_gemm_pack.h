#ifndef HOLDFAST_BACKEND_CPU_CPU_GEMM_PACK_H
#define HOLDFAST_BACKEND_CPU_CPU_GEMM_PACK_H

#include "backend/cpu/cpu_gemm.h"

/*
 * Copies columns [column, column + columns) of b, depth [first, first + depth), into
 * panels [depth][kernel->columns], one after another; the last one has zeros to the right
 * if columns are not a multiple of the kernel's.
 */
void gemm_pack_panels(const struct gemm_kernel *kernel, const struct gemm *gemm,
                      int64_t column, int64_t columns, int64_t first, int64_t depth,
                      float *packed);

/* One panel as gemm_kernel.run reads it. */
struct gemm_panel {
    const void *b;
    bool pairs;    /* of bf16 */
    int64_t bytes; /* if what lies behind it is read next, else 0 */
};

/* Where b has it, if it is arranged and the panel whole; else brought into `scratch`. */
struct gemm_panel gemm_panel_take(const struct gemm_kernel *kernel, const struct gemm *gemm,
                                  int64_t column, int64_t first, int64_t depth,
                                  float *scratch);

/*
 * Copies `rows` rows of a that are neighbours in memory (a_row 1) into tiles of
 * kernel->rows rows, [depth][rows of the tile] each; the last tile may have fewer.
 */
void gemm_pack_rows(const struct gemm_kernel *kernel, const float *a, int64_t a_depth,
                    int64_t rows, int64_t depth, float *packed);

#endif
