#include "backend/cpu/cpu_attention.h"

#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

/*
 * With P = exp(scale Q K^T - log_sum) and delta_t = sum_d dO[t,d] O[t,d]:
 *
 *     dV = P^T dO      dP = dO V^T      dS = scale P (dP - delta)
 *     dQ = dS K        dK = dS^T Q
 *
 * With a cap, P = exp(c - log_sum), c = cap tanh(scale Q K^T / cap), and dS has the factor
 * 1 - (c / cap)^2 besides.
 *
 * One job is one document and one key/value head: its dK and dV are summed by one thread,
 * over the query heads of the group and their tiles, always in the same order.
 */
struct operands {
    const struct gemm_kernel *kernel;
    const struct attention_shape *shape;
    struct tensor *d_qkv;
    const struct tensor *d_out;
    const struct tensor *qkv;
    const struct tensor *out;
    const float *log_sum; /* [H, T] */
    float *delta;         /* [H, T] */
};

struct workspace {
    float *keys_transposed;   /* packed, as are the next four */
    float *values_transposed; /* */
    float *keys;
    float *queries;
    float *d_out;
    float *p;   /* [QUERY_TILE, KEY_TILE]: scores, then probabilities */
    float *d_s; /* [QUERY_TILE, KEY_TILE]: dP, then dS */
};

static int64_t workspace_place(struct workspace *w, float *base,
                               const struct gemm_kernel *kernel, int64_t size)
{
    const int64_t across = gemm_packed_floats(kernel, KEY_TILE, size);
    const int64_t along = gemm_packed_floats(kernel, size, KEY_TILE);
    const int64_t counts[] = {
        across, across, along, along, along, QUERY_TILE * KEY_TILE, QUERY_TILE * KEY_TILE};
    float **const pointers[] = {&w->keys_transposed,
                                &w->values_transposed,
                                &w->keys,
                                &w->queries,
                                &w->d_out,
                                &w->p,
                                &w->d_s};
    int64_t used = 0;

    for (int i = 0; i < 7; i++) {
        *pointers[i] = base ? base + used : NULL;
        used += cpu_piece_floats(counts[i]);
    }
    return used;
}

/* A tile of scores: queries [query, + queries) of head `head`, keys [key, + keys). */
struct tile {
    int64_t start; /* of the document */
    int64_t head;
    int64_t group_head; /* key/value head */
    int64_t query, queries;
    int64_t key, keys;
    bool first; /* of its key tile: dK and dV are written, not added to */
};

TARGET_CLONES
static float dot(const float *a, const float *b, int64_t count)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* p <- exp(scale p - log_sum), d_s <- scale p (d_s - delta) */
TARGET_CLONES
static void score_row_backward(float *restrict p, float *restrict d_s, int64_t count,
                               float scale, float log_sum, float delta)
{
    for (int64_t j = 0; j < count; j++) {
        p[j] = exponential(p[j] * scale - log_sum);
        d_s[j] = scale * p[j] * (d_s[j] - delta);
    }
}

/* The same with a cap. */
TARGET_CLONES
static void capped_row_backward(float *restrict p, float *restrict d_s, int64_t count,
                                float scale, float cap, float log_sum, float delta)
{
    const float inverse = 1.0f / cap;

    for (int64_t j = 0; j < count; j++) {
        const float t = hyperbolic_tangent(p[j] * scale * inverse);
        p[j] = exponential(cap * t - log_sum);
        d_s[j] = scale * p[j] * (d_s[j] - delta) * (1.0f - t * t);
    }
}

static void zero(float *p, float *d_s, int64_t first, int64_t end)
{
    for (int64_t j = first; j < end; j++)
        p[j] = d_s[j] = 0;
}

static void run_product(const struct gemm_kernel *kernel, struct gemm gemm, int64_t columns,
                        const float *packed, float *c, int64_t c_row, bool accumulate)
{
    gemm.columns = columns;
    gemm.c = c;
    gemm.c_row = c_row;
    gemm.accumulate = accumulate;
    gemm_packed(kernel, &gemm, packed);
}

/* A tile of scores, transposed, as the left operand: rows are keys, depth is queries. */
static struct gemm gemm_of_transposed(const float *scores, int64_t keys, int64_t queries)
{
    return (struct gemm){
        .rows = keys, .depth = queries, .a = scores, .a_row = 1, .a_depth = KEY_TILE};
}

/* Fills w->p with P and w->d_s with dS. */
static void scores_backward(const struct operands *o, const struct workspace *w,
                            const struct tile *tile)
{
    const int64_t size = o->shape->head_size, tokens = o->qkv->shape[0];
    const struct head_view queries = head_view(o->qkv, tile->start, tile->head, size);
    const struct head_view d_out = head_view(o->d_out, tile->start, tile->head, size);

    run_product(o->kernel, gemm_of_view(queries, tile->query, tile->queries, size),
                tile->keys, w->keys_transposed, w->p, KEY_TILE, false);
    run_product(o->kernel, gemm_of_view(d_out, tile->query, tile->queries, size),
                tile->keys, w->values_transposed, w->d_s, KEY_TILE, false);
    for (int64_t i = 0; i < tile->queries; i++) {
        const int64_t t = tile->head * tokens + tile->start + tile->query + i;
        const struct key_range range =
            keys_of_query(tile->query + i, tile->key, tile->keys, o->shape->window);
        const int64_t count = range.high - range.low;
        float *p = w->p + i * KEY_TILE, *d_s = w->d_s + i * KEY_TILE;
        zero(p, d_s, 0, range.low);
        zero(p, d_s, range.high, tile->keys);
        if (o->shape->cap > 0)
            capped_row_backward(p + range.low, d_s + range.low, count, o->shape->scale,
                                o->shape->cap, o->log_sum[t], o->delta[t]);
        else
            score_row_backward(p + range.low, d_s + range.low, count, o->shape->scale,
                               o->log_sum[t], o->delta[t]);
    }
}

