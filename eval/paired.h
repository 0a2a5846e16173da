#ifndef HOLDFAST_EVAL_PAIRED_H
#define HOLDFAST_EVAL_PAIRED_H

#include "eval/statistics.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Two verdicts on each of the same behaviours: of two runs, or of two judges.
 */

/*
 * Exact two-sided McNemar test that two paired shares are equal, from the pairs on which
 * they differ:
 *
 *     p = min(1, 2 sum_{i <= min(b, c)} C(b + c, i) / 2^(b + c))
 *
 * Source: McNemar 1947, Psychometrika 12:153, with the binomial tail in place of
 * chi-squared. No pair that differs gives 1.
 */
double mcnemar_exact(int64_t first_only, int64_t second_only);

/* How `count` pairs fall: each verdict is a yes or a no. */
struct pair_counts {
    int64_t both;
    int64_t first_only;
    int64_t second_only;
    int64_t neither;
};

/*
 * The interval of share(second) - share(first): percentile bootstrap, whole pairs drawn
 * with replacement, BOOTSTRAP_RESAMPLES times, from `seed`. Where all pairs differ alike
 * (or none differ) the bootstrap has no spread: then the ends are those of Wilson's
 * interval of 0 in n (of n in n), in both directions. No pair gives [-1, 1].
 */
struct interval paired_interval(const struct pair_counts *pairs, uint64_t seed);

/*
 * Holm's adjustment of `count` p-values of one family, into `adjusted`: of the j-th
 * smallest, from 0, max over i <= j of (m - i) p_(i), at most 1. What is NaN stays NaN and
 * counts for nothing.
 *
 * Source: Holm 1979, Scandinavian Journal of Statistics 6:65.
 */
void holm_adjust(const double *p, double *adjusted, size_t count);

/*
 * Cohen's kappa of two judges, (po - pe) / (1 - pe), with po the share of pairs they agree
 * on and pe what two judges with their shares of yes would agree on by chance.
 *
 * Source: Cohen 1960, Educational and Psychological Measurement 20:37. NaN without pairs,
 * or where both always say the same word (nothing is left to agree on).
 */
double cohen_kappa(const struct pair_counts *pairs);

#endif
