#ifndef HOLDFAST_EVAL_TYPOGRAPHIC_H
#define HOLDFAST_EVAL_TYPOGRAPHIC_H

#include "eval/attempts.h"

/*
 * Replies that the judge `rules` (or rules_replayed) calls answered, and would call refused
 * if their apostrophes were straight: "I’m sorry". The paper's 29 markers do not know them,
 * and we keep to the paper; whoever reads the rate should know.
 */
int64_t typographic_misses(const struct attempt_list *list);

/* Warns of them, if there are any. */
void typographic_warn(const struct attempt_list *list);

#endif
