#ifndef HOLDFAST_MODEL_ARCHITECTURE_H
#define HOLDFAST_MODEL_ARCHITECTURE_H

#include "base/dtype.h"
#include "base/error.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How rotary frequencies f_i = theta^(-2i/D) are changed for long sequences: by nothing, by
 * f_i / factor, as Llama 3.1 or YaRN do, or by a factor for each
 * (architecture_rope_frequencies). */
enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3, ROPE_YARN, ROPE_LONG };
enum { ROPE_FACTORS = 128 }; /* of ROPE_LONG, at most: one a pair of a head */

/* RMSNorm by w or by 1 + w (Gemma), or LayerNorm with a bias. */
enum norm_kind { NORM_RMS, NORM_RMS_ONE_PLUS, NORM_LAYER };
/* GELU by tanh, as its paper approximates it, or by the error function. */
enum activation { ACTIVATION_SILU, ACTIVATION_GELU_TANH, ACTIVATION_GELU };
enum { LAYER_LIMIT = 4096 };

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
    int64_t position_limit;  /* max_position_embeddings: tokens of a sequence at most */
    enum norm_kind norm;
    double norm_epsilon; /* rms_norm_eps */
    bool post_norms;     /* what attention and feed-forward add is normed too */
    bool no_pre_norms;   /* and what they read is not */
    enum activation activation;
    bool gateless;          /* act(up), not act(gate) up */
    bool learned_positions; /* a row a position, added to the embedding; nothing turns */
    bool scaled_embedding;  /* times sqrt(C), before the first block */
    double query_scalar;    /* scores times query_scalar^-1/2; 0: the head size */
    double attention_multiplier; /* or times this; 0: not this */
    double embedding_multiplier; /* the embedding times it; 0: as it is */
    double residual_multiplier;  /* what blocks add times it, not with post_norms; 0: not */
    double logits_scaling;       /* logits divided by it; 0: not */
    double attention_cap;        /* attn_logit_softcapping: c tanh(score / c); 0: none */
    double logit_cap;            /* final_logit_softcapping; 0: none */
    int64_t rotary_size;         /* R: the first of a head's D, which turn; 0: all */
    double rope_theta;
    double window_rope_theta; /* rope_local_base_freq: of layers with the window, whose
                                 frequencies nothing changes; 0: as of the others */
    enum rope_kind rope_kind;
    double rope_factor;              /* linear, llama3, yarn; long: 0 if not given */
    double rope_scale;               /* yarn, long: attention_factor; 0: not given */
    double rope_mscale;              /* yarn: mscale; 0: not given */
    double rope_mscale_all;          /* yarn: mscale_all_dim; 0: not given */
    double rope_low_frequency;       /* llama3: low_freq_factor; yarn: beta_slow */
    double rope_high_frequency;      /* llama3: high_freq_factor; yarn: beta_fast */
    bool rope_untruncated;           /* yarn: not truncate */
    int64_t rope_original_limit;     /* original_max_position_embeddings */
    double rope_short[ROPE_FACTORS]; /* long: short_factor [D / 2] */
    double rope_long[ROPE_FACTORS];  /* long: long_factor [D / 2] */
    double initializer_range;        /* standard deviation for --init */
    int64_t window; /* sliding_window: of so many keys, its own the last; 0: none */
    uint64_t windowed[LAYER_LIMIT / 64]; /* layer l has the window: bit l % 64 */
    uint64_t unturned[LAYER_LIMIT / 64]; /* no_rope_layers: nothing turns in layer l */
    bool query_key_value_bias;
    bool attention_out_bias;
    bool feed_forward_bias; /* of gate, up and down */
    bool head_norms;        /* RMSNorm of each query and key head, before they turn */
    bool row_norms;         /* of head_norms: of all queries at once, and of all keys */
    bool fused_projections; /* files have q, k, v as one matrix, and gate, up */
    bool transposed;        /* files have the matrices of blocks as [inputs, outputs] */
    bool tied_embeddings;   /* tie_word_embeddings */
    bool text_part;         /* files hold a model of images too, whose text part this is */
    int32_t bos_token;      /* -1 if none */
    int32_t eos_tokens[8];  /* config.json and generation_config.json together */
    int32_t eos_token_count;
};

