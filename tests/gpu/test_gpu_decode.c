#include "tests/gpu/attention_reference.h"

/* Sequences in a paged cache; the pages of all lie in random order in one pool. */
struct sequences {
    struct attention_shape shape;
    enum dtype dtype;
    int64_t S, width, page_count;
    int32_t *positions, *table;
    struct indices positions_on, table_on;
    struct operand written; /* [positions of all, (H + 2 G) D]: what the cache is made of */
    struct operand keys, values, qkv, out;
};

static int64_t row_in_pool(const struct sequences *q, int64_t s, int64_t position)
{
    return q->table[s * q->width + position / CACHE_PAGE_ROWS] * CACHE_PAGE_ROWS +
           position % CACHE_PAGE_ROWS;
}

/* The row of `written` that position 0 of sequence s has; of S, how many there are. */
static int64_t first_written(const struct sequences *q, int64_t s)
{
    int64_t count = 0;

    for (int64_t i = 0; i < s; i++)
        count += q->positions[i] + 1;
    return count;
}

/* Takes pages for every sequence from a shuffled pool. What a table holds beyond the pages
 * in use is no page. */
static void pages_take(struct sequences *q)
{
    int64_t *order = keep(int64_t, q->page_count), used = 0;

    for (int64_t i = 0; i < q->page_count; i++)
        order[i] = i;
    random_shuffle(&numbers, order, (size_t)q->page_count);
    for (int64_t i = 0; i < q->S * q->width; i++)
        q->table[i] = -7;
    for (int64_t s = 0; s < q->S; s++)
        for (int64_t i = 0; i <= q->positions[s] / CACHE_PAGE_ROWS; i++)
            q->table[s * q->width + i] = (int32_t)order[used++];
}

/* Pools of NaN, but for what is written to the rows of each sequence: how a page holds it
 * is each back-end's own affair. */
static void cache_fill(struct sequences *q)
{
    const int64_t columns = q->shape.key_value_heads * q->shape.head_size;
    int32_t *rows = keep(int32_t, first_written(q, q->S)), *row = rows;

    q->keys = poisoned_matrix(q->dtype, q->page_count * CACHE_PAGE_ROWS, columns);
    q->values = poisoned_matrix(q->dtype, q->page_count * CACHE_PAGE_ROWS, columns);
    for (int64_t s = 0; s < q->S; s++)
        for (int64_t i = 0; i <= q->positions[s]; i++)
            *row++ = (int32_t)row_in_pool(q, s, i);
    const struct indices rows_on = indices_of(rows, row - rows);
    EACH_SIDE(side)
    {
        struct key_value_cache_layer cache = {q->keys.on[side], q->values.on[side]};
        cache_write(backends[side], &cache, &q->written.on[side], rows_on.on[side],
                    &q->shape);
    }
}

static struct sequences sequences_make(const int32_t *positions, int64_t S, int64_t H,
                                       int64_t G, int64_t D, enum dtype dtype)
{
    struct sequences q = {.shape = {H, G, D, 3.0f / sqrtf((float)D), 0, 0.0f},
                          .dtype = dtype,
                          .S = S,
                          .page_count = 5,
                          .positions = keep(int32_t, S)};

    memcpy(q.positions, positions, (size_t)S * sizeof *positions);
    for (int64_t s = 0; s < S; s++) {
        const int64_t pages = positions[s] / CACHE_PAGE_ROWS + 1;
        q.page_count += pages;
        q.width = pages + 3 > q.width ? pages + 3 : q.width;
    }
    q.table = keep(int32_t, S * q.width);
    pages_take(&q);
    q.positions_on = indices_of(q.positions, S);
    q.table_on = indices_of(q.table, S * q.width);
    q.written = random_matrix(dtype, first_written(&q, S), (H + 2 * G) * D);
    cache_fill(&q);
    q.qkv = random_matrix(dtype, S, (H + 2 * G) * D);
    q.out = poisoned_matrix(dtype, S, H * D);
    return q;
}

