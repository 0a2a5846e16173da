#include "backend/operations.h"

#include "backend/operation_checks.h"

/* Shapes and dtypes are checked here, once for all back-ends. */

void fill(struct backend *backend, struct tensor *tensor, float value)
{
    check_data(tensor, compute_dtype(backend, tensor));
    if (!backend->error.status)
        backend->table->fill(backend, tensor, value);
}

/* A weight that may be arranged, as if it were not. */
static struct tensor in_rows(const struct tensor *weight)
{
    struct tensor plain = *weight;
    plain.arranged = false;
    return plain;
}

void add(struct backend *backend, struct tensor *out, const struct tensor *a,
         const struct tensor *b)
{
    const enum dtype dtype = compute_dtype(backend, out);

    check_data(out, dtype);
    check_data(a, dtype);
    check_data(b, dtype);
    CHECK(tensor_count(out) == tensor_count(a) && tensor_count(out) == tensor_count(b));
    if (!backend->error.status)
        backend->table->add(backend, out, a, b);
}

void scale(struct backend *backend, struct tensor *tensor, float factor)
{
    check_data(tensor, compute_dtype(backend, tensor));
    if (!backend->error.status)
        backend->table->scale(backend, tensor, factor);
}

void embedding_forward(struct backend *backend, struct tensor *out,
                       const struct tensor *weight, const int32_t *tokens)
{
    const enum dtype dtype = compute_dtype(backend, out);
    const struct tensor plain = in_rows(weight);

    check_matrix(&plain, weight_dtype(backend, weight, dtype), weight->shape[0],
                 weight->shape[1]);
    check_matrix(out, dtype, out->shape[0], weight->shape[1]);
    check_indices(backend, tokens, out->shape[0], 0, weight->shape[0]);
    if (!backend->error.status)
        backend->table->embedding_forward(backend, out, weight, tokens);
}

void embedding_backward(struct backend *backend, struct tensor *d_weight,
                        const struct tensor *d_out, const int32_t *tokens)
{
    const enum dtype dtype = compute_dtype(backend, d_out);

    check_matrix(d_weight, DTYPE_F32, d_weight->shape[0], d_weight->shape[1]);
    check_matrix(d_out, dtype, d_out->shape[0], d_weight->shape[1]);
    check_indices(backend, tokens, d_out->shape[0], 0, d_weight->shape[0]);
    if (!backend->error.status)
        backend->table->embedding_backward(backend, d_weight, d_out, tokens);
}

static void check_linear(const struct backend *backend, const struct tensor *out,
                         const struct tensor *in, const struct tensor *weight,
                         const struct tensor *bias, const struct tensor *residual)
{
    const enum dtype dtype = operand_compute_dtype(backend, in);
    const struct tensor plain = in_rows(weight);

    check_strided(&plain, weight_dtype(backend, weight, dtype), weight->shape[0],
                  weight->shape[1]);
    check_strided(in, in->dtype, in->shape[0], weight->shape[1]);
    CHECK(out->dtype == dtype || out->dtype == DTYPE_F32);
    check_strided(out, out->dtype, in->shape[0], weight->shape[0]);
    if (bias)
        check_vector(bias, weight->dtype, weight->shape[0]);
    if (residual) {
        check_strided(residual, out->dtype, in->shape[0], weight->shape[0]);
        CHECK(residual->data != out->data ||
              tensor_row_stride(residual) == tensor_row_stride(out));
    }
}

void linear_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                    const struct tensor *weight, const struct tensor *bias,
                    const struct tensor *residual)
{
    check_linear(backend, out, in, weight, bias, residual);
    if (!backend->error.status)
        backend->table->linear_forward(backend, out, in, weight, bias, residual);
}

void linear_decode(struct backend *backend, struct tensor *out, const struct tensor *in,
                   const struct tensor *weight, const struct tensor *bias,
                   const struct tensor *residual)
{
    check_linear(backend, out, in, weight, bias, residual);
    if (!backend->error.status)
        backend->table->linear_decode(backend, out, in, weight, bias, residual);
}

