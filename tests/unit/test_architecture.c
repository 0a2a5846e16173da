#include "base/file.h"
#include "tests/unit/architecture_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void reads_fields_and_defaults(void **state)
{
    (void)state;
    const struct architecture a = good("");
    assert_string_equal(a.model_type, "llama");
    assert_int_equal(a.layer_count, 2);
    assert_int_equal(a.channels, 48);
    assert_int_equal(a.feed_forward, 77);
    assert_int_equal(a.heads, 6);
    assert_int_equal(a.key_value_heads, 2);
    assert_int_equal(a.head_size, 8);
    assert_int_equal(a.vocabulary, 131);
    assert_int_equal(a.position_limit, 2048);
    assert_true(a.norm_epsilon == 1e-5);
    assert_true(a.rope_theta == 10000.0);
    assert_true(a.initializer_range == 0.02);
    assert_false(a.tied_embeddings);
    assert_int_equal(a.bos_token, -1);
    assert_int_equal(a.eos_token_count, 0);
    /* 2 x (2 x 48 (48 + 16) + 3 x 48 x 77 + 96) + 48 + 2 x 131 x 48 */
    assert_int_equal(architecture_parameter_count(&a), 2 * 17328 + 48 + 12576);
}

static void reads_other_values(void **state)
{
    (void)state;
    const struct architecture a =
        good("\"head_dim\": 14, \"num_key_value_heads\": null, \"hidden_act\": \"silu\", "
             "\"tie_word_embeddings\": true, \"max_position_embeddings\": 512, "
             "\"torch_dtype\": \"bfloat16\", \"attention_bias\": false, "
             "\"pretraining_tp\": 1, \"rope_interleaved\": false, ");
    assert_int_equal(a.head_size, 14);
    assert_int_equal(a.key_value_heads, 6);
    assert_true(a.tied_embeddings);
    assert_int_equal(a.position_limit, 512);
}

static void families_have_their_defaults(void **state)
{
    (void)state;
    struct architecture a = good("\"attention_bias\": true, \"mlp_bias\": true, ");
    assert_true(a.query_key_value_bias && a.attention_out_bias && a.feed_forward_bias);
    /* q, k, v: 80; o and down: 48 each; gate and up: 154, of 2 layers */
    assert_int_equal(architecture_parameter_count(&a),
                     2 * (17328 + 80 + 48 + 154 + 48) + 48 + 12576);

    a = good("\"model_type\": \"qwen2\", \"sliding_window\": 4096, ");
    assert_true(a.query_key_value_bias && !a.attention_out_bias && !a.feed_forward_bias);
    assert_int_equal(a.position_limit, 32768);
    assert_int_equal(a.position_limit, 32768);
    assert_string_equal(architecture_class_name(&a), "Qwen2ForCausalLM");

    a = good("\"model_type\": \"qwen3\", ");
    assert_true(a.head_norms && !a.query_key_value_bias && !a.attention_out_bias);
    assert_int_equal(a.head_size, 128);
    /* q and o: 6 x 128 x 48 each, k and v: 2 x 128 x 48 each, two norms of 128 */
    assert_int_equal(architecture_parameter_count(&a),
                     2 * (2 * 48 * 8 * 128 + 3 * 48 * 77 + 2 * 48 + 2 * 128) + 48 + 12576);
    assert_int_equal(good("\"model_type\": \"qwen3\", \"head_dim\": 64, ").head_size, 64);
    assert_true(
        good("\"model_type\": \"qwen3\", \"attention_bias\": true, ").attention_out_bias);

    a = good("\"model_type\": \"mistral\", \"use_sliding_window\": false, ");
    assert_int_equal(a.window, 4096);
    assert_int_equal(architecture_window(&a, 1), 4096);
    assert_int_equal(a.position_limit, 131072);
    a = good("\"model_type\": \"mistral\", \"sliding_window\": null, ");
    assert_int_equal(a.window, 0);
    assert_int_equal(a.position_limit, 131072);
    assert_string_equal(architecture_limit_name(&a), "max_position_embeddings");
}

