#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/parameter_names.h"
#include "model/transformer_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Adapters in PEFT's layout:
 *
 *     DIR/adapter_config.json         rank, alpha, targets; what we do not compute is
 *                                     refused
 *     DIR/adapter_model.safetensors   base_model.model.….lora_A.weight [r, K],
 *                                     ….lora_B.weight [M, r], with DoRA
 *                                     ….lora_magnitude_vector [M]
 */
enum { CONFIG_BYTES = 1 << 20 };
static const char config_name[] = "adapter_config.json";
static const char weights_name[] = "adapter_model.safetensors";
static const char name_prefix[] = "base_model.model.";

/* A field that changes the result, and is refused unless it is absent, null or neutral.
 * What "exclude_modules" leaves out lacks tensors, and that is seen. */
static const char *const neutral_fields[] = {
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "layers_to_transform",
    "layers_pattern",
    "megatron_config",
    "trainable_token_indices",
    "lora_bias",
    "use_qalora",
    "alora_invocation_tokens",
    "target_parameters",
    "layer_replication",
    "use_bdlora",
    "kasa_config",
    "lora_ga_config",
    "velora_config",
    "monteclora_config",
    "arrow_config",
};

/* Modules of these names are in the part that sees too: a regular expression, as PEFT takes
 * one, that leaves it alone. */
static const char images_excluded[] = ".*(vision_tower|multi_modal_projector).*";

/* null, false, {}, [] */
static bool is_neutral(const cJSON *value)
{
    return !value || cJSON_IsNull(value) || cJSON_IsFalse(value) ||
           ((cJSON_IsObject(value) || cJSON_IsArray(value)) && !value->child);
}

/*
 * How the adapter began. For these ways PEFT changes the base's weights too, each time it
 * loads the adapter, unless the file was converted ("path_initial_model_for_weight_
 * conversion"), which leaves true here. The others are over once the tensors are read.
 */
static enum status check_beginning(const cJSON *config, const char *path,
                                   struct error *error)
{
    static const char *const harmless[] = {"gaussian", "orthogonal", "eva"};
    const char *key = "init_lora_weights";
    const cJSON *value = json_get(config, key);
    if (!value || cJSON_IsNull(value) || cJSON_IsBool(value))
        return STATUS_OK;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (cJSON_IsString(value) && strcmp(value->valuestring, harmless[i]) == 0)
            return STATUS_OK;
    return error_set(
        error, STATUS_UNSUPPORTED,
        "%s: \"%s\": \"%.40s\" is not supported: the base's weights would be "
        "changed too; convert it to a plain adapter with PEFT (save_pretrained "
        "with path_initial_model_for_weight_conversion)",
        path, key, cJSON_IsString(value) ? value->valuestring : "?");
}

static enum status check_kind(const cJSON *config, const char *path, struct error *error)
{
    const char *type = NULL, *bias = NULL;
    if (json_required_string(config, "peft_type", &type, path, error) ||
        json_optional_string(config, "bias", &bias, path, error))
        return error->status;
    if (strcmp(type, "LORA") != 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: \"peft_type\": \"%.40s\" is not supported (only \"LORA\")",
                         path, type);
    if (bias && strcmp(bias, "none") != 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: \"bias\": \"%.40s\" is not supported (only \"none\")", path,
                         bias);
    for (size_t i = 0; i < sizeof neutral_fields / sizeof *neutral_fields; i++)
        if (!is_neutral(json_get(config, neutral_fields[i])))
            return error_set(error, STATUS_UNSUPPORTED,
                             "%s: \"%s\" is set, and that is not supported", path,
                             neutral_fields[i]);
    return check_beginning(config, path, error);
}

/*
 * "q_proj", or as PEFT 0.21 spells out all-linear, "model.layers.0.self_attn.q_proj": then
 * the adapter must be on all layers, which the tensors of the file decide.
 */
