#ifndef HOLDFAST_MODEL_PASS_OPERATIONS_H
#define HOLDFAST_MODEL_PASS_OPERATIONS_H

#include "model/transformer_internal.h"

/* What passes do in one of several ways, as the architecture says. */

/* out = norm(in), and rstd [T]. */
void norm_forward(const struct transformer *model, struct tensor *out, struct tensor *rstd,
                  const struct tensor *in, const struct norm_parameters *norm);
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

/* logits [T, V] f32, capped where the family caps them. */
void logits_cap(const struct transformer *model, struct tensor *logits);

#endif
