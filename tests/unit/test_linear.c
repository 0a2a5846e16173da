#include "tests/unit/bf16_fixture.h"

/*
 * Products with weights in fp32 and in bf16 against references in double.
 *
 * The reference rounds operands to bf16 where the product does (bf16_fixture.h), so this
 * costs no tolerance; products of two bf16 numbers are exact in fp32. n terms summed in
 * fp32 are off by at most n FLT_EPSILON of the sum of magnitudes.
 */
struct sum {
    double value;
    double magnitude;
};

static void sum_add(struct sum *sum, double product)
{
    sum->value += product;
    sum->magnitude += fabs(product);
}

static void assert_sum(float actual, const struct sum *sum, int64_t terms)
{
    assert_near(actual, sum->value,
                (double)(terms + 2) * (double)FLT_EPSILON * (sum->magnitude + 1e-30));
}

/* What multiplies, and what its weights are: each test runs all ways. */
static struct backend *device;
static enum dtype stored;

static void each_way(void (*run)(void))
{
    device = backend;
    stored = DTYPE_F32;
    with_each_kernel(device, run);
    device = mixed;
    stored = DTYPE_BF16;
    with_each_mixed_kernel(run);
}

static struct tensor weight_matrix(int64_t rows, int64_t columns)
{
    return stored == DTYPE_BF16 ? bf16_matrix(rows, columns) : matrix(rows, columns);
}

static struct tensor weight_vector(int64_t count)
{
    return tensor_view_1d(weight_matrix(1, count).data, stored, count);
}

static double weight_at(const struct tensor *weight, int64_t i)
{
    return (double)(stored == DTYPE_BF16
                        ? bf16_to_float(((const uint16_t *)weight->data)[i])
                        : f32(weight)[i]);
}

static void weight_set(struct tensor *weight, int64_t i, float value)
{
    if (stored == DTYPE_BF16)
        ((uint16_t *)weight->data)[i] = bf16_from_float(value);
    else
        f32(weight)[i] = value;
}

/* An activation as the product takes it. */
static double taken(const struct tensor *tensor, int64_t i)
{
    const float value = f32(tensor)[i];
    const bool rounded = stored == DTYPE_BF16 && cpu_of(device)->bf16;

    return (double)(rounded ? bf16_to_float(bf16_from_float(value)) : value);
}

static void free_all(struct tensor *const *tensors, int count)
{
    for (int i = 0; i < count; i++)
        tensor_free(tensors[i]);
}

static void forward_case(int64_t T, int64_t M, int64_t K, bool biased)
{
    struct tensor in = matrix(T, K), weight = weight_matrix(M, K), bias = weight_vector(M);
    struct tensor out = matrix(T, M), decoded = matrix(T, M);

    linear_forward(device, &out, &in, &weight, biased ? &bias : NULL, NULL);
    linear_decode(device, &decoded, &in, &weight, biased ? &bias : NULL, NULL);
    assert_same_bits(&out, &decoded);
    for (int64_t t = 0; t < T; t++)
        for (int64_t m = 0; m < M; m++) {
            struct sum sum = {0};
            for (int64_t k = 0; k < K; k++)
                sum_add(&sum, taken(&in, t * K + k) * weight_at(&weight, m * K + k));
            if (biased)
                sum_add(&sum, weight_at(&bias, m));
            assert_sum(f32(&out)[t * M + m], &sum, K + 1);
        }
    free_all((struct tensor *[]){&in, &weight, &bias, &out, &decoded}, 5);
}

static void forward_cases(void)
{
    forward_case(1, 1, 1, false);
    forward_case(1, 17, 683, true);
    forward_case(7, 6, 80, false);
    forward_case(33, 64, 64, true);
    forward_case(17, 45, 70, true); /* strips of columns, the last one cut short */
    forward_case(49, 100, 6, true);
    forward_case(97, 35, 400, false); /* two blocks of depth in fp32 */
    forward_case(130, 130, 33, true);
    forward_case(200, 130, 33, true);
    forward_case(5, 7, 1031, true);  /* two with bf16 instructions */
    forward_case(3, 9, 2049, false); /* three */
    forward_case(random_between(1, 120), random_between(1, 120), random_between(1, 900),
                 true);
}

static void test_forward(void **state)
{
    (void)state;
    each_way(forward_cases);
}

static void assert_d_in(const struct tensor *d_in, const struct tensor *before,
                        const struct tensor *d_out, const struct tensor *weight)
{
    const int64_t K = d_in->shape[1], M = d_out->shape[1];

    for (int64_t i = 0; i < tensor_count(d_in); i++) {
        struct sum sum = {0};
        sum_add(&sum, before ? (double)f32(before)[i] : 0.0);
        for (int64_t m = 0; m < M; m++)
            sum_add(&sum, taken(d_out, i / K * M + m) * weight_at(weight, m * K + i % K));
        assert_sum(f32(d_in)[i], &sum, M + 1);
    }
}

