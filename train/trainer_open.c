#include "train/trainer_internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "checkpoints/model_directory.h"
#include "model/memory_plan.h"
#include "model/warm_up.h"
#include "train/checkpoint.h"
#include "train/start.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum overlong overlong_rule(const char *name)
{
    return strcmp(name, "drop") == 0       ? OVERLONG_DROP
           : strcmp(name, "truncate") == 0 ? OVERLONG_TRUNCATE
                                           : OVERLONG_ERROR;
}

/* Once, not by every rank. */
static void dataset_report(const struct trainer *trainer, const struct dataset *dataset,
                           const char *split)
{
    if (!ranks_is_first(&trainer->ranks))
        return;
    log_info("%s: %" PRId64 " examples, %" PRId64 " tokens, %" PRId64 " of them carry loss",
             split, dataset->count, dataset->token_count, dataset->target_count);
    if (dataset->dropped_count || dataset->truncated_count)
        log_warning("%s: %" PRId64 " overlong examples dropped, %" PRId64 " truncated",
                    split, dataset->dropped_count, dataset->truncated_count);
}

static enum status datasets_build(struct trainer *trainer,
                                  const struct architecture *architecture,
                                  struct error *error)
{
    const struct train_options *options = trainer->options;
    const int64_t limit = architecture->position_limit;
    const int64_t max_length = options->max_length ? options->max_length : limit;
    if (max_length > limit)
        return error_set(error, STATUS_USAGE,
                         "--max-length %" PRId64 " is more than the model's %" PRId64
                         " positions (its \"%s\")",
                         max_length, limit, architecture_limit_name(architecture));
    struct dataset_rules rules = {.split = "train",
                                  .max_length = max_length,
                                  .limit_is_models = max_length == limit,
                                  .overlong = overlong_rule(options->overlong)};
    if (dataset_build(&trainer->examples, &trainer->mix, trainer->tokenizer,
                      trainer->chat_template, &rules, error))
        return error->status;
    if (trainer->examples.count == 0)
        return error_set(error, STATUS_FORMAT,
                         "%s: no example of split \"train\": nothing to train on",
                         options->data);
    dataset_report(trainer, &trainer->examples, "train");
    rules.split = "validation";
    if (dataset_build(&trainer->validation, &trainer->mix, trainer->tokenizer,
                      trainer->chat_template, &rules, error))
        return error->status;
    if (options->validate_every && trainer->validation.count == 0)
        return error_set(error, STATUS_FORMAT,
                         "%s: --validate-every is set, and no example has split "
                         "\"validation\"",
                         options->data);
    if (trainer->validation.count)
        dataset_report(trainer, &trainer->validation, "validation");
    return STATUS_OK;
}

/* An adapter is not trained further: its base would have to be found again at the end. */
static enum status base_check(const struct train_options *options, struct error *error)
{
    char *base = NULL;
    if (options->model && model_directory_check(options->model, error))
        return error_prefix(error, "--model");
    if (options->model && model_directory_base(&base, options->model, error))
        return error->status;
    if (!base)
        return STATUS_OK;
    free(base);
    return error_set(error, STATUS_UNSUPPORTED,
                     "--model %s is an adapter: merge it into its base first (holdfast "
                     "merge), and train that",
                     options->model);
}

/* The directory that the run starts from: rank 0 makes it, where it has to be made. */
static enum status start_open(struct trainer *trainer, struct error *error)
{
    const struct train_options *options = trainer->options;
    if (ranks_is_first(&trainer->ranks)) {
        if (start_directory_prepare(&trainer->start, options, &trainer->mix, error))
            return error->status;
    } else {
        trainer->start = start_directory_name(options);
    }
    return ranks_barrier(&trainer->ranks, error);
}

static enum status trained_on_settle(struct trainer *trainer, struct error *error)
{
    if (training_data_read(&trainer->trained_on, trainer->start, error))
        return error->status;
    training_data_add(&trainer->trained_on, trainer->options->data, trainer->mix.sha256,
                      trainer->examples.count);
    return STATUS_OK;
}

/* A fault of the copy beside the tokenizer, which goes away with the run, is one of the
 * file that was given. */
static enum status architecture_open(struct architecture *architecture,
                                     const struct trainer *trainer, struct error *error)
{
    const char *init = trainer->options->init;
    if (!architecture_open_directory(architecture, trainer->start, error))
        return STATUS_OK;
    return init ? error_prefix(error, "--init %s", init) : error->status;
}

