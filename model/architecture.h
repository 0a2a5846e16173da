#ifndef HOLDFAST_MODEL_ARCHITECTURE_H
#define HOLDFAST_MODEL_ARCHITECTURE_H

#include "base/dtype.h"
#include "base/error.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What kind of transformer a config.json describes. One forward serves all families:
 * what differs between them is data here. A family, or a field that would change the
 * result, that is not known is an error that names it.
 */
struct architecture {
    char model_type[32];     /* "llama" */
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
    double initializer_range; /* standard deviation for --init */
    bool tied_embeddings;     /* tie_word_embeddings */
    int32_t bos_token;        /* -1 if none */
    int32_t eos_tokens[8];    /* config.json and generation_config.json together */
    int32_t eos_token_count;
};

/*
 * Reads both spellings, transformers 4 (rope_theta, rope_scaling, torch_dtype) and 5
 * (rope_parameters, dtype). What a file leaves out has the default of LlamaConfig, except
 * the bos and eos tokens: absent is none. `where` names the text in messages.
 *
 * Errors: STATUS_UNSUPPORTED for a field whose value this program does not compute (other
 * families, rope scaling, biases, sliding windows, quantised weights …), STATUS_FORMAT for
 * a missing field, a wrong type or a size out of range; both name field and file.
 */
enum status architecture_parse(struct architecture *architecture, const char *json,
                               size_t bytes, const char *where, struct error *error);
/* DIR/config.json, and DIR/generation_config.json for its end tokens if it is there. */
enum status architecture_open_directory(struct architecture *architecture,
                                        const char *directory, struct error *error);

/*
 * Appends a config.json that transformers (4 and 5) loads as a LlamaForCausalLM;
 * `stored` is the dtype of the weights beside it. architecture_parse() reads it back equal.
 */
void architecture_print_json(const struct architecture *architecture, enum dtype stored,
                             struct text_buffer *out);

/* How many weights there are; a tied lm_head is counted once. */
int64_t architecture_parameter_count(const struct architecture *architecture);

#endif
