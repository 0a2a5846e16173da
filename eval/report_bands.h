#ifndef HOLDFAST_EVAL_REPORT_BANDS_H
#define HOLDFAST_EVAL_REPORT_BANDS_H

#include "eval/report_data.h"

/*
 * Youden's J of each run and the hypervolume of all, for one attack and one benign set,
 * with the joint bands of tradeoff_bands_make() (seed 1) where the attempts of all runs
 * are stored and agree with the summaries. Else J has Newcombe's interval where its counts
 * are known, and the hypervolume none.
 */
struct report_bands {
    struct report_rate *youden; /* [report->count] */
    struct report_rate hypervolume;
};
void report_bands_make(struct report_bands *bands, const struct report *report,
                       const char *attack, const char *set);
void report_bands_release(struct report_bands *bands);

#endif
