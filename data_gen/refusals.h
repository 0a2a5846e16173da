#ifndef HOLDFAST_DATA_GEN_REFUSALS_H
#define HOLDFAST_DATA_GEN_REFUSALS_H

#include "base/error.h"
#include "base/options.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the hardened model is taught to say:
 *
 *     fixed         the one sentence of the paper's fine-tuned models
 *     varied        one of a list of our own
 *     alternative   a refusal, then an offer to talk about a harmless subject near the
 *                   request's category (refusal_subjects); of an unknown category, about
 *                   something else
 *     @FILE         one of the file's lines
 *     a sentence    itself
 */
struct refusals {
    struct string_list texts;
    bool alternative; /* texts are openings: an offer follows */
};

enum status refusals_open(struct refusals *refusals, const char *style,
                          struct error *error);
void refusals_release(struct refusals *refusals);

/* Appends the refusal: a function of seed, number and category alone. */
void refusals_write(const struct refusals *refusals, uint64_t seed, uint64_t number,
                    const char *category, struct text_buffer *out);

/* The lists of our own, NULL at the end. */
extern const char *const refusals_varied[];
extern const char *const refusals_openings[];
extern const char *const refusals_offers[];       /* each with one "%s" for the subject */
extern const char *const refusals_plain_offers[]; /* of an unknown category */

/*
 * Harmless subjects near a category, NULL at the end; NULL if the category is not known.
 * A category is known by a word in it, in any case: JailbreakBench's ten, HarmBench's,
 * StrongREJECT's and names like them.
 */
const char *const *refusal_subjects(const char *category);

#endif
