#include "tests/unit/operations_fixture.h"

#include "backend/cpu/cpu_gemm_kernel.h"

/* With every kernel that this processor runs. */
static void with_each_kernel(void (*run)(void))
{
    struct cpu_backend *cpu = cpu_of(backend);
    const struct gemm_kernel *best = cpu->kernel;

    for (int i = 0; gemm_kernel_at(i); i++) {
        cpu->kernel = gemm_kernel_at(i);
        run();
    }
    cpu->kernel = best;
}

/* The exact sum and the sum of magnitudes: an n-term float sum is off by n eps of that. */
struct sum {
    double value;
    double magnitude;
};

static void sum_add(struct sum *sum, float a, float b)
{
    sum->value += (double)a * (double)b;
    sum->magnitude += fabs((double)a * (double)b);
}

static void assert_sum(float actual, const struct sum *sum, int64_t terms)
{
    assert_near(actual, sum->value,
                (double)(terms + 2) * (double)FLT_EPSILON * (sum->magnitude + 1e-30));
}

static void forward_case(int64_t T, int64_t M, int64_t K, bool biased)
{
    struct tensor in = matrix(T, K), weight = matrix(M, K), bias = vector(M);
    struct tensor out = matrix(T, M), decoded = matrix(T, M);

    linear_forward(backend, &out, &in, &weight, biased ? &bias : NULL, NULL);
    linear_decode(backend, &decoded, &in, &weight, biased ? &bias : NULL, NULL);
    assert_same_bits(&out, &decoded);
    for (int64_t t = 0; t < T; t++)
        for (int64_t m = 0; m < M; m++) {
            struct sum sum = {0};
            for (int64_t k = 0; k < K; k++)
                sum_add(&sum, f32(&in)[t * K + k], f32(&weight)[m * K + k]);
            if (biased)
                sum_add(&sum, f32(&bias)[m], 1.0f);
            assert_sum(f32(&out)[t * M + m], &sum, K + 1);
        }
    tensor_free(&in);
    tensor_free(&weight);
    tensor_free(&bias);
    tensor_free(&out);
    tensor_free(&decoded);
}

static void forward_cases(void)
{
    forward_case(1, 1, 1, false);
    forward_case(1, 17, 683, true);
    forward_case(7, 6, 80, false);
    forward_case(33, 64, 64, true);
    forward_case(49, 100, 6, true);
    forward_case(97, 35, 400, false); /* two blocks of depth */
    forward_case(200, 130, 33, true);
    forward_case(random_between(1, 120), random_between(1, 120), random_between(1, 900),
                 true);
}

static void test_forward(void **state)
{
    (void)state;
    with_each_kernel(forward_cases);
}

static void backward_case(int64_t T, int64_t M, int64_t K, bool accumulate)
{
    struct tensor in = matrix(T, K), weight = matrix(M, K), d_out = matrix(T, M);
    struct tensor d_in = matrix(T, K), d_weight = matrix(M, K), d_bias = vector(M);
    struct tensor d_in0 = copy_of(&d_in), d_weight0 = copy_of(&d_weight);
    struct tensor d_bias0 = copy_of(&d_bias);

    linear_backward_input(backend, &d_in, &d_out, &weight, accumulate);
    linear_backward_weight(backend, &d_weight, &d_bias, &d_out, &in);
    for (int64_t i = 0; i < T * K; i++) {
        struct sum sum = {0};
        sum_add(&sum, f32(&d_in0)[i], accumulate ? 1.0f : 0.0f);
        for (int64_t m = 0; m < M; m++)
            sum_add(&sum, f32(&d_out)[i / K * M + m], f32(&weight)[m * K + i % K]);
        assert_sum(f32(&d_in)[i], &sum, M + 1);
    }
    for (int64_t i = 0; i < M * K; i++) {
        struct sum sum = {0};
        sum_add(&sum, f32(&d_weight0)[i], 1.0f);
        for (int64_t t = 0; t < T; t++)
            sum_add(&sum, f32(&d_out)[t * M + i / K], f32(&in)[t * K + i % K]);
        assert_sum(f32(&d_weight)[i], &sum, T + 1);
    }
    for (int64_t m = 0; m < M; m++) {
        struct sum sum = {0};
        sum_add(&sum, f32(&d_bias0)[m], 1.0f);
        for (int64_t t = 0; t < T; t++)
            sum_add(&sum, f32(&d_out)[t * M + m], 1.0f);
        assert_sum(f32(&d_bias)[m], &sum, T + 1);
    }
    struct tensor *all[] = {&in,        &weight, &d_out, &d_in,   &d_weight,
                            &d_weight0, &d_bias, &d_in0, &d_bias0};
    for (int i = 0; i < 9; i++)
        tensor_free(all[i]);
}

static void backward_cases(void)
{
    backward_case(1, 1, 1, false);
    backward_case(1, 80, 6, true);
    backward_case(7, 64, 17, true);
    backward_case(33, 6, 80, false);
    backward_case(97, 35, 400, true);
    backward_case(410, 70, 33, false); /* two blocks of depth in d_weight */
    backward_case(60, 390, 20, true);  /* and in d_in */
    backward_case(random_between(1, 120), random_between(1, 120), random_between(1, 120),
                  true);
}

static void test_backward(void **state)
{
    (void)state;
    with_each_kernel(backward_cases);
}

