#include "data_gen/text_set.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text_buffer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void normalise(const char *text, struct text_buffer *out)
{
    bool gap = false;
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (isspace(c)) {
            gap = out->length > 0;
            continue;
        }
        if (gap)
            text_buffer_append_char(out, ' ');
        gap = false;
        text_buffer_append_char(out, (char)(c < 128 ? tolower(c) : c));
    }
    while (out->length && (unsigned char)out->data[out->length - 1] < 128 &&
           !isalnum((unsigned char)out->data[out->length - 1]))
        out->data[--out->length] = '\0';
}

static void key_of(const char *text, uint64_t key[2])
{
    struct text_buffer normal = {0};
    char hex[SHA256_HEX_BYTES];
    char half[17] = {0};
    normalise(text, &normal);
    bytes_sha256(hex, text_buffer_string(&normal), normal.length);
    for (int i = 0; i < 2; i++) {
        memcpy(half, hex + 16 * i, 16);
        key[i] = strtoull(half, NULL, 16);
    }
    text_buffer_release(&normal);
}

static bool slot_insert(struct text_set *set, const uint64_t key[2])
{
    for (size_t i = key[0] & (set->capacity - 1);; i = (i + 1) & (set->capacity - 1)) {
        uint64_t *slot = set->slots[i];
        if (slot[0] == key[0] && slot[1] == key[1])
            return false;
        if (slot[0] == 0 && slot[1] == 0) {
            slot[0] = key[0];
            slot[1] = key[1];
            return true;
        }
    }
}

static void grow(struct text_set *set)
{
    struct text_set larger = {.capacity = set->capacity ? 2 * set->capacity : 1024};
    larger.slots = memory_allocate_array(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i][0] || set->slots[i][1])
            larger.count += slot_insert(&larger, set->slots[i]);
    free(set->slots);
    *set = larger;
}

bool text_set_add(struct text_set *set, const char *text)
{
    uint64_t key[2];
    if (2 * (set->count + 1) > set->capacity)
        grow(set);
    key_of(text, key);
    const bool added = slot_insert(set, key);
    set->count += added;
    return added;
}

void text_set_release(struct text_set *set)
{
    free(set->slots);
    *set = (struct text_set){0};
}