void linear_arrange(struct backend *backend, struct tensor *weight)
{
    check_matrix(weight, held_dtype(backend, weight), weight->shape[0], weight->shape[1]);
    if (!backend->error.status && backend->table->linear_arrange)
        backend->table->linear_arrange(backend, weight);
}

void linear_backward_input(struct backend *backend, struct tensor *d_in,
                           const struct tensor *d_out, const struct tensor *weight,
                           bool accumulate)
{
    const enum dtype dtype = compute_dtype(backend, d_in);

    check_strided(weight, weight_dtype(backend, weight, dtype), weight->shape[0],
                  weight->shape[1]);
    check_strided(d_in, dtype, d_in->shape[0], weight->shape[1]);
    CHECK(operand_compute_dtype(backend, d_out) == dtype);
    check_strided(d_out, d_out->dtype, d_in->shape[0], weight->shape[0]);
    if (!backend->error.status)
        backend->table->linear_backward_input(backend, d_in, d_out, weight, accumulate);
}

void linear_backward_weight(struct backend *backend, struct tensor *d_weight,
                            struct tensor *d_bias, const struct tensor *d_out,
                            const struct tensor *in)
{
    const enum dtype dtype = operand_compute_dtype(backend, d_out);

    check_strided(d_weight, DTYPE_F32, d_weight->shape[0], d_weight->shape[1]);
    CHECK(operand_compute_dtype(backend, in) == dtype);
    check_strided(in, in->dtype, in->shape[0], d_weight->shape[1]);
    check_strided(d_out, d_out->dtype, in->shape[0], d_weight->shape[0]);
    if (d_bias) {
        CHECK(d_out->dtype == dtype);
        check_vector(d_bias, DTYPE_F32, d_weight->shape[0]);
    }
    if (!backend->error.status)
        backend->table->linear_backward_weight(backend, d_weight, d_bias, d_out, in);
}

/* In the type of the call's activations, `dtype`, or in that of operands. */
static void check_operand(const struct backend *backend, const struct tensor *tensor,
                          enum dtype dtype, int64_t rows, int64_t columns)
{
    CHECK(operand_compute_dtype(backend, tensor) == dtype);
    check_matrix(tensor, tensor->dtype, rows, columns);
}

/* A norm's operands; the bias, and each gradient, may be NULL. */
static void check_norm(const struct backend *backend, const struct tensor *in,
                       const struct tensor *rstd, const struct tensor *weight,
                       const struct tensor *bias)
{
    const enum dtype dtype = compute_dtype(backend, in);

    check_matrix(in, dtype, in->shape[0], in->shape[1]);
    check_vector(rstd, DTYPE_F32, in->shape[0]);
    check_vector(weight, weight_dtype(backend, weight, dtype), in->shape[1]);
    if (bias)
        check_vector(bias, weight->dtype, in->shape[1]);
}

static void check_norm_gradients(const struct tensor *in, const struct tensor *d_in,
                                 const struct tensor *d_weight, const struct tensor *d_bias,
                                 const struct tensor *d_out)
{
    check_matrix(d_in, in->dtype, in->shape[0], in->shape[1]);
    check_matrix(d_out, in->dtype, in->shape[0], in->shape[1]);
    if (d_weight)
        check_vector(d_weight, DTYPE_F32, in->shape[1]);
    if (d_bias)
        check_vector(d_bias, DTYPE_F32, in->shape[1]);
}

void rms_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                      const struct tensor *in, const struct tensor *weight, float offset,
                      float epsilon)
{
    check_norm(backend, in, rstd, weight, NULL);
    check_operand(backend, out, in->dtype, in->shape[0], in->shape[1]);
    if (!backend->error.status)
        backend->table->rms_norm_forward(backend, out, rstd, in, weight, offset, epsilon);
}

void rms_norm_backward(struct backend *backend, struct tensor *d_in,
                       struct tensor *d_weight, const struct tensor *d_out,
                       const struct tensor *in, const struct tensor *weight, float offset,
                       const struct tensor *rstd)
{
    check_norm(backend, in, rstd, weight, NULL);
    check_norm_gradients(in, d_in, d_weight, NULL, d_out);
    if (!backend->error.status)
        backend->table->rms_norm_backward(backend, d_in, d_weight, d_out, in, weight,
                                          offset, rstd);
}

