#ifndef HOLDFAST_BACKEND_OPERATIONS_H
#define HOLDFAST_BACKEND_OPERATIONS_H

#include "backend/backend.h"
#include "backend/nf4.h"
#include "backend/tensor.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The operations of a transformer, each a forward with its backward. Shape letters as in
 * tensor.h. Gradients of weights are always added to what is there; gradients of inputs
 * are written, or added where `accumulate`.
 *
 * Element types: weights, activations and gradients of activations are all f32 or all bf16
 * in one call (bf16 only where backend_compute_dtype() knows it). Where
 * backend_activation_dtype() is f32 and backend_compute_dtype() bf16, only weights (and
 * biases) are bf16; their products round the other operand to bf16, and so do those of
 * linear_backward_weight(), if the machine multiplies bf16. Where that is so, what a
 * product would round may be bf16 already: `in` and `d_out` of linear operations (not
 * beside d_bias), and what norms, attention (forward, prefill, decode), activations
 * (SwiGLU, GELU) and the backwards of activations write. Always f32: gradients of weights
 * and biases, rstd, log_sum, rotary tables, moments, logits. Sums inside an operation run
 * in f32 or better.
 *
 * Indices: arrays of int32 (tokens, positions, cache rows, …) live where the back-end
 * computes, like tensors; the structs that hold them are read at once.
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

/*
 * out[T,M] = in[T,K] weight[M,K]^T (+ bias[M]) (+ residual[T,M]); NULL for none. `residual`
 * may be `out` itself: the product is then added to it. `out` may be f32 where the others
 * are bf16. All matrices may be views of columns.
 */
void linear_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                    const struct tensor *weight, const struct tensor *bias,
                    const struct tensor *residual);
/*
 * The same product with a promise: a row of `out` is a function of its row of `in`, the
 * weight and the bias alone, bit for bit, whatever T is and whatever stands in the other
 * rows. Generation uses it for decoding and for prompts. Made for few rows (reads the
 * weight once), and good for many. The CPU back-end keeps the promise in every operation
 * here that has rows: linear_forward and linear_decode are the same function there.
 * Every other operation with rows keeps it on every back-end, but linear_forward() and
 * attention_forward() (use attention_prefill()).
 */
void linear_decode(struct backend *backend, struct tensor *out, const struct tensor *in,
                   const struct tensor *weight, const struct tensor *bias,
                   const struct tensor *residual);
/*
 * Brings the elements of weight[M,K], in place, into the order in which the two products
 * above read them fastest, and marks the tensor; bits of the products stay the same.
 * Nothing where the order of rows is that order. Other views of the same data are then
 * of no use.
 */
void linear_arrange(struct backend *backend, struct tensor *weight);
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
 *     out[t,:] = in[t,:] * rstd[t] * (weight + offset)
 *     rstd = 1 / sqrt(mean(in^2) + epsilon)
 * offset is 0, or 1 where files keep weights less one (Gemma); the sum is made in f32.
 * rstd [T] is kept for the backward. d_in[T,C] += …, d_weight[C] += … (NULL: not wanted).
 */
void rms_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                      const struct tensor *in, const struct tensor *weight, float offset,
                      float epsilon);
void rms_norm_backward(struct backend *backend, struct tensor *d_in,
                       struct tensor *d_weight, const struct tensor *d_out,
                       const struct tensor *in, const struct tensor *weight, float offset,
                       const struct tensor *rstd);

/*
 * LayerNorm, Ba et al. 2016, arXiv:1607.06450:
 *     out[t,:] = (in[t,:] - mean[t]) * rstd[t] * weight + bias,
 *     rstd = 1 / sqrt(variance + epsilon)
 * rstd [T] is kept for the backward, which makes the mean again from `in`. d_in[T,C] += …,
 * d_weight[C] += …, d_bias[C] += … (both NULL: not wanted).
 */
void layer_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                        const struct tensor *in, const struct tensor *weight,
                        const struct tensor *bias, float epsilon);
void layer_norm_backward(struct backend *backend, struct tensor *d_in,
                         struct tensor *d_weight, struct tensor *d_bias,
                         const struct tensor *d_out, const struct tensor *in,
                         const struct tensor *weight, const struct tensor *rstd);

/*
 * Projected queries, keys and values lie side by side in each row of one tensor
 * qkv [T, (H + 2G) D]: H query heads, then G key heads, then G value heads.
 */
struct attention_shape {
    int64_t heads;           /* H */
    int64_t key_value_heads; /* G */
    int64_t head_size;       /* D */
    float scale;             /* usually 1 / sqrt(D) */
    int64_t window;          /* of so many keys, its own the last; 0: all */
    float cap;               /* scores s become cap tanh(s / cap); 0: none */
};

/*
 * RMSNorm of queries and keys before they turn: of each head alone (Qwen3), or of all
 * queries of a row at once and all its keys (OLMo-2). A row of `in` begins with Q queries
 * of q numbers and K keys of k; with x one of them, out = x rstd (weight + offset),  rstd =
 * 1 / sqrt(mean(x^2) + epsilon) and query_weight [q] for the queries, key_weight [k] for
 * the keys; what is behind them, the values, passes as it is. `out` may be `in`.
 *
 * The backward makes rstd again from `in`, what the forward read, and works in place: d_qkv
 * comes as the gradient of `out` and is left as that of `in`. d_query_weight[q] += …,
 * d_key_weight[k] += … (both NULL: not wanted).
 */
