#include "tests/gpu/sampling_reference.h"

/* Spreads, temperatures and nuclei of all kinds. */
static void draws_vary(struct draws *d)
{
    static const float spreads[] = {4, 12, 0, 1, 30, 200};
    static const float temperatures[] = {1, 0.7f, 1.5f, 0.1f};
    static const float nuclei[] = {1, 0.9f, 0.5f, 0.95f, 1e-6f};

    for (int64_t s = 0; s < d->S; s++) {
        const float spread = spreads[random_between(0, 5)];
        for (int64_t i = 0; i < d->V; i++)
            host_data(&d->logits)[s * d->V + i] *= spread;
        if (d->V > 9) /* masked tokens */
            host_data(&d->logits)[s * d->V + random_between(0, d->V - 1)] = -INFINITY;
        host_data(&d->temperature)[s] = temperatures[random_between(0, 3)];
        host_data(&d->top_p)[s] = nuclei[random_between(0, 4)];
        d->draw[s] = s == 0 ? 0 : s == 1 ? 1 - 0x1p-53 : random_double(&numbers);
    }
    draws_send(d);
}

/*
 * The device draws the token that the definition names, wherever fp32 weights cannot have
 * moved a border past the draw; where they can, one beside it. How often the two back-ends
 * differ is counted: their exponentials are off in either direction, so that borders move
 * by far less than the bound, and one row in twenty is many.
 */
static void sampling_case(int64_t S, int64_t V)
{
    struct draws d = draws_make(S, V);
    int64_t different = 0, near = 0, wrong = -1;

    case_begin("sample_tokens S=%lld V=%lld", (long long)S, (long long)V);
    draws_vary(&d);
    float *logits = keep(float, S *V);
    memcpy(logits, host_data(&d.logits), (size_t)(S * V) * sizeof *logits);
    draw_on_device(&d, 0, S);
    draw_on_host(&d);
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : different, near)
    for (int64_t s = 0; s < S; s++) {
        const struct nucleus n =
            nucleus_of(logits + s * V, V, (double)host_data(&d.temperature)[s],
                       (double)host_data(&d.top_p)[s]);
        const enum verdict device = judge(&n, V, d.draw[s], d.tokens[DEVICE][s]);
        const enum verdict host = judge(&n, V, d.draw[s], d.tokens[HOST][s]);
        different += d.tokens[DEVICE][s] != d.tokens[HOST][s];
        near += device == DRAWN_NEAR_BORDER;
        if (device == DRAWN_WRONG || host == DRAWN_WRONG)
#pragma omp critical
            wrong = s;
        free(n.weights);
    }
    if (wrong >= 0)
        fail_msg("%s: row %lld (temperature %g, top_p %g, draw %.17g): drew %d, the CPU %d",
                 case_text, (long long)wrong, (double)host_data(&d.temperature)[wrong],
                 (double)host_data(&d.top_p)[wrong], d.draw[wrong], d.tokens[DEVICE][wrong],
                 d.tokens[HOST][wrong]);
    if (S > 9)
        print_message("             %s: %lld draws near a border, %lld differ\n", case_text,
                      (long long)near, (long long)different);
    assert_true(different <= 1 + S / 20);

    /* A row alone gives the token that it gives among others; so does a second time. */
    int32_t *together = keep(int32_t, S);
    memcpy(together, d.tokens[DEVICE], (size_t)S * sizeof *together);
    memcpy(host_data(&d.logits), logits, (size_t)(S * V) * sizeof *logits);
    operand_send(&d.logits);
    for (int64_t s = 0; s < S; s++)
        draw_on_device(&d, s, 1);
    assert_same_bits("rows alone", d.tokens[DEVICE], together, (size_t)S * sizeof(int32_t));
    release_all();
}

static void sampling(void **state)
{
    (void)state;
    require(DTYPE_F32);
    sampling_case(1, 1);
    sampling_case(3, 2);
    sampling_case(20, 7);
    sampling_case(small ? 20 : 200, 1000);
    if (small)
        return;
    sampling_case(100, 32000);
    sampling_case(60, 151936);
    sampling_case(4, 600001); /* masses in fewer bits, parts in more than one round */
}

