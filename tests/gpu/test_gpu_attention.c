#include "tests/gpu/attention_reference.h"

/* A packed batch of documents with everything that attention reads and writes. */
struct pack {
    struct attention_shape shape;
    enum dtype dtype;
    int64_t T, count;
    int64_t longest; /* as it is told to the back-end: an upper bound */
    int64_t width;   /* (H + 2G) D */
    int32_t *starts; /* [count + 1] */
    struct indices starts_on;
    struct operand qkv, out, log_sum, d_out, d_qkv;
    const double *in, *upstream, *out_given; /* qkv, d_out and out in double */
    struct bounded *out_exact, *log_sum_exact, *d_exact;
};

static int64_t slack; /* by how much `longest` of packs made now is too large */

static struct pack pack_make(const int64_t *lengths, int64_t count, int64_t H, int64_t G,
                             int64_t D, enum dtype dtype)
{
    /* Three times the usual scale: peaked rows, so that maxima move between tiles. */
    struct pack p = {.shape = {H, G, D, 3.0f / sqrtf((float)D), 0, 0.0f},
                     .dtype = dtype,
                     .count = count,
                     .longest = slack,
                     .width = (H + 2 * G) * D,
                     .starts = keep(int32_t, count + 1)};
    int64_t longest = 0;

    for (int64_t n = 0; n < count; n++) {
        p.starts[n + 1] = p.starts[n] + (int32_t)lengths[n];
        longest = lengths[n] > longest ? lengths[n] : longest;
    }
    p.longest += longest;
    p.T = p.starts[count];
    p.starts_on = indices_of(p.starts, count + 1);
    p.qkv = random_matrix(dtype, p.T, p.width);
    p.d_out = random_matrix(dtype, p.T, H * D);
    p.out = poisoned_matrix(dtype, p.T, H * D);
    p.log_sum = poisoned_matrix(DTYPE_F32, H, p.T);
    p.d_qkv = poisoned_matrix(dtype, p.T, p.width);
    return p;
}

/* NULL: those that the back-end chooses. */
static const char *kernels_in_use(void)
{
    return getenv("HOLDFAST_ATTENTION");
}

static void case_name(const char *what, const struct pack *p)
{
    case_begin("attention %s %s %s T=%lld N=%lld longest %lld H=%lld G=%lld D=%lld odd %d",
               what, dtype_name(p->dtype), kernels_in_use() ? kernels_in_use() : "",
               (long long)p->T, (long long)p->count, (long long)p->longest,
               (long long)p->shape.heads, (long long)p->shape.key_value_heads,
               (long long)p->shape.head_size, shifted);
}

static struct documents documents_of(const struct pack *p, enum side side)
{
    return (struct documents){p->starts_on.on[side], p->count, p->longest};
}

/* The prefill of the device, which reads no cache where no document continues it. */
static void device_prefill(struct tensor *out, const struct tensor *qkv,
                           const struct documents *documents,
                           const struct attention_shape *shape)
{
    const struct tensor none =
        tensor_view_2d(NULL, qkv->dtype, 0, shape->key_value_heads * shape->head_size);
    const struct key_value_cache_layer cache = {none, none};
    const struct cached_documents cached = {.documents = *documents};

    attention_prefill(backends[DEVICE], out, qkv, &cache, &cached, shape);
}

static void run_forward(struct pack *p, enum side side)
{
    const struct documents documents = documents_of(p, side);

    attention_forward(backends[side], &p->out.on[side], &p->log_sum.on[side],
                      &p->qkv.on[side], &documents, &p->shape);
}

static void run_backward(struct pack *p, enum side side)
{
    const struct documents documents = documents_of(p, side);

    attention_backward(backends[side], &p->d_qkv.on[side], &p->d_out.on[side],
                       &p->qkv.on[side], &p->out.on[side], &p->log_sum.on[side], &documents,
                       &p->shape);
}

/* Query t of head `head`, against the keys of its document, which starts at `start`. */
static struct attention_row row_of(const struct pack *p, int64_t start, int64_t t,
                                   int64_t head)
{
    const int64_t H = p->shape.heads, G = p->shape.key_value_heads, D = p->shape.head_size;
    const double *keys = p->in + start * p->width + (H + head / (H / G)) * D;

    return (struct attention_row){.query = p->in + t * p->width + head * D,
                                  .keys = keys,
                                  .values = keys + G * D,
                                  .stride = p->width,
                                  .count = t - start + 1,
                                  .size = D,
                                  .scale = (double)p->shape.scale,
                                  .rounds_p = p->dtype == DTYPE_BF16};
}

