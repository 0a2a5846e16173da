#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

#include <cub/device/device_radix_sort.cuh>

static constexpr int THREADS = 256;

/* ---- Forward ------------------------------------------------------------------------ */

/* Copies one row a block, in units of 16 bytes or of one element. */
template <typename Unit>
static __global__ void __launch_bounds__(THREADS)
    gather_kernel(Unit *__restrict__ out, const Unit *__restrict__ weight,
                  const int32_t *__restrict__ tokens, int units)
{
    Unit *to = out + static_cast<int64_t>(blockIdx.x) * units;
    const Unit *from = weight + static_cast<int64_t>(tokens[blockIdx.x]) * units;

#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x); i < units;
         i += static_cast<int>(blockDim.x))
        to[i] = from[i];
}

template <typename Unit>
static void run_gather(struct cuda_backend *cuda, struct tensor *out,
                       const struct tensor *weight, const int32_t *tokens)
{
    const size_t bytes = static_cast<size_t>(out->shape[1]) * dtype_bytes(out->dtype);
    const int units = static_cast<int>(bytes / sizeof(Unit));

    gather_kernel<<<grid_size(out->shape[0]), whole_warps(units, THREADS), 0,
                    cuda->stream>>>(data_of<Unit>(out), data_of<const Unit>(weight), tokens,
                                    units);
}

void cuda_embedding_forward(struct backend *backend, struct tensor *out,
                            const struct tensor *weight, const int32_t *tokens)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const size_t row_bytes = static_cast<size_t>(out->shape[1]) * dtype_bytes(out->dtype);
    const bool whole = row_bytes % PACK_BYTES == 0 && pack_aligned(out->data) &&
                       pack_aligned(weight->data);

    if (tensor_count(out) == 0)
        return;
    if (whole)
        run_gather<uint4>(cuda, out, weight, tokens);
    else if (out->dtype == DTYPE_BF16)
        run_gather<uint16_t>(cuda, out, weight, tokens);
    else
        run_gather<uint32_t>(cuda, out, weight, tokens);
    cuda_launched(cuda, "embedding_forward");
}

/* ---- Backward ----------------------------------------------------------------------- */

/*
 * The rows of d_out are taken in the order of their tokens (a stable sort), in tiles of
 * TILE_ROWS, a block each. A run (the rows of one token) that lies within a tile is summed
 * in order and added to d_weight. A longer one leaves a sum in each tile that it touches,
 * which a second kernel adds up in order:
 *
 *     token       3 3 3 5 | 5 5 5 5 | 5 5 8 8 | 8 9 9
 *     tile        0         1         2         3
 *     partial         [0,1]   [1,0]  [2,0][2,1] [3,0]
 *
 * partial [tiles, 2, C]: slot 0 for a run that goes on from the tile before, slot 1 for one
 * that begins here and goes on in the next.
 */
static constexpr int TILE_ROWS = 32;
static constexpr int BATCH_ROWS = 8; /* loaded together */

template <typename T> struct scatter {
    float *d_weight;
    float *partial;
    const T *d_out;
    const int32_t *tokens; /* [count] ascending */
    const int32_t *rows;   /* [count] where in d_out each of them is */
    int count;
    int columns;
};

static __device__ inline float *partial_at(float *partial, int tile, int slot, int columns)
{
    return partial + (static_cast<int64_t>(tile) * 2 + slot) * columns;
}

/* One tile's share of the order. tokens[j + 1] belongs to row j; the first and the last are
 * those of the neighbouring tiles, -1 where there is none. */
struct tile_rows {
    int32_t tokens[TILE_ROWS + 2];
    int32_t rows[TILE_ROWS];
};

template <typename T>
static __device__ inline int load_tile(struct tile_rows *tile, const scatter<T> &data)
{
    const int begin = static_cast<int>(blockIdx.x) * TILE_ROWS;
    const int size = min(TILE_ROWS, data.count - begin);
    const int thread = static_cast<int>(threadIdx.x);

    for (int j = thread; j < size + 2; j += static_cast<int>(blockDim.x)) {
        const int position = begin + j - 1;
        const bool there = position >= 0 && position < data.count;
        tile->tokens[j] = there ? data.tokens[position] : -1;
    }
    if (thread < size)
        tile->rows[thread] = data.rows[begin + thread];
    __syncthreads();
    return size;
}

template <int N> static __device__ inline void add_to(pack<N> *sum, const pack<N> &more)
{
#pragma unroll
    for (int i = 0; i < N; i++)
        sum->value[i] += more.value[i];
}

template <int N, bool WHOLE>
static __device__ inline void add_part(float *row, int column, int columns,
                                       const pack<N> &sum)
{
    pack<N> values = load_part<N, WHOLE>(row, column, columns);
    add_to(&values, sum);
    store_part<N, WHOLE>(row, column, columns, values);
}

