#ifndef HOLDFAST_BACKEND_OPERATION_TABLE_H
#define HOLDFAST_BACKEND_OPERATION_TABLE_H

#include "backend/adapter_operations.h"
#include "backend/moment_operations.h"
#include "backend/operations.h"

/*
 * What a back-end implements: one function per operation, with the meaning and operands
 * of backend/operations.h (or adapter_operations.h) and the same name. Each back-end fills
 * one const table by field name. Shapes and dtypes have been checked, and the sticky error
 * is clear, when a function of the table is called; kernels hold only mathematics. Only
 * backend/ includes this file.
 *
 * Nothing to do (no rows, no documents, no targets) is passed on too: a function returns.
 */
struct operation_table {
    const char *name;
    bool on_host; /* see backend_on_host(); int32 arrays are checked */
    bool (*memory)(const struct backend *, size_t *free_bytes, size_t *total_bytes);
    void (*close)(struct backend *);
    int (*thread_count)(const struct backend *);
    const char *(*description)(const struct backend *);
    void *(*allocate)(struct backend *, size_t bytes, struct error *);
    void (*free)(struct backend *, void *memory);
    void (*copy_in)(struct backend *, void *device, const void *host, size_t bytes);
    void (*copy_out)(struct backend *, void *host, const void *device, size_t bytes);
    void (*sync)(struct backend *);
    bool (*record_begin)(struct backend *);
    struct recording *(*record_end)(struct backend *);
    void (*record_launch)(struct backend *, struct recording *);
    void (*record_free)(struct backend *, struct recording *);

    void (*fill)(struct backend *, struct tensor *tensor, float value);
    void (*add)(struct backend *, struct tensor *out, const struct tensor *a,
                const struct tensor *b);
    void (*scale)(struct backend *, struct tensor *tensor, float factor);

    void (*embedding_forward)(struct backend *, struct tensor *out,
                              const struct tensor *weight, const int32_t *tokens);
    void (*embedding_backward)(struct backend *, struct tensor *d_weight,
                               const struct tensor *d_out, const int32_t *tokens);

    void (*linear_forward)(struct backend *, struct tensor *out, const struct tensor *in,
                           const struct tensor *weight, const struct tensor *bias,
                           const struct tensor *residual);
    void (*linear_decode)(struct backend *, struct tensor *out, const struct tensor *in,
                          const struct tensor *weight, const struct tensor *bias,
                          const struct tensor *residual);
    void (*linear_arrange)(struct backend *, struct tensor *weight); /* NULL: rows stay */
    void (*linear_backward_input)(struct backend *, struct tensor *d_in,
                                  const struct tensor *d_out, const struct tensor *weight,
                                  bool accumulate);
    void (*linear_backward_weight)(struct backend *, struct tensor *d_weight,
                                   struct tensor *d_bias, const struct tensor *d_out,
                                   const struct tensor *in);

    void (*rms_norm_forward)(struct backend *, struct tensor *out, struct tensor *rstd,
                             const struct tensor *in, const struct tensor *weight,
                             float offset, float epsilon);
    void (*rms_norm_backward)(struct backend *, struct tensor *d_in,
                              struct tensor *d_weight, const struct tensor *d_out,
                              const struct tensor *in, const struct tensor *weight,
                              float offset, const struct tensor *rstd);
    void (*layer_norm_forward)(struct backend *, struct tensor *out, struct tensor *rstd,
                               const struct tensor *in, const struct tensor *weight,
                               const struct tensor *bias, float epsilon);
    void (*layer_norm_backward)(struct backend *, struct tensor *d_in,
                                struct tensor *d_weight, struct tensor *d_bias,
                                const struct tensor *d_out, const struct tensor *in,
                                const struct tensor *weight, const struct tensor *rstd);

    void (*head_norm_forward)(struct backend *, struct tensor *out, const struct tensor *in,
                              const struct tensor *query_weight,
                              const struct tensor *key_weight,
                              const struct head_norm_shape *shape);
    void (*head_norm_backward)(struct backend *, struct tensor *d_qkv,
                               struct tensor *d_query_weight, struct tensor *d_key_weight,
                               const struct tensor *in, const struct tensor *query_weight,
                               const struct tensor *key_weight,
                               const struct head_norm_shape *shape);

    void (*rope_forward)(struct backend *, struct tensor *qkv, const struct tensor *table,
                         const int32_t *positions, const struct attention_shape *shape);
    void (*rope_backward)(struct backend *, struct tensor *d_qkv,
                          const struct tensor *table, const int32_t *positions,
                          const struct attention_shape *shape);