static void assert_d_weight(const struct tensor *d_weight, const struct tensor *before,
                            const struct tensor *d_out, const struct tensor *in)
{
    const int64_t T = in->shape[0], K = in->shape[1], M = d_out->shape[1];

    for (int64_t i = 0; i < M * K; i++) {
        struct sum sum = {0};
        sum_add(&sum, (double)f32(before)[i]);
        for (int64_t t = 0; t < T; t++)
            sum_add(&sum, taken(d_out, t * M + i / K) * taken(in, t * K + i % K));
        assert_sum(f32(d_weight)[i], &sum, T + 1);
    }
}

static void assert_d_bias(const struct tensor *d_bias, const struct tensor *before,
                          const struct tensor *d_out)
{
    const int64_t T = d_out->shape[0], M = d_out->shape[1];

    for (int64_t m = 0; m < M; m++) {
        struct sum sum = {0};
        sum_add(&sum, (double)f32(before)[m]);
        for (int64_t t = 0; t < T; t++)
            sum_add(&sum, (double)f32(d_out)[t * M + m]);
        assert_sum(f32(d_bias)[m], &sum, T + 1);
    }
}

static void backward_case(int64_t T, int64_t M, int64_t K, bool accumulate)
{
    struct tensor in = matrix(T, K), weight = weight_matrix(M, K), d_out = matrix(T, M);
    struct tensor d_in = matrix(T, K), d_weight = matrix(M, K), d_bias = vector(M);
    struct tensor d_in0 = copy_of(&d_in), d_weight0 = copy_of(&d_weight);
    struct tensor d_bias0 = copy_of(&d_bias), d_weight_alone = copy_of(&d_weight);

    linear_backward_input(device, &d_in, &d_out, &weight, accumulate);
    linear_backward_weight(device, &d_weight, &d_bias, &d_out, &in);
    linear_backward_weight(device, &d_weight_alone, NULL, &d_out, &in);
    assert_d_in(&d_in, accumulate ? &d_in0 : NULL, &d_out, &weight);
    assert_d_weight(&d_weight, &d_weight0, &d_out, &in);
    assert_same_bits(&d_weight_alone, &d_weight);
    assert_d_bias(&d_bias, &d_bias0, &d_out);
    free_all((struct tensor *[]){&in, &weight, &d_out, &d_in, &d_weight, &d_bias, &d_in0,
                                 &d_weight0, &d_bias0, &d_weight_alone},
             10);
}

static void backward_cases(void)
{
    backward_case(1, 1, 1, false);
    backward_case(1, 80, 6, true);
    backward_case(7, 64, 17, true);
    backward_case(33, 6, 80, false);
    backward_case(97, 35, 400, true);
    backward_case(410, 70, 33, false);  /* two blocks of depth in d_weight, in fp32 */
    backward_case(60, 390, 20, true);   /* and in d_in */
    backward_case(1030, 10, 33, false); /* and with bf16 instructions */
    backward_case(6, 1100, 20, true);
    backward_case(random_between(1, 120), random_between(1, 120), random_between(1, 120),
                  true);
}

static void test_backward(void **state)
{
    (void)state;
    each_way(backward_cases);
}

/* Row t has the same bits whatever the number of rows and of threads. */
static void rows_are_independent(void)
{
    enum { T = 150, M = 77, K = 1500 };
    static const int64_t sizes[] = {1,  2,  3,  4,  5,  6,  7,  11,  12, 13,
                                    31, 48, 49, 63, 64, 65, 97, 129, 149};
    struct cpu_backend *cpu = cpu_of(device);
    struct tensor in = matrix(T, K), weight = weight_matrix(M, K), bias = weight_vector(M);
    struct tensor all = matrix(T, M), part = matrix(T, M);

    linear_decode(device, &all, &in, &weight, &bias, NULL);
    for (int i = 0; i < (int)(sizeof sizes / sizeof *sizes); i++) {
        cpu->thread_count = 1 + i % 3;
        for (int64_t first = 0; first < T; first += sizes[i]) {
            const int64_t rows = minimum(sizes[i], T - first);
            const struct tensor in_part = tensor_rows(&in, first, rows);
            const struct tensor expected = tensor_rows(&all, first, rows);
            struct tensor out_part = tensor_rows(&part, 0, rows);
            linear_decode(device, &out_part, &in_part, &weight, &bias, NULL);
            assert_same_bits(&out_part, &expected);
        }
    }
    cpu->thread_count = 2;
    free_all((struct tensor *[]){&in, &weight, &bias, &all, &part}, 5);
}

static void test_rows_are_independent(void **state)
{
    (void)state;
    each_way(rows_are_independent);
}

/* What a linear layer gives, forward and backward. */
struct products {
    struct tensor out, d_in, d_weight, d_bias;
};

static struct products multiply(const struct tensor *in, const struct tensor *weight,
                                const struct tensor *d_weight, const struct tensor *d_bias)
{
    struct products p = {.out = matrix(in->shape[0], weight->shape[0]),
                         .d_in = copy_of(in),
                         .d_weight = copy_of(d_weight),
                         .d_bias = copy_of(d_bias)};
    linear_forward(device, &p.out, in, weight, NULL, NULL);
    linear_backward_input(device, &p.d_in, &p.out, weight, false);
    linear_backward_weight(device, &p.d_weight, &p.d_bias, &p.out, in);
    return p;
}

