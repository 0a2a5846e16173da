#include "model/lora.h"

#include "base/memory.h"

#include <string.h>

static const char *const target_names[LORA_TARGET_COUNT] = {
    "q_proj",  "k_proj",    "v_proj",   "o_proj",       "gate_proj",
    "up_proj", "down_proj", "qkv_proj", "gate_up_proj",
};

/* GPT-2's, in place of o_proj, down_proj, qkv_proj and gate_up_proj. */
static const char *const gpt2_names[LORA_TARGET_COUNT] = {
    [LORA_O] = "c_proj",
    [LORA_DOWN] = "c_proj",
    [LORA_QKV] = "c_attn",
    [LORA_GATE_UP] = "c_fc",
};

static bool is_attention(enum lora_target target)
{
    return target <= LORA_O || target == LORA_QKV;
}

const char *lora_target_name(const struct lora_options *options, enum lora_target target)
{
    CHECK((unsigned)target < LORA_TARGET_COUNT);
    if (options->names != LORA_NAMES_GPT2 || !gpt2_names[target])
        return target_names[target];
    /* c_proj alone would be both. */
    if (target == LORA_O && !options->targets[LORA_DOWN])
        return "attn.c_proj";
    if (target == LORA_DOWN && !options->targets[LORA_O])
        return "mlp.c_proj";
    return gpt2_names[target];
}

struct module_name {
    const char *text;
    size_t length;
};

static bool is_name(struct module_name name, const char *wanted)
{
    return wanted && strlen(wanted) == name.length &&
           strncmp(name.text, wanted, name.length) == 0;
}

/* Takes the part after the last dot off the end of `path`. */
static struct module_name last_part(struct module_name *path)
{
    size_t start = path->length;
    while (start > 0 && path->text[start - 1] != '.')
        start--;
    const struct module_name part = {path->text + start, path->length - start};
    path->length = start > 0 ? start - 1 : 0;
    return part;
}

bool lora_target_set(struct lora_options *options, const char *name, size_t length)
{
    struct module_name path = {name, length};
    const struct module_name module = last_part(&path), part = last_part(&path);
    bool found = false;
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        const bool attention = is_attention((enum lora_target)target);
        const bool is_long = is_name(module, target_names[target]);
        if (!is_long && !is_name(module, gpt2_names[target]))
            continue;
        const char *attention_part = is_long ? "self_attn" : "attn";
        if (module.length != length && !is_name(part, attention ? attention_part : "mlp"))
            continue;
        const enum lora_names names = is_long ? LORA_NAMES_LONG : LORA_NAMES_GPT2;
        const bool first = options->names == LORA_NAMES_ANY || options->names == names;
        options->names = first ? names : LORA_NAMES_MIXED;
        options->targets[target] = true;
        found = true;
    }
    return found;
}

enum status lora_targets_parse(struct lora_options *options, const char *names,
                               struct error *error)
{
    memset(options->targets, 0, sizeof options->targets);
    options->names = LORA_NAMES_ANY;
    if (strcmp(names, "all-linear") == 0) {
        for (int target = 0; target < LORA_TARGET_COUNT; target++)
            options->targets[target] = true;
        return STATUS_OK;
    }
    for (const char *name = names;; name++) {
        const size_t length = strcspn(name, ",");
        if (!lora_target_set(options, name, length))
            return error_set(
                error, STATUS_USAGE,
                "LoRA target \"%.*s\": it is all-linear, or some of q_proj, "
                "k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj (Phi-3: "
                "qkv_proj, o_proj, gate_up_proj, down_proj; GPT-2: c_attn, "
                "c_fc, c_proj, or attn.c_proj and mlp.c_proj apart)",
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

static enum status wrong_target(const char *name, const struct architecture *a,
                                struct error *error)
{
    const char *has = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj";
    if (a->transposed)
        has = "c_attn, c_fc and c_proj (attn.c_proj and mlp.c_proj)";
    else if (a->fused_projections)
        has = "qkv_proj, o_proj, gate_up_proj and down_proj";
    return error_set(error, STATUS_USAGE,
                     "LoRA target \"%s\": \"%s\" models have %s; use all-linear, or those",
                     name, a->model_type, has);
}

enum status lora_options_resolve(struct lora_options *options,
                                 const struct architecture *architecture,
                                 struct error *error)
{
    const bool all = is_all(options);
    const enum lora_names names =
        architecture->transposed ? LORA_NAMES_GPT2 : LORA_NAMES_LONG;
    const bool named = all || options->names == LORA_NAMES_ANY || options->names == names;
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        const enum lora_target of = (enum lora_target)target;
        if (!options->targets[target] || (lora_target_present(architecture, of) && named))
            continue;
        if (!all)
            return wrong_target(lora_target_name(options, of), architecture, error);
        options->targets[target] = false;
    }
    options->names = names;
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
        [LORA_GATE_UP] = {(a->gateless ? 1 : 2) * a->feed_forward, a->channels},
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
