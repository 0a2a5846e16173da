/* What config.json says of single layers: windows by a pattern, and how each turns. */
#include "tests/unit/architecture_fixture.h"

#define GEMMA3  "\"model_type\": \"gemma3_text\", \"num_hidden_layers\": 12, "
#define SMOLLM3 "\"model_type\": \"smollm3\", \"num_hidden_layers\": 8, "

/* Which layers have the window, as bits. */
static unsigned windows(const char *fields)
{
    const struct architecture a = good(fields);
    unsigned bits = 0;
    for (int64_t layer = 0; layer < a.layer_count; layer++)
        bits |= (unsigned)(architecture_window(&a, layer) > 0) << layer;
    return bits;
}

static void reads_windows(void **state)
{
    (void)state;
    assert_int_equal(windows(QWEN "\"sliding_window\": 9, "), 0);
    assert_int_equal(windows(QWEN "\"use_sliding_window\": true, "), 0); /* from 28 on */
    assert_int_equal(
        windows(QWEN "\"use_sliding_window\": true, \"max_window_layers\": 1, "), 14);
    assert_int_equal(windows(QWEN "\"use_sliding_window\": true, " TYPES), 10);
    assert_int_equal(
        windows(QWEN "\"use_sliding_window\": true, \"sliding_window\": null, "), 0);
    assert_int_equal(windows("\"model_type\": \"mistral\", "), 3);
    assert_int_equal(
        windows("\"model_type\": \"gemma2\", \"num_hidden_layers\": 4, \"head_dim\": 8, "),
        5);
    assert_int_equal(
        windows("\"model_type\": \"gemma2\", \"num_hidden_layers\": 4, " TYPES), 10);
    assert_int_equal(
        good(QWEN "\"use_sliding_window\": true, \"max_window_layers\": 4, ").window, 0);
}

/* Reads `fields`, of which the layers turn so, a character each: plain, window, none. */
static struct architecture turns_so(const char *fields, const char *turns)
{
    const struct architecture a = good(fields);
    static const char names[] = {
        [TURN_NONE] = 'n', [TURN_PLAIN] = 'p', [TURN_WINDOW] = 'w'};
    assert_int_equal(a.layer_count, strlen(turns));
    for (int64_t layer = 0; layer < a.layer_count; layer++)
        assert_int_equal(names[architecture_turn(&a, layer)], turns[layer]);
    return a;
}

static void gemma3_turns_by_layer(void **state)
{
    (void)state;
    /* As google/gemma-3-1b-it has it, but for the sizes. */
    struct architecture a =
        turns_so(GEMMA3 "\"rope_local_base_freq\": 10000, \"rope_scaling\": null, "
                        "\"rope_theta\": 1000000, \"sliding_window\": 512, "
                        "\"sliding_window_pattern\": 6, \"final_logit_softcapping\": null, "
                        "\"query_pre_attn_scalar\": 256, ",
                 "wwwwwpwwwwwp");
    assert_true(a.rope_theta == 1e6 && a.window_rope_theta == 1e4);
    assert_true(a.norm == NORM_RMS_ONE_PLUS && a.head_norms && a.post_norms);
    assert_true(a.scaled_embedding && a.tied_embeddings && a.logit_cap == 0);
    assert_int_equal(architecture_window(&a, 4), 512);
    assert_int_equal(architecture_window(&a, 5), 0);

    a = turns_so(GEMMA3 "\"sliding_window_pattern\": 3, ", "wwpwwpwwpwwp");
    assert_int_equal(a.window, 4096);
    turns_so("\"model_type\": \"gemma3_text\", \"layer_types\": [\"full_attention\", "
             "\"sliding_attention\"], ",
             "pw");
    a = turns_so("\"model_type\": \"gemma3_text\", \"sliding_window\": null, "
                 "\"layer_types\": [\"full_attention\", \"full_attention\"], ",
                 "pp");
    assert_true(a.window_rope_theta == 0);
}

/* transformers 4 and 5 on the same model; scaling is of the layers without a window. */
static void gemma3_reads_both_spellings(void **state)
{
    (void)state;
    const struct architecture old =
        good(GEMMA3 "\"rope_local_base_freq\": 300, \"rope_theta\": 5e5, "
                    "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}, ");
    const struct architecture new =
        good(GEMMA3 "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"linear\", "
                    "\"factor\": 8.0, \"rope_theta\": 5e5}, \"sliding_attention\": "
                    "{\"rope_type\": \"default\", \"rope_theta\": 300}}, ");
    assert_memory_equal(&old, &new, sizeof old);
    assert_true(old.rope_kind == ROPE_LINEAR && old.rope_factor == 8.0);
    const struct architecture defaults = good(GEMMA3),
                              empty = good(GEMMA3 "\"rope_parameters\": "
                                                  "{}, ");
    assert_memory_equal(&defaults, &empty, sizeof defaults);
    assert_true(defaults.rope_theta == 1e6 && defaults.window_rope_theta == 1e4);
}