void layer_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                        const struct tensor *in, const struct tensor *weight,
                        const struct tensor *bias, float epsilon)
{
    CHECK(bias);
    check_norm(backend, in, rstd, weight, bias);
    check_operand(backend, out, in->dtype, in->shape[0], in->shape[1]);
    if (!backend->error.status)
        backend->table->layer_norm_forward(backend, out, rstd, in, weight, bias, epsilon);
}

void layer_norm_backward(struct backend *backend, struct tensor *d_in,
                         struct tensor *d_weight, struct tensor *d_bias,
                         const struct tensor *d_out, const struct tensor *in,
                         const struct tensor *weight, const struct tensor *rstd)
{
    CHECK(!d_weight == !d_bias);
    check_norm(backend, in, rstd, weight, NULL);
    check_norm_gradients(in, d_in, d_weight, d_bias, d_out);
    if (!backend->error.status)
        backend->table->layer_norm_backward(backend, d_in, d_weight, d_bias, d_out, in,
                                            weight, rstd);
}

static void check_head_norm(const struct backend *backend, const struct tensor *qkv,
                            const struct tensor *query_weight,
                            const struct tensor *key_weight,
                            const struct head_norm_shape *shape)
{
    const enum dtype dtype = compute_dtype(backend, qkv);
    check_matrix(qkv, dtype, qkv->shape[0], qkv->shape[1]);
    CHECK(shape->queries * shape->query_size + shape->keys * shape->key_size <=
          qkv->shape[1]);
    check_vector(query_weight, weight_dtype(backend, query_weight, dtype),
                 shape->query_size);
    check_vector(key_weight, query_weight->dtype, shape->key_size);
}

void head_norm_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                       const struct tensor *query_weight, const struct tensor *key_weight,
                       const struct head_norm_shape *shape)
{
    check_head_norm(backend, in, query_weight, key_weight, shape);
    check_matrix(out, in->dtype, in->shape[0], in->shape[1]);
    if (!backend->error.status)
        backend->table->head_norm_forward(backend, out, in, query_weight, key_weight,
                                          shape);
}

void head_norm_backward(struct backend *backend, struct tensor *d_qkv,
                        struct tensor *d_query_weight, struct tensor *d_key_weight,
                        const struct tensor *in, const struct tensor *query_weight,
                        const struct tensor *key_weight,
                        const struct head_norm_shape *shape)
{
    check_head_norm(backend, in, query_weight, key_weight, shape);
    check_matrix(d_qkv, in->dtype, in->shape[0], in->shape[1]);
    CHECK(!d_query_weight == !d_key_weight);
    if (d_query_weight) {
        check_vector(d_query_weight, DTYPE_F32, shape->query_size);
        check_vector(d_key_weight, DTYPE_F32, shape->key_size);
    }
    if (!backend->error.status)
        backend->table->head_norm_backward(backend, d_qkv, d_query_weight, d_key_weight, in,
                                           query_weight, key_weight, shape);
}

static void check_rope(const struct backend *backend, const struct tensor *qkv,
                       const struct tensor *table, const int32_t *positions,
                       const struct attention_shape *shape)
{
    check_matrix(qkv, compute_dtype(backend, qkv), qkv->shape[0], qkv_columns(shape));
    check_matrix(table, DTYPE_F32, table->shape[0], table->shape[1]);
    CHECK(table->shape[1] % 2 == 0 && table->shape[1] <= shape->head_size);
    check_indices(backend, positions, qkv->shape[0], 0, table->shape[0]);
}

void rope_forward(struct backend *backend, struct tensor *qkv, const struct tensor *table,
                  const int32_t *positions, const struct attention_shape *shape)
{
    check_rope(backend, qkv, table, positions, shape);
    if (!backend->error.status)
        backend->table->rope_forward(backend, qkv, table, positions, shape);
}

void rope_backward(struct backend *backend, struct tensor *d_qkv,
                   const struct tensor *table, const int32_t *positions,
                   const struct attention_shape *shape)
{
    check_rope(backend, d_qkv, table, positions, shape);
    if (!backend->error.status)
        backend->table->rope_backward(backend, d_qkv, table, positions, shape);
}

