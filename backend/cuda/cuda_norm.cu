#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * RMSNorm: one block a row, which stays in registers between its two uses: thread j has
 * packs j, j + threads, … (at most PACKS). Rows too wide for that are read twice, by the
 * kernels named wide, one element at a time. Which of them runs and with how many threads
 * depends on C alone, so a row's bits do not depend on T or on alignment.
 */

static constexpr int THREAD_ELEMENTS = 16;
static constexpr int ROW_THREADS = 512; /* most; registers allow 128 a thread */
static constexpr int WIDE_THREADS = 1024;

static constexpr int WIDEST_ROW = THREAD_ELEMENTS * ROW_THREADS;

template <typename T> static constexpr int PACKS = THREAD_ELEMENTS / PACK_ELEMENTS<T>;

struct norm_shape {
    int64_t rows;
    int columns;
    float one_over_columns;
    int partials; /* backward: blocks, each with a contiguous range of rows */
};

template <typename T> static int row_threads(int columns)
{
    const int64_t packs = ceiling_divide(columns, PACK_ELEMENTS<T>);
    return whole_warps(ceiling_divide(packs, PACKS<T>), ROW_THREADS);
}

/* The column where this thread's pack `k` starts. */
template <typename T> static __device__ inline int column_of(int k)
{
    return static_cast<int>(k * blockDim.x + threadIdx.x) * PACK_ELEMENTS<T>;
}

/* Packs of a whole row, this thread's part. */
template <typename T> struct row_part {
    pack<PACK_ELEMENTS<T>> packs[PACKS<T>];
};

template <typename T, bool WHOLE>
static __device__ inline row_part<T> load_row(const T *row, int columns)
{
    row_part<T> part;
#pragma unroll
    for (int k = 0; k < PACKS<T>; k++)
        part.packs[k] = load_part<PACK_ELEMENTS<T>, WHOLE>(row, column_of<T>(k), columns);
    return part;
}

/* ---- Forward ------------------------------------------------------------------------ */

static __device__ inline float rstd_of(float sum, int columns, float epsilon)
{
    return 1.0f / sqrtf(sum / static_cast<float>(columns) + epsilon);
}

/* This thread's part of the sum of squares; packs beyond the row do not count. */
template <typename T>
static __device__ inline float squares_of(const row_part<T> &row, int columns)
{
    float sum = 0;
#pragma unroll
    for (int k = 0; k < PACKS<T>; k++) {
        float pack_sum = 0;
#pragma unroll
        for (int i = 0; i < PACK_ELEMENTS<T>; i++)
            pack_sum = fmaf(row.packs[k].value[i], row.packs[k].value[i], pack_sum);
        sum += column_of<T>(k) < columns ? pack_sum : 0.0f;
    }
    return sum;
}

template <typename T, bool WHOLE>
static __global__ void __launch_bounds__(ROW_THREADS)
    rms_norm_kernel(T *__restrict__ out, float *__restrict__ rstds,
                    const T *__restrict__ in, const T *__restrict__ weight, int columns,
                    float offset, float epsilon)
{
    constexpr int N = PACK_ELEMENTS<T>;
    __shared__ float shared[WARP_SIZE];
    const int64_t row = static_cast<int64_t>(blockIdx.x) * columns;
    row_part<T> part = load_row<T, WHOLE>(in + row, columns);
    const float rstd =
        rstd_of(block_sum(squares_of<T>(part, columns), shared), columns, epsilon);

    if (threadIdx.x == 0)
        rstds[blockIdx.x] = rstd;
#pragma unroll
    for (int k = 0; k < PACKS<T>; k++) {
        const pack<N> scale = load_part<N, WHOLE>(weight, column_of<T>(k), columns);
#pragma unroll
        for (int i = 0; i < N; i++)
            part.packs[k].value[i] *= rstd * (scale.value[i] + offset);
        store_part<N, WHOLE>(out + row, column_of<T>(k), columns, part.packs[k]);
    }
}

