/* tokenizer.json: the whole, and the parts around the model. */
#include "text/tokenizer_internal.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tokenizer_where(char where[TOKENIZER_WHERE_BYTES], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(where, TOKENIZER_WHERE_BYTES, format, arguments);
    va_end(arguments);
}

bool tokenizer_whole_number(const cJSON *value, int64_t *out)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > 1e9)
        return false;
    *out = (int64_t)value->valuedouble;
    return (double)*out == value->valuedouble;
}

enum status tokenizer_part_type(const cJSON *json, const char **type, const char *where,
                                struct error *error)
{
    if (!cJSON_IsObject(json))
        return error_set(error, STATUS_FORMAT, "%s: expected an object with a type", where);
    return json_required_string(json, "type", type, where, error);
}

enum status tokenizer_parse_steps(struct tokenizer *tokenizer, const cJSON *json,
                                  const char *key, tokenizer_step *step, const char *where,
                                  struct error *error)
{
    const char *type = NULL;
    if (tokenizer_part_type(json, &type, where, error))
        return error->status;
    if (strcmp(type, "Sequence") != 0)
        return step(tokenizer, json, type, where, error);
    const cJSON *parts = json_get(json, key);
    const cJSON *part;
    size_t index = 0;
    if (!cJSON_IsArray(parts))
        return error_set(error, STATUS_FORMAT, "%s.%s: expected an array", where, key);
    cJSON_ArrayForEach(part, parts)
    {
        char inside[TOKENIZER_WHERE_BYTES];
        tokenizer_where(inside, "%s.%s[%zu]", where, key, index++);
        if (tokenizer_part_type(part, &type, inside, error) ||
            step(tokenizer, part, type, inside, error))
            return error->status;
    }
    return STATUS_OK;
}

enum status tokenizer_parse_pattern(const cJSON *json, const char **source, bool *literal,
                                    const char *where, struct error *error)
{
    const cJSON *pattern = json_get(json, "pattern");
    if (!cJSON_IsObject(pattern))
        return error_set(error, STATUS_FORMAT,
                         "%s: expected {\"Regex\": …} or {\"String\": …}", where);
    *literal = json_get(pattern, "String") != NULL;
    return json_required_string(pattern, *literal ? "String" : "Regex", source, where,
                                error);
}

enum status tokenizer_parse_replace(const cJSON *json, char **literal,
                                    struct split_pattern **pattern, char **content,
                                    const char *where, struct error *error)
{
    const char *source = NULL, *text = NULL;
    bool is_literal = false;
    char inside[TOKENIZER_WHERE_BYTES];
    tokenizer_where(inside, "%s.pattern", where);
    if (tokenizer_parse_pattern(json, &source, &is_literal, inside, error) ||
        json_required_string(json, "content", &text, where, error))
        return error->status;
    if (is_literal && !source[0])
        return error_set(error, STATUS_FORMAT, "%s: an empty string matches nothing",
                         inside);
    *content = memory_duplicate_string(text);
    if (is_literal)
        *literal = memory_duplicate_string(source);
    else if (split_pattern_compile(pattern, source, false, error))
        return error_prefix(error, "%s", inside);
    return STATUS_OK;
}

static void note_ignored(struct tokenizer *tokenizer, const cJSON *root)
{
    static const char *const keys[] = {"truncation", "padding"};
    char words[TOKENIZER_WHERE_BYTES];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const cJSON *value = json_get(root, keys[i]);
        if (!value || cJSON_IsNull(value))
            continue;
        tokenizer_where(words, "tokenizer.json asks for %s: ignored", keys[i]);
        tokenizer_warn(tokenizer, words);
    }
}

static enum status parse_root(struct tokenizer *tokenizer, const cJSON *root,
                              struct error *error)
{
    if (!cJSON_IsObject(root))
        return error_set(error, STATUS_FORMAT, "expected an object");
    const cJSON *model = json_get(root, "model");
    if (tokenizer_parse_model(tokenizer, model, error) ||
        tokenizer_parse_normalizer(tokenizer, json_get(root, "normalizer"), error) ||
        tokenizer_parse_added_list(tokenizer, json_get(root, "added_tokens"), error) ||
        tokenizer_parse_pretokenizer(tokenizer, json_get(root, "pre_tokenizer"), error) ||
        tokenizer_parse_processor(tokenizer, json_get(root, "post_processor"), error) ||
        tokenizer_parse_decoder(tokenizer, json_get(root, "decoder"), error) ||
        tokenizer_check_ids(tokenizer, error))
        return error->status;
    note_ignored(tokenizer, root);
    return tokenizer_index(tokenizer, model, error);
}

/* Clones without git-lfs hold a few lines of text in place of large files. */
enum status tokenizer_refuse_pointer(const char *data, size_t bytes, const char *where,
                                     struct error *error)
{
    static const char start[] = "version https://git-lfs.github.com/spec/";
    if (bytes < sizeof start - 1 || memcmp(data, start, sizeof start - 1) != 0)
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "%s: is a git-LFS pointer, not the file itself: fetch it with "
                     "`git lfs pull`, or download it again",
                     where);
}

enum status tokenizer_parse(struct tokenizer **tokenizer, const char *json, size_t bytes,
                            const char *where, struct error *error)
{
    struct error ignored;
    cJSON *root = NULL;
    *tokenizer = NULL;
    if (!error)
        error = &ignored;
    if (tokenizer_refuse_pointer(json, bytes, where, error))
        return error->status;
    if (json_parse(&root, json, bytes, where, error))
        return error->status;
    *tokenizer = memory_allocate(sizeof **tokenizer);
    const enum status status = parse_root(*tokenizer, root, error);
    cJSON_Delete(root);
    if (status) {
        error_prefix(error, "%s", where);
        tokenizer_free(*tokenizer);
        *tokenizer = NULL;
    }
    return status;
}