static void reads_gemma2(void **state)
{
    (void)state;
    struct architecture a = good("\"model_type\": \"gemma2\", \"head_dim\": 10, ");
    assert_true(a.norm == NORM_RMS_ONE_PLUS && a.post_norms && a.scaled_embedding);
    assert_true(a.activation == ACTIVATION_GELU_TANH && !a.gateless && a.tied_embeddings);
    assert_true(a.attention_cap == 50.0 && a.logit_cap == 30.0 && a.query_scalar == 256.0);
    assert_true(architecture_query_scale(&a) == 1.0 / 16.0);
    assert_int_equal(a.window, 4096);
    assert_int_equal(a.position_limit, 8192);
    /* 2 x 48 x 10 (6 + 2) + 3 x 48 x 77 + 4 norms, of 2 layers; one embedding */
    assert_int_equal(architecture_parameter_count(&a),
                     2 * (7680 + 11088 + 4 * 48) + 48 + 131 * 48);
    a = good("\"model_type\": \"gemma2\", \"attn_logit_softcapping\": null, "
             "\"final_logit_softcapping\": 7, \"hidden_act\": \"what it does not read\", "
             "\"hidden_activation\": \"gelu\", \"query_pre_attn_scalar\": 64, ");
    assert_true(a.attention_cap == 0.0 && a.logit_cap == 7.0);
    assert_true(a.activation == ACTIVATION_GELU);
    assert_true(architecture_query_scale(&a) == 0.125);
    assert_true(architecture_query_scale(&(struct architecture){.head_size = 16}) == 0.25);
}

static void reads_olmo2(void **state)
{
    (void)state;
    struct architecture a = good("\"model_type\": \"olmo2\", ");
    assert_true(a.norm == NORM_RMS && a.post_norms && a.no_pre_norms);
    assert_true(a.head_norms && a.row_norms && !a.tied_embeddings);
    assert_true(!a.query_key_value_bias && !a.attention_out_bias && !a.feed_forward_bias);
    assert_true(a.norm_epsilon == 1e-5 && a.rope_theta == 10000.0);
    assert_int_equal(a.head_size, 8);
    assert_int_equal(a.position_limit, 2048);
    assert_string_equal(architecture_class_name(&a), "Olmo2ForCausalLM");
    /* 2 x 48 x 8 (6 + 2) + 3 x 48 x 77 + 2 norms, and those of 48 and 16, of 2 layers */
    assert_int_equal(architecture_parameter_count(&a),
                     2 * (6144 + 11088 + 2 * 48 + 48 + 16) + 48 + 2 * 131 * 48);
    a = good("\"model_type\": \"olmo2\", \"attention_bias\": true, ");
    assert_true(a.query_key_value_bias && a.attention_out_bias && !a.feed_forward_bias);
}

#define GPT2 GPT2_WITHOUT_HEADS ", \"n_head\": 3"
#define GPT2_WITHOUT_HEADS                                                                 \
    "\"model_type\": \"gpt2\", \"vocab_size\": 131, \"n_embd\": 48, \"n_layer\": 2"

