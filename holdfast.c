/* holdfast: the table of subcommands, nothing else. */

#include "ablate/ablate.h"
#include "chat/chat_command.h"
#include "data_gen/data_command.h"
#include "eval/audit_command.h"
#include "eval/eval_command.h"
#include "train/inspect.h"
#include "train/merge_command.h"
#include "train/trainer.h"

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
    fputs("\n`holdfast COMMAND --help` lists its options, with examples.\n", stream);
}

int main(int argc, char **argv)
{
    if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
                      !strcmp(argv[1], "help"))) {
        usage_print(stdout);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < SUBCOMMAND_COUNT; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    if (argc >= 2)
        fprintf(stderr, "holdfast: unknown command '%s'\n\n", argv[1]);
    usage_print(stderr);
    return 2;
}
