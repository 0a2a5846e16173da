#ifndef HOLDFAST_TESTS_TOKENIZER_FIXTURE_H
#define HOLDFAST_TESTS_TOKENIZER_FIXTURE_H

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Golden files of scripts/reference/make-tokenizer-goldens; tests run from the root. */
#define GOLDEN_FOLDER "tests/golden/tokenizer/"
#define SHARED_FOLDER "../shared/data/tokenizers/"

static inline struct text_buffer fixture_read(const char *path)
{
    struct text_buffer text = {0};
    struct error error;
    if (file_read(&text, path, 0, &error))
        fail_msg("%s", error.message);
    return text;
}

/* The lines of a .jsonl file, as one array. */
static inline cJSON *fixture_rows(const char *path)
{
    struct text_buffer text = fixture_read(path);
    struct line_reader lines = {.data = text.data, .bytes = text.length};
    struct error error;
    cJSON *rows = cJSON_CreateArray();
    while (line_next(&lines)) {
        cJSON *row;
        if (json_parse(&row, lines.line, lines.line_bytes, path, &error))
            fail_msg("%s", error.message);
        cJSON_AddItemToArray(rows, row);
    }
    text_buffer_release(&text);
    return rows;
}

static inline struct tokenizer *fixture_tokenizer(const char *json)
{
    struct tokenizer *tokenizer;
    struct error error;
    if (tokenizer_parse(&tokenizer, json, strlen(json), "golden", &error))
        fail_msg("%s", error.message);
    return tokenizer;
}

static inline struct tokenizer *fixture_small(void)
{
    struct text_buffer json = fixture_read(GOLDEN_FOLDER "small.json");
    struct tokenizer *tokenizer = fixture_tokenizer(json.data);
    text_buffer_release(&json);
    return tokenizer;
}

/* NULL if the shared data are not there: the test says so and is skipped. */
static inline struct tokenizer *fixture_real(const char *name)
{
    char directory[200];
    struct tokenizer *tokenizer;
    struct error error;
    snprintf(directory, sizeof directory, SHARED_FOLDER "%s", name);
    if (!file_is_directory(directory)) {
        print_message("skipped: %s is not there\n", directory);
        return NULL;
    }
    if (tokenizer_open_directory(&tokenizer, directory, &error))
        fail_msg("%s", error.message);
    return tokenizer;
}

static inline void assert_ids(const struct token_list *ids, const cJSON *expected,
                              const char *what)
{
    const cJSON *number;
    size_t i = 0;
    if (ids->count != (size_t)cJSON_GetArraySize(expected))
        fail_msg("%s: %zu tokens, expected %d", what, ids->count,
                 cJSON_GetArraySize(expected));
    cJSON_ArrayForEach(number, expected)
    {
        if ((double)ids->ids[i] != number->valuedouble)
            fail_msg("%s: token %zu is %d, expected %.0f", what, i, ids->ids[i],
                     number->valuedouble);
        i++;
    }
}

/* A line of lines.jsonl: its bytes, which need not be UTF-8. */
static inline struct text_buffer fixture_line(const cJSON *line)
{
    struct text_buffer text = {0};
    const cJSON *hex = json_get(line, "hex");
    if (!hex) {
        text_buffer_append(&text, json_get(line, "text")->valuestring);
        return text;
    }
    for (const char *digits = hex->valuestring; *digits; digits += 2) {
        unsigned byte;
        assert_int_equal(sscanf(digits, "%2x", &byte), 1);
        text_buffer_append_char(&text, (char)(unsigned char)byte);
    }
    return text;
}