static void reads_gpt2(void **state)
{
    (void)state;
    struct architecture a;
    struct error error = {0};
    assert_false(parse(&a, "{" GPT2 "}", &error));
    assert_true(a.norm == NORM_LAYER && a.gateless && a.learned_positions && a.transposed);
    assert_true(a.fused_projections && a.tied_embeddings && !a.post_norms);
    assert_true(a.query_key_value_bias && a.attention_out_bias && a.feed_forward_bias);
    assert_true(a.activation == ACTIVATION_GELU_TANH && a.norm_epsilon == 1e-5);
    assert_int_equal(a.feed_forward, 192);
    assert_int_equal(a.key_value_heads, 3);
    assert_int_equal(a.head_size, 16);
    assert_int_equal(architecture_rotary_size(&a), 0);
    assert_int_equal(a.position_limit, 1024);
    assert_string_equal(architecture_limit_name(&a), "n_positions");
    /* 12 C^2 + 13 C of 2 layers, 2 C, embedding and positions */
    assert_int_equal(architecture_parameter_count(&a),
                     2 * (12 * 48 * 48 + 13 * 48) + 2 * 48 + (131 + 1024) * 48);
    assert_int_equal(parse(&a, "{" GPT2 ", \"n_inner\": 7, \"n_positions\": 5}", &error),
                     STATUS_OK);
    assert_int_equal(a.feed_forward, 7);
    assert_int_equal(a.position_limit, 5);
    assert_int_equal(parse(&a, "{" GPT2 ", \"num_hidden_layers\": 2}", &error), STATUS_OK);
    assert_int_equal(parse(&a, "{" GPT2 ", \"num_hidden_layers\": 3}", &error),
                     STATUS_FORMAT);
    assert_non_null(
        strstr(error.message, "\"num_hidden_layers\" is not the same as \"n_layer\": 2"));

    static const char *const refused[][2] = {
        {"\"activation_function\": \"relu\"", "\"activation_function\": \"relu\""},
        {"\"activation_function\": \"silu\"", "\"activation_function\": \"silu\""},
        {"\"scale_attn_weights\": false", "\"scale_attn_weights\": false"},
        {"\"scale_attn_by_inverse_layer_idx\": true",
         "\"scale_attn_by_inverse_layer_idx\""},
        {"\"add_cross_attention\": true", "\"add_cross_attention\": true"},
        {"\"sliding_window\": 4", "\"sliding_window\": 4"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char json[512];
        snprintf(json, sizeof json, "{%s, " GPT2 "}", refused[i][0]);
        error = (struct error){0};
        assert_int_equal(parse(&a, json, &error), STATUS_UNSUPPORTED);
        if (!strstr(error.message, refused[i][1]))
            fail_msg("%s -> %s", json, error.message);
    }
    assert_int_equal(parse(&a, "{\"n_head\": 5, " GPT2_WITHOUT_HEADS "}", &error),
                     STATUS_FORMAT);
    assert_non_null(
        strstr(error.message, "\"n_embd\": 48 is not a multiple of \"n_head\": 5"));
}

/* google/gemma-3-4b-it's config.json, shortened. */
#define GEMMA3_TEXT                                                                        \
    "\"text_config\": {\"hidden_size\": 2560, \"intermediate_size\": 10240, "              \
    "\"model_type\": \"gemma3_text\", \"num_hidden_layers\": 34, \"rope_scaling\": "       \
    "{\"factor\": 8.0, \"rope_type\": \"linear\"}, \"sliding_window\": 1024}, "

static void reads_text_part(void **state)
{
    (void)state;
    struct architecture a;
    struct error error = {0};
    assert_false(parse(&a,
                       "{\"model_type\": \"gemma3\", " GEMMA3_TEXT
                       "\"eos_token_id\": [1, 106], \"vision_config\": {}}",
                       &error));
    assert_true(a.text_part && a.tied_embeddings);
    assert_string_equal(a.model_type, "gemma3_text");
    assert_int_equal(a.heads, 8);
    assert_int_equal(a.key_value_heads, 4);
    assert_int_equal(a.head_size, 256);
    assert_int_equal(a.vocabulary, 262208);
    assert_int_equal(a.eos_token_count, 2);
    assert_int_equal(a.eos_tokens[1], 106);
    /* V C + C + L (2 C (H + G) D + 3 C F + 4 C + 2 D) */
    assert_int_equal(architecture_parameter_count(&a), 3880263168);
    assert_false(parse(&a,
                       "{\"model_type\": \"gemma3\", \"tie_word_embeddings\": false, "
                       "\"text_config\": {\"model_type\": \"gemma3_text\", "
                       "\"hidden_size\": 48, \"num_hidden_layers\": 2, "
                       "\"intermediate_size\": 5}}",
                       &error));
    assert_false(a.tied_embeddings);

    static const char *const refused[][2] = {
        {"", "\"text_config\""},
        {"\"text_config\": 3, ", "\"text_config\""},
        {"\"text_config\": {\"model_type\": \"llama\"}, ", "\"gemma3_text\""},
        {"\"text_config\": {\"model_type\": \"gemma3_text\"}, ",
         "\"text_config\": dir/config.json: \"num_hidden_layers\" is missing"},
        {GEMMA3_TEXT "\"quantization_config\": {\"bits\": 4}, ", "\"quantization_config\""},
        {GEMMA3_TEXT "\"eos_token_id\": \"x\", ", "\"eos_token_id\""},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char json[512];
        snprintf(json, sizeof json, "{%s\"model_type\": \"gemma3\"}", refused[i][0]);
        error = (struct error){0};
        assert_true(parse(&a, json, &error));
        if (!strstr(error.message, refused[i][1]))
            fail_msg("%s -> %s", json, error.message);
    }
}

static void reads_granite(void **state)
{
    (void)state;
    struct architecture a = good("\"model_type\": \"granite\", ");
    assert_true(a.embedding_multiplier == 1.0 && a.residual_multiplier == 1.0);
    assert_true(a.logits_scaling == 1.0 && architecture_query_scale(&a) == 1.0);
    assert_true(!a.scaled_embedding && !a.tied_embeddings && a.norm == NORM_RMS);
    assert_int_equal(a.position_limit, 2048);
    assert_int_equal(a.head_size, 8);
    a = good("\"model_type\": \"granite\", \"attention_multiplier\": 0.015625, "
             "\"embedding_multiplier\": 12.0, \"residual_multiplier\": 0.22, "
             "\"logits_scaling\": 8.0, \"attention_bias\": true, \"rope_scaling\": null, ");
    assert_true(a.embedding_multiplier == 12.0 && a.residual_multiplier == 0.22);
    assert_true(a.logits_scaling == 8.0 && architecture_query_scale(&a) == 0.015625);
    assert_true(a.query_key_value_bias && a.attention_out_bias && !a.feed_forward_bias);
}

static void reads_tokens(void **state)
{
    (void)state;
    struct architecture a = good("\"bos_token_id\": 1, \"eos_token_id\": 2, ");
    assert_int_equal(a.bos_token, 1);
    assert_int_equal(a.eos_token_count, 1);
    assert_int_equal(a.eos_tokens[0], 2);
    a = good("\"bos_token_id\": null, \"eos_token_id\": [5, 3, 5], ");
    assert_int_equal(a.bos_token, -1);
    assert_int_equal(a.eos_token_count, 2);
    assert_int_equal(a.eos_tokens[0], 5);
    assert_int_equal(a.eos_tokens[1], 3);
    assert_int_equal(good("\"eos_token_id\": -1, ").eos_token_count, 0);
}

/* Field, then file: both must be in the message. */
static void refuses_what_is_not_computed(void **state)
{
    (void)state;
    static const char *const fields[][2] = {
        {"\"model_type\": \"gpt_neox\", ", "\"gpt_neox\""},
        {"\"attn_logit_softcapping\": 50.0, ", "\"attn_logit_softcapping\": 50"},
        {"\"final_logit_softcapping\": 30.0, ", "\"final_logit_softcapping\": 30"},
        {"\"query_pre_attn_scalar\": 256, ", "\"query_pre_attn_scalar\": 256"},
        {"\"embedding_multiplier\": 12.0, ", "\"embedding_multiplier\": 12"},
        {"\"residual_multiplier\": 0.22, ", "\"residual_multiplier\": 0.22"},
        {"\"logits_scaling\": 8.0, ", "\"logits_scaling\": 8"},
        {"\"attention_multiplier\": 1, ", "\"attention_multiplier\": 1"},
        {"\"model_type\": \"granite\", \"logit_scale\": 2, ", "\"logit_scale\": 2"},
        {"\"model_type\": \"granite\", \"sliding_window\": 64, ", "\"sliding_window\": 64"},
        {"\"num_local_experts\": 8, ", "\"num_local_experts\": 8"},
        {"\"model_type\": \"gemma2\", \"use_bidirectional_attention\": true, ",
         "\"use_bidirectional_attention\": true"},
        {"\"model_type\": \"gemma2\", \"layer_types\": [\"full_attention\"], ",
         "\"layer_types\""},
        {"\"model_type\": \"mistral\", \"layer_types\": [\"full_attention\", "
         "\"sliding_attention\"], ",
         "\"layer_types\""},
        {"\"model_type\": \"mistral\", \"attention_bias\": true, ",
         "\"attention_bias\": true"},
        {"\"model_type\": \"qwen2\", \"mlp_bias\": true, ", "\"mlp_bias\": true"},
        {"\"model_type\": \"olmo2\", \"mlp_bias\": true, ", "\"mlp_bias\": true"},
        {"\"model_type\": \"olmo3\", \"sliding_window\": null, ",
         "\"sliding_window\": null"},
        {"\"model_type\": \"olmo3\", \"rope_parameters\": {\"rope_theta\": 1e6}, ",
         "\"rope_theta\": 1000000"},
        {"\"model_type\": \"olmo3\", \"rope_parameters\": {\"sliding_attention\": {"
         "\"rope_type\": \"linear\", \"factor\": 2}}, ",
         "\"linear\""},
        {"\"model_type\": \"olmo2\", \"clip_qkv\": 8.0, ", "\"clip_qkv\": 8"},
        {"\"model_type\": \"olmo2\", \"sliding_window\": 64, ", "\"sliding_window\": 64"},
        {"\"model_type\": \"qwen2\", \"use_sliding_window\": true, "
         "\"max_window_layers\": 1.5, ",
         "\"max_window_layers\": 1.5"},
        {"\"hidden_act\": \"relu\", ", "\"hidden_act\": \"relu\""},
        {"\"attention_dropout\": 0.1, ", "\"attention_dropout\": 0.1"},
        {"\"pretraining_tp\": 2, ", "\"pretraining_tp\": 2"},
        {"\"partial_rotary_factor\": 0.5, ", "\"partial_rotary_factor\": 0.5"},
        {"\"rope_interleaved\": true, ", "\"rope_interleaved\": true"},
        {"\"sliding_window\": 4096, ", "\"sliding_window\": 4096"},
        {"\"quantization_config\": {\"bits\": 4}, ", "\"quantization_config\""},
        {"\"quantization\": {\"bits\": 4, \"mode\": \"affine\"}, ", "\"quantization\""},
        {"\"layer_types\": [\"full_attention\", \"sliding_attention\"], ",
         "\"layer_types\""},
        {"\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}, ",
         "\"type\": \"dynamic\""},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0, \"beta_fast\": 3}, ",
         "\"beta_fast\": 3"},
        {"\"rope_scaling\": {\"type\": \"default\"}, \"rope_parameters\": {}, ",
         "\"rope_parameters\""},
        {"\"rope_parameters\": {\"rope_type\": \"axial\", \"rope_theta\": 1e4}, ",
         "\"rope_type\": \"axial\""},
        {"\"rope_parameters\": {\"rope_theta\": 1e4, \"factor\": 2}, ", "\"factor\": 2"},
        {"\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1e4}}, ",
         "\"full_attention\""},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        check_refused(fields[i][0], STATUS_UNSUPPORTED, fields[i][1]);
    assert_int_equal(
        good("\"sliding_window\": 99, \"use_sliding_window\": false, ").channels, 48);
}

static void refuses_broken_fields(void **state)
{
    (void)state;
    static const char *const fields[][2] = {
        {"\"hidden_size\": \"48\", ", "hidden_size"},
        {"\"hidden_size\": 48.5, ", "hidden_size"},
        {"\"hidden_size\": 0, ", "\"hidden_size\": 0 is out of range"},
        {"\"hidden_size\": -48, ", "hidden_size"},
        {"\"hidden_size\": 1e30, ", "hidden_size"},
        {"\"hidden_size\": null, ", "hidden_size"},
        {"\"hidden_size\": 50, ", "not a multiple of \"num_attention_heads\": 6"},
        {"\"num_attention_heads\": 4, \"num_key_value_heads\": 3, ",
         "not a multiple of \"num_key_value_heads\": 3"},
        {"\"num_key_value_heads\": 0, ", "num_key_value_heads"},
        {"\"head_dim\": 7, ", "odd"},
        {"\"vocab_size\": 4294967296, ", "vocab_size"},
        {"\"num_hidden_layers\": 1000000, ", "num_hidden_layers"},
        {"\"rms_norm_eps\": -1, ", "rms_norm_eps"},
        {"\"rms_norm_eps\": 1e999, ", "rms_norm_eps"},
        {"\"rope_theta\": 0, ", "rope_theta"},
        {"\"rope_theta\": \"1e4\", ", "rope_theta"},
        {"\"rope_scaling\": 3, ", "rope_scaling"},
        {"\"rope_parameters\": {\"rope_theta\": -1}, ", "rope_theta"},
        {"\"rope_scaling\": {\"type\": \"linear\"}, ", "\"factor\" is missing"},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}, ", "factor"},
        {"\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0}, ",
         "\"low_freq_factor\" is missing"},
        {"\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
         "\"low_freq_factor\": 4, \"high_freq_factor\": 4, "
         "\"original_max_position_embeddings\": 8192}, ",
         "\"high_freq_factor\": 4 must be above"},
        {"\"model_type\": \"granite\", \"residual_multiplier\": 0, ",
         "\"residual_multiplier\": 0"},
        {"\"model_type\": \"granite\", \"attention_multiplier\": -0.5, ",
         "\"attention_multiplier\": -0.5"},
        {"\"model_type\": \"granite\", \"logits_scaling\": \"8\", ", "logits_scaling"},
        {"\"model_type\": \"gpt2\", ", "\"n_layer\" is missing"},
        {"\"model_type\": \"gemma2\", \"attn_logit_softcapping\": 0, ",
         "attn_logit_softcapping"},
        {"\"model_type\": \"gemma2\", \"query_pre_attn_scalar\": \"x\", ",
         "query_pre_attn_scalar"},
        {"\"model_type\": \"qwen2\", \"use_sliding_window\": 1, ", "use_sliding_window"},
        {"\"attention_bias\": 1, ", "attention_bias"},
        {"\"model_type\": \"mistral\", \"sliding_window\": 0, ", "sliding_window"},
        {"\"tie_word_embeddings\": 1, ", "tie_word_embeddings"},
        {"\"eos_token_id\": \"</s>\", ", "eos_token_id"},
        {"\"eos_token_id\": [2, 2.5], ", "eos_token_id"},
        {"\"bos_token_id\": 3e9, ", "bos_token_id"},
        {"\"model_type\": 7, ", "model_type"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct architecture a;
        struct error error = {0};
        assert_int_equal(parse_with(&a, fields[i][0], &error), STATUS_FORMAT);
        if (!strstr(error.message, fields[i][1]) ||
            !strstr(error.message, "dir/config.json"))
            fail_msg("%s -> %s", fields[i][0], error.message);
    }
}

static void refuses_other_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "{", "[]", "null", "{}", "{\"model_type\": \"llama\"}", "\xff\xfe", "{} x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct architecture a;
        struct error error = {0};
        assert_int_equal(parse(&a, texts[i], &error), STATUS_FORMAT);
        assert_non_null(strstr(error.message, "dir/config.json"));
    }
}

