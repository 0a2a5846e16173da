/* holdfast: the table of subcommands, nothing else. */

#include "ablate/ablate.h"
#include "base/log.h"
#include "base/options.h"
#include "base/version.h"
#include "chat/chat_command.h"
#include "data_gen/data_command.h"
#include "eval/audit_command.h"
#include "eval/eval_command.h"
#include "train/inspect.h"
#include "train/merge_command.h"
#include "train/trainer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} subcommands[] = {
    {"data", data_command, "mix refusals of past-tense requests with benign chats"},
    {"train", train_command, "fine-tune a transformer on a mix"},
    {"eval", eval_command, "measure attack success against over-refusal"},
    {"score", score_command, "judge stored replies again"},
    {"report", report_command, "one HTML page from one or more evaluation runs"},
    {"ablate", ablate_command, "data, train and eval over several refusal ratios"},
    {"audit", audit_command, "find evaluation requests that stand in training data"},
    {"merge", merge_command, "fold a LoRA adapter into the weights of its model"},
    {"chat", chat_command, "talk to a model on the terminal"},
    {"inspect", inspect_command, "tokens, templates, masks, logits, gradients, tenses"},
};

enum { SUBCOMMAND_COUNT = sizeof subcommands / sizeof *subcommands };

static void usage_print(FILE *stream)
{
    fputs("holdfast trains refusals that hold in every tense, and measures what they "
          "cost.\n\n"
          "usage: holdfast COMMAND [--name value …] [name=value …]\n\n",
          stream);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(stream, "  %-8s  %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n`holdfast COMMAND --help` lists its options, with examples. `holdfast "
          "--version`\n"
          "says which one this is.\n\n"
          "Exit codes: 0 good, 1 failed, 2 wrong usage, 3 too much could not be measured, "
          "100 a\ngate (--fail-if) did not hold, or audit or train found a leak.\n",
          stream);
}

static const struct subcommand *subcommand_find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(name, subcommands[i].name) == 0)
            return &subcommands[i];
    return NULL;
}

static const char *nearest_subcommand(const char *word)
{
    const char *names[SUBCOMMAND_COUNT];
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        names[i] = subcommands[i].name;
    return nearest_name(word, names, SUBCOMMAND_COUNT);
}

static int unknown_subcommand(const char *word)
{
    const char *nearest = nearest_subcommand(word);
    if (nearest)
        log_error("there is no command '%s'; did you mean %s?", word, nearest);
    else
        log_error("there is no command '%s'; `holdfast --help` lists them", word);
    return 2;
}

/* A full disk behind `>` is a failure, too: what was printed is the result. */
static int end_with(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    log_error("the standard output cannot be written: %s", strerror(errno));
    return code ? code : 1;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

/* `holdfast help`, and `holdfast help train`, as `holdfast train --help`. */
static int help(int argc, char **argv)
{
    char option[] = "--help";
    const struct subcommand *found = argc > 2 ? subcommand_find(argv[2]) : NULL;
    if (found)
        return end_with(found->run(2, (char *[]){argv[2], option, NULL}));
    if (argc > 2)
        return unknown_subcommand(argv[2]);
    usage_print(stdout);
    return end_with(0);
}

int main(int argc, char **argv)
{
    /* A file that grows over `ulimit -f` is an error like a full disk, with its name. */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        usage_print(stderr);
        return 2;
    }
    if (is_one_of(argv[1], "--help", "-h", "help"))
        return help(argc, argv);
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        puts("holdfast " HOLDFAST_VERSION);
        return end_with(0);
    }
    const struct subcommand *found = subcommand_find(argv[1]);
    return found ? end_with(found->run(argc - 1, argv + 1)) : unknown_subcommand(argv[1]);
}
