#include "tests/gpu/gpu_fixture.h"

/* One rounding each, the same on every machine. */
static void elementwise_case(int64_t count, enum dtype dtype)
{
    case_begin("elementwise %s %lld odd %d", dtype_name(dtype), (long long)count, shifted);
    struct operand a = random_vector(dtype, count), b = random_vector(dtype, count);
    struct operand out = poisoned_vector(dtype, count);
    float *sum = keep(float, count), *product = keep(float, count);
    float *constant = keep(float, count);
    struct backend *device = backends[DEVICE];

    for (int64_t i = 0; i < count; i++) {
        sum[i] = host_data(&a)[i] + host_data(&b)[i];
        product[i] = host_data(&a)[i] * 0.3f;
        constant[i] = -3.14159f;
    }
    add(device, &out.on[DEVICE], &a.on[DEVICE], &b.on[DEVICE]);
    check_exact("add", &out, sum);
    add(device, &b.on[DEVICE], &a.on[DEVICE], &b.on[DEVICE]);
    check_exact("add in place", &b, sum);
    scale(device, &a.on[DEVICE], 0.3f);
    check_exact("scale", &a, product);
    fill(device, &out.on[DEVICE], constant[0]);
    check_exact("fill", &out, constant);
    release_all();
}

static void elementwise(enum dtype dtype)
{
    static const int64_t counts[] = {1, 2, 7, 8, 33, 1000, 16385, 100003, 3000000};

    for (int i = 0; i < (small ? 7 : 9); i++)
        for (int odd = 0; odd <= 1; odd++) {
            shifted = odd;
            elementwise_case(counts[i], dtype);
        }
}
BOTH_TYPES(elementwise)

static struct bounded *embedding_exact(const float *d_weight, const float *d_out,
                                       const int32_t *tokens, int64_t V, int64_t C,
                                       int64_t T)
{
    struct bounded *exact = keep(struct bounded, V * C);
    int64_t *uses = keep(int64_t, V);

    for (int64_t i = 0; i < V * C; i++)
        exact[i] = (struct bounded){(double)d_weight[i], fabs((double)d_weight[i])};
    for (int64_t t = 0; t < T; t++) {
        uses[tokens[t]]++;
        for (int64_t i = 0; i < C; i++) {
            struct bounded *to = &exact[tokens[t] * C + i];
            to->value += (double)d_out[t * C + i];
            to->error += fabs((double)d_out[t * C + i]);
        }
    }
    for (int64_t i = 0; i < V * C; i++)
        exact[i].error *= uses[i / C] > 0 ? sum_error(uses[i / C] + 1) : 0;
    return exact;
}

/* `different`: how many of the V words occur. */
static void embedding_case(int64_t T, int64_t V, int64_t C, int64_t different,
                           enum dtype dtype)
{
    int32_t *ids = keep(int32_t, T);
    float *copied = keep(float, T *C);

    case_begin("embedding %s T=%lld V=%lld C=%lld, %lld words, odd %d", dtype_name(dtype),
               (long long)T, (long long)V, (long long)C, (long long)different, shifted);
    for (int64_t t = 0; t < T; t++)
        ids[t] = (int32_t)(V - 1 - random_between(0, different - 1));
    const struct indices tokens = indices_of(ids, T);
    struct operand weight = random_matrix(dtype, V, C);
    struct operand out = poisoned_matrix(dtype, T, C), d_out = random_matrix(dtype, T, C);
    struct operand d_weight = random_matrix(DTYPE_F32, V, C);
    struct operand again = operand_copy(&d_weight);
    const struct bounded *exact =
        embedding_exact(host_data(&d_weight), host_data(&d_out), ids, V, C, T);
    for (int64_t i = 0; i < T * C; i++)
        copied[i] = host_data(&weight)[ids[i / C] * C + i % C];
    EACH_SIDE(side)
    {
        embedding_forward(backends[side], &out.on[side], &weight.on[side], tokens.on[side]);
        embedding_backward(backends[side], &d_weight.on[side], &d_out.on[side],
                           tokens.on[side]);
    }
    check_exact("out", &out, copied);
    check_operand("d_weight", &d_weight, exact);
    embedding_backward(backends[DEVICE], &again.on[DEVICE], &d_out.on[DEVICE],
                       tokens.on[DEVICE]);
    assert_same_bits("d_weight, a second time", fetch(&again.on[DEVICE]),
                     fetch(&d_weight.on[DEVICE]), tensor_bytes(&d_weight.on[DEVICE]));
    release_all();
}

