#ifndef HOLDFAST_TEXT_VOCABULARY_H
#define HOLDFAST_TEXT_VOCABULARY_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "text/string_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Far above every model; keeps a hostile id from asking for gigabytes. */
enum { VOCABULARY_LIMIT = 1 << 22 };

/*
 * The tokens of a model by id: how each is spelled in the file, and which bytes it stands
 * for. A spelling that is not made of the byte-level alphabet stands for itself, as in the
 * ByteLevel decoder of `tokenizers`. Only tokenizers with that decoder or at byte level
 * have bytes.
 */
struct vocabulary_token {
    const char *spelling; /* borrowed from `by_spelling`; NULL: no such id */
    size_t bytes_offset;  /* into `bytes` */
    uint32_t bytes_count;
    bool special;
    bool not_text; /* the model never makes it from text: an added token, a byte, … */
};

struct vocabulary {
    struct vocabulary_token *tokens;
    size_t count; /* largest id + 1 */
    size_t capacity;
    struct string_table by_spelling; /* to id */
    struct text_buffer bytes;
};

void vocabulary_release(struct vocabulary *vocabulary);

/* Adds a token. Fails on an id or spelling that is there, and on one that is no UTF-8. */
enum status vocabulary_add(struct vocabulary *vocabulary, const char *spelling, int32_t id,
                           struct error *error);

/* The id of a spelling, -1 if there is none. */
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *spelling,
                        size_t bytes);

/* The smallest id without a token, -1 if there is none. */
int32_t vocabulary_first_gap(const struct vocabulary *vocabulary);

/* Works out the bytes of all tokens at byte level; nothing may be added after. */
void vocabulary_finish(struct vocabulary *vocabulary);
const char *vocabulary_bytes(const struct vocabulary *vocabulary, int32_t id,
                             size_t *count);

#endif
