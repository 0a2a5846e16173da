#ifndef HOLDFAST_EVAL_CLASSIFIER_TOKENS_H
#define HOLDFAST_EVAL_CLASSIFIER_TOKENS_H

#include <stdint.h>

/*
 * A reply as the classifier reads it: eval/classifier/features.py says how, and what it
 * gives is what this gives, token by token. Words of the lexicon stand for themselves;
 * others are <q> if the request says them too, else <w>, and several in a row are one.
 */
enum { CLASSIFIER_TOKEN_LIMIT = 400 };

struct classifier_tokens {
    const char
        *items[CLASSIFIER_TOKEN_LIMIT + 1]; /* "^" first; borrowed from static tables */
    int count;
    int words; /* of the reply, known or not */
    int said;  /* unknown words that the request has too */
};

void classifier_tokens_read(struct classifier_tokens *tokens, const char *request,
                            const char *reply);

#endif
