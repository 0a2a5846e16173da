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
    size_t offset;
    int64_t most;
    bool required;
};
/* What else may be absent or null is one of these until defaults are filled in. */
enum { ABSENT = -1, GIVEN_NULL = -2 };
#define FIELD(member) offsetof(struct architecture, member)
static const struct whole_field whole_fields[] = {
    {"num_hidden_layers", FIELD(layer_count), 4096, true},
    {"hidden_size", FIELD(channels), 1 << 20, true},
    {"intermediate_size", FIELD(feed_forward), 1 << 20, true},
    {"num_attention_heads", FIELD(heads), 1 << 14, true},
    {"num_key_value_heads", FIELD(key_value_heads), 1 << 14, false},
    {"head_dim", FIELD(head_size), 1 << 12, false},
    {"vocab_size", FIELD(vocabulary), 1 << 26, true},
    {"max_position_embeddings", FIELD(position_limit), 1 << 30, false},
};
static const struct whole_field window_field = {"sliding_window", FIELD(window), 1 << 30,
                                                false};
static const int64_t parameter_limit = (int64_t)1 << 40;

/* A field that changes the result, and the only value of it that is computed. */
struct neutral_field {
    const char *key;
    bool (*is_neutral)(const cJSON *value); /* null is always neutral */
    const char *supported;
};

static const struct family families[] = {
    {
        .model_type = "llama",
        .class_name = "LlamaForCausalLM",
        .position_limit = 2048,
        .norm_epsilon = 1e-6,
        .reads_attention_bias = true,
        .reads_mlp_bias = true,
    },
    {
        .model_type = "qwen2", /* Qwen2.5 too */
        .class_name = "Qwen2ForCausalLM",
        .position_limit = 32768,
        .key_value_heads = 32,
        .norm_epsilon = 1e-6,
        .window_rule = WINDOW_SWITCHED,
        .query_key_value_bias = true,
    },
    {
        .model_type = "qwen3",
        .class_name = "Qwen3ForCausalLM",
        .position_limit = 32768,
        .key_value_heads = 32,
        .head_size = 128,
        .norm_epsilon = 1e-6,
        .window_rule = WINDOW_SWITCHED,
        .reads_attention_bias = true,
        .head_norms = true,
    },
    {
        .model_type = "mistral", /* Zephyr too */
        .class_name = "MistralForCausalLM",
        .position_limit = 131072,
        .key_value_heads = 8,
        .window = 4096,
        .norm_epsilon = 1e-6,
        .window_rule = WINDOW_WHEN_GIVEN,
    },
    {
        .model_type = "phi3",
        .class_name = "Phi3ForCausalLM",
        .position_limit = 4096,
        .norm_epsilon = 1e-5,
        .window_rule = WINDOW_WHEN_GIVEN,
        .fused_projections = true,
        .long_rope = true,
        .pads = true,
    },
};

static bool is_silu(const cJSON *value)
{
    return cJSON_IsString(value) && (strcmp(value->valuestring, "silu") == 0 ||
                                     strcmp(value->valuestring, "swish") == 0);
}

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

static bool is_full_attention(const cJSON *value)
{
    const cJSON *item;
    if (!cJSON_IsArray(value))
        return false;
    cJSON_ArrayForEach(item, value)
    {
        if (!cJSON_IsString(item) || strcmp(item->valuestring, "full_attention") != 0)
            return false;
    }
    return true;
}

static const struct neutral_field neutral_fields[] = {
    {"hidden_act", is_silu, "only \"silu\""},
    {"attention_dropout", is_zero, "only 0"},
    {"resid_pdrop", is_zero, "only 0"},
    {"embd_pdrop", is_zero, "only 0"},
    {"pretraining_tp", is_one, "only 1"},
    {"partial_rotary_factor", is_one, "only 1"},
    {"rope_interleaved", is_false, "only false"},
    {"layer_types", is_full_attention, "only \"full_attention\" layers"},
    {"quantization_config", is_never,
     "only unquantised weights: convert the model to bf16 or fp32 first"},
};

/* For families that do not read them. */
static const struct neutral_field attention_bias_field = {
    "attention_bias", is_false, "only false: this family has no such bias"};
