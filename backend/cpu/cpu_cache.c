#include "backend/cpu/cpu_cache.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>
#include <string.h>

/*
 * A page's rows of one head lie together, so that memory is read as it lies; its keys lie
 * across, so that the scores of its positions are computed beside each other:
 *
 *     keys    [pages][G][D][CACHE_PAGE_ROWS]
 *     values  [pages][G][CACHE_PAGE_ROWS][D]
 *
 * Both begin at the same element for a head of a page. `row` names any row of the page.
 */
static int64_t head_begin(int64_t row, int64_t group, int64_t width, int64_t size)
{
    return (row - row % CACHE_PAGE_ROWS) * width + group * CACHE_PAGE_ROWS * size;
}

static void *element_at(const struct tensor *cache, int64_t element)
{
    return (char *)cache->data + element * (int64_t)dtype_bytes(cache->dtype);
}

/* Rounded a few elements at a time: that is vector code. */
static void key_write(struct tensor *keys, int64_t begin, const float *key, int64_t size)
{
    enum { FEW = 64 };
    uint16_t rounded[FEW];
    void *out = element_at(keys, begin);

    for (int64_t first = 0; keys->dtype == DTYPE_BF16 && first < size; first += FEW) {
        const int64_t count = minimum(FEW, size - first);
        dtype_convert(rounded, DTYPE_BF16, key + first, DTYPE_F32, count);
        for (int64_t i = 0; i < count; i++)
            ((uint16_t *)out)[(first + i) * CACHE_PAGE_ROWS] = rounded[i];
    }
    for (int64_t i = 0; keys->dtype == DTYPE_F32 && i < size; i++)
        ((float *)out)[i * CACHE_PAGE_ROWS] = key[i];
}

/* keys: of all heads [G D], the values behind them */
static void write_row(struct key_value_cache_layer *cache, int64_t row, const float *keys,
                      const struct attention_shape *shape)
{
    const int64_t size = shape->head_size, width = cache->keys.shape[1];
    const int64_t in_page = row % CACHE_PAGE_ROWS;

    for (int64_t g = 0; g < shape->key_value_heads; g++, keys += size) {
        const int64_t begin = head_begin(row, g, width, size);
        key_write(&cache->keys, begin + in_page, keys, size);
        dtype_convert(element_at(&cache->values, begin + in_page * size),
                      cache->values.dtype, keys + width, DTYPE_F32, size);
    }
}

void cpu_cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                     const struct tensor *qkv, const int32_t *rows,
                     const struct attention_shape *shape)
{
    const int64_t count = qkv->shape[0], width = qkv->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), count * width)
    for (int64_t t = 0; t < count; t++)
        write_row(cache, rows[t], f32(qkv) + t * width + shape->heads * shape->head_size,
                  shape);
}

static const void *page_of(const struct cached_head *head, const struct tensor *cache,
                           int64_t position)
{
    const int64_t row = (int64_t)head->pages[position / CACHE_PAGE_ROWS] * CACHE_PAGE_ROWS;

    return element_at(cache,
                      head_begin(row, head->group, cache->shape[1], head->head_size));
}

void cpu_cache_keys(float *out, int64_t stride, const struct cached_head *head,
                    int64_t first, int64_t count)
{
    const struct tensor *keys = &head->layer->keys;
    const int64_t line = CACHE_PAGE_ROWS * (int64_t)dtype_bytes(keys->dtype);

    for (int64_t at = 0; at < count; at += CACHE_PAGE_ROWS) {
        const char *page = page_of(head, keys, first + at);
        for (int64_t i = 0; i < head->head_size; i++)
            dtype_convert(out + i * stride + at, DTYPE_F32, page + i * line, keys->dtype,
                          CACHE_PAGE_ROWS);
    }
}

void cpu_cache_values(float *out, const struct cached_head *head, int64_t first,
                      int64_t count)
{
    const struct tensor *values = &head->layer->values;

    for (int64_t at = 0; at < count; at += CACHE_PAGE_ROWS)
        dtype_convert(out + at * head->head_size, DTYPE_F32,
                      page_of(head, values, first + at), values->dtype,
                      minimum(CACHE_PAGE_ROWS, count - at) * head->head_size);
}

/* What is read below, f32 or bf16: `type` is a constant where this is inlined. */
#define INLINE static inline __attribute__((always_inline))

INLINE float element(const void *row, enum dtype type, int64_t i)
{
    union {
        uint32_t bits;
        float value;
    } wide = {.value = 0};

    if (type == DTYPE_F32)
        return ((const float *)row)[i];
    wide.bits = (uint32_t)((const uint16_t *)row)[i] << 16;
    return wide.value;
}

