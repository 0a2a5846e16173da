#include "backend/operation_table.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/generator.h"
#include "model/transformer.h"
#include "tests/parity/golden_batch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * What the families of tests/golden/model/ do beside test_model_golden.c: adapters and NF4
 * on layers that Llama has not (biases, head norms, fused projections), and what is
 * refused.
 */
static struct backend *backend;
static const char *const models[] = {
    "gqa-tied", "llama3-biases",   "qwen2",         "mistral",      "qwen3",    "phi3",
    "gemma2",   "gemma2-variants", "qwen2-windows", "phi3-partial", "gemma3",   "smollm3",
    "granite",  "olmo2",           "olmo2-tied",    "gpt2",         "gpt2-wide"};
/* GPT-2's files, and so their gradients, have the matrices turned:
 * tests/parity/test_adapters holds its adapters. */
enum { MODEL_COUNT = sizeof models / sizeof *models, UNTURNED = MODEL_COUNT - 2 };

static int open_backend(void **state)
{
    struct error error = {0};
    (void)state;
    check(backend_open(&backend, &(struct backend_options){.thread_count = 2}, &error),
          &error);
    return 0;
}

static int close_backend(void **state)
{
    (void)state;
    backend_close(backend);
    return 0;
}

static char *file_of(const char *name, const char *file)
{
    char *directory = path_join("tests/golden/model", name);
    char *path = path_join(directory, file);
    free(directory);
    return path;
}

static struct transformer *model_open(const char *name, enum master_weights masters)
{
    struct transformer *model = NULL;
    struct error error = {0};
    char *directory = path_join("tests/golden/model", name);
    check(transformer_open_directory(&model, backend, directory, masters, &error), &error);
    free(directory);
    return model;
}

static void lora_begin(struct transformer *model)
{
    struct lora_options options = {.rank = 3, .alpha = 7.5, .seed = 4};
    struct error error = {0};
    check(lora_targets_parse(&options, "all-linear", &error), &error);
    check(transformer_lora_begin(model, &options, MASTERS_KEPT, &error), &error);
}

struct golden_batch {
    struct packed_batch batch;
    double loss_sum;
};

/* The first batch of golden.json. */
static struct golden_batch golden_read(const char *name)
{
    cJSON *json = NULL;
    struct error error = {0};
    char *path = file_of(name, "golden.json");
    check(json_parse_file(&json, path, &error), &error);
    struct golden_batch read = {.loss_sum = json_get(json, "loss_sum")->valuedouble};
    read.batch = batch_read(json_get(json, "batches")->child);
    cJSON_Delete(json);
    free(path);
    return read;
}

static struct cross_entropy_sums step(struct transformer *model,
                                      const struct packed_batch *batch, bool recompute)
{
    struct error error = {0};
    struct cross_entropy_sums sums = {0};
    check(transformer_training_begin(model, batch->token_count, recompute, &error), &error);
    transformer_zero_gradients(model);
    transformer_forward_backward(model, batch, 0.0f, 1.0f / (float)batch->target_count,
                                 &sums);
    check(backend_sync(backend, &error), &error);
    return sums;
}

static const struct parameter *entry_find(const struct parameter_block *block,
                                          const char *name)
{
    for (size_t i = 0; i < block->entry_count; i++)
        if (strcmp(block->entries[i].name, name) == 0)
            return &block->entries[i];
    fail_msg("no %s", name);
    return NULL;
}

/* With B zero, d B [M, r] = scale dW A^T, dW being transformers' gradient of the weight. */
static double check_b(const struct parameter_block *block, const struct parameter *b,
                      const struct safetensors *golden)
{
    char name[160], key[160];
    snprintf(name, sizeof name, "%s", b->name);
    name[strlen(name) - strlen("B.weight")] = 'A';
    const struct parameter *a = entry_find(block, name);
    const int stem =
        (int)(strlen(b->name) - strlen("base_model.model.") - strlen(".lora_B.weight"));
    snprintf(key, sizeof key, "grad.%.*s.weight", stem,
             b->name + strlen("base_model.model."));
    const struct safetensors_entry *entry = safetensors_find(golden, key);
    assert_non_null(entry);
    const int64_t M = b->shape[0], r = b->shape[1], K = a->shape[1];
    assert_int_equal(entry->count, M * K);
    float *dw = memory_allocate_array((size_t)entry->count, sizeof *dw);
    safetensors_copy(entry, dw, DTYPE_F32);
    const float *a_values = (const float *)block->weights + a->offset;
    double off = 0, norm = 0;
    for (int64_t i = 0; i < M * r; i++) {
        double wanted = 0;
        for (int64_t k = 0; k < K; k++)
            wanted += (double)dw[i / r * K + k] * (double)a_values[i % r * K + k];
        wanted *= 7.5 / 3;
        off += pow((double)block->gradients[b->offset + i] - wanted, 2);
        norm += wanted * wanted;
    }
    free(dw);
    return sqrt(off / norm);
}