static const struct neutral_field mlp_bias_field = {
    "mlp_bias", is_false, "only false: this family has no such bias"};
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

static enum status read_biases(struct architecture *architecture,
                               const struct family *family, const struct source *source)
{
    bool attention = false;
    enum status status = STATUS_OK;
    if (!family->reads_attention_bias)
        status = check_neutral(source, &attention_bias_field, 1);
    else
        status = json_optional_bool(source->root, "attention_bias", &attention,
                                    source->where, source->error);
    if (!status && !family->reads_mlp_bias)
        status = check_neutral(source, &mlp_bias_field, 1);
    else if (!status)
        status =
            json_optional_bool(source->root, "mlp_bias", &architecture->feed_forward_bias,
                               source->where, source->error);
    architecture->query_key_value_bias = attention || family->query_key_value_bias;
    architecture->attention_out_bias = attention;
    return status;
}

const struct family *family_find(const char *model_type)
{
    for (size_t i = 0; i < COUNT(families); i++)
        if (strcmp(families[i].model_type, model_type) == 0)
            return &families[i];
    return NULL;
}

static enum status unknown_family(const struct source *source, const char *type)
{
    struct text_buffer known = {0};
    for (size_t i = 0; i < COUNT(families); i++)
        text_buffer_appendf(&known, "%s\"%s\"", i ? ", " : "", families[i].model_type);
    const enum status status =
        error_set(source->error, STATUS_UNSUPPORTED,
                  "%s: \"model_type\": \"%.80s\" is not supported (only %s)", source->where,
                  type, text_buffer_string(&known));
    text_buffer_release(&known);
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
        return unknown_family(source, type);
    snprintf(architecture->model_type, sizeof architecture->model_type, "%s", type);
    architecture->head_norms = (*family)->head_norms;
    architecture->fused_projections = (*family)->fused_projections;
    return STATUS_OK;
}

static enum status read_whole_field(struct architecture *architecture,
                                    const struct source *source,
                                    const struct whole_field *field)
{
    int64_t *out = (int64_t *)(void *)((char *)architecture + field->offset);
    const cJSON *value = json_get(source->root, field->key);
    *out = value ? GIVEN_NULL : ABSENT;
    if (!field->required && (!value || cJSON_IsNull(value)))
        return STATUS_OK;
    const enum status status =
        json_required_integer(source->root, field->key, out, source->where, source->error);
    if (status)
        return status;
    if (*out < 1 || *out > field->most)
        return error_set(source->error, STATUS_FORMAT,
                         "%s: \"%s\": %lld is out of range (1 to %lld)", source->where,
                         field->key, (long long)*out, (long long)field->most);
    return STATUS_OK;
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
    fill_default(&architecture->key_value_heads, family->key_value_heads);
    fill_default(&architecture->head_size, family->head_size);
    if (architecture->position_limit < 0)
        architecture->position_limit = family->position_limit;
    if (architecture->key_value_heads < 0)
        architecture->key_value_heads = architecture->heads;
    if (architecture->head_size < 0 && architecture->channels % architecture->heads != 0)
        return error_set(source->error, STATUS_FORMAT,
                         "%s: \"hidden_size\": %lld is not a multiple of "
                         "\"num_attention_heads\": %lld, and \"head_dim\" is not given",
                         source->where, (long long)architecture->channels,
                         (long long)architecture->heads);
    if (architecture->head_size < 0)
        architecture->head_size = architecture->channels / architecture->heads;
    return STATUS_OK;
}

static enum status read_sizes(struct architecture *architecture,
                              const struct family *family, const struct source *source)
{
    for (size_t i = 0; i < COUNT(whole_fields); i++) {
        const enum status status = read_whole_field(architecture, source, &whole_fields[i]);
        if (status)
            return status;
    }
    return fill_sizes(architecture, family, source);
}