INLINE const void *row_at(const void *rows, enum dtype type, int64_t elements)
{
    return (const char *)rows + elements * (type == DTYPE_BF16 ? 2 : 4);
}

/* Asks for elements that will be read soon and do not lie behind those read now. */
INLINE void fetch(const void *row, enum dtype type, int64_t count)
{
    const int64_t line = type == DTYPE_BF16 ? 32 : 16;

    for (int64_t i = 0; i < count; i += line)
        __builtin_prefetch(row_at(row, type, i));
}

/* One head's keys or values in one page, and those that will be read next. */
struct page_rows {
    const void *rows;
    const void *next;
    int64_t count; /* of values: how many are read, from `rows` on */
    int64_t size;  /* of a row */
};

enum { LANES = CACHE_PAGE_ROWS };

/* sum[j] += factor row[j] */
INLINE void add_scaled(enum dtype type, float *restrict sum, float factor, const void *row)
{
#pragma omp simd
    for (int64_t j = 0; j < LANES; j++)
        sum[j] += factor * element(row, type, j);
}

/* scores[j] = q . keys[:,j] of a whole page; the next keys are fetched meanwhile. Four
 * sums, because each has to wait for the one before it. */
INLINE void score_page_of(enum dtype type, float *restrict scores,
                          const float *restrict query, const struct page_rows *keys)
{
    enum { CHAINS = 4 };
    float a[LANES] = {0}, b[LANES] = {0}, c[LANES] = {0}, d[LANES] = {0};
    const void *in = keys->rows, *next = keys->next;
    int64_t i = 0;

    for (; i + CHAINS <= keys->size; i += CHAINS) {
        fetch(next, type, CHAINS * LANES);
        add_scaled(type, a, query[i], in);
        add_scaled(type, b, query[i + 1], row_at(in, type, LANES));
        add_scaled(type, c, query[i + 2], row_at(in, type, 2 * LANES));
        add_scaled(type, d, query[i + 3], row_at(in, type, 3 * LANES));
        in = row_at(in, type, CHAINS * LANES);
        next = row_at(next, type, CHAINS * LANES);
    }
    for (; i < keys->size; i++, in = row_at(in, type, LANES))
        add_scaled(type, a, query[i], in);
#pragma omp simd
    for (int64_t j = 0; j < LANES; j++)
        scores[j] = (a[j] + b[j]) + (c[j] + d[j]);
}

TARGET_CLONES
static void score_page_f32(float *scores, const float *query, const struct page_rows *keys)
{
    score_page_of(DTYPE_F32, scores, query, keys);
}

