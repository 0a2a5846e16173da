#include "tests/unit/operations_fixture.h"

/* A packed batch of documents with everything that attention reads and writes. */
struct batch {
    struct attention_shape shape;
    int64_t T;
    int64_t count;
    int32_t *starts; /* [count + 1] */
    struct tensor qkv, out, log_sum, d_out, d_qkv;
    /* the reference, in double */
    double *qkv_exact, *upstream, *out_exact, *log_sum_exact;
};

static void batch_init(struct batch *b, const int64_t *lengths, int64_t count, int64_t H,
                       int64_t G, int64_t D)
{
    /* Three times the usual scale: peaked rows, so that maxima move between tiles. */
    *b =
        (struct batch){.shape = {H, G, D, 3.0f / sqrtf((float)D), 0, 0.0f}, .count = count};
    b->starts = memory_allocate_array((size_t)count + 1, sizeof *b->starts);
    for (int64_t n = 0; n < count; n++)
        b->starts[n + 1] = b->starts[n] + (int32_t)lengths[n];
    b->T = b->starts[count];
    b->qkv = matrix(b->T, (H + 2 * G) * D);
    b->d_qkv = matrix(b->T, (H + 2 * G) * D);
    b->out = matrix(b->T, H * D);
    b->d_out = matrix(b->T, H * D);
    b->log_sum = matrix(H, b->T);
    b->qkv_exact = doubles_of(&b->qkv);
    b->upstream = doubles_of(&b->d_out);
    b->out_exact = doubles_of(&b->out);
    b->log_sum_exact = doubles_of(&b->log_sum);
}

static void batch_release(struct batch *b)
{
    struct tensor *tensors[] = {&b->qkv, &b->out, &b->log_sum, &b->d_out, &b->d_qkv};

    for (int i = 0; i < 5; i++)
        tensor_free(tensors[i]);
    free(b->starts);
    free(b->qkv_exact);
    free(b->upstream);
    free(b->out_exact);
    free(b->log_sum_exact);
}

static void batch_forward(struct batch *b)
{
    const struct documents documents = {b->starts, b->count, b->T};
    attention_forward(backend, &b->out, &b->log_sum, &b->qkv, &documents, &b->shape);
}

static void batch_backward(struct batch *b)
{
    const struct documents documents = {b->starts, b->count, b->T};
    attention_backward(backend, &b->d_qkv, &b->d_out, &b->qkv, &b->out, &b->log_sum,
                       &documents, &b->shape);
}

/* One row of the definition: softmax(cap(scale q k)) v over keys (t - window, t] of one
 * head, from `start` on. */
static void reference_row(struct batch *b, int64_t head, int64_t start, int64_t t)
{
    const int64_t H = b->shape.heads, G = b->shape.key_value_heads, D = b->shape.head_size;
    const int64_t width = (H + 2 * G) * D, key_head = H + head / (H / G);
    const double *q = b->qkv_exact + t * width + head * D;
    double *out = b->out_exact + t * H * D + head * D, sum = 0;

    for (int64_t i = 0; i < D; i++)
        out[i] = 0;
    if (b->shape.window > 0)
        start = maximum(start, t - b->shape.window + 1);
    for (int64_t j = start; j <= t; j++) {
        const double *k = b->qkv_exact + j * width + key_head * D, *v = k + G * D;
        double score = 0;
        for (int64_t i = 0; i < D; i++)
            score += q[i] * k[i];
        score *= (double)b->shape.scale; /* stays below 250 */
        if (b->shape.cap > 0)
            score = (double)b->shape.cap * tanh(score / (double)b->shape.cap);
        const double p = exp(score);
        sum += p;
        for (int64_t i = 0; i < D; i++)
            out[i] += p * v[i];
    }
    for (int64_t i = 0; i < D; i++)
        out[i] /= sum;
    b->log_sum_exact[head * b->T + t] = log(sum);
}

static double reference_loss(void *context)
{
    struct batch *b = context;
    double loss = 0;

    for (int64_t n = 0; n < b->count; n++)
        for (int64_t t = b->starts[n]; t < b->starts[n + 1]; t++)
            for (int64_t head = 0; head < b->shape.heads; head++)
                reference_row(b, head, b->starts[n], t);
    for (int64_t i = 0; i < b->T * b->shape.heads * b->shape.head_size; i++)
        loss += b->out_exact[i] * b->upstream[i];
    return loss;
}