static enum status target_add(struct lora_options *options, const char *name,
                              const char *path, struct error *error)
{
    if (lora_target_set(options, name, strlen(name)))
        return options->names != LORA_NAMES_MIXED
                   ? STATUS_OK
                   : error_set(error, STATUS_FORMAT,
                               "%s: \"target_modules\": \"%.80s\" and the names before it "
                               "are of different models",
                               path, name);
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: \"target_modules\": \"%.80s\" is not supported (q_proj, k_proj, "
                     "v_proj, o_proj, gate_proj, up_proj, down_proj, qkv_proj, "
                     "gate_up_proj, c_attn, c_fc, c_proj, attn.c_proj and mlp.c_proj are)",
                     path, name);
}

static enum status read_targets(struct lora_options *options, const cJSON *config,
                                const char *path, struct error *error)
{
    const cJSON *targets = json_get(config, "target_modules"), *item;
    if (cJSON_IsString(targets))
        return lora_targets_parse(options, targets->valuestring, error);
    if (!cJSON_IsArray(targets) || !targets->child)
        return error_set(error, STATUS_FORMAT,
                         "%s: \"target_modules\" must name at least one module", path);
    cJSON_ArrayForEach(item, targets)
    {
        if (!cJSON_IsString(item))
            return error_set(error, STATUS_FORMAT,
                             "%s: \"target_modules\" must be a list of names", path);
        if (target_add(options, item->valuestring, path, error))
            return error->status;
    }
    return STATUS_OK;
}

static enum status read_dropout(struct lora_options *options, const cJSON *config,
                                const char *path, struct error *error)
{
    const cJSON *value = json_get(config, "lora_dropout");
    if (!value || cJSON_IsNull(value))
        return STATUS_OK;
    if (json_required_number(config, "lora_dropout", &options->dropout, path, error))
        return error->status;
    if (options->dropout >= 0 && options->dropout < 1)
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "%s: \"lora_dropout\": %g: it lies from 0 to below 1", path,
                     options->dropout);
}

enum status lora_config_parse(struct lora_options *options, const char *bytes, size_t count,
                              const char *where, struct error *error)
{
    cJSON *config = NULL;
    *options = (struct lora_options){0};
    if (json_parse(&config, bytes, count, where, error))
        return error->status;
    enum status status = check_kind(config, where, error);
    if (!status)
        status = json_required_integer(config, "r", &options->rank, where, error);
    if (!status)
        status = json_required_number(config, "lora_alpha", &options->alpha, where, error);
    if (!status)
        status = json_optional_bool(config, "use_rslora", &options->rank_stabilised, where,
                                    error);
    if (!status)
        status = json_optional_bool(config, "use_dora", &options->dora, where, error);
    if (!status)
        status = read_dropout(options, config, where, error);
    if (!status)
        status = read_targets(options, config, where, error);
    if (!status && (options->rank < 1 || options->rank > LORA_RANK_MAXIMUM ||
                    !isfinite(options->alpha)))
        status =
            error_set(error, STATUS_FORMAT,
                      "%s: \"r\": %lld (1 to %d) or \"lora_alpha\": %g is out of range",
                      where, (long long)options->rank, LORA_RANK_MAXIMUM, options->alpha);
    cJSON_Delete(config);
    return status;
}

static enum status read_config(struct lora_options *options, const char *path,
                               struct error *error)
{
    struct text_buffer text = {0};
    enum status status = file_read(&text, path, CONFIG_BYTES, error);
    if (!status)
        status =
            lora_config_parse(options, text_buffer_string(&text), text.length, path, error);
    text_buffer_release(&text);
    return status;
}

static bool same_shape(const struct safetensors_entry *entry,
                       const struct parameter *parameter)
{
    return entry->rank == parameter->rank && entry->shape[0] == parameter->shape[0] &&
           (entry->rank == 1 || entry->shape[1] == parameter->shape[1]);
}

/* On a model of images too (model/parameter_names.h). */
static char *whole_name(const char *name, enum whole_spelling spelling)
{
    struct text_buffer whole = {0};
    char *rest = name_in_whole(name + strlen(name_prefix), spelling);
    text_buffer_appendf(&whole, "%s%s", name_prefix, rest);
    free(rest);
    return text_buffer_detach(&whole);
}

