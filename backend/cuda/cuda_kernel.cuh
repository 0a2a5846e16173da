#ifndef HOLDFAST_BACKEND_CUDA_CUDA_KERNEL_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_KERNEL_CUH

#include "backend/cuda/cuda_backend.h"

#include <limits.h>

/*
 * What kernels share: element types, packs (the elements that one thread loads or stores
 * in one access), sums over a warp or a block, random numbers, sizes of grids.
 *
 * A kernel is a template over the element type (float, __nv_bfloat16) and computes in f32.
 * The host picks the instance by dtype, as a plain expression:
 *
 *     (out->dtype == DTYPE_BF16 ? run<__nv_bfloat16> : run<float>)(cuda, out, in);
 *
 * Blocks are one-dimensional and whole warps.
 */

inline constexpr int WARP_SIZE = 32;
inline constexpr int PACK_BYTES = 16; /* one access */

/* How many elements of a type fill one access. */
template <typename T>
inline constexpr int PACK_ELEMENTS = PACK_BYTES / static_cast<int>(sizeof(T));

template <typename T> static inline T *data_of(const struct tensor *tensor)
{
    return static_cast<T *>(tensor->data);
}

/* ---- Element types ------------------------------------------------------------------ */

static __device__ inline float to_float(float value)
{
    return value;
}

static __device__ inline float to_float(__nv_bfloat16 value)
{
    return __bfloat162float(value);
}

/* Rounds to nearest even. */
template <typename T> static __device__ inline T from_float(float value);

template <> __device__ inline float from_float<float>(float value)
{
    return value;
}

template <> __device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float value)
{
    return __float2bfloat16_rn(value);
}

/* ---- Packs -------------------------------------------------------------------------- */

/* N neighbouring elements as f32, in registers. */
template <int N> struct pack {
    float value[N];
};

/* The low half of a word is the first of its two elements. */
static __device__ inline void unpack_word(float *value, uint32_t word)
{
    value[0] = __uint_as_float(word << 16);
    value[1] = __uint_as_float(word & 0xFFFF0000U);
}

static __device__ inline uint32_t pack_word(const float *value)
{
    const __nv_bfloat162_raw pair = __floats2bfloat162_rn(value[0], value[1]);
    return static_cast<uint32_t>(pair.y) << 16 | pair.x;
}

/* 8 elements of bf16, as one access has them. */
static __device__ inline pack<8> unpack_words(uint4 words)
{
    pack<8> values;

    unpack_word(values.value, words.x);
    unpack_word(values.value + 2, words.y);
    unpack_word(values.value + 4, words.z);
    unpack_word(values.value + 6, words.w);
    return values;
}

static __device__ inline uint4 pack_words(const pack<8> &values)
{
    return make_uint4(pack_word(values.value), pack_word(values.value + 2),
                      pack_word(values.value + 4), pack_word(values.value + 6));
}

/*
 * load_pack<N>() and store_pack() move N elements at `from` or `to`, which must be aligned
 * to the smaller of 16 bytes and all of them: N = 4, 8 in one or two accesses of 16 bytes
 * (bf16: 4 in 8 bytes), N = 1 in one of the element's size.
 */
template <int N> static __device__ inline pack<N> load_pack(const float *from)
{
    static_assert(N == 1 || N % 4 == 0, "one element or accesses of 16 bytes");
    pack<N> values;

    if constexpr (N == 1) {
        values.value[0] = from[0];
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 4) {
            const float4 four = *reinterpret_cast<const float4 *>(from + i);
            values.value[i] = four.x;
            values.value[i + 1] = four.y;
            values.value[i + 2] = four.z;
            values.value[i + 3] = four.w;
        }
    }
    return values;
}

template <int N> static __device__ inline pack<N> load_pack(const __nv_bfloat16 *from)
{
    static_assert(N == 1 || N == 4 || N == 8, "one element, or an access of 8 or 16 bytes");
    pack<N> values;

    if constexpr (N == 1) {
        values.value[0] = to_float(from[0]);
    } else if constexpr (N == 4) {
        const uint2 words = *reinterpret_cast<const uint2 *>(from);
        unpack_word(values.value, words.x);
        unpack_word(values.value + 2, words.y);
    } else {
        values = unpack_words(*reinterpret_cast<const uint4 *>(from));
    }
    return values;
}

template <int N> static __device__ inline void store_pack(float *to, pack<N> values)
{
    static_assert(N == 1 || N % 4 == 0, "one element or accesses of 16 bytes");
    if constexpr (N == 1) {
        to[0] = values.value[0];
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 4) {
            const float *four = values.value + i;
            *reinterpret_cast<float4 *>(to + i) =
                make_float4(four[0], four[1], four[2], four[3]);
        }
    }
}

