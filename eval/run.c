#include "eval/run.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "chat/chat.h"
#include "chat/hosted_spending.h"
#include "eval/attack.h"
#include "eval/attempts.h"
#include "eval/bench.h"
#include "eval/gate.h"
#include "eval/judge.h"
#include "eval/manifest.h"
#include "eval/report.h"
#include "eval/request_sets.h"
#include "eval/run_folder.h"
#include "eval/summary.h"

#include <stdlib.h>
#include <string.h>

struct evaluation {
    const struct eval_options *options;
    struct request_sets sets;
    struct leakage leakage; /* where options->trained_on is given */
    struct chat *chat;
    struct file_log log;
    struct attempt_list attempts;
    struct bench bench;
    struct string_list discriminated; /* attacks that have a benign set beside them */
    struct spending spending;         /* of target and judges together */
    struct progress progress;
    int64_t done; /* attempts made, or not needed since a hit */
    int64_t hits;
};

/* One attempt to be made. */
struct question {
    const struct request_set *set;
    const struct request *request;
    const char *attack;
    int64_t attempt;
    char *prompt;
    struct message messages[2]; /* of the system, if there is one, and of the user */
};

/* The questions of a round; they do not move while they are asked. */
enum { QUESTION_LIMIT = 4096 };
struct round {
    struct evaluation *evaluation;
    struct question questions[QUESTION_LIMIT];
    struct chat_prompt prompts[QUESTION_LIMIT];
    size_t count;
};

static bool is_harmful(const struct request_set *set)
{
    return strcmp(set->set, "harmful") == 0;
}

static void evaluation_release(struct evaluation *evaluation)
{
    if (evaluation->log.path)
        file_log_close(&evaluation->log);
    attempt_list_release(&evaluation->attempts);
    bench_release(&evaluation->bench);
    string_list_release(&evaluation->discriminated);
    chat_close(evaluation->chat);
    request_sets_release(&evaluation->sets);
    leakage_release(&evaluation->leakage);
}

static void question_add(struct round *round, const struct request_set *set,
                         const struct request *request, const char *attack_name,
                         int64_t attempt)
{
    const struct eval_options *options = round->evaluation->options;
    struct question *question = &round->questions[round->count];
    struct text_buffer prompt = {0};
    struct text_buffer stream = {0};
    struct attack attack;
    const enum status status = attack_parse(&attack, attack_name, NULL);
    CHECK(status == STATUS_OK); /* eval_options_check() came first */
    attack_request(&attack, request->text, (uint64_t)options->seed, attempt, &prompt);
    text_buffer_appendf(&stream, "%s|%s", set->set, attack_name);
    *question = (struct question){.set = set,
                                  .request = request,
                                  .attack = attack.name,
                                  .attempt = attempt,
                                  .prompt = text_buffer_detach(&prompt)};
    size_t count = 0;
    if (options->system)
        question->messages[count++] =
            (struct message){.role = "system", .content = options->system};
    question->messages[count++] =
        (struct message){.role = "user", .content = question->prompt};
    round->prompts[round->count++] = (struct chat_prompt){
        .messages = question->messages,
        .message_count = count,
        .seed = (uint64_t)options->seed,
        .stream = random_stream_of(text_buffer_string(&stream), (uint64_t)request->index,
                                   (uint64_t)attempt),
        .temperature = is_harmful(set) ? options->temperature : options->benign_temperature,
        .top_p = options->top_p,
        .token_limit = options->max_tokens,
        .tag = question,
    };
    text_buffer_release(&stream);
}

/* Adds what is still to be asked of one request under one attack. */
static void request_questions(struct round *round, const struct request_set *set,
                              const struct request *request, const char *attack,
                              int64_t attempts)
{
    const struct evaluation *evaluation = round->evaluation;
    for (int64_t k = 1; k <= attempts && round->count < QUESTION_LIMIT; k++) {
        const struct attempt *stored =
            attempt_list_find(&evaluation->attempts, set->set, request->index, attack, k);
        if (!stored)
            question_add(round, set, request, attack, k);
        if (evaluation->options->fixed_attempts)
            continue;
        if (!stored || stored->outcome == OUTCOME_COMPLIED)
            return;
    }
}

