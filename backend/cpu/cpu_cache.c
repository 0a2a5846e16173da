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

/* Asks for one row of a head, to be read soon: rows of a head do not lie together, and
 * the processor does not guess where the next one is. */
static inline void fetch_row(const float *row, int64_t size)
{
    enum { LINE = 16 };

    for (int64_t i = 0; i < size; i += LINE)
        __builtin_prefetch(row + i);
}

enum { LANES = 16 };

/* The sum of all lanes, halves added to halves. */
static inline float add_lanes(float lanes[LANES])
{
    for (int i = 0; i < 8; i++)
        lanes[i] += lanes[i + 8];
    for (int i = 0; i < 4; i++)
        lanes[i] += lanes[i + 4];
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

static inline float dot(const float *a, const float *b, int64_t size)
{
    float lanes[LANES] = {0};
    const int64_t whole = size / LANES * LANES;

    for (int64_t first = 0; first < whole; first += LANES)
        for (int64_t i = 0; i < LANES; i++)
            lanes[i] += a[first + i] * b[first + i];
    for (int64_t i = whole; i < size; i++)
        lanes[i - whole] += a[i] * b[i];
    return add_lanes(lanes);
}

/* scores[j] = scale q . keys[j,:] of one page; returns the highest, or `highest`. Rows of
 * `next` are fetched meanwhile. */
TARGET_CLONES
static float score_keys(float *scores, const float *query, const float *keys,
                        const float *next, int64_t stride, int64_t count, int64_t size,
                        float scale, float highest)
{
    for (int64_t j = 0; j < count; j++) {
        fetch_row(next + j * stride, size);
        scores[j] = dot(query, keys + j * stride, size) * scale;
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

/* out += sum_j scores[j] values[j,:] of one page, MIX of out at a time, in registers. Rows
 * of `next` are fetched meanwhile. */
TARGET_CLONES
static void mix_values(float *restrict out, const float *restrict scores,
                       const float *restrict values, const float *next, int64_t stride,
                       int64_t count, int64_t size)
{
    enum { MIX = 64 };
    int64_t first = 0;

    for (int64_t j = 0; j < count; j++)
        fetch_row(next + j * stride, size);
    for (; first + MIX <= size; first += MIX) {
        float sum[MIX];
        memcpy(sum, out + first, sizeof sum);
        for (int64_t j = 0; j < count; j++)
            for (int64_t i = 0; i < MIX; i++)
                sum[i] += scores[j] * values[j * stride + first + i];
        memcpy(out + first, sum, sizeof sum);
    }
    for (int64_t j = 0; j < count; j++)
        for (int64_t i = first; i < size; i++)
            out[i] += scores[j] * values[j * stride + i];
}

/* Some query heads of one sequence over the positions [first, count) in these pages. */
struct decode_row {
    const int32_t *pages;
    int64_t first;
    int64_t count;
    int64_t head; /* the first of them */
    int64_t heads;
    const float *query; /* [H D], of all heads */
    float *out;         /* likewise */
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

/* Where a head's keys and values begin in a row of the cache. */
static int64_t column_of(int64_t head, const struct attention_shape *shape)
{
    return head / (shape->heads / shape->key_value_heads) * shape->head_size;
}

/* The row's page behind `part`; of the last one, the first of `behind`. */
static const float *page_behind(const struct decode_row *row, const struct page_part *part,
                                const struct tensor *cache, const struct tensor *behind)
{
    const int64_t at = part->at + part->count;
    const bool last = at >= row->count;

    return cache_row(last ? behind : cache, page_part(row, last ? row->first : at).row);
}

/* Scratch of a row: for each head its scores, then the highest of each, later 1 / sum. */
static int64_t row_floats(int64_t heads, int64_t positions)
{
    return heads * (positions + 1);
}

/* Scores of all heads, page by page: so memory is read in the order in which it lies. */
static void score_row(const struct decode_row *row, float *scores, float *highest,
                      const struct key_value_cache_layer *cache,
                      const struct attention_shape *shape)
{
    const int64_t stride = cache->keys.shape[1], size = shape->head_size;
    const int64_t count = row->count - row->first;
    struct page_part part;

    for (int64_t h = 0; h < row->heads; h++)
        highest[h] = -INFINITY;
    for (int64_t at = row->first; at < row->count; at += part.count) {
        part = page_part(row, at);
        const float *keys = cache_row(&cache->keys, part.row);
        const float *next = page_behind(row, &part, &cache->keys, &cache->values);
        for (int64_t h = 0; h < row->heads; h++) {
            const int64_t column = column_of(row->head + h, shape);
            highest[h] = score_keys(scores + h * count + at - row->first,
                                    row->query + (row->head + h) * size, keys + column,
                                    next + column, stride, part.count, size, shape->scale,
                                    highest[h]);
        }
    }
}

/* out <- sum_j scores[j] values[j,:] factor, page by page. */
static void mix_row(const struct decode_row *row, const float *scores, const float *factor,
                    const struct key_value_cache_layer *cache,
                    const struct attention_shape *shape)
{
    const int64_t stride = cache->keys.shape[1], size = shape->head_size;
    const int64_t count = row->count - row->first;
    float *out = row->out + row->head * size;
    struct page_part part;

    for (int64_t i = 0; i < row->heads * size; i++)
        out[i] = 0;
    for (int64_t at = row->first; at < row->count; at += part.count) {
        part = page_part(row, at);
        const float *values = cache_row(&cache->values, part.row);
        const float *next = page_behind(row, &part, &cache->values, &cache->values);
        for (int64_t h = 0; h < row->heads; h++) {
            const int64_t column = column_of(row->head + h, shape);
            mix_values(out + h * size, scores + h * count + at - row->first,
                       values + column, next + column, stride, part.count, size);
        }
    }
    for (int64_t h = 0; h < row->heads; h++)
        for (int64_t i = 0; i < size; i++)
            out[h * size + i] *= factor[h];
}

static void decode_row(const struct decode_row *row, float *scratch,
                       const struct key_value_cache_layer *cache,
                       const struct attention_shape *shape)
{
    const int64_t count = row->count - row->first;
    float *highest = scratch, *scores = scratch + row->heads;

    score_row(row, scores, highest, cache, shape);
    for (int64_t h = 0; h < row->heads; h++) {
        float *mine = scores + h * count;
        if (shape->cap > 0)
            highest[h] = cap_scores(mine, count, highest[h], shape->cap);
        highest[h] = 1.0f / exponentials(mine, count, highest[h]);
    }
    mix_row(row, scores, highest, cache, shape);
}

/* Heads of one job: all that a sequence has, if that leaves every thread enough jobs. */
static int64_t heads_of_job(const struct cpu_backend *cpu, int64_t sequences, int64_t heads)
{
    enum { JOBS_A_THREAD_WANTED = 4 };

    return sequences >= (int64_t)JOBS_A_THREAD_WANTED * cpu->thread_count ? heads : 1;
}

void cpu_attention_decode(struct backend *backend, struct tensor *out,
                          const struct tensor *qkv,
                          const struct key_value_cache_layer *cache,
                          const struct cache_pages *pages, const int32_t *positions,
                          const struct attention_shape *shape)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const int64_t sequences = qkv->shape[0];
    const int64_t heads = heads_of_job(cpu, sequences, shape->heads);
    const int64_t floats = row_floats(heads, pages->width * CACHE_PAGE_ROWS);
    const int64_t jobs = sequences * shape->heads;
    float *scratch = cpu_thread_scratch(cpu, floats);

    if (!scratch)
        return;
#pragma omp parallel for num_threads(cpu->thread_count) schedule(dynamic, 1) if (jobs > 8)
    for (int64_t job = 0; job < jobs; job += heads) {
        const int64_t s = job / shape->heads;
        const struct decode_row row = {
            .pages = pages->table + s * pages->width,
            .first = shape->window > 0 ? maximum(0, positions[s] + 1 - shape->window) : 0,
            .count = positions[s] + 1,
            .head = job % shape->heads,
            .heads = heads,
            .query = f32(qkv) + s * qkv->shape[1],
            .out = f32(out) + s * out->shape[1],
        };
        decode_row(&row, cpu_thread_piece(scratch, floats), cache, shape);
    }
}
