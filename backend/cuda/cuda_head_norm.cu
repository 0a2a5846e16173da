#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * RMSNorm of queries and keys, here all called heads: a team a head, which is a warp, or
 * with wide heads a block. A thread has N neighbouring elements of every N times as many as
 * its team has threads. Elements are read a second time, from the cache, once the sums over
 * the head are known; a thread writes only what it alone reads, so the work can be done in
 * place. Which thread has which element depends on the shape alone: alignment changes no
 * bit.
 */

static constexpr int N = 4; /* one access of 8 or 16 bytes */
static constexpr int MOST_WARPS = 8;
static constexpr int WIDEST_OF_WARP = 1024; /* elements of a head */
static constexpr int WIDE_THREADS = 512;
static constexpr int SHARED_BYTES = 48 << 10; /* what needs no opt-in */

template <bool WIDE>
static constexpr int MOST_THREADS = WIDE ? WIDE_THREADS : MOST_WARPS *WARP_SIZE;

struct head_norm_rows {
    int64_t rows;
    int64_t columns; /* of qkv */
    int queries, query_size;
    int keys, key_size;
    float offset;
    float epsilon;
};

template <typename T> struct head_norm_data {
    T *out;         /* backward: d_qkv */
    const T *in;    /* may be `out` */
    const T *query; /* the weights */
    const T *key;
    float *partial; /* backward: [blocks, query_size + key_size] */
};

static __host__ __device__ inline int head_count(const head_norm_rows &shape)
{
    return shape.queries + shape.keys;
}

/* Of one query and one key, as the gradients of their weights lie. */
static __host__ __device__ inline int both_sizes(const head_norm_rows &shape)
{
    return shape.query_size + shape.key_size;
}

template <typename T> struct head {
    int64_t first; /* element of its row */
    int size;
    int sums; /* where its weight's gradient begins */
    const T *weight;
};

template <typename T>
static __device__ inline head<T> head_of(const head_norm_data<T> &data,
                                         const head_norm_rows &shape, int index)
{
    const int64_t key = index - shape.queries, size = shape.query_size;

    if (key < 0)
        return {index * size, shape.query_size, 0, data.query};
    return {shape.queries * size + key * shape.key_size, shape.key_size, shape.query_size,
            data.key};
}

/* ---- Teams -------------------------------------------------------------------------- */

static __device__ inline int warp_index()
{
    return static_cast<int>(threadIdx.x) / WARP_SIZE;
}

template <bool WIDE> static __device__ inline int team_index()
{
    return WIDE ? 0 : warp_index();
}

/* Of a block. */
template <bool WIDE> static __host__ __device__ inline int team_count(int threads)
{
    return WIDE ? 1 : threads / WARP_SIZE;
}

/* The first element of this thread; the next one is team_step() on. */
template <bool WIDE> static __device__ inline int team_first()
{
    return static_cast<int>(WIDE ? threadIdx.x : threadIdx.x % WARP_SIZE) * N;
}

template <bool WIDE> static __device__ inline int team_step()
{
    return (WIDE ? static_cast<int>(blockDim.x) : WARP_SIZE) * N;
}

template <bool WIDE> static __device__ inline float team_sum(float value, float *shared)
{
    if constexpr (WIDE)
        return block_sum(value, shared);
    else
        return warp_sum(value);
}

/* ---- Forward ------------------------------------------------------------------------ */

static __device__ inline float rstd_of(float sum, int size, float epsilon)
{
    return 1.0f / sqrtf(sum / static_cast<float>(size) + epsilon);
}

template <typename T, bool WHOLE, bool WIDE>
static __device__ inline void norm_head(T *out, const T *in, const head<T> &head,
                                        const head_norm_rows &shape, float *shared)
{
    float sum = 0;

    for (int i = team_first<WIDE>(); i < head.size; i += team_step<WIDE>()) {
        const pack<N> x = load_part<N, WHOLE>(in, i, head.size);
#pragma unroll
        for (int j = 0; j < N; j++)
            sum = fmaf(x.value[j], x.value[j], sum);
    }
    const float rstd = rstd_of(team_sum<WIDE>(sum, shared), head.size, shape.epsilon);
    for (int i = team_first<WIDE>(); i < head.size; i += team_step<WIDE>()) {
        const pack<N> w = load_part<N, WHOLE>(head.weight, i, head.size);
        pack<N> x = load_part<N, WHOLE>(in, i, head.size);
#pragma unroll
        for (int j = 0; j < N; j++)
            x.value[j] *= rstd * (w.value[j] + shape.offset);
        store_part<N, WHOLE>(out, i, head.size, x);
    }
}

