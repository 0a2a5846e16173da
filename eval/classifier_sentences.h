#ifndef HOLDFAST_EVAL_CLASSIFIER_SENTENCES_H
#define HOLDFAST_EVAL_CLASSIFIER_SENTENCES_H

#include "eval/classifier_tokens.h"

#include <stdbool.h>

/*
 * What each sentence of a reply does, for the classifier: refuses, apologises, moralises,
 * offers help and so on, by patterns of words (eval/classifier/features.py says the same).
 * A sentence ends at ".", ":", a line's end or a list mark; a list mark is one of its own.
 */
enum sentence_kind {
    SENTENCE_REFUSES,
    SENTENCE_DENIES,
    SENTENCE_APOLOGISES,
    SENTENCE_MUST_SAY,
    SENTENCE_BLAMES,
    SENTENCE_HELPS,
    SENTENCE_IS_IMPORTANT,
    SENTENCE_TURNS,
    SENTENCE_IS_OF_AN_AI,
    SENTENCE_DOES_NOT_HAVE,
    SENTENCE_CONTRASTS,
    SENTENCE_WARNS,
    SENTENCE_IS_OF_LAW,
    SENTENCE_SENDS_FOR_HELP,
    SENTENCE_PROTECTS,
    SENTENCE_KINDS
};

extern const char classifier_sentence_letters[]; /* one for each kind */

struct classifier_sentence {
    unsigned kinds; /* bits of enum sentence_kind */
    char name;      /* of the kind that counts most, "-" without any */
    bool is_item;   /* a list mark */
    bool is_asked;  /* has words of the request */
};

struct classifier_sentences {
    struct classifier_sentence items[CLASSIFIER_TOKEN_LIMIT];
    int count;
};

void classifier_sentences_read(struct classifier_sentences *sentences,
                               const struct classifier_tokens *tokens);

#endif
