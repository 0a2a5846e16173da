#include "tests/gpu/gpu_fixture.h"

#include "tests/fp8_reference.h"

/*
 * Products of FP8 numbers (backend/fp8.h) against sums in fp64 of numbers that were rounded
 * here, by looking for the nearest of all, and against PyTorch's.
 */

/* fp8_rows(), freed with the case. */
static double *quantised(const float *rows, int64_t count, int64_t columns, float *scales)
{
    double *out = keep(double, count *columns);

    fp8_rows(out, scales, rows, count, columns);
    return out;
}

struct fp8_case {
    int64_t T, M, K;
    bool biased, residual;
};

/*
 * How Hopper's tensor cores add: 32 products at a time to what they have. All of these are
 * aligned to the greatest of them and cut off 13 bits behind its first, and so is their sum
 * (DeepSeek-V3, arXiv:2412.19437, 3.3.2 and 3.5.2; Xie et al., arXiv:2511.10909). Each of
 * them, however small, may thus lose 2^-13 of the GREATEST. Fast sums stay there; others
 * leave for fp32 every 128 terms.
 */
enum { STEP_TERMS = 32, KEPT_TERMS = 128 };

/* What is kept there. `low` and `high` are the least and the greatest that it was: the
 * depth may be split among blocks, whose sums begin at any step and are within their
 * difference. */
struct kept_sum {
    double sum, low, high;
    double error;
};

static void kept_add(struct kept_sum *kept, double sum, double most, int64_t terms)
{
    kept->error +=
        0x1p-13 * (double)(terms + 1) * fmax(most, kept->high - kept->low + kept->error);
    kept->sum += sum;
    kept->low = fmin(kept->low, kept->sum);
    kept->high = fmax(kept->high, kept->sum);
    kept->error += 0x1p-13 * (kept->high - kept->low + kept->error);
}

/* sum over k of x[k] y[k], exactly: its terms have few bits. */
static struct bounded dot_exact(const double *x, const double *y, int64_t depth, bool fast)
{
    struct kept_sum kept = {0};
    double value = 0, magnitude = 0, error = 0;

    for (int64_t first = 0; first < depth; first += STEP_TERMS) {
        const int64_t end = first + STEP_TERMS < depth ? first + STEP_TERMS : depth;
        double sum = 0, all = 0, most = 0;
#pragma omp simd reduction(+ : sum, all) reduction(max : most)
        for (int64_t k = first; k < end; k++) {
            const double term = x[k] * y[k], size = fabs(term);
            sum += term;
            all += size;
            most = size > most ? size : most;
        }
        kept_add(&kept, sum, most, end - first);
        value += sum;
        magnitude += all;
        if (end == depth || (!fast && end % KEPT_TERMS == 0)) {
            error += kept.error;
            kept = (struct kept_sum){0};
        }
    }
    return (struct bounded){value, error + sum_error(depth) * magnitude};
}

/* exact [rows, columns] = a_scales[i] b_scales[j] sum over k of a[i,k] b[j,k] */
static struct bounded *product_exact(const double *a, const float *a_scales, int64_t rows,
                                     const double *b, const float *b_scales,
                                     int64_t columns, int64_t depth, bool fast)
{
    struct bounded *exact = keep(struct bounded, rows * columns);

#pragma omp parallel for
    for (int64_t i = 0; i < rows * columns; i++) {
        const int64_t row = i / columns, column = i % columns;
        const double by = (double)a_scales[row] * (double)b_scales[column];
        const struct bounded sum =
            dot_exact(a + row * depth, b + column * depth, depth, fast);
        exact[i] = (struct bounded){by * sum.value, by * sum.error};
    }
    return exact;
}

/* What is added is rounded with or without the product: bias and residual first. */
static void add_exact(struct bounded *exact, double added)
{
    exact->error += 2 * storing_error(fabs(added), DTYPE_BF16) +
                    2 * storing_error(fabs(exact->value) + exact->error, DTYPE_BF16);
    exact->value += added;
}

/* [columns, rows] of [rows, columns]. */
static float *transposed(const float *matrix, int64_t rows, int64_t columns)
{
    float *out = keep(float, rows *columns);

    for (int64_t i = 0; i < rows * columns; i++)
        out[i % columns * rows + i / columns] = matrix[i];
    return out;
}

