#include "tests/unit/operations_fixture.h"

/* One problem with its solution by the definition, in double. */
struct problem {
    int64_t T, C, V;
    float smoothing, scale, cap;
    struct tensor in, weight, d_in, d_weight;
    int32_t *targets;
    double *in_exact, *weight_exact;
    double *d_in_exact, *d_weight_exact; /* without scale, and from zero */
    double loss, nll;
    int64_t target_count;
};

static void problem_init(struct problem *p, int64_t T, int64_t C, int64_t V,
                         double share_with_target)
{
    *p = (struct problem){.T = T, .C = C, .V = V, .smoothing = 0.1f, .scale = 0.37f};
    p->in = matrix(T, C);
    p->weight = matrix(V, C);
    p->d_in = matrix(T, C);
    p->d_weight = matrix(V, C);
    p->targets = memory_allocate_array((size_t)T + 1, sizeof *p->targets);
    for (int64_t t = 0; t < T; t++) {
        const bool has = random_double(&numbers) < share_with_target;
        p->targets[t] = has ? (int32_t)random_between(0, V - 1) : -1;
        p->target_count += has;
    }
    p->in_exact = doubles_of(&p->in);
    p->weight_exact = doubles_of(&p->weight);
    p->d_in_exact = memory_allocate_array((size_t)(T * C) + 1, sizeof(double));
    p->d_weight_exact = memory_allocate_array((size_t)(V * C) + 1, sizeof(double));
}

static void problem_release(struct problem *p)
{
    struct tensor *tensors[] = {&p->in, &p->weight, &p->d_in, &p->d_weight};

    for (int i = 0; i < 4; i++)
        tensor_free(tensors[i]);
    free(p->targets);
    free(p->in_exact);
    free(p->weight_exact);
    free(p->d_in_exact);
    free(p->d_weight_exact);
}

/* Loss and gradients of row t; `z` holds V numbers of scratch. */
static void solve_row(struct problem *p, int64_t t, double *z)
{
    const double *x = p->in_exact + t * p->C, e = (double)p->smoothing;
    double sum = 0, mean = 0;

    for (int64_t v = 0; v < p->V; v++) {
        z[v] = 0;
        for (int64_t i = 0; i < p->C; i++)
            z[v] += x[i] * p->weight_exact[v * p->C + i];
        if (p->cap > 0)
            z[v] = (double)p->cap * tanh(z[v] / (double)p->cap);
        sum += exp(z[v]);
        mean += z[v] / (double)p->V;
    }
    const double nll = log(sum) - z[p->targets[t]];
    p->nll += nll;
    p->loss += (1 - e) * nll + e * (log(sum) - mean);
    for (int64_t v = 0; v < p->V; v++) {
        const double share = p->cap > 0 ? z[v] / (double)p->cap : 0;
        const double d =
            (exp(z[v]) / sum - e / (double)p->V - (v == p->targets[t] ? 1 - e : 0)) *
            (1 - share * share);
        for (int64_t i = 0; i < p->C; i++) {
            p->d_in_exact[t * p->C + i] += d * p->weight_exact[v * p->C + i];
            p->d_weight_exact[v * p->C + i] += d * x[i];
        }
    }
}

static void solve(struct problem *p)
{
    double *z = memory_allocate_array((size_t)p->V, sizeof *z);

    for (int64_t t = 0; t < p->T; t++)
        if (p->targets[t] >= 0)
            solve_row(p, t, z);
    free(z);
}

/*
 * In units of FLT_EPSILON: a logit of C products is off by C * C / 4, so a probability by
 * that share of itself; sums over V (d_in) and over T (d_weight) have terms whose sizes add
 * up to 2 a row, the probabilities and the target.
 */
static double tolerance_of(const struct problem *p, int64_t terms, double rows)
{
    const double each = (double)(p->C * p->C) / 4 + sqrt((double)terms) * 4 + 16;

    return each * (double)FLT_EPSILON * 2 * rows;
}

