#include "backend/cuda/cuda_attention.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * Attention in fp32 arithmetic, for f32 and bf16 tensors and any head size up to
 * CUDA_ATTENTION_HEAD_SIZE_MAXIMUM: the path of f32, the fallback for odd head sizes, and
 * what the tensor-core kernels are held against.
 *
 * A block is 8 warps, a warp owns R rows (queries, or keys in the backward). The other side
 * passes by in tiles of 32 rows, one a lane for scores; for sums, lane l owns the columns
 * l, l + 32, …. Rows past a document's end come as zeros.
 */
enum { WARPS = 8, THREADS = 32 * WARPS, LANES = 32 };

extern __shared__ __align__(16) unsigned char shared_memory[];

/* Shared memory, in floats. Own rows are read in fours, all lanes the same; of the tile
 * each lane reads another row, and its odd row length keeps the lanes in different banks.
 */
struct simple_shared {
    float *own;     /* [8 R, width]: queries; in the backward keys if it owns keys */
    float *own_too; /* [8 R, width]: backward only, d_out or values */
    float *tile;    /* [32, width + 1] */
    float *weights; /* [8, 32, R]: a warp's R weights for each row of the tile */
};

static __host__ __device__ inline int width_of(int head_size)
{
    return (head_size + 3) / 4 * 4;
}

template <int R> static size_t shared_bytes(int head_size, int own_tensors)
{
    const size_t width = width_of(head_size);

    return sizeof(float) *
           (own_tensors * WARPS * R * width + LANES * (width + 1) + WARPS * LANES * R);
}

template <int R>
static __device__ inline struct simple_shared shared_place(int head_size, int own_tensors)
{
    const int width = width_of(head_size);
    struct simple_shared s;

    s.own = (float *)shared_memory;
    s.own_too = s.own + WARPS * R * width;
    s.weights = s.own + own_tensors * WARPS * R * width;
    s.tile = s.weights + WARPS * LANES * R;
    return s;
}

static __device__ inline float to_float(float x)
{
    return x;
}

