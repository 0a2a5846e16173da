/*
 * Training steps of gpu_bench.
 *
 * A training step is the gradients of all packs, their global norm, and AdamW's update.
 * Model arithmetic per token, in floating-point operations:
 *
 *     6 P + 12 L H D pairs             all weights trained
 *     4 P + 12 L H D pairs + 6 A       with adapters
 *
 * P counts the weights of all products: those of the blocks and, by the share of tokens
 * that have a target, of the output projection, not the embedding; A those of the adapters.
 * Each costs 2 forward, 2 for the gradient of its input and, where it is trained, 2 for its
 * own. Causal attention costs 4 H D a layer forward for each token that one attends to, of
 * which `pairs` is the mean, (length + 1) / 2 in documents of one length; and twice that
 * backward. What recomputation does again is not counted.
 */
#include "scripts/bench/gpu/gpu_bench.h"

#include "base/log.h"
#include "base/memory.h"
#include "model/memory_plan.h"
#include "optim/adamw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool quantized(const struct settings *settings)
{
    return strcmp(settings->quantize, "nf4") == 0;
}

static bool masters_dropped(const struct settings *settings)
{
    return strcmp(settings->masters, "none") == 0;
}

static double training_operations(const struct bench *bench, const struct step_packs *packs)
{
    const struct architecture *a = &bench->architecture;
    const int64_t lora = bench->settings->lora;
    const double tokens = (double)packs->token_count;
    const int64_t query = a->heads * a->head_size;
    const int64_t block = a->channels * (query_key_value_width(a) + query) +
                          3 * a->channels * a->feed_forward;
    const double products =
        (double)(a->layer_count * block) +
        (double)(a->vocabulary * a->channels) * (double)packs->target_count / tokens;
    const double adapters =
        lora > 0 ? (double)transformer_trained(bench->model)->count : 0.0;
    return (lora > 0 ? 4.0 : 6.0) * products + 6.0 * adapters +
           12.0 * (double)(a->layer_count * query) * packs->pair_count / tokens;
}

struct training {
    struct adamw adamw;
    struct step_packs packs;
    struct cross_entropy_sums *sums; /* of the last step */
    double *seconds;                 /* of the timed steps */
    double loss_first, loss_last, gradient_norm;
};

static struct lora_options adapters_of(const struct settings *settings)
{
    return (struct lora_options){.rank = settings->lora,
                                 .alpha = 2.0 * (double)settings->lora,
                                 .seed = (uint64_t)settings->seed};
}

static enum dtype moments_of(const struct settings *settings)
{
    return strcmp(settings->moments, "bf16") == 0   ? DTYPE_BF16
           : strcmp(settings->moments, "8bit") == 0 ? DTYPE_U8
                                                    : DTYPE_F32;
}

/* On the device, or without one in bf16 on a GPU. */
static struct memory_plan plan_make(const struct bench *bench)
{
    const struct settings *settings = bench->settings;
    const struct backend *backend = bench->backend;
    struct lora_options lora = adapters_of(settings);
    const enum status status = lora_targets_parse(&lora, "all-linear", NULL);
    CHECK(!status);
    const struct training_shape shape = {
        .dtype = backend ? backend_compute_dtype(backend) : DTYPE_BF16,
        .activations = backend ? backend_activation_dtype(backend) : DTYPE_BF16,
        .operands = backend ? backend_operand_dtype(backend) : DTYPE_BF16,
        .fp8 = strcmp(settings->precision, "fp8") == 0,
        .moments = moments_of(settings),
        .masters_dropped = masters_dropped(settings),
        .lora = settings->lora > 0 ? &lora : NULL,
        .quantized = quantized(settings),
        .token_count = settings->tokens_per_pack,
        .longest = settings->length,
        .recompute = settings->recompute,
        .device = !backend || !backend_on_host(backend),
    };
    return memory_plan_make(&bench->architecture, &shape);
}

static double gibibytes(size_t bytes)
{
    return (double)bytes / (double)(1 << 30);
}

/* One line; `free_bytes`: what is less than that, 0: nobody asked. */
static void print_plan(const struct bench *bench, const struct memory_plan *made,
                       size_t free_bytes)
{
    struct text_buffer text = {0}, words = {0};
    struct json_writer json = {.out = &text};
    if (free_bytes > 0)
        text_buffer_append(&words, "training would take ");
    memory_plan_print(made, &words);
    if (free_bytes > 0)
        text_buffer_appendf(&words, ", and %.2f GiB are free", gibibytes(free_bytes));
    result_begin(&json, bench, free_bytes > 0 ? "skipped" : "plan");
    json_string(&json, free_bytes > 0 ? "problem" : "plan", text_buffer_string(&words));
    json_number(&json, "planned_gib", gibibytes(memory_plan_total(made)));
    result_end(&json);
    text_buffer_release(&words);
}