/* Puts the sum of the run that ends with row `last` of the tile where it belongs. */
template <typename T, bool WHOLE>
static __device__ inline void
finish_run(const scatter<T> &data, const struct tile_rows &tile, int first, int last,
           int size, int column, const pack<PACK_ELEMENTS<T>> &sum)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const int32_t token = tile.tokens[last + 1];
    const bool goes_on_from = first == 0 && tile.tokens[0] == token;
    const bool goes_on = last + 1 == size && tile.tokens[size + 1] == token;

    if (goes_on_from || goes_on)
        store_part<N, WHOLE>(partial_at(data.partial, static_cast<int>(blockIdx.x),
                                        goes_on_from ? 0 : 1, data.columns),
                             column, data.columns, sum);
    else
        add_part<N, WHOLE>(data.d_weight + static_cast<int64_t>(token) * data.columns,
                           column, data.columns, sum);
}

template <typename T, bool WHOLE>
static __global__ void __launch_bounds__(THREADS) sum_tiles_kernel(scatter<T> data)
{
    constexpr int N = PACK_ELEMENTS<T>;
    __shared__ struct tile_rows tile;
    const int size = load_tile(&tile, data);
    const int column = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * N;
    pack<N> sum = {}, batch[BATCH_ROWS];
    int first = 0; /* row of the tile where the run begins */

    for (int start = 0; start < size; start += BATCH_ROWS) {
#pragma unroll
        for (int k = 0; k < BATCH_ROWS; k++) {
            const int64_t row = tile.rows[min(start + k, size - 1)];
            batch[k] =
                load_part<N, WHOLE>(data.d_out + row * data.columns, column, data.columns);
        }
#pragma unroll
        for (int k = 0; k < BATCH_ROWS; k++) {
            const int j = start + k;
            if (j >= size)
                break;
            add_to(&sum, batch[k]);
            if (j + 1 < size && tile.tokens[j + 2] == tile.tokens[j + 1])
                continue;
            finish_run<T, WHOLE>(data, tile, first, j, size, column, sum);
            sum = {};
            first = j + 1;
        }
    }
}

