#include "tests/unit/operations_fixture.h"

/*
 * linear_arrange(): products and rows of an arranged weight have the bits that they had
 * before. Where the processor has no bf16 instructions nothing is arranged, and the same
 * must hold.
 */
static struct backend *mixed;

static int open_both(void **state)
{
    struct error error = {0};
    const struct backend_options options = {.precision = "bf16", .thread_count = 2};

    if (backend_open(&mixed, &options, &error))
        fail_msg("%s", error.message);
    return fixture_open(state);
}

static int close_both(void **state)
{
    backend_close(mixed);
    return fixture_close(state);
}

static struct tensor bf16_matrix(int64_t rows, int64_t columns)
{
    struct tensor wide = matrix(rows, columns), narrow = wide;

    narrow.dtype = DTYPE_BF16;
    narrow.data = memory_allocate_array((size_t)(rows * columns), sizeof(uint16_t));
    dtype_convert(narrow.data, DTYPE_BF16, wide.data, DTYPE_F32, rows * columns);
    tensor_free(&wide);
    return narrow;
}

static void take_rows(struct tensor *out, const struct tensor *weight)
{
    int32_t tokens[8];

    for (int64_t t = 0; t < out->shape[0]; t++)
        tokens[t] = (int32_t)random_between(0, weight->shape[0] - 1);
    tokens[0] = (int32_t)weight->shape[0] - 1; /* in the panel of fewer columns */
    embedding_forward(mixed, out, weight, tokens);
}

static void arranged_case(int64_t T, int64_t M, int64_t K)
{
    enum { ROWS = 8 };
    struct tensor in = matrix(T, K), weight = bf16_matrix(M, K);
    struct tensor before = matrix(T, M), after = matrix(T, M), alone = matrix(1, M);
    struct tensor rows_before = matrix(ROWS, K), rows_after = matrix(ROWS, K);
    const struct random draws = numbers;

    linear_decode(mixed, &before, &in, &weight, NULL, NULL);
    take_rows(&rows_before, &weight);
    linear_arrange(mixed, &weight);
    assert_int_equal(weight.arranged, cpu_of(mixed)->bf16 && K % 2 == 0);
    linear_decode(mixed, &after, &in, &weight, NULL, NULL);
    assert_same_bits(&before, &after);
    numbers = draws; /* the same rows again */
    take_rows(&rows_after, &weight);
    assert_same_bits(&rows_before, &rows_after);
    for (int64_t t = 0; t < T; t++) {
        const struct tensor row = tensor_rows(&in, t, 1);
        const struct tensor expected = tensor_rows(&before, t, 1);
        linear_decode(mixed, &alone, &row, &weight, NULL, NULL);
        assert_same_bits(&alone, &expected);
    }
    struct tensor *all[] = {&in,    &weight,      &before,    &after,
                            &alone, &rows_before, &rows_after};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(all[i]);
}

static void test_arranged(void **state)
{
    (void)state;
    arranged_case(1, 1, 2);
    arranged_case(5, 15, 64);
    arranged_case(7, 16, 34);
    arranged_case(33, 257, 768);
    arranged_case(13, 65, 2050); /* blocks of depth, and a panel of one column */
    arranged_case(14, 200, 33);  /* an odd depth stays as it is */
    for (int i = 0; i < 10; i++)
        arranged_case(random_between(1, 70), random_between(1, 300),
                      2 * random_between(1, 1100));
}

/* In fp32 nothing is arranged. */
static void test_other_types(void **state)
{
    struct tensor weight = matrix(20, 32), before = copy_of(&weight);

    (void)state;
    linear_arrange(backend, &weight);
    assert_false(weight.arranged);
    assert_same_bits(&weight, &before);
    tensor_free(&weight);
    tensor_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arranged),
        cmocka_unit_test(test_other_types),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
