#include "tests/gpu/gpu_fixture.h"

/* One problem with its solution by the definition, in double. */
struct problem {
    int64_t T, C, V;
    enum dtype dtype;
    float smoothing, scale;
    struct operand in, weight, d_in, d_weight;
    struct indices rows, tokens;
    int64_t count;
    struct bounded *d_in_exact, *d_weight_exact;
    struct bounded loss, nll;
    struct row *solved; /* [count] */
};

/* A row's logsumexp and how far it may be off; its greatest logit; its losses. */
struct row {
    double log_sum, log_sum_error, most;
    struct bounded loss, nll;
};

/* `most`: how many rows carry loss at most. */
static struct problem problem_make(int64_t T, int64_t C, int64_t V, double share,
                                   int64_t most, enum dtype dtype)
{
    struct problem p = {.T = T, .C = C, .V = V, .dtype = dtype, .scale = 0.37f};
    int32_t *rows = keep(int32_t, T), *tokens = keep(int32_t, T);

    for (int64_t t = 0; t < T && p.count < most; t++)
        if (random_double(&numbers) < share) {
            rows[p.count] = (int32_t)t;
            tokens[p.count++] = (int32_t)random_between(0, V - 1);
        }
    p.rows = indices_of(rows, p.count);
    p.tokens = indices_of(tokens, p.count);
    p.in = random_matrix(dtype, T, C);
    p.weight = random_matrix(dtype, V, C);
    p.d_in = poisoned_matrix(dtype, T, C);
    p.d_weight = random_matrix(DTYPE_F32, V, C);
    return p;
}

static void run(struct problem *p, enum side side, struct cross_entropy_sums *sums,
                struct operand *d_in, struct operand *d_weight)
{
    const struct targets targets = {p->rows.on[side], p->tokens.on[side], p->count};

    linear_cross_entropy(backends[side], sums, d_in ? &d_in->on[side] : NULL,
                         d_weight ? &d_weight->on[side] : NULL, &p->in.on[side],
                         &p->weight.on[side], &targets, 0.0f, p->smoothing, p->scale);
}

/* A logit: C products. */
static inline struct bounded logit(const struct problem *p, int64_t i, int64_t v)
{
    const float *x = host_data(&p->in) + p->rows.on[HOST][i] * p->C;
    const float *w = host_data(&p->weight) + v * p->C;
    double sum = 0, size = 0;

    for (int64_t c = 0; c < p->C; c++) {
        const double term = (double)x[c] * (double)w[c];
        sum += term;
        size += fabs(term);
    }
    return (struct bounded){sum, sum_error(p->C) * size};
}

/* What exp(z - most) may be off by, of itself: the logit, and CUDA's fast exponential. */
static inline double exp_error(struct bounded z, double most)
{
    return z.error + (4 + 1.2 * (most - z.value)) * (double)FLT_EPSILON;
}

/*
 * scale d loss / d z: p - smoothing / V - (1 - smoothing) at the target. p is off by what
 * its exponential and the logsumexp are; in bf16 the whole is rounded once more, to be an
 * operand of the tensor cores.
 */
static inline struct bounded d_logit(const struct problem *p, int64_t i, int64_t v,
                                     struct bounded z)
{
    const struct row *row = &p->solved[i];
    const double e = (double)p->smoothing, probability = exp(z.value - row->log_sum);
    const double share = e / (double)p->V, rounding = 3 * (double)FLT_EPSILON;
    const double at_target = v == p->tokens.on[HOST][i] ? 1 - e : 0;
    const double d = probability - share - at_target;
    const double off = probability * (exp_error(z, row->most) + row->log_sum_error) +
                       rounding * (probability + share + at_target) +
                       (p->dtype == DTYPE_BF16 ? bf16_error * fabs(d) : 0);

    return (struct bounded){(double)p->scale * d, (double)p->scale * off};
}

static void solve_sums(struct problem *p, int64_t i, const struct bounded *z)
{
    const double e = (double)p->smoothing, count = (double)p->V;
    const struct bounded target = z[p->tokens.on[HOST][i]];
    struct row *row = &p->solved[i];
    double sum = 0, off = 0, mean = 0, mean_off = 0;

    row->most = -INFINITY;
    for (int64_t v = 0; v < p->V; v++)
        row->most = fmax(row->most, z[v].value);
    for (int64_t v = 0; v < p->V; v++) {
        const double share = exp(z[v].value - row->most);
        sum += share;
        off += share * exp_error(z[v], row->most);
        mean += z[v].value / count;
        mean_off += (z[v].error + sum_error(p->V) * fabs(z[v].value)) / count;
    }
    row->log_sum = row->most + log(sum);
    row->log_sum_error = off / sum + sum_error(p->V) +
                         2 * (double)FLT_EPSILON * (fabs(row->most) + fabs(row->log_sum));
    const double rounding =
        2 * (double)FLT_EPSILON * (fabs(row->log_sum) + fabs(target.value));
    row->nll = (struct bounded){row->log_sum - target.value,
                                row->log_sum_error + target.error + rounding};
    row->loss = (struct bounded){(1 - e) * row->nll.value + e * (row->log_sum - mean),
                                 (1 - e) * row->nll.error +
                                     e * (row->log_sum_error + mean_off + rounding)};
}

