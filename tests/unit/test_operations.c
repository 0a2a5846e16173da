#include "tests/unit/operations_fixture.h"

#include "backend/cpu/cpu_math.h"

/* exp within 2 ulp, and what it does outside its range. */
static void test_exponential(void **state)
{
    double worst = 0;

    (void)state;
    for (int i = 0; i < 1000000; i++) {
        const float x = (float)(-87.2 + 175.2 * random_double(&numbers));
        const double exact = exp((double)x);
        const double ulp =
            (double)nextafterf((float)exact, INFINITY) - (double)(float)exact;
        worst = fmax(worst, fabs((double)exponential(x) - exact) / ulp);
    }
    assert_true(worst <= 2.0);
    assert_true(exponential(0.0f) == 1.0f);
    assert_true(exponential(-100.0f) == 0.0f);
    assert_true(exponential(-INFINITY) == 0.0f);
    assert_true(exponential(1000.0f) > 1.6e38f);
    assert_true(isnan(exponential(NAN)));
    assert_true(sigmoid(-200.0f) >= 0.0f && sigmoid(-200.0f) < 1e-37f);
    assert_true(sigmoid(200.0f) == 1.0f);
}

static void test_elementwise(void **state)
{
    const int64_t counts[] = {1, 7, 33, 16384, 16385, 50001};

    (void)state;
    for (int n = 0; n < 6; n++) {
        struct tensor a = vector(counts[n]), b = vector(counts[n]), out = vector(counts[n]);
        double squares = 0.5, expected = 0.5;
        struct tensor sum = tensor_view_1d(&squares, DTYPE_F64, 1);
        add(backend, &out, &a, &b);
        for (int64_t i = 0; i < counts[n]; i++)
            assert_true(f32(&out)[i] == f32(&a)[i] + f32(&b)[i]);
        add(backend, &b, &a, &b); /* in place */
        assert_same_bits(&out, &b);
        scale(backend, &out, 0.25f); /* a power of two: exact */
        for (int64_t i = 0; i < counts[n]; i++)
            assert_true(f32(&out)[i] == 0.25f * f32(&b)[i]);
        for (int64_t i = 0; i < counts[n]; i++)
            expected += (double)f32(&a)[i] * (double)f32(&a)[i];
        sum_of_squares(backend, &sum, &a); /* adds to the 0.5 */
        assert_near(squares, expected, 1e-12 * expected);
        fill(backend, &out, -3.0f);
        for (int64_t i = 0; i < counts[n]; i++)
            assert_true(f32(&out)[i] == -3.0f);
        tensor_free(&a);
        tensor_free(&b);
        tensor_free(&out);
    }
}

static void test_embedding(void **state)
{
    enum { V = 11, T = 333 };
    const int64_t widths[] = {1, 6, 80, 257};
    int32_t tokens[T];

    (void)state;
    for (int n = 0; n < 4; n++) {
        const int64_t C = widths[n];
        struct tensor weight = matrix(V, C), d_weight = matrix(V, C), out = matrix(T, C);
        double *expected = doubles_of(&d_weight); /* gradients are added to what is there */
        for (int t = 0; t < T; t++)
            tokens[t] = (int32_t)random_between(0, V - 1);
        embedding_backward(backend, &d_weight, &out, tokens);
        for (int64_t i = 0; i < T * C; i++)
            expected[tokens[i / C] * C + i % C] += (double)f32(&out)[i];
        for (int64_t i = 0; i < V * C; i++) /* at most T terms of magnitude below 1 */
            assert_near(f32(&d_weight)[i], expected[i], T * T * (double)FLT_EPSILON / V);
        embedding_forward(backend, &out, &weight, tokens);
        for (int64_t i = 0; i < T * C; i++)
            assert_true(f32(&out)[i] == f32(&weight)[tokens[i / C] * C + i % C]);
        free(expected);
        tensor_free(&weight);
        tensor_free(&d_weight);
        tensor_free(&out);
    }
}

/* out[t] = in[t] / sqrt(mean(in^2) + epsilon) * weight, and loss = sum out * upstream. */
struct norm_reference {
    int64_t T, C;
    double offset; /* of the weights */
    double *in, *weight, *upstream;
};

static double norm_loss(void *context)
{
    const struct norm_reference *r = context;
    double loss = 0;

    for (int64_t t = 0; t < r->T; t++) {
        double square = 0;
        for (int64_t i = 0; i < r->C; i++)
            square += r->in[t * r->C + i] * r->in[t * r->C + i];
        const double rstd = 1 / sqrt(square / (double)r->C + 1e-5);
        for (int64_t i = 0; i < r->C; i++)
            loss += r->in[t * r->C + i] * rstd * (r->weight[i] + r->offset) *
                    r->upstream[t * r->C + i];
    }
    return loss;
}

