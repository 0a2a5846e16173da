#ifndef HOLDFAST_TEXT_DECODER_H
#define HOLDFAST_TEXT_DECODER_H

#include "base/text_buffer.h"
#include "text/split_pattern.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * From the spellings of tokens to text: a chain over a list of strings, which are joined
 * at the end. Each step means what it means in Hugging Face `tokenizers`.
 *
 *     BYTE_LEVEL      characters of GPT-2's alphabet back to bytes; one string comes out
 *     REPLACE         in every string, matches of a literal or pattern by `content`
 *     BYTE_FALLBACK   runs of "<0x0A>" to their bytes; U+FFFD for each where the run is
 *                     not UTF-8
 *     FUSE            one string
 *     STRIP           up to `left` and `right` times the character `content`, in every one
 *     METASPACE       the character `content` becomes a space; with `left`, it is dropped
 *                     from the first string
 */
enum decoder_kind {
    DECODER_BYTE_LEVEL,
    DECODER_REPLACE,
    DECODER_BYTE_FALLBACK,
    DECODER_FUSE,
    DECODER_STRIP,
    DECODER_METASPACE
};

struct decoder_step {
    enum decoder_kind kind;
    char *literal; /* owned; NULL: `pattern` */
    struct split_pattern *pattern;
    char *content; /* owned */
    size_t left;
    size_t right;
};

struct decoder {
    struct decoder_step *steps;
    size_t count;
    size_t capacity;
};

/* Takes over what the step owns. */
void decoder_add(struct decoder *decoder, struct decoder_step step);
void decoder_step_release(struct decoder_step *step);
void decoder_release(struct decoder *decoder);

/* Whether the chain is ByteLevel and nothing else. */
bool decoder_is_byte_level(const struct decoder *decoder);

/* Strings behind each other: string i ends at ends[i]. */
struct token_strings {
    struct text_buffer bytes;
    size_t *ends;
    size_t count;
    size_t capacity;
};
void token_strings_end(
    struct token_strings *list); /* what was appended since is a string */
void token_strings_clear(struct token_strings *list);
void token_strings_release(struct token_strings *list);
size_t token_strings_start(const struct token_strings *list, size_t index);

/* Runs the chain over the list, using it up, and appends the joined strings. Valid UTF-8
 * in, valid UTF-8 out. */
void decoder_run(const struct decoder *decoder, struct token_strings *list,
                 struct text_buffer *out);

/* The byte that "<0x0A>" spells, -1 if it is no such token. */
int byte_token_value(const char *spelling, size_t bytes);

#endif
