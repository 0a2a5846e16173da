/* tokenizer.json: "added_tokens". */
#include "text/tokenizer_internal.h"

#include <stdint.h>
#include <string.h>

/* Puts the token into the vocabulary, or checks that it stands there under this id. */
static enum status place_added(struct tokenizer *tokenizer, const char *content, int32_t id,
                               const char *where, struct error *error)
{
    struct vocabulary *vocabulary = &tokenizer->vocabulary;
    const int32_t there = vocabulary_find(vocabulary, content, strlen(content));
    if (there == id)
        return STATUS_OK;
    if (there >= 0)
        return error_set(error, STATUS_FORMAT,
                         "%s: \"%s\" has id %d here and id %d in model.vocab", where,
                         content, id, there);
    if (vocabulary_add(vocabulary, content, id, error))
        return error_prefix(error, "%s", where);
    vocabulary->tokens[id].not_text = true; /* the model does not know it */
    return STATUS_OK;
}

enum status tokenizer_list_added(struct tokenizer *tokenizer, const char *content,
                                 struct added_token token, bool normalized,
                                 const char *where, struct error *error)
{
    struct added_tokens *tokens =
        normalized ? &tokenizer->added_normalized : &tokenizer->added_raw;
    struct text_buffer form = {0};
    bool is_new = false;
    if (normalized)
        tokenizer_normalize(tokenizer, content, strlen(content), TEXT_FIRST, &form);
    else
        text_buffer_append(&form, content);
    const bool empty = form.length == 0;
    string_table_add(&tokenizer->added_by_content, content, strlen(content), token.id,
                     &is_new);
    if (is_new && !empty) /* two that normalise to the same: the first counts */
        (void)added_tokens_add(tokens, form.data, form.length, token);
    text_buffer_release(&form);
    if (empty)
        return error_set(error, STATUS_FORMAT, "%s: the content is empty", where);
    if (!is_new)
        return error_set(error, STATUS_FORMAT, "%s: \"%s\" is listed twice", where,
                         content);
    return STATUS_OK;
}

enum status tokenizer_parse_added(struct tokenizer *tokenizer, const cJSON *json,
                                  int64_t id, const char *where, struct error *error)
{
    struct added_token token = {0};
    const char *content = NULL;
    bool normalized = false;
    const bool beside_model = id >= 0; /* there transformers looks in the text as it is */
    if (!cJSON_IsObject(json))
        return error_set(error, STATUS_FORMAT, "%s: expected an object", where);
    if (json_required_string(json, "content", &content, where, error) ||
        (id < 0 && json_required_integer(json, "id", &id, where, error)) ||
        json_optional_bool(json, "special", &token.special, where, error) ||
        json_optional_bool(json, "single_word", &token.single_word, where, error) ||
        json_optional_bool(json, "lstrip", &token.lstrip, where, error) ||
        json_optional_bool(json, "rstrip", &token.rstrip, where, error) ||
        json_optional_bool(json, "normalized", &normalized, where, error))
        return error->status;
    if (id < 0 || id > INT32_MAX)
        return error_set(error, STATUS_FORMAT, "%s: id %lld is out of range", where,
                         (long long)id);
    token.id = (int32_t)id;
    if (!content[0])
        return error_set(error, STATUS_FORMAT, "%s: the content is empty", where);
    if (place_added(tokenizer, content, token.id, where, error) ||
        tokenizer_list_added(tokenizer, content, token, normalized && !beside_model, where,
                             error))
        return error->status;
    tokenizer->vocabulary.tokens[id].special = token.special;
    return STATUS_OK;
}

enum status tokenizer_parse_added_list(struct tokenizer *tokenizer, const cJSON *json,
                                       struct error *error)
{
    static const char where[] = "added_tokens";
    const cJSON *item;
    size_t index = 0;
    if (!json || cJSON_IsNull(json))
        return STATUS_OK;
    if (!cJSON_IsArray(json))
        return error_set(error, STATUS_FORMAT, "%s: expected an array", where);
    cJSON_ArrayForEach(item, json)
    {
        char inside[TOKENIZER_WHERE_BYTES];
        tokenizer_where(inside, "%s[%zu]", where, index++);
        if (tokenizer_parse_added(tokenizer, item, -1, inside, error))
            return error->status;
    }
    return STATUS_OK;
}
