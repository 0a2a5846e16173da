#ifndef HOLDFAST_EVAL_REQUEST_SETS_H
#define HOLDFAST_EVAL_REQUEST_SETS_H

#include "data_gen/source.h"
#include "eval/eval_options.h"

/*
 * The lists of a run: the harmful behaviours first, then the benign sets in the order of
 * --benign, --benign-past, --benign-future. Indices within a list, and names of benign
 * sets, are distinct.
 */
struct request_set {
    struct request_list list;
    const char *spec; /* borrowed from the options */
    char *set;        /* "harmful" or "benign:NAME" */
    size_t count;     /* how many of the list are used (--limit) */
};
struct request_sets {
    struct request_set *items;
    size_t count;
    const char *benign_past; /* name, NULL if not given; borrowed */
    const char *benign_future;
};
enum status request_sets_read(struct request_sets *sets, const struct eval_options *options,
                              struct error *error);
void request_sets_release(struct request_sets *sets);

#endif
