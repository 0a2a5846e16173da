#ifndef HOLDFAST_TRAIN_START_H
#define HOLDFAST_TRAIN_START_H

#include "base/error.h"
#include "data_gen/mix.h"
#include "train/train_options.h"

/*
 * The directory that a run starts from: --model as it is, or, with --init, RUN/start/, made
 * here: config.json with its token ids filled in, and a tokenizer (copied from
 * --tokenizer, or learnt from the training split). *directory is heap-owned. Making it
 * again from the same input gives the same bytes.
 */
enum status start_directory_prepare(char **directory, const struct train_options *options,
                                    const struct mix *mix, struct error *error);
/* Its name alone (heap). */
char *start_directory_name(const struct train_options *options);

#endif
