#include "backend/cuda/cuda_attention_forward.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * The forward on the tensor cores over documents that continue what is in the cache: keys
 * and values come from its pages, those of the document's own rows too. A tile of queries
 * is counted from the document's first row, a tile of keys from position 0.
 */

/* Keys and values of a sequence, page by page: those of the next tile. */
template <int D, int KEYS> struct paged_rows {
    const __nv_bfloat16 *keys; /* of the head, in the cache's row 0 */
    const __nv_bfloat16 *values;
    int stride;
    const int32_t *pages;
};

/* As tile_load(). What the table holds behind the last page in use is not read. */
template <int D, int KEYS>
static __device__ inline void pages_load(uint32_t tile, const __nv_bfloat16 *cache,
                                         int stride, const int32_t *pages, int count)
{
    constexpr int PIECES = tile_row<D>::PIECES, SHARERS = PIECES & -PIECES;
    constexpr int STEP = ATTENTION_THREADS / SHARERS, PAGE = CACHE_PAGE_ROWS;
    constexpr int GROUP = STEP > PAGE ? STEP : PAGE; /* in which a thread has one page */
    static_assert(KEYS % GROUP == 0 && GROUP % PAGE == 0, "a tile is whole pages");
    const int own = threadIdx.x / SHARERS, piece = threadIdx.x % SHARERS;
    const int own_page = STEP > PAGE ? own / PAGE : 0;
    const uint32_t to = tile + own * tile_row<D>::BYTES + piece * 16;
    int numbers[KEYS / GROUP];

#pragma unroll
    for (int i = 0; i < KEYS / GROUP; i++) {
        const int page = own_page + i * GROUP / PAGE;
        numbers[i] = page * PAGE < count ? pages[page] : 0;
    }
#pragma unroll
    for (int row = 0; row < KEYS; row += STEP) {
        const int in_page = STEP > PAGE ? own % PAGE : own + row % PAGE;
        const __nv_bfloat16 *from =
            cache + (int64_t)(numbers[row / GROUP] * PAGE + in_page) * stride + piece * 8;
#pragma unroll
        for (int i = 0; i < PIECES; i += SHARERS)
            copy_16_begin(to + row * tile_row<D>::BYTES + i * 16, from + i * 8,
                          own + row < count);
    }
}

template <int D, int KEYS>
static __device__ inline void keys_load(uint32_t tile,
                                        const struct paged_rows<D, KEYS> &from, int count)
{
    pages_load<D, KEYS>(tile, from.keys, from.stride, from.pages, count);
}

template <int D, int KEYS>
static __device__ inline void values_load(uint32_t tile,
                                          const struct paged_rows<D, KEYS> &from, int count)
{
    pages_load<D, KEYS>(tile, from.values, from.stride, from.pages, count);
}

template <int D, int KEYS>
static __device__ inline void tile_pass(struct paged_rows<D, KEYS> *from)
{
    from->pages += KEYS / CACHE_PAGE_ROWS;
}

/* From position `key` on, a multiple of KEYS. */
template <int D, int KEYS>
static __device__ inline struct paged_rows<D, KEYS>
paged_rows_from(const struct cuda_attention &a, int document, int group_head, int key)
{
    const int stride = a.key_value_heads * D;

    return {head_rows(a.cached_keys, 0, stride, group_head, D),
            head_rows(a.cached_values, 0, stride, group_head, D), stride,
            a.pages + document * a.width + key / CACHE_PAGE_ROWS};
}

/* Heads run fastest and late tiles come first, as in the forward over whole documents. */
template <int D, int M, int KEYS, int BLOCKS, bool BENT>
static __global__ void __launch_bounds__(ATTENTION_THREADS, BLOCKS)
    paged_kernel(const __grid_constant__ struct cuda_attention a)
{
    constexpr int QUERIES = forward_layout<D, M, KEYS>::QUERIES;
    const int head = blockIdx.x % a.heads, stride = qkv_stride(a, D);
    const int group_head = head / (a.heads / a.key_value_heads);
    struct document_tile tile;
    struct softmax_rows<M> rows;
    float sums[M][D / 8][4], factors[M][2];

    if (!document_tile_find<QUERIES>(&tile, a, (gridDim.x - 1 - blockIdx.x) / a.heads))
        return;
    const int past = a.positions[tile.start];
    const int query = tile.first + warp_index() * 16 * M;
    const struct attention_bend bend = bend_of(a);
    const int key = BENT ? first_key_of(past + tile.first, bend.window, KEYS) : 0;
    tile_load<D, QUERIES>(shared_address(shared_memory),
                          head_rows(a.qkv, tile.start + tile.first, stride, head, D),
                          stride, tile.length - tile.first);
    softmax_begin(&rows);
    sums_clear<D, M>(sums);
    attend<D, M, KEYS, BENT>(sums, &rows,
                             paged_rows_from<D, KEYS>(a, tile.document, group_head, key),
                             past + min(tile.first + QUERIES, tile.length) - key,
                             query < tile.length ? past + query + 16 * M - 1 - key : -1,
                             a.scale * ATTENTION_LOG2E, bend);
    const int first = tile.start + query, count = tile.length - query;
    softmax_end(factors, NULL, count, rows, a.scale);
    rows_write<D, M>(head_rows(a.out, first, a.heads * D, head, D), a.heads * D, count,
                     sums, factors,
                     shared_memory + warp_index() * 16 * M * tile_row<D>::BYTES);
}

template <int D, int M, int KEYS, int BLOCKS> struct paged_kernels {
    static cuda_attention_kernel *of(bool bent)
    {
        return bent ? paged_kernel<D, M, KEYS, BLOCKS, true>
                    : paged_kernel<D, M, KEYS, BLOCKS, false>;
    }
};

void cuda_attention_tensor_paged(struct cuda_backend *cuda, struct cuda_attention *a)
{
    forward_launch<paged_kernels>(cuda, a);
}
