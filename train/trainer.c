#include "train/trainer.h"

#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoints/model_directory.h"
#include "train/checkpoint.h"
#include "train/leak_guard.h"
#include "train/show.h"
#include "train/trainer_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
    training_data_release(&trainer->trained_on);
    free(trainer->start);
    free(trainer->out.first_missing);
    mix_release(&trainer->mix);
    ranks_close_collectives(&trainer->ranks);
    backend_close(trainer->backend);
}

static bool due(int64_t every, int64_t step)
{
    return every > 0 && step % every == 0;
}

static enum status checkpoint_now(struct trainer *trainer, int64_t step,
                                  struct error *error)
{
    const struct checkpoint_place place = trainer_checkpoint_place(trainer);
    if (checkpoint_write(&place, trainer->model, &trainer->adamw, step, error))
        return error->status;
    if (!ranks_is_first(&trainer->ranks))
        return STATUS_OK;
    return checkpoint_prune(trainer->options->out, trainer->options->keep, error);
}

/* What was computed is reported, whatever has failed since. */
static enum status report_last(struct trainer *trainer, enum status status,
                               struct error *error)
{
    struct error later = {0};
    const enum status reported = trainer_report(trainer, status ? &later : error);
    return status ? status : reported;
}

/* A line that is synced to the disk takes a device's time unless it is written while the
 * next update is computed; what comes before a checkpoint is on the disk before it. */
static enum status steps_run(struct trainer *trainer, struct error *error)
{
    const struct train_options *options = trainer->options;
    const bool overlaps = !backend_on_host(trainer->backend);
    struct progress progress;
    enum status status = STATUS_OK;
    progress_begin(&progress, "train", trainer->adamw.step, trainer->total_steps);
    for (int64_t step = trainer->adamw.step; step < trainer->total_steps && !status;
         step++) {
        struct metrics_line line;
        status = trainer_update(trainer, step, &line, error);
        if (!status && due(options->validate_every, step + 1))
            status = trainer_validate(trainer, &line, error);
        if (!status)
            trainer->pending = line;
        const bool saves = due(options->save_every, step + 1);
        if (!status && (saves || !overlaps))
            status = trainer_report(trainer, error);
        if (!status && saves)
            status = checkpoint_now(trainer, step + 1, error);
        if (!status)
            progress_update(&progress, step + 1, "loss %.4f  lr %.2e  %.0f tokens/s",
                            line.loss, line.lr, (double)line.tokens / line.seconds);
    }
    progress_end(&progress);
    return report_last(trainer, status, error);
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
    if (architecture_copy_config(trainer->start, directory, stored, error))
        return error->status;
    return transformer_write_weights(trainer->model, directory, stored, error);
}

static const char *final_name(const struct trainer *trainer)
{
    if (trainer->options->lora)
        return "adapter";
    return trainer->text_part ? "model's text part, without the one that sees images,"
                              : "model";
}

static enum status final_place(struct trainer *trainer, struct error *error)
{
    char *temporary = path_join(trainer->options->out, "final.tmp");
    char *final = path_join(trainer->options->out, "final");
    enum status status = file_remove_tree(temporary, error);
    if (!status)
        status = file_make_directories(temporary, error);
    if (!status)
        status = model_directory_copy_metadata(trainer->start, temporary, error);
    if (!status)
        status = training_data_write(&trainer->trained_on, temporary, error);
    if (!status)
        status = trained_write(trainer, temporary, error);
    if (!status)
        status = file_rename_directory(temporary, final, error);
    if (status)
        file_remove_tree(temporary, NULL);
    if (!status)
        log_info("the %s is in %s", final_name(trainer), final);
    free(temporary);
    free(final);
    return status;
}

