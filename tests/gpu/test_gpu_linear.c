#include "tests/gpu/gpu_fixture.h"

/* One call: shapes, and which parts it has. */
struct linear_case {
    int64_t T, M, K;
    bool biased;
    enum { NO_RESIDUAL, RESIDUAL, RESIDUAL_IS_OUT } residual;
    bool wide_out; /* f32 from bf16 */
    bool decode;
};

/* The exact sum of products, and the sum of magnitudes. */
struct sum {
    double value, magnitude;
};

static inline void sum_add(struct sum *sum, double a, double b)
{
    sum->value += a * b;
    sum->magnitude += fabs(a * b);
}

static struct bounded bounded_sum(struct sum sum, int64_t terms)
{
    return (struct bounded){sum.value, sum_error(terms) * sum.magnitude};
}

/*
 * A sum of which a part of at most `part` is rounded to the type of the result first, as
 * separate operations would: cuBLASLt does so with beta = 1 (seen on an H200, 13.1), to the
 * product or to what is added to it.
 */
static struct bounded added_to(struct bounded sum, double part, enum dtype dtype)
{
    sum.error += storing_error(fabs(part) + sum.error, dtype);
    return sum;
}

/* out[t,m] = sum_k in[t,k] weight[m,k] + bias[m] + residual[t,m] */
static struct bounded *forward_exact(const struct linear_case *c, const float *in,
                                     const float *weight, const float *bias,
                                     const float *residual, enum dtype dtype)
{
    struct bounded *exact = keep(struct bounded, c->T * c->M);

#pragma omp parallel for
    for (int64_t i = 0; i < c->T * c->M; i++) {
        const float *a = in + i / c->M * c->K, *b = weight + i % c->M * c->K;
        struct sum sum = {0};
        for (int64_t k = 0; k < c->K; k++)
            sum_add(&sum, (double)a[k], (double)b[k]);
        const double product = sum.value, b_m = bias ? (double)bias[i % c->M] : 0,
                     r = residual ? (double)residual[i] : 0;
        sum_add(&sum, b_m, 1);
        sum_add(&sum, r, 1);
        exact[i] = bounded_sum(sum, c->K + 2);
        /* Whatever two of the three are added first, and the product before them. */
        const double part = fmax(fmax(fabs(product), fabs(product + b_m)),
                                 fmax(fabs(product + r), fabs(b_m + r)));
        for (int rounded = 0; residual && rounded < 1 + (bias != NULL); rounded++)
            exact[i] = added_to(exact[i], part, dtype);
    }
    return exact;
}

static void forward_run(const struct linear_case *c, enum dtype dtype)
{
    const enum dtype out_type = c->wide_out ? DTYPE_F32 : dtype;
    const bool in_place = c->residual == RESIDUAL_IS_OUT;
    struct operand in = random_matrix(dtype, c->T, c->K);
    struct operand weight = random_matrix(dtype, c->M, c->K);
    struct operand bias = random_vector(dtype, c->M);
    struct operand residual = random_matrix(out_type, c->T, c->M);
    struct operand out = in_place ? residual : poisoned_matrix(out_type, c->T, c->M);
    const struct bounded *exact = forward_exact(
        c, host_data(&in), host_data(&weight), c->biased ? host_data(&bias) : NULL,
        c->residual != NO_RESIDUAL ? host_data(&residual) : NULL, out_type);

    EACH_SIDE(side)
    {
        const struct tensor *last = c->residual == NO_RESIDUAL ? NULL : &residual.on[side];
        (c->decode ? linear_decode : linear_forward)(
            backends[side], &out.on[side], &in.on[side], &weight.on[side],
            c->biased ? &bias.on[side] : NULL, in_place ? &out.on[side] : last);
    }
    check_operand("out", &out, exact);
}

static void forward_case(int64_t T, int64_t M, int64_t K, enum dtype dtype)
{
    const bool wide = dtype == DTYPE_BF16 && random_between(0, 2) == 0;

    for (int i = 0; i < 6; i++) { /* each residual, with and without a bias */
        struct linear_case c = {.T = T, .M = M, .K = K, .biased = i % 2, .wide_out = wide};
        c.residual = i / 2;
        for (int decode = 0; decode <= 1; decode++) {
            c.decode = decode;
            case_begin("%s %s T=%lld M=%lld K=%lld bias %d residual %d f32 out %d odd %d",
                       decode ? "linear_decode" : "linear_forward", dtype_name(dtype),
                       (long long)T, (long long)M, (long long)K, c.biased, (int)c.residual,
                       c.wide_out, shifted);
            forward_run(&c, dtype);
            release_all();
        }
    }
}

