#ifndef HOLDFAST_BACKEND_CUDA_CUDA_ADAMW_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_ADAMW_CUH

extern "C" {
#include "backend/adamw_factors.h"
}
#include "backend/cuda/cuda_kernel.cuh"

/*
 * What cuda_adamw.cu and cuda_adamw_8bit.cu share: the formula for one element, rounding,
 * and weights in any of their forms.
 *
 * Stochastic rounding to bf16 adds 16 random bits below the last place and cuts. Element
 * e = offset + index takes the draws 2e and 2e + 1 of random_stream(seed, step) in
 * base/random.h: the low half of the first for moment 1, its high half for moment 2, the
 * low half of the second for the weight. So a Philox block serves two elements.
 */

enum weight_kind { WEIGHT_F32, WEIGHT_SPLIT, WEIGHT_BF16 };

struct factors : adamw_factors {
    float clip_norm;
    uint64_t step, seed;
};

static inline struct factors factors_of(const struct adamw_step_parameters *p)
{
    return {adamw_factors_of(p), p->clip_norm, static_cast<uint64_t>(p->step), p->seed};
}

struct adamw_weights {
    void *data;
    uint16_t *remainder; /* of WEIGHT_SPLIT: the low halves of the master weights */
};

/* ---- Rounding ----------------------------------------------------------------------- */

/* Rounds up with a probability of the distance to the lower neighbour; `random` has 16
 * bits. Infinity and NaN stay what they are. */
static __device__ inline uint16_t round_stochastically(float value, uint32_t random)
{
    const uint32_t bits = __float_as_uint(value);
    const bool finite = (bits & 0x7F800000U) != 0x7F800000U;
    const uint32_t quiet = (bits & 0x007FFFFFU) != 0 ? 0x00400000U : 0;
    return static_cast<uint16_t>((finite ? bits + random : bits | quiet) >> 16);
}

/* bf16_join() and bf16_split() of base/dtype.h, bit for bit. */
static __device__ inline float join(uint16_t upper, uint16_t remainder)
{
    const int32_t low = static_cast<int16_t>(remainder);
    return __uint_as_float((static_cast<uint32_t>(upper) << 16) +
                           static_cast<uint32_t>(low));
}

static __device__ inline uint16_t split(float value, uint16_t *remainder)
{
    const uint32_t bits = __float_as_uint(value);
    const bool finite = (bits & 0x7F800000U) != 0x7F800000U;
    *remainder = static_cast<uint16_t>(bits & 0xFFFFU);
    return static_cast<uint16_t>((finite ? bits + 0x8000U : bits) >> 16);
}

/* What N elements draw: two numbers each. */
template <int N> struct draws {
    uint2 value[N];
};

/* The block for the elements 2 pair and 2 pair + 1. */
static __device__ inline uint4 draw_block(const struct factors &f, uint64_t pair)
{
    const uint4 counter =
        make_uint4(static_cast<uint32_t>(pair), static_cast<uint32_t>(pair >> 32),
                   static_cast<uint32_t>(f.step), static_cast<uint32_t>(f.step >> 32));
    return philox(counter, make_uint2(static_cast<uint32_t>(f.seed),
                                      static_cast<uint32_t>(f.seed >> 32)));
}

/* For elements from `first` on, which is even where N is not 1. */
template <int N>
static __device__ inline draws<N> draw(const struct factors &f, uint64_t first)
{
    draws<N> random;

    if constexpr (N == 1) {
        const uint4 block = draw_block(f, first / 2);
        random.value[0] =
            first % 2 == 0 ? make_uint2(block.x, block.y) : make_uint2(block.z, block.w);
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 2) {
            const uint4 block = draw_block(f, first / 2 + i / 2);
            random.value[i] = make_uint2(block.x, block.y);
            random.value[i + 1] = make_uint2(block.z, block.w);
        }
    }
    return random;
}

/* ---- Loads and stores --------------------------------------------------------------- */

