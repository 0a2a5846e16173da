#include "data_gen/data_command.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "data_gen/mix_build.h"
#include "data_gen/mix_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct data_options, name)

static const struct option_entry entries[] = {
    {"harmful", OPTION_LIST, FIELD(harmful), "SPEC",
     "requests to refuse: [NAME=]PATH[:COLUMN][?FIELD=VALUE], CSV, JSON or JSONL; "
     "repeatable",
     "Sources"},
    {"benign", OPTION_LIST, FIELD(benign), "SPEC",
     "chats with answers: OpenAI, ShareGPT, Alpaca, Dolly, prompt/completion; repeatable",
     NULL},
    {"contrast", OPTION_LIST, FIELD(contrast), "SPEC",
     "benign questions in the attack's own tense, with answers; repeatable", NULL},
    {"count", OPTION_INTEGER, FIELD(count), "N", "examples in all", "Mix"},
    {"ratio", OPTION_NUMBER, FIELD(ratio), "X", "share of refusals, 0 to 1", NULL},
    {"contrast-ratio", OPTION_NUMBER, FIELD(contrast_ratio), "X",
     "share of contrast, 0 to 1", NULL},
    {"imperatives", OPTION_NUMBER, FIELD(imperatives), "X",
     "share of benign questions turned into imperatives (\"Write a tutorial on how to …\")",
     NULL},
    {"tenses", OPTION_LIST, FIELD(tenses), "NAME,…",
     "tenses the refused requests are put in, in turn: past, future, present, none", NULL},
    {"refusals", OPTION_STRING, FIELD(refusals), "STYLE",
     "fixed, varied, @FILE (one a line) or a sentence of your own", NULL},
    {"splits", OPTION_LIST, FIELD(splits), "NAME:X,…",
     "shares of train, validation, test; a behaviour stands in one only, and those of\n"
     "test are left out of the mix and listed in MIX.test.csv",
     NULL},
    {"seed", OPTION_INTEGER, FIELD(seed), "N", "same seed, same bytes", NULL},
    {"split-seed", OPTION_INTEGER, FIELD(split_seed), "N",
     "seed of the deal of behaviours to splits: the same for every --seed", NULL},
    {"out", OPTION_STRING, FIELD(out), "MIX.jsonl",
     "file to write; its manifest goes beside it", "Output"},
    {"format", OPTION_STRING, FIELD(format), "NAME",
     "mix (all fields) or openai (messages only)", NULL},
    {"list-tenses", OPTION_BOOL, FIELD(list_tenses), NULL, "list the tenses and stop",
     NULL},
    {"quiet", OPTION_BOOL, FIELD(quiet), NULL, "only warnings and errors", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

const struct command_line data_command_line = {
    .name = "holdfast data",
    .summary = "Mixes refusals of reformulated harmful requests with benign chats.",
    .examples =
        "  holdfast data --harmful jbb.csv:Goal --benign dolly.jsonl --ratio 0.10 \\\n"
        "      --count 5000 --seed 1 --out mix.jsonl\n"
        "  holdfast data --harmful jbb.csv:Goal --benign pool.jsonl --contrast past.jsonl "
        "\\\n"
        "      --contrast-ratio 0.1 --splits train:0.5,test:0.5 --count 1500 --out "
        "mix.jsonl\n"
        "  holdfast data --list-tenses\n",
    .positional = NULL,
    .entries = entries,
};

void data_options_defaults(struct data_options *options)
{
    *options = (struct data_options){
        .ratio = 0.1,
        .count = 5000,
        .refusals = memory_duplicate_string("fixed"),
        .seed = 1,
        .split_seed = 1,
        .format = memory_duplicate_string("mix"),
    };
    string_list_add(&options->tenses, "past");
    string_list_add(&options->splits, "train:1");
}

static enum status tenses_read(struct mix_recipe *recipe, const struct string_list *names,
                               struct error *error)
{
    for (size_t i = 0; i < names->count; i++) {
        if (recipe->tense_count == TENSE_COUNT)
            return error_set(error, STATUS_USAGE, "--tenses: a tense is named twice");
        if (tense_parse(&recipe->tenses[recipe->tense_count++], names->items[i], error))
            return error_prefix(error, "--tenses");
    }
    return names->count ? STATUS_OK : error_set(error, STATUS_USAGE, "--tenses is empty");
}

static int split_number(const char *name, size_t length)
{
    for (int i = 0; i < SPLIT_COUNT; i++)
        if (strlen(split_names[i]) == length && strncmp(split_names[i], name, length) == 0)
            return i;
    return -1;
}

static enum status splits_read(struct mix_recipe *recipe, const struct string_list *splits,
                               struct error *error)
{
    double sum = 0;
    for (size_t i = 0; i < splits->count; i++) {
        const char *text = splits->items[i];
        const size_t length = strcspn(text, ":");
        const int split = split_number(text, length);
        char *end = NULL;
        const double share = text[length] ? strtod(text + length + 1, &end) : 0;
        if (split < 0 || !end || *end || end == text + length + 1 || !(share > 0))
            return error_set(error, STATUS_USAGE,
                             "--splits %s: it is NAME:SHARE with NAME train, validation or "
                             "test, e.g. train:0.8,test:0.2",
                             text);
        recipe->split_shares[split] += share;
        sum += share;
    }
    if (!(fabs(sum - 1) < 1e-9))
        return error_set(error, STATUS_USAGE, "--splits: the shares sum to %g, not to 1",
                         sum);
    if (!(recipe->split_shares[SPLIT_TEST] < 1))
        return error_set(error, STATUS_USAGE, "--splits: everything is held out as test");
    return STATUS_OK;
}

static bool is_share(double value)
{
    return value >= 0 && value <= 1;
}

static enum status options_check(const struct data_options *options, struct error *error)
{
    if (!options->out)
        return error_set(error, STATUS_USAGE, "--out MIX.jsonl is missing");
    if (options->count < 1)
        return error_set(error, STATUS_USAGE, "--count must be at least 1");
    if (!is_share(options->ratio) || !is_share(options->contrast_ratio) ||
        !is_share(options->imperatives) || options->ratio + options->contrast_ratio > 1)
        return error_set(error, STATUS_USAGE,
                         "--ratio, --contrast-ratio and --imperatives are shares from 0 to "
                         "1 (a tenth is 0.1), the first two at most 1 together");
    if (options->ratio > 0 && options->harmful.count == 0)
        return error_set(error, STATUS_USAGE,
                         "--ratio %g needs requests to refuse: --harmful SPEC",
                         options->ratio);
    if (options->contrast_ratio > 0 && options->contrast.count == 0)
        return error_set(error, STATUS_USAGE, "--contrast-ratio needs --contrast SPEC");
    if (options->ratio + options->contrast_ratio < 1 && options->benign.count == 0)
        return error_set(error, STATUS_USAGE, "chats to mix in are missing: --benign SPEC");
    if (strcmp(options->format, "mix") != 0 && strcmp(options->format, "openai") != 0)
        return error_set(error, STATUS_USAGE, "--format %s: it is mix or openai",
                         options->format);
    return STATUS_OK;
}

static enum status recipe_make(struct mix_recipe *recipe,
                               const struct data_options *options, struct error *error)
{
    *recipe = (struct mix_recipe){
        .harmful = &options->harmful,
        .benign = &options->benign,
        .contrast = &options->contrast,
        .ratio = options->ratio,
        .contrast_ratio = options->contrast_ratio,
        .imperatives = options->imperatives,
        .count = options->count,
        .refusals = options->refusals,
        .seed = (uint64_t)options->seed,
        .split_seed = (uint64_t)options->split_seed,
    };
    if (tenses_read(recipe, &options->tenses, error))
        return error->status;
    return splits_read(recipe, &options->splits, error);
}

static void build_report(const struct mix_build *build, const char *path)
{
    int64_t refusals = 0;
    for (size_t i = 0; i < build->mix.count; i++)
        refusals += strcmp(build->mix.examples[i].kind, "refusal") == 0;
    for (size_t i = 0; i < build->source_count; i++) {
        const struct mix_source *source = &build->sources[i];
        log_info("%-8s %s: %" PRId64 " rows, %" PRId64 " examples, %" PRId64
                 " duplicates, %" PRId64 " without a usable answer",
                 source->role, source->path, source->rows, source->used, source->duplicates,
                 source->skipped);
    }
    log_info("%s: %zu examples, %" PRId64 " of them refusals (%.1f%%)", path,
             build->mix.count, refusals,
             100.0 * (double)refusals / (double)build->mix.count);
}

enum status data_run(const struct data_options *options, struct error *error)
{
    struct mix_recipe recipe;
    struct mix_build build = {0};
    log_quiet(options->quiet);
    if (options_check(options, error) || recipe_make(&recipe, options, error) ||
        mix_build(&build, &recipe, error))
        return error->status;
    enum status status = mix_build_write(&build, &recipe, options, error);
    if (!status)
        build_report(&build, options->out);
    mix_build_release(&build);
    return status;
}

static void tenses_print(void)
{
    for (int tense = 0; tense < TENSE_COUNT; tense++)
        printf("%-8s  %s\n", tense_name((enum tense)tense),
               tense_description((enum tense)tense));
}

int data_command(int argc, char **argv)
{
    struct data_options options;
    struct error error = {0};
    bool help_shown = false;
    data_options_defaults(&options);
    enum status status =
        options_parse(&data_command_line, argc, argv, &options, NULL, &help_shown, &error);
    if (!status && !help_shown && options.list_tenses)
        tenses_print();
    else if (!status && !help_shown)
        status = data_run(&options, &error);
    if (status)
        log_error("%s", error.message);
    options_release(&data_command_line, &options);
    return status_exit_code(status);
}
