#include "backend/operations.h"

#include "backend/operation_table.h"

/* Shapes and dtypes are checked here, once for all back-ends. */

static void check_f32(const struct tensor *tensor)
{
    CHECK(tensor->dtype == DTYPE_F32);
    CHECK(tensor->data || tensor_count(tensor) == 0);
}

static void check_vector(const struct tensor *tensor, int64_t count)
{
    check_f32(tensor);
    CHECK(tensor->rank == 1 && tensor->shape[0] == count);
}

static void check_matrix(const struct tensor *tensor, int64_t rows, int64_t columns)
{
    check_f32(tensor);
    CHECK(tensor->rank == 2 && tensor->shape[0] == rows && tensor->shape[1] == columns);
}

static void check_heads(const struct attention_shape *shape)
{
    CHECK(shape->heads > 0 && shape->key_value_heads > 0 && shape->head_size > 0);
    CHECK(shape->heads % shape->key_value_heads == 0);
}

static int64_t qkv_columns(const struct attention_shape *shape)
{
    check_heads(shape);
    return (shape->heads + 2 * shape->key_value_heads) * shape->head_size;
}

void fill(struct backend *backend, struct tensor *tensor, float value)
{
    check_f32(tensor);
    if (!backend->error.status)
        backend->table->fill(backend, tensor, value);
}

void add(struct backend *backend, struct tensor *out, const struct tensor *a,
         const struct tensor *b)
{
    check_f32(out);
    check_f32(a);
    check_f32(b);
    CHECK(tensor_count(out) == tensor_count(a) && tensor_count(out) == tensor_count(b));
    if (!backend->error.status)
        backend->table->add(backend, out, a, b);
}

void scale(struct backend *backend, struct tensor *tensor, float factor)
{
    check_f32(tensor);
    if (!backend->error.status)
        backend->table->scale(backend, tensor, factor);
}

static void check_tokens(const int32_t *tokens, int64_t count, int64_t vocabulary)
{
    for (int64_t t = 0; t < count; t++)
        CHECK(tokens[t] >= 0 && tokens[t] < vocabulary);
}

void embedding_forward(struct backend *backend, struct tensor *out,
                       const struct tensor *weight, const int32_t *tokens)
{
    check_matrix(weight, weight->shape[0], weight->shape[1]);
    check_matrix(out, out->shape[0], weight->shape[1]);
    check_tokens(tokens, out->shape[0], weight->shape[0]);
    if (!backend->error.status)
        backend->table->embedding_forward(backend, out, weight, tokens);
}

void embedding_backward(struct backend *backend, struct tensor *d_weight,
                        const struct tensor *d_out, const int32_t *tokens)
{
    check_matrix(d_weight, d_weight->shape[0], d_weight->shape[1]);
    check_matrix(d_out, d_out->shape[0], d_weight->shape[1]);
    check_tokens(tokens, d_out->shape[0], d_weight->shape[0]);
    if (!backend->error.status)
        backend->table->embedding_backward(backend, d_weight, d_out, tokens);
}

static void check_linear(const struct tensor *out, const struct tensor *in,
                         const struct tensor *weight, const struct tensor *bias)
{
    check_matrix(weight, weight->shape[0], weight->shape[1]);
    check_matrix(in, in->shape[0], weight->shape[1]);
    check_matrix(out, in->shape[0], weight->shape[0]);
    if (bias)
        check_vector(bias, weight->shape[0]);
}

void linear_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                    const struct tensor *weight, const struct tensor *bias)
{
    check_linear(out, in, weight, bias);
    if (!backend->error.status)
        backend->table->linear_forward(backend, out, in, weight, bias);
}

void linear_decode(struct backend *backend, struct tensor *out, const struct tensor *in,
                   const struct tensor *weight, const struct tensor *bias)
{
    check_linear(out, in, weight, bias);
    if (!backend->error.status)
        backend->table->linear_decode(backend, out, in, weight, bias);
}

void linear_backward_input(struct backend *backend, struct tensor *d_in,
                           const struct tensor *d_out, const struct tensor *weight,
                           bool accumulate)
{
    check_linear(d_out, d_in, weight, NULL);
    if (!backend->error.status)
        backend->table->linear_backward_input(backend, d_in, d_out, weight, accumulate);
}

