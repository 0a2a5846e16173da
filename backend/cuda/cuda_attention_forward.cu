#include "backend/cuda/cuda_attention_forward.cuh"

/* The forward on the tensor cores: one block is one tile of 64 M queries of one head. */

/* Keys and values of a document, in rows of qkv: those of the next tile. */
template <int D, int KEYS> struct packed_rows {
    const __nv_bfloat16 *keys;
    int stride;
    int value_distance;
};

template <int D, int KEYS>
static __device__ inline void keys_load(uint32_t tile,
                                        const struct packed_rows<D, KEYS> &from, int count)
{
    tile_load<D, KEYS>(tile, from.keys, from.stride, count);
}

template <int D, int KEYS>
static __device__ inline void
values_load(uint32_t tile, const struct packed_rows<D, KEYS> &from, int count)
{
    tile_load<D, KEYS>(tile, from.keys + from.value_distance, from.stride, count);
}

template <int D, int KEYS>
static __device__ inline void tile_pass(struct packed_rows<D, KEYS> *from)
{
    from->keys += KEYS * from->stride;
}

/* Heads run fastest and late tiles, which have most keys, come first. */
template <int D, int M, int KEYS, int BLOCKS, bool BENT>
static __global__ void __launch_bounds__(ATTENTION_THREADS, BLOCKS)
    forward_kernel(const __grid_constant__ struct cuda_attention a)
{
    constexpr int QUERIES = forward_layout<D, M, KEYS>::QUERIES;
    const int head = blockIdx.x % a.heads, stride = qkv_stride(a, D);
    const int group_head = head / (a.heads / a.key_value_heads);
    struct document_tile tile;
    struct softmax_rows<M> rows;
    float sums[M][D / 8][4], factors[M][2];

    if (!document_tile_find<QUERIES>(&tile, a, (gridDim.x - 1 - blockIdx.x) / a.heads))
        return;
    const int query = tile.first + warp_index() * 16 * M;
    const struct attention_bend bend = bend_of(a);
    const int key = BENT ? first_key_of(tile.first, bend.window, KEYS) : 0;
    tile_load<D, QUERIES>(shared_address(shared_memory),
                          head_rows(a.qkv, tile.start + tile.first, stride, head, D),
                          stride, tile.length - tile.first);
    softmax_begin(&rows);
    sums_clear<D, M>(sums);
    const int width = a.key_value_heads * D;
    const struct packed_rows<D, KEYS> from = {
        head_rows(a.qkv, tile.start + key, stride, a.heads + group_head, D), stride, width
    };
    attend<D, M, KEYS, BENT>(sums, &rows, from,
                             min(tile.first + QUERIES, tile.length) - key,
                             query < tile.length ? query + 16 * M - 1 - key : -1,
                             a.scale * ATTENTION_LOG2E, bend);
    const int first = tile.start + query, count = tile.length - query;
    softmax_end(factors, a.log_sum ? a.log_sum + (int64_t)head * a.tokens + first : NULL,
                count, rows, a.scale);
    rows_write<D, M>(head_rows(a.out, first, a.heads * D, head, D), a.heads * D, count,
                     sums, factors,
                     shared_memory + warp_index() * 16 * M * tile_row<D>::BYTES);
}

template <int D, int M, int KEYS, int BLOCKS> struct forward_kernels {
    static cuda_attention_kernel *of(bool bent)
    {
        return bent ? forward_kernel<D, M, KEYS, BLOCKS, true>
                    : forward_kernel<D, M, KEYS, BLOCKS, false>;
    }
};

void cuda_attention_tensor_forward(struct cuda_backend *cuda, struct cuda_attention *a)
{
    forward_launch<forward_kernels>(cuda, a);
}
