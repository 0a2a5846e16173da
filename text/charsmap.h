#ifndef HOLDFAST_TEXT_CHARSMAP_H
#define HOLDFAST_TEXT_CHARSMAP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SentencePiece's precompiled normalisation rules ("precompiled_charsmap"), little-endian:
 *
 *     uint32              bytes of the trie
 *     uint32[…]           a double array as darts-clone writes it (BSD): keys are what is
 *                         replaced, values are offsets into the strings behind
 *     strings             what it is replaced by, each ended by NUL
 *
 * A unit of the double array: bits 0-7 the label (bit 31 too: set in leaves), bit 8 "has a
 * leaf", bits 10-31 the offset, shifted left by 8 more if bit 9 is set.
 */
struct charsmap {
    uint32_t *units; /* owned */
    size_t unit_count;
    char *strings; /* owned, ended by one more NUL */
    size_t strings_bytes;
};

/* Fails with STATUS_FORMAT on lengths that contradict each other and on strings that are
 * not UTF-8. Empty bytes are an empty map. */
enum status charsmap_parse(struct charsmap *map, const void *data, size_t bytes,
                           struct error *error);
void charsmap_release(struct charsmap *map);

/*
 * The replacement of a prefix of the text: the longest key, or the shortest (`tokenizers`
 * takes the first that it meets). Returns the bytes of the key, 0 if none is a prefix.
 */
size_t charsmap_find(const struct charsmap *map, const char *text, size_t bytes,
                     bool longest, const char **replacement);

#endif
