#ifndef HOLDFAST_MODEL_TRANSFORMER_INTERNAL_H
#define HOLDFAST_MODEL_TRANSFORMER_INTERNAL_H

#include "base/arena.h"
#include "model/adapters.h"
#include "model/quantized.h"
#include "model/rope_table.h"
#include "model/transformer.h"

/*
 * What the parts of model/ share. Shape letters as in backend/tensor.h; Q stands for
 * (H + 2G) D, the width of a row of queries, keys and values.
 */

/* A matrix and, where the family has one, its bias (else without data). A quantised matrix
 * has a shape and no data: block_weight() has it. */
struct linear_parameters {
    struct tensor weight;
    struct tensor bias;
};

/* A norm and, where the family has one, its bias (else without data). */
struct norm_parameters {
    struct tensor weight; /* [C] */
    struct tensor bias;   /* [C] */
};

/* The parameters of one block, as views into one block of weights or gradients. */
struct block_parameters {
    struct norm_parameters attention_norm;      /* without data: no pre norms */
    struct linear_parameters query_key_value;   /* [Q, C]: q, k and v are neighbours */
    struct tensor query_norm;                   /* [D], of row norms [H D]; without data: no
                                                   head norms */
    struct tensor key_norm;                     /* [D], [G D] */
    struct linear_parameters attention_out;     /* [C, H D] */
    struct norm_parameters attention_post_norm; /* without data: no post norms */
    struct norm_parameters feed_forward_norm;
    struct linear_parameters gate_up; /* [2F, C], or without a gate [F, C] */
    struct linear_parameters down;    /* [C, F] */
    struct norm_parameters feed_forward_post_norm;
};

struct model_parameters {
    struct tensor embedding;         /* [V, C] */
    struct tensor positions;         /* [P, C]; without data: none are learned */
    struct block_parameters *blocks; /* [L] */
    struct norm_parameters last_norm;
    struct tensor head; /* [V, C]; the embedding where they are tied */
};

/*
 * What a block keeps for its backward. The outputs of the norms and of the activation are
 * not kept: they are made again from what is here, which costs less than the memory.
 */
struct block_activations {
    int64_t layer;
    struct tensor in;              /* [T, C] the residual stream before the block */
    struct tensor attention_rstd;  /* [T] */
    struct tensor projected;       /* [T, Q] before the head norms; else query_key_value */
    struct tensor query_key_value; /* [T, Q], turned */
    struct tensor attended;        /* [T, H D] */
    struct tensor log_sum;         /* [H, T] */
    struct tensor attention_added; /* [T, C] before its post norm; without: nothing */
    struct tensor middle;          /* [T, C] the residual stream after attention */
    struct tensor feed_forward_rstd;  /* [T] */
    struct tensor gate_up;            /* [T, 2F], or without a gate [T, F] */
    struct tensor feed_forward_added; /* [T, C] before its post norm; without: nothing */
    struct tensor
        adapted[ADAPTER_GROUP_COUNT]; /* [T, n r] each: `hidden` of the adapters */
};

/*
 * A packed batch where the back-end computes. All int32 arrays lie in one block, which one
 * copy brings over:
 *
 *     tokens [T] | positions [T] | turns [T] | names [T] | target rows [T] |
 *     target tokens [T] | starts [N + 1]
 */
struct batch_indices {
    int32_t *host;   /* heap, [7 T + 1] */
    int32_t *device; /* likewise */
    const int32_t *tokens;
    const int32_t *positions;
    const int32_t *turns; /* rows of the rotary tables */
    const int32_t *names; /* packed_batch.document_names, one a token */
    struct documents documents;
    struct targets targets;
};

/*
 * Buffers for batches of up to token_count tokens, in one allocation. Three uses:
 *
 *     forward only            all blocks share one set of buffers, `in` included
 *     training, recompute     each block its own `in`; the rest is shared
 *     training                each block its own set
 *
 * The views have token_count rows; a pass over a batch takes the rows that it needs.
 */
