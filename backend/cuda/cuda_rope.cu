#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * Rotary positions in place: one block a row of qkv. An item is N neighbouring pairs
 * (x[i], x[i + R/2]) of one head, R being the columns of the table; the table's row is read
 * again for each head, but from the cache.
 */

static constexpr int THREADS = 256;

struct rope_shape {
    int64_t columns; /* of qkv: (H + 2G) D */
    int heads;       /* that turn: H + G */
    int size;        /* D */
    int half;        /* R / 2 */
    float direction; /* 1 or -1 */
};

/* Turns N pairs: low' = low cos - high sin, high' = high cos + low sin. */
template <int N, typename T>
static __device__ inline void turn(T *low_at, T *high_at, const float *cosines_at,
                                   const float *sines_at, float direction)
{
    pack<N> low = load_pack<N>(low_at), high = load_pack<N>(high_at);
    const pack<N> cosines = load_pack<N>(cosines_at), sines = load_pack<N>(sines_at);

#pragma unroll
    for (int i = 0; i < N; i++) {
        const float x = low.value[i], y = high.value[i];
        const float sine = direction * sines.value[i];
        low.value[i] = x * cosines.value[i] - y * sine;
        high.value[i] = y * cosines.value[i] + x * sine;
    }
    store_pack(low_at, low);
    store_pack(high_at, high);
}

template <typename T, int N>
static __global__ void __launch_bounds__(THREADS)
    rope_kernel(T *__restrict__ qkv, const float *__restrict__ table,
                const int32_t *__restrict__ positions, struct rope_shape shape)
{
    const int packs = shape.half / N;
    T *row = qkv + blockIdx.x * shape.columns;
    const float *cosines =
        table + static_cast<int64_t>(positions[blockIdx.x]) * 2 * shape.half;

    for (int item = static_cast<int>(threadIdx.x); item < shape.heads * packs;
         item += static_cast<int>(blockDim.x)) {
        const int head = item / packs, i = item % packs * N;
        T *low = row + static_cast<int64_t>(head) * shape.size + i;
        turn<N>(low, low + shape.half, cosines + i, cosines + shape.half + i,
                shape.direction);
    }
}

template <typename T>
static void run_turn(struct cuda_backend *cuda, struct tensor *qkv,
                     const struct tensor *table, const int32_t *positions,
                     struct rope_shape shape)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const bool whole = shape.half % N == 0 && shape.size % N == 0 &&
                       pack_aligned(qkv->data) && pack_aligned(table->data);
    const int64_t items = static_cast<int64_t>(shape.heads) * shape.half / (whole ? N : 1);
    const auto kernel = whole ? rope_kernel<T, N> : rope_kernel<T, 1>;

    kernel<<<grid_size(qkv->shape[0]), whole_warps(items, THREADS), 0, cuda->stream>>>(
        data_of<T>(qkv), data_of<const float>(table), positions, shape);
}

static void turn_rows(struct backend *backend, struct tensor *qkv,
                      const struct tensor *table, const int32_t *positions,
                      const struct attention_shape *attention, float direction,
                      const char *what)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct rope_shape shape = {
        qkv->shape[1], static_cast<int>(attention->heads + attention->key_value_heads),
        static_cast<int>(attention->head_size), static_cast<int>(table->shape[1] / 2),
        direction};

    if (tensor_count(qkv) == 0)
        return;
    (qkv->dtype == DTYPE_BF16 ? run_turn<__nv_bfloat16>
                              : run_turn<float>)(cuda, qkv, table, positions, shape);
    cuda_launched(cuda, what);
}

void cuda_rope_forward(struct backend *backend, struct tensor *qkv,
                       const struct tensor *table, const int32_t *positions,
                       const struct attention_shape *shape)
{
    turn_rows(backend, qkv, table, positions, shape, 1.0f, "rope_forward");
}

void cuda_rope_backward(struct backend *backend, struct tensor *d_qkv,
                        const struct tensor *table, const int32_t *positions,
                        const struct attention_shape *shape)
{
    turn_rows(backend, d_qkv, table, positions, shape, -1.0f, "rope_backward");
}
