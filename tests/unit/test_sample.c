#include "tests/unit/operations_fixture.h"

/* p: 0.4 0.3 0.2 0.1, twice shuffled in ids so that order of id and of size differ */
static const float quarter[4] = {-2.302585F, -0.916291F, -1.609438F, -1.203973F};
static const double quarter_p[4] = {0.1, 0.4, 0.2, 0.3};

enum { MOST = 1024 };

/* One row; takes its draw as generation does. */
static int32_t sample(const float *logits, int64_t count, double temperature, double top_p,
                      struct random *random)
{
    float scratch[MOST];
    struct tensor row = tensor_view_2d(scratch, DTYPE_F32, 1, count);
    const float temperatures[] = {(float)temperature}, top_ps[] = {(float)top_p};
    const double draws[] = {temperature > 0 ? random_double(random) : 0};
    const struct sampling_rows rows = {temperatures, top_ps, draws};
    int32_t token = -2;
    assert_true(count <= MOST);
    memcpy(scratch, logits, (size_t)count * sizeof *scratch);
    sample_tokens(backend, &token, &row, &rows);
    return token;
}

static void greedy_takes_the_first_greatest(void **state)
{
    (void)state;
    struct random random = random_stream(1, 1);
    const float ties[] = {-1, 3, 2, 3, 3, -INFINITY};
    assert_int_equal(sample(ties, 6, 0.0, 1.0, &random), 1);
    assert_int_equal(sample(ties + 2, 1, 0.0, 1.0, &random), 0);
    /* so cold that only the greatest has any weight */
    assert_int_equal(sample(quarter, 4, 1e-30, 1.0, &random), 1);
    assert_int_equal(sample(quarter, 4, 1e-3, 0.9, &random), 1);
}

static void broken_logits_are_reported(void **state)
{
    (void)state;
    struct random random = random_stream(1, 1);
    const float values[][3] = {{0, NAN, 1},
                               {NAN, 0, 1},
                               {0, 1, NAN},
                               {0, INFINITY, 1},
                               {-INFINITY, -INFINITY, -INFINITY}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(sample(values[i], 3, 0.0, 1.0, &random), -1);
        assert_int_equal(sample(values[i], 3, 1.0, 0.9, &random), -1);
    }
}

/* Shares of 40,000 draws: 4.5 standard deviations of a share are 0.0113 at most. */
static void assert_shares(double temperature, double top_p, const double *wanted)
{
    enum { DRAWS = 40000 };
    struct random random = random_stream(11, 12);
    int hits[4] = {0};
    for (int i = 0; i < DRAWS; i++)
        hits[sample(quarter, 4, temperature, top_p, &random)]++;
    for (int i = 0; i < 4; i++) {
        const double deviation = sqrt(wanted[i] * (1.0 - wanted[i]) / DRAWS);
        assert_true(fabs((double)hits[i] / DRAWS - wanted[i]) <= 4.5 * deviation);
    }
}

static void shares_are_right(void **state)
{
    (void)state;
    assert_shares(1.0, 1.0, quarter_p);
    const double root = sqrt(0.1) + sqrt(0.2) + sqrt(0.3) + sqrt(0.4);
    const double hot[4] = {sqrt(0.1) / root, sqrt(0.4) / root, sqrt(0.2) / root,
                           sqrt(0.3) / root};
    assert_shares(2.0, 1.0, hot);
    const double three[4] = {0, 0.4 / 0.9, 0.2 / 0.9, 0.3 / 0.9};
    assert_shares(1.0, 0.71, three);
    assert_shares(1.0, 0.89, three);
    const double two[4] = {0, 0.4 / 0.7, 0, 0.3 / 0.7};
    assert_shares(1.0, 0.69, two);
    const double one[4] = {0, 1, 0, 0};
    assert_shares(1.0, 0.39, one);
    assert_shares(1.0, 1e-9, one);
}

static int compare_descending(const void *left, const void *right)
{
    const float a = *(const float *)left, b = *(const float *)right;
    return (a < b) - (a > b);
}

/* The nucleus by sorting: the least weight in it. */
static float sorted_threshold(const float *weights, int count, double top_p)
{
    float sorted[MOST];
    double mass = 0.0, reached = 0.0;
    memcpy(sorted, weights, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_descending);
    for (int i = 0; i < count; i++)
        mass += (double)sorted[i];
    for (int i = 0; i < count; i++) {
        reached += (double)sorted[i];
        if (reached >= top_p * mass)
            return sorted[i];
    }
    return 0.0F;
}