    void (*attention_forward)(struct backend *, struct tensor *out, struct tensor *log_sum,
                              const struct tensor *qkv, const struct documents *documents,
                              const struct attention_shape *shape);
    void (*attention_backward)(struct backend *, struct tensor *d_qkv,
                               const struct tensor *d_out, const struct tensor *qkv,
                               const struct tensor *out, const struct tensor *log_sum,
                               const struct documents *documents,
                               const struct attention_shape *shape);

    void (*swiglu_forward)(struct backend *, struct tensor *out,
                           const struct tensor *gate_up);
    void (*swiglu_backward)(struct backend *, struct tensor *d_gate_up, struct tensor *out,
                            const struct tensor *d_out, const struct tensor *gate_up);

    void (*gelu_forward)(struct backend *, struct tensor *out, const struct tensor *in,
                         enum gelu_kind kind);
    void (*gelu_backward)(struct backend *, struct tensor *d_in, struct tensor *out,
                          const struct tensor *d_out, const struct tensor *in,
                          enum gelu_kind kind);
    void (*soft_cap)(struct backend *, struct tensor *values, float cap);

    void (*linear_cross_entropy)(struct backend *, struct cross_entropy_sums *sums,
                                 struct tensor *d_in, struct tensor *d_weight,
                                 const struct tensor *in, const struct tensor *weight,
                                 const struct targets *targets, float cap,
                                 float label_smoothing, float scale);

    void (*cache_write)(struct backend *, struct key_value_cache_layer *cache,
                        const struct tensor *qkv, const int32_t *rows,
                        const struct attention_shape *shape);
    void (*attention_prefill)(struct backend *, struct tensor *out,
                              const struct tensor *qkv,
                              const struct key_value_cache_layer *cache,
                              const struct cached_documents *cached,
                              const struct attention_shape *shape);
    void (*attention_decode)(struct backend *, struct tensor *out, const struct tensor *qkv,
                             const struct key_value_cache_layer *cache,
                             const struct cache_pages *pages, const int32_t *positions,
                             const struct attention_shape *shape);
    void (*sample_tokens)(struct backend *, int32_t *tokens, struct tensor *logits,
                          const struct sampling_rows *rows);

    void (*nf4_dequantize)(struct backend *, struct tensor *out,
                           const struct nf4_tensor *in);
    void (*sum_of_squares)(struct backend *, struct tensor *sum,
                           const struct tensor *tensor);
    void (*adamw_update)(struct backend *, struct tensor *weight, struct tensor *remainder,
                         struct tensor *moment1, struct tensor *moment2,
                         const struct tensor *gradient, const struct tensor *norm_squared,
                         const struct adamw_step_parameters *parameters);
    void (*adamw_update_8bit)(struct backend *, struct tensor *weight,
                              struct tensor *remainder, const struct moment8 *moment1,
                              const struct moment8 *moment2, const struct tensor *gradient,
                              const struct tensor *norm_squared,
                              const struct adamw_step_parameters *parameters);

    void (*dropout)(struct backend *, struct tensor *out, const struct tensor *in,
                    const struct dropout_mask *dropout, bool accumulate);
    void (*adapted_row_norms)(struct backend *, struct tensor *norms,
                              const struct tensor *weight, const struct tensor *a,
                              const struct tensor *b, float scale);
    void (*magnitude_gains)(struct backend *, struct tensor *gains,
                            const struct tensor *magnitude, const struct tensor *remainder,
                            const struct tensor *norms);
    void (*gain_forward)(struct backend *, struct tensor *out, const struct tensor *gains,
                         const struct tensor *bias, const struct tensor *residual);
    void (*gain_backward)(struct backend *, struct tensor *values,
                          struct tensor *d_magnitude, const struct tensor *d_out,
                          const struct tensor *gains, const struct tensor *norms);
};

/* The first member of every back-end's own struct. */
struct backend {
    const struct operation_table *table;
    enum dtype compute_dtype;    /* f32, or bf16 where the back-end knows it */
    enum dtype activation_dtype; /* the same, or f32 */
    enum dtype operand_dtype;    /* see backend_operand_dtype() */
    bool fp8;                    /* see backend_fp8() */
    struct error error;          /* sticky: the first failure of the device */
};

/*
 * One per back-end; backend_open() finds them by name. cuda: `device` is the number of the
 * GPU. Built without CUDA, it is a stub that says so.
 */
enum status cpu_backend_open(struct backend **backend,
                             const struct backend_options *options, struct error *error);
enum status cuda_backend_open(struct backend **backend, int device,
                              const struct backend_options *options, struct error *error);

#endif