struct head_norm_shape {
    int64_t queries;    /* Q: H, or 1 */
    int64_t query_size; /* q: D, or H D */
    int64_t keys;       /* K: G, or 1 */
    int64_t key_size;   /* k: D, or G D */
    float offset;       /* as rms_norm_forward() has it */
    float epsilon;
};
void head_norm_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                       const struct tensor *query_weight, const struct tensor *key_weight,
                       const struct head_norm_shape *shape);
void head_norm_backward(struct backend *backend, struct tensor *d_qkv,
                        struct tensor *d_query_weight, struct tensor *d_key_weight,
                        const struct tensor *in, const struct tensor *query_weight,
                        const struct tensor *key_weight,
                        const struct head_norm_shape *shape);

/*
 * Rotary positions, Su et al. 2021, arXiv:2104.09864, in the half-split layout of
 * Hugging Face: the pair (x[i], x[i + D/2]) turns by the angle position * frequency[i].
 * table [P, R], R <= D, holds cos in columns [0, R/2) and sin in [R/2, R) for positions
 * below P; only the first R numbers of a head turn, in pairs (x[i], x[i + R/2]).
 * In place on the query and key part of qkv. The backward turns the other way.
 */
void rope_forward(struct backend *backend, struct tensor *qkv, const struct tensor *table,
                  const int32_t *positions, const struct attention_shape *shape);
void rope_backward(struct backend *backend, struct tensor *d_qkv,
                   const struct tensor *table, const int32_t *positions,
                   const struct attention_shape *shape);

/*
 * Causal attention within each document: row t weighs the keys (t - window, t] of its
 * document by softmax(cap(scale q k)). out [T, H D]; log_sum [H, T] is the log of each
 * row's sum of exponentials, kept for the backward. Works by tiles with an online softmax:
 * no T x T matrix exists (Dao 2023, arXiv:2307.08691). d_qkv is written.
 */
void attention_forward(struct backend *backend, struct tensor *out, struct tensor *log_sum,
                       const struct tensor *qkv, const struct documents *documents,
                       const struct attention_shape *shape);
void attention_backward(struct backend *backend, struct tensor *d_qkv,
                        const struct tensor *d_out, const struct tensor *qkv,
                        const struct tensor *out, const struct tensor *log_sum,
                        const struct documents *documents,
                        const struct attention_shape *shape);

/* SwiGLU, Shazeer 2020, arXiv:2002.05202: out[T,F] = silu(gate) * up, where
 * gate_up[T,2F] holds gate in columns [0,F) and up in [F,2F). d_gate_up is written; the
 * backward also makes `out` once more, in the same pass (NULL: not wanted). */
void swiglu_forward(struct backend *backend, struct tensor *out,
                    const struct tensor *gate_up);
void swiglu_backward(struct backend *backend, struct tensor *d_gate_up, struct tensor *out,
                     const struct tensor *d_out, const struct tensor *gate_up);

/*
 * GELU, Hendrycks & Gimpel 2016, arXiv:1606.08415: x Phi(x), Phi the normal distribution's
 * function, or with GELU_TANH the paper's approximation of it,
 *     x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
 * out[T,F] = gelu(in) where `in` is [T,F]; out = gelu(gate) * up (GeGLU, as SwiGLU above)
 * where it is [T,2F]. d_in is written; the backward also makes `out` once more (NULL: not
 * wanted).
 */
enum gelu_kind { GELU_EXACT, GELU_TANH };
void gelu_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                  enum gelu_kind kind);
void gelu_backward(struct backend *backend, struct tensor *d_in, struct tensor *out,
                   const struct tensor *d_out, const struct tensor *in,
                   enum gelu_kind kind);

/* values <- cap tanh(values / cap), f32. */
void soft_cap(struct backend *backend, struct tensor *values, float cap);

/*
 * Output projection and cross entropy in one, by chunks of rows: the logits
 * z = in[T,C] weight[V,C]^T, or with cap > 0 cap tanh(z / cap), exist only for one chunk
 * at a time, and rows without a target are left out altogether.
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
                          const struct targets *targets, float cap, float label_smoothing,
                          float scale);

/*
 * Generation. The cache of a layer is a pool of rows, each the keys (or values) of one
 * position of some sequence, [R, G D]; CACHE_PAGE_ROWS neighbours are a page. A sequence
 * owns whole pages, named in its row of a table [S, width] of page numbers:
 *
 *     position p of sequence s:  cache row  table[s width + p / 16] 16 + p % 16
 *
 * cache_write brings the (already turned) keys and values of qkv row t to cache row
 * rows[t], rounded where the cache is in the compute type and that is not qkv's.
 */
