#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "chat/chat.h"
#include "eval/artifact.h"
#include "eval/artifact_columns.h"
#include "eval/bench.h"
#include "eval/eval_command.h"
#include "eval/gate.h"
#include "eval/summary.h"
#include "eval/typographic.h"
#include "text/tense.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct score_options {
    char *artifact;
    struct string_list columns;
    char *benign;
    char *behaviors;
    struct string_list judges;
    char *refusal_judge;
    struct judge_options judging;
    char *verdicts; /* file; NULL: none is kept */
    struct hosted_options hosted;
    char *device;
    char *precision;
    int64_t threads;
    int64_t batch;
    bool quiet;
    double unscored_limit;
    struct string_list fail_if;
    char *junit;
    bool json;
};

#define FIELD(name) offsetof(struct score_options, name)

static const struct option_entry entries[] = {
    {"artifact", OPTION_STRING, FIELD(artifact), "FILE",
     "the paper's result file or JailbreakBench's (JSON), or a run's attempts.jsonl; with "
     "--columns any CSV, JSON, JSONL or Parquet, FILE?FIELD=VALUE[&FIELD=VALUE] for the "
     "rows that match",
     "Score"},
    {"columns", OPTION_LIST, FIELD(columns), "NAME=PATH",
     "where things stand in a file of others: request and response, and if they are there "
     "prompt, index, attempt, attack, category, hit or miss (a stored verdict), "
     "rows (where the rows are). a.b is b in a, a.0 and a.-1 the first and the last, a.* "
     "all",
     NULL},
    {"benign", OPTION_STRING, FIELD(benign), "NAME",
     "with --columns: the requests are harmless, refusals are counted; the set's name",
     NULL},
    {"behaviors", OPTION_STRING, FIELD(behaviors), "SPEC",
     "the list that was asked, for categories; joined on the index", NULL},
    {"judge", OPTION_LIST, FIELD(judges), "JUDGE",
     "judges to run afresh, shown as NAME_replayed (default rules): rules, xstest, "
     "classifier, rating:TARGET, safety:TARGET, refusal3:TARGET, prompt=FILE:TARGET, as of "
     "`holdfast eval`",
     NULL},
    {"verdicts", OPTION_STRING, FIELD(verdicts), "FILE",
     "keep what chat models say of each reply there (JSONL), and go on from it", NULL},
    {"refusal-judge", OPTION_STRING, FIELD(refusal_judge), "NAME",
     "whose verdict counts refusals of benign sets (default that of the run, else xstest; "
     "with --benign xstest_replayed)",
     NULL},
    JUDGE_PROMPT_ENTRIES(FIELD(judging)),
    JUDGE_ERROR_ENTRIES(FIELD(judging)),
    HOSTED_OPTION_ENTRIES(FIELD(hosted)),
    JUDGE_OWN_PRICE_ENTRY(FIELD(judging)),
    {"device", OPTION_STRING, FIELD(device), "NAME", "cpu, cuda, or cuda:N for GPU N",
     "Local judges"},
    {"precision", OPTION_STRING, FIELD(precision), "NAME",
     "fp32, bf16 or auto: bf16 on GPUs and on CPUs with AVX-512 BF16, else fp32", NULL},
    {"threads", OPTION_INTEGER, FIELD(threads), "N", "CPU threads (0: all cores)", NULL},
    {"batch", OPTION_INTEGER, FIELD(batch), "N",
     "prompts at once (0: chosen); changes no reply", NULL},
    {"unscored-limit", OPTION_NUMBER, FIELD(unscored_limit), "X",
     "exit with 3 if a chat model could not judge a larger share of the behaviours", NULL},
    {"fail-if", OPTION_LIST, FIELD(fail_if), "GATE",
     "as of `holdfast eval`; also asr_corrected", "Output"},
    {"junit", OPTION_STRING, FIELD(junit), "FILE",
     "write the gates as JUnit XML, for CI: a test case each", NULL},
    {"json", OPTION_BOOL, FIELD(json), NULL, "print a summary.json instead of a table",
     NULL},
    {"quiet", OPTION_BOOL, FIELD(quiet), NULL, "only warnings and errors", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command_line = {
    .name = "holdfast score",
    .summary = "Judges stored replies again, beside the verdicts that are stored.",
    .examples = "  holdfast score --artifact results.json --behaviors jbb.csv:Goal --json\n"
                "  holdfast score --artifact run/attempts.jsonl --judge rules,xstest\n"
                "  holdfast score --artifact results.json --judge "
                "rating:openai:http://localhost:8000/v1#NAME --verdicts said.jsonl\n"
                "  holdfast score --artifact attack-artifacts/PAIR/black_box/NAME.json\n"
                "  # garak, promptfoo, lm-evaluation-harness, HarmBench, StrongREJECT\n"
                "  holdfast score --artifact "
                "'garak.report.jsonl?status=2&probe_classname=NAME' --columns "
                "request=prompt.turns.-1.content.text,response=outputs.*.text\n"
                "  holdfast score --artifact promptfoo.json --columns "
                "rows=results.results,request=vars.request,response=response.output,"
                "miss=success\n"
                "  holdfast score --artifact samples_TASK_DATE.jsonl --columns "
                "request=doc.goal,response=resps.*.*,index=doc_id\n"
                "  holdfast score --artifact completions.json --columns "
                "'rows=*.*,request=test_case,response=generation,hit=label'\n"
                "  holdfast score --artifact strongreject.csv --columns "
                "request=forbidden_prompt,response=response,hit=score\n"
                "  holdfast score --artifact results.json --q0 0.95 --q1 0.9 --m0 50 --m1 "
                "50\n",
    .positional = NULL,
    .entries = entries,
};

/* The names that the attempts bring up: borrowed from them. */
struct found_names {
    const char **attacks;
    size_t attack_count;
    const char **benign;
    size_t benign_count;
};

static bool has_attack(const struct attempt_list *list, const char *attack)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].set, "harmful") == 0 &&
            strcmp(list->items[i].attack, attack) == 0)
            return true;
    return false;
}