/* Rows [first, first + rows) of the sequences, into the same rows of `out`. */
static void decode(const struct sequences *q, struct operand *out, enum side side,
                   int64_t first, int64_t rows)
{
    const struct key_value_cache_layer cache = {q->keys.on[side], q->values.on[side]};
    const struct cache_pages pages = {q->table_on.on[side] + first * q->width, q->width};
    const struct tensor qkv = tensor_rows(&q->qkv.on[side], first, rows);
    struct tensor part = tensor_rows(&out->on[side], first, rows);

    attention_decode(backends[side], &part, &qkv, &cache, &pages,
                     q->positions_on.on[side] + first, &q->shape);
}

/* All heads of sequence s; its keys and values are gathered first. No tensor cores are at
 * work here: in bf16, too, probabilities stay in fp32. */
static void solve_sequence(const struct sequences *q, int64_t s, struct bounded *out)
{
    const int64_t H = q->shape.heads, G = q->shape.key_value_heads, D = q->shape.head_size;
    const int64_t count = q->positions[s] + 1;
    double *gathered = memory_allocate_array((size_t)(count * G * D), 2 * sizeof *gathered);
    double *query = memory_allocate_array((size_t)D, sizeof *query);
    struct bounded *scores = memory_allocate_array((size_t)count, sizeof *scores), log_sum;

    for (int64_t j = 0; j < count * G * D; j++) {
        const float *key = host_data(&q->written) +
                           (first_written(q, s) + j / (G * D)) * (H + 2 * G) * D + H * D +
                           j % (G * D);
        gathered[j] = (double)key[0];
        gathered[count * G * D + j] = (double)key[G * D];
    }
    for (int64_t head = 0; head < H; head++) {
        const double *keys = gathered + head / (H / G) * D;
        for (int64_t i = 0; i < D; i++)
            query[i] = (double)host_data(&q->qkv)[s * (H + 2 * G) * D + head * D + i];
        const struct attention_row row = {.query = query,
                                          .keys = keys,
                                          .values = keys + count * G * D,
                                          .stride = G * D,
                                          .count = count,
                                          .size = D,
                                          .scale = (double)q->shape.scale};
        reference_forward(&row, scores, out + head * D, &log_sum);
    }
    free(gathered);
    free(query);
    free(scores);
}

static void decode_case(const int32_t *positions, int64_t S, int64_t H, int64_t G,
                        int64_t D, enum dtype dtype)
{
    struct sequences q = sequences_make(positions, S, H, G, D, dtype);
    struct bounded *exact = keep(struct bounded, S * H * D);

    case_begin("attention_decode %s S=%lld H=%lld G=%lld D=%lld odd %d", dtype_name(dtype),
               (long long)S, (long long)H, (long long)G, (long long)D, shifted);
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t s = 0; s < S; s++)
        solve_sequence(&q, s, exact + s * H * D);
    EACH_SIDE(side)
    decode(&q, &q.out, side, 0, S);
    check_operand("out", &q.out, exact);

    /* A row alone, on the same pages; then all, on other pages. */
    const size_t bytes = tensor_bytes(&q.out.on[DEVICE]);
    const void *together = fetch(&q.out.on[DEVICE]);
    poison(&q.out);
    for (int64_t s = 0; s < S; s++)
        decode(&q, &q.out, DEVICE, s, 1);
    assert_same_bits("rows alone", fetch(&q.out.on[DEVICE]), together, bytes);
    release_all();
}

static void decodes(enum dtype dtype)
{
    const int32_t some[] = {0, 1, 14, 15, 16, 17, 40, 100};
    const int32_t many[] = {255,  256, 0,   257, 1000, 4095, 4096, 5000,
                            2049, 31,  511, 512, 300,  63,   64,   65};
    int32_t random[40];

    for (int i = 0; i < 40; i++)
        random[i] = (int32_t)random_between(0, 700);
    decode_case(some, 1, 1, 1, 6, dtype);
    decode_case(some, 8, 6, 2, 20, dtype);
    decode_case(some, 8, 4, 1, 64, dtype);
    decode_case(some, 8, 8, 1, 128, dtype);
    shifted = true;
    decode_case(some, 8, 6, 2, 64, dtype);
    shifted = false;
    decode_case(some, 8, 2, 2, 80, dtype);
    decode_case(some, 8, 4, 2, 96, dtype);
    decode_case(some, 8, 4, 2, 256, dtype);
    if (small)
        return;
    decode_case(many, 16, 12, 2, 128, dtype);
    decode_case(many, 16, 8, 8, 64, dtype);
    decode_case(many, 16, 3, 1, 20, dtype);
    decode_case(random, 40, 8, 2, 64, dtype);
    decode_case(random, 40, 16, 1, 128, dtype);
}
BOTH_TYPES(decodes)