static void embedding(enum dtype dtype)
{
    embedding_case(1, 1, 1, 1, dtype);
    embedding_case(333, 11, 6, 11, dtype);
    embedding_case(200, 50, 80, 3, dtype);
    shifted = true;
    embedding_case(333, 17, 257, 9, dtype);
    shifted = false;
    embedding_case(1025, 3, 64, 1, dtype); /* one word all along */
    if (small)
        return;
    embedding_case(8192, 40000, 96, 5, dtype);
    embedding_case(5000, 128256, 64, 128256, dtype);
    embedding_case(4097, 1000, 1536, 700, dtype);
}
BOTH_TYPES(embedding)

/* [T, C] numbers of one rms_norm with what is expected of them. */
struct norm {
    int64_t T, C;
    struct operand in, weight, out, rstd, d_out, d_in, d_weight;
    struct bounded *out_exact, *rstd_exact, *d_in_exact, *d_weight_exact;
};

static const float norm_epsilon = 1e-5f;

static void norm_init(struct norm *n, int64_t T, int64_t C, enum dtype dtype)
{
    *n = (struct norm){.T = T,
                       .C = C,
                       .in = random_matrix(dtype, T, C),
                       .weight = random_vector(dtype, C),
                       .out = poisoned_matrix(dtype, T, C),
                       .rstd = poisoned_vector(DTYPE_F32, T),
                       .d_out = random_matrix(dtype, T, C),
                       .d_in = random_matrix(dtype, T, C),
                       .d_weight = random_vector(DTYPE_F32, C),
                       .out_exact = keep(struct bounded, T * C),
                       .rstd_exact = keep(struct bounded, T),
                       .d_in_exact = keep(struct bounded, T * C),
                       .d_weight_exact = keep(struct bounded, C)};
}

/*
 * Forward of row t. A sum of C squares is off by sum_error(C) of itself, its root by half
 * of that and by two roundings of rsqrtf; then come two products.
 */
static void norm_forward_exact(struct norm *n, int64_t t)
{
    const float *x = host_data(&n->in) + t * n->C, *w = host_data(&n->weight);
    const double off = sum_error(n->C) / 2 + 4 * (double)FLT_EPSILON;
    double square = 0;

    for (int64_t i = 0; i < n->C; i++)
        square += (double)x[i] * (double)x[i];
    const double rstd = 1 / sqrt(square / (double)n->C + (double)norm_epsilon);
    n->rstd_exact[t] = (struct bounded){rstd, off * rstd};
    for (int64_t i = 0; i < n->C; i++) {
        const double out = (double)x[i] * rstd * (double)w[i];
        n->out_exact[t * n->C + i] = (struct bounded){out, off * fabs(out)};
    }
}

/* d_in += rstd (w g - x^ mean(w g x^)), x^ = in rstd, from the rstd that was given. */
static void norm_backward_exact(struct norm *n, int64_t t)
{
    const float *x = host_data(&n->in) + t * n->C, *w = host_data(&n->weight);
    const float *g = host_data(&n->d_out) + t * n->C;
    const double rstd = (double)host_data(&n->rstd)[t];
    double mean = 0, magnitude = 0;

    for (int64_t i = 0; i < n->C; i++) {
        const double term = (double)w[i] * (double)g[i] * (double)x[i] * rstd;
        mean += term / (double)n->C;
        magnitude += fabs(term) / (double)n->C;
    }
    for (int64_t i = 0; i < n->C; i++) {
        const double wg = (double)w[i] * (double)g[i], x_hat = (double)x[i] * rstd;
        const double before = (double)host_data(&n->d_in)[t * n->C + i];
        const double size = fabs(before) + rstd * (fabs(wg) + fabs(x_hat) * magnitude);
        n->d_in_exact[t * n->C + i] =
            (struct bounded){before + rstd * (wg - x_hat * mean),
                             (sum_error(n->C) + 6 * (double)FLT_EPSILON) * size};
    }
}

