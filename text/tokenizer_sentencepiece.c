/* A tokenizer from a SentencePiece model file. */
#include "text/sentencepiece_model.h"
#include "text/tokenizer_internal.h"

#include "base/memory.h"

#include <ctype.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

static enum status add_pieces(struct tokenizer *tokenizer,
                              const struct sentencepiece_model *model, struct error *error)
{
    tokenizer->piece_count = model->count;
    tokenizer->piece_types = memory_allocate(model->count);
    for (size_t i = 0; i < model->count; i++) {
        const struct piece *piece = &model->pieces[i];
        if (i >= VOCABULARY_LIMIT)
            return error_set(error, STATUS_FORMAT, "pieces: more than %d",
                             VOCABULARY_LIMIT);
        if (vocabulary_add(&tokenizer->vocabulary, piece->text, (int32_t)i, error))
            return error_prefix(error, "pieces");
        struct vocabulary_token *token = &tokenizer->vocabulary.tokens[i];
        tokenizer->piece_types[i] = (unsigned char)piece->type;
        token->special = piece->type == PIECE_CONTROL;
        token->not_text =
            piece->type != PIECE_NORMAL &&
            !(piece->type == PIECE_USER_DEFINED && model->type == SENTENCEPIECE_UNIGRAM);
        if (piece->type == PIECE_USER_DEFINED)
            (void)added_tokens_add(&tokenizer->user_defined, piece->text, piece->bytes,
                                   (struct added_token){.id = (int32_t)i});
    }
    return STATUS_OK;
}

/* ---- BPE: every way to put a piece together from two is a merge */

struct piece_merge {
    int32_t left;
    int32_t right;
    int32_t id;
};

struct merge_list {
    struct piece_merge *items;
    size_t count;
    size_t capacity;
};

static int32_t normal_piece(const struct tokenizer *tokenizer, const char *text,
                            size_t bytes)
{
    const int32_t id = vocabulary_find(&tokenizer->vocabulary, text, bytes);
    return id >= 0 && tokenizer->piece_types[id] == PIECE_NORMAL ? id : -1;
}

/* Merging starts from characters: each must be a piece, as SentencePiece's trainer sees
 * to. */
static enum status list_merges(const struct tokenizer *tokenizer, const struct piece *piece,
                               int32_t id, struct merge_list *merges, struct error *error)
{
    size_t start = 0, end = 0;
    for (; end < piece->bytes; start = end) {
        uint32_t code_point;
        end += utf8_decode(piece->text + end, piece->bytes - end, &code_point);
        if (normal_piece(tokenizer, piece->text + start, end - start) < 0)
            return error_set(error, STATUS_UNSUPPORTED,
                             "pieces[%d]: \"%s\" has a character that is no piece itself: "
                             "not supported",
                             id, piece->text);
        if (end == piece->bytes)
            break;
        const int32_t left = normal_piece(tokenizer, piece->text, end);
        const int32_t right =
            normal_piece(tokenizer, piece->text + end, piece->bytes - end);
        if (left < 0 || right < 0)
            continue;
        array_reserve(merges->items, merges->capacity, merges->count + 1);
        merges->items[merges->count++] = (struct piece_merge){left, right, id};
    }
    return STATUS_OK;
}

static int by_score(const void *a, const void *b)
{
    const float left = *(const float *)a, right = *(const float *)b;
    return left > right ? -1 : left < right;
}

/* Rank of each piece: how many scores are higher. Equal scores merge from the left. */
static uint32_t *piece_ranks(const struct sentencepiece_model *model)
{
    float *scores = memory_allocate_array(model->count, sizeof *scores);
    uint32_t *ranks = memory_allocate_array(model->count, sizeof *ranks);
    for (size_t i = 0; i < model->count; i++)
        scores[i] = model->pieces[i].score;
    qsort(scores, model->count, sizeof *scores, by_score);
    for (size_t i = 0; i < model->count; i++) {
        size_t low = 0, high = model->count;
        while (low < high) {
            const size_t middle = (low + high) / 2;
            if (scores[middle] > model->pieces[i].score)
                low = middle + 1;
            else
                high = middle;
        }
        ranks[i] = (uint32_t)low;
    }
    free(scores);
    return ranks;
}

