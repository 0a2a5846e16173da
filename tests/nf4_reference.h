#ifndef HOLDFAST_TESTS_NF4_REFERENCE_H
#define HOLDFAST_TESTS_NF4_REFERENCE_H

#include "backend/nf4.h"
#include "base/memory.h"
#include "base/text_buffer.h"
#include "model/transformer_internal.h"

#include <math.h>
#include <stdlib.h>

/* A quantised tensor in host memory, freed with nf4_free(). */
struct nf4_host {
    struct nf4_tensor tensor;
    float *absmax; /* as it was before it was quantised itself */
};

static inline struct nf4_host nf4_make(const float *values, int64_t count)
{
    const size_t scales = (size_t)nf4_block_count(count);
    struct nf4_host host = {
        .tensor = {.count = count,
                   .codes = memory_allocate((size_t)nf4_code_bytes(count) + 1),
                   .scale_codes = memory_allocate(scales + 1),
                   .steps = memory_allocate_array((size_t)nf4_group_count(count) + 1,
                                                  sizeof(float))},
        .absmax = memory_allocate_array(scales + 1, sizeof(float)),
    };

    nf4_quantize(host.tensor.codes, host.absmax, values, count);
    host.tensor.offset = nf4_quantize_scales(host.tensor.scale_codes, host.tensor.steps,
                                             host.absmax, (int64_t)scales);
    return host;
}

static inline void nf4_free(struct nf4_host *host)
{
    free(host->tensor.codes);
    free(host->tensor.scale_codes);
    free(host->tensor.steps);
    free(host->absmax);
}

static inline float nf4_absmax(const struct nf4_tensor *tensor, int64_t block)
{
    return fmaf(tensor->steps[block / 256], (float)tensor->scale_codes[block],
                tensor->offset);
}

/* As the formula of backend/nf4.h reads. */
static inline void nf4_reference(float *out, const struct nf4_tensor *tensor)
{
    for (int64_t i = 0; i < tensor->count; i++) {
        const int code = i % 2 ? tensor->codes[i / 2] / 16 : tensor->codes[i / 2] % 16;
        out[i] = nf4_levels[code] * nf4_absmax(tensor, i / 64);
    }
}

/*
 * Gives a model that is not quantised the weights that a quantised one computes with:
 * `draws` are the weights of both before, in f32, laid out as the model's.
 */
static inline void nf4_replace(struct transformer *model, const float *draws)
{
    struct parameter_block *base = &model->base;

    for (size_t i = 0; i < base->entry_count; i++) {
        const struct parameter *entry = &base->entries[i];
        if (entry->rank != 2 || !text_starts_with(entry->name, "model.layers."))
            continue;
        struct nf4_host host = nf4_make(draws + entry->offset, entry->count);
        float *values = memory_allocate_array((size_t)entry->count, sizeof *values);
        nf4_reference(values, &host.tensor);
        for (int64_t k = 0; k < entry->count && base->dtype == DTYPE_BF16; k++)
            values[k] = bf16_to_float(bf16_from_float(values[k]));
        parameter_block_put(base, entry->offset, values, entry->count);
        free(values);
        nf4_free(&host);
    }
}

/* Draws all adapters, B too: at zero nothing would show. */
static inline void nf4_draw_adapters(struct transformer *model, uint64_t seed)
{
    struct parameter_block *block = transformer_trained_block(model);
    struct random random = random_stream(seed, 1);
    float *values = memory_allocate_array((size_t)block->count, sizeof *values);

    for (int64_t i = 0; i < block->count; i++)
        values[i] = 0.1f * random_normal(&random);
    parameter_block_put(block, 0, values, block->count);
    free(values);
}

#endif
