/* The last step of reading: look-up tables, and whether the parts fit each other. */
#include "text/tokenizer_internal.h"

#include "text/byte_level.h"

#include <stdio.h>
#include <string.h>

void tokenizer_warn(struct tokenizer *tokenizer, const char *words)
{
    if (tokenizer->warnings.length)
        text_buffer_append(&tokenizer->warnings, "; ");
    text_buffer_append(&tokenizer->warnings, words);
}

enum status tokenizer_check_ids(const struct tokenizer *tokenizer, struct error *error)
{
    const struct token_list *lists[] = {&tokenizer->prefix, &tokenizer->suffix};
    const int32_t gap = vocabulary_first_gap(&tokenizer->vocabulary);
    if (gap >= 0)
        return error_set(error, STATUS_FORMAT,
                         "model.vocab: no token has id %d, but the largest id is %zu: the "
                         "file is incomplete",
                         gap, tokenizer->vocabulary.count - 1);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if ((size_t)lists[i]->ids[j] >= tokenizer->vocabulary.count)
                return error_set(error, STATUS_FORMAT, "post_processor: no token has id %d",
                                 lists[i]->ids[j]);
    return STATUS_OK;
}

static int32_t find_in_model(const struct vocabulary *vocabulary, const char *spelling,
                             size_t bytes)
{
    const int32_t id = vocabulary_find(vocabulary, spelling, bytes);
    return id >= 0 && vocabulary->tokens[id].not_text ? -1 : id;
}

/* Ids of the characters that stand for bytes; returns how many are missing. */
static int index_byte_characters(struct tokenizer *tokenizer)
{
    int missing = 0;
    for (int byte = 0; byte < 256; byte++) {
        char spelling[UTF8_BYTES_MAXIMUM];
        const size_t bytes =
            utf8_encode(spelling, byte_level_character((unsigned char)byte));
        const int32_t id = find_in_model(&tokenizer->vocabulary, spelling, bytes);
        tokenizer->bpe.byte_ids[byte] = id;
        missing += id < 0;
    }
    return missing;
}

/* Ids of "<0x00>" to "<0xFF>"; returns how many are missing. */
static int index_byte_tokens(struct tokenizer *tokenizer, int32_t ids[256])
{
    int missing = 0;
    for (int byte = 0; byte < 256; byte++) {
        char spelling[8];
        snprintf(spelling, sizeof spelling, "<0x%02X>", (unsigned)byte & 0xFF);
        ids[byte] = vocabulary_find(&tokenizer->vocabulary, spelling, strlen(spelling));
        missing += ids[byte] < 0;
    }
    return missing;
}

static void index_characters(struct tokenizer *tokenizer)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    for (size_t id = 0; id < vocabulary->count; id++) {
        uint32_t code_point;
        const struct vocabulary_token *token = &vocabulary->tokens[id];
        const size_t bytes = strlen(token->spelling);
        if (bytes > 0 && bytes <= UTF8_BYTES_MAXIMUM && !token->special &&
            !token->not_text && utf8_decode(token->spelling, bytes, &code_point) == bytes)
            bpe_add_character(&tokenizer->bpe, token->spelling, bytes, (int32_t)id);
    }
}

/* The text that a token is made from. */
static const char *token_word(const struct tokenizer *tokenizer, size_t id, size_t *bytes)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (tokenizer->bpe.byte_level)
        return vocabulary_bytes(vocabulary, (int32_t)id, bytes);
    *bytes = strlen(vocabulary->tokens[id].spelling);
    return vocabulary->tokens[id].spelling;
}

/* A token whose text encodes to itself; with ignore_merges every one is. Special tokens
 * never are: what a user writes does not become a control token. */
void tokenizer_index_words(struct tokenizer *tokenizer, bool ignore_merges)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    struct token_list ids = {0};
    int reachable = 0;
    for (size_t id = 0; id < vocabulary->count; id++) {
        size_t bytes;
        const char *word = token_word(tokenizer, id, &bytes);
        const bool special = vocabulary->tokens[id].special;
        if (vocabulary->tokens[id].not_text || bytes == 0)
            continue;
        ids.count = 0;
        if (special || !ignore_merges)
            bpe_encode(&tokenizer->bpe, word, bytes, &ids);
        const bool itself = ids.count == 1 && ids.ids[0] == (int32_t)id;
        reachable += special && itself;
        if (!special && (ignore_merges || itself))
            bpe_index_word(&tokenizer->bpe, word, bytes, (int32_t)id);
    }
    token_list_release(&ids);
    if (reachable > 0)
        tokenizer_warn(tokenizer, "special tokens are also words of the model: what a user "
                                  "writes may become one");
}

