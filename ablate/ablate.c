#include "ablate/ablate.h"

#include "ablate/stages.h"
#include "ablate/sweep_table.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "data_gen/data_command.h"
#include "eval/eval_command.h"
#include "eval/report.h"
#include "train/train_options.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct ablate_options, name)

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, FIELD(model), "DIR", "model to harden, and the baseline",
     "Sweep"},
    {"ratios", OPTION_LIST, FIELD(ratios), "X,…", "refusal ratios; 0 is the control", NULL},
    {"seeds", OPTION_LIST, FIELD(seeds), "N,…",
     "seeds of mix and training: each ratio is run with each", NULL},
    {"out", OPTION_STRING, FIELD(out), "SWEEP", "folder of the sweep", NULL},
    {"resume", OPTION_BOOL, FIELD(resume), NULL, "go on with the sweep in --out", NULL},
    {"data", OPTION_LIST, FIELD(data), "NAME=VALUE",
     "an option of `holdfast data`, e.g. tenses=past,none; repeatable", "Stages"},
    {"train", OPTION_LIST, FIELD(train), "NAME=VALUE",
     "an option of `holdfast train`; repeatable", NULL},
    {"eval", OPTION_LIST, FIELD(eval), "NAME=VALUE",
     "an option of `holdfast eval`; repeatable. Without behaviors=SPEC the behaviours that "
     "--data splits=… holds out are asked",
     NULL},
    {"json", OPTION_BOOL, FIELD(json), NULL, "print sweep.json instead of the table",
     "Output"},
    {"quiet", OPTION_BOOL, FIELD(quiet), NULL, "only warnings and errors", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command_line = {
    .name = "holdfast ablate",
    .summary = "Runs data, train and eval for each refusal ratio: one table, one picture.",
    .examples =
        "  holdfast ablate --model DIR --ratios 0,0.02,0.10,0.30 --seeds 1,2,3 --out "
        "sweep/ \\\n"
        "      --data harmful=jbb.csv:Goal --data benign=dolly.jsonl --data count=1500 \\\n"
        "      --data splits=train:0.5,test:0.5 --train lr=1e-4 --eval attack=none,past "
        "\\\n"
        "      --eval 'benign=xstest=xstest.csv:prompt?label=safe'\n"
        "  holdfast ablate --resume --config sweep/config.yaml\n",
    .positional = NULL,
    .entries = entries,
};

struct sweep {
    const struct ablate_options *options;
    char *behaviors; /* what is held out, where --eval names no behaviours; else NULL */
    size_t run;      /* the number of the run under way, from 1; the base is the first */
    struct sweep_table table;
    struct error verdict; /* of the last run with too much unscored, or a gate that fell */
};

/*
 * `--eval attack=none,past` came as "attack=none" and "past": what does not begin with
 * NAME= is the rest of the item before it, comma and all. (A comma between two settings, or
 * one in front of NAME=, is told from it by the name.)
 */
static void pairs_rejoin(struct string_list *pairs)
{
    size_t kept = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        char *item = pairs->items[i];
        const size_t name = strspn(item, "abcdefghijklmnopqrstuvwxyz_-0123456789");
        if (kept == 0 || item[name] == '=') {
            pairs->items[kept++] = item;
            continue;
        }
        struct text_buffer joined = {0};
        text_buffer_appendf(&joined, "%s,%s", pairs->items[kept - 1], item);
        free(pairs->items[kept - 1]);
        free(item);
        pairs->items[kept - 1] = text_buffer_detach(&joined);
    }
    pairs->count = kept;
}

/* Makes the mixes of a seed, for all ratios at once: they are nested then, and what differs
 * between two runs is what was added, nothing else. */
