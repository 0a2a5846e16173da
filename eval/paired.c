#include "eval/paired.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

double mcnemar_exact(int64_t first_only, int64_t second_only)
{
    CHECK(first_only >= 0 && second_only >= 0);
    const double n = (double)(first_only + second_only);
    const int64_t fewer = first_only < second_only ? first_only : second_only;
    double tail = 0;
    for (int64_t i = 0; i <= fewer; i++) /* upwards: the small terms first */
        tail += exp(log_choose(n, (double)i) - n * log(2));
    return fmin(1, 2 * tail);
}

static int64_t pair_count(const struct pair_counts *pairs)
{
    return pairs->both + pairs->first_only + pairs->second_only + pairs->neither;
}

/* share(second) - share(first) of as many pairs, drawn with replacement. */
static double resampled_difference(const struct pair_counts *pairs, struct random *random)
{
    const int64_t count = pair_count(pairs);
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t drawn = (int64_t)random_below(random, (uint64_t)count);
        if (drawn < pairs->first_only)
            sum--;
        else if (drawn < pairs->first_only + pairs->second_only)
            sum++;
    }
    return (double)sum / (double)count;
}

struct interval paired_interval(const struct pair_counts *pairs, uint64_t seed)
{
    const int64_t count = pair_count(pairs);
    if (count == 0)
        return (struct interval){-1, 1};
    const double rare = wilson_interval(0, count).high;
    if (pairs->first_only == count)
        return (struct interval){-1, rare - 1};
    if (pairs->second_only == count)
        return (struct interval){1 - rare, 1};
    if (pairs->first_only + pairs->second_only == 0)
        return (struct interval){-rare, rare};
    struct random random =
        random_stream(seed, random_stream_of("paired", (uint64_t)count, 0));
    double *values = memory_allocate_array(BOOTSTRAP_RESAMPLES, sizeof *values);
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        values[i] = resampled_difference(pairs, &random);
    const struct interval interval = percentile_interval(values, BOOTSTRAP_RESAMPLES);
    free(values);
    return interval;
}

struct ranked {
    double p;
    size_t place;
};

static int by_p(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

void holm_adjust(const double *p, double *adjusted, size_t count)
{
    struct ranked *ranked = memory_allocate_array(count + 1, sizeof *ranked);
    size_t measured = 0;
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        adjusted[i] = (double)NAN;
        if (!isnan(p[i]))
            ranked[measured++] = (struct ranked){p[i], i};
    }
    qsort(ranked, measured, sizeof *ranked, by_p);
    for (size_t i = 0; i < measured; i++) {
        largest = fmax(largest, fmin(1, (double)(measured - i) * ranked[i].p));
        adjusted[ranked[i].place] = largest;
    }
    free(ranked);
}

double cohen_kappa(const struct pair_counts *pairs)
{
    const double n = (double)pair_count(pairs);
    const double first = (double)(pairs->both + pairs->first_only) / n;
    const double second = (double)(pairs->both + pairs->second_only) / n;
    const double agreed = (double)(pairs->both + pairs->neither) / n;
    const double chance = first * second + (1 - first) * (1 - second);
    if (!(n > 0) || !(chance < 1))
        return (double)NAN;
    return (agreed - chance) / (1 - chance);
}