template <typename T>
static __global__ void __launch_bounds__(WIDE_THREADS)
    rms_norm_wide_kernel(T *__restrict__ out, float *__restrict__ rstds,
                         const T *__restrict__ in, const T *__restrict__ weight,
                         int columns, float offset, float epsilon)
{
    __shared__ float shared[WARP_SIZE];
    const int64_t row = static_cast<int64_t>(blockIdx.x) * columns;
    float sum = 0;

    for (int i = static_cast<int>(threadIdx.x); i < columns; i += WIDE_THREADS)
        sum = fmaf(to_float(in[row + i]), to_float(in[row + i]), sum);
    const float rstd = rstd_of(block_sum(sum, shared), columns, epsilon);
    if (threadIdx.x == 0)
        rstds[blockIdx.x] = rstd;
    for (int i = static_cast<int>(threadIdx.x); i < columns; i += WIDE_THREADS)
        out[row + i] =
            from_float<T>(to_float(in[row + i]) * (rstd * (to_float(weight[i]) + offset)));
}

struct forward_operands {
    struct tensor *out, *rstd;
    const struct tensor *in, *weight;
    float offset;
    float epsilon;
};

template <typename T>
static void run_forward(struct cuda_backend *cuda, const struct forward_operands *x)
{
    const unsigned rows = grid_size(x->in->shape[0]);
    const int columns = static_cast<int>(x->in->shape[1]);
    const bool whole = columns % PACK_ELEMENTS<T> == 0 && pack_aligned(x->out->data) &&
                       pack_aligned(x->in->data) && pack_aligned(x->weight->data);
    const bool wide = columns > WIDEST_ROW;
    const auto kernel = wide    ? rms_norm_wide_kernel<T>
                        : whole ? rms_norm_kernel<T, true>
                                : rms_norm_kernel<T, false>;

    kernel<<<rows, wide ? WIDE_THREADS : row_threads<T>(columns), 0, cuda->stream>>>(
        data_of<T>(x->out), data_of<float>(x->rstd), data_of<const T>(x->in),
        data_of<const T>(x->weight), columns, x->offset, x->epsilon);
}

void cuda_rms_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                           const struct tensor *in, const struct tensor *weight,
                           float offset, float epsilon)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct forward_operands x = {out, rstd, in, weight, offset, epsilon};

    if (tensor_count(in) == 0)
        return;
    (in->dtype == DTYPE_BF16 ? run_forward<__nv_bfloat16> : run_forward<float>)(cuda, &x);
    cuda_launched(cuda, "rms_norm_forward");
}

/* ---- Backward ----------------------------------------------------------------------- */

/*
 * With n = in rstd and u = d_out (weight + offset):
 *     d_in     += rstd (u - n mean(u n)) = rstd u - in slope,  slope = rstd^3 mean(u in)
 *     d_weight += d_out n
 * Each block sums its rows' share of d_weight, in order, into its row of partial
 * [partials, C]; then add_partials_kernel() adds these rows in order.
 */
template <typename T> struct backward_data {
    T *d_in;
    float *partial;
    const T *d_out, *in, *weight;
    const float *rstd;
    float offset;
};

static __device__ inline int64_t first_row(struct norm_shape shape, int64_t block)
{
    return shape.rows * block / shape.partials;
}

/*
 * What can be done before the row's mean is known, so that d_out and the weight need not
 * stay in registers: the row's share of d_weight, d_in + rstd u, this thread's sum of u in.
 */
template <typename T>
static __device__ inline float before_mean(row_part<T> *d_in, row_part<T> *sums,
                                           const row_part<T> &d_out, const row_part<T> &in,
                                           const row_part<T> &weight, float offset,
                                           float rstd, int columns)
{
    float sum = 0;
#pragma unroll
    for (int k = 0; k < PACKS<T>; k++) {
        float pack_sum = 0;
#pragma unroll
        for (int i = 0; i < PACK_ELEMENTS<T>; i++) {
            const float g = d_out.packs[k].value[i], x = in.packs[k].value[i];
            const float u = g * (weight.packs[k].value[i] + offset);
            sums->packs[k].value[i] += g * (x * rstd);
            d_in->packs[k].value[i] += rstd * u;
            pack_sum = fmaf(u, x, pack_sum);
        }
        sum += column_of<T>(k) < columns ? pack_sum : 0.0f;
    }
    return sum;
}

