#ifndef HOLDFAST_TEXT_BPE_H
#define HOLDFAST_TEXT_BPE_H

#include "text/string_table.h"
#include "text/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Byte-pair encoding of one word: its bytes or characters become tokens, then the
 * neighbours whose merge has the lowest rank become one token (of equal ones the leftmost),
 * until none has a rank. Short words scan for the lowest rank; long ones keep a heap over
 * a linked list, so that n bytes take O(n log n).
 *
 * Byte level (GPT-2): byte_ids are the tokens of the bytes' characters. Else (SentencePiece
 * type) characters are looked up, and one that the vocabulary lacks becomes its bytes
 * (byte_fallback: byte_ids are those of "<0x0A>") or the unknown token.
 *
 * Most words are one token. bpe_index_word() lists those, found when the file is
 * read, so that encoding them is one look-up; the struct stays immutable while encoding.
 *
 * A word of the second kind may be the whole text. It is cut where two characters meet that
 * meet inside no token: no merge reaches across, so the tokens are the same, and the
 * parts are words that can be looked up. bpe_allow_cuts() says that this may be done.
 */
struct bpe_merge {
    uint64_t pair; /* left id << 32 | right id; all ones: free */
    uint32_t rank;
    int32_t id; /* of the merged token */
};

struct bpe {
    bool byte_level;
    bool byte_fallback;
    int32_t byte_ids[256];          /* -1: the vocabulary lacks the byte */
    int32_t ascii_ids[128];         /* of characters, where they are what is looked up */
    int32_t unknown_id;             /* stands for what is missing; -1: it is dropped */
    bool fuse_unknown;              /* a run of what is missing is one unknown token */
    struct bpe_merge *merges;       /* open addressing */
    size_t merge_capacity;          /* a power of two */
    struct string_table characters; /* beyond ASCII, to id */
    struct string_table words;
    uint64_t *neighbours; /* bits: characters that meet inside a token; NULL: no cuts */
    uint64_t ascii_neighbours[128][2];
};

void bpe_init(struct bpe *bpe, size_t merge_count);
void bpe_release(struct bpe *bpe);

/* A merge that is listed again takes the later rank. */
void bpe_add_merge(struct bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id);

/* From now on the word of these bytes is this token. */
void bpe_index_word(struct bpe *bpe, const char *word, size_t bytes, int32_t id);

/* The token of a single character (not at byte level). */
void bpe_add_character(struct bpe *bpe, const char *character, size_t bytes, int32_t id);

/* Words may be cut; every token is then told, also those that nothing merges to. */
void bpe_allow_cuts(struct bpe *bpe);
void bpe_note_token(struct bpe *bpe, const char *spelling, size_t bytes);

/* Appends the ids of a word. */
void bpe_encode(const struct bpe *bpe, const char *word, size_t bytes,
                struct token_list *ids);

/* bpe_characters.c: the tokens that merging starts from; `ids` has room for `bytes`. */
size_t bpe_character_tokens(const struct bpe *bpe, const char *word, size_t bytes,
                            int32_t *ids);

/* Where the part that starts the word ends. */
size_t bpe_part_bytes(const struct bpe *bpe, const char *word, size_t bytes);

#endif