/* Row t has the same bits whatever the number of rows: 1, 2, …, or all of them. */
static void rows_are_independent(void)
{
    enum { T = 150, M = 77, K = 500 };
    static const int64_t sizes[] = {1, 2, 3, 5, 6, 7, 11, 12, 13, 31, 48, 49, 97, 149};
    struct tensor in = matrix(T, K), weight = matrix(M, K), bias = vector(M);
    struct tensor all = matrix(T, M), part = matrix(T, M);

    linear_decode(backend, &all, &in, &weight, &bias, NULL);
    for (int i = 0; i < 14; i++)
        for (int64_t first = 0; first < T; first += sizes[i]) {
            const int64_t rows = minimum(sizes[i], T - first);
            const struct tensor in_part = tensor_rows(&in, first, rows);
            const struct tensor expected = tensor_rows(&all, first, rows);
            struct tensor out_part = tensor_rows(&part, 0, rows);
            linear_decode(backend, &out_part, &in_part, &weight, &bias, NULL);
            assert_same_bits(&out_part, &expected);
        }
    tensor_free(&in);
    tensor_free(&weight);
    tensor_free(&bias);
    tensor_free(&all);
    tensor_free(&part);
}

static void test_rows_are_independent(void **state)
{
    (void)state;
    with_each_kernel(rows_are_independent);
}

/* Twice the same, and the same with another number of threads. */
static void test_bits_repeat(void **state)
{
    enum { T = 300, M = 200, K = 450 };
    struct cpu_backend *cpu = cpu_of(backend);
    struct tensor in = matrix(T, K), weight = matrix(M, K), d_bias = vector(M);
    struct tensor out[3], d_weight[3], d_bias_each[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        cpu->thread_count = i < 2 ? 2 : 3;
        out[i] = matrix(T, M);
        d_weight[i] = copy_of(&weight);
        d_bias_each[i] = copy_of(&d_bias);
        linear_forward(backend, &out[i], &in, &weight, NULL, NULL);
        linear_backward_weight(backend, &d_weight[i], &d_bias_each[i], &out[i], &in);
        assert_same_bits(&out[i], &out[0]);
        assert_same_bits(&d_weight[i], &d_weight[0]);
        assert_same_bits(&d_bias_each[i], &d_bias_each[0]);
    }
    cpu->thread_count = 2;
    for (int i = 0; i < 3; i++) {
        tensor_free(&out[i]);
        tensor_free(&d_weight[i]);
        tensor_free(&d_bias_each[i]);
    }
    tensor_free(&in);
    tensor_free(&weight);
    tensor_free(&d_bias);
}

/* out = product + bias + residual, the residual apart or `out` itself; views of columns. */
static void test_residual_and_columns(void **state)
{
    enum { T = 37, M = 29, K = 50, WIDE = 64 };
    struct tensor in = matrix(T, WIDE), weight = matrix(M, WIDE), bias = vector(M);
    struct tensor residual = matrix(T, WIDE), out = matrix(T, WIDE), plain = matrix(T, M);
    struct tensor in_part = tensor_columns(&in, 3, K);
    struct tensor weight_part = tensor_columns(&weight, 5, K);
    struct tensor residual_part = tensor_columns(&residual, 7, M);
    struct tensor out_part = tensor_columns(&out, 11, M);
    struct tensor before = copy_of(&out);

    (void)state;
    linear_forward(backend, &plain, &in_part, &weight_part, &bias, NULL);
    linear_forward(backend, &out_part, &in_part, &weight_part, &bias, &residual_part);
    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < WIDE; j++) {
            const int64_t m = j - 11;
            const float expected =
                m < 0 || m >= M ? f32(&before)[t * WIDE + j]
                                : f32(&plain)[t * M + m] + f32(&residual)[t * WIDE + 7 + m];
            assert_true(f32(&out)[t * WIDE + j] == expected);
        }
    linear_forward(backend, &out_part, &in_part, &weight_part, &bias, &out_part);
    for (int64_t t = 0; t < T; t++)
        for (int64_t m = 0; m < M; m++)
            assert_near(f32(&out)[t * WIDE + 11 + m],
                        2 * (double)f32(&plain)[t * M + m] +
                            (double)f32(&residual)[t * WIDE + 7 + m],
                        (K + 4) * (double)FLT_EPSILON * (K + 4));
    tensor_free(&in);
    tensor_free(&weight);
    tensor_free(&bias);
    tensor_free(&residual);
    tensor_free(&out);
    tensor_free(&plain);
    tensor_free(&before);
}

/* A batch without tokens changes nothing. */
static void test_no_rows(void **state)
{
    struct tensor in = matrix(0, 8), out = matrix(0, 4), weight = matrix(4, 8);
    struct tensor before = copy_of(&weight);

    (void)state;
    linear_forward(backend, &out, &in, &weight, NULL, NULL);
    linear_backward_weight(backend, &weight, NULL, &out, &in);
    linear_backward_input(backend, &in, &out, &weight, false);
    assert_same_bits(&weight, &before);
    tensor_free(&in);
    tensor_free(&out);
    tensor_free(&weight);
    tensor_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_rows_are_independent),
        cmocka_unit_test(test_bits_repeat),
        cmocka_unit_test(test_residual_and_columns),
        cmocka_unit_test(test_no_rows),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
