#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/memory_plan.h"
#include "model/transformer.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * An adapted model against the model with W + s B A in place of each W: the same loss, and,
 * by the chain rule, gradients
 *
 *     d A = s B^T dW,   d B = s dW A^T
 *
 * of the merged model's dW, which tests/parity holds against transformers.
 */
enum { T = 23, VOCABULARY = 30 };

static struct backend *backend;

static int begin(void **state)
{
    (void)state;
    return (int)backend_open(&backend, &(struct backend_options){.thread_count = 2}, NULL);
}

static int end(void **state)
{
    (void)state;
    backend_close(backend);
    return 0;
}

static const struct architecture architecture = {
    .model_type = "llama",
    .layer_count = 2,
    .channels = 12,
    .feed_forward = 20,
    .heads = 4,
    .key_value_heads = 2,
    .head_size = 6,
    .vocabulary = VOCABULARY,
    .position_limit = 64,
    .norm_epsilon = 1e-5,
    .rope_theta = 10000.0,
    .initializer_range = 0.3,
    .bos_token = -1,
};

static struct transformer *create_with(enum master_weights masters)
{
    struct transformer *model;
    struct error error;
    if (transformer_create(&model, backend, &architecture, 5, masters, &error))
        fail_msg("%s", error.message);
    return model;
}

static struct transformer *create(void)
{
    return create_with(MASTERS_KEPT);
}

/* Adapters with B drawn too: at zero nothing would show. */
static struct transformer *create_adapted(const struct lora_options *options)
{
    struct error error;
    struct transformer *model = create();
    if (transformer_lora_begin(model, options, MASTERS_KEPT, &error))
        fail_msg("%s", error.message);
    const struct parameter_block *block = transformer_trained(model);
    struct random random = random_stream(9, 9);
    for (int64_t i = 0; i < block->count; i++)
        ((float *)block->weights)[i] += 0.2f * random_normal(&random);
    return model;
}

/* Two documents, some targets. */
static struct cross_entropy_sums pass(struct transformer *model, bool recompute)
{
    int32_t tokens[T], positions[T], targets[T], starts[] = {0, 9, T};
    struct packed_batch batch = {.token_count = T,
                                 .document_count = 2,
                                 .tokens = tokens,
                                 .positions = positions,
                                 .targets = targets,
                                 .document_starts = starts};
    struct cross_entropy_sums sums;
    struct error error;
    for (int32_t t = 0; t < T; t++) {
        tokens[t] = t * 7 % VOCABULARY;
        positions[t] = t < 9 ? t : t - 9;
        targets[t] = t % 3 ? t * 11 % VOCABULARY : -1;
        batch.target_count += targets[t] >= 0;
    }
    if (transformer_training_begin(model, T, recompute, &error))
        fail_msg("%s", error.message);
    transformer_zero_gradients(model);
    transformer_forward_backward(model, &batch, 0.1f, 0.25f, &sums);
    return sums;
}

static const struct parameter *find(const struct parameter_block *block, const char *name)
{
    for (size_t i = 0; i < block->entry_count; i++)
        if (strcmp(block->entries[i].name, name) == 0)
            return &block->entries[i];
    return NULL;
}

/* The adapter of a weight of the model, "model.layers.0.self_attn.q_proj.weight". */
static const struct parameter *adapter_of(const struct parameter_block *block,
                                          const char *weight, char which)
{
    char name[160];
    const int stem = (int)strlen(weight) - (int)strlen(".weight");
    snprintf(name, sizeof name, "base_model.model.%.*s.lora_%c.weight", stem, weight,
             which);
    return find(block, name);
}

/* One weight of the model and its two adapters, or their gradients. */
struct triple {
    int64_t rows, columns, rank;
    float *w, *a, *b;
};

static bool triple_find(struct triple *triple, const struct parameter_block *base,
                        const struct parameter_block *adapters, size_t index, float *w,
                        float *adapted)
{
    const struct parameter *weight = &base->entries[index];
    const struct parameter *a = adapter_of(adapters, weight->name, 'A');
    const struct parameter *b = adapter_of(adapters, weight->name, 'B');
    if (!a || !b)
        return false;
    *triple = (struct triple){weight->shape[0],   weight->shape[1],    a->shape[0],
                              w + weight->offset, adapted + a->offset, adapted + b->offset};
    assert_int_equal(a->shape[1], weight->shape[1]);
    assert_int_equal(b->shape[0], weight->shape[0]);
    return true;
}

