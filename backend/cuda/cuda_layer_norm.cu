#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * LayerNorm (GPT-2): one block a row, one element at a time; each element is always the
 * same thread's, and what a row gives depends on its columns alone. The row is read again
 * for each of its sums: it comes from the cache.
 */
static constexpr int THREADS = 256;
static constexpr int PARTIALS_MOST = 256; /* ranges of rows, a row of `partial` each */

static __device__ inline float square(float x)
{
    return x * x;
}

/* All threads call it. Two barriers. */
template <typename T>
static __device__ inline float mean_of(const T *in, int columns, float *shared)
{
    float sum = 0;

    for (int i = static_cast<int>(threadIdx.x); i < columns; i += THREADS)
        sum += to_float(in[i]);
    __syncthreads();
    return block_sum(sum, shared) / static_cast<float>(columns);
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    layer_norm_kernel(T *__restrict__ out, float *__restrict__ rstds,
                      const T *__restrict__ in, const T *__restrict__ weight,
                      const T *__restrict__ bias, int columns, float epsilon)
{
    __shared__ float shared[2][WARP_SIZE];
    const int64_t row = static_cast<int64_t>(blockIdx.x) * columns;
    const float mean = mean_of(in + row, columns, shared[0]);
    float sum = 0;

    for (int i = static_cast<int>(threadIdx.x); i < columns; i += THREADS)
        sum += square(to_float(in[row + i]) - mean);
    const float variance = block_sum(sum, shared[1]) / static_cast<float>(columns);
    const float rstd = 1.0f / sqrtf(variance + epsilon);
    if (threadIdx.x == 0)
        rstds[blockIdx.x] = rstd;
    for (int i = static_cast<int>(threadIdx.x); i < columns; i += THREADS)
        out[row + i] =
            from_float<T>((to_float(in[row + i]) - mean) * rstd * to_float(weight[i]) +
                          to_float(bias[i]));
}

template <typename T> struct layer_norm_data {
    T *d_in;
    float *partial; /* [partials, 2 C]: shares of d_weight, then of d_bias */
    const T *d_out, *in, *weight;
    const float *rstd;
    int64_t rows;
    int columns;
    int partials;
};

/*
 * With n = (in - mean) rstd and u = d_out weight:
 *     d_in     += rstd (u - mean(u) - n mean(u n))
 *     d_weight += d_out n,  d_bias += d_out
 */
template <typename T>
static __device__ inline void backward_row(const layer_norm_data<T> &data, float *partial,
                                           int64_t row, float *shared)
{
    const int columns = data.columns;
    const int64_t at = row * columns;
    const float rstd = data.rstd[row];
    const float mean = mean_of(data.in + at, columns, shared);
    float sum = 0, product = 0;

    for (int i = static_cast<int>(threadIdx.x); i < columns; i += THREADS) {
        const float u = to_float(data.d_out[at + i]) * to_float(data.weight[i]);
        sum += u;
        product += u * ((to_float(data.in[at + i]) - mean) * rstd);
    }
    sum = block_sum(sum, shared + WARP_SIZE) / static_cast<float>(columns);
    product = block_sum(product, shared + 2 * WARP_SIZE) / static_cast<float>(columns);
    for (int i = static_cast<int>(threadIdx.x); i < columns; i += THREADS) {
        const float g = to_float(data.d_out[at + i]);
        const float n = (to_float(data.in[at + i]) - mean) * rstd;
        const float d = rstd * (g * to_float(data.weight[i]) - sum - n * product);
        data.d_in[at + i] = from_float<T>(to_float(data.d_in[at + i]) + d);
        partial[i] += g * n;
        partial[columns + i] += g;
    }
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    layer_norm_backward_kernel(layer_norm_data<T> data)
{
    __shared__ float shared[3 * WARP_SIZE];
    float *partial = data.partial + 2LL * blockIdx.x * data.columns;
    const int64_t first = data.rows * blockIdx.x / data.partials;
    const int64_t end = data.rows * (blockIdx.x + 1LL) / data.partials;

    for (int i = static_cast<int>(threadIdx.x); i < data.columns; i += THREADS)
        partial[i] = partial[data.columns + i] = 0;
    for (int64_t row = first; row < end; row++)
        backward_row(data, partial, row, shared);
}

/* sums[c] += sum over p of partial[p, offset + c], in order. */
static __global__ void __launch_bounds__(THREADS)
    add_partials_kernel(float *sums, const float *partial, int offset, int columns,
                        int partials)
{
    const int column = static_cast<int>(blockIdx.x) * THREADS + threadIdx.x;
    float sum = 0;

    if (column >= columns)
        return;
    for (int p = 0; p < partials; p++)
        sum += partial[2LL * p * columns + offset + column];
    sums[column] += sum;
}

struct norm_operands {
    struct tensor *out, *rstd;
    const struct tensor *in, *weight, *bias;
    float epsilon;
};

template <typename T>
static void run_forward(struct cuda_backend *cuda, const struct norm_operands *x)
{
    layer_norm_kernel<T><<<grid_size(x->in->shape[0]), THREADS, 0, cuda->stream>>>(
        data_of<T>(x->out), data_of<float>(x->rstd), data_of<const T>(x->in),
        data_of<const T>(x->weight), data_of<const T>(x->bias),
        static_cast<int>(x->in->shape[1]), x->epsilon);
}

void cuda_layer_norm_forward(struct backend *backend, struct tensor *out,
                             struct tensor *rstd, const struct tensor *in,
                             const struct tensor *weight, const struct tensor *bias,
                             float epsilon)
{
    const struct norm_operands x = {out, rstd, in, weight, bias, epsilon};

    if (tensor_count(in) == 0)
        return;
    (in->dtype == DTYPE_BF16 ? run_forward<__nv_bfloat16>
                             : run_forward<float>)(cuda_of(backend), &x);
    cuda_launched(cuda_of(backend), "layer_norm_forward");
}

struct norm_gradients {
    struct tensor *d_in, *d_weight, *d_bias;
    const struct tensor *d_out, *in, *weight, *rstd;
};

template <typename T>
static void run_backward(struct cuda_backend *cuda, const struct norm_gradients *x)
{
    const int64_t rows = x->in->shape[0];
    const int columns = static_cast<int>(x->in->shape[1]);
    const int partials = static_cast<int>(smaller(rows, PARTIALS_MOST));
    float *partial = static_cast<float *>(
        cuda_scratch(cuda, CUDA_SCRATCH_PARTIAL,
                     2 * sizeof(float) * static_cast<size_t>(partials) * columns));
    const layer_norm_data<T> data = {data_of<T>(x->d_in),
                                     partial,
                                     data_of<const T>(x->d_out),
                                     data_of<const T>(x->in),
                                     data_of<const T>(x->weight),
                                     data_of<const float>(x->rstd),
                                     rows,
                                     columns,
                                     partials};
    const unsigned blocks = grid_size(ceiling_divide(columns, THREADS));

    if (!partial)
        return;
    layer_norm_backward_kernel<T>
        <<<static_cast<unsigned>(partials), THREADS, 0, cuda->stream>>>(data);
    if (!x->d_weight)
        return;
    add_partials_kernel<<<blocks, THREADS, 0, cuda->stream>>>(
        data_of<float>(x->d_weight), partial, 0, columns, partials);
    add_partials_kernel<<<blocks, THREADS, 0, cuda->stream>>>(
        data_of<float>(x->d_bias), partial, columns, columns, partials);
}

void cuda_layer_norm_backward(struct backend *backend, struct tensor *d_in,
                              struct tensor *d_weight, struct tensor *d_bias,
                              const struct tensor *d_out, const struct tensor *in,
                              const struct tensor *weight, const struct tensor *rstd)
{
    const struct norm_gradients x = {d_in, d_weight, d_bias, d_out, in, weight, rstd};

    if (tensor_count(in) == 0)
        return;
    (in->dtype == DTYPE_BF16 ? run_backward<__nv_bfloat16>
                             : run_backward<float>)(cuda_of(backend), &x);
    cuda_launched(cuda_of(backend), "layer_norm_backward");
}
