#include "tests/unit/operations_fixture.h"

#include "backend/cpu/cpu_gemm_kernel.h"

/*
 * Products with bf16 weights against references in double.
 *
 * Where the processor multiplies bf16, both operands are rounded to it (the reference
 * rounds them likewise, so this costs no tolerance), products of two are exact in fp32, and
 * n terms are summed in fp32: off by at most n FLT_EPSILON of the sum of magnitudes.
 * Elsewhere activations are not rounded. Each test runs both ways where it can.
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

/* With bf16 instructions, if they are there, and with each fp32 kernel on widened weights.
 */
static void each_way(void (*run)(void))
{
    struct cpu_backend *cpu = cpu_of(mixed);
    const struct gemm_kernel *best = cpu->kernel;
    const struct bf16_kernel *bf16 = cpu->bf16;

    if (bf16)
        run();
    else
        print_message("no bf16 instructions here: only the products in fp32 are tested\n");
    cpu->bf16 = NULL;
    for (int i = 0; gemm_kernel_at(i); i++) {
        cpu->kernel = gemm_kernel_at(i);
        run();
    }
    cpu->kernel = best;
    cpu->bf16 = bf16;
}

static struct tensor bf16_of(const struct tensor *from)
{
    struct tensor to = *from;

    to.dtype = DTYPE_BF16;
    to.data = memory_allocate((size_t)tensor_count(from) * sizeof(uint16_t) + 1);
    dtype_convert(to.data, DTYPE_BF16, from->data, DTYPE_F32, tensor_count(from));
    return to;
}

static struct tensor bf16_matrix(int64_t rows, int64_t columns)
{
    struct tensor wide = matrix(rows, columns);
    struct tensor narrow = bf16_of(&wide);

    tensor_free(&wide);
    return narrow;
}

static double weight_at(const struct tensor *weight, int64_t i)
{
    return (double)bf16_to_float(((const uint16_t *)weight->data)[i]);
}

/* An activation as the product takes it. */
static double taken(const struct tensor *tensor, int64_t i)
{
    const float value = f32(tensor)[i];

    return (double)(cpu_of(mixed)->bf16 ? bf16_to_float(bf16_from_float(value)) : value);
}

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

static void forward_case(int64_t T, int64_t M, int64_t K, bool biased)
{
    struct tensor in = matrix(T, K), weight = bf16_matrix(M, K), wide_bias = vector(M);
    struct tensor bias = bf16_of(&wide_bias);
    struct tensor out = matrix(T, M), decoded = matrix(T, M);

    linear_forward(mixed, &out, &in, &weight, biased ? &bias : NULL, NULL);
    linear_decode(mixed, &decoded, &in, &weight, biased ? &bias : NULL, NULL);
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
    struct tensor *all[] = {&in, &weight, &wide_bias, &bias, &out, &decoded};
    for (int i = 0; i < 6; i++)
        tensor_free(all[i]);
}

static void forward_cases(void)
{
    forward_case(1, 1, 1, false);
    forward_case(1, 17, 683, true);
    forward_case(7, 6, 80, false);
    forward_case(33, 64, 64, true);
    forward_case(17, 45, 70, true); /* strips of columns, the last one cut short */
    forward_case(49, 100, 6, true);
    forward_case(66, 35, 400, false);
    forward_case(130, 130, 33, true);
    forward_case(5, 7, 1031, true);  /* two blocks of depth, with bf16 instructions too */
    forward_case(3, 9, 2049, false); /* three */
    forward_case(random_between(1, 120), random_between(1, 120), random_between(1, 900),
                 true);
}

static void test_forward(void **state)
{
    (void)state;
    each_way(forward_cases);
}

static void backward_case(int64_t T, int64_t M, int64_t K, bool accumulate)
{
    struct tensor in = matrix(T, K), weight = bf16_matrix(M, K), d_out = matrix(T, M);
    struct tensor d_in = matrix(T, K), d_weight = matrix(M, K);
    struct tensor d_in0 = copy_of(&d_in), d_weight0 = copy_of(&d_weight);

    linear_backward_input(mixed, &d_in, &d_out, &weight, accumulate);
    linear_backward_weight(mixed, &d_weight, NULL, &d_out, &in);
    for (int64_t i = 0; i < T * K; i++) {
        struct sum sum = {0};
        sum_add(&sum, accumulate ? (double)f32(&d_in0)[i] : 0.0);
        for (int64_t m = 0; m < M; m++)
            sum_add(&sum, taken(&d_out, i / K * M + m) * weight_at(&weight, m * K + i % K));
        assert_sum(f32(&d_in)[i], &sum, M + 1);
    }
    for (int64_t i = 0; i < M * K; i++) {
        struct sum sum = {0};
        sum_add(&sum, (double)f32(&d_weight0)[i]);
        for (int64_t t = 0; t < T; t++)
            sum_add(&sum, taken(&d_out, t * M + i / K) * taken(&in, t * K + i % K));
        assert_sum(f32(&d_weight)[i], &sum, T + 1);
    }
    struct tensor *all[] = {&in, &weight, &d_out, &d_in, &d_weight, &d_in0, &d_weight0};
    for (int i = 0; i < 7; i++)
        tensor_free(all[i]);
}

