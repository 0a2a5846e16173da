#ifndef HOLDFAST_TESTS_GPU_EMULATOR_CUDA_PTX_CUH
#define HOLDFAST_TESTS_GPU_EMULATOR_CUDA_PTX_CUH

/* Stands for backend/cuda/cuda_ptx.cuh, which says what these do. */
#include "tests/gpu/emulator/device.h"

unsigned char *emulator_shared(uint32_t address);

static inline uint32_t shared_address(const void *pointer)
{
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/* Half `k` % 2 of a word that a lane gave. */
static inline float emulator_half(const unsigned char *slots, int lane, int word, int k)
{
    uint32_t both;
    memcpy(&both, slots + lane * emulator::SLOT_BYTES + word * 4, sizeof both);
    return __uint_as_float(k % 2 ? both & 0xFFFF0000U : both << 16);
}

/* a(row, k) of the fragments of all lanes: see the header that this stands for. */
static inline float emulator_a(const unsigned char *slots, int row, int k)
{
    return emulator_half(slots, row % 8 * 4 + k % 8 / 2, row / 8 + k / 8 * 2, k);
}

static inline float emulator_b(const unsigned char *slots, int k, int column)
{
    return emulator_half(slots, column * 4 + k % 8 / 2, 4 + k / 8, k);
}

static inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                uint32_t b1, EMULATOR_PLACE)
{
    const uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
    const unsigned char *slots = emulator::exchange(mine, sizeof mine, {file, line});
    const int lane = static_cast<int>(emulator::thread_lane());

    for (int k = 0; k < 16; k++)
        for (int i = 0; i < 4; i++)
            c[i] += emulator_a(slots, lane / 4 + i / 2 * 8, k) *
                    emulator_b(slots, k, lane % 4 * 2 + i % 2);
}

static inline void emulator_matrices(uint32_t (&r)[4], uint32_t address, bool transposed,
                                     const char *file, int line)
{
    const unsigned char *slots =
        emulator::exchange(&address, sizeof address, {file, line});
    const unsigned lane = emulator::thread_lane();

    for (unsigned m = 0; m < 4; m++) {
        uint32_t word = 0;
        for (unsigned half = 0; half < 2; half++) {
            const unsigned row = transposed ? lane % 4 * 2 + half : lane / 4;
            const unsigned column = transposed ? lane / 4 : lane % 4 * 2 + half;
            const uint32_t start = emulator::read_slot<uint32_t>(slots, m * 8 + row);
            uint16_t value;
            if (start % 16 != 0)
                emulator::stop("%s:%d: ldmatrix at an odd address", file, line);
            memcpy(&value, emulator_shared(start) + column * sizeof value, sizeof value);
            word |= static_cast<uint32_t>(value) << (16 * half);
        }
        r[m] = word;
    }
}

static inline void load_matrices(uint32_t (&r)[4], uint32_t address, EMULATOR_PLACE)
{
    emulator_matrices(r, address, false, file, line);
}

static inline void load_matrices_transposed(uint32_t (&r)[4], uint32_t address,
                                            EMULATOR_PLACE)
{
    emulator_matrices(r, address, true, file, line);
}

static inline void copy_16_begin(uint32_t to, const void *from, bool inside)
{
    emulator::copy_begin(emulator_shared(to), from, 16, inside);
}

static inline void copy_4_begin(uint32_t to, const void *from, bool inside)
{
    emulator::copy_begin(emulator_shared(to), from, 4, inside);
}

static inline void copies_wait(void)
{
    emulator::copies_wait();
}

static inline float exp2_approximate(float x)
{
    const float y = exp2f(x);
    return y < 0x1p-126f ? 0.0f : y;
}

static inline float log2_approximate(float x)
{
    return log2f(x);
}

static inline uint32_t pack_bf16(float low, float high)
{
    return static_cast<uint32_t>(__bfloat16_as_ushort(__float2bfloat16_rn(high))) << 16 |
           __bfloat16_as_ushort(__float2bfloat16_rn(low));
}

#endif
