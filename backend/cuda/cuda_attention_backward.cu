#include "backend/cuda/cuda_attention_tile.cuh"

/*
 * The backward on the tensor cores: delta, then two kernels. Both make P once more from
 * the scores and log_sum. In the first a block is a tile of queries of one head, and keys
 * and values pass by; in the second it is a tile of keys of one group, and the queries and
 * d_out of all heads of the group pass by. What passes by comes two stages deep.
 *
 * Rows past the end of a document come as zeros, as do log_sum and delta there. Keys past
 * the end are after every query. Queries past the end have P = 1, dO = 0 and dS = 0, and
 * so add nothing.
 */

enum { DELTA_LANES = 8 };

/* delta[h, t] = sum_d d_out[t, h, d] out[t, h, d]; 8 lanes for each, in pieces of 16
 * bytes. */
static __global__ void delta_kernel(const __grid_constant__ struct cuda_attention a)
{
    const int64_t index =
        ((int64_t)blockIdx.x * ATTENTION_THREADS + threadIdx.x) / DELTA_LANES;
    const int64_t row = min(index, (int64_t)a.tokens * a.heads - 1);
    const uint4 *out = (const uint4 *)((const __nv_bfloat16 *)a.out + row * a.head_size);
    const uint4 *d_out =
        (const uint4 *)((const __nv_bfloat16 *)a.d_out + row * a.head_size);
    float sum = 0;

    for (int i = threadIdx.x % DELTA_LANES; i < a.head_size / 8; i += DELTA_LANES) {
        const uint4 x = out[i], y = d_out[i];
        const __nv_bfloat162 *p = (const __nv_bfloat162 *)&x;
        const __nv_bfloat162 *q = (const __nv_bfloat162 *)&y;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float2 u = __bfloat1622float2(p[j]), v = __bfloat1622float2(q[j]);
            sum += u.x * v.x + u.y * v.y;
        }
    }
    for (int distance = DELTA_LANES / 2; distance; distance /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    if (threadIdx.x % DELTA_LANES == 0 && row == index)
        a.delta[row % a.heads * a.tokens + row / a.heads] = sum;
}

/* In shared memory: the block's queries and their d_out, then stages of keys and values. */
template <int D, int M, int KEYS> struct query_layout {
    enum {
        QUERIES = ATTENTION_WARPS * 16 * M,
        D_OUT_TILE = QUERIES * tile_row<D>::BYTES,
        STAGES = 2 * D_OUT_TILE,
        VALUES = KEYS * tile_row<D>::BYTES, /* in a stage, after the keys */
        STAGE = 2 * VALUES,
        BYTES = STAGES + 2 * STAGE
    };
};

/* Of rows lane / 4 and lane / 4 + 8 of each 16 queries. */
template <int M> struct query_rows {
    float log2_sum[M][2]; /* log_sum in units of log 2 */
    float delta[M][2];
};

template <int M>
static __device__ inline void query_rows_read(struct query_rows<M> *rows,
                                              const float *log_sum, const float *delta,
                                              int count)
{
#pragma unroll
    for (int i = 0; i < 2 * M; i++) {
        const int row = i / 2 * 16 + i % 2 * 8 + lane_index() / 4;
        rows->log2_sum[i / 2][i % 2] = row < count ? log_sum[row] * ATTENTION_LOG2E : 0;
        rows->delta[i / 2][i % 2] = row < count ? delta[row] : 0;
    }
}

/* s becomes P; then, given P, dP becomes dS. */
template <int M, int KEYS>
static __device__ inline void query_scores(float (&scores)[M][KEYS / 8][4],
                                           const struct query_rows<M> &rows, float factor)
{
#pragma unroll
    for (int i = 0; i < M * (KEYS / 8) * 4; i++) {
        float *s = &scores[i / 4 / (KEYS / 8)][i / 4 % (KEYS / 8)][i % 4];
        *s = exp2_approximate(
            fmaf(*s, factor, -rows.log2_sum[i / 4 / (KEYS / 8)][i % 4 / 2]));
    }
}

