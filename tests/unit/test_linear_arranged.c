#include "tests/unit/bf16_fixture.h"

/*
 * linear_arrange(): products and rows of an arranged weight have the bits that they had
 * before, in batches and alone, with every kernel that this processor runs.
 */
static struct backend *device; /* of the case that runs */
static enum dtype dtype;       /* of its weights */

static struct tensor weight_matrix(int64_t rows, int64_t columns)
{
    return dtype == DTYPE_BF16 ? bf16_matrix(rows, columns) : matrix(rows, columns);
}

static void take_rows(struct tensor *out, const struct tensor *weight)
{
    int32_t tokens[8];

    for (int64_t t = 0; t < out->shape[0]; t++)
        tokens[t] = (int32_t)random_between(0, weight->shape[0] - 1);
    tokens[0] = (int32_t)weight->shape[0] - 1; /* in the panel of fewer columns */
    embedding_forward(device, out, weight, tokens);
}

/* One product of all rows and, where it stands in `out` before, added to what is there. */
static struct tensor product(const struct tensor *in, const struct tensor *weight,
                             const struct tensor *bias, const struct tensor *residual,
                             bool in_place)
{
    struct tensor out = copy_of(residual);

    linear_decode(device, &out, in, weight, bias, in_place ? &out : residual);
    return out;
}

static void assert_rows_alone(const struct tensor *expected, const struct tensor *in,
                              const struct tensor *weight)
{
    struct tensor alone = matrix(1, weight->shape[0]);

    for (int64_t t = 0; t < in->shape[0]; t++) {
        const struct tensor row = tensor_rows(in, t, 1);
        const struct tensor expected_row = tensor_rows(expected, t, 1);
        linear_decode(device, &alone, &row, weight, NULL, NULL);
        assert_same_bits(&alone, &expected_row);
    }
    tensor_free(&alone);
}

static void arranged_case(int64_t T, int64_t M, int64_t K)
{
    enum { WAYS = 3, ROWS = 8 };
    struct tensor in = matrix(T, K), weight = weight_matrix(M, K),
                  bias = weight_matrix(1, M);
    struct tensor residual = matrix(T, M), before[WAYS], after[WAYS];
    struct tensor rows_before = matrix(ROWS, K), rows_after = matrix(ROWS, K);

    bias = tensor_view_1d(bias.data, dtype, M);
    struct tensor plain = matrix(T, M);
    linear_decode(device, &plain, &in, &weight, NULL, NULL);
    for (int i = 0; i < WAYS; i++)
        before[i] = product(&in, &weight, i > 0 ? &bias : NULL, &residual, i < 2);
    const struct random draws = numbers;
    take_rows(&rows_before, &weight);

    linear_arrange(device, &weight);
    assert_int_equal(weight.arranged, dtype == DTYPE_F32 || K % 2 == 0);
    numbers = draws; /* the same rows again */
    take_rows(&rows_after, &weight);
    assert_same_bits(&rows_before, &rows_after);
    assert_rows_alone(&plain, &in, &weight);
    for (int i = 0; i < WAYS; i++) {
        after[i] = product(&in, &weight, i > 0 ? &bias : NULL, &residual, i < 2);
        assert_same_bits(&before[i], &after[i]);
        tensor_free(&before[i]);
        tensor_free(&after[i]);
    }
    struct tensor *all[] = {&in,    &weight,      &bias,      &residual,
                            &plain, &rows_before, &rows_after};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(all[i]);
}

static void arranged_cases(void)
{
    arranged_case(1, 1, 2);
    arranged_case(5, 15, 64);
    arranged_case(7, 16, 34);
    arranged_case(33, 257, 768); /* blocks of depth, and a panel of one column */
    arranged_case(13, 65, 2050);
    arranged_case(14, 200, 33);  /* an odd depth: of bf16 it stays as it is */
    arranged_case(200, 70, 390); /* blocks of rows */
    for (int i = 0; i < 6; i++)
        arranged_case(random_between(1, 70), random_between(1, 300),
                      random_between(1, 1100));
}

static void test_bf16(void **state)
{
    (void)state;
    device = mixed;
    dtype = DTYPE_BF16;
    with_each_mixed_kernel(arranged_cases);
}

static void test_fp32(void **state)
{
    (void)state;
    device = backend;
    dtype = DTYPE_F32;
    with_each_kernel(device, arranged_cases);
}

/* Weights of fp32 in a back-end that multiplies bf16, as adapters have them. */
static void test_fp32_beside_bf16(void **state)
{
    (void)state;
    device = mixed;
    dtype = DTYPE_F32;
    arranged_cases();
}

/* Without bf16 instructions weights of bf16 are multiplied as if they were widened first.
 */
static void widened_case(void)
{
    const int64_t T = random_between(1, 50), M = random_between(1, 200);
    const int64_t K = 2 * random_between(1, 600);
    struct tensor narrow = bf16_matrix(M, K), wide = matrix(M, K), in = matrix(T, K);
    struct tensor out = matrix(T, M), expected = matrix(T, M);

    dtype_convert(wide.data, DTYPE_F32, narrow.data, DTYPE_BF16, M * K);
    cpu_of(backend)->kernel = cpu_of(mixed)->kernel;
    linear_decode(backend, &expected, &in, &wide, NULL, NULL);
    linear_arrange(mixed, &narrow);
    linear_decode(mixed, &out, &in, &narrow, NULL, NULL);
    assert_same_bits(&out, &expected);
    struct tensor *all[] = {&narrow, &wide, &in, &out, &expected};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(all[i]);
}

static void test_widened(void **state)
{
    struct cpu_backend *cpu = cpu_of(mixed);
    const struct bf16_kernel *bf16 = cpu->bf16;

    (void)state;
    cpu->bf16 = NULL;
    for (int i = 0; i < 5; i++)
        with_each_kernel(mixed, widened_case);
    cpu->bf16 = bf16;
    cpu_of(backend)->kernel = cpu->kernel;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_fp32),
        cmocka_unit_test(test_fp32_beside_bf16),
        cmocka_unit_test(test_widened),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