static __device__ inline float to_float(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

static __device__ inline void store(float *to, float x)
{
    *to = x;
}

static __device__ inline void store(__nv_bfloat16 *to, float x)
{
    *to = __float2bfloat16_rn(x);
}

/* Head `head` in the rows from `row` on of a tensor [T, heads * D]. */
template <typename type> struct simple_view {
    type *rows;
    int64_t stride;
};

template <typename type>
static __device__ inline struct simple_view<type> view_of(type *tensor, int heads, int head,
                                                          int head_size, int64_t row) {
    const int64_t stride = (int64_t)heads * head_size;
    struct simple_view<type> view = {
        tensor + row *stride + (int64_t)head *head_size, stride,
    };
    return view;
}

template <typename type>
static __device__ inline struct simple_view<const type>
qkv_view(const struct cuda_attention &a, int head, int64_t row) {
    return view_of((const type *)a.qkv, a.heads + 2 * a.key_value_heads, head, a.head_size,
                   row);
}

/* Rows to shared memory: zeros from row `count` on and beyond the head size. */
template <typename type>
static __device__ inline void rows_load(float *to, int row_floats,
                                        const struct simple_view<const type> &from,
                                        int rows, int count, int head_size)
{
    const int lane = threadIdx.x % LANES, width = width_of(head_size);

    for (int row = threadIdx.x / LANES; row < rows; row += WARPS)
        for (int d = lane; d < width; d += LANES)
            to[row * row_floats + d] = row < count && d < head_size
                                           ? to_float(from.rows[row * from.stride + d])
                                           : 0;
}

/* The next 32 rows from `row` of a document of `length`, when nobody reads the last ones.
 */
template <typename type>
static __device__ inline void tile_load(const struct simple_shared &s,
                                        const struct simple_view<const type> &document,
                                        int row, int length, int head_size)
{
    const struct simple_view<const type> from = {
        document.rows + row *document.stride, document.stride
    };
    __syncthreads();
    rows_load(s.tile, width_of(head_size) + 1, from, LANES, length - row, head_size);
    __syncthreads();
}

/* The same from the cache: positions from `key` on, of one key/value head. */
template <typename type>
static __device__ inline void
pages_load(const struct simple_shared &s, const struct cuda_attention &a, const type *cache,
           const int32_t *pages, int head, int key, int length)
{
    const int lane = threadIdx.x % LANES, width = width_of(a.head_size);

    __syncthreads();
    for (int row = threadIdx.x / LANES; row < LANES; row += WARPS) {
        const int at = key + row;
        const int page = at < length ? pages[at / CACHE_PAGE_ROWS] : 0;
        const struct simple_view<const type> from =
            view_of(cache, a.key_value_heads, head, a.head_size,
                    (int64_t)page * CACHE_PAGE_ROWS + at % CACHE_PAGE_ROWS);
        for (int d = lane; d < width; d += LANES)
            s.tile[row * (width + 1) + d] =
                at < length && d < a.head_size ? to_float(from.rows[d]) : 0;
    }
    __syncthreads();
}

/* Keys (or values) of a document from position `key` on. */
template <typename type, bool PAGED>
static __device__ inline void keys_load(const struct simple_shared &s,
                                        const struct cuda_attention &a,
                                        const struct document_tile &tile, int group_head,
                                        bool values, int key, int length)
{
    if (PAGED)
        pages_load(s, a, (const type *)(values ? a.cached_values : a.cached_keys),
                   a.pages + tile.document * a.width, group_head, key, length);
    else
        tile_load(s,
                  qkv_view<type>(a, a.heads + values * a.key_value_heads + group_head,
                                 tile.start),
                  key, length, a.head_size);
}

/* dots[r] = own row r of the warp . this lane's row of the tile */
template <int R>
static __device__ inline void tile_dots(float (&dots)[R], const float *own,
                                        const struct simple_shared &s, int width)
{
    const float *mine = s.tile + threadIdx.x % LANES * (width + 1);
    const float *rows = own + threadIdx.x / LANES * R * width;

#pragma unroll
    for (int r = 0; r < R; r++)
        dots[r] = 0;
    for (int d = 0; d < width; d += 4) {
        const float x = mine[d], y = mine[d + 1], z = mine[d + 2], w = mine[d + 3];
#pragma unroll
        for (int r = 0; r < R; r++) {
            const float4 row = *(const float4 *)(rows + r * width + d);
            dots[r] = fmaf(row.x, x, dots[r]);
            dots[r] = fmaf(row.y, y, dots[r]);
            dots[r] = fmaf(row.z, z, dots[r]);
            dots[r] = fmaf(row.w, w, dots[r]);
        }
    }
}

/* Hands this lane's weights to the warp, once it has read the last ones. */
template <int R>
static __device__ inline void weights_write(const struct simple_shared &s,
                                            const float (&weights)[R])
{
    __syncwarp();
#pragma unroll
    for (int r = 0; r < R; r++)
        s.weights[threadIdx.x * R + r] = weights[r];
    __syncwarp();
}

/* sums[r] += sum over the 32 rows j of the tile of weight[j][r] * row j */
template <int R, int COLUMNS>
static __device__ inline void tile_sums(float (&sums)[R][COLUMNS],
                                        const struct simple_shared &s, int head_size)
{
    const int lane = threadIdx.x % LANES, row_floats = width_of(head_size) + 1;
    const float *weights = s.weights + threadIdx.x / LANES * LANES * R;

    for (int j = 0; j < LANES; j++) {
        float w[R];
#pragma unroll
        for (int r = 0; r < R; r += 2) {
            const float2 pair = *(const float2 *)(weights + j * R + r);
            w[r] = pair.x;
            w[r + 1] = pair.y;
        }
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            if (lane + i * LANES < head_size) {
                const float x = s.tile[j * row_floats + lane + i * LANES];
#pragma unroll
                for (int r = 0; r < R; r++)
                    sums[r][i] = fmaf(w[r], x, sums[r][i]);
            }
    }
}

template <int R, int COLUMNS>
static __device__ inline void sums_clear(float (&sums)[R][COLUMNS])
{
#pragma unroll
    for (int i = 0; i < R * COLUMNS; i++)
        sums[i / COLUMNS][i % COLUMNS] = 0;
}

/* sums[r] * factors[r] to the first `count` rows. */
template <typename type, int R, int COLUMNS>
static __device__ inline void sums_write(const struct simple_view<type> &to, int count,
                                         const float (&sums)[R][COLUMNS],
                                         const float (&factors)[R], int head_size)
{
    const int lane = threadIdx.x % LANES;

#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            if (r < count && lane + i * LANES < head_size)
                store(to.rows + r * to.stride + lane + i * LANES, sums[r][i] * factors[r]);
}

static __device__ inline float warp_maximum(float x)
{
#pragma unroll
    for (int distance = LANES / 2; distance; distance /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, distance));
    return x;
}

