#include "tests/gpu/gpu_fixture.h"

/*
 * The operations that only some families use, the device against the CPU back-end, which
 * tests/unit holds against the definitions: LayerNorm, RMSNorm by 1 + w, GELU, soft-caps,
 * windows, partial rotation. Inputs are below 1. A result may be off by a share of the
 * greatest one: in f32 2e-5, some two hundred roundings; in bf16 2%, five roundings of
 * 2^-8, the probabilities' and gradients' on the way included.
 */
static double share_of(enum dtype dtype)
{
    return dtype == DTYPE_BF16 ? 0.02 : 2e-5;
}

static void compare(const char *what, const struct operand *operand, enum dtype dtype)
{
    const int64_t count = tensor_count(&operand->on[DEVICE]);
    const float *actual = fetch_floats(operand), *wanted = host_data(operand);
    double greatest = 1e-3;

    for (int64_t i = 0; i < count; i++)
        greatest = fmax(greatest, fabs((double)wanted[i]));
    for (int64_t i = 0; i < count; i++)
        check_number(what, (double)actual[i], (double)wanted[i],
                     share_of(dtype) * greatest);
}

static void norm_case(enum dtype dtype, int64_t T, int64_t C)
{
    struct operand in = random_matrix(dtype, T, C), weight = random_vector(dtype, C);
    struct operand bias = random_vector(dtype, C), d_out = random_matrix(dtype, T, C);
    struct operand out = poisoned_matrix(dtype, T, C), rstd = poisoned_vector(DTYPE_F32, T);
    struct operand d_in = random_matrix(dtype, T, C);
    struct operand d_weight = random_vector(DTYPE_F32, C);
    struct operand d_bias = random_vector(DTYPE_F32, C);

    case_begin("norms %s T=%lld C=%lld", dtype_name(dtype), (long long)T, (long long)C);
    EACH_SIDE(side)
    {
        layer_norm_forward(backends[side], &out.on[side], &rstd.on[side], &in.on[side],
                           &weight.on[side], &bias.on[side], 1e-5f);
        layer_norm_backward(backends[side], &d_in.on[side], &d_weight.on[side],
                            &d_bias.on[side], &d_out.on[side], &in.on[side],
                            &weight.on[side], &rstd.on[side]);
    }
    compare("layer norm", &out, dtype);
    compare("d_in", &d_in, dtype);
    compare("d_weight", &d_weight, dtype);
    compare("d_bias", &d_bias, dtype);
    EACH_SIDE(side)
    {
        rms_norm_forward(backends[side], &out.on[side], &rstd.on[side], &in.on[side],
                         &weight.on[side], 1.0f, 1e-5f);
        rms_norm_backward(backends[side], &d_in.on[side], &d_weight.on[side],
                          &d_out.on[side], &in.on[side], &weight.on[side], 1.0f,
                          &rstd.on[side]);
    }
    compare("rms norm", &out, dtype);
    compare("d_in", &d_in, dtype);
    compare("d_weight", &d_weight, dtype);
}

static void norms(enum dtype dtype)
{
    norm_case(dtype, 1, 6);
    norm_case(dtype, 33, 257);
    norm_case(dtype, 300, 768);
    if (!small)
        norm_case(dtype, 7, 9001); /* the wide kernel */
}
BOTH_TYPES(norms)

static void gelu_case(enum dtype dtype, int64_t T, int64_t F, int64_t width,
                      enum gelu_kind kind)
{
    struct operand in = random_matrix(dtype, T, width), d_out = random_matrix(dtype, T, F);
    struct operand out = poisoned_matrix(dtype, T, F), again = poisoned_matrix(dtype, T, F);
    struct operand d_in = poisoned_matrix(dtype, T, width);

    case_begin("gelu %s T=%lld F=%lld of %lld kind %d", dtype_name(dtype), (long long)T,
               (long long)F, (long long)width, (int)kind);
    for (int64_t i = 0; i < T * width; i++)
        host_data(&in)[i] *= 5; /* into both tails */
    operand_send(&in);
    EACH_SIDE(side)
    {
        gelu_forward(backends[side], &out.on[side], &in.on[side], kind);
        gelu_backward(backends[side], &d_in.on[side], &again.on[side], &d_out.on[side],
                      &in.on[side], kind);
    }
    compare("gelu", &out, dtype);
    compare("gelu, of the backward", &again, dtype);
    compare("d_in", &d_in, dtype);
}

static void gelus(enum dtype dtype)
{
    for (int kind = 0; kind < 2; kind++) {
        gelu_case(dtype, 1, 5, 5, (enum gelu_kind)kind);
        gelu_case(dtype, 33, 129, 129, (enum gelu_kind)kind);
        gelu_case(dtype, 33, 129, 258, (enum gelu_kind)kind);
    }
}
BOTH_TYPES(gelus)

