#ifndef HOLDFAST_TRAIN_INSPECT_MODEL_H
#define HOLDFAST_TRAIN_INSPECT_MODEL_H

#include "base/error.h"
#include "base/text_buffer.h"

#include <stdbool.h>

/*
 * `holdfast inspect model`: what a model directory (or an adapter and its base) holds, from
 * config.json, the headers of its weight files, its tokenizer and template: architecture,
 * parameters by part, types, files, and what training and generation would take in memory.
 * No weight is read, so that a model of any size takes the time of its tokenizer. What
 * loading would refuse for a name, a shape, a missing or a torn file is an error here.
 */
enum status inspect_model_describe(const char *directory, bool json,
                                   struct text_buffer *out, struct error *error);

#endif
