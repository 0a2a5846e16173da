#include "train/trainer.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoints/model_directory.h"
#include "model/memory_plan.h"
#include "model/transformer.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/metrics.h"
#include "train/show.h"
#include "train/start.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything a run holds; all zero is an empty one, safe to release. */
struct trainer {
    const struct train_options *options;
    struct backend *backend;
    struct mix mix;
    char *start; /* directory with config.json and tokenizer */
    struct tokenizer *tokenizer;
    struct chat_template *chat_template;
    struct dataset examples;
    struct dataset validation;
    struct transformer *model;
    struct adamw adamw;
    struct schedule schedule;
    struct batch_order batches;
    struct packed_batch batch;
    int64_t token_limit; /* of one packed batch */
    int64_t total_steps;
    struct cross_entropy_sums *sums; /* one for each packed batch of an update */
    struct file_log metrics;
    char identity[SHA256_HEX_BYTES];
};

static void trainer_release(struct trainer *trainer)
{
    if (trainer->metrics.path)
        file_log_close(&trainer->metrics);
    free(trainer->sums);
    packed_batch_release(&trainer->batch);
    batch_order_release(&trainer->batches);
    adamw_release(&trainer->adamw);
    transformer_free(trainer->model);
    dataset_release(&trainer->validation);
    dataset_release(&trainer->examples);
    chat_template_free(trainer->chat_template);
    tokenizer_free(trainer->tokenizer);
    free(trainer->start);
    mix_release(&trainer->mix);
    backend_close(trainer->backend);
}

static enum overlong overlong_rule(const char *name)
{
    return strcmp(name, "drop") == 0       ? OVERLONG_DROP
           : strcmp(name, "truncate") == 0 ? OVERLONG_TRUNCATE
                                           : OVERLONG_ERROR;
}

static void dataset_report(const struct dataset *dataset, const char *split)
{
    log_info("%s: %" PRId64 " examples, %" PRId64 " tokens, %" PRId64 " of them carry loss",
             split, dataset->count, dataset->token_count, dataset->target_count);
    if (dataset->dropped_count || dataset->truncated_count)
        log_warning("%s: %" PRId64 " overlong examples dropped, %" PRId64 " truncated",
                    split, dataset->dropped_count, dataset->truncated_count);
}

static enum status datasets_build(struct trainer *trainer, int64_t position_limit,
                                  struct error *error)
{
    const struct train_options *options = trainer->options;
    int64_t max_length = options->max_length ? options->max_length : position_limit;
    if (max_length > position_limit)
        return error_set(error, STATUS_USAGE,
                         "--max-length %" PRId64 " is more than the model's %" PRId64
                         " positions",
                         max_length, position_limit);
    struct dataset_rules rules = {.split = "train",
                                  .max_length = max_length,
                                  .overlong = overlong_rule(options->overlong)};
    if (dataset_build(&trainer->examples, &trainer->mix, trainer->tokenizer,
                      trainer->chat_template, &rules, error))
        return error->status;
    if (trainer->examples.count == 0)
        return error_set(error, STATUS_FORMAT,
                         "%s: no example of split \"train\": nothing to train on",
                         options->data);
    dataset_report(&trainer->examples, "train");
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
        dataset_report(&trainer->validation, "validation");
    return STATUS_OK;
}