template <int M, int KEYS, bool BENT>
static __device__ inline void
query_d_scores(float (&d_scores)[M][KEYS / 8][4], const float (&scores)[M][KEYS / 8][4],
               const struct query_rows<M> &rows, const struct attention_bend &bend)
{
#pragma unroll
    for (int i = 0; i < M * (KEYS / 8) * 4; i++) {
        const int m = i / 4 / (KEYS / 8), n = i / 4 % (KEYS / 8);
        d_scores[m][n][i % 4] =
            scores[m][n][i % 4] * (d_scores[m][n][i % 4] - rows.delta[m][i % 4 / 2]);
        if (BENT)
            d_scores[m][n][i % 4] *=
                cap_slope(bend, scores[m][n][i % 4], rows.log2_sum[m][i % 4 / 2]);
    }
}

/* sums[16 M, D] += dS K. `left` keys are to come for the block; the last of the warp's
 * queries stands `ahead` of the first of them (none of them counts: -1). */
template <int D, int M, int KEYS, bool BENT>
static __device__ inline void
query_sums(float (&sums)[M][D / 8][4], const struct query_rows<M> &rows,
           const __nv_bfloat16 *keys, int stride, int value_distance, int left, int ahead,
           float factor, const struct attention_bend &bend)
{
    typedef query_layout<D, M, KEYS> layout;
    const uint32_t memory = shared_address(shared_memory);
    const uint32_t queries = memory + warp_index() * 16 * M * tile_row<D>::BYTES +
                             lane_offset_left<D>(lane_index());
    uint32_t stage = memory + layout::STAGES;

    tile_load<D, KEYS>(stage, keys, stride, left);
    tile_load<D, KEYS>(stage + layout::VALUES, keys + value_distance, stride, left);
    for (; left > 0; left -= KEYS, ahead -= KEYS) {
        float scores[M][KEYS / 8][4], d_scores[M][KEYS / 8][4];
        const uint32_t here = stage;
        copies_wait();
        __syncthreads();
        keys += KEYS * stride;
        stage = 2 * (memory + layout::STAGES) + layout::STAGE - stage;
        if (left > KEYS) {
            tile_load<D, KEYS>(stage, keys, stride, left - KEYS);
            tile_load<D, KEYS>(stage + layout::VALUES, keys + value_distance, stride,
                               left - KEYS);
        }
        if (!queries_attend<M, KEYS, BENT>(ahead, bend.window))
            continue;
        const uint32_t right = here + lane_offset_right<D>(lane_index());
        product_of_rows<D, M, KEYS>(scores, queries, right);
        if (BENT)
            scores_cap<M, KEYS>(scores, bend);
        queries_mask<M, KEYS, BENT>(scores, ahead + 1 - 16 * M, bend.window);
        query_scores<M, KEYS>(scores, rows, factor);
        product_of_rows<D, M, KEYS>(d_scores, queries + layout::D_OUT_TILE,
                                    right + layout::VALUES);
        query_d_scores<M, KEYS, BENT>(d_scores, scores, rows, bend);
        product_of_scores<D, M, KEYS>(sums, d_scores,
                                      here + lane_offset_left<D>(lane_index()));
    }
}

template <int M>
static __device__ inline void factors_fill(float (&factors)[M][2], float value)
{
#pragma unroll
    for (int i = 0; i < 2 * M; i++)
        factors[i / 2][i % 2] = value;
}

