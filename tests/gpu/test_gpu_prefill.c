#include "tests/gpu/gpu_fixture.h"

/*
 * Prompts whose beginnings are in the cache: attention_prefill() over the rest of them.
 * What a row gives must have the bits that it has where its whole document is one pass,
 * whatever stands beside it and whichever pages it has. A whole pass is held against the
 * CPU back-end; test_gpu_attention.c holds it against the definition.
 */
enum { MOST_DOCUMENTS = 16 };

/* Documents, all of which are in the cache. */
struct history {
    struct attention_shape shape;
    enum dtype dtype;
    int64_t count;   /* documents */
    int64_t columns; /* of qkv, (H + 2G) D */
    int64_t width;   /* of the table of pages */
    int64_t page_count;
    int64_t lengths[MOST_DOCUMENTS];
    int32_t starts[MOST_DOCUMENTS + 1];
    int32_t *table;
    struct indices table_on;
    struct operand qkv, keys, values;
};

/* Pages in random order. What a table holds beyond the pages in use is no page. */
static void pages_take(struct history *h)
{
    int64_t *order = keep(int64_t, h->page_count), used = 0;

    for (int64_t i = 0; i < h->page_count; i++)
        order[i] = i;
    random_shuffle(&numbers, order, (size_t)h->page_count);
    h->table = keep(int32_t, h->count * h->width);
    for (int64_t i = 0; i < h->count * h->width; i++)
        h->table[i] = -7;
    for (int64_t n = 0; n < h->count; n++)
        for (int64_t i = 0; i * CACHE_PAGE_ROWS < h->lengths[n]; i++)
            h->table[n * h->width + i] = (int32_t)order[used++];
    h->table_on = indices_of(h->table, h->count * h->width);
}

static struct key_value_cache_layer cache_on(const struct history *h, int side)
{
    return (struct key_value_cache_layer){h->keys.on[side], h->values.on[side]};
}

/* NaN in the cache, but for the rows of the documents. */
static void cache_fill(struct history *h)
{
    const int64_t columns = h->shape.key_value_heads * h->shape.head_size;
    const int64_t T = h->starts[h->count];
    int32_t *rows = keep(int32_t, T);

    for (int64_t n = 0; n < h->count; n++)
        for (int64_t i = 0; i < h->lengths[n]; i++)
            rows[h->starts[n] + i] =
                h->table[n * h->width + i / CACHE_PAGE_ROWS] * CACHE_PAGE_ROWS +
                (int32_t)(i % CACHE_PAGE_ROWS);
    const struct indices rows_on = indices_of(rows, T);
    h->keys = poisoned_matrix(h->dtype, h->page_count * CACHE_PAGE_ROWS, columns);
    h->values = poisoned_matrix(h->dtype, h->page_count * CACHE_PAGE_ROWS, columns);
    EACH_SIDE(side)
    {
        struct key_value_cache_layer cache = cache_on(h, side);
        cache_write(backends[side], &cache, &h->qkv.on[side], rows_on.on[side], &h->shape);
    }
}

static struct history history_make(const int64_t *lengths, int64_t count,
                                   struct attention_shape shape, enum dtype dtype)
{
    struct history h = {.shape = shape,
                        .dtype = dtype,
                        .count = count,
                        .columns =
                            (shape.heads + 2 * shape.key_value_heads) * shape.head_size,
                        .width = 2,
                        .page_count = 3};

    CHECK(count <= MOST_DOCUMENTS);
    for (int64_t n = 0; n < count; n++) {
        const int64_t pages = (lengths[n] + CACHE_PAGE_ROWS - 1) / CACHE_PAGE_ROWS;
        h.lengths[n] = lengths[n];
        h.starts[n + 1] = h.starts[n] + (int32_t)lengths[n];
        h.page_count += pages;
        h.width = pages + 2 > h.width ? pages + 2 : h.width;
    }
    pages_take(&h);
    h.qkv = random_matrix(dtype, h.starts[count], h.columns);
    cache_fill(&h);
    return h;
}

/* ---------------------------------------------------------------------------- passes */

/* Documents [first, first + count) of a history, behind the positions that are past. */
struct pass {
    int64_t first, count, T;
    bool continues;
    int64_t past[MOST_DOCUMENTS]; /* of each document of the history */
    int32_t starts[MOST_DOCUMENTS + 1];
    struct operand out;
};

static void rows_copy(float *to, const struct history *h, const struct pass *p)
{
    for (int64_t i = 0; i < p->count; i++) {
        const int64_t n = p->first + i, from = h->starts[n] + p->past[n];
        memcpy(to + p->starts[i] * h->columns, host_data(&h->qkv) + from * h->columns,
               (size_t)((p->starts[i + 1] - p->starts[i]) * h->columns) * sizeof *to);
    }
}

