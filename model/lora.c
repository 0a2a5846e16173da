#include "model/lora.h"

#include "base/memory.h"

#include <string.h>

static const char *const target_names[LORA_TARGET_COUNT] = {
    "q_proj",  "k_proj",    "v_proj",   "o_proj",       "gate_proj",
    "up_proj", "down_proj", "qkv_proj", "gate_up_proj",
};

const char *lora_target_name(enum lora_target target)
{
    CHECK((unsigned)target < LORA_TARGET_COUNT);
    return target_names[target];
}

static bool target_set(struct lora_options *options, const char *name, size_t length)
{
    for (int target = 0; target < LORA_TARGET_COUNT; target++)
        if (strlen(target_names[target]) == length &&
            strncmp(target_names[target], name, length) == 0) {
            options->targets[target] = true;
            return true;
        }
    return false;
}

enum status lora_targets_parse(struct lora_options *options, const char *names,
                               struct error *error)
{
    memset(options->targets, 0, sizeof options->targets);
    if (strcmp(names, "all-linear") == 0) {
        for (int target = 0; target < LORA_TARGET_COUNT; target++)
            options->targets[target] = true;
        return STATUS_OK;
    }
    for (const char *name = names;; name++) {
        const size_t length = strcspn(name, ",");
        if (!target_set(options, name, length))
            return error_set(
                error, STATUS_USAGE,
                "LoRA target \"%.*s\": it is all-linear, or some of q_proj, "
                "k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj (Phi-3: "
                "qkv_proj, o_proj, gate_up_proj, down_proj)",
                (int)length, name);
        name += length;
        if (*name == '\0')
            return STATUS_OK;
    }
}

bool lora_target_present(const struct architecture *architecture, enum lora_target target)
{
    if (target == LORA_O || target == LORA_DOWN)
        return true;
    return architecture->fused_projections ==
           (target == LORA_QKV || target == LORA_GATE_UP);
}

static bool is_all(const struct lora_options *options)
{
    bool all = true;
    for (int target = 0; target < LORA_TARGET_COUNT; target++)
        all = all && options->targets[target];
    return all;
}

enum status lora_options_resolve(struct lora_options *options,
                                 const struct architecture *architecture,
                                 struct error *error)
{
    const bool all = is_all(options);
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        if (!options->targets[target] ||
            lora_target_present(architecture, (enum lora_target)target))
            continue;
        if (!all)
            return error_set(
                error, STATUS_USAGE,
                "LoRA target \"%s\": \"%s\" models have %s; use all-linear, or those",
                target_names[target], architecture->model_type,
                architecture->fused_projections
                    ? "qkv_proj, o_proj, gate_up_proj and down_proj"
                    : "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj");
        options->targets[target] = false;
    }
    return STATUS_OK;
}

struct matrix_shape lora_target_shape(const struct architecture *a, enum lora_target target)
{
    const int64_t query = a->heads * a->head_size;
    const int64_t key_value = a->key_value_heads * a->head_size;
    const struct matrix_shape shapes[LORA_TARGET_COUNT] = {
        [LORA_Q] = {query, a->channels},
        [LORA_K] = {key_value, a->channels},
        [LORA_V] = {key_value, a->channels},
        [LORA_O] = {a->channels, query},
        [LORA_GATE] = {a->feed_forward, a->channels},
        [LORA_UP] = {a->feed_forward, a->channels},
        [LORA_DOWN] = {a->channels, a->feed_forward},
        [LORA_QKV] = {query + 2 * key_value, a->channels},
        [LORA_GATE_UP] = {2 * a->feed_forward, a->channels},
    };
    return shapes[target];
}

int64_t lora_parameter_count(const struct architecture *architecture,
                             const struct lora_options *options)
{
    int64_t count = 0;
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        const struct matrix_shape shape =
            lora_target_shape(architecture, (enum lora_target)target);
        if (!options->targets[target] ||
            !lora_target_present(architecture, (enum lora_target)target))
            continue;
        count += options->rank * (shape.rows + shape.columns);
        count += options->dora ? shape.rows : 0;
    }
    return count * architecture->layer_count;
}
