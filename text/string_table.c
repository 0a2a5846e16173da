#include "text/string_table.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 * 1024, CAPACITY_FIRST = 64 };

struct string_chunk {
    struct string_chunk *next;
    size_t used;
    size_t bytes;
    char data[];
};

/* Multiply and fold, eight bytes at a time; only the spread matters, not the attacker. */
static uint32_t string_hash(const char *key, size_t bytes)
{
    const uint64_t multiplier = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = bytes * multiplier;
    while (bytes >= 8) {
        uint64_t part;
        memcpy(&part, key, sizeof part);
        hash = (hash ^ part) * multiplier;
        hash ^= hash >> 29;
        key += 8;
        bytes -= 8;
    }
    uint64_t rest = 0;
    for (size_t i = 0; i < bytes; i++)
        rest |= (uint64_t)(unsigned char)key[i] << (8 * i);
    hash = (hash ^ rest) * multiplier;
    return (uint32_t)(hash >> 32);
}

void string_table_release(struct string_table *table)
{
    while (table->chunks) {
        struct string_chunk *next = table->chunks->next;
        free(table->chunks);
        table->chunks = next;
    }
    free(table->slots);
    *table = (struct string_table){0};
}

/* The slot that holds the key, or the free one where it belongs. */
static struct string_entry *slot_of(const struct string_table *table, const char *key,
                                    size_t bytes, uint32_t hash)
{
    const size_t mask = table->capacity - 1;
    size_t index = hash & mask;
    for (;; index = (index + 1) & mask) {
        struct string_entry *slot = &table->slots[index];
        if (!slot->key)
            return slot;
        if (slot->hash == hash && slot->bytes == bytes && !memcmp(slot->key, key, bytes))
            return slot;
    }
}

struct string_entry *string_table_find(const struct string_table *table, const char *key,
                                       size_t bytes)
{
    if (table->capacity == 0)
        return NULL;
    struct string_entry *slot = slot_of(table, key, bytes, string_hash(key, bytes));
    return slot->key ? slot : NULL;
}

static void grow(struct string_table *table)
{
    const struct string_table old = *table;
    table->capacity = old.capacity ? old.capacity * 2 : CAPACITY_FIRST;
    table->slots = memory_allocate_array(table->capacity, sizeof *table->slots);
    const size_t mask = table->capacity - 1;
    for (size_t i = 0; i < old.capacity; i++) {
        if (!old.slots[i].key)
            continue;
        size_t index = old.slots[i].hash & mask;
        while (table->slots[index].key)
            index = (index + 1) & mask;
        table->slots[index] = old.slots[i];
    }
    free(old.slots);
}

static const char *key_copy(struct string_table *table, const char *key, size_t bytes)
{
    struct string_chunk *chunk = table->chunks;
    if (!chunk || chunk->bytes - chunk->used < bytes + 1) {
        const size_t room = bytes + 1 > CHUNK_BYTES ? bytes + 1 : CHUNK_BYTES;
        chunk = memory_allocate(sizeof *chunk + room);
        chunk->bytes = room;
        chunk->next = table->chunks;
        table->chunks = chunk;
    }
    char *copy = chunk->data + chunk->used;
    memcpy(copy, key, bytes);
    copy[bytes] = '\0';
    chunk->used += bytes + 1;
    return copy;
}

struct string_entry *string_table_add(struct string_table *table, const char *key,
                                      size_t bytes, int32_t value, bool *added)
{
    CHECK(bytes < UINT32_MAX);
    if (table->count >= table->capacity / 2)
        grow(table);
    const uint32_t hash = string_hash(key, bytes);
    struct string_entry *slot = slot_of(table, key, bytes, hash);
    *added = slot->key == NULL;
    if (*added) {
        *slot = (struct string_entry){
            .key = key_copy(table, key, bytes),
            .bytes = (uint32_t)bytes,
            .hash = hash,
            .value = value,
        };
        table->count++;
    }
    return slot;
}
