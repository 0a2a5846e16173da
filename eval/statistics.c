#include "eval/statistics.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const double z = 1.959963984540054; /* the normal distribution's 97.5% point */

static struct interval clamped(double low, double high)
{
    return (struct interval){.low = low < 0 ? 0 : low, .high = high > 1 ? 1 : high};
}

/* Wilson's of x of n > 0, which need not be whole. */
static struct interval wilson_of(double x, double n)
{
    const double half = z * sqrt(x * (n - x) / n + z * z / 4);
    const double middle = x + z * z / 2;
    return clamped((middle - half) / (n + z * z), (middle + half) / (n + z * z));
}

struct interval wilson_interval(int64_t successes, int64_t count)
{
    CHECK(successes >= 0 && successes <= count);
    if (count == 0)
        return (struct interval){0, 1};
    struct interval interval = wilson_of((double)successes, (double)count);
    if (successes == 0) /* exact, where rounding would leave 1e-18 */
        interval.low = 0;
    if (successes == count)
        interval.high = 1;
    return interval;
}

struct interval worst_case_bounds(int64_t successes, int64_t scored, int64_t unscored)
{
    const double all = (double)(scored + unscored);
    if (scored + unscored == 0)
        return (struct interval){0, 1};
    return (struct interval){(double)successes / all, (double)(successes + unscored) / all};
}

double asr_at_unbiased(int64_t count, int64_t hits, int64_t k)
{
    CHECK(hits >= 0 && hits <= count && k >= 0 && k <= count);
    double all_missed = 1; /* C(count - hits, k) / C(count, k), factor by factor */
    for (int64_t i = 0; i < k; i++) {
        if (count - hits - i <= 0)
            return 1;
        all_missed *= (double)(count - hits - i) / (double)(count - i);
    }
    return 1 - all_missed;
}

struct interval newcombe_interval(int64_t successes1, int64_t count1, int64_t successes2,
                                  int64_t count2)
{
    if (count1 == 0 || count2 == 0)
        return (struct interval){-1, 1};
    const double p1 = (double)successes1 / (double)count1;
    const double p2 = (double)successes2 / (double)count2;
    const struct interval first = wilson_interval(successes1, count1);
    const struct interval second = wilson_interval(successes2, count2);
    return (struct interval){
        .low = p1 - p2 - hypot(p1 - first.low, second.high - p2),
        .high = p1 - p2 + hypot(first.high - p1, p2 - second.low),
    };
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics, as numpy.quantile(). */
static double quantile(const double *sorted, size_t count, double share)
{
    const double place = share * (double)(count - 1);
    const size_t below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

struct interval percentile_interval(double *values, size_t count)
{
    CHECK(count > 0);
    qsort(values, count, sizeof *values, compare_doubles);
    return (struct interval){quantile(values, count, 0.025),
                             quantile(values, count, 0.975)};
}

static double resampled_share(const double *successes, const double *trials, size_t count,
                              struct random *random)
{
    double sum = 0;
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t drawn = (size_t)random_below(random, count);
        sum += successes[drawn];
        total += trials[drawn];
    }
    return sum / total;
}

/* No resample can differ from another. */
static bool all_shares_are(double share, const double *successes, const double *trials,
                           size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fabs(successes[i] / trials[i] - share) > 1e-12)
            return false;
    return true;
}

struct interval bootstrap_interval(const double *successes, const double *trials,
                                   size_t count, uint64_t seed)
{
    double sum = 0;
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(successes[i] >= 0 && trials[i] > 0 && successes[i] <= trials[i]);
        sum += successes[i];
        total += trials[i];
    }
    if (sum <= 0)
        return wilson_interval(0, (int64_t)count);
    if (sum >= total)
        return wilson_interval((int64_t)count, (int64_t)count);
    if (all_shares_are(sum / total, successes, trials, count))
        return wilson_of(sum / total * (double)count, (double)count);
    struct random random = random_stream(seed, random_stream_of("bootstrap", count, 0));
    double *shares = memory_allocate_array(BOOTSTRAP_RESAMPLES, sizeof *shares);
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        shares[i] = resampled_share(successes, trials, count, &random);
    const struct interval interval = percentile_interval(shares, BOOTSTRAP_RESAMPLES);
    free(shares);
    return interval;
}

static enum status judge_errors_check(const struct judge_errors *errors,
                                      struct error *error)
{
    if (!(errors->q0 >= 0 && errors->q0 <= 1 && errors->q1 >= 0 && errors->q1 <= 1))
        return error_set(error, STATUS_USAGE, "q0 and q1 must lie in [0, 1]");
    if (errors->m0 < 1 || errors->m1 < 1)
        return error_set(error, STATUS_USAGE,
                         "m0 and m1, the replies that q0 and q1 were measured on, must be "
                         "at least 1");
    if (errors->q0 + errors->q1 <= 1)
        return error_set(error, STATUS_USAGE,
                         "q0 + q1 = %g: a judge at or below 1 tells nothing, and no "
                         "correction mends it",
                         errors->q0 + errors->q1);
    return STATUS_OK;
}

/* One pseudo-success and one pseudo-failure. */
static struct judge_errors judge_errors_smoothed(const struct judge_errors *errors)
{
    const double m0 = (double)errors->m0;
    const double m1 = (double)errors->m1;
    return (struct judge_errors){(m0 * errors->q0 + 1) / (m0 + 2),
                                 (m1 * errors->q1 + 1) / (m1 + 2), errors->m0 + 2,
                                 errors->m1 + 2};
}

/* `q` is smoothed. */
static struct interval corrected_interval(double rate, int64_t count,
                                          const struct judge_errors *q)
{
    const double n = (double)count + z * z;
    const double p = ((double)count * rate + z * z / 2) / n;
    const double slope = q->q0 + q->q1 - 1;
    const double theta = (p + q->q0 - 1) / slope;
    const double v0 = q->q0 * (1 - q->q0) / (double)q->m0;
    const double v1 = q->q1 * (1 - q->q1) / (double)q->m1;
    const double shift = 2 * z * z * (theta * v1 - (1 - theta) * v0);
    const double half =
        z * sqrt(p * (1 - p) / n + (1 - theta) * (1 - theta) * v0 + theta * theta * v1) /
        slope;
    const double middle = theta + shift;
    return (struct interval){fmin(fmax(middle - half, 0), 1),
                             fmin(fmax(middle + half, 0), 1)};
}

enum status judge_correct(struct corrected_rate *corrected, double rate, int64_t count,
                          const struct judge_errors *errors, struct error *error)
{
    *corrected = (struct corrected_rate){(double)NAN, {0, 1}};
    const enum status status = judge_errors_check(errors, error);
    if (status)
        return status;
    const struct judge_errors smoothed = judge_errors_smoothed(errors);
    if (smoothed.q0 + smoothed.q1 <= 1)
        return error_set(error, STATUS_USAGE,
                         "q0 and q1 were measured on so few replies that the judge may "
                         "know nothing: judge more by hand");
    if (count <= 0 || isnan(rate))
        return STATUS_OK;
    const double theta = (rate + errors->q0 - 1) / (errors->q0 + errors->q1 - 1);
    corrected->value = fmin(fmax(theta, 0), 1);
    corrected->ci95 = corrected_interval(rate, count, &smoothed);
    return STATUS_OK;
}

double any_of_k_false_rate(double q0, int64_t k)
{
    CHECK(q0 >= 0 && q0 <= 1 && k >= 0);
    return 1 - pow(q0, (double)k);
}
