#ifndef HOLDFAST_EVAL_EVAL_COMMAND_H
#define HOLDFAST_EVAL_EVAL_COMMAND_H

#include "eval/eval_options.h"
#include "eval/run.h"

/* The subcommands of this folder: they parse argv, run, and return the exit code. */
int eval_command(int argc, char **argv);
int score_command(int argc, char **argv);
int report_command(int argc, char **argv); /* see eval/report_command.h */

#endif
