#ifndef HOLDFAST_TRAIN_LEAK_GUARD_H
#define HOLDFAST_TRAIN_LEAK_GUARD_H

#include "base/error.h"
#include "train/train_options.h"

/*
 * Looks for requests of evaluation lists in the training data (data_gen/leak.h, with its
 * default modes): those of MIX.test.csv where `holdfast data` left it beside the data, and
 * those of options->held_out. STATUS_GATE, naming the first pairs and the ways out, if
 * there are any; with options->allow_leak a warning instead.
 *
 * Rows of the mix marked benign or contrast are compared with MIX.test.csv verbatim only,
 * with the lists of held_out in every way.
 */
enum status leak_guard(const struct train_options *options, struct error *error);

#endif
