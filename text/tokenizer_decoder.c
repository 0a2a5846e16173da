/* tokenizer.json: "decoder". */
#include "text/tokenizer_internal.h"

#include "base/memory.h"

#include <string.h>

static enum status parse_plain(struct decoder_step *step, const cJSON *json,
                               const char *where, struct error *error)
{
    (void)step;
    (void)json;
    (void)where;
    (void)error;
    return STATUS_OK;
}

static enum status parse_replace(struct decoder_step *step, const cJSON *json,
                                 const char *where, struct error *error)
{
    return tokenizer_parse_replace(json, &step->literal, &step->pattern, &step->content,
                                   where, error);
}

static enum status one_character(const cJSON *json, const char *key, char **out,
                                 const char *where, struct error *error)
{
    const char *text = NULL;
    uint32_t code_point;
    if (json_required_string(json, key, &text, where, error))
        return error->status;
    const size_t bytes = strlen(text);
    if (bytes == 0 || !utf8_is_valid(text, bytes) ||
        utf8_decode(text, bytes, &code_point) != bytes)
        return error_set(error, STATUS_FORMAT, "%s.%s: expected one character", where, key);
    *out = memory_duplicate_string(text);
    return STATUS_OK;
}

static enum status parse_strip(struct decoder_step *step, const cJSON *json,
                               const char *where, struct error *error)
{
    int64_t left = 0, right = 0;
    if (one_character(json, "content", &step->content, where, error) ||
        json_required_integer(json, "start", &left, where, error) ||
        json_required_integer(json, "stop", &right, where, error))
        return error->status;
    if (left < 0 || right < 0)
        return error_set(error, STATUS_FORMAT, "%s: start and stop are counts", where);
    step->left = (size_t)left;
    step->right = (size_t)right;
    return STATUS_OK;
}

static enum status parse_metaspace(struct decoder_step *step, const cJSON *json,
                                   const char *where, struct error *error)
{
    const char *scheme = "always";
    if (one_character(json, "replacement", &step->content, where, error) ||
        json_optional_string(json, "prepend_scheme", &scheme, where, error))
        return error->status;
    step->left = strcmp(scheme, "never") != 0;
    return STATUS_OK;
}

static enum status decoder_part(struct tokenizer *tokenizer, const cJSON *json,
                                const char *type, const char *where, struct error *error)
{
    static const struct {
        const char *type;
        enum decoder_kind kind;
        enum status (*parse)(struct decoder_step *, const cJSON *, const char *,
                             struct error *);
    } kinds[] = {{"ByteLevel", DECODER_BYTE_LEVEL, parse_plain},
                 {"Replace", DECODER_REPLACE, parse_replace},
                 {"ByteFallback", DECODER_BYTE_FALLBACK, parse_plain},
                 {"Fuse", DECODER_FUSE, parse_plain},
                 {"Strip", DECODER_STRIP, parse_strip},
                 {"Metaspace", DECODER_METASPACE, parse_metaspace}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct decoder_step step = {.kind = kinds[i].kind};
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        if (kinds[i].parse(&step, json, where, error)) {
            decoder_step_release(&step);
            return error->status;
        }
        decoder_add(&tokenizer->decoder, step);
        return STATUS_OK;
    }
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: \"%s\" is not supported (ByteLevel, Replace, ByteFallback, Fuse, "
                     "Strip, Metaspace, Sequence)",
                     where, type);
}

enum status tokenizer_parse_decoder(struct tokenizer *tokenizer, const cJSON *json,
                                    struct error *error)
{
    static const char where[] = "decoder";
    if (!json || cJSON_IsNull(json))
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: null is not supported: it would put a space between all "
                         "tokens",
                         where);
    return tokenizer_parse_steps(tokenizer, json, "decoders", decoder_part, where, error);
}
