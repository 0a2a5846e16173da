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
#include <unistd.h>

#include <cmocka.h>

/*
 * Adapters that PEFT made (tests/golden/adapter, scripts/reference/make-adapter-goldens):
 * rsLoRA, DoRA with biases and head norms, fused projections. Logits, loss, gradients and
 * greedy continuations are PEFT's; what we write is PEFT's file again, tensor by tensor;
 * merged is unmerged.
 */
static struct backend *backend;
static const char *const adapters[] = {"rslora",     "dora-biases", "dora-some",  "fused",
                                       "dora-fused", "gemma2",      "dora-olmo2", "gpt2",
                                       "dora-gpt2",  "gpt2-mlp"};
enum { ADAPTER_COUNT = sizeof adapters / sizeof *adapters };

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

static char *golden_path(const char *kind, const char *name, const char *file)
{
    char path[160];
    snprintf(path, sizeof path, "tests/golden/%s/%s%s%s", kind, name, *file ? "/" : "",
             file);
    return memory_duplicate_string(path);
}

struct golden {
    cJSON *adapter; /* golden.json of the adapter */
    cJSON *model;   /* and of its model */
    struct safetensors tensors;
    struct packed_batch batch;
};

static cJSON *read_json(const char *kind, const char *name)
{
    cJSON *json = NULL;
    struct error error = {0};
    char *path = golden_path(kind, name, "golden.json");
    check(json_parse_file(&json, path, &error), &error);
    free(path);
    return json;
}

static struct golden golden_open(const char *name)
{
    struct golden golden = {.adapter = read_json("adapter", name)};
    struct error error = {0};
    golden.model = read_json("model", json_get(golden.adapter, "model")->valuestring);
    char *path = golden_path("adapter", name, "golden.safetensors");
    check(safetensors_open(&golden.tensors, path, &error), &error);
    free(path);
    golden.batch = batch_read(json_get(golden.model, "batches")->child);
    return golden;
}

static void golden_close(struct golden *golden)
{
    batch_free(&golden->batch);
    safetensors_close(&golden->tensors);
    cJSON_Delete(golden->adapter);
    cJSON_Delete(golden->model);
}

/* The adapter on its model, which adapter_config.json names. */
static struct transformer *adapted_open(const char *name, enum master_weights masters)
{
    struct transformer *model = NULL;
    struct error error = {0};
    char *directory = golden_path("adapter", name, "");
    check(transformer_open_directory(&model, backend, directory, masters, &error), &error);
    free(directory);
    return model;
}

/* The greatest difference of the logits from PEFT's, at logits up to about 10. */
static double logits_difference(struct transformer *model, const struct golden *golden)
{
    const struct safetensors_entry *entry = safetensors_find(&golden->tensors, "logits");
    struct error error = {0};
    float *wanted = memory_allocate_array((size_t)entry->count, sizeof *wanted);
    float *got = memory_allocate_array((size_t)entry->count, sizeof *got);
    double worst = 0;
    safetensors_copy(entry, wanted, DTYPE_F32);
    check(transformer_logits(model, &golden->batch, got, &error), &error);
    for (int64_t i = 0; i < entry->count; i++)
        worst = fmax(worst, fabs((double)got[i] - (double)wanted[i]));
    free(wanted);
    free(got);
    return worst;
}

static double gradient_difference(const struct parameter_block *block,
                                  const struct parameter *parameter,
                                  const struct golden *golden)
{
    char name[160];
    snprintf(name, sizeof name, "grad.%s", parameter->name);
    const struct safetensors_entry *entry = safetensors_find(&golden->tensors, name);
    if (!entry || entry->count != parameter->count)
        fail_msg("no %s", name);
    float *wanted = memory_allocate_array((size_t)entry->count, sizeof *wanted);
    double off = 0, norm = 0;
    safetensors_copy(entry, wanted, DTYPE_F32);
    for (int64_t i = 0; i < entry->count; i++) {
        const double got = (double)block->gradients[parameter->offset + i];
        off += pow(got - (double)wanted[i], 2);
        norm += (double)wanted[i] * (double)wanted[i];
    }
    free(wanted);
    return sqrt(off / norm);
}

static void check_gradients(struct transformer *model, const struct golden *golden,
                            const char *name, bool recompute)
{
    const struct packed_batch *batch = &golden->batch;
    const struct parameter_block *block = transformer_trained(model);
    const double loss = json_get(golden->adapter, "loss_sum")->valuedouble;
    struct cross_entropy_sums sums;
    struct error error = {0};
    double worst = 0;
    check(transformer_training_begin(model, batch->token_count, recompute, &error), &error);
    transformer_zero_gradients(model);
    transformer_forward_backward(model, batch, 0.0f, 1.0f / (float)batch->target_count,
                                 &sums);
    check(backend_sync(backend, &error), &error);
    assert_true(fabs(sums.loss / loss - 1.0) <= 1e-6);
    for (size_t i = 0; i < block->entry_count; i++)
        worst = fmax(worst, gradient_difference(block, &block->entries[i], golden));
    print_message("%s: gradients: worst |a - b| / |b| %.3g\n", name, worst);
    assert_true(worst <= 1e-3);
}

