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

/*
 * How a model of images too calls a tensor of its text part, model.norm.weight or
 * lm_head.weight: as a model within it, which is how files have it; or as its modules lie
 * since transformers 4.52, whose names adapters go by.
 *
 *     WHOLE_MODEL       language_model.model.norm.weight    language_model.lm_head.weight
 *     WHOLE_MODULES     model.language_model.norm.weight    lm_head.weight
 */
enum whole_spelling { WHOLE_MODEL, WHOLE_MODULES, WHOLE_SPELLINGS };
char *name_in_whole(const char *name, enum whole_spelling spelling); /* heap */
/* The other way round, from either spelling; NULL: `name` is neither's. */
char *name_in_text(const char *name); /* heap */
/* Whether it is of the part that sees. */
bool name_of_images(const char *name);

#endif
