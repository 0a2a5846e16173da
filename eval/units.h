#ifndef HOLDFAST_EVAL_UNITS_H
#define HOLDFAST_EVAL_UNITS_H

#include "eval/attempts.h"

/*
 * The behaviours of one set under one attack, each with its attempts: what statistics
 * count. Behaviours in the order of their index, attempts in the order of their number.
 */
struct unit {
    const struct attempt **attempts; /* borrowed; count is at least 1 */
    size_t count;
};
struct units {
    struct unit *items;
    size_t count;
    const struct attempt **sorted;
};
void units_collect(struct units *units, const struct attempt_list *list, const char *set,
                   const char *attack);
void units_release(struct units *units);

/* See summary.h. */
enum reach { REACH_MISSED, REACH_REACHED, REACH_UNKNOWN };
enum reach unit_reach(const struct unit *unit, int judge, int64_t k, bool earlier_missed);
enum reach unit_last_reach(const struct unit *unit, int judge);

/* The attempt that decided unit_reach() at all its attempts: the first hit, else the first
 * unscored one, else the last. */
const struct attempt *unit_deciding(const struct unit *unit, int judge);

bool attempt_is_scored(const struct attempt *attempt, int judge);
bool attempt_is_hit(const struct attempt *attempt, int judge);

#endif