/*
 * In units of FLT_EPSILON: a score is a sum of D products below 1, times scale, so off by
 * D * D * scale at most (on average a quarter of that: the products are); the softmax and
 * the mix add a term a key.
 */
static int64_t reduction_of(const struct batch *b, int64_t longest)
{
    const double size = (double)b->shape.head_size;

    return (int64_t)(size * size * (double)b->shape.scale / 4) + longest + 16;
}

static void masked_case(const int64_t *lengths, int64_t count, int64_t H, int64_t G,
                        int64_t D, int64_t window, float cap)
{
    struct batch b;
    int64_t longest = 0;

    batch_init(&b, lengths, count, H, G, D);
    b.shape.window = window;
    b.shape.cap = cap;
    for (int64_t n = 0; n < count; n++)
        longest = maximum(longest, lengths[n]);
    const double tolerance = (double)reduction_of(&b, longest) * (double)FLT_EPSILON;
    batch_forward(&b);
    reference_loss(&b);
    for (int64_t i = 0; i < tensor_count(&b.out); i++)
        assert_near(f32(&b.out)[i], b.out_exact[i], tolerance);
    for (int64_t i = 0; i < tensor_count(&b.log_sum); i++)
        assert_near(f32(&b.log_sum)[i], b.log_sum_exact[i],
                    tolerance + 4 * (double)FLT_EPSILON * fabs(b.log_sum_exact[i]));
    batch_backward(&b); /* over random numbers: d_qkv is written */
    assert_gradient(&(struct gradient_check){reference_loss, &b, b.qkv_exact, f32(&b.d_qkv),
                                             tensor_count(&b.qkv),
                                             reduction_of(&b, longest)});
    batch_release(&b);
}

static void numbers_case(const int64_t *lengths, int64_t count, int64_t H, int64_t G,
                         int64_t D)
{
    masked_case(lengths, count, H, G, D, 0, 0.0f);
}

static void numbers_cases(void)
{
    numbers_case((const int64_t[]){1}, 1, 1, 1, 6);
    numbers_case((const int64_t[]){7, 1, 33}, 3, 6, 2, 6);
    numbers_case((const int64_t[]){49, 96, 1, 0, 20}, 5, 2, 1, 64);
    numbers_case((const int64_t[]){97, 48}, 2, 2, 2, 80);
    numbers_case((const int64_t[]){random_between(100, 220), random_between(1, 60)}, 2, 3,
                 1, 16);
}

static void test_numbers(void **state)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const struct gemm_kernel *best = cpu->kernel;

    (void)state;
    for (int i = 0; gemm_kernel_at(i); i++) {
        cpu->kernel = gemm_kernel_at(i);
        numbers_cases();
    }
    cpu->kernel = best;
}

static void test_long_document(void **state)
{
    (void)state;
    numbers_case((const int64_t[]){300}, 1, 2, 1, 32);
}

/* Windows within a tile of keys, across several, of one key, and longer than documents. */
static void test_windows(void **state)
{
    (void)state;
    masked_case((const int64_t[]){210, 1, 50}, 3, 2, 1, 16, 1, 0.0f);
    masked_case((const int64_t[]){97, 0, 200}, 3, 3, 1, 20, 2, 0.0f);
    masked_case((const int64_t[]){150, 7}, 2, 2, 2, 64, 48, 0.0f);
    masked_case((const int64_t[]){300}, 1, 2, 1, 12, 97, 0.0f);
    masked_case((const int64_t[]){289, 30}, 2, 4, 2, 10, 145, 0.0f);
    masked_case((const int64_t[]){40, 96}, 2, 1, 1, 8, 96, 0.0f);
    masked_case((const int64_t[]){random_between(1, 260), random_between(1, 260)}, 2, 2, 1,
                18, random_between(1, 200), 0.0f);
}

/* Scores go to about 10; caps below that bend them, and above hardly. */
static void test_caps(void **state)
{
    (void)state;
    masked_case((const int64_t[]){33, 1, 7}, 3, 6, 2, 6, 0, 2.5f);
    masked_case((const int64_t[]){110}, 1, 2, 1, 64, 0, 0.7f);
    masked_case((const int64_t[]){120, 50}, 2, 2, 1, 80, 30, 50.0f);
    masked_case((const int64_t[]){230, 4}, 2, 2, 2, 20, 100, 3.0f);
    masked_case((const int64_t[]){30}, 1, 1, 1, 256, 9, 5.0f);
}

