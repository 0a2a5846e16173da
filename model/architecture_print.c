#include "base/error.h"
#include "base/file.h"
#include "checkpoints/model_directory.h"
#include "model/architecture_internal.h"

#include <stdlib.h>

static void print_sizes(const struct architecture *a, struct json_writer *json)
{
    json_integer(json, "num_hidden_layers", a->layer_count);
    json_integer(json, "hidden_size", a->channels);
    json_integer(json, "intermediate_size", a->feed_forward);
    json_integer(json, "num_attention_heads", a->heads);
    json_integer(json, "num_key_value_heads", a->key_value_heads);
    json_integer(json, "head_dim", a->head_size);
    json_integer(json, "vocab_size", a->vocabulary);
    json_integer(json, "max_position_embeddings", a->position_limit);
}

/* As GPT-2's own files have them; nothing was dropped in training here. */
static void print_short_sizes(const struct architecture *a, struct json_writer *json)
{
    json_integer(json, "n_layer", a->layer_count);
    json_integer(json, "n_embd", a->channels);
    json_integer(json, "n_inner", a->feed_forward);
    json_integer(json, "n_head", a->heads);
    json_integer(json, "vocab_size", a->vocabulary);
    json_integer(json, "n_positions", a->position_limit);
    json_real(json, "attn_pdrop", 0.0);
    json_real(json, "embd_pdrop", 0.0);
    json_real(json, "resid_pdrop", 0.0);
}

static void print_cap(const char *key, double cap, struct json_writer *json)
{
    if (cap > 0)
        json_real(json, key, cap);
    else
        json_null(json, key);
}

static void print_multipliers(const struct architecture *a, struct json_writer *json)
{
    json_real(json, "attention_multiplier", a->attention_multiplier);
    json_real(json, "embedding_multiplier", a->embedding_multiplier);
    json_real(json, "residual_multiplier", a->residual_multiplier);
    json_real(json, "logits_scaling", a->logits_scaling);
}

/* What only some families know. */
static void print_of_family(const struct architecture *a, const struct family *family,
                            struct json_writer *json)
{
    if (family->reads_attention_bias)
        json_bool(json, "attention_bias", a->attention_out_bias);
    if (family->reads_mlp_bias)
        json_bool(json, "mlp_bias", a->feed_forward_bias);
    if (family->pads)
        json_null(json, "pad_token_id");
    if (family->query_scalar > 0)
        json_number(json, "query_pre_attn_scalar", a->query_scalar);
    if (family->attention_cap > 0)
        print_cap("attn_logit_softcapping", a->attention_cap, json);
    if (family->logit_cap > 0)
        print_cap("final_logit_softcapping", a->logit_cap, json);
    if (family->multipliers)
        print_multipliers(a, json);
    window_print(a, family, json);
    unturned_print(a, family, json);
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
    const struct family *family = family_find(architecture->model_type);
    CHECK(family);
    json_object_begin(&json, NULL);
    json_array_begin(&json, "architectures");
    json_string(&json, NULL, family->class_name);
    json_array_end(&json);
    json_string(&json, "model_type", family->model_type);
    if (family->short_names)
        print_short_sizes(architecture, &json);
    else
        print_sizes(architecture, &json);
    json_string(&json, family->activation_key ? family->activation_key : "hidden_act",
                architecture_activation_name(architecture));
    json_real(&json, family->epsilon_key ? family->epsilon_key : "rms_norm_eps",
              architecture->norm_epsilon);
    if (!family->learned_positions)
        rope_print(architecture, &json);
    print_of_family(architecture, family, &json);
    json_real(&json, "initializer_range", architecture->initializer_range);
    json_bool(&json, "tie_word_embeddings", architecture->tied_embeddings);
    print_tokens(architecture, &json);
    json_string(&json, "torch_dtype",
                stored == DTYPE_BF16  ? "bfloat16"
                : stored == DTYPE_F16 ? "float16"
                                      : "float32");
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

static enum status print_to_directory(const struct architecture *architecture,
                                      const char *directory, enum dtype stored,
                                      struct error *error)
{
    struct text_buffer text = {0};
    char *path = path_join(directory, "config.json");
    architecture_print_json(architecture, stored, &text);
    const enum status status =
        file_write_all(path, text_buffer_string(&text), text.length, error);
    free(path);
    text_buffer_release(&text);
    return status;
}

enum status architecture_copy_config(const char *from, const char *to, enum dtype stored,
                                     struct error *error)
{
    struct architecture architecture;
    if (architecture_open_directory(&architecture, from, error))
        return error->status;
    return architecture.text_part ? print_to_directory(&architecture, to, stored, error)
                                  : model_directory_copy_config(from, to, stored, error);
}
