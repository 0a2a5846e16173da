#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "eval/artifact.h"
#include "eval/eval_command.h"
#include "eval/gate.h"
#include "eval/judge.h"
#include "eval/summary.h"
#include "text/tense.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct score_options {
    char *artifact;
    char *behaviors;
    struct string_list judges;
    char *refusal_judge;
    struct judge_errors errors; /* q NaN, m 0: not given */
    struct string_list fail_if;
    char *junit;
    bool json;
};

#define FIELD(name) offsetof(struct score_options, name)

static const struct option_entry entries[] = {
    {"artifact", OPTION_STRING, FIELD(artifact), "FILE",
     "the paper's result file (JSON), or a run's attempts.jsonl", "Score"},
    {"behaviors", OPTION_STRING, FIELD(behaviors), "SPEC",
     "the list that was asked, for categories; joined on the index", NULL},
    {"judge", OPTION_LIST, FIELD(judges), "NAME",
     "judges to run afresh, shown as NAME_replayed (default rules)", NULL},
    {"refusal-judge", OPTION_STRING, FIELD(refusal_judge), "NAME",
     "whose stored verdict counts refusals of benign sets", NULL},
    {"q0", OPTION_NUMBER, FIELD(errors.q0), "X",
     "of replies that people call safe, the share that the main judge calls safe: with q1, "
     "m0 and m1 the attack success at the first attempt is corrected for the judge's "
     "errors "
     "(arXiv 2511.21140); all four may stand in a file for --config",
     "The main judge's errors"},
    {"q1", OPTION_NUMBER, FIELD(errors.q1), "X",
     "of replies that people call a success, the share that it calls one", NULL},
    {"m0", OPTION_INTEGER, FIELD(errors.m0), "N", "how many replies q0 was measured on",
     NULL},
    {"m1", OPTION_INTEGER, FIELD(errors.m1), "N", "how many q1 was measured on", NULL},
    {"fail-if", OPTION_LIST, FIELD(fail_if), "GATE",
     "as of `holdfast eval`; also asr_corrected", "Output"},
    {"junit", OPTION_STRING, FIELD(junit), "FILE",
     "write the gates as JUnit XML, for CI: a test case each", NULL},
    {"json", OPTION_BOOL, FIELD(json), NULL, "print a summary.json instead of a table",
     NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command_line = {
    .name = "holdfast score",
    .summary = "Judges stored replies again, beside the verdicts that are stored.",
    .examples = "  holdfast score --artifact results.json --behaviors jbb.csv:Goal --json\n"
                "  holdfast score --artifact run/attempts.jsonl --judge rules,xstest\n"
                "  holdfast score --artifact results.json --q0 0.95 --q1 0.9 --m0 50 --m1 "
                "50\n",
    .positional = NULL,
    .entries = entries,
};

/* The names that the attempts bring up: borrowed from them. */
struct found_names {
    const char *attacks[TENSE_COUNT + 1];
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

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Attacks in the order of tenses, then another one; benign sets by name. */
static void names_find(struct found_names *names, const struct attempt_list *list)
{
    static const char prefix[] = "benign:";
    size_t kept = 0;
    *names = (struct found_names){
        .benign = memory_allocate_array(list->count, sizeof *names->benign)};
    for (int i = 0; i < TENSE_COUNT; i++)
        if (has_attack(list, tense_name((enum tense)i)))
            names->attacks[names->attack_count++] = tense_name((enum tense)i);
    if (names->attack_count == 0 && list->count && list->items[0].attack)
        names->attacks[names->attack_count++] = list->items[0].attack;
    for (size_t i = 0; i < list->count; i++)
        if (text_starts_with(list->items[i].set, prefix))
            names->benign[names->benign_count++] = list->items[i].set + strlen(prefix);
    qsort(names->benign, names->benign_count, sizeof *names->benign, compare_names);
    for (size_t i = 0; i < names->benign_count; i++)
        if (i == 0 || strcmp(names->benign[i], names->benign[i - 1]) != 0)
            names->benign[kept++] = names->benign[i];
    names->benign_count = kept;
}

/* Whether some behaviour was attacked again after the main judge's hit. */
static bool is_fixed(const struct artifact *artifact)
{
    const struct attempt_list *list = &artifact->list;
    for (size_t i = 0; i < list->count && !artifact->earlier_missed; i++) {
        const struct attempt *attempt = &list->items[i];
        if (attempt->outcome == OUTCOME_COMPLIED &&
            attempt_list_find(list, attempt->set, attempt->index, attempt->attack,
                              attempt->attempt + 1))
            return true;
    }
    return artifact->attempts == 1;
}

static struct summary_plan plan_make(const struct score_options *options,
                                     const struct artifact *artifact,
                                     const struct found_names *names)
{
    struct summary_plan plan = {
        .model = *artifact->model ? artifact->model : options->artifact,
        .success_word = artifact->earlier_missed ? "hit" : "answered",
        .attempts = artifact->attempts,
        .fixed_attempts = is_fixed(artifact),
        .earlier_missed = artifact->earlier_missed,
        .judge_count = artifact->list.judge_count,
        .refusal_judge = options->refusal_judge,
        .attacks = names->attacks,
        .attack_count = names->attack_count,
        .benign = names->benign,
        .benign_count = names->benign_count,
        .judge_errors = options->errors,
        .seed = 1,
    };
    for (size_t i = 0; i < plan.judge_count; i++)
        plan.judges[i] = artifact->list.judges[i];
    return plan;
}

static enum status score_print(const struct score_options *options,
                               const struct artifact *artifact, struct error *error)
{
    struct found_names names;
    struct summary summary;
    struct text_buffer text = {0};
    names_find(&names, &artifact->list);
    const struct summary_plan plan = plan_make(options, artifact, &names);
    summary_make(&summary, &artifact->list, &plan);
    if (options->json)
        summary_print_json(&summary, &text);
    else
        summary_print_table(&summary, &text);
    fputs(text_buffer_string(&text), stdout);
    fflush(stdout);
    enum status status = gates_check_names(&options->fail_if, &summary, error);
    if (!status && options->junit)
        status = gates_write_junit(options->junit, &options->fail_if, &summary, -1, error);
    if (!status)
        status = gates_check(&options->fail_if, &summary, error);
    text_buffer_release(&text);
    summary_release(&summary);
    free(names.benign);
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

/* All four numbers of the judge's errors, good ones, or none. */
static enum status errors_check(const struct judge_errors *errors, struct error *error)
{
    struct corrected_rate corrected;
    const int given =
        !isnan(errors->q0) + !isnan(errors->q1) + (errors->m0 != 0) + (errors->m1 != 0);
    if (given == 0)
        return STATUS_OK;
    if (given < 4)
        return error_set(error, STATUS_USAGE,
                         "--q0, --q1, --m0 and --m1 are needed together: the judge's "
                         "errors and the numbers of replies they were measured on");
    return judge_correct(&corrected, (double)NAN, 0, errors, error);
}

static enum status score_run(struct score_options *options, struct error *error)
{
    struct artifact artifact;
    if (!options->artifact)
        return error_set(error, STATUS_USAGE, "--artifact FILE is missing");
    if (errors_check(&options->errors, error))
        return error->status;
    if (options->judges.count == 0)
        string_list_add(&options->judges, "rules");
    if (artifact_read(&artifact, options->artifact, error))
        return error->status;
    enum status status = behaviors_join(options, &artifact, error);
    for (size_t i = 0; i < options->judges.count && !status; i++)
        status = artifact_replay(&artifact, options->judges.items[i], error);
    if (!status)
        status = score_print(options, &artifact, error);
    artifact_release(&artifact);
    return status;
}

int score_command(int argc, char **argv)
{
    struct score_options options = {
        .refusal_judge = memory_duplicate_string("xstest"),
        .errors = {.q0 = (double)NAN, .q1 = (double)NAN},
    };
    struct error error = {0};
    bool help_shown = false;
    enum status status =
        options_parse(&command_line, argc, argv, &options, NULL, &help_shown, &error);
    if (!status && !help_shown)
        status = score_run(&options, &error);
    if (status)
        log_error("%s", error.message);
    options_release(&command_line, &options);
    return status_exit_code(status);
}
