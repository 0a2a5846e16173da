#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Random123, tests/kat_vectors, philox4x32 with 10 rounds. */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint32_t out[4];
        random_philox(out, vectors[i].counter, vectors[i].key);
        assert_memory_equal(out, vectors[i].expected, sizeof out);
    }
}

static void seed_stream_and_position_make_key_and_counter(void **state)
{
    (void)state;
    struct random random = {
        .seed = 0x299f31d0a4093822, .stream = 0x0370734413198a2e, .position = 0};
    uint32_t out[4];
    const uint32_t counter[4] = {1, 0, 0x13198a2e, 0x03707344};
    const uint32_t key[2] = {0xa4093822, 0x299f31d0};
    random_philox(out, counter, key);
    random.position = 4;
    for (int i = 0; i < 4; i++)
        assert_int_equal(random_u32(&random), out[i]);
    assert_int_equal(random.position, 8);
}

static void pairs_equal_single_draws(void **state)
{
    (void)state;
    for (uint64_t start = 0; start < 8; start++) {
        struct random wide = {.seed = 3, .stream = 4, .position = start};
        struct random narrow = wide;
        const uint64_t low = random_u32(&narrow);
        const uint64_t high = random_u32(&narrow);
        assert_true(random_u64(&wide) == (high << 32 | low));
        assert_int_equal(wide.position, narrow.position);
    }
}

static void a_copy_of_the_state_continues_the_same(void **state)
{
    (void)state;
    struct random random = random_stream(5, 6);
    for (int i = 0; i < 7; i++)
        random_normal(&random);
    struct random saved = random;
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_u32(&random), random_u32(&saved));
}

static void streams_depend_on_all_that_names_them(void **state)
{
    (void)state;
    const uint64_t stream = random_stream_of("past", 31, 7);
    assert_true(stream == random_stream_of("past", 31, 7));
    assert_true(stream != random_stream_of("past", 7, 31));
    assert_true(stream != random_stream_of("pas", 31, 7));
    assert_true(random_stream_of("", 0, 0) != random_stream_of("", 0, 1));
    struct random a = random_stream(1, 1), b = random_stream(1, 2), c = random_stream(2, 1);
    const uint64_t first = random_u64(&a);
    assert_true(first != random_u64(&b));
    assert_true(first != random_u64(&c));
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    enum { SIDES = 6, THROWS = 60000 };
    struct random random = random_stream(9, 0);
    int counts[SIDES] = {0};
    for (int i = 0; i < THROWS; i++)
        counts[random_below(&random, SIDES)]++;
    double chi_square = 0;
    for (int i = 0; i < SIDES; i++)
        chi_square += pow(counts[i] - THROWS / SIDES, 2) / (THROWS / SIDES);
    assert_true(chi_square < 20.5); /* 5 degrees of freedom, p = 0.001 */
    for (int i = 0; i < 10; i++)
        assert_int_equal(random_below(&random, 1), 0);
    const uint64_t large = UINT64_MAX / 2 + 2; /* nearly every second draw is rejected */
    for (int i = 0; i < 100; i++)
        assert_true(random_below(&random, large) < large);
}

static void uniforms_lie_in_the_unit_interval(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct random random = random_stream(10, 0);
    double float_sum = 0, double_sum = 0;
    for (int i = 0; i < COUNT; i++) {
        const float f = random_float(&random);
        const double d = random_double(&random);
        assert_true(f >= 0 && f < 1 && d >= 0 && d < 1);
        float_sum += (double)f;
        double_sum += d;
    }
    /* The mean's standard deviation is sqrt(1/12 / COUNT) = 0.0009; four of them. */
    assert_true(fabs(float_sum / COUNT - 0.5) < 0.0037);
    assert_true(fabs(double_sum / COUNT - 0.5) < 0.0037);
}

static void normals_have_the_right_moments(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct random random = random_stream(13, 0);
    double moments[5] = {0};
    for (int i = 0; i < COUNT; i++) {
        const double x = (double)random_normal(&random);
        assert_true(isfinite(x));
        for (int k = 1; k <= 4; k++)
            moments[k] += pow(x, k) / COUNT;
    }
    /* Standard deviations sqrt({1, 2, 15, 96} / COUNT); four of each. */
    assert_true(fabs(moments[1]) < 0.009);
    assert_true(fabs(moments[2] - 1) < 0.0127);
    assert_true(fabs(moments[3]) < 0.035);
    assert_true(fabs(moments[4] - 3) < 0.088);
    assert_int_equal(random.position, 2 * COUNT);
}

static void shuffles_are_permutations(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    int64_t order[COUNT];
    bool seen[COUNT] = {false};
    struct random random = random_stream(14, 0);
    size_t fixed = 0;
    for (int i = 0; i < COUNT; i++)
        order[i] = i;
    random_shuffle(&random, order, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_in_range(order[i], 0, COUNT - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    assert_true(fixed < 10); /* one is expected, Poisson */
    random_shuffle(&random, order, 0);
    random_shuffle(&random, order, 1);
}

static void all_orders_of_three_are_as_likely(void **state)
{
    (void)state;
    enum { TRIALS = 60000, ORDERS = 6 };
    struct random random = random_stream(15, 0);
    int counts[27] = {0};
    for (int i = 0; i < TRIALS; i++) {
        int64_t order[3] = {0, 1, 2};
        random_shuffle(&random, order, 3);
        counts[9 * order[0] + 3 * order[1] + order[2]]++;
    }
    double chi_square = 0;
    int orders = 0;
    for (int i = 0; i < 27; i++) {
        orders += counts[i] > 0;
        if (counts[i] > 0)
            chi_square += pow(counts[i] - TRIALS / ORDERS, 2) / (TRIALS / ORDERS);
    }
    assert_int_equal(orders, ORDERS);
    assert_true(chi_square < 20.5); /* 5 degrees of freedom, p = 0.001 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(seed_stream_and_position_make_key_and_counter),
        cmocka_unit_test(pairs_equal_single_draws),
        cmocka_unit_test(a_copy_of_the_state_continues_the_same),
        cmocka_unit_test(streams_depend_on_all_that_names_them),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(uniforms_lie_in_the_unit_interval),
        cmocka_unit_test(normals_have_the_right_moments),
        cmocka_unit_test(shuffles_are_permutations),
        cmocka_unit_test(all_orders_of_three_are_as_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
