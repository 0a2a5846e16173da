#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>
#include <string.h>

/* Keys or values of one position: [G D]. */
static float *cache_row(const struct tensor *cache, int64_t row)
{
    return f32(cache) + row * cache->shape[1];
}

void cpu_cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                     const struct tensor *qkv, const int32_t *rows,
                     const struct attention_shape *shape)
{
    const int64_t count = qkv->shape[0], width = cache->keys.shape[1];
    const size_t bytes = (size_t)width * sizeof(float);

    CPU_PARALLEL_FOR(cpu_of(backend), count * width)
    for (int64_t t = 0; t < count; t++) {
        const float *keys = f32(qkv) + t * qkv->shape[1] + shape->heads * shape->head_size;
        memcpy(cache_row(&cache->keys, rows[t]), keys, bytes);
        memcpy(cache_row(&cache->values, rows[t]), keys + width, bytes);
    }
}

/* scores[j] = scale q . keys[j,:] of one page; returns the highest, or `highest`. */
TARGET_CLONES
static float score_keys(float *scores, const float *query, const float *keys,
                        int64_t stride, int64_t count, int64_t size, float scale,
                        float highest)
{
    for (int64_t j = 0; j < count; j++) {
        const float *key = keys + j * stride;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < size; i++)
            sum += query[i] * key[i];
        scores[j] = sum * scale;
        highest = scores[j] > highest ? scores[j] : highest;
    }
    return highest;
}

TARGET_CLONES
static float exponentials(float *scores, int64_t count, float highest)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < count; j++) {
        scores[j] = exponential(scores[j] - highest);
        sum += scores[j];
    }
    return sum;
}

/* out += sum_j scores[j] values[j,:] of one page */
TARGET_CLONES
static void mix_values(float *restrict out, const float *restrict scores,
                       const float *restrict values, int64_t stride, int64_t count,
                       int64_t size)
{
    for (int64_t j = 0; j < count; j++)
        for (int64_t i = 0; i < size; i++)
            out[i] += scores[j] * values[j * stride + i];
}

/* One query head of one sequence over the positions [first, count) in these pages. */
struct decode_row {
    const int32_t *pages;
    int64_t first;
    int64_t count;
    const float *query; /* [D] */
    float *out;         /* [D] */
    int64_t column;     /* of the head's keys and values in a row of the cache */
};

/* Positions [at, at + count) of one page: where they are in the cache. */
struct page_part {
    int64_t at, count, row;
};

/* The part of the row's positions that begins at `at`. */
static struct page_part page_part(const struct decode_row *row, int64_t at)
{
    const int64_t page = at / CACHE_PAGE_ROWS, end = (page + 1) * CACHE_PAGE_ROWS;

    return (struct page_part){
        .at = at,
        .count = minimum(end, row->count) - at,
        .row = (int64_t)row->pages[page] * CACHE_PAGE_ROWS + at % CACHE_PAGE_ROWS,
    };
}

/* scores <- cap tanh(scores / cap); returns the same of `highest`. */
TARGET_CLONES
static float cap_scores(float *scores, int64_t count, float highest, float cap)
{
    const float inverse = 1.0f / cap;

    for (int64_t j = 0; j < count; j++)
        scores[j] = cap * hyperbolic_tangent(scores[j] * inverse);
    return cap * hyperbolic_tangent(highest * inverse);
}

static void decode_row(const struct decode_row *row, float *scores,
                       const struct key_value_cache_layer *cache,
                       const struct attention_shape *shape)
{
    const int64_t stride = cache->keys.shape[1], size = shape->head_size;
    const int64_t count = row->count - row->first;
    struct page_part part;
    float highest = -INFINITY;

    for (int64_t at = row->first; at < row->count; at += part.count) {
        part = page_part(row, at);
        highest = score_keys(scores + at - row->first, row->query,
                             cache_row(&cache->keys, part.row) + row->column, stride,
                             part.count, size, shape->scale, highest);
    }
    if (shape->cap > 0)
        highest = cap_scores(scores, count, highest, shape->cap);
    const float factor = 1.0f / exponentials(scores, count, highest);
    for (int64_t i = 0; i < size; i++)
        row->out[i] = 0;
    for (int64_t at = row->first; at < row->count; at += part.count) {
        part = page_part(row, at);
        mix_values(row->out, scores + at - row->first,
                   cache_row(&cache->values, part.row) + row->column, stride, part.count,
                   size);
    }
    for (int64_t i = 0; i < size; i++)
        row->out[i] *= factor;
}

void cpu_attention_decode(struct backend *backend, struct tensor *out,
                          const struct tensor *qkv,
                          const struct key_value_cache_layer *cache,
                          const struct cache_pages *pages, const int32_t *positions,
                          const struct attention_shape *shape)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const int64_t heads = shape->heads, size = shape->head_size;
    const int64_t group = heads / shape->key_value_heads;
    const int64_t floats = pages->width * CACHE_PAGE_ROWS;
    const int64_t jobs = qkv->shape[0] * heads;
    float *scratch = cpu_thread_scratch(cpu, floats);

    if (!scratch)
        return;
#pragma omp parallel for num_threads(cpu->thread_count) schedule(dynamic, 2) if (jobs > 8)
    for (int64_t job = 0; job < jobs; job++) {
        const int64_t s = job / heads, head = job % heads;
        const struct decode_row row = {
            .pages = pages->table + s * pages->width,
            .first = shape->window > 0 ? maximum(0, positions[s] + 1 - shape->window) : 0,
            .count = positions[s] + 1,
            .query = f32(qkv) + s * qkv->shape[1] + head * size,
            .out = f32(out) + job * size,
            .column = head / group * size,
        };
        decode_row(&row, cpu_thread_piece(scratch, floats), cache, shape);
    }
}
