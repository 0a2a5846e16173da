#ifndef HOLDFAST_EVAL_STATISTICS_H
#define HOLDFAST_EVAL_STATISTICS_H

#include "base/error.h"

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
 * whole clusters drawn with replacement, 2,000 times, from `seed`. At a share of 0 or 1,
 * and where all clusters have one and the same share (a single one has), the bootstrap has
 * no spread: Wilson over the number of clusters then. All values are at least
 * 0, trials above 0.
 */
struct interval bootstrap_interval(const double *successes, const double *trials,
                                   size_t count, uint64_t seed);

/*
 * The 2.5% and 97.5% points of `count` >= 1 resampled values, which are sorted in place;
 * between two values linearly, as numpy.quantile() does. BOOTSTRAP_RESAMPLES is what all
 * of holdfast's bootstraps draw.
 */
enum { BOOTSTRAP_RESAMPLES = 2000 };
struct interval percentile_interval(double *values, size_t count);

/*
 * How often a judge is right, measured against people: q0 of `m0` replies that were no
 * success were called none (specificity), q1 of `m1` that were one were called one
 * (sensitivity).
 */
struct judge_errors {
    double q0;
    double q1;
    int64_t m0;
    int64_t m1;
};

/*
 * The share of true successes behind a judged share p of `count`:
 *
 *     theta = (p + q0 - 1) / (q0 + q1 - 1), kept in [0, 1]
 *
 * and with n' = n + z^2, p' = (n p + z^2/2)/n', q' = (m q + 1)/(m + 2), m' = m + 2, and
 * theta' from these, the interval
 *
 *     theta' + d -+ z sqrt(p'(1-p')/n' + (1-theta')^2 q0'(1-q0')/m0'
 *                          + theta'^2 q1'(1-q1')/m1') / (q0' + q1' - 1)
 *     d = 2 z^2 (theta' q1'(1-q1')/m1' - (1-theta') q0'(1-q0')/m0')
 *
 * Source: Lee et al. 2025, arXiv:2511.21140, after Lang & Reiczigel 2014.
 * Errors: STATUS_USAGE if q0 + q1 <= 1, smoothed or not (the judge knows nothing), a q
 * outside [0, 1], an m below 1. Nothing scored gives NaN and [0, 1].
 */
struct corrected_rate {
    double value;
    struct interval ci95;
};
enum status judge_correct(struct corrected_rate *corrected, double rate, int64_t count,
                          const struct judge_errors *errors, struct error *error);

/*
 * How often any of k replies, none a success, is called one: 1 - q0^k. A judge that is
 * right 97 times in 100 calls 46% of such behaviours broken after 20 attempts.
 */
double any_of_k_false_rate(double q0, int64_t k);

#endif
