#include "tests/gpu/gpu_fixture.h"

/* How the weights of a case are stored, and its moments. */
enum weight_kind { WEIGHT_F32, WEIGHT_JOINED, WEIGHT_BF16 };

/* One optimiser state on the device, made from numbers on the host. */
struct state {
    int64_t count;
    enum weight_kind kind;
    struct tensor weight, remainder, moment1, moment2;
};

/* What a state is made from; the gradient lies on both sides. */
struct start {
    int64_t count;
    float *weight, *moment1, *moment2;
    struct operand gradient;
    struct operand norm_squared;
};

static struct adamw_step_parameters parameters_of(float clip_norm)
{
    return (struct adamw_step_parameters){.lr = 0.01f,
                                          .beta1 = 0.9f,
                                          .beta2 = 0.95f,
                                          .epsilon = 1e-8f,
                                          .weight_decay = 0.1f,
                                          .clip_norm = clip_norm,
                                          .step = 1,
                                          .seed = 42};
}

/* `rounded`: weights and moments that bf16 represents. */
static struct start start_make(int64_t count, bool rounded)
{
    struct start s = {.count = count,
                      .weight = keep(float, count),
                      .moment1 = keep(float, count),
                      .moment2 = keep(float, count),
                      .gradient = random_vector(DTYPE_F32, count)};
    double square = 0;

    random_fill(s.weight, count);
    random_fill(s.moment1, count);
    random_fill(s.moment2, count);
    for (int64_t i = 0; i < count; i++) {
        const float g = host_data(&s.gradient)[i];
        square += (double)g * (double)g;
        s.moment2[i] = s.moment2[i] * s.moment2[i] + 0.01f;
    }
    if (rounded) {
        round_to_bf16(s.weight, count);
        round_to_bf16(s.moment1, count);
        round_to_bf16(s.moment2, count);
    }
    s.norm_squared = double_operand(square);
    return s;
}

static struct tensor device_vector(const void *host, enum dtype dtype, int64_t count)
{
    const size_t bytes = (size_t)count * dtype_bytes(dtype);
    const size_t shift = shifted ? dtype_bytes(dtype) * (size_t)random_between(1, 7) : 0;
    const struct tensor tensor = tensor_view_1d(device_memory(bytes, shift), dtype, count);

    backend_copy_in(backends[DEVICE], tensor.data, host, bytes);
    return tensor;
}

static struct tensor float_vector(const float *host, enum dtype dtype, int64_t count)
{
    void *converted = keep_bytes((size_t)count * sizeof(float));

    dtype_convert(converted, dtype, host, DTYPE_F32, count);
    return device_vector(converted, dtype, count);
}

static struct state state_make(const struct start *start, enum weight_kind kind,
                               enum dtype moments)
{
    const int64_t count = start->count;
    struct state s = {.count = count, .kind = kind};

    if (kind == WEIGHT_JOINED) {
        uint16_t *upper = keep(uint16_t, count);
        int16_t *lower = keep(int16_t, count);
        for (int64_t i = 0; i < count; i++)
            upper[i] = bf16_split(start->weight[i], &lower[i]);
        s.weight = device_vector(upper, DTYPE_BF16, count);
        s.remainder = device_vector(lower, DTYPE_I16, count);
    } else {
        s.weight =
            float_vector(start->weight, kind == WEIGHT_F32 ? DTYPE_F32 : DTYPE_BF16, count);
    }
    s.moment1 = float_vector(start->moment1, moments, count);
    s.moment2 = float_vector(start->moment2, moments, count);
    return s;
}

static void state_step(struct state *s, const struct start *start,
                       const struct adamw_step_parameters *p)
{
    adamw_update(backends[DEVICE], &s->weight,
                 s->kind == WEIGHT_JOINED ? &s->remainder : NULL, &s->moment1, &s->moment2,
                 &start->gradient.on[DEVICE], &start->norm_squared.on[DEVICE], p);
}

