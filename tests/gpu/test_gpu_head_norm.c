#include "tests/gpu/gpu_fixture.h"

struct head_norm {
    int64_t T, columns;
    struct head_norm_shape shape;
    struct operand in, weights[2]; /* query, key */
    struct operand out, d, d_weights[2];
    struct bounded *out_exact, *d_exact, *d_weights_exact[2];
};

static const float norm_epsilon = 1e-5f;

/* Columns of as many values as keys lie behind them. */
static void norm_init(struct head_norm *n, int64_t T, struct head_norm_shape shape,
                      enum dtype dtype)
{
    const int64_t columns =
        shape.queries * shape.query_size + 2 * shape.keys * shape.key_size;
    const int64_t sizes[] = {shape.query_size, shape.key_size};

    *n = (struct head_norm){.T = T, .columns = columns, .shape = shape};
    n->in = random_matrix(dtype, T, columns);
    n->out = poisoned_matrix(dtype, T, columns);
    n->d = random_matrix(dtype, T, columns);
    n->out_exact = keep(struct bounded, T * columns);
    n->d_exact = keep(struct bounded, T * columns);
    for (int which = 0; which < 2; which++) {
        n->weights[which] = random_vector(dtype, sizes[which]);
        n->d_weights[which] = random_vector(DTYPE_F32, sizes[which]);
        n->d_weights_exact[which] = keep(struct bounded, sizes[which]);
        for (int64_t i = 0; i < sizes[which]; i++) {
            const double before = (double)host_data(&n->d_weights[which])[i];
            n->d_weights_exact[which][i] = (struct bounded){before, fabs(before)};
        }
    }
}

/*
 * One head, as in test_gpu_operations.c (rms_norm): the sum of D squares is off by
 * sum_error(D) of itself, its root by half of that and a few roundings. In
 *     d_in = rstd (w g - x^ mean(w g x^)),  x^ = in rstd
 * that error of rstd comes twice more, and the mean's own sum once. The weights' gradients
 * have their sizes summed first, and are bounded by weights_bound().
 */
static void head_exact(struct head_norm *n, int64_t first, int which)
{
    const int64_t size = which ? n->shape.key_size : n->shape.query_size;
    const float *x = host_data(&n->in) + first, *g = host_data(&n->d) + first;
    const float *w = host_data(&n->weights[which]);
    const double D = (double)size, off = sum_error(size) / 2 + 5 * (double)FLT_EPSILON;
    double square = 0, mean = 0, magnitude = 0;

    for (int64_t i = 0; i < size; i++)
        square += (double)x[i] * (double)x[i];
    const double rstd = 1 / sqrt(square / D + (double)norm_epsilon);
    for (int64_t i = 0; i < size; i++) {
        const double scale = (double)w[i] + (double)n->shape.offset;
        const double term = scale * (double)g[i] * (double)x[i] * rstd;
        mean += term / D;
        magnitude += fabs(term) / D;
    }
    for (int64_t i = 0; i < size; i++) {
        const double scale = (double)w[i] + (double)n->shape.offset;
        const double x_hat = (double)x[i] * rstd, wg = scale * (double)g[i];
        const double out = x_hat * scale,
                     terms = rstd * (fabs(wg) + fabs(x_hat) * magnitude);
        n->out_exact[first + i] = (struct bounded){out, off * fabs(out)};
        n->d_exact[first + i] =
            (struct bounded){rstd * (wg - x_hat * mean),
                             (3 * off + sum_error(size) + 6 * (double)FLT_EPSILON) * terms};
        n->d_weights_exact[which][i].value += (double)g[i] * x_hat;
        n->d_weights_exact[which][i].error += fabs((double)g[i] * x_hat);
    }
}

static void all_exact(struct head_norm *n)
{
    const int64_t sizes[] = {n->shape.query_size, n->shape.key_size};
    const int64_t counts[] = {n->shape.queries, n->shape.keys};

    for (int64_t t = 0; t < n->T; t++) {
        int64_t first = t * n->columns;
        for (int which = 0; which < 2; which++)
            for (int64_t head = 0; head < counts[which]; head++, first += sizes[which])
                head_exact(n, first, which);
        for (int64_t i = first; i < (t + 1) * n->columns; i++) {
            n->out_exact[i] = (struct bounded){(double)host_data(&n->in)[i], 0};
            n->d_exact[i] = (struct bounded){(double)host_data(&n->d)[i], 0};
        }
    }
    for (int which = 0; which < 2; which++)
        for (int64_t i = 0; i < sizes[which]; i++)
            n->d_weights_exact[which][i].error *= sum_error(n->T * counts[which] + 1) +
                                                  sum_error(sizes[which]) / 2 +
                                                  6 * (double)FLT_EPSILON;
}

