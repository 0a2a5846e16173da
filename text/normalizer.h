#ifndef HOLDFAST_TEXT_NORMALIZER_H
#define HOLDFAST_TEXT_NORMALIZER_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "text/added_tokens.h"
#include "text/charsmap.h"
#include "text/split_pattern.h"
#include "text/text_place.h"
#include "text/unicode.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What is done to a text before it is cut into words: steps in the order of the file, each
 * with the meaning that it has in Hugging Face `tokenizers`.
 *
 *     FORM        NFC, NFD, NFKC, NFKD
 *     PREPEND     `content` in front of a text that is not empty
 *     REPLACE     every match of a literal or a pattern by `content`
 *     STRIP       white space on the left or right is dropped
 *     LOWERCASE   character by character, without context
 *     CHARSMAP    precompiled rules, grapheme by grapheme ("Precompiled")
 *
 * and one that stands for the whole normaliser of SentencePiece (sentencepiece_normalize):
 *
 *     SENTENCEPIECE   charsmap (longest rule first), extra white space, the space in front
 */
enum normalizer_kind {
    NORMALIZER_FORM,
    NORMALIZER_PREPEND,
    NORMALIZER_REPLACE,
    NORMALIZER_STRIP,
    NORMALIZER_LOWERCASE,
    NORMALIZER_CHARSMAP,
    NORMALIZER_SENTENCEPIECE
};

/* NormalizerSpec of sentencepiece_model.proto, and what else its normaliser looks at. */
struct sentencepiece_rules {
    bool add_dummy_prefix;
    bool remove_extra_whitespaces;
    bool escape_whitespaces;                 /* space becomes U+2581 */
    bool treat_whitespace_as_suffix;         /* the dummy goes behind */
    bool prefix_first_only;                  /* no dummy after added tokens */
    const struct added_tokens *user_defined; /* left as they are; borrowed, may be NULL */
};

struct normalizer_step {
    enum normalizer_kind kind;
    enum unicode_form form;
    char *literal; /* owned; what REPLACE looks for, NULL: `pattern` */
    size_t literal_bytes;
    struct split_pattern *pattern; /* owned */
    char *content;                 /* owned */
    size_t content_bytes;
    bool strip_left;
    bool strip_right;
    struct charsmap charsmap; /* owned */
    struct sentencepiece_rules rules;
};

struct normalizer {
    struct normalizer_step *steps;
    size_t count;
    size_t capacity;
};

/* Takes over what the step owns. */
void normalizer_add(struct normalizer *normalizer, struct normalizer_step step);
void normalizer_step_release(struct normalizer_step *step);
void normalizer_release(struct normalizer *normalizer);

/* Appends the normal form of valid UTF-8. In TEXT_INSIDE nothing is put in front. */
void normalizer_run(const struct normalizer *normalizer, const char *text, size_t bytes,
                    enum text_place place, struct text_buffer *out);

/* sentencepiece_normalizer.c: Normalizer::Normalize of SentencePiece. */
void sentencepiece_normalize(const struct normalizer_step *step, const char *text,
                             size_t bytes, enum text_place place, struct text_buffer *out);

#endif
