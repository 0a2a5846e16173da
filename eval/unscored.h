#ifndef HOLDFAST_EVAL_UNSCORED_H
#define HOLDFAST_EVAL_UNSCORED_H

#include "eval/attempts.h"

/*
 * Adds to an error about unscored attempts what most of them met: their "error", or the
 * name of their outcome where they have none. Nothing where all are scored.
 */
void unscored_explain(struct error *error, const struct attempt_list *list);

#endif
