#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_cache.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_row.h"
#include "backend/cpu/cpu_softmax.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>
#include <string.h>

/* Inlined, so that types and shapes are constants. */
#define INLINE static inline __attribute__((always_inline))

enum { LANES = CACHE_PAGE_ROWS, FOUR = 4 * LANES };

/* A pair of bf16, the first in the lower half. Rows of an odd size are not aligned. */
INLINE uint32_t pair_at(const void *pairs, int64_t i)
{
    uint32_t pair;

    memcpy(&pair, (const char *)pairs + i * (int64_t)sizeof pair, sizeof pair);
    return pair;
}

INLINE float first_of(uint32_t pair)
{
    return float_of_bits((int32_t)(pair << 16));
}

INLINE float second_of(uint32_t pair)
{
    return float_of_bits((int32_t)(pair & 0xFFFF0000U));
}

INLINE float element(enum dtype type, const void *values, int64_t i)
{
    return type == DTYPE_F32 ? ((const float *)values)[i]
                             : first_of(((const uint16_t *)values)[i]);
}

INLINE const void *elements_at(enum dtype type, const void *values, int64_t i)
{
    return (const char *)values + i * (type == DTYPE_F32 ? 4 : 2);
}

/* Asks for FOUR elements that will be read soon and do not lie behind those read now. */
INLINE void fetch_four(enum dtype type, const void *values)
{
    for (int64_t i = 0; i < FOUR; i += type == DTYPE_F32 ? 16 : 32)
        __builtin_prefetch(elements_at(type, values, i));
}

/* Four sums for each lane: a chain of them has to wait for the one before. */
struct sums {
    float a[LANES], b[LANES], c[LANES], d[LANES];
};

/*
 * FOUR elements, scaled by f[0] to f[3], to the four sums: in f32 they are LANES for each;
 * in bf16 pairs, the first of each for one sum and the second for the next, because a pair
 * becomes two numbers of f32 by a shift and a mask.
 */
INLINE void add_four(enum dtype type, struct sums *restrict sums, const float f[4],
                     const void *values)
{
    const float *numbers = values;

    if (type == DTYPE_F32) {
#pragma omp simd
        for (int64_t j = 0; j < LANES; j++) {
            sums->a[j] += f[0] * numbers[j];
            sums->b[j] += f[1] * numbers[LANES + j];
            sums->c[j] += f[2] * numbers[2 * LANES + j];
            sums->d[j] += f[3] * numbers[3 * LANES + j];
        }
        return;
    }
#pragma omp simd
    for (int64_t j = 0; j < LANES; j++) {
        sums->a[j] += f[0] * first_of(pair_at(values, j));
        sums->b[j] += f[1] * second_of(pair_at(values, j));
        sums->c[j] += f[2] * first_of(pair_at(values, LANES + j));
        sums->d[j] += f[3] * second_of(pair_at(values, LANES + j));
    }
}

/*
 * One page of a sequence: its keys or values of some heads, one behind another, and the
 * page that is read next. Each serves `sharing` query heads, whose scores of a position lie
 * `stride` apart.
 */
struct page_heads {
    const void *rows;
    const void *next;
    int64_t heads; /* of keys and values */
    int64_t sharing;
    int64_t size;
    int64_t stride;
    float scale;         /* of scores */
    int64_t first, last; /* of its positions, those that are mixed: [first, last) */
};

/* scores[j] = scale q . keys[:,j]; the next keys are fetched meanwhile. */
INLINE void score_head(enum dtype type, float *restrict scores, const float *restrict query,
                       const void *keys, const void *next, int64_t size, float scale)
{
    const int64_t whole = size - size % 4;
    struct sums x = {0};

    for (int64_t i = 0; i < whole; i += 4) {
        fetch_four(type, elements_at(type, next, i * LANES));
        add_four(type, &x, query + i, elements_at(type, keys, i * LANES));
    }
    for (int64_t i = whole; i < size; i++)
        for (int64_t j = 0; j < LANES; j++)
            x.a[j] += query[i] * element(type, keys, cpu_key_at(type, size, i, j));
#pragma omp simd
    for (int64_t j = 0; j < LANES; j++)
        scores[j] = ((x.a[j] + x.b[j]) + (x.c[j] + x.d[j])) * scale;
}

/* Scores of all positions of the page, of its query heads. */
INLINE void score_page_of(enum dtype type, float *scores, const float *query,
                          const struct page_heads *page)
{
    for (int64_t g = 0; g < page->heads; g++)
        for (int64_t i = 0; i < page->sharing; i++) {
            const int64_t h = g * page->sharing + i, at = g * LANES * page->size;
            score_head(type, scores + h * page->stride, query + h * page->size,
                       elements_at(type, page->rows, at), elements_at(type, page->next, at),
                       page->size, page->scale);
        }
}

