#include "eval/report_command.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "eval/attempts_csv.h"
#include "eval/report.h"

#include <stdio.h>

struct report_options {
    char *out;
    char *csv;
};

static const struct option_entry entries[] = {
    {"out", OPTION_STRING, offsetof(struct report_options, out), "FILE",
     "the page to write; its path is printed", NULL},
    {"csv", OPTION_STRING, offsetof(struct report_options, csv), "FILE",
     "write every attempt of the runs there as well, a row each, for spreadsheets", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command = {
    .name = "holdfast report",
    .summary = "Writes one self-contained HTML page from one or more evaluation runs.",
    .examples = "  holdfast report runs/before runs/after --out report.html\n"
                "  holdfast report runs/before --csv attempts.csv\n"
                "\n"
                "The first run is the baseline that the others are held against.\n",
    .positional = "RUN…",
    .entries = entries,
};

static enum status run(const struct report_options *options, const struct string_list *runs,
                       struct error *error)
{
    if (runs->count == 0)
        return error_set(error, STATUS_USAGE,
                         "no run is given; name the folders that `holdfast eval --out` "
                         "wrote, the baseline first");
    const char *const *folders = (const char *const *)runs->items;
    if (options->csv && attempts_write_csv(folders, runs->count, options->csv, error))
        return error->status;
    return report_write(folders, runs->count, options->out, error);
}

int report_command(int argc, char **argv)
{
    struct report_options options = {.out = memory_duplicate_string("report.html")};
    struct string_list runs = {0};
    struct error error = {0};
    bool help_shown = false;
    enum status status =
        options_parse(&command, argc, argv, &options, &runs, &help_shown, &error);
    if (!status && !help_shown) {
        status = run(&options, &runs, &error);
        if (!status)
            printf("%s\n", options.out);
    }
    if (status)
        log_error("%s", error.message);
    string_list_release(&runs);
    options_release(&command, &options);
    return status_exit_code(status);
}