void linear_backward_weight(struct backend *backend, struct tensor *d_weight,
                            struct tensor *d_bias, const struct tensor *d_out,
                            const struct tensor *in)
{
    check_linear(d_out, in, d_weight, d_bias);
    if (!backend->error.status)
        backend->table->linear_backward_weight(backend, d_weight, d_bias, d_out, in);
}

void rms_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                      const struct tensor *in, const struct tensor *weight, float epsilon)
{
    check_matrix(in, in->shape[0], in->shape[1]);
    check_matrix(out, in->shape[0], in->shape[1]);
    check_vector(rstd, in->shape[0]);
    check_vector(weight, in->shape[1]);
    if (!backend->error.status)
        backend->table->rms_norm_forward(backend, out, rstd, in, weight, epsilon);
}

void rms_norm_backward(struct backend *backend, struct tensor *d_in,
                       struct tensor *d_weight, const struct tensor *d_out,
                       const struct tensor *in, const struct tensor *weight,
                       const struct tensor *rstd)
{
    check_matrix(in, in->shape[0], in->shape[1]);
    check_matrix(d_in, in->shape[0], in->shape[1]);
    check_matrix(d_out, in->shape[0], in->shape[1]);
    check_vector(weight, in->shape[1]);
    check_vector(d_weight, in->shape[1]);
    check_vector(rstd, in->shape[0]);
    if (!backend->error.status)
        backend->table->rms_norm_backward(backend, d_in, d_weight, d_out, in, weight, rstd);
}

static void check_rope(const struct tensor *qkv, const struct tensor *table,
                       const int32_t *positions, const struct attention_shape *shape)
{
    check_matrix(qkv, qkv->shape[0], qkv_columns(shape));
    check_matrix(table, table->shape[0], shape->head_size);
    CHECK(shape->head_size % 2 == 0);
    check_tokens(positions, qkv->shape[0], table->shape[0]);
}

void rope_forward(struct backend *backend, struct tensor *qkv, const struct tensor *table,
                  const int32_t *positions, const struct attention_shape *shape)
{
    check_rope(qkv, table, positions, shape);
    if (!backend->error.status)
        backend->table->rope_forward(backend, qkv, table, positions, shape);
}

void rope_backward(struct backend *backend, struct tensor *d_qkv,
                   const struct tensor *table, const int32_t *positions,
                   const struct attention_shape *shape)
{
    check_rope(d_qkv, table, positions, shape);
    if (!backend->error.status)
        backend->table->rope_backward(backend, d_qkv, table, positions, shape);
}

static void check_documents(const int32_t *starts, int64_t count, int64_t tokens)
{
    CHECK(count >= 0 && starts[0] == 0 && starts[count] == tokens);
    for (int64_t n = 0; n < count; n++)
        CHECK(starts[n] <= starts[n + 1]);
}

static void check_attention(const struct tensor *out, const struct tensor *log_sum,
                            const struct tensor *qkv, const int32_t *document_starts,
                            int64_t document_count, const struct attention_shape *shape)
{
    const int64_t tokens = qkv->shape[0];

    check_matrix(qkv, tokens, qkv_columns(shape));
    check_matrix(out, tokens, shape->heads * shape->head_size);
    check_matrix(log_sum, shape->heads, tokens);
    check_documents(document_starts, document_count, tokens);
    CHECK(shape->scale > 0);
}

void attention_forward(struct backend *backend, struct tensor *out, struct tensor *log_sum,
                       const struct tensor *qkv, const int32_t *document_starts,
                       int64_t document_count, const struct attention_shape *shape)
{
    check_attention(out, log_sum, qkv, document_starts, document_count, shape);
    if (!backend->error.status)
        backend->table->attention_forward(backend, out, log_sum, qkv, document_starts,
                                          document_count, shape);
}

void attention_backward(struct backend *backend, struct tensor *d_qkv,
                        const struct tensor *d_out, const struct tensor *qkv,
                        const struct tensor *out, const struct tensor *log_sum,
                        const int32_t *document_starts, int64_t document_count,
                        const struct attention_shape *shape)
{
    check_attention(out, log_sum, qkv, document_starts, document_count, shape);
    check_matrix(d_qkv, qkv->shape[0], qkv->shape[1]);
    check_matrix(d_out, out->shape[0], out->shape[1]);
    if (!backend->error.status)
        backend->table->attention_backward(backend, d_qkv, d_out, qkv, out, log_sum,
                                           document_starts, document_count, shape);
}