static void refuses_too_many(void **state)
{
    (void)state;
    struct architecture a;
    struct error error = {0};
    assert_int_equal(
        parse_with(&a, "\"eos_token_id\": [1, 2, 3, 4, 5, 6, 7, 8, 9], ", &error),
        STATUS_LIMIT);
    assert_non_null(strstr(error.message, "more than 8"));
    assert_int_equal(parse_with(&a,
                                "\"hidden_size\": 1048576, \"intermediate_size\": 1048576, "
                                "\"num_hidden_layers\": 4096, \"head_dim\": 4096, "
                                "\"num_attention_heads\": 16384, "
                                "\"num_key_value_heads\": 16384, ",
                                &error),
                     STATUS_LIMIT);
    assert_non_null(strstr(error.message, "parameters"));
}

static void prints_what_it_reads(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "",
        "\"head_dim\": 14, \"tie_word_embeddings\": true, \"eos_token_id\": 2, ",
        ("\"rope_theta\": 500000.0, \"bos_token_id\": 0, \"eos_token_id\": [7, 9], "
         "\"initializer_range\": 0.013, \"max_position_embeddings\": 77, "),
        "\"attention_bias\": true, ",
        "\"mlp_bias\": true, \"rope_scaling\": {" LLAMA3 "}, ",
        "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.7}, ",
        "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2.7}, ",
        ("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"beta_fast\": 30.5, "
         "\"beta_slow\": 2, \"mscale\": 0.7, \"mscale_all_dim\": 1.3, \"truncate\": false, "
         "\"original_max_position_embeddings\": 333}, "),
        ("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"attention_factor\": 1, "
         "\"mscale_all_dim\": 1.3}, "),
        "\"model_type\": \"qwen2\", \"use_sliding_window\": false, ",
        "\"model_type\": \"qwen3\", \"attention_bias\": true, ",
        "\"model_type\": \"phi3\", \"sliding_window\": 2047, ",
        LONGROPE,
        LONGROPE_WITH(", \"factor\": 7.25"),
        LONGROPE_WITH(", \"factor\": 3, \"attention_factor\": 1.19"),
        "\"model_type\": \"mistral\", ",
        "\"model_type\": \"mistral\", \"sliding_window\": null, ",
        "\"hidden_act\": \"gelu_pytorch_tanh\", ",
        "\"model_type\": \"phi3\", \"head_dim\": 98, \"partial_rotary_factor\": 0.29, ",
        QWEN "\"use_sliding_window\": true, \"max_window_layers\": 1, ",
        "\"model_type\": \"granite\", ",
        ("\"model_type\": \"granite\", \"attention_multiplier\": 0.0078125, "
         "\"embedding_multiplier\": 12, \"residual_multiplier\": 0.22, "
         "\"logits_scaling\": 16.1, \"mlp_bias\": true, "),
        "\"model_type\": \"gemma2\", ",
        ("\"model_type\": \"gemma2\", \"attn_logit_softcapping\": null, "
         "\"hidden_activation\": \"gelu\", \"query_pre_attn_scalar\": 40.5, "
         "\"tie_word_embeddings\": false, \"attention_bias\": true, " TYPES
         "\"num_hidden_layers\": 4, "),
        "\"model_type\": \"gemma2\", \"sliding_window\": null, ",
        "\"model_type\": \"olmo2\", ",
        OLMO3,
        OLMO3 "\"rope_scaling\": {" OLMO3_YARN "}, ",
        OLMO3 "\"rope_theta\": 1e5, \"rope_scaling\": {" OLMO3_YARN "}, ",
        OLMO3
        "\"rope_parameters\": {\"full_attention\": {" OLMO3_YARN
        "}, \"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 7e3}}, ",
        "\"model_type\": \"olmo2\", \"attention_bias\": true, \"num_key_value_heads\": "
        "null, ",
        GPT2 ", \"num_attention_heads\": 3, \"activation_function\": \"gelu\", "
             "\"resid_pdrop\": 0.1, ",
        GPT2 ", \"num_attention_heads\": 3, \"n_positions\": 77, \"layer_norm_epsilon\": "
             "1e-3, "};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        check_printed(fields[i]);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char *path = path_join(directory, name);
    assert_int_equal(file_write_all(path, text, strlen(text), NULL), STATUS_OK);
    free(path);
}

