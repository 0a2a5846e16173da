/* How config.json says that positions turn heads. */
#include "tests/unit/architecture_fixture.h"

#include <math.h>

static void reads_both_rope_spellings(void **state)
{
    (void)state;
    assert_true(good("\"rope_theta\": 5e5, \"rope_scaling\": null, ").rope_theta == 5e5);
    assert_true(
        good("\"rope_scaling\": {\"type\": \"default\"}, \"rope_theta\": 7, ").rope_theta ==
        7.0);
    assert_true(good("\"rope_parameters\": {\"rope_theta\": 500000.0, "
                     "\"rope_type\": \"default\"}, \"dtype\": \"float32\", ")
                    .rope_theta == 5e5);
    assert_true(good("\"rope_parameters\": null, ").rope_theta == 1e4);
}

static void reads_rope_scaling(void **state)
{
    (void)state;
    struct architecture a = good("\"rope_theta\": 5e5, \"head_dim\": 128, "
                                 "\"rope_scaling\": {" LLAMA3 "}, ");
    const struct architecture same =
        good("\"rope_parameters\": {\"rope_theta\": 5e5, " LLAMA3 "}, "
             "\"head_dim\": 128, ");
    assert_memory_equal(&a, &same, sizeof a);
    assert_int_equal(a.rope_kind, ROPE_LLAMA3);
    assert_int_equal(a.rope_original_limit, 8192);

    /* Wavelengths of the pairs 0, 40 and 63: 6.3, 23,000 and 5e6. */
    float f[64], plain[64];
    architecture_rope_frequencies(&a, false, f);
    a.rope_kind = ROPE_DEFAULT;
    architecture_rope_frequencies(&a, false, plain);
    assert_true(f[0] == 1.0f && plain[0] == 1.0f);
    assert_true(f[63] == plain[63] / 8.0f && f[40] == plain[40] / 8.0f);
    assert_true(f[32] < plain[32] && f[32] > plain[32] / 8.0f); /* 4,443: between */

    a = good("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}, ");
    float quarter[4];
    architecture_rope_frequencies(&a, false, quarter);
    assert_int_equal(a.rope_kind, ROPE_LINEAR);
    assert_true(quarter[0] == 0.25f);
}

static void reads_partial_rotation(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "\"partial_rotary_factor\": 0.75, ",
        "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 1e4, "
        "\"partial_rotary_factor\": 0.75}, "};
    char fields[256];
    struct architecture a;
    struct error error = {0};
    for (int i = 0; i < 2; i++) {
        snprintf(fields, sizeof fields, "\"model_type\": \"phi3\", \"head_dim\": 16, %s",
                 spellings[i]);
        a = good(fields);
        assert_int_equal(architecture_rotary_size(&a), 12);
        float f[6];
        architecture_rope_frequencies(&a, false, f);
        assert_true(f[0] == 1.0f && f[3] == 0.01f); /* 10000^(-6/12) */
    }
    a = good("\"model_type\": \"phi3\", \"partial_rotary_factor\": 1.0, ");
    assert_int_equal(architecture_rotary_size(&a), 8);
    a = good("\"model_type\": \"phi3\", \"partial_rotary_factor\": 0.5, "
             "\"rope_parameters\": {\"partial_rotary_factor\": 1.0}, ");
    assert_int_equal(architecture_rotary_size(&a), 8);
    assert_int_equal(
        parse_with(&a, "\"model_type\": \"phi3\", \"partial_rotary_factor\": 0.4, ",
                   &error),
        STATUS_FORMAT); /* 3.2 of 8 */
    assert_non_null(strstr(error.message, "partial_rotary_factor"));
}