static void backward_cases(void)
{
    backward_case(1, 1, 1, false);
    backward_case(1, 80, 6, true);
    backward_case(7, 64, 17, true);
    backward_case(33, 6, 80, false);
    backward_case(97, 35, 400, true);
    backward_case(1030, 10, 33, false); /* two blocks of depth in d_weight */
    backward_case(6, 1100, 20, true);   /* and in d_in */
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
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 31, 63, 64, 65, 129, 149};
    struct cpu_backend *cpu = cpu_of(mixed);
    struct tensor in = matrix(T, K), weight = bf16_matrix(M, K), bias = bf16_matrix(1, M);
    struct tensor all = matrix(T, M), part = matrix(T, M);

    bias = tensor_view_1d(bias.data, DTYPE_BF16, M);
    linear_decode(mixed, &all, &in, &weight, &bias, NULL);
    for (int i = 0; i < 11; i++) {
        cpu->thread_count = 1 + i % 3;
        for (int64_t first = 0; first < T; first += sizes[i]) {
            const int64_t rows = minimum(sizes[i], T - first);
            const struct tensor in_part = tensor_rows(&in, first, rows);
            const struct tensor expected = tensor_rows(&all, first, rows);
            struct tensor out_part = tensor_rows(&part, 0, rows);
            linear_decode(mixed, &out_part, &in_part, &weight, &bias, NULL);
            assert_same_bits(&out_part, &expected);
        }
    }
    cpu->thread_count = 2;
    struct tensor *tensors[] = {&in, &weight, &bias, &all, &part};
    for (int i = 0; i < 5; i++)
        tensor_free(tensors[i]);
}

static void test_rows_are_independent(void **state)
{
    (void)state;
    each_way(rows_are_independent);
}

/* The same bits with other numbers of threads. */
static void bits_repeat(void)
{
    enum { T = 300, M = 200, K = 450 };
    struct cpu_backend *cpu = cpu_of(mixed);
    struct tensor in = matrix(T, K), weight = bf16_matrix(M, K), d_out = matrix(T, M);
    struct tensor d_in[3], d_weight[3], first = matrix(M, K);

    for (int i = 0; i < 3; i++) {
        cpu->thread_count = i + 1;
        d_in[i] = matrix(T, K);
        d_weight[i] = copy_of(&first);
        linear_backward_input(mixed, &d_in[i], &d_out, &weight, false);
        linear_backward_weight(mixed, &d_weight[i], NULL, &d_out, &in);
        assert_same_bits(&d_in[i], &d_in[0]);
        assert_same_bits(&d_weight[i], &d_weight[0]);
    }
    cpu->thread_count = 2;
    for (int i = 0; i < 3; i++) {
        tensor_free(&d_in[i]);
        tensor_free(&d_weight[i]);
    }
    struct tensor *tensors[] = {&in, &weight, &d_out, &first};
    for (int i = 0; i < 4; i++)
        tensor_free(tensors[i]);
}

static void test_bits_repeat(void **state)
{
    (void)state;
    each_way(bits_repeat);
}

/* Views of columns, bias and residual: the product lands where it should, and only there.
 * What lies behind the last column of a view is NaN, and must not be multiplied. */
