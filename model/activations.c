#include "base/memory.h"
#include "model/transformer_internal.h"

#include <math.h>
#include <stdlib.h>

static struct tensor push_vector(struct arena *arena, int64_t count)
{
    float *data = arena_push_array(arena, (size_t)count, sizeof(float));
    return tensor_view_1d(data, DTYPE_F32, count);
}

static struct tensor push_matrix(struct arena *arena, int64_t rows, int64_t columns)
{
    /* Neither factor exceeds 2^31, so the product fits. */
    float *data = arena_push_array(arena, (size_t)rows * (size_t)columns, sizeof(float));
    return tensor_view_2d(data, DTYPE_F32, rows, columns);
}

/* All of a block's buffers but `in`. */
static void block_place(struct block_activations *block, const struct architecture *a,
                        int64_t token_count, struct arena *arena)
{
    block->attention_rstd = push_vector(arena, token_count);
    block->query_key_value = push_matrix(arena, token_count, query_key_value_width(a));
    block->attended = push_matrix(arena, token_count, a->heads * a->head_size);
    block->log_sum = push_matrix(arena, a->heads, token_count);
    block->middle = push_matrix(arena, token_count, a->channels);
    block->feed_forward_rstd = push_vector(arena, token_count);
    block->gate_up = push_matrix(arena, token_count, 2 * a->feed_forward);
}

static void blocks_place(struct activations *activations, const struct architecture *a,
                         struct arena *arena)
{
    const int64_t token_count = activations->token_count;
    for (int64_t layer = 0; layer < a->layer_count; layer++) {
        struct block_activations *block = &activations->blocks[layer];
        const bool first = layer == 0;
        if (first || activations->use == TRAINING) {
            block_place(block, a, token_count, arena);
        } else {
            *block = activations->blocks[0];
        }
        if (first || activations->use != FORWARD_ONLY)
            block->in = push_matrix(arena, token_count, a->channels);
    }
    activations->out = activations->use == FORWARD_ONLY
                           ? activations->blocks[0].in
                           : push_matrix(arena, token_count, a->channels);
}

static void gradients_place(struct activations *activations, const struct architecture *a,
                            struct arena *arena)
{
    const int64_t token_count = activations->token_count;
    activations->d_residual = push_matrix(arena, token_count, a->channels);
    activations->d_normed = push_matrix(arena, token_count, a->channels);
    activations->d_query_key_value =
        push_matrix(arena, token_count, query_key_value_width(a));
    activations->d_attended = push_matrix(arena, token_count, a->heads * a->head_size);
    activations->d_gate_up = push_matrix(arena, token_count, 2 * a->feed_forward);
    activations->d_activated = push_matrix(arena, token_count, a->feed_forward);
}

/* Lays the buffers out in `arena`; an arena without a base only measures. */
static void activations_place(struct activations *activations, const struct architecture *a,
                              struct arena *arena)
{
    const int64_t token_count = activations->token_count;
    blocks_place(activations, a, arena);
    activations->last_rstd = push_vector(arena, token_count);
    activations->normed = push_matrix(arena, token_count, a->channels);
    activations->activated = push_matrix(arena, token_count, a->feed_forward);
    if (activations->use != FORWARD_ONLY)
        gradients_place(activations, a, arena);
}

enum status activations_reserve(struct activations *activations,
                                const struct transformer *model, enum activations_use use,
                                int64_t token_count, struct error *error)
{
    const struct architecture *a = &model->architecture;
    struct arena arena = {0};
    CHECK(token_count > 0 && token_count <= INT32_MAX);
    activations_release(activations, model->backend);
    *activations = (struct activations){.use = use, .token_count = token_count};
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

void activations_release(struct activations *activations, struct backend *backend)
{
    if (activations->memory)
        backend_free(backend, activations->memory);
    free(activations->blocks);
    *activations = (struct activations){0};
}

/*
 * Rounded where transformers rounds: the frequency to f32, the angle to f32. Cosine and
 * sine of that angle are then exact to f32.
 */
static void rope_row(float *row, int64_t position, int64_t head_size, double theta)
{
    const int64_t half = head_size / 2;
    for (int64_t i = 0; i < half; i++) {
        const float exponent = (float)(2 * i) / (float)head_size;
        const float frequency = (float)(1.0 / pow(theta, (double)exponent));
        const float angle = (float)position * frequency;
        row[i] = (float)cos((double)angle);
        row[half + i] = (float)sin((double)angle);
    }
}

enum status rope_table_reserve(struct transformer *model, int64_t position_count,
                               struct error *error)
{
    const struct architecture *a = &model->architecture;
    const size_t row_bytes = (size_t)a->head_size * sizeof(float);
    if (model->rope_table.data && position_count <= model->rope_table.shape[0])
        return STATUS_OK;
    float *table =
        backend_allocate(model->backend, (size_t)position_count * row_bytes, error);
    if (!table)
        return error_prefix(error, "rotary table for %lld positions",
                            (long long)position_count);
    float *row = memory_allocate(row_bytes);
    for (int64_t position = 0; position < position_count; position++) {
        rope_row(row, position, a->head_size, a->rope_theta);
        backend_copy_in(model->backend, table + position * a->head_size, row, row_bytes);
    }
    free(row);
    if (model->rope_table.data)
        backend_free(model->backend, model->rope_table.data);
    model->rope_table = tensor_view_2d(table, DTYPE_F32, position_count, a->head_size);
    return STATUS_OK;
}