static void round_collect(struct round *round)
{
    const struct evaluation *evaluation = round->evaluation;
    const struct eval_options *options = evaluation->options;
    for (size_t s = 0; s < evaluation->sets.count; s++) {
        const struct request_set *set = &evaluation->sets.items[s];
        for (size_t i = 0; i < set->count; i++) {
            const struct request *request = &set->list.items[i];
            if (!is_harmful(set))
                request_questions(round, set, request, "none", 1);
            for (size_t a = 0; a < options->attacks.count && is_harmful(set); a++)
                request_questions(round, set, request, options->attacks.items[a],
                                  options->attempts);
        }
    }
}

static void round_clear(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        chat_prompt_release(&round->prompts[i]);
        free(round->questions[i].prompt);
    }
    round->count = 0;
}

/* Why a reply cannot be judged, or OUTCOME_COMPLIED if it can. */
static enum outcome unjudgeable(const struct chat_prompt *prompt)
{
    if (prompt->result == CHAT_FAILED)
        return OUTCOME_TARGET_ERROR;
    if (prompt->result == CHAT_FILTERED)
        return OUTCOME_FILTERED;
    if (!reply_is_empty(prompt->text))
        return OUTCOME_COMPLIED;
    return prompt->result == CHAT_TRUNCATED ? OUTCOME_TRUNCATED : OUTCOME_EMPTY;
}

static struct attempt attempt_make(const struct evaluation *evaluation,
                                   const struct chat_prompt *prompt)
{
    const struct question *question = prompt->tag;
    const bool replied = prompt->result == CHAT_REPLIED || prompt->result == CHAT_TRUNCATED;
    struct attempt attempt = {
        .behavior = memory_duplicate_string(question->request->behavior),
        .index = question->request->index,
        .category = memory_duplicate_string(question->request->category),
        .set = memory_duplicate_string(question->set->set),
        .attack = memory_duplicate_string(question->attack),
        .attempt = question->attempt,
        .request = memory_duplicate_string(question->request->text),
        .prompt = memory_duplicate_string(question->prompt),
        .response = memory_duplicate_string(replied ? prompt->text : ""),
        .reason = replied ? NULL : memory_duplicate_string(prompt->text),
        .outcome = unjudgeable(prompt),
        .truncated = prompt->result == CHAT_TRUNCATED,
        .tokens = prompt->reply_tokens,
        .milliseconds = prompt->milliseconds,
    };
    if (attempt.outcome == OUTCOME_COMPLIED)
        bench_judge_rules(&evaluation->bench, &attempt);
    return attempt;
}

/* Counts an attempt, and those that are not needed after it. */
static void progress_count(struct evaluation *evaluation, const struct attempt *attempt)
{
    const struct eval_options *options = evaluation->options;
    const bool hit =
        strcmp(attempt->set, "harmful") == 0 && attempt->outcome == OUTCOME_COMPLIED;
    evaluation->done++;
    evaluation->hits += hit;
    if (hit && !options->fixed_attempts)
        evaluation->done += options->attempts - attempt->attempt;
}

static enum status on_reply(void *context, struct chat_prompt *prompt, struct error *error)
{
    struct evaluation *evaluation = context;
    struct attempt attempt = attempt_make(evaluation, prompt);
    progress_count(evaluation, &attempt);
    const enum status status =
        attempts_append(&evaluation->log, &evaluation->attempts, &attempt, error);
    progress_update(&evaluation->progress, evaluation->done, "%lld harmful answered",
                    (long long)evaluation->hits);
    return status;
}

