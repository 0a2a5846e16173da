#include "backend/cpu/cpu_gemm_pack.h"

#include <string.h>

typedef float vector4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t index4 __attribute__((vector_size(16)));

#ifdef __clang__
#define SHUFFLE(x, y, a, b, c, d) __builtin_shufflevector(x, y, a, b, c, d)
#else
#define SHUFFLE(x, y, a, b, c, d) __builtin_shuffle(x, y, (index4){a, b, c, d})
#endif

enum { AHEAD = 8 }; /* steps of depth that a prefetch runs ahead */

/* A 4 x 4 block: rows of `in` (in_stride apart) become columns of `out`. */
static inline void transpose_block(const float *in, int64_t in_stride, float *out,
                                   int64_t out_stride)
{
    const vector4 r0 = *(const vector4 *)in;
    const vector4 r1 = *(const vector4 *)(in + in_stride);
    const vector4 r2 = *(const vector4 *)(in + 2 * in_stride);
    const vector4 r3 = *(const vector4 *)(in + 3 * in_stride);
    const vector4 low01 = SHUFFLE(r0, r1, 0, 4, 1, 5);
    const vector4 high01 = SHUFFLE(r0, r1, 2, 6, 3, 7);
    const vector4 low23 = SHUFFLE(r2, r3, 0, 4, 1, 5);
    const vector4 high23 = SHUFFLE(r2, r3, 2, 6, 3, 7);

    *(vector4 *)out = SHUFFLE(low01, low23, 0, 1, 4, 5);
    *(vector4 *)(out + out_stride) = SHUFFLE(low01, low23, 2, 3, 6, 7);
    *(vector4 *)(out + 2 * out_stride) = SHUFFLE(high01, high23, 0, 1, 4, 5);
    *(vector4 *)(out + 3 * out_stride) = SHUFFLE(high01, high23, 2, 3, 6, 7);
}

/* panel[k][j] = b[k + j stride] for a full panel. */
static void pack_transposed(const float *b, int64_t stride, int64_t columns, int64_t depth,
                            float *panel)
{
    int64_t k = 0;

    for (; k + 4 <= depth; k += 4)
        for (int64_t j = 0; j < columns; j += 4)
            transpose_block(b + j * stride + k, stride, panel + k * columns + j, columns);
    for (; k < depth; k++)
        for (int64_t j = 0; j < columns; j++)
            panel[k * columns + j] = b[j * stride + k];
}

/* The same for a panel of which only `width` columns exist. */
static void pack_edge(const float *b, int64_t b_depth, int64_t b_column, int64_t width,
                      int64_t columns, int64_t depth, float *panel)
{
    memset(panel, 0, (size_t)(depth * columns) * sizeof *panel);
    for (int64_t j = 0; j < width; j++)
        for (int64_t k = 0; k < depth; k++)
            panel[k * columns + j] = b[k * b_depth + j * b_column];
}

/* `panels` full panels at once, as the rows lie in memory. */
static inline __attribute__((always_inline)) void
pack_straight(const float *b, int64_t stride, const int64_t columns, int64_t panels,
              int64_t depth, float *packed)
{
    for (int64_t k = 0; k < depth; k++)
        for (int64_t p = 0; p < panels; p++) {
            const float *in = b + k * stride + p * columns;
            float *out = packed + p * columns * depth + k * columns;
            __builtin_prefetch(in + AHEAD * stride);
            for (int64_t j = 0; j < columns; j += 4)
                *(vector4 *)(out + j) = *(const vector4 *)(in + j);
        }
}

static void pack_full(const struct gemm_kernel *kernel, const float *b,
                      const struct gemm *gemm, int64_t panels, int64_t depth, float *packed)
{
    const int64_t columns = kernel->columns;

    if (gemm->b_column != 1) {
        for (int64_t p = 0; p < panels; p++)
            pack_transposed(b + p * columns * gemm->b_column, gemm->b_column, columns,
                            depth, packed + p * columns * depth);
    } else if (columns == 16) {
        pack_straight(b, gemm->b_depth, 16, panels, depth, packed);
    } else if (columns == 32) {
        pack_straight(b, gemm->b_depth, 32, panels, depth, packed);
    } else {
        pack_straight(b, gemm->b_depth, 8, panels, depth, packed);
    }
}

/*
 * Panels of a bf16 b, one after another: its part is widened, and packed from there. The
 * depth is that of a block at most.
 */