static enum status build_merges(struct tokenizer *tokenizer,
                                const struct sentencepiece_model *model,
                                struct error *error)
{
    struct merge_list merges = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < model->count && !status; i++)
        if (model->pieces[i].type == PIECE_NORMAL)
            status = list_merges(tokenizer, &model->pieces[i], (int32_t)i, &merges, error);
    if (!status && merges.count == 0)
        status = error_set(error, STATUS_FORMAT,
                           "pieces: none is made of two others: the file would cut every "
                           "text into single characters");
    if (!status) {
        uint32_t *ranks = piece_ranks(model);
        bpe_init(&tokenizer->bpe, merges.count);
        for (size_t i = 0; i < merges.count; i++)
            bpe_add_merge(&tokenizer->bpe, merges.items[i].left, merges.items[i].right,
                          ranks[merges.items[i].id], merges.items[i].id);
        free(ranks);
    }
    free(merges.items);
    return status;
}

/* ---- unigram */

static void build_unigram(struct tokenizer *tokenizer,
                          const struct sentencepiece_model *model)
{
    struct unigram *unigram = &tokenizer->unigram;
    float lowest = FLT_MAX, highest = FLT_MIN; /* the latter as SentencePiece has it */
    unigram_init(unigram, &tokenizer->vocabulary);
    unigram->sentencepiece = true;
    for (size_t i = 0; i < model->count; i++) {
        const struct piece *piece = &model->pieces[i];
        if (piece->type != PIECE_NORMAL)
            continue;
        lowest = piece->score < lowest ? piece->score : lowest;
        highest = piece->score > highest ? piece->score : highest;
    }
    for (size_t i = 0; i < model->count; i++) {
        const struct piece *piece = &model->pieces[i];
        const float bonus = (float)piece->bytes * highest;
        unigram_set_score(unigram, (int32_t)i,
                          piece->type == PIECE_USER_DEFINED
                              ? (double)(float)((double)bonus - 0.1)
                              : (double)piece->score);
    }
    unigram->lowest_score = (double)lowest;
}

/* ---- what lies around the model */

static void set_fallback(struct tokenizer *tokenizer,
                         const struct sentencepiece_model *model)
{
    int32_t unknown = 0;
    while (model->pieces[unknown].type != PIECE_UNKNOWN)
        unknown++;
    if (tokenizer->model == TOKENIZER_UNIGRAM) {
        tokenizer->unigram.unknown_id = unknown;
        tokenizer->unigram.byte_fallback = model->byte_fallback;
        return;
    }
    tokenizer->bpe.unknown_id = unknown;
    tokenizer->bpe.fuse_unknown = true;
    tokenizer->bpe.byte_fallback = model->byte_fallback;
}

static enum status build_normalizer(struct tokenizer *tokenizer,
                                    const struct sentencepiece_model *model,
                                    struct error *error)
{
    struct normalizer_step step = {.kind = NORMALIZER_SENTENCEPIECE, .rules = model->rules};
    if (charsmap_parse(&step.charsmap, model->charsmap, model->charsmap_bytes, error))
        return error_prefix(error, "normalizer_spec");
    if (tokenizer->user_defined.count > 0)
        step.rules.user_defined = &tokenizer->user_defined;
    normalizer_add(&tokenizer->normalizer, step);
    tokenizer->drops_first_space = model->rules.add_dummy_prefix;
    tokenizer->drops_all_space = model->rules.remove_extra_whitespaces;
    return STATUS_OK;
}

/* What transformers' tokenizer_config.json says about the model beside it. */
struct config {
    bool legacy; /* a dummy prefix after every special token, not only at the start */
    bool add_prefix_space;
    bool add_bos_token;
    bool add_eos_token;
    const cJSON *added; /* borrowed, may be NULL */
};

static enum status read_config(const cJSON *json, struct config *config,
                               struct error *error)
{
    static const char where[] = "tokenizer_config.json";
    *config =
        (struct config){.legacy = true, .add_prefix_space = true, .add_bos_token = true};
    if (!json)
        return STATUS_OK;
    if (!cJSON_IsObject(json))
        return error_set(error, STATUS_FORMAT, "%s: expected an object", where);
    if (json_optional_bool(json, "legacy", &config->legacy, where, error) ||
        json_optional_bool(json, "add_prefix_space", &config->add_prefix_space, where,
                           error) ||
        json_optional_bool(json, "add_bos_token", &config->add_bos_token, where, error) ||
        json_optional_bool(json, "add_eos_token", &config->add_eos_token, where, error))
        return error->status;
    config->added = json_get(json, "added_tokens_decoder");
    return STATUS_OK;
}