static float *floats_of(const struct tensor *tensor)
{
    const struct operand operand = {{*tensor}};

    return fetch_floats(&operand);
}

/* The fp32 master weights; a joined one is checked to be split as base/dtype.h says. */
static float *masters_of(const struct state *s)
{
    if (s->kind != WEIGHT_JOINED)
        return floats_of(&s->weight);
    const uint16_t *upper = fetch(&s->weight);
    const int16_t *lower = fetch(&s->remainder);
    float *masters = keep(float, s->count);
    for (int64_t i = 0; i < s->count; i++) {
        int16_t remainder;
        masters[i] = bf16_join(upper[i], lower[i]);
        if (bf16_split(masters[i], &remainder) != upper[i] || remainder != lower[i])
            fail_msg("%s: [%lld]: %g is split into %#x and %d", case_text, (long long)i,
                     (double)masters[i], upper[i], lower[i]);
    }
    return masters;
}

/* The formula of operations.h in double. */
struct reference {
    double weight, moment1, moment2;
    double size1; /* of the terms of moment1 */
};

static void reference_step(struct reference *r, double gradient, double norm,
                           const struct adamw_step_parameters *p)
{
    const double beta1 = (double)p->beta1, beta2 = (double)p->beta2;
    const double step = (double)p->step, clip = (double)p->clip_norm;
    const double g = gradient * (clip > 0 ? fmin(1, clip / norm) : 1);

    r->moment1 = beta1 * r->moment1 + (1 - beta1) * g;
    r->size1 = beta1 * r->size1 + (1 - beta1) * fabs(g);
    r->moment2 = beta2 * r->moment2 + (1 - beta2) * g * g;
    r->weight -= (double)p->lr *
                 (r->moment1 / (1 - pow(beta1, step)) /
                      (sqrt(r->moment2 / (1 - pow(beta2, step))) + (double)p->epsilon) +
                  (double)p->weight_decay * r->weight);
}

enum { STEPS = 5 };

/*
 * Five steps. A step rounds a weight below 2 twice, and moves it by lr times a ratio below
 * 25 (moments start below 1 and above 0.01) that is off by some 12 roundings: 4 FLT_EPSILON
 * in all. A moment gets three roundings a step and what the clipped gradient is off by.
 */
static void follows_formula(int64_t count, float clip_norm)
{
    struct adamw_step_parameters p = parameters_of(clip_norm);

    case_begin("adamw f32 %lld clip %g odd %d", (long long)count, (double)clip_norm,
               shifted);
    struct start start = start_make(count, false);
    struct state s = state_make(&start, WEIGHT_F32, DTYPE_F32);
    float *arrays[] = {start.weight, start.moment1, start.moment2};
    struct tensor cpu[3];
    struct reference *r = keep(struct reference, count);
    struct bounded *exact[3];
    for (int64_t i = 0; i < count; i++)
        r[i] = (struct reference){(double)start.weight[i], (double)start.moment1[i],
                                  (double)start.moment2[i], fabs((double)start.moment1[i])};
    for (int i = 0; i < 3; i++) {
        cpu[i] = tensor_view_1d(arrays[i], DTYPE_F32, count);
        exact[i] = keep(struct bounded, count);
    }
    const double norm = sqrt(*(double *)start.norm_squared.on[HOST].data);
    for (p.step = 1; p.step <= STEPS; p.step++) {
        state_step(&s, &start, &p);
        adamw_update(backends[HOST], &cpu[0], NULL, &cpu[1], &cpu[2],
                     &start.gradient.on[HOST], &start.norm_squared.on[HOST], &p);
        for (int64_t i = 0; i < count; i++)
            reference_step(&r[i], (double)host_data(&start.gradient)[i], norm, &p);
    }
    for (int64_t i = 0; i < count; i++) {
        const double unit = STEPS * (double)FLT_EPSILON;
        exact[0][i] = (struct bounded){r[i].weight, 4 * unit};
        exact[1][i] = (struct bounded){r[i].moment1, 5 * unit * r[i].size1};
        exact[2][i] = (struct bounded){r[i].moment2, 5 * unit * r[i].moment2};
    }
    check_operand("weight", &(struct operand){{s.weight, cpu[0]}}, exact[0]);
    check_operand("moment1", &(struct operand){{s.moment1, cpu[1]}}, exact[1]);
    check_operand("moment2", &(struct operand){{s.moment2, cpu[2]}}, exact[2]);
    release_all();
}

