#include "backend/cuda/cuda_gemm_plan.h"
#include "backend/cuda/cuda_kernel.cuh"

/*
 * A block makes a TILE x TILE part of d, a thread PART x PART neighbours of it. Each step
 * brings STEP terms of the depth to shared memory, as f32, stored by depth so that a thread
 * reads its PART rows (or columns) in one access.
 *
 *     a_tile [STEP][TILE]    b_tile [STEP][TILE]    (+ 4: no two steps in the same bank)
 */
enum { TILE = 64, STEP = 16, PART = 4, TILE_STRIDE = TILE + 4, THREADS = 256 };
static_assert(TILE / PART * (TILE / PART) == THREADS, "one thread a part");

/* tile[k][i] = element (first + i, depth_first + k) of a matrix [count, depth], 0 outside.
 * `depth_inner`: neighbours in memory are neighbours in depth. Threads take neighbours. */
template <typename T>
static __device__ void tile_load(float (*tile)[TILE_STRIDE], const T *matrix,
                                 int64_t stride, bool depth_inner, int64_t first,
                                 int64_t count, int64_t depth_first, int64_t depth)
{
    for (int e = static_cast<int>(threadIdx.x); e < TILE * STEP; e += THREADS) {
        const int i = depth_inner ? e / STEP : e % TILE;
        const int k = depth_inner ? e % STEP : e / TILE;
        const int64_t row = first + i, term = depth_first + k;
        const int64_t at = depth_inner ? row * stride + term : term * stride + row;
        tile[k][i] = row < count && term < depth ? to_float(matrix[at]) : 0.0f;
    }
}

/* In the order of the depth, whatever else the tiles hold. */
static __device__ void tile_multiply(float (*sum)[PART], const float (*a_tile)[TILE_STRIDE],
                                     const float (*b_tile)[TILE_STRIDE], int row,
                                     int column)
{
#pragma unroll
    for (int k = 0; k < STEP; k++) {
        const struct pack<PART> a = load_pack<PART>(&a_tile[k][row]);
        const struct pack<PART> b = load_pack<PART>(&b_tile[k][column]);
#pragma unroll
        for (int i = 0; i < PART; i++)
#pragma unroll
            for (int j = 0; j < PART; j++)
                sum[i][j] = fmaf(a.value[i], b.value[j], sum[i][j]);
    }
}

template <typename In, typename Out>
static __device__ void part_store(const struct cuda_gemm &gemm, const float (*sum)[PART],
                                  int64_t first_row, int64_t first_column)
{
#pragma unroll
    for (int i = 0; i < PART; i++)
#pragma unroll
        for (int j = 0; j < PART; j++) {
            const int64_t row = first_row + i, column = first_column + j;
            float value = sum[i][j];
            if (row >= gemm.rows || column >= gemm.columns)
                continue;
            if (gemm.c)
                value += to_float(
                    static_cast<const Out *>(gemm.c)[row * gemm.c_stride + column]);
            if (gemm.bias)
                value += to_float(static_cast<const In *>(gemm.bias)[column]);
            static_cast<Out *>(gemm.d)[row * gemm.d_stride + column] =
                from_float<Out>(value);
        }
}

template <typename In, typename Out>
static __global__ void __launch_bounds__(THREADS) own_product(struct cuda_gemm gemm)
{
    __shared__ __align__(16) float a_tile[STEP][TILE_STRIDE];
    __shared__ __align__(16) float b_tile[STEP][TILE_STRIDE];
    const int row = static_cast<int>(threadIdx.x) / (TILE / PART) * PART;
    const int column = static_cast<int>(threadIdx.x) % (TILE / PART) * PART;
    const int64_t first_row = static_cast<int64_t>(blockIdx.x) * TILE;
    const int64_t first_column = static_cast<int64_t>(blockIdx.y) * TILE;
    float sum[PART][PART] = {};

    for (int64_t k = 0; k < gemm.depth; k += STEP) {
        tile_load(a_tile, static_cast<const In *>(gemm.a), gemm.a_stride,
                  !gemm.a_transposed, first_row, gemm.rows, k, gemm.depth);
        tile_load(b_tile, static_cast<const In *>(gemm.b), gemm.b_stride, gemm.b_transposed,
                  first_column, gemm.columns, k, gemm.depth);
        __syncthreads();
        tile_multiply(sum, a_tile, b_tile, row, column);
        __syncthreads();
    }
    part_store<In, Out>(gemm, sum, first_row + row, first_column + column);
}

void gemm_own_run(struct cuda_backend *cuda, const struct cuda_gemm *gemm)
{
    const dim3 grid(grid_size(ceiling_divide(gemm->rows, TILE)),
                    grid_size(ceiling_divide(gemm->columns, TILE)));

    if (gemm->in == DTYPE_F32)
        own_product<float, float><<<grid, THREADS, 0, cuda->stream>>>(*gemm);
    else if (gemm->out == DTYPE_F32)
        own_product<__nv_bfloat16, float><<<grid, THREADS, 0, cuda->stream>>>(*gemm);
    else
        own_product<__nv_bfloat16, __nv_bfloat16>
            <<<grid, THREADS, 0, cuda->stream>>>(*gemm);
    cuda_launched(cuda, "product");
}

/* ---- d = bias + c ---- */

template <typename In, typename Out>
static __global__ void __launch_bounds__(THREADS) own_start(struct cuda_gemm gemm)
{
    const int64_t row = blockIdx.x;
    const Out *c = static_cast<const Out *>(gemm.c);
    const In *bias = static_cast<const In *>(gemm.bias);
    Out *d = static_cast<Out *>(gemm.d);

    for (int64_t j = threadIdx.x; j < gemm.columns; j += THREADS) {
        const float before = c ? to_float(c[row * gemm.c_stride + j]) : 0.0f;
        const float added = bias ? to_float(bias[j]) : 0.0f;
        d[row * gemm.d_stride + j] = from_float<Out>(before + added);
    }
}

bool gemm_own_start(struct cuda_backend *cuda, const struct cuda_gemm *gemm)
{
    const unsigned grid = grid_size(gemm->rows);

    if (gemm->c == gemm->d && !gemm->bias)
        return true;
    if (gemm->in == DTYPE_F32)
        own_start<float, float><<<grid, THREADS, 0, cuda->stream>>>(*gemm);
    else if (gemm->out == DTYPE_F32)
        own_start<__nv_bfloat16, float><<<grid, THREADS, 0, cuda->stream>>>(*gemm);
    else
        own_start<__nv_bfloat16, __nv_bfloat16><<<grid, THREADS, 0, cuda->stream>>>(*gemm);
    return cuda_launched(cuda, "product");
}
