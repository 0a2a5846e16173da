#ifndef HOLDFAST_MODEL_ADAPTERS_H
#define HOLDFAST_MODEL_ADAPTERS_H

#include "backend/adapter_operations.h"
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
 *
 * With dropout each matrix has a mask of its own on `in`, and so a product of its own.
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
    int64_t count;                              /* of adapted matrices; 0: nothing to do */
    struct tensor a;                            /* [count r, K] */
    struct tensor b[ADAPTERS_IN_GROUP];         /* [M, r] each */
    struct tensor magnitude[ADAPTERS_IN_GROUP]; /* [M] each; DoRA, else without data */
    int64_t column[ADAPTERS_IN_GROUP]; /* where the matrix begins in the group's output */
    enum lora_target target[ADAPTERS_IN_GROUP];
};

/* DoRA: of all columns of the group's output, where they have no adapter 1. */
struct group_gains {
    struct tensor gains; /* [M of the group] f32: m / norm */
    struct tensor norms; /* likewise: of the rows of W + scale B A */
};

struct block_adapters {
    struct adapter_group groups[ADAPTER_GROUP_COUNT];
};
struct block_gains {
    struct group_gains groups[ADAPTER_GROUP_COUNT];
};

struct adapters {
    struct lora_options options;
    float scale;
    struct parameter_block parameters;
    struct block_adapters *weights;   /* [L] */
    struct block_adapters *gradients; /* [L]; NULL until gradients are reserved */
    struct block_gains *gains;        /* [L]; NULL without DoRA */
    void *gains_memory;               /* device */
};

/* Bytes of the gains, beside them; 0 without DoRA. */
size_t adapters_gains_bytes(const struct architecture *architecture,
                            const struct lora_options *options);

/* A is drawn as PEFT draws it, uniform within 1 / sqrt(K); B and the magnitudes are zero.
 * `options` are resolved. */
enum status adapters_create(struct adapters **adapters, struct backend *backend,
                            const struct architecture *architecture,
                            const struct lora_options *options, enum master_weights masters,
                            struct error *error);
void adapters_free(struct adapters *adapters);
enum status adapters_reserve_gradients(struct adapters *adapters,
                                       const struct architecture *architecture,
                                       struct error *error);
void adapters_drop_gradients(struct adapters *adapters);

/* How many matrices a group has, and the first of them; the others follow it. */
int adapter_group_targets(const struct architecture *architecture,
                          enum adapter_group_name group, enum lora_target *first);
/* Columns of a group's output, adapted or not. */
int64_t adapter_group_width(const struct architecture *architecture,
                            enum adapter_group_name group);
/* Width of `hidden` of a group; 0: not adapted. */
int64_t adapter_hidden_width(const struct lora_options *options,
                             const struct architecture *architecture,
                             enum adapter_group_name group);

/* weights += scale B A for each adapted matrix, its rows then brought to the magnitudes of
 * DoRA; `weights` is all of `base`, f32, host. */
enum status adapters_merge(const struct adapters *adapters,
                           const struct parameter_block *base, float *weights,
                           struct error *error);

/*
 * One group in a pass. `weight` [M, K] is the group's frozen matrix; hidden [T, n r] is
 * kept for the backward.
 */
struct adapter_call {
    struct backend *backend;
    const struct adapters *adapters;
    int64_t layer;
    enum adapter_group_name group;
    const struct tensor *weight;
    const struct tensor *bias; /* [M], NULL: none */
    bool rows_alone;           /* a row of out depends on its row of `in` alone */
    bool gains_ready;          /* DoRA: adapter_gains() has been called since a change */
    const struct dropout_mask *dropout; /* NULL: none; `stream` is filled in here */
    struct tensor scratch;              /* with dropout: [T, K]; DoRA, backward: [T, M] */
};
bool adapter_call_adapts(const struct adapter_call *call);

/* Gains of the group's rows, from weights and adapters as they are. */
void adapter_gains(const struct adapter_call *call);
/* Magnitudes <- the norms of the rows, on the host; B is zero. Waits for the device. */
enum status adapter_magnitudes_begin(const struct adapter_call *call,
                                     struct parameter_block *parameters,
                                     struct error *error);
/* hidden = scale in A^T, the mask applied. */
void adapter_hidden(const struct adapter_call *call, struct tensor *hidden,
                    const struct tensor *in);
/* out [T, M] = the adapted product (+ bias) (+ residual, which is not `out`). */
void adapter_forward(const struct adapter_call *call, struct tensor *out,
                     struct tensor *hidden, const struct tensor *in,
                     const struct tensor *residual);
/*
 * d_in = or += d_out through the adapted product; adds to the gradients of the adapters.
 * d_hidden is scratch, as wide as hidden.
 */
void adapter_backward(const struct adapter_call *call, struct tensor *d_in,
                      struct tensor *d_hidden, const struct tensor *d_out,
                      const struct tensor *hidden, const struct tensor *in,
                      bool accumulate);

#endif
