#include "base/repeated_string.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRWISE_MAXIMUM = 16 };

static size_t repeated_pairwise(const char *const *strings, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(strings[i], strings[j]) == 0)
                return i;
    return count;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

/* Open addressing; a slot holds an index + 1, or 0. */
static bool is_new(size_t *slots, size_t mask, const char *const *strings, size_t index)
{
    size_t at = (size_t)hash_of(strings[index]) & mask;
    for (; slots[at]; at = (at + 1) & mask)
        if (strcmp(strings[slots[at] - 1], strings[index]) == 0)
            return false;
    slots[at] = index + 1;
    return true;
}

size_t repeated_string(const char *const *strings, size_t count)
{
    if (count <= PAIRWISE_MAXIMUM)
        return repeated_pairwise(strings, count);
    size_t capacity = 4 * PAIRWISE_MAXIMUM;
    while (capacity / 2 < count)
        capacity *= 2;
    size_t *slots = memory_allocate_array(capacity, sizeof *slots);
    size_t i = 0;
    while (i < count && is_new(slots, capacity - 1, strings, i))
        i++;
    free(slots);
    return i;
}
