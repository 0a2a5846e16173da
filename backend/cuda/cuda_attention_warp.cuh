#ifndef HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_WARP_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_WARP_CUH

#include "backend/cuda/cuda_ptx.cuh"

/* tanh(x) within 2^-21: 1 - 2 / (1 + e^2x). */
__device__ inline float tanh_approximate(float x)
{
    const float e = exp2_approximate(fminf(2.88539008177792681f * x, 120.0f));
    return 1.0f - __fdividef(2.0f, 1.0f + e);
}

__device__ inline float quad_maximum(float x)
{
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ inline float quad_sum(float x)
{
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

#endif