/* The document that each row belongs to, by its start. */
static int32_t *starts_of_rows(const struct pack *p)
{
    int32_t *start = keep(int32_t, p->T);

    for (int64_t n = 0; n < p->count; n++)
        for (int64_t t = p->starts[n]; t < p->starts[n + 1]; t++)
            start[t] = p->starts[n];
    return start;
}

static void solve_forward(struct pack *p)
{
    const int64_t H = p->shape.heads, D = p->shape.head_size;
    const int32_t *start = starts_of_rows(p);

    p->in = doubles_of(host_data(&p->qkv), p->T * p->width);
    p->out_exact = keep(struct bounded, p->T * H * D);
    p->log_sum_exact = keep(struct bounded, H * p->T);
#pragma omp parallel
    {
        struct bounded *scores =
            memory_allocate_array((size_t)p->longest + 1, sizeof *scores);
#pragma omp for schedule(dynamic, 8)
        for (int64_t t = p->T - 1; t >= 0; t--) /* long rows come first */
            for (int64_t head = 0; head < H; head++) {
                const struct attention_row row = row_of(p, start[t], t, head);
                reference_forward(&row, scores, p->out_exact + (t * H + head) * D,
                                  p->log_sum_exact + head * p->T + t);
            }
        free(scores);
    }
}

/* What the backward of one document and head needs of each pair of query and key. */
struct pair {
    double p, p_error;     /* probability */
    double d_s, d_s_error; /* gradient of scale q k, times scale */
};

/*
 * With P = exp(s - log_sum), dP = dO V^T, delta = sum dO O (as given):
 *
 *     dS = scale P (dP - delta)      dQ = dS K      dK = dS^T Q      dV = P^T dO
 *
 * In bf16, P and dS are rounded to be multiplied with dO, K and Q.
 */
static struct pair pair_of(const struct pack *p, const struct attention_row *row, int64_t j,
                           const double *d_out, struct bounded delta, double log_sum)
{
    const int64_t D = row->size;
    const double narrow = p->dtype == DTYPE_BF16 ? bf16_error : 0;
    const struct bounded s =
        score_of(row->query, row->keys + j * row->stride, D, row->scale);
    const struct bounded d_p = dot_with_size(d_out, row->values + j * row->stride, D);
    const double weight = exp(s.value - log_sum), off = weight_error(s, log_sum);
    const double difference = d_p.value - delta.value;
    const double difference_off =
        sum_error(D) * (d_p.error + delta.error) +
        2 * (double)FLT_EPSILON * (fabs(d_p.value) + fabs(delta.value));
    const double d_s = row->scale * weight * difference;

    return (struct pair){.p = weight,
                         .p_error = weight * (off + narrow),
                         .d_s = d_s,
                         .d_s_error = fabs(d_s) * (off + narrow) +
                                      row->scale * weight * difference_off};
}

/* The pairs of query t, the t-th of the document, and dQ. */
static void solve_query(struct pack *p, int64_t start, int64_t t, int64_t head,
                        struct pair *pairs)
{
    const int64_t H = p->shape.heads, D = p->shape.head_size;
    const struct attention_row row = row_of(p, start, t, head);
    const double *d_out = p->upstream + (t * H + head) * D;
    const struct bounded delta = dot_with_size(d_out, p->out_given + (t * H + head) * D, D);
    const double log_sum = (double)host_data(&p->log_sum)[head * p->T + t];
    struct bounded *d_query = p->d_exact + t * p->width + head * D;

    for (int64_t j = 0; j < row.count; j++) {
        pairs[j] = pair_of(p, &row, j, d_out, delta, log_sum);
        add_scaled(d_query, pairs[j].d_s,
                   pairs[j].d_s_error + sum_error(row.count) * fabs(pairs[j].d_s),
                   row.keys + j * row.stride, D);
    }
}

/*
 * dK and dV of key j from one query head. A group of heads adds up; cuDNN keeps the share
 * of each in bf16 until then (its node's dK_fullhead), a rounding more.
 */
