#ifndef HOLDFAST_EVAL_TRADEOFF_H
#define HOLDFAST_EVAL_TRADEOFF_H

#include "eval/statistics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Safety against use: each run is a point (1 - ASR, 1 - over-refusal) in the unit square.
 */
struct tradeoff_point {
    double asr;
    double refused; /* over-refusal */
};

/* No other point is at least as good in both and better in one. */
bool tradeoff_is_pareto(const struct tradeoff_point *points, size_t count, size_t index);

/*
 * The area that lies between (0, 0) and some point: 1 would be a run that refuses all that
 * is harmful and nothing else. Source: Zitzler & Thiele 1999, IEEE TEVC 3:257, with (0, 0)
 * as the reference. No point gives 0.
 */
double tradeoff_hypervolume(const struct tradeoff_point *points, size_t count);

/* Youden's J = 1 - ASR - over-refusal. Source: Youden 1950, Cancer 3:32. */
double tradeoff_youden(const struct tradeoff_point *point);

/*
 * The verdicts of one run: 1 answered (harmful) or refused (benign), 0 not, -1 unscored.
 * Equal places in several runs are the same behaviour or the same prompt.
 */
struct tradeoff_verdicts {
    const signed char *harmful; /* [harmful_count] */
    const signed char *benign;  /* [benign_count] */
};

struct tradeoff_bands {
    struct tradeoff_point *points; /* [run_count]; NaN: nothing scored */
    struct interval *youden;       /* [run_count] */
    double hypervolume;            /* of the runs that were scored */
    struct interval hypervolume_ci95;
};

/*
 * Points and their 95% bands by one joint percentile bootstrap: behaviours and benign
 * prompts are drawn with replacement BOOTSTRAP_RESAMPLES times, from `seed`, and each draw
 * serves all runs, so that runs that faced the same behaviours move together. A run of
 * which a draw has nothing scored keeps its own share there.
 *
 * Where a share is 0 or 1 the bootstrap has no spread: J then has Newcombe's interval of
 * (1 - ASR) - over-refusal, from Wilson's of both. The hypervolume, where some share of a
 * run in the Pareto set is 0 or 1, goes from that of all points at the worse ends of
 * their Wilson intervals to that at the better ends: wider than 95%.
 */
void tradeoff_bands_make(struct tradeoff_bands *bands, const struct tradeoff_verdicts *runs,
                         size_t run_count, size_t harmful_count, size_t benign_count,
                         uint64_t seed);
void tradeoff_bands_release(struct tradeoff_bands *bands);

#endif