enum status trainer_open_data(struct trainer *trainer, struct architecture *architecture,
                              struct error *error)
{
    const struct train_options *options = trainer->options;
    if (base_check(options, error) || mix_read(&trainer->mix, options->data, error) ||
        ranks_agree(&trainer->ranks, trainer->mix.sha256, "SHA-256 of --data differs",
                    error) ||
        start_open(trainer, error) || architecture_open(architecture, trainer, error) ||
        tokenizer_open_directory(&trainer->tokenizer, trainer->start, error) ||
        chat_template_open_directory(&trainer->chat_template, trainer->start,
                                     trainer->tokenizer, error))
        return error->status;
    if (*tokenizer_warnings(trainer->tokenizer) && ranks_is_first(&trainer->ranks))
        log_warning("%s", tokenizer_warnings(trainer->tokenizer));
    if (tokenizer_check_rows(trainer->tokenizer, architecture->vocabulary, trainer->start,
                             error) ||
        datasets_build(trainer, architecture, error))
        return error->status;
    trainer->text_part = architecture->text_part;
    return trained_on_settle(trainer, error);
}

void trainer_plan(struct trainer *trainer, int64_t channels)
{
    const struct train_options *options = trainer->options;
    const struct dataset *examples = &trainer->examples;
    batch_order_init(&trainer->batches, (uint64_t)options->seed, examples->count,
                     options->batch_size * options->accumulation);
    trainer->total_steps =
        (int64_t)ceil(options->epochs * (double)trainer->batches.steps_per_epoch);
    if (options->step_limit && options->step_limit < trainer->total_steps)
        trainer->total_steps = options->step_limit;
    trainer->schedule = train_schedule(options, trainer->total_steps, channels);

    int64_t longest = 0;
    for (int64_t i = 0; i < examples->count; i++)
        if (dataset_example_tokens(examples, i) > longest)
            longest = dataset_example_tokens(examples, i);
    for (int64_t i = 0; i < trainer->validation.count; i++)
        if (dataset_example_tokens(&trainer->validation, i) > longest)
            longest = dataset_example_tokens(&trainer->validation, i);
    trainer->longest = longest;
    trainer->token_limit = longest * options->batch_size;
    if (trainer->token_limit > options->batch_tokens)
        trainer->token_limit =
            options->batch_tokens > longest ? options->batch_tokens : longest;
}

static enum dtype moments_dtype(const struct train_options *options)
{
    return strcmp(options->moments, "bf16") == 0   ? DTYPE_BF16
           : strcmp(options->moments, "8bit") == 0 ? DTYPE_U8
                                                   : DTYPE_F32;
}

static bool masters_dropped(const struct train_options *options)
{
    return strcmp(options->masters, "none") == 0;
}

enum status trainer_make_identity(struct trainer *trainer, struct error *error)
{
    const struct train_options *o = trainer->options;
    char start[SHA256_HEX_BYTES];
    if (model_directory_fingerprint(start, trainer->start, o->model != NULL, error))
        return error->status;
    struct text_buffer text = {0};
    text_buffer_appendf(&text, "%s\n%s\n", start, trainer->mix.sha256);
    text_buffer_appendf(
        &text, "steps %" PRId64 " batch %" PRId64 " x %" PRId64 " seed %" PRId64 "\n",
        trainer->total_steps, o->batch_size, o->accumulation, o->seed);
    text_buffer_appendf(&text, "tokens %" PRId64 " length %" PRId64 " %s\n",
                        o->batch_tokens, o->max_length, o->overlong);
    text_buffer_appendf(&text, "lr %a %s %a %a %a\n", o->lr, o->schedule, o->warmup,
                        o->lr_floor, o->decay_share);
    text_buffer_appendf(&text, "adamw %a %a %a %a %a smoothing %a\n", o->beta1, o->beta2,
                        o->epsilon, o->weight_decay, o->clip_norm, o->label_smoothing);
    text_buffer_appendf(&text, "lora %" PRId64 " %a %s %d\n", o->lora, o->lora_alpha,
                        o->lora_targets, o->rslora);
    if (o->dora || o->lora_dropout > 0) /* older runs have no such line either */
        text_buffer_appendf(&text, "dora %d dropout %a\n", o->dora, o->lora_dropout);
    if (masters_dropped(o)) /* nor such a one */
        text_buffer_appendf(&text, "masters %s\n", o->masters);
    if (train_quantized(o)) /* older runs have no such line, and can be resumed */
        text_buffer_appendf(&text, "quantize %s\n", o->quantize);
    text_buffer_appendf(&text, "%s %s%s moments %s\n", backend_name(trainer->backend),
                        dtype_name(backend_compute_dtype(trainer->backend)),
                        backend_fp8(trainer->backend) ? " FP8" : "", o->moments);
    bytes_sha256(trainer->identity, text.data, text.length);
    text_buffer_release(&text);
    return ranks_agree(
        &trainer->ranks, trainer->identity,
        "the hash over the files and weights of --model, and all settings, differs", error);
}