static void solve_key(struct pack *p, int64_t start, int64_t length, int64_t j,
                      int64_t head, const struct pair *pairs)
{
    const int64_t H = p->shape.heads, G = p->shape.key_value_heads, D = p->shape.head_size;
    const double sums = sum_error(length * (H / G));
    const double share = H > G && p->dtype == DTYPE_BF16 ? bf16_error : 0;
    struct bounded *to = p->d_exact + (start + j) * p->width + (H + head / (H / G)) * D;
    struct bounded *d_key = memory_allocate_array((size_t)D * 2, sizeof *d_key);
    struct bounded *d_value = d_key + D;

    for (int64_t i = j; i < length; i++) {
        const struct pair *pair = &pairs[i * (i + 1) / 2 + j];
        add_scaled(d_key, pair->d_s, pair->d_s_error + sums * fabs(pair->d_s),
                   p->in + (start + i) * p->width + head * D, D);
        add_scaled(d_value, pair->p, pair->p_error + sums * pair->p,
                   p->upstream + ((start + i) * H + head) * D, D);
    }
    for (int64_t i = 0; i < D; i++) {
        to[i].value += d_key[i].value;
        to[i].error += d_key[i].error + share * fabs(d_key[i].value);
        to[G * D + i].value += d_value[i].value;
        to[G * D + i].error += d_value[i].error + share * fabs(d_value[i].value);
    }
    free(d_key);
}

static void solve_backward(struct pack *p)
{
    const int64_t H = p->shape.heads, D = p->shape.head_size;
    struct pair *pairs = memory_allocate_array(
        (size_t)(p->longest * (p->longest + 1) / 2 + 1), sizeof *pairs);

    p->upstream = doubles_of(host_data(&p->d_out), p->T * H * D);
    p->out_given = doubles_of(host_data(&p->out), p->T * H * D);
    p->d_exact = keep(struct bounded, p->T * p->width);
    for (int64_t n = 0; n < p->count; n++)
        for (int64_t head = 0; head < H; head++) {
            const int64_t start = p->starts[n], length = p->starts[n + 1] - start;
#pragma omp parallel for schedule(dynamic, 8) if (length > 8)
            for (int64_t i = length - 1; i >= 0; i--)
                solve_query(p, start, start + i, head, pairs + i * (i + 1) / 2);
#pragma omp parallel for schedule(dynamic, 8) if (length > 8)
            for (int64_t j = 0; j < length; j++)
                solve_key(p, start, length, j, head, pairs);
        }
    free(pairs);
}

/* Brings the exact results of the forward to both sides, as inputs of the backward. */
static void give_exact_forward(struct pack *p)
{
    for (int64_t i = 0; i < tensor_count(&p->out.on[HOST]); i++)
        host_data(&p->out)[i] = (float)p->out_exact[i].value;
    for (int64_t i = 0; i < tensor_count(&p->log_sum.on[HOST]); i++)
        host_data(&p->log_sum)[i] = (float)p->log_sum_exact[i].value;
    operand_send(&p->out);
    operand_send(&p->log_sum);
}

static void numbers_case(const int64_t *lengths, int64_t count, int64_t H, int64_t G,
                         int64_t D, enum dtype dtype)
{
    struct pack p = pack_make(lengths, count, H, G, D, dtype);

    case_name("forward", &p);
    solve_forward(&p);
    EACH_SIDE(side)
    run_forward(&p, side);
    check_operand("out", &p.out, p.out_exact);
    check_operand("log_sum", &p.log_sum, p.log_sum_exact);

    case_name("prefill", &p);
    const struct documents documents = documents_of(&p, DEVICE);
    poison(&p.out);
    device_prefill(&p.out.on[DEVICE], &p.qkv.on[DEVICE], &documents, &p.shape);
    check_floats("out", fetch_floats(&p.out), dtype, p.out_exact, p.T * H * D);

    case_name("backward", &p);
    give_exact_forward(&p);
    solve_backward(&p);
    EACH_SIDE(side)
    run_backward(&p, side);
    check_operand("d_qkv", &p.d_qkv, p.d_exact);
    release_all();
}

#define numbers_of(H, G, D, dtype, ...)                                                    \
    numbers_case((const int64_t[]){__VA_ARGS__},                                           \
                 sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), H, G, D, dtype)

