#include "model/transformer.h"

#include "backend/fp8.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text_buffer.h"
#include "model/parameter_names.h"
#include "model/sharded.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int64_t query_key_value_width(const struct architecture *architecture)
{
    return (architecture->heads + 2 * architecture->key_value_heads) *
           architecture->head_size;
}

int64_t gate_up_width(const struct architecture *architecture)
{
    return (architecture->gateless ? 1 : 2) * architecture->feed_forward;
}

struct attention_shape model_attention_shape(const struct architecture *architecture,
                                             int64_t layer)
{
    return (struct attention_shape){
        .heads = architecture->heads,
        .key_value_heads = architecture->key_value_heads,
        .head_size = architecture->head_size,
        .scale = (float)architecture_query_scale(architecture),
        .window = architecture_window(architecture, layer),
        .cap = (float)architecture->attention_cap,
    };
}

struct head_norm_shape model_head_norm_shape(const struct architecture *architecture)
{
    const bool rows = architecture->row_norms;
    const int64_t size = architecture->head_size;
    return (struct head_norm_shape){
        .queries = rows ? 1 : architecture->heads,
        .query_size = rows ? architecture->heads * size : size,
        .keys = rows ? 1 : architecture->key_value_heads,
        .key_size = rows ? architecture->key_value_heads * size : size,
        .offset = architecture->norm == NORM_RMS_ONE_PLUS ? 1.0f : 0.0f,
        .epsilon = (float)architecture->norm_epsilon,
    };
}

/* A matrix of a block, or (columns 0) a vector. */
static void add_block_parameter(struct transformer *model, int64_t layer, const char *name,
                                const char *kind, int64_t rows, int64_t columns)
{
    const struct parameter_names *names = parameter_names_of(&model->architecture);
    struct parameter_block *base = &model->base;
    char full_name[96];
    snprintf(full_name, sizeof full_name, "%s%s.%lld.%s.%s", names->prefix, names->block,
             (long long)layer, name, kind);
    if (model->quantized && columns > 0)
        parameter_block_add_quantized(base, full_name, rows, columns);
    else
        parameter_block_add(base, full_name, rows, columns);
    base->entries[base->entry_count - 1].transposed =
        columns > 0 && model->architecture.transposed;
}

static void add_norm(struct transformer *model, int64_t layer, const char *name)
{
    const int64_t channels = model->architecture.channels;
    add_block_parameter(model, layer, name, "weight", channels, 0);
    if (model->architecture.norm == NORM_LAYER)
        add_block_parameter(model, layer, name, "bias", channels, 0);
}

/* The modules of one product, as files spell them: their weights, then their biases. */
struct module {
    const char *name;
    int64_t rows;
};
static void add_linear(struct transformer *model, int64_t layer,
                       const struct module *modules, int count, int64_t columns, bool bias)
{
    for (int i = 0; i < count; i++)
        add_block_parameter(model, layer, modules[i].name, "weight", modules[i].rows,
                            columns);
    for (int i = 0; bias && i < count; i++)
        add_block_parameter(model, layer, modules[i].name, "bias", modules[i].rows, 0);
}

/* The order makes q, k, v neighbours, and gate, up, which is how fused files have them
 * anyway: model_parameters_view() relies on it.
 * That of the matrices is that of the groups of adapters: model/quantized.h relies on it.
 */
static void add_block(struct transformer *model, int64_t layer)
{
    const struct architecture *a = &model->architecture;
    const struct parameter_names *names = parameter_names_of(a);
    const int64_t query = a->heads * a->head_size;
    const int64_t key_value = a->key_value_heads * a->head_size;
    const bool fused = a->fused_projections;
    const struct module query_key_value[] = {
        {names->query_key_value[0], fused ? query_key_value_width(a) : query},
        {names->query_key_value[1], key_value},
        {names->query_key_value[2], key_value}};
    const struct module out = {names->attention_out, a->channels};
    const struct module gate_up[] = {
        {names->gate_up[0], fused ? gate_up_width(a) : a->feed_forward},
        {names->gate_up[1], a->feed_forward}};
    const struct module down = {names->down, a->channels};
    const struct head_norm_shape norms = model_head_norm_shape(a);

    if (!a->no_pre_norms)
        add_norm(model, layer, names->attention_norm);
    add_linear(model, layer, query_key_value, fused ? 1 : 3, a->channels,
               a->query_key_value_bias);
    if (a->head_norms) {
        add_block_parameter(model, layer, names->query_norm, "weight", norms.query_size, 0);
        add_block_parameter(model, layer, names->key_norm, "weight", norms.key_size, 0);
    }
    add_linear(model, layer, &out, 1, query, a->attention_out_bias);
    if (a->post_norms)
        add_norm(model, layer, names->attention_post_norm);
    if (!a->no_pre_norms)
        add_norm(model, layer, names->feed_forward_norm);
    add_linear(model, layer, gate_up, fused ? 1 : 2, a->channels, a->feed_forward_bias);
    add_linear(model, layer, &down, 1, a->feed_forward, a->feed_forward_bias);
    if (a->post_norms)
        add_norm(model, layer, names->feed_forward_post_norm);
}

