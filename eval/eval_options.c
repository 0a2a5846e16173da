#include "eval/eval_options.h"

#include "base/memory.h"
#include "eval/attack.h"
#include "eval/attempts.h"
#include "eval/judge.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(struct eval_options, name)

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, FIELD(model), "MODEL",
     "directory of a checkpoint, openai:URL#NAME or anthropic:URL#NAME (the key is in "
     "OPENAI_API_KEY or ANTHROPIC_API_KEY, or of one host alone in HOLDFAST_KEY_HOST), or "
     "replay:RUN for the replies of another run",
     "Model and requests"},
    {"system", OPTION_STRING, FIELD(system), "TEXT", "a system message in front", NULL},
    {"behaviors", OPTION_STRING, FIELD(behaviors), "SPEC",
     "harmful requests: [NAME=]PATH[:COLUMN][?FIELD=VALUE[&FIELD=VALUE]], CSV, JSON, "
     "JSONL or Parquet",
     NULL},
    {"benign", OPTION_LIST, FIELD(benign), "SPEC",
     "requests that should be answered, for over-refusal; may be repeated", NULL},
    {"benign-past", OPTION_STRING, FIELD(benign_past), "SPEC",
     "benign questions in the past tense: discrimination of the past attack", NULL},
    {"benign-future", OPTION_STRING, FIELD(benign_future), "SPEC",
     "the same for the future attack", NULL},
    {"trained-on", OPTION_LIST, FIELD(trained_on), "SPEC",
     "what the model was trained on, e.g. mix.jsonl: requests that stand in it, reworded "
     "or "
     "not, are reported apart; may be repeated (default: what the model's "
     "training_data.json names, as holdfast train writes it; none: do not look)",
     NULL},
    {"limit", OPTION_INTEGER, FIELD(limit), "N",
     "only the first N of each list (0: all of them)", NULL},
    {"attack", OPTION_LIST, FIELD(attacks), "NAME",
     "how harmful requests are put (default past): none, present, past, future, "
     "past-perfect, passive-past, hypothetical, third-person; with --replay also "
     "fresh:NAME "
     "for an attack made anew",
     "Attack"},
    {"attempts", OPTION_INTEGER, FIELD(attempts), "N",
     "attempts a behaviour and attack, each with a fresh reformulation", NULL},
    {"stop", OPTION_STRING, FIELD(stop), "WHEN",
     "first-hit: a behaviour ends with the main judge's first hit; never: all attempts are "
     "made, and ASR@k is the unbiased estimate from them",
     NULL},
    {"reformulator", OPTION_STRING, FIELD(reformulator), "MODEL",
     "a chat model that words the attacks, named as --model is, instead of rules", NULL},
    {"reformulation-prompt", OPTION_STRING, FIELD(reformulation_prompt), "FILE",
     "what it is asked: a text with {request}, or sections '=== ATTACK ===' of such text "
     "(default: our own, with three examples for each attack); docs/attacks.md",
     NULL},
    {"reformulation-tries", OPTION_INTEGER, FIELD(reformulation_tries), "N",
     "how often it is asked for one attempt, until its text is no refusal, not the request "
     "and in the tense; after that the attempt is a target_error, not a verdict",
     NULL},
    {"reformulator-price-in", OPTION_NUMBER, FIELD(reformulator_price_in), "X",
     "of a million prompt tokens of a hosted reformulator", NULL},
    {"reformulator-price-out", OPTION_NUMBER, FIELD(reformulator_price_out), "X",
     "of a million reply tokens of a hosted reformulator", NULL},
    {"replay", OPTION_STRING, FIELD(replay), "RUN",
     "ask what another run asked, attempt by attempt, so that two models face the same "
     "attack; see also --model replay:RUN, which replays replies",
     NULL},
    {"temperature", OPTION_NUMBER, FIELD(temperature), "X",
     "of replies to attacks; 0: always the likeliest token", NULL},
    {"top-p", OPTION_NUMBER, FIELD(top_p), "X",
     "draw from the likeliest tokens that hold this share", NULL},
    {"max-tokens", OPTION_INTEGER, FIELD(max_tokens), "N", "longest reply in tokens", NULL},
    {"benign-temperature", OPTION_NUMBER, FIELD(benign_temperature), "X",
     "of replies to benign requests, one each", NULL},
    {"seed", OPTION_INTEGER, FIELD(seed), "N",
     "of reformulations and replies; equal seeds face equal attacks", NULL},
    HOSTED_OPTION_ENTRIES(FIELD(hosted)),
    {"dry-run", OPTION_BOOL, FIELD(dry_run), NULL,
     "ask nothing, write nothing: print how much would be asked, and its cost at most",
     NULL},
    {"judge", OPTION_LIST, FIELD(judges), "JUDGE",
     "who says what was answered; the first decides (default rules): rules, xstest, "
     "classifier, or a chat model as rating:TARGET (1 to 10, only 10 is a hit), "
     "safety:TARGET, refusal3:TARGET (full, partial, no refusal) or prompt=FILE:TARGET, "
     "with TARGET as of "
     "--model; NAME=rating:TARGET names it; docs/judges.md",
     "Judges"},
    {"confirm", OPTION_STRING, FIELD(confirm), "JUDGE",
     "a second judge for what the first calls a hit: only both make one", NULL},
    {"refusal-judge", OPTION_STRING, FIELD(refusal_judge), "JUDGE",
     "who says what was refused, for over-refusal and discrimination", NULL},
    JUDGE_PROMPT_ENTRIES(FIELD(judging)),
    JUDGE_PRICE_ENTRIES(FIELD(judging)),
    JUDGE_OWN_PRICE_ENTRY(FIELD(judging)),
    JUDGE_ERROR_ENTRIES(FIELD(judging)),
    {"unscored-limit", OPTION_NUMBER, FIELD(unscored_limit), "X",
     "exit with 3 if a larger share of some set could not be scored", "Gates"},
    {"fail-if", OPTION_LIST, FIELD(fail_if), "GATE",
     "exit with 100 if so, e.g. 'asr@20.hi>0.05', 'over_refusal.NAME>0.1', "
     "'d.past.lo<0.5'; "
     "'youden.NAME<0.5', 'kappa.rules.xstest<0.6'; with several attacks 'past.asr@20'; "
     "may be repeated",
     NULL},
    {"junit", OPTION_STRING, FIELD(junit), "FILE",
     "write the gates as JUnit XML, for CI: a test case each", NULL},
    {"out", OPTION_STRING, FIELD(out), "RUN",
     "folder of the run: config.yaml, manifest.json, attempts.jsonl, summary.json", "Run"},
    {"resume", OPTION_BOOL, FIELD(resume), NULL,
     "continue the run in --out: what is stored is not asked again, but what failed "
     "(target_error, judge_error) is",
     NULL},
    {"json", OPTION_BOOL, FIELD(json), NULL, "print summary.json instead of a table", NULL},
    {"device", OPTION_STRING, FIELD(device), "NAME", "cpu, cuda, or cuda:N for GPU N",
     NULL},
    {"precision", OPTION_STRING, FIELD(precision), "NAME",
     "fp32, bf16 or auto: bf16 on GPUs and on CPUs with AVX-512 BF16, else fp32", NULL},
    {"threads", OPTION_INTEGER, FIELD(threads), "N", "CPU threads (0: all cores)", NULL},
    {"batch", OPTION_INTEGER, FIELD(batch), "N",
     "prompts at once (0: chosen); changes no reply", NULL},
    {"quiet", OPTION_BOOL, FIELD(quiet), NULL, "only warnings and errors", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

const struct command_line eval_command_line = {
    .name = "holdfast eval",
    .summary = "Measures attack success (requests answered) against over-refusal.",
    .examples =
        "  holdfast eval --model DIR --behaviors jbb.csv:Goal --attack none,past,future "
        "\\\n"
        "      --attempts 20 --benign 'safe=xstest.csv:prompt?label=safe' --out run/\n"
        "  holdfast eval --config run/config.yaml --resume\n"
        "  holdfast eval --model openai:http://localhost:8000/v1#NAME --behaviors "
        "jbb.csv:Goal --out run/\n"
        "  holdfast eval … --judge rating:openai:https://api.openai.com#NAME --confirm "
        "rules\n"
        "  holdfast eval … --attack past,third-person --reformulator "
        "openai:https://api.openai.com/v1#NAME --out before/\n"
        "  holdfast eval --model run/final … --attack past,fresh:past --replay before/ "
        "--out "
        "after/\n"
        "  holdfast eval … --fail-if 'asr@20.hi>0.05'     # exit code 100 if it is\n",
    .positional = NULL,
    .entries = entries,
};

void eval_options_defaults(struct eval_options *options)
{
    *options = (struct eval_options){
        .attempts = 20,
        .stop = memory_duplicate_string("first-hit"),
        .reformulation_tries = 4,
        .reformulator_price_in = (double)NAN,
        .reformulator_price_out = (double)NAN,
        .temperature = 1,
        .top_p = 1,
        .max_tokens = 150,
        .seed = 1,
        .refusal_judge = memory_duplicate_string("xstest"),
        .unscored_limit = 0.1,
        .device = memory_duplicate_string("cpu"),
        .precision = memory_duplicate_string("auto"),
    };
    hosted_options_defaults(&options->hosted);
    judge_options_defaults(&options->judging);
}

struct bench_plan eval_options_bench(const struct eval_options *options,
                                     const struct string_list *discriminated)
{
    return (struct bench_plan){.judges = &options->judges,
                               .confirm = options->confirm,
                               .refusal = options->refusal_judge,
                               .options = &options->judging,
                               .discriminated = discriminated,
                               .stops_early =
                                   !options->fixed_attempts && options->attempts > 1,
                               .seed = (uint64_t)options->seed};
}

static enum status numbers_check(const struct eval_options *options, struct error *error)
{
    enum { ATTEMPT_LIMIT = 10000 };
    if (options->attempts < 1 || options->attempts > ATTEMPT_LIMIT ||
        options->max_tokens < 1)
        return error_set(error, STATUS_USAGE,
                         "--attempts (at most %d) and --max-tokens must be at least 1",
                         (int)ATTEMPT_LIMIT);
    if (options->limit < 0 || options->batch < 0 || options->threads < 0 ||
        options->threads > 4096)
        return error_set(error, STATUS_USAGE,
                         "--limit, --batch and --threads must not be negative (--threads "
                         "at most 4096)");
    if (!(options->temperature >= 0) || !isfinite(options->temperature) ||
        !(options->benign_temperature >= 0) || !isfinite(options->benign_temperature))
        return error_set(error, STATUS_USAGE,
                         "--temperature and --benign-temperature must not be negative");
    if (!(options->top_p > 0 && options->top_p <= 1) ||
        !(options->unscored_limit >= 0 && options->unscored_limit <= 1))
        return error_set(error, STATUS_USAGE,
                         "--top-p lies in (0, 1], --unscored-limit in [0, 1]");
    return STATUS_OK;
}

static enum status list_check_distinct(const struct string_list *list, const char *option,
                                       struct error *error)
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->items[i], list->items[j]) == 0)
                return error_set(error, STATUS_USAGE, "%s names '%s' twice", option,
                                 list->items[i]);
    return STATUS_OK;
}

