#ifndef HOLDFAST_TESTS_GPU_EMULATOR_DEVICE_H
#define HOLDFAST_TESTS_GPU_EMULATOR_DEVICE_H

/*
 * What nvcc gives to a .cu file, for the CPU's compiler; included before everything else.
 * Shared memory is one set of variables, since one block runs at a time.
 */
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "tests/gpu/emulator/emulator.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>
#include <type_traits>

#undef __shared__
#define __shared__ thread_local
#define __launch_bounds__(...)

/* The library that is looked for, NCCL, is in the program. */
#define dlopen(name, mode) dlopen(NULL, mode)

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

/*
 * launches.pl writes emulator_launch(KERNEL, GRID, THREADS, BYTES, STREAM)(ARGUMENTS), and
 * emulator_launch_chosen where KERNEL is an expression: it has its value at the launch, not
 * when the work is done. A name may be that of a template, whose arguments are deduced.
 */
#define emulator_launch(kernel, ...)                                                       \
    emulator::launcher(#kernel, __VA_ARGS__).with([=](auto... arguments) {                 \
        (kernel)(arguments...);                                                            \
    })
#define emulator_launch_chosen(expression, ...)                                            \
    emulator::launcher(#expression, __VA_ARGS__)                                           \
        .with([kernel = (expression)](auto... arguments) { kernel(arguments...); })

namespace emulator
{

template <typename Body> struct prepared {
    launch where;
    cudaStream_t stream;
    Body body;

    template <typename... T> void operator()(T... arguments) const
    {
        const Body copy = body;
        enqueue(stream, where, [copy, arguments...] { copy(arguments...); });
    }
};

struct launcher {
    launch where;
    cudaStream_t stream;

    launcher(const char *kernel, dim3 grid, dim3 block, size_t bytes, cudaStream_t on)
        : where{kernel, grid, block, bytes}, stream(on)
    {
    }

    template <typename Body> prepared<Body> with(Body body) const
    {
        return {where, stream, body};
    }
};

template <typename T> T read_slot(const unsigned char *slots, unsigned lane)
{
    T value;
    memcpy(&value, slots + lane * SLOT_BYTES, sizeof value);
    return value;
}

} /* namespace emulator */

#define EMULATOR_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

/* ---- Barriers, and what lanes exchange: with the full mask only ---- */

static inline void emulator_check_mask(unsigned mask, const char *file, int line)
{
    if (mask != 0xFFFFFFFFU)
        emulator::stop("%s:%d: a mask of part of a warp", file, line);
}

static inline void __syncthreads(EMULATOR_PLACE)
{
    emulator::block_barrier({file, line});
}

static inline void __syncwarp(unsigned mask = 0xFFFFFFFFU, EMULATOR_PLACE)
{
    emulator_check_mask(mask, file, line);
    emulator::exchange(NULL, 0, {file, line});
}

template <typename T>
static inline T __shfl_sync(unsigned mask, T value, int lane, EMULATOR_PLACE)
{
    emulator_check_mask(mask, file, line);
    return emulator::read_slot<T>(emulator::exchange(&value, sizeof value, {file, line}),
                                  static_cast<unsigned>(lane) % emulator::LANES);
}

template <typename T>
static inline T __shfl_xor_sync(unsigned mask, T value, int distance, EMULATOR_PLACE)
{
    emulator_check_mask(mask, file, line);
    return emulator::read_slot<T>(emulator::exchange(&value, sizeof value, {file, line}),
                                  emulator::thread_lane() ^
                                      static_cast<unsigned>(distance));
}

/* Lanes that have none so far below get their own. */
template <typename T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned distance, EMULATOR_PLACE)
{
    const unsigned lane = emulator::thread_lane();
    emulator_check_mask(mask, file, line);
    return emulator::read_slot<T>(emulator::exchange(&value, sizeof value, {file, line}),
                                  lane < distance ? lane : lane - distance);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATOR_PLACE)
{
    unsigned votes = 0;
    emulator_check_mask(mask, file, line);
    const unsigned char *slots =
        emulator::exchange(&predicate, sizeof predicate, {file, line});
    for (unsigned lane = 0; lane < emulator::LANES; lane++)
        votes |= (emulator::read_slot<int>(slots, lane) != 0 ? 1U : 0U) << lane;
    return votes;
}

static inline int __any_sync(unsigned mask, int predicate, EMULATOR_PLACE)
{
    return __ballot_sync(mask, predicate, file, line) != 0;
}

static inline int __all_sync(unsigned mask, int predicate, EMULATOR_PLACE)
{
    return __ballot_sync(mask, predicate, file, line) == 0xFFFFFFFFU;
}

/* Threads of a block take turns, and no other runs meanwhile. */
template <typename T, typename V> static inline T atomicAdd(T *address, V value)
{
    const T before = *address;
    *address = before + static_cast<T>(value);
    return before;
}

template <typename T> static inline T atomicMax(T *address, T value)
{
    const T before = *address;
    *address = before < value ? value : before;
    return before;
}

/* ---- Arithmetic ---- */

template <typename A, typename B>
static inline typename std::common_type<A, B>::type min(A a, B b)
{
    typedef typename std::common_type<A, B>::type type;
    return static_cast<type>(b) < static_cast<type>(a) ? b : a;
}

template <typename A, typename B>
static inline typename std::common_type<A, B>::type max(A a, B b)
{
    typedef typename std::common_type<A, B>::type type;
    return static_cast<type>(a) < static_cast<type>(b) ? b : a;
}

template <typename To, typename From> static inline To emulator_bits(From value)
{
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To to;
    memcpy(&to, &value, sizeof to);
    return to;
}

static inline float __uint_as_float(unsigned bits)
{
    return emulator_bits<float>(bits);
}

static inline unsigned __float_as_uint(float value)
{
    return emulator_bits<unsigned>(value);
}

/* CUDART_INF_F is made of it. */
static inline float __int_as_float(int bits)
{
    return emulator_bits<float>(bits);
}

static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}

static inline int __popc(unsigned bits)
{
    return __builtin_popcount(bits);
}

static inline int __ffs(int bits)
{
    return __builtin_ffs(bits);
}

static inline int __clz(int bits)
{
    return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned>(bits));
}

static inline unsigned long long __float2ull_ru(float value)
{
    return static_cast<unsigned long long>(ceilf(value));
}

/* A name that glibc has, too. */
#define __expf expf

static inline float __fdividef(float a, float b)
{
    return a / b;
}

template <typename T> static inline T __ldg(const T *from)
{
    return *from;
}

template <typename T> static inline T __ldcs(const T *from)
{
    return *from;
}

template <typename T> static inline void __stcs(T *to, T value)
{
    *to = value;
}

/* Where attention's instructions find it: an offset in the memory that the launch gave. */
size_t __cvta_generic_to_shared(const void *pointer);

#endif