static void forward(enum dtype dtype)
{
    for (shifted = false;; shifted = true) {
        forward_case(1, 1, 1, dtype);
        forward_case(1, 17, 683, dtype);
        forward_case(7, 6, 80, dtype);
        forward_case(33, 64, 64, dtype);
        forward_case(2, 130, 33, dtype);
        if (!small) {
            forward_case(128, 256, 192, dtype);
            forward_case(97, 35, 400, dtype);
            forward_case(300, 500, 700, dtype);
        }
        forward_case(random_between(1, small ? 40 : 200), random_between(1, 120),
                     random_between(1, small ? 90 : 900), dtype);
        if (shifted)
            break;
    }
}
BOTH_TYPES(forward)

/* d_in[t,k] = sum_m d_out[t,m] weight[m,k] (+ what was there) */
static struct bounded *input_exact(const struct linear_case *c, const float *d_out,
                                   const float *weight, const float *before,
                                   enum dtype dtype)
{
    struct bounded *exact = keep(struct bounded, c->T * c->K);

#pragma omp parallel for
    for (int64_t t = 0; t < c->T; t++) {
        struct sum *row = memory_allocate_array((size_t)c->K, sizeof *row);
        for (int64_t k = 0; k < c->K; k++)
            sum_add(&row[k], before ? (double)before[t * c->K + k] : 0, 1);
        for (int64_t m = 0; m < c->M; m++)
            for (int64_t k = 0; k < c->K; k++)
                sum_add(&row[k], (double)d_out[t * c->M + m], (double)weight[m * c->K + k]);
        for (int64_t k = 0; k < c->K; k++)
            exact[t * c->K + k] =
                before ? added_to(bounded_sum(row[k], c->M + 1),
                                  row[k].value - (double)before[t * c->K + k], dtype)
                       : bounded_sum(row[k], c->M + 1);
        free(row);
    }
    return exact;
}

/* d_weight[m,k] += sum_t d_out[t,m] in[t,k] */
static struct bounded *weight_exact(const struct linear_case *c, const float *d_out,
                                    const float *in, const float *before)
{
    struct bounded *exact = keep(struct bounded, c->M * c->K);

#pragma omp parallel for
    for (int64_t m = 0; m < c->M; m++) {
        struct sum *row = memory_allocate_array((size_t)c->K, sizeof *row);
        for (int64_t k = 0; k < c->K; k++)
            sum_add(&row[k], (double)before[m * c->K + k], 1);
        for (int64_t t = 0; t < c->T; t++)
            for (int64_t k = 0; k < c->K; k++)
                sum_add(&row[k], (double)d_out[t * c->M + m], (double)in[t * c->K + k]);
        for (int64_t k = 0; k < c->K; k++)
            exact[m * c->K + k] = bounded_sum(row[k], c->T + 1);
        free(row);
    }
    return exact;
}

static struct bounded *bias_exact(const struct linear_case *c, const float *d_out,
                                  const float *before)
{
    struct bounded *exact = keep(struct bounded, c->M);

    for (int64_t m = 0; m < c->M; m++) {
        struct sum sum = {0};
        sum_add(&sum, (double)before[m], 1);
        for (int64_t t = 0; t < c->T; t++)
            sum_add(&sum, (double)d_out[t * c->M + m], 1);
        exact[m] = bounded_sum(sum, c->T + 1);
    }
    return exact;
}