static void backward(const struct head_norm *n, int side, struct operand *d,
                     struct operand *d_query, struct operand *d_key)
{
    head_norm_backward(backends[side], &d->on[side], d_query ? &d_query->on[side] : NULL,
                       d_key ? &d_key->on[side] : NULL, &n->in.on[side],
                       &n->weights[0].on[side], &n->weights[1].on[side], &n->shape);
}

static void check_backward(struct head_norm *n)
{
    struct operand d_again = operand_copy(&n->d), d_frozen = operand_copy(&n->d);
    struct operand again[2] = {operand_copy(&n->d_weights[0]),
                               operand_copy(&n->d_weights[1])};
    const size_t bytes = tensor_bytes(&n->d.on[DEVICE]);

    EACH_SIDE(side)
    backward(n, side, &n->d, &n->d_weights[0], &n->d_weights[1]);
    check_operand("d_in", &n->d, n->d_exact);
    check_operand("d_query_weight", &n->d_weights[0], n->d_weights_exact[0]);
    check_operand("d_key_weight", &n->d_weights[1], n->d_weights_exact[1]);
    backward(n, DEVICE, &d_again, &again[0], &again[1]);
    backward(n, DEVICE, &d_frozen, NULL, NULL);
    assert_same_bits("d_in, a second time", fetch(&d_again.on[DEVICE]),
                     fetch(&n->d.on[DEVICE]), bytes);
    assert_same_bits("d_in, frozen", fetch(&d_frozen.on[DEVICE]), fetch(&n->d.on[DEVICE]),
                     bytes);
    for (int which = 0; which < 2; which++)
        assert_same_bits("d_weight, a second time", fetch(&again[which].on[DEVICE]),
                         fetch(&n->d_weights[which].on[DEVICE]),
                         tensor_bytes(&n->d_weights[which].on[DEVICE]));
}

static void shape_case(int64_t T, struct head_norm_shape shape, enum dtype dtype)
{
    struct head_norm n;

    case_begin("head_norm %s T=%lld %lld queries of %lld, %lld keys of %lld, odd %d",
               dtype_name(dtype), (long long)T, (long long)shape.queries,
               (long long)shape.query_size, (long long)shape.keys,
               (long long)shape.key_size, shifted);
    norm_init(&n, T, shape, dtype);
    all_exact(&n);
    struct operand in_place = operand_copy(&n.in);
    EACH_SIDE(side)
    head_norm_forward(backends[side], &n.out.on[side], &n.in.on[side],
                      &n.weights[0].on[side], &n.weights[1].on[side], &n.shape);
    check_operand("out", &n.out, n.out_exact);
    head_norm_forward(backends[DEVICE], &in_place.on[DEVICE], &in_place.on[DEVICE],
                      &n.weights[0].on[DEVICE], &n.weights[1].on[DEVICE], &n.shape);
    assert_same_bits("out in place", fetch(&in_place.on[DEVICE]), fetch(&n.out.on[DEVICE]),
                     tensor_bytes(&n.out.on[DEVICE]));
    check_backward(&n);
    release_all();
}

static void head_norm_case(int64_t T, int64_t H, int64_t G, int64_t D, enum dtype dtype)
{
    shape_case(T, (struct head_norm_shape){H, D, G, D, 0, norm_epsilon}, dtype);
}

static void head_norm(enum dtype dtype)
{
    head_norm_case(1, 6, 2, 6, dtype);
    head_norm_case(7, 6, 2, 64, dtype);
    head_norm_case(33, 3, 3, 80, dtype);
    head_norm_case(5, 1, 1, 2, dtype);
    head_norm_case(19, 4, 2, 130, dtype);
    shifted = true;
    head_norm_case(20, 4, 1, 20, dtype);
    head_norm_case(9, 8, 2, 64, dtype);
    shifted = false;
    if (small)
        return;
    head_norm_case(3001, 16, 8, 128, dtype);
    head_norm_case(70, 20, 4, 256, dtype);
    head_norm_case(3, 2, 1, 4096, dtype);
}
BOTH_TYPES(head_norm)