static void norm_weight_exact(struct norm *n, int64_t i)
{
    const double before = (double)host_data(&n->d_weight)[i];
    double sum = before, magnitude = fabs(before);

    for (int64_t t = 0; t < n->T; t++) {
        const double term = (double)host_data(&n->d_out)[t * n->C + i] *
                            (double)host_data(&n->in)[t * n->C + i] *
                            (double)host_data(&n->rstd)[t];
        sum += term;
        magnitude += fabs(term);
    }
    n->d_weight_exact[i] =
        (struct bounded){sum, (sum_error(n->T + 1) + 3 * (double)FLT_EPSILON) * magnitude};
}

static void norm_case(int64_t T, int64_t C, enum dtype dtype)
{
    struct norm n;

    case_begin("rms_norm %s T=%lld C=%lld odd %d", dtype_name(dtype), (long long)T,
               (long long)C, shifted);
    norm_init(&n, T, C, dtype);
#pragma omp parallel for
    for (int64_t t = 0; t < T; t++)
        norm_forward_exact(&n, t);
    EACH_SIDE(side)
    rms_norm_forward(backends[side], &n.out.on[side], &n.rstd.on[side], &n.in.on[side],
                     &n.weight.on[side], 0.0f, norm_epsilon);
    check_operand("out", &n.out, n.out_exact);
    check_operand("rstd", &n.rstd, n.rstd_exact);
    for (int64_t t = 0; t < T; t++)
        host_data(&n.rstd)[t] = (float)n.rstd_exact[t].value;
    operand_send(&n.rstd);
#pragma omp parallel for
    for (int64_t t = 0; t < T; t++)
        norm_backward_exact(&n, t);
#pragma omp parallel for
    for (int64_t i = 0; i < C; i++)
        norm_weight_exact(&n, i);
    struct operand d_in_again = operand_copy(&n.d_in);
    struct operand d_weight_again = operand_copy(&n.d_weight);
    EACH_SIDE(side)
    rms_norm_backward(backends[side], &n.d_in.on[side], &n.d_weight.on[side],
                      &n.d_out.on[side], &n.in.on[side], &n.weight.on[side], 0.0f,
                      &n.rstd.on[side]);
    check_operand("d_in", &n.d_in, n.d_in_exact);
    check_operand("d_weight", &n.d_weight, n.d_weight_exact);
    rms_norm_backward(backends[DEVICE], &d_in_again.on[DEVICE], &d_weight_again.on[DEVICE],
                      &n.d_out.on[DEVICE], &n.in.on[DEVICE], &n.weight.on[DEVICE], 0.0f,
                      &n.rstd.on[DEVICE]);
    assert_same_bits("d_in, a second time", fetch(&d_in_again.on[DEVICE]),
                     fetch(&n.d_in.on[DEVICE]), tensor_bytes(&n.d_in.on[DEVICE]));
    assert_same_bits("d_weight, a second time", fetch(&d_weight_again.on[DEVICE]),
                     fetch(&n.d_weight.on[DEVICE]), tensor_bytes(&n.d_weight.on[DEVICE]));
    release_all();
}

static void rms_norm(enum dtype dtype)
{
    static const int64_t widths[] = {1, 7, 64, 1000, 1536, 4096, 8192};

    for (int i = 0; i < (small ? 4 : 7); i++)
        for (int odd = 0; odd <= 1; odd++) {
            shifted = odd;
            norm_case(1, widths[i], dtype);
            norm_case(small ? 9 : 37, widths[i], dtype);
        }
    shifted = false;
    if (small)
        return;
    norm_case(3001, 64, dtype);
    norm_case(1024, 1536, dtype);
}
BOTH_TYPES(rms_norm)

static const int64_t rope_positions = 5000;