static enum status mixes_make(const struct ablate_options *options, const char *seed,
                              struct error *error)
{
    struct data_options settings;
    struct text_buffer out = {0};
    char *ratios = ratios_joined(options);
    text_buffer_appendf(&out, "%s/ratio-{ratio}/seed-%s/mix.jsonl", options->out, seed);
    const struct override own[] = {{"ratio", ratios},
                                   {"seed", seed},
                                   {"out", text_buffer_string(&out)},
                                   {"quiet", options->quiet ? "true" : "false"}};
    data_options_defaults(&settings);
    enum status status =
        stage_settings(&data_command_line, &settings, &options->data, own, 4, 4, error);
    if (!status)
        status = data_run(&settings, error);
    options_release(&data_command_line, &settings);
    text_buffer_release(&out);
    free(ratios);
    return status;
}

static enum status data_stage(const struct ablate_options *options, const char *folder,
                              const char *seed, struct error *error)
{
    char *manifest = path_join(folder, "mix.manifest.json");
    /* The manifest is written after the mix: where it is, the mix is whole. */
    enum status status =
        file_exists(manifest) ? STATUS_OK : mixes_make(options, seed, error);
    free(manifest);
    return status;
}

static enum status train_stage(const struct ablate_options *options, const char *folder,
                               const char *seed, struct error *error)
{
    struct train_options settings;
    char *mix = path_join(folder, "mix.jsonl");
    char *run = path_join(folder, "run");
    const struct override own[] = {{"model", options->model},
                                   {"data", mix},
                                   {"out", run},
                                   {"seed", seed},
                                   {"resume", "true"},
                                   {"quiet", options->quiet ? "true" : "false"}};
    train_options_defaults(&settings);
    enum status status =
        stage_settings(&train_command_line, &settings, &options->train, own, 6, 6, error);
    if (!status)
        status = train_options_check(&settings, error);
    if (!status)
        status = train_run(&settings, error);
    options_release(&train_command_line, &settings);
    free(mix);
    free(run);
    return status;
}

/* A path as an item of a list of source specs, whatever is in it. */
static char *spec_of(const char *path)
{
    struct text_buffer spec = {0};
    text_buffer_append(&spec, "mix=");
    for (; *path; path++)
        text_buffer_appendf(&spec, *path == ',' ? "\\%c" : "%c", *path);
    return text_buffer_detach(&spec);
}

/* `mix` is what the model was trained on, a source spec; NULL for the base. */
static enum status eval_stage(struct sweep *sweep, const char *model, const char *mix,
                              const char *folder, struct error *error)
{
    struct eval_options settings;
    struct override own[6] = {{"model", model},
                              {"out", folder},
                              {"resume", "true"},
                              {"quiet", sweep->options->quiet ? "true" : "false"}};
    size_t own_count = 4;
    if (mix)
        own[own_count++] = (struct override){"trained_on", mix};
    if (sweep->behaviors)
        own[own_count++] = (struct override){"behaviors", sweep->behaviors};
    eval_options_defaults(&settings);
    enum status status = stage_settings(&eval_command_line, &settings,
                                        &sweep->options->eval, own, own_count, 4, error);
    if (!status)
        status = eval_options_check(&settings, error);
    if (!status)
        status = eval_run(&settings, error);
    options_release(&eval_command_line, &settings);
    if (status != STATUS_UNMEASURED && status != STATUS_GATE)
        return status;
    /* The figures are written, and say what is missing: the sweep goes on. */
    log_warning("%s: %s", folder, error->message);
    sweep->verdict = *error;
    *error = (struct error){0};
    return STATUS_OK;
}

static size_t run_count(const struct ablate_options *options)
{
    return 1 + options->ratios.count * options->seeds.count;
}

static enum status base_measure(struct sweep *sweep, struct error *error)
{
    char *folder = path_join(sweep->options->out, "base/eval");
    log_info("run %zu of %zu: the base: eval", ++sweep->run, run_count(sweep->options));
    enum status status = file_make_directories(folder, error);
    if (!status)
        status = eval_stage(sweep, sweep->options->model, NULL, folder, error);
    if (!status)
        status = sweep_table_add(&sweep->table, "base", "", folder, error);
    free(folder);
    return status;
}

