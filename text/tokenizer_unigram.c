/* tokenizer.json: "model" of type Unigram, pieces and their scores. */
#include "text/tokenizer_internal.h"

#include <float.h>
#include <string.h>

/* ["▁the", -3.5] */
static enum status parse_piece(struct tokenizer *tokenizer, const cJSON *entry, size_t id,
                               const char *where, struct error *error)
{
    const cJSON *piece = cJSON_IsArray(entry) ? entry->child : NULL;
    const cJSON *score = piece ? piece->next : NULL;
    if (!cJSON_IsString(piece) || !cJSON_IsNumber(score) || score->next)
        return error_set(error, STATUS_FORMAT, "%s.vocab[%zu]: expected [\"piece\", score]",
                         where, id);
    if (!(score->valuedouble >= -DBL_MAX && score->valuedouble <= DBL_MAX))
        return error_set(error, STATUS_FORMAT, "%s.vocab[%zu]: the score is no number",
                         where, id);
    if (id >= VOCABULARY_LIMIT)
        return error_set(error, STATUS_FORMAT, "%s.vocab: more than %d pieces", where,
                         VOCABULARY_LIMIT);
    if (vocabulary_add(&tokenizer->vocabulary, piece->valuestring, (int32_t)id, error))
        return error_prefix(error, "%s.vocab", where);
    unigram_set_score(&tokenizer->unigram, (int32_t)id, score->valuedouble);
    if (id == 0 || score->valuedouble < tokenizer->unigram.lowest_score)
        tokenizer->unigram.lowest_score = score->valuedouble;
    return STATUS_OK;
}

static enum status parse_unknown(struct tokenizer *tokenizer, const cJSON *json,
                                 const char *where, struct error *error)
{
    const cJSON *unknown = json_get(json, "unk_id");
    int64_t id = 0;
    if (!unknown || cJSON_IsNull(unknown))
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s.unk_id: null is not supported: text with characters that the "
                         "vocabulary lacks could not be encoded",
                         where);
    if (!tokenizer_whole_number(unknown, &id) || (size_t)id >= tokenizer->vocabulary.count)
        return error_set(error, STATUS_FORMAT, "%s.unk_id: is no id of the vocabulary",
                         where);
    tokenizer->unigram.unknown_id = (int32_t)id;
    return json_optional_bool(json, "byte_fallback", &tokenizer->unigram.byte_fallback,
                              where, error);
}

enum status tokenizer_parse_unigram(struct tokenizer *tokenizer, const cJSON *json,
                                    const char *where, struct error *error)
{
    const cJSON *entries = json_get(json, "vocab");
    const cJSON *entry;
    size_t id = 0;
    tokenizer->model = TOKENIZER_UNIGRAM;
    unigram_init(&tokenizer->unigram, &tokenizer->vocabulary);
    if (!cJSON_IsArray(entries))
        return error_set(error, STATUS_FORMAT,
                         "%s.vocab: expected an array of [\"piece\", score]", where);
    if (!entries->child)
        return error_set(error, STATUS_FORMAT, "%s.vocab: holds no pieces", where);
    cJSON_ArrayForEach(entry, entries)
    {
        if (parse_piece(tokenizer, entry, id++, where, error))
            return error->status;
    }
    return parse_unknown(tokenizer, json, where, error);
}