/* table [P, D]: cos and sin of p 10000^(-2i/D) */
static struct operand rope_table(int64_t D)
{
    struct operand table = operand_make(DTYPE_F32, 2, rope_positions, D);

#pragma omp parallel for
    for (int64_t p = 0; p < rope_positions; p++)
        for (int64_t i = 0; i < D / 2; i++) {
            const double angle = (double)p * pow(10000, -2.0 * (double)i / (double)D);
            host_data(&table)[p * D + i] = (float)cos(angle);
            host_data(&table)[p * D + D / 2 + i] = (float)sin(angle);
        }
    operand_send(&table);
    return table;
}

/* The turned rows: two products and a sum, three roundings; values stay as they are. */
static struct bounded *rope_exact(const float *qkv, const float *table,
                                  const int32_t *positions, int64_t T,
                                  const struct attention_shape *shape, double direction)
{
    const int64_t D = shape->head_size,
                  turned_heads = shape->heads + shape->key_value_heads;
    const int64_t width = (turned_heads + shape->key_value_heads) * D;
    struct bounded *exact = keep(struct bounded, T * width);

    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < width; j++) {
            const int64_t i = j % D, pair = i < D / 2 ? j + D / 2 : j - D / 2;
            const float *angles = table + positions[t] * D + i % (D / 2);
            const double x = (double)qkv[t * width + j], y = (double)qkv[t * width + pair];
            const double own = x * (double)angles[0];
            const double other =
                direction * y * (double)angles[D / 2] * (i < D / 2 ? -1 : 1);
            exact[t * width + j] =
                j < turned_heads * D
                    ? (struct bounded){own + other,
                                       3 * (double)FLT_EPSILON * (fabs(own) + fabs(other))}
                    : (struct bounded){x, 0};
        }
    return exact;
}

static void rope_case(int64_t T, int64_t H, int64_t G, int64_t D, enum dtype dtype)
{
    const struct attention_shape shape = {H, G, D, 1.0f, 0, 0.0f};
    int32_t *at = keep(int32_t, T);

    case_begin("rope %s T=%lld H=%lld G=%lld D=%lld odd %d", dtype_name(dtype),
               (long long)T, (long long)H, (long long)G, (long long)D, shifted);
    for (int64_t t = 0; t < T; t++)
        at[t] = (int32_t)random_between(0, rope_positions - 1);
    const struct indices positions = indices_of(at, T);
    const struct operand table = rope_table(D);
    struct operand qkv = random_matrix(dtype, T, (H + 2 * G) * D);
    for (int backward = 0; backward <= 1; backward++) {
        const struct bounded *exact = rope_exact(host_data(&qkv), host_data(&table), at, T,
                                                 &shape, backward ? -1 : 1);
        struct operand turned = operand_copy(&qkv);
        EACH_SIDE(side)
        (backward ? rope_backward : rope_forward)(
            backends[side], &turned.on[side], &table.on[side], positions.on[side], &shape);
        check_operand(backward ? "backward" : "forward", &turned, exact);
    }
    release_all();
}

static void rope(enum dtype dtype)
{
    rope_case(1, 6, 2, 6, dtype);
    rope_case(7, 6, 2, 64, dtype);
    rope_case(33, 3, 3, 80, dtype);
    rope_case(5, 1, 1, 2, dtype);
    shifted = true;
    rope_case(20, 4, 1, 20, dtype);
    rope_case(9, 8, 2, 64, dtype);
    shifted = false;
    if (small)
        return;
    rope_case(300, 12, 2, 128, dtype);
    rope_case(70, 8, 4, 256, dtype);
}
BOTH_TYPES(rope)

struct swiglu {
    int64_t T, F;
    struct operand gate_up, out, d_out, d_gate_up;
    struct bounded *out_exact, *d_exact;
};

/*
 * silu(g) = g s, s = 1 / (1 + exp(-g)). The fast exponential is off by 2 + 1.173 |g| units
 * in the last place (CUDA programming guide, __expf), a sigmoid by as much and two
 * roundings. In d silu = s (1 + g (1 - s)) terms cancel: the bound takes their sizes.
 */