/* N elements of 16 bits: one, or four in one access. */
template <int N> struct halves {
    uint16_t value[N];
};

template <int N> static __device__ inline halves<N> load_halves(const uint16_t *from)
{
    static_assert(N == 1 || N == 4, "one element or an access of 8 bytes");
    if constexpr (N == 1) {
        return {from[0]};
    } else {
        const ushort4 four = *reinterpret_cast<const ushort4 *>(from);
        return {four.x, four.y, four.z, four.w};
    }
}

template <int N>
static __device__ inline void store_halves(uint16_t *to, const halves<N> &halves)
{
    static_assert(N == 1 || N == 4, "one element or an access of 8 bytes");
    if constexpr (N == 1)
        to[0] = halves.value[0];
    else
        *reinterpret_cast<ushort4 *>(to) = make_ushort4(halves.value[0], halves.value[1],
                                                        halves.value[2], halves.value[3]);
}

/* The fp32 master weights. */
template <int N, int WEIGHT>
static __device__ inline pack<N> load_weights(const struct adamw_weights &x, int64_t first)
{
    if constexpr (WEIGHT == WEIGHT_F32) {
        return load_pack<N>(static_cast<const float *>(x.data) + first);
    } else if constexpr (WEIGHT == WEIGHT_BF16) {
        return load_pack<N>(static_cast<const __nv_bfloat16 *>(x.data) + first);
    } else {
        const halves<N> upper =
            load_halves<N>(static_cast<const uint16_t *>(x.data) + first);
        const halves<N> lower = load_halves<N>(x.remainder + first);
        pack<N> weights;
#pragma unroll
        for (int i = 0; i < N; i++)
            weights.value[i] = join(upper.value[i], lower.value[i]);
        return weights;
    }
}

template <int N, int WEIGHT>
static __device__ inline void store_weights(const struct adamw_weights &x, int64_t first,
                                            const pack<N> &weights, const draws<N> &random)
{
    if constexpr (WEIGHT == WEIGHT_F32) {
        store_pack<N>(static_cast<float *>(x.data) + first, weights);
    } else {
        halves<N> upper, lower;
#pragma unroll
        for (int i = 0; i < N; i++)
            upper.value[i] =
                WEIGHT == WEIGHT_SPLIT
                    ? split(weights.value[i], &lower.value[i])
                    : round_stochastically(weights.value[i], random.value[i].y & 0xFFFFU);
        store_halves<N>(static_cast<uint16_t *>(x.data) + first, upper);
        if (WEIGHT == WEIGHT_SPLIT)
            store_halves<N>(x.remainder + first, lower);
    }
}

/* ---- The update --------------------------------------------------------------------- */

static __device__ inline void update(float *weight, float *moment1, float *moment2,
                                     float gradient, float scale, const struct factors &f)
{
    const float g = gradient * scale;
    const float m = f.beta1 * *moment1 + f.one_minus_beta1 * g;
    const float v = f.beta2 * *moment2 + f.one_minus_beta2 * (g * g);
    const float root = sqrtf(v) * f.root_of_correction2 + f.epsilon;

    *moment1 = m;
    *moment2 = v;
    *weight -= f.lr_corrected * m / root + f.decay * *weight;
}

/* What gradients are multiplied with; NaN: nothing is to be updated. */
static __device__ inline float clip_scale(double norm_squared, float clip_norm)
{
    const double norm = sqrt(norm_squared);

    if (!isfinite(norm))
        return __uint_as_float(0x7FC00000U);
    const bool clipped = clip_norm > 0 && norm > static_cast<double>(clip_norm);
    return clipped ? static_cast<float>(static_cast<double>(clip_norm) / norm) : 1.0f;
}

/* How many elements `tensor` begins after a place where groups of `group` are aligned. */
static inline int lead_of(const struct tensor *tensor, int group)
{
    const uintptr_t address = reinterpret_cast<uintptr_t>(tensor->data);
    return static_cast<int>(address / dtype_bytes(tensor->dtype) % group);
}

#endif