/* Nothing outside of the sorted nucleus is ever drawn, and its smallest member is. */
static void nucleus_is_the_sorted_one(void **state)
{
    (void)state;
    struct random shapes = random_stream(5, 5), random = random_stream(6, 6);
    for (int round = 0; round < 60; round++) {
        const int count = 1 + (int)random_below(&shapes, 300);
        const double top_p = 0.02 + 0.9 * random_double(&shapes);
        float logits[MOST], weights[MOST], greatest = -INFINITY;
        double mass = 0.0;
        for (int i = 0; i < count; i++) {
            logits[i] = 2.0F * random_normal(&shapes);
            greatest = fmaxf(greatest, logits[i]);
        }
        for (int i = 0; i < count; i++) {
            weights[i] = expf(logits[i] - greatest);
            mass += (double)weights[i];
        }
        const float least = sorted_threshold(weights, count, top_p);
        float smallest = INFINITY;
        for (int draw = 0; draw < 3000; draw++) {
            const int32_t token = sample(logits, count, 1.0, top_p, &random);
            assert_in_range(token, 0, count - 1);
            assert_true(weights[token] >= least);
            smallest = fminf(smallest, weights[token]);
        }
        /* 3,000 draws miss a share of 0.007 once in e^21 */
        if ((double)least > 0.007 * mass)
            assert_true(smallest == least);
    }
}

/* Equal weights are all in the nucleus, whatever top_p is. */
static void ties_stay_together(void **state)
{
    (void)state;
    struct random random = random_stream(3, 4);
    const float flat[50] = {0};
    bool seen[50] = {false};
    int distinct = 0;
    for (int i = 0; i < 2000; i++)
        seen[sample(flat, 50, 0.7, 0.1, &random)] = true;
    for (int i = 0; i < 50; i++)
        distinct += seen[i];
    assert_int_equal(distinct, 50);
}

/* The token is the first at which the running mass exceeds draw * mass. */
static void draws_walk_in_the_order_of_ids(void **state)
{
    (void)state;
    const double draws[] = {0, 0.0999, 0.1001, 0.4999, 0.5001, 0.6999, 0.7001, 0.9999};
    const int32_t wanted[] = {0, 0, 1, 1, 2, 2, 3, 3};
    enum { ROWS = sizeof draws / sizeof *draws };
    float logits[ROWS][4], temperature[ROWS], top_p[ROWS];
    int32_t tokens[ROWS];
    for (int s = 0; s < ROWS; s++) {
        memcpy(logits[s], quarter, sizeof quarter);
        temperature[s] = top_p[s] = 1;
    }
    struct tensor rows = tensor_view_2d(logits, DTYPE_F32, ROWS, 4);
    sample_tokens(backend, tokens, &rows,
                  &(struct sampling_rows){temperature, top_p, draws});
    assert_memory_equal(tokens, wanted, sizeof wanted);
}

/* Rows of many kinds in one call give what each gives alone. */
static void rows_do_not_see_each_other(void **state)
{
    enum { ROWS = 40, VOCABULARY = 999 };
    float *logits = memory_allocate_array(ROWS * VOCABULARY, sizeof *logits);
    float temperature[ROWS], top_p[ROWS];
    double draw[ROWS];
    int32_t together[ROWS], alone;
    (void)state;
    for (int i = 0; i < ROWS * VOCABULARY; i++)
        logits[i] = 3 * random_normal(&numbers);
    for (int s = 0; s < ROWS; s++) {
        temperature[s] = s % 4 == 0 ? 0 : 0.1f + 2 * random_float(&numbers);
        top_p[s] = s % 3 == 0 ? 1 : 0.01f + 0.98f * random_float(&numbers);
        draw[s] = random_double(&numbers);
    }
    logits[7 * VOCABULARY + 3] = NAN;
    struct tensor all = tensor_view_2d(logits, DTYPE_F32, ROWS, VOCABULARY);
    struct tensor scratch = copy_of(&all);
    sample_tokens(backend, together, &scratch,
                  &(struct sampling_rows){temperature, top_p, draw});
    for (int s = 0; s < ROWS; s++) {
        struct tensor row = tensor_rows(&all, s, 1);
        sample_tokens(backend, &alone, &row,
                      &(struct sampling_rows){temperature + s, top_p + s, draw + s});
        assert_int_equal(alone, together[s]);
        assert_true(s == 7 ? alone == -1 : alone >= 0 && alone < VOCABULARY);
    }
    tensor_free(&scratch);
    free(logits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_first_greatest),
        cmocka_unit_test(broken_logits_are_reported),
        cmocka_unit_test(shares_are_right),
        cmocka_unit_test(nucleus_is_the_sorted_one),
        cmocka_unit_test(ties_stay_together),
        cmocka_unit_test(draws_walk_in_the_order_of_ids),
        cmocka_unit_test(rows_do_not_see_each_other),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
