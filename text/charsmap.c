#include "text/charsmap.h"

#include "base/memory.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

static uint32_t little_endian(const unsigned char *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 |
           (uint32_t)in[3] << 24;
}

enum status charsmap_parse(struct charsmap *map, const void *data, size_t bytes,
                           struct error *error)
{
    const unsigned char *in = data;
    *map = (struct charsmap){0};
    if (bytes == 0)
        return STATUS_OK;
    const size_t trie_bytes = bytes > 4 ? little_endian(in) : 0;
    if (bytes <= 4 || trie_bytes >= bytes - 4 || trie_bytes % 4 != 0 || trie_bytes == 0)
        return error_set(error, STATUS_FORMAT,
                         "precompiled_charsmap: %zu bytes do not hold a trie of %zu", bytes,
                         trie_bytes);
    const unsigned char *strings = in + 4 + trie_bytes;
    const size_t strings_bytes = bytes - 4 - trie_bytes;
    if (!utf8_is_valid((const char *)strings, strings_bytes))
        return error_set(error, STATUS_FORMAT,
                         "precompiled_charsmap: its strings are not UTF-8");
    map->unit_count = trie_bytes / 4;
    map->units = memory_allocate_array(map->unit_count, sizeof *map->units);
    for (size_t i = 0; i < map->unit_count; i++)
        map->units[i] = little_endian(in + 4 + 4 * i);
    map->strings = memory_duplicate_bytes((const char *)strings, strings_bytes);
    map->strings_bytes = strings_bytes;
    return STATUS_OK;
}

void charsmap_release(struct charsmap *map)
{
    free(map->units);
    free(map->strings);
    *map = (struct charsmap){0};
}

static size_t unit_offset(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

/* The string of a leaf; false where the file points outside itself. */
static bool leaf_string(const struct charsmap *map, size_t leaf, const char **string)
{
    if (leaf >= map->unit_count)
        return false;
    const size_t offset = map->units[leaf] & 0x7FFFFFFF;
    if (offset > map->strings_bytes || ((unsigned char)map->strings[offset] & 0xC0) == 0x80)
        return false;
    *string = map->strings + offset;
    return true;
}

size_t charsmap_find(const struct charsmap *map, const char *text, size_t bytes,
                     bool longest, const char **replacement)
{
    size_t found = 0;
    if (map->unit_count == 0)
        return 0;
    size_t node = unit_offset(map->units[0]);
    for (size_t i = 0; i < bytes && text[i]; i++) {
        const unsigned char label = (unsigned char)text[i];
        node ^= label;
        if (node >= map->unit_count)
            break;
        const uint32_t unit = map->units[node];
        if ((unit & 0x800000FF) != label)
            break;
        node ^= unit_offset(unit);
        if (!(unit & 0x100) || !leaf_string(map, node, replacement))
            continue;
        found = i + 1;
        if (!longest)
            break;
    }
    return found;
}
