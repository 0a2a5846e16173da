#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * RMSNorm of each query and key head: a warp a head, a lane N neighbouring elements of
 * every 32 N. Elements are read a second time, from the cache, once the sums over the head
 * are known; a lane writes only what it alone reads, so the work can be done in place.
 * Which lane has which element depends on D alone: alignment changes no bit.
 */

static constexpr int N = 4; /* one access of 8 or 16 bytes */
static constexpr int MOST_WARPS = 8;
static constexpr int SHARED_BYTES = 48 << 10; /* what needs no opt-in */

struct head_norm_shape {
    int64_t rows;
    int64_t columns; /* of qkv: (H + 2G) D */
    int heads;       /* that are normed: H + G */
    int query_heads; /* H */
    int size;        /* D */
    float epsilon;
};

template <typename T> struct head_norm_data {
    T *out;         /* backward: d_qkv */
    const T *in;    /* may be `out` */
    const T *query; /* the weights */
    const T *key;
    float *partial; /* backward: [blocks, 2 D], query before key */
};

static __device__ inline int warp_index()
{
    return static_cast<int>(threadIdx.x) / WARP_SIZE;
}

/* The first element of this lane; the next one is N WARP_SIZE on. */
static __device__ inline int lane_first()
{
    return static_cast<int>(threadIdx.x) % WARP_SIZE * N;
}

static __device__ inline float rstd_of(float sum, const head_norm_shape &shape)
{
    return 1.0f / sqrtf(sum / static_cast<float>(shape.size) + shape.epsilon);
}

/* ---- Forward ------------------------------------------------------------------------ */

template <typename T, bool WHOLE>
static __device__ inline void norm_head(T *out, const T *in, const T *weight,
                                        const head_norm_shape &shape)
{
    float sum = 0;

    for (int i = lane_first(); i < shape.size; i += N * WARP_SIZE) {
        const pack<N> x = load_part<N, WHOLE>(in, i, shape.size);
#pragma unroll
        for (int j = 0; j < N; j++)
            sum = fmaf(x.value[j], x.value[j], sum);
    }
    const float rstd = rstd_of(warp_sum(sum), shape);
    for (int i = lane_first(); i < shape.size; i += N * WARP_SIZE) {
        const pack<N> w = load_part<N, WHOLE>(weight, i, shape.size);
        pack<N> x = load_part<N, WHOLE>(in, i, shape.size);
#pragma unroll
        for (int j = 0; j < N; j++)
            x.value[j] *= rstd * w.value[j];
        store_part<N, WHOLE>(out, i, shape.size, x);
    }
}

/* A block a row. */
template <typename T, bool WHOLE>
static __global__ void __launch_bounds__(MOST_WARPS *WARP_SIZE)
    head_norm_kernel(head_norm_data<T> data, struct head_norm_shape shape)
{
    const T *in = data.in + blockIdx.x * shape.columns;
    T *out = data.out + blockIdx.x * shape.columns;
    const int warps = static_cast<int>(blockDim.x) / WARP_SIZE;

    for (int head = warp_index(); head < shape.heads; head += warps) {
        const int64_t first = static_cast<int64_t>(head) * shape.size;
        norm_head<T, WHOLE>(out + first, in + first,
                            head < shape.query_heads ? data.query : data.key, shape);
    }
    if (out == in)
        return;
    for (int64_t i = static_cast<int64_t>(shape.heads) * shape.size + threadIdx.x;
         i < shape.columns; i += blockDim.x)
        out[i] = in[i];
}

/* ---- Backward ----------------------------------------------------------------------- */

/*
 * With u = d_out weight:  d_in = rstd u - x slope,  slope = rstd^3 mean(u x), in place on
 * `d`; sums[i] += d_out x rstd.
 */