/* The same sequences on other pages, in another pool: the same bits. */
static void pages_do_not_matter(enum dtype dtype)
{
    const int32_t positions[] = {3, 77, 16, small ? 90 : 1500, 250};
    enum { S = 5, H = 4, G = 2, D = 64 };
    struct sequences a = sequences_make(positions, S, H, G, D, dtype);
    struct sequences b = sequences_make(positions, S, H, G, D, dtype);

    case_begin("other pages %s", dtype_name(dtype));
    b.written = a.written;
    cache_fill(&b);
    b.qkv = a.qkv;
    decode(&a, &a.out, DEVICE, 0, S);
    decode(&b, &b.out, DEVICE, 0, S);
    assert_same_bits("out", fetch(&a.out.on[DEVICE]), fetch(&b.out.on[DEVICE]),
                     tensor_bytes(&a.out.on[DEVICE]));
    decode(&a, &a.out, DEVICE, 0, 0);
    release_all();
}
BOTH_TYPES(pages_do_not_matter)

/* ------------------------------------------------------------------------ sampling */

/* Rows of logits, how to draw from them, and what was drawn. */
struct draws {
    int64_t S, V;
    struct operand logits, temperature, top_p;
    double *draw, *draw_on_device;
    int32_t *tokens[2];
};

static struct draws draws_make(int64_t S, int64_t V)
{
    struct draws d = {.S = S,
                      .V = V,
                      .logits = random_matrix(DTYPE_F32, S, V),
                      .temperature = random_vector(DTYPE_F32, S),
                      .top_p = random_vector(DTYPE_F32, S),
                      .draw = keep(double, S),
                      .draw_on_device = device_memory((size_t)S * sizeof(double), 0)};

    for (int side = DEVICE; side <= HOST; side++)
        d.tokens[side] = keep(int32_t, S);
    return d;
}

static void draws_send(struct draws *d)
{
    operand_send(&d->logits);
    operand_send(&d->temperature);
    operand_send(&d->top_p);
    backend_copy_in(backends[DEVICE], d->draw_on_device, d->draw,
                    (size_t)d->S * sizeof *d->draw);
}

/* Rows [first, first + rows) on the device; the tokens arrive on the host. */
static void draw_on_device(struct draws *d, int64_t first, int64_t rows)
{
    const struct sampling_rows how = {(const float *)d->temperature.on[DEVICE].data + first,
                                      (const float *)d->top_p.on[DEVICE].data + first,
                                      d->draw_on_device + first};
    struct tensor part = tensor_rows(&d->logits.on[DEVICE], first, rows);
    const size_t bytes = (size_t)rows * sizeof(int32_t);
    int32_t *tokens = device_memory(bytes, 0);

    sample_tokens(backends[DEVICE], tokens, &part, &how);
    backend_copy_out(backends[DEVICE], d->tokens[DEVICE] + first, tokens, bytes);
    device_sync();
}

/* Uses the logits up. */
static void draw_on_host(struct draws *d)
{
    const struct sampling_rows how = {host_data(&d->temperature), host_data(&d->top_p),
                                      d->draw};

    sample_tokens(backends[HOST], d->tokens[HOST], &d->logits.on[HOST], &how);
}

/*
 * The exact weights of a row, p_i = exp((z_i - max z) / temperature), and by how much of
 * the mass running sums of fp32 weights may be off: an argument a is off by two roundings
 * of itself, its exponential by 2 units in the last place more. The nucleus may end at
 * another token where the mass above comes that close to top_p.
 */