template <typename T, bool WHOLE>
static __device__ inline void after_mean(T *d_in_row, row_part<T> *d_in,
                                         const row_part<T> &in, float slope, int columns)
{
    constexpr int N = PACK_ELEMENTS<T>;
#pragma unroll
    for (int k = 0; k < PACKS<T>; k++) {
#pragma unroll
        for (int i = 0; i < N; i++)
            d_in->packs[k].value[i] -= in.packs[k].value[i] * slope;
        store_part<N, WHOLE>(d_in_row, column_of<T>(k), columns, d_in->packs[k]);
    }
}

/* Reads the weight again for each row: it comes from the cache and leaves registers free.
 */
template <typename T, bool WHOLE>
static __global__ void __launch_bounds__(ROW_THREADS)
    rms_norm_backward_kernel(backward_data<T> data, struct norm_shape shape)
{
    __shared__ float shared[2][WARP_SIZE];
    const int columns = shape.columns;
    const int64_t end = first_row(shape, blockIdx.x + 1LL);
    row_part<T> sums = {};

    for (int64_t t = first_row(shape, blockIdx.x); t < end; t++) {
        const int64_t row = t * columns;
        const row_part<T> d_out = load_row<T, WHOLE>(data.d_out + row, columns);
        const row_part<T> in = load_row<T, WHOLE>(data.in + row, columns);
        row_part<T> d_in = load_row<T, WHOLE>(data.d_in + row, columns);
        const row_part<T> weight = load_row<T, WHOLE>(data.weight, columns);
        const float rstd = data.rstd[t];
        const float sum =
            before_mean<T>(&d_in, &sums, d_out, in, weight, data.offset, rstd, columns);
        const float mean = block_sum(sum, shared[t % 2]) * shape.one_over_columns;
        after_mean<T, WHOLE>(data.d_in + row, &d_in, in, rstd * rstd * rstd * mean,
                             columns);
    }
    float *partial = data.partial + static_cast<int64_t>(blockIdx.x) * columns;
#pragma unroll
    for (int k = 0; k < PACKS<T>; k++)
        store_part<PACK_ELEMENTS<T>, WHOLE>(partial, column_of<T>(k), columns,
                                            sums.packs[k]);
}

/* The sums lie in `partial` from the start; each element is always the same thread's. */
template <typename T>
static __global__ void __launch_bounds__(WIDE_THREADS)
    rms_norm_backward_wide_kernel(backward_data<T> data, struct norm_shape shape)
{
    __shared__ float shared[2][WARP_SIZE];
    const int columns = shape.columns, start = static_cast<int>(threadIdx.x);
    const int64_t end = first_row(shape, blockIdx.x + 1LL);
    float *partial = data.partial + static_cast<int64_t>(blockIdx.x) * columns;

    for (int i = start; i < columns; i += WIDE_THREADS)
        partial[i] = 0;
    for (int64_t t = first_row(shape, blockIdx.x); t < end; t++) {
        const T *d_out = data.d_out + t * columns, *in = data.in + t * columns;
        T *d_in = data.d_in + t * columns;
        const float rstd = data.rstd[t];
        float sum = 0;
        for (int i = start; i < columns; i += WIDE_THREADS)
            sum = fmaf(to_float(d_out[i]) * (to_float(data.weight[i]) + data.offset),
                       to_float(in[i]), sum);
        const float mean = block_sum(sum, shared[t % 2]) * shape.one_over_columns;
        const float slope = rstd * rstd * rstd * mean;
        for (int i = start; i < columns; i += WIDE_THREADS) {
            const float g = to_float(d_out[i]), x = to_float(in[i]);
            const float u = g * (to_float(data.weight[i]) + data.offset);
            d_in[i] = from_float<T>(to_float(d_in[i]) + rstd * u - x * slope);
            partial[i] += g * (x * rstd);
        }
    }
}

static constexpr int COLUMN_GROUPS = 32; /* of rows of `partial`, a warp each */

/* d_weight[c] += sum over p of partial[p, c]; a block does 32 columns. Warp w sums rows w,
 * w + 32, …; then the warps' sums are added in order. */
static __global__ void __launch_bounds__(COLUMN_GROUPS *WARP_SIZE)
    add_partials_kernel(float *d_weight, const float *__restrict__ partial,
                        struct norm_shape shape)
{
    __shared__ float sums[COLUMN_GROUPS][WARP_SIZE];
    const int lane = static_cast<int>(threadIdx.x) % WARP_SIZE;
    const int group = static_cast<int>(threadIdx.x) / WARP_SIZE;
    const int column = static_cast<int>(blockIdx.x) * WARP_SIZE + lane;
    float sum = 0;