/* Else a line says that it does not. */
static bool fits(const struct bench *bench)
{
    size_t free_bytes, total_bytes;
    const struct memory_plan made = plan_make(bench);
    if (!backend_memory(bench->backend, &free_bytes, &total_bytes) ||
        memory_plan_total(&made) <= free_bytes)
        return true;
    print_plan(bench, &made, free_bytes);
    return false;
}

static enum status adapters_begin(const struct bench *bench, struct error *error)
{
    struct lora_options options = adapters_of(bench->settings);
    enum status status = lora_targets_parse(&options, "all-linear", error);
    if (!status)
        status = transformer_lora_begin(bench->model, &options, MASTERS_KEPT, error);
    return status;
}

static enum status optimiser_open(struct training *training, const struct bench *bench,
                                  struct error *error)
{
    const enum dtype moments = moments_of(bench->settings);
    const struct parameter_block *block = transformer_trained(bench->model);
    struct adamw_range *ranges = memory_allocate_array(block->entry_count, sizeof *ranges);
    for (size_t i = 0; i < block->entry_count; i++) {
        const struct parameter *entry = &block->entries[i];
        ranges[i] = (struct adamw_range){entry->offset, entry->count, entry->decayed};
    }
    const enum status status =
        adamw_init(&training->adamw, bench->backend, block->count, moments, ranges,
                   (int64_t)block->entry_count, error);
    free(ranges);
    return status;
}

static enum status training_open(struct training *training, const struct bench *bench,
                                 struct error *error)
{
    const struct settings *settings = bench->settings;

    step_packs_init(&training->packs, bench);
    training->sums =
        memory_allocate_array((size_t)training->packs.count, sizeof *training->sums);
    training->seconds =
        memory_allocate_array((size_t)settings->steps, sizeof *training->seconds);
    if ((settings->lora > 0 && adapters_begin(bench, error)) ||
        transformer_training_begin(bench->model, settings->tokens_per_pack,
                                   settings->recompute, error))
        return error->status;
    return optimiser_open(training, bench, error);
}

static void training_close(struct training *training)
{
    step_packs_release(&training->packs);
    adamw_release(&training->adamw);
    free(training->sums);
    free(training->seconds);
}

static enum status training_step(struct training *training, struct bench *bench,
                                 struct error *error)
{
    const struct settings *settings = bench->settings;
    const struct adamw_options options = {.beta1 = 0.9,
                                          .beta2 = 0.95,
                                          .epsilon = 1e-8,
                                          .weight_decay = 0.1,
                                          .clip_norm = 1.0,
                                          .seed = (uint64_t)settings->seed};
    struct tensor weights = transformer_weights(bench->model);
    struct tensor remainders = transformer_remainders(bench->model);
    const struct tensor gradients = transformer_gradients(bench->model);
    const struct step_packs *packs = &training->packs;
    const int64_t targets = packs->target_count;

    transformer_zero_gradients(bench->model);
    for (int64_t i = 0; i < packs->count; i++)
        transformer_forward_backward(bench->model, &packs->packs[i], 0.0f,
                                     1.0f / (float)targets, &training->sums[i]);
    if (adamw_step(&training->adamw, &weights, &remainders, &gradients, settings->lr,
                   &options, &training->gradient_norm, error))
        return error->status;
    training->loss_last = 0;
    for (int64_t i = 0; i < packs->count; i++)
        training->loss_last += training->sums[i].loss / (double)targets;
    if (training->adamw.step == 1)
        training->loss_first = training->loss_last;
    return STATUS_OK;
}

static enum status training_run(struct training *training, struct bench *bench,
                                struct error *error)
{
    const int64_t steps = bench->settings->steps, warmup = bench->settings->warmup_steps;
    for (int64_t i = 0; i < warmup + steps; i++) {
        const double start = clock_seconds();
        if (training_step(training, bench, error))
            return error->status;
        if (i >= warmup)
            training->seconds[i - warmup] = clock_seconds() - start;
    }
    memory_look(bench);
    return STATUS_OK;
}