/* Of no block: `prefix` and `name` with its kind. */
static void add_parameter(struct transformer *model, const char *prefix, const char *name,
                          const char *kind, int64_t rows, int64_t columns)
{
    char full_name[96];
    snprintf(full_name, sizeof full_name, "%s%s.%s", prefix, name, kind);
    parameter_block_add(&model->base, full_name, rows, columns);
}

void transformer_add_parameters(struct transformer *model)
{
    const struct architecture *a = &model->architecture;
    const struct parameter_names *names = parameter_names_of(a);
    struct parameter_block *base = &model->base;
    add_parameter(model, names->prefix, names->embedding, "weight", a->vocabulary,
                  a->channels);
    if (a->learned_positions)
        add_parameter(model, names->prefix, names->positions, "weight", a->position_limit,
                      a->channels);
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        add_block(model, layer);
    add_parameter(model, names->prefix, names->last_norm, "weight", a->channels, 0);
    if (a->norm == NORM_LAYER)
        add_parameter(model, names->prefix, names->last_norm, "bias", a->channels, 0);
    if (!a->tied_embeddings)
        add_parameter(model, "", "lm_head", "weight", a->vocabulary, a->channels);
    int64_t count = 0;
    for (size_t i = 0; i < base->entry_count; i++)
        count += base->entries[i].count;
    CHECK(count == architecture_parameter_count(a));
}

/* The next matrix of a block, which lies elsewhere where it is quantised, and its bias. */
static struct linear_parameters linear_take(const struct transformer *model,
                                            struct parameter_cursor *next, int64_t rows,
                                            int64_t columns, bool bias)
{
    struct linear_parameters taken = {.weight =
                                          tensor_view_2d(NULL, next->dtype, rows, columns)};
    if (!model->quantized)
        taken.weight = parameter_take(next, rows, columns);
    if (bias)
        taken.bias = parameter_take(next, rows, 0);
    return taken;
}

const struct tensor *linear_bias(const struct linear_parameters *parameters)
{
    return parameters->bias.data ? &parameters->bias : NULL;
}

static struct norm_parameters norm_take(const struct architecture *a,
                                        struct parameter_cursor *next)
{
    struct norm_parameters taken = {.weight = parameter_take(next, a->channels, 0)};
    if (a->norm == NORM_LAYER)
        taken.bias = parameter_take(next, a->channels, 0);
    return taken;
}

static struct block_parameters block_take(const struct transformer *model,
                                          struct parameter_cursor *next)
{
    const struct architecture *a = &model->architecture;
    const struct head_norm_shape norms = model_head_norm_shape(a);
    struct block_parameters views = {0};
    if (!a->no_pre_norms)
        views.attention_norm = norm_take(a, next);
    views.query_key_value = linear_take(model, next, query_key_value_width(a), a->channels,
                                        a->query_key_value_bias);
    if (a->head_norms) {
        views.query_norm = parameter_take(next, norms.query_size, 0);
        views.key_norm = parameter_take(next, norms.key_size, 0);
    }
    views.attention_out = linear_take(model, next, a->channels, a->heads * a->head_size,
                                      a->attention_out_bias);
    if (a->post_norms)
        views.attention_post_norm = norm_take(a, next);
    if (!a->no_pre_norms)
        views.feed_forward_norm = norm_take(a, next);
    views.gate_up =
        linear_take(model, next, gate_up_width(a), a->channels, a->feed_forward_bias);
    views.down =
        linear_take(model, next, a->channels, a->feed_forward, a->feed_forward_bias);
    if (a->post_norms)
        views.feed_forward_post_norm = norm_take(a, next);
    return views;
}

/* Where they are shared out, each unit begins where the slot does. */
static void unit_restart(const struct transformer *model, struct parameter_cursor *next,
                         void *block)
{
    if (model->sharded)
        next->next = block;
}

