#ifndef HOLDFAST_MODEL_PAGE_POOL_H
#define HOLDFAST_MODEL_PAGE_POOL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Which pages of a KV cache are free. A sequence is first promised as many as it can ever
 * need, and then takes them one by one as it grows: a promise is always kept, so that no
 * running sequence has to wait or to be thrown out for another. Sequences that begin alike
 * share pages: each has a number of holders, and is free again when the last one gives it.
 *
 *     |  taken  |       free        |
 *               | promised |        |   the next promise comes out of the rest
 *
 * Invariant: 0 <= promised <= free_count.
 */
struct page_pool {
    int32_t *free;    /* a stack, [count]; borrowed */
    int32_t *holders; /* of page first + i, [count]; likewise */
    int32_t first;
    int64_t free_count;
    int64_t promised;
};

/* All pages [first, first + count) are free; `memory` holds 2 count numbers. */
void page_pool_init(struct page_pool *pool, int32_t *memory, int32_t first, int64_t count);
/* Pages that can still be promised. */
int64_t page_pool_room(const struct page_pool *pool);
/* False, and nothing promised, if there are not as many. */
bool page_pool_promise(struct page_pool *pool, int64_t count);
/* Takes one that was promised. */
int32_t page_pool_take(struct page_pool *pool);
/* One more sequence holds a page that another one has taken. */
void page_pool_share(struct page_pool *pool, int32_t page);
/* One holder gives `count` pages back, and a promise of which `untaken` are left. */
void page_pool_give(struct page_pool *pool, const int32_t *pages, int64_t count,
                    int64_t untaken);

#endif