static void reads_olmo3(void **state)
{
    (void)state;
    struct architecture a = good(OLMO3);
    assert_true(a.post_norms && a.no_pre_norms && a.row_norms);
    assert_int_equal(a.window, 4096);
    assert_int_equal(windows(OLMO3), 7);
    assert_true(a.rope_theta == 5e5 && a.window_rope_theta == 0);
    a = good(OLMO3 "\"rope_scaling\": {" OLMO3_YARN "}, ");
    assert_true(a.rope_kind == ROPE_YARN && a.window_rope_theta == 5e5);
    assert_int_equal(architecture_turn(&a, 0), TURN_WINDOW);
    assert_int_equal(architecture_turn(&a, 3), TURN_PLAIN);
    a = good(OLMO3 "\"rope_theta\": 1e5, \"rope_scaling\": {" OLMO3_YARN "}, ");
    assert_true(a.rope_theta == 1e5 && a.window_rope_theta == 1e5);
    a = good(OLMO3 "\"rope_theta\": 1e5, \"layer_types\": [\"full_attention\", "
                   "\"full_attention\", \"full_attention\", \"full_attention\"], ");
    assert_true(a.rope_theta == 1e5 && a.window_rope_theta == 0 && a.window == 0);
}

static void smollm3_leaves_layers_as_they_are(void **state)
{
    (void)state;
    const struct architecture a = turns_so(
        SMOLLM3 "\"use_sliding_window\": false, \"sliding_window\": null, ", "pppnpppn");
    assert_true(a.rope_theta == 2e6 && a.tied_embeddings);
    turns_so(SMOLLM3 "\"no_rope_layer_interval\": 3, ", "ppnppnpp");
    turns_so(SMOLLM3 "\"no_rope_layers\": [0, 1, 1, 0, 1, 1, 1, 1], "
                     "\"no_rope_layer_interval\": 3, ",
             "nppnpppp");
    turns_so("\"no_rope_layer_interval\": 2, ", "pp"); /* another family's field */
}

/* Field, then what the message must name. */
static void refuses_what_is_not_computed(void **state)
{
    (void)state;
    static const char *const fields[][2] = {
        {GEMMA3 "\"attn_logit_softcapping\": 50, ", "\"attn_logit_softcapping\": 50"},
        {GEMMA3 "\"use_bidirectional_attention\": true, ",
         "\"use_bidirectional_attention\": true"},
        {GEMMA3 "\"sliding_window\": null, ", "\"sliding_window\": null"},
        {GEMMA3 "\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 8}, ",
         "\"rope_type\": \"linear\""},
        {GEMMA3 "\"rope_parameters\": {\"sliding_attention\": {\"rope_type\": \"linear\", "
                "\"factor\": 8}}, ",
         "only \"default\" for layers with the window"},
        {GEMMA3 "\"rope_parameters\": {\"sliding_attention\": {\"factor\": 8}}, ",
         "\"factor\": 8"},
        {GEMMA3 "\"rope_parameters\": {\"chunked_attention\": {}}, ",
         "\"chunked_attention\": {}"},
        {SMOLLM3 "\"no_rope_layers\": [1, 0], ", "\"no_rope_layers\": [1,0]"},
        {SMOLLM3 "\"no_rope_layers\": [1, 0, 1, 1, 2, 1, 1, 1], ", "\"no_rope_layers\""},
        {SMOLLM3 "\"no_rope_layers\": 4, ", "\"no_rope_layers\": 4"},
        {SMOLLM3 "\"sliding_window\": 4, \"use_sliding_window\": true, ",
         "\"sliding_window\": 4"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        check_refused(fields[i][0], STATUS_UNSUPPORTED, fields[i][1]);
}

static void refuses_broken_fields(void **state)
{
    (void)state;
    static const char *const fields[] = {
        GEMMA3 "\"sliding_window_pattern\": 0, ",
        GEMMA3 "\"rope_local_base_freq\": 0.5, ",
        GEMMA3 "\"rope_parameters\": {\"sliding_attention\": {\"rope_theta\": -1}}, ",
        SMOLLM3 "\"no_rope_layer_interval\": 0, ",
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct architecture a;
        struct error error = {0};
        if (parse_with(&a, fields[i], &error) != STATUS_FORMAT)
            fail_msg("%s -> %s", fields[i], error.message);
    }
}

static void prints_what_it_reads(void **state)
{
    (void)state;
    static const char *const fields[] = {
        GEMMA3,
        GEMMA3 "\"rope_local_base_freq\": 300, \"rope_theta\": 5e5, \"rope_scaling\": "
               "{\"rope_type\": \"linear\", \"factor\": 8.0}, \"sliding_window\": 512, ",
        "\"model_type\": \"gemma3_text\", \"sliding_window\": null, \"layer_types\": "
        "[\"full_attention\", \"full_attention\"], ",
        SMOLLM3,
        SMOLLM3 "\"no_rope_layers\": [1, 1, 1, 1, 1, 1, 1, 1], \"mlp_bias\": true, ",
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        check_printed(fields[i]);
}

/* Their classes in transformers make the window's mask whether or not a layer has it. */
static void prints_a_window_that_no_layer_has(void **state)
{
    (void)state;
    static const char *const families[] = {"gemma2", "gemma3_text", "olmo3"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        char fields[128];
        struct text_buffer text = {0};
        snprintf(fields, sizeof fields,
                 "\"model_type\": \"%s\", \"layer_types\": [\"full_attention\", "
                 "\"full_attention\"], ",
                 families[i]);
        const struct architecture a = good(fields);
        assert_int_equal(a.window, 0);
        architecture_print_json(&a, DTYPE_BF16, &text);
        assert_non_null(strstr(text.data, "\"sliding_window\": 4096,"));
        text_buffer_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_windows),
        cmocka_unit_test(gemma3_turns_by_layer),
        cmocka_unit_test(gemma3_reads_both_spellings),
        cmocka_unit_test(reads_olmo3),
        cmocka_unit_test(smollm3_leaves_layers_as_they_are),
        cmocka_unit_test(refuses_what_is_not_computed),
        cmocka_unit_test(refuses_broken_fields),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(prints_a_window_that_no_layer_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
