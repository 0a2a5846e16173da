#ifndef HOLDFAST_BACKEND_CPU_CPU_CACHE_H
#define HOLDFAST_BACKEND_CPU_CPU_CACHE_H

#include "backend/operations.h"

/*
 * The keys of a head in a page are [D][CACHE_PAGE_ROWS]: so the scores of its positions are
 * computed beside each other. In bf16 two channels make a pair (an odd D leaves the last
 * one alone): [D / 2][CACHE_PAGE_ROWS][2]. Where a key's channel is:
 */
static inline int64_t cpu_key_at(enum dtype type, int64_t head_size, int64_t channel,
                                 int64_t position)
{
    const int64_t first = channel - channel % 2;

    return type == DTYPE_F32 || first + 1 == head_size
               ? channel * CACHE_PAGE_ROWS + position
               : first * CACHE_PAGE_ROWS + 2 * position + channel % 2;
}

/* The rows of one head in a page of keys, or of values [CACHE_PAGE_ROWS][D]; those of the
 * next head lie behind them. */
const void *cpu_cache_head(const struct tensor *cache, int32_t page, int64_t group,
                           int64_t head_size);

/* Positions [first, first + count) of one head of a sequence in a KV cache; `first` begins
 * a page. */
struct cached_head {
    const struct key_value_cache_layer *layer;
    const int32_t *pages; /* of the sequence */
    int64_t group;        /* key-value head */
    int64_t head_size;
};

/* out [D, stride]: its keys, across; whole pages, so count is rounded up to them. */
void cpu_cache_keys(float *out, int64_t stride, const struct cached_head *head,
                    int64_t first, int64_t count);
/* out [count, D]: its values. */
void cpu_cache_values(float *out, const struct cached_head *head, int64_t first,
                      int64_t count);

#endif