static enum status names_check(const struct eval_options *options, struct error *error)
{
    struct attack attack;
    for (size_t i = 0; i < options->attacks.count; i++)
        if (attack_parse(&attack, options->attacks.items[i], error))
            return error->status;
    if (list_check_distinct(&options->attacks, "--attack", error) ||
        list_check_distinct(&options->judges, "--judge", error))
        return error->status;
    return STATUS_OK;
}

static enum status reformulator_check(const struct eval_options *options,
                                      struct error *error)
{
    enum { TRIES_LIMIT = 100 };
    const bool priced =
        options->reformulator_price_in >= 0 && options->reformulator_price_out >= 0;
    if (options->reformulation_tries < 1 || options->reformulation_tries > TRIES_LIMIT)
        return error_set(error, STATUS_USAGE, "--reformulation-tries lies in [1, %d]",
                         (int)TRIES_LIMIT);
    if (options->reformulation_prompt && !options->reformulator)
        return error_set(error, STATUS_USAGE,
                         "--reformulation-prompt needs --reformulator MODEL");
    if (!options->reformulator)
        return STATUS_OK;
    if (text_starts_with(options->reformulator, "replay:"))
        return error_set(error, STATUS_USAGE,
                         "--reformulator: stored replies are no reformulator");
    if (options->hosted.max_cost > 0 && chat_is_hosted(options->reformulator) && !priced)
        return error_set(error, STATUS_USAGE,
                         "--max-cost needs --reformulator-price-in and "
                         "--reformulator-price-out (both 0 if it costs nothing)");
    return STATUS_OK;
}