struct nucleus {
    double *weights;
    double off;           /* of a running mass, as a share of the whole */
    double least, lowest; /* exact threshold; the least weight that may be in it */
    double mass;          /* of the exact nucleus */
    double doubtful;      /* mass of the tokens that may be in it or not */
};

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* The greatest threshold whose tokens hold at least `wanted`, from sorted weights. */
static double threshold(const double *sorted, int64_t count, double wanted)
{
    double mass = 0;

    for (int64_t i = 0; i < count; i++) {
        mass += sorted[i];
        if (mass >= wanted)
            return sorted[i];
    }
    return 0;
}

/* Of the weights in [least, most]. */
static double mass_of(const double *weights, int64_t count, double least, double most)
{
    double mass = 0;

    for (int64_t i = 0; i < count; i++)
        mass += weights[i] >= least && weights[i] <= most ? weights[i] : 0;
    return mass;
}

/* The thresholds, exact and doubtful, from the sorted weights. */
static void nucleus_cut(struct nucleus *n, const double *sorted, int64_t V, double total,
                        double top_p)
{
    double most_doubtful = 0;

    if (top_p < 1) {
        n->least = threshold(sorted, V, top_p * total);
        n->lowest = threshold(sorted, V, (top_p + n->off) * total);
        most_doubtful = threshold(sorted, V, (top_p - n->off) * total);
        /* Different weights this close to each other may be equal in fp32. */
        const double near = (8 - 4 * log(n->least + DBL_MIN)) * (double)FLT_EPSILON;
        if (mass_of(sorted, V, most_doubtful * (1 - near), most_doubtful * (1 + near)) >
            mass_of(sorted, V, most_doubtful, most_doubtful))
            most_doubtful *= 1 + near;
        n->lowest *= 1 - near;
    }
    n->mass = mass_of(sorted, V, n->least, 1);
    n->doubtful = mass_of(sorted, V, n->lowest, 1) - mass_of(sorted, V, most_doubtful, 1);
}

static struct nucleus nucleus_of(const float *logits, int64_t V, double temperature,
                                 double top_p)
{
    struct nucleus n = {.weights = memory_allocate_array((size_t)V, sizeof(double))};
    double *sorted = memory_allocate_array((size_t)V, sizeof *sorted);
    double most = -INFINITY, total = 0, off = 0;

    for (int64_t i = 0; i < V; i++)
        most = fmax(most, (double)logits[i]);
    for (int64_t i = 0; i < V; i++) {
        const double argument = ((double)logits[i] - most) / temperature;
        const double p = exp(argument);
        n.weights[i] = p;
        total += p;
        off += p > 0 ? p * (4 + 2 * fabs(argument)) * (double)FLT_EPSILON : 0;
    }
    n.off = 2 * off / total + (double)V * 0x1p-44; /* cuda counts masses in 2^-44 */
    memcpy(sorted, n.weights, (size_t)V * sizeof *sorted);
    qsort(sorted, (size_t)V, sizeof *sorted, descending);
    nucleus_cut(&n, sorted, V, total, top_p);
    free(sorted);
    return n;
}

/* What may be drawn: DRAWN_WRONG, one of several because the draw falls close to the
 * border of two tokens, or the only one. */
enum verdict { DRAWN_WRONG, DRAWN_NEAR_BORDER, DRAWN_RIGHT };

static enum verdict judge(const struct nucleus *n, int64_t V, double draw, int32_t token)
{
    const double target = draw * n->mass, slack = n->off * n->mass + n->doubtful;
    double before = 0;

    if (token < 0 || token >= V || n->weights[token] < n->lowest)
        return DRAWN_WRONG;
    for (int64_t i = 0; i < token; i++)
        before += n->weights[i] >= n->least ? n->weights[i] : 0;
    const double after = before + (n->weights[token] >= n->least ? n->weights[token] : 0);
    if (target > before + slack && target < after - slack)
        return DRAWN_RIGHT;
    return target >= before - slack && target <= after + slack ? DRAWN_NEAR_BORDER
                                                               : DRAWN_WRONG;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(decodes), gpu_tests(pages_do_not_matter), gpu_test(sampling),
        gpu_test(greedy),   gpu_test(broken_rows),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
