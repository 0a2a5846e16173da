#ifndef HOLDFAST_TESTS_TOKENIZER_FIXTURE_H
#define HOLDFAST_TESTS_TOKENIZER_FIXTURE_H

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer.h"

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

#endif
