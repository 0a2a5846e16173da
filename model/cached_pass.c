#include "model/cached_pass.h"

#include "base/memory.h"
#include "model/pass_operations.h"

#include <stdlib.h>

size_t key_value_cache_page_bytes(const struct transformer *model)
{
    const struct architecture *a = &model->architecture;
    const int64_t row_elements = 2 * a->layer_count * a->key_value_heads * a->head_size;
    return CACHE_PAGE_ROWS * (size_t)row_elements *
           dtype_bytes(backend_compute_dtype(model->backend));
}

static struct tensor push_cache_rows(struct arena *arena, const struct transformer *model,
                                     int64_t rows)
{
    const struct architecture *a = &model->architecture;
    const int64_t width = a->key_value_heads * a->head_size;
    void *data = arena_push_array(arena, (size_t)rows,
                                  (size_t)width *
                                      dtype_bytes(backend_compute_dtype(model->backend)));
    return tensor_view_2d(data, backend_compute_dtype(model->backend), rows, width);
}

static void cache_place(struct key_value_cache *cache, const struct transformer *model,
                        struct arena *arena)
{
    const int64_t rows = cache->page_count * CACHE_PAGE_ROWS;
    for (int64_t layer = 0; layer < model->architecture.layer_count; layer++) {
        cache->layers[layer].keys = push_cache_rows(arena, model, rows);
        cache->layers[layer].values = push_cache_rows(arena, model, rows);
    }
}

enum status key_value_cache_reserve(struct key_value_cache *cache,
                                    const struct transformer *model, int64_t page_count,
                                    struct error *error)
{
    struct arena arena = {0};
    *cache = (struct key_value_cache){.backend = model->backend, .page_count = page_count};
    cache->layers = memory_allocate_array((size_t)model->architecture.layer_count,
                                          sizeof *cache->layers);
    cache_place(cache, model, &arena);
    if (arena.overflow)
        return error_set(error, STATUS_MEMORY, "the KV cache exceeds the address space");
    cache->memory = backend_allocate(model->backend, arena.used, error);
    if (!cache->memory)
        return error_prefix(error, "a KV cache for %lld tokens",
                            (long long)(page_count * CACHE_PAGE_ROWS));
    arena = (struct arena){.base = cache->memory, .bytes = arena.used};
    cache_place(cache, model, &arena);
    return STATUS_OK;
}

void key_value_cache_release(struct key_value_cache *cache)
{
    if (cache->memory)
        backend_free(cache->backend, cache->memory);
    free(cache->layers);
    *cache = (struct key_value_cache){0};
}

struct cached_pass {
    struct transformer *model;
    struct backend *backend;
    struct key_value_cache *cache;
    const struct cached_rows *rows;
    struct attention_shape shape;
    struct head_norm_shape norms; /* of queries and keys */
};

static struct cached_pass pass_begin(struct transformer *model,
                                     struct key_value_cache *cache,
                                     const struct cached_rows *rows)
{
    CHECK(!model->sharded); /* it is for training alone */
    CHECK(rows->count > 0 && rows->count <= model->inference.token_count);
    return (struct cached_pass){
        .model = model,
        .backend = model->backend,
        .cache = cache,
        .rows = rows,
        .shape = model_attention_shape(&model->architecture, 0),
        .norms = model_head_norm_shape(&model->architecture),
    };
}

static struct tensor rows_of(const struct cached_pass *pass, const struct tensor *buffer)
{
    return tensor_rows(buffer, 0, pass->rows->count);
}

/* The same of a buffer that only products read: in the type of their operands, which
 * adapters do not take. */
static struct tensor operand_rows(const struct cached_pass *pass,
                                  const struct tensor *buffer)
{
    struct tensor rows = rows_of(pass, buffer);
    if (!transformer_lora(pass->model))
        rows.dtype = backend_operand_dtype(pass->backend);
    return rows;
}

/* out = in W^T (+ bias) (+ residual), W as the adapters of the group make it. */
static void project(const struct cached_pass *pass, int64_t layer,
                    enum adapter_group_name name, struct tensor *out,
                    const struct tensor *in, const struct linear_parameters *weights,
                    const struct tensor *residual)
{
    const struct tensor ready = block_weight(pass->model, layer, name, &weights->weight);
    const struct adapter_call call = {
        .backend = pass->backend,
        .adapters = pass->model->adapters,
        .layer = layer,
        .group = name,
        .weight = &ready,
        .bias = linear_bias(weights),
        .rows_alone = true,
        .gains_ready = true, /* transformer_inference_begin() made them */
    };
    struct tensor hidden = {0};
    if (adapter_call_adapts(&call))
        hidden = rows_of(pass, &pass->model->inference.blocks[layer].adapted[name]);
    adapter_forward(&call, out, &hidden, in, residual);
}