/* An adapter of a text part may be of that alone, or of the whole. */
static const struct safetensors_entry *entry_of(const struct safetensors *file,
                                                const char *name, bool text_part)
{
    const struct safetensors_entry *entry = safetensors_find(file, name);
    for (int i = 0; !entry && text_part && i < WHOLE_SPELLINGS; i++) {
        char *whole = whole_name(name, (enum whole_spelling)i);
        entry = safetensors_find(file, whole);
        free(whole);
    }
    return entry;
}

static enum status read_tensor(struct parameter_block *block,
                               const struct parameter *parameter,
                               const struct safetensors *file, bool text_part,
                               struct error *error)
{
    const struct safetensors_entry *entry = entry_of(file, parameter->name, text_part);
    if (!entry)
        return error_set(
            error, STATUS_FORMAT,
            "%s: tensor '%s' is missing: the adapter is of another model, or of "
            "some layers only, or its file is incomplete",
            file->path, parameter->name);
    if (!same_shape(entry, parameter))
        return error_set(
            error, STATUS_FORMAT,
            "%s: tensor '%s' should have the shape [%lld%s%.0lld]: the adapter "
            "is of another model",
            file->path, parameter->name, (long long)parameter->shape[0],
            parameter->rank == 2 ? ", " : "", (long long)parameter->shape[1]);
    if (entry->dtype != DTYPE_F32 && entry->dtype != DTYPE_BF16 &&
        entry->dtype != DTYPE_F16)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: tensor '%s' is stored as %s: F32, BF16 or F16 are read",
                         file->path, entry->name, dtype_name(entry->dtype));
    float *values = memory_allocate_array((size_t)entry->count, sizeof *values);
    bool finite = true;
    safetensors_copy(entry, values, DTYPE_F32);
    for (int64_t i = 0; i < entry->count; i++)
        finite = finite && isfinite(values[i]);
    if (finite)
        parameter_block_put(block, parameter->offset, values, parameter->count);
    free(values);
    return finite ? STATUS_OK
                  : error_set(error, STATUS_FORMAT,
                              "%s: tensor '%s' is not finite: the adapter is broken",
                              file->path, entry->name);
}

/* PEFT adapts modules of the part that sees too, where their names are the text part's. */
static enum status refuse_images(const struct safetensors *file, struct error *error)
{
    for (size_t i = 0; i < file->entry_count; i++) {
        const char *name = file->entries[i].name;
        if (text_starts_with(name, name_prefix) &&
            name_of_images(name + strlen(name_prefix)))
            return error_set(error, STATUS_UNSUPPORTED,
                             "%s: tensor '%s' is of the part that sees images, which is "
                             "not read: only adapters of the text part alone are",
                             file->path, name);
    }
    return STATUS_OK;
}

static enum status read_weights(struct parameter_block *block, const char *path,
                                bool text_part, struct error *error)
{
    struct safetensors file = {0};
    enum status status = safetensors_open(&file, path, error);
    if (!status && text_part)
        status = refuse_images(&file, error);
    if (!status && file.entry_count != block->entry_count)
        status = error_set(error, STATUS_FORMAT,
                           "%s: %zu tensors, but the model and adapter_config.json ask for "
                           "%zu",
                           path, file.entry_count, block->entry_count);
    for (size_t i = 0; i < block->entry_count && !status; i++)
        status = read_tensor(block, &block->entries[i], &file, text_part, error);
    if (!status)
        status = backend_sync(block->backend, error);
    safetensors_close(&file);
    return status;
}

/* Old adapters are pickles. */
static enum status refuse_pickle(const char *directory, const char *weights,
                                 struct error *error)
{
    char *pickle = path_join(directory, "adapter_model.bin");
    const bool only = !file_exists(weights) && file_exists(pickle);
    free(pickle);
    return only ? error_set(error, STATUS_UNSUPPORTED,
                            "%s: no such file; only adapter_model.bin is there, which is "
                            "not read (a pickle can run code): convert it with PEFT "
                            "(PeftModel.from_pretrained, save_pretrained)",
                            weights)
                : STATUS_OK;
}

enum status transformer_open_adapter(struct transformer *model, const char *directory,
                                     enum master_weights masters, struct error *error)
{
    struct lora_options options;
    char *config = path_join(directory, config_name);
    char *weights = path_join(directory, weights_name);
    enum status status = read_config(&options, config, error);
    if (!status)
        status = refuse_pickle(directory, weights, error);
    if (!status)
        status = transformer_lora_begin(model, &options, masters, error);
    if (!status)
        status = read_weights(&model->adapters->parameters, weights,
                              model->architecture.text_part, error);
    free(config);
    free(weights);
    return status;
}