/* [T, M] of [T, K] and [M, K]. */
static struct bounded *forward_exact(const struct operand *in, const struct operand *weight)
{
    const int64_t T = in->on[HOST].shape[0], K = in->on[HOST].shape[1];
    const int64_t M = weight->on[HOST].shape[0];
    float *scales = keep(float, T), *weight_scales = keep(float, M);
    const double *in8 = quantised(host_data(in), T, K, scales);
    const double *weight8 = quantised(host_data(weight), M, K, weight_scales);

    return product_exact(in8, scales, T, weight8, weight_scales, M, K, true);
}

/* [T, K] of [T, M] and [M, K]. */
static struct bounded *backward_exact(const struct operand *d_out,
                                      const struct operand *weight)
{
    const int64_t M = weight->on[HOST].shape[0], K = weight->on[HOST].shape[1];
    const int64_t T = d_out->on[HOST].shape[0];
    float *scales = keep(float, T), *weight_scales = keep(float, K);
    const double *d_out8 = quantised(host_data(d_out), T, M, scales);
    const double *weight8 =
        quantised(transposed(host_data(weight), M, K), K, M, weight_scales);

    return product_exact(d_out8, scales, T, weight8, weight_scales, K, M, false);
}

/* `count` rows of very different sizes, as gradients have them, and in each a number that
 * stands out and is to be found, as activations have them. Element i of a row is `apart`
 * from the next, a row `step` from the next. */
static void make_uneven(float *rows, int64_t count, int64_t step, int64_t columns,
                        int64_t apart)
{
    for (int64_t r = 0; r < count; r++) {
        const float by = ldexpf(1, (int)random_between(-30, 10));
        for (int64_t i = 0; i < columns; i++)
            rows[r * step + i * apart] *= by;
        rows[r * step + random_between(0, columns - 1) * apart] *= 16;
    }
}

static struct operand uneven_matrix(int64_t rows, int64_t columns)
{
    struct operand operand = random_matrix(DTYPE_BF16, rows, columns);

    make_uneven(host_data(&operand), rows, columns, columns, 1);
    operand_send(&operand);
    return operand;
}

/* Its columns are: a weight of the backward. */
static struct operand uneven_columns(int64_t rows, int64_t columns)
{
    struct operand operand = random_matrix(DTYPE_BF16, rows, columns);

    make_uneven(host_data(&operand), columns, 1, rows, columns);
    operand_send(&operand);
    return operand;
}

static void forward_run(const struct fp8_case *c)
{
    struct operand in = uneven_matrix(c->T, c->K), weight = uneven_matrix(c->M, c->K);
    shifted = false; /* what cuBLASLt writes lies on whole accesses */
    struct operand bias = random_vector(DTYPE_BF16, c->M);
    struct operand residual = random_matrix(DTYPE_BF16, c->T, c->M);
    struct operand out = poisoned_matrix(DTYPE_BF16, c->T, c->M);
    struct bounded *exact = forward_exact(&in, &weight);

    for (int64_t i = 0; i < c->T * c->M; i++) {
        const double b = c->biased ? (double)host_data(&bias)[i % c->M] : 0;
        if (c->biased || c->residual)
            add_exact(&exact[i], b + (c->residual ? (double)host_data(&residual)[i] : 0));
    }
    weight.on[DEVICE].fp8 = true;
    linear_forward(backends[DEVICE], &out.on[DEVICE], &in.on[DEVICE], &weight.on[DEVICE],
                   c->biased ? &bias.on[DEVICE] : NULL,
                   c->residual ? &residual.on[DEVICE] : NULL);
    check_operand("out", &out, exact);
}

static void backward_run(const struct fp8_case *c, bool accumulate)
{
    struct operand weight = uneven_columns(c->M, c->K), d_out = uneven_matrix(c->T, c->M);
    shifted = false;
    struct operand d_in = accumulate ? random_matrix(DTYPE_BF16, c->T, c->K)
                                     : poisoned_matrix(DTYPE_BF16, c->T, c->K);
    struct bounded *exact = backward_exact(&d_out, &weight);

    for (int64_t i = 0; i < c->T * c->K && accumulate; i++)
        add_exact(&exact[i], (double)host_data(&d_in)[i]);
    weight.on[DEVICE].fp8 = true;
    linear_backward_input(backends[DEVICE], &d_in.on[DEVICE], &d_out.on[DEVICE],
                          &weight.on[DEVICE], accumulate);
    check_operand("d_in", &d_in, exact);
}

