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

/* Appends one parameter behind the last one. columns 0: a vector, which does not decay. */
static void add_parameter(struct transformer *model, const char *name, int64_t rows,
                          int64_t columns)
{
    const int64_t count = columns > 0 ? rows * columns : rows;
    model->parameters[model->parameter_count++] = (struct parameter){
        .name = memory_duplicate_string(name),
        .offset = model->weight_count,
        .count = count,
        .rank = columns > 0 ? 2 : 1,
        .shape = {rows, columns},
        .decayed = columns > 0,
    };
    model->weight_count += count;
}

static void add_block_parameter(struct transformer *model, int64_t layer, const char *name,
                                int64_t rows, int64_t columns)
{
    char full_name[96];
    snprintf(full_name, sizeof full_name, "model.layers.%lld.%s.weight", (long long)layer,
             name);
    add_parameter(model, full_name, rows, columns);
}

/* The order makes q, k, v neighbours, and gate, up: model_parameters_view() relies on it.
 */
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
    enum { PER_BLOCK = 9, OUTSIDE = 3 };
    const struct architecture *a = &model->architecture;
    model->parameters = memory_allocate_array((size_t)a->layer_count * PER_BLOCK + OUTSIDE,
                                              sizeof *model->parameters);
    add_parameter(model, "model.embed_tokens.weight", a->vocabulary, a->channels);
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        add_block(model, layer);
    add_parameter(model, "model.norm.weight", a->channels, 0);
    if (!a->tied_embeddings)
        add_parameter(model, "lm_head.weight", a->vocabulary, a->channels);
    CHECK(model->weight_count == architecture_parameter_count(a));
}

/* The next rows x columns elements (columns 0: a vector) of a block of parameters. */
static struct tensor take(float **next, int64_t rows, int64_t columns)
{
    float *data = *next;
    *next += columns > 0 ? rows * columns : rows;
    return columns > 0 ? tensor_view_2d(data, DTYPE_F32, rows, columns)
                       : tensor_view_1d(data, DTYPE_F32, rows);
}

struct model_parameters model_parameters_view(const struct transformer *model, float *block)
{
    const struct architecture *a = &model->architecture;
    const int64_t query = a->heads * a->head_size;
    struct model_parameters views = {0};
    float *next = block;
    views.blocks = memory_allocate_array((size_t)a->layer_count, sizeof *views.blocks);
    views.embedding = take(&next, a->vocabulary, a->channels);
    for (int64_t layer = 0; layer < a->layer_count; layer++) {
        struct block_parameters *parameters = &views.blocks[layer];
        parameters->attention_norm = take(&next, a->channels, 0);
        parameters->query_key_value = take(&next, query_key_value_width(a), a->channels);
        parameters->attention_out = take(&next, a->channels, query);
        parameters->feed_forward_norm = take(&next, a->channels, 0);
        parameters->gate_up = take(&next, 2 * a->feed_forward, a->channels);
        parameters->down = take(&next, a->channels, a->feed_forward);
    }
    views.last_norm = take(&next, a->channels, 0);
    views.head =
        a->tied_embeddings ? views.embedding : take(&next, a->vocabulary, a->channels);
    CHECK(next == block + model->weight_count);
    return views;
}

static float *allocate_weights(const struct transformer *model, struct error *error)
{
    return backend_allocate(model->backend, (size_t)model->weight_count * sizeof(float),
                            error);
}

enum status transformer_plan(struct transformer **model, struct backend *backend,
                             const struct architecture *architecture, struct error *error)
{
    struct transformer *made = memory_allocate(sizeof *made);
    *model = made;
    made->backend = backend;
    made->architecture = *architecture;
    add_parameters(made);
    made->weights = allocate_weights(made, error);
    if (!made->weights) {
        transformer_free(made);
        *model = NULL;
        error_prefix(error, "the weights");
        return STATUS_MEMORY;
    }
    made->views = model_parameters_view(made, made->weights);
    return STATUS_OK;
}

/* Draws or ones, by pieces, so that any size passes through one small host buffer. */
static void parameter_initialise(struct transformer *model,
                                 const struct parameter *parameter, uint64_t seed)
{
    enum { PIECE = 1 << 14 };
    const float deviation = (float)model->architecture.initializer_range;
    struct random random = random_stream(seed, random_stream_of(parameter->name, 0, 0));
    float *piece = memory_allocate_array(PIECE, sizeof *piece);
    for (int64_t first = 0; first < parameter->count; first += PIECE) {
        const int64_t left = parameter->count - first;
        const int64_t count = left < PIECE ? left : PIECE;
        for (int64_t i = 0; i < count; i++)
            piece[i] = parameter->rank == 1 ? 1.0f : deviation * random_normal(&random);
        backend_copy_in(model->backend, model->weights + parameter->offset + first, piece,
                        (size_t)count * sizeof *piece);
    }
    free(piece);
}

enum status transformer_create(struct transformer **model, struct backend *backend,
                               const struct architecture *architecture, uint64_t seed,
                               struct error *error)
{
    enum status status = transformer_plan(model, backend, architecture, error);
    if (status)
        return status;
    for (size_t i = 0; i < (*model)->parameter_count; i++)
        parameter_initialise(*model, &(*model)->parameters[i], seed);
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
    if (model->weights)
        backend_free(model->backend, model->weights);
    for (size_t i = 0; i < model->parameter_count; i++)
        free(model->parameters[i].name);
    free(model->parameters);
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
    *count = model->parameter_count;
    return model->parameters;
}

struct tensor transformer_weights(const struct transformer *model)
{
    return tensor_view_1d(model->weights, DTYPE_F32, model->weight_count);
}

struct tensor transformer_gradients(const struct transformer *model)
{
    return tensor_view_1d(model->gradients, DTYPE_F32, model->weight_count);
}

size_t transformer_bytes(const struct transformer *model)
{
    const size_t block_bytes = (size_t)model->weight_count * sizeof(float);
    const size_t rope_bytes = model->rope_table.data ? tensor_bytes(&model->rope_table) : 0;
    return block_bytes * (model->gradients ? 2 : 1) + rope_bytes + model->training.bytes +
           model->inference.bytes;
}

enum status transformer_training_begin(struct transformer *model, int64_t token_count,
                                       bool recompute, struct error *error)
{
    enum status status = rope_table_reserve(model, token_count, error);
    if (status)
        return status;
    if (!model->gradients) {
        model->gradients = allocate_weights(model, error);
        if (!model->gradients)
            return error_prefix(error, "the gradients");
        model->gradient_views = model_parameters_view(model, model->gradients);
    }
    return activations_reserve(&model->training, model,
                               recompute ? TRAINING_RECOMPUTE : TRAINING, token_count,
                               error);
}

void transformer_training_end(struct transformer *model)
{
    activations_release(&model->training, model->backend);
    if (model->gradients)
        backend_free(model->backend, model->gradients);
    free(model->gradient_views.blocks);
    model->gradients = NULL;
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
