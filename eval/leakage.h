#ifndef HOLDFAST_EVAL_LEAKAGE_H
#define HOLDFAST_EVAL_LEAKAGE_H

#include "base/json.h"
#include "data_gen/leak_check.h"
#include "eval/eval_options.h"

/*
 * Which behaviours of a run stand in what the model was trained on (--trained-on): found by
 * data_gen/leak.h with its default modes, rows of a mix marked benign or contrast being
 * compared verbatim only. Their attack success is told apart from that of the others: a
 * refusal that was learnt by heart says nothing of requests that are new.
 */
struct leakage {
    struct leak_check check; /* its only list are the behaviours */
    size_t behavior_count;   /* that are used (--limit) */
    int64_t *indices;        /* of those that leak, ascending */
    size_t count;
};
enum status leakage_open(struct leakage *leakage, const struct eval_options *options,
                         struct error *error);
void leakage_release(struct leakage *leakage);

bool leakage_has(const struct leakage *leakage, int64_t index);

/* Members of an open object: "trained_on", "behaviors", "leaked", "pairs". Files go by
 * their name and hash, not by where they lie. */
void leakage_print(const struct leakage *leakage, struct json_writer *json);

#endif