static void backward_case(int64_t T, int64_t M, int64_t K, enum dtype dtype)
{
    for (int biased = 0; biased <= 1; biased++) { /* accumulates where it has no bias */
        const struct linear_case c = {.T = T, .M = M, .K = K};
        case_begin("linear backward %s T=%lld M=%lld K=%lld bias %d odd %d",
                   dtype_name(dtype), (long long)T, (long long)M, (long long)K, biased,
                   shifted);
        struct operand in = random_matrix(dtype, T, K), weight = random_matrix(dtype, M, K);
        struct operand d_out = random_matrix(dtype, T, M);
        struct operand d_in =
            biased ? poisoned_matrix(dtype, T, K) : random_matrix(dtype, T, K);
        struct operand d_weight = random_matrix(DTYPE_F32, M, K);
        struct operand d_bias = random_vector(DTYPE_F32, M);
        const struct bounded *d_in_exact =
            input_exact(&c, host_data(&d_out), host_data(&weight),
                        biased ? NULL : host_data(&d_in), dtype);
        const struct bounded *d_weight_exact =
            weight_exact(&c, host_data(&d_out), host_data(&in), host_data(&d_weight));
        const struct bounded *d_bias_exact =
            bias_exact(&c, host_data(&d_out), host_data(&d_bias));
        EACH_SIDE(side)
        {
            linear_backward_input(backends[side], &d_in.on[side], &d_out.on[side],
                                  &weight.on[side], !biased);
            linear_backward_weight(backends[side], &d_weight.on[side],
                                   biased ? &d_bias.on[side] : NULL, &d_out.on[side],
                                   &in.on[side]);
        }
        check_operand("d_in", &d_in, d_in_exact);
        check_operand("d_weight", &d_weight, d_weight_exact);
        if (biased)
            check_operand("d_bias", &d_bias, d_bias_exact);
        release_all();
    }
}

static void backward(enum dtype dtype)
{
    for (shifted = false;; shifted = true) {
        backward_case(1, 1, 1, dtype);
        backward_case(1, 80, 6, dtype);
        backward_case(7, 64, 17, dtype);
        backward_case(33, 6, 80, dtype);
        backward_case(64, 32, 64, dtype);
        if (!small) {
            backward_case(97, 35, 400, dtype);
            backward_case(410, 70, 33, dtype);
            backward_case(2000, 24, 40, dtype); /* a long sum, for d_weight and d_bias */
            backward_case(300, 500, 700, dtype);
        }
        backward_case(random_between(1, small ? 40 : 300), random_between(1, 120),
                      random_between(1, 120), dtype);
        if (shifted)
            break;
    }
}
BOTH_TYPES(backward)

/* Products in and out of columns of wider matrices leave the other columns alone. */
static void columns_case(int64_t T, int64_t M, int64_t K, int64_t first, enum dtype dtype)
{
    const struct linear_case c = {.T = T, .M = M, .K = K};
    case_begin("columns %s T=%lld M=%lld K=%lld from %lld", dtype_name(dtype), (long long)T,
               (long long)M, (long long)K, (long long)first);
    struct operand parents[] = {random_matrix(dtype, T, K + 9),
                                random_matrix(dtype, M, K + 16),
                                random_matrix(dtype, T, M + first + 3)};
    struct operand in = operand_columns(&parents[0], 8, K);
    struct operand weight = operand_columns(&parents[1], 16, K);
    struct operand out = operand_columns(&parents[2], first, M);
    float *packed[3]; /* the three views, without what lies beside them */
    const struct operand *views[] = {&in, &weight, &out};

    for (int i = 0; i < 3; i++) {
        const struct tensor *view = &views[i]->on[HOST];
        packed[i] = keep(float, tensor_count(view));
        for (int64_t j = 0; j < tensor_count(view); j++)
            packed[i][j] =
                ((float *)view
                     ->data)[j / view->shape[1] * view->row_stride + j % view->shape[1]];
    }
    const struct bounded *sums =
        forward_exact(&c, packed[0], packed[1], NULL, packed[2], dtype);
    struct bounded *exact = keep(struct bounded, tensor_count(&parents[2].on[HOST]));
    for (int64_t i = 0; i < T * (M + first + 3); i++) {
        const int64_t t = i / (M + first + 3), m = i % (M + first + 3) - first;
        const bool inside = m >= 0 && m < M;
        exact[i] = inside ? sums[t * M + m]
                          : (struct bounded){(double)host_data(&parents[2])[i], 0};
    }
    EACH_SIDE(side)
    linear_forward(backends[side], &out.on[side], &in.on[side], &weight.on[side], NULL,
                   &out.on[side]);
    check_operand("out", &parents[2], exact);
    release_all();
}

static void columns(enum dtype dtype)
{
    columns_case(1, 1, 1, 0, dtype);
    columns_case(33, 16, 64, 8, dtype);
    columns_case(50, 77, 90, 5, dtype);
    columns_case(small ? 20 : 130, 64, 128, 64, dtype);
}
BOTH_TYPES(columns)

