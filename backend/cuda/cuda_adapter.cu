#include "backend/cuda/cuda_adapter.h"

#include "backend/cuda/cuda_kernel.cuh"

#include <float.h>

static constexpr int THREADS = 256;
static constexpr int DRAWS = 4; /* of a Philox block */

/* ---- Dropout ------------------------------------------------------------------------ */

struct mask {
    const int32_t *documents, *positions;
    uint2 key;
    uint32_t stream, threshold;
    float factor;
};

/* A thread has the columns of one Philox block. The CPU back-end's mask, bit for bit. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
    dropout_kernel(T *out, const T *in, struct mask mask, int64_t rows, int64_t columns,
                   bool accumulate)
{
    const int64_t blocks = (columns + DRAWS - 1) / DRAWS;
    const int64_t index = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    const int64_t row = index / blocks, block = index % blocks;

    if (row >= rows)
        return;
    const uint4 drawn = philox(
        make_uint4(static_cast<uint32_t>(block), static_cast<uint32_t>(mask.positions[row]),
                   static_cast<uint32_t>(mask.documents[row]), mask.stream),
        mask.key);
    const uint32_t draws[DRAWS] = {drawn.x, drawn.y, drawn.z, drawn.w};
#pragma unroll
    for (int i = 0; i < DRAWS; i++) {
        const int64_t at = row * columns + block * DRAWS + i;
        if (block * DRAWS + i >= columns)
            return;
        const float factor = draws[i] >= mask.threshold ? mask.factor : 0.0f;
        out[at] = from_float<T>((accumulate ? to_float(out[at]) : 0.0f) +
                                factor * to_float(in[at]));
    }
}

template <typename T>
static void run_dropout(struct cuda_backend *cuda, struct tensor *out,
                        const struct tensor *in, const struct mask *mask, bool accumulate)
{
    const int64_t rows = in->shape[0], columns = in->shape[1];
    const int64_t threads = rows * ceiling_divide(columns, DRAWS);

    dropout_kernel<<<grid_size(ceiling_divide(threads, THREADS)), THREADS, 0,
                     cuda->stream>>>(data_of<T>(out), data_of<T>(in), *mask, rows, columns,
                                     accumulate);
}

void cuda_dropout(struct backend *backend, struct tensor *out, const struct tensor *in,
                  const struct dropout_mask *dropout, bool accumulate)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct mask mask = {
        dropout->documents,
        dropout->positions,
        make_uint2(static_cast<uint32_t>(dropout->key),
                   static_cast<uint32_t>(dropout->key >> 32)),
        dropout->stream,
        static_cast<uint32_t>(static_cast<double>(dropout->probability) * 4294967296.0),
        1.0f / (1.0f - dropout->probability),
    };

    if (tensor_count(in) == 0)
        return;
    (in->dtype == DTYPE_BF16 ? run_dropout<__nv_bfloat16>
                             : run_dropout<float>)(cuda, out, in, &mask, accumulate);
    cuda_launched(cuda, "dropout");
}

/* ---- Magnitudes --------------------------------------------------------------------- */

/* A block has a row; its b in shared memory, so that a thread's column costs r products. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
    row_norms_kernel(float *norms, const T *weight, const T *a, const T *b, float scale,
                     int64_t columns, int rank)
{
    extern __shared__ float factors[];
    __shared__ double sums[WARP_SIZE];
    const int64_t row = blockIdx.x;
    double total = 0;

    for (int r = static_cast<int>(threadIdx.x); r < rank; r += THREADS)
        factors[r] = scale * to_float(b[row * rank + r]);
    __syncthreads();
    for (int64_t k = threadIdx.x; k < columns; k += THREADS) {
        float value = to_float(weight[row * columns + k]);
        for (int r = 0; r < rank; r++)
            value += factors[r] * to_float(a[r * columns + k]);
        total += static_cast<double>(value) * static_cast<double>(value);
    }
    total = block_sum(total, sums);
    if (threadIdx.x == 0)
        norms[row] = fmaxf(static_cast<float>(sqrt(total)), FLT_MIN);
}

template <typename T>
static void run_norms(struct cuda_backend *cuda, struct tensor *norms,
                      const struct tensor *weight, const struct tensor *a,
                      const struct tensor *b, float scale)
{
    const int rank = static_cast<int>(a->shape[0]);
    const size_t shared = static_cast<size_t>(rank) * sizeof(float);

    row_norms_kernel<<<grid_size(weight->shape[0]), THREADS, shared, cuda->stream>>>(
        data_of<float>(norms), data_of<T>(weight), data_of<T>(a), data_of<T>(b), scale,
        weight->shape[1], rank);
}

void cuda_adapted_row_norms(struct backend *backend, struct tensor *norms,
                            const struct tensor *weight, const struct tensor *a,
                            const struct tensor *b, float scale)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (weight->shape[0] == 0)
        return;
    (weight->dtype == DTYPE_BF16 ? run_norms<__nv_bfloat16>
                                 : run_norms<float>)(cuda, norms, weight, a, b, scale);
    cuda_launched(cuda, "adapted_row_norms");
}

/* The master weight of a bf16 number and its lower half: base/dtype.h. */
static __device__ inline float joined(__nv_bfloat16 value, int16_t remainder)
{
    const uint32_t upper = static_cast<uint32_t>(__bfloat16_as_ushort(value)) << 16;
    return __uint_as_float(upper + static_cast<uint32_t>(static_cast<int32_t>(remainder)));
}

