#include "tests/unit/operations_fixture.h"

static const double epsilon = 1e-5;

/* loss = sum of out * upstream over all columns of qkv; values pass as they are. */
struct reference {
    int64_t T, H, G, D;
    double *in, *weights[2], *upstream; /* weights: query, key */
};

static double head_loss(const struct reference *r, const double *x, const double *weight,
                        const double *upstream)
{
    double square = 0, loss = 0;

    for (int64_t i = 0; i < r->D; i++)
        square += x[i] * x[i];
    const double rstd = 1 / sqrt(square / (double)r->D + epsilon);
    for (int64_t i = 0; i < r->D; i++)
        loss += x[i] * rstd * weight[i] * upstream[i];
    return loss;
}

static double reference_loss(void *context)
{
    const struct reference *r = context;
    const int64_t heads = r->H + 2 * r->G;
    double loss = 0;

    for (int64_t n = 0; n < r->T * heads; n++) {
        const int64_t head = n % heads;
        const double *x = r->in + n * r->D, *upstream = r->upstream + n * r->D;
        if (head < r->H + r->G)
            loss += head_loss(r, x, r->weights[head >= r->H], upstream);
        for (int64_t i = 0; head >= r->H + r->G && i < r->D; i++)
            loss += x[i] * upstream[i];
    }
    return loss;
}

/* Each element's loss is its part of the sum; out in place has the same bits. */
static void check_forward(const struct reference *r, const struct tensor *in,
                          const struct tensor *weights, const struct tensor *d_out)
{
    const struct attention_shape shape = {r->H, r->G, r->D, 1.0f, 0, 0.0f};
    const int64_t columns = in->shape[1], normed = (r->H + r->G) * r->D;
    struct tensor out = matrix(r->T, columns), same = copy_of(in);
    double loss = 0;

    head_norm_forward(backend, &out, in, &weights[0], &weights[1], &shape, (float)epsilon);
    for (int64_t i = 0; i < r->T * columns; i++)
        loss += (double)f32(&out)[i] * (double)f32(d_out)[i];
    /* As in test_operations.c: D/2 + 4 roundings an element, |in rstd| <= sqrt(D). */
    assert_near(loss, reference_loss((void *)(uintptr_t)r),
                (double)(r->T * columns) * sqrt((double)r->D) * (double)(r->D / 2 + 4) *
                    (double)FLT_EPSILON);
    for (int64_t t = 0; t < r->T; t++)
        assert_memory_equal(f32(&out) + t * columns + normed,
                            f32(in) + t * columns + normed,
                            (size_t)(columns - normed) * sizeof(float));
    head_norm_forward(backend, &same, &same, &weights[0], &weights[1], &shape,
                      (float)epsilon);
    assert_same_bits(&same, &out);
    tensor_free(&out);
    tensor_free(&same);
}

static void check_backward(struct reference *r, const struct tensor *in,
                           const struct tensor *weights, const struct tensor *d_out)
{
    const struct attention_shape shape = {r->H, r->G, r->D, 1.0f, 0, 0.0f};
    struct tensor d = copy_of(d_out), again = copy_of(d_out);
    struct tensor d_weights[2] = {vector(r->D), vector(r->D)};
    struct tensor before[2] = {copy_of(&d_weights[0]), copy_of(&d_weights[1])};

    head_norm_backward(backend, &d, &d_weights[0], &d_weights[1], in, &weights[0],
                       &weights[1], &shape, (float)epsilon);
    head_norm_backward(backend, &again, NULL, NULL, in, &weights[0], &weights[1], &shape,
                       (float)epsilon);
    assert_same_bits(&again, &d);
    assert_gradient(&(struct gradient_check){reference_loss, r, r->in, f32(&d),
                                             tensor_count(in), 2 * r->D});
    for (int which = 0; which < 2; which++) {
        for (int64_t i = 0; i < r->D; i++) /* accumulation: take off what was there */
            f32(&d_weights[which])[i] -= f32(&before[which])[i];
        const int64_t heads = which ? r->G : r->H;
        assert_gradient(&(struct gradient_check){reference_loss, r, r->weights[which],
                                                 f32(&d_weights[which]), r->D,
                                                 r->T * heads + r->D});
        tensor_free(&d_weights[which]);
        tensor_free(&before[which]);
    }
    tensor_free(&d);
    tensor_free(&again);
}

static void head_norm_case(int64_t T, int64_t H, int64_t G, int64_t D)
{
    struct tensor in = matrix(T, (H + 2 * G) * D), d_out = matrix(T, (H + 2 * G) * D);
    struct tensor weights[2] = {vector(D), vector(D)};
    struct reference r = {T,
                          H,
                          G,
                          D,
                          doubles_of(&in),
                          {doubles_of(&weights[0]), doubles_of(&weights[1])},
                          doubles_of(&d_out)};

    check_forward(&r, &in, weights, &d_out);
    check_backward(&r, &in, weights, &d_out);
    free(r.in);
    free(r.upstream);
    free(r.weights[0]);
    free(r.weights[1]);
    tensor_free(&in);
    tensor_free(&d_out);
    tensor_free(&weights[0]);
    tensor_free(&weights[1]);
}

static void test_head_norm(void **state)
{
    (void)state;
    head_norm_case(1, 1, 1, 6);
    head_norm_case(7, 6, 2, 64);
    head_norm_case(130, 3, 3, 20);
    head_norm_case(9, 4, 1, 128);
}

/* A row alone has the bits that it has among others. */
static void test_rows_are_independent(void **state)
{
    const struct attention_shape shape = {3, 1, 33, 1.0f, 0, 0.0f};
    struct tensor in = matrix(20, 5 * 33), out = matrix(20, 5 * 33);
    struct tensor again = matrix(20, 5 * 33), query = vector(33), key = vector(33);

    (void)state;
    head_norm_forward(backend, &out, &in, &query, &key, &shape, 1e-6f);
    for (int64_t t = 0; t < 20; t++) {
        struct tensor in_row = tensor_rows(&in, t, 1), out_row = tensor_rows(&again, t, 1);
        head_norm_forward(backend, &out_row, &in_row, &query, &key, &shape, 1e-6f);
    }
    assert_same_bits(&out, &again);
    tensor_free(&in);
    tensor_free(&out);
    tensor_free(&again);
    tensor_free(&query);
    tensor_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_norm),
        cmocka_unit_test(test_rows_are_independent),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