static enum status ratio_measure(struct sweep *sweep, const char *ratio, const char *seed,
                                 struct error *error)
{
    const struct ablate_options *options = sweep->options;
    struct text_buffer folder = {0};
    text_buffer_appendf(&folder, "%s/ratio-%s/seed-%s", options->out, ratio, seed);
    const char *path = text_buffer_string(&folder);
    char *final = path_join(path, "run/final");
    char *data = path_join(path, "mix.jsonl");
    char *mix = spec_of(data);
    char *eval = path_join(path, "eval");
    log_info("run %zu of %zu: ratio %s, seed %s: data, train, eval", ++sweep->run,
             run_count(options), ratio, seed);
    enum status status = file_make_directories(eval, error);
    if (!status)
        status = data_stage(options, path, seed, error);
    if (!status)
        status = train_stage(options, path, seed, error);
    if (!status)
        status = eval_stage(sweep, final, mix, eval, error);
    if (!status)
        status = sweep_table_add(&sweep->table, ratio, seed, eval, error);
    if (status)
        error_prefix(error, "ratio %s, seed %s", ratio, seed);
    free(eval);
    free(mix);
    free(data);
    free(final);
    text_buffer_release(&folder);
    return status;
}

static enum status results_write(const struct ablate_options *options,
                                 const struct sweep_table *table, struct error *error)
{
    struct text_buffer json = {0};
    struct text_buffer text = {0};
    char *path = path_join(options->out, "sweep.json");
    char *report = path_join(options->out, "report.html");
    const char **runs = memory_allocate_array(table->row_count + 1, sizeof *runs);
    for (size_t i = 0; i < table->row_count; i++)
        runs[i] = table->rows[i].folder;
    sweep_table_json(table, &json);
    sweep_table_print(table, &text);
    enum status status = file_write_all(path, json.data, json.length, error);
    if (!status)
        status = report_write(runs, table->row_count, report, error);
    if (!status) {
        file_remove_torn(options->out);
        fputs(text_buffer_string(options->json ? &json : &text), stdout);
        log_info("the picture is in %s", report);
    }
    free(runs);
    free(path);
    free(report);
    text_buffer_release(&json);
    text_buffer_release(&text);
    return status;
}

/* Writes OUT/config.yaml, or, resuming, checks that it is the same sweep. */
static enum status config_settle(const struct ablate_options *options, struct error *error)
{
    struct ablate_options copy = *options;
    copy.resume = copy.quiet = copy.json = false; /* may change from call to call */
    struct text_buffer yaml = {0};
    struct text_buffer stored = {0};
    options_print_yaml(&command_line, &copy, &yaml);
    char *path = path_join(options->out, "config.yaml");
    enum status status = STATUS_OK;
    if (!file_exists(path)) {
        status = file_make_directories(options->out, error);
        if (!status)
            status = file_write_all(path, yaml.data, yaml.length, error);
    } else if (!options->resume) {
        status = error_set(error, STATUS_USAGE,
                           "%s holds a sweep already: go on with it by --resume, or choose "
                           "another --out",
                           options->out);
    } else if (!(status = file_read(&stored, path, 0, error)) &&
               strcmp(text_buffer_string(&stored), text_buffer_string(&yaml)) != 0) {
        status = error_set(error, STATUS_USAGE,
                           "%s is of another sweep: resume with --config %s, or choose "
                           "another --out",
                           path, path);
    }
    free(path);
    text_buffer_release(&stored);
    text_buffer_release(&yaml);
    return status;
}

static enum status options_check(const struct ablate_options *options, struct error *error)
{
    if (!options->model || !options->out)
        return error_set(error, STATUS_USAGE, "--model DIR and --out SWEEP are needed");
    if (options->ratios.count == 0 || options->seeds.count == 0)
        return error_set(error, STATUS_USAGE, "--ratios and --seeds must not be empty");
    return STATUS_OK;
}

