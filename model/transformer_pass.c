#include "base/memory.h"
#include "model/pass_operations.h"
#include "model/sharded.h"

#include <stdlib.h>

/*
 * One pass over one batch: the activations cut to its t tokens. All mathematics of the
 * transformer is here, once; a block is
 *
 *     middle = in + attention(turn(norm(in) W_qkv)) W_o
 *     out    = middle + act(norm(middle) W_gate_up) W_down
 *
 * and with post norms, what is added is normed first; where there are no others, attention
 * and feed-forward read the stream as it is. model/pass_operations.h has what families do
 * each in their way.
 */
struct pass {
    struct transformer *model;
    struct backend *backend;
    int64_t token_count;
    const struct batch_indices *batch;
    const struct activations *reserved;
    const struct adapters *adapters; /* NULL: none */
    struct dropout_mask dropout;     /* of the adapters; probability 0: none */
    struct attention_shape shape;
    struct head_norm_shape norms; /* of queries and keys */
};

static struct pass pass_begin(struct transformer *model, const struct packed_batch *batch,
                              struct activations *reserved)
{
    units_begin(model);
    CHECK(batch->token_count > 0 && batch->token_count <= reserved->token_count);
    batch_indices_set(&reserved->indices, model, batch);
    CHECK(!model->architecture.learned_positions ||
          reserved->indices.documents.longest <= model->architecture.position_limit);
    return (struct pass){
        .model = model,
        .backend = model->backend,
        .token_count = batch->token_count,
        .batch = &reserved->indices,
        .reserved = reserved,
        .adapters = model->adapters,
        .shape = model_attention_shape(&model->architecture, 0),
        .norms = model_head_norm_shape(&model->architecture),
    };
}

/* The rows of a [T, …] buffer that the batch uses. */
static struct tensor rows(const struct pass *pass, const struct tensor *buffer)
{
    return tensor_rows(buffer, 0, pass->token_count);
}

static struct block_activations block_rows(const struct pass *pass, int64_t layer)
{
    const struct block_activations *block = &pass->reserved->blocks[layer];
    struct block_activations cut = {
        .layer = layer,
        .in = rows(pass, &block->in),
        .attention_rstd = rows(pass, &block->attention_rstd),
        .projected = rows(pass, &block->projected),
        .query_key_value = rows(pass, &block->query_key_value),
        .attended = rows(pass, &block->attended),
        .log_sum = tensor_view_2d(block->log_sum.data, DTYPE_F32, pass->shape.heads,
                                  pass->token_count),
        .middle = rows(pass, &block->middle),
        .feed_forward_rstd = rows(pass, &block->feed_forward_rstd),
        .gate_up = rows(pass, &block->gate_up),
    };
    if (pass->model->architecture.post_norms) {
        cut.attention_added = rows(pass, &block->attention_added);
        cut.feed_forward_added = rows(pass, &block->feed_forward_added);
    }
    for (int group = 0; pass->adapters && group < ADAPTER_GROUP_COUNT; group++)
        cut.adapted[group] = rows(pass, &block->adapted[group]);
    return cut;
}

/* What the adapters of a group are to be told; `weight` is borrowed. */
static struct adapter_call adapter_call(const struct pass *pass, int64_t layer,
                                        enum adapter_group_name name,
                                        const struct tensor *weight)
{
    return (struct adapter_call){
        .backend = pass->backend,
        .adapters = pass->adapters,
        .layer = layer,
        .group = name,
        .weight = weight,
        .dropout = pass->dropout.probability > 0 ? &pass->dropout : NULL,
        .scratch = pass->reserved->adapter_scratch,
    };
}

/* A matrix of a block, as training multiplies it. */
static struct tensor pass_weight(const struct pass *pass, int64_t layer,
                                 enum adapter_group_name name, const struct tensor *weight)
{
    struct tensor ready = block_weight(pass->model, layer, name, weight);
    ready.fp8 = backend_fp8(pass->backend);
    return ready;
}