static void check_adapter_gradients(const struct transformer *model, const char *name)
{
    const struct parameter_block *block = transformer_trained(model);
    struct safetensors golden = {0};
    struct error error = {0};
    double worst = 0;
    char *path = file_of(name, "golden.safetensors");
    check(safetensors_open(&golden, path, &error), &error);
    for (size_t i = 0; i < block->entry_count; i++)
        if (text_ends_with(block->entries[i].name, "lora_B.weight"))
            worst = fmax(worst, check_b(block, &block->entries[i], &golden));
    print_message("%s: adapters' gradients: worst |a - b| / |b| %.3g\n", name, worst);
    assert_true(worst <= 1e-3);
    safetensors_close(&golden);
    free(path);
}

static void adapters_have_the_gradients(void **state)
{
    (void)state;
    for (int i = 0; i < UNTURNED; i++) {
        struct golden_batch golden = golden_read(models[i]);
        struct transformer *model = model_open(models[i], MASTERS_DROPPED);
        lora_begin(model);
        for (int recompute = 0; recompute <= 1; recompute++) {
            const struct cross_entropy_sums sums = step(model, &golden.batch, recompute);
            assert_true(fabs(sums.loss / golden.loss_sum - 1.0) <= 1e-6);
            check_adapter_gradients(model, models[i]);
        }
        transformer_free(model);
        batch_free(&golden.batch);
    }
}

/* NF4 rounds the matrices and leaves the vectors: the loss changes by little (measured:
 * 1.5% at most). */
static void nf4_changes_the_loss_little(void **state)
{
    (void)state;
    for (int i = 0; i < MODEL_COUNT; i++) {
        struct golden_batch golden = golden_read(models[i]);
        struct transformer *model = model_open(models[i], MASTERS_DROPPED_NF4);
        lora_begin(model);
        const struct cross_entropy_sums sums = step(model, &golden.batch, true);
        print_message("%s: loss in NF4 %.3f, in f32 %.3f\n", models[i], sums.loss,
                      golden.loss_sum);
        assert_true(fabs(sums.loss / golden.loss_sum - 1.0) <= 0.05);
        transformer_free(model);
        batch_free(&golden.batch);
    }
}

