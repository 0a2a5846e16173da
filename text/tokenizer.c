#include "text/tokenizer.h"

#include "base/memory.h"
#include "text/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

void token_list_append(struct token_list *list, int32_t id)
{
    if (list->count == list->capacity)
        array_reserve(list->ids, list->capacity, list->count + 1);
    list->ids[list->count++] = id;
}

void token_list_release(struct token_list *list)
{
    free(list->ids);
    *list = (struct token_list){0};
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    vocabulary_release(&tokenizer->vocabulary);
    bpe_release(&tokenizer->bpe);
    unigram_release(&tokenizer->unigram);
    pretokenizer_free(tokenizer->pretokenizer);
    normalizer_release(&tokenizer->normalizer);
    decoder_release(&tokenizer->decoder);
    added_tokens_release(&tokenizer->added_raw);
    added_tokens_release(&tokenizer->added_normalized);
    string_table_release(&tokenizer->added_by_content);
    token_list_release(&tokenizer->prefix);
    token_list_release(&tokenizer->suffix);
    text_buffer_release(&tokenizer->warnings);
    free(tokenizer->piece_types);
    free(tokenizer->unknown_surface);
    added_tokens_release(&tokenizer->user_defined);
    free(tokenizer);
}

int64_t tokenizer_vocabulary_count(const struct tokenizer *tokenizer)
{
    return (int64_t)tokenizer->vocabulary.count;
}

enum status tokenizer_check_rows(const struct tokenizer *tokenizer, int64_t rows,
                                 const char *directory, struct error *error)
{
    const int64_t ids = tokenizer_vocabulary_count(tokenizer);
    if (ids <= rows)
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "%s: the tokenizer has %lld ids, the model's embedding only %lld: "
                     "take both from the same model",
                     directory, (long long)ids, (long long)rows);
}

int32_t tokenizer_token_id(const struct tokenizer *tokenizer, const char *token)
{
    const struct string_entry *entry =
        string_table_find(&tokenizer->added_by_content, token, strlen(token));
    return entry ? entry->value : -1;
}

bool tokenizer_token_is_special(const struct tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && (size_t)id < tokenizer->vocabulary.count &&
           tokenizer->vocabulary.tokens[id].special;
}

const char *tokenizer_token_text(const struct tokenizer *tokenizer, int32_t id)
{
    if (id < 0 || (size_t)id >= tokenizer->vocabulary.count)
        return NULL;
    return tokenizer->vocabulary.tokens[id].spelling;
}

const char *tokenizer_warnings(const struct tokenizer *tokenizer)
{
    return text_buffer_string(&tokenizer->warnings);
}

void tokenizer_normalize(const struct tokenizer *tokenizer, const char *text, size_t bytes,
                         enum text_place place, struct text_buffer *out)
{
    normalizer_run(&tokenizer->normalizer, text, bytes, place, out);
}

struct encoding {
    const struct tokenizer *tokenizer;
    bool special_is_text;
    bool plain; /* added tokens are not looked for */
    struct token_list *ids;
};

static void encode_word(void *context, const char *word, size_t bytes)
{
    const struct encoding *encoding = context;
    if (encoding->tokenizer->model == TOKENIZER_UNIGRAM)
        unigram_encode(&encoding->tokenizer->unigram, word, bytes, encoding->ids);
    else
        bpe_encode(&encoding->tokenizer->bpe, word, bytes, encoding->ids);
}

static void encode_words(struct encoding *encoding, const char *text, size_t bytes,
                         enum text_place place)
{
    pretokenizer_run(encoding->tokenizer->pretokenizer, text, bytes, place, encode_word,
                     encoding);
}

typedef void encode_stretch(struct encoding *encoding, const char *text, size_t bytes,
                            enum text_place place);