/* Tells what makes `made` which matrix multiplies it next, where that is of use; `ready` is
 * to live as long. Of a 4-bit base a matrix exists only for its product. */
static void made_for(const struct pass *pass, int64_t layer, enum adapter_group_name name,
                     const struct tensor *weight, struct tensor *made, struct tensor *ready)
{
    if (!backend_fp8(pass->backend) || pass->model->quantized)
        return;
    *ready = pass_weight(pass, layer, name, weight);
    made->fp8_with = ready;
}

/* out = in W^T (+ bias) (+ residual), W as the adapters of the group make it. */
static void project(const struct pass *pass, struct block_activations *block,
                    enum adapter_group_name name, struct tensor *out,
                    const struct tensor *in, const struct linear_parameters *weights,
                    const struct tensor *residual)
{
    const struct tensor ready = pass_weight(pass, block->layer, name, &weights->weight);
    struct adapter_call call = adapter_call(pass, block->layer, name, &ready);
    call.bias = linear_bias(weights);
    adapter_forward(&call, out, &block->adapted[name], in, residual);
}

/* out = residual + in W^T (+ bias), what is added being normed first where the family does
 * that; `added` and `rstd` are then what the norm reads and scratch. */
static void project_and_add(const struct pass *pass, struct block_activations *block,
                            enum adapter_group_name name, struct tensor *out,
                            struct tensor *added, struct tensor *rstd,
                            const struct tensor *in,
                            const struct linear_parameters *weights,
                            const struct norm_parameters *post_norm,
                            const struct tensor *residual)
{
    if (!pass->model->architecture.post_norms) {
        project(pass, block, name, out, in, weights, residual);
        return;
    }
    project(pass, block, name, added, in, weights, NULL);
    norm_forward(pass->model, out, rstd, added, post_norm);
    add(pass->backend, out, out, residual);
}

/* From `in` to the gates: all that the block keeps, but for feed_forward_added. */
static void block_forward_kept(const struct pass *pass,
                               const struct block_parameters *weights,
                               struct block_activations *block)
{
    const struct transformer *model = pass->model;
    const struct batch_indices *batch = pass->batch;
    const struct attention_shape shape =
        model_attention_shape(&model->architecture, block->layer);
    struct tensor normed = rows(pass, &pass->reserved->normed);

    struct tensor read = pre_norm_forward(model, &normed, &block->attention_rstd,
                                          &block->in, &weights->attention_norm);
    project(pass, block, GROUP_QUERY_KEY_VALUE, &block->projected, &read,
            &weights->query_key_value, NULL);
    if (model->architecture.head_norms)
        head_norm_forward(pass->backend, &block->query_key_value, &block->projected,
                          &weights->query_norm, &weights->key_norm, &pass->norms);
    turn_forward(model, block->layer, &block->query_key_value, batch->turns, &shape);
    attention_forward(pass->backend, &block->attended, &block->log_sum,
                      &block->query_key_value, &batch->documents, &shape);
    project_and_add(pass, block, GROUP_ATTENTION_OUT, &block->middle,
                    &block->attention_added, &block->attention_rstd, &block->attended,
                    &weights->attention_out, &weights->attention_post_norm, &block->in);

    read = pre_norm_forward(model, &normed, &block->feed_forward_rstd, &block->middle,
                            &weights->feed_forward_norm);
    project(pass, block, GROUP_GATE_UP, &block->gate_up, &read, &weights->gate_up, NULL);
}

/* The end of the block; `out` may be the memory of block->in. */
static void block_forward_out(const struct pass *pass,
                              const struct block_parameters *weights,
                              struct block_activations *block, struct tensor *out)
{
    struct tensor activated = rows(pass, &pass->reserved->activated), ready;
    made_for(pass, block->layer, GROUP_DOWN, &weights->down.weight, &activated, &ready);
    activation_forward(pass->model, &activated, &block->gate_up);
    project_and_add(pass, block, GROUP_DOWN, out, &block->feed_forward_added,
                    &block->feed_forward_rstd, &activated, &weights->down,
                    &weights->feed_forward_post_norm, &block->middle);
}

