#ifndef HOLDFAST_BACKEND_CPU_CPU_ROW_H
#define HOLDFAST_BACKEND_CPU_CPU_ROW_H

#include "backend/cpu/cpu_backend.h"

/*
 * A row that is written piece by piece, f32 or bf16: cpu_row_piece() says where the f32
 * numbers of a piece are to be made, in place or in `buffer`, and cpu_row_store() brings
 * them from there into the row, rounded where it is bf16.
 */
struct cpu_row {
    struct tensor *tensor;
    int64_t first; /* element of the tensor */
};

static inline float *cpu_row_piece(const struct cpu_row *row, int64_t index, float *buffer)
{
    return row->tensor->dtype == DTYPE_F32 ? f32(row->tensor) + row->first + index : buffer;
}

static inline void cpu_row_store(const struct cpu_row *row, int64_t index,
                                 const float *piece, int64_t count)
{
    if (row->tensor->dtype == DTYPE_BF16)
        dtype_convert((uint16_t *)row->tensor->data + row->first + index, DTYPE_BF16, piece,
                      DTYPE_F32, count);
}

#endif
