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

enum status tokenizer_part_type(const cJSON *json, const char **type, const char *where,
                                struct error *error)
{
    if (!cJSON_IsObject(json))
        return error_set(error, STATUS_FORMAT, "%s: expected an object with a type", where);
    return json_required_string(json, "type", type, where, error);
}

static enum status normalizer_step(struct tokenizer *tokenizer, const char *type,
                                   const char *where, struct error *error)
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
        array_reserve(tokenizer->forms, tokenizer->form_capacity,
                      tokenizer->form_count + 1);
        tokenizer->forms[tokenizer->form_count++] = (enum unicode_form)i;
        return STATUS_OK;
    }
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: \"%s\" is not supported (NFC, NFD, NFKC, NFKD, Sequence)", where,
                     type);
}

static enum status parse_normalizer(struct tokenizer *tokenizer, const cJSON *json,
                                    struct error *error)
{
    static const char where[] = "normalizer";
    const char *type = NULL;
    if (!json || cJSON_IsNull(json))
        return STATUS_OK;
    if (tokenizer_part_type(json, &type, where, error))
        return error->status;
    if (strcmp(type, "Sequence") != 0)
        return normalizer_step(tokenizer, type, where, error);
    const cJSON *steps = json_get(json, "normalizers");
    const cJSON *step;
    size_t index = 0;
    if (!cJSON_IsArray(steps))
        return error_set(error, STATUS_FORMAT, "%s.normalizers: expected an array", where);
    cJSON_ArrayForEach(step, steps)
    {
        char inside[TOKENIZER_WHERE_BYTES];
        tokenizer_where(inside, "%s.normalizers[%zu]", where, index++);
        if (tokenizer_part_type(step, &type, inside, error) ||
            normalizer_step(tokenizer, type, inside, error))
            return error->status;
    }
    return STATUS_OK;
}

static enum status parse_decoder(const cJSON *json, struct error *error)
{
    static const char where[] = "decoder";
    const char *type = NULL;
    if (!json || cJSON_IsNull(json))
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: null is not supported: byte-level BPE needs ByteLevel",
                         where);
    if (tokenizer_part_type(json, &type, where, error))
        return error->status;
    const cJSON *inner = json_get(json, "decoders");
    if (strcmp(type, "Sequence") == 0 && cJSON_IsArray(inner) && inner->child &&
        !inner->child->next)
        return parse_decoder(inner->child, error);
    if (strcmp(type, "ByteLevel") == 0)
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED, "%s: \"%s\" is not supported (ByteLevel)",
                     where, type);
}

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

static enum status post_processor_step(struct tokenizer *tokenizer, const cJSON *json,
                                       const char *where, struct error *error)
{
    const char *type = NULL;
    if (tokenizer_part_type(json, &type, where, error))
        return error->status;
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

static enum status parse_post_processor(struct tokenizer *tokenizer, const cJSON *json,
                                        struct error *error)
{
    static const char where[] = "post_processor";
    const char *type = NULL;
    if (!json || cJSON_IsNull(json))
        return STATUS_OK;
    if (tokenizer_part_type(json, &type, where, error))
        return error->status;
    if (strcmp(type, "Sequence") != 0)
        return post_processor_step(tokenizer, json, where, error);
    const cJSON *steps = json_get(json, "processors");
    const cJSON *step;
    size_t index = 0;
    if (!cJSON_IsArray(steps))
        return error_set(error, STATUS_FORMAT, "%s.processors: expected an array", where);
    cJSON_ArrayForEach(step, steps)
    {
        char inside[TOKENIZER_WHERE_BYTES];
        tokenizer_where(inside, "%s.processors[%zu]", where, index++);
        if (post_processor_step(tokenizer, step, inside, error))
            return error->status;
    }
    return STATUS_OK;
}

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
    return STATUS_OK;
}

static enum status list_added(struct tokenizer *tokenizer, const char *content,
                              struct added_token token, bool normalized, const char *where,
                              struct error *error)
{
    struct added_tokens *tokens =
        normalized ? &tokenizer->added_normalized : &tokenizer->added_raw;
    struct text_buffer form = {0};
    bool is_new = false;
    if (normalized)
        tokenizer_normalize(tokenizer, content, strlen(content), &form);
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

static enum status parse_added(struct tokenizer *tokenizer, const cJSON *json,
                               const char *where, struct error *error)
{
    struct added_token token = {0};
    const char *content = NULL;
    int64_t id = 0;
    bool normalized = false;
    if (!cJSON_IsObject(json))
        return error_set(error, STATUS_FORMAT, "%s: expected an object", where);
    if (json_required_string(json, "content", &content, where, error) ||
        json_required_integer(json, "id", &id, where, error) ||
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
        list_added(tokenizer, content, token, normalized, where, error))
        return error->status;
    tokenizer->vocabulary.tokens[id].special = token.special;
    return STATUS_OK;
}

static enum status parse_added_tokens(struct tokenizer *tokenizer, const cJSON *json,
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
        if (parse_added(tokenizer, item, inside, error))
            return error->status;
    }
    return STATUS_OK;
}

