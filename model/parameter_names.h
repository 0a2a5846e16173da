#ifndef HOLDFAST_MODEL_PARAMETER_NAMES_H
#define HOLDFAST_MODEL_PARAMETER_NAMES_H

#include "model/architecture.h"

/*
 * How the files of a family call its parameters, without ".weight" and ".bias":
 *
 *     prefix embedding                     model.embed_tokens     transformer.wte
 *     prefix block . number . module       model.layers.0.mlp.up_proj
 *     head                                 lm_head
 */
struct parameter_names {
    const char *prefix; /* of all but the head */
    const char *embedding;
    const char *positions; /* learned ones; NULL: none */
    const char *block;
    const char *last_norm;
    const char *attention_norm;
    const char *query_key_value[3]; /* one name where they are fused */
    const char *query_norm;
    const char *key_norm;
    const char *attention_out;
    const char *attention_post_norm; /* NULL: none */
    const char *feed_forward_norm;
    const char *gate_up[2]; /* one name where they are fused, or where there is no gate */
    const char *down;
    const char *feed_forward_post_norm; /* NULL: none */
    bool prefix_optional;               /* files may lack it in all names */
};

const struct parameter_names *parameter_names_of(const struct architecture *architecture);

#endif
