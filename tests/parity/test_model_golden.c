#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/generator.h"
#include "model/transformer.h"
#include "optim/adamw.h"
#include "optim/schedule.h"
#include "tests/parity/golden_batch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Against transformers: tests/golden/model/, made by scripts/reference/make-model-goldens.
 * The reference is fp32 as well, so a tolerance is a few hundred roundings (6e-8) of the
 * quantity; the ones below are the project's, and the measured differences, which each
 * test prints, are twenty-five times smaller or more.
 */
static const char *const names[] = {"gqa-tied",
                                    "mha-untied",
                                    "wide-heads",
                                    "one-key-value",
                                    "llama3-biases",
                                    "linear-rope",
                                    "qwen2",
                                    "qwen2-yarn",
                                    "mistral",
                                    "qwen3",
                                    "phi3",
                                    "phi3-longrope",
                                    "phi3-long",
                                    "phi3-long-factor",
                                    "phi3-long-attention",
                                    "mistral-window",
                                    "mistral3",
                                    "phi3-partial",
                                    "qwen2-windows",
                                    "gemma2",
                                    "gemma2-variants",
                                    "smollm3",
                                    "gemma3",
                                    "gemma3-variants",
                                    "granite",
                                    "granite-tied",
                                    "olmo2",
                                    "olmo2-tied",
                                    "gpt2",
                                    "gpt2-wide"};
enum { NAME_COUNT = sizeof names / sizeof *names, STEPS = 20, BATCHES = 2 };

struct golden {
    struct backend *backend;
    struct transformer *model;
    char *directory;
    cJSON *json;
    struct safetensors tensors;
    struct packed_batch batches[BATCHES];
};

