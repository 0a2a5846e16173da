#include "eval/audit_command.h"

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "data_gen/leak_check.h"
#include "eval/statistics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct audit_options {
    struct string_list train;
    struct string_list eval;
    struct string_list modes;
    double threshold;
    int64_t show;
    bool report_only;
    bool json;
};

#define FIELD(name) offsetof(struct audit_options, name)

static const struct option_entry entries[] = {
    {"train", OPTION_LIST, FIELD(train), "SPEC",
     "what is trained on: a mix, chats or requests, "
     "[NAME=]PATH[:COLUMN][?FIELD=VALUE[&FIELD=VALUE]]; "
     "repeatable",
     "Files"},
    {"eval", OPTION_LIST, FIELD(eval), "SPEC",
     "what is evaluated on: lists of requests, or the paper's result files; repeatable",
     NULL},
    {"modes", OPTION_LIST, FIELD(modes), "NAME,…",
     "exact, words-13, words-8, words-5, letters-50, tense"
     "(default: exact,words-13,letters-50,tense)",
     "Comparison"},
    {"threshold", OPTION_NUMBER, FIELD(threshold), "X",
     "tense: the least share of content words in common (Dice)", NULL},
    {"show", OPTION_INTEGER, FIELD(show), "N", "leaks to print (0: none); --json has all",
     "Output"},
    {"report-only", OPTION_BOOL, FIELD(report_only), NULL,
     "exit with 0 also if there are leaks", NULL},
    {"json", OPTION_BOOL, FIELD(json), NULL, "print JSON, with every leak", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command = {
    .name = "holdfast audit",
    .summary = "Finds evaluation requests that stand in training data, reworded or not.",
    .examples =
        "  holdfast audit leak --train mix.jsonl --eval mix.test.csv\n"
        "  holdfast audit leak --train mix.jsonl --eval jbb.csv:Goal,xstest.csv:prompt "
        "--json\n"
        "  holdfast audit leak --train pool.jsonl --eval jbb.csv:Goal --modes "
        "words-13,tense\n"
        "\n"
        "Exit code 100 if a request leaks. docs/audit.md says how often each mode is "
        "right.\n",
    .positional = "leak",
    .entries = entries,
};

static void rate_print(struct json_writer *json, int64_t successes, int64_t count,
                       const char *rate_key, const char *interval_key)
{
    const struct interval interval = wilson_interval(successes, count);
    json_number(json, rate_key, count ? (double)successes / (double)count : 0);
    json_array_begin(json, interval_key);
    json_number(json, NULL, interval.low);
    json_number(json, NULL, interval.high);
    json_array_end(json);
}

/* Requests that leak in `mode`; LEAK_MODE_COUNT: in any. */
static int64_t leaked_count(const struct leak_check *check, int mode)
{
    int64_t count = 0;
    if (mode == LEAK_MODE_COUNT)
        return (int64_t)leak_check_leaked(check);
    for (size_t i = 0; i < check->request_count; i++)
        count += leak_index_finding(check->index, i, (enum leak_mode)mode)->row_count > 0;
    return count;
}

static const char *mode_label(int mode)
{
    return mode == LEAK_MODE_COUNT ? "any" : leak_mode_name((enum leak_mode)mode);
}

static bool mode_counts(const struct leak_options *options, int mode)
{
    return mode == LEAK_MODE_COUNT || options->modes[mode];
}

static int64_t list_leaked(const struct leak_check *check, size_t list)
{
    int64_t count = 0;
    for (size_t i = 0; i < check->lists[list].count; i++)
        count += leak_index_leak(check->index, leak_check_number(check, list, i)) !=
                 LEAK_MODE_COUNT;
    return count;
}

static void files_print(struct json_writer *json, const struct leak_check *check)
{
    json_array_begin(json, "train");
    for (size_t i = 0; i < check->training_count; i++) {
        json_object_begin(json, NULL);
        json_string(json, "path", check->training[i].path);
        json_string(json, "sha256", check->training[i].sha256);
        json_integer(json, "rows", check->training[i].row_count);
        json_integer(json, "unread", check->training[i].unread_count);
        json_object_end(json);
    }
    json_array_end(json);
    json_array_begin(json, "eval");
    for (size_t i = 0; i < check->list_count; i++) {
        const int64_t leaked = list_leaked(check, i);
        json_object_begin(json, NULL);
        json_string(json, "name", check->lists[i].name);
        json_string(json, "path", check->lists[i].path);
        json_string(json, "sha256", check->lists[i].sha256);
        json_integer(json, "requests", (int64_t)check->lists[i].count);
        json_integer(json, "leaked", leaked);
        rate_print(json, leaked, (int64_t)check->lists[i].count, "rate", "ci95");
        json_object_end(json);
    }
    json_array_end(json);
}

static void modes_print(struct json_writer *json, const struct leak_check *check,
                        const struct leak_options *options)
{
    json_object_begin(json, "modes");
    for (int mode = 0; mode <= LEAK_MODE_COUNT; mode++) {
        if (!mode_counts(options, mode))
            continue;
        const int64_t leaked = leaked_count(check, mode);
        const int64_t rows = leak_index_leaking_rows(check->index, (enum leak_mode)mode);
        json_object_begin(json, mode_label(mode));
        json_integer(json, "leaked", leaked);
        json_integer(json, "n", (int64_t)check->request_count);
        rate_print(json, leaked, (int64_t)check->request_count, "rate", "ci95");
        json_integer(json, "training_rows", rows);
        rate_print(json, rows, leak_index_rows(check->index), "training_rate",
                   "training_ci95");
        json_object_end(json);
    }
    json_object_end(json);
}

static void leak_print(struct json_writer *json, const struct leak_check *check,
                       size_t list, size_t request)
{
    const struct request *asked = &check->lists[list].items[request];
    json_object_begin(json, NULL);
    json_string(json, "list", check->lists[list].name);
    json_integer(json, "index", asked->index);
    json_integer(json, "line", asked->line);
    json_string(json, "request", asked->text);
    json_object_begin(json, "modes");
    for (int mode = 0; mode < LEAK_MODE_COUNT; mode++) {
        const struct leak_finding *finding = leak_index_finding(
            check->index, leak_check_number(check, list, request), (enum leak_mode)mode);
        if (!finding->row_count)
            continue;
        json_object_begin(json, mode_label(mode));
        json_number(json, "score", finding->score);
        json_integer(json, "training_rows", finding->row_count);
        json_string(json, "file", check->training[finding->file].path);
        json_integer(json, "line", finding->line);
        json_string(json, "text", finding->text);
        json_object_end(json);
    }
    json_object_end(json);
    json_object_end(json);
}

static bool leaks(const struct leak_check *check, size_t list, size_t request)
{
    return leak_index_leak(check->index, leak_check_number(check, list, request)) !=
           LEAK_MODE_COUNT;
}

static void json_show(const struct leak_check *check, const struct leak_options *options,
                      struct text_buffer *out)
{
    struct json_writer json = {.out = out, .indent_spaces = 1};
    json_object_begin(&json, NULL);
    json_number(&json, "threshold", options->threshold);
    files_print(&json, check);
    modes_print(&json, check, options);
    json_array_begin(&json, "leaks");
    for (size_t l = 0; l < check->list_count; l++)
        for (size_t i = 0; i < check->lists[l].count; i++)
            if (leaks(check, l, i))
                leak_print(&json, check, l, i);
    json_array_end(&json);
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

static void share_show(struct text_buffer *out, int64_t successes, int64_t count)
{
    const struct interval interval = wilson_interval(successes, count);
    text_buffer_appendf(out, "%7" PRId64 " of %-7" PRId64 " %5.1f%% [%.1f, %.1f]",
                        successes, count,
                        count ? 100 * (double)successes / (double)count : 0,
                        100 * interval.low, 100 * interval.high);
}

static void table_show(const struct leak_check *check, const struct leak_options *options,
                       struct text_buffer *out)
{
    for (size_t i = 0; i < check->training_count; i++)
        text_buffer_appendf(out, "train  %s: %" PRId64 " rows\n", check->training[i].path,
                            check->training[i].row_count);
    for (size_t i = 0; i < check->list_count; i++)
        text_buffer_appendf(out, "eval   %s: %zu requests, %" PRId64 " leaked\n",
                            check->lists[i].path, check->lists[i].count,
                            list_leaked(check, i));
    text_buffer_append(out, "\nmode        requests that leak                       "
                            "training rows that leak one\n");
    for (int mode = 0; mode <= LEAK_MODE_COUNT; mode++) {
        if (!mode_counts(options, mode))
            continue;
        struct text_buffer share = {0};
        share_show(&share, leaked_count(check, mode), (int64_t)check->request_count);
        text_buffer_appendf(out, "%-10s  %-40s ", mode_label(mode),
                            text_buffer_string(&share));
        share_show(out, leak_index_leaking_rows(check->index, (enum leak_mode)mode),
                   leak_index_rows(check->index));
        text_buffer_append_char(out, '\n');
        text_buffer_release(&share);
    }
}

static void leaks_show(const struct leak_check *check, int64_t limit,
                       struct text_buffer *out)
{
    const int64_t count = (int64_t)leak_check_leaked(check);
    if (!count || !limit)
        return;
    text_buffer_append_char(out, '\n');
    int64_t shown = 0;
    for (size_t l = 0; l < check->list_count; l++)
        for (size_t i = 0; i < check->lists[l].count && shown < limit; i++)
            if (leaks(check, l, i)) {
                leak_check_describe(check, l, i, out);
                text_buffer_append_char(out, '\n');
                shown++;
            }
    if (shown < count)
        text_buffer_appendf(out, "and %" PRId64 " more: --show N, or --json for all\n",
                            count - shown);
}

static enum status leak_audit(const struct audit_options *options, struct text_buffer *out,
                              struct error *error)
{
    struct leak_options modes;
    struct leak_check check;
    if (leak_options_parse(&modes, &options->modes, options->threshold, error) ||
        leak_check_run(&check, &options->train, &options->eval, &modes, error))
        return error->status;
    for (size_t i = 0; i < check.training_count; i++)
        if (check.training[i].unread_count)
            log_warning("%s: %" PRId64 " of %" PRId64 " rows hold no text that is compared",
                        check.training[i].path, check.training[i].unread_count,
                        check.training[i].row_count);
    if (options->json) {
        json_show(&check, &modes, out);
    } else {
        table_show(&check, &modes, out);
        leaks_show(&check, options->show, out);
    }
    const size_t leaked = leak_check_leaked(&check);
    enum status status = STATUS_OK;
    if (leaked && !options->report_only)
        status = error_set(error, STATUS_GATE,
                           "%zu of %zu evaluation requests stand in the training data",
                           leaked, check.request_count);
    leak_check_release(&check);
    return status;
}

static bool compares_tenses(const struct audit_options *options)
{
    for (size_t i = 0; i < options->modes.count; i++)
        if (strcmp(options->modes.items[i], "tense") == 0)
            return true;
    return options->modes.count == 0; /* the default has it */
}

static enum status options_check(const struct audit_options *options,
                                 const struct string_list *positional, struct error *error)
{
    if (positional->count != 1 || strcmp(positional->items[0], "leak") != 0)
        return error_set(error, STATUS_USAGE, "audit what? leak");
    if (!options->train.count)
        return error_set(error, STATUS_USAGE,
                         "what is trained on is missing: --train SPEC");
    if (!options->eval.count)
        return error_set(error, STATUS_USAGE,
                         "what is evaluated on is missing: --eval SPEC");
    if (options->show < 0)
        return error_set(error, STATUS_USAGE, "--show must not be negative");
    if (options->threshold != leak_options_default().threshold && !compares_tenses(options))
        return error_set(error, STATUS_USAGE,
                         "--threshold is of the mode tense, which --modes does not name");
    return STATUS_OK;
}

int audit_command(int argc, char **argv)
{
    struct audit_options options = {.threshold = leak_options_default().threshold,
                                    .show = 10};
    struct string_list positional = {0};
    struct text_buffer out = {0};
    struct error error = {0};
    bool help_shown = false;
    enum status status =
        options_parse(&command, argc, argv, &options, &positional, &help_shown, &error);
    if (!status && !help_shown)
        status = options_check(&options, &positional, &error);
    if (!status && !help_shown)
        status = leak_audit(&options, &out, &error);
    fputs(text_buffer_string(&out), stdout);
    fflush(stdout);
    if (status)
        log_error("%s", error.message);
    text_buffer_release(&out);
    string_list_release(&positional);
    options_release(&command, &options);
    return status_exit_code(status);
}