static void norm_case(int64_t T, int64_t C, float offset)
{
    struct tensor in = matrix(T, C), weight = vector(C), out = matrix(T, C);
    struct tensor d_out = matrix(T, C), rstd = vector(T);
    struct tensor d_in = matrix(T, C), d_weight = vector(C);
    struct tensor d_in0 = copy_of(&d_in), d_weight0 = copy_of(&d_weight);
    struct norm_reference r = {
        T, C, (double)offset, doubles_of(&in), doubles_of(&weight), doubles_of(&d_out)};
    double loss = 0;

    rms_norm_forward(backend, &out, &rstd, &in, &weight, offset, 1e-5f);
    for (int64_t i = 0; i < T * C; i++)
        loss += (double)f32(&out)[i] * (double)f32(&d_out)[i];
    /* Every element is off by at most C/2 + 4 roundings; |in rstd| <= sqrt(C). */
    assert_near(loss, norm_loss(&r),
                (1 + (double)offset) * (double)(T * C) * sqrt((double)C) *
                    (double)(C / 2 + 4) * (double)FLT_EPSILON);
    rms_norm_backward(backend, &d_in, &d_weight, &d_out, &in, &weight, offset, &rstd);
    for (int64_t i = 0; i < T * C; i++) /* accumulation: take off what was there */
        f32(&d_in)[i] -= f32(&d_in0)[i];
    for (int64_t i = 0; i < C; i++)
        f32(&d_weight)[i] -= f32(&d_weight0)[i];
    assert_gradient(&(struct gradient_check){norm_loss, &r, r.in, f32(&d_in), T * C, C});
    assert_gradient(
        &(struct gradient_check){norm_loss, &r, r.weight, f32(&d_weight), C, T + C});
    free(r.in);
    free(r.weight);
    free(r.upstream);
    tensor_free(&in);
    tensor_free(&weight);
    tensor_free(&out);
    tensor_free(&d_out);
    tensor_free(&rstd);
    tensor_free(&d_in);
    tensor_free(&d_weight);
    tensor_free(&d_in0);
    tensor_free(&d_weight0);
}

static void test_rms_norm(void **state)
{
    (void)state;
    norm_case(1, 6, 0.0f);
    norm_case(7, 64, 0.0f);
    norm_case(33, 80, 1.0f);
    norm_case(130, 257, 0.0f);
    norm_case(3, 17, 1.0f);
}

/* Row t alone has the bits that it has among others. */
static void test_rms_norm_rows_are_independent(void **state)
{
    struct tensor in = matrix(50, 333), weight = vector(333), rstd = vector(50);
    struct tensor out = matrix(50, 333), again = matrix(50, 333), rstd_again = vector(50);

    (void)state;
    rms_norm_forward(backend, &out, &rstd, &in, &weight, 0.0f, 1e-6f);
    for (int64_t t = 0; t < 50; t++) {
        struct tensor in_row = tensor_rows(&in, t, 1), out_row = tensor_rows(&again, t, 1);
        struct tensor rstd_row = tensor_rows(&rstd_again, t, 1);
        rms_norm_forward(backend, &out_row, &rstd_row, &in_row, &weight, 0.0f, 1e-6f);
    }
    assert_same_bits(&out, &again);
    assert_same_bits(&rstd, &rstd_again);
    tensor_free(&in);
    tensor_free(&weight);
    tensor_free(&rstd);
    tensor_free(&out);
    tensor_free(&again);
    tensor_free(&rstd_again);
}