/* d_weight and d_in of views: the gradient of a part of a joined weight. */
static void column_gradients(enum dtype dtype)
{
    enum { T = 45, M = 24, K = 40, WIDE = 72 };
    const struct linear_case c = {.T = T, .M = M, .K = K};

    case_begin("gradients of columns %s", dtype_name(dtype));
    struct operand d_out = random_matrix(dtype, T, M), in = random_matrix(dtype, T, K);
    struct operand weight = random_matrix(dtype, M, K);
    struct operand parents[] = {random_matrix(DTYPE_F32, M, WIDE),
                                random_matrix(dtype, T, WIDE)};
    const int64_t rows[] = {M, T};
    struct bounded *exact[2];
    for (int i = 0; i < 2; i++) {
        float *before = keep(float, rows[i] * K);
        exact[i] = keep(struct bounded, rows[i] * WIDE);
        for (int64_t j = 0; j < rows[i] * WIDE; j++)
            exact[i][j] = (struct bounded){(double)host_data(&parents[i])[j], 0};
        for (int64_t j = 0; j < rows[i] * K; j++)
            before[j] = host_data(&parents[i])[j / K * WIDE + 16 + j % K];
        const struct bounded *inner =
            i == 0 ? weight_exact(&c, host_data(&d_out), host_data(&in), before)
                   : input_exact(&c, host_data(&d_out), host_data(&weight), before, dtype);
        for (int64_t j = 0; j < rows[i] * K; j++)
            exact[i][j / K * WIDE + 16 + j % K] = inner[j];
    }
    struct operand d_weight = operand_columns(&parents[0], 16, K);
    struct operand d_in = operand_columns(&parents[1], 16, K);
    EACH_SIDE(side)
    {
        linear_backward_weight(backends[side], &d_weight.on[side], NULL, &d_out.on[side],
                               &in.on[side]);
        linear_backward_input(backends[side], &d_in.on[side], &d_out.on[side],
                              &weight.on[side], true);
    }
    check_operand("d_weight", &parents[0], exact[0]);
    check_operand("d_in", &parents[1], exact[1]);
    release_all();
}
BOTH_TYPES(column_gradients)

/* A batch without tokens changes nothing. */
static void no_rows(enum dtype dtype)
{
    case_begin("no rows");
    struct operand in = random_matrix(dtype, 0, 8), out = random_matrix(dtype, 0, 4);
    struct operand weight = random_matrix(dtype, 4, 8);
    struct operand d_weight = random_matrix(DTYPE_F32, 4, 8);
    struct operand d_bias = random_vector(DTYPE_F32, 4);
    struct backend *device = backends[DEVICE];

    linear_forward(device, &out.on[DEVICE], &in.on[DEVICE], &weight.on[DEVICE], NULL, NULL);
    linear_decode(device, &out.on[DEVICE], &in.on[DEVICE], &weight.on[DEVICE], NULL, NULL);
    linear_backward_input(device, &in.on[DEVICE], &out.on[DEVICE], &weight.on[DEVICE],
                          false);
    linear_backward_weight(device, &d_weight.on[DEVICE], &d_bias.on[DEVICE],
                           &out.on[DEVICE], &in.on[DEVICE]);
    assert_same_bits("d_weight", fetch(&d_weight.on[DEVICE]), host_data(&d_weight), 128);
    assert_same_bits("d_bias", fetch(&d_bias.on[DEVICE]), host_data(&d_bias), 16);
    release_all();
}
BOTH_TYPES(no_rows)