/* A block a row. */
template <typename T, bool WHOLE, bool WIDE>
static __global__ void __launch_bounds__(MOST_THREADS<WIDE>)
    head_norm_kernel(head_norm_data<T> data, head_norm_rows shape)
{
    __shared__ float shared[2][WARP_SIZE];
    const T *in = data.in + blockIdx.x * shape.columns;
    T *out = data.out + blockIdx.x * shape.columns;
    const int teams = team_count<WIDE>(static_cast<int>(blockDim.x));

    for (int i = team_index<WIDE>(); i < head_count(shape); i += teams) {
        const head<T> head = head_of(data, shape, i);
        norm_head<T, WHOLE, WIDE>(out + head.first, in + head.first, head, shape,
                                  shared[i % 2]);
    }
    if (out == in)
        return;
    for (int64_t i = head_of(data, shape, head_count(shape)).first + threadIdx.x;
         i < shape.columns; i += blockDim.x)
        out[i] = in[i];
}

/* ---- Backward ----------------------------------------------------------------------- */

/*
 * With u = d_out (weight + offset):  d_in = rstd u - x slope,  slope = rstd^3 mean(u x), in
 * place on `d`; sums[i] += d_out x rstd.
 */
template <typename T, bool WHOLE, bool WIDE>
static __device__ inline void
norm_head_backward(T *d, float *sums, const T *in, const head<T> &head,
                   const head_norm_rows &shape, float (*shared)[WARP_SIZE])
{
    const int size = head.size;
    float squares = 0, products = 0;

    for (int i = team_first<WIDE>(); i < size; i += team_step<WIDE>()) {
        const pack<N> x = load_part<N, WHOLE>(in, i, size);
        const pack<N> g = load_part<N, WHOLE>(d, i, size);
        const pack<N> w = load_part<N, WHOLE>(head.weight, i, size);
#pragma unroll
        for (int j = 0; j < N; j++) {
            squares = fmaf(x.value[j], x.value[j], squares);
            products = fmaf(g.value[j] * (w.value[j] + shape.offset), x.value[j], products);
        }
    }
    const float rstd = rstd_of(team_sum<WIDE>(squares, shared[0]), size, shape.epsilon);
    const float mean = team_sum<WIDE>(products, shared[1]) / static_cast<float>(size);
    const float slope = rstd * rstd * rstd * mean;
    for (int i = team_first<WIDE>(); i < size; i += team_step<WIDE>()) {
        const pack<N> x = load_part<N, WHOLE>(in, i, size);
        const pack<N> w = load_part<N, WHOLE>(head.weight, i, size);
        pack<N> sum = load_part<N, WHOLE>(sums, i, size);
        pack<N> g = load_part<N, WHOLE>(d, i, size);
#pragma unroll
        for (int j = 0; j < N; j++) {
            sum.value[j] += g.value[j] * (x.value[j] * rstd);
            g.value[j] =
                rstd * (g.value[j] * (w.value[j] + shape.offset)) - x.value[j] * slope;
        }
        store_part<N, WHOLE>(sums, i, size, sum);
        store_part<N, WHOLE>(d, i, size, g);
    }
}

/*
 * Each block has a contiguous range of rows. Each of its teams sums its heads' share of the
 * weights' gradients in shared memory, [teams, query_size + key_size]; then the teams' sums
 * are added in order, into the block's row of `partial`.
 */
template <typename T, bool WHOLE, bool WIDE>
static __global__ void __launch_bounds__(MOST_THREADS<WIDE>)
    head_norm_backward_kernel(head_norm_data<T> data, head_norm_rows shape)
{
    extern __shared__ __align__(PACK_BYTES) float sums[];
    __shared__ float shared[2][WARP_SIZE];
    const int teams = team_count<WIDE>(static_cast<int>(blockDim.x));
    const int both = both_sizes(shape);
    const int64_t begin = shape.rows * blockIdx.x / gridDim.x;
    const int64_t end = shape.rows * (blockIdx.x + 1LL) / gridDim.x;
    float *own = sums + team_index<WIDE>() * both;

    for (int i = static_cast<int>(threadIdx.x); i < teams * both; i += blockDim.x)
        sums[i] = 0;
    __syncthreads();
    for (int64_t t = begin; t < end; t++)
        for (int i = team_index<WIDE>(); i < head_count(shape); i += teams) {
            const head<T> head = head_of(data, shape, i);
            const int64_t first = t * shape.columns + head.first;
            norm_head_backward<T, WHOLE, WIDE>(data.out + first, own + head.sums,
                                               data.in + first, head, shape, shared);
        }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < both; i += blockDim.x) {
        float sum = 0;
        for (int team = 0; team < teams; team++)
            sum += sums[team * both + i];
        data.partial[static_cast<int64_t>(blockIdx.x) * both + i] = sum;
    }
}