TARGET_CLONES
static void score_page_f32(float *scores, const float *query, const struct page_heads *page)
{
    score_page_of(DTYPE_F32, scores, query, page);
}

TARGET_CLONES
static void score_page_bf16(float *scores, const float *query,
                            const struct page_heads *page)
{
    score_page_of(DTYPE_BF16, scores, query, page);
}

/* mixed += sum_j scores[j] values[j,:] for FOUR channels of a row, in add_four()'s order */
INLINE void mix_four(enum dtype type, float *restrict mixed, const float *restrict scores,
                     const void *values, const void *next, int64_t count, int64_t size)
{
    struct sums x = {0};

    for (int64_t j = 0; j < count; j++) {
        const float f[4] = {scores[j], scores[j], scores[j], scores[j]};
        fetch_four(type, elements_at(type, next, j * size));
        add_four(type, &x, f, elements_at(type, values, j * size));
    }
#pragma omp simd
    for (int64_t i = 0; i < LANES; i++) {
        mixed[i] += x.a[i];
        mixed[LANES + i] += x.b[i];
        mixed[2 * LANES + i] += x.c[i];
        mixed[3 * LANES + i] += x.d[i];
    }
}

/* The same for a whole row; channels behind the last FOUR are in their own order. */
INLINE void mix_head(enum dtype type, float *restrict mixed, const float *restrict scores,
                     const void *values, const void *next, int64_t count, int64_t size)
{
    const int64_t whole = size - size % FOUR;

    for (int64_t i = 0; i < whole; i += FOUR)
        mix_four(type, mixed + i, scores, elements_at(type, values, i),
                 elements_at(type, next, i), count, size);
    for (int64_t j = 0; j < count && whole < size; j++)
        for (int64_t i = whole; i < size; i++)
            mixed[i] += scores[j] * element(type, values, j * size + i);
}

/* mixed += what the page's positions give, of its query heads. */
INLINE void mix_page_of(enum dtype type, float *mixed, const float *scores,
                        const struct page_heads *page)
{
    const int64_t skipped = page->first * page->size;

    for (int64_t g = 0; g < page->heads; g++)
        for (int64_t i = 0; i < page->sharing; i++) {
            const int64_t h = g * page->sharing + i, at = g * LANES * page->size;
            mix_head(type, mixed + h * page->size, scores + h * page->stride + page->first,
                     elements_at(type, page->rows, at + skipped),
                     elements_at(type, page->next, at), page->last - page->first,
                     page->size);
        }
}

TARGET_CLONES
static void mix_page_f32(float *mixed, const float *scores, const struct page_heads *page)
{
    mix_page_of(DTYPE_F32, mixed, scores, page);
}

TARGET_CLONES
static void mix_page_bf16(float *mixed, const float *scores, const struct page_heads *page)
{
    mix_page_of(DTYPE_BF16, mixed, scores, page);
}

/* out <- factor mixed, in the order of channels */
TARGET_CLONES
static void mix_end(enum dtype type, float *restrict out, const float *restrict mixed,
                    float factor, int64_t size)
{
    const int64_t whole = type == DTYPE_F32 ? 0 : size - size % FOUR;

    for (int64_t i = 0; i < whole; i += 2 * LANES)
        for (int64_t j = 0; j < LANES; j++) {
            out[i + 2 * j] = mixed[i + j] * factor;
            out[i + 2 * j + 1] = mixed[i + LANES + j] * factor;
        }
    for (int64_t i = whole; i < size; i++)
        out[i] = mixed[i] * factor;
}

/* scores <- cap tanh(scores / cap) */
TARGET_CLONES
static void cap_scores(float *scores, int64_t count, float cap)
{
    const float inverse = 1.0f / cap;

    for (int64_t j = 0; j < count; j++)
        scores[j] = cap * hyperbolic_tangent(scores[j] * inverse);
}

/* Some query heads of one sequence over the positions [first, count) in these pages. */
struct decode_row {
    const struct key_value_cache_layer *cache;
    const struct attention_shape *shape;
    const int32_t *pages;
    int64_t first;
    int64_t count;
    int64_t head; /* the first of them */
    int64_t heads;
    const float *query; /* [heads D] */
    struct cpu_row out; /* likewise */
};

static int64_t first_page(const struct decode_row *row)
{
    return row->first / CACHE_PAGE_ROWS;
}

static int64_t end_page(const struct decode_row *row)
{
    return (row->count - 1) / CACHE_PAGE_ROWS + 1;
}

/* Scores of one head: those of whole pages. */
static int64_t score_stride(const struct decode_row *row)
{
    return (end_page(row) - first_page(row)) * CACHE_PAGE_ROWS;
}

