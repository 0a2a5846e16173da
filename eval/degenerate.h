#ifndef HOLDFAST_EVAL_DEGENERATE_H
#define HOLDFAST_EVAL_DEGENERATE_H

#include <stdbool.h>

/*
 * Whether a reply is broken rather than an answer: it is empty, or occurrences of one 1- to
 * 4-gram that do not overlap, two at least, make up more than half of its words. Words are
 * what white space separates; of a long reply the first 2,000 are looked at.
 */
bool reply_is_degenerate(const char *reply);

#endif
