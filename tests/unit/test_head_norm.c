#include "tests/unit/operations_fixture.h"

/* loss = sum of out * upstream over all columns of qkv; values pass as they are. */
struct reference {
    int64_t T, columns;
    struct head_norm_shape shape;
    double *in, *weights[2], *upstream; /* weights: query, key */
};

static int64_t normed_columns(const struct head_norm_shape *shape)
{
    return shape->queries * shape->query_size + shape->keys * shape->key_size;
}

static double head_loss(const struct reference *r, int64_t first, int64_t size,
                        const double *weight)
{
    const double *x = r->in + first, *upstream = r->upstream + first;
    double square = 0, loss = 0;

    for (int64_t i = 0; i < size; i++)
        square += x[i] * x[i];
    const double rstd = 1 / sqrt(square / (double)size + (double)r->shape.epsilon);
    for (int64_t i = 0; i < size; i++)
        loss += x[i] * rstd * (weight[i] + (double)r->shape.offset) * upstream[i];
    return loss;
}

static double reference_loss(void *context)
{
    const struct reference *r = context;
    const struct head_norm_shape *shape = &r->shape;
    double loss = 0;

    for (int64_t t = 0; t < r->T; t++) {
        const int64_t end = (t + 1) * r->columns;
        int64_t first = t * r->columns;
        for (int64_t n = 0; n < shape->queries; n++, first += shape->query_size)
            loss += head_loss(r, first, shape->query_size, r->weights[0]);
        for (int64_t n = 0; n < shape->keys; n++, first += shape->key_size)
            loss += head_loss(r, first, shape->key_size, r->weights[1]);
        for (; first < end; first++)
            loss += r->in[first] * r->upstream[first];
    }
    return loss;
}

/* Of the sums' lengths, and of |in rstd| <= sqrt(size). */
static int64_t widest(const struct head_norm_shape *shape)
{
    return shape->query_size > shape->key_size ? shape->query_size : shape->key_size;
}

/* Each element's loss is its part of the sum; out in place has the same bits. */
static void check_forward(const struct reference *r, const struct tensor *in,
                          const struct tensor *weights, const struct tensor *d_out)
{
    const int64_t columns = r->columns, normed = normed_columns(&r->shape);
    struct tensor out = matrix(r->T, columns), same = copy_of(in);
    double loss = 0;

    head_norm_forward(backend, &out, in, &weights[0], &weights[1], &r->shape);
    for (int64_t i = 0; i < r->T * columns; i++)
        loss += (double)f32(&out)[i] * (double)f32(d_out)[i];
    /* As in test_operations.c, sizes being D: D/2 + 4 roundings an element, |in rstd| <=
     * sqrt(D), here times up to 1 + offset. */
    const double D = (double)widest(&r->shape);
    assert_near(loss, reference_loss((void *)(uintptr_t)r),
                (double)(r->T * columns) * sqrt(D) * (D / 2 + 4) *
                    (1 + (double)r->shape.offset) * (double)FLT_EPSILON);
    for (int64_t t = 0; t < r->T; t++)
        assert_memory_equal(f32(&out) + t * columns + normed,
                            f32(in) + t * columns + normed,
                            (size_t)(columns - normed) * sizeof(float));
    head_norm_forward(backend, &same, &same, &weights[0], &weights[1], &r->shape);
    assert_same_bits(&same, &out);
    tensor_free(&out);
    tensor_free(&same);
}

static void check_backward(struct reference *r, const struct tensor *in,
                           const struct tensor *weights, const struct tensor *d_out)
{
    const struct head_norm_shape *shape = &r->shape;
    const int64_t sizes[] = {shape->query_size, shape->key_size};
    const int64_t counts[] = {shape->queries, shape->keys};
    struct tensor d = copy_of(d_out), again = copy_of(d_out);
    struct tensor d_weights[2] = {vector(sizes[0]), vector(sizes[1])};
    struct tensor before[2] = {copy_of(&d_weights[0]), copy_of(&d_weights[1])};

    head_norm_backward(backend, &d, &d_weights[0], &d_weights[1], in, &weights[0],
                       &weights[1], shape);
    head_norm_backward(backend, &again, NULL, NULL, in, &weights[0], &weights[1], shape);
    assert_same_bits(&again, &d);
    assert_gradient(&(struct gradient_check){reference_loss, r, r->in, f32(&d),
                                             tensor_count(in), 2 * widest(shape)});
    for (int which = 0; which < 2; which++) {
        for (int64_t i = 0; i < sizes[which];
             i++) /* accumulation: take off what was there */
            f32(&d_weights[which])[i] -= f32(&before[which])[i];
        assert_gradient(&(struct gradient_check){reference_loss, r, r->weights[which],
                                                 f32(&d_weights[which]), sizes[which],
                                                 r->T * counts[which] + sizes[which]});
        tensor_free(&d_weights[which]);
        tensor_free(&before[which]);
    }
    tensor_free(&d);
    tensor_free(&again);
}

/* With `values` columns behind the keys. */
static void head_norm_case(int64_t T, struct head_norm_shape shape, int64_t values)
{
    const int64_t columns = normed_columns(&shape) + values;
    struct tensor in = matrix(T, columns), d_out = matrix(T, columns);
    struct tensor weights[2] = {vector(shape.query_size), vector(shape.key_size)};
    struct reference r = {T,
                          columns,
                          shape,
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
    head_norm_case(1, (struct head_norm_shape){1, 6, 1, 6, 0, 1e-5f}, 6);
    head_norm_case(7, (struct head_norm_shape){6, 64, 2, 64, 1, 1e-5f}, 128);
    head_norm_case(130, (struct head_norm_shape){3, 20, 3, 20, 0, 1e-6f}, 60);
    head_norm_case(9, (struct head_norm_shape){4, 128, 1, 128, 0, 1e-5f}, 128);
    head_norm_case(70, (struct head_norm_shape){1, 60, 1, 20, 0, 1e-5f}, 20);
    head_norm_case(3, (struct head_norm_shape){1, 512, 1, 130, 1, 1e-5f}, 130);
}

/* A row alone has the bits that it has among others. */
static void test_rows_are_independent(void **state)
{
    const struct head_norm_shape shape = {3, 33, 1, 33, 0, 1e-6f};
    struct tensor in = matrix(20, 5 * 33), out = matrix(20, 5 * 33);
    struct tensor again = matrix(20, 5 * 33), query = vector(33), key = vector(33);

    (void)state;
    head_norm_forward(backend, &out, &in, &query, &key, &shape);
    for (int64_t t = 0; t < 20; t++) {
        struct tensor in_row = tensor_rows(&in, t, 1), out_row = tensor_rows(&again, t, 1);
        head_norm_forward(backend, &out_row, &in_row, &query, &key, &shape);
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
