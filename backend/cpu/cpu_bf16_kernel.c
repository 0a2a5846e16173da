#include "backend/cpu/cpu_bf16_kernel.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
/* Inlined, so that shapes are constants and sums stay in registers. */
#define INLINE BF16 static inline __attribute__((always_inline))

enum { LINE = 64 }; /* bytes of a cache line */

/* [x, y] in halves: lane l + lane l + 8 of each. The three below go on within them. */
INLINE __m512 add_halves(__m512 x, __m512 y)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44),
                         _mm512_shuffle_f32x4(x, y, 0xEE));
}

INLINE __m512 add_quarters(__m512 x, __m512 y)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88),
                         _mm512_shuffle_f32x4(x, y, 0xDD));
}

INLINE __m512 add_pairs(__m512 x, __m512 y)
{
    const __m512d u = _mm512_castps_pd(x), v = _mm512_castps_pd(y);

    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(u, v)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(u, v)));
}

INLINE __m512 add_neighbours(__m512 x, __m512 y)
{
    return _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x88), _mm512_shuffle_ps(x, y, 0xDD));
}

/* Element 4 i + j of the result is the sum of the lanes of sum[i][j]. */
INLINE __m512 add_lanes(__m512 sum[BF16_TILE][BF16_TILE])
{
    __m512 column[BF16_TILE];

    _Pragma("GCC unroll 4") for (int j = 0; j < BF16_TILE; j++) column[j] =
        add_quarters(add_halves(sum[0][j], sum[1][j]), add_halves(sum[2][j], sum[3][j]));
    return add_neighbours(add_pairs(column[0], column[1]), add_pairs(column[2], column[3]));
}

/* Element 0 of the result is the sum of the lanes, in the same order: bit for bit. */
INLINE __m512 add_lanes_of_one(__m512 sum)
{
    sum = _mm512_add_ps(sum, _mm512_shuffle_f32x4(sum, sum, 0x4E));
    sum = _mm512_add_ps(sum, _mm512_shuffle_f32x4(sum, sum, 0xB1));
    sum = _mm512_add_ps(sum, _mm512_permute_ps(sum, 0x4E));
    return _mm512_add_ps(sum, _mm512_permute_ps(sum, 0xB1));
}

/* One step of the depth; `mask`: which elements of b are there. */
INLINE void tile_step(const int rows, const int columns, const struct bf16_tile *tile,
                      int64_t k, __mmask32 mask, __m512 sum[BF16_TILE][BF16_TILE])
{
    __m512bh b[BF16_TILE];

    _Pragma("GCC unroll 4") for (int j = 0; j < columns; j++) b[j] =
        (__m512bh)_mm512_maskz_loadu_epi16(mask, tile->b + j * tile->b_row + k);
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++)
    {
        const __m512bh a = (__m512bh)_mm512_loadu_si512(tile->a + i * tile->a_row + k);
        _Pragma("GCC unroll 4") for (int j = 0; j < columns; j++) sum[i][j] =
            _mm512_dpbf16_ps(sum[i][j], a, b[j]);
    }
}

/*
 * All whole steps of a tile of BF16_TILE columns. Meanwhile the columns that tile->fetch
 * names are fetched, one after another, spread over the steps: memory gives four times as
 * much when it is read line after line as when it is read in four places at once (measured
 * on Zen 4).
 */
INLINE void tile_steps_wide(const int rows, const struct bf16_tile *tile, int64_t steps,
                            __m512 sum[BF16_TILE][BF16_TILE])
{
    const int64_t parts = tile->fetch_columns > 0 ? tile->fetch_columns : 1;
    const int64_t lines = tile->fetch_columns;

    for (int64_t part = 0; part < parts; part++) {
        const int64_t begin = steps * part / parts, end = steps * (part + 1) / parts;
        const char *next = (const char *)(tile->fetch + part * tile->b_row);
        for (int64_t step = begin; step < end; step++) {
            for (int64_t i = 0; i < lines; i++, next += LINE)
                _mm_prefetch(next, _MM_HINT_T0);
            tile_step(rows, BF16_TILE, tile, BF16_STEP * step, UINT32_MAX, sum);
        }
    }
}

/* The same of one column: the next one is fetched. */
INLINE void tile_steps_narrow(const int rows, const struct bf16_tile *tile, int64_t steps,
                              __m512 sum[BF16_TILE][BF16_TILE])
{
    for (int64_t k = 0; k < BF16_STEP * steps; k += BF16_STEP) {
        _mm_prefetch((const char *)(tile->b + tile->b_row + k), _MM_HINT_T0);
        tile_step(rows, 1, tile, k, UINT32_MAX, sum);
    }
}

