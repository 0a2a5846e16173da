#include "base/json.h"
#include "optim/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Both sides compute a handful of operations in double: a few roundings of 2^-53. */
static void assert_close(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-14 * fabs(wanted)))
        fail_msg("%.17g, wanted %.17g", got, wanted);
}

static double field(const cJSON *object, const char *key)
{
    const cJSON *item = json_get(object, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static struct schedule schedule_of(const cJSON *object)
{
    struct error error;
    struct schedule schedule = {
        .lr_peak = field(object, "lr_peak"),
        .floor_ratio = field(object, "floor_ratio"),
        .warmup_steps = (int64_t)field(object, "warmup_steps"),
        .total_steps = (int64_t)field(object, "total_steps"),
        .decay_steps = (int64_t)field(object, "decay_steps"),
    };
    const char *name = json_get(object, "kind")->valuestring;
    assert_int_equal(schedule_kind_parse(&schedule.kind, name, &error), STATUS_OK);
    assert_string_equal(schedule_kind_name(schedule.kind), name);
    return schedule;
}

/* tests/golden/schedules.json: scripts/reference/make-schedule-goldens */
static void equals_transformers(void **state)
{
    (void)state;
    cJSON *root;
    struct error error;
    const cJSON *item, *lr;
    int cases = 0;
    assert_int_equal(json_parse_file(&root, "tests/golden/schedules.json", &error),
                     STATUS_OK);
    cJSON_ArrayForEach(item, json_get(root, "cases"))
    {
        const struct schedule schedule = schedule_of(item);
        int64_t step = 0;
        cJSON_ArrayForEach(lr, json_get(item, "lr"))
            assert_close(schedule_lr(&schedule, step++), lr->valuedouble);
        assert_int_equal(step, schedule.total_steps + 1);
        cases++;
    }
    assert_int_equal(cases, 12);
    cJSON_Delete(root);
}

/* Vaswani et al. with d = 512, w = 4000; six digits. */
static void noam_values(void **state)
{
    (void)state;
    static const struct {
        int64_t step;
        double lr;
    } wanted[] = {{1, 1.746928e-7},
                  {100, 1.746928e-5},
                  {4000, 6.987712e-4},
                  {16000, 3.493856e-4},
                  {100000, 1.397542e-4}};
    struct schedule schedule = {
        .kind = SCHEDULE_NOAM, .lr_peak = 1.0, .warmup_steps = 4000, .model_size = 512};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const double lr = schedule_lr(&schedule, wanted[i].step - 1);
        assert_true(fabs(lr / wanted[i].lr - 1.0) < 5e-7);
    }
    schedule.lr_peak = 2.0;
    assert_true(fabs(schedule_lr(&schedule, 0) / 3.493856e-7 - 1.0) < 5e-7);
    schedule.warmup_steps = 0;
    assert_close(schedule_lr(&schedule, 3), 2.0 / sqrt(512.0) / 2.0);
}

static void floors(void **state)
{
    (void)state;
    const struct schedule linear = {
        .kind = SCHEDULE_LINEAR, .lr_peak = 2.0, .floor_ratio = 0.25, .total_steps = 10};
    assert_close(schedule_lr(&linear, 0), 2.0);
    assert_close(schedule_lr(&linear, 5), 1.0);
    assert_close(schedule_lr(&linear, 9), 0.5);
    assert_close(schedule_lr(&linear, 1000), 0.5);
    const struct schedule inverse = {.kind = SCHEDULE_INVERSE_SQRT,
                                     .lr_peak = 1.0,
                                     .floor_ratio = 0.5,
                                     .warmup_steps = 4};
    assert_close(schedule_lr(&inverse, 16), 0.5);
    assert_close(schedule_lr(&inverse, 400), 0.5);
}

/* Steps beyond the last keep the floor, and no schedule is ever negative. */
static void after_the_end(void **state)
{
    (void)state;
    for (int kind = SCHEDULE_CONSTANT; kind <= SCHEDULE_WSD; kind++) {
        const struct schedule schedule = {.kind = (enum schedule_kind)kind,
                                          .lr_peak = 1e-3,
                                          .warmup_steps = 3,
                                          .total_steps = 20,
                                          .decay_steps = 5,
                                          .model_size = 64};
        for (int64_t step = 0; step < 100; step++)
            assert_true(schedule_lr(&schedule, step) >= 0.0);
        if (kind == SCHEDULE_LINEAR || kind == SCHEDULE_COSINE || kind == SCHEDULE_WSD)
            assert_true(schedule_lr(&schedule, 57) == 0.0);
    }
}

static void unknown_name(void **state)
{
    (void)state;
    struct error error;
    enum schedule_kind kind;
    assert_int_equal(schedule_kind_parse(&kind, "cosin", &error), STATUS_USAGE);
    assert_non_null(strstr(error.message, "'cosin'"));
    assert_non_null(strstr(error.message, "inverse_sqrt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_transformers),
        cmocka_unit_test(noam_values),
        cmocka_unit_test(floors),
        cmocka_unit_test(after_the_end),
        cmocka_unit_test(unknown_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
