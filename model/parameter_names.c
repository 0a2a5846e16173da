#include "model/parameter_names.h"

static const struct parameter_names separate = {
    .prefix = "model.",
    .embedding = "embed_tokens",
    .block = "layers",
    .last_norm = "norm",
    .attention_norm = "input_layernorm",
    .query_key_value = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .query_norm = "self_attn.q_norm",
    .key_norm = "self_attn.k_norm",
    .attention_out = "self_attn.o_proj",
    .feed_forward_norm = "post_attention_layernorm",
    .gate_up = {"mlp.gate_proj", "mlp.up_proj"},
    .down = "mlp.down_proj",
};

static const struct parameter_names fused = {
    .prefix = "model.",
    .embedding = "embed_tokens",
    .block = "layers",
    .last_norm = "norm",
    .attention_norm = "input_layernorm",
    .query_key_value = {"self_attn.qkv_proj"},
    .attention_out = "self_attn.o_proj",
    .feed_forward_norm = "post_attention_layernorm",
    .gate_up = {"mlp.gate_up_proj"},
    .down = "mlp.down_proj",
};

static const struct parameter_names post_normed = {
    .prefix = "model.",
    .embedding = "embed_tokens",
    .block = "layers",
    .last_norm = "norm",
    .attention_norm = "input_layernorm",
    .query_key_value = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .query_norm = "self_attn.q_norm",
    .key_norm = "self_attn.k_norm",
    .attention_out = "self_attn.o_proj",
    .attention_post_norm = "post_attention_layernorm",
    .feed_forward_norm = "pre_feedforward_layernorm",
    .gate_up = {"mlp.gate_proj", "mlp.up_proj"},
    .down = "mlp.down_proj",
    .feed_forward_post_norm = "post_feedforward_layernorm",
};

/* The files of OpenAI's own models lack the prefix. */
static const struct parameter_names gpt2 = {
    .prefix = "transformer.",
    .embedding = "wte",
    .positions = "wpe",
    .block = "h",
    .last_norm = "ln_f",
    .attention_norm = "ln_1",
    .query_key_value = {"attn.c_attn"},
    .attention_out = "attn.c_proj",
    .feed_forward_norm = "ln_2",
    .gate_up = {"mlp.c_fc"},
    .down = "mlp.c_proj",
    .prefix_optional = true,
};

const struct parameter_names *parameter_names_of(const struct architecture *architecture)
{
    if (architecture->learned_positions)
        return &gpt2;
    if (architecture->post_norms)
        return &post_normed;
    return architecture->fused_projections ? &fused : &separate;
}