static void products_case(int64_t T, int64_t M, int64_t K, bool odd)
{
    for (int i = 0; i < 4; i++) {
        const struct fp8_case c = {
            .T = T, .M = M, .K = K, .biased = i % 2, .residual = i / 2};
        case_begin("FP8 T=%lld M=%lld K=%lld bias %d residual %d odd %d", (long long)T,
                   (long long)M, (long long)K, c.biased, c.residual, odd);
        shifted = odd;
        forward_run(&c);
        release_all();
        shifted = odd;
        backward_run(&c, c.biased);
        release_all();
    }
}

/* Skips where the device has no such products. */
static void fp8_required(void)
{
    struct backend *other = NULL;
    struct error error = {0};

    require(DTYPE_BF16);
    if (device_is_cpu())
        skip();
    if (backend_open(&other,
                     &(struct backend_options){.device = "cuda", .precision = "fp8"},
                     &error)) {
        print_message("             skipped: %s\n", error.message);
        skip();
    }
    assert_true(backend_fp8(other) && backend_compute_dtype(other) == DTYPE_BF16);
    assert_false(backend_fp8(backends[DEVICE]));
    backend_close(other);
}

static void test_products(void **state)
{
    (void)state;
    fp8_required();
    for (int odd = 0; odd <= 1; odd++) {
        products_case(1, 16, 16, odd);
        products_case(33, 80, 144, odd);
        products_case(7, 208, 1040, odd); /* more than a block's threads take at once */
        if (!small) { /* more than a tile of 128 x 128, sums of many steps both ways */
            products_case(140, 272, 1168, odd);
            products_case(140, 1168, 272, odd);
        }
        products_case(random_between(1, 50), 16 * random_between(1, 8),
                      16 * random_between(1, 12), odd);
    }
}

static struct operand golden_matrix(const cJSON *golden, const char *name, int64_t rows,
                                    int64_t columns)
{
    struct operand operand = operand_make(DTYPE_BF16, 2, rows, columns);
    double *read = fp8_golden_read(golden, name, rows * columns);

    for (int64_t i = 0; i < rows * columns; i++)
        host_data(&operand)[i] = (float)read[i];
    free(read);
    operand_send(&operand);
    return operand;
}

/* PyTorch's numbers, within the bounds of `exact`. */
static void golden_check(const char *what, const struct operand *operand,
                         const cJSON *golden, struct bounded *exact)
{
    const int64_t count = tensor_count(&operand->on[DEVICE]);
    double *read = fp8_golden_read(golden, what, count);

    for (int64_t i = 0; i < count; i++)
        exact[i].value = read[i];
    free(read);
    check_operand(what, operand, exact);
}

static void test_agrees_with_pytorch(void **state)
{
    int64_t T, M, K;

    (void)state;
    fp8_required();
    case_begin("PyTorch's");
    cJSON *golden = fp8_golden(&T, &M, &K);
    struct operand in = golden_matrix(golden, "in", T, K);
    struct operand weight = golden_matrix(golden, "weight", M, K);
    struct operand d_out = golden_matrix(golden, "d_out", T, M);
    struct operand out = poisoned_matrix(DTYPE_BF16, T, M);
    struct operand d_in = poisoned_matrix(DTYPE_BF16, T, K);
    weight.on[DEVICE].fp8 = true;
    linear_forward(backends[DEVICE], &out.on[DEVICE], &in.on[DEVICE], &weight.on[DEVICE],
                   NULL, NULL);
    linear_backward_input(backends[DEVICE], &d_in.on[DEVICE], &d_out.on[DEVICE],
                          &weight.on[DEVICE], false);
    golden_check("out", &out, golden, forward_exact(&in, &weight));
    golden_check("d_in", &d_in, golden, backward_exact(&d_out, &weight));
    cJSON_Delete(golden);
    release_all();
}