template <int N> static __device__ inline void store_pack(__nv_bfloat16 *to, pack<N> values)
{
    static_assert(N == 1 || N == 4 || N == 8, "one element, or an access of 8 or 16 bytes");
    if constexpr (N == 1)
        to[0] = from_float<__nv_bfloat16>(values.value[0]);
    else if constexpr (N == 4)
        *reinterpret_cast<uint2 *>(to) =
            make_uint2(pack_word(values.value), pack_word(values.value + 2));
    else
        *reinterpret_cast<uint4 *>(to) = pack_words(values);
}

/*
 * The same at a row's element `first`, of a row of `count`. WHOLE promises that the row is
 * aligned for packs and `count` a multiple of N. Without it each element has its own
 * access, and those beyond the row read as 0. Both forms give a thread the same elements,
 * so that alignment changes no bit of a sum. A pack that is wholly beyond the row holds
 * anything (there is no branch, so that loads overlap) and is not written.
 */
template <int N, bool WHOLE, typename T>
static __device__ inline pack<N> load_part(const T *row, int first, int count)
{
    pack<N> values;

    if constexpr (WHOLE) {
        values = load_pack<N>(row + (first < count ? first : 0));
    } else {
#pragma unroll
        for (int i = 0; i < N; i++)
            values.value[i] = first + i < count ? to_float(row[first + i]) : 0.0f;
    }
    return values;
}

template <int N, bool WHOLE, typename T>
static __device__ inline void store_part(T *row, int first, int count, pack<N> values)
{
    if (first >= count)
        return;
    if constexpr (WHOLE) {
        store_pack<N>(row + first, values);
    } else {
#pragma unroll
        for (int i = 0; i < N; i++)
            if (first + i < count)
                row[first + i] = from_float<T>(values.value[i]);
    }
}

/* Whether packs may be used from `memory` on. */
static inline bool pack_aligned(const void *memory)
{
    return reinterpret_cast<uintptr_t>(memory) % PACK_BYTES == 0;
}

/* ---- Sums --------------------------------------------------------------------------- */

/* Over a warp or a block, all threads of which call it. The order is fixed and the result
 * has the same bits in every thread. */
template <typename T> static __device__ inline T warp_sum(T value)
{
#pragma unroll
    for (int distance = WARP_SIZE / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xFFFFFFFFU, value, distance);
    return value;
}

static __device__ inline float warp_maximum(float value)
{
#pragma unroll
    for (int distance = WARP_SIZE / 2; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, distance));
    return value;
}

/* `shared` holds 32 numbers. One barrier: they may be used again after the next one, so
 * loops alternate between two arrays. */
template <typename T> static __device__ inline T block_sum(T value, T *shared)
{
    const int lane = static_cast<int>(threadIdx.x) % WARP_SIZE;
    const int warp = static_cast<int>(threadIdx.x) / WARP_SIZE;
    const int warps = static_cast<int>(blockDim.x) / WARP_SIZE;

    value = warp_sum(value);
    if (lane == 0)
        shared[warp] = value;
    __syncthreads();
    return warp_sum(lane < warps ? shared[lane] : T(0));
}

static __device__ inline float block_maximum(float value, float *shared)
{
    const int lane = static_cast<int>(threadIdx.x) % WARP_SIZE;
    const int warp = static_cast<int>(threadIdx.x) / WARP_SIZE;
    const int warps = static_cast<int>(blockDim.x) / WARP_SIZE;

    value = warp_maximum(value);
    if (lane == 0)
        shared[warp] = value;
    __syncthreads();
    return warp_maximum(shared[lane < warps ? lane : 0]);
}

/* ---- Random numbers ----------------------------------------------------------------- */

/* random_philox() of base/random.h, bit for bit: Philox4x32-10, Salmon et al. 2011. */
static __device__ inline uint4 philox(uint4 counter, uint2 key)
{
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint32_t high0 = __umulhi(0xD2511F53U, counter.x);
        const uint32_t low0 = 0xD2511F53U * counter.x;
        const uint32_t high1 = __umulhi(0xCD9E8D57U, counter.z);
        const uint32_t low1 = 0xCD9E8D57U * counter.z;
        counter =
            make_uint4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
        key.x += 0x9E3779B9U; /* golden ratio */
        key.y += 0xBB67AE85U; /* sqrt(3) - 1 */
    }
    return counter;
}

/* ---- Sizes -------------------------------------------------------------------------- */

static inline int64_t ceiling_divide(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* `threads` rounded up to whole warps, between one warp and `most` (a multiple of it). */
static inline int whole_warps(int64_t threads, int most)
{
    const int64_t rounded = ceiling_divide(threads, WARP_SIZE) * WARP_SIZE;
    return static_cast<int>(smaller(rounded > 0 ? rounded : WARP_SIZE, most));
}

/* A number of blocks for blockIdx.x. More than 2^31 - 1 is a bug. */
static inline unsigned grid_size(int64_t blocks)
{
    CHECK(blocks > 0 && blocks <= INT_MAX);
    return static_cast<unsigned>(blocks);
}

#endif