static void caps(enum dtype dtype)
{
    enum { T = 90, C = 48, V = 333 };
    struct operand values = random_matrix(DTYPE_F32, 7, 1001);
    struct operand in = random_matrix(dtype, T, C), weight = random_matrix(dtype, V, C);
    struct operand d_in = poisoned_matrix(dtype, T, C);
    struct operand d_weight = random_matrix(DTYPE_F32, V, C);
    struct cross_entropy_sums sums[2];
    int32_t *rows = keep(int32_t, T), *tokens = keep(int32_t, T);
    int64_t count = 0;

    case_begin("soft-caps %s", dtype_name(dtype));
    EACH_SIDE(side) soft_cap(backends[side], &values.on[side], 0.4f);
    compare("soft cap", &values, DTYPE_F32);
    for (int32_t t = 0; t < T; t++)
        if (t % 3) {
            rows[count] = t;
            tokens[count++] = (int32_t)random_between(0, V - 1);
        }
    const struct indices rows_on = indices_of(rows, T), tokens_on = indices_of(tokens, T);
    EACH_SIDE(side)
    {
        const struct targets targets = {
            .rows = rows_on.on[side], .tokens = tokens_on.on[side], .count = count};
        linear_cross_entropy(backends[side], &sums[side], &d_in.on[side],
                             &d_weight.on[side], &in.on[side], &weight.on[side], &targets,
                             1.5f, 0.1f, 0.01f);
    }
    compare("d_in", &d_in, dtype);
    compare("d_weight", &d_weight, dtype);
    check_number("loss", sums[DEVICE].loss, sums[HOST].loss,
                 share_of(dtype) * sums[HOST].loss);
}
BOTH_TYPES(caps)

static void partial_rotation(enum dtype dtype)
{
    enum { T = 30, P = 40, D = 96, R = 72 };
    const struct attention_shape shape = {3, 1, D, 1.0f, 0, 0.0f};
    struct operand qkv = random_matrix(dtype, T, 5 * D);
    struct operand table = random_matrix(DTYPE_F32, P, R);
    int32_t *positions = keep(int32_t, T);

    case_begin("partial rotation %s", dtype_name(dtype));
    for (int32_t t = 0; t < T; t++)
        positions[t] = (int32_t)random_between(0, P - 1);
    const struct indices positions_on = indices_of(positions, T);
    EACH_SIDE(side)
    rope_forward(backends[side], &qkv.on[side], &table.on[side], positions_on.on[side],
                 &shape);
    compare("turned", &qkv, dtype);
    EACH_SIDE(side)
    rope_backward(backends[side], &qkv.on[side], &table.on[side], positions_on.on[side],
                  &shape);
    compare("turned back", &qkv, dtype);
}
BOTH_TYPES(partial_rotation)

enum { DOCUMENTS = 4 };

/* Documents, and the pages that each has room for in a cache. */
struct pack {
    struct attention_shape shape;
    enum dtype dtype;
    int64_t T, width, pages;
    int32_t starts[DOCUMENTS + 1], lasts[DOCUMENTS];
    struct operand qkv;
};

/* How a page holds its rows is each back-end's own affair. */
struct cache {
    struct operand keys, values;
    struct indices table;
};

static void forward_and_backward(const struct pack *p, const struct indices *starts,
                                 int64_t longest)
{
    const int64_t H = p->shape.heads, D = p->shape.head_size;
    struct operand out = poisoned_matrix(p->dtype, p->T, H * D);
    struct operand log_sum = poisoned_matrix(DTYPE_F32, H, p->T);
    struct operand d_out = random_matrix(p->dtype, p->T, H * D);
    struct operand d_qkv = poisoned_matrix(p->dtype, p->T, p->width);

    EACH_SIDE(side)
    {
        const struct documents documents = {starts->on[side], DOCUMENTS, longest};
        attention_forward(backends[side], &out.on[side], &log_sum.on[side],
                          &p->qkv.on[side], &documents, &p->shape);
        attention_backward(backends[side], &d_qkv.on[side], &d_out.on[side],
                           &p->qkv.on[side], &out.on[side], &log_sum.on[side], &documents,
                           &p->shape);
    }
    compare("attention", &out, p->dtype);
    compare("log_sum", &log_sum, p->dtype);
    compare("d_qkv", &d_qkv, p->dtype);
}

/* The table of pages: the last one first. */
static struct indices table_of(const struct pack *p)
{
    const int64_t count = DOCUMENTS * p->pages;
    int32_t *table = keep(int32_t, count);

    for (int64_t i = 0; i < count; i++)
        table[i] = (int32_t)(count - 1 - i);
    return indices_of(table, count);
}

/* All documents, brought into the cache. */
static struct cache cache_make(const struct pack *p)
{
    const int64_t columns = p->shape.key_value_heads * p->shape.head_size;
    const int64_t pool = DOCUMENTS * p->pages * CACHE_PAGE_ROWS;
    struct cache cache = {random_matrix(p->dtype, pool, columns),
                          random_matrix(p->dtype, pool, columns), table_of(p)};
    int32_t *rows = keep(int32_t, p->T);