/* dQ. Heads run fastest and late tiles, which have most keys, come first. */
template <int D, int M, int KEYS, int BLOCKS, bool BENT>
static __global__ void __launch_bounds__(ATTENTION_THREADS, BLOCKS)
    query_kernel(const __grid_constant__ struct cuda_attention a)
{
    typedef query_layout<D, M, KEYS> layout;
    const int head = blockIdx.x % a.heads, stride = qkv_stride(a, D);
    const int group_head = head / (a.heads / a.key_value_heads);
    struct document_tile tile;
    struct query_rows<M> rows;
    float sums[M][D / 8][4], factors[M][2];

    if (!document_tile_find<layout::QUERIES>(&tile, a,
                                             (gridDim.x - 1 - blockIdx.x) / a.heads))
        return;
    const int query = tile.first + warp_index() * 16 * M, begin = tile.start + tile.first;
    const int first = tile.start + query, count = tile.length - query;
    const int64_t at = (int64_t)head * a.tokens + first;
    const struct attention_bend bend = bend_of(a);
    const int key = BENT ? first_key_of(tile.first, bend.window, KEYS) : 0;
    tile_load<D, layout::QUERIES>(shared_address(shared_memory),
                                  head_rows(a.qkv, begin, stride, head, D), stride,
                                  tile.length - tile.first);
    tile_load<D, layout::QUERIES>(shared_address(shared_memory) + layout::D_OUT_TILE,
                                  head_rows(a.d_out, begin, a.heads * D, head, D),
                                  a.heads * D, tile.length - tile.first);
    query_rows_read(&rows, a.log_sum + at, a.delta + at, count);
    sums_clear<D, M>(sums);
    query_sums<D, M, KEYS, BENT>(
        sums, rows, head_rows(a.qkv, tile.start + key, stride, a.heads + group_head, D),
        stride, a.key_value_heads * D, min(tile.first + layout::QUERIES, tile.length) - key,
        count > 0 ? query + 16 * M - 1 - key : -1, a.scale * ATTENTION_LOG2E, bend);
    factors_fill<M>(factors, a.scale);
    rows_write<D, M>(head_rows(a.d_qkv, first, stride, head, D), stride, count, sums,
                     factors, shared_memory + warp_index() * 16 * M * tile_row<D>::BYTES);
}

/* In shared memory: the block's keys and values, then stages of queries, their d_out, their
 * log_sum and their delta. Without dK the values are not needed and stand nowhere. */
template <int D, int M, int QUERIES, bool WITH_KEYS> struct key_layout {
    enum {
        KEYS = ATTENTION_WARPS * 16 * M,
        VALUE_TILE = KEYS * tile_row<D>::BYTES,
        STAGES = (WITH_KEYS ? 2 : 1) * VALUE_TILE,
        D_OUT = QUERIES * tile_row<D>::BYTES, /* in a stage, after the queries */
        LOG_SUM = 2 * D_OUT,
        DELTA = LOG_SUM + 4 * QUERIES,
        STAGE = DELTA + 4 * QUERIES,
        BYTES = STAGES + 2 * STAGE
    };
};

/* The query tile that comes next: of head `head`, rows from `query` of the document. */
struct query_tile {
    int head;
    int query;
};

template <int D, int M, int QUERIES, bool WITH_KEYS>
static __device__ inline void stage_load(uint32_t stage, const struct cuda_attention &a,
                                         const struct document_tile &tile,
                                         const struct query_tile &next)
{
    typedef key_layout<D, M, QUERIES, WITH_KEYS> layout;
    const int stride = qkv_stride(a, D), first = tile.start + next.query;
    const int count = tile.length - next.query;
    const int thread = threadIdx.x % QUERIES;

    tile_load<D, QUERIES>(stage, head_rows(a.qkv, first, stride, next.head, D), stride,
                          count);
    tile_load<D, QUERIES>(stage + layout::D_OUT,
                          head_rows(a.d_out, first, a.heads * D, next.head, D), a.heads * D,
                          count);
    if (threadIdx.x < 2 * QUERIES) {
        const float *rows = threadIdx.x < QUERIES ? a.log_sum : a.delta;
        copy_4_begin(stage + layout::LOG_SUM + 4 * threadIdx.x,
                     rows + (int64_t)next.head * a.tokens + first +
                         (thread < count ? thread : 0),
                     thread < count);
    }
}

/* scores, keys by queries: s becomes P. */
template <int M, int QUERIES>
static __device__ inline void key_scores(float (&scores)[M][QUERIES / 8][4],
                                         const float *log_sum, float factor)
{
#pragma unroll
    for (int n = 0; n < QUERIES / 8; n++) {
        const float2 sum = *(const float2 *)(log_sum + n * 8 + lane_index() % 4 * 2);
        const float offset[2] = {sum.x * ATTENTION_LOG2E, sum.y * ATTENTION_LOG2E};
#pragma unroll
        for (int i = 0; i < 4 * M; i++) {
            float *s = &scores[i / 4][n][i % 4];
            *s = exp2_approximate(fmaf(*s, factor, -offset[i % 2]));
        }
    }
}