static void swiglu_exact(struct swiglu *c, int64_t i)
{
    const int64_t row = i / c->F * 2 * c->F + i % c->F;
    const double g = (double)host_data(&c->gate_up)[row];
    const double u = (double)host_data(&c->gate_up)[row + c->F];
    const double d = (double)host_data(&c->d_out)[i], s = 1 / (1 + exp(-g));
    const double off = (8 + 1.2 * fabs(g)) * (double)FLT_EPSILON, least = 1e-30;

    c->out_exact[i] = (struct bounded){g * s * u, off * fabs(g * s * u) + least};
    c->d_exact[row] = (struct bounded){d * u * s * (1 + g * (1 - s)),
                                       off * fabs(d * u) * s * (1 + fabs(g)) + least};
    c->d_exact[row + c->F] = (struct bounded){d * g * s, off * fabs(d * g * s) + least};
}

static void swiglu_case(int64_t T, int64_t F, enum dtype dtype)
{
    static const float extremes[] = {0, -80, 80, -90, 90, -100, 100, -1e4f, 1e4f};

    case_begin("swiglu %s T=%lld F=%lld odd %d", dtype_name(dtype), (long long)T,
               (long long)F, shifted);
    struct swiglu c = {T,
                       F,
                       random_matrix(dtype, T, 2 * F),
                       poisoned_matrix(dtype, T, F),
                       random_matrix(dtype, T, F),
                       poisoned_matrix(dtype, T, 2 * F),
                       keep(struct bounded, T * F),
                       keep(struct bounded, T * 2 * F)};
    for (int64_t i = 0; i < T * 2 * F; i++) /* into both tails of the sigmoid */
        host_data(&c.gate_up)[i] *= 8;
    for (int64_t i = 0; i < 9 && F > 9; i++)
        host_data(&c.gate_up)[i] = extremes[i];
    operand_send(&c.gate_up);
#pragma omp parallel for
    for (int64_t i = 0; i < T * F; i++)
        swiglu_exact(&c, i);
    EACH_SIDE(side)
    swiglu_forward(backends[side], &c.out.on[side], &c.gate_up.on[side]);
    check_operand("out", &c.out, c.out_exact);
    for (int with_out = 0; with_out <= 1; with_out++) {
        poison(&c.out);
        poison(&c.d_gate_up);
        EACH_SIDE(side)
        swiglu_backward(backends[side], &c.d_gate_up.on[side],
                        with_out ? &c.out.on[side] : NULL, &c.d_out.on[side],
                        &c.gate_up.on[side]);
        check_operand("d_gate_up", &c.d_gate_up, c.d_exact);
    }
    check_operand("out of the backward", &c.out, c.out_exact);
    release_all();
}

static void swiglu(enum dtype dtype)
{
    for (int odd = 0; odd <= 1; odd++) {
        shifted = odd;
        swiglu_case(1, 1, dtype);
        swiglu_case(7, 64, dtype);
        swiglu_case(5, 683, dtype);
        swiglu_case(random_between(1, 40), random_between(1, 300), dtype);
        if (!small)
            swiglu_case(300, 1544, dtype);
    }
}
BOTH_TYPES(swiglu)

