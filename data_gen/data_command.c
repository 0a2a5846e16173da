#include "data_gen/data_command.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "data_gen/data_recipe.h"
#include "data_gen/mix_build.h"
#include "data_gen/mix_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct data_options, name)

static const struct option_entry entries[] = {
    {"harmful", OPTION_LIST, FIELD(harmful), "SPEC",
     "requests to refuse: [NAME=]PATH[:COLUMN][?FIELD=VALUE[&FIELD=VALUE]], CSV, JSON or "
     "JSONL, plain or packed with gzip or zstd, or Parquet; repeatable",
     "Sources"},
    {"benign", OPTION_LIST, FIELD(benign), "SPEC",
     "chats with answers: OpenAI, ShareGPT, TRL, Alpaca, Dolly, prompt/completion, …; "
     "repeatable",
     NULL},
    {"contrast", OPTION_LIST, FIELD(contrast), "SPEC",
     "benign questions in the attack's own tense, with answers; repeatable", NULL},
    {"count", OPTION_INTEGER, FIELD(count), "N", "examples in all, in the largest mix",
     "Mix"},
    {"ratio", OPTION_LIST, FIELD(ratio), "X",
     "share of refusals, 0 to 1; several make nested mixes from one pool: the refusals of "
     "a smaller ratio are among those of a larger one, and --out names a folder",
     NULL},
    {"ratio-by", OPTION_STRING, FIELD(ratio_by), "WHAT",
     "what --ratio is a share of: examples, tokens (of all messages) or target-tokens (of "
     "what the assistant says); the latter two need --tokenizer",
     NULL},
    {"tokenizer", OPTION_STRING, FIELD(tokenizer), "DIR",
     "model directory whose tokenizer counts the tokens", NULL},
    {"hold", OPTION_STRING, FIELD(hold), "WHAT",
     "what mixes of several ratios share: count (refusals take the place of benign chats) "
     "or benign (refusals are added, and a smaller mix is contained in a larger one)",
     NULL},
    {"contrast-ratio", OPTION_LIST, FIELD(contrast_ratio), "X",
     "share of contrast examples, 0 to 1; one for all sources together or one for each",
     NULL},
    {"imperatives", OPTION_NUMBER, FIELD(imperatives), "X",
     "share of benign questions turned into imperatives (\"Write a tutorial on how to …\")",
     NULL},
    {"tenses", OPTION_LIST, FIELD(tenses), "NAME[:X]",
     "tenses that the refused requests are put in, in turn or by shares that sum to 1: "
     "past:0.6,present:0.3,none:0.1; none leaves a request as it stands; --list-tenses "
     "names them",
     NULL},
    {"balance", OPTION_LIST, FIELD(balance), "ROLE",
     "harmful, benign, contrast: take as much of each category (or topic) as there is",
     NULL},
    {"max-per-behavior", OPTION_INTEGER, FIELD(max_per_behavior), "N",
     "refusals of one behaviour at most; 0: no limit", NULL},
    {"near-duplicates", OPTION_NUMBER, FIELD(near_duplicates), "X",
     "leave out what shares this much of its word 5-grams with a text before it (Jaccard "
     "index; 0.8 is usual); 0: only exact duplicates are left out",
     NULL},
    {"refusals", OPTION_STRING, FIELD(refusals), "STYLE",
     "fixed, varied, alternative (with an offer of a harmless subject near the category), "
     "@FILE (one a line) or a sentence of your own",
     NULL},
    {"system", OPTION_STRING, FIELD(system), "TEXT",
     "system prompt of examples that have none, or @FILE with one a line", NULL},
    {"system-share", OPTION_NUMBER, FIELD(system_share), "X",
     "share of these examples that get one, whatever their kind", NULL},
    {"splits", OPTION_LIST, FIELD(splits), "NAME:X,…",
     "shares of train, validation, test; a behaviour and those that ask for the same "
     "in other words stand in one only, and those of test are left out of the mix and "
     "listed in MIX.test.csv",
     NULL},
    {"seed", OPTION_INTEGER, FIELD(seed), "N", "same seed, same bytes", NULL},
    {"split-seed", OPTION_INTEGER, FIELD(split_seed), "N",
     "seed of the deal of behaviours to splits: the same for every --seed", NULL},
    {"out", OPTION_STRING, FIELD(out), "PATH",
     "file to write, its manifest beside it; with several ratios a folder, or a path with "
     "{ratio} in it",
     "Output"},
    {"format", OPTION_STRING, FIELD(format), "NAME",
     "mix (all fields), openai, sharegpt, trl-messages or trl-prompt-completion; but for "
     "mix, validation goes to a file of its own",
     NULL},
    {"from", OPTION_STRING, FIELD(from), "MIX.jsonl",
     "only write this mix again, in another --format", NULL},
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
        "  holdfast data --harmful jbb.csv:Goal --benign pool.jsonl --ratio 0.02,0.05,0.10 "
        "\\\n"
        "      --ratio-by tokens --tokenizer DIR --tenses past:0.7,present:0.3 --out "
        "mixes/\n"
        "  holdfast data --from mix.jsonl --format sharegpt --out sharegpt.jsonl\n"
        "  holdfast data --list-tenses\n",
    .positional = NULL,
    .entries = entries,
};

void data_options_defaults(struct data_options *options)
{
    *options = (struct data_options){
        .ratio_by = memory_duplicate_string("examples"),
        .hold = memory_duplicate_string("count"),
        .count = 5000,
        .system_share = 1,
        .refusals = memory_duplicate_string("fixed"),
        .seed = 1,
        .split_seed = 1,
        .format = memory_duplicate_string("mix"),
    };
    string_list_add(&options->ratio, "0.1");
    string_list_add(&options->contrast_ratio, "0");
    string_list_add(&options->tenses, "past");
    string_list_add(&options->splits, "train:1");
}

