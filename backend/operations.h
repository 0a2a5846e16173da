#ifndef HOLDFAST_BACKEND_OPERATIONS_H
#define HOLDFAST_BACKEND_OPERATIONS_H

#include "backend/backend.h"
#include "backend/tensor.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The operations of a transformer, each a forward with its backward. Shape letters as in
 * tensor.h. All tensors are f32 unless said otherwise. Gradients of weights are always
 * added to what is there; gradients of inputs are written, or added where `accumulate`.
 *
 * Memory: all buffers are borrowed until backend_sync(); nothing is allocated in a step
 * (a back-end's own scratch grows at first use and stays); inputs and outputs do not
 * overlap unless said. Errors: wrong shapes are bugs (CHECK); the device's are sticky.
 */

void fill(struct backend *backend, struct tensor *tensor, float value);
void add(struct backend *backend, struct tensor *out, const struct tensor *a,
         const struct tensor *b); /* out may be a or b */
void scale(struct backend *backend, struct tensor *tensor, float factor);

/* out[T,C] = weight[tokens[t],:] */
void embedding_forward(struct backend *backend, struct tensor *out,
                       const struct tensor *weight, const int32_t *tokens);
/* d_weight[V,C] += the rows of d_out[T,C]; same order of additions every time. */
void embedding_backward(struct backend *backend, struct tensor *d_weight,
                        const struct tensor *d_out, const int32_t *tokens);

/* out[T,M] = in[T,K] weight[M,K]^T (+ bias[M]; NULL for none) */
void linear_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                    const struct tensor *weight, const struct tensor *bias);
/*
 * The same product with a promise: a row of `out` is a function of its row of `in`, the
 * weight and the bias alone, bit for bit, whatever T is and whatever stands in the other
 * rows. Generation uses it for decoding and for prompts. Made for few rows (reads the
 * weight once), and good for many. The CPU back-end keeps the promise in every operation
 * here that has rows: linear_forward and linear_decode are the same function there.
 */
void linear_decode(struct backend *backend, struct tensor *out, const struct tensor *in,
                   const struct tensor *weight, const struct tensor *bias);
/* d_in[T,K] = or += d_out[T,M] weight[M,K] */
void linear_backward_input(struct backend *backend, struct tensor *d_in,
                           const struct tensor *d_out, const struct tensor *weight,
                           bool accumulate);
/* d_weight[M,K] += d_out^T in; d_bias[M] += column sums of d_out (NULL for none) */
void linear_backward_weight(struct backend *backend, struct tensor *d_weight,
                            struct tensor *d_bias, const struct tensor *d_out,
                            const struct tensor *in);

/*
 * RMSNorm, Zhang & Sennrich 2019, arXiv:1910.07467:
 *     out[t,:] = in[t,:] * rstd[t] * weight,  rstd = 1 / sqrt(mean(in^2) + epsilon)
 * rstd [T] is kept for the backward. d_in[T,C] += …, d_weight[C] += ….
 */
void rms_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                      const struct tensor *in, const struct tensor *weight, float epsilon);
void rms_norm_backward(struct backend *backend, struct tensor *d_in,
                       struct tensor *d_weight, const struct tensor *d_out,
                       const struct tensor *in, const struct tensor *weight,
                       const struct tensor *rstd);

/*
 * Projected queries, keys and values lie side by side in each row of one tensor
 * qkv [T, (H + 2G) D]: H query heads, then G key heads, then G value heads.
 */
struct attention_shape {
    int64_t heads;           /* H */
    int64_t key_value_heads; /* G */
    int64_t head_size;       /* D */
    float scale;             /* usually 1 / sqrt(D) */
};

/*
 * Rotary positions, Su et al. 2021, arXiv:2104.09864, in the half-split layout of
 * Hugging Face: the pair (x[i], x[i + D/2]) turns by the angle position * frequency[i].
 * table [P, D] holds cos in columns [0, D/2) and sin in [D/2, D) for positions below P.
 * In place on the query and key part of qkv. The backward turns the other way.
 */
void rope_forward(struct backend *backend, struct tensor *qkv, const struct tensor *table,
                  const int32_t *positions, const struct attention_shape *shape);
void rope_backward(struct backend *backend, struct tensor *d_qkv,
                   const struct tensor *table, const int32_t *positions,
                   const struct attention_shape *shape);