enum { CACHE_PAGE_ROWS = 16 };
struct key_value_cache_layer {
    struct tensor keys;   /* [R, G D] */
    struct tensor values; /* [R, G D] */
};
struct cache_pages {
    const int32_t *table; /* [S, width] */
    int64_t width;        /* pages of a sequence at most */
};
void cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                 const struct tensor *qkv, const int32_t *rows,
                 const struct attention_shape *shape);
/*
 * Prompts, or what of them is not in the cache yet: document n is a part of sequence n, its
 * rows at positions that follow one another, and each row attends to the positions of its
 * sequence up to its own, as attention_forward() does from 0 on. All of them are in the
 * cache already, the rows' own ones too. What a row gives does not depend on the other
 * rows, on where its document begins, nor on which pages it has, bit for bit.
 */
struct cached_documents {
    struct documents documents;
    const int32_t *positions; /* [T] */
    struct cache_pages pages; /* [documents.count, width] */
    /* Whether any document begins behind position 0. If not, a back-end may leave the cache
     * alone: `qkv` holds all that is needed. */
    bool continues;
};
void attention_prefill(struct backend *backend, struct tensor *out,
                       const struct tensor *qkv, const struct key_value_cache_layer *cache,
                       const struct cached_documents *cached,
                       const struct attention_shape *shape);
/*
 * One new token for each of S = qkv.shape[0] sequences: row s attends to positions
 * [0, positions[s]] of its pages (its own key is there already). out [S, H D]. A row's
 * result does not depend on the other rows, nor on which pages it has.
 */
void attention_decode(struct backend *backend, struct tensor *out, const struct tensor *qkv,
                      const struct key_value_cache_layer *cache,
                      const struct cache_pages *pages, const int32_t *positions,
                      const struct attention_shape *shape);

/*
 * Draws tokens[s] from row s of logits [S, V] f32, which serve as scratch:
 *
 *     p_i = exp((z_i - max z) / temperature)
 *     nucleus: the tokens with p_i >= t, t the greatest threshold for which they hold at
 *              least top_p of the mass (Holtzman et al. 2020, arXiv:1904.09751); tokens
 *              of equal p are all in it or all out
 *     token:   the first id at which the running mass in the order of ids exceeds
 *              draw * mass of the nucleus
 *
 * Temperature 0 takes the greatest logit, of equal ones the smallest id, whatever `draw`
 * is. top_p lies in (0, 1]. Sums run in double (cuda: in whole numbers of 2^-44). -1 where
 * a logit is NaN or the greatest is not finite. A row's token depends on no other row.
 */
struct sampling_rows {
    const float *temperature; /* [S], where the back-end computes, as all three */
    const float *top_p;       /* [S] */
    const double *draw;       /* [S] uniform in [0, 1) */
};
void sample_tokens(struct backend *backend, int32_t *tokens, struct tensor *logits,
                   const struct sampling_rows *rows);

/* out [in->count], of any shape, in the compute type or f32 <- the weights (backend/nf4.h).
 */
void nf4_dequantize(struct backend *backend, struct tensor *out,
                    const struct nf4_tensor *in);

/* sum [1] f64 += the sum of squares of an f32 tensor, in double, in the same order every
 * time. */
void sum_of_squares(struct backend *backend, struct tensor *sum,
                    const struct tensor *tensor);

/*
 * One AdamW update, in place. With n = sqrt(norm_squared) the global gradient norm,
 * g = gradient * min(1, clip_norm / n) (no clipping where clip_norm is 0) and t the step,
 * from 1:
 *
 *     m <- beta1 m + (1 - beta1) g
 *     v <- beta2 v + (1 - beta2) g^2
 *     w <- w - lr (m/(1-beta1^t) / (sqrt(v/(1-beta2^t)) + epsilon) + weight_decay w)
 *
 * Source: Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2, with the decay
 * multiplied by lr, as torch.optim.AdamW does. Where n is not finite nothing is updated.
 *
 * weight        [count] f32, or bf16 with `remainder`  updated
 * remainder     [count] i16, NULL for f32 weights      updated; see below
 * moment1, 2    [count] f32, or both bf16 (rounded stochastically) updated
 * gradient      [count] f32  read
 * norm_squared  [1] f64      read
 *
 * A bf16 weight and its remainder are together the fp32 master weight, in 4 bytes: its bits
 * are (bits of weight << 16) + remainder, as int32, the weight being the master rounded to
 * nearest (ties away from zero), the remainder in [-32768, 32767]. See base/dtype.h.
 * A bf16 weight without a remainder is rounded stochastically. Stochastic rounding draws
 * Philox numbers from (seed, step, offset + element): the same every time.
 */
struct adamw_step_parameters {
    float lr;
    float beta1;
    float beta2;
    float epsilon;
    float weight_decay;
    float clip_norm; /* 0: none */
    int64_t step;    /* from 1 */
    uint64_t seed;   /* of stochastic rounding */
    int64_t offset;  /* of these elements among all weights */
};
void adamw_update(struct backend *backend, struct tensor *weight, struct tensor *remainder,
                  struct tensor *moment1, struct tensor *moment2,
                  const struct tensor *gradient, const struct tensor *norm_squared,
                  const struct adamw_step_parameters *parameters);

#endif