/* What a block keeps, made again from `in` for its backward. */
static void block_recompute(const struct pass *pass, const struct block_parameters *weights,
                            struct block_activations *block)
{
    struct tensor activated = rows(pass, &pass->reserved->activated);
    block_forward_kept(pass, weights, block);
    if (!pass->model->architecture.post_norms)
        return;
    activation_forward(pass->model, &activated, &block->gate_up);
    project(pass, block, GROUP_DOWN, &block->feed_forward_added, &activated, &weights->down,
            NULL);
}

/* From tokens to the normed residual stream, in the scratch buffer `normed`. */
static struct tensor forward(const struct pass *pass)
{
    const struct activations *reserved = pass->reserved;
    const struct model_parameters *weights = &pass->model->views;
    const int64_t layer_count = pass->model->architecture.layer_count;
    struct tensor first = rows(pass, &reserved->blocks[0].in);
    struct tensor last = rows(pass, &reserved->out);
    struct tensor last_rstd = rows(pass, &reserved->last_rstd);
    struct tensor normed = rows(pass, &reserved->normed);

    unit_weights(pass->model, UNIT_FIRST);
    embed_forward(pass->model, &first, &normed, pass->batch->tokens,
                  pass->batch->positions);
    for (int64_t layer = 0; layer < layer_count; layer++) {
        struct block_activations block = block_rows(pass, layer);
        struct tensor out =
            layer + 1 < layer_count ? rows(pass, &reserved->blocks[layer + 1].in) : last;
        unit_weights(pass->model, unit_of_block(layer));
        block_forward_kept(pass, &weights->blocks[layer], &block);
        block_forward_out(pass, &weights->blocks[layer], &block, &out);
    }
    unit_weights(pass->model, unit_last(&pass->model->architecture));
    norm_forward(pass->model, &normed, &last_rstd, &last, &weights->last_norm);
    return normed;
}

/* d_in = or += d_out W, through the adapters too, whose gradients are made on the way. */
static void input_backward(const struct pass *pass, struct block_activations *block,
                           enum adapter_group_name name, struct tensor *d_in,
                           const struct tensor *d_out,
                           const struct linear_parameters *weights, const struct tensor *in,
                           bool accumulate)
{
    const struct tensor ready = pass_weight(pass, block->layer, name, &weights->weight);
    const struct adapter_call call = adapter_call(pass, block->layer, name, &ready);
    struct tensor d_hidden = {0};
    if (adapter_call_adapts(&call))
        d_hidden = tensor_view_2d(pass->reserved->d_adapted.data, d_in->dtype,
                                  pass->token_count, block->adapted[name].shape[1]);
    adapter_backward(&call, d_in, &d_hidden, d_out, &block->adapted[name], in, accumulate);
}

/* The gradients of W and its bias; beside adapters they are frozen. */
static void weight_backward(const struct pass *pass, struct linear_parameters *gradients,
                            const struct tensor *d_out, const struct tensor *in)
{
    struct tensor *d_bias = gradients->bias.data ? &gradients->bias : NULL;
    if (!pass->adapters)
        linear_backward_weight(pass->backend, &gradients->weight, d_bias, d_out, in);
}

/* d_in += …; beside adapters the norm's own gradients are not wanted. */
static void pre_norm_backward(const struct pass *pass, struct tensor *d_in,
                              struct norm_parameters *gradients, const struct tensor *d_out,
                              const struct tensor *in, const struct norm_parameters *norm,
                              const struct tensor *rstd)
{
    norm_backward(pass->model, d_in, pass->adapters ? NULL : gradients, d_out, in, norm,
                  rstd);
}

/*
 * The gradient of what a block adds, `added`, from d_residual: through the post norm, into
 * the scratch buffer d_normed, or d_residual itself where there is none. `rstd` is scratch.
 */
