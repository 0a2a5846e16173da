#ifndef HOLDFAST_TRAIN_METRICS_H
#define HOLDFAST_TRAIN_METRICS_H

#include "base/error.h"
#include "base/file.h"

#include <stdint.h>

/*
 * metrics.jsonl: a line an update,
 *
 *     {"step":1,"epoch":0.01,"loss":2.1,"nll":2.0,"lr":1e-05,"grad_norm":0.9,
 *      "tokens":4031,"target_tokens":2210,"tokens_per_second":812.4,"seconds":4.96}
 *
 * `step` counts updates made, from 1; loss is the mean over target tokens with label
 * smoothing, nll without; seconds are those of this update. An update after which the
 * validation split was measured has "validation_nll" and "validation_tokens" too.
 */
struct metrics_line {
    int64_t step;
    double epoch;
    double loss;
    double nll;
    double lr;
    double gradient_norm;
    int64_t tokens;
    int64_t target_tokens;
    double seconds;
    double validation_nll; /* NaN: not measured */
    int64_t validation_tokens;
};

enum status metrics_append(struct file_log *log, const struct metrics_line *line,
                           struct error *error);

/* Drops the lines after `step`, before a resumed run writes them again. */
enum status metrics_cut(const char *path, int64_t step, struct error *error);

#endif
