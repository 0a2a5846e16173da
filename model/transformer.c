#include "model/transformer.h"

#include "base/memory.h"
#include "base/random.h"
#include "model/transformer_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int64_t query_key_value_width(const struct architecture *architecture)
{
    return (architecture->heads + 2 * architecture->key_value_heads) *
           architecture->head_size;
}

struct attention_shape model_attention_shape(const struct architecture *architecture)
{
    return (struct attention_shape){
        .heads = architecture->heads,
        .key_value_heads = architecture->key_value_heads,
        .head_size = architecture->head_size,
        .scale = (float)(1.0 / sqrt((double)architecture->head_size)),
    };
}

static void add_block_parameter(struct transformer *model, int64_t layer, const char *name,
                                int64_t rows, int64_t columns)
{
    char full_name[96];
    snprintf(full_name, sizeof full_name, "model.layers.%lld.%s.weight", (long long)layer,
             name);
    if (model->quantized && columns > 0)
        parameter_block_add_quantized(&model->base, full_name, rows, columns);
    else
        parameter_block_add(&model->base, full_name, rows, columns);
}

/* The order makes q, k, v neighbours, and gate, up: model_parameters_view() relies on it.
 * That of the matrices is that of enum lora_target: model/quantized.h relies on it. */
static void add_block(struct transformer *model, int64_t layer)
{
    const struct architecture *a = &model->architecture;
    const int64_t query = a->heads * a->head_size;
    const int64_t key_value = a->key_value_heads * a->head_size;
    add_block_parameter(model, layer, "input_layernorm", a->channels, 0);
    add_block_parameter(model, layer, "self_attn.q_proj", query, a->channels);
    add_block_parameter(model, layer, "self_attn.k_proj", key_value, a->channels);
    add_block_parameter(model, layer, "self_attn.v_proj", key_value, a->channels);
    add_block_parameter(model, layer, "self_attn.o_proj", a->channels, query);
    add_block_parameter(model, layer, "post_attention_layernorm", a->channels, 0);
    add_block_parameter(model, layer, "mlp.gate_proj", a->feed_forward, a->channels);
    add_block_parameter(model, layer, "mlp.up_proj", a->feed_forward, a->channels);
    add_block_parameter(model, layer, "mlp.down_proj", a->channels, a->feed_forward);
}

static void add_parameters(struct transformer *model)
{
    const struct architecture *a = &model->architecture;
    struct parameter_block *base = &model->base;
    parameter_block_add(base, "model.embed_tokens.weight", a->vocabulary, a->channels);
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        add_block(model, layer);
    parameter_block_add(base, "model.norm.weight", a->channels, 0);
    if (!a->tied_embeddings)
        parameter_block_add(base, "lm_head.weight", a->vocabulary, a->channels);
    int64_t count = 0;
    for (size_t i = 0; i < base->entry_count; i++)
        count += base->entries[i].count;
    CHECK(count == architecture_parameter_count(a));
}

/* The next matrix of a block, which lies elsewhere where it is quantised. */
static struct tensor block_matrix_take(const struct transformer *model,
                                       struct parameter_cursor *next, int64_t rows,
                                       int64_t columns)
{
    return model->quantized ? tensor_view_2d(NULL, next->dtype, rows, columns)
                            : parameter_take(next, rows, columns);
}

struct model_parameters model_parameters_view(const struct transformer *model, void *block,
                                              enum dtype dtype)
{
    const struct architecture *a = &model->architecture;
    const int64_t query = a->heads * a->head_size;
    struct model_parameters views = {0};
    struct parameter_cursor next = {block, dtype};
    views.blocks = memory_allocate_array((size_t)a->layer_count, sizeof *views.blocks);
    views.embedding = parameter_take(&next, a->vocabulary, a->channels);
    for (int64_t layer = 0; layer < a->layer_count; layer++) {
        struct block_parameters *parameters = &views.blocks[layer];
        parameters->attention_norm = parameter_take(&next, a->channels, 0);
        parameters->query_key_value =
            block_matrix_take(model, &next, query_key_value_width(a), a->channels);
        parameters->attention_out = block_matrix_take(model, &next, a->channels, query);
        parameters->feed_forward_norm = parameter_take(&next, a->channels, 0);
        parameters->gate_up =
            block_matrix_take(model, &next, 2 * a->feed_forward, a->channels);
        parameters->down = block_matrix_take(model, &next, a->channels, a->feed_forward);
    }
    views.last_norm = parameter_take(&next, a->channels, 0);
    views.head = a->tied_embeddings ? views.embedding
                                    : parameter_take(&next, a->vocabulary, a->channels);
    CHECK(next.next ==
          (unsigned char *)block + (size_t)model->base.count * dtype_bytes(dtype));
    return views;
}

