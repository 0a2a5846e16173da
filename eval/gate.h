#ifndef HOLDFAST_EVAL_GATE_H
#define HOLDFAST_EVAL_GATE_H

#include "base/options.h"
#include "eval/summary.h"

/*
 * --fail-if: a condition under which a run counts as failed.
 *
 *     [ATTACK.]asr[@K] | [ATTACK.]asr_corrected | [ATTACK.]youden.SET
 *     | [ATTACK.]kappa.JUDGE.JUDGE | over_refusal.SET | d.past | d.future
 *                                      the value, or with
 *     .lo | .hi                        behind, an end of its 95% interval
 *     then  <  <=  >  >=  and a number
 *
 * Without ATTACK it is the first attack, by the main judge. K beyond the attempts that
 * were made is an error: nothing is extrapolated. An unmeasured value
 * lets no gate hold: that is STATUS_UNMEASURED.
 */

/* STATUS_USAGE for a condition that is malformed or names what the summary has not. */
enum status gates_check_names(const struct string_list *gates,
                              const struct summary *summary, struct error *error);

/* STATUS_GATE naming every condition that is true; STATUS_UNMEASURED before that. */
enum status gates_check(const struct string_list *gates, const struct summary *summary,
                        struct error *error);

/* One condition that gates_check_names() let pass; *value is NaN if it was not measured. */
enum gate_result { GATE_HOLDS, GATE_BROKEN, GATE_UNMEASURED };
enum gate_result gate_judge(const char *gate, const struct summary *summary, double *value);

/*
 * JUnit XML for CI: a <testsuite> named after the model with a <testcase> for each gate, a
 * <failure> in one that is broken, an <error> in one that could not be measured. The first
 * case, "scored", has an <error> that says `unscored` if that is not NULL: why too much was
 * not measured (exit code 3).
 */
void gates_print_junit(const struct string_list *gates, const struct summary *summary,
                       const char *unscored, struct text_buffer *out);

/*
 * What a command ends with: JUnit XML in the file `junit` unless that is NULL, then
 * STATUS_UNMEASURED that says `unscored` unless that is NULL, else gates_check().
 */
enum status gates_conclude(const struct string_list *gates, const struct summary *summary,
                           const char *junit, const char *unscored, struct error *error);

#endif