/* The first R of a head's D turn. */
static void rope_case(int64_t T, int64_t H, int64_t G, int64_t D, int64_t R)
{
    const struct attention_shape shape = {H, G, D, 1.0f, 0, 0.0f};
    const int64_t width = (H + 2 * G) * D, P = 40;
    struct tensor qkv = matrix(T, width), table = matrix(P, R), before = copy_of(&qkv);
    int32_t *positions = memory_allocate_array((size_t)T, sizeof *positions);

    for (int64_t t = 0; t < T; t++)
        positions[t] = (int32_t)random_between(0, P - 1);
    for (int64_t p = 0; p < P; p++)
        for (int64_t i = 0; i < R / 2; i++) {
            const double angle = (double)p * pow(10000, -2.0 * (double)i / (double)R);
            f32(&table)[p * R + i] = (float)cos(angle);
            f32(&table)[p * R + R / 2 + i] = (float)sin(angle);
        }
    rope_forward(backend, &qkv, &table, positions, &shape);
    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < width; j++) {
            const int64_t i = j % D, pair = i < R / 2 ? j + R / 2 : j - R / 2;
            const float *angles = f32(&table) + positions[t] * R + i % (R / 2);
            const bool turns = j < (H + G) * D && i < R;
            const double x = (double)f32(&before)[t * width + j];
            const double y = turns ? (double)f32(&before)[t * width + pair] : 0;
            const double sine = (double)angles[R / 2] * (i < R / 2 ? -1 : 1);
            const double turned = turns ? x * (double)angles[0] + y * sine : x;
            assert_near(f32(&qkv)[t * width + j], turned,
                        turns ? 3 * (double)FLT_EPSILON : 0.0);
        }
    rope_backward(backend, &qkv, &table, positions, &shape); /* the inverse rotation */
    for (int64_t i = 0; i < T * width; i++)
        assert_near(f32(&qkv)[i], f32(&before)[i], 8 * (double)FLT_EPSILON);
    free(positions);
    tensor_free(&qkv);
    tensor_free(&table);
    tensor_free(&before);
}

static void test_rope(void **state)
{
    (void)state;
    rope_case(1, 6, 2, 6, 6);
    rope_case(7, 6, 2, 64, 64);
    rope_case(33, 3, 3, 80, 80);
    rope_case(9, 4, 2, 96, 72);
    rope_case(5, 3, 1, 11, 2);
}

struct swiglu_reference {
    int64_t T, F;
    double *gate_up, *upstream;
};

static double swiglu_loss(void *context)
{
    const struct swiglu_reference *r = context;
    double loss = 0;

    for (int64_t i = 0; i < r->T * r->F; i++) {
        const double *gate = r->gate_up + i / r->F * 2 * r->F + i % r->F;
        loss += gate[0] / (1 + exp(-gate[0])) * gate[r->F] * r->upstream[i];
    }
    return loss;
}

static void swiglu_case(int64_t T, int64_t F)
{
    struct tensor gate_up = matrix(T, 2 * F), out = matrix(T, F), d_out = matrix(T, F);
    struct tensor d_gate_up = matrix(T, 2 * F);
    double loss = 0;

    scale(backend, &gate_up, 8.0f); /* into both tails of the sigmoid */
    struct swiglu_reference r = {T, F, doubles_of(&gate_up), doubles_of(&d_out)};
    swiglu_forward(backend, &out, &gate_up);
    for (int64_t i = 0; i < T * F; i++)
        loss += (double)f32(&out)[i] * (double)f32(&d_out)[i];
    assert_near(loss, swiglu_loss(&r), (double)(T * F) * 64 * 8 * (double)FLT_EPSILON);
    struct tensor again = matrix(T, F);
    swiglu_backward(backend, &d_gate_up, &again, &d_out, &gate_up);
    assert_same_bits(&again, &out);
    fill(backend, &again, 5.0f);
    swiglu_backward(backend, &d_gate_up, NULL, &d_out, &gate_up);
    assert_true(f32(&again)[0] == 5.0f);
    tensor_free(&again);
    assert_gradient(&(struct gradient_check){swiglu_loss, &r, r.gate_up, f32(&d_gate_up),
                                             2 * T * F, 1});
    free(r.gate_up);
    free(r.upstream);
    tensor_free(&gate_up);
    tensor_free(&out);
    tensor_free(&d_out);
    tensor_free(&d_gate_up);
}

static void test_swiglu(void **state)
{
    (void)state;
    swiglu_case(1, 1);
    swiglu_case(7, 64);
    swiglu_case(33, 683);
}