void tokenizer_index_cuts(struct tokenizer *tokenizer)
{
    bpe_allow_cuts(&tokenizer->bpe);
    for (size_t id = 0; id < tokenizer->vocabulary.count; id++) {
        const struct vocabulary_token *token = &tokenizer->vocabulary.tokens[id];
        if (!token->not_text)
            bpe_note_token(&tokenizer->bpe, token->spelling, strlen(token->spelling));
    }
}

/* `tokenizers` drops such bytes without a word, and so do we: SmolLM lacks some. */
static void index_byte_level(struct tokenizer *tokenizer, bool ignore_merges)
{
    char words[TOKENIZER_WHERE_BYTES];
    const int missing = index_byte_characters(tokenizer);
    if (missing > 0 && tokenizer->bpe.unknown_id < 0) {
        tokenizer_where(words,
                        "the vocabulary lacks %d of the 256 bytes: encoding drops them",
                        missing);
        tokenizer_warn(tokenizer, words);
    }
    tokenizer_index_words(tokenizer, ignore_merges);
}

static void index_character_level(struct tokenizer *tokenizer, bool ignore_merges)
{
    struct bpe *bpe = &tokenizer->bpe;
    int missing = 256;
    if (bpe->byte_fallback)
        missing = index_byte_tokens(tokenizer, bpe->byte_ids);
    if (missing > 0 && bpe->unknown_id < 0)
        tokenizer_warn(tokenizer, "encoding drops characters that the vocabulary lacks");
    index_characters(tokenizer);
    tokenizer_index_words(tokenizer, ignore_merges);
    if (!ignore_merges && (missing == 0 || bpe->unknown_id < 0))
        tokenizer_index_cuts(tokenizer);
}

static enum status index_bpe(struct tokenizer *tokenizer, const cJSON *model,
                             struct error *error)
{
    bool ignore_merges = false;
    if (json_optional_bool(model, "ignore_merges", &ignore_merges, "model", error))
        return error->status;
    tokenizer->bpe.byte_level = pretokenizer_has_byte_level(tokenizer->pretokenizer);
    if (tokenizer->bpe.byte_level && tokenizer->bpe.byte_fallback)
        return error_set(error, STATUS_UNSUPPORTED,
                         "model.byte_fallback: true together with ByteLevel is not "
                         "supported");
    if (tokenizer->bpe.byte_level || decoder_is_byte_level(&tokenizer->decoder))
        vocabulary_finish(&tokenizer->vocabulary);
    if (tokenizer->bpe.byte_level)
        index_byte_level(tokenizer, ignore_merges);
    else
        index_character_level(tokenizer, ignore_merges);
    return STATUS_OK;
}

static enum status index_unigram(struct tokenizer *tokenizer, struct error *error)
{
    struct unigram *unigram = &tokenizer->unigram;
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (pretokenizer_has_byte_level(tokenizer->pretokenizer))
        return error_set(error, STATUS_UNSUPPORTED,
                         "pre_tokenizer: ByteLevel with a Unigram model is not supported");
    if (decoder_is_byte_level(&tokenizer->decoder))
        vocabulary_finish(&tokenizer->vocabulary);
    (void)index_byte_tokens(tokenizer, unigram->byte_ids);
    for (size_t id = 0; id < unigram->score_count; id++) {
        const struct vocabulary_token *token = &vocabulary->tokens[id];
        if (!token->special && !token->not_text)
            unigram_add_piece(unigram, token->spelling, strlen(token->spelling),
                              (int32_t)id);
    }
    return STATUS_OK;
}

enum status tokenizer_index(struct tokenizer *tokenizer, const cJSON *model,
                            struct error *error)
{
    return tokenizer->model == TOKENIZER_UNIGRAM ? index_unigram(tokenizer, error)
                                                 : index_bpe(tokenizer, model, error);
}
