#include "backend/cuda/cuda_fp8.h"

#include "backend/cuda/cuda_kernel.cuh"
#include "backend/fp8.h"

#include <cuda_fp8.h>

enum {
    FP8_CAPABILITY = 90,
    FP8_LIBRARY = 120900 /* the first cuBLASLt that takes scales of rows */
};

enum status cuda_fp8_check(int compute_capability, const char *name, struct error *error)
{
    const size_t version = cublasLtGetVersion();

    if (compute_capability != FP8_CAPABILITY)
        return error_set(error, STATUS_UNSUPPORTED,
                         "precision \"fp8\" needs compute capability 9.0 (H100, H200), and "
                         "%s has %d.%d: use --precision bf16",
                         name, compute_capability / 10, compute_capability % 10);
    if (CUBLAS_VERSION < FP8_LIBRARY || version < FP8_LIBRARY)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "precision \"fp8\" needs cuBLASLt 12.9 or later, and this is %zu.%zu "
            "(built with %d.%d): use --precision bf16",
            version / 10000, version % 10000 / 100, CUBLAS_VERSION / 10000,
            CUBLAS_VERSION % 10000 / 100);
    return STATUS_OK;
}

/* ---- Quantisation ---- */

/* A pack is 8 elements of bf16, and 8 bytes of FP8. */
static constexpr int N = PACK_ELEMENTS<__nv_bfloat16>;
enum { ROW_THREADS = 128 };

static __device__ inline uint2 fp8_pack(struct pack<N> values, float inverse)
{
    uint32_t words[2] = {0, 0};

#pragma unroll
    for (int i = 0; i < N; i += 2) {
        const float2 two =
            make_float2(values.value[i] * inverse, values.value[i + 1] * inverse);
        const uint32_t pair = __nv_cvt_float2_to_fp8x2(two, __NV_SATFINITE, __NV_E4M3);
        words[i / 4] |= pair << (i % 4 * 8);
    }
    return make_uint2(words[0], words[1]);
}

/* N elements of a row, each times its column's factor; FACTORS false: 1. */
template <bool WHOLE, bool FACTORS>
static __device__ inline struct pack<N> row_part(const __nv_bfloat16 *row, int first,
                                                 int columns, const float *factors) {
    struct pack<N> values = load_part<N, WHOLE>(row, first, columns);

    if constexpr (FACTORS) {
        const struct pack<N> by = load_pack<N>(factors + first);
#pragma unroll
        for (int i = 0; i < N; i++)
            values.value[i] *= by.value[i];
    }
    return values;
}

/*
 * A block a row: its scale, and where `out` is given its numbers, [rows, columns] together.
 * It is read twice, the second time from the caches. NaN does not become a maximum, and is
 * kept as such by the conversion.
 */
template <bool WHOLE, bool FACTORS>
static __global__ void __launch_bounds__(ROW_THREADS)
    quantise_rows(uint8_t *out, float *scales, const __nv_bfloat16 *in, int64_t stride,
                  int columns, const float *factors)
{
    __shared__ float shared[WARP_SIZE];
    const __nv_bfloat16 *row = in + blockIdx.x * stride;
    const int mine = static_cast<int>(threadIdx.x) * N;
    float most = FP8_LEAST;

    for (int first = mine; first < columns; first += ROW_THREADS * N) {
        const struct pack<N> values =
            row_part<WHOLE, FACTORS>(row, first, columns, factors);
#pragma unroll
        for (int i = 0; i < N; i++)
            most = fmaxf(most, fabsf(values.value[i]));
    }
    const float scale = block_maximum(most, shared) / FP8_MOST;
    if (threadIdx.x == 0)
        scales[blockIdx.x] = scale;
    if (!out)
        return;
    for (int first = mine; first < columns; first += ROW_THREADS * N)
        *reinterpret_cast<uint2 *>(out + static_cast<int64_t>(blockIdx.x) * columns +
                                   first) =
            fp8_pack(row_part<WHOLE, FACTORS>(row, first, columns, factors), 1 / scale);
}

