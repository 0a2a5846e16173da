#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * fill, add, scale: one block a tile of elements, each thread UNROLL packs of it, all
 * loaded before the first is stored. Tiles begin where packs are aligned, so that the first
 * one may begin before the tensor; a tile that is not wholly inside goes element by
 * element.
 */

static constexpr int THREADS = 256;
static constexpr int UNROLL = 4;
static constexpr int SQUARES_BLOCKS = 8; /* for each multiprocessor: what it can hold */

template <typename T>
static constexpr int TILE_ELEMENTS = THREADS *UNROLL *PACK_ELEMENTS<T>;

struct tiling {
    int64_t count;
    int phase; /* elements from a pack's start to the tensor's; -1: it cannot be had */
};

/* How far `memory` is from where a pack starts, in elements. */
template <typename T> static int phase_of(const void *memory)
{
    const uintptr_t element = reinterpret_cast<uintptr_t>(memory) / sizeof(T);
    return static_cast<int>(element % PACK_ELEMENTS<T>);
}

template <typename T>
static struct tiling tiling_of(const struct tensor *a, const struct tensor *b,
                               const struct tensor *c)
{
    const int phase = phase_of<T>(a->data);
    const bool common = phase_of<T>(b->data) == phase && phase_of<T>(c->data) == phase;
    return {tensor_count(a), common ? phase : -1};
}

template <typename T> static int64_t tile_count(struct tiling tiling)
{
    const int lead = tiling.phase > 0 ? tiling.phase : 0;
    return ceiling_divide(tiling.count + lead, TILE_ELEMENTS<T>);
}

/* The elements of one tile: packs where `whole`, else [first, end) one by one. */
struct tile {
    int64_t first, end;
    bool whole;
};

template <typename T>
static __device__ inline struct tile tile_at(struct tiling tiling, int64_t index)
{
    const int lead = tiling.phase > 0 ? tiling.phase : 0;
    const int64_t first = index * TILE_ELEMENTS<T> - lead;
    const int64_t end = first + TILE_ELEMENTS<T>;

    if (first >= 0 && end <= tiling.count)
        return {first, end, tiling.phase >= 0};
    return {first < 0 ? 0 : first, end < tiling.count ? end : tiling.count, false};
}

/* Where this thread's pack `k` of a whole tile is. */
template <typename T> static __device__ inline int pack_at(int k)
{
    return (k * THREADS + static_cast<int>(threadIdx.x)) * PACK_ELEMENTS<T>;
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    fill_kernel(T *out, float value, struct tiling tiling)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const struct tile tile = tile_at<T>(tiling, blockIdx.x);

    if (tile.whole) {
        pack<N> values;
#pragma unroll
        for (int i = 0; i < N; i++)
            values.value[i] = value;
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            store_pack(out + tile.first + pack_at<T>(k), values);
        return;
    }
    for (int64_t i = tile.first + threadIdx.x; i < tile.end; i += THREADS)
        out[i] = from_float<T>(value);
}

template <typename T>
static void run_fill(struct cuda_backend *cuda, struct tensor *tensor, float value)
{
    const struct tiling tiling = tiling_of<T>(tensor, tensor, tensor);

    fill_kernel<<<grid_size(tile_count<T>(tiling)), THREADS, 0, cuda->stream>>>(
        data_of<T>(tensor), value, tiling);
}

void cuda_fill(struct backend *backend, struct tensor *tensor, float value)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(tensor) == 0)
        return;
    (tensor->dtype == DTYPE_BF16 ? run_fill<__nv_bfloat16> : run_fill<float>)(cuda, tensor,
                                                                              value);
    cuda_launched(cuda, "fill");
}