struct model_parameters model_parameters_view(const struct transformer *model, void *block,
                                              enum dtype dtype)
{
    const struct architecture *a = &model->architecture;
    struct model_parameters views = {0};
    struct parameter_cursor next = {block, dtype};
    views.blocks = memory_allocate_array((size_t)a->layer_count, sizeof *views.blocks);
    views.embedding = parameter_take(&next, a->vocabulary, a->channels);
    if (a->learned_positions)
        views.positions = parameter_take(&next, a->position_limit, a->channels);
    for (int64_t layer = 0; layer < a->layer_count; layer++) {
        unit_restart(model, &next, block);
        views.blocks[layer] = block_take(model, &next);
    }
    unit_restart(model, &next, block);
    views.last_norm = norm_take(a, &next);
    views.head = a->tied_embeddings ? views.embedding
                                    : parameter_take(&next, a->vocabulary, a->channels);
    const int64_t count = model->sharded ? unit_counts_of(a).last : model->base.count;
    CHECK(next.next == (unsigned char *)block + (size_t)count * dtype_bytes(dtype));
    return views;
}

/* Shared out among `collectives`, unless that is NULL. */
static enum status weights_allocate(struct transformer *model,
                                    struct collectives *collectives,
                                    enum master_weights masters, struct error *error)
{
    if (collectives) {
        CHECK(!model->quantized);
        if (sharded_create(&model->sharded, model, collectives, error))
            return error->status;
        model->base.sharding = &model->sharded->sharding;
    }
    return parameter_block_allocate(&model->base, masters, error);
}

static enum status fp8_check(const struct architecture *a, struct error *error)
{
    const int64_t sizes[] = {a->channels, a->heads * a->head_size, query_key_value_width(a),
                             a->feed_forward};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] % FP8_MULTIPLE != 0)
            return error_set(
                error, STATUS_UNSUPPORTED,
                "precision \"fp8\" needs matrices whose sizes are multiples of "
                "%d, and this model has one of %" PRId64 ": use --precision bf16",
                FP8_MULTIPLE, sizes[i]);
    return STATUS_OK;
}

enum status transformer_plan(struct transformer **model, struct backend *backend,
                             struct collectives *collectives,
                             const struct architecture *architecture,
                             enum master_weights masters, struct error *error)
{
    struct transformer *made = memory_allocate(sizeof *made);
    *model = made;
    made->backend = backend;
    made->architecture = *architecture;
    parameter_block_init(&made->base, backend);
    enum status status = backend_fp8(backend) ? fp8_check(architecture, error) : STATUS_OK;
    if (!status && masters == MASTERS_DROPPED_NF4)
        status = quantized_create(&made->quantized, backend, architecture, error);
    if (!status) {
        transformer_add_parameters(made);
        status = weights_allocate(made, collectives, masters, error);
    }
    if (status) {
        transformer_free(made);
        *model = NULL;
        return status;
    }
    made->views = model_parameters_view(
        made, made->sharded ? made->sharded->weights : made->base.weights,
        made->base.dtype);
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
    return transformer_create_sharded(model, backend, NULL, architecture, seed, masters,
                                      error);
}