static bool rows_quantise(struct cuda_backend *cuda, uint8_t *out, float *scales,
                          const struct tensor *in, const float *factors)
{
    const int64_t stride = tensor_row_stride(in);
    const bool whole = pack_aligned(in->data) && stride % N == 0;
    const unsigned grid = grid_size(in->shape[0]);

    (factors
         ? (whole ? quantise_rows<true, true> : quantise_rows<false, true>)
         : (whole ? quantise_rows<true, false>
                  : quantise_rows<false, false>))<<<grid, ROW_THREADS, 0, cuda->stream>>>(
        out, scales, data_of<__nv_bfloat16>(in), stride, static_cast<int>(in->shape[1]),
        factors);
    return cuda_launched(cuda, "quantisation to FP8");
}

/*
 * The same numbers of a weight [M, K], transposed: [K, M]. A block brings TILE x TILE of
 * them to shared memory as bytes: a thread N neighbours of a row of the weight, then 16
 * neighbours of a column. A warp reads 2 N of 16 rows, whole sectors of 32 bytes: along a
 * row its bytes would go to one bank, N columns being a multiple of all banks apart.
 *
 *     tile [TILE columns][TILE rows + 16]
 */
enum { TILE = 64, TILE_STRIDE = TILE + 16, TILE_THREADS = TILE * TILE / 16 };

template <bool WHOLE>
static __global__ void __launch_bounds__(TILE_THREADS)
    quantise_transposed(uint8_t *out, float *ones, const __nv_bfloat16 *weight,
                        int64_t stride, int rows, int columns, const float *scales)
{
    __shared__ __align__(16) uint8_t tile[TILE][TILE_STRIDE];
    const int thread = static_cast<int>(threadIdx.x);
    const int row_first = static_cast<int>(blockIdx.y) * TILE;
    const int column_first = static_cast<int>(blockIdx.x) * TILE;

    for (int part = thread; part < TILE * TILE / N; part += TILE_THREADS) {
        const int i = part / 2 % TILE, j = (part / (2 * TILE) * 2 + part % 2) * N;
        const int row = row_first + i, column = column_first + j;
        if (row >= rows || column >= columns)
            continue;
        const uint2 bytes = fp8_pack(
            load_part<N, WHOLE>(weight + row * stride, column, columns), 1 / scales[row]);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            tile[j + k][i] = static_cast<uint8_t>(bytes.x >> (8 * k));
            tile[j + 4 + k][i] = static_cast<uint8_t>(bytes.y >> (8 * k));
        }
    }
    __syncthreads();
    const int i = thread % (TILE / 16) * 16, j = thread / (TILE / 16);
    const int row = row_first + i, column = column_first + j;
    if (row >= rows || column >= columns)
        return;
    *reinterpret_cast<uint4 *>(out + static_cast<int64_t>(column) * rows + row) =
        *reinterpret_cast<const uint4 *>(&tile[j][i]);
    if (row == 0)
        ones[column] = 1;
}

static bool weight_quantise_transposed(struct cuda_backend *cuda, uint8_t *out, float *ones,
                                       const struct tensor *weight, const float *scales)
{
    const int64_t stride = tensor_row_stride(weight);
    const int rows = static_cast<int>(weight->shape[0]);
    const int columns = static_cast<int>(weight->shape[1]);
    const bool whole = pack_aligned(weight->data) && stride % N == 0;
    const dim3 grid(grid_size(ceiling_divide(columns, TILE)),
                    grid_size(ceiling_divide(rows, TILE)));

    (whole ? quantise_transposed<true>
           : quantise_transposed<false>)<<<grid, TILE_THREADS, 0, cuda->stream>>>(
        out, ones, data_of<__nv_bfloat16>(weight), stride, rows, columns, scales);
    return cuda_launched(cuda, "quantisation to FP8");
}

/* ---- Products ---- */

/* In scratch, one behind another, each aligned to 256 bytes. */
struct operands {
    uint8_t *a; /* [T, depth] */
    uint8_t *b; /* [columns, depth] */
    float *a_scales, *b_scales;
    float *weight_scales; /* [M]: of the backward, where b_scales are ones */
};