static void formula(void **state)
{
    static const int64_t counts[] = {1, 7, 1000, 33001, 1048581};

    (void)state;
    require(DTYPE_F32);
    for (int i = 0; i < (small ? 3 : 5); i++)
        for (int odd = 0; odd <= 1; odd++) {
            shifted = odd;
            follows_formula(counts[i], 0);
            follows_formula(counts[i], 0.1f);
            follows_formula(counts[i], 1e9f); /* a limit that is not reached */
        }
}

/*
 * A bf16 weight with its remainder is the fp32 master, bit for bit what the f32 kernel of
 * the same device makes of the same numbers (one kernel computes both, in f32).
 */
static void joined_case(int64_t count)
{
    struct adamw_step_parameters p = parameters_of(0.3f);

    case_begin("adamw joined %lld odd %d", (long long)count, shifted);
    const struct start start = start_make(count, false);
    struct state wide = state_make(&start, WEIGHT_F32, DTYPE_F32);
    struct state joined = state_make(&start, WEIGHT_JOINED, DTYPE_F32);
    for (p.step = 1; p.step <= STEPS; p.step++) {
        state_step(&wide, &start, &p);
        state_step(&joined, &start, &p);
    }
    const size_t bytes = (size_t)count * sizeof(float);
    assert_same_bits("masters", masters_of(&joined), masters_of(&wide), bytes);
    assert_same_bits("moment1", fetch(&joined.moment1), fetch(&wide.moment1), bytes);
    assert_same_bits("moment2", fetch(&joined.moment2), fetch(&wide.moment2), bytes);
    release_all();
}

static void joined_masters(void **state)
{
    (void)state;
    require(DTYPE_BF16);
    for (int odd = 0; odd <= 1; odd++) {
        shifted = odd;
        joined_case(1);
        joined_case(37);
        joined_case(small ? 1000 : 300007);
    }
}

static const struct {
    enum weight_kind kind;
    enum dtype moments;
} variants[] = {{WEIGHT_F32, DTYPE_F32},    {WEIGHT_F32, DTYPE_BF16},
                {WEIGHT_JOINED, DTYPE_F32}, {WEIGHT_JOINED, DTYPE_BF16},
                {WEIGHT_BF16, DTYPE_F32},   {WEIGHT_BF16, DTYPE_BF16}};
enum { VARIANTS = sizeof variants / sizeof *variants };

/* Those that the device knows: without bf16 the first only. */
static int variant_count(void)
{
    return backend_compute_dtype(backends[DEVICE]) == DTYPE_BF16 ? VARIANTS : 1;
}

static void assert_same_states(const char *what, const struct state *a,
                               const struct state *b)
{
    const struct tensor *x[] = {&a->weight, &a->moment1, &a->moment2, &a->remainder};
    const struct tensor *y[] = {&b->weight, &b->moment1, &b->moment2, &b->remainder};

    for (int i = 0; i < (a->kind == WEIGHT_JOINED ? 4 : 3); i++)
        assert_same_bits(what, fetch(x[i]), fetch(y[i]), tensor_bytes(x[i]));
}

