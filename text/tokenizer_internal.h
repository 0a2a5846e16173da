#ifndef HOLDFAST_TEXT_TOKENIZER_INTERNAL_H
#define HOLDFAST_TEXT_TOKENIZER_INTERNAL_H

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/unigram.h"
#include "text/vocabulary.h"

enum tokenizer_model { TOKENIZER_BPE, TOKENIZER_UNIGRAM };

/* What the readers of tokenizer.json and tokenizer.model build and tokenizer.c uses. */
struct tokenizer {
    struct vocabulary vocabulary;
    enum tokenizer_model model;
    struct bpe bpe;
    struct unigram unigram;
    struct pretokenizer *pretokenizer;
    struct normalizer normalizer;
    struct decoder decoder;
    struct added_tokens added_raw;        /* looked for in the text as it is */
    struct added_tokens added_normalized; /* looked for in the normalised text */
    struct string_table added_by_content; /* content to id */
    struct token_list prefix;             /* what the post-processor puts in front … */
    struct token_list suffix;             /* … and behind */
    struct text_buffer warnings;

    /* Of tokenizer.model only. */
    unsigned char *piece_types; /* enum piece_type by id; NULL: decode with `decoder` */
    size_t piece_count;
    char *unknown_surface;
    bool drops_first_space; /* decoding takes the dummy prefix back … */
    bool drops_all_space;   /* … or all white space at the start */
    struct added_tokens user_defined;
};

/*
 * Parsing. Messages name the place in the file, "model.merges[3]: …"; tokenizer_parse()
 * puts the file's name in front. `error` is not NULL here.
 */
enum { TOKENIZER_WHERE_BYTES = 200 };
void tokenizer_where(char where[TOKENIZER_WHERE_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The parts of tokenizer.json, each in its own file. */
enum status tokenizer_parse_model(struct tokenizer *tokenizer, const cJSON *json,
                                  struct error *error);
enum status tokenizer_parse_unigram(struct tokenizer *tokenizer, const cJSON *json,
                                    const char *where, struct error *error);
enum status tokenizer_parse_normalizer(struct tokenizer *tokenizer, const cJSON *json,
                                       struct error *error);
enum status tokenizer_parse_pretokenizer(struct tokenizer *tokenizer, const cJSON *json,
                                         struct error *error);
enum status tokenizer_parse_processor(struct tokenizer *tokenizer, const cJSON *json,
                                      struct error *error);
enum status tokenizer_parse_decoder(struct tokenizer *tokenizer, const cJSON *json,
                                    struct error *error);

/* One added token. `id`: where the object does not hold it itself, else -1. */
enum status tokenizer_parse_added(struct tokenizer *tokenizer, const cJSON *json,
                                  int64_t id, const char *where, struct error *error);
/* "added_tokens" */
enum status tokenizer_parse_added_list(struct tokenizer *tokenizer, const cJSON *json,
                                       struct error *error);
enum status tokenizer_list_added(struct tokenizer *tokenizer, const char *content,
                                 struct added_token token, bool normalized,
                                 const char *where, struct error *error);

/* When all is parsed: whether model and pre-tokenizer fit, look-up tables, warnings. */
enum status tokenizer_index(struct tokenizer *tokenizer, const cJSON *model,
                            struct error *error);
void tokenizer_index_words(struct tokenizer *tokenizer, bool ignore_merges);
void tokenizer_index_cuts(struct tokenizer *tokenizer);
enum status tokenizer_check_ids(const struct tokenizer *tokenizer, struct error *error);
void tokenizer_warn(struct tokenizer *tokenizer, const char *words);

/* A git-LFS pointer in place of the file: an error that says so. */
enum status tokenizer_refuse_pointer(const char *data, size_t bytes, const char *where,
                                     struct error *error);

/* A number that is whole and 0 to 1e9. */
bool tokenizer_whole_number(const cJSON *value, int64_t *out);

/* {"Regex": …} or {"String": …} under "pattern"; *literal tells which. */
enum status tokenizer_parse_pattern(const cJSON *json, const char **source, bool *literal,
                                    const char *where, struct error *error);
/* A "Replace" of a normalizer or decoder: *literal, or else *pattern, is looked for, and
 * *content put in its place. The caller owns what is set, also after an error. */
enum status tokenizer_parse_replace(const cJSON *json, char **literal,
                                    struct split_pattern **pattern, char **content,
                                    const char *where, struct error *error);

/* Appends the text in the normal form of the file. */
void tokenizer_normalize(const struct tokenizer *tokenizer, const char *text, size_t bytes,
                         enum text_place place, struct text_buffer *out);

/* The `type` of a part; fails if it is absent or no string. */
enum status tokenizer_part_type(const cJSON *json, const char **type, const char *where,
                                struct error *error);

/* One part, or the parts of a Sequence, whose array is called `key`. */
typedef enum status tokenizer_step(struct tokenizer *tokenizer, const cJSON *json,
                                   const char *type, const char *where,
                                   struct error *error);
enum status tokenizer_parse_steps(struct tokenizer *tokenizer, const cJSON *json,
                                  const char *key, tokenizer_step *step, const char *where,
                                  struct error *error);

/* sentencepiece_decoder.c: decoding as SentencePiece does. */
void tokenizer_decode_pieces(const struct tokenizer *tokenizer, const int32_t *ids,
                             size_t count, bool keep_special, struct text_buffer *text);

#endif
