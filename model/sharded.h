#ifndef HOLDFAST_MODEL_SHARDED_H
#define HOLDFAST_MODEL_SHARDED_H

#include "model/transformer_internal.h"

/*
 * A model whose weights are shared out among ranks, with their gradients (ZeRO stage 3,
 * Rajbhandari et al. 2020, arXiv:1910.02054; as FSDP does). Its units (backend/sharding.h):
 *
 *     0        embedding and learned positions
 *     1 … L    a block each
 *     L + 1    the last norm, and the head where it is not the embedding
 *
 * All views of weights lie in one slot, all of gradients in another, of the longest unit:
 * a unit begins where its slot does, and is there from its gathering to that of the next.
 * One after another: nothing is fetched ahead.
 *
 * What fails here becomes the back-end's sticky error. All ranks must enter the same units
 * in the same order: a rank without a batch calls transformer_idle_pass().
 */
struct sharded {
    struct sharding sharding;
    void *weights;    /* device, [longest] in the type of the weights */
    float *gradients; /* device, [longest]; NULL until reserved */
    int64_t gathered; /* unit in `weights`; -1: none, or stale */
    int64_t summing;  /* unit in `gradients`; -1: none */
};

enum { UNIT_FIRST = 0, UNIT_NONE = -1 };
int64_t unit_of_block(int64_t layer);
int64_t unit_last(const struct architecture *architecture);
int64_t unit_of_head(const struct architecture *architecture);

/* Elements of each kind of unit. */
struct unit_counts {
    int64_t first;
    int64_t block;
    int64_t last;
};
struct unit_counts unit_counts_of(const struct architecture *architecture);

/* Of `model`, whose parameters are known and not allocated. `collectives` is borrowed. */
enum status sharded_create(struct sharded **sharded, const struct transformer *model,
                           struct collectives *collectives, struct error *error);
void sharded_free(struct sharded *sharded, struct backend *backend);
enum status sharded_reserve_gradients(struct sharded *sharded, struct backend *backend,
                                      struct error *error);
void sharded_drop_gradients(struct sharded *sharded, struct backend *backend);
size_t sharded_bytes(const struct sharded *sharded, enum dtype dtype);

/* The four below do nothing on a model that is not shared out. */

/* Before a pass: the weights may have changed. */
void units_begin(struct transformer *model);
/* The weights of a unit to its slot. */
void unit_weights(struct transformer *model, int64_t unit);
/* The slot for gradients is `unit`'s from now on, zero at first; those of another unit are
 * summed over all ranks before. UNIT_NONE ends the pass. */
void unit_gradients(struct transformer *model, int64_t unit);
/* Weights, and gradients where the weights are trained. */
void unit_enter(struct transformer *model, int64_t unit);

/* A unit as f32 masters, in host memory of rank 0: values [unit]; NULL elsewhere. */
enum status sharded_gather_host(const struct transformer *model, int64_t unit,
                                float *values, struct error *error);
/* Writes the weights, on rank 0, while the others are in transformer_serve_weights(). */
enum status sharded_write(const struct transformer *model, const char *directory,
                          enum dtype stored, size_t file_bytes, struct error *error);

#endif
