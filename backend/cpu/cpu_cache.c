#include "backend/cpu/cpu_cache.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <string.h>

/*
 * A page's rows of one head lie together, so that memory is read as it lies; its keys lie
 * across (cpu_key_at()):
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

static void key_write_f32(float *out, const float *key, int64_t size)
{
    for (int64_t i = 0; i < size; i++)
        out[i * CACHE_PAGE_ROWS] = key[i];
}

/* Rounded a few elements at a time, which is vector code, and stored pair by pair. */
static void key_write_bf16(uint16_t *page, int64_t position, const float *key, int64_t size)
{
    enum { FEW = 64 };
    uint16_t rounded[FEW];

    for (int64_t first = 0; first < size; first += FEW) {
        const int64_t count = minimum(FEW, size - first), pairs = count / 2;
        uint16_t *out = page + cpu_key_at(DTYPE_BF16, size, first, position);
        dtype_convert(rounded, DTYPE_BF16, key + first, DTYPE_F32, count);
        for (int64_t i = 0; i < pairs; i++)
            memcpy(out + i * 2 * CACHE_PAGE_ROWS, rounded + 2 * i, 2 * sizeof *rounded);
        if (count % 2 != 0)
            page[cpu_key_at(DTYPE_BF16, size, size - 1, position)] = rounded[count - 1];
    }
}

/* keys: of all heads [G D], the values behind them */
static void write_row(struct key_value_cache_layer *cache, int64_t row, const float *keys,
                      const struct attention_shape *shape)
{
    const int64_t size = shape->head_size, width = cache->keys.shape[1];
    const int64_t in_page = row % CACHE_PAGE_ROWS;

    for (int64_t g = 0; g < shape->key_value_heads; g++, keys += size) {
        const int64_t begin = head_begin(row, g, width, size);
        void *page = element_at(&cache->keys, begin);
        if (cache->keys.dtype == DTYPE_BF16)
            key_write_bf16(page, in_page, keys, size);
        else
            key_write_f32((float *)page + in_page, keys, size);
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

const void *cpu_cache_head(const struct tensor *cache, int32_t page, int64_t group,
                           int64_t head_size)
{
    return element_at(cache, head_begin((int64_t)page * CACHE_PAGE_ROWS, group,
                                        cache->shape[1], head_size));
}

static const void *page_of(const struct cached_head *head, const struct tensor *cache,
                           int64_t position)
{
    return cpu_cache_head(cache, head->pages[position / CACHE_PAGE_ROWS], head->group,
                          head->head_size);
}

static void keys_read_f32(float *out, int64_t stride, const float *page, int64_t size)
{
    for (int64_t i = 0; i < size; i++)
        memcpy(out + i * stride, page + i * CACHE_PAGE_ROWS,
               CACHE_PAGE_ROWS * sizeof *page);
}

TARGET_CLONES
static void keys_read_bf16(float *restrict out, int64_t stride,
                           const uint16_t *restrict page, int64_t size)
{
    int64_t i = 0;

    for (; i + 2 <= size; i += 2, page += 2 * CACHE_PAGE_ROWS)
        for (int64_t j = 0; j < CACHE_PAGE_ROWS; j++) {
            out[i * stride + j] = float_of_bits((int32_t)((uint32_t)page[2 * j] << 16));
            out[(i + 1) * stride + j] =
                float_of_bits((int32_t)((uint32_t)page[2 * j + 1] << 16));
        }
    for (int64_t j = 0; j < CACHE_PAGE_ROWS && i < size; j++)
        out[i * stride + j] = float_of_bits((int32_t)((uint32_t)page[j] << 16));
}

void cpu_cache_keys(float *out, int64_t stride, const struct cached_head *head,
                    int64_t first, int64_t count)
{
    const struct tensor *keys = &head->layer->keys;

    for (int64_t at = 0; at < count; at += CACHE_PAGE_ROWS) {
        const void *page = page_of(head, keys, first + at);
        if (keys->dtype == DTYPE_BF16)
            keys_read_bf16(out + at, stride, page, head->head_size);
        else
            keys_read_f32(out + at, stride, page, head->head_size);
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