/* -infinity where a query does not attend to a key; the warp's first key stands `behind`
 * the tile's first query. */
template <int M, int QUERIES, bool BENT>
static __device__ inline void keys_mask(float (&scores)[M][QUERIES / 8][4], int behind,
                                        int window)
{
    if (!BENT)
        window = 0;
    if (attends(0, behind + 16 * M - 1) && attends_within(QUERIES - 1, behind, window))
        return;
    scores_each<M, QUERIES>(scores, [=](float &score, int row, int column) {
        if (!attends_within(column, behind + row, window))
            score = -INFINITY;
    });
}

/* Whether any query of the tile attends to the warp's keys, the first of which stands
 * `behind` the tile's first query. */
template <int M, int QUERIES, bool BENT>
static __device__ inline bool keys_attended(int behind, int window)
{
    const bool causal = attends(QUERIES - 1, behind);
    if (!BENT || window == 0)
        return causal;
    return causal && behind + 16 * M - 1 > -window;
}

/* d_scores: dP becomes dS, given P. */
template <int M, int QUERIES, bool BENT>
static __device__ inline void
key_d_scores(float (&d_scores)[M][QUERIES / 8][4], const float (&scores)[M][QUERIES / 8][4],
             const float *log_sum, const float *delta, const struct attention_bend &bend)
{
#pragma unroll
    for (int n = 0; n < QUERIES / 8; n++) {
        const float2 d = *(const float2 *)(delta + n * 8 + lane_index() % 4 * 2);
#pragma unroll
        for (int i = 0; i < 4 * M; i++)
            d_scores[i / 4][n][i % 4] =
                scores[i / 4][n][i % 4] * (d_scores[i / 4][n][i % 4] - (i % 2 ? d.y : d.x));
        if (!BENT)
            continue;
        const float2 sum = *(const float2 *)(log_sum + n * 8 + lane_index() % 4 * 2);
#pragma unroll
        for (int i = 0; i < 4 * M; i++)
            d_scores[i / 4][n][i % 4] *= cap_slope(
                bend, scores[i / 4][n][i % 4], (i % 2 ? sum.y : sum.x) * ATTENTION_LOG2E);
    }
}

/* d_keys += dS^T Q and d_values += P^T dO for one tile of queries, in the stage at `here`;
 * `keys` is where the lane reads the warp's keys. */
template <int D, int M, int QUERIES, bool WITH_KEYS, bool WITH_VALUES, bool BENT>
static __device__ inline void
key_step(float (&d_keys)[M][D / 8][4], float (&d_values)[M][D / 8][4], uint32_t keys,
         int here, float factor, int behind, const struct attention_bend &bend)
{
    typedef key_layout<D, M, QUERIES, WITH_KEYS> layout;
    const uint32_t stage = shared_address(shared_memory) + here;
    const uint32_t right = stage + lane_offset_right<D>(lane_index());
    const uint32_t depth = stage + lane_offset_left<D>(lane_index());
    float scores[M][QUERIES / 8][4], d_scores[M][QUERIES / 8][4];

    product_of_rows<D, M, QUERIES>(scores, keys, right);
    if (BENT)
        scores_cap<M, QUERIES>(scores, bend);
    keys_mask<M, QUERIES, BENT>(scores, behind, bend.window);
    const float *log_sum = (const float *)(shared_memory + here + layout::LOG_SUM);
    key_scores<M, QUERIES>(scores, log_sum, factor);
    if (WITH_VALUES)
        product_of_scores<D, M, QUERIES>(d_values, scores, depth + layout::D_OUT);
    if (!WITH_KEYS)
        return;
    product_of_rows<D, M, QUERIES>(d_scores, keys + layout::VALUE_TILE,
                                   right + layout::D_OUT);
    key_d_scores<M, QUERIES, BENT>(d_scores, scores, log_sum,
                                   (const float *)(shared_memory + here + layout::DELTA),
                                   bend);
    product_of_scores<D, M, QUERIES>(d_keys, d_scores, depth);
}