static void pack_widened(const struct gemm_kernel *kernel, const struct gemm *gemm,
                         int64_t column, int64_t columns, int64_t first, int64_t depth,
                         float *packed)
{
    float wide[GEMM_TILE_COLUMNS_MAXIMUM * GEMM_DEPTH_BLOCK];
    const bool along = gemm->b_depth == 1;
    struct gemm part = *gemm;

    part.b = wide;
    part.b_dtype = DTYPE_F32;
    for (int64_t j = 0; j < columns; j += kernel->columns) {
        const int64_t width = minimum(kernel->columns, columns - j);
        const uint16_t *b = (const uint16_t *)gemm->b + first * gemm->b_depth +
                            (column + j) * gemm->b_column;
        const int64_t lines = along ? width : depth, length = along ? depth : width;
        part.b_column = along ? depth : 1;
        part.b_depth = along ? 1 : width;
        for (int64_t i = 0; i < lines; i++)
            dtype_convert(wide + i * length, DTYPE_F32,
                          b + i * (along ? gemm->b_column : gemm->b_depth), DTYPE_BF16,
                          length);
        gemm_pack_panels(kernel, &part, 0, width, 0, depth, packed + j * depth);
    }
}

void gemm_pack_panels(const struct gemm_kernel *kernel, const struct gemm *gemm,
                      int64_t column, int64_t columns, int64_t first, int64_t depth,
                      float *packed)
{
    const int64_t panels = columns / kernel->columns, full = panels * kernel->columns;
    if (gemm->b_dtype == DTYPE_BF16) {
        pack_widened(kernel, gemm, column, columns, first, depth, packed);
        return;
    }
    const float *b =
        (const float *)gemm->b + first * gemm->b_depth + column * gemm->b_column;

    pack_full(kernel, b, gemm, panels, depth, packed);
    if (full < columns)
        pack_edge(b + full * gemm->b_column, gemm->b_depth, gemm->b_column, columns - full,
                  kernel->columns, depth, packed + full * depth);
}

/* packed[k][j] <- a panel of cpu_panels.h that has only `width` columns. */
static void widen_narrow(const void *panel, enum dtype dtype, int64_t width,
                         int64_t columns, int64_t depth, float *packed)
{
    const uint16_t *pairs = panel;

    if (dtype == DTYPE_F32) {
        pack_edge(panel, width, 1, width, columns, depth, packed);
        return;
    }
    memset(packed, 0, (size_t)(depth * columns) * sizeof *packed);
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < width; j++)
            packed[k * columns + j] = bf16_to_float(pairs[(k / 2 * width + j) * 2 + k % 2]);
}

struct gemm_panel gemm_panel_take(const struct gemm_kernel *kernel, const struct gemm *gemm,
                                  int64_t column, int64_t first, int64_t depth,
                                  float *scratch)
{
    const int64_t width = minimum(kernel->columns, gemm->columns - column);
    const int64_t each = (int64_t)dtype_bytes(gemm->b_dtype);
    const void *arranged =
        (const char *)gemm->b + (column * gemm->depth + first * width) * each;

    if (gemm->b_panels && width == kernel->columns)
        return (struct gemm_panel){arranged, gemm->b_dtype == DTYPE_BF16,
                                   width * depth * each};
    if (gemm->b_panels)
        widen_narrow(arranged, gemm->b_dtype, width, kernel->columns, depth, scratch);
    else
        gemm_pack_panels(kernel, gemm, column, width, first, depth, scratch);
    return (struct gemm_panel){.b = scratch};
}

/* All full tiles, step by step of the depth, as the rows lie in memory. */
static inline __attribute__((always_inline)) void pack_tiles(const float *a,
                                                             int64_t a_depth, int64_t tiles,
                                                             const int64_t tile_rows,
                                                             int64_t depth, float *packed)
{
    for (int64_t k = 0; k < depth; k++)
        for (int64_t tile = 0; tile < tiles; tile++) {
            const float *in = a + k * a_depth + tile * tile_rows;
            float *out = packed + tile * tile_rows * depth + k * tile_rows;
            __builtin_prefetch(in + AHEAD * a_depth);
            for (int64_t i = 0; i + 4 <= tile_rows; i += 4)
                *(vector4 *)(out + i) = *(const vector4 *)(in + i);
            if (tile_rows % 4) /* the last four once more, some for the second time */
                *(vector4 *)(out + tile_rows - 4) = *(const vector4 *)(in + tile_rows - 4);
        }
}

void gemm_pack_rows(const struct gemm_kernel *kernel, const float *a, int64_t a_depth,
                    int64_t rows, int64_t depth, float *packed)
{
    const int64_t tiles = rows / kernel->rows, full = tiles * kernel->rows;
    const int64_t rest = rows - full;

    if (kernel->rows == 6)
        pack_tiles(a, a_depth, tiles, 6, depth, packed);
    else if (kernel->rows == 12)
        pack_tiles(a, a_depth, tiles, 12, depth, packed);
    else
        pack_tiles(a, a_depth, tiles, 4, depth, packed);
    packed += full * depth;
    for (int64_t k = 0; k < depth; k++)
        for (int64_t i = 0; i < rest; i++)
            packed[k * rest + i] = a[k * a_depth + full + i];
}
