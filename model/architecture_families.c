#include "base/text_buffer.h"
#include "model/architecture_internal.h"

#include <string.h>

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
        .window = 4096,
        .norm_epsilon = 1e-6,
        .window_rule = WINDOW_SWITCHED,
        .query_key_value_bias = true,
    },
    {
        .model_type = "qwen3",
        .class_name = "Qwen3ForCausalLM",
        .position_limit = 32768,
        .key_value_heads = 32,
        .window = 4096,
        .head_size = 128,
        .norm_epsilon = 1e-6,
        .window_rule = WINDOW_SWITCHED,
        .reads_attention_bias = true,
        .head_norms = true,
    },
    {
        .model_type = "mistral", /* Zephyr too */
        .class_name = "MistralForCausalLM",
        .whole_type = "mistral3",
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
        .original_limit = 4096,
        .partial_rope = true,
        .pads = true,
    },
    {
        .model_type = "gemma2",
        .class_name = "Gemma2ForCausalLM",
        .activation_key = "hidden_activation",
        .position_limit = 8192,
        .key_value_heads = 4,
        .head_size = 256,
        .window = 4096,
        .norm_epsilon = 1e-6,
        .query_scalar = 256,
        .attention_cap = 50,
        .logit_cap = 30,
        .norm = NORM_RMS_ONE_PLUS,
        .activation = ACTIVATION_GELU_TANH,
        .window_rule = WINDOW_PERIODIC,
        .window_period = 2,
        .reads_attention_bias = true,
        .post_norms = true,
        .scaled_embedding = true,
        .tied = true,
        .pads = true,
    },
    {
        .model_type = "gemma3_text",
        .class_name = "Gemma3ForCausalLM",
        .whole_type = "gemma3",
        .activation_key = "hidden_activation",
        .heads = 8,
        .vocabulary = 262208,
        .position_limit = 131072,
        .key_value_heads = 4,
        .head_size = 256,
        .window = 4096,
        .window_period = 6,
        .norm_epsilon = 1e-6,
        .rope_theta = 1e6,
        .window_rope_theta = 1e4,
        .query_scalar = 256,
        .norm = NORM_RMS_ONE_PLUS,
        .activation = ACTIVATION_GELU_TANH,
        .window_rule = WINDOW_PERIODIC,
        .reads_attention_bias = true,
        .head_norms = true,
        .post_norms = true,
        .scaled_embedding = true,
        .tied = true,
        .pads = true,
    },
    {
        .model_type = "smollm3",
        .class_name = "SmolLM3ForCausalLM",
        .position_limit = 32768,
        .key_value_heads = 4,
        .norm_epsilon = 1e-6,
        .rope_theta = 2e6,
        .unturned_period = 4,
        .reads_attention_bias = true,
        .reads_mlp_bias = true,
        .tied = true,
        .pads = true,
    },
    {
        .model_type = "granite",
        .class_name = "GraniteForCausalLM",
        .position_limit = 2048,
        .norm_epsilon = 1e-6,
        .reads_attention_bias = true,
        .reads_mlp_bias = true,
        .multipliers = true,
    },
    {
        .model_type = "olmo2",
        .class_name = "Olmo2ForCausalLM",
        .position_limit = 2048,
        .norm_epsilon = 1e-5,
        .reads_attention_bias = true,
        .head_norms = true,
        .row_norms = true,
        .post_norms = true,
        .no_pre_norms = true,
        .pads = true,
    },
    {
        .model_type = "gpt2",
        .class_name = "GPT2LMHeadModel",
        .epsilon_key = "layer_norm_epsilon",
        .activation_key = "activation_function",
        .position_limit = 1024,
        .norm_epsilon = 1e-5,
        .norm = NORM_LAYER,
        .activation = ACTIVATION_GELU_TANH,
        .short_names = true,
        .biases = true,
        .gateless = true,
        .learned_positions = true,
        .fused_projections = true,
        .transposed = true,
        .tied = true,
    },
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

const struct family *family_find(const char *model_type)
{
    for (size_t i = 0; i < COUNT(families); i++)
        if (strcmp(families[i].model_type, model_type) == 0)
            return &families[i];
    return NULL;
}

const struct family *family_find_whole(const char *model_type)
{
    for (size_t i = 0; i < COUNT(families); i++)
        if (families[i].whole_type && strcmp(families[i].whole_type, model_type) == 0)
            return &families[i];
    return NULL;
}

enum status family_unknown(const struct source *source, const char *type)
{
    struct text_buffer known = {0};
    for (size_t i = 0; i < COUNT(families); i++) {
        text_buffer_appendf(&known, "%s\"%s\"", i ? ", " : "", families[i].model_type);
        if (families[i].whole_type)
            text_buffer_appendf(&known, ", \"%s\"", families[i].whole_type);
    }
    const enum status status =
        error_set(source->error, STATUS_UNSUPPORTED,
                  "%s: \"model_type\": \"%.80s\" is not supported (only %s)", source->where,
                  type, text_buffer_string(&known));
    text_buffer_release(&known);
    return status;
}