/* Both sums of a warp's 16 M keys, from row `key` of the document, over the tiles of
 * queries from the block's first key to the document's end and the heads of the group. */
template <int D, int M, int QUERIES, bool WITH_KEYS, bool WITH_VALUES, bool BENT>
static __device__ inline void
key_sums(float (&d_keys)[M][D / 8][4], float (&d_values)[M][D / 8][4],
         const struct cuda_attention &a, const struct document_tile &tile, int group_head,
         int key)
{
    typedef key_layout<D, M, QUERIES, WITH_KEYS> layout;
    const int group = a.heads / a.key_value_heads, end = (group_head + 1) * group;
    const uint32_t memory = shared_address(shared_memory);
    const uint32_t keys = memory + warp_index() * 16 * M * tile_row<D>::BYTES +
                          lane_offset_left<D>(lane_index());
    const float factor = a.scale * ATTENTION_LOG2E;
    const struct attention_bend bend = bend_of(a);
    const int query_end =
        BENT ? end_query_of(tile.first + layout::KEYS - 1, bend.window, tile.length)
             : tile.length;
    struct query_tile next = {group_head * group, tile.first};
    int stage = layout::STAGES;

    stage_load<D, M, QUERIES, WITH_KEYS>(memory + stage, a, tile, next);
    while (next.head < end) {
        const int here = stage, behind = key - next.query;
        copies_wait();
        __syncthreads();
        stage = 2 * layout::STAGES + layout::STAGE - stage;
        next.query += QUERIES;
        if (next.query >= query_end) {
            next.query = tile.first;
            next.head++;
        }
        if (next.head < end)
            stage_load<D, M, QUERIES, WITH_KEYS>(memory + stage, a, tile, next);
        if (key < tile.length && keys_attended<M, QUERIES, BENT>(behind, bend.window))
            key_step<D, M, QUERIES, WITH_KEYS, WITH_VALUES, BENT>(
                d_keys, d_values, keys, here, factor, behind, bend);
    }
}

/* dK and dV, or one of them. Groups run fastest; early tiles, which have most queries, come
 * first. */
template <int D, int M, int QUERIES, int BLOCKS, bool WITH_KEYS, bool WITH_VALUES,
          bool BENT>
static __global__ void __launch_bounds__(ATTENTION_THREADS, BLOCKS)
    key_kernel(const __grid_constant__ struct cuda_attention a)
{
    typedef key_layout<D, M, QUERIES, WITH_KEYS> layout;
    const int group_head = blockIdx.x % a.key_value_heads, stride = qkv_stride(a, D);
    const int head = a.heads + group_head, value_head = head + a.key_value_heads;
    struct document_tile tile;
    float d_keys[M][D / 8][4], d_values[M][D / 8][4], factors[M][2];

    if (!document_tile_find<layout::KEYS>(&tile, a, blockIdx.x / a.key_value_heads))
        return;
    const int key = tile.first + warp_index() * 16 * M, begin = tile.start + tile.first;
    const int first = tile.start + key, count = tile.length - key;
    unsigned char *staging = shared_memory + warp_index() * 16 * M * tile_row<D>::BYTES;
    tile_load<D, layout::KEYS>(shared_address(shared_memory),
                               head_rows(a.qkv, begin, stride, head, D), stride,
                               tile.length - tile.first);
    if (WITH_KEYS)
        tile_load<D, layout::KEYS>(shared_address(shared_memory) + layout::VALUE_TILE,
                                   head_rows(a.qkv, begin, stride, value_head, D), stride,
                                   tile.length - tile.first);
    sums_clear<D, M>(d_keys);
    sums_clear<D, M>(d_values);
    key_sums<D, M, QUERIES, WITH_KEYS, WITH_VALUES, BENT>(d_keys, d_values, a, tile,
                                                          group_head, key);
    factors_fill<M>(factors, a.scale);
    if (WITH_KEYS)
        rows_write<D, M>(head_rows(a.d_qkv, first, stride, head, D), stride, count, d_keys,
                         factors, staging);
    factors_fill<M>(factors, 1);
    if (WITH_VALUES)
        rows_write<D, M>(head_rows(a.d_qkv, first, stride, value_head, D), stride, count,
                         d_values, factors, staging);
}