void swiglu_forward(struct backend *backend, struct tensor *out,
                    const struct tensor *gate_up)
{
    check_matrix(out, out->shape[0], out->shape[1]);
    check_matrix(gate_up, out->shape[0], 2 * out->shape[1]);
    if (!backend->error.status)
        backend->table->swiglu_forward(backend, out, gate_up);
}

void swiglu_backward(struct backend *backend, struct tensor *d_gate_up,
                     const struct tensor *d_out, const struct tensor *gate_up)
{
    check_matrix(d_out, d_out->shape[0], d_out->shape[1]);
    check_matrix(gate_up, d_out->shape[0], 2 * d_out->shape[1]);
    check_matrix(d_gate_up, d_out->shape[0], 2 * d_out->shape[1]);
    if (!backend->error.status)
        backend->table->swiglu_backward(backend, d_gate_up, d_out, gate_up);
}

void linear_cross_entropy(struct backend *backend, struct cross_entropy_sums *sums,
                          struct tensor *d_in, struct tensor *d_weight,
                          const struct tensor *in, const struct tensor *weight,
                          const int32_t *targets, float label_smoothing, float scale_factor)
{
    check_matrix(weight, weight->shape[0], weight->shape[1]);
    check_matrix(in, in->shape[0], weight->shape[1]);
    if (d_in)
        check_matrix(d_in, in->shape[0], in->shape[1]);
    if (d_weight)
        check_matrix(d_weight, weight->shape[0], weight->shape[1]);
    for (int64_t t = 0; t < in->shape[0]; t++)
        CHECK(targets[t] >= -1 && targets[t] < weight->shape[0]);
    *sums = (struct cross_entropy_sums){0};
    if (!backend->error.status)
        backend->table->linear_cross_entropy(backend, sums, d_in, d_in ? d_weight : NULL,
                                             in, weight, targets, label_smoothing,
                                             scale_factor);
}

static void check_cache(const struct key_value_cache_layer *cache, const struct tensor *qkv,
                        const int32_t *slots, const int32_t *positions,
                        const struct attention_shape *shape)
{
    check_matrix(qkv, qkv->shape[0], qkv_columns(shape));
    check_f32(&cache->keys);
    check_f32(&cache->values);
    CHECK(cache->keys.rank == 3 && cache->values.rank == 3);
    for (int i = 0; i < 3; i++)
        CHECK(cache->keys.shape[i] == cache->values.shape[i]);
    CHECK(cache->keys.shape[2] == shape->key_value_heads * shape->head_size);
    check_tokens(slots, qkv->shape[0], cache->keys.shape[0]);
    check_tokens(positions, qkv->shape[0], cache->keys.shape[1]);
}

void cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                 const struct tensor *qkv, const int32_t *slots, const int32_t *positions,
                 const struct attention_shape *shape)
{
    check_cache(cache, qkv, slots, positions, shape);
    if (!backend->error.status)
        backend->table->cache_write(backend, cache, qkv, slots, positions, shape);
}

void attention_decode(struct backend *backend, struct tensor *out, const struct tensor *qkv,
                      const struct key_value_cache_layer *cache, const int32_t *slots,
                      const int32_t *positions, const struct attention_shape *shape)
{
    check_cache(cache, qkv, slots, positions, shape);
    check_matrix(out, qkv->shape[0], shape->heads * shape->head_size);
    CHECK(shape->scale > 0);
    if (!backend->error.status)
        backend->table->attention_decode(backend, out, qkv, cache, slots, positions, shape);
}

void sum_of_squares(struct backend *backend, double *sum, const struct tensor *tensor)
{
    check_f32(tensor);
    if (!backend->error.status)
        backend->table->sum_of_squares(backend, sum, tensor);
}

void adamw_update(struct backend *backend, struct tensor *weight, struct tensor *moment1,
                  struct tensor *moment2, const struct tensor *gradient,
                  const struct adamw_step_parameters *parameters)
{
    const int64_t count = tensor_count(weight);

    check_f32(weight);
    check_f32(moment1);
    check_f32(moment2);
    check_f32(gradient);
    CHECK(tensor_count(moment1) == count && tensor_count(moment2) == count &&
          tensor_count(gradient) == count);
    CHECK(parameters->step >= 1);
    if (!backend->error.status)
        backend->table->adamw_update(backend, weight, moment1, moment2, gradient,
                                     parameters);
}