static void reads_longrope(void **state)
{
    (void)state;
    const struct architecture a = good(LONGROPE);
    struct architecture bad;
    struct error error = {0};
    float f[4];
    assert_true(a.fused_projections && a.rope_kind == ROPE_LONG);
    assert_true(a.rope_short[3] == 4.0 && a.rope_long[3] == 8.5);
    assert_int_equal(a.position_limit, 512);
    assert_string_equal(architecture_limit_name(&a), "max_position_embeddings");
    assert_false(architecture_rope_longer(&a, 64));
    assert_true(architecture_rope_longer(&a, 65));
    architecture_rope_frequencies(&a, false, f);
    assert_true(f[0] == 1.0f && f[1] == 0.05f); /* 10000^(-2/8) / 2 */
    architecture_rope_frequencies(&a, true, f);
    assert_true(f[0] == 0.2f && f[1] == (float)(0.1 / 6));
    /* sqrt(1 + log(8) / log(64)) */
    const double off = architecture_rope_scale(&a) / 1.2247448713915890 - 1.0;
    assert_true(off < 1e-15 && off > -1e-15);

    assert_int_equal(parse_with(&bad,
                                "\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": "
                                "\"su\", \"short_factor\": [1, 2, 3]}, ",
                                &error),
                     STATUS_FORMAT);
    assert_non_null(strstr(error.message, "\"short_factor\" must be a list of 4"));
    assert_int_equal(
        parse_with(&bad, "\"rope_scaling\": {\"type\": \"longrope\"}, ", &error),
        STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "\"longrope\""));
}

/* What transformers 5.17 makes of the same objects (_compute_longrope_parameters). */
static void scales_long_positions(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        double scale;
    } cases[] = {
        {"", 1.224744871391589},
        {", \"factor\": null, \"attention_factor\": null", 1.224744871391589},
        {", \"factor\": 4.0", 1.1547005383792517},
        {", \"factor\": 1", 1.0},
        {", \"factor\": 0.5", 1.0},
        {", \"attention_factor\": 1.75", 1.75},
        {", \"factor\": 4.0, \"attention_factor\": 0.25", 0.25},
        {", \"original_max_position_embeddings\": 64", 1.224744871391589},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char fields[512];
        snprintf(fields, sizeof fields, LONGROPE_WITH("%s"), cases[i].fields);
        const struct architecture a = good(fields);
        const double off = architecture_rope_scale(&a) / cases[i].scale - 1.0;
        if (!(off < 1e-15 && off > -1e-15))
            fail_msg("%s: %.17g", cases[i].fields, architecture_rope_scale(&a));
        float f[4];
        architecture_rope_frequencies(&a, true, f);
        assert_true(f[0] == 0.2f);
    }
}

#define YARN(more)      "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0" more "}, "
#define ORIGINAL(limit) ", \"original_max_position_embeddings\": " #limit

/*
 * What transformers 5.17 makes of the same configs, its numbers printed with nine digits
 * (_compute_yarn_parameters). It computes in f32, which here and there is two roundings
 * off.
 */