/* Three steps against the formula in double. */
static void test_adamw(void **state)
{
    enum { COUNT = 33001 };
    struct adamw_step_parameters p = {
        .lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f, .weight_decay = 0.1f};
    double squares = 16.0; /* a norm of 4, clipped to 2: gradients count half */
    const struct tensor norm_squared = tensor_view_1d(&squares, DTYPE_F64, 1);
    struct tensor weight = vector(COUNT), moment1 = vector(COUNT), moment2 = vector(COUNT);
    struct tensor gradient = vector(COUNT);

    (void)state;
    p.clip_norm = 2.0f;
    fill(backend, &moment1, 0.0f);
    fill(backend, &moment2, 0.0f);
    double *w = doubles_of(&weight), *m = doubles_of(&moment1), *v = doubles_of(&moment2);
    for (p.step = 1; p.step <= 3; p.step++) {
        const double beta1 = (double)p.beta1, beta2 = (double)p.beta2;
        const double c1 = 1 - pow(beta1, (double)p.step),
                     c2 = 1 - pow(beta2, (double)p.step);
        adamw_update(backend, &weight, NULL, &moment1, &moment2, &gradient, &norm_squared,
                     &p);
        for (int i = 0; i < COUNT; i++) {
            const double g = (double)f32(&gradient)[i] * 0.5;
            m[i] = beta1 * m[i] + (1 - beta1) * g;
            v[i] = beta2 * v[i] + (1 - beta2) * g * g;
            w[i] -= (double)p.lr * (m[i] / c1 / (sqrt(v[i] / c2) + (double)p.epsilon) +
                                    (double)p.weight_decay * w[i]);
        }
    }
    for (int i = 0; i < COUNT; i++) { /* three steps of at most four roundings each */
        assert_near(f32(&weight)[i], w[i], 12 * (double)FLT_EPSILON);
        assert_near(f32(&moment1)[i], m[i], 12 * (double)FLT_EPSILON);
        assert_near(f32(&moment2)[i], v[i], 12 * (double)FLT_EPSILON);
    }
    free(w);
    free(m);
    free(v);
    tensor_free(&weight);
    tensor_free(&moment1);
    tensor_free(&moment2);
    tensor_free(&gradient);
}

static void test_open(void **state)
{
    struct backend *other = NULL;
    struct error error = {0};

    (void)state;
    assert_int_equal(
        backend_open(&other, &(struct backend_options){.device = "cuda:1023"}, &error),
        STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "cuda:1023"));
    assert_null(other);
    static const char *const unknown[] = {"tpu", "cuda:", "cuda:x", "cuda:-1", "cudax", ""};
    for (int i = 0; i < 6; i++)
        assert_int_equal(
            backend_open(&other, &(struct backend_options){.device = unknown[i]}, &error),
            STATUS_USAGE);
    assert_int_equal(
        backend_open(&other, &(struct backend_options){.precision = "fp16"}, &error),
        STATUS_USAGE);
    assert_int_equal(
        backend_open(&other, &(struct backend_options){.thread_count = -1}, &error),
        STATUS_USAGE);
    assert_int_equal(backend_compute_dtype(backend), DTYPE_F32);
    assert_string_equal(backend_name(backend), "cpu");
    assert_int_equal(backend_thread_count(backend), 2);
    assert_non_null(strstr(backend_description(backend), "fp32"));
    assert_int_equal(backend_sync(backend, &error), STATUS_OK);
}

static void test_memory_is_zeroed_aligned_and_refused(void **state)
{
    struct error error = {0};
    float host[3] = {1, 2, 3}, back[3] = {0};
    unsigned char *memory = backend_allocate(backend, 5000000, &error);

    (void)state;
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    for (int i = 0; i < 5000000; i++)
        assert_int_equal(memory[i], 0);
    backend_copy_in(backend, memory, host, sizeof host);
    backend_copy_out(backend, back, memory, sizeof back);
    assert_memory_equal(host, back, sizeof host);
    backend_free(backend, memory);
    assert_null(backend_allocate(backend, SIZE_MAX - 100, &error));
    assert_int_equal(error.status, STATUS_MEMORY);
}

/* After a failure operations do nothing, and every sync says why. */
static void test_failure_is_sticky(void **state)
{
    struct error error = {0};
    struct tensor out = vector(3), before = copy_of(&out);

    (void)state;
    error_set(&backend->error, STATUS_DEVICE, "made up");
    fill(backend, &out, 9.0f);
    assert_same_bits(&out, &before);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(backend_sync(backend, &error), STATUS_DEVICE);
        assert_string_equal(error.message, "made up");
    }
    backend->error = (struct error){0};
    tensor_free(&out);
    tensor_free(&before);
}

static void test_tensor_views(void **state)
{
    float data[24] = {0};
    struct tensor t = {.data = data, .dtype = DTYPE_F32, .rank = 3, .shape = {4, 3, 2}};
    const struct tensor rows = tensor_rows(&t, 1, 2);

    (void)state;
    assert_int_equal(tensor_count(&t), 24);
    assert_int_equal(tensor_bytes(&t), 96);
    assert_ptr_equal(rows.data, data + 6);
    assert_int_equal(tensor_count(&rows), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_rms_norm),
        cmocka_unit_test(test_rms_norm_rows_are_independent),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_swiglu),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_memory_is_zeroed_aligned_and_refused),
        cmocka_unit_test(test_failure_is_sticky),
        cmocka_unit_test(test_tensor_views),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
