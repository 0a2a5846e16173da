#include "eval/statistics.h"

#include "base/error.h"
#include "eval/paired.h"
#include "eval/tradeoff.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
    /* Nor has it any where all behaviours are hit as often, or there is only one: its
     * Wilson interval of .25 of 1 is (.25 + z^2/2 -+ z sqrt(.1875 + z^2/4))/(1 + z^2). */
    const double halves[] = {1, 1, 2, 1};
    const double of[] = {2, 2, 4, 2};
    const struct interval equal = bootstrap_interval(halves, of, 4, 1);
    assert_true(fabs(equal.low - wilson_interval(2, 4).low) < 1e-12);
    assert_true(fabs(equal.high - wilson_interval(2, 4).high) < 1e-12);
    const double hits = 5, replies = 20;
    const struct interval alone = bootstrap_interval(&hits, &replies, 1, 1);
    assert_true(fabs(alone.low - .0146349) < 1e-6);
    assert_true(fabs(alone.high - .8820904) < 1e-6);
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.9g is not %.9g", value, expected);
}

/* Goldens of the correction are printed with five decimals. */
static void judges_are_corrected_as_published(void **state)
{
    (void)state;
    struct error error;
    struct corrected_rate corrected;
    const struct judge_errors errors = {.95, .9, 50, 50};
    assert_int_equal(judge_correct(&corrected, .3, 100, &errors, &error), STATUS_OK);
    assert_near(corrected.value, .29412, .5e-5);
    assert_near(corrected.ci95.low, .16425, .5e-5);
    assert_near(corrected.ci95.high, .41903, .5e-5);
    const struct judge_errors perfect = {1, 1, 1000000, 1000000};
    assert_int_equal(judge_correct(&corrected, .88, 100, &perfect, &error), STATUS_OK);
    assert_near(corrected.value, .88, 1e-12);
    /* a judge without errors leaves Agresti and Coull's interval of 88 in 100 */
    assert_near(corrected.ci95.low, .80041, 1e-4);
    assert_near(corrected.ci95.high, .93148, 1e-4);
}

static void a_correction_stays_in_range(void **state)
{
    (void)state;
    struct error error;
    struct corrected_rate corrected;
    const struct judge_errors errors = {.95, .9, 50, 50};
    assert_int_equal(judge_correct(&corrected, .01, 100, &errors, &error), STATUS_OK);
    assert_true(corrected.value == 0.0 && corrected.ci95.low == 0.0);
    assert_int_equal(judge_correct(&corrected, 1, 100, &errors, &error), STATUS_OK);
    assert_true(corrected.value == 1.0 && corrected.ci95.high == 1.0);
    assert_int_equal(judge_correct(&corrected, (double)NAN, 0, &errors, &error), STATUS_OK);
    assert_true(isnan(corrected.value) && corrected.ci95.low == 0.0);
}

static void a_judge_that_knows_nothing_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct judge_errors errors;
        const char *words;
    } cases[] = {
        {{.5, .5, 50, 50}, "q0 + q1 = 1"}, {{.2, .3, 50, 50}, "q0 + q1 = 0.5"},
        {{1.2, .9, 50, 50}, "[0, 1]"},     {{(double)NAN, .9, 50, 50}, "[0, 1]"},
        {{.9, .9, 0, 50}, "at least 1"},   {{1, .1, 1, 1000}, "so few replies"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error;
        struct corrected_rate corrected;
        assert_int_equal(judge_correct(&corrected, .3, 100, &cases[i].errors, &error),
                         STATUS_USAGE);
        if (!strstr(error.message, cases[i].words))
            fail_msg("no '%s' in: %s", cases[i].words, error.message);
        assert_true(isnan(corrected.value));
        assert_int_equal(judge_correct(&corrected, .3, 100, &cases[i].errors, NULL),
                         STATUS_USAGE);
    }
}

static void any_of_k_amplifies_a_judges_errors(void **state)
{
    (void)state;
    assert_near(any_of_k_false_rate(.97, 20), .456206, .5e-6);
    assert_near(any_of_k_false_rate(.97, 1), .03, 1e-12);
    assert_true(any_of_k_false_rate(1, 20) == 0.0 && any_of_k_false_rate(.5, 0) == 0.0);
}

static void mcnemar_gives_the_goldens(void **state)
{
    (void)state;
    assert_near(mcnemar_exact(12, 1), .003418, .5e-6);
    assert_near(mcnemar_exact(1, 12), .003418, .5e-6);
    assert_near(mcnemar_exact(15, 5), .0413895, .5e-7);
    assert_true(mcnemar_exact(0, 0) == 1.0);
    assert_true(mcnemar_exact(3, 3) == 1.0);
    assert_near(mcnemar_exact(77, 0) / 1.3234889800848443e-23, 1, 1e-9);
}