TARGET_CLONES
static void score_page_bf16(float *scores, const float *query, const struct page_rows *keys)
{
    score_page_of(DTYPE_BF16, scores, query, keys);
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

/* out += sum_j scores[j] values[j,:] of one page for MIX elements of a row. */
enum { MIX = 4 * LANES };
INLINE void mix_columns(enum dtype type, float *restrict out, const float *restrict scores,
                        const struct page_rows *values, int64_t first)
{
    const int64_t size = values->size;
    float a[LANES] = {0}, b[LANES] = {0}, c[LANES] = {0}, d[LANES] = {0};

    for (int64_t j = 0; j < values->count; j++) {
        const void *row = row_at(values->rows, type, j * size + first);
        fetch(row_at(values->next, type, j * size + first), type, MIX);
        add_scaled(type, a, scores[j], row);
        add_scaled(type, b, scores[j], row_at(row, type, LANES));
        add_scaled(type, c, scores[j], row_at(row, type, 2 * LANES));
        add_scaled(type, d, scores[j], row_at(row, type, 3 * LANES));
    }
#pragma omp simd
    for (int64_t i = 0; i < LANES; i++) {
        out[i] += a[i];
        out[LANES + i] += b[i];
        out[2 * LANES + i] += c[i];
        out[3 * LANES + i] += d[i];
    }
}

/* The same for all of a row. The next rows are fetched meanwhile. */
INLINE void mix_values_of(enum dtype type, float *restrict out,
                          const float *restrict scores, const struct page_rows *values)
{
    const int64_t size = values->size, whole = size / MIX * MIX;

    for (int64_t first = 0; first < whole; first += MIX)
        mix_columns(type, out + first, scores, values, first);
    for (int64_t j = 0; j < values->count && whole < size; j++)
        for (int64_t i = whole; i < size; i++)
            out[i] += scores[j] * element(values->rows, type, j * size + i);
}

TARGET_CLONES
static void mix_values_f32(float *restrict out, const float *restrict scores,
                           const struct page_rows *values)
{
    mix_values_of(DTYPE_F32, out, scores, values);
}

TARGET_CLONES
static void mix_values_bf16(float *restrict out, const float *restrict scores,
                            const struct page_rows *values)
{
    mix_values_of(DTYPE_BF16, out, scores, values);
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

/* The part behind `part`; behind the last one, the first. */
static struct page_part part_behind(const struct decode_row *row,
                                    const struct page_part *part)
{
    const int64_t at = part->at + part->count;

    return page_part(row, at < row->count ? at : row->first);
}

/* Keys, or values, of query head `head` in the part's page and in the next one. */
static struct page_rows rows_of(const struct decode_row *row, const struct page_part *part,
                                const struct tensor *cache, int64_t head,
                                const struct attention_shape *shape)
{
    const int64_t size = shape->head_size, width = cache->shape[1];
    const int64_t group = head / (shape->heads / shape->key_value_heads);
    const int64_t next = part_behind(row, part).row;

    return (struct page_rows){
        .rows = element_at(cache, head_begin(part->row, group, width, size)),
        .next = element_at(cache, head_begin(next, group, width, size)),
        .size = size,
    };
}

/* Scratch of a row: for each head its scores, then the highest of each, later 1 / sum. */
static int64_t row_floats(int64_t heads, int64_t positions)
{
    return heads * (positions + 1);
}

/* Of one head: scores [part->count]; returns the highest, or `highest`. */
static float score_part(float *scores, const struct page_part *part, const float *query,
                        const struct page_rows *keys, bool bf16, float scale, float highest)
{
    float page[CACHE_PAGE_ROWS];
    const float *mine = page + part->row % CACHE_PAGE_ROWS;

    (bf16 ? score_page_bf16 : score_page_f32)(page, query, keys);
    for (int64_t j = 0; j < part->count; j++) {
        scores[j] = mine[j] * scale;
        highest = scores[j] > highest ? scores[j] : highest;
    }
    return highest;
}

/* Scores of all heads, page by page: so memory is read in the order in which it lies. */
static void score_row(const struct decode_row *row, float *scores, float *highest,
                      const struct key_value_cache_layer *cache,
                      const struct attention_shape *shape)
{
    const int64_t size = shape->head_size, count = row->count - row->first;
    const bool bf16 = cache->keys.dtype == DTYPE_BF16;
    struct page_part part;

    for (int64_t h = 0; h < row->heads; h++)
        highest[h] = -INFINITY;
    for (int64_t at = row->first; at < row->count; at += part.count) {
        part = page_part(row, at);
        for (int64_t h = 0; h < row->heads; h++) {
            const struct page_rows keys =
                rows_of(row, &part, &cache->keys, row->head + h, shape);
            highest[h] = score_part(scores + h * count + at - row->first, &part,
                                    row->query + (row->head + h) * size, &keys, bf16,
                                    shape->scale, highest[h]);
        }
    }
}

/* Of one head: out += sum_j scores[j] values[j,:] of the part; `values` is the page's. */
static void mix_part(float *out, const float *scores, const struct page_part *part,
                     struct page_rows values, bool bf16)
{
    const int64_t skipped = part->row % CACHE_PAGE_ROWS * values.size;

    values.count = part->count;
    values.rows = (const char *)values.rows + skipped * (bf16 ? 2 : 4);
    (bf16 ? mix_values_bf16 : mix_values_f32)(out, scores, &values);
}

/* out <- sum_j scores[j] values[j,:] factor, page by page. */
static void mix_row(const struct decode_row *row, const float *scores, const float *factor,
                    const struct key_value_cache_layer *cache,
                    const struct attention_shape *shape)
{
    const int64_t size = shape->head_size, count = row->count - row->first;
    const bool bf16 = cache->values.dtype == DTYPE_BF16;
    float *out = row->out + row->head * size;
    struct page_part part;

    for (int64_t i = 0; i < row->heads * size; i++)
        out[i] = 0;
    for (int64_t at = row->first; at < row->count; at += part.count) {
        part = page_part(row, at);
        for (int64_t h = 0; h < row->heads; h++) {
            mix_part(out + h * size, scores + h * count + at - row->first, &part,
                     rows_of(row, &part, &cache->values, row->head + h, shape), bf16);
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
