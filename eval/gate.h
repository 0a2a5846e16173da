#ifndef HOLDFAST_EVAL_GATE_H
#define HOLDFAST_EVAL_GATE_H

#include "base/options.h"
#include "eval/summary.h"

/*
 * --fail-if: a condition under which a run counts as failed.
 *
 *     [ATTACK.]asr[@K] | over_refusal.SET | d.past | d.future     the value, or
 *     … .lo  … .hi                                               an end of its 95% interval
 *     then  <  <=  >  >=  and a number
 *
 * asr without ATTACK is that of the first attack, by the main judge. An unmeasured value
 * lets no gate hold: that is STATUS_UNMEASURED.
 */

/* STATUS_USAGE for a condition that is malformed or names what the summary has not. */
enum status gates_check_names(const struct string_list *gates,
                              const struct summary *summary, struct error *error);

/* STATUS_GATE naming every condition that is true; STATUS_UNMEASURED before that. */
enum status gates_check(const struct string_list *gates, const struct summary *summary,
                        struct error *error);

#endif