/* No rank ends well before the result is on the disk. */
static enum status final_write(struct trainer *trainer, struct error *error)
{
    struct tensor remainders = transformer_remainders(trainer->model);
    if (adamw_gather_remainders(&trainer->adamw, &remainders, error))
        return error->status;
    if (ranks_is_first(&trainer->ranks) ? final_place(trainer, error)
                                        : transformer_serve_weights(trainer->model, error))
        return error->status;
    return ranks_barrier(&trainer->ranks, error);
}

static enum status metrics_open(struct trainer *trainer, struct error *error)
{
    if (!ranks_is_first(&trainer->ranks))
        return STATUS_OK;
    char *path = path_join(trainer->options->out, "metrics.jsonl");
    bool torn;
    enum status status = metrics_cut(path, trainer->adamw.step, error);
    if (!status)
        status = file_log_open(&trainer->metrics, path, &torn, error);
    free(path);
    return status;
}

/* Only once a checkpoint was found to be of these settings: a --resume that is refused
 * leaves those of the run alone. */
static enum status config_write(const struct trainer *trainer, struct error *error)
{
    const struct train_options *options = trainer->options;
    if (!ranks_is_first(&trainer->ranks))
        return STATUS_OK;
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

/* A finished run is not what was asked for if it was made with other settings. Paths are
 * not compared: they may be written in several ways. */
static enum status finished_check(const struct train_options *options, const char *config,
                                  struct error *error)
{
    static const char *const names[] = {
        "lora",       "lora-alpha",  "lora-targets", "lora-dropout",
        "rslora",     "dora",        "quantize",     "epochs",
        "step-limit", "batch-size",  "accumulation", "max-length",
        "overlong",   "lr",          "schedule",     "warmup",
        "lr-floor",   "decay-share", "beta1",        "beta2",
        "epsilon",    "clip-norm",   "weight-decay", "label-smoothing",
        "seed",       "moments",     "masters",      "save-dtype",
        "precision",  NULL};
    char command[] = "holdfast train", option[] = "--config";
    char *path = memory_duplicate_string(config);
    char *argv[] = {command, option, path, NULL};
    struct train_options stored;
    struct text_buffer why = {0};
    bool help_shown;
    text_buffer_appendf(&why,
                        "is another one in %s, and that run is finished: choose "
                        "another --out",
                        config);
    train_options_defaults(&stored);
    enum status status =
        options_parse(&train_command_line, 3, argv, &stored, NULL, &help_shown, error);
    if (!status)
        status = options_check_equal(&train_command_line, options, &stored, names,
                                     text_buffer_string(&why), error);
    options_release(&train_command_line, &stored);
    text_buffer_release(&why);
    free(path);
    return status;
}

/* Whether --out is free, resumable, or already finished (*finished). */
static enum status out_check(const struct train_options *options, int64_t *finished,
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
    if (*finished && file_exists(config))
        status = finished_check(options, config, error);
    free(final);
    free(config);
    return status;
}

/* By rank 0, once it is known that the run may begin there. */
static enum status out_make(struct trainer *trainer, struct error *error)
{
    const struct train_options *options = trainer->options;
    trainer->out.first_missing = file_first_missing(options->out);
    trainer->out.had_config = file_exists_in(options->out, "config.yaml");
    trainer->out.had_start = file_exists_in(options->out, "start");
    trainer->out.made = true;
    return options->show ? STATUS_OK : file_make_directories(options->out, error);
}

/* A run that did not begin leaves --out as it was, for the next try. */
static void out_take_back(struct trainer *trainer)
{
    const struct train_options *options = trainer->options;
    if (!trainer->out.made)
        return;
    if (trainer->out.first_missing)
        file_remove_made(options->out, trainer->out.first_missing);
    else if (!trainer->out.had_config)
        file_remove_in(options->out, "config.yaml");
    if (!trainer->out.first_missing && !trainer->out.had_start)
        file_remove_in(options->out, "start");
}

/* Ranks may differ in where they compute, and in nothing else: else they would wait for one
 * another at different places. */
static enum status options_agree(struct trainer *trainer, struct error *error)
{
    char nowhere[] = "";
    struct train_options copy = *trainer->options;
    struct text_buffer yaml = {0};
    copy.device = nowhere;
    copy.threads = 0;
    copy.quiet = false;
    options_print_yaml(&train_command_line, &copy, &yaml);
    const enum status status =
        ranks_agree(&trainer->ranks, text_buffer_string(&yaml), "options differ", error);
    text_buffer_release(&yaml);
    return status;
}

/* Meets the other ranks; rank 0 looks for all. With --show nothing is looked for. */
static enum status run_begin(struct trainer *trainer, int64_t *finished,
                             struct error *error)
{
    const struct train_options *options = trainer->options;
    *finished = 0;
    if (ranks_open(&trainer->ranks, options, error) || options_agree(trainer, error))
        return error->status;
    if (!ranks_is_first(&trainer->ranks))
        log_quiet(true);
    else if (!options->show && out_check(options, finished, error))
        return error->status;
    return ranks_broadcast(&trainer->ranks, finished, error);
}

/* What --precision auto has become, and whether NCCL or TCP connects them: what ranks send
 * one another has other sizes else, and some would wait for ever. */
static enum status devices_agree(struct trainer *trainer, struct error *error)
{
    struct text_buffer text = {0};
    const struct backend *backend = trainer->backend;
    text_buffer_appendf(&text, "%s, weights in %s, activations in %s, products of %s",
                        backend_name(backend), dtype_name(backend_compute_dtype(backend)),
                        dtype_name(backend_activation_dtype(backend)),
                        backend_fp8(backend) ? "FP8"
                                             : dtype_name(backend_operand_dtype(backend)));
    const enum status status =
        ranks_agree(&trainer->ranks, text_buffer_string(&text),
                    "device or precision differ (--device, --precision)", error);
    text_buffer_release(&text);
    return status;
}

static enum status devices_open(struct trainer *trainer, struct error *error)
{
    char device[RANKS_DEVICE_BYTES];
    const struct backend_options options =
        ranks_backend_options(&trainer->ranks, trainer->options, device);
    if (backend_open(&trainer->backend, &options, error) || devices_agree(trainer, error))
        return error->status;
    return ranks_open_collectives(&trainer->ranks, trainer->backend, error);
}

static void run_describe(const struct trainer *trainer, int64_t threads)
{
    const struct architecture *architecture = transformer_architecture(trainer->model);
    log_info("%s", backend_description(trainer->backend));
    if (ranks_size(&trainer->ranks) > 1)
        log_info("%d ranks share the examples of each update, and the optimiser's work%s",
                 ranks_size(&trainer->ranks),
                 transformer_is_sharded(trainer->model) ? "; weights are shared out" : "");
    log_info("%.1f million parameters, %" PRId64 " updates of up to %" PRId64
             " examples, %.0f MiB, %" PRId64 " threads",
             (double)architecture_parameter_count(architecture) / 1e6, trainer->total_steps,
             trainer->batches.examples_per_step,
             (double)transformer_bytes(trainer->model) / 1048576.0, threads);
    if (trainer->schedule.warmup_steps >= trainer->total_steps &&
        trainer->schedule.warmup_steps > 0 && ranks_is_first(&trainer->ranks))
        log_warning("the warmup takes all %" PRId64
                    " updates: the learning rate never reaches --lr; lower --warmup",
                    trainer->total_steps);
}

/* What to do after Ctrl-C; the other ranks leave the word to the first. */
static void hint_at_resuming(const struct trainer *trainer)
{
    const struct train_options *options = trainer->options;
    if (!ranks_is_first(&trainer->ranks))
        interrupt_hint("rank %d ends", trainer->ranks.launch.rank);
    else if (options->save_every)
        interrupt_hint("go on from the newest checkpoint with `holdfast train --config "
                       "%s/config.yaml --resume`",
                       options->out);
    else
        interrupt_hint("no checkpoint was asked for (--save-every N): `holdfast train "
                       "--config %s/config.yaml --resume` begins again",
                       options->out);
}

/* Model and optimiser from the newest checkpoint or from the start, then all steps. */
static enum status trainer_run(struct trainer *trainer,
                               const struct architecture *architecture, struct error *error)
{
    const struct train_options *options = trainer->options;
    int64_t step;
    char *checkpoint = NULL;
    trainer_plan(trainer, architecture->channels);
    if (trainer_make_identity(trainer, error) ||
        checkpoint_find(options->out, &step, &checkpoint, error))
        return error->status;
    if (checkpoint)
        log_info("resuming from %s", checkpoint);
    enum status status =
        ranks_agree(&trainer->ranks, checkpoint ? path_base_name(checkpoint) : "none",
                    "the newest checkpoint", error);
    if (!status)
        status = trainer_open_model(trainer, checkpoint, architecture, error);
    free(checkpoint);
    if (status)
        return status;
    packed_batch_init(&trainer->batch, trainer->token_limit, options->batch_size);
    trainer->sums = memory_allocate_array((size_t)trainer->batches.examples_per_step,
                                          sizeof *trainer->sums);
    run_describe(trainer, backend_thread_count(trainer->backend));
    trainer->out.made = false; /* the run begins, and what it writes stays */
    if (config_write(trainer, error) || metrics_open(trainer, error))
        return error->status;
    if (ranks_is_first(&trainer->ranks)) {
        file_remove_torn(options->out);
        if (options->init)
            file_remove_torn(trainer->start);
    }
    hint_at_resuming(trainer);
    status = steps_run(trainer, error);
    interrupt_clear();
    if (status)
        return status;
    if (!due(options->save_every, trainer->total_steps) && options->save_every &&
        checkpoint_now(trainer, trainer->total_steps, error))
        return error->status;
    /* A run that was killed after its last step, while it removed old ones. */
    if (options->save_every && ranks_is_first(&trainer->ranks) &&
        checkpoint_prune(options->out, options->keep, error))
        return error->status;
    return final_write(trainer, error);
}

static enum status run(struct trainer *trainer, struct error *error)
{
    const struct train_options *options = trainer->options;
    const bool first = ranks_is_first(&trainer->ranks);
    struct architecture architecture;
    enum status status = options->show ? STATUS_OK : leak_guard(options, error);
    if (!status)
        status = devices_open(trainer, error);
    if (!status && first && options->out) /* --show needs none */
        status = out_make(trainer, error);
    if (!status)
        status = trainer_open_data(trainer, &architecture, error);
    if (status || !options->show)
        return status ? status : trainer_run(trainer, &architecture, error);
    if (first)
        show_examples(&trainer->examples, &trainer->mix, trainer->tokenizer, options->show);
    return STATUS_OK;
}

enum status train_run(const struct train_options *options, struct error *error)
{
    struct trainer trainer = {.options = options};
    int64_t finished;
    log_quiet(options->quiet);
    enum status status = run_begin(&trainer, &finished, error);
    if (!status && finished)
        log_info("%s is finished already", options->out);
    else if (!status)
        status = run(&trainer, error);
    if (status)
        ranks_cause(&trainer.ranks, error);
    ranks_close(&trainer.ranks, status ? error->message : NULL);
    out_take_back(&trainer); /* behind it: others may still read there */
    trainer_release(&trainer);
    if (status && trainer.ranks.launch.size > 1 && trainer.ranks.launch.rank >= 0)
        error_prefix(error, "rank %d", trainer.ranks.launch.rank);
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
        status = ranks_check(&error);
    if (status) {
        ranks_decline(&error);
    } else if (!help_shown) {
        status = train_run(&options, &error);
        if (status)
            log_error("%s", error.message);
    }
    options_release(&train_command_line, &options);
    return status_exit_code(status);
}