/* All queries at once, and all keys, of other sizes; some wider than what a warp takes. */
static void row_norm(enum dtype dtype)
{
    const struct head_norm_shape wide = {1, 1100, 1, 220, 0, norm_epsilon};

    shape_case(5, (struct head_norm_shape){1, 60, 1, 20, 0, norm_epsilon}, dtype);
    shape_case(6, wide, dtype);
    shape_case(3, (struct head_norm_shape){1, 1031, 1, 1031, 0, norm_epsilon}, dtype);
    shape_case(2, (struct head_norm_shape){2, 1028, 3, 40, 0, norm_epsilon}, dtype);
    shape_case(2, (struct head_norm_shape){1, 8192, 1, 8192, 0, norm_epsilon}, dtype);
    shifted = true;
    shape_case(3, wide, dtype);
    shifted = false;
    if (small)
        return;
    shape_case(3001, (struct head_norm_shape){1, 4096, 1, 4096, 0, norm_epsilon}, dtype);
    shape_case(1000, (struct head_norm_shape){1, 5120, 1, 1024, 0, norm_epsilon}, dtype);
}
BOTH_TYPES(row_norm)

/* By 1 + w. */
static void norm_offset(enum dtype dtype)
{
    shape_case(7, (struct head_norm_shape){4, 20, 2, 20, 1, norm_epsilon}, dtype);
    shape_case(3, (struct head_norm_shape){1, 1100, 1, 220, 1, norm_epsilon}, dtype);
}
BOTH_TYPES(norm_offset)

/* Which other rows there are changes none of the bits of a row. */
static void rows_of_shape(struct head_norm_shape shape, enum dtype dtype)
{
    const int64_t T = 9;
    const int64_t columns =
        shape.queries * shape.query_size + 2 * shape.keys * shape.key_size;
    struct backend *device = backends[DEVICE];

    case_begin("head_norm rows %s", dtype_name(dtype));
    struct operand in = random_matrix(dtype, T, columns);
    struct operand query = random_vector(dtype, shape.query_size);
    struct operand key = random_vector(dtype, shape.key_size);
    struct operand out = poisoned_matrix(dtype, T, columns);
    struct operand again = poisoned_matrix(dtype, T, columns);
    head_norm_forward(device, &out.on[DEVICE], &in.on[DEVICE], &query.on[DEVICE],
                      &key.on[DEVICE], &shape);
    for (int64_t t = 0; t < T; t++) {
        const struct tensor from = tensor_rows(&in.on[DEVICE], t, 1);
        struct tensor to = tensor_rows(&again.on[DEVICE], t, 1);
        head_norm_forward(device, &to, &from, &query.on[DEVICE], &key.on[DEVICE], &shape);
    }
    assert_same_bits("rows", fetch(&out.on[DEVICE]), fetch(&again.on[DEVICE]),
                     tensor_bytes(&out.on[DEVICE]));
    /* none at all: no launch fails */
    struct operand none = random_matrix(dtype, 0, columns);
    head_norm_forward(device, &none.on[DEVICE], &none.on[DEVICE], &query.on[DEVICE],
                      &key.on[DEVICE], &shape);
    head_norm_backward(device, &none.on[DEVICE], NULL, NULL, &none.on[DEVICE],
                       &query.on[DEVICE], &key.on[DEVICE], &shape);
    release_all();
}

static void rows_are_independent(enum dtype dtype)
{
    rows_of_shape((struct head_norm_shape){5, 64, 1, 64, 0, norm_epsilon}, dtype);
    rows_of_shape((struct head_norm_shape){1, 1100, 1, 220, 0, norm_epsilon}, dtype);
}
BOTH_TYPES(rows_are_independent)

int main(void)
{
    const struct CMUnitTest tests[] = {gpu_tests(head_norm), gpu_tests(row_norm),
                                       gpu_tests(norm_offset),
                                       gpu_tests(rows_are_independent)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
