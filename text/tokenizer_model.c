/* tokenizer.json: "model", a BPE vocabulary and its merges. */
#include "text/tokenizer_internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct model_parse {
    struct tokenizer *tokenizer;
    const cJSON *model;
    const char *where;
    struct error *error;
    struct text_buffer joined; /* scratch */
};

static enum status parse_vocabulary(struct model_parse *parse)
{
    const cJSON *entries = json_get(parse->model, "vocab");
    const cJSON *entry;
    if (!cJSON_IsObject(entries))
        return error_set(parse->error, STATUS_FORMAT,
                         "%s.vocab: expected an object of token: id", parse->where);
    if (!entries->child)
        return error_set(parse->error, STATUS_FORMAT, "%s.vocab: holds no tokens",
                         parse->where);
    cJSON_ArrayForEach(entry, entries)
    {
        int64_t id = 0;
        if (!tokenizer_whole_number(entry, &id))
            return error_set(parse->error, STATUS_FORMAT,
                             "%s.vocab[\"%s\"]: expected a whole number, the id",
                             parse->where, entry->string);
        if (vocabulary_add(&parse->tokenizer->vocabulary, entry->string, (int32_t)id,
                           parse->error))
            return error_prefix(parse->error, "%s.vocab", parse->where);
    }
    return STATUS_OK;
}

/* One merge: "left right", or ["left", "right"]. */
struct merge_text {
    const char *left;
    const char *right;
    size_t left_bytes;
    size_t right_bytes;
};

static bool merge_from_string(const char *text, struct merge_text *merge)
{
    const char *space = strchr(text, ' ');
    if (!space || strchr(space + 1, ' '))
        return false;
    *merge =
        (struct merge_text){text, space + 1, (size_t)(space - text), strlen(space + 1)};
    return merge->left_bytes > 0 && merge->right_bytes > 0;
}

static bool merge_from_pair(const cJSON *pair, struct merge_text *merge)
{
    const cJSON *left = pair->child;
    const cJSON *right = left ? left->next : NULL;
    if (!cJSON_IsString(left) || !cJSON_IsString(right) || right->next)
        return false;
    *merge = (struct merge_text){left->valuestring, right->valuestring,
                                 strlen(left->valuestring), strlen(right->valuestring)};
    return merge->left_bytes > 0 && merge->right_bytes > 0;
}

static enum status unknown_token(const struct model_parse *parse, size_t rank,
                                 const char *token, size_t bytes)
{
    return error_set(parse->error, STATUS_FORMAT,
                     "%s.merges[%zu]: \"%.*s\" is not in the vocabulary", parse->where,
                     rank, (int)(bytes < 200 ? bytes : 200), token);
}

static enum status parse_merge(struct model_parse *parse, const cJSON *item, size_t rank)
{
    const struct vocabulary *vocabulary = &parse->tokenizer->vocabulary;
    struct merge_text merge = {0};
    const bool good = cJSON_IsString(item)
                          ? merge_from_string(item->valuestring, &merge)
                          : cJSON_IsArray(item) && merge_from_pair(item, &merge);
    if (!good)
        return error_set(parse->error, STATUS_FORMAT,
                         "%s.merges[%zu]: expected \"left right\" or [\"left\", \"right\"]",
                         parse->where, rank);
    const int32_t left = vocabulary_find(vocabulary, merge.left, merge.left_bytes);
    const int32_t right = vocabulary_find(vocabulary, merge.right, merge.right_bytes);
    if (left < 0)
        return unknown_token(parse, rank, merge.left, merge.left_bytes);
    if (right < 0)
        return unknown_token(parse, rank, merge.right, merge.right_bytes);
    text_buffer_clear(&parse->joined);
    text_buffer_append_bytes(&parse->joined, merge.left, merge.left_bytes);
    text_buffer_append_bytes(&parse->joined, merge.right, merge.right_bytes);
    const int32_t id =
        vocabulary_find(vocabulary, parse->joined.data, parse->joined.length);
    if (id < 0)
        return unknown_token(parse, rank, parse->joined.data, parse->joined.length);
    bpe_add_merge(&parse->tokenizer->bpe, left, right, (uint32_t)rank, id);
    return STATUS_OK;
}