static void print_training(struct training *training, const struct bench *bench)
{
    const struct settings *settings = bench->settings;
    const struct step_packs *packs = &training->packs;
    const double tokens = (double)packs->token_count;
    struct text_buffer text = {0}, details = {0};
    struct json_writer json = {.out = &text};
    char mode[32] = "full";
    if (settings->lora > 0)
        snprintf(mode, sizeof mode, "%slora%lld", quantized(settings) ? "q" : "",
                 (long long)settings->lora);
    if (strcmp(settings->precision, "fp8") == 0)
        text_buffer_append(&details, "FP8 products");
    if (settings->recompute)
        text_buffer_appendf(&details, "%srecompute", details.length ? ", " : "");
    result_begin(&json, bench, "train");
    json_string(&json, "mode", mode);
    json_string(&json, "details", text_buffer_string(&details));
    json_string(&json, "moments", settings->moments);
    json_string(&json, "masters", settings->masters);
    json_integer(&json, "length", settings->length);
    json_integer(&json, "tokens_per_pass", settings->tokens_per_pack);
    json_integer(&json, "tokens_per_step", packs->token_count);
    json_integer(&json, "targets_per_step", packs->target_count);
    json_integer(&json, "documents", packs->document_count);
    json_integer(&json, "passes", packs->count);
    print_rates(&json, training->seconds, settings->steps, tokens);
    json_number(&json, "operations_per_token", training_operations(bench, packs));
    json_number(&json, "memory_gib", memory_gib(bench));
    json_number(&json, "loss_first", training->loss_first);
    json_number(&json, "loss_last", training->loss_last);
    json_number(&json, "gradient_norm", training->gradient_norm);
    result_end(&json);
    text_buffer_release(&details);
}

static enum status settings_check(const struct settings *settings, struct error *error)
{
    const char *moments = settings->moments;
    if (settings->chats < 0 || (settings->chats > 0 && settings->accumulation != 1) ||
        (settings->chats > 0 && settings->length < CHAT_LEAST))
        return error_set(error, STATUS_USAGE,
                         "--chats: documents of up to --length tokens, which is %d at "
                         "least, fill as many packs as they need: without --accumulation",
                         CHAT_LEAST);
    if (settings->length < 2 || settings->tokens_per_pack < settings->length ||
        (settings->chats == 0 && settings->tokens_per_pack % settings->length != 0) ||
        settings->accumulation < 1 || settings->lora < 0 || settings->steps < 1 ||
        settings->warmup_steps < 0)
        return error_set(error, STATUS_USAGE,
                         "a pack holds whole documents of at least 2 tokens, and a step "
                         "at least one pack");
    if (!quantized(settings) && strcmp(settings->quantize, "none") != 0)
        return error_set(error, STATUS_USAGE, "--quantize takes nf4 or none");
    if (quantized(settings) && settings->lora == 0)
        return error_set(error, STATUS_USAGE, "--quantize nf4 goes with --lora");
    if (strcmp(moments, "f32") != 0 && strcmp(moments, "bf16") != 0 &&
        strcmp(moments, "8bit") != 0)
        return error_set(error, STATUS_USAGE, "--moments takes f32, bf16 or 8bit");
    if (!masters_dropped(settings) && strcmp(settings->masters, "fp32") != 0)
        return error_set(error, STATUS_USAGE, "--masters takes fp32 or none");
    if (masters_dropped(settings) && settings->lora > 0)
        return error_set(error, STATUS_USAGE, "--masters none does not go with --lora");
    return STATUS_OK;
}

enum status plan(struct bench *bench, struct error *error)
{
    if (settings_check(bench->settings, error) || config_open(bench, error))
        return error->status;
    const struct memory_plan made = plan_make(bench);
    print_plan(bench, &made, 0);
    return STATUS_OK;
}

enum status train(struct bench *bench, struct error *error)
{
    const struct settings *settings = bench->settings;
    const bool dropped = settings->lora > 0 || masters_dropped(settings);
    struct training training = {0};
    if (settings_check(settings, error) || device_begin(bench, error))
        return error->status;
    if (!fits(bench))
        return STATUS_OK;
    enum status status = model_begin(bench,
                                     quantized(settings) ? MASTERS_DROPPED_NF4
                                     : dropped           ? MASTERS_DROPPED
                                                         : MASTERS_KEPT,
                                     error);
    if (!status)
        status = training_open(&training, bench, error);
    if (!status)
        status = training_run(&training, bench, error);
    if (!status)
        print_training(&training, bench);
    training_close(&training);
    return status;
}
