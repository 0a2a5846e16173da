#include "tests/gpu/gpu_fixture.h"

struct head_norm {
    int64_t T, D;
    struct attention_shape shape;
    struct operand in, weights[2]; /* query, key */
    struct operand out, d, d_weights[2];
    struct bounded *out_exact, *d_exact, *d_weights_exact[2];
};

static const float norm_epsilon = 1e-5f;

static int64_t columns_of(const struct head_norm *n)
{
    return (n->shape.heads + 2 * n->shape.key_value_heads) * n->D;
}

static void norm_init(struct head_norm *n, int64_t T, struct attention_shape shape,
                      enum dtype dtype)
{
    *n = (struct head_norm){.T = T, .D = shape.head_size, .shape = shape};
    n->in = random_matrix(dtype, T, columns_of(n));
    n->out = poisoned_matrix(dtype, T, columns_of(n));
    n->d = random_matrix(dtype, T, columns_of(n));
    n->out_exact = keep(struct bounded, T * columns_of(n));
    n->d_exact = keep(struct bounded, T * columns_of(n));
    for (int which = 0; which < 2; which++) {
        n->weights[which] = random_vector(dtype, n->D);
        n->d_weights[which] = random_vector(DTYPE_F32, n->D);
        n->d_weights_exact[which] = keep(struct bounded, n->D);
        for (int64_t i = 0; i < n->D; i++) {
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
    const float *x = host_data(&n->in) + first, *g = host_data(&n->d) + first;
    const float *w = host_data(&n->weights[which]);
    const double D = (double)n->D, off = sum_error(n->D) / 2 + 4 * (double)FLT_EPSILON;
    double square = 0, mean = 0, magnitude = 0;

    for (int64_t i = 0; i < n->D; i++)
        square += (double)x[i] * (double)x[i];
    const double rstd = 1 / sqrt(square / D + (double)norm_epsilon);
    for (int64_t i = 0; i < n->D; i++) {
        const double term = (double)w[i] * (double)g[i] * (double)x[i] * rstd;
        mean += term / D;
        magnitude += fabs(term) / D;
    }
    for (int64_t i = 0; i < n->D; i++) {
        const double x_hat = (double)x[i] * rstd, wg = (double)w[i] * (double)g[i];
        const double out = x_hat * (double)w[i],
                     size = rstd * (fabs(wg) + fabs(x_hat) * magnitude);
        n->out_exact[first + i] = (struct bounded){out, off * fabs(out)};
        n->d_exact[first + i] =
            (struct bounded){rstd * (wg - x_hat * mean),
                             (3 * off + sum_error(n->D) + 6 * (double)FLT_EPSILON) * size};
        n->d_weights_exact[which][i].value += (double)g[i] * x_hat;
        n->d_weights_exact[which][i].error += fabs((double)g[i] * x_hat);
    }
}

static void all_exact(struct head_norm *n)
{
    const int64_t H = n->shape.heads, G = n->shape.key_value_heads, D = n->D;
    const double rstd_off = sum_error(D) / 2 + 6 * (double)FLT_EPSILON;

    for (int64_t t = 0; t < n->T; t++)
        for (int64_t head = 0; head < H + 2 * G; head++) {
            const int64_t first = t * columns_of(n) + head * D;
            if (head < H + G)
                head_exact(n, first, head >= H);
            for (int64_t i = first; head >= H + G && i < first + D; i++) {
                n->out_exact[i] = (struct bounded){(double)host_data(&n->in)[i], 0};
                n->d_exact[i] = (struct bounded){(double)host_data(&n->d)[i], 0};
            }
        }
    for (int which = 0; which < 2; which++)
        for (int64_t i = 0; i < D; i++)
            n->d_weights_exact[which][i].error *=
                sum_error(n->T * (which ? G : H) + 1) + rstd_off;
}

static void backward(const struct head_norm *n, int side, struct operand *d,
                     struct operand *d_query, struct operand *d_key)
{
    head_norm_backward(backends[side], &d->on[side], d_query ? &d_query->on[side] : NULL,
                       d_key ? &d_key->on[side] : NULL, &n->in.on[side],
                       &n->weights[0].on[side], &n->weights[1].on[side], &n->shape,
                       norm_epsilon);
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

static void head_norm_case(int64_t T, int64_t H, int64_t G, int64_t D, enum dtype dtype)
{
    struct head_norm n;

    case_begin("head_norm %s T=%lld H=%lld G=%lld D=%lld odd %d", dtype_name(dtype),
               (long long)T, (long long)H, (long long)G, (long long)D, shifted);
    norm_init(&n, T, (struct attention_shape){H, G, D, 1.0f, 0, 0.0f}, dtype);
    all_exact(&n);
    struct operand in_place = operand_copy(&n.in);
    EACH_SIDE(side)
    head_norm_forward(backends[side], &n.out.on[side], &n.in.on[side],
                      &n.weights[0].on[side], &n.weights[1].on[side], &n.shape,
                      norm_epsilon);
    check_operand("out", &n.out, n.out_exact);
    head_norm_forward(backends[DEVICE], &in_place.on[DEVICE], &in_place.on[DEVICE],
                      &n.weights[0].on[DEVICE], &n.weights[1].on[DEVICE], &n.shape,
                      norm_epsilon);
    assert_same_bits("out in place", fetch(&in_place.on[DEVICE]), fetch(&n.out.on[DEVICE]),
                     tensor_bytes(&n.out.on[DEVICE]));
    check_backward(&n);
    release_all();
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

/* Which other rows there are changes none of the bits of a row. */
static void rows_are_independent(enum dtype dtype)
{
    const struct attention_shape shape = {5, 1, 64, 1.0f, 0, 0.0f};
    const int64_t T = 9, columns = 7 * 64;
    struct backend *device = backends[DEVICE];

    case_begin("head_norm rows %s", dtype_name(dtype));
    struct operand in = random_matrix(dtype, T, columns);
    struct operand query = random_vector(dtype, 64), key = random_vector(dtype, 64);
    struct operand out = poisoned_matrix(dtype, T, columns);
    struct operand again = poisoned_matrix(dtype, T, columns);
    head_norm_forward(device, &out.on[DEVICE], &in.on[DEVICE], &query.on[DEVICE],
                      &key.on[DEVICE], &shape, norm_epsilon);
    for (int64_t t = 0; t < T; t++) {
        const struct tensor from = tensor_rows(&in.on[DEVICE], t, 1);
        struct tensor to = tensor_rows(&again.on[DEVICE], t, 1);
        head_norm_forward(device, &to, &from, &query.on[DEVICE], &key.on[DEVICE], &shape,
                          norm_epsilon);
    }
    assert_same_bits("rows", fetch(&out.on[DEVICE]), fetch(&again.on[DEVICE]),
                     tensor_bytes(&out.on[DEVICE]));
    /* none at all: no launch fails */
    struct operand none = random_matrix(dtype, 0, columns);
    head_norm_forward(device, &none.on[DEVICE], &none.on[DEVICE], &query.on[DEVICE],
                      &key.on[DEVICE], &shape, norm_epsilon);
    head_norm_backward(device, &none.on[DEVICE], NULL, NULL, &none.on[DEVICE],
                       &query.on[DEVICE], &key.on[DEVICE], &shape, norm_epsilon);
    release_all();
}
BOTH_TYPES(rows_are_independent)

int main(void)
{
    const struct CMUnitTest tests[] = {gpu_tests(head_norm),
                                       gpu_tests(rows_are_independent)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