/* A norm that is not finite leaves everything as it is, clipped or not. */
static void broken_norm_changes_nothing(void **state)
{
    const double broken[] = {(double)NAN, (double)INFINITY};

    (void)state;
    require(DTYPE_F32);
    for (int v = 0; v < variant_count(); v++)
        for (int i = 0; i < 4; i++) {
            const struct adamw_step_parameters p = parameters_of(i < 2 ? 0 : 1.0f);
            case_begin("adamw variant %d norm %g", v, broken[i % 2]);
            struct start start = start_make(1001, false);
            struct state s = state_make(&start, variants[v].kind, variants[v].moments);
            struct state before = state_make(&start, variants[v].kind, variants[v].moments);
            start.norm_squared = double_operand(broken[i % 2]);
            state_step(&s, &start, &p);
            assert_same_states("after the update", &s, &before);
            release_all();
        }
}

static struct state state_part(const struct state *s, int64_t first, int64_t count)
{
    struct state part = *s;

    part.count = count;
    part.weight = tensor_rows(&s->weight, first, count);
    part.moment1 = tensor_rows(&s->moment1, first, count);
    part.moment2 = tensor_rows(&s->moment2, first, count);
    if (s->kind == WEIGHT_JOINED)
        part.remainder = tensor_rows(&s->remainder, first, count);
    return part;
}

/* A block that is updated in parts, at whatever addresses, has the bits of one update. */
static void parts_equal_the_whole(void **state)
{
    static const int64_t lengths[] = {1, 3, 8, 5, 64, 127, 1, 1000, 33, 4096, 2, 515};
    enum { PARTS = sizeof lengths / sizeof *lengths };
    int64_t total = 0;

    (void)state;
    require(DTYPE_F32);
    for (int i = 0; i < PARTS; i++)
        total += lengths[i];
    for (int v = 0; v < variant_count(); v++) {
        struct adamw_step_parameters p = parameters_of(0.5f);
        case_begin("adamw in parts, variant %d", v);
        const struct start start = start_make(total, false);
        struct state whole = state_make(&start, variants[v].kind, variants[v].moments);
        struct state parts = state_make(&start, variants[v].kind, variants[v].moments);
        for (p.step = 1; p.step <= 2; p.step++) {
            p.offset = 12345;
            state_step(&whole, &start, &p);
            for (int64_t i = 0, first = 0; i < PARTS; first += lengths[i++]) {
                struct state part = state_part(&parts, first, lengths[i]);
                struct start share = start;
                share.gradient.on[DEVICE] =
                    tensor_rows(&start.gradient.on[DEVICE], first, lengths[i]);
                p.offset = 12345 + first;
                state_step(&part, &share, &p);
            }
        }
        assert_same_states("whole and parts", &whole, &parts);
        release_all();
    }
}

/* (rounded - exact) in units of the bf16 spacing at `exact` (toward larger magnitudes). */
static double rounding_of(float rounded, float exact)
{
    int exponent;
    frexp((double)exact, &exponent); /* |exact| in [2^(e-1), 2^e): spacing 2^(e-8) */
    return ((double)rounded - (double)exact) / ldexp(1, exponent - 8);
}

/*
 * Stochastic rounding of x to one of its neighbours, up with the probability that makes the
 * mean x: an error of at most one spacing, of mean 0 and variance at most 1/4 of a spacing
 * squared, independent from element to element. Means over n elements are therefore within
 * 6 / (2 sqrt(n)) (six standard deviations), products of neighbours within half of that.
 */
static void assert_unbiased(const char *what, const float *rounded, const float *exact,
                            int64_t count)
{
    const double limit = 3 / sqrt((double)count);
    double sum = 0, products = 0, previous = 0, moved = 0;

    for (int64_t i = 0; i < count; i++) {
        const double off = rounding_of(rounded[i], exact[i]);
        if (!(fabs(off) <= 1 + 0x1p-14))
            fail_msg("%s: %s: [%lld]: %.9g became %.9g", case_text, what, (long long)i,
                     (double)exact[i], (double)rounded[i]);
        sum += off;
        products += off * previous;
        previous = off;
        moved += fabs(off) > 0.5;
    }
    check_number(what, sum / (double)count, 0, limit);
    check_number(what, products / (double)count, 0, limit / 2);
    /* Rounding to nearest never moves by more than half; this does a quarter of the time:
     * the integral of 2 x (1 - x) beyond x = 1/2, twice. */
    check_number("share of far roundings", moved / (double)count, 0.25, 0.05 + limit);
}