enum status transformer_plan(struct transformer **model, struct backend *backend,
                             const struct architecture *architecture,
                             enum master_weights masters, struct error *error)
{
    struct transformer *made = memory_allocate(sizeof *made);
    *model = made;
    made->backend = backend;
    made->architecture = *architecture;
    parameter_block_init(&made->base, backend);
    enum status status = STATUS_OK;
    if (masters == MASTERS_DROPPED_NF4)
        status = quantized_create(&made->quantized, backend, architecture, error);
    if (!status) {
        add_parameters(made);
        status = parameter_block_allocate(&made->base, masters, error);
    }
    if (status) {
        transformer_free(made);
        *model = NULL;
        return status;
    }
    made->views = model_parameters_view(made, made->base.weights, made->base.dtype);
    return STATUS_OK;
}

void transformer_put(struct transformer *model, const struct parameter *parameter,
                     int64_t first, const float *values, int64_t count)
{
    if (parameter->quantized >= 0)
        quantized_put(model->quantized, parameter->quantized, first, values, count);
    else
        parameter_block_put(&model->base, parameter->offset + first, values, count);
}

struct tensor block_weight(const struct transformer *model, int64_t layer,
                           enum adapter_group_name group, const struct tensor *weight)
{
    return model->quantized ? quantized_weight(model->quantized, layer, group, weight)
                            : *weight;
}

enum { PIECE = 1 << 14 };

/* values[i] <- deviation * normal number `first` + i of the stream; each takes two draws.
 */
static void draw_normals(float *values, int64_t first, int64_t count,
                         const struct random *stream, float deviation)
{
#pragma omp parallel for
    for (int64_t start = 0; start < count; start += PIECE) {
        struct random random = *stream;
        const int64_t end = count - start < PIECE ? count : start + PIECE;
        random.position = 2 * (uint64_t)(first + start);
        for (int64_t i = start; i < end; i++)
            values[i] = deviation * random_normal(&random);
    }
}

/* Draws or ones, by blocks, so that any size passes through one host buffer. */
static void parameter_initialise(struct transformer *model,
                                 const struct parameter *parameter, uint64_t seed)
{
    enum { BLOCK = 1 << 20 };
    const float deviation = (float)model->architecture.initializer_range;
    const struct random stream =
        random_stream(seed, random_stream_of(parameter->name, 0, 0));
    const int64_t most = parameter->count < BLOCK ? parameter->count : BLOCK;
    float *block = memory_allocate_array((size_t)most, sizeof *block);
    for (int64_t first = 0; first < parameter->count; first += most) {
        const int64_t left = parameter->count - first;
        const int64_t count = left < most ? left : most;
        if (parameter->rank == 2)
            draw_normals(block, first, count, &stream, deviation);
        for (int64_t i = 0; parameter->rank == 1 && i < count; i++)
            block[i] = 1.0f;
        transformer_put(model, parameter, first, block, count);
    }
    free(block);
}

enum status transformer_create(struct transformer **model, struct backend *backend,
                               const struct architecture *architecture, uint64_t seed,
                               enum master_weights masters, struct error *error)
{
    enum status status = transformer_plan(model, backend, architecture, masters, error);
    if (status)
        return status;
    /* The memory is zero already: a deviation of 0 leaves the matrices alone. */
    const struct parameter_block *base = &(*model)->base;
    for (size_t i = 0; i < base->entry_count; i++)
        if (architecture->initializer_range > 0 || base->entries[i].rank == 1)
            parameter_initialise(*model, &base->entries[i], seed);
    status = backend_sync(backend, error);
    if (status) {
        transformer_free(*model);
        *model = NULL;
    }
    return status;
}

