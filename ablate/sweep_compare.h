#ifndef HOLDFAST_ABLATE_SWEEP_COMPARE_H
#define HOLDFAST_ABLATE_SWEEP_COMPARE_H

#include "ablate/sweep_table.h"
#include "base/json.h"

/*
 * Each run of a sweep, attack by attack, against the base and against the control of the
 * same seed (ratio 0: tuning on benign chats alone moves the attack success, too), on the
 * same behaviours: see verdicts.h. Holm's family are the runs that are held against the
 * same thing under the same attack.
 */
struct sweep_comparison {
    const char *attack;
    size_t row;     /* of the table */
    size_t against; /* row of the base or the control */
    struct comparison comparison;
};

struct sweep_comparisons {
    struct sweep_comparison *items; /* by attack; against the base first; by row */
    size_t count;
    size_t capacity;
};

/* Borrows from the table, which must outlive it. The base is the first row. */
void sweep_compare(struct sweep_comparisons *comparisons, const struct sweep_table *table);
void sweep_comparisons_release(struct sweep_comparisons *comparisons);

/* A line a comparison under a head; nothing if there is none. */
void sweep_comparisons_print(const struct sweep_comparisons *comparisons,
                             const struct sweep_table *table, struct text_buffer *out);

/*
 * "comparisons":[{"attack","ratio","seed","against":{"ratio","seed"},"attempts","n",
 *                 "left_out","before","after","difference","ci95","only_before",
 *                 "only_after","p","p_holm"}]
 */
void sweep_comparisons_json(const struct sweep_comparisons *comparisons,
                            const struct sweep_table *table, struct json_writer *json);

#endif