/* Losses of the i-th row with a target, and its gradient; `z` is scratch [V]. */
static void solve_row(struct problem *p, int64_t i, struct bounded *z)
{
    struct bounded *d_in = p->d_in_exact + p->rows.on[HOST][i] * p->C;

    for (int64_t v = 0; v < p->V; v++)
        z[v] = logit(p, i, v);
    solve_sums(p, i, z);
    for (int64_t v = 0; v < p->V; v++) {
        const struct bounded d = d_logit(p, i, v, z[v]);
        const double off = d.error + sum_error(p->V) * fabs(d.value);
        const float *w = host_data(&p->weight) + v * p->C;
        for (int64_t c = 0; c < p->C; c++) {
            d_in[c].value += d.value * (double)w[c];
            d_in[c].error += off * fabs((double)w[c]);
        }
    }
}

static void solve_word(struct problem *p, int64_t v)
{
    struct bounded *d_weight = p->d_weight_exact + v * p->C;

    for (int64_t c = 0; c < p->C; c++) {
        const double before = (double)host_data(&p->d_weight)[v * p->C + c];
        d_weight[c] = (struct bounded){before, sum_error(p->count + 1) * fabs(before)};
    }
    for (int64_t i = 0; i < p->count; i++) {
        const struct bounded d = d_logit(p, i, v, logit(p, i, v));
        const double off = d.error + sum_error(p->count + 1) * fabs(d.value);
        const float *x = host_data(&p->in) + p->rows.on[HOST][i] * p->C;
        for (int64_t c = 0; c < p->C; c++) {
            d_weight[c].value += d.value * (double)x[c];
            d_weight[c].error += off * fabs((double)x[c]);
        }
    }
}

static void solve(struct problem *p)
{
    p->solved = keep(struct row, p->count);
    p->d_in_exact = keep(struct bounded, p->T * p->C);
    p->d_weight_exact = keep(struct bounded, p->V * p->C);
#pragma omp parallel
    {
        struct bounded *z = memory_allocate_array((size_t)p->V, sizeof *z);
#pragma omp for schedule(dynamic, 4)
        for (int64_t i = 0; i < p->count; i++)
            solve_row(p, i, z);
        free(z);
    }
#pragma omp parallel for schedule(dynamic, 64)
    for (int64_t v = 0; v < p->V; v++)
        solve_word(p, v);
    for (int64_t i = 0; i < p->count; i++) {
        p->loss.value += p->solved[i].loss.value;
        p->loss.error += p->solved[i].loss.error;
        p->nll.value += p->solved[i].nll.value;
        p->nll.error += p->solved[i].nll.error;
    }
}

static void check_sums(const struct problem *p, const struct cross_entropy_sums *sums)
{
    assert_int_equal(sums->target_count, p->count);
    check_number("loss", sums->loss, p->loss.value, p->loss.error + 1e-12);
    check_number("nll", sums->nll, p->nll.value, p->nll.error + 1e-12);
}

static void numbers_case(int64_t T, int64_t C, int64_t V, double share, int64_t most,
                         float smoothing, enum dtype dtype)
{
    struct cross_entropy_sums sums[2] = {{9, 9, 9}, {9, 9, 9}}; /* written, not added to */
    struct problem p = problem_make(T, C, V, share, most, dtype);

    p.smoothing = smoothing;
    case_begin("cross entropy %s T=%lld C=%lld V=%lld, %lld targets, smoothing %g, odd %d",
               dtype_name(dtype), (long long)T, (long long)C, (long long)V,
               (long long)p.count, (double)smoothing, shifted);
    solve(&p);
    EACH_SIDE(side)
    run(&p, side, &sums[side], &p.d_in, &p.d_weight);
    device_sync();
    for (int side = DEVICE; side <= HOST; side++)
        check_sums(&p, &sums[side]);
    check_operand("d_in", &p.d_in, p.d_in_exact);
    check_operand("d_weight", &p.d_weight, p.d_weight_exact);
    release_all();
}