/* Temperature 0: the greatest, of equal ones the smallest id; the draw does not matter. */
static void greedy_case(int64_t S, int64_t V)
{
    struct draws d = draws_make(S, V);
    int32_t *expected = keep(int32_t, S);

    case_begin("greedy S=%lld V=%lld", (long long)S, (long long)V);
    for (int64_t s = 0; s < S; s++) {
        float *row = host_data(&d.logits) + s * V;
        for (int64_t copies = random_between(0, 3); copies > 0; copies--)
            row[random_between(0, V - 1)] = 1.5f;
        for (int64_t i = 0; i < V && s == 0; i++)
            row[i] = -3; /* all equal: the first */
        for (int64_t i = 1; i < V; i++)
            expected[s] = row[i] > row[expected[s]] ? (int32_t)i : expected[s];
        host_data(&d.temperature)[s] = 0;
        host_data(&d.top_p)[s] = 0.9f;
        d.draw[s] = random_double(&numbers);
    }
    draws_send(&d);
    draw_on_device(&d, 0, S);
    draw_on_host(&d);
    assert_same_bits("tokens", d.tokens[DEVICE], expected, (size_t)S * sizeof(int32_t));
    assert_same_bits("tokens of the CPU", d.tokens[HOST], expected,
                     (size_t)S * sizeof(int32_t));
    release_all();
}

static void greedy(void **state)
{
    (void)state;
    require(DTYPE_F32);
    greedy_case(1, 1);
    greedy_case(30, 17);
    greedy_case(50, 1000);
    if (!small)
        greedy_case(64, 151936);
}

/* Logits that say nothing give -1, and do not touch the rows beside them. */
static void broken_rows(void **state)
{
    enum { S = 10 };
    const int64_t V = small ? 100 : 40000;

    (void)state;
    require(DTYPE_F32);
    case_begin("broken rows");
    struct draws d = draws_make(S, V);
    for (int64_t s = 0; s < S; s++) {
        float *row = host_data(&d.logits) + s * V;
        host_data(&d.temperature)[s] = s % 2 ? 0.8f : 0.0f;
        host_data(&d.top_p)[s] = s % 4 < 2 ? 1.0f : 0.9f;
        d.draw[s] = random_double(&numbers);
        if (s == 1 || s == 2)
            row[V - 1 - s] = NAN;
        if (s == 4 || s == 5)
            row[V / 2] = INFINITY;
        for (int64_t i = 0; i < V && (s == 7 || s == 8); i++)
            row[i] = -INFINITY;
    }
    draws_send(&d);
    draw_on_device(&d, 0, S);
    draw_on_host(&d);
    for (int s = 0; s < S; s++) {
        const bool broken = s == 1 || s == 2 || s == 4 || s == 5 || s == 7 || s == 8;
        if ((d.tokens[DEVICE][s] == -1) != broken || (d.tokens[HOST][s] == -1) != broken)
            fail_msg("row %d: %d, the CPU %d", s, d.tokens[DEVICE][s], d.tokens[HOST][s]);
    }
    draw_on_device(&d, 0, 0);
    release_all();
}

/* ------------------------------------------------------------- the nucleus, exactly */

/* Sets all rows but the draws; the first row of logits becomes every row. */
static void rows_alike(struct draws *d, float temperature, float top_p)
{
    float *logits = host_data(&d->logits);

    for (int64_t s = 0; s < d->S; s++) {
        memcpy(logits + s * d->V, logits, (size_t)d->V * sizeof *logits);
        host_data(&d->temperature)[s] = temperature;
        host_data(&d->top_p)[s] = top_p;
    }
}

