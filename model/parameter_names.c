#include "model/parameter_names.h"

#include "base/text_buffer.h"

#include <string.h>

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

static const char in_model[] = "model.", whole_model[] = "language_model.",
                  whole_modules[] = "model.language_model.";

char *name_in_whole(const char *name, enum whole_spelling spelling)
{
    struct text_buffer whole = {0};
    if (spelling == WHOLE_MODEL)
        text_buffer_appendf(&whole, "%s%s", whole_model, name);
    else if (text_starts_with(name, in_model))
        text_buffer_appendf(&whole, "%s%s", whole_modules, name + strlen(in_model));
    else
        text_buffer_append(&whole, name);
    return text_buffer_detach(&whole);
}

char *name_in_text(const char *name)
{
    struct text_buffer text = {0};
    if (text_starts_with(name, whole_modules))
        text_buffer_appendf(&text, "%s%s", in_model, name + strlen(whole_modules));
    else if (text_starts_with(name, whole_model))
        text_buffer_append(&text, name + strlen(whole_model));
    else
        return NULL;
    return text_buffer_detach(&text);
}

bool name_of_images(const char *name)
{
    static const char *const parts[] = {"vision_tower.", "multi_modal_projector."};
    if (text_starts_with(name, in_model))
        name += strlen(in_model);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (text_starts_with(name, parts[i]))
            return true;
    return false;
}
