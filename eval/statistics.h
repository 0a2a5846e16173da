#ifndef HOLDFAST_EVAL_STATISTICS_H
#define HOLDFAST_EVAL_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Proportions and their 95% intervals (z = 1.959964). The unit is the behaviour.
 */
struct interval {
    double low;
    double high;
};

/*
 * Wilson's score interval for x of n:
 *
 *     (x + z^2/2 -+ z sqrt(x (n - x)/n + z^2/4)) / (n + z^2)
 *
 * Source: Wilson 1927, JASA 22:209. n = 0 gives [0, 1].
 */
struct interval wilson_interval(int64_t successes, int64_t count);

/*
 * A share of which `unscored` units are unknown: from all of them failures to all of them
 * successes. Nothing known gives [0, 1].
 */
struct interval worst_case_bounds(int64_t successes, int64_t scored, int64_t unscored);

/*
 * ASR@k of one behaviour from `hits` in `count` samples, unbiased:
 *
 *     1 - C(count - hits, k) / C(count, k)
 *
 * Source: Chen et al. 2021, arXiv:2107.03374, pass@k. k > count is a bug (CHECK).
 */
double asr_at_unbiased(int64_t count, int64_t hits, int64_t k);

/*
 * p1 - p2 of two independent shares, Newcombe's hybrid score interval: with [l, u] Wilson's
 * of each,
 *
 *     [d - sqrt((p1 - l1)^2 + (u2 - p2)^2),  d + sqrt((u1 - p1)^2 + (p2 - l2)^2)]
 *
 * Source: Newcombe 1998, Statistics in Medicine 17:873, method 10.
 */
struct interval newcombe_interval(int64_t successes1, int64_t count1, int64_t successes2,
                                  int64_t count2);

/*
 * The share sum(successes) / sum(trials) over clusters (behaviours): percentile bootstrap,
 * whole clusters drawn with replacement, 2,000 times, from `seed`. At a share of 0 or 1 the
 * bootstrap has no spread: Wilson over the number of clusters then. All values are at least
 * 0, trials above 0.
 */
struct interval bootstrap_interval(const double *successes, const double *trials,
                                   size_t count, uint64_t seed);

#endif
