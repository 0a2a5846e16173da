#ifndef HOLDFAST_TRAIN_SHOW_H
#define HOLDFAST_TRAIN_SHOW_H

#include "data_gen/mix.h"
#include "text/tokenizer.h"
#include "train/dataset.h"

/* Prints the first `count` examples to stdout, token by token; those that carry loss in [
 * ]. */
void show_examples(const struct dataset *dataset, const struct mix *mix,
                   const struct tokenizer *tokenizer, int64_t count);

#endif
