#ifndef HOLDFAST_BACKEND_CUDA_CUDA_SWIGLU_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_SWIGLU_CUH

#include "backend/cuda/cuda_kernel.cuh"

/*
 * 1 / (1 + e^-x). For bf16 by the processor's approximations: e^-x within 2 + 1.2 |x| ulp
 * (CUDA C++ Programming Guide, intrinsic functions), under 2^-16 where |x| < 88, and the
 * quotient within 2 ulp; bf16 keeps 2^-9. Beyond, the result is 0 or 1 as it should be.
 */
template <typename T> static __device__ inline float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

template <> __device__ inline float sigmoid<__nv_bfloat16>(float x)
{
    return __fdividef(1.0f, 1.0f + __expf(-x));
}

/* gate becomes silu(gate) up. */
template <typename T, int N>
static __device__ inline void activate(pack<N> *gate, const pack<N> &up)
{
#pragma unroll
    for (int i = 0; i < N; i++)
        gate->value[i] = gate->value[i] * sigmoid<T>(gate->value[i]) * up.value[i];
}

template <typename T> struct swiglu_backward_data {
    T *d_gate_up;
    T *out; /* NULL: not wanted */
    const T *d_out;
    const T *gate_up;
};

/* With s = sigmoid(x):  silu(x) = x s,  silu'(x) = s (1 + x (1 - s)). d_out becomes d_gate,
 * up becomes d_up, gate becomes the forward's output. */
template <typename T, int N>
static __device__ inline void differentiate(pack<N> *d_out, pack<N> *gate, pack<N> *up)
{
#pragma unroll
    for (int i = 0; i < N; i++) {
        const float x = gate->value[i], y = up->value[i], d = d_out->value[i];
        const float s = sigmoid<T>(x);
        d_out->value[i] = d * y * (s * (1.0f + x * (1.0f - s)));
        up->value[i] = d * (x * s);
        gate->value[i] = x * s * y;
    }
}

/*
 * The same by rows, whose FP8 numbers they make too (cuda_swiglu_fp8.cu). False, having done
 * nothing, where out->fp8_with or d_gate_up->fp8_with wants none, or they do not serve.
 */
bool cuda_swiglu_fp8_forward(struct cuda_backend *cuda, struct tensor *out,
                             const struct tensor *gate_up);
bool cuda_swiglu_fp8_backward(struct cuda_backend *cuda, struct tensor *d_gate_up,
                              struct tensor *out, const struct tensor *d_out,
                              const struct tensor *gate_up);

#endif