static __device__ inline float warp_sum(float x)
{
#pragma unroll
    for (int distance = LANES / 2; distance; distance /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, distance);
    return x;
}

/* Of each of a warp's rows: the greatest scaled score, and this lane's share of the sum of
 * exponentials. */
template <int R> struct simple_softmax {
    float highest[R];
    float sum[R];
};

/* This lane's scores become exponentials; what was summed before shrinks. Before its first
 * key, a row's greatest is -infinity, and exponentials are relative to 0. */
template <int R, int COLUMNS>
static __device__ inline void softmax_step(float (&scores)[R], float (&sums)[R][COLUMNS],
                                           struct simple_softmax<R> *rows)
{
#pragma unroll
    for (int r = 0; r < R; r++) {
        const float highest = fmaxf(rows->highest[r], warp_maximum(scores[r]));
        const float base = highest == -INFINITY ? 0.0f : highest;
        const float shrink = expf(rows->highest[r] - base);
        scores[r] = expf(scores[r] - base);
        rows->sum[r] = fmaf(rows->sum[r], shrink, scores[r]);
        rows->highest[r] = highest;
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            sums[r][i] *= shrink;
    }
}

/* The scaled score of a dot product, capped. */
static __device__ inline float score_of(const struct cuda_attention &a, float dot)
{
    const float score = dot * a.scale;
    return a.cap > 0 ? a.cap * tanhf(score / a.cap) : score;
}

/* How the score changes with what it was before the cap. */
static __device__ inline float slope_of(const struct cuda_attention &a, float score)
{
    const float t = a.cap > 0 ? score / a.cap : 0.0f;
    return 1.0f - t * t;
}

/* PAGED: keys and values come from the cache. Rows are counted from their document's first,
 * queries and keys from position 0. */
