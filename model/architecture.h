#ifndef HOLDFAST_MODEL_ARCHITECTURE_H
#define HOLDFAST_MODEL_ARCHITECTURE_H

#include "base/dtype.h"
#include "base/error.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How rotary frequencies f_i = theta^(-2i/D) are changed for long sequences: by nothing, by
 * f_i / factor, as Llama 3.1 does, or by a factor for each (architecture_rope_frequencies).
 */
enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3, ROPE_LONG };
enum { ROPE_FACTORS = 128 }; /* of ROPE_LONG, at most: one a pair of a head */

/*
 * What kind of transformer a config.json describes. One forward serves all families:
 * what differs between them is data here. A family, or a field that would change the
 * result, that is not known is an error that names it.
 */
struct architecture {
    char model_type[32];     /* the family: "llama", "qwen2", … */
    int64_t layer_count;     /* L, num_hidden_layers */
    int64_t channels;        /* C, hidden_size */
    int64_t feed_forward;    /* F, intermediate_size */
    int64_t heads;           /* H, num_attention_heads */
    int64_t key_value_heads; /* G, num_key_value_heads */
    int64_t head_size;       /* D, head_dim or C / H */
    int64_t vocabulary;      /* V, vocab_size */
    int64_t position_limit;  /* max_position_embeddings */
    double norm_epsilon;     /* rms_norm_eps */
    double rope_theta;
    enum rope_kind rope_kind;
    double rope_factor;              /* linear, llama3 */
    double rope_low_frequency;       /* llama3: low_freq_factor */
    double rope_high_frequency;      /* llama3: high_freq_factor */
    int64_t rope_original_limit;     /* llama3, long: original_max_position_embeddings */
    double rope_short[ROPE_FACTORS]; /* long: short_factor [D / 2] */
    double rope_long[ROPE_FACTORS];  /* long: long_factor [D / 2]; kept, not computed */
    double initializer_range;        /* standard deviation for --init */
    int64_t window; /* sliding_window; 0: none. See architecture_sequence_limit */
    bool query_key_value_bias;
    bool attention_out_bias;
    bool feed_forward_bias; /* of gate, up and down */
    bool head_norms;        /* RMSNorm of each query and key head, before they turn */
    bool fused_projections; /* files have q, k, v as one matrix, and gate, up */
    bool tied_embeddings;   /* tie_word_embeddings */
    int32_t bos_token;      /* -1 if none */
    int32_t eos_tokens[8];  /* config.json and generation_config.json together */
    int32_t eos_token_count;
};

/*
 * Reads both spellings, transformers 4 (rope_theta, rope_scaling, torch_dtype) and 5
 * (rope_parameters, dtype). What a file leaves out has the default of the family's class in
 * transformers, except the bos and eos tokens: absent is none. `where` names the text in
 * messages.
 *
 * Errors: STATUS_UNSUPPORTED for a field whose value this program does not compute (other
 * families, other rope scalings, windows of some layers only, quantised weights …),
 * STATUS_FORMAT for a missing field, a wrong type or a size out of range; both name field
 * and file.
 */
enum status architecture_parse(struct architecture *architecture, const char *json,
                               size_t bytes, const char *where, struct error *error);
/* DIR/config.json, and DIR/generation_config.json for its end tokens if it is there. */
enum status architecture_open_directory(struct architecture *architecture,
                                        const char *directory, struct error *error);

/*
 * Appends a config.json that transformers (4 and 5) loads as the family's class;
 * `stored` is the dtype of the weights beside it. architecture_parse() reads it back equal.
 */
void architecture_print_json(const struct architecture *architecture, enum dtype stored,
                             struct text_buffer *out);

/* "LlamaForCausalLM", … */
const char *architecture_class_name(const struct architecture *architecture);

/*
 * How many tokens a sequence may have: position_limit, or less where longer ones would
 * need what is not computed yet: attention with a window (one that is not shorter than the
 * sequence changes nothing), or the long factors of ROPE_LONG.
 */
int64_t architecture_sequence_limit(const struct architecture *architecture);
/* The second of these limits alone; 0: none. *field: what sets it, of config.json. */
int64_t architecture_exact_limit(const struct architecture *architecture,
                                 const char **field);
/* What sets architecture_sequence_limit(), for messages: the field of config.json. */
const char *architecture_limit_name(const struct architecture *architecture);

/*
 * frequencies [D / 2]: what a position is multiplied by, in the pairs of a head; rounded
 * to f32 where transformers rounds. Llama 3.1 (transformers, modeling_rope_utils.py) leaves
 * wavelengths 2 pi / f below original / high alone, divides f by the factor where they are
 * above original / low, and between goes from one to the other linearly in 1 / wavelength.
 * ROPE_LONG (LongRoPE, Ding et al. 2024, arXiv:2402.13753, as Phi-3 has it) divides f_i by
 * short_factor_i in sequences up to the original limit.
 */
void architecture_rope_frequencies(const struct architecture *architecture,
                                   float *frequencies);

/*
 * What cosines and sines are multiplied by: 1, but with ROPE_LONG
 * sqrt(1 + log(position_limit / original) / log(original)).
 */
double architecture_rope_scale(const struct architecture *architecture);

/* How many weights there are; a tied lm_head is counted once. */
int64_t architecture_parameter_count(const struct architecture *architecture);

#endif