/*
 * Reads both spellings, transformers 4 (rope_theta, rope_scaling, torch_dtype) and 5
 * (rope_parameters, dtype). What a file leaves out has the default of the family's class in
 * transformers, except the bos and eos tokens: absent is none. `where` names the text in
 * messages. GPT-2's dropout (resid_pdrop, …) is read and left: nothing here drops.
 *
 * Of a model of images too ("gemma3") the text part is read, from "text_config".
 *
 * Errors: STATUS_UNSUPPORTED for a field whose value this program does not compute (other
 * families, other rope scalings, soft-caps where the family has none, quantised weights …),
 * STATUS_FORMAT for a missing field, a wrong type or a size out of range; both name field
 * and file.
 */
enum status architecture_parse(struct architecture *architecture, const char *json,
                               size_t bytes, const char *where, struct error *error);
/* DIR/config.json, and DIR/generation_config.json for its end tokens if it is there. */
enum status architecture_open_directory(struct architecture *architecture,
                                        const char *directory, struct error *error);

/*
 * Appends a config.json that transformers (4 and 5) loads as the family's class (of
 * a text part: alone); `stored` is the dtype of the weights beside it. architecture_parse()
 * reads it back equal.
 */
void architecture_print_json(const struct architecture *architecture, enum dtype stored,
                             struct text_buffer *out);

/* The config.json of the directory `from` into `to`, for weights stored so: as it is but
 * for the dtype; of a text part its own. */
enum status architecture_copy_config(const char *from, const char *to, enum dtype stored,
                                     struct error *error);

/* "silu", "gelu_pytorch_tanh", …: as the family's files call the activation. */
const char *architecture_activation_name(const struct architecture *architecture);
/* How many layers have the window; in how many nothing turns. */
int64_t architecture_windowed_count(const struct architecture *architecture);
int64_t architecture_unturned_count(const struct architecture *architecture);

/* "LlamaForCausalLM", … */
const char *architecture_class_name(const struct architecture *architecture);

/* Of a layer; 0: attention reaches back to the first token. */
int64_t architecture_window(const struct architecture *architecture, int64_t layer);
/* R; 0 where positions are learned. */
int64_t architecture_rotary_size(const struct architecture *architecture);
/* How queries and keys of a layer turn: not at all, as architecture_rope_frequencies() has
 * it, or by window_rope_theta. */
enum turn { TURN_NONE, TURN_PLAIN, TURN_WINDOW };
enum turn architecture_turn(const struct architecture *architecture, int64_t layer);
/* What scores are multiplied by: attention_multiplier, or query_scalar^-1/2. */
double architecture_query_scale(const struct architecture *architecture);

/* What sets position_limit, for messages: the field of config.json. */
const char *architecture_limit_name(const struct architecture *architecture);

/*
 * frequencies [R / 2]: what a position is multiplied by, in the pairs of a head; rounded
 * to f32 where transformers rounds. Llama 3.1 (transformers, modeling_rope_utils.py) leaves
 * wavelengths 2 pi / f below original / high alone, divides f by the factor where they are
 * above original / low, and between goes from one to the other linearly in 1 / wavelength.
 * YaRN (Peng et al. 2023, arXiv:2309.00071) leaves pairs up to the one that turns beta_fast
 * times within the original limit alone, divides f by the factor from the one that turns
 * beta_slow times, and between goes from one to the other linearly in i; `truncate` widens
 * this to whole pairs.
 * ROPE_LONG (LongRoPE, Ding et al. 2024, arXiv:2402.13753, as Phi-3 has it) divides f_i by
 * short_factor_i, or by long_factor_i in a `longer` sequence; see below.
 */
void architecture_rope_frequencies(const struct architecture *architecture, bool longer,
                                   float *frequencies);

/*
 * Whether a sequence of `length` tokens has the long factors of ROPE_LONG at all of its
 * positions: beyond the original limit, as in transformers. Never with another kind.
 */
bool architecture_rope_longer(const struct architecture *architecture, int64_t length);

/*
 * What cosines and sines are multiplied by: 1, but with ROPE_YARN and ROPE_LONG
 * "attention_factor". Where that is not given, it is with ROPE_LONG
 * sqrt(1 + log(factor) / log(original)) where that is above 1; a factor that is not given
 * is position_limit / original. With ROPE_YARN it is m(1) = 1 + 0.1 log(factor), or
 * m(mscale) / m(mscale_all_dim), m(s) = 1 + 0.1 s log(factor), where both are given; m = 1
 * if the factor is below 1. As transformers 5 has it (modeling_rope_utils.py); 4 left
 * ROPE_LONG's "factor" unread, and in some versions took position_limit / original for
 * ROPE_YARN's.
 */
double architecture_rope_scale(const struct architecture *architecture);

/* How many weights there are; a tied lm_head is counted once. */
int64_t architecture_parameter_count(const struct architecture *architecture);

#endif