static void attend(const struct cached_pass *pass, int64_t layer, struct tensor *out,
                   const struct tensor *query_key_value)
{
    const struct cached_rows *rows = pass->rows;
    const struct attention_shape shape =
        model_attention_shape(&pass->model->architecture, layer);
    const struct key_value_cache_layer *cache = &pass->cache->layers[layer];
    const struct cached_documents cached = {rows->documents, rows->positions, rows->pages,
                                            rows->continues};
    if (rows->documents.count > 0)
        attention_prefill(pass->backend, out, query_key_value, cache, &cached, &shape);
    else
        attention_decode(pass->backend, out, query_key_value, cache, &rows->pages,
                         rows->positions, &shape);
}

/* Of the last block, a prefill needs keys and values only. */
static bool only_fills_cache(const struct cached_pass *pass, int64_t layer)
{
    return pass->rows->documents.count > 0 &&
           layer + 1 == pass->model->architecture.layer_count;
}

/* Compare project_and_add() of transformer_pass.c. */
static void
project_and_add(const struct cached_pass *pass, int64_t layer, enum adapter_group_name name,
                struct tensor *out, const struct tensor *added, struct tensor *rstd,
                const struct tensor *in, const struct linear_parameters *weights,
                const struct norm_parameters *post_norm, const struct tensor *residual)
{
    if (!pass->model->architecture.post_norms) {
        project(pass, layer, name, out, in, weights, residual);
        return;
    }
    struct tensor before = rows_of(pass, added);
    project(pass, layer, name, &before, in, weights, NULL);
    norm_forward(pass->model, out, rstd, &before, post_norm);
    add(pass->backend, out, out, residual);
}

/* One block over the rows, in place on `stream`. Compare transformer_pass.c. */
static void block_step(const struct cached_pass *pass, int64_t layer, struct tensor *stream)
{
    const struct activations *reserved = &pass->model->inference;
    const struct block_activations *block = &reserved->blocks[layer];
    const struct block_parameters *weights = &pass->model->views.blocks[layer];
    struct tensor normed = operand_rows(pass, &reserved->normed);
    struct tensor rstd = rows_of(pass, &block->attention_rstd);
    struct tensor query_key_value = rows_of(pass, &block->query_key_value);
    struct tensor attended = operand_rows(pass, &block->attended);
    struct tensor middle = rows_of(pass, &block->middle);
    struct tensor gate_up = rows_of(pass, &block->gate_up);
    struct tensor activated = operand_rows(pass, &reserved->activated);

    struct tensor read =
        pre_norm_forward(pass->model, &normed, &rstd, stream, &weights->attention_norm);
    project(pass, layer, GROUP_QUERY_KEY_VALUE, &query_key_value, &read,
            &weights->query_key_value, NULL);
    if (pass->model->architecture.head_norms)
        head_norm_forward(pass->backend, &query_key_value, &query_key_value,
                          &weights->query_norm, &weights->key_norm, &pass->norms);
    turn_forward(pass->model, layer, &query_key_value, pass->rows->turns, &pass->shape);
    cache_write(pass->backend, &pass->cache->layers[layer], &query_key_value,
                pass->rows->cache_rows, &pass->shape);
    if (only_fills_cache(pass, layer))
        return;
    attend(pass, layer, &attended, &query_key_value);
    project_and_add(pass, layer, GROUP_ATTENTION_OUT, &middle, &block->attention_added,
                    &rstd, &attended, &weights->attention_out,
                    &weights->attention_post_norm, stream);

    read =
        pre_norm_forward(pass->model, &normed, &rstd, &middle, &weights->feed_forward_norm);
    project(pass, layer, GROUP_GATE_UP, &gate_up, &read, &weights->gate_up, NULL);
    activation_forward(pass->model, &activated, &gate_up);
    project_and_add(pass, layer, GROUP_DOWN, stream, &block->feed_forward_added, &rstd,
                    &activated, &weights->down, &weights->feed_forward_post_norm, &middle);
}

/* Runs the rows through all blocks; returns the residual stream behind the last one. */
static struct tensor run_blocks(const struct cached_pass *pass)
{
    const struct transformer *model = pass->model;
    struct tensor stream = rows_of(pass, &model->inference.out);
    struct tensor scratch = rows_of(pass, &model->inference.normed);
    embed_forward(model, &stream, &scratch, pass->rows->tokens, pass->rows->positions);
    for (int64_t layer = 0; layer < model->architecture.layer_count; layer++)
        block_step(pass, layer, &stream);
    return stream;
}

void cached_pass_prefill(struct transformer *model, struct key_value_cache *cache,
                         const struct cached_rows *rows)
{
    const struct cached_pass pass = pass_begin(model, cache, rows);
    CHECK(rows->documents.count > 0);
    run_blocks(&pass);
}

void cached_pass_decode(struct transformer *model, struct key_value_cache *cache,
                        const struct cached_rows *rows, struct tensor *logits)
{
    const struct cached_pass pass = pass_begin(model, cache, rows);
    CHECK(rows->documents.count == 0);
    const struct tensor stream = run_blocks(&pass);
    struct tensor normed = operand_rows(&pass, &model->inference.normed);
    struct tensor rstd = rows_of(&pass, &model->inference.last_rstd);
    norm_forward(model, &normed, &rstd, &stream, &model->views.last_norm);
    linear_decode(pass.backend, logits, &normed, &model->views.head, NULL, NULL);
    logits_finish(model, logits);
}