static const struct {
    const char *fields;
    float frequencies[8];
    double scale;
} yarn_cases[] = {
    {YARN(ORIGINAL(512)),
     {1, 0.25693506f, 0.0625f, 0.0138349654f, 0.00249999994f, 0.000790569466f,
      0.000250000012f, 7.90569466e-05f},
     1.138629436111989},
    {"\"max_position_embeddings\": 512, " YARN(", \"beta_fast\": null"),
     {1, 0.25693506f, 0.0625f, 0.0138349654f, 0.00249999994f, 0.000790569466f,
      0.000250000012f, 7.90569466e-05f},
     1.138629436111989},
    {YARN(", \"truncate\": false" ORIGINAL(512)),
     {1, 0.301406473f, 0.0703986362f, 0.0143833589f, 0.00249999994f, 0.000790569466f,
      0.000250000012f, 7.90569466e-05f},
     1.138629436111989},
    /* as a user of Qwen adds it: max_position_embeddings stands for no factor */
    {"\"model_type\": \"qwen2\", \"rope_theta\": 1e6, "
     "\"max_position_embeddings\": 32768, " YARN(ORIGINAL(32768)),
     {1, 0.177827939f, 0.0316227786f, 0.00421755994f, 0.000500000024f, 4.44569851e-05f,
      7.90569356e-06f, 1.40585337e-06f},
     1.138629436111989},
    {"\"model_type\": \"qwen3\", \"max_position_embeddings\": 32768, "
     "\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 1e6, "
     "\"factor\": 2.5}, ",
     {1, 0.177827939f, 0.0316227786f, 0.00449873041f, 0.000600000028f, 7.11311732e-05f,
      1.26491104e-05f, 2.24936525e-06f},
     1.0916290731874154},
    {"\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 40, "
     "\"mscale\": 0.707, \"mscale_all_dim\": 0.5" ORIGINAL(4096) "}, ",
     {1, 0.316227764f, 0.100000001f, 0.0239147246f, 0.00512499968f, 0.000849862176f,
      2.49999994e-05f, 7.90569447e-06f},
     1.064468903941252},
    {"\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 40, "
     "\"mscale\": 0.707, \"mscale_all_dim\": 0" ORIGINAL(4096) "}, ",
     {1, 0.316227764f, 0.100000001f, 0.0239147246f, 0.00512499968f, 0.000849862176f,
      2.49999994e-05f, 7.90569447e-06f},
     1.3688879454113936},
    {"\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 16.0, "
     "\"beta_fast\": 8, \"beta_slow\": 2.5, \"attention_factor\": 1.25, "
     "\"mscale\": 3, \"mscale_all_dim\": 2" ORIGINAL(128) "}, ",
     {1, 0.167996004f, 0.00625000009f, 0.00197642366f, 0.000624999986f, 0.000197642366f,
      6.2500003e-05f, 1.97642366e-05f},
     1.25},
    {"\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 8, "
     "\"beta_fast\": 2, \"beta_slow\": 2, \"truncate\": false" ORIGINAL(256) "}, ",
     {1, 0.316227764f, 0.100000001f, 0.00395284733f, 0.00124999997f, 0.000395284733f,
      0.000125000006f, 3.95284733e-05f},
     1.2079441541679836},
    {"\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 0.5" ORIGINAL(256) "}, ",
     {1, 0.395284712f, 0.150000006f, 0.0553398617f, 0.0199999996f, 0.00632455572f,
      0.00200000009f, 0.000632455572f},
     1.0},
    {YARN(ORIGINAL(4)),
     {1, 0.079056941f, 0.0250000004f, 0.00790569466f, 0.00249999994f, 0.000790569466f,
      0.000250000012f, 7.90569466e-05f},
     1.138629436111989},
    {"\"rope_theta\": 100, " YARN(ORIGINAL(1000000000000)),
     {0.25f, 0.140585333f, 0.079056941f, 0.0444569848f, 0.0250000004f, 0.0140585322f,
      0.00790569466f, 0.00444569858f},
     1.138629436111989},
};

static void reads_yarn(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof yarn_cases / sizeof *yarn_cases; i++) {
        char fields[512];
        snprintf(fields, sizeof fields, "\"head_dim\": 16, %s", yarn_cases[i].fields);
        const struct architecture a = good(fields);
        float f[8];
        assert_int_equal(a.rope_kind, ROPE_YARN);
        assert_false(architecture_rope_longer(&a, 1 << 20));
        architecture_rope_frequencies(&a, false, f);
        for (int pair = 0; pair < 8; pair++)
            if (!(fabsf(f[pair] / yarn_cases[i].frequencies[pair] - 1.0f) <= 3e-7f))
                fail_msg("%s: pair %d: %.9g", fields, pair, (double)f[pair]);
        if (!(fabs(architecture_rope_scale(&a) / yarn_cases[i].scale - 1.0) <= 1e-15))
            fail_msg("%s: %.17g", fields, architecture_rope_scale(&a));
    }
}