static void numbers_hold(enum dtype dtype)
{
    for (int odd = 0; odd <= 1; odd++) {
        shifted = odd;
        numbers_case(1, 6, 1, 1.0, 9, 0.0f, dtype); /* one word: loss 0, gradient 0 */
        numbers_case(1, 64, 17, 1.0, 9, 0.0f, dtype);
        numbers_case(7, 6, 7, 0.5, 9, 0.1f, dtype);
        numbers_case(33, 80, 100, 0.7, 99, 0.0f, dtype);
        numbers_case(20, 8, 10, 0.0, 0, 0.1f, dtype); /* no target at all */
        numbers_case(0, 8, 10, 0.0, 0, 0.1f, dtype);  /* no row at all */
        numbers_case(random_between(1, 60), random_between(1, 60), random_between(2, 300),
                     0.8, 999, 0.1f, dtype);
        if (small)
            continue;
        numbers_case(130, 17, 501, 0.9, 999, 0.2f, dtype);
        numbers_case(256, 96, 1000, 1.0, 999, 0.0f, dtype); /* all targets */
        numbers_case(300, 64, 1000, 0.1, 3, 0.1f, dtype);   /* few */
    }
}
BOTH_TYPES(numbers_hold)

/* Vocabularies of real models, and more logits than one chunk holds. */
static void real_vocabularies(enum dtype dtype)
{
    if (small)
        return;
    numbers_case(200, 32, 50257, 0.8, 999, 0.1f, dtype);
    numbers_case(1500, 8, 152064, 0.95, 9999, 0.1f, dtype);
}
BOTH_TYPES(real_vocabularies)

/* Sums alone, d_in alone, and twice: the same bits. */
static void bits_repeat(enum dtype dtype)
{
    const int64_t T = small ? 40 : 700, V = small ? 99 : 33333;
    struct cross_entropy_sums full, again;
    struct problem p = problem_make(T, 24, V, 0.8, T, dtype);
    const size_t bytes = tensor_bytes(&p.d_in.on[DEVICE]);

    case_begin("repeat %s", dtype_name(dtype));
    p.smoothing = 0.1f;
    struct operand d_weight = operand_copy(&p.d_weight),
                   d_in = poisoned_matrix(dtype, T, 24);
    struct operand untouched = operand_copy(&p.d_weight);
    run(&p, DEVICE, &full, &p.d_in, &p.d_weight);
    run(&p, DEVICE, &again, &d_in, &d_weight);
    device_sync();
    assert_same_bits("sums", &full, &again, sizeof full);
    assert_same_bits("d_in", fetch(&d_in.on[DEVICE]), fetch(&p.d_in.on[DEVICE]), bytes);
    assert_same_bits("d_weight", fetch(&d_weight.on[DEVICE]), fetch(&p.d_weight.on[DEVICE]),
                     tensor_bytes(&d_weight.on[DEVICE]));
    poison(&d_in);
    run(&p, DEVICE, &again, &d_in, NULL);
    device_sync();
    assert_same_bits("sums without d_weight", &full, &again, sizeof full);
    assert_same_bits("d_in alone", fetch(&d_in.on[DEVICE]), fetch(&p.d_in.on[DEVICE]),
                     bytes);
    again = (struct cross_entropy_sums){0};
    run(&p, DEVICE, &again, NULL, &untouched);
    device_sync();
    assert_same_bits("sums alone", &full, &again, sizeof full);
    check_exact("d_weight that was not wanted", &untouched, host_data(&untouched));
    release_all();
}
BOTH_TYPES(bits_repeat)

/* Logits of several hundred neither overflow nor lose the loss. */
static void large_logits(enum dtype dtype)
{
    struct problem p = problem_make(1, 1, 3, 1.0, 1, dtype);
    struct cross_entropy_sums sums;

    case_begin("large logits %s", dtype_name(dtype));
    memcpy(host_data(&p.weight), (float[]){500, 100, -500}, 3 * sizeof(float));
    host_data(&p.in)[0] = 1;
    operand_send(&p.weight);
    operand_send(&p.in);
    p.tokens = indices_of((int32_t[]){1}, 1);
    p.scale = 1;
    run(&p, DEVICE, &sums, &p.d_in, &p.d_weight);
    device_sync();
    check_number("nll", sums.nll, 400, 0);
    check_exact("d_in", &p.d_in, (float[]){400}); /* 500 - 100 */
    release_all();
}
BOTH_TYPES(large_logits)

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(numbers_hold),
        gpu_tests(real_vocabularies),
        gpu_tests(bits_repeat),
        gpu_tests(large_logits),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
