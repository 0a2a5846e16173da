#ifndef HOLDFAST_BASE_MEMORY_H
#define HOLDFAST_BASE_MEMORY_H

#include <stddef.h>

/*
 * Heap for small things: these never return NULL. Running out of memory for a few
 * bytes ends the program with a clear line; big buffers (tensors, batches) come from
 * an arena, whose reservation reports failure as a status.
 */
void *memory_allocate(size_t bytes);                          /* zeroed */
void *memory_allocate_array(size_t count, size_t bytes_each); /* zeroed, overflow checked */
void *memory_resize_array(void *pointer, size_t count, size_t bytes_each);
char *memory_duplicate_string(const char *text); /* NULL gives NULL */
void memory_free_text(const char *text); /* frees an owned string behind a const pointer */
char *memory_duplicate_bytes(const char *bytes, size_t count); /* adds a NUL */

/*
 * Grows `items` (element type inferred) so that it can hold `needed` elements:
 * capacity doubles, so that appending costs amortised constant time.
 */
#define array_reserve(items, capacity, needed)                                             \
    ((items) = array_grow((items), &(capacity), (size_t)(needed), sizeof *(items)))
void *array_grow(void *items, size_t *capacity, size_t needed, size_t bytes_each);

#endif
