#ifndef HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_TILE_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_TILE_CUH

#include "backend/cuda/cuda_attention.cuh"
#include "backend/cuda/cuda_attention_warp.cuh"

/*
 * What the tensor-core kernels are made of. A block is 4 warps; a warp owns 16 M rows of
 * the block's tile (queries, or keys in the backward) and all that is summed for them, in
 * registers; the other side passes by in tiles of N columns that all warps share.
 *
 * A tile lies in shared memory as rows of D bf16 and 16 bytes more. D is a multiple of 16,
 * so a row is an odd number of 16-byte pieces, and the 8 rows that ldmatrix reads at once
 * lie in different banks. Unlike with a swizzle, a lane's addresses differ from each other
 * by constants, which the instructions hold.
 */
enum { ATTENTION_WARPS = 4, ATTENTION_THREADS = 32 * ATTENTION_WARPS };

#define ATTENTION_LOG2E 1.44269504088896340736f

extern __shared__ __align__(16) unsigned char shared_memory[];

template <int D> struct tile_row {
    enum { PIECES = D / 8, BYTES = 2 * D + 16 };
};

__device__ inline int lane_index(void)
{
    return threadIdx.x % 32;
}

/* The shuffle tells the compiler that all lanes agree. */
__device__ inline int warp_index(void)
{
    return __shfl_sync(0xffffffffu, threadIdx.x / 32, 0);
}

/* Offset of the address that a lane gives ldmatrix for the 16 x 16 elements at the start
 * of a tile: as the left operand, or (transposed) as the right one with rows as depth. */
template <int D> __device__ inline uint32_t lane_offset_left(int lane)
{
    return lane % 16 * tile_row<D>::BYTES + lane / 16 * 16;
}

/* The same as the right operand with columns as depth. */
template <int D> __device__ inline uint32_t lane_offset_right(int lane)
{
    return (lane % 8 + lane / 16 * 8) * tile_row<D>::BYTES + lane / 8 % 2 * 16;
}

/* Begins to bring ROWS rows, `stride` elements apart, zeros from row `count` on. The whole
 * block calls it. As many threads share a row as the greatest power of two that divides its
 * pieces: what a thread copies lies at constant distances. */
template <int D, int ROWS>
__device__ inline void tile_load(uint32_t tile, const __nv_bfloat16 *rows, int stride,
                                 int count)
{
    constexpr int PIECES = tile_row<D>::PIECES, SHARERS = PIECES & -PIECES;
    constexpr int STEP = ATTENTION_THREADS / SHARERS;
    const int own = threadIdx.x / SHARERS, piece = threadIdx.x % SHARERS;
    const uint32_t to = tile + own * tile_row<D>::BYTES + piece * 16;
    const __nv_bfloat16 *from = rows + own * stride + piece * 8;

    if (STEP > ROWS && own >= ROWS)
        return;
#pragma unroll
    for (int row = 0; row < ROWS; row += STEP)
#pragma unroll
        for (int i = 0; i < PIECES; i += SHARERS)
            copy_16_begin(to + row * tile_row<D>::BYTES + i * 16,
                          from + row * stride + i * 8, own + row < count);
}

/* scores[16 M, N] = left[16 M, D] right[N, D]^T; addresses with the lane's offsets. */
template <int D, int M, int N>
__device__ inline void product_of_rows(float (&scores)[M][N / 8][4], uint32_t left,
                                       uint32_t right)
{
#pragma unroll
    for (int i = 0; i < M * (N / 8) * 4; i++)
        scores[i / 4 / (N / 8)][i / 4 % (N / 8)][i % 4] = 0;
#pragma unroll
    for (int d = 0; d < D; d += 16) {
        uint32_t a[M][4], b[4];
#pragma unroll
        for (int m = 0; m < M; m++)
            load_matrices(a[m], left + m * 16 * tile_row<D>::BYTES + d * 2);
#pragma unroll
        for (int n = 0; n < N; n += 16) {
            load_matrices(b, right + n * tile_row<D>::BYTES + d * 2);
#pragma unroll
            for (int m = 0; m < M; m++) {
                multiply_add(scores[m][n / 8], a[m], b[0], b[1]);
                multiply_add(scores[m][n / 8 + 1], a[m], b[2], b[3]);
            }
        }
    }
}

/* sums[16 M, D] += scores[16 M, N], rounded to bf16, times right[N, D]: the fragments that
 * a product leaves are those of a left operand. */
template <int D, int M, int N>
__device__ inline void product_of_scores(float (&sums)[M][D / 8][4],
                                         const float (&scores)[M][N / 8][4], uint32_t right)
{
#pragma unroll
    for (int n = 0; n < N; n += 16) {
        uint32_t a[M][4], b[4];
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                a[m][i] = pack_bf16(scores[m][n / 8 + i / 2][i % 2 * 2],
                                    scores[m][n / 8 + i / 2][i % 2 * 2 + 1]);
#pragma unroll
        for (int d = 0; d < D; d += 16) {
            load_matrices_transposed(b, right + n * tile_row<D>::BYTES + d * 2);
#pragma unroll
            for (int m = 0; m < M; m++) {
                multiply_add(sums[m][d / 8], a[m], b[0], b[1]);
                multiply_add(sums[m][d / 8 + 1], a[m], b[2], b[3]);
            }
        }
    }
}