static struct tensor added_backward(const struct pass *pass,
                                    struct norm_parameters *gradients,
                                    const struct norm_parameters *post_norm,
                                    const struct tensor *added, struct tensor *rstd,
                                    const struct tensor *d_residual)
{
    struct tensor normed = rows(pass, &pass->reserved->normed);
    struct tensor d_added = rows(pass, &pass->reserved->d_normed);
    if (!pass->model->architecture.post_norms)
        return *d_residual;
    norm_forward(pass->model, &normed, rstd, added, post_norm);
    fill(pass->backend, &d_added, 0.0f);
    pre_norm_backward(pass, &d_added, gradients, d_residual, added, post_norm, rstd);
    return d_added;
}

/*
 * The activation and the projection behind it. Its output is made again: by the backward in
 * passing, unless adapters need it earlier. `ready`: see made_for().
 */
static void down_backward(const struct pass *pass, const struct block_parameters *weights,
                          struct block_parameters *gradients,
                          struct block_activations *block, struct tensor *d_gate_up,
                          struct tensor *ready, const struct tensor *d_added)
{
    struct tensor activated = rows(pass, &pass->reserved->activated);
    struct tensor d_activated = rows(pass, &pass->reserved->d_activated);
    if (pass->adapters) {
        activation_forward(pass->model, &activated, &block->gate_up);
        const struct adapter_call call =
            adapter_call(pass, block->layer, GROUP_DOWN, &weights->down.weight);
        if (pass->reserved->use == TRAINING_RECOMPUTE)
            adapter_hidden(&call, &block->adapted[GROUP_DOWN], &activated);
    }
    input_backward(pass, block, GROUP_DOWN, &d_activated, d_added, &weights->down,
                   &activated, false);
    made_for(pass, block->layer, GROUP_GATE_UP, &weights->gate_up.weight, d_gate_up, ready);
    activation_backward(pass->model, d_gate_up, pass->adapters ? NULL : &activated,
                        &d_activated, &block->gate_up);
    weight_backward(pass, &gradients->down, d_added, &activated);
}

/* d_residual: from the gradient of the block's output to that of `middle`. */
static void feed_forward_backward(const struct pass *pass,
                                  const struct block_parameters *weights,
                                  struct block_parameters *gradients,
                                  struct block_activations *block,
                                  struct tensor *d_residual)
{
    struct tensor normed = rows(pass, &pass->reserved->normed);
    struct tensor rstd = block->feed_forward_rstd;
    struct tensor d_gate_up = rows(pass, &pass->reserved->d_gate_up), ready;
    struct tensor d_normed = rows(pass, &pass->reserved->d_normed);
    const bool direct = pass->model->architecture.no_pre_norms;

    const struct tensor d_added = added_backward(
        pass, &gradients->feed_forward_post_norm, &weights->feed_forward_post_norm,
        &block->feed_forward_added, &rstd, d_residual);
    down_backward(pass, weights, gradients, block, &d_gate_up, &ready, &d_added);
    const struct tensor read = pre_norm_forward(pass->model, &normed, &rstd, &block->middle,
                                                &weights->feed_forward_norm);
    input_backward(pass, block, GROUP_GATE_UP, direct ? d_residual : &d_normed, &d_gate_up,
                   &weights->gate_up, &read, direct);
    weight_backward(pass, &gradients->gate_up, &d_gate_up, &read);
    if (!direct)
        pre_norm_backward(pass, d_residual, &gradients->feed_forward_norm, &d_normed,
                          &block->middle, &weights->feed_forward_norm, &rstd);
}

/* d_query_key_value: from the gradient of what attention reads to that of the product. */
static void turned_backward(const struct pass *pass, const struct block_parameters *weights,
                            struct block_parameters *gradients,
                            const struct block_activations *block,
                            struct tensor *d_query_key_value)
{
    const bool frozen = pass->adapters;
    turn_backward(pass->model, block->layer, d_query_key_value, pass->batch->turns,
                  &pass->shape);
    if (pass->model->architecture.head_norms)
        head_norm_backward(pass->backend, d_query_key_value,
                           frozen ? NULL : &gradients->query_norm,
                           frozen ? NULL : &gradients->key_norm, &block->projected,
                           &weights->query_norm, &weights->key_norm, &pass->norms);
}

