#ifndef HOLDFAST_DATA_GEN_MIX_RECIPE_H
#define HOLDFAST_DATA_GEN_MIX_RECIPE_H

#include "base/options.h"
#include "text/tense.h"
#include "text/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How mixes are made: what `holdfast data` is told, checked. All pointers are borrowed. */

enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST, SPLIT_COUNT };
extern const char *const split_names[SPLIT_COUNT]; /* train, validation, test */

/* What a source is for, and what its examples are called in a mix. */
enum mix_role { ROLE_HARMFUL, ROLE_CONTRAST, ROLE_BENIGN, ROLE_COUNT };
extern const char *const role_names[ROLE_COUNT]; /* harmful, contrast, benign */
extern const char *const kind_names[ROLE_COUNT]; /* refusal, contrast, benign */

/* What the refusals' ratio is a share of. */
enum mix_measure {
    MEASURE_EXAMPLES,
    MEASURE_TOKENS,        /* of all messages */
    MEASURE_TARGET_TOKENS, /* of the assistant's messages: those that are trained on */
    MEASURE_COUNT
};
extern const char *const measure_names[MEASURE_COUNT];

/*
 * What mixes of several ratios have in common. HOLD_COUNT: their size; refusals take the
 * place of benign chats. HOLD_BENIGN: the benign chats; refusals are added to them, and a
 * smaller mix is contained in a larger one as a whole.
 */
enum mix_hold { HOLD_COUNT, HOLD_BENIGN };

struct tense_share {
    enum tense tense;
    double share;
};

struct mix_recipe {
    const struct string_list *sources[ROLE_COUNT]; /* specs: data_gen/source.h */
    const double *ratios;                          /* [ratio_count] of refusals */
    size_t ratio_count;
    enum mix_measure measure;
    enum mix_hold hold;
    /* [1] of all contrast sources together, or [sources[ROLE_CONTRAST]->count] */
    const double *contrast_ratios;
    size_t contrast_ratio_count;
    struct tense_share tenses[TENSE_COUNT]; /* shares sum to 1 */
    size_t tense_count;
    bool tense_shares_given; /* then they are kept, or it is an error */
    double imperatives;      /* share of the benign questions asked as imperatives */
    int64_t count;           /* of the largest mix */
    double split_shares[SPLIT_COUNT];  /* sum 1 */
    const char *refusals;              /* style: data_gen/refusals.h */
    bool balance[ROLE_COUNT];          /* categories in turn */
    int64_t max_per_behavior;          /* 0: no limit */
    double near_duplicates;            /* threshold of data_gen/near_duplicates.h; 0: off */
    const char *system;                /* a prompt, or @FILE with one a line; NULL: none */
    double system_share;               /* of the examples that have none of their own */
    const struct tokenizer *tokenizer; /* NULL: tokens are not counted */
    uint64_t seed;
    uint64_t split_seed; /* of the deal alone: other seeds keep the same split */
};

#endif