/* The first rows of `in`, and the last ones, have the bits they have among all. */
static void invariance_case(int64_t M, int64_t K, enum dtype dtype, enum dtype out_type)
{
    static const int64_t sizes[] = {1, 2, 3, 17, 64, 65, 300, 512};
    const int64_t most = small ? 65 : 512;
    const size_t row_bytes = (size_t)M * dtype_bytes(out_type);

    case_begin("linear_decode %s to %s M=%lld K=%lld odd %d", dtype_name(dtype),
               dtype_name(out_type), (long long)M, (long long)K, shifted);
    struct operand in = random_matrix(dtype, most, K), weight = random_matrix(dtype, M, K);
    struct operand bias = random_vector(dtype, M);
    struct operand out = poisoned_matrix(out_type, most, M);
    linear_decode(backends[DEVICE], &out.on[DEVICE], &in.on[DEVICE], &weight.on[DEVICE],
                  &bias.on[DEVICE], NULL);
    const unsigned char *all = fetch(&out.on[DEVICE]);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] <= most; i++)
        for (int last = 0; last <= 1; last++) {
            const int64_t first = last ? most - sizes[i] : 0;
            const struct tensor part = tensor_rows(&in.on[DEVICE], first, sizes[i]);
            struct tensor result = tensor_rows(&out.on[DEVICE], 0, sizes[i]);
            char what[64];
            snprintf(what, sizeof what, "rows from %lld, T=%lld", (long long)first,
                     (long long)sizes[i]);
            poison(&out);
            linear_decode(backends[DEVICE], &result, &part, &weight.on[DEVICE],
                          &bias.on[DEVICE], NULL);
            assert_same_bits(what, fetch(&result), all + (size_t)first * row_bytes,
                             (size_t)sizes[i] * row_bytes);
        }
    /* And they are right. */
    const struct linear_case c = {.T = 2, .M = M, .K = K};
    poison(&out);
    const struct tensor part = tensor_rows(&in.on[DEVICE], 0, 2);
    struct tensor result = tensor_rows(&out.on[DEVICE], 0, 2);
    linear_decode(backends[DEVICE], &result, &part, &weight.on[DEVICE], &bias.on[DEVICE],
                  NULL);
    const struct operand two = {{result}};
    check_floats("out", fetch_floats(&two), out_type,
                 forward_exact(&c, host_data(&in), host_data(&weight), host_data(&bias),
                               NULL, out_type),
                 2 * M);
    release_all();
}

static void rows_are_independent(enum dtype dtype)
{
    invariance_case(77, 500, dtype, dtype);
    shifted = true;
    invariance_case(77, 501, dtype, dtype);
    shifted = false;
    invariance_case(320, 192, dtype, DTYPE_F32);
    if (small)
        return;
    invariance_case(256, 1536, dtype, dtype);
    invariance_case(2048, 1536, dtype, dtype);
    invariance_case(1536, 2048, dtype, dtype);
    invariance_case(4096, 4096, dtype, dtype);
    invariance_case(2560, 4096, dtype, DTYPE_F32);
}
BOTH_TYPES(rows_are_independent)

/* One call of each product into fresh copies of the same operands. */
static void all_products(const struct operand *o, struct operand *out)
{
    struct backend *device = backends[DEVICE];
    const struct tensor *in = &o[0].on[DEVICE], *weight = &o[1].on[DEVICE];
    const struct tensor *bias = &o[2].on[DEVICE], *d_out = &o[3].on[DEVICE];

    linear_forward(device, &out[0].on[DEVICE], in, weight, bias, NULL);
    linear_decode(device, &out[1].on[DEVICE], in, weight, bias, NULL);
    linear_backward_input(device, &out[2].on[DEVICE], d_out, weight, true);
    linear_backward_weight(device, &out[3].on[DEVICE], &out[4].on[DEVICE], d_out, in);
}

static void repeat_case(int64_t T, int64_t M, int64_t K, enum dtype dtype)
{
    case_begin("repeat %s T=%lld M=%lld K=%lld", dtype_name(dtype), (long long)T,
               (long long)M, (long long)K);
    const struct operand operands[] = {random_matrix(dtype, T, K),
                                       random_matrix(dtype, M, K), random_vector(dtype, M),
                                       random_matrix(dtype, T, M)};
    struct operand first[] = {poisoned_matrix(dtype, T, M), poisoned_matrix(dtype, T, M),
                              random_matrix(dtype, T, K), random_matrix(DTYPE_F32, M, K),
                              random_vector(DTYPE_F32, M)};
    struct operand again[5];

    for (int i = 0; i < 5; i++)
        again[i] = operand_copy(&first[i]);
    all_products(operands, first);
    all_products(operands, again);
    for (int i = 0; i < 5; i++)
        assert_same_bits("a second call", fetch(&first[i].on[DEVICE]),
                         fetch(&again[i].on[DEVICE]), tensor_bytes(&first[i].on[DEVICE]));
    release_all();
}

static void bits_repeat(enum dtype dtype)
{
    repeat_case(300, 200, 450, dtype);
    repeat_case(3, 65, 1000, dtype);
    if (!small)
        repeat_case(2048, 1536, 1024, dtype);
}
BOTH_TYPES(bits_repeat)

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(forward),          gpu_tests(backward), gpu_tests(columns),
        gpu_tests(column_gradients), gpu_tests(no_rows),  gpu_tests(rows_are_independent),
        gpu_tests(bits_repeat)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
