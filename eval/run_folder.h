#ifndef HOLDFAST_EVAL_RUN_FOLDER_H
#define HOLDFAST_EVAL_RUN_FOLDER_H

#include "eval/eval_options.h"

/* The folder of a run, options->out: what must hold before anything is written there. */

/* STATUS_USAGE if it holds a run and is not told to continue it. */
enum status run_folder_check(const struct eval_options *options, struct error *error);

/* config.yaml: the resolved options, such that --config reads them back. */
enum status run_folder_write_config(const struct eval_options *options,
                                    struct error *error);

#endif