/* The first position from `first` on where another token than that of `first` stands. */
static __device__ inline int run_end(const int32_t *tokens, int first, int count)
{
    const int32_t token = tokens[first];
    int low = first, high = count;

    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (tokens[middle] == token)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Where a run begins in tile blockIdx.x and goes on: adds up its partial sums. */
template <bool WHOLE>
static __global__ void __launch_bounds__(THREADS) join_tiles_kernel(scatter<float> data)
{
    constexpr int N = PACK_ELEMENTS<float>;
    const int tile = static_cast<int>(blockIdx.x), columns = data.columns;
    const int begin = tile * TILE_ROWS, end = begin + TILE_ROWS;
    const int column = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * N;

    if (end >= data.count || data.tokens[end] != data.tokens[end - 1])
        return;
    if (begin > 0 && data.tokens[begin - 1] == data.tokens[end])
        return;
    const int last = (run_end(data.tokens, end, data.count) - 1) / TILE_ROWS;
    pack<N> sum =
        load_part<N, WHOLE>(partial_at(data.partial, tile, 1, columns), column, columns);
    for (int start = tile + 1; start <= last; start += BATCH_ROWS) {
        pack<N> batch[BATCH_ROWS];
#pragma unroll
        for (int k = 0; k < BATCH_ROWS; k++)
            batch[k] = load_part<N, WHOLE>(
                partial_at(data.partial, min(start + k, last), 0, columns), column,
                columns);
#pragma unroll
        for (int k = 0; k < BATCH_ROWS; k++)
            if (start + k <= last)
                add_to(&sum, batch[k]);
    }
    add_part<N, WHOLE>(data.d_weight + static_cast<int64_t>(data.tokens[end]) * columns,
                       column, columns, sum);
}

static __global__ void __launch_bounds__(THREADS) number_kernel(int32_t *rows, int count)
{
    const int i = static_cast<int>(blockIdx.x * THREADS + threadIdx.x);

    if (i < count)
        rows[i] = i;
}

/* What lies in CUDA_SCRATCH_SORT. */
struct sorted {
    int32_t *tokens;  /* [count] in order */
    int32_t *rows;    /* [count] in the order of their tokens */
    int32_t *numbers; /* [count] 0, 1, 2, … */
    void *memory;     /* of the sort itself */
    size_t memory_bytes;
};

static int bits_of(int64_t tokens)
{
    int bits = 1;

    while ((tokens - 1) >> bits > 0)
        bits++;
    return bits;
}

/* `memory` NULL only says how many bytes the sort wants. Tokens are never negative. */
static cudaError_t sort(struct cuda_backend *cuda, struct sorted *sorted,
                        const int32_t *tokens, int count, int bits)
{
    return cub::DeviceRadixSort::SortPairs(
        sorted->memory, sorted->memory_bytes, reinterpret_cast<const uint32_t *>(tokens),
        reinterpret_cast<uint32_t *>(sorted->tokens), sorted->numbers, sorted->rows, count,
        0, bits, cuda->stream);
}

static bool place(struct cuda_backend *cuda, struct sorted *sorted, int count, int bits)
{
    const size_t array_bytes =
        (static_cast<size_t>(count) * sizeof(int32_t) + 255) / 256 * 256;

    *sorted = {};
    if (!cuda_good(cuda, sort(cuda, sorted, nullptr, count, bits),
                   "embedding_backward: sort"))
        return false;
    char *memory = static_cast<char *>(
        cuda_scratch(cuda, CUDA_SCRATCH_SORT, 3 * array_bytes + sorted->memory_bytes));
    if (!memory)
        return false;
    sorted->tokens = reinterpret_cast<int32_t *>(memory);
    sorted->rows = reinterpret_cast<int32_t *>(memory + array_bytes);
    sorted->numbers = reinterpret_cast<int32_t *>(memory + 2 * array_bytes);
    sorted->memory = memory + 3 * array_bytes;
    return true;
}

static bool sort_tokens(struct cuda_backend *cuda, struct sorted *sorted,
                        const int32_t *tokens, int count, int64_t vocabulary)
{
    const int bits = bits_of(vocabulary);

    if (!place(cuda, sorted, count, bits))
        return false;
    number_kernel<<<grid_size(ceiling_divide(count, THREADS)), THREADS, 0, cuda->stream>>>(
        sorted->numbers, count);
    return cuda_good(cuda, sort(cuda, sorted, tokens, count, bits),
                     "embedding_backward: sort");
}

/* A block for each tile and each THREADS packs of N columns. */
template <int N> static dim3 tile_grid(int tiles, int columns, int *threads)
{
    const int64_t packs = ceiling_divide(columns, N);

    *threads = whole_warps(packs, THREADS);
    return dim3(grid_size(tiles), static_cast<unsigned>(ceiling_divide(packs, *threads)));
}

template <typename T>
static void run_scatter(struct cuda_backend *cuda, struct tensor *d_weight,
                        const struct tensor *d_out, const struct sorted *sorted)
{
    const int count = static_cast<int>(d_out->shape[0]);
    const int columns = static_cast<int>(d_out->shape[1]);
    const int tiles = static_cast<int>(ceiling_divide(count, TILE_ROWS));
    const bool whole = columns % PACK_ELEMENTS<T> == 0 && pack_aligned(d_weight->data) &&
                       pack_aligned(d_out->data);
    float *partial = static_cast<float *>(
        cuda_scratch(cuda, CUDA_SCRATCH_PARTIAL, sizeof(float) * 2 * tiles * columns));
    const scatter<T> data = {data_of<float>(d_weight),
                             partial,
                             data_of<const T>(d_out),
                             sorted->tokens,
                             sorted->rows,
                             count,
                             columns};
    const scatter<float> join = {data_of<float>(d_weight),
                                 partial,
                                 nullptr,
                                 sorted->tokens,
                                 nullptr,
                                 count,
                                 columns};
    int threads, join_threads;
    const dim3 grid = tile_grid<PACK_ELEMENTS<T>>(tiles, columns, &threads);
    const dim3 join_grid = tile_grid<PACK_ELEMENTS<float>>(tiles, columns, &join_threads);

    if (!partial)
        return;
    (whole ? sum_tiles_kernel<T, true>
           : sum_tiles_kernel<T, false>)<<<grid, threads, 0, cuda->stream>>>(data);
    (whole ? join_tiles_kernel<true>
           : join_tiles_kernel<false>)<<<join_grid, join_threads, 0, cuda->stream>>>(join);
}

void cuda_embedding_backward(struct backend *backend, struct tensor *d_weight,
                             const struct tensor *d_out, const int32_t *tokens)
{
    struct cuda_backend *cuda = cuda_of(backend);
    struct sorted sorted;

    if (tensor_count(d_out) == 0)
        return;
    CHECK(d_out->shape[0] <= INT_MAX - TILE_ROWS);
    if (!sort_tokens(cuda, &sorted, tokens, static_cast<int>(d_out->shape[0]),
                     d_weight->shape[0]))
        return;
    (d_out->dtype == DTYPE_BF16 ? run_scatter<__nv_bfloat16>
                                : run_scatter<float>)(cuda, d_weight, d_out, &sorted);
    cuda_launched(cuda, "embedding_backward");
}