static void residual_and_columns(void)
{
    enum { T = 37, M = 29, K = 50, WIDE = 64 };
    struct tensor in = matrix(T, WIDE), weight = bf16_matrix(M, WIDE);
    struct tensor bias = bf16_matrix(1, M), residual = matrix(T, WIDE);
    struct tensor out = matrix(T, WIDE), plain = matrix(T, M);
    for (int64_t i = 0; i < M; i++)
        for (int64_t k = 5 + K; k < WIDE; k++)
            ((uint16_t *)weight.data)[i * WIDE + k] = bf16_from_float(NAN);
    for (int64_t t = 0; t < T; t++)
        for (int64_t k = 3 + K; k < WIDE; k++)
            f32(&in)[t * WIDE + k] = NAN;
    struct tensor in_part = tensor_columns(&in, 3, K);
    struct tensor weight_part = tensor_columns(&weight, 5, K);
    struct tensor residual_part = tensor_columns(&residual, 7, M);
    struct tensor out_part = tensor_columns(&out, 11, M);
    struct tensor before = copy_of(&out);

    bias = tensor_view_1d(bias.data, DTYPE_BF16, M);
    linear_forward(mixed, &plain, &in_part, &weight_part, &bias, NULL);
    linear_forward(mixed, &out_part, &in_part, &weight_part, &bias, &residual_part);
    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < WIDE; j++) {
            const int64_t m = j - 11;
            const float expected =
                m < 0 || m >= M ? f32(&before)[t * WIDE + j]
                                : f32(&plain)[t * M + m] + f32(&residual)[t * WIDE + 7 + m];
            assert_true(f32(&out)[t * WIDE + j] == expected);
        }
    struct tensor *tensors[] = {&in, &weight, &bias, &residual, &out, &plain, &before};
    for (int i = 0; i < 7; i++)
        tensor_free(tensors[i]);
}

static void test_residual_and_columns(void **state)
{
    (void)state;
    each_way(residual_and_columns);
}

/* A bf16 vector of weights is what the same numbers are in fp32, bit for bit. */
static void test_vectors(void **state)
{
    enum { T = 9, C = 48, D = 8 };
    const struct attention_shape shape = {3, 1, D, 1.0f, 0, 0.0f};
    struct tensor in = matrix(T, C), narrow = bf16_matrix(1, C), wide = vector(C);
    struct tensor rstd = vector(T), out = matrix(T, C), expected = matrix(T, C);
    struct tensor qkv = matrix(T, 5 * D), normed = matrix(T, 5 * D);
    struct tensor normed_expected = matrix(T, 5 * D);

    (void)state;
    dtype_convert(wide.data, DTYPE_F32, narrow.data, DTYPE_BF16, C);
    const struct tensor weight = tensor_view_1d(narrow.data, DTYPE_BF16, C);
    rms_norm_forward(mixed, &out, &rstd, &in, &weight, 1.0f, 1e-5f);
    rms_norm_forward(backend, &expected, &rstd, &in, &wide, 1.0f, 1e-5f);
    assert_same_bits(&out, &expected);
    rms_norm_backward(mixed, &out, NULL, &in, &in, &weight, 1.0f, &rstd);
    rms_norm_backward(backend, &expected, NULL, &in, &in, &wide, 1.0f, &rstd);
    assert_same_bits(&out, &expected);
    layer_norm_forward(mixed, &out, &rstd, &in, &weight, &weight, 1e-5f);
    layer_norm_forward(backend, &expected, &rstd, &in, &wide, &wide, 1e-5f);
    assert_same_bits(&out, &expected);
    layer_norm_backward(mixed, &out, NULL, NULL, &in, &in, &weight, &rstd);
    layer_norm_backward(backend, &expected, NULL, NULL, &in, &in, &wide, &rstd);
    assert_same_bits(&out, &expected);
    const struct tensor query = tensor_view_1d(narrow.data, DTYPE_BF16, D);
    const struct tensor key = tensor_view_1d((uint16_t *)narrow.data + D, DTYPE_BF16, D);
    const struct tensor wide_query = tensor_rows(&wide, 0, D);
    const struct tensor wide_key = tensor_rows(&wide, D, D);
    head_norm_forward(mixed, &normed, &qkv, &query, &key, &shape, 1e-5f);
    head_norm_forward(backend, &normed_expected, &qkv, &wide_query, &wide_key, &shape,
                      1e-5f);
    assert_same_bits(&normed, &normed_expected);
    struct tensor *tensors[] = {&in,       &narrow, &wide,   &rstd,           &out,
                                &expected, &qkv,    &normed, &normed_expected};
    for (int i = 0; i < 9; i++)
        tensor_free(tensors[i]);
}

