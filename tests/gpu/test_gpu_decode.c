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

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(decodes),
        gpu_tests(pages_do_not_matter),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