/* Page `at` of the row's, and the one behind it (behind the last one, the first). */
static struct page_heads page_take(const struct decode_row *row, const struct tensor *cache,
                                   int64_t at)
{
    const struct attention_shape *shape = row->shape;
    const int64_t sharing = shape->heads / shape->key_value_heads;
    const int64_t next = at + 1 < end_page(row) ? at + 1 : first_page(row);
    const int64_t group = row->head / sharing, begin = at * CACHE_PAGE_ROWS;
    const bool all = row->heads == shape->heads;

    return (struct page_heads){
        .rows = cpu_cache_head(cache, row->pages[at], group, shape->head_size),
        .next = cpu_cache_head(cache, row->pages[next], group, shape->head_size),
        .heads = all ? shape->key_value_heads : 1,
        .sharing = all ? sharing : 1,
        .size = shape->head_size,
        .stride = score_stride(row),
        .scale = shape->scale,
        .first = maximum(row->first - begin, 0),
        .last = minimum(row->count - begin, CACHE_PAGE_ROWS),
    };
}

/* Scores of all heads, page by page: so memory is read in the order in which it lies. */
static void score_row(const struct decode_row *row, float *scores)
{
    const struct tensor *keys = &row->cache->keys;

    for (int64_t p = first_page(row); p < end_page(row); p++, scores += CACHE_PAGE_ROWS) {
        const struct page_heads page = page_take(row, keys, p);
        (keys->dtype == DTYPE_BF16 ? score_page_bf16 : score_page_f32)(scores, row->query,
                                                                       &page);
    }
}

/* out <- sum_j scores[j] values[j,:] factor, page by page; `mixed` is scratch. */
static void mix_row(const struct decode_row *row, const float *scores, const float *factor,
                    float *mixed)
{
    const struct tensor *values = &row->cache->values;
    const int64_t size = row->shape->head_size;

    for (int64_t i = 0; i < row->heads * size; i++)
        mixed[i] = 0;
    for (int64_t p = first_page(row); p < end_page(row); p++, scores += CACHE_PAGE_ROWS) {
        const struct page_heads page = page_take(row, values, p);
        (values->dtype == DTYPE_BF16 ? mix_page_bf16 : mix_page_f32)(mixed, scores, &page);
    }
    for (int64_t h = 0; h < row->heads; h++) {
        float *out = cpu_row_piece(&row->out, h * size, mixed + row->heads * size);
        mix_end(values->dtype, out, mixed + h * size, factor[h], size);
        cpu_row_store(&row->out, h * size, out, size);
    }
}

/* Scratch of a row: the channels of each head and of one more, 1 / sum of each head's
 * exponentials, its scores. */
static int64_t row_floats(int64_t heads, int64_t size, int64_t pages)
{
    return (heads + 1) * size + heads * (1 + pages * CACHE_PAGE_ROWS);
}

static void decode_row(const struct decode_row *row, float *scratch)
{
    const int64_t count = row->count - row->first, stride = score_stride(row);
    float *mixed = scratch, *factor = mixed + (row->heads + 1) * row->shape->head_size;
    float *scores = factor + row->heads;
    float *used = scores + row->first % CACHE_PAGE_ROWS;

    score_row(row, scores);
    for (int64_t h = 0; h < row->heads; h++, used += stride) {
        if (row->shape->cap > 0)
            cap_scores(used, count, row->shape->cap);
        factor[h] = 1.0f / cpu_exponentials(used, count, cpu_maximum(used, count));
    }
    mix_row(row, scores, factor, mixed);
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
    const int64_t sequences = qkv->shape[0], size = shape->head_size;
    const int64_t heads = heads_of_job(cpu, sequences, shape->heads);
    const int64_t floats = row_floats(heads, size, pages->width);
    const int64_t jobs = sequences * shape->heads;
    float *scratch = cpu_thread_scratch(cpu, floats);

    if (!scratch)
        return;
#pragma omp parallel for num_threads(cpu->thread_count) schedule(dynamic, 1) if (jobs > 8)
    for (int64_t job = 0; job < jobs; job += heads) {
        const int64_t s = job / shape->heads, head = job % shape->heads;
        const struct decode_row row = {
            .cache = cache,
            .shape = shape,
            .pages = pages->table + s * pages->width,
            .first = shape->window > 0 ? maximum(0, positions[s] + 1 - shape->window) : 0,
            .count = positions[s] + 1,
            .head = head,
            .heads = heads,
            .query = f32(qkv) + s * qkv->shape[1] + head * size,
            .out = {out, s * out->shape[1] + head * size},
        };
        decode_row(&row, cpu_thread_piece(scratch, floats));
    }
}
