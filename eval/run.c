#include "eval/run.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "eval/gate.h"
#include "eval/manifest.h"
#include "eval/report.h"
#include "eval/run_folder.h"
#include "eval/run_rounds.h"
#include "eval/summary.h"
#include "eval/typographic.h"
#include "eval/unscored.h"

#include <stdlib.h>
#include <string.h>

static void evaluation_release(struct evaluation *evaluation)
{
    if (evaluation->log.path)
        file_log_close(&evaluation->log);
    attempt_list_release(&evaluation->attempts);
    attack_words_release(&evaluation->words);
    bench_release(&evaluation->bench);
    string_list_release(&evaluation->discriminated);
    chat_close(evaluation->chat);
    request_sets_release(&evaluation->sets);
    leakage_release(&evaluation->leakage);
    trained_on_release(&evaluation->trained_on);
}

static enum status judges_open(struct evaluation *evaluation, struct error *error)
{
    const struct eval_options *options = evaluation->options;
    if (evaluation->sets.benign_past)
        string_list_add(&evaluation->discriminated, "past");
    if (evaluation->sets.benign_future)
        string_list_add(&evaluation->discriminated, "future");
    const struct bench_plan plan = eval_options_bench(options, &evaluation->discriminated);
    if (bench_open(&evaluation->bench, &plan, error))
        return error->status;
    return bench_number(&evaluation->bench, &evaluation->attempts, "", error);
}

/* A new run writes config and manifest; one that is there must be this very run. */
static enum status identity_settle(struct evaluation *evaluation, struct error *error)
{
    const struct eval_options *options = evaluation->options;
    char *manifest = path_join(options->out, "manifest.json");
    enum status status;
    if (file_exists(manifest)) {
        status = manifest_check(manifest, options, &evaluation->sets, evaluation->chat,
                                &evaluation->bench, &evaluation->words, error);
    } else {
        status = file_make_directories(options->out, error);
        if (!status)
            status = run_folder_write_config(options, error);
        if (!status)
            status = manifest_write(manifest, options, &evaluation->sets, evaluation->chat,
                                    &evaluation->bench, &evaluation->words, error);
    }
    free(manifest);
    return status;
}

/* The file keeps them until they have been made again. */
static void failures_forget(struct evaluation *evaluation)
{
    const int64_t count = attempt_list_forget_failures(
        &evaluation->attempts, !evaluation->options->fixed_attempts);
    if (count > 0)
        log_info("%lld of them failed (target_error) and are made again", (long long)count);
    evaluation->rewrites = count > 0 || evaluation->attempts.again_count > 0;
}

static enum status attempts_start(struct evaluation *evaluation, struct error *error)
{
    bool torn = false;
    char *path = path_join(evaluation->options->out, "attempts.jsonl");
    enum status status =
        attempts_open(&evaluation->log, &evaluation->attempts, path, &torn, error);
    if (torn)
        log_warning("%s: the last line was torn by a crash; its attempt is made again",
                    path);
    if (evaluation->attempts.duplicate_count > 0)
        log_warning("%s: %lld lines repeat an attempt and are left out: the first counts",
                    path, (long long)evaluation->attempts.duplicate_count);
    if (!status && evaluation->attempts.count > 0)
        log_info("%zu attempts are stored already", evaluation->attempts.count);
    if (!status)
        failures_forget(evaluation);
    free(path);
    return status;
}

static enum status verdicts_start(struct evaluation *evaluation, struct error *error)
{
    if (!bench_has_models(&evaluation->bench))
        return STATUS_OK;
    char *path = path_join(evaluation->options->out, "verdicts.jsonl");
    const enum status status =
        bench_resume(&evaluation->bench, &evaluation->attempts, path, error);
    free(path);
    return status;
}

/* attempts.jsonl gets the verdicts that came after their attempts, and loses what was made
 * again. */
static enum status attempts_settle(struct evaluation *evaluation, struct error *error)
{
    if (!bench_has_models(&evaluation->bench) && !evaluation->rewrites)
        return STATUS_OK;
    char *path = path_join(evaluation->options->out, "attempts.jsonl");
    file_log_close(&evaluation->log);
    const enum status status = attempts_write(&evaluation->attempts, path, error);
    free(path);
    return status;
}

static void plan_make(const struct evaluation *evaluation, struct summary_plan *plan,
                      const char **benign)
{
    const struct eval_options *options = evaluation->options;
    *plan = (struct summary_plan){
        .model = options->model,
        .success_word = bench_success_word(&evaluation->bench),
        .attempts = options->attempts,
        .fixed_attempts = options->fixed_attempts || options->attempts == 1,
        .refusal_judge = evaluation->bench.refusal->spec.name,
        .attacks = (const char *const *)options->attacks.items,
        .attack_count = options->attacks.count,
        .benign = benign,
        .benign_past = evaluation->sets.benign_past,
        .benign_future = evaluation->sets.benign_future,
        .attempts_may_lack = options->replay != NULL,
        .judge_errors = options->judging.errors,
        .seed = (uint64_t)options->seed,
        .leakage = evaluation->trained_on.specs.count ? &evaluation->leakage : NULL,
    };
    plan->judge_count = bench_judge_names(&evaluation->bench, plan->judges);
    for (size_t s = 0; s < evaluation->sets.count; s++)
        if (!set_is_harmful(&evaluation->sets.items[s]))
            benign[plan->benign_count++] = evaluation->sets.items[s].list.name;
}