/* Added tokens become their ids; what lies between them goes to `inner`. */
static void encode_around(struct encoding *encoding, const struct added_tokens *tokens,
                          const char *text, size_t bytes, enum text_place place,
                          encode_stretch *inner)
{
    if (encoding->plain || tokens->count == 0) {
        if (bytes > 0)
            inner(encoding, text, bytes, place);
        return;
    }
    struct added_scan scan = {.tokens = tokens,
                              .text = text,
                              .bytes = bytes,
                              .special_is_text = encoding->special_is_text};
    struct added_span span;
    while (added_scan_next(&scan, &span)) {
        if (span.id >= 0)
            token_list_append(encoding->ids, span.id);
        else
            inner(encoding, text + span.start, span.end - span.start,
                  span.start == 0 ? place : TEXT_AFTER_TOKEN);
    }
}

static void encode_normalized(struct encoding *encoding, const char *text, size_t bytes,
                              enum text_place place)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    struct text_buffer form = {0};
    if (tokenizer->normalizer.count > 0) {
        tokenizer_normalize(tokenizer, text, bytes, place, &form);
        text = text_buffer_string(&form);
        bytes = form.length;
    }
    encode_around(encoding, &tokenizer->added_normalized, text, bytes, place, encode_words);
    text_buffer_release(&form);
}

static void append_list(struct token_list *ids, const struct token_list *more)
{
    for (size_t i = 0; i < more->count; i++)
        token_list_append(ids, more->ids[i]);
}

static enum text_place place_of(unsigned flags)
{
    if (flags & ENCODE_INSIDE)
        return TEXT_INSIDE;
    return flags & ENCODE_AFTER_TOKEN ? TEXT_AFTER_TOKEN : TEXT_FIRST;
}

void tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t bytes,
                      unsigned flags, struct token_list *ids)
{
    struct encoding encoding = {.tokenizer = tokenizer,
                                .special_is_text = !(flags & ENCODE_SPECIAL),
                                .plain = (flags & ENCODE_PLAIN) != 0,
                                .ids = ids};
    struct text_buffer repaired = {0};
    if (!utf8_is_valid(text, bytes)) {
        utf8_append_repaired(&repaired, text, bytes);
        text = repaired.data;
        bytes = repaired.length;
    }
    if (flags & ENCODE_ADD_BOS)
        append_list(ids, &tokenizer->prefix);
    encode_around(&encoding, &tokenizer->added_raw, text, bytes, place_of(flags),
                  encode_normalized);
    if (flags & ENCODE_ADD_BOS)
        append_list(ids, &tokenizer->suffix);
    text_buffer_release(&repaired);
}

static bool is_left_out(const struct tokenizer *tokenizer, int32_t id, bool keep_special)
{
    CHECK(id >= 0 && (size_t)id < tokenizer->vocabulary.count);
    return !keep_special && tokenizer->vocabulary.tokens[id].special;
}

static void decode_byte_level(const struct tokenizer *tokenizer, const int32_t *ids,
                              size_t count, bool keep_special, struct text_buffer *text)
{
    struct text_buffer raw = {0};
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        if (is_left_out(tokenizer, ids[i], keep_special))
            continue;
        const char *token = vocabulary_bytes(&tokenizer->vocabulary, ids[i], &bytes);
        text_buffer_append_bytes(&raw, token, bytes);
    }
    utf8_append_repaired(text, text_buffer_string(&raw), raw.length);
    text_buffer_release(&raw);
}

static void decode_chain(const struct tokenizer *tokenizer, const int32_t *ids,
                         size_t count, bool keep_special, struct text_buffer *text)
{
    struct token_strings list = {0};
    for (size_t i = 0; i < count; i++) {
        if (is_left_out(tokenizer, ids[i], keep_special))
            continue;
        text_buffer_append(&list.bytes, tokenizer->vocabulary.tokens[ids[i]].spelling);
        token_strings_end(&list);
    }
    decoder_run(&tokenizer->decoder, &list, text);
    token_strings_release(&list);
}

void tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                      bool keep_special, struct text_buffer *text)
{
    if (tokenizer->piece_types)
        tokenizer_decode_pieces(tokenizer, ids, count, keep_special, text);
    else if (decoder_is_byte_level(&tokenizer->decoder))
        decode_byte_level(tokenizer, ids, count, keep_special, text);
    else
        decode_chain(tokenizer, ids, count, keep_special, text);
}
