#ifndef HOLDFAST_EVAL_CLASSIFIER_TABLE_H
#define HOLDFAST_EVAL_CLASSIFIER_TABLE_H

#include <stdint.h>

/*
 * The weights of the refusal classifier (eval/classifier/README.md), as its training script
 * writes them. A reply's score, in thousandths of a natural log-odds of "refused", is the
 * bias and the weight of each feature that it has; a feature is known by the FNV-1a hash
 * (64 bits) of its name, and the names stand in the comments of the table.
 */
struct classifier_weight {
    uint64_t hash;
    int32_t weight;
};

enum { CLASSIFIER_WEIGHT_LIMIT = 4096 };

extern const int32_t classifier_bias;
extern const struct classifier_weight classifier_weights[]; /* by hash */
/* The weights whose hash begins with byte b are [first[b], first[b + 1]). */
extern const uint16_t classifier_first[257];
extern const char *const classifier_lexicon[]; /* in the order of strcmp */
extern const int classifier_lexicon_count;

#endif
