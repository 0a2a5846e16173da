#include "model/architecture.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A parsed object and how messages call it. */
struct source {
    const cJSON *root;
    const char *where;
    struct error *error;
};

/*
 * Whole numbers and their limits. The limits are far above any model and low enough that
 * no product below overflows: C (2 H D + 2 G D + 3 F) L stays under 2^63.
 */
struct whole_field {
    const char *key;
    size_t offset;
    int64_t most;
    int64_t
        otherwise; /* what absent means; 0: the field is required, -1: filled in later */
};
#define FIELD(member) offsetof(struct architecture, member)
static const struct whole_field whole_fields[] = {
    {"num_hidden_layers", FIELD(layer_count), 4096, 0},
    {"hidden_size", FIELD(channels), 1 << 20, 0},
    {"intermediate_size", FIELD(feed_forward), 1 << 20, 0},
    {"num_attention_heads", FIELD(heads), 1 << 14, 0},
    {"num_key_value_heads", FIELD(key_value_heads), 1 << 14, -1},
    {"head_dim", FIELD(head_size), 1 << 12, -1},
    {"vocab_size", FIELD(vocabulary), 1 << 26, 0},
    {"max_position_embeddings", FIELD(position_limit), 1 << 30, 2048},
};
static const int64_t parameter_limit = (int64_t)1 << 40;

/* A field that changes the result, and the only value of it that is computed. */
struct neutral_field {
    const char *key;
    bool (*is_neutral)(const cJSON *value); /* null is always neutral */
    const char *supported;
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

static bool is_default_text(const cJSON *value)
{
    return cJSON_IsString(value) && strcmp(value->valuestring, "default") == 0;
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
    {"attention_bias", is_false, "only false"},
    {"mlp_bias", is_false, "only false"},
    {"attention_dropout", is_zero, "only 0"},
    {"pretraining_tp", is_one, "only 1"},
    {"partial_rotary_factor", is_one, "only 1"},
    {"rope_interleaved", is_false, "only false"},
    {"layer_types", is_full_attention, "only \"full_attention\" layers"},
    {"quantization_config", is_never,
     "only unquantised weights: convert the model to bf16 or fp32 first"},
};

static const struct neutral_field rope_fields[] = {
    {"rope_type", is_default_text, "only \"default\""},
    {"type", is_default_text, "only \"default\""},
    {"partial_rotary_factor", is_one, "only 1"},
};
#define COUNT(table) (sizeof(table) / sizeof *(table))

static enum status unsupported(const struct source *source, const cJSON *value,
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
            return unsupported(source, value, fields[i].supported);
    }
    return STATUS_OK;
}

/* A window counts unless the file says, as Qwen's does, that it is not used. */
static enum status check_window(const struct source *source)
{
    const cJSON *window = json_get(source->root, "sliding_window");
    const cJSON *used = json_get(source->root, "use_sliding_window");
    if (!window || cJSON_IsNull(window) || (used && cJSON_IsFalse(used)))
        return STATUS_OK;
    return unsupported(source, window, "only null: attention sees the whole document");
}

static enum status read_model_type(struct architecture *architecture,
                                   const struct source *source)
{
    const char *type = NULL;
    const enum status status = json_required_string(source->root, "model_type", &type,
                                                    source->where, source->error);
    if (status)
        return status;
    if (strcmp(type, "llama") != 0)
        return error_set(source->error, STATUS_UNSUPPORTED,
                         "%s: \"model_type\": \"%.80s\" is not supported (only \"llama\")",
                         source->where, type);
    strcpy(architecture->model_type, "llama");
    return STATUS_OK;
}

