/* tokenizer.json: "post_processor", the tokens put around a text. */
#include "text/tokenizer_internal.h"

#include <string.h>

/* The ids of a special token that a template names: special_tokens[name].ids. */
static enum status template_token(const cJSON *processor, const cJSON *item,
                                  struct token_list *list, const char *where,
                                  struct error *error)
{
    const char *name = NULL;
    if (json_required_string(item, "id", &name, where, error))
        return error->status;
    const cJSON *all = json_get(processor, "special_tokens");
    const cJSON *token = all ? json_get(all, name) : NULL;
    const cJSON *ids = token ? json_get(token, "ids") : NULL;
    const cJSON *id;
    if (!cJSON_IsArray(ids))
        return error_set(error, STATUS_FORMAT, "%s: special_tokens has no ids for \"%s\"",
                         where, name);
    cJSON_ArrayForEach(id, ids)
    {
        if (!cJSON_IsNumber(id) || !(id->valuedouble >= 0 && id->valuedouble < 1e9))
            return error_set(error, STATUS_FORMAT, "%s: special_tokens[\"%s\"]: bad id",
                             where, name);
        token_list_append(list, (int32_t)id->valuedouble);
    }
    return STATUS_OK;
}

static enum status parse_template(struct tokenizer *tokenizer, const cJSON *json,
                                  const char *where, struct error *error)
{
    const cJSON *single = json_get(json, "single");
    const cJSON *item;
    bool seen_text = false;
    if (!cJSON_IsArray(single))
        return error_set(error, STATUS_FORMAT, "%s.single: expected an array", where);
    cJSON_ArrayForEach(item, single)
    {
        const cJSON *special = cJSON_IsObject(item) ? json_get(item, "SpecialToken") : NULL;
        if (cJSON_IsObject(special)) {
            if (template_token(json, special,
                               seen_text ? &tokenizer->suffix : &tokenizer->prefix, where,
                               error))
                return error->status;
            continue;
        }
        if (seen_text || !cJSON_IsObject(item) || !json_get(item, "Sequence"))
            return error_set(error, STATUS_FORMAT,
                             "%s.single: expected special tokens around one Sequence",
                             where);
        seen_text = true;
    }
    if (!seen_text)
        return error_set(error, STATUS_FORMAT, "%s.single: no Sequence: it drops the text",
                         where);
    return STATUS_OK;
}

static enum status processor_step(struct tokenizer *tokenizer, const cJSON *json,
                                  const char *type, const char *where, struct error *error)
{
    if (strcmp(type, "ByteLevel") == 0)
        return STATUS_OK; /* moves offsets only */
    if (strcmp(type, "TemplateProcessing") != 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: \"%s\" is not supported (TemplateProcessing, ByteLevel, "
                         "Sequence)",
                         where, type);
    if (tokenizer->prefix.count + tokenizer->suffix.count > 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: a second TemplateProcessing is not supported", where);
    return parse_template(tokenizer, json, where, error);
}

enum status tokenizer_parse_processor(struct tokenizer *tokenizer, const cJSON *json,
                                      struct error *error)
{
    if (!json || cJSON_IsNull(json))
        return STATUS_OK;
    return tokenizer_parse_steps(tokenizer, json, "processors", processor_step,
                                 "post_processor", error);
}
