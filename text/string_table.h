#ifndef HOLDFAST_TEXT_STRING_TABLE_H
#define HOLDFAST_TEXT_STRING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A hash table from byte strings to numbers, open addressing with linear probing. Keys are
 * copied (with a NUL behind them) into chunks that never move; entries do move when
 * the table grows. An initialised-to-zero struct is an empty table.
 */
struct string_entry {
    const char *key; /* NULL: the slot is free */
    uint32_t bytes;
    uint32_t hash;
    int32_t value;
};

struct string_chunk;

struct string_table {
    struct string_entry *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
    struct string_chunk *chunks;
};

void string_table_release(struct string_table *table);

/* NULL if the key is absent. The entry may be moved by the next addition. */
struct string_entry *string_table_find(const struct string_table *table, const char *key,
                                       size_t bytes);

/* The key's entry; if it was absent, it is added with `value` and *added is true. */
struct string_entry *string_table_add(struct string_table *table, const char *key,
                                      size_t bytes, int32_t value, bool *added);

#endif
