#ifndef HOLDFAST_BACKEND_CPU_CPU_ATTENTION_H
#define HOLDFAST_BACKEND_CPU_CPU_ATTENTION_H

#include "backend/cpu/cpu_gemm.h"

/*
 * Attention goes by tiles of scores, QUERY_TILE x KEY_TILE, counted from the start of the
 * document: a document's rows are a function of the document alone, bit for bit.
 */
enum { QUERY_TILE = 48, KEY_TILE = 96 }; /* the second a multiple of the first */

/* Where one head of one document lies; rows are `stride` floats apart. */
struct head_view {
    const float *rows;
    int64_t stride;
};

/* Head `index` of a tensor [T, heads * D], from row `start` on. */
static inline struct head_view head_view(const struct tensor *tensor, int64_t start,
                                         int64_t index, int64_t head_size)
{
    return (struct head_view){f32(tensor) + start * tensor->shape[1] + index * head_size,
                              tensor->shape[1]};
}

/* The product of rows [first, first + rows) of a view with a packed matrix. */
static inline struct gemm gemm_of_view(struct head_view view, int64_t first, int64_t rows,
                                       int64_t depth)
{
    return (struct gemm){.rows = rows,
                         .depth = depth,
                         .a = view.rows + first * view.stride,
                         .a_row = view.stride,
                         .a_depth = 1};
}

/* packed <- rows [first, first + rows) of a view as b[k, j] = view[first + k, j]. */
static inline void pack_rows_of(const struct gemm_kernel *kernel, struct head_view view,
                                int64_t first, int64_t rows, int64_t columns, float *packed)
{
    const struct gemm b = {.columns = columns,
                           .depth = rows,
                           .b = view.rows + first * view.stride,
                           .b_depth = view.stride,
                           .b_column = 1};
    gemm_pack(kernel, &b, packed);
}

/* packed <- the transpose, b[k, j] = view[first + j, k]. */
static inline void pack_transpose_of(const struct gemm_kernel *kernel,
                                     struct head_view view, int64_t first, int64_t rows,
                                     int64_t columns, float *packed)
{
    const struct gemm b = {.columns = rows,
                           .depth = columns,
                           .b = view.rows + first * view.stride,
                           .b_depth = 1,
                           .b_column = view.stride};
    gemm_pack(kernel, &b, packed);
}

/* The first of the key tiles that queries from `first` on need. */
static inline int64_t first_key_tile(int64_t first, int64_t window)
{
    const int64_t key = window > 0 ? maximum(0, first - window + 1) : 0;
    return key / KEY_TILE * KEY_TILE;
}

/* Of the keys [key, key + keys), query `t` weighs [low, high), counted from `key`. */
struct key_range {
    int64_t low, high;
};
static inline struct key_range keys_of_query(int64_t t, int64_t key, int64_t keys,
                                             int64_t window)
{
    const int64_t high = maximum(0, minimum(keys, t - key + 1));
    const int64_t low = window > 0 ? maximum(0, t - window + 1 - key) : 0;
    return (struct key_range){minimum(low, high), high};
}

#endif
