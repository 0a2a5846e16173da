#ifndef HOLDFAST_MODEL_SAMPLER_H
#define HOLDFAST_MODEL_SAMPLER_H

#include "base/random.h"
#include "model/generator.h"

#include <stdint.h>

/*
 * Draws one token from logits z [count]:
 *
 *     p_i = exp((z_i - max z) / temperature)
 *     nucleus: the tokens with p_i >= t, t the greatest threshold for which they hold at
 *              least top_p of the mass (Holtzman et al. 2020, arXiv:1904.09751); tokens
 *              of equal p are all in it or all out
 *
 * Temperature 0 takes the greatest logit, of equal ones the smallest id, and draws
 * nothing; else one random_double() is drawn. Sums run in double in the order of ids.
 *
 * logits: used as scratch. Returns -1 if a logit is NaN or the greatest is not finite.
 */
int32_t sample_token(float *logits, int64_t count, const struct sampling *sampling,
                     struct random *random);

#endif
