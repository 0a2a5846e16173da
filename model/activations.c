#include "base/memory.h"
#include "model/transformer_internal.h"

#include <stdlib.h>
#include <string.h>

static struct tensor push_matrix(struct arena *arena, enum dtype dtype, int64_t rows,
                                 int64_t columns)
{
    /* Neither factor exceeds 2^31, so the product fits. */
    void *data =
        arena_push_array(arena, (size_t)rows * (size_t)columns, dtype_bytes(dtype));
    return tensor_view_2d(data, dtype, rows, columns);
}

/* One f32 a token: what a norm keeps. */
static struct tensor push_rstd(struct arena *arena, int64_t token_count)
{
    float *data = arena_push_array(arena, (size_t)token_count, sizeof *data);
    return tensor_view_1d(data, DTYPE_F32, token_count);
}

/* All of a block's buffers but `in`. */
static void block_place(struct block_activations *block, const struct architecture *a,
                        const struct activations *of, struct arena *arena)
{
    const int64_t token_count = of->token_count;
    block->attention_rstd = push_rstd(arena, token_count);
    block->query_key_value =
        push_matrix(arena, of->dtype, token_count, query_key_value_width(a));
    block->projected = block->query_key_value; /* forward only: normed in place */
    if (a->head_norms && of->use != FORWARD_ONLY)
        block->projected =
            push_matrix(arena, of->dtype, token_count, query_key_value_width(a));
    block->attended = push_matrix(arena, of->dtype, token_count, a->heads * a->head_size);
    block->log_sum = push_matrix(arena, DTYPE_F32, a->heads, token_count);
    if (a->post_norms) {
        block->attention_added = push_matrix(arena, of->dtype, token_count, a->channels);
        block->feed_forward_added = push_matrix(arena, of->dtype, token_count, a->channels);
    }
    block->middle = push_matrix(arena, of->dtype, token_count, a->channels);
    block->feed_forward_rstd = push_rstd(arena, token_count);
    block->gate_up = push_matrix(arena, of->dtype, token_count, gate_up_width(a));
    for (int group = 0; of->lora && group < ADAPTER_GROUP_COUNT; group++)
        block->adapted[group] =
            push_matrix(arena, of->dtype, token_count,
                        adapter_hidden_width(of->lora, a, (enum adapter_group_name)group));
}

static void blocks_place(struct activations *activations, const struct architecture *a,
                         struct arena *arena)
{
    const int64_t token_count = activations->token_count;
    for (int64_t layer = 0; layer < a->layer_count; layer++) {
        struct block_activations *block = &activations->blocks[layer];
        const bool first = layer == 0;
        if (first || activations->use == TRAINING) {
            block_place(block, a, activations, arena);
        } else {
            *block = activations->blocks[0];
        }
        if (first || activations->use != FORWARD_ONLY)
            block->in = push_matrix(arena, activations->dtype, token_count, a->channels);
    }
    activations->out =
        activations->use == FORWARD_ONLY
            ? activations->blocks[0].in
            : push_matrix(arena, activations->dtype, token_count, a->channels);
}

/* Of what adapter_call needs: the widest input of a group, the widest output, or nothing.
 */
static int64_t adapter_scratch_width(const struct architecture *a,
                                     const struct lora_options *lora)
{
    int64_t width = 0;
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        const int64_t columns = lora_target_shape(a, (enum lora_target)target).columns;
        if (lora->dropout > 0 && columns > width)
            width = columns;
    }
    for (int group = 0; group < ADAPTER_GROUP_COUNT; group++) {
        const int64_t out = adapter_group_width(a, (enum adapter_group_name)group);
        if (lora->dora && out > width)
            width = out;
    }
    return width;
}

static void gradients_place(struct activations *activations, const struct architecture *a,
                            struct arena *arena)
{
    const int64_t token_count = activations->token_count;
    const enum dtype dtype = activations->dtype;
    activations->d_residual = push_matrix(arena, dtype, token_count, a->channels);
    activations->d_normed = push_matrix(arena, dtype, token_count, a->channels);
    activations->d_query_key_value =
        push_matrix(arena, dtype, token_count, query_key_value_width(a));
    activations->d_attended =
        push_matrix(arena, dtype, token_count, a->heads * a->head_size);
    /* A bias takes sums of d_gate_up as it is, before products round it. */
    activations->d_gate_up =
        push_matrix(arena, a->feed_forward_bias ? dtype : activations->operands,
                    token_count, gate_up_width(a));
    activations->d_activated = push_matrix(arena, dtype, token_count, a->feed_forward);
    if (activations->lora)
        activations->adapter_scratch = push_matrix(
            arena, dtype, token_count, adapter_scratch_width(a, activations->lora));
    if (activations->lora)
        activations->d_adapted = push_matrix(arena, dtype, token_count,
                                             ADAPTERS_IN_GROUP * activations->lora->rank);
}

static size_t index_count(int64_t token_count)
{
    return 7 * (size_t)token_count + 1;
}

/* Lays the buffers out in `arena`; an arena without a base only measures. */
static void activations_place(struct activations *activations, const struct architecture *a,
                              struct arena *arena)
{
    const int64_t token_count = activations->token_count;
    activations->indices.device =
        arena_push_array(arena, index_count(token_count), sizeof(int32_t));
    blocks_place(activations, a, arena);
    activations->last_rstd = push_rstd(arena, token_count);
    activations->normed = push_matrix(arena, activations->dtype, token_count, a->channels);
    activations->activated =
        push_matrix(arena, activations->operands, token_count, a->feed_forward);
    if (activations->use != FORWARD_ONLY)
        gradients_place(activations, a, arena);
}

