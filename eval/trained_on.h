#ifndef HOLDFAST_EVAL_TRAINED_ON_H
#define HOLDFAST_EVAL_TRAINED_ON_H

#include "base/error.h"
#include "eval/eval_options.h"

/*
 * What the model of a run was trained on: what --trained-on names, or, where that is not
 * given, what training_data.json in the model's directory names
 * (checkpoints/training_data.h). A file is looked for under the path that train was given,
 * from here and from the model's directory and the three folders above it; then under its
 * name alone in these four. It is taken only if its SHA-256 is the one in
 * training_data.json.
 * `--trained-on none` looks for nothing.
 */
struct trained_on {
    struct string_list specs;   /* source specs, as of --trained-on */
    struct string_list missing; /* files that the model names and that are not there */
};

/* Says on stderr what was found and what was not; a missing file is no error. */
enum status trained_on_find(struct trained_on *trained_on,
                            const struct eval_options *options, struct error *error);
void trained_on_release(struct trained_on *trained_on);

/* Whether the option says to look for nothing. */
bool trained_on_is_off(const struct string_list *option);

#endif
