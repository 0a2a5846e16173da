#include "eval/statistics.h"

#include "base/error.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Goldens are printed with four decimals. */
static const double four_decimals = 0.5e-4;

static void wilson_gives_the_goldens(void **state)
{
    (void)state;
    static const struct {
        int64_t successes, count;
        double low, high;
    } goldens[] = {{0, 50, 0, .0713},
                   {1, 50, .0035, .1050},
                   {12, 50, .1430, .3741},
                   {88, 100, .8019, .9300},
                   {73, 100, .6357, .8073},
                   {21, 250, .0556, .1250},
                   {0, 0, 0, 1}};
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        const struct interval interval =
            wilson_interval(goldens[i].successes, goldens[i].count);
        assert_true(fabs(interval.low - goldens[i].low) <= four_decimals);
        assert_true(fabs(interval.high - goldens[i].high) <= four_decimals);
    }
    assert_true(wilson_interval(0, 50).low == 0.0);
    assert_true(wilson_interval(50, 50).high == 1.0);
}

static void bounds_take_the_unscored_both_ways(void **state)
{
    (void)state;
    const struct interval bounds = worst_case_bounds(3, 8, 2);
    assert_true(bounds.low == 0.3 && bounds.high == 0.5);
    const struct interval nothing = worst_case_bounds(0, 0, 0);
    assert_true(nothing.low == 0.0 && nothing.high == 1.0);
}

static double binomial(int64_t n, int64_t k)
{
    double value = 1;
    for (int64_t i = 0; i < k; i++)
        value = value * (double)(n - i) / (double)(i + 1);
    return value;
}

static void asr_at_k_is_unbiased(void **state)
{
    (void)state;
    assert_true(fabs(asr_at_unbiased(20, 3, 5) - .600877) <= 0.5e-6);
    for (int64_t hits = 0; hits <= 12; hits++)
        for (int64_t k = 0; k <= 12; k++) {
            const double expected = 1 - binomial(12 - hits, k) / binomial(12, k);
            assert_true(fabs(asr_at_unbiased(12, hits, k) -
                             (hits + k > 12 ? 1 : expected)) < 1e-12);
        }
    assert_true(asr_at_unbiased(20, 0, 20) == 0.0);
    assert_true(asr_at_unbiased(20, 1, 20) == 1.0);
}

/* Newcombe 1998, Table II, method 10: (a) 56/70 - 48/80, (b) 9/10 - 3/10, (h) 10/10 - 0/10
 */
static void newcombe_gives_the_published_intervals(void **state)
{
    (void)state;
    static const struct {
        int64_t x1, n1, x2, n2;
        double low, high;
    } published[] = {{56, 70, 48, 80, .0524, .3339},
                     {9, 10, 3, 10, .1705, .8090},
                     {6, 7, 2, 7, .0582, .8062},
                     {10, 10, 0, 10, .6075, 1.0}};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const struct interval interval = newcombe_interval(
            published[i].x1, published[i].n1, published[i].x2, published[i].n2);
        assert_true(fabs(interval.low - published[i].low) <= four_decimals);
        assert_true(fabs(interval.high - published[i].high) <= four_decimals);
    }
}

static void bootstrap_is_seeded_and_near_the_normal_interval(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    double successes[COUNT];
    double trials[COUNT];
    for (int i = 0; i < COUNT; i++) {
        trials[i] = 1;
        successes[i] = i % 4 == 0; /* a share of 1/4, deviation sqrt(3)/4 */
    }
    const struct interval first = bootstrap_interval(successes, trials, COUNT, 7);
    const struct interval again = bootstrap_interval(successes, trials, COUNT, 7);
    assert_true(first.low == again.low && first.high == again.high);
    /* 1.96 sqrt(3)/4 / sqrt(400) = .0424; the ends of 2,000 resamples vary by some .003 */
    assert_true(fabs(first.low - (.25 - .0424)) < .006);
    assert_true(fabs(first.high - (.25 + .0424)) < .006);
}

static void bootstrap_draws_whole_clusters(void **state)
{
    (void)state;
    enum { COUNT = 100, EACH = 20 };
    double successes[COUNT];
    double trials[COUNT];
    for (int i = 0; i < COUNT; i++) {
        trials[i] = EACH;
        successes[i] = i % 2 ? EACH : 0; /* behaviours are all or nothing */
    }
    const struct interval interval = bootstrap_interval(successes, trials, COUNT, 1);
    /* as wide as 100 replies' 1.96 x .05, not 2,000 replies' 1.96 x .0112 */
    assert_true(interval.high - interval.low > .16);
    assert_true(interval.high - interval.low < .24);
}

static void bootstrap_without_spread_is_wilson(void **state)
{
    (void)state;
    const double none[] = {0, 0, 0, 0, 0};
    const double all[] = {2, 2, 2, 2, 2};
    const double trials[] = {2, 2, 2, 2, 2};
    const struct interval low = bootstrap_interval(none, trials, 5, 1);
    const struct interval high = bootstrap_interval(all, trials, 5, 1);
    assert_true(low.low == 0.0 && low.high == wilson_interval(0, 5).high);
    assert_true(high.high == 1.0 && high.low == wilson_interval(5, 5).low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_gives_the_goldens),
        cmocka_unit_test(bounds_take_the_unscored_both_ways),
        cmocka_unit_test(asr_at_k_is_unbiased),
        cmocka_unit_test(newcombe_gives_the_published_intervals),
        cmocka_unit_test(bootstrap_is_seeded_and_near_the_normal_interval),
        cmocka_unit_test(bootstrap_draws_whole_clusters),
        cmocka_unit_test(bootstrap_without_spread_is_wilson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