template <int D, int M> __device__ inline void sums_clear(float (&sums)[M][D / 8][4])
{
#pragma unroll
    for (int i = 0; i < M * (D / 8) * 4; i++)
        sums[i / 4 / (D / 8)][i / 4 % (D / 8)][i % 4] = 0;
}

/* Calls each(score, row, column), row and column counted from the warp's tile. */
template <int M, int N, typename function>
__device__ inline void scores_each(float (&scores)[M][N / 8][4], const function &each)
{
    const int row = lane_index() / 4, column = lane_index() % 4 * 2;

#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int n = 0; n < N / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                each(scores[m][n][i], m * 16 + i / 2 * 8 + row, n * 8 + i % 2 + column);
}

/*
 * What bends attention: a window, a cap. Kernels have two forms, the plain one and one that
 * knows this, a template argument BENT.
 */
struct attention_bend {
    int window; /* 0: none */
    /* Scores, before they are scaled, become outer tanh(inner score): scale / cap and its
     * inverse; 0: they stay. */
    float inner;
    float outer;
    float inverse; /* 1 / cap, of scores in powers of two */
};

__device__ inline struct attention_bend bend_of(const struct cuda_attention &a)
{
    struct attention_bend bend = {a.window, 0, 0, 0};

    if (a.cap > 0) {
        bend.inner = a.scale / a.cap;
        bend.outer = a.cap / a.scale;
        bend.inverse = 1.0f / (a.cap * ATTENTION_LOG2E);
    }
    return bend;
}

template <int M, int N>
__device__ inline void scores_cap(float (&scores)[M][N / 8][4],
                                  const struct attention_bend &bend)
{
    if (bend.inner == 0)
        return;
#pragma unroll
    for (int i = 0; i < M * (N / 8) * 4; i++) {
        float *s = &scores[i / 4 / (N / 8)][i / 4 % (N / 8)][i % 4];
        *s = bend.outer * tanh_approximate(bend.inner * *s);
    }
}

/* How a score changes with what it was before the cap, from P and log_sum in units of
 * log 2: they hold the capped score. Where P is 0 so is what this multiplies. */
__device__ inline float cap_slope(const struct attention_bend &bend, float p,
                                  float log2_sum)
{
    const float t = (log2_approximate(p) + log2_sum) * bend.inverse;
    return p > 0 && bend.inner > 0 ? 1.0f - t * t : 1.0f;
}

/* -infinity where a query does not attend to a key; the warp's first query stands `ahead`
 * of the tile's first key. */
template <int M, int KEYS, bool BENT>
__device__ inline void queries_mask(float (&scores)[M][KEYS / 8][4], int ahead, int window)
{
    if (!BENT)
        window = 0;
    if (attends(ahead, KEYS - 1) && attends_within(ahead + 16 * M - 1, 0, window))
        return;
    scores_each<M, KEYS>(scores, [=](float &score, int row, int column) {
        if (!attends_within(ahead + row, column, window))
            score = -INFINITY;
    });
}

/* Whether the warp's queries attend to any key of the tile; the last one stands `ahead` of
 * the tile's first key. */
template <int M, int KEYS, bool BENT>
__device__ inline bool queries_attend(int ahead, int window)
{
    if (!BENT || window == 0)
        return ahead >= 0;
    return ahead >= 0 && ahead + 1 - 16 * M - (KEYS - 1) < window;
}

/*
 * Writes sums[16 M, D] times the factor of each row as bf16 to the first `count` rows,
 * `stride` elements apart. `staging` is room of the warp's own for 16 M rows of a tile:
 * through it a warp writes whole rows of 16-byte pieces.
 */
template <int D, int M>
__device__ inline void rows_write(__nv_bfloat16 *rows, int stride, int count,
                                  const float (&sums)[M][D / 8][4],
                                  const float (&factors)[M][2], unsigned char *staging)
{
    constexpr int PIECES = tile_row<D>::PIECES, BYTES = tile_row<D>::BYTES;
    const int lane = lane_index();

    __syncwarp();
#pragma unroll
    for (int i = 0; i < M * (D / 8) * 2; i++) {
        const int m = i / 2 / (D / 8), n = i / 2 % (D / 8), half = i % 2;
        const float factor = factors[m][half];
        *(uint32_t *)(staging + (m * 16 + half * 8 + lane / 4) * BYTES + n * 16 +
                      lane % 4 * 4) =
            pack_bf16(sums[m][n][2 * half] * factor, sums[m][n][2 * half + 1] * factor);
    }
    __syncwarp();
    for (int index = lane; index < M * 16 * PIECES; index += 32) {
        const int row = index / PIECES, piece = index % PIECES;
        if (row < count)
            *(uint4 *)(rows + row * stride + piece * 8) =
                *(const uint4 *)(staging + row * BYTES + piece * 16);
    }
}

/* Row `row` of head `head` in a tensor whose rows are `stride` elements apart. */
__device__ inline const __nv_bfloat16 *head_rows(const void *tensor, int64_t row,
                                                 int stride, int head, int head_size)
{
    return (const __nv_bfloat16 *)tensor + row * stride + (int64_t)head * head_size;
}

__device__ inline __nv_bfloat16 *head_rows(void *tensor, int64_t row, int stride, int head,
                                           int head_size)
{
    return (__nv_bfloat16 *)tensor + row * stride + (int64_t)head * head_size;
}

__device__ inline int qkv_stride(const struct cuda_attention &a, int head_size)
{
    return (a.heads + 2 * a.key_value_heads) * head_size;
}

#endif
