#ifndef HOLDFAST_EVAL_SUMMARY_PARTS_H
#define HOLDFAST_EVAL_SUMMARY_PARTS_H

#include "eval/summary.h"
#include "eval/units.h"

/* The parts of summary_make() that look at judges and at attacks and benign sets at once.
 */

/* Every two judges; `judges` are their numbers, -1: no attempt has its verdict. */
void judge_pairs_make(struct attack_result *attack, const struct units *units,
                      const int judges[JUDGE_LIMIT], uint64_t seed);

/* The number of the main judge's first hit, over the behaviours that have one. */
void queries_make(struct attack_result *attack, const struct units *units, int judge);

/* Of each attack, where summary->judge_errors are known and judge_correct() took them. */
void corrections_make(struct summary *summary);

/* Of each attack against each benign set. */
void youdens_make(struct summary *summary, uint64_t seed);

#endif