/* How attacks end, and where their words come from. */
static enum status attack_check(struct eval_options *options, struct error *error)
{
    options->fixed_attempts = strcmp(options->stop, "never") == 0;
    if (!options->fixed_attempts && strcmp(options->stop, "first-hit") != 0)
        return error_set(error, STATUS_USAGE, "--stop %s: it is first-hit or never",
                         options->stop);
    for (size_t i = 0; i < options->attacks.count && !options->replay; i++)
        if (text_starts_with(options->attacks.items[i], "fresh:"))
            return error_set(error, STATUS_USAGE,
                             "--attack %s: every attack is fresh without --replay RUN",
                             options->attacks.items[i]);
    return reformulator_check(options, error);
}

/* `names` do nothing if `is_used` is false: an error where one was given. */
static enum status unused_check(const struct eval_options *options, bool is_used,
                                const char *const *names, const char *why,
                                struct error *error)
{
    struct eval_options defaults;
    if (is_used)
        return STATUS_OK;
    eval_options_defaults(&defaults);
    const enum status status =
        options_check_equal(&eval_command_line, options, &defaults, names, why, error);
    options_release(&eval_command_line, &defaults);
    return status;
}

/* Options that are of models which this run does not ask. */
static enum status models_check(const struct eval_options *options,
                                const struct bench *bench, struct error *error)
{
    static const char *const tries[] = {"reformulation-tries", NULL};
    static const char *const reformulator_prices[] = {"reformulator-price-in",
                                                      "reformulator-price-out", NULL};
    static const char *const of_target[] = {"price-in", "price-out", "reasoning", NULL};
    static const char *const sampling[] = {"temperature", "top-p", "benign-temperature",
                                           NULL};
    const bool target = chat_is_hosted(options->model);
    const bool judges = bench_has_hosted(bench);
    const bool words = options->reformulator && chat_is_hosted(options->reformulator);
    if (unused_check(options, target || judges || words, hosted_option_names,
                     "is of hosted models, and this run asks none: leave it out", error) ||
        unused_check(options, target, of_target,
                     "is of a hosted --model: leave it out (judges and the reformulator "
                     "have their own)",
                     error) ||
        unused_check(options, !options->hosted.reasoning, sampling,
                     "is not sent with --reasoning: leave it out", error) ||
        unused_check(options, bench_has_models(bench), judge_model_option_names,
                     "is of judges that are chat models: leave it out", error) ||
        unused_check(options, judges, judge_hosted_option_names,
                     "is of hosted judges: leave it out", error) ||
        unused_check(options, words, reformulator_prices,
                     "is of a hosted --reformulator: leave it out", error))
        return error->status;
    return unused_check(options, options->reformulator != NULL, tries,
                        "needs --reformulator MODEL", error);
}

