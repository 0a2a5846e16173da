/*
 * tokenizer.json: "pre_tokenizer". Of the types that `tokenizers` 0.23 knows, those are
 * read that files of decoder-only chat models hold. Refused by name are those of BERT-like
 * and of taught-by-hand models: BertPreTokenizer, CharDelimiterSplit, FixedLength,
 * UnicodeScripts, Whitespace (whose \w is not Oniguruma's).
 */
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

/* What Punctuation of `tokenizers` cuts at: ASCII's symbols, and the punctuation of
 * Unicode 8 (of its unicode_categories 0.1.1), where PCRE2 10.42 has that of Unicode 14:
 * found by asking both about every character. */
#define YOUNGER_PUNCTUATION                                                                \
    "\\x{61D}\\x{9FD}\\x{A76}\\x{C77}\\x{C84}\\x{1B7D}\\x{1B7E}\\x{2E43}-\\x{2E4F}\\x{"    \
    "2E52}-"                                                                               \
    "\\x{2E5D}\\x{10EAD}\\x{10F55}-\\x{10F59}\\x{10F86}-\\x{10F89}\\x{1144B}-\\x{1144F}"   \
    "\\x{1145A}\\x{1145B}\\x{1145D}\\x{11660}-\\x{1166C}\\x{116B9}\\x{1183B}\\x{11944}-"   \
    "\\x{11946}\\x{119E2}\\x{11A3F}-\\x{11A46}\\x{11A9A}-\\x{11A9C}\\x{11A9E}-\\x{11AA2}"  \
    "\\x{11C41}-\\x{11C45}\\x{11C70}\\x{11C71}\\x{11EF7}\\x{11EF8}\\x{11FFF}\\x{12FF1}"    \
    "\\x{12FF2}\\x{16E97}-\\x{16E9A}\\x{16FE2}\\x{1E95E}\\x{1E95F}"
#define PUNCTUATION "(?![" YOUNGER_PUNCTUATION "])[!-/:-@\\[-`{-~\\p{P}\\x{166D}\\x{111C9}]"

static enum status parse_punctuation(struct tokenizer *tokenizer, const cJSON *json,
                                     const char *where, struct error *error)
{
    enum split_behavior behavior = SPLIT_ISOLATED;
    if (json_get(json, "behavior") && parse_behavior(json, &behavior, where, error))
        return error->status;
    return pretokenizer_add_split(tokenizer->pretokenizer, PUNCTUATION, false, behavior,
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
        bool is_split;
    } steps[] = {{"ByteLevel", parse_byte_level, false},
                 {"Metaspace", parse_metaspace, false},
                 {"Digits", parse_digits, true},
                 {"Punctuation", parse_punctuation, true},
                 {"Split", parse_split, true},
                 {"WhitespaceSplit", parse_white_space, true}};
    const char *end = pretokenizer_end(tokenizer->pretokenizer);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (strcmp(steps[i].type, type) != 0)
            continue;
        if (end && !steps[i].is_split)
            return error_set(error, STATUS_UNSUPPORTED,
                             "%s: \"%s\" after %s is not supported", where, type, end);
        return steps[i].parse(tokenizer, json, where, error);
    }
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: \"%s\" is not supported (ByteLevel, Metaspace, Split, Digits, "
                     "Punctuation, WhitespaceSplit, Sequence)",
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
