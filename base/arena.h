#ifndef HOLDFAST_BASE_ARENA_H
#define HOLDFAST_BASE_ARENA_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Plan, reserve once, free once. One function lays a structure out; it runs twice:
 *
 *     struct arena arena = {0};             // no base: only measures
 *     adamw_place(&adamw, &arena);
 *     if (arena_reserve(&arena, &error))    // one allocation of what was measured
 *         goto fail;
 *     adamw_place(&adamw, &arena);          // now the pointers are real
 *     …
 *     arena_release(&arena);
 *
 *     base                          base + used          base + bytes
 *      |  pushed | pushed | pad | …  |      free           |
 *
 * Every push is aligned to ARENA_ALIGNMENT. An overflow of size_t is sticky and
 * reported by arena_reserve(); pushing past the reservation is a bug (CHECK).
 */
enum { ARENA_ALIGNMENT = 64 };

struct arena {
    unsigned char *base; /* NULL while measuring */
    size_t used;
    size_t bytes; /* reserved */
    bool overflow;
};

/* `bytes` of zeroed memory, or NULL while measuring. */
void *arena_push(struct arena *arena, size_t bytes);

/* As arena_push() for count x bytes_each, checking the product. */
void *arena_push_array(struct arena *arena, size_t count, size_t bytes_each);

/* Allocates what was measured (zeroed), and rewinds to the start. */
enum status arena_reserve(struct arena *arena, struct error *error);

/* Forgets what was pushed since `used` was `mark`; the memory is not zeroed again. */
void arena_rewind(struct arena *arena, size_t mark);

void arena_release(struct arena *arena);

#endif
