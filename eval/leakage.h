#ifndef HOLDFAST_EVAL_LEAKAGE_H
#define HOLDFAST_EVAL_LEAKAGE_H

#include "base/json.h"
#include "data_gen/leak_check.h"
#include "eval/request_sets.h"
#include "eval/trained_on.h"

/*
 * Which requests of a run stand in what the model was trained on (eval/trained_on.h), found
 * by data_gen/leak.h with its default modes. Harmful behaviours are compared with rows of a
 * mix that are marked benign or contrast verbatim only: a harmless neighbour, answered, is
 * not their twin. Benign requests are compared with all rows in all modes. What is leaked
 * is reported apart: an answer that was learnt by heart says nothing of requests that are
 * new.
 */
struct leaked_set {
    const char *name;               /* NULL: the harmful behaviours; borrowed */
    const struct leak_check *check; /* one of the two below */
    size_t list;                    /* its number there */
    size_t request_count;           /* that are used (--limit) */
    int64_t *indices;               /* of those that leak, ascending */
    size_t count;
};
struct leakage {
    struct leak_check behaviors;
    struct leak_check benign;
    struct leaked_set *sets; /* as those of the run; the first is the harmful one */
    size_t set_count;
    const struct string_list *missing; /* training files that were not found; borrowed */
};
enum status leakage_open(struct leakage *leakage, const struct trained_on *trained_on,
                         const struct request_sets *sets, struct error *error);
void leakage_release(struct leakage *leakage);

/* A benign set's name, or NULL for the harmful one. */
bool leakage_has(const struct leakage *leakage, const char *set, int64_t index);

/* Members of an open object: "trained_on", "not_found", "behaviors", "leaked", "pairs",
 * "benign". Files go by their name and hash, not by where they lie. */
void leakage_print(const struct leakage *leakage, struct json_writer *json);

#endif
