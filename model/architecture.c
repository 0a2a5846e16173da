#include "base/file.h"
#include "model/architecture_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Whole numbers and their limits. The limits are far above any model and low enough that
 * no product below overflows: C (2 H D + 2 G D + 3 F) L stays under 2^63.
 */
struct whole_field {
    const char *key;
    const char *short_key; /* of GPT-2; NULL: it has none */
    size_t offset;
    int64_t most;
    bool required;
};
#define FIELD(member) offsetof(struct architecture, member)
static const struct whole_field whole_fields[] = {
    {"num_hidden_layers", "n_layer", FIELD(layer_count), LAYER_LIMIT, true},
    {"hidden_size", "n_embd", FIELD(channels), 1 << 20, true},
    {"intermediate_size", "n_inner", FIELD(feed_forward), 1 << 20, true},
    {"num_attention_heads", "n_head", FIELD(heads), 1 << 14, true},
    {"num_key_value_heads", NULL, FIELD(key_value_heads), 1 << 14, false},
    {"head_dim", NULL, FIELD(head_size), 1 << 12, false},
    {"vocab_size", "vocab_size", FIELD(vocabulary), 1 << 26, true},
    {"max_position_embeddings", "n_positions", FIELD(position_limit), 1 << 30, false},
};
static const int64_t parameter_limit = (int64_t)1 << 40;

/* A field that changes the result, and the only value of it that is computed. */
struct neutral_field {
    const char *key;
    bool (*is_neutral)(const cJSON *value); /* null is always neutral */
    const char *supported;
};

static bool is_zero(const cJSON *value)
{
    return cJSON_IsNumber(value) && value->valuedouble == 0.0;
}

static bool is_one(const cJSON *value)
{
    return cJSON_IsNumber(value) && value->valuedouble == 1.0;
}

static bool is_false(const cJSON *value)
{
    return cJSON_IsFalse(value);
}

static bool is_never(const cJSON *value)
{
    (void)value;
    return false;
}

/* What switches nothing on: false, 0, an empty list. */
static bool is_off(const cJSON *value)
{
    return is_false(value) || is_zero(value) || (cJSON_IsArray(value) && !value->child);
}

static bool is_true(const cJSON *value)
{
    return cJSON_IsTrue(value);
}

static const struct neutral_field neutral_fields[] = {
    {"attention_dropout", is_zero, "only 0"},
    {"pretraining_tp", is_one, "only 1"},
    {"rope_interleaved", is_false, "only false"},
    {"scale_attn_weights", is_true, "only true"},
    {"scale_attn_by_inverse_layer_idx", is_false, "only false"},
    {"add_cross_attention", is_false, "only false"},
    {"use_bidirectional_attention", is_false, "only false"},
    {"logit_scale", is_one, "only 1"},
    {"num_experts", is_off, "only 0"},
    {"num_local_experts", is_off, "only 0"},
    {"use_parallel_residual", is_off, "only false"},
    {"parallel_attn", is_off, "only false"},
    {"alibi", is_off, "only false"},
    {"clip_qkv", is_off, "only null"},
    {"qk_layernorm", is_off, "only false"},
    {"use_qk_norm", is_off, "only false"},
    {"rotary_pct", is_one, "only 1"},
    {"quantization_config", is_never,
     "only unquantised weights: convert the model to bf16 or fp32 first"},
    {"quantization", is_never, /* MLX */
     "only unquantised weights: convert the model to bf16 or fp32 first"},
};

/* For families that do not read them. */
static const struct neutral_field attention_bias_field = {
    "attention_bias", is_false, "only false: this family has no such bias"};
static const struct neutral_field mlp_bias_field = {
    "mlp_bias", is_false, "only false: this family has no such bias"};
static const struct neutral_field multiplier_fields[] = {
    {"embedding_multiplier", is_one, "only 1: this family has none"},
    {"residual_multiplier", is_one, "only 1: this family has none"},
    {"logits_scaling", is_one, "only 1: this family has none"},
    {"attention_multiplier", is_never, "only null: this family has none"},
};
static const struct neutral_field dropout_fields[] = {
    {"resid_pdrop", is_zero, "only 0"},
    {"embd_pdrop", is_zero, "only 0"},
};
static const struct neutral_field partial_field = {
    "partial_rotary_factor", is_one, "only 1: in this family whole heads turn"};
static const struct neutral_field query_scalar_field = {"query_pre_attn_scalar", is_never,
                                                        "only null: this family has none"};
