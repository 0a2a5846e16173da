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
    const char *source = NULL;
    bool literal = false;
    bool invert = false;
    enum split_behavior behavior = SPLIT_ISOLATED;
    char inside[TOKENIZER_WHERE_BYTES];
    tokenizer_where(inside, "%s.pattern", where);
    if (tokenizer_parse_pattern(json, &source, &literal, inside, error) ||
        json_optional_bool(json, "invert", &invert, where, error) ||
        parse_behavior(json, &behavior, where, error))
        return error->status;
    if (pretokenizer_add_split(tokenizer->pretokenizer, source, literal, behavior, invert,
                               error))
        return error_prefix(error, "%s", inside);
    return STATUS_OK;
}

static enum status parse_white_space(struct tokenizer *tokenizer, const cJSON *json,
                                     const char *where, struct error *error)
{
    (void)json;
    (void)where;
    return pretokenizer_add_split(tokenizer->pretokenizer, "\\s", false, SPLIT_REMOVED,
                                  false, error);
}

static bool is_one_character(const char *text)
{
    uint32_t code_point;
    const size_t bytes = strlen(text);
    return bytes > 0 && utf8_is_valid(text, bytes) &&
           utf8_decode(text, bytes, &code_point) == bytes;
}

/* Old files say add_prefix_space where newer ones have a prepend_scheme. */
static enum status parse_prepend(const cJSON *json, enum prepend_scheme *scheme,
                                 const char *where, struct error *error)
{
    static const char *const names[] = {
        [PREPEND_FIRST] = "first", [PREPEND_ALWAYS] = "always", [PREPEND_NEVER] = "never"};
    const char *name = "always";
    bool add_prefix_space = true;
    if (json_optional_string(json, "prepend_scheme", &name, where, error) ||
        json_optional_bool(json, "add_prefix_space", &add_prefix_space, where, error))
        return error->status;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        *scheme = (enum prepend_scheme)i;
        if (add_prefix_space || *scheme == PREPEND_NEVER)
            return STATUS_OK;
        return error_set(error, STATUS_FORMAT,
                         "%s: add_prefix_space false contradicts prepend_scheme \"%s\"",
                         where, name);
    }
    return error_set(error, STATUS_UNSUPPORTED, "%s.prepend_scheme: \"%s\" is not known",
                     where, name);
}

static enum status parse_metaspace(struct tokenizer *tokenizer, const cJSON *json,
                                   const char *where, struct error *error)
{
    const char *replacement = NULL;
    enum prepend_scheme scheme = PREPEND_ALWAYS;
    bool split = true;
    if (json_required_string(json, "replacement", &replacement, where, error) ||
        json_optional_bool(json, "split", &split, where, error) ||
        parse_prepend(json, &scheme, where, error))
        return error->status;
    if (!is_one_character(replacement))
        return error_set(error, STATUS_FORMAT, "%s.replacement: expected one character",
                         where);
    pretokenizer_add_metaspace(tokenizer->pretokenizer, replacement, scheme, split);
    return STATUS_OK;
}

static enum status parse_step(struct tokenizer *tokenizer, const cJSON *json,
                              const char *type, const char *where, struct error *error)
{
    static const struct {
        const char *type;
        enum status (*parse)(struct tokenizer *, const cJSON *, const char *,
                             struct error *);
    } steps[] = {{"ByteLevel", parse_byte_level},
                 {"Digits", parse_digits},
                 {"Split", parse_split},
                 {"Metaspace", parse_metaspace},
                 {"WhitespaceSplit", parse_white_space}};
    const char *end = pretokenizer_end(tokenizer->pretokenizer);
    if (end)
        return error_set(error, STATUS_UNSUPPORTED, "%s: \"%s\" after %s is not supported",
                         where, type, end);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(steps[i].type, type) == 0)
            return steps[i].parse(tokenizer, json, where, error);
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: \"%s\" is not supported (ByteLevel, Metaspace, Split, Digits, "
                     "WhitespaceSplit, Sequence)",
                     where, type);
}

enum status tokenizer_parse_pretokenizer(struct tokenizer *tokenizer, const cJSON *json,
                                         struct error *error)
{
    tokenizer->pretokenizer = pretokenizer_create();
    if (!json || cJSON_IsNull(json))
        return STATUS_OK;
    return tokenizer_parse_steps(tokenizer, json, "pretokenizers", parse_step,
                                 "pre_tokenizer", error);
}
