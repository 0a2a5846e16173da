#include "backend/cpu/cpu_attention.h"

#include "backend/cpu/cpu_cache.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_row.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>

/* A thread's share of scratch: one tile of queries, for every head of a group. */
struct workspace {
    float *keys;   /* K^T of a key tile, packed */
    float *values; /* V of a key tile, packed */
    float *loaded; /* K^T or V of a key tile that comes out of the cache */
    float *scores; /* [QUERY_TILE, KEY_TILE] */
    float *out;    /* [group, QUERY_TILE, D], not yet divided by the sum */
    float *max;    /* [group, QUERY_TILE] */
    float *sum;    /* [group, QUERY_TILE] */
};

/* Lays a workspace out from `base` (NULL: only measures); returns its floats. */
static int64_t workspace_place(struct workspace *w, float *base,
                               const struct gemm_kernel *kernel,
                               const struct attention_shape *shape)
{
    const int64_t group = shape->heads / shape->key_value_heads, size = shape->head_size;
    const int64_t counts[] = {
        gemm_packed_floats(kernel, KEY_TILE, size),
        gemm_packed_floats(kernel, size, KEY_TILE),
        KEY_TILE * size,
        QUERY_TILE * KEY_TILE,
        group * QUERY_TILE * size,
        group * QUERY_TILE,
        group * QUERY_TILE,
    };
    float **const pointers[] = {&w->keys, &w->values, &w->loaded, &w->scores,
                                &w->out,  &w->max,    &w->sum};
    int64_t used = 0;

    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
        *pointers[i] = base ? base + used : NULL;
        used += cpu_piece_floats(counts[i]);
    }
    return used;
}

/* What attention reads: a batch of documents, whose keys and values are in qkv, or in the
 * cache, of which they then may be the continuation. */
struct source {
    const struct tensor *qkv;
    const struct documents *documents;
    const struct key_value_cache_layer *cache; /* NULL: qkv */
    const struct cached_documents *cached;
};

/* A tile of queries: positions [first, first + rows) of a document, in rows of qkv. */
struct query_tile {
    int64_t document;
    int64_t row;
    int64_t first;
    int64_t rows;
};

static int64_t tiles_list(struct query_tile *tiles, const struct source *source)
{
    const int32_t *starts = source->documents->starts;
    int64_t used = 0;

    for (int64_t n = 0; n < source->documents->count; n++) {
        for (int64_t row = starts[n]; row < starts[n + 1]; row += QUERY_TILE, used++) {
            const int64_t first =
                source->cached ? source->cached->positions[row] : row - starts[n];
            if (tiles)
                tiles[used] = (struct query_tile){n, row, first,
                                                  minimum(QUERY_TILE, starts[n + 1] - row)};
        }
    }
    return used;
}

/* s <- cap tanh(scale s / cap) */
TARGET_CLONES
static void cap_row(float *s, int64_t count, float scale, float cap)
{
    const float inverse = 1.0f / cap;

    for (int64_t j = 0; j < count; j++)
        s[j] = cap * hyperbolic_tangent(s[j] * scale * inverse);
}

/*
 * One row of scores becomes exponentials: s <- exp(scale s - max) of `count`. Updates the
 * running maximum and sum; returns the factor by which what was summed before has to
 * shrink.
 */
TARGET_CLONES
static float softmax_row(float *s, int64_t count, float scale, float *max, float *sum)
{
    float highest = s[0], total = 0;

#pragma omp simd reduction(max : highest)
    for (int64_t j = 0; j < count; j++)
        highest = s[j] > highest ? s[j] : highest;
    highest = highest * scale > *max ? highest * scale : *max;
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < count; j++) {
        s[j] = exponential(s[j] * scale - highest);
        total += s[j];
    }
    const float shrink = exponential(*max - highest);
    *sum = *sum * shrink + total;
    *max = highest;
    return shrink;
}

TARGET_CLONES
static void scale_row(float *out, const float *in, float factor, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = in[i] * factor;
}

/* Softmax over a tile of scores, and the earlier output shrunk to the new maxima. Keys
 * that a row does not weigh get 0; other rows of the tile need them. */
static void softmax_tile(const struct workspace *w, const struct query_tile *tile,
                         int64_t member, int64_t key, int64_t keys,
                         const struct attention_shape *shape)
{
    const bool first = key == first_key_tile(tile->first, shape->window);

    for (int64_t i = 0; i < tile->rows; i++) {
        const int64_t row = member * QUERY_TILE + i, size = shape->head_size;
        const struct key_range range =
            keys_of_query(tile->first + i, key, keys, shape->window);
        const int64_t count = range.high - range.low;
        float *scores = w->scores + i * KEY_TILE;
        if (first) {
            w->max[row] = -INFINITY;
            w->sum[row] = 0;
        }
        for (int64_t j = 0; j < range.low; j++)
            scores[j] = 0;
        for (int64_t j = range.high; j < keys; j++)
            scores[j] = 0;
        if (count == 0)
            continue;
        if (shape->cap > 0)
            cap_row(scores + range.low, count, shape->scale, shape->cap);
        const float shrink =
            softmax_row(scores + range.low, count, shape->cap > 0 ? 1.0f : shape->scale,
                        w->max + row, w->sum + row);
        if (!first)
            scale_row(w->out + row * size, w->out + row * size, shrink, size);
    }
}

