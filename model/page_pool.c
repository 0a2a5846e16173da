#include "model/page_pool.h"

#include "base/error.h"

/* The lowest numbers are taken first. */
void page_pool_init(struct page_pool *pool, int32_t *memory, int32_t first, int64_t count)
{
    CHECK(first >= 0 && count >= 0 && count <= INT32_MAX - first);
    *pool = (struct page_pool){
        .free = memory, .holders = memory + count, .first = first, .free_count = count};
    for (int64_t i = 0; i < count; i++) {
        pool->free[i] = first + (int32_t)(count - 1 - i);
        pool->holders[i] = 0;
    }
}

int64_t page_pool_room(const struct page_pool *pool)
{
    return pool->free_count - pool->promised;
}

bool page_pool_promise(struct page_pool *pool, int64_t count)
{
    CHECK(count >= 0);
    if (count > page_pool_room(pool))
        return false;
    pool->promised += count;
    return true;
}

int32_t page_pool_take(struct page_pool *pool)
{
    CHECK(pool->promised > 0 && pool->free_count >= pool->promised);
    pool->promised--;
    const int32_t page = pool->free[--pool->free_count];
    pool->holders[page - pool->first] = 1;
    return page;
}

void page_pool_share(struct page_pool *pool, int32_t page)
{
    CHECK(pool->holders[page - pool->first] > 0);
    pool->holders[page - pool->first]++;
}

void page_pool_give(struct page_pool *pool, const int32_t *pages, int64_t count,
                    int64_t untaken)
{
    CHECK(count >= 0 && untaken >= 0 && untaken <= pool->promised);
    pool->promised -= untaken;
    for (int64_t i = count - 1; i >= 0; i--) {
        int32_t *holders = &pool->holders[pages[i] - pool->first];
        CHECK(*holders > 0);
        if (--*holders == 0)
            pool->free[pool->free_count++] = pages[i];
    }
}
