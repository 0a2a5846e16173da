#ifndef HOLDFAST_TRAIN_TRAINER_H
#define HOLDFAST_TRAIN_TRAINER_H

#include "base/error.h"
#include "train/train_options.h"

/*
 * One training run, from options to RUN/final/:
 *
 *     RUN/config.yaml        the resolved options; --config reads it back
 *     RUN/start/             with --init: config.json and tokenizer that the run starts
 * from RUN/metrics.jsonl      a line an update (train/metrics.h) RUN/checkpoints/
 * train/checkpoint.h RUN/final/             the model, a Hugging Face directory
 *
 * Bitwise resume: killed at any moment and run again with --resume, the run ends with the
 * very same final weights (same machine, same thread count, same number of ranks; another
 * number of ranks may go on too). A run that is finished is left
 * as it is. Nothing of an earlier run is overwritten without --resume.
 */
enum status train_run(const struct train_options *options, struct error *error);

/* `holdfast train`: parses argv, runs, reports. Returns the exit code. */
int train_command(int argc, char **argv);

#endif
