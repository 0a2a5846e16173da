#ifndef HOLDFAST_MODEL_MEMORY_PLAN_H
#define HOLDFAST_MODEL_MEMORY_PLAN_H

#include "base/dtype.h"
#include "base/text_buffer.h"
#include "model/architecture.h"
#include "model/lora.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The device memory that training takes, before any of it is reserved. Per parameter: fp32
 * 4 (weight) + 4 (gradient) + 8 (moments); bf16 2 + 2 (lower half of the master) + 4 + 8,
 * or 4 with bf16 moments, 2.03 with 8-bit ones; without masters 2 less. Frozen weights
 * under adapters take 2 (bf16) or 4, matrices of blocks in NF4 0.516, beside one of them in
 * the compute type. Sharded, each rank has its part of all, and the weights and gradients
 * of the longest unit (model/sharded.h).
 */
struct training_shape {
    enum dtype dtype;                /* of the weights */
    enum dtype activations;          /* of the activations; */
    enum dtype operands;             /* of those that only products read */
    bool fp8;                        /* products of FP8 numbers, made in scratch memory */
    enum dtype moments;              /* of AdamW; u8: in 8 bits (optim/adamw.h) */
    bool masters_dropped;            /* bf16 weights have no fp32 masters */
    int ranks;                       /* that share the moments; 0: one on its own */
    bool sharded;                    /* they share weights and gradients too */
    const struct lora_options *lora; /* NULL: all weights are trained */
    bool quantized;                  /* the matrices of the blocks are held in NF4 */
    int64_t token_count;             /* of a packed batch */
    int64_t longest;                 /* of its documents, in tokens; 0: may be all */
    bool recompute;
    bool untrained; /* random weights, to which adapters are not added */
    bool device;    /* a GPU: its scratch memory counts */
};

struct memory_plan {
    size_t weights;
    size_t masters;
    size_t gradients;
    size_t moments;
    size_t activations;
    size_t workspace; /* logits of a chunk, their gradients, libraries: an upper bound */
};

struct memory_plan memory_plan_make(const struct architecture *architecture,
                                    const struct training_shape *shape);
size_t memory_plan_total(const struct memory_plan *plan);
/* "weights 2.9 + masters 2.9 + … = 25.1 GiB" */
void memory_plan_print(const struct memory_plan *plan, struct text_buffer *out);
/* The options that would make it fit in `bytes`, cheapest first, each with its total. Each
 * is one that training takes beside those before it, or says what it takes the place of. */
void memory_plan_advise(const struct architecture *architecture,
                        const struct training_shape *shape, size_t bytes,
                        struct text_buffer *out);

#endif