/* A row alone has the bits that it has among others, wherever it starts in memory. */
static void rows_are_independent(enum dtype dtype)
{
    enum { T = 29, C = 333 };
    struct backend *device = backends[DEVICE];
    struct tensor view[4];

    case_begin("rows %s", dtype_name(dtype));
    struct operand in = random_matrix(dtype, T, 2 * C),
                   weight = random_vector(dtype, 2 * C);
    struct operand normed[] = {poisoned_matrix(dtype, T, 2 * C),
                               poisoned_matrix(dtype, T, 2 * C)};
    struct operand rstd[] = {poisoned_vector(DTYPE_F32, T), poisoned_vector(DTYPE_F32, T)};
    struct operand gated[] = {poisoned_matrix(dtype, T, C), poisoned_matrix(dtype, T, C)};
    rms_norm_forward(device, &normed[0].on[DEVICE], &rstd[0].on[DEVICE], &in.on[DEVICE],
                     &weight.on[DEVICE], 0.0f, norm_epsilon);
    swiglu_forward(device, &gated[0].on[DEVICE], &in.on[DEVICE]);
    for (int64_t t = 0; t < T; t++) {
        view[0] = tensor_rows(&in.on[DEVICE], t, 1);
        view[1] = tensor_rows(&normed[1].on[DEVICE], t, 1);
        view[2] = tensor_rows(&rstd[1].on[DEVICE], t, 1);
        view[3] = tensor_rows(&gated[1].on[DEVICE], t, 1);
        rms_norm_forward(device, &view[1], &view[2], &view[0], &weight.on[DEVICE], 0.0f,
                         norm_epsilon);
        swiglu_forward(device, &view[3], &view[0]);
    }
    assert_same_bits("rms_norm", fetch(&normed[0].on[DEVICE]), fetch(&normed[1].on[DEVICE]),
                     tensor_bytes(&normed[0].on[DEVICE]));
    assert_same_bits("rstd", fetch(&rstd[0].on[DEVICE]), fetch(&rstd[1].on[DEVICE]), T * 4);
    assert_same_bits("swiglu", fetch(&gated[0].on[DEVICE]), fetch(&gated[1].on[DEVICE]),
                     tensor_bytes(&gated[0].on[DEVICE]));
    release_all();
}
BOTH_TYPES(rows_are_independent)

static void squares_case(int64_t count)
{
    case_begin("sum_of_squares %lld odd %d", (long long)count, shifted);
    struct operand values = random_vector(DTYPE_F32, count);
    struct operand sum = double_operand(0.5), again = double_operand(0.5);
    long double exact = 0.5L;

    for (int64_t i = 0; i < count; i++)
        exact += (long double)host_data(&values)[i] * (long double)host_data(&values)[i];
    sum_of_squares(backends[DEVICE], &sum.on[DEVICE], &values.on[DEVICE]);
    sum_of_squares(backends[DEVICE], &again.on[DEVICE], &values.on[DEVICE]);
    const double *result = fetch(&sum.on[DEVICE]);
    check_number("sum", *result, (double)exact,
                 (4 * sqrt((double)count) + 4) * DBL_EPSILON * (double)exact);
    assert_same_bits("a second time", result, fetch(&again.on[DEVICE]), sizeof *result);
    release_all();
}

static void sums_of_squares(void **state)
{
    static const int64_t counts[] = {0, 1, 7, 1000, 65537, 1048579, 5000001};

    (void)state;
    require(DTYPE_F32);
    for (int i = 0; i < (small ? 5 : 7); i++)
        for (int odd = 0; odd <= 1; odd++) {
            shifted = odd;
            squares_case(counts[i]);
        }
    shifted = false;
    /* A number that is not finite shows in the sum. */
    struct operand values = random_vector(DTYPE_F32, 1000), sum = double_operand(0);
    host_data(&values)[777] = NAN;
    operand_send(&values);
    sum_of_squares(backends[DEVICE], &sum.on[DEVICE], &values.on[DEVICE]);
    assert_true(isnan(*(double *)fetch(&sum.on[DEVICE])));
    release_all();
}