enum activations_use { FORWARD_ONLY, TRAINING_RECOMPUTE, TRAINING };
struct activations {
    enum activations_use use;
    int64_t token_count;             /* 0: nothing reserved */
    enum dtype dtype;                /* of what has no other */
    enum dtype operands;             /* of what only products read */
    const struct lora_options *lora; /* NULL: no adapters */
    struct batch_indices indices;
    void *memory; /* device */
    size_t bytes;
    struct block_activations *blocks; /* [L]; views */
    struct tensor out;                /* [T, C] the residual stream after the last block */
    struct tensor last_rstd;          /* [T] */
    struct tensor normed;             /* [T, C] scratch: the output of a norm */
    struct tensor activated;          /* [T, F] scratch: the output of the activation */
    /* gradients, when training; [T, …] as what they are gradients of */
    struct tensor d_residual;
    struct tensor d_normed;
    struct tensor d_query_key_value;
    struct tensor d_attended;
    struct tensor d_gate_up;
    struct tensor d_activated;
    struct tensor d_adapted;       /* [T, most n r] scratch of the adapters */
    struct tensor adapter_scratch; /* [T, …] what adapter_call wants; none without */
};

struct transformer {
    struct backend *backend;
    struct architecture architecture;
    struct parameter_block base; /* all weights of the model, but the quantised ones */
    bool arranged;               /* see transformer_arrange() */
    struct quantized *quantized; /* NULL: none */
    struct sharded *sharded;     /* NULL: all weights are held here */
    struct model_parameters views;
    struct model_parameters gradient_views; /* empty where adapters are trained */
    struct adapters *adapters;              /* NULL: the weights themselves are trained */
    struct activations training;
    struct activations inference;
    struct rope_tables rope; /* their rows grow with the batches */
};

/* The architecture's names, shapes and places; no weights yet. */
enum status transformer_plan(struct transformer **model, struct backend *backend,
                             struct collectives *collectives,
                             const struct architecture *architecture,
                             enum master_weights masters, struct error *error);
/* Views into a block [count] of `dtype` laid out as the weights are; into a slot of them
 * where they are shared out. */
struct model_parameters model_parameters_view(const struct transformer *model, void *block,
                                              enum dtype dtype);

/* The names, shapes and places of all weights alone. */
void transformer_add_parameters(struct transformer *model);
/* Whether the files hold these, no others, in these shapes and in dtypes that are read:
 * from their headers, not their data. */
enum status weights_check(const struct transformer *model, const struct weight_files *files,
                          const char *directory, struct error *error);

/* Sets weights [first, first + count) of a parameter; a quantised one as quantized_put()
 * wants it. */
void transformer_put(struct transformer *model, const struct parameter *parameter,
                     int64_t first, const float *values, int64_t count);
/* A matrix of a block as products take it: `weight` itself, or what NF4 gives of it, until
 * the next call. */
struct tensor block_weight(const struct transformer *model, int64_t layer,
                           enum adapter_group_name group, const struct tensor *weight);

/* DoRA: the gains of all groups, of weights and adapters as they are; nothing without. */
void transformer_gains_update(const struct transformer *model);
/* The magnitudes of new adapters: the model's own. */
enum status transformer_magnitudes_begin(struct transformer *model, struct error *error);

/* NULL where there is none. */
const struct tensor *linear_bias(const struct linear_parameters *parameters);

enum status activations_reserve(struct activations *activations,
                                const struct transformer *model, enum activations_use use,
                                int64_t token_count, struct error *error);
/* The bytes that this would reserve. */
size_t activations_measure(const struct architecture *architecture,
                           const struct lora_options *lora, enum dtype dtype,
                           enum dtype operands, enum activations_use use,
                           int64_t token_count);
void activations_release(struct activations *activations, struct backend *backend);
/* Brings a batch over; its arrays may be used again at once. */
void batch_indices_set(struct batch_indices *indices, const struct transformer *model,
                       const struct packed_batch *batch);

/* rope_tables_reserve() of the model's own. */
enum status transformer_reserve_positions(struct transformer *model, int64_t position_count,
                                          struct error *error);

/* The shape that the attention operations of a layer want. */
struct attention_shape model_attention_shape(const struct architecture *architecture,
                                             int64_t layer);
/* What head_norm_forward() wants. */
struct head_norm_shape model_head_norm_shape(const struct architecture *architecture);
/* 2F, or without a gate F */
int64_t gate_up_width(const struct architecture *architecture);
/* (H + 2G) D */
int64_t query_key_value_width(const struct architecture *architecture);

#endif
