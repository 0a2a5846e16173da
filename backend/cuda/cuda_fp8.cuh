#ifndef HOLDFAST_BACKEND_CUDA_CUDA_FP8_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_FP8_CUH

#include "backend/cuda/cuda_fp8.h"
#include "backend/cuda/cuda_kernel.cuh"
#include "backend/fp8.h"

#include <cuda_fp8.h>

/*
 * What kernels share that make the FP8 numbers of bf16 rows (backend/fp8.h). A thread has
 * packs of 8 neighbours, and keeps them as they came: the scale is known only when the whole
 * row has been seen.
 */
inline constexpr int FP8_PACK = PACK_ELEMENTS<__nv_bfloat16>;

/*
 * The pack at a row's element `first`, of `count`, a multiple of 8, that is read once: it
 * does not drive from the caches what is read again. One that is beyond the row is its
 * first, which moves no maximum.
 */
template <bool WHOLE>
static __device__ inline uint4 load_words(const __nv_bfloat16 *row, int first, int count)
{
    const __nv_bfloat16 *from = row + (first < count ? first : 0);

    if constexpr (WHOLE)
        return __ldcs(reinterpret_cast<const uint4 *>(from));
    else
        return pack_words(load_part<FP8_PACK, false>(from, 0, FP8_PACK));
}

/* NaN does not become a maximum, and is kept as such by the conversion. */
static __device__ inline float greatest(float most, const struct pack<FP8_PACK> &values)
{
#pragma unroll
    for (int i = 0; i < FP8_PACK; i++)
        most = fmaxf(most, fabsf(values.value[i]));
    return most;
}

static __device__ inline uint2 fp8_pack(const struct pack<FP8_PACK> &values, float inverse)
{
    uint32_t words[2] = {0, 0};

#pragma unroll
    for (int i = 0; i < FP8_PACK; i += 2) {
        const float2 two =
            make_float2(values.value[i] * inverse, values.value[i + 1] * inverse);
        const uint32_t pair = __nv_cvt_float2_to_fp8x2(two, __NV_SATFINITE, __NV_E4M3);
        words[i / 4] |= pair << (i % 4 * 8);
    }
    return make_uint2(words[0], words[1]);
}

static __device__ inline void store_fp8(uint8_t *row, int first, int count,
                                        const struct pack<FP8_PACK> &values, float inverse)
{
    if (first < count)
        *reinterpret_cast<uint2 *>(row + first) = fp8_pack(values, inverse);
}

#endif