/* `out` may be `a` or `b`. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
    add_kernel(T *out, const T *a, const T *b, struct tiling tiling)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const struct tile tile = tile_at<T>(tiling, blockIdx.x);

    if (tile.whole) {
        pack<N> left[UNROLL], right[UNROLL];
#pragma unroll
        for (int k = 0; k < UNROLL; k++) {
            left[k] = load_pack<N>(a + tile.first + pack_at<T>(k));
            right[k] = load_pack<N>(b + tile.first + pack_at<T>(k));
        }
#pragma unroll
        for (int k = 0; k < UNROLL; k++) {
#pragma unroll
            for (int i = 0; i < N; i++)
                left[k].value[i] += right[k].value[i];
            store_pack(out + tile.first + pack_at<T>(k), left[k]);
        }
        return;
    }
    for (int64_t i = tile.first + threadIdx.x; i < tile.end; i += THREADS)
        out[i] = from_float<T>(to_float(a[i]) + to_float(b[i]));
}

template <typename T>
static void run_add(struct cuda_backend *cuda, struct tensor *out, const struct tensor *a,
                    const struct tensor *b)
{
    const struct tiling tiling = tiling_of<T>(out, a, b);

    add_kernel<<<grid_size(tile_count<T>(tiling)), THREADS, 0, cuda->stream>>>(
        data_of<T>(out), data_of<const T>(a), data_of<const T>(b), tiling);
}

void cuda_add(struct backend *backend, struct tensor *out, const struct tensor *a,
              const struct tensor *b)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(out) == 0)
        return;
    (out->dtype == DTYPE_BF16 ? run_add<__nv_bfloat16> : run_add<float>)(cuda, out, a, b);
    cuda_launched(cuda, "add");
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    scale_kernel(T *data, float factor, struct tiling tiling)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const struct tile tile = tile_at<T>(tiling, blockIdx.x);

    if (tile.whole) {
        pack<N> packs[UNROLL];
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            packs[k] = load_pack<N>(data + tile.first + pack_at<T>(k));
#pragma unroll
        for (int k = 0; k < UNROLL; k++) {
#pragma unroll
            for (int i = 0; i < N; i++)
                packs[k].value[i] *= factor;
            store_pack(data + tile.first + pack_at<T>(k), packs[k]);
        }
        return;
    }
    for (int64_t i = tile.first + threadIdx.x; i < tile.end; i += THREADS)
        data[i] = from_float<T>(to_float(data[i]) * factor);
}

template <typename T>
static void run_scale(struct cuda_backend *cuda, struct tensor *tensor, float factor)
{
    const struct tiling tiling = tiling_of<T>(tensor, tensor, tensor);

    scale_kernel<<<grid_size(tile_count<T>(tiling)), THREADS, 0, cuda->stream>>>(
        data_of<T>(tensor), factor, tiling);
}

void cuda_scale(struct backend *backend, struct tensor *tensor, float factor)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(tensor) == 0)
        return;
    (tensor->dtype == DTYPE_BF16 ? run_scale<__nv_bfloat16>
                                 : run_scale<float>)(cuda, tensor, factor);
    cuda_launched(cuda, "scale");
}

/* A square of an f32 is exact in f64. */
static __device__ inline double plus_square(double sum, float value)
{
    return fma(static_cast<double>(value), static_cast<double>(value), sum);
}

/*
 * The sum of squares of a whole tile that falls to this thread, added to four sums, one for
 * each place in a pack.
 */
static __device__ inline void add_tile(double sums[PACK_ELEMENTS<float>], const float *tile)
{
    constexpr int N = PACK_ELEMENTS<float>;
    pack<N> packs[UNROLL];

#pragma unroll
    for (int k = 0; k < UNROLL; k++)
        packs[k] = load_pack<N>(tile + pack_at<float>(k));
#pragma unroll
    for (int k = 0; k < UNROLL; k++)
#pragma unroll
        for (int i = 0; i < N; i++)
            sums[i] = plus_square(sums[i], packs[k].value[i]);
}

/* partial[b] = the sum over tiles b, b + blocks, b + 2 blocks, … */
static __global__ void __launch_bounds__(THREADS)
    squares_kernel(double *partial, const float *data, struct tiling tiling, int64_t tiles)
{
    __shared__ double shared[WARP_SIZE];
    double sums[PACK_ELEMENTS<float>] = {};

    for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
        const struct tile tile = tile_at<float>(tiling, index);
        if (tile.whole) {
            add_tile(sums, data + tile.first);
            continue;
        }
        for (int64_t i = tile.first + threadIdx.x; i < tile.end; i += THREADS)
            sums[0] = plus_square(sums[0], data[i]);
    }
    const double sum = block_sum((sums[0] + sums[1]) + (sums[2] + sums[3]), shared);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = sum;
}

/* sum[0] += the partial sums; one block. */
static __global__ void __launch_bounds__(THREADS)
    squares_total_kernel(double *sum, const double *partial, int count)
{
    __shared__ double shared[WARP_SIZE];
    double total = 0;

    for (int i = static_cast<int>(threadIdx.x); i < count; i += THREADS)
        total += partial[i];
    total = block_sum(total, shared);
    if (threadIdx.x == 0)
        sum[0] += total;
}

/* The blocks depend on the device's size, so the order of additions is one machine's own.
 */
void cuda_sum_of_squares(struct backend *backend, struct tensor *sum,
                         const struct tensor *tensor)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(tensor) == 0)
        return;
    const struct tiling tiling = tiling_of<float>(tensor, tensor, tensor);
    const int64_t tiles = tile_count<float>(tiling);
    const int64_t blocks = smaller(tiles, cuda->multiprocessor_count * SQUARES_BLOCKS);
    double *partial = static_cast<double *>(cuda_scratch(
        cuda, CUDA_SCRATCH_PARTIAL, static_cast<size_t>(blocks) * sizeof(double)));
    if (!partial)
        return;
    squares_kernel<<<grid_size(blocks), THREADS, 0, cuda->stream>>>(
        partial, data_of<const float>(tensor), tiling, tiles);
    squares_total_kernel<<<1, THREADS, 0, cuda->stream>>>(data_of<double>(sum), partial,
                                                          static_cast<int>(blocks));
    cuda_launched(cuda, "sum_of_squares");
}