static void logits_and_gradients_are_pefts(void **state)
{
    (void)state;
    for (int i = 0; i < ADAPTER_COUNT; i++) {
        struct golden golden = golden_open(adapters[i]);
        struct transformer *model = adapted_open(adapters[i], MASTERS_KEPT);
        const double difference = logits_difference(model, &golden);
        print_message("%s: logits: greatest difference %.3g\n", adapters[i], difference);
        assert_true(difference <= 2e-4);
        assert_int_equal(transformer_trained(model)->entry_count,
                         golden.tensors.entry_count - 1);
        check_gradients(model, &golden, adapters[i], false);
        check_gradients(model, &golden, adapters[i], true);
        transformer_free(model);
        golden_close(&golden);
    }
}

/* Written as PEFT wrote them: the same tensors, in the same shapes, bit for bit. */
static void check_same_tensors(const char *folder, const char *name)
{
    struct safetensors ours = {0}, theirs = {0};
    struct error error = {0};
    char *written = path_join(folder, "adapter_model.safetensors");
    char *read = golden_path("adapter", name, "adapter_model.safetensors");
    check(safetensors_open(&ours, written, &error), &error);
    check(safetensors_open(&theirs, read, &error), &error);
    assert_int_equal(ours.entry_count, theirs.entry_count);
    for (size_t i = 0; i < ours.entry_count; i++) {
        const struct safetensors_entry *a = &ours.entries[i], *b = &theirs.entries[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->rank, b->rank);
        assert_memory_equal(a->shape, b->shape, sizeof a->shape);
        assert_int_equal(a->bytes, b->bytes);
        assert_memory_equal(a->data, b->data, a->bytes);
    }
    safetensors_close(&ours);
    safetensors_close(&theirs);
    free(written);
    free(read);
}

static void check_same_config(const char *folder, const char *name)
{
    struct lora_options options[2];
    struct error error = {0};
    char *directory = golden_path("adapter", name, "");
    const char *const from[] = {folder, directory};
    for (int i = 0; i < 2; i++) {
        struct text_buffer text = {0};
        char *path = path_join(from[i], "adapter_config.json");
        check(file_read(&text, path, 1 << 20, &error), &error);
        check(lora_config_parse(&options[i], text.data, text.length, path, &error), &error);
        text_buffer_release(&text);
        free(path);
    }
    assert_int_equal(options[0].rank, options[1].rank);
    assert_true(options[0].alpha == options[1].alpha);
    assert_true(options[0].dropout == options[1].dropout);
    assert_int_equal(options[0].dora, options[1].dora);
    assert_int_equal(options[0].rank_stabilised, options[1].rank_stabilised);
    free(directory);
}

static void files_are_pefts(void **state)
{
    (void)state;
    for (int i = 0; i < ADAPTER_COUNT; i++) {
        char folder[] = "/tmp/test_adapters.XXXXXX";
        struct error error = {0};
        struct transformer *model = adapted_open(adapters[i], MASTERS_KEPT);
        assert_non_null(mkdtemp(folder));
        check(transformer_write_adapter(model, "base", folder, DTYPE_F32, &error), &error);
        check_same_tensors(folder, adapters[i]);
        check_same_config(folder, adapters[i]);
        check(file_remove_tree(folder, &error), &error);
        transformer_free(model);
    }
}

/* The weights with the adapter folded in give PEFT's logits without an adapter. */
static void merged_is_unmerged(void **state)
{
    (void)state;
    for (int i = 0; i < ADAPTER_COUNT; i++) {
        char folder[] = "/tmp/test_adapters.XXXXXX";
        struct error error = {0};
        struct golden golden = golden_open(adapters[i]);
        struct transformer *model = adapted_open(adapters[i], MASTERS_KEPT), *merged;
        struct text_buffer config = {0};
        assert_non_null(mkdtemp(folder));
        char *path = path_join(folder, "config.json");
        architecture_print_json(transformer_architecture(model), DTYPE_F32, &config);
        check(file_write_all(path, config.data, config.length, &error), &error);
        check(transformer_write_merged(model, folder, DTYPE_F32, &error), &error);
        check(transformer_open_directory(&merged, backend, folder, MASTERS_KEPT, &error),
              &error);
        assert_null(transformer_lora(merged));
        const double difference = logits_difference(merged, &golden);
        print_message("%s merged: greatest difference %.3g\n", adapters[i], difference);
        assert_true(difference <= 2e-4);
        check(file_remove_tree(folder, &error), &error);
        transformer_free(model);
        transformer_free(merged);
        text_buffer_release(&config);
        free(path);
        golden_close(&golden);
    }
}

