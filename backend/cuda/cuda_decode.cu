#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

#include <float.h>

/*
 * Attention of one new token a sequence over the cache of generation (cuda_cache.cu writes
 * it).
 *
 * It is bound by memory, so keys and values are read once for all the query heads
 * that share them. A block serves up to HEADS of these in one piece of one sequence's
 * positions. Its threads are units of LANES lanes; a unit holds a row of D channels, VEC
 * neighbours (one access) a lane, CHUNKS times:
 *
 *     channel of (chunk, lane, i) = (chunk LANES + lane) VEC + i
 *
 * Each unit walks over its own positions with its own online softmax (Milakov &
 * Gimelshein 2018, arXiv:1805.02867), ROWS at a time; the block merges its units, and a
 * second kernel the pieces of long sequences (Flash-Decoding, Dao et al. 2023), both in a
 * fixed order. How the positions are cut depends on their number alone: a row's result is
 * the same whatever the other rows are.
 */
namespace
{

constexpr int DECODE_THREADS = 128;
constexpr int PIECE_MINIMUM = 256; /* positions; a multiple of a page */
constexpr int PIECES_MAXIMUM = 16;
constexpr int SIZE_MAXIMUM = 512; /* D */
constexpr unsigned ALL_LANES = 0xFFFFFFFFU;

/* Positions of a piece of a sequence that has `count`. */
__host__ __device__ inline int piece_positions(int count)
{
    const int share = (count - 1) / PIECES_MAXIMUM + 1;
    const int pages = (share - 1) / CACHE_PAGE_ROWS + 1;

    return pages * CACHE_PAGE_ROWS > PIECE_MINIMUM ? pages * CACHE_PAGE_ROWS
                                                   : PIECE_MINIMUM;
}

template <typename T> struct decode_arguments {
    const T *qkv;
    const T *keys;
    const T *values;
    const int32_t *table;
    const int32_t *positions;
    T *out;
    float *partial_out;   /* [S, H, pieces, D] sums of a piece, not yet divided */
    float2 *partial_sums; /* [S, H, pieces] its highest score and its sum of exponentials */
    int64_t qkv_stride;   /* (H + 2G) D */
    int64_t cache_stride; /* G D */
    int64_t width;        /* of the table */
    int heads;            /* H */
    int group;            /* H / G */
    int size;             /* D */
    int pieces;           /* room for them in partial_… */
    int window;           /* 0: none */
    float scale;          /* of scores in powers of two */
    float cap;            /* of them; 0: none */
};

/* The positions that a sequence attends to, [first, end), and where its pieces begin: at
 * the start of a page. */
struct decode_span {
    int first;
    int end;
    int page_first;
    int piece; /* positions of a piece */
};

__device__ inline struct decode_span decode_span_of(int end, int window)
{
    const int first = window > 0 && end > window ? end - window : 0;
    const int page_first = first / CACHE_PAGE_ROWS * CACHE_PAGE_ROWS;

    return {first, end, page_first, piece_positions(end - page_first)};
}

/* What one lane loads at once, kept packed until it is used. */
template <typename T, int VEC> struct access;

template <> struct access<__nv_bfloat16, 8> {
    typedef uint4 packed;
    static __device__ void unpack(float *value, uint4 words)
    {
        unpack_word(value, words.x);
        unpack_word(value + 2, words.y);
        unpack_word(value + 4, words.z);
        unpack_word(value + 6, words.w);
    }
};

template <> struct access<float, 4> {
    typedef float4 packed;
    static __device__ void unpack(float *value, float4 four)
    {
        value[0] = four.x;
        value[1] = four.y;
        value[2] = four.z;
        value[3] = four.w;
    }
};

template <typename T> struct access<T, 1> {
    typedef T packed;
    static __device__ void unpack(float *value, T one)
    {
        value[0] = to_float(one);
    }
};

template <typename Type, int VEC_, int LANES_, int CHUNKS_, int HEADS_> struct decode_form {
    typedef Type T;
    static constexpr int VEC = VEC_;
    static constexpr int LANES = LANES_;
    static constexpr int CHUNKS = CHUNKS_;
    static constexpr int HEADS = HEADS_;
    static constexpr int CHANNELS = VEC * CHUNKS; /* of a lane */
    static constexpr int UNITS = DECODE_THREADS / LANES;
    /* As many as registers hold; divides a page. */
    static constexpr int ROWS = CHUNKS > 4 ? 1 : HEADS *CHANNELS > 32 ? 2 : 4;
    /* Blocks that an SM should hold at least, to have enough loads on their way. */
    static constexpr int RESIDENT = VEC < 8 || CHUNKS > 1  ? 1
                                    : HEADS *CHANNELS > 48 ? 2
                                    : HEADS *CHANNELS > 32 ? 3
                                    : HEADS *CHANNELS > 16 ? 4
                                                           : 6;
    typedef typename access<T, VEC>::packed packed;

    static_assert(UNITS * HEADS <= DECODE_THREADS, "a thread for each in merge_factors()");
    static_assert(HEADS * CHANNELS <= 64, "registers, and shared memory of merge_units()");
};

/* A unit's state; `highest` and `mass` are the same in all its lanes. */
template <typename F> struct unit_state {
    float query[F::HEADS][F::CHANNELS]; /* times scale */
    float sum[F::HEADS][F::CHANNELS];   /* of exponentials times values */
    float highest[F::HEADS];            /* score so far */
    float mass[F::HEADS];               /* sum of exponentials, relative to it */
};

template <typename F> __device__ inline int lane_channel(int chunk, int lane)
{
    return (chunk * F::LANES + lane) * F::VEC;
}

template <typename F>
__device__ inline void load_row(typename F::packed (&row)[F::CHUNKS],
                                const typename F::T *from, int lane, int size)
{
#pragma unroll
    for (int chunk = 0; chunk < F::CHUNKS; chunk++) {
        const int channel = lane_channel<F>(chunk, lane);
        row[chunk] = typename F::packed{};
        if (channel < size)
            row[chunk] =
                __ldg(reinterpret_cast<const typename F::packed *>(from + channel));
    }
}

template <typename F>
__device__ inline void unpack_row(float (&value)[F::CHANNELS],
                                  const typename F::packed (&row)[F::CHUNKS])
{
#pragma unroll
    for (int chunk = 0; chunk < F::CHUNKS; chunk++)
        access<typename F::T, F::VEC>::unpack(value + chunk * F::VEC, row[chunk]);
}

/* `head`: the first of the block's query heads, of which `count` are real. */
template <typename F>
__device__ inline void unit_begin(unit_state<F> &unit,
                                  const decode_arguments<typename F::T> &a,
                                  int64_t sequence, int head, int count, int lane)
{
#pragma unroll
    for (int h = 0; h < F::HEADS; h++) {
        typename F::packed row[F::CHUNKS];
        const int real = h < count ? h : 0; /* the others are computed and not written */
        load_row<F>(row, a.qkv + sequence * a.qkv_stride + (int64_t)(head + real) * a.size,
                    lane, a.size);
        unpack_row<F>(unit.query[h], row);
#pragma unroll
        for (int i = 0; i < F::CHANNELS; i++) {
            unit.query[h][i] *= a.scale;
            unit.sum[h][i] = 0.0f;
        }
        unit.highest[h] = -FLT_MAX;
        unit.mass[h] = 0.0f;
    }
}

/* score[r][h] = query h . key row r, in every lane of the unit */
template <typename F>
__device__ inline void
unit_scores(float (&score)[F::ROWS][F::HEADS], const unit_state<F> &unit,
            const typename F::packed (&keys)[F::ROWS][F::CHUNKS], float cap)
{
#pragma unroll
    for (int r = 0; r < F::ROWS; r++) {
        float key[F::CHANNELS];
        unpack_row<F>(key, keys[r]);
#pragma unroll
        for (int h = 0; h < F::HEADS; h++) {
            score[r][h] = 0.0f;
#pragma unroll
            for (int i = 0; i < F::CHANNELS; i++)
                score[r][h] += unit.query[h][i] * key[i];
        }
    }
#pragma unroll
    for (int distance = F::LANES / 2; distance > 0; distance /= 2)
#pragma unroll
        for (int r = 0; r < F::ROWS; r++)
#pragma unroll
            for (int h = 0; h < F::HEADS; h++)
                score[r][h] += __shfl_xor_sync(ALL_LANES, score[r][h], distance);
    if (cap > 0.0f) {
#pragma unroll
        for (int r = 0; r < F::ROWS; r++)
#pragma unroll
            for (int h = 0; h < F::HEADS; h++)
                score[r][h] = cap * tanhf(score[r][h] / cap);
    }
}

/* Scores of rows [skipped, valid) become exponentials, the others 0; what the unit holds
 * follows the new highest score. */
template <typename F>
__device__ inline void unit_softmax(unit_state<F> &unit, float (&score)[F::ROWS][F::HEADS],
                                    int skipped, int valid)
{
#pragma unroll
    for (int h = 0; h < F::HEADS; h++) {
        float highest = unit.highest[h];
#pragma unroll
        for (int r = 0; r < F::ROWS; r++)
            highest = r >= skipped && r < valid ? fmaxf(highest, score[r][h]) : highest;
        const float shrink = exp2f(unit.highest[h] - highest);
        unit.highest[h] = highest;
        unit.mass[h] *= shrink;
#pragma unroll
        for (int r = 0; r < F::ROWS; r++) {
            score[r][h] = r >= skipped && r < valid ? exp2f(score[r][h] - highest) : 0.0f;
            unit.mass[h] += score[r][h];
        }
#pragma unroll
        for (int i = 0; i < F::CHANNELS; i++)
            unit.sum[h][i] *= shrink;
    }
}

template <typename F>
__device__ inline void unit_mix(unit_state<F> &unit,
                                const float (&score)[F::ROWS][F::HEADS],
                                const typename F::packed (&values)[F::ROWS][F::CHUNKS])
{
#pragma unroll
    for (int r = 0; r < F::ROWS; r++) {
        float value[F::CHANNELS];
        unpack_row<F>(value, values[r]);
#pragma unroll
        for (int h = 0; h < F::HEADS; h++)
#pragma unroll
            for (int i = 0; i < F::CHANNELS; i++)
                unit.sum[h][i] += score[r][h] * value[i];
    }
}

/*
 * Positions [first, last) of a sequence with these pages, shared out by ROWS to the units.
 * `first` begins a page, so that the ROWS lie in one. Positions from `last` on read the
 * last row instead and count for nothing, as do those before `counted`.
 */
template <typename F>
__device__ inline void
unit_walk(unit_state<F> &unit, const decode_arguments<typename F::T> &a,
          const int32_t *pages, int64_t column, int counted, int first, int last, int lane)
{
    constexpr int STEP = F::UNITS * F::ROWS;
    int position = first + static_cast<int>(threadIdx.x) / F::LANES * F::ROWS;
    int32_t page = pages[min(position, last - 1) / CACHE_PAGE_ROWS];

    for (int start = first; start < last; start += STEP, position += STEP) {
        const int32_t next = pages[min(position + STEP, last - 1) / CACHE_PAGE_ROWS];
        typename F::packed keys[F::ROWS][F::CHUNKS], values[F::ROWS][F::CHUNKS];
        float score[F::ROWS][F::HEADS];
#pragma unroll
        for (int r = 0; r < F::ROWS; r++) {
            const int row = min(position + r, last - 1) % CACHE_PAGE_ROWS;
            const int64_t offset =
                ((int64_t)page * CACHE_PAGE_ROWS + row) * a.cache_stride + column;
            load_row<F>(keys[r], a.keys + offset, lane, a.size);
            load_row<F>(values[r], a.values + offset, lane, a.size);
        }
        unit_scores<F>(score, unit, keys, a.cap);
        unit_softmax<F>(unit, score, counted - position, last - position);
        unit_mix<F>(unit, score, values);
        page = next;
    }
}

template <typename F> struct merge_memory {
    float sum[F::HEADS * F::CHANNELS][DECODE_THREADS];
    float highest[F::UNITS][F::HEADS];
    float mass[F::UNITS][F::HEADS];
    float factor[F::UNITS][F::HEADS]; /* what a unit's numbers are to be multiplied by */
    float top[F::HEADS];
};

template <typename F>
__device__ inline void merge_factors(merge_memory<F> &memory, const unit_state<F> &state,
                                     int unit, int lane)
{
    const int thread = static_cast<int>(threadIdx.x);
    const int of_unit = thread / F::HEADS, head = thread % F::HEADS;

#pragma unroll
    for (int h = 0; h < F::HEADS; h++) {
#pragma unroll
        for (int i = 0; i < F::CHANNELS; i++)
            memory.sum[h * F::CHANNELS + i][thread] = state.sum[h][i];
        if (lane == 0) {
            memory.highest[unit][h] = state.highest[h];
            memory.mass[unit][h] = state.mass[h];
        }
    }
    __syncthreads();
    if (of_unit < F::UNITS) {
        float top = memory.highest[0][head];
        for (int u = 1; u < F::UNITS; u++)
            top = fmaxf(top, memory.highest[u][head]);
        memory.factor[of_unit][head] = exp2f(memory.highest[of_unit][head] - top);
        memory.top[head] = top;
    }
    __syncthreads();
}

/* Sums over the units, in order, and writes the result or this piece's share of it. */
template <typename F>
__device__ inline void merge_units(const merge_memory<F> &memory,
                                   const decode_arguments<typename F::T> &a,
                                   int64_t first_head, int count, int piece, bool whole)
{
    for (int i = static_cast<int>(threadIdx.x); i < F::HEADS * F::CHANNELS * F::LANES;
         i += DECODE_THREADS) {
        const int lane = i % F::LANES, part = i / F::LANES % F::CHANNELS;
        const int head = i / F::LANES / F::CHANNELS;
        const int channel = lane_channel<F>(part / F::VEC, lane) + part % F::VEC;
        if (head >= count || channel >= a.size)
            continue;
        float sum = 0.0f, mass = 0.0f;
#pragma unroll
        for (int u = 0; u < F::UNITS; u++) {
            sum += memory.factor[u][head] *
                   memory.sum[head * F::CHANNELS + part][u * F::LANES + lane];
            mass += memory.factor[u][head] * memory.mass[u][head];
        }
        const int64_t row = first_head + head;
        if (whole) {
            a.out[row * a.size + channel] = from_float<typename F::T>(sum / mass);
            continue;
        }
        a.partial_out[(row * a.pieces + piece) * a.size + channel] = sum;
        if (channel == 0)
            a.partial_sums[row * a.pieces + piece] = make_float2(memory.top[head], mass);
    }
}

/* Block (sequence, HEADS query heads of one key/value head, piece). */
template <typename F>
__global__ void __launch_bounds__(DECODE_THREADS, F::RESIDENT)
    decode_kernel(const decode_arguments<typename F::T> a)
{
    __shared__ merge_memory<F> memory;
    const int64_t sequence = blockIdx.x;
    const int blocks_of_group = (a.group + F::HEADS - 1) / F::HEADS;
    const int key_head = static_cast<int>(blockIdx.y) / blocks_of_group;
    const int within = static_cast<int>(blockIdx.y) % blocks_of_group * F::HEADS;
    const int head = key_head * a.group + within;
    const int count = min(a.group - within, F::HEADS);
    const struct decode_span span = decode_span_of(a.positions[sequence] + 1, a.window);
    const int piece = static_cast<int>(blockIdx.z);
    const int first = span.page_first + piece * span.piece;
    const int unit = static_cast<int>(threadIdx.x) / F::LANES;
    const int lane = static_cast<int>(threadIdx.x) % F::LANES;
    unit_state<F> state;

    if (first >= span.end)
        return;
    unit_begin<F>(state, a, sequence, head, count, lane);
    unit_walk<F>(state, a, a.table + sequence * a.width, (int64_t)key_head * a.size,
                 span.first, first, min(first + span.piece, span.end), lane);
    merge_factors<F>(memory, state, unit, lane);
    merge_units<F>(memory, a, sequence * a.heads + head, count, piece,
                   span.page_first + span.piece >= span.end);
}

/* Block (sequence, query head): adds the pieces up, in order. */
template <typename T> __global__ void merge_pieces_kernel(const decode_arguments<T> a)
{
    const int64_t sequence = blockIdx.x, row = sequence * a.heads + blockIdx.y;
    const struct decode_span span = decode_span_of(a.positions[sequence] + 1, a.window);
    const int pieces = (span.end - span.page_first - 1) / span.piece + 1;
    const float2 *sums = a.partial_sums + row * a.pieces;
    const float *partial = a.partial_out + row * a.pieces * a.size;
    float top = sums[0].x, mass = 0.0f;

    if (pieces == 1)
        return;
    for (int piece = 1; piece < pieces; piece++)
        top = fmaxf(top, sums[piece].x);
    for (int piece = 0; piece < pieces; piece++)
        mass += exp2f(sums[piece].x - top) * sums[piece].y;
    for (int i = static_cast<int>(threadIdx.x); i < a.size;
         i += static_cast<int>(blockDim.x)) {
        float sum = 0.0f;
        for (int piece = 0; piece < pieces; piece++)
            sum += exp2f(sums[piece].x - top) * partial[piece * a.size + i];
        a.out[row * a.size + i] = from_float<T>(sum / mass);
    }
}

template <typename T, int VEC, int LANES, int CHUNKS, int HEADS>
void launch(struct cuda_backend *cuda, const decode_arguments<T> &a, int64_t sequences)
{
    const unsigned blocks_of_group = static_cast<unsigned>((a.group + HEADS - 1) / HEADS);
    const unsigned key_heads = static_cast<unsigned>(a.heads / a.group);
    const dim3 grid(grid_size(sequences), key_heads * blocks_of_group,
                    static_cast<unsigned>(a.pieces));

    decode_kernel<decode_form<T, VEC, LANES, CHUNKS, HEADS>>
        <<<grid, DECODE_THREADS, 0, cuda->stream>>>(a);
    cuda_launched(cuda, "attention_decode");
}

/* Groups of all sizes up to 8 have their own kernel where models have them: head sizes up
 * to 128 in bf16. */
template <typename T, int VEC, int LANES, int CHUNKS>
void launch_heads(struct cuda_backend *cuda, const decode_arguments<T> &a,
                  int64_t sequences)
{
    if (a.group == 1)
        launch<T, VEC, LANES, CHUNKS, 1>(cuda, a, sequences);
    else if (a.group == 2)
        launch<T, VEC, LANES, CHUNKS, 2>(cuda, a, sequences);
    else if constexpr (LANES == 32)
        launch<T, VEC, LANES, CHUNKS, 4>(cuda, a, sequences);
    else if (a.group == 3)
        launch<T, VEC, LANES, CHUNKS, 3>(cuda, a, sequences);
    else if (a.group == 4)
        launch<T, VEC, LANES, CHUNKS, 4>(cuda, a, sequences);
    else if (a.group == 5)
        launch<T, VEC, LANES, CHUNKS, 5>(cuda, a, sequences);
    else if (a.group == 6)
        launch<T, VEC, LANES, CHUNKS, 6>(cuda, a, sequences);
    else if (a.group == 7)
        launch<T, VEC, LANES, CHUNKS, 7>(cuda, a, sequences);
    else
        launch<T, VEC, LANES, CHUNKS, 8>(cuda, a, sequences);
}

void launch_size(struct cuda_backend *cuda, const decode_arguments<__nv_bfloat16> &a,
                 int64_t sequences)
{
    if (a.size <= 64)
        launch_heads<__nv_bfloat16, 8, 8, 1>(cuda, a, sequences);
    else if (a.size <= 128)
        launch_heads<__nv_bfloat16, 8, 16, 1>(cuda, a, sequences);
    else if (a.size <= 256)
        launch_heads<__nv_bfloat16, 8, 32, 1>(cuda, a, sequences);
    else
        launch_heads<__nv_bfloat16, 8, 32, 2>(cuda, a, sequences);
}

void launch_size(struct cuda_backend *cuda, const decode_arguments<float> &a,
                 int64_t sequences)
{
    if (a.size <= 128)
        launch_heads<float, 4, 32, 1>(cuda, a, sequences);
    else if (a.size <= 256)
        launch_heads<float, 4, 32, 2>(cuda, a, sequences);
    else
        launch_heads<float, 4, 32, 4>(cuda, a, sequences);
}

template <typename T> bool packs_fit(const decode_arguments<T> &a)
{
    return a.size % PACK_ELEMENTS<T> == 0 && pack_aligned(a.qkv) && pack_aligned(a.keys) &&
           pack_aligned(a.values);
}

template <typename T>
void merge_pieces(struct cuda_backend *cuda, const decode_arguments<T> &a,
                  int64_t sequences)
{
    const dim3 grid(grid_size(sequences), static_cast<unsigned>(a.heads));

    merge_pieces_kernel<<<grid, whole_warps(a.size, DECODE_THREADS), 0, cuda->stream>>>(a);
    cuda_launched(cuda, "attention_decode");
}

/* Places the partial results; false where there is no memory for them. */
template <typename T>
bool place_partial(struct cuda_backend *cuda, decode_arguments<T> &a, int64_t sequences)
{
    const size_t rows = static_cast<size_t>(sequences * a.heads * a.pieces);
    const size_t sums = rows * sizeof(float2);
    void *memory = cuda_scratch(cuda, CUDA_SCRATCH_ATTENTION,
                                sums + rows * static_cast<size_t>(a.size) * sizeof(float));

    a.partial_sums = static_cast<float2 *>(memory);
    a.partial_out = memory ? reinterpret_cast<float *>(a.partial_sums + rows) : nullptr;
    return memory != nullptr;
}

template <typename T>
void decode(struct cuda_backend *cuda, struct tensor *out, const struct tensor *qkv,
            const struct key_value_cache_layer *cache, const struct cache_pages *pages,
            const int32_t *positions, const struct attention_shape *shape)
{
    const int64_t longest = pages->width * CACHE_PAGE_ROWS;
    decode_arguments<T> a = {};

    a.qkv = data_of<const T>(qkv);
    a.keys = data_of<const T>(&cache->keys);
    a.values = data_of<const T>(&cache->values);
    a.table = pages->table;
    a.positions = positions;
    a.out = data_of<T>(out);
    a.qkv_stride = qkv->shape[1];
    a.cache_stride = cache->keys.shape[1];
    a.width = pages->width;
    a.heads = static_cast<int>(shape->heads);
    a.group = static_cast<int>(shape->heads / shape->key_value_heads);
    a.size = static_cast<int>(shape->head_size);
    a.pieces =
        static_cast<int>(smaller(ceiling_divide(longest, PIECE_MINIMUM), PIECES_MAXIMUM));
    a.window = static_cast<int>(smaller(shape->window, INT_MAX));
    a.scale = shape->scale * 1.44269504088896341f; /* 1 / ln 2 */
    a.cap = shape->cap * 1.44269504088896341f;
    if (a.pieces > 1 && !place_partial(cuda, a, qkv->shape[0]))
        return;
    if (packs_fit(a))
        launch_size(cuda, a, qkv->shape[0]);
    else
        launch<T, 1, 32, 16, 1>(cuda, a, qkv->shape[0]);
    if (a.pieces > 1)
        merge_pieces(cuda, a, qkv->shape[0]);
}

} // namespace

void cuda_attention_decode(struct backend *backend, struct tensor *out,
                           const struct tensor *qkv,
                           const struct key_value_cache_layer *cache,
                           const struct cache_pages *pages, const int32_t *positions,
                           const struct attention_shape *shape)
{
    if (qkv->shape[0] == 0)
        return;
    if (shape->head_size > SIZE_MAXIMUM) {
        error_set(&backend->error, STATUS_UNSUPPORTED,
                  "cuda: heads of %lld channels: attention_decode takes %d at most",
                  (long long)shape->head_size, SIZE_MAXIMUM);
        return;
    }
    (qkv->dtype == DTYPE_BF16
         ? decode<__nv_bfloat16>
         : decode<float>)(cuda_of(backend), out, qkv, cache, pages, positions, shape);
}