/* A target that is not of the family is refused by name, before anything is made. */
static void targets_of_others_are_refused(void **state)
{
    static const char *const cases[][3] = {
        {"phi3", "q_proj", "qkv_proj"},  {"phi3", "o_proj,up_proj", "gate_up_proj"},
        {"qwen2", "qkv_proj", "q_proj"}, {"gpt2", "q_proj,v_proj", "c_attn"},
        {"gpt2", "o_proj", "c_proj"},    {"phi3", "c_attn", "qkv_proj"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct transformer *model = model_open(cases[i][0], MASTERS_KEPT);
        struct lora_options options = {.rank = 2, .alpha = 2};
        struct error error = {0};
        check(lora_targets_parse(&options, cases[i][1], &error), &error);
        assert_int_equal(transformer_lora_begin(model, &options, MASTERS_KEPT, &error),
                         STATUS_USAGE);
        assert_non_null(strstr(error.message, cases[i][2]));
        assert_non_null(strstr(error.message, cases[i][0]));
        assert_null(transformer_lora(model));
        transformer_free(model);
    }
}

/* Fused matrices have one adapter each, under PEFT's names. */
static void fused_projections_have_adapters(void **state)
{
    static const char *const names[] = {"self_attn.qkv_proj", "self_attn.o_proj",
                                        "mlp.gate_up_proj", "mlp.down_proj"};
    struct transformer *model = model_open("phi3", MASTERS_DROPPED);
    (void)state;
    lora_begin(model);
    const struct parameter_block *block = transformer_trained(model);
    assert_int_equal(block->entry_count, 2 * 2 * 4); /* A and B, layers, matrices */
    for (size_t i = 0; i < 4; i++) {
        char name[128];
        snprintf(name, sizeof name, "base_model.model.model.layers.1.%s.lora_A.weight",
                 names[i]);
        entry_find(block, name);
    }
    transformer_free(model);
}

/* `count` tokens of one document: their logits, heap; NULL on errors. */
static float *ask(struct transformer *model, int32_t count, struct error *error)
{
    int32_t tokens[128] = {0}, positions[128], starts[2] = {0, count};
    const struct packed_batch batch = {.token_count = count,
                                       .document_count = 1,
                                       .tokens = tokens,
                                       .positions = positions,
                                       .document_starts = starts};
    float *logits = memory_allocate_array(
        128 * (size_t)transformer_architecture(model)->vocabulary, sizeof *logits);
    for (int32_t i = 0; i < 128; i++)
        positions[i] = i;
    if (!transformer_logits(model, &batch, logits, error))
        return logits;
    free(logits);
    return NULL;
}

static enum status reply(struct transformer *model, int32_t count, struct error *error)
{
    int32_t tokens[128] = {0};
    struct generation_request request = {
        .prompt = tokens, .prompt_count = count, .sampling = {0.0, 1.0, 4}};
    const enum status status = generate(model, &request, 1, 0, NULL, NULL, error);
    free(request.reply);
    return status;
}

/* More than there are learned positions, or a reply that would go beyond the model's
 * positions, is refused; rotary positions go on. */
static void longer_sequences_are_refused(void **state)
{
    static const struct {
        const char *name, *field;
        enum status more;
    } cases[] = {{"phi3-longrope", "\"max_position_embeddings\"", STATUS_OK},
                 {"gpt2", "\"n_positions\"", STATUS_UNSUPPORTED}};
    enum { LIMIT = 96 };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct transformer *model = model_open(cases[i].name, MASTERS_KEPT);
        struct error error = {0};
        free(ask(model, LIMIT, &error));
        check(error.status, &error);
        check(reply(model, LIMIT - 1, &error), &error);
        free(ask(model, LIMIT + 1, &error));
        assert_int_equal(error.status, cases[i].more);
        if (cases[i].more)
            assert_non_null(strstr(error.message, cases[i].field));
        error = (struct error){0};
        assert_int_equal(reply(model, LIMIT, &error), STATUS_LIMIT);
        assert_non_null(strstr(error.message, cases[i].field));
        transformer_free(model);
    }
}

enum { ASKED = 9, MOST_LOGITS = 256 };
static const struct operation_table *untaped;
static struct operation_table taped;
static float sampled_from[MOST_LOGITS]; /* after the prompt */
static int samplings;

static void sample_and_keep(struct backend *cpu, int32_t *tokens, struct tensor *logits,
                            const struct sampling_rows *rows)
{
    assert_true(logits->shape[1] <= MOST_LOGITS);
    if (samplings++ == 0)
        memcpy(sampled_from, logits->data, (size_t)logits->shape[1] * sizeof(float));
    untaped->sample_tokens(cpu, tokens, logits, rows);
}

/* Caps and divisors leave the greatest logit the greatest, but not what a temperature
 * draws: sampling gets the logits themselves, but for some hundred roundings. */
static void replies_are_drawn_from_the_logits(void **state)
{
    static const char *const cases[] = {"gqa-tied", "gemma2", "granite", "granite-tied"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct transformer *model = model_open(cases[i], MASTERS_KEPT);
        const int64_t vocabulary = transformer_architecture(model)->vocabulary;
        struct error error = {0};
        float *logits = ask(model, ASKED, &error);
        assert_non_null(logits);
        untaped = backend->table;
        taped = *untaped;
        taped.sample_tokens = sample_and_keep;
        backend->table = &taped;
        samplings = 0;
        check(reply(model, ASKED, &error), &error);
        backend->table = untaped;
        for (int64_t v = 0; v < vocabulary; v++)
            assert_true(fabsf(sampled_from[v] - logits[(ASKED - 1) * vocabulary + v]) <=
                        1e-4f);
        free(logits);
        transformer_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters_have_the_gradients),
        cmocka_unit_test(nf4_changes_the_loss_little),
        cmocka_unit_test(targets_of_others_are_refused),
        cmocka_unit_test(fused_projections_have_adapters),
        cmocka_unit_test(longer_sequences_are_refused),
        cmocka_unit_test(replies_are_drawn_from_the_logits),
    };
    return cmocka_run_group_tests(tests, open_backend, close_backend);
}