static void merge(struct transformer *merged, const struct transformer *adapted, double s)
{
    const struct parameter_block *base = transformer_trained(merged);
    const struct parameter_block *adapters = transformer_trained(adapted);
    struct triple m;
    for (size_t index = 0; index < base->entry_count; index++) {
        if (!triple_find(&m, base, adapters, index, base->weights, adapters->weights))
            continue;
        for (int64_t i = 0; i < m.rows; i++)
            for (int64_t j = 0; j < m.columns; j++) {
                double sum = 0;
                for (int64_t r = 0; r < m.rank; r++)
                    sum += (double)m.b[i * m.rank + r] * (double)m.a[r * m.columns + j];
                m.w[i * m.columns + j] += (float)(s * sum);
            }
    }
}

/* Relative to the largest of a gradient: sums over T and K of products in fp32. */
static void assert_close(const float *got, const double *expected, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - expected[i]) <= 400 * (double)FLT_EPSILON * largest))
            fail_msg("element %d: %g, expected %g", (int)i, (double)got[i], expected[i]);
}

static void triple_check(const struct triple *w, const struct triple *d, double s)
{
    double *d_a = memory_allocate_array((size_t)(w->rank * w->columns), sizeof *d_a);
    double *d_b = memory_allocate_array((size_t)(w->rows * w->rank), sizeof *d_b);
    for (int64_t i = 0; i < w->rows; i++)
        for (int64_t j = 0; j < w->columns; j++)
            for (int64_t r = 0; r < w->rank; r++) {
                const double d_w = s * (double)d->w[i * w->columns + j];
                d_a[r * w->columns + j] += d_w * (double)w->b[i * w->rank + r];
                d_b[i * w->rank + r] += d_w * (double)w->a[r * w->columns + j];
            }
    assert_close(d->a, d_a, w->rank * w->columns);
    assert_close(d->b, d_b, w->rows * w->rank);
    free(d_a);
    free(d_b);
}

static void agrees_with_merged(const struct lora_options *options, double s, int adapted)
{
    struct transformer *lora = create_adapted(options), *merged = create();
    merge(merged, lora, s);
    const struct cross_entropy_sums sums = pass(lora, false),
                                    expected = pass(merged, false);
    assert_true(fabs(sums.loss - expected.loss) <= 1e-5 * expected.loss);
    const struct parameter_block *base = transformer_trained(merged);
    const struct parameter_block *adapters = transformer_trained(lora);
    int found = 0;
    for (size_t index = 0; index < base->entry_count; index++) {
        struct triple w, d;
        if (!triple_find(&w, base, adapters, index, base->weights, adapters->weights))
            continue;
        triple_find(&d, base, adapters, index, base->gradients, adapters->gradients);
        triple_check(&w, &d, s);
        found++;
    }
    assert_int_equal(found, adapted);
    assert_int_equal(adapters->entry_count, 2 * (size_t)adapted);
    transformer_free(lora);
    transformer_free(merged);
}

static void all_linear(void **state)
{
    (void)state;
    const struct lora_options options = {
        .rank = 3,
        .alpha = 6,
        .targets = {true, true, true, true, true, true, true},
        .seed = 3};
    agrees_with_merged(&options, 2.0, 14);
}

static void some_targets_rank_stabilised(void **state)
{
    (void)state;
    const struct lora_options options = {
        .rank = 4,
        .alpha = 3,
        .rank_stabilised = true,
        .targets = {[LORA_Q] = true, [LORA_V] = true, [LORA_UP] = true},
        .seed = 4};
    agrees_with_merged(&options, 1.5, 6);
}

/* B is zero at first: loss and bits are the model's. */
static void begins_as_the_model(void **state)
{
    (void)state;
    const struct lora_options options = {
        .rank = 2, .alpha = 4, .targets = {true, true, true, true, true, true, true}};
    struct transformer *plain = create(), *lora = create();
    struct error error;
    assert_int_equal(transformer_lora_begin(lora, &options, MASTERS_KEPT, &error),
                     STATUS_OK);
    const struct cross_entropy_sums sums = pass(lora, false), expected = pass(plain, false);
    assert_true(sums.loss == expected.loss);
    transformer_free(plain);
    transformer_free(lora);
}