static bool is_named(const struct found_names *names, const char *attack)
{
    for (size_t i = 0; i < names->attack_count; i++)
        if (strcmp(names->attacks[i], attack) == 0)
            return true;
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Attacks in the order of tenses, then others as they come; benign sets by name. */
static void names_find(struct found_names *names, const struct attempt_list *list)
{
    static const char prefix[] = "benign:";
    size_t kept = 0;
    *names = (struct found_names){
        .attacks = memory_allocate_array(list->count + TENSE_COUNT, sizeof *names->attacks),
        .benign = memory_allocate_array(list->count, sizeof *names->benign)};
    for (int i = 0; i < TENSE_COUNT; i++)
        if (has_attack(list, tense_name((enum tense)i)))
            names->attacks[names->attack_count++] = tense_name((enum tense)i);
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].set, "harmful") == 0 &&
            !is_named(names, list->items[i].attack))
            names->attacks[names->attack_count++] = list->items[i].attack;
    for (size_t i = 0; i < list->count; i++)
        if (text_starts_with(list->items[i].set, prefix))
            names->benign[names->benign_count++] = list->items[i].set + strlen(prefix);
    qsort(names->benign, names->benign_count, sizeof *names->benign, compare_names);
    for (size_t i = 0; i < names->benign_count; i++)
        if (i == 0 || strcmp(names->benign[i], names->benign[i - 1]) != 0)
            names->benign[kept++] = names->benign[i];
    names->benign_count = kept;
}

static void names_release(struct found_names *names)
{
    free(names->attacks);
    free(names->benign);
}