/* Embedding rows come out as they are; cross entropy against the same weights in fp32. */
static void embedding_and_cross_entropy(void)
{
    enum { T = 13, C = 40, V = 101 };
    struct tensor weight = bf16_matrix(V, C), wide = matrix(V, C), in = matrix(T, C);
    struct tensor d_in = matrix(T, C), d_in_expected = matrix(T, C);
    struct tensor d_weight = matrix(V, C), d_weight_expected = copy_of(&d_weight);
    int32_t rows[T], tokens[T];
    const struct targets targets = {rows, tokens, T};
    struct cross_entropy_sums sums, expected;

    dtype_convert(wide.data, DTYPE_F32, weight.data, DTYPE_BF16, V * C);
    for (int32_t t = 0; t < T; t++) {
        rows[t] = t;
        tokens[t] = (int32_t)random_between(0, V - 1);
    }
    embedding_forward(mixed, &d_in, &weight, tokens);
    for (int64_t i = 0; i < T * C; i++)
        assert_true(f32(&d_in)[i] == f32(&wide)[tokens[i / C] * C + i % C]);
    linear_cross_entropy(mixed, &sums, &d_in, &d_weight, &in, &weight, &targets, 0.0f, 0.1f,
                         1.0f);
    linear_cross_entropy(backend, &expected, &d_in_expected, &d_weight_expected, &in, &wide,
                         &targets, 0.0f, 0.1f, 1.0f);
    /* Inputs and logits' gradients are rounded: each by 2^-9 of itself at most. A logit is
     * off by at most 2^-9 times the sum of magnitudes, C; a loss by twice that. Of
     * gradients, with |p| <= 1 and |x| <= 1, and their softmax off by e = 2^-8 C
     * relatively, a sum over V (or T) terms of mass 2 (or T) is off by twice (e + 2^-8) of
     * that. */
    const double e = C / 256.0;
    assert_near(sums.loss, expected.loss, T * e);
    for (int64_t i = 0; i < T * C; i++)
        assert_near(f32(&d_in)[i], f32(&d_in_expected)[i], 2 * 2 * (e + 1.0 / 256));
    for (int64_t i = 0; i < V * C; i++)
        assert_near(f32(&d_weight)[i], f32(&d_weight_expected)[i], 2 * T * (e + 1.0 / 256));
    struct tensor *tensors[] = {
        &weight, &wide, &in, &d_in, &d_in_expected, &d_weight, &d_weight_expected};
    for (int i = 0; i < 7; i++)
        tensor_free(tensors[i]);
}

static void test_embedding_and_cross_entropy(void **state)
{
    (void)state;
    each_way(embedding_and_cross_entropy);
}

/* A bf16 weight and its remainder move as the fp32 master does, bit for bit. */
static void test_adamw(void **state)
{
    enum { COUNT = 40001 };
    struct tensor master = vector(COUNT), gradient = vector(COUNT);
    struct tensor moment1 = vector(COUNT), moment2 = vector(COUNT);
    double squares = 4.0;
    const struct tensor norm = tensor_view_1d(&squares, DTYPE_F64, 1);
    uint16_t *upper = memory_allocate_array(COUNT, sizeof *upper);
    int16_t *lower = memory_allocate_array(COUNT, sizeof *lower);
    struct tensor weight = tensor_view_1d(upper, DTYPE_BF16, COUNT);
    struct tensor remainder = tensor_view_1d(lower, DTYPE_I16, COUNT);
    const struct adamw_step_parameters step = {.lr = 1e-3f,
                                               .beta1 = 0.9f,
                                               .beta2 = 0.95f,
                                               .epsilon = 1e-8f,
                                               .weight_decay = 0.1f,
                                               .clip_norm = 1.0f,
                                               .step = 3};

    (void)state;
    for (int64_t i = 0; i < COUNT; i++) {
        f32(&moment2)[i] *= f32(&moment2)[i];
        upper[i] = bf16_split(f32(&master)[i], &lower[i]);
    }
    struct tensor moment1_copy = copy_of(&moment1), moment2_copy = copy_of(&moment2);
    adamw_update(mixed, &weight, &remainder, &moment1, &moment2, &gradient, &norm, &step);
    adamw_update(backend, &master, NULL, &moment1_copy, &moment2_copy, &gradient, &norm,
                 &step);
    for (int64_t i = 0; i < COUNT; i++)
        assert_true(bf16_join(upper[i], lower[i]) == f32(&master)[i]);
    assert_same_bits(&moment1, &moment1_copy);
    assert_same_bits(&moment2, &moment2_copy);
    free(upper);
    free(lower);
    struct tensor *tensors[] = {&master,  &gradient,     &moment1,
                                &moment2, &moment1_copy, &moment2_copy};
    for (int i = 0; i < 6; i++)
        tensor_free(tensors[i]);
}

/* What the user is told says what is done. */
static void test_description(void **state)
{
    const char *text = backend_description(mixed);

    (void)state;
    assert_int_equal(backend_compute_dtype(mixed), DTYPE_BF16);
    assert_int_equal(backend_activation_dtype(mixed), DTYPE_F32);
    assert_non_null(strstr(text, "bf16"));
    assert_int_equal(!strstr(text, "no bf16 instructions"), cpu_of(mixed)->bf16 != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_rows_are_independent),
        cmocka_unit_test(test_bits_repeat),
        cmocka_unit_test(test_residual_and_columns),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_embedding_and_cross_entropy),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