static void assert_solved(const struct problem *p, const struct cross_entropy_sums *sums,
                          const struct tensor *d_weight0)
{
    const double rows = (double)p->target_count;

    assert_int_equal(sums->target_count, p->target_count);
    assert_near(sums->loss, p->loss, tolerance_of(p, p->V, rows + 1));
    assert_near(sums->nll, p->nll, tolerance_of(p, p->V, rows + 1));
    for (int64_t i = 0; i < p->T * p->C; i++) {
        if (p->targets[i / p->C] < 0)
            assert_true(f32(&p->d_in)[i] == 0.0f);
        assert_near(f32(&p->d_in)[i], (double)p->scale * p->d_in_exact[i],
                    tolerance_of(p, p->V, 1));
    }
    for (int64_t i = 0; i < p->V * p->C; i++)
        assert_near(f32(&p->d_weight)[i],
                    (double)f32(d_weight0)[i] + (double)p->scale * p->d_weight_exact[i],
                    tolerance_of(p, p->T, 1 + rows / (double)p->V * 8));
}

/* The operation on the problem's targets, in the form that it wants. */
static void cross_entropy(struct cross_entropy_sums *sums, struct tensor *d_in,
                          struct tensor *d_weight, const struct problem *p, float smoothing,
                          float scale_factor)
{
    int32_t *rows = memory_allocate_array(2 * (size_t)p->T + 1, sizeof *rows);
    int32_t *tokens = rows + p->T;
    struct targets targets = {.rows = rows, .tokens = tokens};

    for (int64_t t = 0; t < p->T; t++)
        if (p->targets[t] >= 0) {
            rows[targets.count] = (int32_t)t;
            tokens[targets.count++] = p->targets[t];
        }
    linear_cross_entropy(backend, sums, d_in, d_weight, &p->in, &p->weight, &targets,
                         p->cap, smoothing, scale_factor);
    free(rows);
}

static void capped_case(int64_t T, int64_t C, int64_t V, double share, float smoothing,
                        float cap)
{
    struct problem p;
    struct cross_entropy_sums sums = {9, 9, 9}; /* written, not added to */

    problem_init(&p, T, C, V, share);
    p.smoothing = smoothing;
    p.cap = cap;
    struct tensor d_weight0 = copy_of(&p.d_weight);
    solve(&p);
    cross_entropy(&sums, &p.d_in, &p.d_weight, &p, p.smoothing, p.scale);
    assert_solved(&p, &sums, &d_weight0);
    tensor_free(&d_weight0);
    problem_release(&p);
}

static void numbers_case(int64_t T, int64_t C, int64_t V, double share, float smoothing)
{
    capped_case(T, C, V, share, smoothing, 0.0f);
}

static void test_numbers(void **state)
{
    (void)state;
    numbers_case(1, 6, 1, 1.0, 0.0f); /* one word: loss 0, gradient 0 */
    numbers_case(1, 64, 17, 1.0, 0.0f);
    numbers_case(7, 6, 33, 0.5, 0.1f);
    numbers_case(33, 80, 100, 0.7, 0.0f);
    numbers_case(130, 17, 501, 0.9, 0.2f);
    numbers_case(20, 8, 10, 0.0, 0.1f); /* no target at all */
}

/* Logits go to about 5. */
static void test_caps(void **state)
{
    (void)state;
    capped_case(1, 6, 1, 1.0, 0.0f, 2.0f);
    capped_case(7, 16, 33, 0.5, 0.1f, 1.5f);
    capped_case(33, 80, 100, 0.7, 0.0f, 30.0f);
    capped_case(130, 17, 501, 0.9, 0.2f, 4.0f);
    capped_case(600, 5, 70, 0.95, 0.1f, 0.5f);
}

