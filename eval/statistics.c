#include "eval/statistics.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

static const double z = 1.959963984540054; /* the normal distribution's 97.5% point */

static struct interval clamped(double low, double high)
{
    return (struct interval){.low = low < 0 ? 0 : low, .high = high > 1 ? 1 : high};
}

struct interval wilson_interval(int64_t successes, int64_t count)
{
    CHECK(successes >= 0 && successes <= count);
    if (count == 0)
        return (struct interval){0, 1};
    const double x = (double)successes;
    const double n = (double)count;
    const double half = z * sqrt(x * (n - x) / n + z * z / 4);
    const double middle = x + z * z / 2;
    struct interval interval =
        clamped((middle - half) / (n + z * z), (middle + half) / (n + z * z));
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

struct interval bootstrap_interval(const double *successes, const double *trials,
                                   size_t count, uint64_t seed)
{
    enum { RESAMPLES = 2000 };
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
    struct random random = random_stream(seed, random_stream_of("bootstrap", count, 0));
    double *shares = memory_allocate_array(RESAMPLES, sizeof *shares);
    for (size_t i = 0; i < RESAMPLES; i++)
        shares[i] = resampled_share(successes, trials, count, &random);
    qsort(shares, RESAMPLES, sizeof *shares, compare_doubles);
    const struct interval interval = {quantile(shares, RESAMPLES, 0.025),
                                      quantile(shares, RESAMPLES, 0.975)};
    free(shares);
    return interval;
}
