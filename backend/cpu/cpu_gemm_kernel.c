#include "backend/cpu/cpu_gemm_kernel.h"

#include <stdbool.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))
enum { LINE = 64 };

#define ALL_16(x)                                                                          \
    {                                                                                      \
        x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x                                     \
    }

static const uint32_t high_halves[] = ALL_16(0xFFFF0000);

/* What was read through the pointer is read again: AVX2's registers are for sums. */
#define FORGET(pointer) __asm__ volatile("" : "+r"(pointer))

/*
 * One tile of ROWS x 2 vectors, for a vector type of LANES floats. A macro, because the
 * same text has to be compiled for several processors: vectors of the compiler's own
 * (`vector_size`) are lowered for the target of the function that they stand in.
 * Memory is read through vector##_any, which may lie anywhere; sums are of the aligned
 * type, because gcc 12 spills sums of the other one.
 */
#define DEFINE_TILE(name, vector, lanes, maximum_rows, target_attribute)                   \
    target_attribute INLINE void name(const int rows, const bool pairs,                    \
                                      const struct gemm_tile *tile)                        \
    {                                                                                      \
        vector sum[maximum_rows][2];                                                       \
        const float *a = tile->a;                                                          \
        const vector##_words *b = tile->b;                                                 \
        const int64_t a_row = tile->a_row, a_depth = tile->a_depth;                        \
        const int steps = pairs ? 2 : 1;                                                   \
        _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)                            \
        {                                                                                  \
            sum[i][0] = sum[i][1] = (vector){0};                                           \
            __builtin_prefetch(tile->c + i * tile->c_row, 1);                              \
        }                                                                                  \
        _Pragma("GCC unroll 4") for (int64_t k = 0; k < tile->depth; k += steps)           \
        {                                                                                  \
            const char *soon = (const char *)b + tile->ahead;                              \
            for (size_t line = 0; rows > 2 && line < 2 * sizeof *b; line += LINE)          \
                __builtin_prefetch(soon + line, 0, 2);                                     \
            _Pragma("GCC unroll 2") for (int step = 0; step < steps; step++)               \
            {                                                                              \
                vector##_words w0 = b[0], w1 = b[1];                                       \
                if (pairs && step == 0) {                                                  \
                    w0 <<= 16;                                                             \
                    w1 <<= 16;                                                             \
                } else if (pairs) {                                                        \
                    const vector##_words *in = b,                                          \
                                         *high = (const vector##_words *)high_halves;      \
                    FORGET(in);                                                            \
                    FORGET(high);                                                          \
                    w0 = in[0] & *high;                                                    \
                    w1 = in[1] & *high;                                                    \
                }                                                                          \
                const vector b0 = (vector)w0, b1 = (vector)w1;                             \
                _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)                    \
                {                                                                          \
                    const vector x = a[i * a_row] - (vector){0};                           \
                    sum[i][0] += x * b0;                                                   \
                    sum[i][1] += x * b1;                                                   \
                }                                                                          \
                a += a_depth;                                                              \
            }                                                                              \
            b += 2;                                                                        \
        }                                                                                  \
        _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)                            \
        {                                                                                  \
            float *c = tile->c + i * tile->c_row;                                          \
            if (tile->base) {                                                              \
                const float *base = tile->base + i * tile->base_row;                       \
                sum[i][0] += *(const vector##_any *)base;                                  \
                sum[i][1] += *(const vector##_any *)(base + (lanes));                      \
            }                                                                              \
            *(vector##_any *)c = sum[i][0];                                                \
            *(vector##_any *)(c + (lanes)) = sum[i][1];                                    \
        }                                                                                  \
    }

/* A function of its own for each number of rows and kind of b. */
#define DEFINE_ROWS(name, rows, target_attribute)                                          \
    target_attribute                                                                       \
        __attribute__((noinline)) static void name##_##rows(const struct gemm_tile *tile)  \
    {                                                                                      \
        name(rows, false, tile);                                                           \
    }                                                                                      \
    target_attribute __attribute__((noinline)) static void name##_##rows##_pairs(          \
        const struct gemm_tile *tile)                                                      \
    {                                                                                      \
        name(rows, true, tile);                                                            \
    }
#define BOTH(name)                                                                         \
    {                                                                                      \
        name, name##_pairs                                                                 \
    }

typedef void tile_function(const struct gemm_tile *tile);

typedef float vector4 __attribute__((vector_size(16)));
typedef float vector4_any __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint32_t vector4_words __attribute__((vector_size(16), aligned(4), may_alias));
DEFINE_TILE(portable_tile, vector4, 4, 4, )
DEFINE_ROWS(portable_tile, 1, )
DEFINE_ROWS(portable_tile, 2, )
DEFINE_ROWS(portable_tile, 3, )
DEFINE_ROWS(portable_tile, 4, )

static void portable_run(int64_t tile_rows, const struct gemm_tile *tile)
{
    static tile_function *const by_rows[][2] = {
        BOTH(portable_tile_1),
        BOTH(portable_tile_2),
        BOTH(portable_tile_3),
        BOTH(portable_tile_4),
    };
    by_rows[tile_rows - 1][tile->b_pairs](tile);
}

static bool portable_runs_here(void)
{
    return true;
}

#if defined(__x86_64__)
typedef float vector8 __attribute__((vector_size(32)));
typedef float vector8_any __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint32_t vector8_words __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vector16 __attribute__((vector_size(64)));
typedef float vector16_any __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t vector16_words __attribute__((vector_size(64), aligned(4), may_alias));
#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512vl,avx2,fma")))
DEFINE_TILE(avx2_tile, vector8, 8, 6, AVX2)
DEFINE_TILE(avx512_tile, vector16, 16, 12, AVX512)

DEFINE_ROWS(avx2_tile, 1, AVX2)
DEFINE_ROWS(avx2_tile, 2, AVX2)
DEFINE_ROWS(avx2_tile, 3, AVX2)
DEFINE_ROWS(avx2_tile, 4, AVX2)
DEFINE_ROWS(avx2_tile, 5, AVX2)
DEFINE_ROWS(avx2_tile, 6, AVX2)
DEFINE_ROWS(avx512_tile, 1, AVX512)
DEFINE_ROWS(avx512_tile, 2, AVX512)
DEFINE_ROWS(avx512_tile, 4, AVX512)
DEFINE_ROWS(avx512_tile, 8, AVX512)
DEFINE_ROWS(avx512_tile, 12, AVX512)

static void avx2_run(int64_t tile_rows, const struct gemm_tile *tile)
{
    static tile_function *const by_rows[][2] = {
        BOTH(avx2_tile_1), BOTH(avx2_tile_2), BOTH(avx2_tile_3),
        BOTH(avx2_tile_4), BOTH(avx2_tile_5), BOTH(avx2_tile_6),
    };
    by_rows[tile_rows - 1][tile->b_pairs](tile);
}

/* Rows left over are done in tiles of 8, 4, 2 and 1: fewer variants, same bits. */
static void avx512_run(int64_t tile_rows, const struct gemm_tile *tile)
{
    static const struct {
        int64_t rows;
        tile_function *run[2];
    } parts[] = {{12, BOTH(avx512_tile_12)},
                 {8, BOTH(avx512_tile_8)},
                 {4, BOTH(avx512_tile_4)},
                 {2, BOTH(avx512_tile_2)},
                 {1, BOTH(avx512_tile_1)}};
    struct gemm_tile rest = *tile;

    for (int i = 0; tile_rows > 0; i++) {
        if (tile_rows < parts[i].rows)
            continue;
        parts[i].run[rest.b_pairs](&rest);
        tile_rows -= parts[i].rows;
        rest.a += parts[i].rows * rest.a_row;
        rest.c += parts[i].rows * rest.c_row;
        if (rest.base)
            rest.base += parts[i].rows * rest.base_row;
    }
}

static bool avx2_runs_here(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool avx512_runs_here(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}
#endif

static const struct {
    struct gemm_kernel kernel;
    bool (*runs_here)(void);
} kernels[] = {
#if defined(__x86_64__)
    {{"AVX-512 12x32", 12, 32, avx512_run}, avx512_runs_here},
    {{"AVX2 6x16", 6, 16, avx2_run}, avx2_runs_here},
#endif
    {{"portable 4x8", 4, 8, portable_run}, portable_runs_here},
};

const struct gemm_kernel *gemm_kernel_at(int index)
{
    const size_t count = sizeof kernels / sizeof kernels[0];

    for (size_t i = 0; i < count; i++)
        if (kernels[i].runs_here() && index-- == 0)
            return &kernels[i].kernel;
    return NULL;
}

const struct gemm_kernel *gemm_kernel_best(void)
{
    return gemm_kernel_at(0);
}