static enum status read_whole_field(struct architecture *architecture,
                                    const struct source *source,
                                    const struct whole_field *field)
{
    int64_t *out = (int64_t *)(void *)((char *)architecture + field->offset);
    const cJSON *value = json_get(source->root, field->key);
    const bool absent = !value || cJSON_IsNull(value);
    *out = field->otherwise;
    if (absent && field->otherwise != 0)
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

static enum status read_sizes(struct architecture *architecture,
                              const struct source *source)
{
    for (size_t i = 0; i < COUNT(whole_fields); i++) {
        const enum status status = read_whole_field(architecture, source, &whole_fields[i]);
        if (status)
            return status;
    }
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

static enum status read_number(const struct source *source, const char *key, double least,
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

/* rope_scaling (transformers 4) or rope_parameters (5). */
static enum status read_rope_object(struct architecture *architecture,
                                    const struct source *config, const char *key)
{
    const struct source source = {json_get(config->root, key), config->where,
                                  config->error};
    const cJSON *item;
    if (!source.root || cJSON_IsNull(source.root))
        return STATUS_OK;
    if (!cJSON_IsObject(source.root))
        return error_set(source.error, STATUS_FORMAT, "%s: \"%s\" is not an object",
                         source.where, key);
    enum status status = check_neutral(&source, rope_fields, COUNT(rope_fields));
    cJSON_ArrayForEach(item, source.root)
    {
        bool known = strcmp(item->string, "rope_theta") == 0;
        for (size_t i = 0; i < COUNT(rope_fields); i++)
            known = known || strcmp(item->string, rope_fields[i].key) == 0;
        if (!status && !known)
            status = unsupported(&source, item, "rope without scaling only");
    }
    if (!status)
        status = read_number(&source, "rope_theta", 1.0, &architecture->rope_theta);
    if (status)
        error_prefix(source.error, "rotary positions (\"%s\")", key);
    return status;
}

static enum status read_numbers(struct architecture *architecture,
                                const struct source *source)
{
    enum status status;
    architecture->norm_epsilon = 1e-6;
    architecture->rope_theta = 10000.0;
    architecture->initializer_range = 0.02;
    if ((status = read_number(source, "rms_norm_eps", 0.0, &architecture->norm_epsilon)) ||
        (status = read_number(source, "initializer_range", 0.0,
                              &architecture->initializer_range)) ||
        (status = read_number(source, "rope_theta", 1.0, &architecture->rope_theta)) ||
        (status = read_rope_object(architecture, source, "rope_scaling")) ||
        (status = read_rope_object(architecture, source, "rope_parameters")))
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
    enum status status;
    if (!cJSON_IsObject(source->root))
        return error_set(source->error, STATUS_FORMAT, "%s: not a JSON object",
                         source->where);
    if ((status = read_model_type(architecture, source)) ||
        (status = check_neutral(source, neutral_fields, COUNT(neutral_fields))) ||
        (status = check_window(source)) || (status = read_sizes(architecture, source)) ||
        (status = check_sizes(architecture, source)) ||
        (status = read_numbers(architecture, source)) ||
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

static void print_tokens(const struct architecture *architecture, struct json_writer *json)
{
    if (architecture->bos_token >= 0)
        json_integer(json, "bos_token_id", architecture->bos_token);
    else
        json_null(json, "bos_token_id");
    if (architecture->eos_token_count == 0)
        json_null(json, "eos_token_id");
    if (architecture->eos_token_count == 1)
        json_integer(json, "eos_token_id", architecture->eos_tokens[0]);
    if (architecture->eos_token_count < 2)
        return;
    json_array_begin(json, "eos_token_id");
    for (int32_t i = 0; i < architecture->eos_token_count; i++)
        json_integer(json, NULL, architecture->eos_tokens[i]);
    json_array_end(json);
}

void architecture_print_json(const struct architecture *architecture, enum dtype stored,
                             struct text_buffer *out)
{
    struct json_writer json = {.out = out, .indent_spaces = 2};
    json_object_begin(&json, NULL);
    json_array_begin(&json, "architectures");
    json_string(&json, NULL, "LlamaForCausalLM");
    json_array_end(&json);
    json_string(&json, "model_type", architecture->model_type);
    for (size_t i = 0; i < COUNT(whole_fields); i++)
        json_integer(&json, whole_fields[i].key,
                     *(const int64_t *)(const void *)((const char *)architecture +
                                                      whole_fields[i].offset));
    json_string(&json, "hidden_act", "silu");
    json_number(&json, "rms_norm_eps", architecture->norm_epsilon);
    json_number(&json, "rope_theta", architecture->rope_theta);
    json_number(&json, "initializer_range", architecture->initializer_range);
    json_bool(&json, "tie_word_embeddings", architecture->tied_embeddings);
    print_tokens(architecture, &json);
    json_string(&json, "torch_dtype",
                stored == DTYPE_BF16  ? "bfloat16"
                : stored == DTYPE_F16 ? "float16"
                                      : "float32");
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

int64_t architecture_parameter_count(const struct architecture *architecture)
{
    const int64_t query = architecture->heads * architecture->head_size;
    const int64_t key_value = architecture->key_value_heads * architecture->head_size;
    const int64_t attention = 2 * architecture->channels * (query + key_value);
    const int64_t feed_forward = 3 * architecture->channels * architecture->feed_forward;
    const int64_t norms = 2 * architecture->channels;
    const int64_t embedding = architecture->vocabulary * architecture->channels;
    return architecture->layer_count * (attention + feed_forward + norms) +
           architecture->channels + embedding * (architecture->tied_embeddings ? 1 : 2);
}