static void check_documents(const struct backend *backend,
                            const struct documents *documents, int64_t tokens)
{
    const int32_t *starts = documents->starts;

    CHECK(documents->count >= 0 && documents->longest >= 0);
    if (!backend->table->on_host)
        return;
    CHECK(starts[0] == 0 && starts[documents->count] == tokens);
    for (int64_t n = 0; n < documents->count; n++) {
        CHECK(starts[n] <= starts[n + 1]);
        CHECK(starts[n + 1] - starts[n] <= documents->longest);
    }
}

static void check_scores(const struct attention_shape *shape)
{
    CHECK(shape->scale > 0 && shape->window >= 0 && shape->cap >= 0);
}

static enum dtype check_attention(const struct backend *backend, const struct tensor *out,
                                  const struct tensor *qkv,
                                  const struct documents *documents,
                                  const struct attention_shape *shape)
{
    const enum dtype dtype = compute_dtype(backend, qkv);
    const int64_t tokens = qkv->shape[0];

    check_matrix(qkv, dtype, tokens, qkv_columns(shape));
    check_operand(backend, out, dtype, tokens, shape->heads * shape->head_size);
    check_documents(backend, documents, tokens);
    check_scores(shape);
    return dtype;
}

void attention_forward(struct backend *backend, struct tensor *out, struct tensor *log_sum,
                       const struct tensor *qkv, const struct documents *documents,
                       const struct attention_shape *shape)
{
    check_attention(backend, out, qkv, documents, shape);
    check_matrix(log_sum, DTYPE_F32, shape->heads, qkv->shape[0]);
    if (!backend->error.status)
        backend->table->attention_forward(backend, out, log_sum, qkv, documents, shape);
}

void attention_backward(struct backend *backend, struct tensor *d_qkv,
                        const struct tensor *d_out, const struct tensor *qkv,
                        const struct tensor *out, const struct tensor *log_sum,
                        const struct documents *documents,
                        const struct attention_shape *shape)
{
    const enum dtype dtype = check_attention(backend, out, qkv, documents, shape);

    CHECK(out->dtype == dtype);
    check_matrix(log_sum, DTYPE_F32, shape->heads, qkv->shape[0]);
    check_matrix(d_qkv, dtype, qkv->shape[0], qkv->shape[1]);
    check_matrix(d_out, dtype, out->shape[0], out->shape[1]);
    if (!backend->error.status)
        backend->table->attention_backward(backend, d_qkv, d_out, qkv, out, log_sum,
                                           documents, shape);
}

void swiglu_forward(struct backend *backend, struct tensor *out,
                    const struct tensor *gate_up)
{
    const enum dtype dtype = operand_compute_dtype(backend, out);

    check_matrix(out, out->dtype, out->shape[0], out->shape[1]);
    check_matrix(gate_up, dtype, out->shape[0], 2 * out->shape[1]);
    if (!backend->error.status)
        backend->table->swiglu_forward(backend, out, gate_up);
}

void swiglu_backward(struct backend *backend, struct tensor *d_gate_up, struct tensor *out,
                     const struct tensor *d_out, const struct tensor *gate_up)
{
    const enum dtype dtype = compute_dtype(backend, d_out);

    check_matrix(d_out, dtype, d_out->shape[0], d_out->shape[1]);
    check_matrix(gate_up, dtype, d_out->shape[0], 2 * d_out->shape[1]);
    check_operand(backend, d_gate_up, dtype, d_out->shape[0], 2 * d_out->shape[1]);
    if (out)
        check_operand(backend, out, dtype, d_out->shape[0], d_out->shape[1]);
    if (!backend->error.status)
        backend->table->swiglu_backward(backend, d_gate_up, out, d_out, gate_up);
}

/* [T, F] or [T, 2F] */
static void check_gelu(const struct backend *backend, const struct tensor *out,
                       const struct tensor *in)
{
    const enum dtype dtype = operand_compute_dtype(backend, out);

    CHECK(in->shape[1] == out->shape[1] || in->shape[1] == 2 * out->shape[1]);
    check_matrix(out, out->dtype, out->shape[0], out->shape[1]);
    check_matrix(in, dtype, out->shape[0], in->shape[1]);
}