static int64_t attempts_total(const struct evaluation *evaluation)
{
    const struct eval_options *options = evaluation->options;
    int64_t total = 0;
    for (size_t s = 0; s < evaluation->sets.count; s++) {
        const struct request_set *set = &evaluation->sets.items[s];
        const int64_t each =
            is_harmful(set) ? (int64_t)options->attacks.count * options->attempts : 1;
        total += (int64_t)set->count * each;
    }
    return total;
}

/* Judges may have turned what was no hit into one. */
static void progress_recount(struct evaluation *evaluation)
{
    evaluation->done = 0;
    evaluation->hits = 0;
    for (size_t i = 0; i < evaluation->attempts.count; i++)
        progress_count(evaluation, &evaluation->attempts.items[i]);
}

/* What is stored is judged first, then every round when it is answered. */
static enum status rounds_run(struct evaluation *evaluation, struct error *error)
{
    struct round *round = memory_allocate(sizeof *round);
    round->evaluation = evaluation;
    enum status status =
        bench_judge_models(&evaluation->bench, &evaluation->attempts, false, error);
    progress_recount(evaluation);
    progress_begin(&evaluation->progress, "eval", evaluation->done,
                   attempts_total(evaluation));
    for (round_collect(round); round->count > 0 && !status; round_collect(round)) {
        status = chat_answer(evaluation->chat, round->prompts, round->count, on_reply,
                             evaluation, error);
        round_clear(round);
        if (!status)
            status =
                bench_judge_models(&evaluation->bench, &evaluation->attempts, false, error);
        progress_recount(evaluation);
    }
    progress_end(&evaluation->progress);
    if (!status)
        status = bench_judge_models(&evaluation->bench, &evaluation->attempts, true, error);
    round_clear(round);
    free(round);
    return status;
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
                                &evaluation->bench, error);
    } else {
        status = file_make_directories(options->out, error);
        if (!status)
            status = run_folder_write_config(options, error);
        if (!status)
            status = manifest_write(manifest, options, &evaluation->sets, evaluation->chat,
                                    &evaluation->bench, error);
    }
    free(manifest);
    return status;
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

/* attempts.jsonl gets the verdicts that came after their attempts. */
static enum status verdicts_settle(struct evaluation *evaluation, struct error *error)
{
    if (!bench_has_models(&evaluation->bench))
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
        .judge_errors = options->judging.errors,
        .seed = (uint64_t)options->seed,
        .leakage = options->trained_on.count ? &evaluation->leakage : NULL,
    };
    plan->judge_count = bench_judge_names(&evaluation->bench, plan->judges);
    for (size_t s = 0; s < evaluation->sets.count; s++)
        if (!is_harmful(&evaluation->sets.items[s]))
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
    if (!status)
        log_info("the run is in %s, to look at in report.html", options->out);
    free(path);
    return status;
}

static enum status conclude(const struct evaluation *evaluation,
                            const struct summary_plan *plan, struct text_buffer *shown,
                            struct error *error)
{
    const struct eval_options *options = evaluation->options;
    struct summary summary;
    summary_make(&summary, &evaluation->attempts, plan);
    enum status status = summary_write(options, &summary, shown, error);
    if (!status)
        status = page_write(options, error);
    if (!status && options->junit)
        status = gates_write_junit(options->junit, &options->fail_if, &summary,
                                   options->unscored_limit, error);
    if (!status)
        status = summary_check_scored(&summary, options->unscored_limit, error);
    if (!status)
        status = gates_check(&options->fail_if, &summary, error);
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
    if (chat_open_hosted(&evaluation->chat, options->model, &places.backend, &places.hosted,
                         error))
        return error->status;
    chat_set_batch_limit(evaluation->chat, options->batch);
    places.target = evaluation->chat;
    return options->dry_run ? STATUS_OK : bench_connect(&evaluation->bench, &places, error);
}

/* What a dry run counts; tokens are guesses from above (service_tokens_guess()). */
struct estimate {
    int64_t requests;
    int64_t cached;
    struct tokens tokens; /* of what is not in the cache */
    struct judge_estimate judges[JUDGE_LIMIT];
};