/* Adapters read what products read, and so do losses, in the activations' own type. */
static void operands_choose(struct activations *activations, enum dtype operands)
{
    activations->operands = activations->use == FORWARD_ONLY || activations->lora
                                ? activations->dtype
                                : operands;
}

enum status activations_reserve(struct activations *activations,
                                const struct transformer *model, enum activations_use use,
                                int64_t token_count, struct error *error)
{
    const struct architecture *a = &model->architecture;
    struct arena arena = {0};
    CHECK(token_count > 0 && token_count <= INT32_MAX);
    activations_release(activations, model->backend);
    *activations = (struct activations){.use = use,
                                        .token_count = token_count,
                                        .dtype = backend_activation_dtype(model->backend),
                                        .lora = transformer_lora(model)};
    operands_choose(activations, backend_operand_dtype(model->backend));
    activations->indices.host =
        memory_allocate_array(index_count(token_count), sizeof(int32_t));
    activations->blocks =
        memory_allocate_array((size_t)a->layer_count, sizeof *activations->blocks);
    activations_place(activations, a, &arena);
    if (arena.overflow) {
        error_set(error, STATUS_MEMORY, "the sizes exceed the address space");
        goto fail;
    }
    activations->memory = backend_allocate(model->backend, arena.used, error);
    if (!activations->memory)
        goto fail;
    activations->bytes = arena.used;
    arena = (struct arena){.base = activations->memory, .bytes = activations->bytes};
    activations_place(activations, a, &arena);
    return STATUS_OK;
fail:
    activations_release(activations, model->backend);
    return error_prefix(error, "activations for %lld tokens: use a smaller batch%s",
                        (long long)token_count,
                        use == TRAINING ? ", or recompute the blocks" : "");
}

size_t activations_measure(const struct architecture *architecture,
                           const struct lora_options *lora, enum dtype dtype,
                           enum dtype operands, enum activations_use use,
                           int64_t token_count)
{
    struct activations activations = {
        .use = use, .token_count = token_count, .dtype = dtype, .lora = lora};
    struct arena arena = {0};
    operands_choose(&activations, operands);
    activations.blocks = memory_allocate_array((size_t)architecture->layer_count,
                                               sizeof *activations.blocks);
    activations_place(&activations, architecture, &arena);
    free(activations.blocks);
    return arena.overflow ? SIZE_MAX / 4 : arena.used;
}

void activations_release(struct activations *activations, struct backend *backend)
{
    if (activations->memory)
        backend_free(backend, activations->memory);
    free(activations->indices.host);
    free(activations->blocks);
    *activations = (struct activations){0};
}

/* Empty documents are left out: they attend to nothing. Returns the length of the longest.
 */
static int64_t starts_set(int32_t *starts, int64_t *count, const struct packed_batch *batch)
{
    int64_t longest = 0;
    *count = 0;
    starts[0] = 0;
    for (int64_t n = 0; n < batch->document_count; n++) {
        const int64_t length = batch->document_starts[n + 1] - batch->document_starts[n];
        CHECK(length >= 0 && batch->document_starts[n] == starts[*count]);
        if (length > 0)
            starts[++*count] = batch->document_starts[n + 1];
        longest = length > longest ? length : longest;
    }
    CHECK(starts[*count] == batch->token_count);
    return longest;
}

/* Each token's document, by its name. */
static void names_set(int32_t *names, const struct packed_batch *batch)
{
    for (int64_t n = 0; n < batch->document_count; n++)
        for (int32_t t = batch->document_starts[n]; t < batch->document_starts[n + 1]; t++)
            names[t] = batch->document_names ? batch->document_names[n] : (int32_t)n;
}

/* A document is as long as its greatest position says, as transformers has it. */
static void turns_set(int32_t *turns, const struct architecture *a,
                      const struct packed_batch *batch)
{
    for (int64_t n = 0; n < batch->document_count; n++) {
        const int32_t begin = batch->document_starts[n],
                      end = batch->document_starts[n + 1];
        const bool longer =
            end > begin && architecture_rope_longer(a, batch->positions[end - 1] + 1);
        for (int32_t t = begin; t < end; t++)
            turns[t] = rope_table_row(a, batch->positions[t], longer);
    }
}

void batch_indices_set(struct batch_indices *indices, const struct transformer *model,
                       const struct packed_batch *batch)
{
    const int64_t count = batch->token_count;
    int32_t *tokens = indices->host, *positions = tokens + count;
    int32_t *turns = positions + count, *names = turns + count;
    int32_t *rows = names + count, *target_tokens = rows + count;
    int64_t targets = 0, documents = 0;
    memcpy(tokens, batch->tokens, (size_t)count * sizeof *tokens);
    memcpy(positions, batch->positions, (size_t)count * sizeof *positions);
    turns_set(turns, &model->architecture, batch);
    names_set(names, batch);
    for (int64_t t = 0; batch->targets && t < count; t++) {
        if (batch->targets[t] < 0)
            continue;
        rows[targets] = (int32_t)t;
        target_tokens[targets++] = batch->targets[t];
    }
    const int64_t longest = starts_set(target_tokens + count, &documents, batch);
    backend_copy_in(model->backend, indices->device, indices->host,
                    (size_t)(6 * count + documents + 1) * sizeof *tokens);
    indices->tokens = indices->device;
    indices->positions = indices->device + count;
    indices->turns = indices->device + 2 * count;
    indices->names = indices->device + 3 * count;
    indices->targets = (struct targets){.rows = indices->device + 4 * count,
                                        .tokens = indices->device + 5 * count,
                                        .count = targets};
    indices->documents = (struct documents){
        .starts = indices->device + 6 * count, .count = documents, .longest = longest};
}
