#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * Writes 8 weights a thread, from one word of codes: 16 bytes of bf16. Bound by the memory
 * written, a quarter of which is read. The levels lie in shared memory, one a bank, so that
 * a warp's look-ups never wait for one another.
 */
static constexpr int THREADS = 256;
static constexpr int UNROLL = 4;
static constexpr int OCTET = 8; /* weights of a word */

struct levels {
    float value[NF4_LEVELS];
};

/* absmax of the block that weight `index` belongs to; the CPU back-end's bits. */
static __device__ inline float absmax_at(const struct nf4_tensor &in, int64_t index)
{
    const int64_t block = index / NF4_BLOCK;

    return fmaf(__ldg(in.steps + block / NF4_GROUP),
                static_cast<float>(__ldg(in.scale_codes + block)), in.offset);
}

/* `word` holds the codes of the 8 weights, the first in the lowest bits. */
template <typename T>
static __device__ inline void store_octet(T *out, const float *level, uint32_t word,
                                          float absmax)
{
    pack<OCTET> weights;

#pragma unroll
    for (int i = 0; i < OCTET; i++)
        weights.value[i] = level[word >> 4 * i & 15] * absmax;
    store_pack(out, weights);
}

/* Weights [first, end) one by one. */
template <typename T>
static __device__ void store_singly(T *out, const float *level, const struct nf4_tensor &in,
                                    int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++) {
        const int code = in.codes[i / 2] >> (i % 2 * 4) & 15;
        out[i] = from_float<T>(level[code] * absmax_at(in, i));
    }
}

/* `aligned`: out to 16 bytes, codes to 4. A block of threads has THREADS UNROLL octets. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
    dequantize_kernel(T *out, struct nf4_tensor in, struct levels levels, bool aligned)
{
    __shared__ float level[NF4_LEVELS];
    const int64_t start =
        static_cast<int64_t>(blockIdx.x) * THREADS * UNROLL * OCTET + threadIdx.x * OCTET;
    uint32_t words[UNROLL] = {};
    float absmax[UNROLL] = {};

    if (threadIdx.x < NF4_LEVELS)
        level[threadIdx.x] = levels.value[threadIdx.x];
#pragma unroll
    for (int k = 0; k < UNROLL; k++) {
        const int64_t first = start + k * THREADS * OCTET;
        if (aligned && first + OCTET <= in.count) {
            words[k] = __ldg(reinterpret_cast<const uint32_t *>(in.codes + first / 2));
            absmax[k] = absmax_at(in, first);
        }
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < UNROLL; k++) {
        const int64_t first = start + k * THREADS * OCTET;
        const int64_t end = first + OCTET < in.count ? first + OCTET : in.count;
        if (aligned && first + OCTET <= in.count)
            store_octet(out + first, level, words[k], absmax[k]);
        else
            store_singly(out, level, in, first, end);
    }
}

template <typename T>
static void run(struct cuda_backend *cuda, struct tensor *out, const struct nf4_tensor *in)
{
    const bool aligned = reinterpret_cast<uintptr_t>(out->data) % PACK_BYTES == 0 &&
                         reinterpret_cast<uintptr_t>(in->codes) % sizeof(uint32_t) == 0;
    const int64_t blocks = ceiling_divide(in->count, THREADS * UNROLL * OCTET);
    struct levels levels;

    for (int i = 0; i < NF4_LEVELS; i++)
        levels.value[i] = nf4_levels[i];
    dequantize_kernel<<<grid_size(blocks), THREADS, 0, cuda->stream>>>(data_of<T>(out), *in,
                                                                       levels, aligned);
}

void cuda_nf4_dequantize(struct backend *backend, struct tensor *out,
                         const struct nf4_tensor *in)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (in->count == 0)
        return;
    (out->dtype == DTYPE_BF16 ? run<__nv_bfloat16> : run<float>)(cuda, out, in);
    cuda_launched(cuda, "nf4_dequantize");
}
