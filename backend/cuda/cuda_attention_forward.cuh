#ifndef HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_FORWARD_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_FORWARD_CUH

#include "backend/cuda/cuda_attention_tile.cuh"

/*
 * What the two forwards on the tensor cores share, the one over whole documents and the one
 * that reads the cache. Which rows go into which sum, and in which order, is the same in
 * both: tiles of keys are counted from a document's first position, and keys that a row
 * does not weigh add zeros to its sums. So a row's bits depend neither on the forward that
 * made it nor on where its tile of queries begins.
 */
template <int D, int M, int KEYS> struct forward_layout {
    enum {
        QUERIES = ATTENTION_WARPS * 16 * M,
        KEY_TILE = QUERIES * tile_row<D>::BYTES,
        VALUE_TILE = KEY_TILE + KEYS * tile_row<D>::BYTES,
        BYTES = VALUE_TILE + KEYS * tile_row<D>::BYTES
    };
};

/* Of rows lane / 4 and lane / 4 + 8 of each 16: the greatest score, the same in the four
 * lanes of a row, and this lane's share of the sum of exponentials. */
template <int M> struct softmax_rows {
    float highest[M][2];
    float sum[M][2];
};

template <int M> static __device__ inline void softmax_begin(struct softmax_rows<M> *rows)
{
#pragma unroll
    for (int i = 0; i < 2 * M; i++) {
        rows->highest[i / 2][i % 2] = -INFINITY;
        rows->sum[i / 2][i % 2] = 0;
    }
}

/*
 * scores <- 2^(factor (score - greatest)); what was summed before shrinks to the new
 * greatest. Keys come in ascending order and without a window every row has key 0: after
 * the first tile the greatest is finite. With one it may be -infinity until a row's first
 * key comes, and scores are then relative to 0.
 */
template <int D, int M, int KEYS, bool BENT>
static __device__ inline void softmax_step(float (&scores)[M][KEYS / 8][4],
                                           float (&sums)[M][D / 8][4],
                                           struct softmax_rows<M> *rows, float factor)
{
#pragma unroll
    for (int i = 0; i < 2 * M; i++) {
        const int m = i / 2, half = i % 2 * 2;
        float highest = rows->highest[m][i % 2];
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
            highest = fmaxf(highest, fmaxf(scores[m][n][half], scores[m][n][half + 1]));
        highest = quad_maximum(highest);
        const float base = BENT && highest == -INFINITY ? 0.0f : highest;
        const float offset = base * factor;
        const float shrink = exp2_approximate((rows->highest[m][i % 2] - base) * factor);
        float sum = 0;
#pragma unroll
        for (int n = 0; n < KEYS / 4; n++) {
            float *score = &scores[m][n / 2][half + n % 2];
            *score = exp2_approximate(fmaf(*score, factor, -offset));
            sum = n == 0 ? fmaf(rows->sum[m][i % 2], shrink, *score) : sum + *score;
        }
        rows->highest[m][i % 2] = highest;
        rows->sum[m][i % 2] = sum;
#pragma unroll
        for (int d = 0; d < D / 4; d++)
            sums[m][d / 2][half + d % 2] *= shrink;
    }
}

/* log_sum of the warp's rows (NULL: not wanted), and the factors 1 / sum. */
template <int M>
static __device__ inline void softmax_end(float (&factors)[M][2], float *log_sum, int count,
                                          const struct softmax_rows<M> &rows, float scale)
{
#pragma unroll
    for (int i = 0; i < 2 * M; i++) {
        const int row = i / 2 * 16 + i % 2 * 8 + lane_index() / 4;
        const float sum = quad_sum(rows.sum[i / 2][i % 2]);
        factors[i / 2][i % 2] = 1.0f / sum;
        if (log_sum && lane_index() % 4 == 0 && row < count)
            log_sum[row] = rows.highest[i / 2][i % 2] * scale + logf(sum);
    }
}

/*
 * The keys' tile and the values' tile take turns: while the one is worked on, the other's
 * next comes. `left` keys are to come for the block; the last of the warp's 16 M queries
 * stands `ahead` of the first of them (none of them counts: -1).
 */
template <int D, int M, int KEYS, bool BENT, typename source>
static __device__ inline void
attend(float (&sums)[M][D / 8][4], struct softmax_rows<M> *rows, source from, int left,
       int ahead, float factor, const struct attention_bend &bend)
{
    typedef forward_layout<D, M, KEYS> layout;
    const uint32_t memory = shared_address(shared_memory);
    const uint32_t queries = memory + warp_index() * 16 * M * tile_row<D>::BYTES +
                             lane_offset_left<D>(lane_index());

    keys_load(memory + layout::KEY_TILE, from, left);
    for (; left > 0; left -= KEYS, ahead -= KEYS) {
        float scores[M][KEYS / 8][4];
        copies_wait();
        __syncthreads();
        values_load(memory + layout::VALUE_TILE, from, left);
        if (queries_attend<M, KEYS, BENT>(ahead, bend.window))
            product_of_rows<D, M, KEYS>(scores, queries,
                                        memory + layout::KEY_TILE +
                                            lane_offset_right<D>(lane_index()));
        copies_wait();
        __syncthreads();
        tile_pass(&from);
        if (left > KEYS)
            keys_load(memory + layout::KEY_TILE, from, left - KEYS);
        if (!queries_attend<M, KEYS, BENT>(ahead, bend.window))
            continue;
        if (BENT)
            scores_cap<M, KEYS>(scores, bend);
        queries_mask<M, KEYS, BENT>(scores, ahead + 1 - 16 * M, bend.window);
        softmax_step<D, M, KEYS, BENT>(scores, sums, rows, factor);
        product_of_scores<D, M, KEYS>(
            sums, scores, memory + layout::VALUE_TILE + lane_offset_left<D>(lane_index()));
    }
}

/* Of the kernels of a forward, kernels<…>::of(bent). */
template <template <int, int, int, int> class kernels, int D, int M, int KEYS, int BLOCKS>
static void forward_launch_tiles(struct cuda_backend *cuda, struct cuda_attention *a)
{
    typedef forward_layout<D, M, KEYS> layout;

    cuda_attention_launch(
        cuda, kernels<D, M, KEYS, BLOCKS>::of(a->window > 0 || a->cap > 0),
        cuda_attention_tiles(a, layout::QUERIES) * a->heads, ATTENTION_THREADS,
        layout::BYTES, a);
}

/* The tiles of each head size, the same for both forwards: they give a row the same bits. */
template <template <int, int, int, int> class kernels>
static void forward_launch(struct cuda_backend *cuda, struct cuda_attention *a)
{
    switch (a->head_size) {
    case 64:
        forward_launch_tiles<kernels, 64, 2, 64, 3>(cuda, a);
        break;
    case 80:
        forward_launch_tiles<kernels, 80, 2, 64, 2>(cuda, a);
        break;
    case 96:
        forward_launch_tiles<kernels, 96, 2, 64, 2>(cuda, a);
        break;
    case 128:
        forward_launch_tiles<kernels, 128, 2, 64, 2>(cuda, a);
        break;
    case 256:
        forward_launch_tiles<kernels, 256, 1, 64, 2>(cuda, a);
        break;
    }
}

#endif