template <typename T, bool WHOLE>
static __device__ inline void norm_head_backward(T *d, float *sums, const T *in,
                                                 const T *weight,
                                                 const head_norm_shape &shape)
{
    float squares = 0, products = 0;

    for (int i = lane_first(); i < shape.size; i += N * WARP_SIZE) {
        const pack<N> x = load_part<N, WHOLE>(in, i, shape.size);
        const pack<N> g = load_part<N, WHOLE>(d, i, shape.size);
        const pack<N> w = load_part<N, WHOLE>(weight, i, shape.size);
#pragma unroll
        for (int j = 0; j < N; j++) {
            squares = fmaf(x.value[j], x.value[j], squares);
            products = fmaf(g.value[j] * w.value[j], x.value[j], products);
        }
    }
    const float rstd = rstd_of(warp_sum(squares), shape);
    const float mean = warp_sum(products) / static_cast<float>(shape.size);
    const float slope = rstd * rstd * rstd * mean;
    for (int i = lane_first(); i < shape.size; i += N * WARP_SIZE) {
        const pack<N> x = load_part<N, WHOLE>(in, i, shape.size);
        const pack<N> w = load_part<N, WHOLE>(weight, i, shape.size);
        pack<N> g = load_part<N, WHOLE>(d, i, shape.size);
#pragma unroll
        for (int j = 0; j < N; j++) {
            if (i + j < shape.size)
                sums[i + j] += g.value[j] * (x.value[j] * rstd);
            g.value[j] = rstd * (g.value[j] * w.value[j]) - x.value[j] * slope;
        }
        store_part<N, WHOLE>(d, i, shape.size, g);
    }
}

/*
 * Each block has a contiguous range of rows. Each of its warps sums its heads' share of the
 * weights' gradients in shared memory, [warps, 2 D]; then the warps' sums are added in
 * order, into the block's row of `partial`.
 */
template <typename T, bool WHOLE>
static __global__ void __launch_bounds__(MOST_WARPS *WARP_SIZE)
    head_norm_backward_kernel(head_norm_data<T> data, struct head_norm_shape shape)
{
    extern __shared__ float sums[];
    const int warps = static_cast<int>(blockDim.x) / WARP_SIZE, both = 2 * shape.size;
    const int64_t begin = shape.rows * blockIdx.x / gridDim.x;
    const int64_t end = shape.rows * (blockIdx.x + 1LL) / gridDim.x;
    float *own = sums + warp_index() * both;

    for (int i = static_cast<int>(threadIdx.x); i < warps * both; i += blockDim.x)
        sums[i] = 0;
    __syncthreads();
    for (int64_t t = begin; t < end; t++)
        for (int head = warp_index(); head < shape.heads; head += warps) {
            const int64_t first =
                t * shape.columns + static_cast<int64_t>(head) * shape.size;
            const bool query = head < shape.query_heads;
            norm_head_backward<T, WHOLE>(data.out + first, own + (query ? 0 : shape.size),
                                         data.in + first, query ? data.query : data.key,
                                         shape);
        }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < both; i += blockDim.x) {
        float sum = 0;
        for (int warp = 0; warp < warps; warp++)
            sum += sums[warp * both + i];
        data.partial[static_cast<int64_t>(blockIdx.x) * both + i] = sum;
    }
}

/* d_query[i] += sum over p of partial[p, i], d_key[i] += that of partial[p, D + i]: a warp
 * a column, whose lane l has rows l, l + 32, … */
static __global__ void __launch_bounds__(MOST_WARPS *WARP_SIZE)
    head_norm_add_kernel(float *d_query, float *d_key, const float *__restrict__ partial,
                         int partials, int size)
{
    const int column = static_cast<int>(blockIdx.x) * MOST_WARPS + warp_index();
    float sum = 0;

    if (column >= 2 * size)
        return;
    for (int p = static_cast<int>(threadIdx.x) % WARP_SIZE; p < partials; p += WARP_SIZE)
        sum += partial[static_cast<int64_t>(p) * 2 * size + column];
    sum = warp_sum(sum);
    if (threadIdx.x % WARP_SIZE == 0)
        *(column < size ? d_query + column : d_key + column - size) += sum;
}

/* ---- Launches ----------------------------------------------------------------------- */

struct head_norm_operands {
    struct tensor *out, *d_query, *d_key;
    const struct tensor *in, *query, *key;
};

static struct head_norm_shape
shape_of(const struct tensor *in, const struct attention_shape *attention, float epsilon)
{
    return {in->shape[0],
            in->shape[1],
            static_cast<int>(attention->heads + attention->key_value_heads),
            static_cast<int>(attention->heads),
            static_cast<int>(attention->head_size),
            epsilon};
}