/* Whether some behaviour was attacked again after the main judge's hit. */
static bool is_fixed(const struct artifact *artifact)
{
    const struct attempt_list *list = &artifact->list;
    if (artifact->run.is_known && artifact->run.fixed_attempts)
        return true;
    for (size_t i = 0; i < list->count && !artifact->earlier_missed; i++) {
        const struct attempt *attempt = &list->items[i];
        if (attempt->outcome == OUTCOME_COMPLIED &&
            attempt_list_find(list, attempt->set, attempt->index, attempt->attack,
                              attempt->attempt + 1))
            return true;
    }
    return artifact->attempts == 1;
}

/* Of a run those that `holdfast eval` names, in its order: a judge that only confirms or
 * counts refusals says nothing of all attacks. */
static void judges_plan(struct summary_plan *plan, const struct artifact *artifact)
{
    const struct artifact_run *run = &artifact->run;
    const size_t stored = run->is_known ? 0 : artifact->stored_judge_count;
    for (size_t i = 0; i < run->judges.count; i++)
        plan->judges[plan->judge_count++] = run->judges.items[i];
    for (size_t i = 0; i < stored; i++)
        plan->judges[plan->judge_count++] = artifact->list.judges[i];
    for (size_t i = artifact->stored_judge_count; i < artifact->list.judge_count; i++)
        plan->judges[plan->judge_count++] = artifact->list.judges[i];
}

static const char *refusal_judge_of(const struct score_options *options,
                                    const struct artifact *artifact)
{
    if (options->refusal_judge)
        return options->refusal_judge;
    if (artifact->run.refusal_judge)
        return artifact->run.refusal_judge;
    return options->benign ? "xstest_replayed" /* no verdict of that name is stored */
                           : "xstest";
}

static const char *success_word(const struct artifact *artifact)
{
    const bool is_judged = artifact->run.is_known && !artifact->run.answers_are_hits;
    return artifact->is_published || is_judged ? "hit" : "answered";
}

static struct summary_plan plan_make(const struct score_options *options,
                                     const struct artifact *artifact,
                                     const struct found_names *names)
{
    struct summary_plan plan = {
        .model = *artifact->model ? artifact->model : options->artifact,
        .success_word = success_word(artifact),
        .attempts = artifact->attempts,
        .fixed_attempts = is_fixed(artifact),
        .earlier_missed = artifact->earlier_missed,
        .given_up_count = artifact->given_up_count,
        .attempts_may_lack = artifact->attempts_may_lack || artifact->run.attempts_may_lack,
        .refusal_judge = refusal_judge_of(options, artifact),
        .attacks = names->attacks,
        .attack_count = names->attack_count,
        .benign = names->benign,
        .benign_count = names->benign_count,
        .judge_errors = options->judging.errors,
        .seed = 1,
    };
    judges_plan(&plan, artifact);
    return plan;
}

/* Chat models that judged afresh; stored verdicts are what they are. */
static enum status models_check_scored(const struct bench *bench,
                                       const struct summary *summary, double limit,
                                       struct error *error)
{
    for (size_t a = 0; a < summary->attack_count; a++)
        for (size_t j = 0; j < summary->attacks[a].judge_count; j++) {
            const struct judge_result *judge = &summary->attacks[a].judges[j];
            const int64_t all = judge->rate.count + judge->rate.unscored;
            if (!bench_is_model(bench, judge->name) ||
                (double)judge->rate.unscored <= limit * (double)all)
                continue;
            return error_set(
                error, STATUS_UNMEASURED,
                "attack %s: %s has no verdict on %lld of %lld behaviours, more "
                "than the %g%% of --unscored-limit; --verdicts FILE keeps why",
                summary->attacks[a].name, judge->name, (long long)judge->rate.unscored,
                (long long)all, 100 * limit);
        }
    return STATUS_OK;
}