static void small_numbers(enum dtype dtype)
{
    numbers_of(1, 1, 6, dtype, 1);
    numbers_of(6, 2, 6, dtype, 7, 1, 33);
    numbers_of(2, 1, 64, dtype, 0, 20, 0, 0, 1, 64, 0);
    numbers_of(3, 1, 20, dtype, 70);
    numbers_of(4, 2, 80, dtype, 17, 17, 17);
    numbers_of(8, 1, 128, dtype, 40, 24); /* T = 64 */
    numbers_of(1, 1, 256, dtype, 65);
    numbers_of(2, 2, 96, dtype, 1, 1, 1, 1, 1);
    shifted = true;
    numbers_of(4, 2, 64, dtype, 31, 34);
    numbers_of(2, 1, 20, dtype, 31, 3);
    shifted = false;
}

/* Each head size with two shapes of groups, over the edges of tiles; T % 128 = 64. */
static void edge_numbers(enum dtype dtype)
{
    static const int64_t sizes[] = {64, 80, 96, 128, 256, 6, 20};
    static const int64_t groups[][2] = {{2, 2}, {4, 2}, {4, 1}, {8, 1}};

    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 2; j++) {
            const int64_t H = groups[(i + 2 * j) % 4][0], G = groups[(i + 2 * j) % 4][1];
            slack = random_between(0, 1) * 37;
            numbers_of(H, G, sizes[i], dtype, 63, 64, 65, 0, 127, 129, 128);
        }
    slack = 0;
}