/* Draws, and says which token each row should have got. */
static void assert_drawn(struct draws *d, const int32_t *expected)
{
    draws_send(d);
    draw_on_device(d, 0, d->S);
    for (int64_t s = 0; s < d->S; s++)
        if (d->tokens[DEVICE][s] != expected[s])
            fail_msg(
                "%s: row %lld (temperature %g, top_p %.9g, draw %.17g): drew %d, not %d",
                case_text, (long long)s, (double)host_data(&d->temperature)[s],
                (double)host_data(&d->top_p)[s], d->draw[s], d->tokens[DEVICE][s],
                expected[s]);
}

/* Where to cut a row: the tokens with weights >= least are kept, and hold `mass`. */
struct kept {
    double least, mass, total;
    float top_p; /* such that fp32 arithmetic cannot keep others */
};

/*
 * The cut closest below `share` of the mass around which there is room: the least weight
 * kept (of one token, or of several that are equal) has enough mass for top_p to stand in
 * the middle of it, and no other weight comes so near that fp32 might take them as equal.
 */
static struct kept kept_choose(const struct nucleus *n, int64_t V, double share)
{
    double *sorted = memory_allocate_array((size_t)V, sizeof *sorted);
    struct kept kept = {.total = 0};
    double above = 0;

    memcpy(sorted, n->weights, (size_t)V * sizeof *sorted);
    qsort(sorted, (size_t)V, sizeof *sorted, descending);
    for (int64_t i = 0; i < V; i++)
        kept.total += sorted[i];
    for (int64_t i = 0, next; i < V && above < share * kept.total; i = next) {
        double with = above;
        for (next = i; next < V && sorted[next] == sorted[i]; next++)
            with += sorted[next];
        const double near = (8 - 4 * log(sorted[i] + DBL_MIN)) * (double)FLT_EPSILON;
        const bool apart = (i == 0 || sorted[i - 1] * (1 - near) > sorted[i]) &&
                           (next == V || sorted[i] * (1 - near) > sorted[next]);
        if (apart && with - above > (8 * n->off + 4e-7) * kept.total)
            kept = (struct kept){sorted[i], with, kept.total,
                                 (float)((above + with) / 2 / kept.total)};
        above = with;
    }
    free(sorted);
    assert_true(kept.mass > 0);
    return kept;
}

/* The mass of the kept tokens before `token`. */
static double kept_before(const struct nucleus *n, const struct kept *kept, int32_t token)
{
    double mass = 0;

    for (int32_t i = 0; i < token; i++)
        mass += n->weights[i] >= kept->least ? n->weights[i] : 0;
    return mass;
}

/* Draws at both ends of the share of `token`: they meet it only if all tokens before it
 * that should be kept are, and no others, and the same goes for those behind it. */
static int64_t draw_at_ends(struct draws *d, const struct nucleus *n,
                            const struct kept *kept, int32_t token, int64_t row,
                            int32_t *expected)
{
    const double slack = 2 * n->off * kept->total / kept->mass;
    const double low = kept_before(n, kept, token) / kept->mass + slack;
    const double high = low - 2 * slack + n->weights[token] / kept->mass;

    if (n->weights[token] < kept->least || low >= high || high >= 1)
        return row;
    d->draw[row] = low;
    expected[row++] = token;
    d->draw[row] = high;
    expected[row++] = token;
    return row;
}

/* The first row of `d` holds the logits. top_p is chosen near `share`. */
static void kept_case(struct draws *d, float temperature, double share)
{
    const int64_t V = d->V;
    int32_t *expected = keep(int32_t, d->S);
    int32_t greatest = 0, least = -1;
    int64_t rows = 0;

    struct nucleus n = nucleus_of(host_data(&d->logits), V, (double)temperature, 1);
    const struct kept kept = kept_choose(&n, V, share);
    for (int32_t i = 0; i < V; i++) {
        greatest = n.weights[i] > n.weights[greatest] ? i : greatest;
        least = n.weights[i] == kept.least ? i : least;
    }
    rows = draw_at_ends(d, &n, &kept, greatest, rows, expected);
    rows = draw_at_ends(d, &n, &kept, least, rows, expected);
    assert_true(rows >= 2);
    for (int tries = 0; tries < 200 && rows + 2 <= d->S; tries++)
        rows =
            draw_at_ends(d, &n, &kept, (int32_t)random_between(0, V - 1), rows, expected);
    for (; rows < d->S; rows++) { /* few tokens have room: these once more */
        d->draw[rows] = d->draw[rows % 2];
        expected[rows] = expected[rows % 2];
    }
    rows_alike(d, temperature, kept.top_p);
    assert_drawn(d, expected);
    free(n.weights);
}

