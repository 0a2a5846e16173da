#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <string.h>

/* Keys or values of one position in one slot: [G D]. */
static float *cache_row(const struct tensor *cache, int64_t slot, int64_t position)
{
    return f32(cache) + (slot * cache->shape[1] + position) * cache->shape[2];
}

void cpu_cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                     const struct tensor *qkv, const int32_t *slots,
                     const int32_t *positions, const struct attention_shape *shape)
{
    const int64_t rows = qkv->shape[0], width = cache->keys.shape[2];
    const size_t bytes = (size_t)width * sizeof(float);

    CPU_PARALLEL_FOR(cpu_of(backend), rows * width)
    for (int64_t t = 0; t < rows; t++) {
        const float *keys = f32(qkv) + t * qkv->shape[1] + shape->heads * shape->head_size;
        memcpy(cache_row(&cache->keys, slots[t], positions[t]), keys, bytes);
        memcpy(cache_row(&cache->values, slots[t], positions[t]), keys + width, bytes);
    }
}

/* scores[j] = scale q . keys[j,:]; returns the highest. */
TARGET_CLONES
static float score_keys(float *scores, const float *query, const float *keys,
                        int64_t stride, int64_t count, int64_t size, float scale)
{
    float highest = 0;

    for (int64_t j = 0; j < count; j++) {
        const float *key = keys + j * stride;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < size; i++)
            sum += query[i] * key[i];
        scores[j] = sum * scale;
        highest = j == 0 || scores[j] > highest ? scores[j] : highest;
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

/* out = factor * sum_j scores[j] values[j,:] */
TARGET_CLONES
static void mix_values(float *restrict out, const float *restrict scores,
                       const float *restrict values, int64_t stride, int64_t count,
                       int64_t size, float factor)
{
    for (int64_t i = 0; i < size; i++)
        out[i] = 0;
    for (int64_t j = 0; j < count; j++)
        for (int64_t i = 0; i < size; i++)
            out[i] += scores[j] * values[j * stride + i];
    for (int64_t i = 0; i < size; i++)
        out[i] *= factor;
}

void cpu_attention_decode(struct backend *backend, struct tensor *out,
                          const struct tensor *qkv,
                          const struct key_value_cache_layer *cache, const int32_t *slots,
                          const int32_t *positions, const struct attention_shape *shape)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const int64_t heads = shape->heads, size = shape->head_size;
    const int64_t group = heads / shape->key_value_heads, stride = cache->keys.shape[2];
    const int64_t floats = cache->keys.shape[1];
    const int64_t jobs = qkv->shape[0] * heads;
    float *scratch = cpu_thread_scratch(cpu, floats);

    if (!scratch)
        return;
#pragma omp parallel for num_threads(cpu->thread_count) schedule(dynamic, 2) if (jobs > 8)
    for (int64_t job = 0; job < jobs; job++) {
        const int64_t s = job / heads, head = job % heads, count = positions[s] + 1;
        const int64_t offset = head / group * size;
        float *scores = cpu_thread_piece(scratch, floats);
        const float highest = score_keys(scores, f32(qkv) + s * qkv->shape[1] + head * size,
                                         cache_row(&cache->keys, slots[s], 0) + offset,
                                         stride, count, size, shape->scale);
        const float sum = exponentials(scores, count, highest);
        mix_values(f32(out) + s * heads * size + head * size, scores,
                   cache_row(&cache->values, slots[s], 0) + offset, stride, count, size,
                   1.0f / sum);
    }
}
