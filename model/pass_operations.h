#ifndef HOLDFAST_MODEL_PASS_OPERATIONS_H
#define HOLDFAST_MODEL_PASS_OPERATIONS_H

#include "model/transformer_internal.h"

/*
 * What passes do in one of several ways, as the architecture says.
 *
 * With residual_multiplier m, where a block adds m f(norm(stream)), the stream is kept
 * divided by m: it begins as the embedding times embedding_multiplier / m, blocks add
 * f(norm(stream)), and norms, which undo any factor but for their epsilon, have that one
 * divided by m^2. This is the same function of the weights, with no multiplication in any
 * block.
 */

/* out = norm(in), and rstd [T]. */
void norm_forward(const struct transformer *model, struct tensor *out, struct tensor *rstd,
                  const struct tensor *in, const struct norm_parameters *norm);
/* What the products of a block read of its stream: norm(in), in `normed`, or `in` itself.
 */
struct tensor pre_norm_forward(const struct transformer *model, struct tensor *normed,
                               struct tensor *rstd, const struct tensor *in,
                               const struct norm_parameters *norm);
/* d_in += …, gradients += … (NULL: not wanted). rstd is what the forward gave. */
void norm_backward(const struct transformer *model, struct tensor *d_in,
                   struct norm_parameters *gradients, const struct tensor *d_out,
                   const struct tensor *in, const struct norm_parameters *norm,
                   const struct tensor *rstd);

/* out [T, F] = act(gate) up, or act(up). The backward writes d_gate_up, and makes `out`
 * once more (NULL: not wanted). */
void activation_forward(const struct transformer *model, struct tensor *out,
                        const struct tensor *gate_up);
void activation_backward(const struct transformer *model, struct tensor *d_gate_up,
                         struct tensor *out, const struct tensor *d_out,
                         const struct tensor *gate_up);

/* Turns queries and keys of a layer in place, or leaves them; the backward turns back. */
void turn_forward(const struct transformer *model, int64_t layer,
                  struct tensor *query_key_value, const int32_t *turns,
                  const struct attention_shape *shape);
void turn_backward(const struct transformer *model, int64_t layer,
                   struct tensor *d_query_key_value, const int32_t *turns,
                   const struct attention_shape *shape);

/* stream [T, C]: what goes into the first block; scratch [T, C]. */
void embed_forward(const struct transformer *model, struct tensor *stream,
                   struct tensor *scratch, const int32_t *tokens, const int32_t *positions);
/* From d_stream, which it may scale, to the gradients of embedding and positions. */
void embed_backward(struct transformer *model, struct tensor *d_stream,
                    const int32_t *tokens, const int32_t *positions);

/*
 * linear_cross_entropy() of normed [T, C] by the head, with what the family does to logits:
 * what logits_scaling divides is `normed`, in place, and then its gradient, which costs
 * less than the logits would.
 */
void head_loss(const struct transformer *model, struct cross_entropy_sums *sums,
               struct tensor *d_normed, struct tensor *d_head, struct tensor *normed,
               const struct targets *targets, float label_smoothing, float factor);
/* logits [T, V] f32 = normed W^T: divided and capped where the family does that. */
void logits_finish(const struct transformer *model, struct tensor *logits);

#endif