    for (int32_t n = 0; n < DOCUMENTS; n++)
        for (int32_t t = p->starts[n]; t < p->starts[n + 1]; t++) {
            const int32_t position = t - p->starts[n];
            const int32_t page =
                cache.table.on[HOST][n * p->pages + position / CACHE_PAGE_ROWS];
            rows[t] = page * CACHE_PAGE_ROWS + position % CACHE_PAGE_ROWS;
        }
    const struct indices rows_on = indices_of(rows, p->T);
    EACH_SIDE(side)
    {
        struct key_value_cache_layer layer = {cache.keys.on[side], cache.values.on[side]};
        cache_write(backends[side], &layer, &p->qkv.on[side], rows_on.on[side], &p->shape);
    }
    return cache;
}

static void prefill(const struct pack *p, const struct cache *cache,
                    const struct indices *starts, int64_t longest)
{
    struct operand out =
        poisoned_matrix(p->dtype, p->T, p->shape.heads * p->shape.head_size);
    int32_t *positions = keep(int32_t, p->T);

    for (int32_t n = 0; n < DOCUMENTS; n++)
        for (int32_t t = p->starts[n]; t < p->starts[n + 1]; t++)
            positions[t] = t - p->starts[n];
    const struct indices positions_on = indices_of(positions, p->T);
    EACH_SIDE(side)
    {
        const struct key_value_cache_layer layer = {cache->keys.on[side],
                                                    cache->values.on[side]};
        const struct cached_documents cached = {{starts->on[side], DOCUMENTS, longest},
                                                positions_on.on[side],
                                                {cache->table.on[side], p->pages},
                                                false};
        attention_prefill(backends[side], &out.on[side], &p->qkv.on[side], &layer, &cached,
                          &p->shape);
    }
    compare("prefill", &out, p->dtype);
}

/* The last token of each document, from the cache. */
static void decode(const struct pack *p, const struct cache *cache)
{
    struct operand last = random_matrix(p->dtype, DOCUMENTS, p->width);
    struct operand out =
        poisoned_matrix(p->dtype, DOCUMENTS, p->shape.heads * p->shape.head_size);
    int32_t *positions = keep(int32_t, DOCUMENTS);

    memcpy(positions, p->lasts, sizeof p->lasts);
    const struct indices positions_on = indices_of(positions, DOCUMENTS);
    EACH_SIDE(side)
    {
        const struct key_value_cache_layer layer = {cache->keys.on[side],
                                                    cache->values.on[side]};
        const struct cache_pages pages = {cache->table.on[side], p->pages};
        attention_decode(backends[side], &out.on[side], &last.on[side], &layer, &pages,
                         positions_on.on[side], &p->shape);
    }
    compare("decode", &out, p->dtype);
}

static void attention_case(enum dtype dtype, const int64_t *heads, int64_t window,
                           float cap)
{
    const int64_t lengths[DOCUMENTS] = {small ? 70 : 700, 1, 75, 200};
    const int64_t H = heads[0], G = heads[1], D = heads[2];
    struct pack p = {.shape = {H, G, D, 3.0f / sqrtf((float)D), window, cap},
                     .dtype = dtype,
                     .width = (H + 2 * G) * D,
                     .pages = 700 / CACHE_PAGE_ROWS + 1};
    int32_t *starts = keep(int32_t, DOCUMENTS + 1);

    case_begin("attention %s H=%lld G=%lld D=%lld window %lld cap %g", dtype_name(dtype),
               (long long)H, (long long)G, (long long)D, (long long)window, (double)cap);
    for (int n = 0; n < DOCUMENTS; n++) {
        starts[n + 1] = starts[n] + (int32_t)lengths[n];
        p.lasts[n] = (int32_t)lengths[n] - 1;
    }
    p.T = starts[DOCUMENTS];
    p.qkv = random_matrix(dtype, p.T, p.width);
    const struct indices starts_on = indices_of(starts, DOCUMENTS + 1);
    forward_and_backward(&p, &starts_on, small ? 200 : 700);
    memcpy(p.starts, starts, sizeof p.starts);
    const struct cache cache = cache_make(&p);
    prefill(&p, &cache, &starts_on, small ? 200 : 700);
    decode(&p, &cache);
    release_all();
}

static void attention(enum dtype dtype)
{
    static const int64_t heads[][3] = {{4, 2, 64},  {2, 1, 80},  {2, 1, 96},
                                       {2, 2, 128}, {2, 1, 256}, {3, 1, 20}};
    static const int64_t windows[] = {0, 1, 33, 150};
    static const float bends[] = {0.0f, 2.5f};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
            for (size_t c = 0; c < sizeof bends / sizeof *bends; c++)
                attention_case(dtype, heads[i], windows[w], bends[c]);
}
BOTH_TYPES(attention)

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(norms),     gpu_tests(gelus),
        gpu_tests(caps),      gpu_tests(partial_rotation),
        gpu_tests(attention),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
