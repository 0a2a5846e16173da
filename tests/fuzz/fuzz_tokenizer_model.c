#include "text/tokenizer.h"

#include "base/error.h"

#include <stdint.h>
#include <string.h>

/*
 * Input: a SentencePiece model. Its own first bytes and a line of ours are encoded in every
 * way and decoded; all ids are decoded too.
 */
enum { TEXT_BYTES_MAXIMUM = 512, DECODED_IDS_MAXIMUM = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct tokenizer *tokenizer, const char *text, size_t bytes)
{
    for (unsigned flags = 0; flags < 32; flags++) {
        struct token_list ids = {0};
        struct text_buffer back = {0};
        tokenizer_encode(tokenizer, text, bytes, flags, &ids);
        for (size_t i = 0; i < ids.count; i++)
            CHECK(tokenizer_token_text(tokenizer, ids.ids[i]) != NULL);
        tokenizer_decode(tokenizer, ids.ids, ids.count, flags & 1, &back);
        text_buffer_release(&back);
        token_list_release(&ids);
    }
}

static void check_ids(const struct tokenizer *tokenizer)
{
    struct token_list ids = {0};
    struct text_buffer text = {0};
    const int64_t count = tokenizer_vocabulary_count(tokenizer);
    for (int64_t id = 0; id < count && id < DECODED_IDS_MAXIMUM; id++)
        token_list_append(&ids, (int32_t)id);
    tokenizer_decode(tokenizer, ids.ids, ids.count, true, &text);
    token_list_release(&ids);
    text_buffer_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char line[] =
        " the gardener's  3.5 km\n\t[INST] <|user|> caf\xC3\xA9 \xFF";
    struct tokenizer *tokenizer;
    if (tokenizer_parse_sentencepiece(&tokenizer, data, size, NULL, "fuzz", NULL))
        return 0;
    check_text(tokenizer, line, sizeof line - 1);
    check_text(tokenizer, (const char *)data,
               size < TEXT_BYTES_MAXIMUM ? size : TEXT_BYTES_MAXIMUM);
    check_ids(tokenizer);
    tokenizer_free(tokenizer);
    return 0;
}