/* 100 pairs, 12 lost, 1 won: deviation sqrt((13 - 11^2/100)/100)/10 = .0343. */
static void paired_intervals_follow_the_pairs(void **state)
{
    (void)state;
    const struct pair_counts pairs = {
        .both = 40, .first_only = 12, .second_only = 1, .neither = 47};
    const struct interval interval = paired_interval(&pairs, 1);
    const struct interval again = paired_interval(&pairs, 1);
    assert_true(interval.low == again.low && interval.high == again.high);
    /* ends of 2,000 resamples vary by some .003, and come in steps of .01 */
    assert_near(interval.low, -.11 - 1.96 * .0343, .011);
    assert_near(interval.high, -.11 + 1.96 * .0343, .011);
    /* independent samples of the same shares would be twice as wide */
    const struct interval unpaired = newcombe_interval(41, 100, 52, 100);
    assert_true(interval.high - interval.low < .6 * (unpaired.high - unpaired.low));
}

static void paired_intervals_without_spread_are_wilsons(void **state)
{
    (void)state;
    const double rare = wilson_interval(0, 50).high;
    const struct interval same = paired_interval(&(struct pair_counts){.both = 50}, 1);
    assert_true(same.low == -rare && same.high == rare);
    const struct interval lost =
        paired_interval(&(struct pair_counts){.first_only = 50}, 1);
    assert_true(lost.low == -1.0 && lost.high == rare - 1);
    const struct interval won =
        paired_interval(&(struct pair_counts){.second_only = 50}, 1);
    assert_true(won.low == 1 - rare && won.high == 1.0);
    const struct interval none = paired_interval(&(struct pair_counts){.both = 0}, 1);
    assert_true(none.low == -1.0 && none.high == 1.0);
}

static void holm_steps_down(void **state)
{
    (void)state;
    /* 4 x .005, 3 x .01 raises nothing, 2 x .03, then .04 is held at .06 */
    const double p[] = {.01, .04, (double)NAN, .03, .005};
    double adjusted[5];
    holm_adjust(p, adjusted, 5);
    assert_near(adjusted[0], .03, 1e-12);
    assert_near(adjusted[1], .06, 1e-12);
    assert_true(isnan(adjusted[2]));
    assert_near(adjusted[3], .06, 1e-12);
    assert_near(adjusted[4], .02, 1e-12);
    const double large[] = {.7, .9};
    holm_adjust(large, adjusted, 2);
    assert_true(adjusted[0] == 1.0 && adjusted[1] == 1.0);
    holm_adjust(NULL, NULL, 0);
}

static void kappa_leaves_chance_out(void **state)
{
    (void)state;
    /* Of 50 proposals both say yes to 20 and no to 15: po .7, pe .5 */
    assert_near(cohen_kappa(&(struct pair_counts){20, 5, 10, 15}), .4, 1e-12);
    assert_near(cohen_kappa(&(struct pair_counts){30, 0, 0, 20}), 1, 1e-12);
    assert_near(cohen_kappa(&(struct pair_counts){0, 25, 25, 0}), -1, 1e-12);
    assert_near(cohen_kappa(&(struct pair_counts){25, 25, 25, 25}), 0, 1e-12);
    assert_true(isnan(cohen_kappa(&(struct pair_counts){.both = 50})));
    assert_true(isnan(cohen_kappa(&(struct pair_counts){.both = 0})));
}

/* Over-refusal and ASR of five runs; the third is beaten by the second. */
static const struct tradeoff_point five[] = {
    {.8, 0}, {.3, .1}, {.4, .2}, {.1, .5}, {.1, .5}};

static void the_pareto_set_is_what_nothing_beats(void **state)
{
    (void)state;
    static const bool expected[] = {true, true, false, true, true};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(tradeoff_is_pareto(five, 5, i), expected[i]);
    const struct tradeoff_point unmeasured[] = {{(double)NAN, 0}, {.5, .5}};
    assert_true(tradeoff_is_pareto(unmeasured, 2, 1));
}

static void the_hypervolume_is_the_area_from_nothing(void **state)
{
    (void)state;
    /* steps of safety .2, .5, .2 with use 1, .9, .5 */
    assert_near(tradeoff_hypervolume(five, 5), .2 + .5 * .9 + .2 * .5, 1e-12);
    assert_near(tradeoff_hypervolume(&five[1], 1), .7 * .9, 1e-12);
    assert_true(tradeoff_hypervolume(five, 0) == 0.0);
    const struct tradeoff_point perfect[] = {{0, 0}, {.5, .5}, {(double)NAN, 0}};
    assert_true(tradeoff_hypervolume(perfect, 3) == 1.0);
    assert_near(tradeoff_youden(&five[1]), .6, 1e-12);
}