void transformer_free(struct transformer *model)
{
    if (!model)
        return;
    transformer_training_end(model);
    activations_release(&model->inference, model->backend);
    if (model->rope_table.data)
        backend_free(model->backend, model->rope_table.data);
    adapters_free(model->adapters);
    quantized_free(model->quantized);
    parameter_block_release(&model->base);
    free(model->views.blocks);
    free(model);
}

struct backend *transformer_backend(const struct transformer *model)
{
    return model->backend;
}

const struct architecture *transformer_architecture(const struct transformer *model)
{
    return &model->architecture;
}

const struct parameter *transformer_parameters(const struct transformer *model,
                                               size_t *count)
{
    *count = model->base.entry_count;
    return model->base.entries;
}

enum status transformer_lora_begin(struct transformer *model,
                                   const struct lora_options *options,
                                   enum master_weights masters, struct error *error)
{
    CHECK(!model->adapters && !model->base.gradients);
    CHECK(model->training.token_count == 0 && model->inference.token_count == 0);
    return adapters_create(&model->adapters, model->backend, &model->architecture, options,
                           masters, error);
}

const struct lora_options *transformer_lora(const struct transformer *model)
{
    return model->adapters ? &model->adapters->options : NULL;
}

struct parameter_block *transformer_trained_block(struct transformer *model)
{
    return model->adapters ? &model->adapters->parameters : &model->base;
}

const struct parameter_block *transformer_trained(const struct transformer *model)
{
    return model->adapters ? &model->adapters->parameters : &model->base;
}

struct tensor transformer_weights(const struct transformer *model)
{
    const struct parameter_block *block = transformer_trained(model);
    return tensor_view_1d(block->weights, block->dtype, block->count);
}

struct tensor transformer_remainders(const struct transformer *model)
{
    const struct parameter_block *block = transformer_trained(model);
    return tensor_view_1d(block->remainders, DTYPE_I16, block->count);
}

struct tensor transformer_gradients(const struct transformer *model)
{
    const struct parameter_block *block = transformer_trained(model);
    return tensor_view_1d(block->gradients, DTYPE_F32, block->count);
}

size_t transformer_bytes(const struct transformer *model)
{
    const size_t rope_bytes = model->rope_table.data ? tensor_bytes(&model->rope_table) : 0;
    const size_t adapter_bytes =
        model->adapters ? parameter_block_bytes(&model->adapters->parameters) : 0;
    const size_t quantized_bytes = model->quantized ? model->quantized->bytes : 0;
    return parameter_block_bytes(&model->base) + quantized_bytes + adapter_bytes +
           rope_bytes + model->training.bytes + model->inference.bytes;
}

static enum status gradients_reserve(struct transformer *model, struct error *error)
{
    if (model->adapters)
        return adapters_reserve_gradients(model->adapters, &model->architecture, error);
    CHECK(!model->quantized); /* frozen */
    const enum status status = parameter_block_reserve_gradients(&model->base, error);
    if (!status && !model->gradient_views.blocks)
        model->gradient_views =
            model_parameters_view(model, model->base.gradients, DTYPE_F32);
    return status;
}

enum status transformer_training_begin(struct transformer *model, int64_t token_count,
                                       bool recompute, struct error *error)
{
    if (rope_table_reserve(model, token_count, error) || gradients_reserve(model, error))
        return error->status;
    return activations_reserve(&model->training, model,
                               recompute ? TRAINING_RECOMPUTE : TRAINING, token_count,
                               error);
}

void transformer_training_end(struct transformer *model)
{
    activations_release(&model->training, model->backend);
    parameter_block_drop_gradients(&model->base);
    if (model->adapters)
        adapters_drop_gradients(model->adapters);
    free(model->gradient_views.blocks);
    model->gradient_views = (struct model_parameters){0};
}

enum status transformer_inference_begin(struct transformer *model, int64_t token_count,
                                        struct error *error)
{
    const enum status status = rope_table_reserve(model, token_count, error);
    if (status || token_count <= model->inference.token_count)
        return status;
    return activations_reserve(&model->inference, model, FORWARD_ONLY, token_count, error);
}

void transformer_zero_gradients(struct transformer *model)
{
    struct tensor gradients = transformer_gradients(model);
    CHECK(gradients.data);
    fill(model->backend, &gradients, 0.0f);
}