/* Names in --fail-if, before hours are spent: against a summary of nothing. */
static enum status gates_precheck(const struct evaluation *evaluation,
                                  const struct summary_plan *plan, struct error *error)
{
    const struct attempt_list nothing = {0};
    struct summary summary;
    summary_make(&summary, &nothing, plan);
    const enum status status =
        gates_check_names(&evaluation->options->fail_if, &summary, error);
    summary_release(&summary);
    return status;
}

static enum status summary_write(const struct eval_options *options,
                                 const struct summary *summary, struct text_buffer *shown,
                                 struct error *error)
{
    struct text_buffer json = {0};
    char *path = path_join(options->out, "summary.json");
    summary_print_json(summary, &json);
    const enum status status =
        file_write_all(path, text_buffer_string(&json), json.length, error);
    if (!status && shown && options->json)
        text_buffer_append(shown, text_buffer_string(&json));
    else if (!status && shown)
        summary_print_table(summary, shown);
    text_buffer_release(&json);
    free(path);
    return status;
}

static enum status page_write(const struct eval_options *options, struct error *error)
{
    const char *const runs[] = {options->out};
    char *path = path_join(options->out, "report.html");
    const enum status status = report_write(runs, 1, path, error);
    if (!status) {
        file_remove_torn(options->out);
        log_info("the run is in %s, to look at in report.html", options->out);
    }
    free(path);
    return status;
}

static enum status conclude(const struct evaluation *evaluation,
                            const struct summary_plan *plan, struct text_buffer *shown,
                            struct error *error)
{
    const struct eval_options *options = evaluation->options;
    struct summary summary;
    struct error unscored = {0};
    typographic_warn(&evaluation->attempts);
    summary_make(&summary, &evaluation->attempts, plan);
    enum status status = summary_write(options, &summary, shown, error);
    if (!status)
        status = page_write(options, error);
    const bool scored = !summary_check_scored(&summary, options->unscored_limit, &unscored);
    if (!scored)
        unscored_explain(&unscored, &evaluation->attempts);
    if (!status)
        status = gates_conclude(&options->fail_if, &summary, options->junit,
                                scored ? NULL : unscored.message, error);
    summary_release(&summary);
    return status;
}

static enum status model_open(struct evaluation *evaluation, struct error *error)
{
    const struct eval_options *options = evaluation->options;
    struct bench_places places = {.backend = {.device = options->device,
                                              .precision = options->precision,
                                              .thread_count = (int)options->threads},
                                  .hosted = options->hosted,
                                  .batch_limit = options->batch};
    places.hosted.account = &evaluation->spending;
    if (options->dry_run && options->hosted.cache &&
        !file_is_directory(options->hosted.cache))
        places.hosted.cache = NULL; /* which holds nothing, and is not to be made */
    if (chat_open_hosted(&evaluation->chat, options->model, &places.backend, &places.hosted,
                         error))
        return error->status;
    chat_set_batch_limit(evaluation->chat, options->batch);
    places.target = evaluation->chat;
    if (options->dry_run)
        return STATUS_OK;
    if (attack_words_connect(&evaluation->words, evaluation->chat, &places.backend,
                             &places.hosted, error))
        return error->status;
    return bench_connect(&evaluation->bench, &places, error);
}

static enum status evaluation_run(struct evaluation *evaluation, struct text_buffer *shown,
                                  struct error *error)
{
    const struct eval_options *options = evaluation->options;
    if (request_sets_read(&evaluation->sets, options, error) ||
        attack_words_open(&evaluation->words, options, &evaluation->sets, error) ||
        judges_open(evaluation, error))
        return error->status;
    if (trained_on_find(&evaluation->trained_on, options, error))
        return error->status;
    if (evaluation->trained_on.specs.count &&
        leakage_open(&evaluation->leakage, &evaluation->trained_on, &evaluation->sets,
                     error))
        return error->status;
    struct summary_plan plan;
    const char **benign = memory_allocate_array(evaluation->sets.count, sizeof *benign);
    plan_make(evaluation, &plan, benign);
    enum status status = gates_precheck(evaluation, &plan, error);
    if (!status)
        status = model_open(evaluation, error);
    if (!status && options->dry_run) {
        rounds_estimate(evaluation, shown);
        free(benign);
        return STATUS_OK;
    }
    if (!status)
        status = identity_settle(evaluation, error);
    if (!status)
        status = attempts_start(evaluation, error);
    if (!status)
        status = verdicts_start(evaluation, error);
    interrupt_hint("what was answered is stored: go on with `holdfast eval --config "
                   "%s/config.yaml --resume`",
                   options->out);
    if (!status)
        status = rounds_run(evaluation, error);
    if (!status)
        status = attempts_settle(evaluation, error);
    if (!status)
        status = conclude(evaluation, &plan, shown, error);
    interrupt_clear();
    if (status && status != STATUS_UNMEASURED && status != STATUS_GATE &&
        evaluation->log.path)
        log_info(
            "%zu attempts are stored in %s: go on with --resume, or count them as they "
            "are with `holdfast score --artifact %s/attempts.jsonl`",
            evaluation->attempts.count, options->out, options->out);
    free(benign);
    return status;
}

enum status eval_run_showing(const struct eval_options *options, struct text_buffer *shown,
                             struct error *error)
{
    struct evaluation evaluation = {.options = options};
    log_quiet(options->quiet);
    enum status status = options->dry_run ? STATUS_OK : run_folder_check(options, error);
    if (!status)
        status = evaluation_run(&evaluation, shown, error);
    evaluation_release(&evaluation);
    return status;
}

enum status eval_run(const struct eval_options *options, struct error *error)
{
    return eval_run_showing(options, NULL, error);
}