static void stochastic_rounding(void **state)
{
    const int64_t count = small ? 20000 : 1 << 20;
    struct adamw_step_parameters p = parameters_of(0);

    (void)state;
    require(DTYPE_BF16);
    case_begin("stochastic rounding");
    const struct start start = start_make(count, true);
    struct state wide = state_make(&start, WEIGHT_F32, DTYPE_F32);
    struct state narrow[3];
    for (int i = 0; i < 3; i++) { /* once, again, and with another seed */
        narrow[i] = state_make(&start, WEIGHT_BF16, DTYPE_BF16);
        p.seed = i < 2 ? 7 : 8;
        state_step(&narrow[i], &start, &p);
    }
    state_step(&wide, &start, &p);
    for (int i = 0; i < 3; i += 2) {
        assert_unbiased("moment1", floats_of(&narrow[i].moment1), floats_of(&wide.moment1),
                        count);
        assert_unbiased("moment2", floats_of(&narrow[i].moment2), floats_of(&wide.moment2),
                        count);
    }
    assert_same_states("the same seed", &narrow[0], &narrow[1]);
    assert_true(memcmp(fetch(&narrow[0].moment1), fetch(&narrow[2].moment1),
                       tensor_bytes(&narrow[0].moment1)) != 0);
    release_all();

    /* Weights, with f32 moments so that both sides take the same step. */
    const struct start again = start_make(count, true);
    wide = state_make(&again, WEIGHT_F32, DTYPE_F32);
    struct state weights = state_make(&again, WEIGHT_BF16, DTYPE_F32);
    state_step(&wide, &again, &p);
    state_step(&weights, &again, &p);
    assert_unbiased("weight", floats_of(&weights.weight), floats_of(&wide.weight), count);
    release_all();
}

/*
 * bf16 moments: a rounding moves one by less than 2^-7 of itself, so m / sqrt(v) by less
 * than 1.5 * 2^-7 of itself a step; after t steps by t times that. From the start below the
 * ratio is at most 20, 13, 10, 8 and 7 in the five steps: the sum of t times it is 143, and
 * a weight follows by lr.
 */
static void narrow_moments_train(void **state)
{
    struct adamw_step_parameters p = parameters_of(1.0f);

    (void)state;
    require(DTYPE_BF16);
    case_begin("bf16 moments");
    const struct start start = start_make(5000, true);
    struct state wide = state_make(&start, WEIGHT_F32, DTYPE_F32);
    struct state narrow = state_make(&start, WEIGHT_JOINED, DTYPE_BF16);
    for (p.step = 1; p.step <= STEPS; p.step++) {
        state_step(&wide, &start, &p);
        state_step(&narrow, &start, &p);
    }
    const float *exact = masters_of(&wide), *masters = masters_of(&narrow);
    const float *before = start.weight;
    double moved = 0;
    for (int64_t i = 0; i < start.count; i++) {
        const double share = fabs((double)exact[i] - (double)before[i]);
        check_number("weight", (double)masters[i], (double)exact[i],
                     0.01 * 150 * 1.5 * 0x1p-7);
        moved = fmax(moved, share);
    }
    assert_true(moved > 0.01);
    release_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_test(formula),
        gpu_test(joined_masters),
        gpu_test(broken_norm_changes_nothing),
        gpu_test(parts_equal_the_whole),
        gpu_test(stochastic_rounding),
        gpu_test(narrow_moments_train),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