static float *gradient_of(const struct operands *o, int64_t row, int64_t head)
{
    return f32(o->d_qkv) + row * o->d_qkv->shape[1] + head * o->shape->head_size;
}

static void tile_backward(const struct operands *o, const struct workspace *w,
                          const struct tile *tile)
{
    const struct gemm_kernel *kernel = o->kernel;
    const int64_t size = o->shape->head_size, stride = o->d_qkv->shape[1];
    const int64_t key_head = o->shape->heads + tile->group_head;
    float *d_queries = gradient_of(o, tile->start + tile->query, tile->head);
    float *d_keys = gradient_of(o, tile->start + tile->key, key_head);
    float *d_values =
        gradient_of(o, tile->start + tile->key, key_head + o->shape->key_value_heads);

    scores_backward(o, w, tile);
    pack_rows_of(kernel, head_view(o->qkv, tile->start, tile->head, size), tile->query,
                 tile->queries, size, w->queries);
    pack_rows_of(kernel, head_view(o->d_out, tile->start, tile->head, size), tile->query,
                 tile->queries, size, w->d_out);
    run_product(kernel, gemm_of_transposed(w->p, tile->keys, tile->queries), size, w->d_out,
                d_values, stride, !tile->first);
    run_product(kernel, gemm_of_transposed(w->d_s, tile->keys, tile->queries), size,
                w->queries, d_keys, stride, !tile->first);
    run_product(
        kernel,
        gemm_of_view((struct head_view){w->d_s, KEY_TILE}, 0, tile->queries, tile->keys),
        size, w->keys, d_queries, stride,
        tile->key > first_key_tile(tile->query, o->shape->window));
}

static void keys_backward(const struct operands *o, const struct workspace *w,
                          int64_t start, int64_t length, int64_t g, int64_t key)
{
    const int64_t heads = o->shape->heads, size = o->shape->head_size;
    const int64_t group = heads / o->shape->key_value_heads;
    const int64_t keys = minimum(KEY_TILE, length - key), window = o->shape->window;
    const int64_t end = window > 0 ? minimum(length, key + keys + window - 1) : length;
    const struct head_view k = head_view(o->qkv, start, heads + g, size);
    const struct head_view v =
        head_view(o->qkv, start, heads + o->shape->key_value_heads + g, size);

    pack_transpose_of(o->kernel, k, key, keys, size, w->keys_transposed);
    pack_transpose_of(o->kernel, v, key, keys, size, w->values_transposed);
    pack_rows_of(o->kernel, k, key, keys, size, w->keys);
    for (int64_t member = 0; member < group; member++)
        for (int64_t query = key; query < end; query += QUERY_TILE) {
            const struct tile tile = {.start = start,
                                      .head = g * group + member,
                                      .group_head = g,
                                      .query = query,
                                      .queries = minimum(QUERY_TILE, length - query),
                                      .key = key,
                                      .keys = keys,
                                      .first = member == 0 && query == key};
            tile_backward(o, w, &tile);
        }
}

static void document_backward(const struct operands *o, const struct workspace *w,
                              int64_t start, int64_t length, int64_t g)
{
    const int64_t size = o->shape->head_size, tokens = o->qkv->shape[0];
    const int64_t group = o->shape->heads / o->shape->key_value_heads;

    for (int64_t head = g * group; head < (g + 1) * group; head++)
        for (int64_t t = start; t < start + length; t++)
            o->delta[head * tokens + t] = dot(head_view(o->d_out, t, head, size).rows,
                                              head_view(o->out, t, head, size).rows, size);
    for (int64_t key = 0; key < length; key += KEY_TILE)
        keys_backward(o, w, start, length, g, key);
}

void cpu_attention_backward(struct backend *backend, struct tensor *d_qkv,
                            const struct tensor *d_out, const struct tensor *qkv,
                            const struct tensor *out, const struct tensor *log_sum,
                            const struct documents *documents,
                            const struct attention_shape *shape)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const int64_t heads = shape->key_value_heads, jobs = documents->count * heads;
    struct workspace measured;
    const int64_t floats = workspace_place(&measured, NULL, cpu->kernel, shape->head_size);
    float *scratch = cpu_thread_scratch(cpu, floats);
    const struct operands operands = {
        .kernel = cpu->kernel,
        .shape = shape,
        .d_qkv = d_qkv,
        .d_out = d_out,
        .qkv = qkv,
        .out = out,
        .log_sum = f32(log_sum),
        .delta = cpu_scratch(cpu, SCRATCH_PARTIAL, tensor_count(log_sum), sizeof(float)),
    };

    if (!scratch || !operands.delta)
        return;
#pragma omp parallel for num_threads(cpu->thread_count) schedule(dynamic, 1) if (jobs > 1)
    for (int64_t job = 0; job < jobs; job++) {
        const int64_t start = documents->starts[job / heads];
        struct workspace w;
        workspace_place(&w, cpu_thread_piece(scratch, floats), cpu->kernel,
                        shape->head_size);
        document_backward(&operands, &w, start, documents->starts[job / heads + 1] - start,
                          job % heads);
    }
}