static inline struct tokenizer *fixture_variant(const cJSON *small, const cJSON *variant)
{
    cJSON *whole = cJSON_Duplicate(small, true);
    const cJSON *part;
    cJSON_ArrayForEach(part, json_get(variant, "parts"))
    {
        cJSON_ReplaceItemInObjectCaseSensitive(whole, part->string,
                                               cJSON_Duplicate(part, true));
    }
    cJSON *model = cJSON_GetObjectItemCaseSensitive(whole, "model");
    cJSON_ArrayForEach(part, json_get(variant, "model"))
    {
        cJSON_DeleteItemFromObjectCaseSensitive(model, part->string);
        cJSON_AddItemToObject(model, part->string, cJSON_Duplicate(part, true));
    }
    char *json = cJSON_PrintUnformatted(whole);
    struct tokenizer *tokenizer = fixture_tokenizer(json);
    free(json);
    cJSON_Delete(whole);
    return tokenizer;
}

static inline void assert_encoding(const struct tokenizer *tokenizer,
                                   const struct text_buffer *text, unsigned flags,
                                   const cJSON *expected, const char *what)
{
    struct token_list ids = {0};
    tokenizer_encode(tokenizer, text_buffer_string(text), text->length, flags, &ids);
    assert_ids(&ids, expected, what);
    token_list_release(&ids);
}

static inline void assert_decoding(const struct tokenizer *tokenizer, const cJSON *ids,
                                   bool keep_special, const char *expected)
{
    struct token_list list = {0};
    struct text_buffer text = {0};
    const cJSON *id;
    cJSON_ArrayForEach(id, ids)
    {
        token_list_append(&list, (int32_t)id->valuedouble);
    }
    tokenizer_decode(tokenizer, list.ids, list.count, keep_special, &text);
    assert_string_equal(text_buffer_string(&text), expected);
    text_buffer_release(&text);
    token_list_release(&list);
}

/* Where the row does not say otherwise, the text comes back, as far as it was UTF-8. */
static inline void assert_row(const struct tokenizer *tokenizer, const cJSON *row,
                              const cJSON *line, const char *name)
{
    char what[80];
    struct text_buffer text = fixture_line(line);
    struct text_buffer repaired = {0};
    const cJSON *ids = json_get(row, "ids");
    const cJSON *plain = json_get(row, "plain");
    const cJSON *processed = json_get(row, "processed");
    const cJSON *decoded = json_get(row, "decoded");
    const cJSON *skipped = json_get(row, "skipped");
    snprintf(what, sizeof what, "%s, line %.0f", name, json_get(row, "line")->valuedouble);
    utf8_append_repaired(&repaired, text_buffer_string(&text), text.length);
    assert_encoding(tokenizer, &text, ENCODE_SPECIAL, ids, what);
    assert_encoding(tokenizer, &text, 0, plain ? plain : ids, what);
    if (processed)
        assert_encoding(tokenizer, &text, ENCODE_SPECIAL | ENCODE_ADD_BOS, processed, what);
    if (json_get(row, "decode")) { /* false: `tokenizers` decodes it otherwise */
        text_buffer_release(&repaired);
        text_buffer_release(&text);
        return;
    }
    const char *back = decoded ? decoded->valuestring : text_buffer_string(&repaired);
    assert_decoding(tokenizer, ids, true, back);
    assert_decoding(tokenizer, ids, false, skipped ? skipped->valuestring : back);
    text_buffer_release(&repaired);
    text_buffer_release(&text);
}

/* FNV-1a, as make-tokenizer-goldens takes it. */
static inline uint64_t fixture_hash(const void *data, size_t bytes)
{
    const unsigned char *in = data;
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ in[i]) * UINT64_C(0x100000001B3);
    return hash;
}

/* Over the ids as little-endian bytes. */
static inline uint64_t fixture_ids_hash(const struct token_list *ids)
{
    struct text_buffer bytes = {0};
    for (size_t i = 0; i < ids->count; i++)
        for (int shift = 0; shift < 32; shift += 8)
            text_buffer_append_char(&bytes, (char)(unsigned char)(ids->ids[i] >> shift));
    const uint64_t hash = fixture_hash(text_buffer_string(&bytes), bytes.length);
    text_buffer_release(&bytes);
    return hash;
}

#endif