/* What a row looks like. */
enum look { NORMAL, PEAKED, FLAT, TIED, MASKED, LOOK_COUNT };
static const char *const look_names[] = {"normal", "peaked", "flat", "tied", "masked"};

static void look_fill(float *logits, int64_t V, enum look look)
{
    for (int64_t i = 0; i < V; i++) {
        const float normal = random_normal(&numbers);
        logits[i] = look == FLAT   ? 0.05f * random_float(&numbers)
                    : look == TIED ? floorf(2 * normal) / 2
                                   : 2.5f * normal;
        if (look == MASKED && random_below(&numbers, 4) > 0)
            logits[i] = -INFINITY;
    }
    if (look == PEAKED)
        logits[random_between(0, V - 1)] += 12;
    if (look == MASKED)
        logits[V / 2] = 1;
}

/* Vocabularies around the sizes of packs, lines and parts, odd ones above all. */
static void keeps_the_nucleus(void **state)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 127, 1001, 8191, 8192, 8193, 20003, 128256};
    static const float temperatures[] = {1, 0.6f, 1.7f};
    static const double shares[] = {0.95, 0.5, 0.9995, 0.1};
    const size_t count = sizeof sizes / sizeof *sizes - (small ? 2 : 0);

    (void)state;
    require(DTYPE_F32);
    for (size_t i = 0; i < count; i++)
        for (int look = 0; look < LOOK_COUNT; look++) {
            struct draws d = draws_make(small ? 4 : 24, sizes[i]);
            case_begin("nucleus V=%lld %s", (long long)sizes[i], look_names[look]);
            look_fill(host_data(&d.logits), d.V, look);
            kept_case(&d, temperatures[(i + (size_t)look) % 3],
                      shares[(i + (size_t)look) % 4]);
            release_all();
        }
}

/* Equal weights are all kept, however many: more than the device lists. The first token
 * whose share reaches beyond the draw can be counted out. */
static void flat_rows(void **state)
{
    static const float top_ps[] = {1, 0.95f, 0.3f, 1e-6f};
    static const float temperatures[] = {1, 1e30f, 1e-30f};
    enum { S = 12 };
    const int64_t V = small ? 8200 : 40003;
    int32_t expected[S];

    (void)state;
    require(DTYPE_F32);
    case_begin("flat rows");
    struct draws d = draws_make(S, V);
    for (int64_t s = 0; s < S; s++) {
        const float temperature = temperatures[s / 4];
        for (int64_t i = 0; i < V; i++)
            host_data(&d.logits)[s * V + i] = temperature > 1 ? random_signed() : -3;
        for (int64_t i = 0; i < V; i += 2) /* every other one is masked */
            host_data(&d.logits)[s * V + i] = -INFINITY;
        host_data(&d.temperature)[s] = temperature;
        host_data(&d.top_p)[s] = top_ps[s % 4];
        expected[s] = (int32_t)(1 + 2 * random_between(0, V / 2 - 1));
        d.draw[s] = ((expected[s] - 1) / 2 + 0.5) / (double)(V / 2);
    }
    assert_drawn(&d, expected);
    release_all();
}

/* Many different weights, so close to each other that no list takes all that may be the
 * threshold. */