/* An adapter is not trained further: its base would have to be found again at the end. */
static enum status base_check(const struct train_options *options, struct error *error)
{
    char *base = NULL;
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

/* Tokenizer, template and examples: all that --show needs. */
static enum status data_open(struct trainer *trainer, struct architecture *architecture,
                             struct error *error)
{
    const struct train_options *options = trainer->options;
    if (base_check(options, error) || mix_read(&trainer->mix, options->data, error) ||
        start_directory_prepare(&trainer->start, options, &trainer->mix, error) ||
        architecture_open_directory(architecture, trainer->start, error) ||
        tokenizer_open_directory(&trainer->tokenizer, trainer->start, error) ||
        chat_template_open_directory(&trainer->chat_template, trainer->start,
                                     trainer->tokenizer, error))
        return error->status;
    if (*tokenizer_warnings(trainer->tokenizer))
        log_warning("%s", tokenizer_warnings(trainer->tokenizer));
    if (tokenizer_vocabulary_count(trainer->tokenizer) > architecture->vocabulary)
        return error_set(error, STATUS_FORMAT,
                         "%s: the tokenizer has %" PRId64
                         " ids, the model's embedding only %" PRId64,
                         trainer->start, tokenizer_vocabulary_count(trainer->tokenizer),
                         architecture->vocabulary);
    return datasets_build(trainer, architecture->position_limit, error);
}

/* A hash over all that decides the final weights: not over paths, threads or logging. */
static enum status identity_make(struct trainer *trainer, struct error *error)
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
    if (train_quantized(o)) /* older runs have no such line, and can be resumed */
        text_buffer_appendf(&text, "quantize %s\n", o->quantize);
    text_buffer_appendf(&text, "%s %s moments %s\n", backend_name(trainer->backend),
                        dtype_name(backend_compute_dtype(trainer->backend)), o->moments);
    bytes_sha256(trainer->identity, text.data, text.length);
    text_buffer_release(&text);
    return STATUS_OK;
}

static void plan(struct trainer *trainer, int64_t channels)
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
    trainer->token_limit = longest * options->batch_size;
    if (trainer->token_limit > options->batch_tokens)
        trainer->token_limit =
            options->batch_tokens > longest ? options->batch_tokens : longest;
}

static enum dtype moments_dtype(const struct train_options *options)
{
    return strcmp(options->moments, "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32;
}

static enum status moments_check(const struct trainer *trainer, struct error *error)
{
    const enum dtype moments = moments_dtype(trainer->options);
    if (moments == DTYPE_F32 || moments == backend_compute_dtype(trainer->backend))
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED,
                     "--moments bf16 needs a device that computes in bf16: %s does not; "
                     "use --moments f32",
                     backend_description(trainer->backend));
}

static enum status optimiser_open(struct trainer *trainer, struct error *error)
{
    const struct parameter_block *block = transformer_trained(trainer->model);
    struct adamw_range *ranges = memory_allocate_array(block->entry_count, sizeof *ranges);
    for (size_t i = 0; i < block->entry_count; i++)
        ranges[i] = (struct adamw_range){.offset = block->entries[i].offset,
                                         .count = block->entries[i].count,
                                         .decayed = block->entries[i].decayed};
    const enum status status = adamw_init(&trainer->adamw, trainer->backend, block->count,
                                          moments_dtype(trainer->options), ranges,
                                          (int64_t)block->entry_count, error);
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
        .moments = moments_dtype(trainer->options),
        .token_count = trainer->token_limit,
        .recompute = trainer->options->recompute,
        .device = strcmp(backend_name(trainer->backend), "cpu") != 0,
    };
    const struct memory_plan plan_of = memory_plan_make(architecture, &shape);
    struct text_buffer text = {0}, advice = {0};
    size_t free_bytes, total_bytes;
    enum status status = STATUS_OK;
    memory_plan_print(&plan_of, &text);
    if (!backend_memory(trainer->backend, &free_bytes, &total_bytes)) {
        log_info("memory: %s", text_buffer_string(&text));
    } else if (memory_plan_total(&plan_of) <= free_bytes) {
        log_info("memory: %s, of %.2f GiB free", text_buffer_string(&text),
                 (double)free_bytes / 1073741824.0);
    } else {
        memory_plan_advise(architecture, &shape, free_bytes, &advice);
        status = error_set(error, STATUS_MEMORY,
                           "training would take %s, and %.2f GiB are free: try %s",
                           text_buffer_string(&text), (double)free_bytes / 1073741824.0,
                           text_buffer_string(&advice));
    }
    text_buffer_release(&text);
    text_buffer_release(&advice);
    return status;
}

/* The weights to train: the checkpoint's, the model's, or random ones. */
static enum status weights_open(struct trainer *trainer, const char *checkpoint,
                                const struct architecture *architecture,
                                struct error *error)
{
    const struct train_options *options = trainer->options;
    if (!checkpoint && !options->model)
        return transformer_create(&trainer->model, trainer->backend, architecture,
                                  (uint64_t)options->seed, MASTERS_KEPT, error);
    return transformer_open_directory(&trainer->model, trainer->backend,
                                      checkpoint ? checkpoint : options->model,
                                      MASTERS_KEPT, error);
}

