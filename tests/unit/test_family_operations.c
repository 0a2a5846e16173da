#include "tests/unit/operations_fixture.h"

#include "backend/cpu/cpu_math.h"

/* The operations that only some families use: LayerNorm, GELU and soft-caps. */

struct norm_reference {
    int64_t T, C;
    double *in, *weight, *bias, *upstream;
};

/* One row of the definition; out [C] may be NULL. */
static double norm_row(const struct norm_reference *r, int64_t t, double *out)
{
    const double *in = r->in + t * r->C;
    double mean = 0, variance = 0, loss = 0;

    for (int64_t i = 0; i < r->C; i++)
        mean += in[i] / (double)r->C;
    for (int64_t i = 0; i < r->C; i++)
        variance += (in[i] - mean) * (in[i] - mean) / (double)r->C;
    for (int64_t i = 0; i < r->C; i++) {
        const double y = (in[i] - mean) / sqrt(variance + 1e-5) * r->weight[i] + r->bias[i];
        if (out)
            out[i] = y;
        loss += y * r->upstream[t * r->C + i];
    }
    return loss;
}

static double norm_loss(void *context)
{
    const struct norm_reference *r = context;
    double loss = 0;

    for (int64_t t = 0; t < r->T; t++)
        loss += norm_row(r, t, NULL);
    return loss;
}

/* x <- x - before: gradients were added to what was there. */
static void take_off(struct tensor *x, const struct tensor *before)
{
    for (int64_t i = 0; i < tensor_count(x); i++)
        f32(x)[i] -= f32(before)[i];
}

static void layer_norm_case(int64_t T, int64_t C)
{
    struct tensor in = matrix(T, C), weight = vector(C), bias = vector(C);
    struct tensor out = matrix(T, C), d_out = matrix(T, C), rstd = vector(T);
    struct tensor d_in = matrix(T, C), d_weight = vector(C), d_bias = vector(C);
    struct tensor d_in0 = copy_of(&d_in), d_weight0 = copy_of(&d_weight);
    struct tensor d_bias0 = copy_of(&d_bias);
    struct norm_reference r = {
        T, C, doubles_of(&in), doubles_of(&weight), doubles_of(&bias), doubles_of(&d_out)};
    double *exact = memory_allocate_array((size_t)C, sizeof *exact);

    layer_norm_forward(backend, &out, &rstd, &in, &weight, &bias, 1e-5f);
    for (int64_t t = 0; t < T; t++) {
        norm_row(&r, t, exact);
        for (int64_t i = 0; i < C; i++) /* mean and variance: C roundings each */
            assert_near(f32(&out)[t * C + i], exact[i],
                        sqrt((double)C) * (double)(C + 8) * (double)FLT_EPSILON);
    }
    layer_norm_backward(backend, &d_in, &d_weight, &d_bias, &d_out, &in, &weight, &rstd);
    take_off(&d_in, &d_in0);
    take_off(&d_weight, &d_weight0);
    take_off(&d_bias, &d_bias0);
    assert_gradient(
        &(struct gradient_check){norm_loss, &r, r.in, f32(&d_in), T * C, 2 * C});
    assert_gradient(
        &(struct gradient_check){norm_loss, &r, r.weight, f32(&d_weight), C, T + C});
    assert_gradient(
        &(struct gradient_check){norm_loss, &r, r.bias, f32(&d_bias), C, T + C});
    double *doubles[] = {r.in, r.weight, r.bias, r.upstream, exact};
    struct tensor *tensors[] = {&in,   &weight, &bias,   &out,      &d_out,   &rstd,
                                &d_in, &d_in0,  &d_bias, &d_weight, &d_bias0, &d_weight0};
    for (int i = 0; i < 5; i++)
        free(doubles[i]);
    for (int i = 0; i < 12; i++)
        tensor_free(tensors[i]);
}

static void test_layer_norm(void **state)
{
    (void)state;
    layer_norm_case(1, 6);
    layer_norm_case(7, 64);
    layer_norm_case(33, 80);
    layer_norm_case(130, 257);
}

/* Without d_weight, d_in is the same; a row alone, and three threads, give the same bits.
 */
static void test_layer_norm_bits(void **state)
{
    enum { T = 150, C = 333 };
    struct tensor in = matrix(T, C), weight = vector(C), bias = vector(C), rstd = vector(T);
    struct tensor out = matrix(T, C), d_weight[2] = {vector(C), vector(C)};
    struct tensor d_bias[2] = {vector(C), vector(C)};
    struct tensor d_in[3] = {matrix(T, C), matrix(T, C), matrix(T, C)};

    (void)state;
    for (int i = 0; i < 3; i++) {
        fill(backend, &d_in[i], 0.0f);
        for (int j = 0; i < 2 && j < 2; j++)
            fill(backend, j ? &d_weight[i] : &d_bias[i], 0.0f);
    }
    layer_norm_forward(backend, &out, &rstd, &in, &weight, &bias, 1e-5f);
    for (int64_t t = 0; t < T; t++) {
        struct tensor row = matrix(1, C), row_rstd = vector(1);
        const struct tensor in_row = tensor_rows(&in, t, 1), of = tensor_rows(&out, t, 1);
        layer_norm_forward(backend, &row, &row_rstd, &in_row, &weight, &bias, 1e-5f);
        assert_same_bits(&row, &of);
        tensor_free(&row);
        tensor_free(&row_rstd);
    }
    for (int i = 0; i < 3; i++) {
        cpu_of(backend)->thread_count = i + 1;
        layer_norm_backward(backend, &d_in[i], i < 2 ? &d_weight[i] : NULL,
                            i < 2 ? &d_bias[i] : NULL, &out, &in, &weight, &rstd);
        assert_same_bits(&d_in[i], &d_in[0]);
    }
    cpu_of(backend)->thread_count = 2;
    assert_same_bits(&d_weight[0], &d_weight[1]);
    assert_same_bits(&d_bias[0], &d_bias[1]);
    struct tensor *tensors[] = {&in,          &weight,    &bias,      &rstd,
                                &out,         &d_in[0],   &d_in[1],   &d_in[2],
                                &d_weight[0], &d_bias[0], &d_bias[1], &d_weight[1]};
    for (int i = 0; i < 12; i++)
        tensor_free(tensors[i]);
}