static enum status parse_merges(struct model_parse *parse)
{
    const cJSON *merges = json_get(parse->model, "merges");
    const cJSON *item;
    size_t rank = 0;
    if (!cJSON_IsArray(merges))
        return error_set(parse->error, STATUS_FORMAT, "%s.merges: expected an array",
                         parse->where);
    if (!merges->child)
        return error_set(parse->error, STATUS_FORMAT,
                         "%s.merges: holds no merges: the file would cut every text into "
                         "single bytes; save the tokenizer anew",
                         parse->where);
    bpe_init(&parse->tokenizer->bpe, (size_t)cJSON_GetArraySize(merges));
    cJSON_ArrayForEach(item, merges)
    {
        if (parse_merge(parse, item, rank++))
            return parse->error->status;
    }
    return STATUS_OK;
}

/* Options whose only accepted values are "absent", null and a neutral one. */
static enum status refuse_options(const struct model_parse *parse)
{
    static const char *const affixes[] = {"continuing_subword_prefix",
                                          "end_of_word_suffix"};
    const cJSON *dropout = json_get(parse->model, "dropout");
    if (dropout && !cJSON_IsNull(dropout) &&
        !(cJSON_IsNumber(dropout) && !(dropout->valuedouble > 0)))
        return error_set(parse->error, STATUS_UNSUPPORTED,
                         "%s.dropout: only null and 0 are supported", parse->where);
    for (size_t i = 0; i < sizeof affixes / sizeof *affixes; i++) {
        const char *affix = "";
        if (json_optional_string(parse->model, affixes[i], &affix, parse->where,
                                 parse->error))
            return parse->error->status;
        if (affix[0])
            return error_set(parse->error, STATUS_UNSUPPORTED,
                             "%s.%s: \"%s\" is not supported: only null and \"\" are",
                             parse->where, affixes[i], affix);
    }
    return STATUS_OK;
}

static enum status parse_unknown(struct model_parse *parse)
{
    struct bpe *bpe = &parse->tokenizer->bpe;
    const char *unknown = NULL;
    if (json_optional_string(parse->model, "unk_token", &unknown, parse->where,
                             parse->error) ||
        json_optional_bool(parse->model, "fuse_unk", &bpe->fuse_unknown, parse->where,
                           parse->error) ||
        json_optional_bool(parse->model, "byte_fallback", &bpe->byte_fallback, parse->where,
                           parse->error))
        return parse->error->status;
    if (!unknown)
        return STATUS_OK;
    /* One that is not in the vocabulary matters only where something is missing. */
    bpe->unknown_id =
        vocabulary_find(&parse->tokenizer->vocabulary, unknown, strlen(unknown));
    return STATUS_OK;
}

enum status tokenizer_parse_model(struct tokenizer *tokenizer, const cJSON *json,
                                  struct error *error)
{
    static const char where[] = "model";
    struct model_parse parse = {tokenizer, json, where, error, {0}};
    const char *type = "BPE"; /* old files leave it out */
    if (!cJSON_IsObject(json))
        return error_set(error, STATUS_FORMAT, "%s: expected an object", where);
    if (json_optional_string(json, "type", &type, where, error))
        return error->status;
    if (strcmp(type, "Unigram") == 0)
        return tokenizer_parse_unigram(tokenizer, json, where, error);
    if (strcmp(type, "BPE") != 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s.type: \"%s\" is not supported (BPE, Unigram)", where, type);
    const bool failed = refuse_options(&parse) || parse_vocabulary(&parse) ||
                        parse_merges(&parse) || parse_unknown(&parse);
    text_buffer_release(&parse.joined);
    return failed ? error->status : STATUS_OK;
}
