#ifndef HOLDFAST_BACKEND_CPU_CPU_CACHE_H
#define HOLDFAST_BACKEND_CPU_CPU_CACHE_H

#include "backend/operations.h"

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