static void recomputes_the_same_bits(void **state)
{
    (void)state;
    const struct lora_options options = {
        .rank = 2, .alpha = 4, .targets = {true, true, true, true, true, true, true}};
    struct transformer *kept = create_adapted(&options), *again = create_adapted(&options);
    const struct cross_entropy_sums sums = pass(kept, false), expected = pass(again, true);
    const struct tensor gradients = transformer_gradients(kept);
    assert_true(sums.loss == expected.loss);
    assert_memory_equal(gradients.data, transformer_gradients(again).data,
                        tensor_bytes(&gradients));
    transformer_free(kept);
    transformer_free(again);
}

/* What was written comes back with the same bits; the merged model has the same loss. */
static void files_round_trip(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_lora.XXXXXX";
    struct error error = {0};
    const struct lora_options options = {.rank = 3,
                                         .alpha = 5,
                                         .rank_stabilised = true,
                                         .targets = {[LORA_K] = true, [LORA_DOWN] = true}};
    struct transformer *written = create_adapted(&options), *read = create();
    assert_non_null(mkdtemp(folder));
    if (transformer_write_adapter(written, "some/model", folder, DTYPE_F32, &error) ||
        transformer_open_adapter(read, folder, MASTERS_KEPT, &error))
        fail_msg("%s", error.message);
    const struct tensor weights = transformer_weights(written);
    assert_memory_equal(weights.data, transformer_weights(read).data,
                        tensor_bytes(&weights));
    assert_int_equal(transformer_lora(read)->rank, 3);
    assert_true(transformer_lora(read)->rank_stabilised);
    assert_true(pass(read, false).loss == pass(written, false).loss);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
    transformer_free(written);
    transformer_free(read);
}

/* GPT-2 has two c_proj: one alone is meant by the end of its path, and written as that. */
static void tells_both_c_proj_apart(void **state)
{
    static const struct {
        const char *names;
        bool attention, feed_forward;
    } cases[] = {{"c_proj", true, true},
                 {"attn.c_proj", true, false},
                 {"transformer.h.0.mlp.c_proj", false, true},
                 {"mlp.c_proj,attn.c_proj", true, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lora_options options = {.rank = 2, .alpha = 2}, read;
        struct text_buffer text = {0};
        struct error error = {0};
        assert_int_equal(lora_targets_parse(&options, cases[i].names, &error), STATUS_OK);
        lora_config_print(&options, "base", false, &text);
        assert_int_equal(lora_config_parse(&read, text.data, text.length, "text", &error),
                         STATUS_OK);
        assert_memory_equal(read.targets, options.targets, sizeof read.targets);
        for (int target = 0; target < LORA_TARGET_COUNT; target++)
            assert_true(options.targets[target] ==
                        ((target == LORA_O && cases[i].attention) ||
                         (target == LORA_DOWN && cases[i].feed_forward)));
        text_buffer_release(&text);
    }
}

/* What no model has is refused: the path before a name counts. */
static void refuses_other_paths(void **state)
{
    static const char *const names[] = {"conv.c_proj", "attn.q_proj", "mlp.c_attn",
                                        ".c_proj",     "c_proj.",     "mlp"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct lora_options options = {0};
        struct error error = {0};
        assert_int_equal(lora_targets_parse(&options, names[i], &error), STATUS_USAGE);
        assert_non_null(strstr(error.message, names[i]));
    }
}

/* What the config asks for and we do not compute is named. */
static void refuses_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *message;
    } cases[] = {
        {"{\"peft_type\":\"IA3\",\"r\":2,\"lora_alpha\":2}", "IA3"},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,\"lora_bias\":true,"
         "\"target_modules\":[\"q_proj\"]}",
         "lora_bias"},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,\"lora_dropout\":1,"
         "\"target_modules\":[\"q_proj\"]}",
         "lora_dropout"},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,\"bias\":\"all\","
         "\"target_modules\":[\"q_proj\"]}",
         "bias"},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,"
         "\"rank_pattern\":{\"q_proj\":4},\"target_modules\":[\"q_proj\"]}",
         "rank_pattern"},
        /* PEFT takes what PiSSA begins with off the base, whenever it loads such a file. */
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,"
         "\"init_lora_weights\":\"pissa_niter_4\",\"target_modules\":[\"q_proj\"]}",
         "\"init_lora_weights\": \"pissa_niter_4\""},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,"
         "\"target_modules\":[\"lm_head\"]}",
         "lm_head"},
        {"{\"peft_type\":\"LORA\",\"r\":0,\"lora_alpha\":2,"
         "\"target_modules\":[\"q_proj\"]}",
         "out of range"},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,\"target_modules\":[]}",
         "target_modules"},
        {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,"
         "\"target_modules\":[\"q_proj\"]}",
         "adapter_model.safetensors"},
    };
    char folder[] = "/tmp/test_lora.XXXXXX";
    struct error error = {0};
    assert_non_null(mkdtemp(folder));
    char *path = path_join(folder, "adapter_config.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct transformer *model = create();
        assert_int_equal(file_write_all(path, cases[i].json, strlen(cases[i].json), &error),
                         STATUS_OK);
        assert_true(transformer_open_adapter(model, folder, MASTERS_KEPT, &error));
        if (!strstr(error.message, cases[i].message))
            fail_msg("\"%s\" does not name %s", error.message, cases[i].message);
        transformer_free(model);
    }
    free(path);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