template <typename type, int D_MAXIMUM, int R, bool PAGED>
static __global__ void __launch_bounds__(THREADS, 2)
    simple_forward_kernel(const __grid_constant__ struct cuda_attention a)
{
    const int head = blockIdx.x % a.heads, size = a.head_size;
    const int group_head = head / (a.heads / a.key_value_heads);
    const int lane = threadIdx.x % LANES, own = threadIdx.x / LANES * R;
    const struct simple_shared s = shared_place<R>(size, 1);
    struct document_tile tile;
    struct simple_softmax<R> rows;
    float sums[R][D_MAXIMUM / LANES], scores[R];

    if (!document_tile_find<WARPS * R>(&tile, a, (gridDim.x - 1 - blockIdx.x) / a.heads))
        return;
    const int past = PAGED ? a.positions[tile.start] : 0, row = tile.first + own;
    const int query = past + row, length = past + tile.length;
    const int end = min(past + tile.first + WARPS * R, length);
    const int64_t first = (int64_t)tile.start + row;
    rows_load(s.own, width_of(size),
              qkv_view<type>(a, head, (int64_t)tile.start + tile.first), WARPS * R,
              tile.length - tile.first, size);
    sums_clear(sums);
    for (int r = 0; r < R; r++) {
        rows.highest[r] = -INFINITY;
        rows.sum[r] = 0;
    }
    for (int key = first_key_of(past + tile.first, a.window, LANES); key < end;
         key += LANES) {
        keys_load<type, PAGED>(s, a, tile, group_head, false, key, length);
        tile_dots(scores, s.own, s, width_of(size));
        for (int r = 0; r < R; r++)
            scores[r] = attends_within(query + r, key + lane, a.window)
                            ? score_of(a, scores[r])
                            : -INFINITY;
        softmax_step(scores, sums, &rows);
        weights_write(s, scores);
        keys_load<type, PAGED>(s, a, tile, group_head, true, key, length);
        tile_sums(sums, s, size);
    }
    for (int r = 0; r < R; r++) {
        const float sum = warp_sum(rows.sum[r]);
        scores[r] = 1.0f / sum;
        if (a.log_sum && lane == 0 && row + r < tile.length)
            a.log_sum[(int64_t)head * a.tokens + first + r] = rows.highest[r] + logf(sum);
    }
    sums_write(view_of((type *)a.out, a.heads, head, size, first), tile.length - row, sums,
               scores, size);
}

/* delta[h, t] = sum_d d_out[t, h, d] out[t, h, d]; a warp for each. */
template <typename type>
static __global__ void __launch_bounds__(THREADS, 2)
    simple_delta_kernel(const __grid_constant__ struct cuda_attention a)
{
    const int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / LANES;
    const type *out = (const type *)a.out + row * a.head_size;
    const type *d_out = (const type *)a.d_out + row * a.head_size;
    float sum = 0;

    if (row >= (int64_t)a.tokens * a.heads)
        return;
    for (int d = threadIdx.x % LANES; d < a.head_size; d += LANES)
        sum = fmaf(to_float(out[d]), to_float(d_out[d]), sum);
    sum = warp_sum(sum);
    if (threadIdx.x % LANES == 0)
        a.delta[row % a.heads * a.tokens + row / a.heads] = sum;
}

/* dQ */
template <typename type, int D_MAXIMUM, int R>
static __global__ void __launch_bounds__(THREADS, 2)
    simple_query_kernel(const __grid_constant__ struct cuda_attention a)
{
    const int head = blockIdx.x % a.heads, size = a.head_size, width = width_of(size);
    const int key_head = a.heads + head / (a.heads / a.key_value_heads);
    const int lane = threadIdx.x % LANES, own = threadIdx.x / LANES * R;
    const struct simple_shared s = shared_place<R>(size, 2);
    struct document_tile tile;
    float sums[R][D_MAXIMUM / LANES], p[R], d_p[R], factors[R];

    if (!document_tile_find<WARPS * R>(&tile, a, (gridDim.x - 1 - blockIdx.x) / a.heads))
        return;
    const int query = tile.first + own, end = min(tile.first + WARPS * R, tile.length);
    const int64_t begin = (int64_t)tile.start + tile.first;
    const int64_t at = (int64_t)head * a.tokens + begin + own;
    const struct simple_view<const type> keys = qkv_view<type>(a, key_head, tile.start);
    rows_load(s.own, width, qkv_view<type>(a, head, begin), WARPS * R,
              tile.length - tile.first, size);
    rows_load(s.own_too, width, view_of((const type *)a.d_out, a.heads, head, size, begin),
              WARPS * R, tile.length - tile.first, size);
    sums_clear(sums);
    for (int key = first_key_of(tile.first, a.window, LANES); key < end; key += LANES) {
        tile_load(s, keys, key, tile.length, size);
        tile_dots(p, s.own, s, width);
        tile_load(s, qkv_view<type>(a, key_head + a.key_value_heads, tile.start), key,
                  tile.length, size);
        tile_dots(d_p, s.own_too, s, width);
        for (int r = 0; r < R; r++) {
            const float score = score_of(a, p[r]);
            p[r] =
                query + r < tile.length && attends_within(query + r, key + lane, a.window)
                    ? expf(score - a.log_sum[at + r]) * (d_p[r] - a.delta[at + r]) *
                          slope_of(a, score)
                    : 0;
        }
        weights_write(s, p);
        tile_load(s, keys, key, tile.length, size);
        tile_sums(sums, s, size);
    }
    for (int r = 0; r < R; r++)
        factors[r] = a.scale;
    sums_write(
        view_of((type *)a.d_qkv, a.heads + 2 * a.key_value_heads, head, size, begin + own),
        tile.length - query, sums, factors, size);
}