static enum status score_print(const struct score_options *options,
                               const struct bench *bench, const struct artifact *artifact,
                               struct error *error)
{
    struct found_names names;
    struct summary summary;
    struct error unscored = {0};
    struct text_buffer text = {0};
    typographic_warn(&artifact->list);
    names_find(&names, &artifact->list);
    const struct summary_plan plan = plan_make(options, artifact, &names);
    summary_make(&summary, &artifact->list, &plan);
    if (options->json)
        summary_print_json(&summary, &text);
    else
        summary_print_table(&summary, &text);
    fputs(text_buffer_string(&text), stdout);
    fflush(stdout);
    const bool scored =
        !models_check_scored(bench, &summary, options->unscored_limit, &unscored);
    const enum status status = gates_conclude(&options->fail_if, &summary, options->junit,
                                              scored ? NULL : unscored.message, error);
    text_buffer_release(&text);
    summary_release(&summary);
    names_release(&names);
    return status;
}

static enum status behaviors_join(const struct score_options *options,
                                  struct artifact *artifact, struct error *error)
{
    struct request_list behaviors;
    if (!options->behaviors)
        return STATUS_OK;
    if (request_list_read(&behaviors, options->behaviors, error))
        return error->status;
    const enum status status = artifact_join(artifact, &behaviors, error);
    request_list_release(&behaviors);
    return status;
}

static void empty_replies_judge(const struct bench *bench, struct artifact *artifact)
{
    for (size_t i = 0; i < artifact->list.count; i++) {
        struct attempt *attempt = &artifact->list.items[i];
        for (size_t s = 0; s < bench->count && artifact_scores_empty(artifact, attempt);
             s++) {
            attempt->judged[bench->seats[s].number] = true;
            attempt->verdicts[bench->seats[s].number] = OUTCOME_REFUSED;
        }
    }
}

/* Chat models judge every reply that is none of NAME_replayed yet. */
static enum status models_judge(const struct score_options *options, struct bench *bench,
                                struct artifact *artifact, struct error *error)
{
    struct spending spending = {0};
    struct bench_places places = {.backend = {.device = options->device,
                                              .precision = options->precision,
                                              .thread_count = (int)options->threads},
                                  .hosted = options->hosted,
                                  .batch_limit = options->batch};
    places.hosted.account = &spending;
    if (bench_connect(bench, &places, error))
        return error->status;
    if (options->verdicts && bench_resume(bench, &artifact->list, options->verdicts, error))
        return error->status;
    return bench_judge_models(bench, &artifact->list, true, error);
}

/* Gates on what this artifact cannot measure, before a model is asked. */
static enum status gates_know(const struct score_options *options,
                              const struct artifact *artifact, struct error *error)
{
    struct found_names names;
    struct summary summary;
    names_find(&names, &artifact->list);
    const struct summary_plan plan = plan_make(options, artifact, &names);
    summary_make(&summary, &artifact->list, &plan);
    const enum status status = gates_check_names(&options->fail_if, &summary, error);
    summary_release(&summary);
    names_release(&names);
    return status;
}

static enum status artifact_judge(const struct score_options *options, struct bench *bench,
                                  struct artifact *artifact, struct error *error)
{
    if (bench_number(bench, &artifact->list, "_replayed", error))
        return error->status;
    if (artifact->run.judges.count + artifact->list.judge_count >
        JUDGE_LIMIT + artifact->stored_judge_count)
        return error_set(error, STATUS_LIMIT, "more than %d judges", (int)JUDGE_LIMIT);
    for (size_t i = 0; i < bench->count; i++)
        if (bench->seats[i].spec.rule &&
            artifact_replay(artifact, bench->seats[i].spec.name, error))
            return error->status;
    empty_replies_judge(bench, artifact);
    if (options->fail_if.count && gates_know(options, artifact, error))
        return error->status;
    return bench_has_models(bench) ? models_judge(options, bench, artifact, error)
                                   : STATUS_OK;
}

static void options_defaults(struct score_options *options)
{
    *options = (struct score_options){
        .unscored_limit = 0.1,
        .device = memory_duplicate_string("cpu"),
        .precision = memory_duplicate_string("auto"),
    };
    hosted_options_defaults(&options->hosted);
    judge_options_defaults(&options->judging);
}

