/* What reads weights in bf16, but products: those are in test_linear. */
#include "tests/unit/bf16_fixture.h"

/* A bf16 vector of weights is what the same numbers are in fp32, bit for bit. */
static void test_vectors(void **state)
{
    enum { T = 9, C = 48, D = 8 };
    const struct head_norm_shape shape = {3, D, 1, D, 1.0f, 1e-5f};
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
    head_norm_forward(mixed, &normed, &qkv, &query, &key, &shape);
    head_norm_forward(backend, &normed_expected, &qkv, &wide_query, &wide_key, &shape);
    assert_same_bits(&normed, &normed_expected);
    struct tensor *tensors[] = {&in,       &narrow, &wide,   &rstd,           &out,
                                &expected, &qkv,    &normed, &normed_expected};
    for (int i = 0; i < 9; i++)
        tensor_free(tensors[i]);
}

/* Embedding rows come out as they are; cross entropy against the same weights in fp32. */
static void embedding_and_cross_entropy(void)
{
    enum { T = 13, C = 40, V = 1101 }; /* odd, and more than is narrowed at a time */
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
    with_each_mixed_kernel(embedding_and_cross_entropy);
}

/* Products read an operand in bf16 as they would round it, bit for bit. */
static void operands_case(int64_t T, int64_t M, int64_t K)
{
    struct tensor in = matrix(T, K), d_out = matrix(T, M), weight = bf16_matrix(M, K);
    struct tensor in16 = bf16_of(&in), d_out16 = bf16_of(&d_out);
    struct tensor out = matrix(T, M), d_in = matrix(T, K), d_weight = matrix(M, K);
    struct tensor out16 = copy_of(&out), d_in16 = copy_of(&d_in);
    struct tensor d_weight16 = copy_of(&d_weight);

    linear_forward(mixed, &out, &in, &weight, NULL, NULL);
    linear_forward(mixed, &out16, &in16, &weight, NULL, NULL);
    assert_same_bits(&out16, &out);
    linear_backward_input(mixed, &d_in, &d_out, &weight, false);
    linear_backward_input(mixed, &d_in16, &d_out16, &weight, false);
    assert_same_bits(&d_in16, &d_in);
    linear_backward_weight(mixed, &d_weight, NULL, &d_out, &in);
    linear_backward_weight(mixed, &d_weight16, NULL, &d_out16, &in16);
    assert_same_bits(&d_weight16, &d_weight);
    struct tensor *tensors[] = {&in,  &d_out, &weight,   &in16,  &d_out16,
                                &out, &d_in,  &d_weight, &out16, &d_in16};
    for (int i = 0; i < 10; i++)
        tensor_free(tensors[i]);
    tensor_free(&d_weight16);
}

static void test_operands(void **state)
{
    (void)state;
    if (backend_operand_dtype(mixed) != DTYPE_BF16) {
        print_message("no bf16 instructions here: operands stay f32\n");
        return;
    }
    operands_case(1, 1, 1);
    operands_case(7, 18, 33); /* an odd depth is copied, with a zero behind it */
    operands_case(33, 17, 64);
    operands_case(130, 70, 50);
    operands_case(21, 4100, 2050); /* blocks of depth */
}

/* What activations write as bf16 is what they write as f32, rounded. */
static void activations_case(int64_t T, int64_t F)
{
    struct tensor in = matrix(T, 2 * F), d_out = matrix(T, F);
    struct tensor out = matrix(T, F), d_in = matrix(T, 2 * F);
    struct tensor out16 = bf16_of(&out), d_in16 = bf16_of(&d_in);
    for (int gelu = 0; gelu < 2; gelu++) {
        if (gelu) {
            gelu_forward(mixed, &out16, &in, GELU_TANH);
            gelu_backward(mixed, &d_in, &out, &d_out, &in, GELU_TANH);
            gelu_backward(mixed, &d_in16, NULL, &d_out, &in, GELU_TANH);
        } else {
            swiglu_forward(mixed, &out16, &in);
            swiglu_backward(mixed, &d_in, &out, &d_out, &in);
            swiglu_backward(mixed, &d_in16, NULL, &d_out, &in);
        }
        struct tensor out_expected = bf16_of(&out), d_in_expected = bf16_of(&d_in);
        assert_same_bits(&out16, &out_expected);
        assert_same_bits(&d_in16, &d_in_expected);
        tensor_free(&out_expected);
        tensor_free(&d_in_expected);
    }
    struct tensor *tensors[] = {&in, &d_out, &out, &d_in, &out16, &d_in16};
    for (int i = 0; i < 6; i++)
        tensor_free(tensors[i]);
}

static void test_activations(void **state)
{
    (void)state;
    if (backend_operand_dtype(mixed) != DTYPE_BF16)
        return;
    activations_case(1, 1);
    activations_case(7, 64);
    activations_case(5, 1100); /* more than is narrowed at a time */
}

static void norms_case(int64_t T, int64_t C)
{
    struct tensor in = matrix(T, C), weight = vector(C), bias = vector(C), rstd = vector(T);
    struct tensor out = matrix(T, C), out16 = bf16_of(&out);
    for (int layer = 0; layer < 2; layer++) {
        if (layer) {
            layer_norm_forward(mixed, &out, &rstd, &in, &weight, &bias, 1e-5f);
            layer_norm_forward(mixed, &out16, &rstd, &in, &weight, &bias, 1e-5f);
        } else {
            rms_norm_forward(mixed, &out, &rstd, &in, &weight, 1.0f, 1e-5f);
            rms_norm_forward(mixed, &out16, &rstd, &in, &weight, 1.0f, 1e-5f);
        }
        struct tensor expected = bf16_of(&out);
        assert_same_bits(&out16, &expected);
        tensor_free(&expected);
    }
    struct tensor *tensors[] = {&in, &weight, &bias, &rstd, &out, &out16};
    for (int i = 0; i < 6; i++)
        tensor_free(tensors[i]);
}

static void test_norms(void **state)
{
    (void)state;
    if (backend_operand_dtype(mixed) != DTYPE_BF16)
        return;
    norms_case(1, 1);
    norms_case(7, 64);
    norms_case(5, 1100); /* more than is narrowed at a time */
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
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_embedding_and_cross_entropy),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
