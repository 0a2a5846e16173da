#ifndef HOLDFAST_MODEL_ADAPTERS_H
#define HOLDFAST_MODEL_ADAPTERS_H

#include "backend/operations.h"
#include "base/arena.h"
#include "base/error.h"
#include "model/architecture.h"
#include "model/lora.h"
#include "model/parameters.h"

/*
 * The low-rank adapters of a transformer (model/lora.h), as its passes use them. Matrices
 * that share an input are one group, so that their A are one product:
 *
 *     hidden [T, n r] = scale in [T, K] A^T,  A [n r, K]: the n matrices' A, one on another
 *     out[:, columns of matrix i] += hidden[:, i r … (i + 1) r) B_i^T,  B_i [M_i, r]
 */
enum adapter_group_name {
    GROUP_QUERY_KEY_VALUE, /* q, k, v      from the attention norm */
    GROUP_ATTENTION_OUT,   /* o            from attention */
    GROUP_GATE_UP,         /* gate, up     from the feed-forward norm */
    GROUP_DOWN,            /* down         from SwiGLU */
    ADAPTER_GROUP_COUNT
};
enum { ADAPTERS_IN_GROUP = 3 };

struct adapter_group {
    int64_t count;                      /* of adapted matrices; 0: nothing to do */
    struct tensor a;                    /* [count r, K] */
    struct tensor b[ADAPTERS_IN_GROUP]; /* [M, r] each */
    int64_t column[ADAPTERS_IN_GROUP];  /* where the matrix begins in the group's output */
};

struct block_adapters {
    struct adapter_group groups[ADAPTER_GROUP_COUNT];
};

struct adapters {
    struct lora_options options;
    float scale;
    struct parameter_block parameters;
    struct block_adapters *weights;   /* [L] */
    struct block_adapters *gradients; /* [L]; NULL until gradients are reserved */
};

/* How many numbers all adapters have. */
int64_t adapters_parameter_count(const struct architecture *architecture,
                                 const struct lora_options *options);

/* A is drawn as PEFT draws it, uniform within 1 / sqrt(K); B is zero. */
enum status adapters_create(struct adapters **adapters, struct backend *backend,
                            const struct architecture *architecture,
                            const struct lora_options *options, enum master_weights masters,
                            struct error *error);
void adapters_free(struct adapters *adapters);
enum status adapters_reserve_gradients(struct adapters *adapters,
                                       const struct architecture *architecture,
                                       struct error *error);
void adapters_drop_gradients(struct adapters *adapters);

/* M and K of a target's W. */
struct matrix_shape {
    int64_t rows;
    int64_t columns;
};
struct matrix_shape lora_target_shape(const struct architecture *architecture,
                                      enum lora_target target);
/* How many matrices a group has, and the first of them; the others follow it. */
int adapter_group_targets(enum adapter_group_name group, enum lora_target *first);

/* Width of `hidden` of a group; 0: not adapted. */
int64_t adapter_hidden_width(const struct lora_options *options,
                             enum adapter_group_name group);

/* weights += scale B A for each adapted matrix; `weights` is all of `base`, f32, host. */
enum status adapters_merge(const struct adapters *adapters,
                           const struct parameter_block *base, float *weights,
                           struct error *error);

/* hidden = scale in A^T. */
void adapter_hidden(struct backend *backend, const struct adapters *adapters,
                    const struct adapter_group *group, struct tensor *hidden,
                    const struct tensor *in, bool rows_alone);
/*
 * Adds the group's part to `out` [T, …], and keeps `hidden`. With `rows_alone` a row of out
 * is a function of its row of `in` alone (linear_decode).
 */
void adapter_forward(struct backend *backend, const struct adapters *adapters,
                     const struct adapter_group *group, struct tensor *out,
                     struct tensor *hidden, const struct tensor *in, bool rows_alone);
/*
 * From d_out: adds to d_in, and to the gradients of A and B. d_hidden is scratch, as wide
 * as hidden.
 */
void adapter_backward(struct backend *backend, const struct adapters *adapters,
                      const struct adapter_group *group, struct adapter_group *gradients,
                      struct tensor *d_in, struct tensor *d_hidden,
                      const struct tensor *d_out, const struct tensor *hidden,
                      const struct tensor *in);

#endif
