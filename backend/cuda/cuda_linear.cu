#include "backend/cuda/cuda_fp8.h"
#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/* ---- Products ---- */

static struct cuda_gemm product_of(const struct tensor *out, const struct tensor *in,
                                   const struct tensor *weight, const struct tensor *bias,
                                   const struct tensor *residual)
{
    return {
        .rows = in->shape[0],
        .columns = weight->shape[0],
        .depth = weight->shape[1],
        .a = in->data,
        .a_stride = tensor_row_stride(in),
        .a_transposed = false,
        .b = weight->data,
        .b_stride = tensor_row_stride(weight),
        .b_transposed = true,
        .c = residual ? residual->data : NULL,
        .c_stride = residual ? tensor_row_stride(residual) : 0,
        .d = out->data,
        .d_stride = tensor_row_stride(out),
        .bias = bias ? bias->data : NULL,
        .in = in->dtype,
        .out = out->dtype,
        .row_invariant = false,
    };
}

void cuda_linear_forward(struct backend *backend, struct tensor *out,
                         const struct tensor *in, const struct tensor *weight,
                         const struct tensor *bias, const struct tensor *residual)
{
    const struct cuda_gemm product = product_of(out, in, weight, bias, residual);

    if (weight->fp8)
        cuda_fp8_forward(cuda_of(backend), out, in, weight, bias, residual);
    else
        cuda_gemm_run(cuda_of(backend), &product);
}

void cuda_linear_decode(struct backend *backend, struct tensor *out,
                        const struct tensor *in, const struct tensor *weight,
                        const struct tensor *bias, const struct tensor *residual)
{
    struct cuda_gemm product = product_of(out, in, weight, bias, residual);

    product.row_invariant = true;
    cuda_gemm_run(cuda_of(backend), &product);
}

void cuda_linear_backward_input(struct backend *backend, struct tensor *d_in,
                                const struct tensor *d_out, const struct tensor *weight,
                                bool accumulate)
{
    const struct cuda_gemm product = {
        .rows = d_in->shape[0],
        .columns = weight->shape[1],
        .depth = weight->shape[0],
        .a = d_out->data,
        .a_stride = tensor_row_stride(d_out),
        .a_transposed = false,
        .b = weight->data,
        .b_stride = tensor_row_stride(weight),
        .b_transposed = false,
        .c = accumulate ? d_in->data : NULL,
        .c_stride = tensor_row_stride(d_in),
        .d = d_in->data,
        .d_stride = tensor_row_stride(d_in),
        .bias = NULL,
        .in = d_out->dtype,
        .out = d_in->dtype,
        .row_invariant = false,
    };
    if (weight->fp8)
        cuda_fp8_backward_input(cuda_of(backend), d_in, d_out, weight, accumulate);
    else
        cuda_gemm_run(cuda_of(backend), &product);
}

/* ---- Sums of columns, in two stages ---- */

/*
 * The rows are cut into bands. In the first stage a block sums one band of 32 packs of
 * columns: a lane owns a pack, a warp every eighth row, the warps' sums are added in order.
 * In the second a thread adds the bands of one column, in order.
 *
 *     partial [bands, columns]
 */
enum { WARPS = 8, THREADS = WARPS * WARP_SIZE, BANDS_MOST = 64, BAND_ROWS_LEAST = 64 };

/* A lane's sums over the rows first, first + WARPS, … below `end`. */
template <typename T, int N>
static __device__ struct pack<N> lane_sums(const T *column, int64_t stride, int64_t first,
                                           int64_t end) {
    struct pack<N> sums = {
    };

#pragma unroll 4
    for (int64_t t = first; t < end; t += WARPS) {
        const struct pack<N> row = load_pack<N>(column + t * stride);
#pragma unroll
        for (int i = 0; i < N; i++)
            sums.value[i] += row.value[i];
    }
    return sums;
}