/* d_residual: from the gradient of `middle` to that of `in`. */
static void attention_part_backward(const struct pass *pass,
                                    const struct block_parameters *weights,
                                    struct block_parameters *gradients,
                                    struct block_activations *block,
                                    struct tensor *d_residual)
{
    const struct attention_shape shape =
        model_attention_shape(&pass->model->architecture, block->layer);
    struct tensor normed = rows(pass, &pass->reserved->normed);
    struct tensor rstd = block->attention_rstd;
    struct tensor d_attended = rows(pass, &pass->reserved->d_attended);
    struct tensor d_query_key_value = rows(pass, &pass->reserved->d_query_key_value);
    struct tensor d_normed = rows(pass, &pass->reserved->d_normed);
    const bool direct = pass->model->architecture.no_pre_norms;

    const struct tensor d_added =
        added_backward(pass, &gradients->attention_post_norm, &weights->attention_post_norm,
                       &block->attention_added, &rstd, d_residual);
    input_backward(pass, block, GROUP_ATTENTION_OUT, &d_attended, &d_added,
                   &weights->attention_out, &block->attended, false);
    weight_backward(pass, &gradients->attention_out, &d_added, &block->attended);
    attention_backward(pass->backend, &d_query_key_value, &d_attended,
                       &block->query_key_value, &block->attended, &block->log_sum,
                       &pass->batch->documents, &shape);
    turned_backward(pass, weights, gradients, block, &d_query_key_value);

    const struct tensor read =
        pre_norm_forward(pass->model, &normed, &rstd, &block->in, &weights->attention_norm);
    input_backward(pass, block, GROUP_QUERY_KEY_VALUE, direct ? d_residual : &d_normed,
                   &d_query_key_value, &weights->query_key_value, &read, direct);
    weight_backward(pass, &gradients->query_key_value, &d_query_key_value, &read);
    if (!direct)
        pre_norm_backward(pass, d_residual, &gradients->attention_norm, &d_normed,
                          &block->in, &weights->attention_norm, &rstd);
}

/* From d_normed, the gradient of the last norm's output, to all parameters. */
static void backward(const struct pass *pass)
{
    const struct activations *reserved = pass->reserved;
    struct transformer *model = pass->model;
    struct tensor d_residual = rows(pass, &reserved->d_residual);
    const struct tensor d_normed = rows(pass, &reserved->d_normed);
    const struct tensor last = rows(pass, &reserved->out);
    const struct tensor last_rstd = rows(pass, &reserved->last_rstd);

    static struct block_parameters frozen; /* no gradients: never read */

    fill(pass->backend, &d_residual, 0.0f);
    unit_enter(model, unit_last(&model->architecture));
    pre_norm_backward(pass, &d_residual, &model->gradient_views.last_norm, &d_normed, &last,
                      &model->views.last_norm, &last_rstd);
    for (int64_t layer = model->architecture.layer_count - 1; layer >= 0; layer--) {
        const struct block_parameters *weights = &model->views.blocks[layer];
        struct block_parameters *gradients =
            pass->adapters ? &frozen : &model->gradient_views.blocks[layer];
        struct block_activations block = block_rows(pass, layer);
        unit_enter(model, unit_of_block(layer));
        if (reserved->use == TRAINING_RECOMPUTE)
            block_recompute(pass, weights, &block);
        feed_forward_backward(pass, weights, gradients, &block, &d_residual);
        attention_part_backward(pass, weights, gradients, &block, &d_residual);
    }
    if (pass->adapters)
        return;
    unit_gradients(model, UNIT_FIRST);
    embed_backward(model, &d_residual, pass->batch->tokens, pass->batch->positions);
    unit_gradients(model, UNIT_NONE);
}