static size_t take(size_t *bytes, int64_t count, size_t each)
{
    const size_t at = *bytes;
    *bytes += (static_cast<size_t>(count) * each + 255) / 256 * 256;
    return at;
}

/* False sets the sticky error. */
static bool operands_reserve(struct cuda_backend *cuda, int64_t rows, int64_t columns,
                             int64_t depth, struct operands *operands)
{
    size_t bytes = 0;
    const size_t a = take(&bytes, rows * depth, 1), b = take(&bytes, columns * depth, 1);
    const size_t a_scales = take(&bytes, rows, sizeof(float));
    const size_t b_scales = take(&bytes, columns, sizeof(float));
    const size_t weight_scales = take(&bytes, depth, sizeof(float));
    uint8_t *memory = static_cast<uint8_t *>(cuda_scratch(cuda, CUDA_SCRATCH_FP8, bytes));

    if (!memory)
        return false;
    *operands = {memory + a, memory + b, reinterpret_cast<float *>(memory + a_scales),
                 reinterpret_cast<float *>(memory + b_scales),
                 reinterpret_cast<float *>(memory + weight_scales)};
    return true;
}

static struct cuda_gemm product_of(const struct operands *operands, struct tensor *out,
                                   int64_t depth)
{
    return {
        .rows = out->shape[0],
        .columns = out->shape[1],
        .depth = depth,
        .a = operands->a,
        .a_stride = depth,
        .a_transposed = false,
        .b = operands->b,
        .b_stride = depth,
        .b_transposed = true,
        .c = NULL,
        .c_stride = 0,
        .d = out->data,
        .d_stride = tensor_row_stride(out),
        .bias = NULL,
        .in = DTYPE_U8,
        .out = out->dtype,
        .row_invariant = false,
        .a_scales = operands->a_scales,
        .b_scales = operands->b_scales,
        .fast_sums = false,
    };
}

static void sizes_check(const struct tensor *weight)
{
    CHECK(weight->dtype == DTYPE_BF16 && weight->shape[0] % FP8_MULTIPLE == 0 &&
          weight->shape[1] % FP8_MULTIPLE == 0);
}

void cuda_fp8_forward(struct cuda_backend *cuda, struct tensor *out,
                      const struct tensor *in, const struct tensor *weight,
                      const struct tensor *bias, const struct tensor *residual)
{
    const int64_t rows = in->shape[0], depth = weight->shape[1];
    struct operands operands;

    sizes_check(weight);
    if (rows == 0 || !operands_reserve(cuda, rows, weight->shape[0], depth, &operands) ||
        !rows_quantise(cuda, operands.a, operands.a_scales, in, NULL) ||
        !rows_quantise(cuda, operands.b, operands.b_scales, weight, NULL))
        return;
    struct cuda_gemm product = product_of(&operands, out, depth);
    product.bias = bias ? bias->data : NULL;
    product.c = residual ? residual->data : NULL;
    product.c_stride = residual ? tensor_row_stride(residual) : 0;
    product.fast_sums = true;
    cuda_gemm_run(cuda, &product);
}

void cuda_fp8_backward_input(struct cuda_backend *cuda, struct tensor *d_in,
                             const struct tensor *d_out, const struct tensor *weight,
                             bool accumulate)
{
    const int64_t rows = d_in->shape[0], depth = weight->shape[0];
    struct operands operands;

    sizes_check(weight);
    if (rows == 0 || !operands_reserve(cuda, rows, weight->shape[1], depth, &operands) ||
        !rows_quantise(cuda, NULL, operands.weight_scales, weight, NULL) ||
        !weight_quantise_transposed(cuda, operands.b, operands.b_scales, weight,
                                    operands.weight_scales) ||
        !rows_quantise(cuda, operands.a, operands.a_scales, d_out, operands.weight_scales))
        return;
    struct cuda_gemm product = product_of(&operands, d_in, depth);
    product.c = accumulate ? d_in->data : NULL;
    product.c_stride = tensor_row_stride(d_in);
    cuda_gemm_run(cuda, &product);
}