/* One tile of queries, of which this lane has row `query`, with the block's keys. */
template <typename type, int R, int COLUMNS>
static __device__ inline void
key_step(float (&d_keys)[R][COLUMNS], float (&d_values)[R][COLUMNS],
         const struct cuda_attention &a, const struct simple_shared &s,
         const struct document_tile &tile, int head, int key, int query_tile)
{
    const int size = a.head_size, query = query_tile + threadIdx.x % LANES;
    const int64_t at = (int64_t)head * a.tokens + tile.start + query;
    const struct simple_view<const type> queries = qkv_view<type>(a, head, tile.start);
    const float log_sum = query < tile.length ? a.log_sum[at] : 0;
    const float delta = query < tile.length ? a.delta[at] : 0;
    float p[R], d_p[R], slopes[R];

    tile_load(s, queries, query_tile, tile.length, size);
    tile_dots(p, s.own, s, width_of(size));
    for (int r = 0; r < R; r++) {
        const float score = score_of(a, p[r]);
        slopes[r] = slope_of(a, score);
        p[r] = query < tile.length && attends_within(query, key + r, a.window)
                   ? expf(score - log_sum)
                   : 0;
    }
    weights_write(s, p);
    tile_load(s, view_of((const type *)a.d_out, a.heads, head, size, tile.start),
              query_tile, tile.length, size);
    tile_dots(d_p, s.own_too, s, width_of(size));
    tile_sums(d_values, s, size);
    for (int r = 0; r < R; r++)
        p[r] *= (d_p[r] - delta) * slopes[r];
    weights_write(s, p);
    tile_load(s, queries, query_tile, tile.length, size);
    tile_sums(d_keys, s, size);
}

/* dK and dV, summed over the query heads of the group. */
template <typename type, int D_MAXIMUM, int R>
static __global__ void __launch_bounds__(THREADS, 2)
    simple_key_kernel(const __grid_constant__ struct cuda_attention a)
{
    const int group_head = blockIdx.x % a.key_value_heads, size = a.head_size;
    const int group = a.heads / a.key_value_heads, own = threadIdx.x / LANES * R;
    const int key_head = a.heads + group_head, all = a.heads + 2 * a.key_value_heads;
    const struct simple_shared s = shared_place<R>(size, 2);
    struct document_tile tile;
    float d_keys[R][D_MAXIMUM / LANES], d_values[R][D_MAXIMUM / LANES], factors[R];

    if (!document_tile_find<WARPS * R>(&tile, a, blockIdx.x / a.key_value_heads))
        return;
    const int key = tile.first + own, count = tile.length - tile.first;
    const int end = end_query_of(tile.first + WARPS * R - 1, a.window, tile.length);
    const int64_t begin = (int64_t)tile.start + tile.first;
    rows_load(s.own, width_of(size), qkv_view<type>(a, key_head, begin), WARPS * R, count,
              size);
    rows_load(s.own_too, width_of(size),
              qkv_view<type>(a, key_head + a.key_value_heads, begin), WARPS * R, count,
              size);
    sums_clear(d_keys);
    sums_clear(d_values);
    for (int head = group_head * group; head < (group_head + 1) * group; head++)
        for (int query = tile.first; query < end; query += LANES)
            key_step<type>(d_keys, d_values, a, s, tile, head, key, query);
    for (int r = 0; r < R; r++)
        factors[r] = a.scale;
    sums_write(view_of((type *)a.d_qkv, all, key_head, size, begin + own),
               tile.length - key, d_keys, factors, size);
    for (int r = 0; r < R; r++)
        factors[r] = 1;
    sums_write(
        view_of((type *)a.d_qkv, all, key_head + a.key_value_heads, size, begin + own),
        tile.length - key, d_values, factors, size);
}