/* What became of the sources, and of the mix of one ratio. */
static void sources_report(const struct mix_build *build)
{
    for (size_t i = 0; i < build->source_count; i++) {
        const struct mix_source *source = &build->sources[i];
        struct text_buffer near = {0};
        if (source->near_duplicates)
            text_buffer_appendf(&near, ", %" PRId64 " near-duplicates",
                                source->near_duplicates);
        log_info("%-8s %s: %" PRId64 " rows, %" PRId64 " duplicates%s, %" PRId64
                 " without a usable answer",
                 role_names[source->role], source->path, source->rows, source->duplicates,
                 text_buffer_string(&near), source->skipped);
        text_buffer_release(&near);
    }
    const struct mix_clusters *deal = &build->clusters;
    if (deal->behaviors && deal->threshold > 1)
        log_warning(
            "splits: so many of the requests are alike that behaviours are dealt one "
            "by one: `holdfast audit leak` tells what of MIX.test.csv has a twin in "
            "the mix");
    if (deal->with_twins)
        log_info("splits   %" PRId64 " behaviours in %" PRId64
                 " clusters of twins (largest "
                 "%" PRId64 ") were dealt together: train %" PRId64 ", validation %" PRId64
                 ", test %" PRId64,
                 deal->behaviors - deal->count + deal->with_twins, deal->with_twins,
                 deal->largest, deal->in_split[0], deal->in_split[1], deal->in_split[2]);
}

/* They were written with U+FFFD in place of what is wrong. */
static void broken_report(const struct mix_cut *cut, const char *path)
{
    int64_t broken = 0;
    for (size_t i = 0; i < cut->count; i++)
        broken += cut->rows[i]->is_broken;
    if (broken)
        log_warning("%s: %" PRId64 " examples came from text that is not UTF-8, and hold "
                    "U+FFFD (\xEF\xBF\xBD) in its place: convert their source with `iconv`",
                    path, broken);
}

static void cut_report(const struct mix_cut *cut, const struct mix_recipe *recipe,
                       const char *path)
{
    int64_t refusals = 0;
    int64_t tokens[2] = {0};
    int64_t target_tokens[2] = {0};
    for (size_t i = 0; i < cut->count; i++) {
        const struct mix_row *row = cut->rows[i];
        const int is_refusal = row->role == ROLE_HARMFUL;
        refusals += is_refusal;
        tokens[is_refusal] += row->tokens;
        target_tokens[is_refusal] += row->target_tokens;
    }
    log_info("%s: %zu examples, %" PRId64 " of them refusals (%.1f%%)", path, cut->count,
             refusals, 100.0 * (double)refusals / (double)cut->count);
    const int64_t all = tokens[0] + tokens[1];
    const int64_t all_target = target_tokens[0] + target_tokens[1];
    if (recipe->tokenizer && all && all_target)
        log_info("%s: %" PRId64 " tokens, %.1f%% of them in refusals; of the %" PRId64
                 " that the assistant says, %.1f%%",
                 path, all, 100.0 * (double)tokens[1] / (double)all, all_target,
                 100.0 * (double)target_tokens[1] / (double)all_target);
}

static enum status cut_write(struct mix_build *build, size_t cut,
                             const struct data_recipe *data, struct error *error)
{
    const char *path = data->paths.items[cut];
    char *folder = path_directory(path);
    enum status status = file_make_directories(folder, error);
    if (!status)
        status = mix_cut_write(build, cut, &data->recipe, data->format, path, error);
    if (!status) {
        cut_report(&build->cuts[cut], &data->recipe, path);
        broken_report(&build->cuts[cut], path);
    }
    free(folder);
    return status;
}

static enum status mixes_make(const struct data_options *options, struct error *error)
{
    struct data_recipe data;
    struct mix_build build = {0};
    enum status status = data_recipe_open(&data, options, error);
    if (!status)
        status = mix_build(&build, &data.recipe, error);
    if (!status)
        sources_report(&build);
    for (size_t i = 0; i < build.cut_count && !status; i++)
        status = cut_write(&build, i, &data, error);
    if (!status && build.held_out_count)
        log_info("%zu behaviours are held out, listed in the mix's .test.csv: evaluate on "
                 "them",
                 build.held_out_count);
    mix_build_release(&build);
    data_recipe_close(&data);
    return status;
}

static const struct mix_example *example_at(const void *context, size_t i)
{
    const struct mix *mix = context;
    return &mix->examples[i];
}

/* --from: a mix that is there already, in another format. */
static enum status mix_convert(const struct data_options *options, struct error *error)
{
    enum mix_format format;
    struct mix mix = {0};
    char sha256[65];
    if (data_options_check_from(options, error) ||
        mix_format_parse(&format, options->format, error) ||
        mix_read(&mix, options->from, error))
        return error->status;
    const struct mix_examples examples = {
        .at = example_at, .context = &mix, .count = mix.count};
    enum status status = mix_export(options->out, format, &examples, sha256, error);
    if (!status)
        log_info("%s: %zu examples of %s as %s", options->out, mix.count, options->from,
                 options->format);
    mix_release(&mix);
    return status;
}

enum status data_run(const struct data_options *options, struct error *error)
{
    log_quiet(options->quiet);
    return options->from ? mix_convert(options, error) : mixes_make(options, error);
}

static void tenses_print(void)
{
    for (int tense = 0; tense < TENSE_COUNT; tense++)
        printf("%-12s  %s\n", tense_name((enum tense)tense),
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