static void batch_numbers(enum dtype dtype)
{
    const int64_t a = random_between(1, 300), b = random_between(1, 300);

    numbers_of(4, 2, 128, dtype, 192);               /* one document, T % 128 = 64 */
    numbers_of(4, 4, 64, dtype, 128, 128, 128, 128); /* all of one length */
    numbers_of(4, 1, 64, dtype, 512);
    numbers_of(4, 1, 96, dtype, 100, 100, 100, 100, 100);
    numbers_of(2, 1, 64, dtype, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    numbers_of(8, 2, 64, dtype, a, 0, b, 1);
    /* Documents of 1 to 4,000 tokens in one pack. */
    numbers_of(2, 1, 64, dtype, 3, 4000, 1, 2, 17, 64, 333, 1000, 128, 0, 1);
}

static void numbers_hold(enum dtype dtype)
{
    small_numbers(dtype);
    if (small)
        return;
    edge_numbers(dtype);
    batch_numbers(dtype);
}

/*
 * What cuDNN serves, backward too: packs that are not mostly padding. A plan takes it half
 * a second, so that these share few: one is needed for each shape of heads, number of
 * documents and greatest length (in steps of 128).
 */
static void cudnn_numbers(enum dtype dtype)
{
    numbers_of(4, 2, 64, dtype, small ? 65 : 192); /* one document, T % 128 = 64 */
    if (small)
        return;
    numbers_of(4, 2, 64, dtype, 193, 250, 256, 200, 189); /* T % 128 = 64 */
    numbers_of(4, 2, 64, dtype, 3, 256, 256, 1, 255);     /* the same plan */
    numbers_of(4, 2, 64, dtype, 0, 256, 230, 0, 255);
    numbers_of(2, 2, 80, dtype, 193, 250, 256, 200, 189);
    numbers_of(4, 1, 96, dtype, 193, 250, 256, 200, 189);
    numbers_of(8, 2, 128, dtype, 193, 250, 256, 200, 189);
    numbers_of(8, 1, 256, dtype, 193, 250, 256, 200, 189);
    numbers_of(4, 2, 64, dtype, 100, 50, 42);
    numbers_of(4, 2, 64, dtype, 42, 50, 100);
    numbers_of(4, 2, 64, dtype, 512);
    numbers_of(4, 2, 64, dtype, 128, 128, 128, 128); /* all of one length, */
    slack = 5;                                       /* and as if they were not */
    numbers_of(4, 2, 64, dtype, 128, 128, 128, 128);
    slack = 0;
    numbers_of(2, 1, 64, dtype, 2500, 2100);
    /* The forward alone: a backward would be mostly padding. */
    numbers_of(2, 1, 64, dtype, 3, 4000, 1, 2, 17, 64, 333, 1000, 128, 0, 1);
}

/* What a document gives in a pack and alone, by attention_prefill(): the same bits. */
static void prefill_alone(const struct pack *p, int64_t n, const unsigned char *packed)
{
    const int64_t start = p->starts[n], length = p->starts[n + 1] - start;
    const size_t row =
        (size_t)(p->shape.heads * p->shape.head_size) * dtype_bytes(p->dtype);
    int32_t bounds[] = {0, (int32_t)length};
    const struct indices alone = indices_of(bounds, 2);
    const struct documents document = {alone.on[DEVICE], 1, length};
    const struct tensor qkv = tensor_rows(&p->qkv.on[DEVICE], start, length);
    struct operand out =
        poisoned_matrix(p->dtype, length, p->shape.heads * p->shape.head_size);
    char what[64];

    snprintf(what, sizeof what, "document %lld of %lld tokens", (long long)n,
             (long long)length);
    device_prefill(&out.on[DEVICE], &qkv, &document, &p->shape);
    assert_same_bits(what, fetch(&out.on[DEVICE]), packed + (size_t)start * row,
                     (size_t)length * row);
}

static void prefill_case(int64_t H, int64_t G, int64_t D, enum dtype dtype)
{
    const int64_t lengths[] = {
        1, 63, 2, 64, 0, 129, 31, small ? 9 : 600, random_between(1, small ? 50 : 400), 5};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    struct pack p = pack_make(lengths, COUNT, H, G, D, dtype);
    const struct documents documents = documents_of(&p, DEVICE);

    case_name("prefill in pack and alone", &p);
    device_prefill(&p.out.on[DEVICE], &p.qkv.on[DEVICE], &documents, &p.shape);
    const unsigned char *packed = fetch(&p.out.on[DEVICE]);
    for (int64_t n = 0; n < COUNT; n++)
        prefill_alone(&p, n, packed);
    release_all();
}

static void documents_are_independent(enum dtype dtype)
{
    prefill_case(6, 2, 20, dtype);
    prefill_case(4, 1, 64, dtype);
    prefill_case(4, 2, 80, dtype);
    prefill_case(8, 2, 128, dtype);
    prefill_case(2, 1, 256, dtype);
}

/* Forward and backward, each from what the one before gave, twice: the same bits. */
static void repeat_case(const int64_t *lengths, int64_t count, int64_t H, int64_t G,
                        int64_t D, enum dtype dtype)
{
    struct pack p = pack_make(lengths, count, H, G, D, dtype);
    const struct operand *results[] = {&p.out, &p.log_sum, &p.d_qkv};
    const void *first[3];

    case_name("repeat", &p);
    for (int round = 0; round < 3; round++) {
        poison(&p.out);
        poison(&p.log_sum);
        poison(&p.d_qkv);
        run_forward(&p, DEVICE);
        run_backward(&p, DEVICE);
        for (int i = 0; i < 3; i++) {
            const void *bits = fetch(&results[i]->on[DEVICE]);
            if (round > 0)
                assert_same_bits("again", bits, first[i],
                                 tensor_bytes(&results[i]->on[DEVICE]));
            first[i] = bits;
        }
    }
    const float *d_qkv = fetch_floats(&p.d_qkv);
    for (int64_t i = 0; i < p.T * p.width; i++)
        if (!isfinite(d_qkv[i]))
            fail_msg("%s: d_qkv[%lld] is not finite", case_text, (long long)i);
    release_all();
}

static void bits_repeat(enum dtype dtype)
{
    const int64_t mixed[] = {120, 1, 60, 33, small ? 2 : 700};
    const int64_t full[] = {193, 250, 256, 200, 189};
    const int64_t equal[] = {128, 128, 128, 128};
    const int64_t whole[] = {2048};
    const bool cudnn = dtype == DTYPE_BF16 && !kernels_in_use();

    if (!cudnn) {
        repeat_case(mixed, 5, 4, 2, 20, dtype);
        repeat_case(mixed, 5, 8, 2, 64, dtype);
    }
    if (small)
        return;
    repeat_case(full, 5, 4, 2, 64, dtype);
    repeat_case(equal, 4, 4, 2, 64, dtype);
    repeat_case(whole, 1, 8, 4, 128, dtype);
    if (!cudnn)
        repeat_case(mixed, 5, 4, 4, 256, dtype);
}

/* Scores of hundreds: no overflow, and the highest takes all. */
static void large_scores(enum dtype dtype)
{
    enum { T = 150, D = 64 };
    struct pack p = pack_make((const int64_t[]){T}, 1, 1, 1, D, dtype);

    case_name("large scores", &p);
    p.shape.scale = 1.0f / 8;
    for (int64_t t = 0; t < T; t++)
        for (int64_t i = 0; i < 2 * D; i++)
            host_data(&p.qkv)[t * 3 * D + i] =
                i < D ? 2.0f : (float)t * (t % 2 ? 1.0f : -1.0f); /* a score of 16 t */
    operand_send(&p.qkv);
    run_forward(&p, DEVICE);
    run_backward(&p, DEVICE);
    const float *out = fetch_floats(&p.out), *d_qkv = fetch_floats(&p.d_qkv);
    for (int64_t t = 1; t < T; t++) { /* the last odd key has by far the highest score */
        const int64_t highest = t % 2 ? t : t - 1;
        for (int64_t i = 0; i < D; i++)
            check_number("out", (double)out[t * D + i],
                         (double)host_data(&p.qkv)[highest * 3 * D + 2 * D + i], 1e-5);
    }
    for (int64_t i = 0; i < T * 3 * D; i++)
        assert_true(isfinite(d_qkv[i]));
    release_all();
}

/* No tokens, or only empty documents: nothing happens. */
static void no_tokens(enum dtype dtype)
{
    struct pack none[] = {pack_make(NULL, 0, 2, 1, 64, dtype),
                          pack_make((const int64_t[]){0, 0}, 2, 2, 1, 64, dtype)};

    for (int i = 0; i < 2; i++) {
        const struct documents documents = documents_of(&none[i], DEVICE);
        case_name("without tokens", &none[i]);
        run_forward(&none[i], DEVICE);
        run_backward(&none[i], DEVICE);
        device_prefill(&none[i].out.on[DEVICE], &none[i].qkv.on[DEVICE], &documents,
                       &none[i].shape);
    }
    release_all();
}

/*
 * HOLDFAST_ATTENTION: "cudnn" for cuDNN wherever it serves, unset for what the back-end
 * chooses, "own" for our kernels, "simple" for those without tensor cores. Reopens the
 * device, so that it does not matter when the variable is read.
 */
static void use_kernels(const char *name)
{
    const char *now = kernels_in_use();

    if (name ? now && strcmp(now, name) == 0 : !now)
        return;
    if (name)
        setenv("HOLDFAST_ATTENTION", name, 1);
    else
        unsetenv("HOLDFAST_ATTENTION");
    assert_int_equal(device_open(), 0);
    assert_non_null(backends[DEVICE]);
}

#define TEST_WITH(kernels, label, name, type)                                              \
    static void name##_##label(void **state)                                               \
    {                                                                                      \
        (void)state;                                                                       \
        require(type);                                                                     \
        use_kernels(kernels);                                                              \
        name(type);                                                                        \
    }

TEST_WITH("own", f32, numbers_hold, DTYPE_F32)
TEST_WITH("own", f32, documents_are_independent, DTYPE_F32)
TEST_WITH("own", f32, bits_repeat, DTYPE_F32)
TEST_WITH("own", f32, large_scores, DTYPE_F32)
TEST_WITH("own", f32, no_tokens, DTYPE_F32)
TEST_WITH("own", bf16, numbers_hold, DTYPE_BF16)
TEST_WITH("own", bf16, documents_are_independent, DTYPE_BF16)
TEST_WITH("own", bf16, bits_repeat, DTYPE_BF16)
TEST_WITH("own", bf16, large_scores, DTYPE_BF16)
TEST_WITH("own", bf16, no_tokens, DTYPE_BF16)
TEST_WITH("simple", simple, small_numbers, DTYPE_BF16)
TEST_WITH("simple", simple, documents_are_independent, DTYPE_BF16)
TEST_WITH(NULL, chosen, small_numbers, DTYPE_F32)
TEST_WITH(NULL, chosen_bf16, small_numbers, DTYPE_BF16)
TEST_WITH("cudnn", cudnn, cudnn_numbers, DTYPE_BF16)
TEST_WITH("cudnn", cudnn, bits_repeat, DTYPE_BF16)
TEST_WITH("cudnn", cudnn, large_scores, DTYPE_BF16)
TEST_WITH("cudnn", cudnn, no_tokens, DTYPE_BF16)

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(numbers_hold),
        gpu_tests(documents_are_independent),
        gpu_tests(bits_repeat),
        gpu_tests(large_scores),
        gpu_tests(no_tokens),
        gpu_test(small_numbers_simple),
        gpu_test(documents_are_independent_simple),
        gpu_test(small_numbers_chosen),
        gpu_test(small_numbers_chosen_bf16),
        gpu_test(cudnn_numbers_cudnn),
        gpu_test(bits_repeat_cudnn),
        gpu_test(large_scores_cudnn),
        gpu_test(no_tokens_cudnn),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
