#ifndef HOLDFAST_DATA_GEN_REFUSALS_H
#define HOLDFAST_DATA_GEN_REFUSALS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What the hardened model is taught to say. "fixed" is the one sentence of the paper's
 * fine-tuned models, "varied" a list of our own, and anything else a text file with one
 * refusal a line ("@FILE"), or the refusal itself.
 */
struct refusals {
    char **texts;
    size_t count;
    size_t capacity;
};

enum status refusals_open(struct refusals *refusals, const char *style,
                          struct error *error);
void refusals_release(struct refusals *refusals);

/* A function of seed and number alone. */
const char *refusals_pick(const struct refusals *refusals, uint64_t seed, uint64_t number);

#endif
