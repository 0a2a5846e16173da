#ifndef HOLDFAST_DATA_GEN_MIX_PLAN_H
#define HOLDFAST_DATA_GEN_MIX_PLAN_H

#include "base/error.h"
#include "data_gen/mix_build.h"

#include <stdint.h>

/*
 * How many rows of each stream the mixes of one split take. With n refusals, m benign chats
 * and c contrast examples, and N = n + m + c in the largest mix:
 *
 *     MEASURE_EXAMPLES   n = ratio N; HOLD_BENIGN: m is that of the largest ratio, and
 *                        n = ratio / (1 - ratio) (m + c)
 *     by tokens          n such that R(n) / (R(n) + B(m) + C) is nearest to the ratio, with
 *                        R, B and C the tokens of the first n refusals, m chats, c contrast
 *
 * n rises with the ratio and, with HOLD_COUNT, m falls: prefixes nest.
 */
struct split_plan {
    const struct mix_recipe *recipe;
    int split;
    int64_t count;     /* N */
    int64_t contrast;  /* c */
    int64_t *refusals; /* [ratio_count] n */
    int64_t *chats;    /* [ratio_count] m */
};

/* Rows drawn so far. */
struct drawn_rows {
    struct mix_row **rows; /* borrowed */
    int64_t count;
    size_t capacity;
};
struct split_rows {
    struct drawn_rows refusals;
    struct drawn_rows chats;
    struct drawn_rows contrast;
};

/* Draws refusals until there are `count`, or says that there are no more. */
typedef enum status refusals_draw(void *context, struct split_rows *rows, int64_t count,
                                  struct error *error);

void split_plan_init(struct split_plan *plan, const struct mix_recipe *recipe, int split);
void split_plan_release(struct split_plan *plan);
void split_rows_release(struct split_rows *rows);

/* Benign chats that may be needed: to be drawn before split_plan_make(), as many as there
 * are. */
int64_t split_plan_chats_wanted(const struct split_plan *plan);

/* Sets refusals and chats; draws refusals as far as the largest mix needs them. */
enum status split_plan_make(struct split_plan *plan, struct split_rows *rows,
                            refusals_draw *draw, void *context, struct error *error);

#endif