/* The frozen model, and adapters, the checkpoint's or new ones. */
static enum status adapters_open(struct trainer *trainer, const char *checkpoint,
                                 struct error *error)
{
    const struct lora_options lora = train_lora_options(trainer->options);
    const enum master_weights frozen =
        train_quantized(trainer->options) ? MASTERS_DROPPED_NF4 : MASTERS_DROPPED;
    if (transformer_open_directory(&trainer->model, trainer->backend,
                                   trainer->options->model, frozen, error))
        return error->status;
    if (checkpoint)
        return transformer_open_adapter(trainer->model, checkpoint, MASTERS_KEPT, error);
    return transformer_lora_begin(trainer->model, &lora, MASTERS_KEPT, error);
}

static enum status model_open(struct trainer *trainer, const char *checkpoint,
                              const struct architecture *architecture, struct error *error)
{
    const struct train_options *options = trainer->options;
    if (moments_check(trainer, error) || memory_check(trainer, architecture, error))
        return error->status;
    const enum status status = options->lora
                                   ? adapters_open(trainer, checkpoint, error)
                                   : weights_open(trainer, checkpoint, architecture, error);
    if (status ||
        transformer_training_begin(trainer->model, trainer->token_limit, options->recompute,
                                   error) ||
        optimiser_open(trainer, error))
        return error->status;
    if (checkpoint)
        return checkpoint_read(checkpoint, trainer->identity, &trainer->adamw, error);
    return STATUS_OK;
}

static enum status loss_of(struct trainer *trainer, const struct dataset *dataset,
                           struct metrics_line *line, struct error *error)
{
    double nll = 0;
    int64_t targets = 0;
    int64_t *order = memory_allocate_array((size_t)dataset->count, sizeof *order);
    for (int64_t i = 0; i < dataset->count; i++)
        order[i] = i;
    enum status status = STATUS_OK;
    for (int64_t done = 0; done < dataset->count && !status;) {
        struct cross_entropy_sums sums = {0};
        done +=
            dataset_pack(dataset, order + done, dataset->count - done, trainer->token_limit,
                         trainer->options->batch_size, &trainer->batch);
        transformer_loss(trainer->model, &trainer->batch, &sums);
        status = backend_sync(trainer->backend, error);
        nll += sums.nll;
        targets += sums.target_count;
    }
    free(order);
    line->validation_nll = nll / (double)targets;
    line->validation_tokens = targets;
    return status;
}

static int64_t targets_of(const struct dataset *dataset, const int64_t *examples,
                          int64_t count)
{
    int64_t targets = 0;
    for (int64_t i = 0; i < count; i++)
        targets += dataset->target_counts[examples[i]];
    return targets;
}

/* Gradients of one update: batches of batch_size examples, each in as many packs as fit. */
static int64_t gradients_make(struct trainer *trainer, const int64_t *examples,
                              int64_t count, float scale, struct metrics_line *line)
{
    const struct train_options *options = trainer->options;
    int64_t packs = 0;
    transformer_zero_gradients(trainer->model);
    for (int64_t done = 0; done < count;) {
        const int64_t in_batch = options->batch_size - done % options->batch_size;
        const int64_t left = count - done;
        done += dataset_pack(&trainer->examples, examples + done,
                             in_batch < left ? in_batch : left, trainer->token_limit,
                             options->batch_size, &trainer->batch);
        transformer_forward_backward(trainer->model, &trainer->batch,
                                     (float)options->label_smoothing, scale,
                                     &trainer->sums[packs++]);
        line->tokens += trainer->batch.token_count;
    }
    return packs;
}

static enum status update(struct trainer *trainer, int64_t step, struct metrics_line *line,
                          struct error *error)
{
    int64_t count;
    const double start = clock_seconds();
    const int64_t *examples = batch_order_step(&trainer->batches, step, &count);
    const int64_t targets = targets_of(&trainer->examples, examples, count);
    const struct adamw_options adamw_options = train_adamw_options(trainer->options);
    struct tensor weights = transformer_weights(trainer->model);
    struct tensor remainders = transformer_remainders(trainer->model);
    const struct tensor gradients = transformer_gradients(trainer->model);

