#ifndef HOLDFAST_MODEL_QUANTIZED_H
#define HOLDFAST_MODEL_QUANTIZED_H

#include "backend/operations.h"
#include "base/error.h"
#include "model/adapters.h"

#include <stdint.h>

/*
 * The matrices of all blocks in NF4 (backend/nf4.h), for training adapters beside them:
 * QLoRA, Dettmers et al. 2023, arXiv:2305.14314. Embedding, norms and head stay as they
 * are. Each matrix of the files is a tensor of its own; a pass brings those of a group back
 * to the compute type, one on another, right before their product, in one buffer that all
 * groups share:
 *
 *     q | k | v           o           gate | up           down
 *
 * (fused in the files, q | k | v is one matrix, and gate | up)
 *
 * so that only the largest group, 2 F C numbers, exists in the compute type at a time.
 */
struct quantized {
    struct backend *backend;
    struct nf4_tensor *matrices; /* [L per_block], each block's in the order of files */
    int64_t per_block;
    int64_t first_of[ADAPTER_GROUP_COUNT]; /* of each group, in a block */
    int64_t count_of[ADAPTER_GROUP_COUNT];
    struct tensor buffer; /* [2 F C or more] in the compute type */
    void *memory;         /* device: all of the above */
    size_t bytes;
    uint8_t *codes; /* host: of the matrix that is being put; NULL: none */
    float *absmax;
};

/* All zero. */
enum status quantized_create(struct quantized **quantized, struct backend *backend,
                             const struct architecture *architecture, struct error *error);
void quantized_free(struct quantized *quantized);
/* The bytes of device memory that this takes. */
size_t quantized_measure(const struct architecture *architecture, enum dtype dtype);

/*
 * Sets weights [first, first + count) of a matrix, a number below L per_block: all
 * of it, in order, in pieces of a multiple of NF4_BLOCK but for the last. Finite.
 */
void quantized_put(struct quantized *quantized, int64_t matrix, int64_t first,
                   const float *values, int64_t count);

/* The matrices of a group as `weight` is shaped, valid until the next call. */
struct tensor quantized_weight(const struct quantized *quantized, int64_t layer,
                               enum adapter_group_name group, const struct tensor *weight);

#endif
