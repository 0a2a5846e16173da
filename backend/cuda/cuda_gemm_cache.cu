#include "backend/cuda/cuda_gemm_plan.h"

extern "C" {
#include "base/memory.h"
}

#include <stdlib.h>
#include <string.h>

static const size_t CAPACITY_FIRST = 256;

struct cuda_gemm_cache *cuda_gemm_cache_create(void)
{
    struct cuda_gemm_cache *cache =
        static_cast<struct cuda_gemm_cache *>(memory_allocate(sizeof *cache));
    const char *path = getenv("HOLDFAST_GEMM_TUNE");

    cache->tuning_path = path && *path ? path : NULL;
    return cache;
}

void cuda_gemm_cache_free(struct cuda_gemm_cache *cache)
{
    free(cache->plans);
    free(cache);
}

/* Mixes words as in splitmix64 (Steele, Lea & Flood 2014). */
static uint64_t key_hash(const struct gemm_key *key)
{
    uint64_t words[sizeof *key / sizeof(uint64_t)], hash = 0;

    memcpy(words, key, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        hash = (hash ^ words[i]) + 0x9E3779B97F4A7C15ULL;
        hash = (hash ^ hash >> 30) * 0xBF58476D1CE4E5B9ULL;
        hash = (hash ^ hash >> 27) * 0x94D049BB133111EBULL;
        hash ^= hash >> 31;
    }
    return hash;
}

/* Where the key is, or the empty place where it would be. */
static struct gemm_plan *place_of(const struct cuda_gemm_cache *cache,
                                  const struct gemm_key *key)
{
    size_t index = key_hash(key) & (cache->capacity - 1);

    while (cache->plans[index].kind != GEMM_UNKNOWN &&
           memcmp(&cache->plans[index].key, key, sizeof *key) != 0)
        index = (index + 1) & (cache->capacity - 1);
    return &cache->plans[index];
}

const struct gemm_plan *gemm_cache_find(const struct cuda_gemm_cache *cache,
                                        const struct gemm_key *key)
{
    if (cache->capacity == 0)
        return NULL;
    const struct gemm_plan *plan = place_of(cache, key);
    return plan->kind == GEMM_UNKNOWN ? NULL : plan;
}

static void cache_grow(struct cuda_gemm_cache *cache)
{
    struct cuda_gemm_cache grown = *cache;

    grown.capacity = cache->capacity > 0 ? 2 * cache->capacity : CAPACITY_FIRST;
    grown.plans = static_cast<struct gemm_plan *>(
        memory_allocate_array(grown.capacity, sizeof *grown.plans));
    for (size_t i = 0; i < cache->capacity; i++)
        if (cache->plans[i].kind != GEMM_UNKNOWN)
            *place_of(&grown, &cache->plans[i].key) = cache->plans[i];
    free(cache->plans);
    *cache = grown;
}

const struct gemm_plan *gemm_cache_insert(struct cuda_gemm_cache *cache,
                                          const struct gemm_plan *plan)
{
    if (2 * (cache->count + 1) > cache->capacity)
        cache_grow(cache);
    struct gemm_plan *place = place_of(cache, &plan->key);
    cache->count += place->kind == GEMM_UNKNOWN;
    *place = *plan;
    return place;
}
