#ifndef HOLDFAST_TEXT_BPE_H
#define HOLDFAST_TEXT_BPE_H

#include "text/string_table.h"
#include "text/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Byte-pair encoding of one word: its bytes become tokens, then the neighbours whose merge
 * has the lowest rank become one token (of equal ones the leftmost), until none has a rank.
 * Short words scan for the lowest rank; long ones keep a heap over a linked list, so
 * that n bytes take O(n log n).
 *
 * Most words are one token. bpe_index_word() lists those, found when the file is
 * read, so that encoding them is one look-up; the struct stays immutable while encoding.
 */
struct bpe_merge {
    uint64_t pair; /* left id << 32 | right id; all ones: free */
    uint32_t rank;
    int32_t id; /* of the merged token */
};

struct bpe {
    int32_t byte_ids[256];    /* -1: the vocabulary lacks the byte */
    int32_t unknown_id;       /* stands for such a byte; -1: it is dropped */
    bool fuse_unknown;        /* a run of such bytes is one unknown token */
    struct bpe_merge *merges; /* open addressing */
    size_t merge_capacity;    /* a power of two */
    struct string_table words;
};

void bpe_init(struct bpe *bpe, size_t merge_count);
void bpe_release(struct bpe *bpe);

/* A merge that is listed again takes the later rank. */
void bpe_add_merge(struct bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id);

/* From now on the word of these bytes is this token. */
void bpe_index_word(struct bpe *bpe, const char *word, size_t bytes, int32_t id);

/* Appends the ids of a word. */
void bpe_encode(const struct bpe *bpe, const char *word, size_t bytes,
                struct token_list *ids);

#endif
