#ifndef HOLDFAST_TESTS_UNIT_OPERATIONS_FIXTURE_H
#define HOLDFAST_TESTS_UNIT_OPERATIONS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/cpu/cpu_backend.h"
#include "backend/operations.h"
#include "base/memory.h"
#include "base/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * What the tests of the operations share: a back-end, tensors of random numbers on the
 * heap, and comparisons with references in double.
 *
 * Every run draws a fresh seed and prints it; TEST_SEED repeats a run. Tolerances
 * therefore have to be bounds, not luck: a float reduction over n terms differs from the
 * exact sum by at most about n FLT_EPSILON times the sum of magnitudes.
 */
static struct backend *backend;
static struct random numbers;

static inline int fixture_open(void **state)
{
    const char *text = getenv("TEST_SEED");
    const uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) % 1000000;
    struct error error = {0};

    (void)state;
    print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
    numbers = random_stream(seed, 1);
    if (backend_open(&backend, &(struct backend_options){.thread_count = 2}, &error))
        fail_msg("%s", error.message);
    return 0;
}

static inline int fixture_close(void **state)
{
    (void)state;
    backend_close(backend);
    return 0;
}

/* Uniform in [-1, 1). */
static inline float random_signed(void)
{
    return 2.0f * random_float(&numbers) - 1.0f;
}

static inline int64_t random_between(int64_t low, int64_t high)
{
    return low + (int64_t)random_below(&numbers, (uint64_t)(high - low + 1));
}

/* Freed with tensor_free(); filled with random numbers in [-1, 1). */
static inline struct tensor matrix(int64_t rows, int64_t columns)
{
    const size_t count = (size_t)(rows * columns);
    float *data = memory_allocate_array(count + 1, sizeof *data);

    for (size_t i = 0; i < count; i++)
        data[i] = random_signed();
    return tensor_view_2d(data, DTYPE_F32, rows, columns);
}

static inline struct tensor vector(int64_t count)
{
    struct tensor tensor = matrix(1, count);

    return tensor_view_1d(tensor.data, DTYPE_F32, count);
}

static inline struct tensor copy_of(const struct tensor *tensor)
{
    struct tensor copy = *tensor;

    copy.data = memory_allocate(tensor_bytes(tensor) + 1);
    memcpy(copy.data, tensor->data, tensor_bytes(tensor));
    return copy;
}

static inline void tensor_free(struct tensor *tensor)
{
    free(tensor->data);
    tensor->data = NULL;
}

static inline void assert_same_bits(const struct tensor *a, const struct tensor *b)
{
    assert_int_equal(tensor_bytes(a), tensor_bytes(b));
    assert_memory_equal(a->data, b->data, tensor_bytes(a));
}

#define assert_near(actual, expected, tolerance)                                           \
    do {                                                                                   \
        const double actual_ = (double)(actual), expected_ = (double)(expected);           \
        const double tolerance_ = (double)(tolerance);                                     \
        if (!(fabs(actual_ - expected_) <= tolerance_))                                    \
            fail_msg("%s: %.9g, expected %.9g, off by %.3g, allowed %.3g", #actual,        \
                     actual_, expected_, fabs(actual_ - expected_), tolerance_);           \
    } while (0)

static inline double *doubles_of(const struct tensor *tensor)
{
    const int64_t count = tensor_count(tensor);
    double *copy = memory_allocate_array((size_t)count + 1, sizeof *copy);

    for (int64_t i = 0; i < count; i++)
        copy[i] = (double)f32(tensor)[i];
    return copy;
}

/*
 * Checks `gradient` = d loss / d x against central differences of a loss in double: along
 * random directions, where any wrong element shows, and along single elements, where it
 * shows which. With step h the difference is off by h^2/6 of the third derivative and by
 * 1e-16/h of rounding: below 1e-9 of the loss here, far under float. What is left is the
 * error of the float gradient: `reduction` terms of FLT_EPSILON of its magnitude.
 */
struct gradient_check {
    double (*loss)(void *context);
    void *context;
    double *x; /* what `loss` reads; restored afterwards */
    const float *gradient;
    int64_t count;
    int64_t reduction;
};

static inline double difference_along(const struct gradient_check *check, const double *u)
{
    const double h = 1e-5;
    double side[2];

    for (int s = 0; s < 2; s++) {
        const double step = s == 0 ? h : -h;
        for (int64_t i = 0; i < check->count; i++)
            check->x[i] += step * u[i];
        side[s] = check->loss(check->context);
        for (int64_t i = 0; i < check->count; i++)
            check->x[i] -= step * u[i];
    }
    return (side[0] - side[1]) / (2 * h);
}

/* `terms`: the magnitude of what cancels in an element, where that is more than the
 * greatest of the gradient. */
static inline void assert_gradient_of(const struct gradient_check *check, double terms)
{
    double *u = memory_allocate_array((size_t)check->count + 1, sizeof *u);
    double largest = terms;

    for (int64_t i = 0; i < check->count; i++)
        largest = fmax(largest, fabs((double)check->gradient[i]));
    const double each =
        (double)(check->reduction + 16) * (double)FLT_EPSILON * (largest + 1e-3);
    for (int round = 0; round < 8; round++) {
        double expected = 0, tolerance = 1e-8;
        const int64_t single = random_between(0, check->count - 1);
        for (int64_t i = 0; i < check->count; i++) {
            u[i] = round < 4 ? (double)random_signed() : (double)(i == single);
            expected += u[i] * (double)check->gradient[i];
            tolerance += fabs(u[i]) * each;
        }
        /* Errors of many elements are independent enough: their sum grows as the root. */
        if (round < 4)
            tolerance = 1e-8 + 8 * each * sqrt((double)check->count);
        assert_near(difference_along(check, u), expected, tolerance);
    }
    free(u);
}

static inline void assert_gradient(const struct gradient_check *check)
{
    assert_gradient_of(check, 0);
}

#endif