/* Keys and values arrive at the rows they are sent to; other rows stay. */
static void cache_case(int64_t T, int64_t H, int64_t G, int64_t D, enum dtype dtype)
{
    const struct attention_shape shape = {H, G, D, 1.0f, 0, 0.0f};
    const int64_t R = T + 37, width = G * D, columns = (H + 2 * G) * D;
    int64_t *order = keep(int64_t, R);
    int32_t *to = keep(int32_t, T);

    case_begin("cache_write %s T=%lld H=%lld G=%lld D=%lld odd %d", dtype_name(dtype),
               (long long)T, (long long)H, (long long)G, (long long)D, shifted);
    for (int64_t r = 0; r < R; r++)
        order[r] = r;
    random_shuffle(&numbers, order, (size_t)R);
    struct operand qkv = random_matrix(dtype, T, columns);
    struct operand keys = random_matrix(dtype, R, width);
    struct operand values = random_matrix(dtype, R, width);
    struct key_value_cache_layer cache = {keys.on[DEVICE], values.on[DEVICE]};
    for (int64_t t = 0; t < T; t++) {
        const float *from = host_data(&qkv) + t * columns + H * D;
        to[t] = (int32_t)order[t];
        memcpy(host_data(&keys) + to[t] * width, from, (size_t)width * sizeof(float));
        memcpy(host_data(&values) + to[t] * width, from + width,
               (size_t)width * sizeof(float));
    }
    const struct indices rows = indices_of(to, T);
    cache_write(backends[DEVICE], &cache, &qkv.on[DEVICE], rows.on[DEVICE], &shape);
    check_exact("keys", &keys, host_data(&keys));
    check_exact("values", &values, host_data(&values));
    release_all();
}

static void cache(enum dtype dtype)
{
    cache_case(1, 1, 1, 6, dtype);
    cache_case(50, 6, 2, 20, dtype);
    cache_case(33, 4, 2, 64, dtype);
    shifted = true;
    cache_case(17, 8, 1, 128, dtype);
    shifted = false;
    if (!small)
        cache_case(2000, 12, 2, 128, dtype);
}
BOTH_TYPES(cache)

/* Without rows nothing happens, and no launch fails. */
static void no_rows(enum dtype dtype)
{
    const struct attention_shape shape = {2, 1, 8, 1.0f, 0, 0.0f};
    struct backend *device = backends[DEVICE];

    case_begin("no rows %s", dtype_name(dtype));
    struct operand none = random_matrix(dtype, 0, 8), weight = random_matrix(dtype, 4, 8);
    struct operand norm_weight = random_vector(dtype, 8),
                   rstd = random_vector(DTYPE_F32, 0);
    struct operand d_weight = random_matrix(DTYPE_F32, 4, 8);
    struct operand d_norm = random_vector(DTYPE_F32, 8), wide = random_matrix(dtype, 0, 16);
    struct operand qkv = random_matrix(dtype, 0, 32),
                   table = random_matrix(DTYPE_F32, 4, 8);
    struct operand pool = random_matrix(dtype, 16, 8);
    const struct indices empty = indices_of(keep(int32_t, 1), 1);
    const int32_t *index = empty.on[DEVICE];
    struct tensor *t = &none.on[DEVICE];
    struct key_value_cache_layer layer = {pool.on[DEVICE], pool.on[DEVICE]};
    fill(device, t, 1.0f);
    add(device, t, t, t);
    scale(device, t, 2.0f);
    embedding_forward(device, t, &weight.on[DEVICE], index);
    embedding_backward(device, &d_weight.on[DEVICE], t, index);
    rms_norm_forward(device, t, &rstd.on[DEVICE], t, &norm_weight.on[DEVICE], 0.0f, 1e-5f);
    rms_norm_backward(device, t, &d_norm.on[DEVICE], t, t, &norm_weight.on[DEVICE], 0.0f,
                      &rstd.on[DEVICE]);
    swiglu_forward(device, t, &wide.on[DEVICE]);
    swiglu_backward(device, &wide.on[DEVICE], NULL, t, &wide.on[DEVICE]);
    rope_forward(device, &qkv.on[DEVICE], &table.on[DEVICE], index, &shape);
    rope_backward(device, &qkv.on[DEVICE], &table.on[DEVICE], index, &shape);
    cache_write(device, &layer, &qkv.on[DEVICE], index, &shape);
    check_exact("d_weight", &d_weight, host_data(&d_weight));
    check_exact("d_norm", &d_norm, host_data(&d_norm));
    check_exact("pool", &pool, host_data(&pool));
    release_all();
}
BOTH_TYPES(no_rows)

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(elementwise),    gpu_tests(embedding), gpu_tests(rms_norm),
        gpu_tests(rope),           gpu_tests(swiglu),    gpu_tests(rows_are_independent),
        gpu_test(sums_of_squares), gpu_tests(cache),     gpu_tests(no_rows)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
