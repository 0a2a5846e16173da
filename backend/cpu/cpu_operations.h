#ifndef HOLDFAST_BACKEND_CPU_CPU_OPERATIONS_H
#define HOLDFAST_BACKEND_CPU_CPU_OPERATIONS_H

#include "backend/moment_operations.h"
#include "backend/operations.h"

/* The operations of backend/operations.h on the CPU, under the same names. */

void cpu_fill(struct backend *backend, struct tensor *tensor, float value);
void cpu_add(struct backend *backend, struct tensor *out, const struct tensor *a,
             const struct tensor *b);
void cpu_scale(struct backend *backend, struct tensor *tensor, float factor);
void cpu_embedding_forward(struct backend *backend, struct tensor *out,
                           const struct tensor *weight, const int32_t *tokens);
void cpu_embedding_backward(struct backend *backend, struct tensor *d_weight,
                            const struct tensor *d_out, const int32_t *tokens);
void cpu_linear_decode(struct backend *backend, struct tensor *out, const struct tensor *in,
                       const struct tensor *weight, const struct tensor *bias,
                       const struct tensor *residual);
void cpu_linear_forward(struct backend *backend, struct tensor *out,
                        const struct tensor *in, const struct tensor *weight,
                        const struct tensor *bias, const struct tensor *residual);
void cpu_linear_arrange(struct backend *backend, struct tensor *weight);
void cpu_linear_backward_input(struct backend *backend, struct tensor *d_in,
                               const struct tensor *d_out, const struct tensor *weight,
                               bool accumulate);
void cpu_linear_backward_weight(struct backend *backend, struct tensor *d_weight,
                                struct tensor *d_bias, const struct tensor *d_out,
                                const struct tensor *in);
void cpu_rms_norm_forward(struct backend *backend, struct tensor *out, struct tensor *rstd,
                          const struct tensor *in, const struct tensor *weight,
                          float offset, float epsilon);
void cpu_rms_norm_backward(struct backend *backend, struct tensor *d_in,
                           struct tensor *d_weight, const struct tensor *d_out,
                           const struct tensor *in, const struct tensor *weight,
                           float offset, const struct tensor *rstd);
void cpu_layer_norm_forward(struct backend *backend, struct tensor *out,
                            struct tensor *rstd, const struct tensor *in,
                            const struct tensor *weight, const struct tensor *bias,
                            float epsilon);
void cpu_layer_norm_backward(struct backend *backend, struct tensor *d_in,
                             struct tensor *d_weight, struct tensor *d_bias,
                             const struct tensor *d_out, const struct tensor *in,
                             const struct tensor *weight, const struct tensor *rstd);
void cpu_head_norm_forward(struct backend *backend, struct tensor *out,
                           const struct tensor *in, const struct tensor *query_weight,
                           const struct tensor *key_weight,
                           const struct head_norm_shape *shape);
void cpu_head_norm_backward(struct backend *backend, struct tensor *d_qkv,
                            struct tensor *d_query_weight, struct tensor *d_key_weight,
                            const struct tensor *in, const struct tensor *query_weight,
                            const struct tensor *key_weight,
                            const struct head_norm_shape *shape);
void cpu_rope_forward(struct backend *backend, struct tensor *qkv,
                      const struct tensor *table, const int32_t *positions,
                      const struct attention_shape *shape);
void cpu_rope_backward(struct backend *backend, struct tensor *d_qkv,
                       const struct tensor *table, const int32_t *positions,
                       const struct attention_shape *shape);
void cpu_attention_forward(struct backend *backend, struct tensor *out,
                           struct tensor *log_sum, const struct tensor *qkv,
                           const struct documents *documents,
                           const struct attention_shape *shape);
void cpu_attention_backward(struct backend *backend, struct tensor *d_qkv,
                            const struct tensor *d_out, const struct tensor *qkv,
                            const struct tensor *out, const struct tensor *log_sum,
                            const struct documents *documents,
                            const struct attention_shape *shape);
void cpu_attention_prefill(struct backend *backend, struct tensor *out,
                           const struct tensor *qkv,
                           const struct key_value_cache_layer *cache,
                           const struct cached_documents *cached,
                           const struct attention_shape *shape);
void cpu_swiglu_forward(struct backend *backend, struct tensor *out,
                        const struct tensor *gate_up);
void cpu_swiglu_backward(struct backend *backend, struct tensor *d_gate_up,
                         struct tensor *out, const struct tensor *d_out,
                         const struct tensor *gate_up);
void cpu_gelu_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                      enum gelu_kind kind);
void cpu_gelu_backward(struct backend *backend, struct tensor *d_in, struct tensor *out,
                       const struct tensor *d_out, const struct tensor *in,
                       enum gelu_kind kind);
void cpu_soft_cap(struct backend *backend, struct tensor *values, float cap);
void cpu_linear_cross_entropy(struct backend *backend, struct cross_entropy_sums *sums,
                              struct tensor *d_in, struct tensor *d_weight,
                              const struct tensor *in, const struct tensor *weight,
                              const struct targets *targets, float cap,
                              float label_smoothing, float scale);
void cpu_cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                     const struct tensor *qkv, const int32_t *rows,
                     const struct attention_shape *shape);
void cpu_attention_decode(struct backend *backend, struct tensor *out,
                          const struct tensor *qkv,
                          const struct key_value_cache_layer *cache,
                          const struct cache_pages *pages, const int32_t *positions,
                          const struct attention_shape *shape);
void cpu_sample_tokens(struct backend *backend, int32_t *tokens, struct tensor *logits,
                       const struct sampling_rows *rows);
void cpu_nf4_dequantize(struct backend *backend, struct tensor *out,
                        const struct nf4_tensor *in);
void cpu_sum_of_squares(struct backend *backend, struct tensor *sum,
                        const struct tensor *tensor);
void cpu_adamw_update(struct backend *backend, struct tensor *weight,
                      struct tensor *remainder, struct tensor *moment1,
                      struct tensor *moment2, const struct tensor *gradient,
                      const struct tensor *norm_squared,
                      const struct adamw_step_parameters *parameters);
void cpu_adamw_update_8bit(struct backend *backend, struct tensor *weight,
                           struct tensor *remainder, const struct moment8 *moment1,
                           const struct moment8 *moment2, const struct tensor *gradient,
                           const struct tensor *norm_squared,
                           const struct adamw_step_parameters *parameters);

#endif