/* The held-out behaviours are the same for all ratios and seeds (--split-seed): the list
 * beside the first mix serves, which is made for this if it is not there. */
static enum status held_out_find(struct sweep *sweep, struct error *error)
{
    const struct ablate_options *options = sweep->options;
    const char *seed = options->seeds.items[0];
    struct text_buffer folder = {0};
    text_buffer_appendf(&folder, "%s/ratio-%s/seed-%s", options->out,
                        options->ratios.items[0], seed);
    sweep->behaviors = path_join(text_buffer_string(&folder), "mix.test.csv");
    enum status status = file_make_directories(text_buffer_string(&folder), error);
    if (!status)
        status = data_stage(options, text_buffer_string(&folder), seed, error);
    text_buffer_release(&folder);
    return status;
}

/* All stages of all ratios, and what comes of them. */
static enum status sweep_run(struct sweep *sweep, bool asks_held_out, struct error *error)
{
    const struct ablate_options *options = sweep->options;
    enum status status = asks_held_out ? held_out_find(sweep, error) : STATUS_OK;
    if (!status)
        status = base_measure(sweep, error);
    for (size_t i = 0; i < options->ratios.count && !status; i++)
        for (size_t j = 0; j < options->seeds.count && !status; j++)
            status = ratio_measure(sweep, options->ratios.items[i], options->seeds.items[j],
                                   error);
    if (!status)
        status = results_write(options, &sweep->table, error);
    return status;
}

/* A sweep that has not begun to measure leaves --out as it was, for the next try.
 * `first_missing` of it, NULL: it was there, and held nothing of a sweep. */
static void out_take_back(const struct ablate_options *options, const char *first_missing)
{
    struct text_buffer folder = {0};
    if (file_exists_in(options->out, "base/eval/manifest.json"))
        return;
    if (first_missing) {
        file_remove_made(options->out, first_missing);
        return;
    }
    file_remove_in(options->out, "config.yaml");
    file_remove_in(options->out, "base");
    text_buffer_appendf(&folder, "ratio-%s", options->ratios.items[0]);
    file_remove_in(options->out, text_buffer_string(&folder)); /* of held_out_find() */
    text_buffer_release(&folder);
}

enum status ablate_run(const struct ablate_options *options, struct error *error)
{
    struct sweep sweep = {.options = options};
    bool asks_held_out;
    log_quiet(options->quiet);
    if (options_check(options, error) || stages_check(options, &asks_held_out, error))
        return error->status;
    const bool fresh = !file_exists_in(options->out, "config.yaml") &&
                       !file_exists_in(options->out, "base");
    char *first_missing = file_first_missing(options->out);
    enum status status = config_settle(options, error);
    interrupt_hint("go on with `holdfast ablate --config %s/config.yaml --resume`",
                   options->out);
    if (!status)
        status = sweep_run(&sweep, asks_held_out, error);
    interrupt_clear();
    if (status && fresh)
        out_take_back(options, first_missing);
    free(first_missing);
    sweep_table_release(&sweep.table);
    free(sweep.behaviors);
    if (!status && sweep.verdict.status) {
        *error = sweep.verdict;
        status = error->status;
    }
    return status;
}

/* "sweep/" is "sweep": paths below it are shown and stored. */
static void slashes_cut(char *path)
{
    size_t length = path ? strlen(path) : 0;
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
}

int ablate_command(int argc, char **argv)
{
    struct ablate_options options = {0};
    struct error error = {0};
    bool help_shown = false;
    string_list_add(&options.seeds, "1");
    enum status status =
        options_parse(&command_line, argc, argv, &options, NULL, &help_shown, &error);
    slashes_cut(options.out);
    pairs_rejoin(&options.data);
    pairs_rejoin(&options.train);
    pairs_rejoin(&options.eval);
    if (!status && !help_shown)
        status = ablate_run(&options, &error);
    if (status)
        log_error("%s", error.message);
    options_release(&command_line, &options);
    return status_exit_code(status);
}