enum { HARMFUL = 100, BENIGN = 250 };

/* Of every `of` places the first `ones` are 1. */
static void verdicts_fill(signed char *verdicts, size_t count, size_t ones, size_t of)
{
    for (size_t i = 0; i < count; i++)
        verdicts[i] = i % of < ones;
}

static void bands_are_joint(void **state)
{
    (void)state;
    signed char harmful[HARMFUL], benign[BENIGN];
    verdicts_fill(harmful, HARMFUL, 3, 10);
    verdicts_fill(benign, BENIGN, 1, 10);
    const struct tradeoff_verdicts runs[] = {{harmful, benign}, {harmful, benign}};
    struct tradeoff_bands two, one;
    tradeoff_bands_make(&two, runs, 2, HARMFUL, BENIGN, 1);
    tradeoff_bands_make(&one, runs, 1, HARMFUL, BENIGN, 1);
    assert_near(two.points[1].asr, .3, 1e-12);
    assert_near(two.hypervolume, .63, 1e-12);
    /* equal runs get equal bands from equal draws, alone or not */
    assert_memory_equal(&two.youden[0], &two.youden[1], sizeof *two.youden);
    assert_memory_equal(&two.youden[0], &one.youden[0], sizeof *two.youden);
    assert_memory_equal(&two.hypervolume_ci95, &one.hypervolume_ci95,
                        sizeof two.hypervolume_ci95);
    /* J = .6, deviation sqrt(.3 x .7/100 + .1 x .9/250) = .0496; ends vary by some .004 */
    assert_near(two.youden[0].low, .6 - 1.96 * .0496, .012);
    assert_near(two.youden[0].high, .6 + 1.96 * .0496, .012);
    /* (1 - ASR)(1 - refused): deviation sqrt((.9 x .0458)^2 + (.7 x .019)^2) = .0433 */
    assert_near(two.hypervolume_ci95.low, .63 - 1.96 * .0433, .012);
    assert_near(two.hypervolume_ci95.high, .63 + 1.96 * .0433, .012);
    tradeoff_bands_release(&one);
    tradeoff_bands_release(&two);
}

static void bands_without_spread_are_wilsons(void **state)
{
    (void)state;
    signed char harmful[HARMFUL], benign[BENIGN];
    verdicts_fill(harmful, HARMFUL, 0, 10);
    verdicts_fill(benign, BENIGN, 1, 10);
    memset(harmful, -1, HARMFUL / 2); /* unscored: 0 of 50 */
    const struct tradeoff_verdicts runs[] = {{harmful, benign}};
    struct tradeoff_bands bands;
    tradeoff_bands_make(&bands, runs, 1, HARMFUL, BENIGN, 1);
    const struct interval youden = newcombe_interval(50, 50, 25, 250);
    const struct interval refused = wilson_interval(25, 250);
    assert_true(bands.points[0].asr == 0.0);
    assert_near(bands.youden[0].low, youden.low, 1e-12);
    assert_near(bands.youden[0].high, youden.high, 1e-12);
    assert_near(bands.hypervolume_ci95.low,
                (1 - wilson_interval(0, 50).high) * (1 - refused.high), 1e-12);
    assert_near(bands.hypervolume_ci95.high, 1 - refused.low, 1e-12);
    tradeoff_bands_release(&bands);
    memset(harmful, -1, HARMFUL);
    tradeoff_bands_make(&bands, runs, 1, HARMFUL, BENIGN, 1);
    assert_true(isnan(bands.points[0].asr) && bands.hypervolume == 0.0);
    assert_true(bands.youden[0].low == -1.0 && bands.youden[0].high == 1.0);
    tradeoff_bands_release(&bands);
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
        cmocka_unit_test(judges_are_corrected_as_published),
        cmocka_unit_test(a_correction_stays_in_range),
        cmocka_unit_test(a_judge_that_knows_nothing_is_refused),
        cmocka_unit_test(any_of_k_amplifies_a_judges_errors),
        cmocka_unit_test(mcnemar_gives_the_goldens),
        cmocka_unit_test(paired_intervals_follow_the_pairs),
        cmocka_unit_test(paired_intervals_without_spread_are_wilsons),
        cmocka_unit_test(holm_steps_down),
        cmocka_unit_test(kappa_leaves_chance_out),
        cmocka_unit_test(the_pareto_set_is_what_nothing_beats),
        cmocka_unit_test(the_hypervolume_is_the_area_from_nothing),
        cmocka_unit_test(bands_are_joint),
        cmocka_unit_test(bands_without_spread_are_wilsons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