static void products_free(struct products *p)
{
    free_all((struct tensor *[]){&p->out, &p->d_in, &p->d_weight, &p->d_bias}, 4);
}

/* Twice the same, and the same with other numbers of threads. */
static void bits_repeat(void)
{
    enum { T = 300, M = 200, K = 450 };
    static const int threads[] = {2, 2, 1, 3};
    struct cpu_backend *cpu = cpu_of(device);
    struct tensor in = matrix(T, K), weight = weight_matrix(M, K);
    struct tensor d_weight = matrix(M, K), d_bias = vector(M);
    struct products first = multiply(&in, &weight, &d_weight, &d_bias);

    for (int i = 0; i < 4; i++) {
        cpu->thread_count = threads[i];
        struct products again = multiply(&in, &weight, &d_weight, &d_bias);
        assert_same_bits(&again.out, &first.out);
        assert_same_bits(&again.d_in, &first.d_in);
        assert_same_bits(&again.d_weight, &first.d_weight);
        assert_same_bits(&again.d_bias, &first.d_bias);
        products_free(&again);
    }
    cpu->thread_count = 2;
    products_free(&first);
    free_all((struct tensor *[]){&in, &weight, &d_weight, &d_bias}, 4);
}

static void test_bits_repeat(void **state)
{
    (void)state;
    each_way(bits_repeat);
}

/*
 * out = product + bias + residual, the residual apart or `out` itself; views of columns:
 * the product lands where it should, and only there. What lies behind the last column of
 * a view is NaN, and must not be multiplied.
 */
static void residual_and_columns(void)
{
    enum { T = 37, M = 29, K = 50, WIDE = 64 };
    struct tensor in = matrix(T, WIDE), weight = weight_matrix(M, WIDE);
    struct tensor bias = weight_vector(M), residual = matrix(T, WIDE);
    struct tensor out = matrix(T, WIDE), plain = matrix(T, M);
    for (int64_t m = 0; m < M; m++)
        for (int64_t k = 5 + K; k < WIDE; k++)
            weight_set(&weight, m * WIDE + k, NAN);
    for (int64_t t = 0; t < T; t++)
        for (int64_t k = 3 + K; k < WIDE; k++)
            f32(&in)[t * WIDE + k] = NAN;
    struct tensor in_part = tensor_columns(&in, 3, K);
    struct tensor weight_part = tensor_columns(&weight, 5, K);
    struct tensor residual_part = tensor_columns(&residual, 7, M);
    struct tensor out_part = tensor_columns(&out, 11, M);
    struct tensor before = copy_of(&out);

    linear_forward(device, &plain, &in_part, &weight_part, &bias, NULL);
    linear_forward(device, &out_part, &in_part, &weight_part, &bias, &residual_part);
    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < WIDE; j++) {
            const int64_t m = j - 11;
            const float expected =
                m < 0 || m >= M ? f32(&before)[t * WIDE + j]
                                : f32(&plain)[t * M + m] + f32(&residual)[t * WIDE + 7 + m];
            assert_true(f32(&out)[t * WIDE + j] == expected);
        }
    linear_forward(device, &out_part, &in_part, &weight_part, &bias, &out_part);
    for (int64_t t = 0; t < T; t++)
        for (int64_t m = 0; m < M; m++)
            assert_near(f32(&out)[t * WIDE + 11 + m],
                        2 * (double)f32(&plain)[t * M + m] +
                            (double)f32(&residual)[t * WIDE + 7 + m],
                        (K + 4) * (double)FLT_EPSILON * (K + 4));
    free_all((struct tensor *[]){&in, &weight, &bias, &residual, &out, &plain, &before}, 7);
}

static void test_residual_and_columns(void **state)
{
    (void)state;
    each_way(residual_and_columns);
}

/* A batch without tokens changes nothing. */
static void no_rows(void)
{
    struct tensor in = matrix(0, 8), out = matrix(0, 4), weight = weight_matrix(4, 8);
    struct tensor d_weight = matrix(4, 8), d_bias = vector(4);
    struct tensor before = copy_of(&d_weight), bias_before = copy_of(&d_bias);

    linear_forward(device, &out, &in, &weight, NULL, NULL);
    linear_backward_weight(device, &d_weight, &d_bias, &out, &in);
    linear_backward_input(device, &in, &out, &weight, false);
    assert_same_bits(&d_weight, &before);
    assert_same_bits(&d_bias, &bias_before);
    free_all(
        (struct tensor *[]){&in, &out, &weight, &d_weight, &d_bias, &before, &bias_before},
        7);
}

static void test_no_rows(void **state)
{
    (void)state;
    each_way(no_rows);
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
    return cmocka_run_group_tests(tests, open_both, close_both);
}