enum status transformer_create_sharded(struct transformer **model, struct backend *backend,
                                       struct collectives *collectives,
                                       const struct architecture *architecture,
                                       uint64_t seed, enum master_weights masters,
                                       struct error *error)
{
    enum status status =
        transformer_plan(model, backend, collectives, architecture, masters, error);
    if (status)
        return status;
    /* The memory is zero already: biases are done, norms by 1 + w, and matrices of
     * deviation 0. */
    const struct parameter_block *base = &(*model)->base;
    for (size_t i = 0; i < base->entry_count; i++) {
        const struct parameter *parameter = &base->entries[i];
        const bool drawn = parameter->rank == 2 && architecture->initializer_range > 0;
        const bool norm = parameter->rank == 1 && architecture->norm != NORM_RMS_ONE_PLUS &&
                          !text_ends_with(parameter->name, ".bias");
        if (drawn || norm)
            parameter_initialise(*model, parameter, seed);
    }
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
    rope_tables_release(&model->rope, model->backend);
    adapters_free(model->adapters);
    quantized_free(model->quantized);
    parameter_block_release(&model->base);
    sharded_free(model->sharded, model->backend);
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
    struct lora_options resolved = *options;
    CHECK(!model->adapters && !model->base.gradients && !model->arranged);
    CHECK(model->training.token_count == 0 && model->inference.token_count == 0);
    if (lora_options_resolve(&resolved, &model->architecture, error) ||
        adapters_create(&model->adapters, model->backend, &model->architecture, &resolved,
                        masters, error))
        return error->status;
    return resolved.dora ? transformer_magnitudes_begin(model, error) : STATUS_OK;
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

bool transformer_is_sharded(const struct transformer *model)
{
    return model->sharded != NULL;
}

const struct sharding *transformer_trained_sharding(const struct transformer *model)
{
    return transformer_trained(model)->sharding;
}

struct tensor transformer_weights(const struct transformer *model)
{
    const struct parameter_block *block = transformer_trained(model);
    return tensor_view_1d(block->weights, block->dtype, parameter_block_held(block));
}

struct tensor transformer_remainders(const struct transformer *model)
{
    const struct parameter_block *block = transformer_trained(model);
    return tensor_view_1d(block->remainders, DTYPE_I16, parameter_block_held(block));
}

struct tensor transformer_gradients(const struct transformer *model)
{
    const struct parameter_block *block = transformer_trained(model);
    return tensor_view_1d(block->gradients, DTYPE_F32, parameter_block_held(block));
}

size_t transformer_bytes(const struct transformer *model)
{
    const size_t adapter_bytes =
        model->adapters
            ? parameter_block_bytes(&model->adapters->parameters) +
                  adapters_gains_bytes(&model->architecture, &model->adapters->options)
            : 0;
    const size_t quantized_bytes = model->quantized ? model->quantized->bytes : 0;
    const size_t slot_bytes =
        model->sharded ? sharded_bytes(model->sharded, model->base.dtype) : 0;
    return parameter_block_bytes(&model->base) + slot_bytes + quantized_bytes +
           adapter_bytes + rope_tables_bytes(&model->rope) + model->training.bytes +
           model->inference.bytes;
}

static enum status gradients_reserve(struct transformer *model, struct error *error)
{
    if (model->adapters)
        return adapters_reserve_gradients(model->adapters, &model->architecture, error);
    CHECK(!model->quantized); /* frozen */
    enum status status = parameter_block_reserve_gradients(&model->base, error);
    if (!status && model->sharded)
        status = sharded_reserve_gradients(model->sharded, model->backend, error);
    if (!status && !model->gradient_views.blocks)
        model->gradient_views = model_parameters_view(
            model, model->sharded ? model->sharded->gradients : model->base.gradients,
            DTYPE_F32);
    return status;
}

enum status transformer_reserve_positions(struct transformer *model, int64_t position_count,
                                          struct error *error)
{
    return rope_tables_reserve(&model->rope, model->backend, &model->architecture,
                               position_count, error);
}

enum status transformer_training_begin(struct transformer *model, int64_t token_count,
                                       bool recompute, struct error *error)
{
    CHECK(!model->arranged);
    if (transformer_reserve_positions(model, token_count, error) ||
        gradients_reserve(model, error))
        return error->status;
    return activations_reserve(&model->training, model,
                               recompute ? TRAINING_RECOMPUTE : TRAINING, token_count,
                               error);
}

void transformer_training_end(struct transformer *model)
{
    activations_release(&model->training, model->backend);
    parameter_block_drop_gradients(&model->base);
    if (model->sharded)
        sharded_drop_gradients(model->sharded, model->backend);
    if (model->adapters)
        adapters_drop_gradients(model->adapters);
    free(model->gradient_views.blocks);
    model->gradient_views = (struct model_parameters){0};
}

enum status transformer_inference_begin(struct transformer *model, int64_t token_count,
                                        struct error *error)
{
    const enum status status = transformer_reserve_positions(model, token_count, error);
    if (!status && !model->arranged) /* which made them */
        transformer_gains_update(model);
    if (status || token_count <= model->inference.token_count)
        return status;
    return activations_reserve(&model->inference, model, FORWARD_ONLY, token_count, error);
}

static void block_arrange(struct backend *backend, struct block_parameters *block)
{
    linear_arrange(backend, &block->query_key_value.weight);
    linear_arrange(backend, &block->attention_out.weight);
    linear_arrange(backend, &block->gate_up.weight);
    linear_arrange(backend, &block->down.weight);
}

void transformer_arrange(struct transformer *model)
{
    struct model_parameters *views = &model->views;
    CHECK(!model->arranged && !model->sharded && !model->base.remainders);
    CHECK(!model->training.token_count);
    transformer_gains_update(model);
    for (int64_t i = 0; i < model->architecture.layer_count && !model->quantized; i++)
        block_arrange(model->backend, &views->blocks[i]);
    linear_arrange(model->backend, &views->head);
    if (model->architecture.tied_embeddings)
        views->embedding = views->head;
    model->arranged = true;
}

void transformer_zero_gradients(struct transformer *model)
{
    struct tensor gradients = transformer_gradients(model);
    CHECK(gradients.data);
    fill(model->backend, &gradients, 0.0f);
}