/* Runs it on one side, or on both. */
static void pass_run(struct pass *p, const struct history *h, int last_side)
{
    int32_t *positions, longest = 0;

    for (int64_t i = 0; i < p->count; i++) {
        const int32_t rows = (int32_t)(h->lengths[p->first + i] - p->past[p->first + i]);
        p->starts[i + 1] = p->starts[i] + rows;
        longest = rows > longest ? rows : longest;
    }
    p->T = p->starts[p->count];
    positions = keep(int32_t, p->T);
    for (int64_t i = 0; i < p->count; i++)
        for (int32_t t = p->starts[i]; t < p->starts[i + 1]; t++)
            positions[t] = (int32_t)p->past[p->first + i] + t - p->starts[i];
    struct operand qkv = operand_make(h->dtype, 2, p->T, h->columns);
    rows_copy(host_data(&qkv), h, p);
    operand_send(&qkv);
    const struct indices positions_on = indices_of(positions, p->T);
    const struct indices starts_on = indices_of(p->starts, p->count + 1);
    p->out = poisoned_matrix(h->dtype, p->T, h->shape.heads * h->shape.head_size);
    for (int side = DEVICE; side <= last_side; side++) {
        const struct key_value_cache_layer cache = cache_on(h, side);
        const struct cached_documents cached = {
            {starts_on.on[side], p->count, longest},
            positions_on.on[side],
            {h->table_on.on[side] + p->first * h->width, h->width},
            p->continues};
        attention_prefill(backends[side], &p->out.on[side], &qkv.on[side], &cache, &cached,
                          &h->shape);
    }
}

/* The rows of `part` have the bits that they have in `whole`, which has no past. */
static void assert_rows_of(const struct history *h, const char *what,
                           const struct pass *part, const struct pass *whole)
{
    const size_t row =
        (size_t)(h->shape.heads * h->shape.head_size) * dtype_bytes(h->dtype);
    const unsigned char *made = fetch(&part->out.on[DEVICE]);
    const unsigned char *wanted = fetch(&whole->out.on[DEVICE]);
    char text[96];

    for (int64_t i = 0; i < part->count; i++) {
        const int64_t n = part->first + i, from = whole->starts[n] + part->past[n];
        snprintf(text, sizeof text, "%s: document %lld of %lld, %lld past", what,
                 (long long)n, (long long)h->lengths[n], (long long)part->past[n]);
        assert_same_bits(text, made + (size_t)part->starts[i] * row,
                         wanted + (size_t)from * row,
                         (size_t)(part->starts[i + 1] - part->starts[i]) * row);
    }
}

/* Compare test_gpu_families.c: a share of the greatest result. */
static void compare_sides(const char *what, const struct pass *p, enum dtype dtype)
{
    const int64_t count = tensor_count(&p->out.on[DEVICE]);
    const double share = dtype == DTYPE_BF16 ? 0.02 : 2e-5;
    const float *actual = fetch_floats(&p->out), *wanted = host_data(&p->out);
    double greatest = 1e-3;

    for (int64_t i = 0; i < count; i++)
        greatest = fmax(greatest, fabs((double)wanted[i]));
    for (int64_t i = 0; i < count; i++)
        check_number(what, (double)actual[i], (double)wanted[i], share * greatest);
}

/* ----------------------------------------------------------------------------- cases */

static struct pass pass_whole(const struct history *h)
{
    return (struct pass){.count = h->count};
}

static struct pass pass_behind(const struct history *h, const int64_t *past)
{
    struct pass pass = {.count = h->count, .continues = true};

    memcpy(pass.past, past, (size_t)h->count * sizeof *past);
    return pass;
}

/* Each document alone, from its past on. */
static void documents_alone(const struct history *h, const struct pass *together,
                            const struct pass *whole)
{
    for (int64_t n = 0; n < h->count; n++) {
        struct pass alone = *together;
        alone.first = n;
        alone.count = 1;
        pass_run(&alone, h, DEVICE);
        assert_rows_of(h, "alone", &alone, whole);
    }
}

/* The same documents on other pages. */
static void other_pages(const struct history *h, const struct pass *together,
                        const struct pass *whole)
{
    struct history other = *h;
    struct pass again = *together;

    other.page_count += 4;
    pages_take(&other);
    cache_fill(&other);
    pass_run(&again, &other, DEVICE);
    assert_rows_of(&other, "other pages", &again, whole);
}

/* Around the edges of pages, of tiles of 64 keys and of tiles of 128 queries; of one
 * document nothing is left to do. */
static const int64_t lengths[] = {1, 17, 16, 40, 33, 64, 5, 66, 130, 300, 20, 140};
static const int64_t pasts[] = {0, 0, 1, 15, 16, 17, 5, 64, 1, 131, 19, 64};
enum { DOCUMENTS = sizeof lengths / sizeof *lengths, SMALL_DOCUMENTS = 9 };