/* d_query[i] += sum over p of partial[p, i], d_key[i] += that of partial[p, query_size +
 * i]: a warp a column, whose lane l has rows l, l + 32, … */
static __global__ void __launch_bounds__(MOST_WARPS *WARP_SIZE)
    head_norm_add_kernel(float *d_query, float *d_key, const float *__restrict__ partial,
                         int partials, int query_size, int both)
{
    const int column = static_cast<int>(blockIdx.x) * MOST_WARPS + warp_index();
    float sum = 0;

    if (column >= both)
        return;
    for (int p = static_cast<int>(threadIdx.x) % WARP_SIZE; p < partials; p += WARP_SIZE)
        sum += partial[static_cast<int64_t>(p) * both + column];
    sum = warp_sum(sum);
    if (threadIdx.x % WARP_SIZE == 0)
        *(column < query_size ? d_query + column : d_key + column - query_size) += sum;
}

/* ---- Launches ----------------------------------------------------------------------- */

struct head_norm_operands {
    struct tensor *out, *d_query, *d_key;
    const struct tensor *in, *query, *key;
};

static head_norm_rows rows_of(const struct tensor *in, const struct head_norm_shape *shape)
{
    return {in->shape[0],
            in->shape[1],
            static_cast<int>(shape->queries),
            static_cast<int>(shape->query_size),
            static_cast<int>(shape->keys),
            static_cast<int>(shape->key_size),
            shape->offset,
            shape->epsilon};
}

template <typename T>
static head_norm_data<T> data_of_norm(const struct head_norm_operands *x, float *partial)
{
    return {data_of<T>(x->out), data_of<const T>(x->in), data_of<const T>(x->query),
            data_of<const T>(x->key), partial};
}

static bool whole_packs(const struct head_norm_operands *x, const head_norm_rows &shape)
{
    return shape.query_size % N == 0 && shape.key_size % N == 0 && shape.columns % N == 0 &&
           pack_aligned(x->out->data) && pack_aligned(x->in->data) &&
           pack_aligned(x->query->data) && pack_aligned(x->key->data);
}

static int widest_head(const head_norm_rows &shape)
{
    return shape.query_size > shape.key_size ? shape.query_size : shape.key_size;
}

template <bool WIDE> static int threads_of(const head_norm_rows &shape)
{
    if (WIDE)
        return whole_warps(ceiling_divide(widest_head(shape), N), WIDE_THREADS);
    return static_cast<int>(smaller(head_count(shape), MOST_WARPS)) * WARP_SIZE;
}

template <typename T, bool WIDE>
static void run_forward(struct cuda_backend *cuda, const struct head_norm_operands *x,
                        const head_norm_rows &shape)
{
    const auto kernel = whole_packs(x, shape) ? head_norm_kernel<T, true, WIDE>
                                              : head_norm_kernel<T, false, WIDE>;

    kernel<<<grid_size(shape.rows), threads_of<WIDE>(shape), 0, cuda->stream>>>(
        data_of_norm<T>(x, nullptr), shape);
}

struct backward_launch {
    int blocks, threads;
    size_t bytes; /* of shared memory */
};

static constexpr char BACKWARD[] = "head_norm_backward";

/* As many teams as have room for their sums. */
static bool plan_warps(struct cuda_backend *cuda, const head_norm_rows &shape,
                       struct backward_launch *launch)
{
    constexpr int BLOCKS = 4; /* on each multiprocessor */
    const int warp_bytes = both_sizes(shape) * static_cast<int>(sizeof(float));
    const int warps = static_cast<int>(
        smaller(threads_of<false>(shape) / WARP_SIZE, SHARED_BYTES / warp_bytes));

    *launch = {BLOCKS * cuda->multiprocessor_count, warps * WARP_SIZE,
               static_cast<size_t>(warps) * warp_bytes};
    return true;
}

