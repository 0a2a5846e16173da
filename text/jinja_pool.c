#include "text/jinja_pool.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_ALIGNMENT = 16, POOL_BLOCK_BYTES = 32 * 1024 };

struct jinja_block {
    struct jinja_block *previous;
    size_t bytes; /* keeps what follows aligned to 16 */
};

static void block_add(struct jinja_pool *pool, size_t bytes)
{
    struct jinja_block *block = memory_allocate(sizeof *block + bytes);
    *block = (struct jinja_block){pool->blocks, bytes};
    pool->blocks = block;
    pool->block_used = 0;
    pool->block_bytes = bytes;
}

void *jinja_pool_allocate(struct jinja_pool *pool, size_t bytes)
{
    CHECK(bytes < SIZE_MAX / 2);
    bytes = (bytes + POOL_ALIGNMENT - 1) / POOL_ALIGNMENT * POOL_ALIGNMENT;
    if (!pool->blocks || bytes > pool->block_bytes - pool->block_used)
        block_add(pool, bytes > POOL_BLOCK_BYTES ? bytes : POOL_BLOCK_BYTES);
    char *given = (char *)(pool->blocks + 1) + pool->block_used;
    pool->block_used += bytes;
    pool->used_bytes += bytes;
    pool->exhausted = pool->exhausted || pool->used_bytes > pool->limit_bytes;
    return given;
}

void *jinja_pool_array(struct jinja_pool *pool, size_t count, size_t bytes_each)
{
    CHECK(count < SIZE_MAX / 2 / bytes_each);
    return jinja_pool_allocate(pool, count * bytes_each);
}

char *jinja_pool_copy(struct jinja_pool *pool, const char *bytes, size_t count)
{
    char *copy = jinja_pool_allocate(pool, count + 1);
    if (count > 0)
        memcpy(copy, bytes, count);
    return copy;
}

void jinja_pool_charge(struct jinja_pool *pool, size_t steps)
{
    pool->steps += steps;
    pool->exhausted = pool->exhausted || pool->steps > pool->limit_steps;
}

void jinja_pool_release(struct jinja_pool *pool)
{
    while (pool->blocks) {
        struct jinja_block *previous = pool->blocks->previous;
        free(pool->blocks);
        pool->blocks = previous;
    }
    *pool = (struct jinja_pool){0};
}