template <typename T>
static head_norm_data<T> data_of_norm(const struct head_norm_operands *x, float *partial)
{
    return {data_of<T>(x->out), data_of<const T>(x->in), data_of<const T>(x->query),
            data_of<const T>(x->key), partial};
}

static bool whole_packs(const struct head_norm_operands *x, struct head_norm_shape shape)
{
    return shape.size % N == 0 && pack_aligned(x->out->data) && pack_aligned(x->in->data) &&
           pack_aligned(x->query->data) && pack_aligned(x->key->data);
}

template <typename T>
static void run_forward(struct cuda_backend *cuda, const struct head_norm_operands *x,
                        struct head_norm_shape shape)
{
    const auto kernel =
        whole_packs(x, shape) ? head_norm_kernel<T, true> : head_norm_kernel<T, false>;
    const int warps = static_cast<int>(smaller(shape.heads, MOST_WARPS));

    kernel<<<grid_size(shape.rows), warps * WARP_SIZE, 0, cuda->stream>>>(
        data_of_norm<T>(x, nullptr), shape);
}

template <typename T>
static void run_backward(struct cuda_backend *cuda, const struct head_norm_operands *x,
                         struct head_norm_shape shape)
{
    constexpr int BLOCKS = 4; /* on each multiprocessor */
    const auto kernel = whole_packs(x, shape) ? head_norm_backward_kernel<T, true>
                                              : head_norm_backward_kernel<T, false>;
    const int warp_bytes = 2 * shape.size * static_cast<int>(sizeof(float));
    const int warps = static_cast<int>(
        smaller(smaller(shape.heads, MOST_WARPS), SHARED_BYTES / warp_bytes));
    const int blocks = static_cast<int>(
        smaller(static_cast<int64_t>(BLOCKS) * cuda->multiprocessor_count, shape.rows));
    CHECK(warps > 0); /* heads of up to 6,144 */
    float *partial = static_cast<float *>(
        cuda_scratch(cuda, CUDA_SCRATCH_PARTIAL, static_cast<size_t>(blocks) * warp_bytes));

    if (!partial)
        return;
    kernel<<<blocks, warps * WARP_SIZE, static_cast<size_t>(warps) * warp_bytes,
             cuda->stream>>>(data_of_norm<T>(x, partial), shape);
    if (!x->d_query)
        return;
    head_norm_add_kernel<<<grid_size(ceiling_divide(2 * shape.size, MOST_WARPS)),
                           MOST_WARPS * WARP_SIZE, 0, cuda->stream>>>(
        data_of<float>(x->d_query), data_of<float>(x->d_key), partial, blocks, shape.size);
}

void cuda_head_norm_forward(struct backend *backend, struct tensor *out,
                            const struct tensor *in, const struct tensor *query_weight,
                            const struct tensor *key_weight,
                            const struct attention_shape *shape, float epsilon)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct head_norm_operands x = {out, nullptr,      nullptr,
                                         in,  query_weight, key_weight};

    if (tensor_count(in) == 0)
        return;
    (in->dtype == DTYPE_BF16 ? run_forward<__nv_bfloat16>
                             : run_forward<float>)(cuda, &x, shape_of(in, shape, epsilon));
    cuda_launched(cuda, "head_norm_forward");
}

void cuda_head_norm_backward(struct backend *backend, struct tensor *d_qkv,
                             struct tensor *d_query_weight, struct tensor *d_key_weight,
                             const struct tensor *in, const struct tensor *query_weight,
                             const struct tensor *key_weight,
                             const struct attention_shape *shape, float epsilon)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct head_norm_operands x = {d_qkv, d_query_weight, d_key_weight,
                                         in,    query_weight,   key_weight};

    if (tensor_count(in) == 0)
        return;
    (in->dtype == DTYPE_BF16 ? run_backward<__nv_bfloat16>
                             : run_backward<float>)(cuda, &x, shape_of(in, shape, epsilon));
    cuda_launched(cuda, "head_norm_backward");
}