/* A tile of keys and values of group g, packed. */
static void pack_keys(const struct gemm_kernel *kernel, const struct workspace *w,
                      const struct query_tile *tile, const struct source *source, int64_t g,
                      int64_t key, int64_t keys, const struct attention_shape *shape)
{
    const int64_t heads = shape->heads, size = shape->head_size;
    const int64_t start = tile->row - tile->first;

    if (!source->cache) {
        pack_transpose_of(kernel, head_view(source->qkv, start, heads + g, size), key, keys,
                          size, w->keys);
        pack_rows_of(
            kernel, head_view(source->qkv, start, heads + shape->key_value_heads + g, size),
            key, keys, size, w->values);
        return;
    }
    const struct cache_pages *pages = &source->cached->pages;
    const struct cached_head head = {source->cache,
                                     pages->table + tile->document * pages->width, g, size};
    cpu_cache_keys(w->loaded, KEY_TILE, &head, key, keys);
    pack_rows_of(kernel, (struct head_view){w->loaded, KEY_TILE}, 0, size, keys, w->keys);
    cpu_cache_values(w->loaded, &head, key, keys);
    pack_rows_of(kernel, (struct head_view){w->loaded, size}, 0, keys, size, w->values);
}

/* All query heads of one group with one tile of keys. */
static void group_with_keys(const struct gemm_kernel *kernel, const struct workspace *w,
                            const struct query_tile *tile, const struct source *source,
                            int64_t g, int64_t key, int64_t keys,
                            const struct attention_shape *shape)
{
    const int64_t size = shape->head_size, group = shape->heads / shape->key_value_heads;

    pack_keys(kernel, w, tile, source, g, key, keys, shape);
    for (int64_t member = 0; member < group; member++) {
        struct gemm scores =
            gemm_of_view(head_view(source->qkv, tile->row, g * group + member, size), 0,
                         tile->rows, size);
        scores.columns = keys;
        scores.c = w->scores;
        scores.c_row = KEY_TILE;
        gemm_packed(kernel, &scores, w->keys);
        softmax_tile(w, tile, member, key, keys, shape);
        struct gemm out =
            gemm_of_view((struct head_view){w->scores, KEY_TILE}, 0, tile->rows, keys);
        out.columns = size;
        out.c = w->out + member * QUERY_TILE * size;
        out.c_row = size;
        out.accumulate = key > first_key_tile(tile->first, shape->window);
        gemm_packed(kernel, &out, w->values);
    }
}

static void tile_forward(const struct gemm_kernel *kernel, const struct workspace *w,
                         const struct query_tile *tile, struct tensor *out,
                         struct tensor *log_sum, const struct source *source, int64_t g,
                         const struct attention_shape *shape)
{
    const int64_t group = shape->heads / shape->key_value_heads, size = shape->head_size;
    const int64_t end = tile->first + tile->rows;

    for (int64_t key = first_key_tile(tile->first, shape->window); key < end;
         key += KEY_TILE)
        group_with_keys(kernel, w, tile, source, g, key, minimum(KEY_TILE, end - key),
                        shape);
    for (int64_t row = 0; row < group * QUERY_TILE; row++) {
        const int64_t head = g * group + row / QUERY_TILE, i = row % QUERY_TILE;
        const int64_t t = tile->row + i;
        if (i >= tile->rows)
            continue;
        const struct cpu_row to = {out, t * out->shape[1] + head * size};
        float *piece = cpu_row_piece(&to, 0, w->out + row * size);
        scale_row(piece, w->out + row * size, 1.0f / w->sum[row], size);
        cpu_row_store(&to, 0, piece, size);
        if (log_sum)
            f32(log_sum)[head * out->shape[0] + t] = w->max[row] + logf(w->sum[row]);
    }
}

static void attend(struct cpu_backend *cpu, struct tensor *out, struct tensor *log_sum,
                   const struct source *source, const struct attention_shape *shape)
{
    struct workspace measured;
    const int64_t floats = workspace_place(&measured, NULL, cpu->kernel, shape);
    const int64_t count = tiles_list(NULL, source);
    const int64_t jobs = count * shape->key_value_heads;
    struct query_tile *tiles = cpu_scratch(cpu, SCRATCH_PARTIAL, count, sizeof *tiles);
    float *scratch = cpu_thread_scratch(cpu, floats);

    if (!tiles || !scratch)
        return;
    tiles_list(tiles, source);
#pragma omp parallel for num_threads(cpu->thread_count) schedule(dynamic, 1) if (jobs > 1)
    for (int64_t job = 0; job < jobs; job++) {
        struct workspace w;
        workspace_place(&w, cpu_thread_piece(scratch, floats), cpu->kernel, shape);
        tile_forward(cpu->kernel, &w, &tiles[job / shape->key_value_heads], out, log_sum,
                     source, job % shape->key_value_heads, shape);
    }
}

void cpu_attention_forward(struct backend *backend, struct tensor *out,
                           struct tensor *log_sum, const struct tensor *qkv,
                           const struct documents *documents,
                           const struct attention_shape *shape)
{
    const struct source source = {.qkv = qkv, .documents = documents};

    attend(cpu_of(backend), out, log_sum, &source, shape);
}

/* Tiles of keys are counted from position 0, wherever those of queries begin: keys behind
 * a row's own add zeros to its sums. */
void cpu_attention_prefill(struct backend *backend, struct tensor *out,
                           const struct tensor *qkv,
                           const struct key_value_cache_layer *cache,
                           const struct cached_documents *cached,
                           const struct attention_shape *shape)
{
    const struct source source = {qkv, &cached->documents, cache, cached};

    attend(cpu_of(backend), out, NULL, &source, shape);
}
