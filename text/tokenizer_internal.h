#ifndef HOLDFAST_TEXT_TOKENIZER_INTERNAL_H
#define HOLDFAST_TEXT_TOKENIZER_INTERNAL_H

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

/* What tokenizer_json.c builds and tokenizer.c uses. */
struct tokenizer {
    struct vocabulary vocabulary;
    struct bpe bpe;
    struct pretokenizer *pretokenizer;
    enum unicode_form *forms; /* the normalizer, step by step */
    size_t form_count;
    size_t form_capacity;
    struct added_tokens added_raw;        /* looked for in the text as it is */
    struct added_tokens added_normalized; /* looked for in the normalised text */
    struct string_table added_by_content; /* content to id */
    struct token_list prefix;             /* what the post-processor puts in front … */
    struct token_list suffix;             /* … and behind */
    struct text_buffer warnings;
};

/*
 * Parsing. Messages name the place in the file, "model.merges[3]: …"; tokenizer_parse()
 * puts the file's name in front. `error` is not NULL here.
 */
enum { TOKENIZER_WHERE_BYTES = 200 };
void tokenizer_where(char where[TOKENIZER_WHERE_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum status tokenizer_parse_model(struct tokenizer *tokenizer, const cJSON *json,
                                  struct error *error);
enum status tokenizer_parse_pretokenizer(struct tokenizer *tokenizer, const cJSON *json,
                                         struct error *error);

/* Lists the words that are one token; when the vocabulary is complete. */
void tokenizer_index_words(struct tokenizer *tokenizer, bool ignore_merges);

/* Appends the text in the normal form of the file. */
void tokenizer_normalize(const struct tokenizer *tokenizer, const char *text, size_t bytes,
                         struct text_buffer *out);

/* The `type` of a part; fails if it is absent or no string. */
enum status tokenizer_part_type(const cJSON *json, const char **type, const char *where,
                                struct error *error);

#endif