static bool bent(const struct cuda_attention *a)
{
    return a->window > 0 || a->cap > 0;
}

template <int D, int M, int KEYS, int BLOCKS>
static void query_launch(struct cuda_backend *cuda, struct cuda_attention *a)
{
    typedef query_layout<D, M, KEYS> layout;

    cuda_attention_launch(cuda,
                          bent(a) ? query_kernel<D, M, KEYS, BLOCKS, true>
                                  : query_kernel<D, M, KEYS, BLOCKS, false>,
                          cuda_attention_tiles(a, layout::QUERIES) * a->heads,
                          ATTENTION_THREADS, layout::BYTES, a);
}

template <int D, int M, int QUERIES, int BLOCKS, bool WITH_KEYS, bool WITH_VALUES>
static void key_launch(struct cuda_backend *cuda, struct cuda_attention *a)
{
    typedef key_layout<D, M, QUERIES, WITH_KEYS> layout;

    cuda_attention_launch(
        cuda,
        bent(a) ? key_kernel<D, M, QUERIES, BLOCKS, WITH_KEYS, WITH_VALUES, true>
                : key_kernel<D, M, QUERIES, BLOCKS, WITH_KEYS, WITH_VALUES, false>,
        cuda_attention_tiles(a, layout::KEYS) * a->key_value_heads, ATTENTION_THREADS,
        layout::BYTES, a);
}

static void delta_launch(struct cuda_backend *cuda, struct cuda_attention *a)
{
    const int64_t rows = (int64_t)a->tokens * a->heads;
    const int rows_per_block = ATTENTION_THREADS / DELTA_LANES;

    cuda_attention_launch(cuda, delta_kernel, (rows + rows_per_block - 1) / rows_per_block,
                          ATTENTION_THREADS, 0, a);
}

/* Tiles of half as many queries where a block has less than 103 KiB. */
static void backward_128(struct cuda_backend *cuda, struct cuda_attention *a)
{
    constexpr size_t query_bytes = query_layout<128, 2, 32>::BYTES;
    constexpr size_t key_bytes = key_layout<128, 1, 64, true>::BYTES;

    if (query_bytes <= cuda->shared_bytes_most)
        query_launch<128, 2, 32, 2>(cuda, a);
    else
        query_launch<128, 1, 32, 1>(cuda, a);
    if (key_bytes <= cuda->shared_bytes_most)
        key_launch<128, 1, 64, 2, true, true>(cuda, a);
    else
        key_launch<128, 1, 32, 1, true, true>(cuda, a);
}

bool cuda_attention_tensor_backward_fits(const struct cuda_backend *cuda,
                                         const struct cuda_attention *a)
{
    constexpr size_t query_bytes = query_layout<256, 1, 32>::BYTES;
    constexpr size_t key_bytes = key_layout<256, 1, 32, true>::BYTES;

    return a->head_size < 256 || (query_bytes <= cuda->shared_bytes_most &&
                                  key_bytes <= cuda->shared_bytes_most);
}

void cuda_attention_tensor_backward(struct cuda_backend *cuda, struct cuda_attention *a)
{
    delta_launch(cuda, a);
    switch (a->head_size) {
    case 64:
        query_launch<64, 2, 64, 2>(cuda, a);
        key_launch<64, 2, 32, 2, true, true>(cuda, a);
        break;
    case 80:
        query_launch<80, 2, 32, 2>(cuda, a);
        key_launch<80, 1, 64, 2, true, true>(cuda, a);
        break;
    case 96:
        query_launch<96, 2, 32, 2>(cuda, a);
        key_launch<96, 1, 64, 2, true, true>(cuda, a);
        break;
    case 128:
        backward_128(cuda, a);
        break;
    case 256: /* the sums of both would not fit into registers */
        query_launch<256, 1, 32, 1>(cuda, a);
        key_launch<256, 1, 32, 1, true, false>(cuda, a);
        key_launch<256, 1, 32, 1, false, true>(cuda, a);
        break;
    }
}
