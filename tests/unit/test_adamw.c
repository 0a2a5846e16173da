#include "optim/adamw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 37, STEPS = 5 };

static const struct adamw_range ranges[] = {
    {0, 10, true}, {10, 7, true}, {17, 5, false}, {22, 1, false}, {23, 14, true}};
enum { RANGES = sizeof ranges / sizeof *ranges };

static bool is_decayed(int index)
{
    return index < 17 || index >= 23;
}

static struct backend *open_backend(void)
{
    struct backend *backend;
    struct error error;
    if (backend_open(&backend, &(struct backend_options){.thread_count = 2}, &error))
        fail_msg("%s", error.message);
    return backend;
}

static struct tensor no_remainders = {.dtype = DTYPE_I16, .rank = 1, .shape = {COUNT}};

struct problem {
    float weights[COUNT];
    float gradients[COUNT];
};

static void problem_fill(struct problem *problem, int step)
{
    for (int i = 0; i < COUNT; i++) {
        if (step == 1)
            problem->weights[i] = (float)sin(1.0 + i);
        problem->gradients[i] = (float)cos(3.0 * i + step) * (float)(i % 5);
    }
}

static double norm_of(const float *values)
{
    double sum = 0.0;
    for (int i = 0; i < COUNT; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* The formula of operations.h in double. */
struct reference {
    double weight[COUNT], moment1[COUNT], moment2[COUNT];
};

static void reference_step(struct reference *reference, const float *gradients, int step,
                           double lr, const struct adamw_options *options)
{
    const double norm = norm_of(gradients);
    const double scale =
        options->clip_norm > 0 && norm > options->clip_norm ? options->clip_norm / norm : 1;
    for (int i = 0; i < COUNT; i++) {
        const double g = (double)gradients[i] * scale;
        double *m = &reference->moment1[i], *v = &reference->moment2[i];
        *m = options->beta1 * *m + (1 - options->beta1) * g;
        *v = options->beta2 * *v + (1 - options->beta2) * g * g;
        const double direction =
            *m / (1 - pow(options->beta1, step)) /
            (sqrt(*v / (1 - pow(options->beta2, step))) + options->epsilon);
        const double decay = is_decayed(i) ? options->weight_decay : 0.0;
        reference->weight[i] -= lr * (direction + decay * reference->weight[i]);
    }
}

/*
 * fp32 against double. The square root of v / (1 - beta2^t) loses most: with 1 - beta2 at
 * 0.05 rounded to fp32 the step is off by up to 1e-6 of itself, and 5 steps of 0.01 move a
 * weight by 0.05: 1e-6 absolute leaves a factor of ten.
 */
static void follows_formula(double clip_norm)
{
    const struct adamw_options options = {.beta1 = 0.9,
                                          .beta2 = 0.95,
                                          .epsilon = 1e-8,
                                          .weight_decay = 0.1,
                                          .clip_norm = clip_norm};
    struct backend *backend = open_backend();
    struct adamw adamw;
    struct error error;
    struct problem problem;
    struct reference reference = {0};
    struct tensor weights = tensor_view_1d(problem.weights, DTYPE_F32, COUNT);
    const struct tensor gradients = tensor_view_1d(problem.gradients, DTYPE_F32, COUNT);
    assert_int_equal(adamw_init(&adamw, backend, COUNT, DTYPE_F32, ranges, RANGES, &error),
                     STATUS_OK);
    for (int step = 1; step <= STEPS; step++) {
        double norm;
        problem_fill(&problem, step);
        for (int i = 0; step == 1 && i < COUNT; i++)
            reference.weight[i] = (double)problem.weights[i];
        reference_step(&reference, problem.gradients, step, 0.01 * step, &options);
        assert_int_equal(adamw_step(&adamw, &weights, &no_remainders, &gradients,
                                    0.01 * step, &options, &norm, &error),
                         STATUS_OK);
        assert_true(fabs(norm - norm_of(problem.gradients)) <= 1e-12 * norm);
        assert_int_equal(adamw.step, step);
    }
    assert_int_equal(backend_sync(backend, &error), STATUS_OK);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabs((double)problem.weights[i] - reference.weight[i]) <= 1e-6);
    adamw_release(&adamw);
    backend_close(backend);
}

static void follows_formula_unclipped(void **state)
{
    (void)state;
    follows_formula(0.0);
}

static void follows_formula_clipped(void **state)
{
    (void)state;
    follows_formula(0.5);
}

static void ranges_are_joined(void **state)
{
    (void)state;
    struct backend *backend = open_backend();
    struct adamw adamw;
    struct error error;
    assert_int_equal(adamw_init(&adamw, backend, COUNT, DTYPE_F32, ranges, RANGES, &error),
                     STATUS_OK);
    assert_int_equal(adamw.range_count, 3);
    assert_int_equal(adamw.ranges[0].count, 17);
    assert_int_equal(adamw.ranges[1].offset, 17);
    assert_int_equal(adamw.ranges[1].count, 6);
    assert_false(adamw.ranges[1].decayed);
    assert_int_equal(adamw.ranges[2].count, 14);
    adamw_release(&adamw);
    adamw_release(&adamw); /* a released one is empty */
    backend_close(backend);
}

/* A gradient that is not finite changes nothing at all. */
static void broken_gradient_changes_nothing(void **state)
{
    (void)state;
    static const float broken[] = {NAN, INFINITY, -INFINITY};
    const struct adamw_options options = {
        .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.1, .clip_norm = 1};
    struct backend *backend = open_backend();
    struct adamw adamw;
    struct error error;
    struct problem problem, before;
    double norm;
    struct tensor weights = tensor_view_1d(problem.weights, DTYPE_F32, COUNT);
    const struct tensor gradients = tensor_view_1d(problem.gradients, DTYPE_F32, COUNT);
    assert_int_equal(adamw_init(&adamw, backend, COUNT, DTYPE_F32, ranges, RANGES, &error),
                     STATUS_OK);
    problem_fill(&problem, 1);
    assert_int_equal(adamw_step(&adamw, &weights, &no_remainders, &gradients, 0.01,
                                &options, &norm, &error),
                     STATUS_OK);
    float moments[2][COUNT];
    memcpy(moments[0], adamw.moment1.values, sizeof moments[0]);
    memcpy(moments[1], adamw.moment2.values, sizeof moments[1]);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        problem_fill(&problem, 2);
        problem.gradients[COUNT - 1] = broken[i];
        before = problem;
        assert_int_equal(adamw_step(&adamw, &weights, &no_remainders, &gradients, 0.01,
                                    &options, &norm, &error),
                         STATUS_FORMAT);
        assert_false(isfinite(norm));
        assert_non_null(strstr(error.message, "after 1 updates"));
        assert_int_equal(adamw.step, 1);
        assert_memory_equal(problem.weights, before.weights, sizeof before.weights);
        assert_memory_equal(adamw.moment1.values, moments[0], sizeof moments[0]);
        assert_memory_equal(adamw.moment2.values, moments[1], sizeof moments[1]);
    }
    adamw_release(&adamw);
    backend_close(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_formula_unclipped),
        cmocka_unit_test(follows_formula_clipped),
        cmocka_unit_test(ranges_are_joined),
        cmocka_unit_test(broken_gradient_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