void gelu_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                  enum gelu_kind kind)
{
    check_gelu(backend, out, in);
    if (!backend->error.status)
        backend->table->gelu_forward(backend, out, in, kind);
}

void gelu_backward(struct backend *backend, struct tensor *d_in, struct tensor *out,
                   const struct tensor *d_out, const struct tensor *in, enum gelu_kind kind)
{
    check_gelu(backend, d_out, in);
    CHECK(d_out->dtype == in->dtype);
    check_operand(backend, d_in, in->dtype, in->shape[0], in->shape[1]);
    if (out)
        check_operand(backend, out, in->dtype, d_out->shape[0], d_out->shape[1]);
    if (!backend->error.status)
        backend->table->gelu_backward(backend, d_in, out, d_out, in, kind);
}

void soft_cap(struct backend *backend, struct tensor *values, float cap)
{
    check_data(values, DTYPE_F32);
    CHECK(values->row_stride == 0 && cap > 0);
    if (!backend->error.status)
        backend->table->soft_cap(backend, values, cap);
}

void linear_cross_entropy(struct backend *backend, struct cross_entropy_sums *sums,
                          struct tensor *d_in, struct tensor *d_weight,
                          const struct tensor *in, const struct tensor *weight,
                          const struct targets *targets, float cap, float label_smoothing,
                          float scale_factor)
{
    const enum dtype dtype = compute_dtype(backend, in);

    check_matrix(weight, weight_dtype(backend, weight, dtype), weight->shape[0],
                 weight->shape[1]);
    check_matrix(in, dtype, in->shape[0], weight->shape[1]);
    if (d_in)
        check_matrix(d_in, dtype, in->shape[0], in->shape[1]);
    if (d_weight)
        check_matrix(d_weight, DTYPE_F32, weight->shape[0], weight->shape[1]);
    CHECK(targets->count >= 0 && targets->count <= in->shape[0] && cap >= 0);
    check_indices(backend, targets->rows, targets->count, 0, in->shape[0]);
    check_indices(backend, targets->tokens, targets->count, 0, weight->shape[0]);
    *sums = (struct cross_entropy_sums){.target_count = targets->count};
    if (!backend->error.status)
        backend->table->linear_cross_entropy(backend, sums, d_in, d_in ? d_weight : NULL,
                                             in, weight, targets, cap, label_smoothing,
                                             scale_factor);
}

static enum dtype check_cache(const struct backend *backend,
                              const struct key_value_cache_layer *cache,
                              const struct tensor *qkv, const struct attention_shape *shape)
{
    const enum dtype dtype = compute_dtype(backend, qkv);
    const int64_t width = shape->key_value_heads * shape->head_size;

    check_matrix(qkv, dtype, qkv->shape[0], qkv_columns(shape));
    check_matrix(&cache->keys, weight_dtype(backend, &cache->keys, dtype),
                 cache->keys.shape[0], width);
    check_matrix(&cache->values, cache->keys.dtype, cache->keys.shape[0], width);
    return dtype;
}

void cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                 const struct tensor *qkv, const int32_t *rows,
                 const struct attention_shape *shape)
{
    check_cache(backend, cache, qkv, shape);
    check_indices(backend, rows, qkv->shape[0], 0, cache->keys.shape[0]);
    if (!backend->error.status)
        backend->table->cache_write(backend, cache, qkv, rows, shape);
}

/* Of a sequence, the pages up to a position. */
static void check_pages(const struct backend *backend,
                        const struct key_value_cache_layer *cache,
                        const struct cache_pages *pages, int64_t sequence, int32_t position)
{
    check_indices(backend, &position, 1, 0, pages->width * CACHE_PAGE_ROWS);
    check_indices(backend, pages->table + sequence * pages->width,
                  position / CACHE_PAGE_ROWS + 1, 0,
                  cache->keys.shape[0] / CACHE_PAGE_ROWS);
}

