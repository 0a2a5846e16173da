#include "backend/cpu/cpu_bf16_kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
/* Inlined, so that shapes are constants and sums stay in registers. */
#define INLINE BF16 static inline __attribute__((always_inline))

/* A pair of a in all lanes. */
INLINE __m512bh pair_of(const uint16_t *a)
{
    int32_t pair;

    memcpy(&pair, a, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

/* One pair of the depth; `mask`: which columns of b are there. */
INLINE void tile_step(const int rows, const int panels, const struct bf16_tile *tile,
                      const uint16_t *a, const uint16_t *b, __mmask16 mask,
                      __m512 sum[BF16_TILE_ROWS][BF16_TILE_PANELS])
{
    __m512bh columns[BF16_TILE_PANELS];

    _Pragma("GCC unroll 4") for (int j = 0; j < panels; j++) columns[j] =
        (__m512bh)_mm512_maskz_loadu_epi32(mask, b + j * tile->b_panel);
    _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++)
    {
        const __m512bh row = pair_of(a + i * tile->a_row);
        _Pragma("GCC unroll 4") for (int j = 0; j < panels; j++) sum[i][j] =
            _mm512_dpbf16_ps(sum[i][j], columns[j], row);
    }
}

INLINE void tile_store(const int rows, const int panels, const struct bf16_tile *tile,
                       __mmask16 mask, __m512 sum[BF16_TILE_ROWS][BF16_TILE_PANELS])
{
    _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++)
        _Pragma("GCC unroll 4") for (int j = 0; j < panels; j++)
    {
        __m512 out = sum[i][j];
        if (tile->base)
            out = _mm512_add_ps(out, _mm512_maskz_loadu_ps(mask, tile->base +
                                                                     i * tile->base_row +
                                                                     BF16_PANEL * j));
        _mm512_mask_storeu_ps(tile->c + i * tile->c_row + BF16_PANEL * j, mask, out);
    }
}

/* What a tile asks for between some of its steps. */
struct fetching {
    const char *next, *end;
    int64_t bytes; /* at a time */
};

enum { LINE = 64, FETCH_STEPS = 8 };

INLINE struct fetching fetching_begin(const struct bf16_tile *tile)
{
    const int64_t times = (tile->pairs + FETCH_STEPS - 1) / FETCH_STEPS;
    const char *from = (const char *)tile->fetch;

    return (struct fetching){from, from + tile->fetch_lines * LINE,
                             (tile->fetch_lines + times - 1) / times * LINE};
}

INLINE void fetching_step(struct fetching *fetching)
{
    const char *stop = fetching->next + fetching->bytes;

    stop = stop < fetching->end ? stop : fetching->end;
    for (; fetching->next < stop; fetching->next += LINE)
        _mm_prefetch(fetching->next, _MM_HINT_T0);
}

/* The tiles of `panels` whole panels, or of one of the columns in `mask`. Lines are fetched
 * one after another, a few at a time: memory gives more when it is read in order, and a
 * core can wait for few lines at once. */
INLINE void tile_run(const int rows, const int panels, const struct bf16_tile *tile,
                     int64_t width, __mmask16 mask)
{
    struct fetching fetching = fetching_begin(tile);
    const uint16_t *a = tile->a, *b = tile->b;
    __m512 sum[BF16_TILE_ROWS][BF16_TILE_PANELS];

    _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++)
        _Pragma("GCC unroll 4") for (int j = 0; j < panels; j++) sum[i][j] =
            _mm512_setzero_ps();
    for (int64_t left = tile->pairs; left > 0;) {
        const int64_t stop = left > FETCH_STEPS ? left - FETCH_STEPS : 0;
        fetching_step(&fetching);
        for (; left > stop; left--, a += tile->a_pair, b += 2 * width)
            tile_step(rows, panels, tile, a, b, mask, sum);
    }
    tile_store(rows, panels, tile, mask, sum);
}

/* A function of its own for each shape. */
typedef void whole_function(const struct bf16_tile *tile);
typedef void narrow_function(const struct bf16_tile *tile, int64_t width);

