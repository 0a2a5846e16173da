/* Attention from a KV cache: one row a sequence, and parts of prompts. */
#include "tests/unit/attention_fixture.h"

static float bf16_nan_twice(void)
{
    const uint32_t bits = 0x7FC07FC0;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A cache whose pages hold the documents of a batch, in an order of their own. */
struct decoding {
    struct key_value_cache_layer cache;
    struct cache_pages pages;
    int32_t *table;
    struct tensor last; /* [documents, (H + 2G) D]: the last row of each */
    struct tensor out;
    int32_t positions[16];
};

/* Numbers the pages of the table in random order, all below the returned count. */
static int64_t table_init(struct decoding *d, const struct batch *b, int64_t longest)
{
    int64_t order[256], used = 0;

    d->pages.width = (longest + CACHE_PAGE_ROWS - 1) / CACHE_PAGE_ROWS;
    d->table = memory_allocate_array((size_t)(b->count * d->pages.width), sizeof *d->table);
    d->pages.table = d->table;
    const int64_t count = b->count * d->pages.width + 3;
    assert_true(count <= 256);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    random_shuffle(&numbers, order, (size_t)count);
    for (int64_t i = 0; i < b->count * d->pages.width; i++)
        d->table[i] = (int32_t)order[used++];
    return count;
}

static void decoding_init_on(struct backend *on, struct decoding *d, const struct batch *b,
                             int64_t longest)
{
    const int64_t width = b->qkv.shape[1], pages = table_init(d, b, longest);
    const int64_t row = b->shape.key_value_heads * b->shape.head_size;
    int32_t *rows = memory_allocate_array((size_t)b->T, sizeof *rows);

    d->cache.keys = matrix(pages * CACHE_PAGE_ROWS, row); /* not written: must not matter */
    d->cache.values = matrix(pages * CACHE_PAGE_ROWS, row);
    for (int64_t i = 0; i < tensor_count(&d->cache.keys); i++) /* NAN in bf16 too */
        f32(&d->cache.keys)[i] = f32(&d->cache.values)[i] = bf16_nan_twice();
    d->cache.keys.dtype = d->cache.values.dtype = backend_compute_dtype(on);
    d->last = matrix(b->count, width);
    d->out = matrix(b->count, b->shape.heads * b->shape.head_size);
    for (int64_t n = 0; n < b->count; n++) {
        const int64_t start = b->starts[n], end = b->starts[n + 1];
        d->positions[n] = (int32_t)(end - start - 1);
        memcpy(f32(&d->last) + n * width, f32(&b->qkv) + (end - 1) * width,
               (size_t)width * sizeof(float));
        for (int64_t p = 0; p < end - start; p++)
            rows[start + p] =
                d->table[n * d->pages.width + p / CACHE_PAGE_ROWS] * CACHE_PAGE_ROWS +
                (int32_t)(p % CACHE_PAGE_ROWS);
    }
    cache_write(on, &d->cache, &b->qkv, rows, &b->shape);
    free(rows);
}

static void decoding_init(struct decoding *d, const struct batch *b, int64_t longest)
{
    decoding_init_on(backend, d, b, longest);
}

static void decoding_release(struct decoding *d)
{
    tensor_free(&d->cache.keys);
    tensor_free(&d->cache.values);
    tensor_free(&d->last);
    tensor_free(&d->out);
    free(d->table);
}

/* Decoding the last token from the cache gives the last row of the whole document, and a
 * row alone, in other pages, has the bits that it has among others. */
static void decode_case(int64_t head_size, int64_t window, float cap)
{
    enum { COUNT = 13, LONGEST = 130 }; /* enough for jobs of all heads of a sequence */
    const int64_t lengths[COUNT] = {1, LONGEST, 16, 17, 96, 2, 33, 5, 48, 15, 64, 3, 80};
    const int64_t width = 6 * head_size;
    struct batch b;
    struct decoding d, other;

    batch_init(&b, lengths, COUNT, 6, 2, head_size);
    b.shape.window = window;
    b.shape.cap = cap;
    decoding_init(&d, &b, LONGEST);
    decoding_init(&other, &b, LONGEST + 40);
    attention_decode(backend, &d.out, &d.last, &d.cache, &d.pages, d.positions, &b.shape);
    reference_loss(&b);
    for (int64_t n = 0; n < COUNT; n++) {
        const double *exact = b.out_exact + (b.starts[n + 1] - 1) * width;
        for (int64_t i = 0; i < width; i++)
            assert_near(f32(&d.out)[n * width + i], exact[i],
                        (double)reduction_of(&b, LONGEST) * (double)FLT_EPSILON);
    }
    struct tensor alone = matrix(1, width);
    for (int64_t n = 0; n < COUNT; n++) {
        const struct tensor row = tensor_rows(&d.last, n, 1);
        const struct tensor expected = tensor_rows(&d.out, n, 1);
        const struct cache_pages pages = {other.table + n * other.pages.width,
                                          other.pages.width};
        attention_decode(backend, &alone, &row, &other.cache, &pages, d.positions + n,
                         &b.shape);
        assert_same_bits(&alone, &expected);
    }
    tensor_free(&alone);
    decoding_release(&d);
    decoding_release(&other);
    batch_release(&b);
}

static void test_decode(void **state)
{
    (void)state;
    decode_case(72, 0, 0.0f);
    decode_case(20, 0, 0.0f);
    decode_case(20, 1, 0.0f);
    decode_case(20, 16, 0.0f);
    decode_case(20, 37, 2.0f);
    decode_case(20, 0, 6.0f);
}

/* Rows [splits[n], end) of each document, with their positions, as a batch of its own. */
struct continuation {
    struct tensor qkv, out;
    int32_t starts[17];
    int32_t positions[512];
    int64_t T;
};

static void continuation_init(struct continuation *c, const struct batch *b,
                              const int64_t *splits)
{
    const int64_t width = b->qkv.shape[1];

    c->T = 0;
    for (int64_t n = 0; n < b->count; n++) {
        c->starts[n] = (int32_t)c->T;
        for (int64_t t = splits[n]; t < b->starts[n + 1] - b->starts[n]; t++)
            c->positions[c->T++] = (int32_t)t;
    }
    c->starts[b->count] = (int32_t)c->T;
    c->qkv = matrix(c->T, width);
    c->out = matrix(c->T, b->shape.heads * b->shape.head_size);
    for (int64_t n = 0; n < b->count; n++)
        memcpy(f32(&c->qkv) + c->starts[n] * width,
               f32(&b->qkv) + (b->starts[n] + splits[n]) * width,
               (size_t)((c->starts[n + 1] - c->starts[n]) * width) * sizeof(float));
}

static void continue_on(struct backend *on, struct continuation *c, const struct batch *b,
                        const struct decoding *d, const int64_t *splits)
{
    continuation_init(c, b, splits);
    const struct cached_documents cached = {
        {c->starts, b->count, c->T}, c->positions, d->pages, true};
    attention_prefill(on, &c->out, &c->qkv, &d->cache, &cached, &b->shape);
}

/* What attention writes as bf16 is what it writes as f32, rounded. */
static void assert_rounded(const struct tensor *made, const struct tensor *wanted)
{
    assert_int_equal(made->dtype, DTYPE_BF16);
    for (int64_t i = 0; i < tensor_count(wanted); i++)
        assert_int_equal(((const uint16_t *)made->data)[i],
                         bf16_from_float(f32(wanted)[i]));
}

static void prefill_operand_case(struct backend *on, const struct batch *b,
                                 const struct decoding *d, const struct continuation *c)
{
    const struct cached_documents cached = {
        {c->starts, b->count, c->T}, c->positions, d->pages, true};
    struct tensor out = matrix(c->out.shape[0], c->out.shape[1]);

    out.dtype = DTYPE_BF16;
    attention_prefill(on, &out, &c->qkv, &d->cache, &cached, &b->shape);
    assert_rounded(&out, &c->out);
    tensor_free(&out);
}

/* What of a document is given in a second pass has the bits that it has in one; on an fp32
 * cache, those of attention_forward(). */
static void prefill_case(struct backend *on, int64_t head_size, int64_t window, float cap)
{
    enum { COUNT = 7, LONGEST = 130 };
    const int64_t lengths[COUNT] = {1, LONGEST, 16, 17, 96, 97, 50};
    const int64_t splits[][COUNT] = {
        {0}, {0, 16, 0, 16, 96, 96, 48}, {1, 129, 5, 17, 50, 1, 33}};
    struct batch b;
    struct decoding d;
    struct continuation whole, part;

    batch_init(&b, lengths, COUNT, 6, 2, head_size);
    b.shape.window = window;
    b.shape.cap = cap;
    decoding_init_on(on, &d, &b, LONGEST);
    continue_on(on, &whole, &b, &d, splits[0]);
    if (d.cache.keys.dtype == DTYPE_F32) {
        batch_forward(&b);
        assert_same_bits(&whole.out, &b.out);
    }
    if (backend_operand_dtype(on) == DTYPE_BF16)
        prefill_operand_case(on, &b, &d, &whole);
    for (int i = 1; i < 3; i++) {
        continue_on(on, &part, &b, &d, splits[i]);
        for (int64_t n = 0; n < COUNT; n++) {
            const int64_t rows = part.starts[n + 1] - part.starts[n];
            const struct tensor made = tensor_rows(&part.out, part.starts[n], rows);
            const struct tensor wanted =
                tensor_rows(&whole.out, b.starts[n] + splits[i][n], rows);
            assert_same_bits(&made, &wanted);
        }
        tensor_free(&part.qkv);
        tensor_free(&part.out);
    }
    tensor_free(&whole.qkv);
    tensor_free(&whole.out);
    decoding_release(&d);
    batch_release(&b);
}

static void prefill_cases(struct backend *on)
{
    prefill_case(on, 64, 0, 0.0f);
    prefill_case(on, 71, 0, 6.0f);
    prefill_case(on, 20, 1, 0.0f);
    prefill_case(on, 20, 37, 0.0f);
    prefill_case(on, 20, 100, 2.0f);
}

static void test_prefill(void **state)
{
    (void)state;
    prefill_cases(backend);
}

static void decode_operand_case(struct backend *narrow, const struct decoding *d,
                                const struct batch *b)
{
    struct tensor out = matrix(d->out.shape[0], d->out.shape[1]);

    out.dtype = DTYPE_BF16;
    attention_decode(narrow, &out, &d->last, &d->cache, &d->pages, d->positions, &b->shape);
    assert_rounded(&out, &d->out);
    tensor_free(&out);
}

/* A cache in bf16 gives the bits of one in fp32 where keys and values are bf16 numbers. */
static void bf16_cache_case(struct backend *narrow, int64_t head_size, int64_t window)
{
    enum { COUNT = 9, LONGEST = 70 }; /* enough for jobs of all heads of a sequence */
    const int64_t lengths[COUNT] = {1, LONGEST, 16, 17, 33, 5, 48, 2, 31};
    struct batch b;
    struct decoding wide, half;

    batch_init(&b, lengths, COUNT, 6, 2, head_size);
    b.shape.window = window;
    for (int64_t i = 0; i < tensor_count(&b.qkv); i++)
        f32(&b.qkv)[i] = bf16_to_float(bf16_from_float(f32(&b.qkv)[i]));
    decoding_init(&wide, &b, LONGEST);
    decoding_init_on(narrow, &half, &b, LONGEST);
    attention_decode(backend, &wide.out, &wide.last, &wide.cache, &wide.pages,
                     wide.positions, &b.shape);
    attention_decode(narrow, &half.out, &half.last, &half.cache, &half.pages,
                     half.positions, &b.shape);
    assert_same_bits(&wide.out, &half.out);
    if (backend_operand_dtype(narrow) == DTYPE_BF16)
        decode_operand_case(narrow, &half, &b);
    decoding_release(&wide);
    decoding_release(&half);
    batch_release(&b);
}

static void test_bf16_cache(void **state)
{
    const struct backend_options options = {.precision = "bf16", .thread_count = 2};
    struct error error = {0};
    struct backend *narrow;

    (void)state;
    if (backend_open(&narrow, &options, &error))
        fail_msg("%s", error.message);
    bf16_cache_case(narrow, 64, 0);
    bf16_cache_case(narrow, 71, 0);
    bf16_cache_case(narrow, 20, 19);
    prefill_cases(narrow);
    backend_close(narrow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_bf16_cache),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