/* Zeros stay zeros, NaN and infinity stay in their row, the tiniest numbers do no harm. */
static void test_rows_beyond_numbers(void **state)
{
    enum { T = 6, M = 32, K = 48 };
    /* The last is small enough for the product of 448 x 448 and its row's scale. */
    static const float filled[T] = {1, 0, NAN, INFINITY, 1e-38F, 1e33F};

    (void)state;
    fp8_required();
    case_begin("rows of odd numbers");
    struct operand in = operand_make(DTYPE_BF16, 2, T, K);
    struct operand weight = random_matrix(DTYPE_BF16, M, K);
    struct operand out = poisoned_matrix(DTYPE_BF16, T, M);
    for (int i = 0; i < T * K; i++) /* but for the first, a number among ones */
        host_data(&in)[i] = i % K == 7 || i / K == 1 || i / K == 4 ? filled[i / K] : 1;
    operand_send(&in);
    weight.on[DEVICE].fp8 = true;
    linear_forward(backends[DEVICE], &out.on[DEVICE], &in.on[DEVICE], &weight.on[DEVICE],
                   NULL, NULL);
    const float *result = fetch_floats(&out);
    for (int i = 0; i < T * M; i++) {
        if (i / M == 2 || i / M == 3)
            assert_true(isnan(result[i]));
        else
            assert_true(isfinite(result[i]));
        if (i / M == 1)
            assert_true(result[i] == 0);
        if (i / M == 4)
            assert_true(fabsf(result[i]) < 1e-30F);
    }
    release_all();
}

/* A row's product is its own, and a second call gives its bits again. */
static void test_bits_repeat(void **state)
{
    enum { T = 40, M = 96, K = 192 };

    (void)state;
    fp8_required();
    case_begin("bits");
    struct operand in = uneven_matrix(T, K), weight = uneven_matrix(M, K);
    struct operand d_out = uneven_matrix(T, M);
    struct operand out[] = {poisoned_matrix(DTYPE_BF16, T, M),
                            poisoned_matrix(DTYPE_BF16, T, M)};
    struct operand d_in[] = {poisoned_matrix(DTYPE_BF16, T, K),
                             poisoned_matrix(DTYPE_BF16, T, K)};
    weight.on[DEVICE].fp8 = true;
    for (int i = 0; i < 2; i++) {
        linear_forward(backends[DEVICE], &out[i].on[DEVICE], &in.on[DEVICE],
                       &weight.on[DEVICE], NULL, NULL);
        linear_backward_input(backends[DEVICE], &d_in[i].on[DEVICE], &d_out.on[DEVICE],
                              &weight.on[DEVICE], false);
    }
    assert_same_bits("out", fetch(&out[0].on[DEVICE]), fetch(&out[1].on[DEVICE]),
                     tensor_bytes(&out[0].on[DEVICE]));
    assert_same_bits("d_in", fetch(&d_in[0].on[DEVICE]), fetch(&d_in[1].on[DEVICE]),
                     tensor_bytes(&d_in[0].on[DEVICE]));
    release_all();
}

/* SwiGLU between its two matrices, with `marked` its FP8 numbers made in passing. */
struct feed_forward {
    struct operand activated, out, d_gate_up, again, d_in;
};

static struct feed_forward feed_forward_run(const struct operand *gate_up,
                                            const struct operand *d_activated,
                                            const struct operand *w_gate_up,
                                            const struct operand *w_down, bool marked)
{
    struct backend *backend = backends[DEVICE];
    struct tensor gate_up8 = w_gate_up->on[DEVICE], down8 = w_down->on[DEVICE];
    const int64_t T = gate_up->on[DEVICE].shape[0], F = down8.shape[1], C = down8.shape[0];
    struct feed_forward run = {
        .activated = poisoned_matrix(DTYPE_BF16, T, F),
        .out = poisoned_matrix(DTYPE_BF16, T, C),
        .d_gate_up = poisoned_matrix(DTYPE_BF16, T, 2 * F),
        .again = poisoned_matrix(DTYPE_BF16, T, F),
        .d_in = poisoned_matrix(DTYPE_BF16, T, C),
    };
    struct tensor activated = run.activated.on[DEVICE],
                  d_gate_up = run.d_gate_up.on[DEVICE];

    gate_up8.fp8 = down8.fp8 = true;
    activated.fp8_with = marked ? &down8 : NULL;
    d_gate_up.fp8_with = marked ? &gate_up8 : NULL;
    swiglu_forward(backend, &activated, &gate_up->on[DEVICE]);
    linear_forward(backend, &run.out.on[DEVICE], &activated, &down8, NULL, NULL);
    swiglu_backward(backend, &d_gate_up, &run.again.on[DEVICE], &d_activated->on[DEVICE],
                    &gate_up->on[DEVICE]);
    linear_backward_input(backend, &run.d_in.on[DEVICE], &d_gate_up, &gate_up8, false);
    return run;
}