/* Each name once: GPT-2 has two c_proj. */
static void print_targets(const struct lora_options *options, struct json_writer *json)
{
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        const char *name = lora_target_name(options, (enum lora_target)target);
        bool printed = !options->targets[target];
        for (int before = 0; before < target && !printed; before++)
            printed =
                options->targets[before] &&
                strcmp(lora_target_name(options, (enum lora_target)before), name) == 0;
        if (!printed)
            json_string(json, NULL, name);
    }
}

void lora_config_print(const struct lora_options *options, const char *base_name,
                       bool text_part, struct text_buffer *out)
{
    struct json_writer json = {.out = out, .indent_spaces = 2};
    json_object_begin(&json, NULL);
    json_string(&json, "peft_type", "LORA");
    json_string(&json, "task_type", "CAUSAL_LM");
    json_string(&json, "base_model_name_or_path", base_name);
    json_bool(&json, "inference_mode", true);
    json_integer(&json, "r", options->rank);
    json_number(&json, "lora_alpha", options->alpha);
    json_number(&json, "lora_dropout", options->dropout);
    json_bool(&json, "use_rslora", options->rank_stabilised);
    json_bool(&json, "use_dora", options->dora);
    /* PEFT sets it right by the kind of a module, whatever it says, and warns. */
    json_bool(&json, "fan_in_fan_out", options->names == LORA_NAMES_GPT2);
    json_string(&json, "bias", "none");
    json_array_begin(&json, "target_modules");
    print_targets(options, &json);
    json_array_end(&json);
    if (text_part)
        json_string(&json, "exclude_modules", images_excluded);
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

/* As PEFT writes it: which library's tensors these are. */
static const char *const metadata[] = {"format", "pt"};

static enum status write_config(const struct transformer *model, const char *base_name,
                                const char *directory, struct error *error)
{
    struct text_buffer text = {0};
    char *path = path_join(directory, config_name);
    lora_config_print(&model->adapters->options, base_name, model->architecture.text_part,
                      &text);
    const enum status status =
        file_write_all(path, text_buffer_string(&text), text.length, error);
    free(path);
    text_buffer_release(&text);
    return status;
}

/* Of all adapters' tensors, in PEFT's files; heap, and each name too. */
static char **file_names(const struct transformer *model)
{
    const struct parameter_block *block = &model->adapters->parameters;
    char **names = memory_allocate_array(block->entry_count, sizeof *names);
    for (size_t i = 0; i < block->entry_count; i++)
        names[i] = model->architecture.text_part
                       ? whole_name(block->entries[i].name, WHOLE_MODULES)
                       : memory_duplicate_string(block->entries[i].name);
    return names;
}

enum status transformer_write_adapter(const struct transformer *model,
                                      const char *base_name, const char *directory,
                                      enum dtype stored, struct error *error)
{
    const struct parameter_block *block = &model->adapters->parameters;
    float *values = memory_allocate_array((size_t)block->count, sizeof *values);
    struct safetensors_tensor *tensors =
        memory_allocate_array(block->entry_count, sizeof *tensors);
    char *path = path_join(directory, weights_name);
    char **names = file_names(model);
    enum status status = parameter_block_get(block, values, error);
    for (size_t i = 0; i < block->entry_count; i++)
        tensors[i] = (struct safetensors_tensor){
            .name = names[i],
            .data = values + block->entries[i].offset,
            .dtype = DTYPE_F32,
            .stored = stored,
            .rank = block->entries[i].rank,
            .shape = {block->entries[i].shape[0], block->entries[i].shape[1]},
        };
    if (!status)
        status = write_config(model, base_name, directory, error);
    if (!status)
        status = safetensors_write(path, tensors, block->entry_count, metadata, 1, error);
    for (size_t i = 0; i < block->entry_count; i++)
        free(names[i]);
    free(names);
    free(path);
    free(tensors);
    free(values);
    return status;
}
