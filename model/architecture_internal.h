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

/* How a family's window is switched on. */
enum window_rule {
    WINDOW_REFUSED,   /* the family has none: a file that gives one is of another */
    WINDOW_SWITCHED,  /* "use_sliding_window", which is supported where it is false */
    WINDOW_WHEN_GIVEN /* "sliding_window" unless it is null */
};

/*
 * What config.json leaves unsaid: which layers a family has, and the defaults of its
 * configuration class in transformers.
 */
struct family {
    const char *model_type;
    const char *class_name;  /* of transformers */
    int64_t position_limit;  /* default of max_position_embeddings */
    int64_t key_value_heads; /* default of num_key_value_heads; 0: as many as heads */
    int64_t head_size;       /* default of head_dim; 0: hidden_size / heads */
    int64_t window;          /* default of sliding_window; 0: null */
    double norm_epsilon;     /* default of rms_norm_eps */
    enum window_rule window_rule;
    bool reads_attention_bias; /* of q, k, v and o */
    bool reads_mlp_bias;       /* of gate, up and down */
    bool query_key_value_bias; /* always */
    bool head_norms;
    bool fused_projections;
    bool long_rope; /* knows ROPE_LONG */
    bool pads;      /* pad_token_id is a token unless the file says null */
};
/* NULL: not known. */
const struct family *family_find(const char *model_type);

enum status config_unsupported(const struct source *source, const cJSON *value,
                               const char *supported);
/* A number that may be absent or null; *out holds what is then meant. */
enum status config_number(const struct source *source, const char *key, double least,
                          double *out);
/* rope_theta, rope_scaling (transformers 4) and rope_parameters (5). */
enum status rope_read(struct architecture *architecture, const struct source *source);
void rope_print(const struct architecture *architecture, struct json_writer *json);

#endif