static double number(const struct golden *golden, const char *key)
{
    const cJSON *item = json_get(golden->json, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void golden_open(struct golden *golden, const char *name)
{
    struct error error = {0};
    *golden = (struct golden){.directory = path_join("tests/golden/model", name)};
    char *json = path_join(golden->directory, "golden.json");
    char *tensors = path_join(golden->directory, "golden.safetensors");
    check(json_parse_file(&golden->json, json, &error), &error);
    check(safetensors_open(&golden->tensors, tensors, &error), &error);
    free(json);
    free(tensors);
    const cJSON *item;
    int64_t i = 0;
    cJSON_ArrayForEach(item, json_get(golden->json, "batches")) golden->batches[i++] =
        batch_read(item);
    assert_int_equal(i, BATCHES);
    check(backend_open(&golden->backend, &(struct backend_options){.thread_count = 2},
                       &error),
          &error);
    check(transformer_open_directory(&golden->model, golden->backend, golden->directory,
                                     MASTERS_KEPT, &error),
          &error);
}

static void golden_close(struct golden *golden)
{
    for (int i = 0; i < BATCHES; i++)
        batch_free(&golden->batches[i]);
    transformer_free(golden->model);
    backend_close(golden->backend);
    safetensors_close(&golden->tensors);
    cJSON_Delete(golden->json);
    free(golden->directory);
}

static float *golden_tensor(const struct golden *golden, const char *name, int64_t count)
{
    const struct safetensors_entry *entry = safetensors_find(&golden->tensors, name);
    assert_non_null(entry);
    assert_int_equal(entry->count, count);
    float *values = memory_allocate_array((size_t)count, sizeof *values);
    safetensors_copy(entry, values, DTYPE_F32);
    return values;
}

static double greatest_difference(const float *a, const float *b, int64_t count)
{
    double greatest = 0.0;
    for (int64_t i = 0; i < count; i++) {
        assert_true(isfinite(a[i]));
        greatest = fmax(greatest, fabs((double)a[i] - (double)b[i]));
    }
    return greatest;
}

/* |a - b| / |b|, Euclidean */
static double relative_difference(const float *a, const float *b, int64_t count)
{
    double difference = 0.0, norm = 0.0;
    for (int64_t i = 0; i < count; i++) {
        assert_true(isfinite(a[i]));
        difference += pow((double)a[i] - (double)b[i], 2);
        norm += pow((double)b[i], 2);
    }
    return norm > 0.0 ? sqrt(difference / norm) : sqrt(difference);
}

static float *logits_of(struct golden *golden, const struct packed_batch *batch)
{
    struct error error = {0};
    const int64_t vocabulary = transformer_architecture(golden->model)->vocabulary;
    float *logits =
        memory_allocate_array((size_t)(batch->token_count * vocabulary), sizeof *logits);
    check(transformer_logits(golden->model, batch, logits, &error), &error);
    return logits;
}

static void logits_equal(void **state)
{
    (void)state;
    for (int i = 0; i < NAME_COUNT; i++) {
        struct golden golden;
        golden_open(&golden, names[i]);
        const struct packed_batch *batch = &golden.batches[0];
        const int64_t count =
            batch->token_count * transformer_architecture(golden.model)->vocabulary;
        float *wanted = golden_tensor(&golden, "logits", count);
        float *got = logits_of(&golden, batch);
        const double difference = greatest_difference(got, wanted, count);
        print_message("%s: logits: greatest difference %.3g\n", names[i], difference);
        assert_true(difference <= 2e-4);
        free(wanted);
        free(got);
        golden_close(&golden);
    }
}

static struct cross_entropy_sums forward_backward(struct golden *golden,
                                                  const struct packed_batch *batch,
                                                  float smoothing, float scale)
{
    struct error error = {0};
    struct cross_entropy_sums sums = {0};
    transformer_forward_backward(golden->model, batch, smoothing, scale, &sums);
    check(backend_sync(golden->backend, &error), &error);
    return sums;
}

static void training_begin(struct golden *golden, bool recompute)
{
    struct error error = {0};
    check(transformer_training_begin(golden->model, golden->batches[0].token_count,
                                     recompute, &error),
          &error);
}

static float *copy_gradients(const struct golden *golden)
{
    const struct tensor gradients = transformer_gradients(golden->model);
    float *copy = memory_allocate(tensor_bytes(&gradients));
    memcpy(copy, gradients.data, tensor_bytes(&gradients));
    return copy;
}

static void compare_gradients(struct golden *golden, const char *name)
{
    size_t count;
    double worst = 0.0;
    const struct parameter *parameters = transformer_parameters(golden->model, &count);
    float *gradients = copy_gradients(golden);
    parameter_block_to_file(transformer_trained(golden->model), gradients);
    for (size_t i = 0; i < count; i++) {
        char key[128];
        snprintf(key, sizeof key, "grad.%s", parameters[i].name);
        float *wanted = golden_tensor(golden, key, parameters[i].count);
        const double difference = relative_difference(gradients + parameters[i].offset,
                                                      wanted, parameters[i].count);
        worst = fmax(worst, difference);
        if (!(difference <= 1e-3))
            fail_msg("%s: %s: relative difference %g", name, key, difference);
        free(wanted);
    }
    free(gradients);
    print_message("%s: %zu gradients: worst |a - b| / |b| %.3g\n", name, count, worst);
}

static void loss_and_gradients_equal(void **state)
{
    (void)state;
    for (int i = 0; i < NAME_COUNT; i++) {
        struct golden golden;
        golden_open(&golden, names[i]);
        const struct packed_batch *batch = &golden.batches[0];
        training_begin(&golden, false);
        struct cross_entropy_sums sums =
            forward_backward(&golden, batch, 0.0f, 1.0f / (float)batch->target_count);
        const double wanted = number(&golden, "loss_sum");
        print_message("%s: loss sum %.6f, relative difference %.3g\n", names[i], sums.loss,
                      fabs(sums.loss / wanted - 1.0));
        assert_true(fabs(sums.loss / wanted - 1.0) <= 1e-6);
        assert_true(sums.nll == sums.loss);
        assert_int_equal(sums.target_count, (int64_t)number(&golden, "target_count"));
        compare_gradients(&golden, names[i]);

        const double smoothed = number(&golden, "smoothed_loss_sum");
        sums = forward_backward(&golden, batch, 0.1f, 1.0f);
        assert_true(fabs(sums.loss / smoothed - 1.0) <= 1e-6);
        assert_true(fabs(sums.nll / wanted - 1.0) <= 1e-6);
        transformer_loss(golden.model, batch, &sums);
        check(backend_sync(golden.backend, &(struct error){0}), NULL);
        assert_true(fabs(sums.loss / wanted - 1.0) <= 1e-6);
        golden_close(&golden);
    }
}

static void adamw_of_model(struct adamw *adamw, struct transformer *model)
{
    size_t count;
    struct error error = {0};
    const struct parameter *parameters = transformer_parameters(model, &count);
    struct adamw_range *ranges = memory_allocate_array(count, sizeof *ranges);
    for (size_t i = 0; i < count; i++)
        ranges[i] = (struct adamw_range){parameters[i].offset, parameters[i].count,
                                         parameters[i].decayed};
    const struct tensor weights = transformer_weights(model);
    check(adamw_init(adamw, transformer_backend(model), tensor_count(&weights), DTYPE_F32,
                     ranges, (int64_t)count, &error),
          &error);
    free(ranges);
}

struct training_run {
    double losses[STEPS];
    double norms[STEPS];
};

/* Trains as the reference did: two batches in turn, cosine schedule, clipping. */
static void train(struct golden *golden, struct training_run *run)
{
    const cJSON *from = json_get(golden->json, "options");
    const struct adamw_options options = {
        .beta1 = json_get(from, "beta1")->valuedouble,
        .beta2 = json_get(from, "beta2")->valuedouble,
        .epsilon = json_get(from, "epsilon")->valuedouble,
        .weight_decay = json_get(from, "weight_decay")->valuedouble,
        .clip_norm = json_get(from, "clip_norm")->valuedouble,
    };
    const struct schedule schedule = {
        .kind = SCHEDULE_COSINE,
        .lr_peak = json_get(from, "lr")->valuedouble,
        .warmup_steps = (int64_t)json_get(from, "warmup_steps")->valuedouble,
        .total_steps = (int64_t)json_get(from, "total_steps")->valuedouble,
    };
    struct adamw adamw;
    struct error error = {0};
    struct tensor weights = transformer_weights(golden->model);
    struct tensor remainders = transformer_remainders(golden->model);
    const struct tensor gradients = transformer_gradients(golden->model);
    adamw_of_model(&adamw, golden->model);
    for (int step = 0; step < STEPS; step++) {
        const struct packed_batch *batch = &golden->batches[step % BATCHES];
        transformer_zero_gradients(golden->model);
        const struct cross_entropy_sums sums =
            forward_backward(golden, batch, 0.0f, 1.0f / (float)batch->target_count);
        run->losses[step] = sums.loss / (double)sums.target_count;
        check(adamw_step(&adamw, &weights, &remainders, &gradients,
                         schedule_lr(&schedule, step), &options, &run->norms[step], &error),
              &error);
    }
    adamw_release(&adamw);
}

static void adamw_losses_equal(void **state)
{
    (void)state;
    for (int i = 0; i < NAME_COUNT; i++) {
        struct golden golden;
        struct training_run run;
        double worst = 0.0, worst_norm = 0.0;
        int step = 0;
        const cJSON *item;
        golden_open(&golden, names[i]);
        training_begin(&golden, false);
        train(&golden, &run);
        cJSON_ArrayForEach(item, json_get(golden.json, "losses")) worst =
            fmax(worst, fabs(run.losses[step++] - item->valuedouble));
        assert_int_equal(step, STEPS);
        step = 0;
        cJSON_ArrayForEach(item, json_get(golden.json, "gradient_norms")) worst_norm =
            fmax(worst_norm, fabs(run.norms[step++] / item->valuedouble - 1));
        print_message("%s: 20 AdamW steps: greatest difference of a loss %.3g, of a "
                      "gradient norm %.3g (relative)\n",
                      names[i], worst, worst_norm);
        assert_true(worst <= 1e-4);
        assert_true(worst_norm <= 1e-3);
        golden_close(&golden);
    }
}

static void greedy_tokens_equal(void **state)
{
    (void)state;
    enum { PROMPTS = 3, NEW_TOKENS = 12 };
    for (int i = 0; i < NAME_COUNT; i++) {
        struct golden golden;
        struct error error = {0};
        struct generation_request requests[PROMPTS] = {0};
        int32_t *prompts[PROMPTS], *wanted[PROMPTS];
        const cJSON *item;
        int64_t count = 0, wanted_count;
        golden_open(&golden, names[i]);
        cJSON_ArrayForEach(item, json_get(golden.json, "prompts"))
        {
            struct generation_request *request = &requests[count];
            prompts[count] = read_integers(item, "tokens", &request->prompt_count);
            wanted[count] = read_integers(item, "greedy", &wanted_count);
            assert_int_equal(wanted_count, NEW_TOKENS);
            request->prompt = prompts[count++];
            request->sampling = (struct sampling){0.0, 1.0, NEW_TOKENS};
        }
        assert_int_equal(count, PROMPTS);
        check(generate(golden.model, requests, PROMPTS, 0, NULL, NULL, &error), &error);
        for (int j = 0; j < PROMPTS; j++) {
            assert_int_equal(requests[j].reply_count, NEW_TOKENS);
            assert_false(requests[j].stopped);
            assert_memory_equal(requests[j].reply, wanted[j], NEW_TOKENS * sizeof(int32_t));
            free(requests[j].reply);
            free(prompts[j]);
            free(wanted[j]);
        }
        golden_close(&golden);
    }
}

static struct packed_batch document_of(const struct packed_batch *batch, int64_t index)
{
    static int32_t starts[2];
    const int32_t begin = batch->document_starts[index];
    starts[1] = batch->document_starts[index + 1] - begin;
    struct packed_batch document = {
        .token_count = starts[1],
        .document_count = 1,
        .tokens = batch->tokens + begin,
        .positions = batch->positions + begin,
        .targets = batch->targets + begin,
        .document_starts = starts,
    };
    for (int64_t i = 0; i < document.token_count; i++)
        document.target_count += document.targets[i] >= 0;
    return document;
}

/* Sums in another order: a few roundings of fp32, relative to the whole gradient. */
static void packed_equals_separate(void **state)
{
    (void)state;
    for (int i = 0; i < NAME_COUNT; i++) {
        struct golden golden;
        golden_open(&golden, names[i]);
        const struct packed_batch *batch = &golden.batches[0];
        training_begin(&golden, false);
        const struct cross_entropy_sums packed =
            forward_backward(&golden, batch, 0.0f, 1.0f);
        float *gradients = copy_gradients(&golden);
        const struct tensor separate = transformer_gradients(golden.model);
        double loss = 0.0;
        int64_t targets = 0;
        transformer_zero_gradients(golden.model);
        for (int64_t j = 0; j < batch->document_count; j++) {
            const struct packed_batch document = document_of(batch, j);
            const struct cross_entropy_sums sums =
                forward_backward(&golden, &document, 0.0f, 1.0f);
            loss += sums.loss;
            targets += sums.target_count;
        }
        const double difference =
            relative_difference(gradients, separate.data, tensor_count(&separate));
        print_message("%s: packed against separate: loss %.3g, gradients %.3g\n", names[i],
                      fabs(loss / packed.loss - 1.0), difference);
        assert_int_equal(targets, packed.target_count);
        assert_true(fabs(loss / packed.loss - 1.0) <= 1e-12);
        assert_true(difference <= 1e-6);
        free(gradients);
        golden_close(&golden);
    }
}

static void recompute_equals_kept(void **state)
{
    (void)state;
    for (int i = 0; i < NAME_COUNT; i++) {
        struct golden golden;
        golden_open(&golden, names[i]);
        const struct packed_batch *batch = &golden.batches[0];
        training_begin(&golden, false);
        const size_t kept_bytes = transformer_bytes(golden.model);
        const struct cross_entropy_sums kept = forward_backward(&golden, batch, 0, 1);
        float *gradients = copy_gradients(&golden);
        training_begin(&golden, true);
        assert_true(transformer_bytes(golden.model) < kept_bytes);
        transformer_zero_gradients(golden.model);
        const struct cross_entropy_sums again = forward_backward(&golden, batch, 0, 1);
        const struct tensor recomputed = transformer_gradients(golden.model);
        assert_true(kept.loss == again.loss);
        assert_memory_equal(gradients, recomputed.data, tensor_bytes(&recomputed));
        free(gradients);
        golden_close(&golden);
    }
}

/* A batch without a target adds nothing, and no NaN. */
static void no_targets_no_gradients(void **state)
{
    (void)state;
    struct golden golden;
    golden_open(&golden, names[0]);
    training_begin(&golden, false);
    struct packed_batch batch = golden.batches[0];
    batch.target_count = 0;
    for (int64_t i = 0; i < batch.token_count; i++)
        batch.targets[i] = -1;
    const struct cross_entropy_sums sums = forward_backward(&golden, &batch, 0.1f, 1.0f);
    const struct tensor gradients = transformer_gradients(golden.model);
    assert_true(sums.loss == 0.0 && sums.nll == 0.0 && sums.target_count == 0);
    for (int64_t i = 0; i < tensor_count(&gradients); i++)
        assert_true(((const float *)gradients.data)[i] == 0.0f);
    golden_close(&golden);
}

static void write_check_files(struct golden *golden, const char *directory)
{
    struct error error = {0};
    const struct packed_batch *batch = &golden->batches[0];
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_array_begin(&json, "tokens");
    for (int64_t i = 0; i < batch->document_count; i++) {
        json_array_begin(&json, NULL);
        for (int32_t t = batch->document_starts[i]; t < batch->document_starts[i + 1]; t++)
            json_integer(&json, NULL, batch->tokens[t]);
        json_array_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    char *check_path = path_join(directory, "check.json");
    check(file_write_all(check_path, text.data, text.length, &error), &error);
    free(check_path);
    text_buffer_release(&text);

    float *logits = logits_of(golden, batch);
    const struct safetensors_tensor tensor = {
        "logits",
        logits,
        DTYPE_F32,
        DTYPE_F32,
        2,
        {batch->token_count, transformer_architecture(golden->model)->vocabulary}};
    char *logits_path = path_join(directory, "logits.safetensors");
    check(safetensors_write(logits_path, &tensor, 1, NULL, 0, &error), &error);
    free(logits_path);
    free(logits);
}

static void write_model(struct golden *golden, const char *directory, enum dtype stored)
{
    struct error error = {0};
    struct text_buffer text = {0};
    check(file_make_directories(directory, &error), &error);
    check(transformer_write_weights(golden->model, directory, stored, &error), &error);
    architecture_print_json(transformer_architecture(golden->model), stored, &text);
    char *path = path_join(directory, "config.json");
    check(file_write_all(path, text.data, text.length, &error), &error);
    free(path);
    text_buffer_release(&text);
}

/*
 * A trained model, written and read back, has the same bits. With HOLDFAST_CHECK_DIR set
 * the directories stay there, for scripts/reference/make-model-goldens --check.
 */
static void written_model_reads_back(void **state)
{
    (void)state;
    char temporary[] = "/tmp/test_model_golden.XXXXXX";
    const char *kept = getenv("HOLDFAST_CHECK_DIR");
    assert_non_null(mkdtemp(temporary));
    for (int i = 0; i < NAME_COUNT; i++) {
        struct golden golden;
        struct error error = {0};
        struct training_run run;
        struct transformer *again;
        golden_open(&golden, names[i]);
        training_begin(&golden, false);
        train(&golden, &run);
        char *directory = path_join(kept ? kept : temporary, names[i]);
        write_model(&golden, directory, DTYPE_F32);
        write_check_files(&golden, directory);
        check(transformer_open_directory(&again, golden.backend, directory, MASTERS_KEPT,
                                         &error),
              &error);
        const struct tensor written = transformer_weights(golden.model);
        const struct tensor read = transformer_weights(again);
        assert_int_equal(tensor_bytes(&written), tensor_bytes(&read));
        assert_memory_equal(written.data, read.data, tensor_bytes(&read));
        struct architecture alone = *transformer_architecture(golden.model);
        alone.text_part = false; /* what is written is no part */
        assert_memory_equal(&alone, transformer_architecture(again), sizeof alone);
        transformer_free(again);
        free(directory);
        golden_close(&golden);
    }
    check(file_remove_tree(temporary, &(struct error){0}), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_equal),
        cmocka_unit_test(loss_and_gradients_equal),
        cmocka_unit_test(adamw_losses_equal),
        cmocka_unit_test(greedy_tokens_equal),
        cmocka_unit_test(packed_equals_separate),
        cmocka_unit_test(recompute_equals_kept),
        cmocka_unit_test(no_targets_no_gradients),
        cmocka_unit_test(written_model_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
