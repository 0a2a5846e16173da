/* BPE over characters: look-up with byte fallback, and where a text may be cut. */
#include "text/bpe.h"

#include "base/memory.h"
#include "text/unicode.h"

#include <string.h>

/* Bits of the filter of neighbours beyond ASCII, 128 KiB: with the 200,000 pairs of a large
 * vocabulary one cut in six is missed, which costs time only. */
enum { NEIGHBOUR_BITS = 1 << 20 };

/* Bytes of a character of valid UTF-8, by its first byte. */
static size_t character_bytes(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

void bpe_add_character(struct bpe *bpe, const char *character, size_t bytes, int32_t id)
{
    bool added;
    if (bytes == 1)
        bpe->ascii_ids[(unsigned char)character[0] & 0x7F] = id;
    else
        string_table_add(&bpe->characters, character, bytes, id, &added);
}

static int32_t character_id(const struct bpe *bpe, const char *character, size_t bytes)
{
    if (bytes == 1)
        return bpe->ascii_ids[(unsigned char)character[0] & 0x7F];
    const struct string_entry *entry =
        string_table_find(&bpe->characters, character, bytes);
    return entry ? entry->value : -1;
}

/* The bytes of a character; returns how many, 0 if the vocabulary lacks one of them. */
static size_t fallback_tokens(const struct bpe *bpe, const char *character, size_t bytes,
                              int32_t *ids)
{
    if (!bpe->byte_fallback)
        return 0;
    for (size_t i = 0; i < bytes; i++) {
        ids[i] = bpe->byte_ids[(unsigned char)character[i]];
        if (ids[i] < 0)
            return 0;
    }
    return bytes;
}

/* As in `tokenizers`, an unknown token waits until a character is known: the bytes of
 * others between them come first. */
size_t bpe_character_tokens(const struct bpe *bpe, const char *word, size_t bytes,
                            int32_t *ids)
{
    size_t count = 0, taken;
    bool unknown_waits = false;
    for (size_t i = 0; i < bytes; i += taken) {
        taken = character_bytes((unsigned char)word[i]);
        const int32_t id = character_id(bpe, word + i, taken);
        if (id >= 0) {
            if (unknown_waits)
                ids[count++] = bpe->unknown_id;
            unknown_waits = false;
            ids[count++] = id;
            continue;
        }
        const size_t fallback = fallback_tokens(bpe, word + i, taken, ids + count);
        count += fallback;
        if (fallback > 0 || bpe->unknown_id < 0)
            continue;
        if (unknown_waits && !bpe->fuse_unknown)
            ids[count++] = bpe->unknown_id;
        unknown_waits = true;
    }
    if (unknown_waits)
        ids[count++] = bpe->unknown_id;
    return count;
}

void bpe_allow_cuts(struct bpe *bpe)
{
    bpe->neighbours = memory_allocate_array(NEIGHBOUR_BITS / 64, sizeof *bpe->neighbours);
    memset(bpe->ascii_neighbours, 0, sizeof bpe->ascii_neighbours);
}

static size_t neighbour_bit(uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << 32 | right;
    return (size_t)((pair * UINT64_C(0x9E3779B97F4A7C15)) >> 40) & (NEIGHBOUR_BITS - 1);
}

static bool are_neighbours(const struct bpe *bpe, uint32_t left, uint32_t right)
{
    if ((left | right) < 0x80)
        return bpe->ascii_neighbours[left][right >> 6] >> (right & 63) & 1;
    const size_t bit = neighbour_bit(left, right);
    return bpe->neighbours[bit >> 6] >> (bit & 63) & 1;
}

void bpe_note_token(struct bpe *bpe, const char *spelling, size_t bytes)
{
    uint32_t left = 0;
    for (size_t i = 0; i < bytes;) {
        uint32_t right;
        const size_t start = i;
        i += utf8_decode(spelling + i, bytes - i, &right);
        if (start > 0 && (left | right) < 0x80)
            bpe->ascii_neighbours[left][right >> 6] |= UINT64_C(1) << (right & 63);
        else if (start > 0) {
            const size_t bit = neighbour_bit(left, right);
            bpe->neighbours[bit >> 6] |= UINT64_C(1) << (bit & 63);
        }
        left = right;
    }
}

size_t bpe_part_bytes(const struct bpe *bpe, const char *word, size_t bytes)
{
    uint32_t left, right;
    size_t end = utf8_decode(word, bytes, &left);
    while (end < bytes) {
        const size_t taken = utf8_decode(word + end, bytes - end, &right);
        if (!are_neighbours(bpe, left, right))
            break;
        end += taken;
        left = right;
    }
    return end;
}
