/* tokenizer.json: "pre_tokenizer". */
#include "text/tokenizer_internal.h"

#include <string.h>

static enum status parse_byte_level(struct tokenizer *tokenizer, const cJSON *json,
                                    const char *where, struct error *error)
{
    bool add_prefix_space = true; /* the defaults of `tokenizers` */
    bool use_regex = true;
    if (json_optional_bool(json, "add_prefix_space", &add_prefix_space, where, error) ||
        json_optional_bool(json, "use_regex", &use_regex, where, error))
        return error->status;
    return pretokenizer_add_byte_level(tokenizer->pretokenizer, add_prefix_space, use_regex,
                                       error);
}

static enum status parse_digits(struct tokenizer *tokenizer, const cJSON *json,
                                const char *where, struct error *error)
{
    bool individual = false;
    if (json_optional_bool(json, "individual_digits", &individual, where, error))
        return error->status;
    return pretokenizer_add_split(tokenizer->pretokenizer, "\\p{N}", false,
                                  individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, false,
                                  error);
}

static enum status parse_behavior(const cJSON *json, enum split_behavior *behavior,
                                  const char *where, struct error *error)
{
    static const char *const names[] = {
        [SPLIT_REMOVED] = "Removed",
        [SPLIT_ISOLATED] = "Isolated",
        [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
        [SPLIT_CONTIGUOUS] = "Contiguous",
    };
    const char *name = NULL;
    if (json_required_string(json, "behavior", &name, where, error))
        return error->status;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            *behavior = (enum split_behavior)i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_UNSUPPORTED, "%s.behavior: \"%s\" is not known", where,
                     name);
}

static enum status parse_split(struct tokenizer *tokenizer, const cJSON *json,
                               const char *where, struct error *error)
{
    const cJSON *pattern = json_get(json, "pattern");
    const char *source = NULL;
    bool invert = false;
    enum split_behavior behavior = SPLIT_ISOLATED;
    char inside[TOKENIZER_WHERE_BYTES];
    tokenizer_where(inside, "%s.pattern", where);
    if (!cJSON_IsObject(pattern))
        return error_set(error, STATUS_FORMAT,
                         "%s: expected {\"Regex\": …} or {\"String\": …}", inside);
    const bool literal = json_get(pattern, "String") != NULL;
    if (json_required_string(pattern, literal ? "String" : "Regex", &source, inside,
                             error) ||
        json_optional_bool(json, "invert", &invert, where, error) ||
        parse_behavior(json, &behavior, where, error))
        return error->status;
    if (pretokenizer_add_split(tokenizer->pretokenizer, source, literal, behavior, invert,
                               error))
        return error_prefix(error, "%s", inside);
    return STATUS_OK;
}

static enum status parse_step(struct tokenizer *tokenizer, const cJSON *json,
                              const char *where, struct error *error)
{
    static const struct {
        const char *type;
        enum status (*parse)(struct tokenizer *, const cJSON *, const char *,
                             struct error *);
    } steps[] = {
        {"ByteLevel", parse_byte_level}, {"Digits", parse_digits}, {"Split", parse_split}};
    const char *type = NULL;
    if (tokenizer_part_type(json, &type, where, error))
        return error->status;
    if (pretokenizer_has_byte_level(tokenizer->pretokenizer))
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: \"%s\" after ByteLevel is not supported", where, type);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(steps[i].type, type) == 0)
            return steps[i].parse(tokenizer, json, where, error);
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: \"%s\" is not supported (ByteLevel, Split, Digits, Sequence)",
                     where, type);
}

static enum status parse_sequence(struct tokenizer *tokenizer, const cJSON *json,
                                  const char *where, struct error *error)
{
    const cJSON *steps = json_get(json, "pretokenizers");
    const cJSON *step;
    size_t index = 0;
    if (!cJSON_IsArray(steps))
        return error_set(error, STATUS_FORMAT, "%s.pretokenizers: expected an array",
                         where);
    cJSON_ArrayForEach(step, steps)
    {
        char inside[TOKENIZER_WHERE_BYTES];
        tokenizer_where(inside, "%s.pretokenizers[%zu]", where, index++);
        if (parse_step(tokenizer, step, inside, error))
            return error->status;
    }
    return STATUS_OK;
}

enum status tokenizer_parse_pretokenizer(struct tokenizer *tokenizer, const cJSON *json,
                                         struct error *error)
{
    static const char where[] = "pre_tokenizer";
    const char *type = "null";
    tokenizer->pretokenizer = pretokenizer_create();
    if (json && !cJSON_IsNull(json)) {
        if (tokenizer_part_type(json, &type, where, error))
            return error->status;
        if (strcmp(type, "Sequence") == 0 ? parse_sequence(tokenizer, json, where, error)
                                          : parse_step(tokenizer, json, where, error))
            return error->status;
    }
    if (!pretokenizer_has_byte_level(tokenizer->pretokenizer))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: %s without ByteLevel is not supported: only byte-level BPE is", where,
            type);
    return STATUS_OK;
}