static void check_cached_documents(const struct backend *backend,
                                   const struct key_value_cache_layer *cache,
                                   const struct cached_documents *cached)
{
    const int32_t *starts = cached->documents.starts, *positions = cached->positions;

    for (int64_t n = 0; n < cached->documents.count; n++) {
        for (int64_t t = starts[n] + 1; t < starts[n + 1]; t++)
            CHECK(positions[t] == positions[t - 1] + 1);
        if (starts[n] == starts[n + 1])
            continue;
        CHECK(cached->continues || positions[starts[n]] == 0);
        check_pages(backend, cache, &cached->pages, n, positions[starts[n + 1] - 1]);
    }
}

void attention_prefill(struct backend *backend, struct tensor *out,
                       const struct tensor *qkv, const struct key_value_cache_layer *cache,
                       const struct cached_documents *cached,
                       const struct attention_shape *shape)
{
    check_cache(backend, cache, qkv, shape);
    check_attention(backend, out, qkv, &cached->documents, shape);
    if (backend->table->on_host)
        check_cached_documents(backend, cache, cached);
    if (!backend->error.status)
        backend->table->attention_prefill(backend, out, qkv, cache, cached, shape);
}

void attention_decode(struct backend *backend, struct tensor *out, const struct tensor *qkv,
                      const struct key_value_cache_layer *cache,
                      const struct cache_pages *pages, const int32_t *positions,
                      const struct attention_shape *shape)
{
    const enum dtype dtype = check_cache(backend, cache, qkv, shape);

    for (int64_t s = 0; s < qkv->shape[0] && backend->table->on_host; s++)
        check_pages(backend, cache, pages, s, positions[s]);
    check_operand(backend, out, dtype, qkv->shape[0], shape->heads * shape->head_size);
    check_scores(shape);
    if (!backend->error.status)
        backend->table->attention_decode(backend, out, qkv, cache, pages, positions, shape);
}

void sample_tokens(struct backend *backend, int32_t *tokens, struct tensor *logits,
                   const struct sampling_rows *rows)
{
    check_matrix(logits, DTYPE_F32, logits->shape[0], logits->shape[1]);
    CHECK(logits->shape[1] > 0);
    if (!backend->error.status)
        backend->table->sample_tokens(backend, tokens, logits, rows);
}

void nf4_dequantize(struct backend *backend, struct tensor *out,
                    const struct nf4_tensor *in)
{
    check_data(out, held_dtype(backend, out));
    CHECK(out->row_stride == 0 && tensor_count(out) == in->count);
    CHECK((in->codes && in->scale_codes && in->steps) || in->count == 0);
    if (!backend->error.status)
        backend->table->nf4_dequantize(backend, out, in);
}

void sum_of_squares(struct backend *backend, struct tensor *sum,
                    const struct tensor *tensor)
{
    check_vector(sum, DTYPE_F64, 1);
    check_data(tensor, DTYPE_F32);
    if (!backend->error.status)
        backend->table->sum_of_squares(backend, sum, tensor);
}

void adamw_update(struct backend *backend, struct tensor *weight, struct tensor *remainder,
                  struct tensor *moment1, struct tensor *moment2,
                  const struct tensor *gradient, const struct tensor *norm_squared,
                  const struct adamw_step_parameters *parameters)
{
    const int64_t count = tensor_count(weight);
    const bool bf16_moments = moment1->dtype == DTYPE_BF16;

    check_vector(weight, held_dtype(backend, weight), count);
    CHECK(!remainder || weight->dtype == DTYPE_BF16);
    if (remainder)
        check_vector(remainder, DTYPE_I16, count);
    CHECK(!bf16_moments || backend->compute_dtype == DTYPE_BF16);
    check_vector(moment1, bf16_moments ? DTYPE_BF16 : DTYPE_F32, count);
    check_vector(moment2, moment1->dtype, count);
    check_vector(gradient, DTYPE_F32, count);
    check_vector(norm_squared, DTYPE_F64, 1);
    CHECK(parameters->step >= 1);
    if (!backend->error.status)
        backend->table->adamw_update(backend, weight, remainder, moment1, moment2, gradient,
                                     norm_squared, parameters);
}