/* {"32000": {"content": "<|user|>", "special": true, …}, …} */
static enum status add_configured(struct tokenizer *tokenizer, const cJSON *added,
                                  struct error *error)
{
    const cJSON *item;
    if (!added)
        return STATUS_OK;
    cJSON_ArrayForEach(item, added)
    {
        char where[TOKENIZER_WHERE_BYTES];
        int64_t id = -1;
        tokenizer_where(where, "tokenizer_config.json: added_tokens_decoder[\"%s\"]",
                        item->string ? item->string : "");
        if (!item->string || !text_parse_integer(item->string, &id) || id < 0)
            return error_set(error, STATUS_FORMAT, "%s: expected an id", where);
        if (tokenizer_parse_added(tokenizer, item, id, where, error))
            return error->status;
    }
    return STATUS_OK;
}

/* Control pieces are found in rendered templates, user-defined ones in every text. */
static enum status add_model_tokens(struct tokenizer *tokenizer,
                                    const struct sentencepiece_model *model,
                                    struct error *error)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct piece *piece = &model->pieces[i];
        const bool control = piece->type == PIECE_CONTROL;
        const bool matched =
            piece->type == PIECE_USER_DEFINED && model->type == SENTENCEPIECE_BPE;
        const struct added_token token = {.id = (int32_t)i, .special = control};
        if (string_table_find(&tokenizer->added_by_content, piece->text, piece->bytes))
            continue;
        if (control &&
            tokenizer_list_added(tokenizer, piece->text, token, false, "pieces", error))
            return error->status;
        if (!matched)
            continue;
        bool added;
        (void)added_tokens_add(&tokenizer->added_normalized, piece->text, piece->bytes,
                               token);
        string_table_add(&tokenizer->added_by_content, piece->text, piece->bytes, token.id,
                         &added);
    }
    return STATUS_OK;
}

static void add_ends(struct tokenizer *tokenizer, const struct sentencepiece_model *model,
                     const struct config *config)
{
    const int32_t bos = tokenizer_token_id(tokenizer, model->bos_piece);
    const int32_t eos = tokenizer_token_id(tokenizer, model->eos_piece);
    if (config->add_bos_token && bos >= 0)
        token_list_append(&tokenizer->prefix, bos);
    if (config->add_eos_token && eos >= 0)
        token_list_append(&tokenizer->suffix, eos);
}

static enum status build(struct tokenizer *tokenizer, struct sentencepiece_model *model,
                         const cJSON *config_json, struct error *error)
{
    struct config config;
    if (read_config(config_json, &config, error) || add_pieces(tokenizer, model, error))
        return error->status;
    model->rules.prefix_first_only = !config.legacy;
    model->rules.add_dummy_prefix &= config.add_prefix_space;
    if (model->type == SENTENCEPIECE_UNIGRAM) {
        tokenizer->model = TOKENIZER_UNIGRAM;
        build_unigram(tokenizer, model);
    } else if (build_merges(tokenizer, model, error)) {
        return error->status;
    }
    set_fallback(tokenizer, model);
    tokenizer->pretokenizer = pretokenizer_create();
    tokenizer->unknown_surface = memory_duplicate_string(model->unknown_surface);
    if (build_normalizer(tokenizer, model, error) ||
        add_configured(tokenizer, config.added, error) ||
        add_model_tokens(tokenizer, model, error))
        return error->status;
    add_ends(tokenizer, model, &config);
    if (tokenizer_check_ids(tokenizer, error))
        return error->status;
    return tokenizer_index(tokenizer, NULL, error);
}

/* Llama-3's file of this name: lines of a Base64 token and its rank. */
static bool is_tiktoken(const char *data, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && (isalnum((unsigned char)data[i]) || strchr("+/=", data[i])))
        i++;
    return i > 0 && i + 1 < bytes && data[i] == ' ' && isdigit((unsigned char)data[i + 1]);
}

enum status tokenizer_parse_sentencepiece(struct tokenizer **tokenizer, const void *data,
                                          size_t bytes, const cJSON *config,
                                          const char *where, struct error *error)
{
    struct sentencepiece_model model;
    struct error ignored;
    *tokenizer = NULL;
    if (!error)
        error = &ignored;
    if (tokenizer_refuse_pointer(data, bytes, where, error))
        return error->status;
    if (is_tiktoken(data, bytes))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: is a list of ranks (tiktoken), which names neither its split "
            "pattern nor its special tokens: convert it to tokenizer.json with "
            "transformers (AutoTokenizer, save_pretrained)",
            where);
    enum status status = sentencepiece_model_parse(&model, data, bytes, error);
    if (!status) {
        *tokenizer = memory_allocate(sizeof **tokenizer);
        status = build(*tokenizer, &model, config, error);
    }
    sentencepiece_model_release(&model);
    if (status) {
        error_prefix(error, "%s", where);
        tokenizer_free(*tokenizer);
        *tokenizer = NULL;
    }
    return status;
}