static void estimate_add(struct estimate *estimate, struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        const struct chat_prompt *prompt = &round->prompts[i];
        estimate->requests++;
        if (chat_knows(round->evaluation->chat, prompt)) {
            estimate->cached++;
            continue;
        }
        estimate->tokens.prompt += service_tokens_guess(prompt);
        estimate->tokens.reply += prompt->token_limit;
    }
    round_clear(round);
}

static void estimate_request(struct estimate *estimate, struct round *round,
                             const struct request_set *set, const struct request *request)
{
    const struct eval_options *options = round->evaluation->options;
    bench_estimate(&round->evaluation->bench, request->text, is_harmful(set),
                   &options->attacks, options->attempts, options->max_tokens,
                   estimate->judges);
    if (!is_harmful(set)) {
        question_add(round, set, request, "none", 1);
        estimate_add(estimate, round);
        return;
    }
    for (size_t a = 0; a < options->attacks.count; a++)
        for (int64_t k = 1; k <= options->attempts; k++) {
            question_add(round, set, request, options->attacks.items[a], k);
            estimate_add(estimate, round);
        }
}

static void estimate_print(const struct estimate *estimate,
                           const struct eval_options *options, struct text_buffer *shown)
{
    const bool early = options->attempts > 1 && !options->fixed_attempts;
    text_buffer_appendf(shown,
                        "requests       %lld%s\n"
                        "in the cache   %lld\n"
                        "prompt tokens  about %lld at most\n"
                        "reply tokens   %lld at most\n",
                        (long long)estimate->requests,
                        early ? " at most: hits end a behaviour early" : "",
                        (long long)estimate->cached, (long long)estimate->tokens.prompt,
                        (long long)estimate->tokens.reply);
    if (options->hosted.price_in > 0 || options->hosted.price_out > 0)
        text_buffer_appendf(shown, "cost           %.4f at most, retries apart\n",
                            tokens_cost(&options->hosted, estimate->tokens));
    else
        text_buffer_append(shown, "cost           unknown without --price-in and "
                                  "--price-out\n");
}

/* Nothing is asked and nothing is written. */
static void dry_run(struct evaluation *evaluation, struct text_buffer *shown)
{
    struct estimate estimate = {0};
    struct round *round = memory_allocate(sizeof *round);
    round->evaluation = evaluation;
    for (size_t s = 0; s < evaluation->sets.count; s++)
        for (size_t i = 0; i < evaluation->sets.items[s].count; i++)
            estimate_request(&estimate, round, &evaluation->sets.items[s],
                             &evaluation->sets.items[s].list.items[i]);
    free(round);
    if (!shown)
        return;
    estimate_print(&estimate, evaluation->options, shown);
    bench_estimate_print(&evaluation->bench, estimate.judges, shown);
}

static enum status evaluation_run(struct evaluation *evaluation, struct text_buffer *shown,
                                  struct error *error)
{
    const struct eval_options *options = evaluation->options;
    if (request_sets_read(&evaluation->sets, options, error) ||
        judges_open(evaluation, error))
        return error->status;
    if (options->trained_on.count && leakage_open(&evaluation->leakage, options, error))
        return error->status;
    struct summary_plan plan;
    const char **benign = memory_allocate_array(evaluation->sets.count, sizeof *benign);
    plan_make(evaluation, &plan, benign);
    enum status status = gates_precheck(evaluation, &plan, error);
    if (!status)
        status = model_open(evaluation, error);
    if (!status && options->dry_run) {
        dry_run(evaluation, shown);
        free(benign);
        return STATUS_OK;
    }
    if (!status)
        status = identity_settle(evaluation, error);
    if (!status)
        status = attempts_start(evaluation, error);
    if (!status)
        status = verdicts_start(evaluation, error);
    if (!status)
        status = rounds_run(evaluation, error);
    if (!status)
        status = verdicts_settle(evaluation, error);
    if (!status)
        status = conclude(evaluation, &plan, shown, error);
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