template <typename type, int D_MAXIMUM, int R, bool PAGED>
static void forward_launch(struct cuda_backend *cuda, struct cuda_attention *a)
{
    cuda_attention_launch(cuda, simple_forward_kernel<type, D_MAXIMUM, R, PAGED>,
                          cuda_attention_tiles(a, WARPS * R) * a->heads, THREADS,
                          shared_bytes<R>(a->head_size, 1), a);
}

template <typename type, int D_MAXIMUM, int R>
static void backward_launch(struct cuda_backend *cuda, struct cuda_attention *a)
{
    const int64_t tiles = cuda_attention_tiles(a, WARPS * R);
    const int64_t rows = (int64_t)a->tokens * a->heads;
    const size_t bytes = shared_bytes<R>(a->head_size, 2);

    cuda_attention_launch(cuda, simple_delta_kernel<type>, (rows + WARPS - 1) / WARPS,
                          THREADS, 0, a);
    cuda_attention_launch(cuda, simple_query_kernel<type, D_MAXIMUM, R>, tiles * a->heads,
                          THREADS, bytes, a);
    cuda_attention_launch(cuda, simple_key_kernel<type, D_MAXIMUM, R>,
                          tiles * a->key_value_heads, THREADS, bytes, a);
}

/* Two rows a warp for the greatest heads: the sums stay in registers. */
template <typename type, bool PAGED>
static void forward_of(struct cuda_backend *cuda, struct cuda_attention *a)
{
    if (a->head_size <= 64)
        forward_launch<type, 64, 4, PAGED>(cuda, a);
    else if (a->head_size <= 128)
        forward_launch<type, 128, 4, PAGED>(cuda, a);
    else if (a->head_size <= 256)
        forward_launch<type, 256, 4, PAGED>(cuda, a);
    else
        forward_launch<type, 512, 2, PAGED>(cuda, a);
}

template <typename type>
static void backward_of(struct cuda_backend *cuda, struct cuda_attention *a)
{
    if (a->head_size <= 64)
        backward_launch<type, 64, 4>(cuda, a);
    else if (a->head_size <= 128)
        backward_launch<type, 128, 4>(cuda, a);
    else if (a->head_size <= 256 &&
             shared_bytes<4>(a->head_size, 2) <= cuda->shared_bytes_most)
        backward_launch<type, 256, 4>(cuda, a);
    else if (a->head_size <= 256)
        backward_launch<type, 256, 2>(cuda, a);
    else
        backward_launch<type, 512, 2>(cuda, a);
}

void cuda_attention_simple_forward(struct cuda_backend *cuda, struct cuda_attention *a,
                                   enum dtype dtype)
{
    if (dtype == DTYPE_F32)
        forward_of<float, false>(cuda, a);
    else
        forward_of<__nv_bfloat16, false>(cuda, a);
}

void cuda_attention_simple_paged(struct cuda_backend *cuda, struct cuda_attention *a,
                                 enum dtype dtype)
{
    if (dtype == DTYPE_F32)
        forward_of<float, true>(cuda, a);
    else
        forward_of<__nv_bfloat16, true>(cuda, a);
}

void cuda_attention_simple_backward(struct cuda_backend *cuda, struct cuda_attention *a,
                                    enum dtype dtype)
{
    if (dtype == DTYPE_F32)
        backward_of<float>(cuda, a);
    else
        backward_of<__nv_bfloat16>(cuda, a);
}
