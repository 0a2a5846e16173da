#ifndef HOLDFAST_TESTS_ARCHITECTURE_FIXTURE_H
#define HOLDFAST_TESTS_ARCHITECTURE_FIXTURE_H

/* Parsing config.json texts, for test_architecture*.c. */
#include "model/architecture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum status parse(struct architecture *architecture, const char *json,
                         struct error *error)
{
    return architecture_parse(architecture, json, strlen(json), "dir/config.json", error);
}

/* A good config, with `fields` ("\"a\": 1, ") in the place of those of the same name. */
static enum status parse_with(struct architecture *architecture, const char *fields,
                              struct error *error)
{
    static const char *const usual[][2] = {
        {"\"model_type\": ", "\"llama\""},  {"\"hidden_size\": ", "48"},
        {"\"intermediate_size\": ", "77"},  {"\"num_hidden_layers\": ", "2"},
        {"\"num_attention_heads\": ", "6"}, {"\"num_key_value_heads\": ", "2"},
        {"\"vocab_size\": ", "131"},        {"\"rms_norm_eps\": ", "1e-5"},
    };
    char json[2048];
    int length = snprintf(json, sizeof json, "{%s\"architectures\": []", fields);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (!strstr(fields, usual[i][0]))
            length += snprintf(json + length, sizeof json - (size_t)length, ", %s%s",
                               usual[i][0], usual[i][1]);
    strcat(json, "}");
    return parse(architecture, json, error);
}

static struct architecture good(const char *fields)
{
    struct architecture architecture;
    struct error error = {0};
    if (parse_with(&architecture, fields, &error))
        fail_msg("%s", error.message);
    return architecture;
}

/* Refused with `status`, by a message that has `named` and the file. */
static inline void check_refused(const char *fields, enum status status, const char *named)
{
    struct architecture a;
    struct error error = {0};
    assert_int_equal(parse_with(&a, fields, &error), status);
    if (!strstr(error.message, named) || !strstr(error.message, "dir/config.json"))
        fail_msg("%s -> %s", fields, error.message);
}

/* What is printed of it is read back equal. */
static inline void check_printed(const char *fields)
{
    const struct architecture a = good(fields);
    struct architecture again;
    struct error error = {0};
    struct text_buffer text = {0};
    architecture_print_json(&a, DTYPE_BF16, &text);
    if (parse(&again, text.data, &error))
        fail_msg("%s", error.message);
    assert_memory_equal(&a, &again, sizeof a);
    assert_non_null(strstr(text.data, architecture_class_name(&a)));
    assert_non_null(strstr(text.data, "\"torch_dtype\": \"bfloat16\""));
    text_buffer_release(&text);
}

#define QWEN "\"model_type\": \"qwen2\", \"num_hidden_layers\": 4, "
#define TYPES                                                                              \
    "\"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\", "    \
    "\"sliding_attention\"], "

#define OLMO3 "\"model_type\": \"olmo3\", \"num_hidden_layers\": 4, "
#define OLMO3_YARN                                                                         \
    "\"rope_type\": \"yarn\", \"factor\": 8.0, \"original_max_position_embeddings\": 8192"

#define LLAMA3                                                                             \
    "\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "               \
    "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192"

#define LONG_FACTORS "\"short_factor\": [1, 2, 3, 4], \"long_factor\": [5, 6, 7, 8.5]"
#define LONGROPE_WITH(more)                                                                \
    "\"model_type\": \"phi3\", \"max_position_embeddings\": 512, "                         \
    "\"original_max_position_embeddings\": 64, \"rope_scaling\": {\"type\": "              \
    "\"longrope\", " LONG_FACTORS more "}, "
#define LONGROPE LONGROPE_WITH("")

#endif