struct checkpoint_place trainer_checkpoint_place(const struct trainer *trainer)
{
    return (struct checkpoint_place){.run = trainer->options->out,
                                     .metadata = trainer->start,
                                     .base = trainer->options->model,
                                     .trained_on = &trainer->trained_on,
                                     .identity = trainer->identity,
                                     .moments = trainer->options->moments,
                                     .masters = trainer->options->masters};
}

/* What is rounded to bf16 needs weights in bf16. */
static enum status rounding_check(const struct trainer *trainer, struct error *error)
{
    const struct train_options *options = trainer->options;
    const bool moments = moments_dtype(options) == DTYPE_BF16;
    if (backend_compute_dtype(trainer->backend) == DTYPE_BF16 ||
        !(moments || masters_dropped(options)))
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED,
                     "--%s needs a run in bf16, and this one is not: %s; add --precision "
                     "bf16, or use --%s",
                     moments ? "moments bf16" : "masters none",
                     backend_description(trainer->backend),
                     moments ? "moments f32 or 8bit" : "masters fp32");
}

static enum status optimiser_open(struct trainer *trainer, struct error *error)
{
    const struct parameter_block *block = transformer_trained(trainer->model);
    struct adamw_range *ranges = memory_allocate_array(block->entry_count, sizeof *ranges);
    for (size_t i = 0; i < block->entry_count; i++)
        ranges[i] = (struct adamw_range){.offset = block->entries[i].offset,
                                         .count = block->entries[i].count,
                                         .decayed = block->entries[i].decayed};
    const struct sharding *sharding = transformer_trained_sharding(trainer->model);
    const enum dtype moments = moments_dtype(trainer->options);
    const int64_t range_count = (int64_t)block->entry_count;
    const enum status status =
        sharding ? adamw_init_sharded(&trainer->adamw, trainer->backend, sharding, moments,
                                      ranges, range_count, error)
                 : adamw_init_shared(&trainer->adamw, trainer->backend,
                                     trainer->ranks.collectives, block->count, moments,
                                     ranges, range_count, error);
    free(ranges);
    return status;
}

/* Says what training will take, and refuses what does not fit before it is reserved. */
static enum status memory_check(const struct trainer *trainer,
                                const struct architecture *architecture,
                                struct error *error)
{
    const struct lora_options lora = train_lora_options(trainer->options);
    const struct training_shape shape = {
        .lora = lora.rank ? &lora : NULL,
        .quantized = train_quantized(trainer->options),
        .dtype = backend_compute_dtype(trainer->backend),
        .activations = backend_activation_dtype(trainer->backend),
        .operands = backend_operand_dtype(trainer->backend),
        .fp8 = backend_fp8(trainer->backend),
        .moments = moments_dtype(trainer->options),
        .masters_dropped = masters_dropped(trainer->options),
        .ranks = ranks_size(&trainer->ranks),
        .sharded = train_sharded(trainer->options),
        .token_count = trainer->token_limit,
        .longest = trainer->longest,
        .untrained = trainer->options->init != NULL,
        .recompute = trainer->options->recompute,
        .device = !backend_on_host(trainer->backend),
    };
    const struct memory_plan plan_of = memory_plan_make(architecture, &shape);
    /* They are open: what is free is so behind them (backend/collective.c). */
    const char *beside =
        shape.device && shape.ranks > 1 ? " beside NCCL's buffers and ours for sums" : "";
    struct text_buffer text = {0}, advice = {0};
    size_t free_bytes, total_bytes;
    enum status status = STATUS_OK;
    memory_plan_print(&plan_of, &text);
    if (!backend_memory(trainer->backend, &free_bytes, &total_bytes)) {
        log_info("memory: %s", text_buffer_string(&text));
    } else if (memory_plan_total(&plan_of) <= free_bytes) {
        text_buffer_append(&text, ", of ");
        text_buffer_append_memory(&text, free_bytes);
        log_info("memory: %s free%s", text_buffer_string(&text), beside);
    } else {
        text_buffer_append(&text, ", and ");
        text_buffer_append_memory(&text, free_bytes);
        memory_plan_advise(architecture, &shape, free_bytes, &advice);
        status =
            error_set(error, STATUS_MEMORY, "training would take %s are free%s: try %s",
                      text_buffer_string(&text), beside, text_buffer_string(&advice));
    }
    text_buffer_release(&text);
    text_buffer_release(&advice);
    return status;
}

