#ifndef HOLDFAST_BASE_JSON_STRING_H
#define HOLDFAST_BASE_JSON_STRING_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a string of checked JSON says, given what stands between its quotes; the caller
 * frees. As json_parse() gives it: \u0000, which would end it, becomes U+FFFD.
 */
char *json_string_text(const char *bytes, size_t count);

/*
 * Where strings of JSON stop, found 64 bytes at a time: at '"', at a byte below 0x20, at a
 * wrong escape, and at a \u that needs a look (NUL, a half of a surrogate pair). All
 * other escapes are checked and passed over here. A block is examined once, however many
 * strings it holds, and rare escapes are checked together when their string has ended: it
 * cannot be foreseen where they stand, and a look at each would hold the blocks up. Idea:
 * Langdale & Lemire 2019, arXiv:1902.08318, section 3.1.
 */
enum { JSON_BLOCK_BYTES = 64 };
struct json_block {
    size_t begin;     /* in the text, a multiple of 64 */
    size_t next;      /* begin + 64; 0: nothing was examined yet */
    uint64_t stops;   /* bit i: a string that reaches byte i stops there, at the latest */
    uint64_t escaped; /* bit i: byte i is the second of an escape */
    uint64_t rare;    /* those of them that were not checked yet */
    uint64_t carry;   /* 1: the first byte of the next block is the second of an escape */
};

/* As json_string_stop(), also where the stop is not in the block at hand. */
size_t json_string_stop_far(struct json_block *block, const char *bytes, size_t count,
                            size_t at);
/* The same for any processor, where that one chooses; for tests. */
size_t json_string_stop_baseline(struct json_block *block, const char *bytes, size_t count,
                                 size_t at);

/* Where the first stop of those `ahead` of `at` begins: an escape does at its '\\'. */
static inline size_t json_block_stop(const struct json_block *block, size_t at,
                                     uint64_t ahead)
{
    const size_t stop = at + (size_t)__builtin_ctzll(ahead);
    return stop - (block->escaped >> (stop - block->begin) & 1);
}

/*
 * The first stop at or behind `at`, which lies in a string of bytes[count] and not within
 * an escape; `count` if there is none. The block is zeroed before the first call, and the
 * text is gone through in order.
 */
static inline size_t json_string_stop(struct json_block *block, const char *bytes,
                                      size_t count, size_t at)
{
    if (at < block->next && at >= block->begin) {
        const uint64_t ahead = block->stops >> (at - block->begin);
        if (ahead && !(block->rare >> (at - block->begin)))
            return json_block_stop(block, at, ahead);
    }
    return json_string_stop_far(block, bytes, count, at);
}

#endif