static void crowded_rows(void **state)
{
    const int64_t V = small ? 8400 : 60000;
    const float spreads[] = {1e-3f, 1e-5f, 0.02f};

    (void)state;
    require(DTYPE_F32);
    for (int64_t k = 0; k < 3; k++) {
        struct draws d = draws_make(small ? 3 : 12, V);
        case_begin("crowded rows, spread %g", (double)spreads[k]);
        for (int64_t i = 0; i < V; i++)
            host_data(&d.logits)[i] = spreads[k] * random_float(&numbers);
        rows_alike(&d, 1, k == 1 ? 0.5f : 0.9f);
        struct nucleus n =
            nucleus_of(host_data(&d.logits), V, 1, (double)host_data(&d.top_p)[0]);
        for (int64_t s = 0; s < d.S; s++)
            d.draw[s] = random_double(&numbers);
        draws_send(&d);
        draw_on_device(&d, 0, d.S);
        for (int64_t s = 0; s < d.S; s++)
            if (judge(&n, V, d.draw[s], d.tokens[DEVICE][s]) == DRAWN_WRONG)
                fail_msg("%s: draw %.17g: drew %d", case_text, d.draw[s],
                         d.tokens[DEVICE][s]);
        free(n.weights);
        release_all();
    }
}

/* One token far above all others: the only one wherever it stands, but for a draw that
 * falls into what the others have together. */
static void dominated_rows(void **state)
{
    enum { S = 9 };
    const int64_t V = small ? 9001 : 33001;
    int32_t expected[S];

    (void)state;
    require(DTYPE_F32);
    case_begin("dominated rows");
    struct draws d = draws_make(S, V);
    for (int64_t s = 0; s < S; s++) {
        float *row = host_data(&d.logits) + s * V;
        const int64_t places[] = {0, V - 1, random_between(1, V - 2)};
        expected[s] = (int32_t)places[s % 3];
        row[expected[s]] = s < 6 ? 60 : 1e30f;
        host_data(&d.temperature)[s] = s < 3 ? 1 : 0.7f;
        host_data(&d.top_p)[s] = s % 2 ? 0.99f : 1;
        d.draw[s] = s < 3 ? 0.5 : random_double(&numbers);
    }
    assert_drawn(&d, expected);
    release_all();
}

/* The token does not depend on where the row lies: at an address for packs or not. */
static void addresses_do_not_matter(void **state)
{
    const int64_t S = small ? 4 : 40, V = small ? 8448 : 50004;

    (void)state;
    require(DTYPE_F32);
    case_begin("shifted rows");
    struct draws d = draws_make(S, V);
    draws_vary(&d);
    draw_on_device(&d, 0, S);
    shifted = true;
    struct draws moved = draws_make(S, V);
    memcpy(host_data(&moved.logits), host_data(&d.logits), (size_t)(S * V) * sizeof(float));
    for (int64_t s = 0; s < S; s++) {
        host_data(&moved.temperature)[s] = host_data(&d.temperature)[s];
        host_data(&moved.top_p)[s] = host_data(&d.top_p)[s];
        moved.draw[s] = d.draw[s];
    }
    assert_drawn(&moved, d.tokens[DEVICE]);
    release_all();
}

/* A NaN in any place of any part is noticed. */
static void every_nan_is_seen(void **state)
{
    enum { S = 6 };
    const int64_t V = small ? 8200 : 16500;
    const int64_t places[S] = {0, 8191, 8192, V - 1, V / 2, random_between(0, V - 1)};
    int32_t expected[S];

    (void)state;
    require(DTYPE_F32);
    case_begin("a NaN");
    struct draws d = draws_make(S, V);
    for (int64_t s = 0; s < S; s++) {
        host_data(&d.logits)[s * V + places[s]] = s % 3 == 1 ? INFINITY : NAN;
        host_data(&d.temperature)[s] = s == 4 ? 0 : 1;
        host_data(&d.top_p)[s] = s % 2 ? 0.9f : 1;
        d.draw[s] = random_double(&numbers);
        expected[s] = -1;
    }
    assert_drawn(&d, expected);
    release_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_test(sampling),          gpu_test(greedy),
        gpu_test(broken_rows),       gpu_test(keeps_the_nucleus),
        gpu_test(flat_rows),         gpu_test(crowded_rows),
        gpu_test(dominated_rows),    gpu_test(addresses_do_not_matter),
        gpu_test(every_nan_is_seen),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
