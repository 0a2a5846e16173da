#ifndef HOLDFAST_MODEL_TRANSFORMER_H
#define HOLDFAST_MODEL_TRANSFORMER_H

#include "backend/backend.h"
#include "backend/operations.h"
#include "base/error.h"
#include "checkpoints/safetensors.h"
#include "model/architecture.h"
#include "model/lora.h"
#include "model/parameters.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The weights of a transformer and its forward and backward over a packed batch.
 *
 * Weights lie in one block (model/parameters.h). q, k and v of a layer (and gate and up)
 * are neighbours: one GEMM serves all, while files keep their own names. With adapters
 * (model/lora.h) the weights are frozen and the adapters, a block of their own, are what
 * is trained.
 */
struct transformer; /* opaque; owns weights */

/* Reads config.json and the weights of a Hugging Face directory; an adapter in PEFT's
 * layout is put on its base model. MASTERS_DROPPED_NF4 quantises the matrices of the blocks
 * on the way, one after another: then only adapters can be trained, and the weights not
 * be written. */
enum status transformer_open_directory(struct transformer **model, struct backend *backend,
                                       const char *directory, enum master_weights masters,
                                       struct error *error);
/* Random weights: normal(0, initializer_range), norms one, seeded per parameter. */
enum status transformer_create(struct transformer **model, struct backend *backend,
                               const struct architecture *architecture, uint64_t seed,
                               enum master_weights masters, struct error *error);
/*
 * The same of a model whose weights, gradients and, of them, masters are shared out among
 * ranks, all of which call this: each block is gathered for its forward and backward, and
 * its gradients summed behind them (model/sharded.h). Only for training and its loss; not
 * with MASTERS_DROPPED_NF4. `collectives` is borrowed; NULL: nothing is shared out.
 */
enum status
transformer_open_directory_sharded(struct transformer **model, struct backend *backend,
                                   struct collectives *collectives, const char *directory,
                                   enum master_weights masters, struct error *error);
enum status transformer_create_sharded(struct transformer **model, struct backend *backend,
                                       struct collectives *collectives,
                                       const struct architecture *architecture,
                                       uint64_t seed, enum master_weights masters,
                                       struct error *error);
void transformer_free(struct transformer *model);
/* Whether the weights are shared out: then all ranks must make as many passes. */
bool transformer_is_sharded(const struct transformer *model);

struct backend *transformer_backend(const struct transformer *model);
const struct architecture *transformer_architecture(const struct transformer *model);
/* All weights of the model, without adapters: one entry a tensor of the files. What
 * transposes them to the order of the files is parameter_block_to_file(). */
const struct parameter *transformer_parameters(const struct transformer *model,
                                               size_t *count);

/*
 * Puts adapters on the model: from now on they, and not its weights, are trained; passes
 * and generation add their part. Before transformer_training_begin().
 */
enum status transformer_lora_begin(struct transformer *model,
                                   const struct lora_options *options,
                                   enum master_weights masters, struct error *error);
/* The same with an adapter in PEFT's layout (adapter_config.json and its weights). */
enum status transformer_open_adapter(struct transformer *model, const char *directory,
                                     enum master_weights masters, struct error *error);
/* Writes the adapters so into a directory that exists; base_name is what they belong to. */
enum status transformer_write_adapter(const struct transformer *model,
                                      const char *base_name, const char *directory,
                                      enum dtype stored, struct error *error);
/* Writes the weights with the adapters folded in: W + scale B A in fp32, rounded once. */
enum status transformer_write_merged(const struct transformer *model, const char *directory,
                                     enum dtype stored, struct error *error);
/* NULL without adapters. */
const struct lora_options *transformer_lora(const struct transformer *model);

/* The block that is trained: the adapters', where there are any, else the weights'. */
const struct parameter_block *transformer_trained(const struct transformer *model);
struct parameter_block *transformer_trained_block(struct transformer *model);
/* How that block is shared out; NULL: it is not. */
const struct sharding *transformer_trained_sharding(const struct transformer *model);
/* What is held of that block (without sharding, all) as one tensor, in the compute type;
 * the lower halves of the masters, i16 (NULL data where there are none); the gradients, f32
 * (NULL data until training_begin). */
struct tensor transformer_weights(const struct transformer *model);
struct tensor transformer_remainders(const struct transformer *model);
struct tensor transformer_gradients(const struct transformer *model);

/*
 * Reserves gradients and activations for batches of up to token_count tokens. With
 * `recompute`, blocks keep only their inputs and run forward again in the backward.
 */
enum status transformer_training_begin(struct transformer *model, int64_t token_count,
                                       bool recompute, struct error *error);
/* Gives gradients and activations back; training_begin() may follow. */
void transformer_training_end(struct transformer *model);
/*
 * Reserves what transformer_loss() needs for batches of up to token_count tokens without
 * training; a model that has begun training for as many needs nothing more.
 */
enum status transformer_inference_begin(struct transformer *model, int64_t token_count,
                                        struct error *error);
/*
 * Brings the weights, in place, into the order in which generation reads them fastest
 * (linear_arrange()). Behind everything else that changes or writes weights: from now on
 * the model serves generation and transformer_logits() alone.
 */
void transformer_arrange(struct transformer *model);
/* Bytes in use: weights, gradients, activations (for the log). */
size_t transformer_bytes(const struct transformer *model);

void transformer_zero_gradients(struct transformer *model);

/*
 * Forward and backward of one batch: gradients += scale * d(sum of losses)/d weights.
 * `sums` is valid after backend_sync(). Batches larger than reserved are a bug.
 */
void transformer_forward_backward(struct transformer *model,
                                  const struct packed_batch *batch, float label_smoothing,
                                  float scale, struct cross_entropy_sums *sums);
/* Sums only, no gradients (evaluation loss), of a batch no larger than was reserved by
 * transformer_inference_begin() or transformer_training_begin(). */
void transformer_loss(struct transformer *model, const struct packed_batch *batch,
                      struct cross_entropy_sums *sums);
/* The part of a pass that other ranks need of one that has no batch for it; nothing on a
 * model that is not shared out. */
void transformer_idle_pass(struct transformer *model, bool trains);
/* Logits of every token, [T, V] f32 in host memory (for inspect and checks). */
enum status transformer_logits(struct transformer *model, const struct packed_batch *batch,
                               float *logits, struct error *error);

/*
 * Writes weights (dtype in the file: `stored`) as model.safetensors, or as shards of at
 * most 2 GB, into a directory that exists and holds none. config.json and tokenizer files
 * are the caller's: architecture_copy_config(), checkpoints/model_directory.h. Of weights
 * that are shared out rank 0 alone calls this, and the others transformer_serve_weights().
 */
enum status transformer_write_weights(const struct transformer *model,
                                      const char *directory, enum dtype stored,
                                      struct error *error);

/* Nothing where nothing is shared out, or adapters are trained. */
enum status transformer_serve_weights(const struct transformer *model, struct error *error);

#endif