/* Qwen's counts only where the file says that it is used. */
static enum status read_window(struct architecture *architecture,
                               const struct family *family, const struct source *source)
{
    const cJSON *used = json_get(source->root, "use_sliding_window");
    const cJSON *window = json_get(source->root, "sliding_window");
    const bool off = used && cJSON_IsFalse(used), none = window && cJSON_IsNull(window);
    if (family->window_rule == WINDOW_REFUSED)
        return !window || none || off
                   ? STATUS_OK
                   : config_unsupported(source, window, "only null: this family has none");
    if (family->window_rule == WINDOW_SWITCHED)
        return !used || cJSON_IsNull(used) || off || none
                   ? STATUS_OK
                   : config_unsupported(source, used,
                                        "only false: attention does not know "
                                        "windows of some layers");
    const enum status status = read_whole_field(architecture, source, &window_field);
    if (!status)
        fill_default(&architecture->window, family->window);
    if (!status && architecture->window < 0)
        architecture->window = 0;
    return status;
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
    if (architecture->head_size % 2 != 0)
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

static enum status read_numbers(struct architecture *architecture,
                                const struct family *family, const struct source *source)
{
    enum status status;
    architecture->norm_epsilon = family->norm_epsilon;
    architecture->initializer_range = 0.02;
    if ((status =
             config_number(source, "rms_norm_eps", 0.0, &architecture->norm_epsilon)) ||
        (status = config_number(source, "initializer_range", 0.0,
                                &architecture->initializer_range)) ||
        (status = rope_read(architecture, source)))
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

static enum status read_config(struct architecture *architecture,
                               const struct source *source)
{
    const struct family *family = NULL;
    enum status status;
    if (!cJSON_IsObject(source->root))
        return error_set(source->error, STATUS_FORMAT, "%s: not a JSON object",
                         source->where);
    if ((status = read_model_type(architecture, &family, source)) ||
        (status = check_neutral(source, neutral_fields, COUNT(neutral_fields))) ||
        (status = read_biases(architecture, family, source)) ||
        (status = read_window(architecture, family, source)) ||
        (status = read_sizes(architecture, family, source)) ||
        (status = check_sizes(architecture, source)) ||
        (status = read_numbers(architecture, family, source)) ||
        (status = read_bos_token(architecture, source)))
        return status;
    return read_eos_tokens(architecture, source);
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

const char *architecture_class_name(const struct architecture *architecture)
{
    return family_find(architecture->model_type)->class_name;
}

int64_t architecture_exact_limit(const struct architecture *a, const char **field)
{
    int64_t limit = a->window;
    *field = "sliding_window";
    if (a->rope_kind == ROPE_LONG && (limit == 0 || a->rope_original_limit < limit)) {
        limit = a->rope_original_limit;
        *field = "original_max_position_embeddings";
    }
    return limit;
}

int64_t architecture_sequence_limit(const struct architecture *architecture)
{
    const char *field;
    const int64_t exact = architecture_exact_limit(architecture, &field);
    const int64_t positions = architecture->position_limit;
    return exact > 0 && exact < positions ? exact : positions;
}

const char *architecture_limit_name(const struct architecture *architecture)
{
    const char *field;
    const int64_t exact = architecture_exact_limit(architecture, &field);
    const bool less = exact > 0 && exact < architecture->position_limit;
    return less ? field : "max_position_embeddings";
}

/* Of one layer. */
static int64_t bias_count(const struct architecture *a)
{
    const int64_t query_key_value = (a->heads + 2 * a->key_value_heads) * a->head_size;
    return (a->query_key_value_bias ? query_key_value : 0) +
           (a->attention_out_bias ? a->channels : 0) +
           (a->feed_forward_bias ? 2 * a->feed_forward + a->channels : 0);
}

int64_t architecture_parameter_count(const struct architecture *architecture)
{
    const int64_t query = architecture->heads * architecture->head_size;
    const int64_t key_value = architecture->key_value_heads * architecture->head_size;
    const int64_t attention = 2 * architecture->channels * (query + key_value);
    const int64_t feed_forward = 3 * architecture->channels * architecture->feed_forward;
    const int64_t norms = 2 * architecture->channels +
                          (architecture->head_norms ? 2 * architecture->head_size : 0);
    const int64_t embedding = architecture->vocabulary * architecture->channels;
    const int64_t layer = attention + feed_forward + norms + bias_count(architecture);
    return architecture->layer_count * layer + architecture->channels +
           embedding * (architecture->tied_embeddings ? 1 : 2);
}