template <typename T, int N>
static __global__ void __launch_bounds__(THREADS)
    band_sums(float *partial, const T *rows, int64_t stride, int64_t row_count,
              int64_t band_rows, int64_t columns)
{
    __shared__ float sums[WARPS][WARP_SIZE * N];
    const int lane = static_cast<int>(threadIdx.x) % WARP_SIZE;
    const int warp = static_cast<int>(threadIdx.x) / WARP_SIZE;
    const int64_t block_column = static_cast<int64_t>(blockIdx.x) * WARP_SIZE * N;
    const int64_t column = block_column + lane * N;
    const int64_t first = blockIdx.y * band_rows;
    const int64_t end = first + band_rows < row_count ? first + band_rows : row_count;

    if (column < columns) {
        const struct pack<N> lane_sum =
            lane_sums<T, N>(rows + column, stride, first + warp, end);
#pragma unroll
        for (int i = 0; i < N; i++)
            sums[warp][lane * N + i] = lane_sum.value[i];
    }
    __syncthreads();
    const int mine = static_cast<int>(threadIdx.x);
    if (mine >= WARP_SIZE * N || block_column + mine >= columns)
        return;
    float sum = 0;
    for (int w = 0; w < WARPS; w++)
        sum += sums[w][mine];
    partial[blockIdx.y * columns + block_column + mine] = sum;
}

static __global__ void __launch_bounds__(THREADS)
    add_bands(float *total, const float *partial, int bands, int64_t columns)
{
    const int64_t column = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    float sum = 0;

    if (column >= columns)
        return;
#pragma unroll 8
    for (int b = 0; b < bands; b++)
        sum += partial[b * columns + column];
    total[column] += sum;
}

/* Packs where the rows are aligned for them; a column has the same bits either way. */
template <typename T>
static void launch_band_sums(struct cuda_backend *cuda, float *partial,
                             const struct tensor *rows, int64_t band_rows, int bands)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const int64_t columns = rows->shape[1], stride = tensor_row_stride(rows);
    const bool packs = columns % N == 0 && stride % N == 0 && pack_aligned(rows->data);
    const dim3 grid(grid_size(ceiling_divide(columns, WARP_SIZE * (packs ? N : 1))),
                    static_cast<unsigned>(bands));

    (packs ? band_sums<T, N> : band_sums<T, 1>)<<<grid, THREADS, 0, cuda->stream>>>(
        partial, data_of<T>(rows), stride, rows->shape[0], band_rows, columns);
}

static void bias_backward(struct cuda_backend *cuda, struct tensor *d_bias,
                          const struct tensor *d_out)
{
    const int64_t rows = d_out->shape[0], columns = d_out->shape[1];
    const int64_t wanted = ceiling_divide(rows, BAND_ROWS_LEAST);

    if (rows == 0 || columns == 0)
        return;
    const int64_t band_rows = ceiling_divide(rows, smaller(wanted, BANDS_MOST));
    const int bands = static_cast<int>(ceiling_divide(rows, band_rows));
    float *partial = static_cast<float *>(cuda_scratch(
        cuda, CUDA_SCRATCH_PARTIAL, static_cast<size_t>(bands * columns) * sizeof(float)));
    if (!partial)
        return;
    (d_out->dtype == DTYPE_BF16
         ? launch_band_sums<__nv_bfloat16>
         : launch_band_sums<float>)(cuda, partial, d_out, band_rows, bands);
    if (!cuda_launched(cuda, "sums of columns"))
        return;
    add_bands<<<grid_size(ceiling_divide(columns, THREADS)), THREADS, 0, cuda->stream>>>(
        data_of<float>(d_bias), partial, bands, columns);
    cuda_launched(cuda, "sums of columns");
}

void cuda_linear_backward_weight(struct backend *backend, struct tensor *d_weight,
                                 struct tensor *d_bias, const struct tensor *d_out,
                                 const struct tensor *in)
{
    const struct cuda_gemm product = {
        .rows = d_weight->shape[0],
        .columns = d_weight->shape[1],
        .depth = in->shape[0],
        .a = d_out->data,
        .a_stride = tensor_row_stride(d_out),
        .a_transposed = true,
        .b = in->data,
        .b_stride = tensor_row_stride(in),
        .b_transposed = false,
        .c = d_weight->data,
        .c_stride = tensor_row_stride(d_weight),
        .d = d_weight->data,
        .d_stride = tensor_row_stride(d_weight),
        .bias = NULL,
        .in = in->dtype,
        .out = DTYPE_F32,
        .row_invariant = false,
    };
    cuda_gemm_run(cuda_of(backend), &product);
    if (d_bias && !backend->error.status)
        bias_backward(cuda_of(backend), d_bias, d_out);
}