static void prefill_case(enum dtype dtype, const int64_t *heads, int64_t window, float cap)
{
    const int64_t H = heads[0], G = heads[1], D = heads[2];
    const struct attention_shape shape = {H, G, D, 3.0f / sqrtf((float)D), window, cap};
    int64_t drawn[DOCUMENTS];
    static const int64_t none[DOCUMENTS];

    case_begin("prefill %s H=%lld G=%lld D=%lld window %lld cap %g odd %d",
               dtype_name(dtype), (long long)H, (long long)G, (long long)D,
               (long long)window, (double)cap, shifted);
    const struct history h =
        history_make(lengths, small ? SMALL_DOCUMENTS : DOCUMENTS, shape, dtype);
    for (int n = 0; n < DOCUMENTS; n++)
        drawn[n] = random_between(0, lengths[n] - 1);
    struct pass whole = pass_whole(&h), first = pass_behind(&h, none);
    struct pass edges = pass_behind(&h, pasts), random = pass_behind(&h, drawn);
    pass_run(&whole, &h, HOST);
    compare_sides("whole", &whole, dtype);
    pass_run(&first, &h, DEVICE);
    assert_rows_of(&h, "no past", &first, &whole);
    pass_run(&edges, &h, HOST);
    compare_sides("behind a past", &edges, dtype);
    assert_rows_of(&h, "past", &edges, &whole);
    pass_run(&random, &h, DEVICE);
    assert_rows_of(&h, "drawn past", &random, &whole);
    documents_alone(&h, &edges, &whole);
    other_pages(&h, &edges, &whole);
    release_all();
}

static void pasts_do_not_matter(enum dtype dtype)
{
    static const int64_t heads[][3] = {{4, 2, 64},  {2, 1, 80}, {2, 1, 96}, {4, 1, 128},
                                       {2, 1, 256}, {3, 1, 20}, {2, 2, 64}};
    static const int64_t windows[] = {0, 1, 21, 100};
    const size_t shapes = small ? 6 : 7;

    for (size_t i = 0; i < shapes; i++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
            if (small && w != i % 4)
                continue;
            prefill_case(dtype, heads[i], windows[w], w % 2 == 0 ? 0.0f : 2.5f);
            if (!small)
                prefill_case(dtype, heads[i], windows[w], w % 2 == 0 ? 2.5f : 0.0f);
        }
    shifted = true;
    prefill_case(dtype, heads[0], 0, 0.0f);
    shifted = false;
}

/* Pasts of several pages of numbers of pages, and tiles of queries behind them. */
static void long_past(enum dtype dtype)
{
    const int64_t long_lengths[] = {small ? 520 : 3000, 700, small ? 513 : 2049, 129};
    const int64_t past[] = {small ? 509 : 2900, 350, small ? 512 : 2048, 128};
    const struct attention_shape shape = {4, 2, 64, 0.3f, 0, 0.0f};

    case_begin("long past %s", dtype_name(dtype));
    const struct history h = history_make(long_lengths, small ? 1 : 4, shape, dtype);
    struct pass whole = pass_whole(&h), part = pass_behind(&h, past);
    pass_run(&whole, &h, DEVICE);
    pass_run(&part, &h, DEVICE);
    assert_rows_of(&h, "past", &part, &whole);
    release_all();
}

static void no_rows(enum dtype dtype)
{
    const int64_t some[] = {20, 16};
    const struct attention_shape shape = {2, 1, 64, 0.3f, 0, 0.0f};
    const struct history h = history_make(some, 2, shape, dtype);
    struct pass nothing = pass_behind(&h, some);

    case_begin("no rows %s", dtype_name(dtype));
    pass_run(&nothing, &h, DEVICE);
    release_all();
}

/* The kernels without tensor cores, in bf16 too. */
static void with_simple_kernels(void (*test)(enum dtype))
{
    require(DTYPE_BF16);
    setenv("HOLDFAST_ATTENTION", "simple", 1);
    test(DTYPE_BF16);
    unsetenv("HOLDFAST_ATTENTION");
}

BOTH_TYPES(pasts_do_not_matter)
BOTH_TYPES(long_past)
BOTH_TYPES(no_rows)

static void pasts_do_not_matter_simple(void **state)
{
    (void)state;
    with_simple_kernels(pasts_do_not_matter);
}

static int environment_reset(void **state)
{
    unsetenv("HOLDFAST_ATTENTION");
    return test_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(pasts_do_not_matter),
        gpu_tests(long_past),
        gpu_tests(no_rows),
        cmocka_unit_test_teardown(pasts_do_not_matter_simple, environment_reset),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
