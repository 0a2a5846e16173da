#include "backend/cuda/cuda_fp8.h"

#include "backend/cuda/cuda_fp8.cuh"

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

enum { ROW_THREADS_MOST = 1024, ROW_PACKS = 4 /* of a thread, in registers */ };

/*
 * A block a row: its scale and its numbers, [rows, columns] together. A thread keeps its
 * first packs in registers; what a longer row has is read twice, the second time from the
 * caches.
 */
template <bool WHOLE>
static __global__ void __launch_bounds__(ROW_THREADS_MOST)
    quantise_rows(uint8_t *out, float *scales, const __nv_bfloat16 *in, int64_t stride,
                  int columns)
{
    __shared__ float shared[WARP_SIZE];
    const __nv_bfloat16 *row = in + blockIdx.x * stride;
    uint8_t *to = out + static_cast<int64_t>(blockIdx.x) * columns;
    const int step = static_cast<int>(blockDim.x) * FP8_PACK;
    const int mine = static_cast<int>(threadIdx.x) * FP8_PACK;
    uint4 held[ROW_PACKS];
    float most = FP8_LEAST;

#pragma unroll
    for (int j = 0; j < ROW_PACKS; j++)
        held[j] = load_words<WHOLE>(row, mine + j * step, columns);
#pragma unroll
    for (int j = 0; j < ROW_PACKS; j++)
        most = greatest(most, unpack_words(held[j]));
    for (int first = mine + ROW_PACKS * step; first < columns; first += step)
        most = greatest(most, unpack_words(load_words<WHOLE>(row, first, columns)));
    const float scale = block_maximum(most, shared) / FP8_MOST;
    if (threadIdx.x == 0)
        scales[blockIdx.x] = scale;
#pragma unroll
    for (int j = 0; j < ROW_PACKS; j++)
        store_fp8(to, mine + j * step, columns, unpack_words(held[j]), 1 / scale);
    for (int first = mine + ROW_PACKS * step; first < columns; first += step)
        store_fp8(to, first, columns, unpack_words(load_words<WHOLE>(row, first, columns)),
                  1 / scale);
}

static bool rows_quantise(struct cuda_backend *cuda, uint8_t *out, float *scales,
                          const struct tensor *in)
{
    const int64_t stride = tensor_row_stride(in), columns = in->shape[1];
    const bool whole = pack_aligned(in->data) && stride % FP8_PACK == 0;
    const int threads =
        whole_warps(ceiling_divide(columns, ROW_PACKS * FP8_PACK), ROW_THREADS_MOST);

    (whole ? quantise_rows<true>
           : quantise_rows<false>)<<<grid_size(in->shape[0]), threads, 0, cuda->stream>>>(
        out, scales, data_of<__nv_bfloat16>(in), stride, static_cast<int>(columns));
    return cuda_launched(cuda, "quantisation to FP8");
}

/*
 * The greatest of each column, as bits, which are in the order of numbers that are not
 * negative. A lane has a pack of columns, a warp every eighth row of a block's band; what
 * blocks find is joined in any order, as a maximum does not depend on it.
 */
enum { MAXIMA_WARPS = 8, MAXIMA_THREADS = MAXIMA_WARPS * WARP_SIZE, MAXIMA_ROWS = 64 };

template <bool WHOLE>
static __global__ void __launch_bounds__(MAXIMA_THREADS)
    column_maxima(uint32_t *maxima, const __nv_bfloat16 *in, int64_t stride, int rows,
                  int columns)
{
    __shared__ float found[MAXIMA_WARPS][WARP_SIZE * FP8_PACK];
    const int lane = static_cast<int>(threadIdx.x) % WARP_SIZE;
    const int warp = static_cast<int>(threadIdx.x) / WARP_SIZE;
    const int block_column = static_cast<int>(blockIdx.x) * WARP_SIZE * FP8_PACK;
    const int column = block_column + lane * FP8_PACK;
    const int first = static_cast<int>(blockIdx.y) * MAXIMA_ROWS;
    struct pack<FP8_PACK> most = {
    };

#pragma unroll
    for (int i = warp; i < MAXIMA_ROWS; i += MAXIMA_WARPS) {
        const int row = first + i < rows ? first + i : first;
        const struct pack<FP8_PACK> values =
            load_part<FP8_PACK, WHOLE>(in + row * stride, column, columns);
#pragma unroll
        for (int k = 0; k < FP8_PACK; k++)
            most.value[k] = fmaxf(most.value[k], fabsf(values.value[k]));
    }
#pragma unroll
    for (int k = 0; k < FP8_PACK; k++)
        found[warp][lane * FP8_PACK + k] = most.value[k];
    __syncthreads();
    const int mine = static_cast<int>(threadIdx.x);
    if (block_column + mine >= columns)
        return;
    float all = found[0][mine];
    for (int w = 1; w < MAXIMA_WARPS; w++)
        all = fmaxf(all, found[w][mine]);
    atomicMax(maxima + block_column + mine, __float_as_uint(all));
}