    *line = (struct metrics_line){
        .step = step + 1,
        .epoch = (double)(step + 1) / (double)trainer->batches.steps_per_epoch,
        .lr = schedule_lr(&trainer->schedule, step),
        .target_tokens = targets,
        .validation_nll = (double)NAN,
    };
    const int64_t packs =
        gradients_make(trainer, examples, count, 1.0F / (float)targets, line);
    if (adamw_step(&trainer->adamw, &weights, &remainders, &gradients, line->lr,
                   &adamw_options, &line->gradient_norm, error))
        return error_prefix(error, "step %" PRId64, step + 1);
    for (int64_t i = 0; i < packs; i++) {
        line->loss += trainer->sums[i].loss / (double)targets;
        line->nll += trainer->sums[i].nll / (double)targets;
    }
    line->seconds = clock_seconds() - start;
    return STATUS_OK;
}

static bool due(int64_t every, int64_t step)
{
    return every > 0 && step % every == 0;
}

static enum status checkpoint_now(struct trainer *trainer, int64_t step,
                                  struct error *error)
{
    const struct checkpoint_place place = {.run = trainer->options->out,
                                           .metadata = trainer->start,
                                           .base = trainer->options->model,
                                           .identity = trainer->identity};
    if (checkpoint_write(&place, trainer->model, &trainer->adamw, step, error))
        return error->status;
    return checkpoint_prune(trainer->options->out, trainer->options->keep, error);
}

static enum status steps_run(struct trainer *trainer, struct error *error)
{
    const struct train_options *options = trainer->options;
    struct progress progress;
    enum status status = STATUS_OK;
    progress_begin(&progress, "train", trainer->adamw.step, trainer->total_steps);
    for (int64_t step = trainer->adamw.step; step < trainer->total_steps && !status;
         step++) {
        struct metrics_line line;
        status = update(trainer, step, &line, error);
        if (!status && due(options->validate_every, step + 1))
            status = loss_of(trainer, &trainer->validation, &line, error);
        if (!status)
            status = metrics_append(&trainer->metrics, &line, error);
        if (!status && due(options->save_every, step + 1))
            status = checkpoint_now(trainer, step + 1, error);
        if (!status)
            progress_update(&progress, step + 1, "loss %.4f  lr %.2e  %.0f tokens/s",
                            line.loss, line.lr, (double)line.tokens / line.seconds);
    }
    progress_end(&progress);
    return status;
}

static enum dtype dtype_of_name(const char *name)
{
    return strcmp(name, "bf16") == 0  ? DTYPE_BF16
           : strcmp(name, "f16") == 0 ? DTYPE_F16
                                      : DTYPE_F32;
}

static enum status trained_write(const struct trainer *trainer, const char *directory,
                                 struct error *error)
{
    const enum dtype stored = dtype_of_name(trainer->options->save_dtype);
    if (trainer->options->lora)
        return transformer_write_adapter(trainer->model, trainer->options->model, directory,
                                         stored, error);
    return transformer_write_weights(trainer->model, directory, stored, error);
}

static enum status final_write(struct trainer *trainer, struct error *error)
{
    char *temporary = path_join(trainer->options->out, "final.tmp");
    char *final = path_join(trainer->options->out, "final");
    enum status status = file_remove_tree(temporary, error);
    if (!status)
        status = file_make_directories(temporary, error);
    if (!status)
        status = model_directory_copy_metadata(trainer->start, temporary, error);
    if (!status)
        status = trained_write(trainer, temporary, error);
    if (!status)
        status = file_rename_directory(temporary, final, error);
    if (!status)
        log_info("the %s is in %s", trainer->options->lora ? "adapter" : "model", final);
    free(temporary);
    free(final);
    return status;
}

static enum status metrics_open(struct trainer *trainer, struct error *error)
{
    char *path = path_join(trainer->options->out, "metrics.jsonl");
    bool torn;
    enum status status = metrics_cut(path, trainer->adamw.step, error);
    if (!status)
        status = file_log_open(&trainer->metrics, path, &torn, error);
    free(path);
    return status;
}