static void refuses_wrong_yarn_fields(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *named;
        enum status status;
    } cases[] = {
        {"\"rope_scaling\": {\"type\": \"yarn\"}, ", "\"factor\" is missing",
         STATUS_FORMAT},
        {"\"rope_scaling\": {\"type\": \"yarn\", \"factor\": null}, ",
         "\"factor\" is missing", STATUS_FORMAT},
        {YARN(", \"beta_fast\": 2, \"beta_slow\": 3"),
         "\"beta_fast\": 2 is below \"beta_slow\": 3", STATUS_FORMAT},
        {YARN(", \"beta_slow\": 33"), "\"beta_fast\": 32 is below", STATUS_FORMAT},
        {YARN(", \"beta_fast\": 0"), "\"beta_fast\": 0", STATUS_FORMAT},
        {YARN(", \"attention_factor\": 0"), "\"attention_factor\": 0", STATUS_FORMAT},
        {YARN(", \"mscale\": -1"), "\"mscale\": -1", STATUS_FORMAT},
        {YARN(", \"mscale_all_dim\": \"1\""), "mscale_all_dim", STATUS_FORMAT},
        {YARN(", \"truncate\": null"), "\"truncate\" is neither", STATUS_FORMAT},
        {YARN(", \"truncate\": 0"), "\"truncate\" is neither", STATUS_FORMAT},
        {YARN(ORIGINAL(512.5)), "512.5 is not whole", STATUS_FORMAT},
        {YARN(ORIGINAL(512)) "\"original_max_position_embeddings\": 256, ",
         "512, but 256 beside the object, which", STATUS_FORMAT},
        {"\"rope_theta\": 1, " YARN(ORIGINAL(512)), "\"rope_theta\": 1 must be above 1",
         STATUS_FORMAT},
        {YARN(", \"finetuned\": true"), "\"finetuned\": true", STATUS_UNSUPPORTED},
        {YARN(", \"low_freq_factor\": 1"), "\"low_freq_factor\": 1", STATUS_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i].fields, cases[i].status, cases[i].named);
    /* The limit beside the object alone; and in Phi-3, where "yarn" is longrope. */
    assert_int_equal(
        good(YARN("") "\"original_max_position_embeddings\": 256, ").rope_original_limit,
        256);
    assert_int_equal(good("\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": "
                          "\"yarn\", " LONG_FACTORS "}, ")
                         .rope_kind,
                     ROPE_LONG);
}

/* transformers reads the limit beside the object, and takes its class's default, 4096,
 * where only the object has one. */
static void refuses_two_original_limits(void **state)
{
    (void)state;
    struct architecture a;
    struct error error = {0};
    assert_int_equal(
        parse_with(&a, LONGROPE_WITH(", \"original_max_position_embeddings\": 32"), &error),
        STATUS_FORMAT);
    assert_non_null(strstr(error.message,
                           "\"original_max_position_embeddings\": 32, but 64 "
                           "beside the object, which"));
    assert_int_equal(parse_with(&a,
                                "\"rope_scaling\": {" LLAMA3 "}, "
                                "\"original_max_position_embeddings\": 8192, ",
                                &error),
                     STATUS_OK);
    assert_int_equal(parse_with(&a,
                                "\"rope_scaling\": {" LLAMA3 "}, "
                                "\"original_max_position_embeddings\": 4096, ",
                                &error),
                     STATUS_FORMAT);
    assert_non_null(strstr(error.message, "8192, but 4096 beside the object, which"));
    static const char *const inside[] = {"64", "4096"};
    for (int i = 0; i < 2; i++) {
        char fields[512];
        snprintf(fields, sizeof fields,
                 "\"model_type\": \"phi3\", \"rope_parameters\": {\"rope_type\": "
                 "\"longrope\", " LONG_FACTORS ", \"original_max_position_embeddings\": "
                 "%s}, ",
                 inside[i]);
        assert_int_equal(parse_with(&a, fields, &error), i ? STATUS_OK : STATUS_FORMAT);
    }
    assert_non_null(strstr(error.message, "4096 beside the object (the family's default)"));
    assert_int_equal(a.rope_original_limit, 4096);
}

static void refuses_wrong_long_fields(void **state)
{
    (void)state;
    static const char *const fields[] = {"factor", "attention_factor"};
    static const char *const values[] = {"0", "-1", "\"2\"", "1e300"};
    for (size_t i = 0; i < 8; i++) {
        char text[512];
        snprintf(text, sizeof text, LONGROPE_WITH(", \"%s\": %s"), fields[i / 4],
                 values[i % 4]);
        struct architecture a;
        struct error error = {0};
        assert_int_equal(parse_with(&a, text, &error), STATUS_FORMAT);
        if (!strstr(error.message, fields[i / 4]))
            fail_msg("%s", error.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_rope_spellings),
        cmocka_unit_test(reads_rope_scaling),
        cmocka_unit_test(reads_partial_rotation),
        cmocka_unit_test(reads_longrope),
        cmocka_unit_test(scales_long_positions),
        cmocka_unit_test(reads_yarn),
        cmocka_unit_test(refuses_wrong_yarn_fields),
        cmocka_unit_test(refuses_two_original_limits),
        cmocka_unit_test(refuses_wrong_long_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