/* Among whom the weights are shared out; NULL: nobody. */
static struct collectives *weights_ranks(const struct trainer *trainer)
{
    return train_sharded(trainer->options) ? trainer->ranks.collectives : NULL;
}

/* The weights to train: the checkpoint's, the model's, or random ones. */
static enum status weights_open(struct trainer *trainer, const char *checkpoint,
                                const struct architecture *architecture,
                                struct error *error)
{
    const struct train_options *options = trainer->options;
    const enum master_weights masters =
        masters_dropped(options) ? MASTERS_DROPPED : MASTERS_KEPT;
    if (!checkpoint && !options->model)
        return transformer_create_sharded(&trainer->model, trainer->backend,
                                          weights_ranks(trainer), architecture,
                                          (uint64_t)options->seed, masters, error);
    return transformer_open_directory_sharded(
        &trainer->model, trainer->backend, weights_ranks(trainer),
        checkpoint ? checkpoint : options->model, masters, error);
}

/* The frozen model, and adapters, the checkpoint's or new ones. */
static enum status adapters_open(struct trainer *trainer, const char *checkpoint,
                                 struct error *error)
{
    const struct lora_options lora = train_lora_options(trainer->options);
    const enum master_weights frozen =
        train_quantized(trainer->options) ? MASTERS_DROPPED_NF4 : MASTERS_DROPPED;
    if (transformer_open_directory_sharded(&trainer->model, trainer->backend,
                                           weights_ranks(trainer), trainer->options->model,
                                           frozen, error))
        return error->status;
    if (checkpoint)
        return transformer_open_adapter(trainer->model, checkpoint, MASTERS_KEPT, error);
    return transformer_lora_begin(trainer->model, &lora, MASTERS_KEPT, error);
}

/* On a device: no update reserves anything, and what does not fit ends the run here. */
static enum status warm_up(struct trainer *trainer, struct error *error)
{
    struct cross_entropy_sums sums;
    if (backend_on_host(trainer->backend))
        return STATUS_OK;
    transformer_warm_up(trainer->model, trainer->token_limit, trainer->longest, &sums);
    if (!ranks_wait(&trainer->ranks, error) && !backend_sync(trainer->backend, error))
        return STATUS_OK;
    if (error->status != STATUS_MEMORY)
        return error->status;
    return error_prefix(error,
                        "a pass over %" PRId64 " tokens does not fit, before the first "
                        "update (--recompute or a smaller --batch-tokens take less; does "
                        "something else use this GPU?)",
                        trainer->token_limit);
}

enum status trainer_open_model(struct trainer *trainer, const char *checkpoint,
                               const struct architecture *architecture, struct error *error)
{
    const struct train_options *options = trainer->options;
    if (rounding_check(trainer, error) || memory_check(trainer, architecture, error))
        return error->status;
    const enum status status = options->lora
                                   ? adapters_open(trainer, checkpoint, error)
                                   : weights_open(trainer, checkpoint, architecture, error);
    if (status ||
        transformer_training_begin(trainer->model, trainer->token_limit, options->recompute,
                                   error) ||
        optimiser_open(trainer, error) || warm_up(trainer, error))
        return error->status;
    const struct checkpoint_place place = trainer_checkpoint_place(trainer);
    if (checkpoint)
        return checkpoint_read(checkpoint, &place, &trainer->adamw, error);
    return STATUS_OK;
}