#define DEFINE_WHOLE(rows, panels)                                                         \
    BF16 __attribute__((noinline)) static void tile_##rows##x##panels(                     \
        const struct bf16_tile *tile)                                                      \
    {                                                                                      \
        tile_run(rows, panels, tile, BF16_PANEL, UINT16_MAX);                              \
    }
#define DEFINE_ROWS(rows)                                                                  \
    DEFINE_WHOLE(rows, 1)                                                                  \
    DEFINE_WHOLE(rows, 2)                                                                  \
    DEFINE_WHOLE(rows, 3)                                                                  \
    BF16 __attribute__((noinline)) static void tile_##rows##_narrow(                       \
        const struct bf16_tile *tile, int64_t width)                                       \
    {                                                                                      \
        tile_run(rows, 1, tile, width, (__mmask16)((1U << width) - 1));                    \
    }
DEFINE_ROWS(1)
DEFINE_ROWS(2)
DEFINE_ROWS(3)
DEFINE_ROWS(4)
DEFINE_ROWS(5)
DEFINE_ROWS(6)
DEFINE_ROWS(7)
DEFINE_ROWS(8)

static void avx512_run(int64_t rows, int64_t panels, const struct bf16_tile *tile)
{
    static whole_function *const shapes[BF16_TILE_ROWS][BF16_TILE_PANELS] = {
        {tile_1x1, tile_1x2, tile_1x3}, {tile_2x1, tile_2x2, tile_2x3},
        {tile_3x1, tile_3x2, tile_3x3}, {tile_4x1, tile_4x2, tile_4x3},
        {tile_5x1, tile_5x2, tile_5x3}, {tile_6x1, tile_6x2, tile_6x3},
        {tile_7x1, tile_7x2, tile_7x3}, {tile_8x1, tile_8x2, tile_8x3}};

    shapes[rows - 1][panels - 1](tile);
}

static void avx512_run_narrow(int64_t rows, int64_t width, const struct bf16_tile *tile)
{
    static narrow_function *const shapes[BF16_TILE_ROWS] = {
        tile_1_narrow, tile_2_narrow, tile_3_narrow, tile_4_narrow,
        tile_5_narrow, tile_6_narrow, tile_7_narrow, tile_8_narrow};

    shapes[rows - 1](tile, width);
}

/* 16 numbers as bf16 in the low halves of 32 bits; zeros where `mask` has none. */
INLINE __m512i halves(const void *in, enum dtype type, int64_t offset, __mmask16 mask)
{
    const __m256i bf16 = type == DTYPE_BF16
                             ? _mm256_maskz_loadu_epi16(mask, (const uint16_t *)in + offset)
                             : (__m256i)_mm512_cvtneps_pbh(
                                   _mm512_maskz_loadu_ps(mask, (const float *)in + offset));

    return _mm512_cvtepu16_epi32(bf16);
}

enum { VECTOR = 16 };

static inline __mmask16 mask_of(int64_t left)
{
    const int64_t count = left < 0 ? 0 : left > VECTOR ? VECTOR : left;

    return (__mmask16)((1U << count) - 1);
}

BF16 static void avx512_round(uint16_t *out, int64_t stride, const void *in,
                              enum dtype type, int64_t in_row, int64_t rows, int64_t depth)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < stride; k += VECTOR) {
            const __m512i low = halves(in, type, i * in_row + k, mask_of(depth - k));
            _mm256_storeu_si256((__m256i *)(void *)(out + i * stride + k),
                                _mm512_cvtepi32_epi16(low));
        }
}