static void opens_directory(void **state)
{
    (void)state;
    char directory[] = "/tmp/test_architecture.XXXXXX";
    struct architecture a;
    struct error error = {0};
    struct text_buffer text = {0};
    assert_non_null(mkdtemp(directory));
    assert_int_equal(architecture_open_directory(&a, directory, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "config.json"));

    a = good("\"eos_token_id\": 2, ");
    architecture_print_json(&a, DTYPE_F32, &text);
    write_file(directory, "config.json", text.data);
    assert_int_equal(architecture_open_directory(&a, directory, &error), STATUS_OK);
    assert_int_equal(a.eos_token_count, 1);

    write_file(directory, "generation_config.json", "{\"eos_token_id\": [4, 2]}");
    assert_int_equal(architecture_open_directory(&a, directory, &error), STATUS_OK);
    assert_int_equal(a.eos_token_count, 2);
    assert_int_equal(a.eos_tokens[0], 2);
    assert_int_equal(a.eos_tokens[1], 4);

    write_file(directory, "generation_config.json", "{\"eos_token_id\": {}}");
    assert_int_equal(architecture_open_directory(&a, directory, &error), STATUS_FORMAT);
    assert_non_null(strstr(error.message, "generation_config.json"));
    text_buffer_release(&text);
    assert_int_equal(file_remove_tree(directory, NULL), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields_and_defaults),
        cmocka_unit_test(reads_other_values),
        cmocka_unit_test(families_have_their_defaults),
        cmocka_unit_test(reads_gemma2),
        cmocka_unit_test(reads_olmo2),
        cmocka_unit_test(reads_gpt2),
        cmocka_unit_test(reads_text_part),
        cmocka_unit_test(reads_granite),
        cmocka_unit_test(reads_tokens),
        cmocka_unit_test(refuses_what_is_not_computed),
        cmocka_unit_test(refuses_broken_fields),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(refuses_too_many),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(opens_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