/*
 * Causal attention within each document. out [T, H D]; log_sum [H, T] is the log of each
 * row's sum of exponentials, kept for the backward. Works by tiles with an online softmax:
 * no T x T matrix exists (Dao 2023, arXiv:2307.08691). d_qkv is written. What a document
 * gives does not depend on the other documents of the batch, bit for bit.
 */
void attention_forward(struct backend *backend, struct tensor *out, struct tensor *log_sum,
                       const struct tensor *qkv, const int32_t *document_starts,
                       int64_t document_count, const struct attention_shape *shape);
void attention_backward(struct backend *backend, struct tensor *d_qkv,
                        const struct tensor *d_out, const struct tensor *qkv,
                        const struct tensor *out, const struct tensor *log_sum,
                        const int32_t *document_starts, int64_t document_count,
                        const struct attention_shape *shape);

/* SwiGLU, Shazeer 2020, arXiv:2002.05202: out[T,F] = silu(gate) * up, where
 * gate_up[T,2F] holds gate in columns [0,F) and up in [F,2F). d_gate_up is written. */
void swiglu_forward(struct backend *backend, struct tensor *out,
                    const struct tensor *gate_up);
void swiglu_backward(struct backend *backend, struct tensor *d_gate_up,
                     const struct tensor *d_out, const struct tensor *gate_up);

/*
 * Output projection and cross entropy in one, by chunks of rows: the logits
 * in[T,C] weight[V,C]^T exist only for one chunk at a time, and rows without a target
 * are left out altogether.
 *
 *     nll_t  = logsumexp(z_t) - z_t[target]
 *     loss_t = (1 - e) nll_t + e (logsumexp(z_t) - mean_v z_t[v])      (label smoothing e)
 *     d_in  is written with    scale * d(sum_t loss_t)/d in      (rows without target: 0)
 *     d_weight += scale * d(sum_t loss_t)/d weight
 *
 * With d_in == NULL only the sums are made (d_weight is then left alone); d_weight may be
 * NULL by itself. `sums` (host) is written, not added to, and valid after backend_sync().
 */
struct cross_entropy_sums {
    double loss; /* sum over targets, with smoothing */
    double nll;  /* sum over targets, without */
    int64_t target_count;
};
void linear_cross_entropy(struct backend *backend, struct cross_entropy_sums *sums,
                          struct tensor *d_in, struct tensor *d_weight,
                          const struct tensor *in, const struct tensor *weight,
                          const int32_t *targets, float label_smoothing, float scale);

/*
 * Generation. A cache holds keys and values of up to S sequences of up to P
 * positions: keys, values [S, P, G, D].
 * cache_write copies the (already turned) keys and values of qkv row t to slot
 * slots[t], position positions[t].
 */
struct key_value_cache_layer {
    struct tensor keys;   /* [S, P, G D] as rank 3 */
    struct tensor values; /* [S, P, G D] */
};
void cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                 const struct tensor *qkv, const int32_t *slots, const int32_t *positions,
                 const struct attention_shape *shape);
/*
 * One new token for each of S' = qkv.shape[0] sequences: row s attends to positions
 * [0, positions[s]] of slot slots[s] (its own key is there already). out [S', H D].
 * A row's result does not depend on the other rows.
 */
void attention_decode(struct backend *backend, struct tensor *out, const struct tensor *qkv,
                      const struct key_value_cache_layer *cache, const int32_t *slots,
                      const int32_t *positions, const struct attention_shape *shape);

/* Sum of squares in double, the same order every time; *sum is added to, after
 * backend_sync(). */
void sum_of_squares(struct backend *backend, double *sum, const struct tensor *tensor);

/*
 * One AdamW update, in place. With g = gradient * gradient_scale and t the step, from 1:
 *
 *     m <- beta1 m + (1 - beta1) g
 *     v <- beta2 v + (1 - beta2) g^2
 *     w <- w - lr (m/(1-beta1^t) / (sqrt(v/(1-beta2^t)) + epsilon) + weight_decay w)
 *
 * Source: Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2, with the decay
 * multiplied by lr, as torch.optim.AdamW does. All tensors [count] f32.
 */
struct adamw_step_parameters {
    float lr;
    float beta1;
    float beta2;
    float epsilon;
    float weight_decay;
    float gradient_scale; /* clipping and averaging in one factor */
    int64_t step;         /* from 1 */
};
void adamw_update(struct backend *backend, struct tensor *weight, struct tensor *moment1,
                  struct tensor *moment2, const struct tensor *gradient,
                  const struct adamw_step_parameters *parameters);

#endif