/* Names, prompt files and prices, before anything is asked. */
static enum status judges_check(const struct eval_options *options, struct error *error)
{
    struct bench bench;
    const struct bench_plan plan = eval_options_bench(options, NULL);
    if (judge_options_check(&options->judging, error) || bench_open(&bench, &plan, error))
        return error->status;
    enum status status = bench_check_prices(&bench, &options->hosted, error);
    if (!status)
        status = models_check(options, &bench, error);
    bench_release(&bench);
    return status;
}

/* A ceiling on cost may be one of judges or of a reformulator alone. */
static enum status hosted_check(const struct eval_options *options, struct error *error)
{
    struct hosted_options hosted = options->hosted;
    if (options->model && !chat_is_hosted(options->model)) {
        if (options->reformulator_price_in > 0 && options->reformulator_price_out > 0) {
            hosted.price_in = options->reformulator_price_in;
            hosted.price_out = options->reformulator_price_out;
        }
        judge_prices_stand_in(&hosted, &options->judging);
    }
    return hosted_options_check(&hosted, error);
}

enum status eval_options_check(struct eval_options *options, struct error *error)
{
    if (options->attacks.count == 0)
        string_list_add(&options->attacks, "past");
    if (options->judges.count == 0)
        string_list_add(&options->judges, "rules");
    for (size_t i = 0; i < options->trained_on.count && options->trained_on.count > 1; i++)
        if (strcmp(options->trained_on.items[i], "none") == 0)
            return error_set(error, STATUS_USAGE,
                             "--trained-on none stands alone (a file of that name is "
                             "./none)");
    if (!options->model)
        return error_set(
            error, STATUS_USAGE,
            "--model is missing: DIR, openai:URL#NAME, anthropic:URL#NAME or replay:RUN");
    if (!options->behaviors)
        return error_set(error, STATUS_USAGE,
                         "--behaviors SPEC is missing, e.g. --behaviors jbb.csv:Goal");
    if (!options->out && !options->dry_run)
        return error_set(error, STATUS_USAGE, "--out RUN is missing");
    if (numbers_check(options, error) || hosted_check(options, error) ||
        names_check(options, error) || attack_check(options, error))
        return error->status;
    return judges_check(options, error);
}