    if (column < shape.columns) {
#pragma unroll 8
        for (int64_t p = group; p < shape.partials; p += COLUMN_GROUPS)
            sum += partial[p * shape.columns + column];
    }
    sums[group][lane] = sum;
    __syncthreads();
    if (group > 0 || column >= shape.columns)
        return;
    for (int other = 1; other < COLUMN_GROUPS; other++)
        sum += sums[other][lane];
    d_weight[column] += sum;
}

struct backward_operands {
    struct tensor *d_in, *d_weight;
    const struct tensor *d_out, *in, *weight, *rstd;
    float offset;
};

/*
 * Blocks: on each multiprocessor so many that the rows they are reading at one time make
 * BYTES_IN_FLIGHT, which hides the memory's latency, but not more than it can hold; more
 * would only make more partials.
 */
template <typename Kernel>
static int partial_count(struct cuda_backend *cuda, Kernel kernel, int threads,
                         const struct tensor *in)
{
    constexpr int64_t BYTES_IN_FLIGHT = 48 << 10;
    const int64_t row_bytes =
        3 * in->shape[1] * static_cast<int64_t>(dtype_bytes(in->dtype));
    const int64_t wanted = ceiling_divide(BYTES_IN_FLIGHT, row_bytes);
    int resident = 0;
    const cudaError_t code =
        cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, threads, 0);

    if (!cuda_good(cuda, code, "rms_norm_backward"))
        return 0;
    const int64_t blocks = resident > 0 ? smaller(wanted, resident) : 1;
    return static_cast<int>(smaller(blocks * cuda->multiprocessor_count, in->shape[0]));
}

template <typename T>
static void run_backward(struct cuda_backend *cuda, const struct backward_operands *x)
{
    const int64_t rows = x->in->shape[0];
    const int columns = static_cast<int>(x->in->shape[1]);
    const bool whole = columns % PACK_ELEMENTS<T> == 0 && pack_aligned(x->d_in->data) &&
                       pack_aligned(x->d_out->data) && pack_aligned(x->in->data) &&
                       pack_aligned(x->weight->data);
    const bool wide = columns > WIDEST_ROW;
    const auto kernel = wide    ? rms_norm_backward_wide_kernel<T>
                        : whole ? rms_norm_backward_kernel<T, true>
                                : rms_norm_backward_kernel<T, false>;
    const int threads = wide ? WIDE_THREADS : row_threads<T>(columns);
    const int partials = partial_count(cuda, kernel, threads, x->in);
    const size_t bytes = sizeof(float) * static_cast<size_t>(partials) * columns;
    float *partial =
        partials ? static_cast<float *>(cuda_scratch(cuda, CUDA_SCRATCH_PARTIAL, bytes))
                 : nullptr;
    const backward_data<T> data = {data_of<T>(x->d_in),
                                   partial,
                                   data_of<const T>(x->d_out),
                                   data_of<const T>(x->in),
                                   data_of<const T>(x->weight),
                                   data_of<const float>(x->rstd),
                                   x->offset};
    const struct norm_shape shape = {rows, columns, 1.0f / static_cast<float>(columns),
                                     partials};

    if (!partial)
        return;
    kernel<<<partials, threads, 0, cuda->stream>>>(data, shape);
    if (!x->d_weight)
        return;
    add_partials_kernel<<<grid_size(ceiling_divide(columns, WARP_SIZE)),
                          WARP_SIZE * COLUMN_GROUPS, 0, cuda->stream>>>(
        data_of<float>(x->d_weight), partial, shape);
}

void cuda_rms_norm_backward(struct backend *backend, struct tensor *d_in,
                            struct tensor *d_weight, const struct tensor *d_out,
                            const struct tensor *in, const struct tensor *weight,
                            float offset, const struct tensor *rstd)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct backward_operands x = {d_in, d_weight, d_out, in, weight, rstd, offset};

    if (tensor_count(in) == 0)
        return;
    (in->dtype == DTYPE_BF16 ? run_backward<__nv_bfloat16> : run_backward<float>)(cuda, &x);
    cuda_launched(cuda, "rms_norm_backward");
}
