#ifndef HOLDFAST_EVAL_ATTACK_H
#define HOLDFAST_EVAL_ATTACK_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "text/tense.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * How a harmful request is put to the model: none (as it is), or in a tense of
 * text/tense.h. Attempt k of a behaviour is
 *
 *     tense_reformulate(request, tense, attack_seed(seed), k - 1)
 *
 * and a fresh one hashes the seed once more, so that it is not what was replayed. Training
 * mixes call tense_reformulate() with their --seed itself, attacks with a hash of
 * theirs, so that a model is never attacked by the very draw that it was trained on. Two
 * runs with equal --seed (before and after) face the same attacks.
 */
struct attack {
    const char *name; /* static */
    enum tense tense;
    bool fresh; /* "fresh:past": made anew although others are replayed (--replay) */
};

enum status attack_parse(struct attack *attack, const char *name, struct error *error);

uint64_t attack_seed(uint64_t seed);

/* Appends what attempt `attempt` (from 1) asks. */
void attack_request(const struct attack *attack, const char *request, uint64_t seed,
                    int64_t attempt, struct text_buffer *out);

#endif