static __device__ inline float joined(float value, int16_t)
{
    return value;
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    gains_kernel(float *gains, const T *magnitude, const int16_t *remainder,
                 const float *norms, int64_t count)
{
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;

    if (i >= count)
        return;
    const float value =
        remainder ? joined(magnitude[i], remainder[i]) : to_float(magnitude[i]);
    gains[i] = value / norms[i];
}

template <typename T>
static void run_gains(struct cuda_backend *cuda, struct tensor *gains,
                      const struct tensor *magnitude, const struct tensor *remainder,
                      const struct tensor *norms)
{
    const int64_t count = gains->shape[0];

    gains_kernel<<<grid_size(ceiling_divide(count, THREADS)), THREADS, 0, cuda->stream>>>(
        data_of<float>(gains), data_of<T>(magnitude),
        remainder ? data_of<int16_t>(remainder) : nullptr, data_of<float>(norms), count);
}

void cuda_magnitude_gains(struct backend *backend, struct tensor *gains,
                          const struct tensor *magnitude, const struct tensor *remainder,
                          const struct tensor *norms)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (gains->shape[0] == 0)
        return;
    (magnitude->dtype == DTYPE_BF16
         ? run_gains<__nv_bfloat16>
         : run_gains<float>)(cuda, gains, magnitude, remainder, norms);
    cuda_launched(cuda, "magnitude_gains");
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    gain_kernel(T *out, const float *gains, const T *bias, const T *residual,
                int64_t columns, int64_t count)
{
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;

    if (i >= count)
        return;
    const int64_t column = i % columns;
    float value = to_float(out[i]) * gains[column];
    if (bias)
        value += to_float(bias[column]);
    if (residual)
        value += to_float(residual[i]);
    out[i] = from_float<T>(value);
}

template <typename T>
static void run_gain(struct cuda_backend *cuda, struct tensor *out,
                     const struct tensor *gains, const struct tensor *bias,
                     const struct tensor *residual)
{
    const int64_t count = tensor_count(out);

    gain_kernel<<<grid_size(ceiling_divide(count, THREADS)), THREADS, 0, cuda->stream>>>(
        data_of<T>(out), data_of<float>(gains), bias ? data_of<T>(bias) : nullptr,
        residual ? data_of<T>(residual) : nullptr, out->shape[1], count);
}

void cuda_gain_forward(struct backend *backend, struct tensor *out,
                       const struct tensor *gains, const struct tensor *bias,
                       const struct tensor *residual)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(out) == 0)
        return;
    (out->dtype == DTYPE_BF16 ? run_gain<__nv_bfloat16> : run_gain<float>)(cuda, out, gains,
                                                                           bias, residual);
    cuda_launched(cuda, "gain_forward");
}

/* A warp has 32 columns and walks all rows: sums in the order of rows. */
template <typename T>
static __global__ void __launch_bounds__(WARP_SIZE)
    gain_backward_kernel(T *values, int64_t values_stride, float *d_magnitude,
                         const T *d_out, int64_t d_stride, const float *gains,
                         const float *norms, int64_t rows, int64_t columns)
{
    const int64_t column = static_cast<int64_t>(blockIdx.x) * WARP_SIZE + threadIdx.x;
    float sum = 0;

    if (column >= columns)
        return;
    const float gain = gains[column];
#pragma unroll 4
    for (int64_t row = 0; row < rows; row++) {
        T *value = values + row * values_stride + column;
        const float d = to_float(d_out[row * d_stride + column]);
        sum += to_float(*value) * d;
        *value = from_float<T>(gain * d);
    }
    if (d_magnitude)
        d_magnitude[column] += sum / norms[column];
}

template <typename T>
static void run_gain_backward(struct cuda_backend *cuda, struct tensor *values,
                              struct tensor *d_magnitude, const struct tensor *d_out,
                              const struct tensor *gains, const struct tensor *norms)
{
    const int64_t rows = d_out->shape[0], columns = d_out->shape[1];

    gain_backward_kernel<<<grid_size(ceiling_divide(columns, WARP_SIZE)), WARP_SIZE, 0,
                           cuda->stream>>>(
        data_of<T>(values), tensor_row_stride(values),
        d_magnitude ? data_of<float>(d_magnitude) : nullptr, data_of<T>(d_out),
        tensor_row_stride(d_out), data_of<float>(gains), data_of<float>(norms), rows,
        columns);
}

void cuda_gain_backward(struct backend *backend, struct tensor *values,
                        struct tensor *d_magnitude, const struct tensor *d_out,
                        const struct tensor *gains, const struct tensor *norms)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(d_out) == 0)
        return;
    (d_out->dtype == DTYPE_BF16
         ? run_gain_backward<__nv_bfloat16>
         : run_gain_backward<float>)(cuda, values, d_magnitude, d_out, gains, norms);
    cuda_launched(cuda, "gain_backward");
}
