/* tokenizer.json: "normalizer". */
#include "text/tokenizer_internal.h"

#include "base/memory.h"

#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

static enum status parse_prepend(struct normalizer_step *step, const cJSON *json,
                                 const char *where, struct error *error)
{
    const char *content = NULL;
    if (json_required_string(json, "prepend", &content, where, error))
        return error->status;
    step->kind = NORMALIZER_PREPEND;
    step->content = memory_duplicate_string(content);
    return STATUS_OK;
}

static enum status parse_replace(struct normalizer_step *step, const cJSON *json,
                                 const char *where, struct error *error)
{
    step->kind = NORMALIZER_REPLACE;
    return tokenizer_parse_replace(json, &step->literal, &step->pattern, &step->content,
                                   where, error);
}

static enum status parse_strip(struct normalizer_step *step, const cJSON *json,
                               const char *where, struct error *error)
{
    step->kind = NORMALIZER_STRIP;
    step->strip_left = step->strip_right = true;
    if (json_optional_bool(json, "strip_left", &step->strip_left, where, error) ||
        json_optional_bool(json, "strip_right", &step->strip_right, where, error))
        return error->status;
    return STATUS_OK;
}

static enum status parse_lowercase(struct normalizer_step *step, const cJSON *json,
                                   const char *where, struct error *error)
{
    (void)json;
    (void)where;
    (void)error;
    step->kind = NORMALIZER_LOWERCASE;
    return STATUS_OK;
}

static enum status parse_charsmap(struct normalizer_step *step, const cJSON *json,
                                  const char *where, struct error *error)
{
    const char *source = NULL;
    struct base64_decode_ctx context;
    if (json_required_string(json, "precompiled_charsmap", &source, where, error))
        return error->status;
    const size_t length = strlen(source);
    size_t bytes = BASE64_DECODE_LENGTH(length);
    uint8_t *raw = memory_allocate(bytes + 1);
    base64_decode_init(&context);
    const bool good = base64_decode_update(&context, &bytes, raw, length, source) &&
                      base64_decode_final(&context);
    step->kind = NORMALIZER_CHARSMAP;
    const enum status status =
        good ? charsmap_parse(&step->charsmap, raw, bytes, error)
             : error_set(error, STATUS_FORMAT, "precompiled_charsmap: is no Base64");
    free(raw);
    return status ? error_prefix(error, "%s", where) : STATUS_OK;
}

static bool parse_form(const char *type, struct normalizer_step *step)
{
    static const char *const names[] = {
        [UNICODE_NFC] = "NFC",
        [UNICODE_NFD] = "NFD",
        [UNICODE_NFKC] = "NFKC",
        [UNICODE_NFKD] = "NFKD",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], type) != 0)
            continue;
        step->kind = NORMALIZER_FORM;
        step->form = (enum unicode_form)i;
        return true;
    }
    return false;
}

static enum status parse_typed(struct normalizer_step *step, const cJSON *json,
                               const char *type, const char *where, struct error *error)
{
    static const struct {
        const char *type;
        enum status (*parse)(struct normalizer_step *, const cJSON *, const char *,
                             struct error *);
    } kinds[] = {{"Prepend", parse_prepend},
                 {"Replace", parse_replace},
                 {"Strip", parse_strip},
                 {"Lowercase", parse_lowercase},
                 {"Precompiled", parse_charsmap}};
    if (parse_form(type, step))
        return STATUS_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return kinds[i].parse(step, json, where, error);
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: \"%s\" is not supported (NFC, NFD, NFKC, NFKD, Prepend, Replace, "
                     "Strip, Lowercase, Precompiled, Sequence)",
                     where, type);
}

static enum status normalizer_part(struct tokenizer *tokenizer, const cJSON *json,
                                   const char *type, const char *where, struct error *error)
{
    struct normalizer_step step = {0};
    if (parse_typed(&step, json, type, where, error)) {
        normalizer_step_release(&step);
        return error->status;
    }
    step.literal_bytes = step.literal ? strlen(step.literal) : 0;
    step.content_bytes = step.content ? strlen(step.content) : 0;
    normalizer_add(&tokenizer->normalizer, step);
    return STATUS_OK;
}

enum status tokenizer_parse_normalizer(struct tokenizer *tokenizer, const cJSON *json,
                                       struct error *error)
{
    if (!json || cJSON_IsNull(json))
        return STATUS_OK;
    return tokenizer_parse_steps(tokenizer, json, "normalizers", normalizer_part,
                                 "normalizer", error);
}