static void check_greedy(struct transformer *model, const cJSON *prompt, bool exactly)
{
    int64_t wanted_count;
    struct error error = {0};
    struct generation_request request = {0};
    int32_t *tokens = read_integers(prompt, "tokens", &request.prompt_count);
    int32_t *wanted = read_integers(prompt, "greedy", &wanted_count);
    request.prompt = tokens;
    request.sampling = (struct sampling){0.0, 1.0, wanted_count};
    check(generate(model, &request, 1, 0, NULL, NULL, &error), &error);
    assert_int_equal(request.reply_count, wanted_count);
    if (exactly)
        assert_memory_equal(request.reply, wanted, (size_t)wanted_count * sizeof *wanted);
    free(request.reply);
    free(tokens);
    free(wanted);
}

static void generates_without_merging(void **state)
{
    (void)state;
    for (int i = 0; i < ADAPTER_COUNT; i++) {
        struct golden golden = golden_open(adapters[i]);
        struct transformer *model = adapted_open(adapters[i], MASTERS_DROPPED);
        const cJSON *prompt;
        cJSON_ArrayForEach(prompt, json_get(golden.adapter, "prompts"))
            check_greedy(model, prompt, true);
        transformer_free(model);
        golden_close(&golden);
    }
}

/* Beside a base in NF4 new magnitudes are the lengths of its rows, so that the model begins
 * as it is; and magnitudes and gains go on from there. */
static void dora_beside_nf4(void **state)
{
    static const char *const models[] = {"tests/golden/model/phi3",
                                         "tests/golden/model/qwen3"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct golden golden = golden_open(i ? "dora-some" : "dora-fused");
        double losses[2];
        for (int dora = 0; dora < 2; dora++) {
            struct transformer *model;
            struct error error = {0};
            struct cross_entropy_sums sums;
            struct lora_options options = {.rank = 3, .alpha = 6, .dora = dora};
            check(lora_targets_parse(&options, "all-linear", &error), &error);
            check(transformer_open_directory(&model, backend, models[i],
                                             MASTERS_DROPPED_NF4, &error),
                  &error);
            check(transformer_lora_begin(model, &options, MASTERS_KEPT, &error), &error);
            check(transformer_training_begin(model, golden.batch.token_count, true, &error),
                  &error);
            transformer_zero_gradients(model);
            transformer_forward_backward(model, &golden.batch, 0, 1, &sums);
            losses[dora] = sums.loss;
            transformer_free(model);
        }
        assert_true(fabs(losses[1] / losses[0] - 1.0) <= 1e-5);
        golden_close(&golden);
    }
}

/* With weights held in bf16 (8 bits): loss and gradients of all adapters, biased and with
 * masks, within what rounding the weights by 2^-9 does over two layers. */
static void weights_in_bf16(void **state)
{
    struct backend *kept = backend;
    struct error error = {0};
    (void)state;
    check(backend_open(&backend,
                       &(struct backend_options){.thread_count = 2, .precision = "bf16"},
                       &error),
          &error);
    for (int i = 0; i < ADAPTER_COUNT; i++) {
        struct golden golden = golden_open(adapters[i]);
        struct transformer *model = adapted_open(adapters[i], MASTERS_KEPT);
        const double wanted = json_get(golden.adapter, "loss_sum")->valuedouble;
        struct cross_entropy_sums sums;
        check(transformer_training_begin(model, golden.batch.token_count, true, &error),
              &error);
        transformer_zero_gradients(model);
        transformer_forward_backward(model, &golden.batch, 0, 1, &sums);
        check(backend_sync(backend, &error), &error);
        print_message("%s in bf16: loss %.3f, in f32 %.3f\n", adapters[i], sums.loss,
                      wanted);
        assert_true(fabs(sums.loss / wanted - 1.0) <= 0.01);
        golden.batch.dropout_key = 5;
        transformer_forward_backward(model, &golden.batch, 0, 1, &sums);
        check(backend_sync(backend, &error), &error);
        assert_true(isfinite(sums.loss));
        check_greedy(model, json_get(golden.adapter, "prompts")->child, false);
        transformer_free(model);
        golden_close(&golden);
    }
    backend_close(backend);
    backend = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_and_gradients_are_pefts),
        cmocka_unit_test(files_are_pefts),
        cmocka_unit_test(merged_is_unmerged),
        cmocka_unit_test(generates_without_merging),
        cmocka_unit_test(dora_beside_nf4),
        cmocka_unit_test(weights_in_bf16),
    };
    return cmocka_run_group_tests(tests, open_backend, close_backend);
}