/* As many blocks as the multiprocessors hold at one time. */
template <typename Kernel>
static bool plan_wide(struct cuda_backend *cuda, Kernel kernel, const head_norm_rows &shape,
                      struct backward_launch *launch)
{
    const size_t bytes = static_cast<size_t>(both_sizes(shape)) * sizeof(float);
    const int threads = threads_of<true>(shape);
    int resident = 0;

    if (bytes + 2 * WARP_SIZE * sizeof(float) > cuda->shared_bytes_most) {
        cuda_fail(
            cuda, STATUS_UNSUPPORTED,
            "norms of queries and keys of %d and %d numbers take %zu bytes of shared "
            "memory, and a block of this GPU has %zu: use another GPU, or --device cpu",
            shape.query_size, shape.key_size, bytes, cuda->shared_bytes_most);
        return false;
    }
    if (!cuda_good(cuda,
                   cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(bytes)),
                   BACKWARD) ||
        !cuda_good(cuda,
                   cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, threads,
                                                                 bytes),
                   BACKWARD))
        return false;
    *launch = {(resident > 0 ? resident : 1) * cuda->multiprocessor_count, threads, bytes};
    return true;
}

template <typename T, bool WIDE>
static void run_backward(struct cuda_backend *cuda, const struct head_norm_operands *x,
                         const head_norm_rows &shape)
{
    const auto kernel = whole_packs(x, shape) ? head_norm_backward_kernel<T, true, WIDE>
                                              : head_norm_backward_kernel<T, false, WIDE>;
    const int both = both_sizes(shape);
    struct backward_launch launch = {};

    if (!(WIDE ? plan_wide(cuda, kernel, shape, &launch)
               : plan_warps(cuda, shape, &launch)))
        return;
    const int blocks = static_cast<int>(smaller(launch.blocks, shape.rows));
    float *partial = static_cast<float *>(cuda_scratch(
        cuda, CUDA_SCRATCH_PARTIAL, sizeof(float) * static_cast<size_t>(blocks) * both));

    if (!partial)
        return;
    kernel<<<blocks, launch.threads, launch.bytes, cuda->stream>>>(
        data_of_norm<T>(x, partial), shape);
    if (!x->d_query)
        return;
    head_norm_add_kernel<<<grid_size(ceiling_divide(both, MOST_WARPS)),
                           MOST_WARPS * WARP_SIZE, 0, cuda->stream>>>(
        data_of<float>(x->d_query), data_of<float>(x->d_key), partial, blocks,
        shape.query_size, both);
}

void cuda_head_norm_forward(struct backend *backend, struct tensor *out,
                            const struct tensor *in, const struct tensor *query_weight,
                            const struct tensor *key_weight,
                            const struct head_norm_shape *shape)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct head_norm_operands x = {out, nullptr,      nullptr,
                                         in,  query_weight, key_weight};
    const head_norm_rows rows = rows_of(in, shape);
    const bool wide = widest_head(rows) > WIDEST_OF_WARP;

    if (tensor_count(in) == 0)
        return;
    if (in->dtype == DTYPE_BF16)
        (wide ? run_forward<__nv_bfloat16, true>
              : run_forward<__nv_bfloat16, false>)(cuda, &x, rows);
    else
        (wide ? run_forward<float, true> : run_forward<float, false>)(cuda, &x, rows);
    cuda_launched(cuda, "head_norm_forward");
}

void cuda_head_norm_backward(struct backend *backend, struct tensor *d_qkv,
                             struct tensor *d_query_weight, struct tensor *d_key_weight,
                             const struct tensor *in, const struct tensor *query_weight,
                             const struct tensor *key_weight,
                             const struct head_norm_shape *shape)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct head_norm_operands x = {d_qkv, d_query_weight, d_key_weight,
                                         in,    query_weight,   key_weight};
    const head_norm_rows rows = rows_of(in, shape);
    const bool wide = widest_head(rows) > WIDEST_OF_WARP;

    if (tensor_count(in) == 0)
        return;
    if (in->dtype == DTYPE_BF16)
        (wide ? run_backward<__nv_bfloat16, true>
              : run_backward<__nv_bfloat16, false>)(cuda, &x, rows);
    else
        (wide ? run_backward<float, true> : run_backward<float, false>)(cuda, &x, rows);
    cuda_launched(cuda, BACKWARD);
}