/* 32 numbers of the depth, of which `left` are there, as bf16: 16 pairs. */
INLINE __m512i neighbours(const void *in, enum dtype type, int64_t offset, int64_t left)
{
    if (type == DTYPE_BF16) {
        const __mmask32 mask = left >= BF16_STEP ? UINT32_MAX : (1U << left) - 1;
        return _mm512_maskz_loadu_epi16(mask, (const uint16_t *)in + offset);
    }
    const float *from = (const float *)in + offset;
    const __m512 low = _mm512_maskz_loadu_ps(mask_of(left), from);
    const __m512 high = _mm512_maskz_loadu_ps(mask_of(left - VECTOR), from + VECTOR);
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* 16 x 16 numbers of 32 bits: row i becomes column i. */
INLINE void transpose(__m512i x[VECTOR])
{
    __m512i t[VECTOR];

    _Pragma("GCC unroll 16") for (int i = 0; i < VECTOR; i += 2)
    {
        t[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    _Pragma("GCC unroll 16") for (int i = 0; i < VECTOR; i += 4)
    {
        x[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    _Pragma("GCC unroll 16") for (int i = 0; i < 4; i++)
    {
        t[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xDD);
    }
    _Pragma("GCC unroll 16") for (int i = 0; i < 4; i++)
    {
        x[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        x[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        x[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
        x[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

/* 16 pairs of the depth of up to 16 columns that lie along it. */
INLINE void pack_block(uint16_t *out, const void *in, enum dtype type, int64_t in_column,
                       int64_t width, int64_t depth)
{
    const __mmask16 columns = mask_of(width);
    __m512i pairs[VECTOR];

    _Pragma("GCC unroll 16") for (int j = 0; j < VECTOR; j++) pairs[j] =
        j < width ? neighbours(in, type, j * in_column, depth) : _mm512_setzero_si512();
    transpose(pairs);
    for (int64_t i = 0; i < VECTOR && 2 * i < depth; i++)
        _mm512_mask_storeu_epi32(out + 2 * i * width, columns, pairs[i]);
}

INLINE void pack_panel(uint16_t *out, const void *in, enum dtype type, int64_t in_column,
                       int64_t width, int64_t depth)
{
    const size_t each = dtype_bytes(type);

    for (int64_t k = 0; k < depth; k += BF16_STEP)
        pack_block(out + k * width, (const char *)in + (size_t)k * each, type, in_column,
                   width, depth - k);
}

BF16 static void avx512_pack(uint16_t *out, const void *in, enum dtype type,
                             int64_t in_column, int64_t width, int64_t depth)
{
    if (type == DTYPE_BF16)
        pack_panel(out, in, DTYPE_BF16, in_column, width, depth);
    else
        pack_panel(out, in, DTYPE_F32, in_column, width, depth);
}

/* 16 columns of two neighbours of the depth as pairs; `mask`: which are there. */
INLINE __m512i pairs_across(const void *in, enum dtype type, int64_t even, int64_t odd,
                            __mmask16 mask, __mmask16 odd_mask)
{
    return _mm512_or_si512(halves(in, type, even, mask),
                           _mm512_slli_epi32(halves(in, type, odd, odd_mask), 16));
}

/* Row by row of the depth, through all panels: memory is read in its order. */
INLINE void panels_across(uint16_t *out, int64_t out_panel, const void *in, enum dtype type,
                          int64_t in_depth, int64_t columns, int64_t depth)
{
    for (int64_t k = 0; k < depth; k += 2) {
        const bool paired = k + 1 < depth;
        for (int64_t j = 0; j < columns; j += VECTOR) {
            const int64_t width = columns - j < VECTOR ? columns - j : VECTOR;
            const __mmask16 mask = mask_of(width);
            const int64_t at = k * in_depth + j;
            _mm512_mask_storeu_epi32(
                out + j / VECTOR * out_panel + k * width, mask,
                pairs_across(in, type, at, at + in_depth, mask, paired ? mask : 0));
        }
    }
}

BF16 static void avx512_pack_across(uint16_t *out, int64_t out_panel, const void *in,
                                    enum dtype type, int64_t in_depth, int64_t columns,
                                    int64_t depth)
{
    if (type == DTYPE_BF16)
        panels_across(out, out_panel, in, DTYPE_BF16, in_depth, columns, depth);
    else
        panels_across(out, out_panel, in, DTYPE_F32, in_depth, columns, depth);
}

const struct bf16_kernel *bf16_kernel_best(void)
{
    static const struct bf16_kernel avx512 = {"AVX-512 BF16 8x48", avx512_run,
                                              avx512_run_narrow,   avx512_round,
                                              avx512_pack,         avx512_pack_across};

    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl")
               ? &avx512
               : NULL;
}
#else
const struct bf16_kernel *bf16_kernel_best(void)
{
    return NULL;
}
#endif