/* Documents of 1 to 300 tokens packed together give the bits that each gives alone. */
static void packed_case(int64_t window, float cap)
{
    enum { COUNT = 9 };
    const int64_t lengths[COUNT] = {1, 300, 2, 47, 48, 49, 96, 97, random_between(1, 300)};
    struct batch packed;

    batch_init(&packed, lengths, COUNT, 6, 2, 20);
    packed.shape.window = window;
    packed.shape.cap = cap;
    batch_forward(&packed);
    batch_backward(&packed);
    for (int n = 0; n < COUNT; n++) {
        const int64_t start = packed.starts[n];
        struct batch alone;
        batch_init(&alone, &lengths[n], 1, 6, 2, 20);
        alone.shape = packed.shape;
        tensor_free(&alone.qkv);
        tensor_free(&alone.d_out);
        alone.qkv = tensor_rows(&packed.qkv, start, lengths[n]);
        alone.d_out = tensor_rows(&packed.d_out, start, lengths[n]);
        batch_forward(&alone);
        batch_backward(&alone);
        const struct tensor out = tensor_rows(&packed.out, start, lengths[n]);
        const struct tensor d_qkv = tensor_rows(&packed.d_qkv, start, lengths[n]);
        assert_same_bits(&out, &alone.out);
        assert_same_bits(&d_qkv, &alone.d_qkv);
        for (int64_t head = 0; head < 6; head++)
            assert_memory_equal(f32(&packed.log_sum) + head * packed.T + start,
                                f32(&alone.log_sum) + head * lengths[n],
                                (size_t)lengths[n] * sizeof(float));
        alone.qkv.data = alone.d_out.data = NULL; /* they belong to `packed` */
        batch_release(&alone);
    }
    batch_release(&packed);
}

static void test_packed_equals_separate(void **state)
{
    (void)state;
    packed_case(0, 0.0f);
    packed_case(50, 4.0f);
}

/* Twice the same, and the same with another number of threads. */
static void test_bits_repeat(void **state)
{
    const int64_t lengths[] = {120, 1, 60, 33};
    struct cpu_backend *cpu = cpu_of(backend);
    struct batch b;

    (void)state;
    batch_init(&b, lengths, 4, 4, 2, 24);
    batch_forward(&b);
    batch_backward(&b);
    struct tensor out = copy_of(&b.out), d_qkv = copy_of(&b.d_qkv);
    for (int threads = 1; threads <= 3; threads++) {
        cpu->thread_count = threads;
        batch_forward(&b);
        batch_backward(&b);
        assert_same_bits(&b.out, &out);
        assert_same_bits(&b.d_qkv, &d_qkv);
    }
    cpu->thread_count = 2;
    tensor_free(&out);
    tensor_free(&d_qkv);
    batch_release(&b);
}

/* Scores of hundreds: no overflow, and the highest takes all. */
static void test_large_scores(void **state)
{
    const int64_t lengths[] = {150};
    struct batch b;

    (void)state;
    batch_init(&b, lengths, 1, 1, 1, 8);
    for (int64_t t = 0; t < 150; t++)
        for (int64_t i = 0; i < 16; i++)
            f32(&b.qkv)[t * 24 + i] = i < 8 ? 20.0f : (float)t * (t % 2 ? 1.0f : -1.0f);
    batch_forward(&b);
    batch_backward(&b);
    for (int64_t t = 1; t < 150; t++) { /* the last odd key has by far the highest score */
        const int64_t highest = t % 2 ? t : t - 1;
        for (int64_t i = 0; i < 8; i++)
            assert_near(f32(&b.out)[t * 8 + i], f32(&b.qkv)[highest * 24 + 16 + i],
                        4 * (double)FLT_EPSILON);
    }
    for (int64_t i = 0; i < tensor_count(&b.d_qkv); i++)
        assert_true(isfinite(f32(&b.d_qkv)[i]));
    batch_release(&b);
}

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
        {c->starts, b->count, c->T}, c->positions, d->pages};
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
        {c->starts, b->count, c->T}, c->positions, d->pages};
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
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_long_document),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_packed_equals_separate),
        cmocka_unit_test(test_bits_repeat),
        cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_bf16_cache),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
