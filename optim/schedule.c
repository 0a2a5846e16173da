#include "optim/schedule.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const char *const kind_names[] = {
    [SCHEDULE_CONSTANT] = "constant", [SCHEDULE_LINEAR] = "linear",
    [SCHEDULE_COSINE] = "cosine",     [SCHEDULE_INVERSE_SQRT] = "inverse_sqrt",
    [SCHEDULE_NOAM] = "noam",         [SCHEDULE_WSD] = "wsd",
};
static const int kind_count = (int)(sizeof kind_names / sizeof *kind_names);

static const double pi = 3.14159265358979323846;

enum status schedule_kind_parse(enum schedule_kind *kind, const char *name,
                                struct error *error)
{
    for (int i = 0; i < kind_count; i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            *kind = (enum schedule_kind)i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_USAGE,
                     "unknown schedule '%s': use constant, linear, cosine, "
                     "inverse_sqrt, noam or wsd",
                     name);
}

const char *schedule_kind_name(enum schedule_kind kind)
{
    CHECK((int)kind >= 0 && (int)kind < kind_count);
    return kind_names[kind];
}

static double at_least_one(int64_t count)
{
    return count > 1 ? (double)count : 1.0;
}

/* From 1 at progress 0 to 0 at progress 1, and 0 from there on. */
static double half_cosine(double progress)
{
    return progress >= 1.0 ? 0.0 : 0.5 * (1.0 + cos(pi * progress));
}

static double above_floor(const struct schedule *schedule, double factor)
{
    return factor * (1.0 - schedule->floor_ratio) + schedule->floor_ratio;
}

static double linear_factor(const struct schedule *schedule, int64_t steps_done)
{
    const double left = (double)(schedule->total_steps - steps_done) /
                        at_least_one(schedule->total_steps - schedule->warmup_steps);
    return fmax(schedule->floor_ratio, left);
}

static double cosine_factor(const struct schedule *schedule, int64_t steps_done)
{
    const double progress = (double)(steps_done - schedule->warmup_steps) /
                            at_least_one(schedule->total_steps - schedule->warmup_steps);
    return above_floor(schedule, half_cosine(progress));
}

static double inverse_sqrt_factor(const struct schedule *schedule, int64_t steps_done)
{
    const int64_t warmup = schedule->warmup_steps;
    const int64_t timescale = warmup > 0 ? warmup : 10000;
    const double age = (double)(steps_done + timescale - warmup) / (double)timescale;
    return fmax(schedule->floor_ratio, 1.0 / sqrt(age));
}

static double noam_factor(const struct schedule *schedule, int64_t steps_done)
{
    const double step = (double)(steps_done + 1);
    const double decay = pow(step, -0.5);
    const double warmup = schedule->warmup_steps > 0
                              ? step * pow((double)schedule->warmup_steps, -1.5)
                              : decay;
    return pow(at_least_one(schedule->model_size), -0.5) * fmin(decay, warmup);
}

static double wsd_factor(const struct schedule *schedule, int64_t steps_done)
{
    const int64_t decay_start = schedule->total_steps - schedule->decay_steps;
    if (steps_done < decay_start)
        return 1.0;
    const double progress =
        (double)(steps_done - decay_start) / at_least_one(schedule->decay_steps);
    return above_floor(schedule, half_cosine(progress));
}

static double warmup_factor(const struct schedule *schedule, int64_t steps_done)
{
    const double factor = (double)steps_done / at_least_one(schedule->warmup_steps);
    return schedule->kind == SCHEDULE_WSD ? above_floor(schedule, factor) : factor;
}

static double factor_of(const struct schedule *schedule, int64_t steps_done)
{
    if (schedule->kind == SCHEDULE_NOAM)
        return noam_factor(schedule, steps_done);
    if (steps_done < schedule->warmup_steps)
        return warmup_factor(schedule, steps_done);
    switch (schedule->kind) {
    case SCHEDULE_LINEAR:
        return linear_factor(schedule, steps_done);
    case SCHEDULE_COSINE:
        return cosine_factor(schedule, steps_done);
    case SCHEDULE_INVERSE_SQRT:
        return inverse_sqrt_factor(schedule, steps_done);
    case SCHEDULE_WSD:
        return wsd_factor(schedule, steps_done);
    case SCHEDULE_CONSTANT:
    case SCHEDULE_NOAM:
        break;
    }
    return 1.0;
}

double schedule_lr(const struct schedule *schedule, int64_t steps_done)
{
    return schedule->lr_peak * factor_of(schedule, steps_done);
}