static enum status check_ids(const struct tokenizer *tokenizer, struct error *error)
{
    const struct token_list *lists[] = {&tokenizer->prefix, &tokenizer->suffix};
    const int32_t gap = vocabulary_first_gap(&tokenizer->vocabulary);
    if (gap >= 0)
        return error_set(error, STATUS_FORMAT,
                         "model.vocab: no token has id %d, but the largest id is %zu: the "
                         "file is incomplete",
                         gap, tokenizer->vocabulary.count - 1);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if ((size_t)lists[i]->ids[j] >= tokenizer->vocabulary.count)
                return error_set(error, STATUS_FORMAT, "post_processor: no token has id %d",
                                 lists[i]->ids[j]);
    return STATUS_OK;
}

static void warn(struct tokenizer *tokenizer, const char *words)
{
    if (tokenizer->warnings.length)
        text_buffer_append(&tokenizer->warnings, "; ");
    text_buffer_append(&tokenizer->warnings, words);
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
        warn(tokenizer, words);
    }
}

/* `tokenizers` drops such bytes without a word, and so do we: SmolLM lacks some. */
static void note_missing_bytes(struct tokenizer *tokenizer)
{
    char words[TOKENIZER_WHERE_BYTES];
    int missing = 0;
    for (int byte = 0; byte < 256; byte++)
        missing += tokenizer->bpe.byte_ids[byte] < 0;
    if (missing == 0 || tokenizer->bpe.unknown_id >= 0)
        return;
    tokenizer_where(words, "the vocabulary lacks %d of the 256 bytes: encoding drops them",
                    missing);
    warn(tokenizer, words);
}

static enum status parse_root(struct tokenizer *tokenizer, const cJSON *root,
                              struct error *error)
{
    bool ignore_merges = false;
    if (!cJSON_IsObject(root))
        return error_set(error, STATUS_FORMAT, "expected an object");
    const cJSON *model_json = json_get(root, "model");
    if (tokenizer_parse_model(tokenizer, model_json, error) ||
        json_optional_bool(model_json, "ignore_merges", &ignore_merges, "model", error) ||
        parse_normalizer(tokenizer, json_get(root, "normalizer"), error) ||
        parse_added_tokens(tokenizer, json_get(root, "added_tokens"), error) ||
        tokenizer_parse_pretokenizer(tokenizer, json_get(root, "pre_tokenizer"), error) ||
        parse_post_processor(tokenizer, json_get(root, "post_processor"), error) ||
        parse_decoder(json_get(root, "decoder"), error) || check_ids(tokenizer, error))
        return error->status;
    note_ignored(tokenizer, root);
    note_missing_bytes(tokenizer);
    vocabulary_finish(&tokenizer->vocabulary);
    tokenizer_index_words(tokenizer, ignore_merges);
    return STATUS_OK;
}

/* Clones without git-lfs hold a few lines of text in place of large files. */
static bool is_lfs_pointer(const char *json, size_t bytes)
{
    static const char start[] = "version https://git-lfs.github.com/spec/";
    return bytes >= sizeof start - 1 && memcmp(json, start, sizeof start - 1) == 0;
}

enum status tokenizer_parse(struct tokenizer **tokenizer, const char *json, size_t bytes,
                            const char *where, struct error *error)
{
    struct error ignored;
    cJSON *root = NULL;
    *tokenizer = NULL;
    if (!error)
        error = &ignored;
    if (is_lfs_pointer(json, bytes))
        return error_set(error, STATUS_FORMAT,
                         "%s: is a git-LFS pointer, not the file itself: fetch it with "
                         "`git lfs pull`, or download it again",
                         where);
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

/* What the folder holds in place of a tokenizer.json, in words. */
static const char *remedy(const char *directory)
{
    static const struct {
        const char *name;
        const char *words;
    } others[] = {
        {"tokenizer.model", "it has a tokenizer.model, which is not read; convert it with "
                            "transformers (AutoTokenizer, save_pretrained)"},
        {"merges.txt", "it has vocab.json and merges.txt; convert them with transformers "
                       "(AutoTokenizer, save_pretrained)"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *path = path_join(directory, others[i].name);
        const bool there = file_exists(path);
        free(path);
        if (there)
            return others[i].words;
    }
    return "is it a Hugging Face model directory?";
}

enum status tokenizer_open_directory(struct tokenizer **tokenizer, const char *directory,
                                     struct error *error)
{
    char *path = path_join(directory, "tokenizer.json");
    struct file_map map = {0};
    enum status status = STATUS_OK;
    *tokenizer = NULL;
    if (!file_exists(path)) {
        status =
            error_set(error, STATUS_IO, "%s: no such file: %s", path, remedy(directory));
    } else {
        status = file_map(&map, path, error);
        if (!status)
            status =
                tokenizer_parse(tokenizer, (const char *)map.data, map.bytes, path, error);
    }
    file_unmap(&map);
    free(path);
    return status;
}