/* The masks of a pass that trains; none where the batch has no key. */
static struct dropout_mask pass_dropout(const struct pass *pass,
                                        const struct packed_batch *batch)
{
    const bool drops = pass->adapters && batch->dropout_key != 0;
    return (struct dropout_mask){
        .documents = pass->batch->names,
        .positions = pass->batch->positions,
        .key = batch->dropout_key,
        .probability = drops ? (float)pass->adapters->options.dropout : 0.0f,
    };
}

void transformer_forward_backward(struct transformer *model,
                                  const struct packed_batch *batch, float label_smoothing,
                                  float scale, struct cross_entropy_sums *sums)
{
    CHECK(transformer_gradients(model).data);
    struct pass pass = pass_begin(model, batch, &model->training);
    pass.dropout = pass_dropout(&pass, batch);
    struct tensor normed = forward(&pass);
    struct tensor d_normed = rows(&pass, &model->training.d_normed);
    unit_enter(model, unit_of_head(&model->architecture));
    struct tensor *d_head = model->adapters ? NULL : &model->gradient_views.head;
    head_loss(model, sums, &d_normed, d_head, &normed, &pass.batch->targets,
              label_smoothing, scale);
    backward(&pass);
}

void transformer_loss(struct transformer *model, const struct packed_batch *batch,
                      struct cross_entropy_sums *sums)
{
    const bool fits = batch->token_count <= model->inference.token_count;
    const struct pass pass =
        pass_begin(model, batch, fits ? &model->inference : &model->training);
    struct tensor normed = forward(&pass);
    unit_weights(model, unit_of_head(&model->architecture));
    head_loss(model, sums, NULL, NULL, &normed, &pass.batch->targets, 0.0f, 1.0f);
}

/* Where each position is learned, there are no more. */
static enum status check_lengths(const struct transformer *model,
                                 const struct packed_batch *batch, struct error *error)
{
    const struct architecture *a = &model->architecture;
    for (int64_t i = 0; a->learned_positions && i < batch->document_count; i++) {
        const int64_t length = batch->document_starts[i + 1] - batch->document_starts[i];
        if (length > a->position_limit)
            return error_set(error, STATUS_UNSUPPORTED,
                             "a sequence of %lld tokens is longer than the model's \"%s\" "
                             "of %lld: shorten it",
                             (long long)length, architecture_limit_name(a),
                             (long long)a->position_limit);
    }
    return STATUS_OK;
}

enum status transformer_logits(struct transformer *model, const struct packed_batch *batch,
                               float *logits, struct error *error)
{
    enum { CHUNK_ROWS = 128 };
    const int64_t vocabulary = model->architecture.vocabulary;
    const int64_t row_count = batch->token_count;
    enum status status = check_lengths(model, batch, error);
    CHECK(!model->sharded);
    if (!status)
        status = transformer_inference_begin(model, row_count, error);
    if (status)
        return status;
    float *chunk = backend_allocate(model->backend,
                                    CHUNK_ROWS * (size_t)vocabulary * sizeof(float), error);
    if (!chunk)
        return error_prefix(error, "logits");
    const struct pass pass = pass_begin(model, batch, &model->inference);
    const struct tensor normed = forward(&pass);
    for (int64_t first = 0; first < row_count; first += CHUNK_ROWS) {
        const int64_t left = row_count - first;
        const int64_t count = left < CHUNK_ROWS ? left : CHUNK_ROWS;
        const struct tensor in = tensor_rows(&normed, first, count);
        struct tensor out = tensor_view_2d(chunk, DTYPE_F32, count, vocabulary);
        linear_forward(model->backend, &out, &in, &model->views.head, NULL, NULL);
        logits_finish(model, &out);
        backend_copy_out(model->backend, logits + first * vocabulary, chunk,
                         tensor_bytes(&out));
    }
    backend_free(model->backend, chunk);
    return backend_sync(model->backend, error);
}