/* How an adapter began, where that is over once its tensors are read. */
static void takes_harmless_beginnings(void **state)
{
    (void)state;
    static const char *const beginnings[] = {"true", "false", "null", "\"gaussian\"",
                                             "\"eva\""};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        char json[256];
        struct lora_options options;
        struct error error = {0};
        snprintf(json, sizeof json,
                 "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":2,"
                 "\"target_modules\":[\"q_proj\"],\"init_lora_weights\":%s}",
                 beginnings[i]);
        if (lora_config_parse(&options, json, strlen(json), "test", &error))
            fail_msg("%s", error.message);
    }
}

/* What the plan says is what is reserved. */
static void plan_is_exact_here(void)
{
    static const struct lora_options lora = {
        .rank = 2, .alpha = 4, .targets = {true, true, true, true, true, true, true}};
    for (int variant = 0; variant < 4; variant++) {
        const struct training_shape shape = {.dtype = backend_compute_dtype(backend),
                                             .activations =
                                                 backend_activation_dtype(backend),
                                             .operands = backend_operand_dtype(backend),
                                             .moments = DTYPE_F32,
                                             .lora = variant & 1 ? &lora : NULL,
                                             .token_count = T,
                                             .recompute = variant > 1};
        const struct memory_plan plan = memory_plan_make(&architecture, &shape);
        struct transformer *model = create_with(
            shape.lora ? MASTERS_DROPPED : MASTERS_KEPT); /* frozen weights have none */
        if (shape.lora)
            assert_int_equal(transformer_lora_begin(model, &lora, MASTERS_KEPT, NULL),
                             STATUS_OK);
        pass(model, shape.recompute);
        const size_t rope = T * (size_t)architecture.head_size * sizeof(float);
        assert_int_equal(transformer_bytes(model) - rope,
                         plan.weights + plan.masters + plan.gradients + plan.activations);
        transformer_free(model);
    }
}

static void plan_is_exact(void **state)
{
    const struct backend_options bf16 = {.precision = "bf16", .thread_count = 2};
    struct backend *fp32 = backend;
    (void)state;
    plan_is_exact_here();
    assert_int_equal(backend_open(&backend, &bf16, NULL), STATUS_OK);
    plan_is_exact_here();
    backend_close(backend);
    backend = fp32;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_linear),
        cmocka_unit_test(some_targets_rank_stabilised),
        cmocka_unit_test(begins_as_the_model),
        cmocka_unit_test(recomputes_the_same_bits),
        cmocka_unit_test(files_round_trip),
        cmocka_unit_test(tells_both_c_proj_apart),
        cmocka_unit_test(refuses_other_paths),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(takes_harmless_beginnings),
        cmocka_unit_test(plan_is_exact),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
