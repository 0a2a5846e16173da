#ifndef HOLDFAST_OPTIM_SCHEDULE_H
#define HOLDFAST_OPTIM_SCHEDULE_H

#include "base/error.h"

#include <stdint.h>

/*
 * The learning rate as a function of the step, matching transformers' values step by
 * step. With s the number of updates already made (from 0, as torch's LambdaLR counts), w
 * warmup_steps, n total_steps, and f floor_ratio:
 *
 *     warmup (s < w)  lr_peak s / max(1, w)          all but noam
 *     constant        lr_peak
 *     linear          lr_peak max(f, (n - s) / max(1, n - w))
 *     cosine          lr_peak (f + (1 - f) (1 + cos(pi (s - w) / max(1, n - w))) / 2)
 *     inverse_sqrt    lr_peak max(f, 1 / sqrt((s - w + w') / w')), w' = w, or 10,000
 *                     without warmup
 *     wsd             lr_peak until the last d = decay_steps, then
 *                     lr_peak (f + (1 - f) (1 + cos(pi (s - n + d) / max(1, d))) / 2);
 *                     its warmup starts at f: lr_peak (f + (1 - f) s / max(1, w))
 *     noam            lr_peak model_size^-0.5 min(t^-0.5, t w^-1.5), t = s + 1: Vaswani
 *                     et al. 2017, arXiv:1706.03762, section 5.3 (lr_peak 1: as printed)
 *
 * Sources: transformers' get_constant_schedule_with_warmup, get_linear_…, get_cosine_…,
 * get_cosine_with_min_lr_…, get_inverse_sqrt_… and get_wsd_schedule. Steps beyond n keep
 * the floor (transformers' cosine would rise again).
 */
enum schedule_kind {
    SCHEDULE_CONSTANT,
    SCHEDULE_LINEAR,
    SCHEDULE_COSINE,
    SCHEDULE_INVERSE_SQRT,
    SCHEDULE_NOAM,
    SCHEDULE_WSD
};

struct schedule {
    enum schedule_kind kind;
    double lr_peak;
    double floor_ratio;
    int64_t warmup_steps;
    int64_t total_steps;
    int64_t decay_steps; /* wsd */
    int64_t model_size;  /* noam: C */
};

enum status schedule_kind_parse(enum schedule_kind *kind, const char *name,
                                struct error *error);
const char *schedule_kind_name(enum schedule_kind kind);

/* The learning rate of the update that follows `steps_done` updates. Pure. */
double schedule_lr(const struct schedule *schedule, int64_t steps_done);

#endif