static const struct neutral_field attention_cap_field = {"attn_logit_softcapping", is_never,
                                                         "only null: this family has none"};
static const struct neutral_field logit_cap_field = {"final_logit_softcapping", is_never,
                                                     "only null: this family has none"};
#define COUNT(table) (sizeof(table) / sizeof *(table))

enum status config_unsupported(const struct source *source, const cJSON *value,
                               const char *supported)
{
    char *text = cJSON_PrintUnformatted(value);
    const enum status status = error_set(
        source->error, STATUS_UNSUPPORTED, "%s: \"%s\": %.80s is not supported (%s)",
        source->where, value->string, text ? text : "this value", supported);
    cJSON_free(text);
    return status;
}

static enum status check_neutral(const struct source *source,
                                 const struct neutral_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cJSON *value = json_get(source->root, fields[i].key);
        if (value && !cJSON_IsNull(value) && !fields[i].is_neutral(value))
            return config_unsupported(source, value, fields[i].supported);
    }
    return STATUS_OK;
}

/* What a file of this family cannot have. */
static enum status check_foreign(const struct family *family, const struct source *source)
{
    const struct {
        const struct neutral_field *fields;
        size_t count;
        bool read;
    } sets[] = {
        {neutral_fields, COUNT(neutral_fields), false},
        {&attention_bias_field, 1, family->reads_attention_bias},
        {&mlp_bias_field, 1, family->reads_mlp_bias},
        {multiplier_fields, COUNT(multiplier_fields), family->multipliers},
        {dropout_fields, COUNT(dropout_fields), family->short_names},
        {&partial_field, 1, family->partial_rope},
        {&query_scalar_field, 1, family->query_scalar > 0},
        {&attention_cap_field, 1, family->attention_cap > 0},
        {&logit_cap_field, 1, family->logit_cap > 0},
    };
    for (size_t i = 0; i < COUNT(sets); i++) {
        const enum status status =
            sets[i].read ? STATUS_OK : check_neutral(source, sets[i].fields, sets[i].count);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status read_biases(struct architecture *architecture,
                               const struct family *family, const struct source *source)
{
    bool attention = family->biases, feed_forward = family->biases;
    enum status status = STATUS_OK;
    if (family->reads_attention_bias)
        status = json_optional_bool(source->root, "attention_bias", &attention,
                                    source->where, source->error);
    if (!status && family->reads_mlp_bias)
        status = json_optional_bool(source->root, "mlp_bias", &feed_forward, source->where,
                                    source->error);
    architecture->query_key_value_bias = attention || family->query_key_value_bias;
    architecture->attention_out_bias = attention;
    architecture->feed_forward_bias = feed_forward;
    return status;
}

static enum status read_model_type(struct architecture *architecture,
                                   const struct family **family,
                                   const struct source *source)
{
    const char *type = NULL;
    const enum status status = json_required_string(source->root, "model_type", &type,
                                                    source->where, source->error);
    if (status)
        return status;
    *family = family_find(type);
    if (!*family)
        return family_unknown(source, type);
    snprintf(architecture->model_type, sizeof architecture->model_type, "%s", type);
    architecture->norm = (*family)->norm;
    architecture->head_norms = (*family)->head_norms;
    architecture->row_norms = (*family)->row_norms;
    architecture->post_norms = (*family)->post_norms;
    architecture->no_pre_norms = (*family)->no_pre_norms;
    architecture->gateless = (*family)->gateless;
    architecture->learned_positions = (*family)->learned_positions;
    architecture->scaled_embedding = (*family)->scaled_embedding;
    architecture->fused_projections = (*family)->fused_projections;
    architecture->transposed = (*family)->transposed;
    return STATUS_OK;
}

enum status config_whole(const struct source *source, const char *key, int64_t most,
                         bool required, int64_t *out)
{
    const cJSON *value = json_get(source->root, key);
    *out = value ? GIVEN_NULL : ABSENT;
    if (!required && (!value || cJSON_IsNull(value)))
        return STATUS_OK;
    const enum status status =
        json_required_integer(source->root, key, out, source->where, source->error);
    if (status)
        return status;
    if (*out < 1 || *out > most)
        return error_set(source->error, STATUS_FORMAT,
                         "%s: \"%s\": %lld is out of range (1 to %lld)", source->where, key,
                         (long long)*out, (long long)most);
    return STATUS_OK;
}

/* GPT-2's class knows the longer names too, and lets the last one count. */
static enum status check_long_name(const struct source *source,
                                   const struct whole_field *field, int64_t given)
{
    const cJSON *value = json_get(source->root, field->key);
    if (!value || cJSON_IsNull(value) || value->valuedouble == (double)given)
        return STATUS_OK;
    return error_set(source->error, STATUS_FORMAT,
                     "%s: \"%s\" is not the same as \"%s\": %lld: take one of them out",
                     source->where, field->key, field->short_key, (long long)given);
}

/* Of what other families must give. */
static bool has_default(const struct family *family, const char *key)
{
    return (family->heads > 0 && strcmp(key, "num_attention_heads") == 0) ||
           (family->vocabulary > 0 && strcmp(key, "vocab_size") == 0);
}

static enum status read_whole_field(struct architecture *architecture,
                                    const struct family *family,
                                    const struct source *source,
                                    const struct whole_field *field)
{
    int64_t *out = (int64_t *)(void *)((char *)architecture + field->offset);
    const char *key = family->short_names ? field->short_key : field->key;
    const bool inner = key && strcmp(key, "n_inner") == 0; /* null: four times n_embd */
    *out = ABSENT;
    if (!key)
        return STATUS_OK;
    const bool required = field->required && !inner && !has_default(family, key);
    const enum status status = config_whole(source, key, field->most, required, out);
    return !status && family->short_names && !inner && *out > 0
               ? check_long_name(source, field, *out)
               : status;
}

/* Where the family's default is none, absent is null. */
static void fill_default(int64_t *field, int64_t family_default)
{
    if (*field == ABSENT)
        *field = family_default ? family_default : GIVEN_NULL;
}

static enum status fill_sizes(struct architecture *architecture,
                              const struct family *family, const struct source *source)
{
    const bool short_names = family->short_names;
    if (architecture->heads < 0)
        architecture->heads = family->heads;
    if (architecture->vocabulary < 0)
        architecture->vocabulary = family->vocabulary;
    fill_default(&architecture->key_value_heads, family->key_value_heads);
    fill_default(&architecture->head_size, family->head_size);
    if (architecture->feed_forward < 0)
        architecture->feed_forward = 4 * architecture->channels;
    if (architecture->position_limit < 0)
        architecture->position_limit = family->position_limit;
    if (architecture->key_value_heads < 0)
        architecture->key_value_heads = architecture->heads;
    if (architecture->head_size < 0 && architecture->channels % architecture->heads != 0)
        return error_set(
            source->error, STATUS_FORMAT,
            "%s: \"%s\": %lld is not a multiple of \"%s\": %lld%s", source->where,
            short_names ? "n_embd" : "hidden_size", (long long)architecture->channels,
            short_names ? "n_head" : "num_attention_heads", (long long)architecture->heads,
            short_names ? "" : ", and \"head_dim\" is not given");
    if (architecture->head_size < 0)
        architecture->head_size = architecture->channels / architecture->heads;
    return STATUS_OK;
}

static enum status read_sizes(struct architecture *architecture,
                              const struct family *family, const struct source *source)
{
    for (size_t i = 0; i < COUNT(whole_fields); i++) {
        const enum status status =
            read_whole_field(architecture, family, source, &whole_fields[i]);
        if (status)
            return status;
    }
    return fill_sizes(architecture, family, source);
}

static enum status check_sizes(const struct architecture *architecture,
                               const struct source *source)
{
    if (architecture->heads % architecture->key_value_heads != 0)
        return error_set(source->error, STATUS_FORMAT,
                         "%s: \"num_attention_heads\": %lld is not a multiple of "
                         "\"num_key_value_heads\": %lld",
                         source->where, (long long)architecture->heads,
                         (long long)architecture->key_value_heads);
    if (architecture->head_size % 2 != 0 && !architecture->learned_positions)
        return error_set(source->error, STATUS_FORMAT,
                         "%s: a head size (\"head_dim\") of %lld is odd: rotary positions "
                         "turn pairs",
                         source->where, (long long)architecture->head_size);
    if (architecture_parameter_count(architecture) > parameter_limit)
        return error_set(source->error, STATUS_LIMIT,
                         "%s: the sizes give %.0f parameters; the limit is %.0f",
                         source->where, (double)architecture_parameter_count(architecture),
                         (double)parameter_limit);
    return STATUS_OK;
}

enum status config_number(const struct source *source, const char *key, double least,
                          double *out)
{
    const enum status status =
        json_optional_number(source->root, key, out, source->where, source->error);
    if (status)
        return status;
    if (!isfinite(*out) || *out < least || *out > 1e15)
        return error_set(source->error, STATUS_FORMAT, "%s: \"%s\": %g is out of range",
                         source->where, key, *out);
    return STATUS_OK;
}

/* Null switches a soft-cap off; absent is the family's default. */
static enum status read_cap(const struct source *source, const char *key,
                            double family_default, double *cap)
{
    const cJSON *value = json_get(source->root, key);
    const bool none = value && cJSON_IsNull(value);
    *cap = none ? 0.0 : family_default;
    return *cap > 0 ? config_number(source, key, 1e-3, cap) : STATUS_OK;
}

static enum status read_multipliers(struct architecture *a, const struct source *source)
{
    const struct {
        const char *key;
        double *out;
    } fields[] = {
        {"attention_multiplier", &a->attention_multiplier},
        {"embedding_multiplier", &a->embedding_multiplier},
        {"residual_multiplier", &a->residual_multiplier},
        {"logits_scaling", &a->logits_scaling},
    };
    for (size_t i = 0; i < COUNT(fields); i++) {
        *fields[i].out = 1.0;
        const enum status status =
            config_number(source, fields[i].key, 1e-6, fields[i].out);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status read_scores(struct architecture *a, const struct family *family,
                               const struct source *source)
{
    enum status status;
    a->query_scalar = family->query_scalar;
    if (family->query_scalar > 0 &&
        (status = config_number(source, "query_pre_attn_scalar", 1e-6, &a->query_scalar)))
        return status;
    if ((status = read_cap(source, "attn_logit_softcapping", family->attention_cap,
                           &a->attention_cap)))
        return status;
    return read_cap(source, "final_logit_softcapping", family->logit_cap, &a->logit_cap);
}

static enum status read_numbers(struct architecture *architecture,
                                const struct family *family, const struct source *source)
{
    const char *epsilon = family->epsilon_key ? family->epsilon_key : "rms_norm_eps";
    enum status status;
    architecture->norm_epsilon = family->norm_epsilon;
    architecture->initializer_range = 0.02;
    architecture->tied_embeddings = family->tied;
    if ((status = config_number(source, epsilon, 0.0, &architecture->norm_epsilon)) ||
        (status = config_number(source, "initializer_range", 0.0,
                                &architecture->initializer_range)) ||
        (status = read_scores(architecture, family, source)) ||
        (family->multipliers && (status = read_multipliers(architecture, source))) ||
        (status = activation_read(architecture, family, source)))
        return status;
    if (!family->learned_positions && (status = rope_read(architecture, source)))
        return status;
    return json_optional_bool(source->root, "tie_word_embeddings",
                              &architecture->tied_embeddings, source->where, source->error);
}

static enum status token_number(const struct source *source, const cJSON *value,
                                const char *key, int32_t *token)
{
    if (!cJSON_IsNumber(value) || value->valuedouble != floor(value->valuedouble) ||
        value->valuedouble < -1.0 || value->valuedouble > (double)INT32_MAX)
        return error_set(source->error, STATUS_FORMAT, "%s: \"%s\" is not a token number",
                         source->where, key);
    *token = (int32_t)value->valuedouble;
    return STATUS_OK;
}

static enum status add_eos_token(struct architecture *architecture,
                                 const struct source *source, const cJSON *value)
{
    int32_t token = -1;
    const enum status status = token_number(source, value, "eos_token_id", &token);
    if (status || token < 0)
        return status;
    for (int32_t i = 0; i < architecture->eos_token_count; i++) {
        if (architecture->eos_tokens[i] == token)
            return STATUS_OK;
    }
    if ((size_t)architecture->eos_token_count == COUNT(architecture->eos_tokens))
        return error_set(source->error, STATUS_LIMIT,
                         "%s: \"eos_token_id\" names more than %zu tokens", source->where,
                         COUNT(architecture->eos_tokens));
    architecture->eos_tokens[architecture->eos_token_count++] = token;
    return STATUS_OK;
}

/* A number, a list of numbers, null or nothing. */
static enum status read_eos_tokens(struct architecture *architecture,
                                   const struct source *source)
{
    const cJSON *value = json_get(source->root, "eos_token_id");
    const cJSON *item;
    if (!value || cJSON_IsNull(value))
        return STATUS_OK;
    if (!cJSON_IsArray(value))
        return add_eos_token(architecture, source, value);
    cJSON_ArrayForEach(item, value)
    {
        const enum status status = add_eos_token(architecture, source, item);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status read_bos_token(struct architecture *architecture,
                                  const struct source *source)
{
    const cJSON *value = json_get(source->root, "bos_token_id");
    architecture->bos_token = -1;
    if (!value || cJSON_IsNull(value))
        return STATUS_OK;
    return token_number(source, value, "bos_token_id", &architecture->bos_token);
}

static enum status read_text_config(struct architecture *architecture,
                                    const struct source *source)
{
    const struct family *family = NULL;
    enum status status;
    if ((status = read_model_type(architecture, &family, source)) ||
        (status = check_foreign(family, source)) ||
        (status = read_biases(architecture, family, source)) ||
        (status = read_sizes(architecture, family, source)) ||
        (status = window_read(architecture, family, source)) ||
        (status = unturned_read(architecture, family, source)) ||
        (status = check_sizes(architecture, source)) ||
        (status = read_numbers(architecture, family, source)) ||
        (status = read_bos_token(architecture, source)))
        return status;
    return read_eos_tokens(architecture, source);
}

/* A model of images too has its text part in an object of its own, and beside it what is of
 * all parts. */
static enum status read_text_part(struct architecture *a, const struct family *family,
                                  const struct source *source)
{
    const struct source text = {json_get(source->root, "text_config"), source->where,
                                source->error};
    const cJSON *type = json_get(text.root, "model_type");
    enum status status = check_neutral(source, neutral_fields, COUNT(neutral_fields));
    if (status)
        return status;
    if (!cJSON_IsObject(text.root) || !cJSON_IsString(type) ||
        strcmp(type->valuestring, family->model_type) != 0)
        return error_set(source->error, STATUS_FORMAT,
                         "%s: \"text_config\" is not an object whose \"model_type\" is "
                         "\"%s\", which is what describes the text part of this model",
                         source->where, family->model_type);
    if ((status = read_text_config(a, &text)))
        return error_prefix(source->error, "\"text_config\"");
    a->text_part = true;
    status = json_optional_bool(source->root, "tie_word_embeddings", &a->tied_embeddings,
                                source->where, source->error);
    return status ? status : read_eos_tokens(a, source);
}

static enum status read_config(struct architecture *architecture,
                               const struct source *source)
{
    if (!cJSON_IsObject(source->root))
        return error_set(source->error, STATUS_FORMAT, "%s: not a JSON object",
                         source->where);
    const cJSON *type = json_get(source->root, "model_type");
    const struct family *whole =
        cJSON_IsString(type) ? family_find_whole(type->valuestring) : NULL;
    return whole ? read_text_part(architecture, whole, source)
                 : read_text_config(architecture, source);
}

enum status architecture_parse(struct architecture *architecture, const char *json,
                               size_t bytes, const char *where, struct error *error)
{
    cJSON *root = NULL;
    *architecture = (struct architecture){0};
    enum status status = json_parse(&root, json, bytes, where, error);
    if (!status)
        status = read_config(
            architecture, &(struct source){.root = root, .where = where, .error = error});
    cJSON_Delete(root);
    return status;
}

static enum status read_config_file(struct architecture *architecture, const char *path,
                                    struct error *error)
{
    struct text_buffer text = {0};
    enum status status = file_read(&text, path, (size_t)16 << 20, error);
    if (!status)
        status = architecture_parse(architecture, text_buffer_string(&text), text.length,
                                    path, error);
    text_buffer_release(&text);
    return status;
}

static enum status read_generation_config(struct architecture *architecture,
                                          const char *path, struct error *error)
{
    cJSON *root = NULL;
    if (!file_exists(path))
        return STATUS_OK;
    enum status status = json_parse_file(&root, path, error);
    if (!status)
        status = read_eos_tokens(architecture, &(struct source){root, path, error});
    cJSON_Delete(root);
    return status;
}

enum status architecture_open_directory(struct architecture *architecture,
                                        const char *directory, struct error *error)
{
    char *config = path_join(directory, "config.json");
    char *generation = path_join(directory, "generation_config.json");
    enum status status = read_config_file(architecture, config, error);
    if (!status)
        status = read_generation_config(architecture, generation, error);
    free(config);
    free(generation);
    return status;
}