/* Options of chat models that --judge does not name. */
static enum status unused_check(const struct score_options *options,
                                const struct bench *bench, struct error *error)
{
    static const char *const verdicts[] = {"verdicts", NULL};
    struct score_options defaults;
    enum status status = STATUS_OK;
    options_defaults(&defaults);
    if (!bench_has_models(bench))
        status = options_check_equal(&command_line, options, &defaults, verdicts,
                                     "keeps what chat models say, and --judge names none; "
                                     "rules are run afresh each time",
                                     error);
    if (!status && !bench_has_models(bench))
        status = options_check_equal(
            &command_line, options, &defaults, judge_model_option_names,
            "is of judges that are chat models, and --judge names none: leave it out",
            error);
    if (!status && !bench_has_hosted(bench))
        status = options_check_equal(
            &command_line, options, &defaults, hosted_option_names,
            "is of hosted judges, and --judge names none: leave it out", error);
    options_release(&command_line, &defaults);
    return status;
}

/* Judges of wrong form before the artifact is read. */
static enum status bench_make(struct score_options *options, struct bench *bench,
                              struct error *error)
{
    const struct bench_plan plan = {.judges = &options->judges,
                                    .options = &options->judging,
                                    .is_stored = true,
                                    .seed = 1};
    options->judging.reasoning = options->hosted.reasoning; /* there is no target */
    options->judging.price_in = options->hosted.price_in;
    options->judging.price_out = options->hosted.price_out;
    if (!(options->unscored_limit >= 0 && options->unscored_limit <= 1))
        return error_set(error, STATUS_USAGE, "--unscored-limit lies in [0, 1]");
    struct hosted_options ceiling = options->hosted;
    if (!(ceiling.price_in > 0 && ceiling.price_out > 0))
        judge_prices_stand_in(&ceiling, &options->judging);
    if (judge_options_check(&options->judging, error) ||
        hosted_options_check(&ceiling, error) || bench_open(bench, &plan, error))
        return error->status;
    return unused_check(options, bench, error);
}

/* Sets --judge where it follows from --benign. */
static enum status judges_choose(struct score_options *options, struct error *error)
{
    if (options->benign && options->columns.count == 0)
        return error_set(error, STATUS_USAGE, "--benign NAME goes with --columns");
    if (options->judges.count == 0)
        string_list_add(&options->judges, options->benign ? "xstest" : "rules");
    return STATUS_OK;
}

static enum status stored_read(const struct score_options *options,
                               struct artifact *artifact, struct error *error)
{
    struct artifact_columns columns;
    if (options->columns.count == 0)
        return artifact_read(artifact, options->artifact, error);
    if (artifact_columns_parse(&columns, &options->columns, error))
        return error->status;
    columns.benign = options->benign;
    return artifact_read_columns(artifact, options->artifact, &columns, error);
}

static enum status score_run(struct score_options *options, struct error *error)
{
    struct artifact artifact = {0};
    struct bench bench = {0};
    if (!options->artifact)
        return error_set(error, STATUS_USAGE, "--artifact FILE is missing");
    if (judges_choose(options, error))
        return error->status;
    enum status status = bench_make(options, &bench, error);
    if (!status)
        status = stored_read(options, &artifact, error);
    if (!status)
        status = behaviors_join(options, &artifact, error);
    if (!status)
        status = artifact_judge(options, &bench, &artifact, error);
    if (!status)
        status = score_print(options, &bench, &artifact, error);
    bench_release(&bench);
    artifact_release(&artifact);
    return status;
}

int score_command(int argc, char **argv)
{
    struct score_options options;
    struct error error = {0};
    bool help_shown = false;
    options_defaults(&options);
    enum status status =
        options_parse(&command_line, argc, argv, &options, NULL, &help_shown, &error);
    log_quiet(options.quiet);
    if (!status && !help_shown)
        status = score_run(&options, &error);
    if (status)
        log_error("%s", error.message);
    options_release(&command_line, &options);
    return status_exit_code(status);
}