static void check_same(const char *what, const struct operand *a, const struct operand *b)
{
    assert_same_bits(what, fetch(&a->on[DEVICE]), fetch(&b->on[DEVICE]),
                     tensor_bytes(&a->on[DEVICE]));
}

static void passing_case(int64_t T, int64_t F, int64_t C)
{
    case_begin("FP8 in passing T=%lld F=%lld C=%lld", (long long)T, (long long)F,
               (long long)C);
    shifted = false;
    struct operand gate_up = uneven_matrix(T, 2 * F), d_activated = uneven_matrix(T, F);
    struct operand w_gate_up = uneven_matrix(2 * F, C), w_down = uneven_matrix(C, F);
    const struct feed_forward apart =
        feed_forward_run(&gate_up, &d_activated, &w_gate_up, &w_down, false);
    const struct feed_forward passing =
        feed_forward_run(&gate_up, &d_activated, &w_gate_up, &w_down, true);
    check_same("activated", &passing.activated, &apart.activated);
    check_same("out", &passing.out, &apart.out);
    check_same("d_gate_up", &passing.d_gate_up, &apart.d_gate_up);
    check_same("activated again", &passing.again, &apart.again);
    check_same("d_in", &passing.d_in, &apart.d_in);
    release_all();
}

/* A row that one block makes has the bits of rows that two kernels make one after another.
 */
static void test_in_passing(void **state)
{
    (void)state;
    fp8_required();
    passing_case(1, 16, 16);
    passing_case(5, 4112, 48); /* a block's threads more than once */
    passing_case(2, 58128,
                 16); /* the backward's row is too long for shared memory: apart */
    passing_case(random_between(2, 20), 16 * random_between(2, 40), 32);
}

/* Numbers that another product has overwritten are made again, and those of other rows or
 * for another weight are not taken. */
static void test_made_for_others(void **state)
{
    enum { T = 3, F = 64, C = 32 };
    struct backend *backend = backends[DEVICE];

    (void)state;
    fp8_required();
    case_begin("FP8 numbers of others");
    struct operand gate_up = uneven_matrix(T, 2 * F), other = uneven_matrix(T, F);
    struct operand w_down = uneven_matrix(C, F), w_other = uneven_matrix(C, F);
    struct operand activated = poisoned_matrix(DTYPE_BF16, T, F);
    struct operand out[4];
    for (int i = 0; i < 4; i++)
        out[i] = poisoned_matrix(DTYPE_BF16, T, C);
    struct tensor down8 = w_down.on[DEVICE], other8 = w_other.on[DEVICE];
    struct tensor rows = activated.on[DEVICE], other_rows = other.on[DEVICE];
    down8.fp8 = other8.fp8 = true;
    rows.fp8_with = other_rows.fp8_with = &down8;
    swiglu_forward(backend, &rows, &gate_up.on[DEVICE]);
    linear_forward(backend, &out[0].on[DEVICE], &other_rows, &down8, NULL, NULL);
    linear_forward(backend, &out[1].on[DEVICE], &rows, &down8, NULL, NULL);
    other_rows.fp8_with = rows.fp8_with = NULL;
    linear_forward(backend, &out[2].on[DEVICE], &other_rows, &down8, NULL, NULL);
    linear_forward(backend, &out[3].on[DEVICE], &rows, &down8, NULL, NULL);
    check_same("other rows", &out[0], &out[2]);
    check_same("overwritten", &out[1], &out[3]);
    rows.fp8_with = &down8;
    swiglu_forward(backend, &rows, &gate_up.on[DEVICE]);
    linear_forward(backend, &out[0].on[DEVICE], &rows, &other8, NULL, NULL);
    rows.fp8_with = NULL;
    linear_forward(backend, &out[1].on[DEVICE], &rows, &other8, NULL, NULL);
    check_same("another weight", &out[0], &out[1]);
    release_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_products, test_end),
        cmocka_unit_test_teardown(test_agrees_with_pytorch, test_end),
        cmocka_unit_test_teardown(test_rows_beyond_numbers, test_end),
        cmocka_unit_test_teardown(test_in_passing, test_end),
        cmocka_unit_test_teardown(test_made_for_others, test_end),
        cmocka_unit_test_teardown(test_bits_repeat, test_end)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
