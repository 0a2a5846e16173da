#ifndef HOLDFAST_TEXT_PRETOKENIZER_H
#define HOLDFAST_TEXT_PRETOKENIZER_H

#include "base/error.h"

#include "text/text_place.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Cuts a text into the words that the model encodes: a sequence of splits, then ByteLevel
 * (which may put a space in front and split once more by GPT-2's pattern) or Metaspace
 * (spaces become U+2581 or its like, one may be put in front, words start at them), then
 * perhaps more splits. These see what ByteLevel or Metaspace made of the text: behind
 * ByteLevel the characters that stand for bytes, so that they may cut within a character
 * of the text, as Falcon's do.
 * The behaviours are those of Hugging Face `tokenizers`. With text "a-b", pattern "-":
 *
 *     removed [a][b]   isolated [a][-][b]   merged with previous [a-][b]
 *     merged with next [a][-b]   contiguous: as isolated, but runs of matches are one
 */
enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS
};

struct pretokenizer; /* opaque; immutable once built, usable from several threads */

struct pretokenizer *pretokenizer_create(void);
void pretokenizer_free(struct pretokenizer *pretokenizer);

/* Adds a step. `literal`: the pattern is plain text. `invert`: matches are what is kept. */
enum status pretokenizer_add_split(struct pretokenizer *pretokenizer, const char *pattern,
                                   bool literal, enum split_behavior behavior, bool invert,
                                   struct error *error);

/* ByteLevel: nothing but splits may follow. */
enum status pretokenizer_add_byte_level(struct pretokenizer *pretokenizer,
                                        bool add_prefix_space, bool use_regex,
                                        struct error *error);
bool pretokenizer_has_byte_level(const struct pretokenizer *pretokenizer);

/* Metaspace: nothing but splits may follow. `replacement` is one character. FIRST puts it
 * in front of what begins the user's text only; none is put where one stands. */
enum prepend_scheme { PREPEND_FIRST, PREPEND_ALWAYS, PREPEND_NEVER };
void pretokenizer_add_metaspace(struct pretokenizer *pretokenizer, const char *replacement,
                                enum prepend_scheme scheme, bool split);

/* The type of the step that only splits may follow, NULL if there is none yet. */
const char *pretokenizer_end(const struct pretokenizer *pretokenizer);

/* Calls `word` for every word, in order, of `bytes` bytes of valid UTF-8. In
 * TEXT_INSIDE nothing is put in front of the first. The words of ByteLevel are the bytes
 * of the text, not the characters that stand for them. */
typedef void pretokenizer_word(void *context, const char *word, size_t bytes);
void pretokenizer_run(const struct pretokenizer *pretokenizer, const char *text,
                      size_t bytes, enum text_place place, pretokenizer_word *word,
                      void *context);

#endif