/*
 * A weight [M, K] quantised by columns, transposed: [K, M]. A block brings TILE x TILE of
 * it to shared memory as bytes: a thread 8 neighbours of a row of the weight, then 16
 * neighbours of a column. A warp reads 16 of 16 rows, whole sectors of 32 bytes: along a
 * row its bytes would go to one bank, 8 columns being a multiple of all banks apart.
 *
 *     tile [TILE columns][TILE rows + 16]
 */
enum { TILE = 64, TILE_STRIDE = TILE + 16, TILE_THREADS = TILE * TILE / 16 };

/* FP8_PACK neighbours of a row, each times its column's inverse. */
static __device__ inline uint2 columns_pack(struct pack<FP8_PACK> values,
                                            const float *inverses)
{
#pragma unroll
    for (int k = 0; k < FP8_PACK; k++)
        values.value[k] *= inverses[k];
    return fp8_pack(values, 1);
}

template <bool WHOLE>
static __global__ void __launch_bounds__(TILE_THREADS)
    quantise_transposed(uint8_t *out, float *scales, const __nv_bfloat16 *weight,
                        int64_t stride, int rows, int columns, const uint32_t *maxima)
{
    __shared__ __align__(16) uint8_t tile[TILE][TILE_STRIDE];
    __shared__ __align__(16) float inverses[TILE];
    const int thread = static_cast<int>(threadIdx.x);
    const int row_first = static_cast<int>(blockIdx.y) * TILE;
    const int column_first = static_cast<int>(blockIdx.x) * TILE;

    if (thread < TILE && column_first + thread < columns) {
        const float most = __uint_as_float(maxima[column_first + thread]);
        const float scale = fmaxf(most, FP8_LEAST) / FP8_MOST;
        inverses[thread] = 1 / scale;
        if (row_first == 0)
            scales[column_first + thread] = scale;
    }
    __syncthreads();
    for (int part = thread; part < TILE * TILE / FP8_PACK; part += TILE_THREADS) {
        const int i = part / 2 % TILE;
        const int j = (part / (2 * TILE) * 2 + part % 2) * FP8_PACK;
        const int row = row_first + i, column = column_first + j;
        if (row >= rows || column >= columns)
            continue;
        const uint2 bytes =
            columns_pack(load_part<FP8_PACK, WHOLE>(weight + row * stride, column, columns),
                         inverses + j);
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
}

static bool columns_quantise(struct cuda_backend *cuda, uint8_t *out, float *scales,
                             uint32_t *maxima, const struct tensor *weight)
{
    const int64_t stride = tensor_row_stride(weight);
    const int rows = static_cast<int>(weight->shape[0]);
    const int columns = static_cast<int>(weight->shape[1]);
    const bool whole = pack_aligned(weight->data) && stride % FP8_PACK == 0;
    const dim3 bands(grid_size(ceiling_divide(columns, WARP_SIZE * FP8_PACK)),
                     grid_size(ceiling_divide(rows, MAXIMA_ROWS)));
    const dim3 tiles(grid_size(ceiling_divide(columns, TILE)),
                     grid_size(ceiling_divide(rows, TILE)));

    if (!cuda_good(cuda,
                   cudaMemsetAsync(maxima, 0,
                                   static_cast<size_t>(columns) * sizeof *maxima,
                                   cuda->stream),
                   "quantisation to FP8"))
        return false;
    (whole ? column_maxima<true>
           : column_maxima<false>)<<<bands, MAXIMA_THREADS, 0, cuda->stream>>>(
        maxima, data_of<__nv_bfloat16>(weight), stride, rows, columns);
    (whole ? quantise_transposed<true>
           : quantise_transposed<false>)<<<tiles, TILE_THREADS, 0, cuda->stream>>>(
        out, scales, data_of<__nv_bfloat16>(weight), stride, rows, columns, maxima);
    return cuda_launched(cuda, "quantisation to FP8");
}

/* ---- Products ---- */

/* In scratch, one behind another, each aligned to 256 bytes. */
struct operands {
    uint8_t *a; /* [T, depth] */
    uint8_t *b; /* [columns, depth] */
    float *a_scales, *b_scales;
    uint32_t *b_maxima; /* of a weight that is quantised by columns */
};

static size_t take(size_t *bytes, int64_t count, size_t each)
{
    const size_t at = *bytes;
    *bytes += (static_cast<size_t>(count) * each + 255) / 256 * 256;
    return at;
}

/* False sets the sticky error. What was made for another product is gone. */
static bool operands_reserve(struct cuda_backend *cuda, int64_t rows, int64_t columns,
                             int64_t depth, struct operands *operands)
{
    size_t bytes = 0;
    const size_t a = take(&bytes, rows * depth, 1), b = take(&bytes, columns * depth, 1);
    const size_t a_scales = take(&bytes, rows, sizeof(float));
    const size_t b_scales = take(&bytes, columns, sizeof(float));
    const size_t b_maxima = take(&bytes, columns, sizeof(uint32_t));
    uint8_t *memory = static_cast<uint8_t *>(cuda_scratch(cuda, CUDA_SCRATCH_FP8, bytes));

    cuda->fp8_made = {NULL, NULL, false};
    if (!memory)
        return false;
    *operands = {memory + a, memory + b, reinterpret_cast<float *>(memory + a_scales),
                 reinterpret_cast<float *>(memory + b_scales),
                 reinterpret_cast<uint32_t *>(memory + b_maxima)};
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

static bool forward_reserve(struct cuda_backend *cuda, int64_t rows,
                            const struct tensor *weight, struct operands *operands)
{
    return operands_reserve(cuda, rows, weight->shape[0], weight->shape[1], operands);
}

static bool backward_reserve(struct cuda_backend *cuda, int64_t rows,
                             const struct tensor *weight, struct operands *operands)
{
    return operands_reserve(cuda, rows, weight->shape[1], weight->shape[0], operands);
}

bool cuda_fp8_rows_begin(struct cuda_backend *cuda, const struct tensor *rows,
                         bool backward, struct cuda_fp8_rows *made)
{
    const struct tensor *weight = rows->fp8_with;
    struct operands operands;

    sizes_check(weight);
    CHECK(rows->shape[1] == weight->shape[backward ? 0 : 1]);
    if (!(backward ? backward_reserve : forward_reserve)(cuda, rows->shape[0], weight,
                                                         &operands))
        return false;
    *made = {operands.a, operands.a_scales};
    cuda->fp8_made = {rows->data, weight->data, backward};
    return true;
}

/* Whether that was done for this product. It is then to reserve the same again. */
static bool rows_made(const struct cuda_backend *cuda, const struct tensor *rows,
                      const struct tensor *weight, bool backward)
{
    return rows->fp8_with && cuda->fp8_made.rows == rows->data &&
           cuda->fp8_made.weight == weight->data && cuda->fp8_made.backward == backward;
}

void cuda_fp8_forward(struct cuda_backend *cuda, struct tensor *out,
                      const struct tensor *in, const struct tensor *weight,
                      const struct tensor *bias, const struct tensor *residual)
{
    const bool made = rows_made(cuda, in, weight, false);
    struct operands operands;

    sizes_check(weight);
    if (in->shape[0] == 0 || !forward_reserve(cuda, in->shape[0], weight, &operands) ||
        (!made && !rows_quantise(cuda, operands.a, operands.a_scales, in)) ||
        !rows_quantise(cuda, operands.b, operands.b_scales, weight))
        return;
    struct cuda_gemm product = product_of(&operands, out, weight->shape[1]);
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
    const bool made = rows_made(cuda, d_out, weight, true);
    struct operands operands;

    sizes_check(weight);
    if (d_in->shape[0] == 0 || !backward_reserve(cuda, d_in->shape[0], weight, &operands) ||
        (!made && !rows_quantise(cuda, operands.a, operands.a_scales, d_out)) ||
        !columns_quantise(cuda, operands.b, operands.b_scales, operands.b_maxima, weight))
        return;
    struct cuda_gemm product = product_of(&operands, d_in, weight->shape[0]);
    product.c = accumulate ? d_in->data : NULL;
    product.c_stride = tensor_row_stride(d_in);
    cuda_gemm_run(cuda, &product);
}