static enum status config_write(const struct train_options *options, struct error *error)
{
    struct train_options copy = *options;
    copy.resume = false;
    struct text_buffer yaml = {0};
    options_print_yaml(&train_command_line, &copy, &yaml);
    char *path = path_join(options->out, "config.yaml");
    enum status status =
        file_write_all(path, text_buffer_string(&yaml), yaml.length, error);
    free(path);
    text_buffer_release(&yaml);
    return status;
}

/* Whether --out is free, resumable, or already finished (*finished). */
static enum status run_check(const struct train_options *options, bool *finished,
                             struct error *error)
{
    char *final = path_join(options->out, "final");
    char *config = path_join(options->out, "config.yaml");
    enum status status = STATUS_OK;
    *finished = options->resume && file_is_directory(final);
    if (!options->resume && file_exists(config))
        status = error_set(error, STATUS_USAGE,
                           "%s holds a run already: continue it with --resume, or choose "
                           "another --out",
                           options->out);
    free(final);
    free(config);
    return status;
}

static void run_describe(const struct trainer *trainer, int64_t threads)
{
    const struct architecture *architecture = transformer_architecture(trainer->model);
    log_info("%s", backend_description(trainer->backend));
    log_info("%.1f million parameters, %" PRId64 " updates of up to %" PRId64
             " examples, %.0f MiB, %" PRId64 " threads",
             (double)architecture_parameter_count(architecture) / 1e6, trainer->total_steps,
             trainer->batches.examples_per_step,
             (double)transformer_bytes(trainer->model) / 1048576.0, threads);
}

/* Model and optimiser from the newest checkpoint or from the start, then all steps. */
static enum status trainer_run(struct trainer *trainer,
                               const struct architecture *architecture, struct error *error)
{
    const struct train_options *options = trainer->options;
    int64_t step;
    char *checkpoint = NULL;
    plan(trainer, architecture->channels);
    if (identity_make(trainer, error) ||
        checkpoint_find(options->out, &step, &checkpoint, error))
        return error->status;
    if (checkpoint)
        log_info("resuming from %s", checkpoint);
    enum status status = model_open(trainer, checkpoint, architecture, error);
    free(checkpoint);
    if (status)
        return status;
    packed_batch_init(&trainer->batch, trainer->token_limit, options->batch_size);
    trainer->sums = memory_allocate_array((size_t)trainer->batches.examples_per_step,
                                          sizeof *trainer->sums);
    run_describe(trainer, backend_thread_count(trainer->backend));
    if (metrics_open(trainer, error) || steps_run(trainer, error))
        return error->status;
    if (!due(options->save_every, trainer->total_steps) && options->save_every &&
        checkpoint_now(trainer, trainer->total_steps, error))
        return error->status;
    return final_write(trainer, error);
}

enum status train_run(const struct train_options *options, struct error *error)
{
    struct trainer trainer = {.options = options};
    struct architecture architecture;
    bool finished = false;
    enum status status = STATUS_OK;
    log_quiet(options->quiet);
    if (!options->show)
        status = run_check(options, &finished, error);
    if (finished)
        log_info("%s is finished already", options->out);
    if (status || finished)
        return status;
    const struct backend_options backend_options = {.device = options->device,
                                                    .precision = options->precision,
                                                    .thread_count = (int)options->threads};
    status = backend_open(&trainer.backend, &backend_options, error);
    if (!status && !options->show)
        status = file_make_directories(options->out, error);
    if (!status)
        status = data_open(&trainer, &architecture, error);
    if (!status && !options->show)
        status = config_write(options, error);
    if (!status && options->show)
        show_examples(&trainer.examples, &trainer.mix, trainer.tokenizer, options->show);
    else if (!status)
        status = trainer_run(&trainer, &architecture, error);
    trainer_release(&trainer);
    return status;
}

int train_command(int argc, char **argv)
{
    struct train_options options;
    struct error error = {0};
    bool help_shown = false;
    train_options_defaults(&options);
    enum status status =
        options_parse(&train_command_line, argc, argv, &options, NULL, &help_shown, &error);
    if (!status && !help_shown)
        status = train_options_check(&options, &error);
    if (!status && !help_shown)
        status = train_run(&options, &error);
    if (status)
        log_error("%s", error.message);
    options_release(&train_command_line, &options);
    return status_exit_code(status);
}
