#ifndef HOLDFAST_TEXT_JINJA_POOL_H
#define HOLDFAST_TEXT_JINJA_POOL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The memory and the work of one rendering: many small allocations that live and end
 * together, and a count of steps. Past its limits the pool still gives, but says
 * `exhausted` from then on: whoever works in a loop stops when it sees it.
 */
struct jinja_block;

struct jinja_pool {
    struct jinja_block *blocks;
    size_t block_used;
    size_t block_bytes;
    size_t used_bytes; /* of all blocks */
    size_t limit_bytes;
    size_t steps;
    size_t limit_steps;
    bool exhausted;
};

void *jinja_pool_allocate(struct jinja_pool *pool,
                          size_t bytes); /* zeroed, aligned to 16 */
void *jinja_pool_array(struct jinja_pool *pool, size_t count, size_t bytes_each);
char *jinja_pool_copy(struct jinja_pool *pool, const char *bytes, size_t count); /* + NUL */
void jinja_pool_charge(struct jinja_pool *pool, size_t steps);
void jinja_pool_release(struct jinja_pool *pool);

#endif