/* More rows than one chunk holds (1024), and more logits (64 Mi). */
static void test_several_chunks(void **state)
{
    (void)state;
    numbers_case(1300, 3, 70, 0.95, 0.1f);
    numbers_case(350, 2, 200001, 0.98, 0.1f);
}

/* The solution above is held against finite differences of its own loss. */
static double loss_of(void *context)
{
    struct problem *p = context;
    double *d_in = p->d_in_exact, *d_weight = p->d_weight_exact;

    p->loss = p->nll = 0;
    p->d_in_exact = memory_allocate_array((size_t)(p->T * p->C), sizeof(double));
    p->d_weight_exact = memory_allocate_array((size_t)(p->V * p->C), sizeof(double));
    solve(p);
    free(p->d_in_exact);
    free(p->d_weight_exact);
    p->d_in_exact = d_in;
    p->d_weight_exact = d_weight;
    return p->loss * (double)p->scale;
}

static void gradient_case(float cap)
{
    struct problem p;
    struct cross_entropy_sums sums;

    problem_init(&p, 9, 12, 31, 0.8);
    p.cap = cap;
    fill(backend, &p.d_weight, 0.0f);
    cross_entropy(&sums, &p.d_in, &p.d_weight, &p, p.smoothing, p.scale);
    assert_gradient(&(struct gradient_check){loss_of, &p, p.in_exact, f32(&p.d_in),
                                             p.T * p.C, p.C * p.C + p.V});
    assert_gradient(&(struct gradient_check){loss_of, &p, p.weight_exact, f32(&p.d_weight),
                                             p.V * p.C, p.C * p.C + p.T});
    problem_release(&p);
}

static void test_gradient(void **state)
{
    (void)state;
    gradient_case(0.0f);
    gradient_case(2.0f);
}

/* Sums alone, d_in alone, twice, and with three threads: the same bits. */
static void test_bits_repeat(void **state)
{
    struct cpu_backend *cpu = cpu_of(backend);
    struct cross_entropy_sums full, again;
    struct problem p;

    (void)state;
    problem_init(&p, 100, 24, 333, 0.8);
    struct tensor d_weight = copy_of(&p.d_weight), d_in = copy_of(&p.d_in);
    cross_entropy(&full, &p.d_in, &p.d_weight, &p, p.smoothing, p.scale);
    cpu->thread_count = 3;
    cross_entropy(&again, &d_in, &d_weight, &p, p.smoothing, p.scale);
    cpu->thread_count = 2;
    assert_memory_equal(&full, &again, sizeof full);
    assert_same_bits(&d_weight, &p.d_weight);
    assert_same_bits(&d_in, &p.d_in);
    fill(backend, &d_in, 7.0f);
    cross_entropy(&again, &d_in, NULL, &p, p.smoothing, p.scale);
    assert_same_bits(&d_in, &p.d_in);
    cross_entropy(&again, NULL, NULL, &p, p.smoothing, p.scale);
    assert_memory_equal(&full, &again, sizeof full);
    tensor_free(&d_weight);
    tensor_free(&d_in);
    problem_release(&p);
}

/* Logits of several hundred neither overflow nor lose the loss. */
static void test_large_logits(void **state)
{
    struct problem p;
    struct cross_entropy_sums sums;

    (void)state;
    problem_init(&p, 1, 1, 3, 1.0);
    f32(&p.in)[0] = 1.0f;
    f32(&p.weight)[0] = 500.0f;
    f32(&p.weight)[1] = 100.0f;
    f32(&p.weight)[2] = -500.0f;
    p.targets[0] = 1;
    cross_entropy(&sums, &p.d_in, &p.d_weight, &p, 0.0f, 1.0f);
    assert_true(sums.nll == 400.0);
    assert_true(f32(&p.d_in)[0] == 400.0f); /* 500 - 100 */
    problem_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_several_chunks),
        cmocka_unit_test(test_gradient),     cmocka_unit_test(test_bits_repeat),
        cmocka_unit_test(test_large_logits), cmocka_unit_test(test_caps),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
