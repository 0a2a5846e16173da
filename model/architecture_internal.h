#ifndef HOLDFAST_MODEL_ARCHITECTURE_INTERNAL_H
#define HOLDFAST_MODEL_ARCHITECTURE_INTERNAL_H

#include "base/json.h"
#include "model/architecture.h"

/* What the parts of model/architecture*.c share. */

/* A parsed object and how messages call it. */
struct source {
    const cJSON *root;
    const char *where;
    struct error *error;
};

/* How a family's window is switched on, and in which layers. */
enum window_rule {
    WINDOW_REFUSED,    /* the family has none: a file that gives one is of another */
    WINDOW_SWITCHED,   /* "use_sliding_window", in layers "max_window_layers" and above */
    WINDOW_WHEN_GIVEN, /* "sliding_window" unless it is null, in all layers */
    WINDOW_PERIODIC    /* in all but every so many-th layer, see window_period */
};

/*
 * What config.json leaves unsaid: which layers a family has, and the defaults of its
 * configuration class in transformers.
 */
struct family {
    const char *model_type;
    const char *class_name;     /* of transformers */
    const char *whole_type;     /* model_type of models of images too, or NULL */
    const char *epsilon_key;    /* NULL: "rms_norm_eps" */
    const char *activation_key; /* NULL: "hidden_act" */
    int64_t heads;              /* default of num_attention_heads; 0: it must be given */
    int64_t vocabulary;         /* default of vocab_size; 0: it must be given */
    int64_t position_limit;     /* default of max_position_embeddings */
    int64_t key_value_heads;    /* default of num_key_value_heads; 0: as many as heads */
    int64_t head_size;          /* default of head_dim; 0: hidden_size / heads */
    int64_t window;             /* default of sliding_window; 0: null */
    int64_t window_period;      /* WINDOW_PERIODIC: default of sliding_window_pattern */
    int64_t unturned_period;    /* default of no_rope_layer_interval; 0: all layers turn */
    int64_t original_limit;     /* default of original_max_position_embeddings, in a family
                                   that knows ROPE_LONG; else 0 */
    double norm_epsilon;        /* default of rms_norm_eps */
    double rope_theta;          /* default; 0: 10000 */
    double window_rope_theta;   /* default of rope_local_base_freq; 0: not read */
    double query_scalar;        /* default of query_pre_attn_scalar; 0: not read */
    double attention_cap;       /* default of attn_logit_softcapping; 0: not read */
    double logit_cap;           /* default of final_logit_softcapping; 0: not read */
    enum norm_kind norm;
    enum activation activation; /* default */
    enum window_rule window_rule;
    bool short_names;          /* "n_embd", "n_layer", … */
    bool reads_attention_bias; /* of q, k, v and o */
    bool reads_mlp_bias;       /* of gate, up and down */
    bool query_key_value_bias; /* always */
    bool biases;               /* all linear layers have one */
    bool head_norms;
    bool row_norms;
    bool post_norms;
    bool no_pre_norms;
    bool gateless;
    bool learned_positions;
    bool scaled_embedding;
    bool multipliers; /* attention_multiplier, …; the default of each is 1 */
    bool fused_projections;
    bool transposed;
    bool tied;         /* default of tie_word_embeddings */
    bool partial_rope; /* knows partial_rotary_factor */
    bool pads;         /* pad_token_id is a token unless the file says null */
};
/* NULL: not known. */
const struct family *family_find(const char *model_type);
/* The family of the text part of such models; NULL: not known. */
const struct family *family_find_whole(const char *model_type);
/* STATUS_UNSUPPORTED; names those that are known. */
enum status family_unknown(const struct source *source, const char *type);

enum status config_unsupported(const struct source *source, const cJSON *value,
                               const char *supported);
/* Whole numbers that may be absent or null are one of these until defaults are filled in.
 */
enum { ABSENT = -1, GIVEN_NULL = -2 };
/* A whole number from 1 to `most`. */
enum status config_whole(const struct source *source, const char *key, int64_t most,
                         bool required, int64_t *out);
/* A number that may be absent or null; *out holds what is then meant. */
enum status config_number(const struct source *source, const char *key, double least,
                          double *out);
/* The window and the layers that have it; layer_count is known. */
enum status window_read(struct architecture *architecture, const struct family *family,
                        const struct source *source);
void window_print(const struct architecture *architecture, const struct family *family,
                  struct json_writer *json);
/* The layers that do not turn; layer_count is known. */
enum status unturned_read(struct architecture *architecture, const struct family *family,
                          const struct source *source);
void unturned_print(const struct architecture *architecture, const struct family *family,
                    struct json_writer *json);
/* The activation's name as the family's files have it. */
enum status activation_read(struct architecture *architecture, const struct family *family,
                            const struct source *source);
/* rope_theta, rope_scaling (transformers 4) and rope_parameters (5); windows are known. */
enum status rope_read(struct architecture *architecture, const struct source *source);
void rope_print(const struct architecture *architecture, struct json_writer *json);

#endif