struct gelu_reference {
    int64_t T, F, width;
    enum gelu_kind kind;
    double *in, *upstream;
};

static double gelu(double x, enum gelu_kind kind)
{
    if (kind == GELU_EXACT)
        return 0.5 * x * erfc(-x / sqrt(2.0));
    return 0.5 * x *
           (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static double gelu_out(const struct gelu_reference *r, int64_t i)
{
    const double *in = r->in + i / r->F * r->width + i % r->F;
    return gelu(in[0], r->kind) * (r->width > r->F ? in[r->F] : 1);
}

static double gelu_loss(void *context)
{
    const struct gelu_reference *r = context;
    double loss = 0;

    for (int64_t i = 0; i < r->T * r->F; i++)
        loss += gelu_out(r, i) * r->upstream[i];
    return loss;
}

static void gelu_case(int64_t T, int64_t F, int64_t width, enum gelu_kind kind)
{
    struct tensor in = matrix(T, width), out = matrix(T, F), d_out = matrix(T, F);
    struct tensor d_in = matrix(T, width), again = matrix(T, F);

    scale(backend, &in, 6.0f); /* into both tails */
    struct gelu_reference r = {T, F, width, kind, doubles_of(&in), doubles_of(&d_out)};
    gelu_forward(backend, &out, &in, kind);
    for (int64_t i = 0; i < T * F; i++) /* |gate| <= 6, |up| <= 6 */
        assert_near(f32(&out)[i], gelu_out(&r, i), 36 * 8 * (double)FLT_EPSILON);
    gelu_backward(backend, &d_in, &again, &d_out, &in, kind);
    assert_same_bits(&again, &out);
    fill(backend, &again, 5.0f);
    gelu_backward(backend, &d_in, NULL, &d_out, &in, kind);
    assert_true(f32(&again)[0] == 5.0f);
    /* |up| <= 6, |d_out| <= 1: 1 + tanh() loses what tanh() has close to -1. */
    assert_gradient_of(
        &(struct gradient_check){gelu_loss, &r, r.in, f32(&d_in), T * width, 16}, 6);
    free(r.in);
    free(r.upstream);
    struct tensor *tensors[] = {&in, &out, &d_out, &d_in, &again};
    for (int i = 0; i < 5; i++)
        tensor_free(tensors[i]);
}

static void test_gelu(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int gated = 1; gated <= 2; gated++) {
            gelu_case(1, 5, 5 * gated, (enum gelu_kind)kind);
            gelu_case(7, 129, 129 * gated, (enum gelu_kind)kind);
            gelu_case(3, 1030, 1030 * gated, (enum gelu_kind)kind); /* beyond a piece */
        }
}

/* Within 3 ulp, over the polynomial's range and the exponential's, to both ends. */
static void test_hyperbolic_tangent(void **state)
{
    const float ends[] = {0.0f, 1e-30f, 1e-7f, 0.6249999f, 0.625f, 9.0f, 50.0f, 1e30f};

    (void)state;
    for (int i = 0; i < 200000; i++) {
        const float x = random_signed() * (i % 2 ? 0.7f : 12.0f);
        const double exact = tanh((double)x);
        assert_near(hyperbolic_tangent(x), exact, 3 * (double)FLT_EPSILON * fabs(exact));
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            const double exact = tanh((double)sign * (double)ends[i]);
            assert_near(hyperbolic_tangent((float)sign * ends[i]), exact,
                        3 * (double)FLT_EPSILON * fabs(exact));
        }
    assert_true(hyperbolic_tangent(INFINITY) == 1.0f);
    assert_true(hyperbolic_tangent(-INFINITY) == -1.0f);
    assert_true(isnan(hyperbolic_tangent(NAN)));
}

static void test_soft_cap(void **state)
{
    struct tensor values = matrix(13, 1501), before = copy_of(&values);
    const double cap = 2.5;

    (void)state;
    soft_cap(backend, &values, (float)cap);
    for (int64_t i = 0; i < tensor_count(&values); i++)
        assert_near(f32(&values)[i], cap * tanh((double)f32(&before)[i] / cap),
                    6 * (double)FLT_EPSILON);
    tensor_free(&values);
    tensor_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_norm), cmocka_unit_test(test_layer_norm_bits),
        cmocka_unit_test(test_gelu),       cmocka_unit_test(test_hyperbolic_tangent),
        cmocka_unit_test(test_soft_cap),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