/* c <- sums + base: the rows of a whole tile as vectors. */
INLINE void tile_store(const int rows, const int columns, const struct bf16_tile *tile,
                       __m512 sums)
{
    __m128 row[BF16_TILE];

    row[0] = _mm512_extractf32x4_ps(sums, 0);
    row[1] = _mm512_extractf32x4_ps(sums, 1);
    row[2] = _mm512_extractf32x4_ps(sums, 2);
    row[3] = _mm512_extractf32x4_ps(sums, 3);
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++)
    {
        float *c = tile->c + i * tile->c_row;
        const float *base = tile->base ? tile->base + i * tile->base_row : NULL;
        if (columns == 1)
            *c = _mm_cvtss_f32(row[i]) + (base ? *base : 0.0f);
        else
            _mm_storeu_ps(c, base ? _mm_add_ps(row[i], _mm_loadu_ps(base)) : row[i]);
    }
}

/* columns: 1 or BF16_TILE */
INLINE void tile_run(const int rows, const int columns, const struct bf16_tile *tile)
{
    const int64_t steps = tile->depth / BF16_STEP;
    const int64_t rest = tile->depth - BF16_STEP * steps;
    __m512 sum[BF16_TILE][BF16_TILE];

    _Pragma("GCC unroll 4") for (int i = 0; i < BF16_TILE; i++)
        _Pragma("GCC unroll 4") for (int j = 0; j < BF16_TILE; j++) sum[i][j] =
            _mm512_setzero_ps();
    if (columns == 1)
        tile_steps_narrow(rows, tile, steps, sum);
    else
        tile_steps_wide(rows, tile, steps, sum);
    if (rest > 0)
        tile_step(rows, columns, tile, BF16_STEP * steps, (1U << rest) - 1, sum);
    if (rows == 1 && columns == 1)
        tile_store(rows, columns, tile, add_lanes_of_one(sum[0][0]));
    else
        tile_store(rows, columns, tile, add_lanes(sum));
}

typedef void tile_function(const struct bf16_tile *tile);

/* A function of its own for each shape. */
#define DEFINE_SHAPE(rows, columns)                                                        \
    BF16 __attribute__((noinline)) static void tile_##rows##x##columns(                    \
        const struct bf16_tile *tile)                                                      \
    {                                                                                      \
        tile_run(rows, columns, tile);                                                     \
    }
DEFINE_SHAPE(1, 1)
DEFINE_SHAPE(2, 1)
DEFINE_SHAPE(2, 4)
DEFINE_SHAPE(3, 1)
DEFINE_SHAPE(3, 4)
DEFINE_SHAPE(4, 1)
DEFINE_SHAPE(4, 4)

/* For one row, memory is what counts: it is read a column after another. */
static void avx512_run(int64_t rows, int64_t columns, const struct bf16_tile *tile)
{
    static tile_function *const narrow[] = {tile_1x1, tile_2x1, tile_3x1, tile_4x1};
    static tile_function *const wide[] = {NULL, tile_2x4, tile_3x4, tile_4x4};

    if (columns == BF16_TILE && rows > 1) {
        wide[rows - 1](tile);
        return;
    }
    struct bf16_tile rest = *tile;
    for (int64_t j = 0; j < columns; j++) {
        narrow[rows - 1](&rest);
        rest.b += rest.b_row;
        rest.c++;
        if (rest.base)
            rest.base++;
    }
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

/* A block of 16 rows and 32 steps of the depth: pairs of the depth are numbers of 32 bits.
 */
INLINE void block_across(uint16_t *out, int64_t stride, const void *in, enum dtype type,
                         int64_t in_depth, int64_t rows, int64_t depth)
{
    const __mmask16 mask = mask_of(rows);
    __m512i pairs[VECTOR];

    _Pragma("GCC unroll 16") for (int i = 0; i < VECTOR; i++)
    {
        const int64_t k = 2 * i;
        const __m512i even = halves(in, type, k * in_depth, k < depth ? mask : 0);
        const __m512i odd = halves(in, type, (k + 1) * in_depth, k + 1 < depth ? mask : 0);
        pairs[i] = _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
    }
    transpose(pairs);
    for (int64_t i = 0; i < VECTOR && i < rows; i++)
        _mm512_storeu_si512(out + i * stride, pairs[i]);
}

INLINE void across(uint16_t *out, int64_t stride, const void *in, enum dtype type,
                   int64_t in_depth, int64_t rows, int64_t depth)
{
    const int64_t each = type == DTYPE_BF16 ? 2 : 4;

    for (int64_t k = 0; k < stride; k += BF16_STEP)
        for (int64_t i = 0; i < rows; i += VECTOR)
            block_across(out + i * stride + k, stride,
                         (const char *)in + (k * in_depth + i) * each, type, in_depth,
                         rows - i, depth - k);
}

BF16 static void avx512_round_across(uint16_t *out, int64_t stride, const void *in,
                                     enum dtype type, int64_t in_depth, int64_t rows,
                                     int64_t depth)
{
    if (type == DTYPE_BF16)
        across(out, stride, in, DTYPE_BF16, in_depth, rows, depth);
    else
        across(out, stride, in, DTYPE_F32, in_depth, rows, depth);
}

const struct bf16_kernel *bf16_kernel_best(void)
{
    static const struct bf16_kernel avx512 = {"AVX-512 BF16 4x4", avx512_run, avx512_round,
                                              avx512_round_across};

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
