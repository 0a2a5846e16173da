#include "model/quantized.h"

#include "base/arena.h"
#include "base/memory.h"

#include <stdlib.h>

static struct nf4_tensor push_matrix(struct arena *arena, int64_t count)
{
    return (struct nf4_tensor){
        .count = count,
        .codes = arena_push(arena, (size_t)nf4_code_bytes(count)),
        .scale_codes = arena_push(arena, (size_t)nf4_block_count(count)),
        .steps = arena_push_array(arena, (size_t)nf4_group_count(count), sizeof(float)),
    };
}

/* Lays everything out in `arena`; an arena without a base only measures. */
static void quantized_place(struct quantized *quantized, const struct architecture *a,
                            enum dtype dtype, struct arena *arena)
{
    int64_t largest = 0;
    struct nf4_tensor *next = quantized->matrices;
    for (int64_t i = 0; i < a->layer_count * ADAPTER_GROUP_COUNT; i++) {
        enum lora_target first;
        const int count = adapter_group_targets(
            a, (enum adapter_group_name)(i % ADAPTER_GROUP_COUNT), &first);
        int64_t elements = 0;
        for (int j = 0; j < count; j++) {
            const struct matrix_shape shape =
                lora_target_shape(a, (enum lora_target)((int)first + j));
            *next++ = push_matrix(arena, shape.rows * shape.columns);
            elements += shape.rows * shape.columns;
        }
        largest = elements > largest ? elements : largest;
    }
    quantized->buffer = tensor_view_1d(
        arena_push_array(arena, (size_t)largest, dtype_bytes(dtype)), dtype, largest);
}

static struct quantized *quantized_new(struct backend *backend,
                                       const struct architecture *a)
{
    struct quantized *made = memory_allocate(sizeof *made);
    made->backend = backend;
    for (int group = 0; group < ADAPTER_GROUP_COUNT; group++) {
        enum lora_target first;
        made->first_of[group] = made->per_block;
        made->count_of[group] =
            adapter_group_targets(a, (enum adapter_group_name)group, &first);
        made->per_block += made->count_of[group];
    }
    made->matrices = memory_allocate_array((size_t)(a->layer_count * made->per_block),
                                           sizeof *made->matrices);
    return made;
}

enum status quantized_create(struct quantized **quantized, struct backend *backend,
                             const struct architecture *architecture, struct error *error)
{
    const enum dtype dtype = backend_compute_dtype(backend);
    struct quantized *made = quantized_new(backend, architecture);
    struct arena arena = {0};
    quantized_place(made, architecture, dtype, &arena);
    *quantized = made;
    if (arena.overflow)
        error_set(error, STATUS_MEMORY, "the sizes exceed the address space");
    else
        made->memory = backend_allocate(backend, arena.used, error);
    if (!made->memory) {
        quantized_free(made);
        *quantized = NULL;
        return error_prefix(error, "the quantised weights");
    }
    made->bytes = arena.used;
    arena = (struct arena){.base = made->memory, .bytes = made->bytes};
    quantized_place(made, architecture, dtype, &arena);
    return STATUS_OK;
}

void quantized_free(struct quantized *quantized)
{
    if (!quantized)
        return;
    if (quantized->memory)
        backend_free(quantized->backend, quantized->memory);
    free(quantized->matrices);
    free(quantized->codes);
    free(quantized->absmax);
    free(quantized);
}

size_t quantized_measure(const struct architecture *architecture, enum dtype dtype)
{
    struct quantized *measured = quantized_new(NULL, architecture);
    struct arena arena = {0};
    quantized_place(measured, architecture, dtype, &arena);
    quantized_free(measured);
    return arena.overflow ? SIZE_MAX / 4 : arena.used;
}

static void staging_begin(struct quantized *quantized, int64_t count)
{
    CHECK(!quantized->codes && !quantized->absmax);
    quantized->codes = memory_allocate((size_t)nf4_code_bytes(count));
    quantized->absmax =
        memory_allocate_array((size_t)nf4_block_count(count), sizeof *quantized->absmax);
}

/* The whole matrix is there: its scales can be quantised, and all be brought over. */
static void staging_end(struct quantized *quantized, struct nf4_tensor *matrix)
{
    const int64_t blocks = nf4_block_count(matrix->count);
    const size_t groups = (size_t)nf4_group_count(matrix->count);
    int8_t *scale_codes = memory_allocate((size_t)blocks);
    float *steps = memory_allocate_array(groups, sizeof *steps);
    matrix->offset = nf4_quantize_scales(scale_codes, steps, quantized->absmax, blocks);
    backend_copy_in(quantized->backend, matrix->codes, quantized->codes,
                    (size_t)nf4_code_bytes(matrix->count));
    backend_copy_in(quantized->backend, matrix->scale_codes, scale_codes, (size_t)blocks);
    backend_copy_in(quantized->backend, matrix->steps, steps, groups * sizeof *steps);
    free(scale_codes);
    free(steps);
    free(quantized->codes);
    free(quantized->absmax);
    quantized->codes = NULL;
    quantized->absmax = NULL;
}

void quantized_put(struct quantized *quantized, int64_t matrix, int64_t first,
                   const float *values, int64_t count)
{
    struct nf4_tensor *to = &quantized->matrices[matrix];
    CHECK(first % NF4_BLOCK == 0 && first + count <= to->count);
    if (first == 0)
        staging_begin(quantized, to->count);
    CHECK(quantized->codes);
    nf4_quantize(quantized->codes + first / 2, quantized->absmax + first / NF4_BLOCK,
                 values, count);
    if (first + count == to->count)
        staging_end(quantized, to);
}

struct tensor quantized_weight(const struct quantized *quantized, int64_t layer,
                               enum adapter_group_name group, const struct tensor *weight)
{
    const struct nf4_tensor *matrices =
        &quantized->matrices[layer * quantized->per_block + quantized->first_of[group]];
    struct tensor out = *weight;
    int64_t done = 0;
    out.data = quantized->buffer.data;
    for (int64_t i = 0; i < quantized->count_of[group]; i++) {
        struct tensor part = tensor_rows(&quantized->buffer, done, matrices[i].count);
        nf4_dequantize(quantized->backend, &part, &matrices[i]);
        done += matrices[i].count;
    }
    CHECK(done == tensor_count(weight));
    return out;
}
