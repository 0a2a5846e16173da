#include "text/chat_template.h"
#include "text/tokenizer.h"

#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Input: a tokenizer.json, a byte FF, a text. The text is encoded in every way, decoded,
 * and read as a chat template. Without an FF the file itself is the text.
 */
enum { TEXT_BYTES_MAXIMUM = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoding(const struct tokenizer *tokenizer, const char *text,
                           size_t bytes)
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

static void check_template(const struct tokenizer *tokenizer, const char *text,
                           size_t bytes)
{
    struct chat_template *chat_template;
    struct text_buffer source = {0};
    struct token_list ids = {0};
    struct mask_list mask = {0};
    text_buffer_append_bytes(&source, text, bytes);
    const struct message messages[] = {{"user", text_buffer_string(&source)},
                                       {"assistant", text_buffer_string(&source)}};
    if (!chat_template_parse(&chat_template, text_buffer_string(&source), tokenizer,
                             NULL) ||
        !chat_template_parse(&chat_template, NULL, tokenizer, NULL)) {
        chat_template_encode(chat_template, tokenizer, messages, 2, true, &ids, &mask,
                             NULL);
        CHECK(ids.count == mask.count);
        chat_template_free(chat_template);
    }
    mask_list_release(&mask);
    token_list_release(&ids);
    text_buffer_release(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0xFF, size) : NULL;
    const size_t json_bytes = end ? (size_t)(end - data) : size;
    const char *text = end ? (const char *)end + 1 : (const char *)data;
    size_t bytes = end ? size - json_bytes - 1 : size;
    struct tokenizer *tokenizer;
    if (bytes > TEXT_BYTES_MAXIMUM)
        bytes = TEXT_BYTES_MAXIMUM;
    if (tokenizer_parse(&tokenizer, (const char *)data, json_bytes, "fuzz", NULL))
        return 0;
    check_encoding(tokenizer, text, bytes);
    check_template(tokenizer, text, bytes);
    tokenizer_free(tokenizer);
    return 0;
}
