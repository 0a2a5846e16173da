#ifndef HOLDFAST_EVAL_CLASSIFIER_TABLE_H
#define HOLDFAST_EVAL_CLASSIFIER_TABLE_H

#include <stdint.h>

/*
 * The weights of the refusal classifier (eval/classifier/README.md), as its training script
 * writes them to eval/classifier/weights.bin, which is part of the binary. All numbers are
 * little-endian:
 *
 *     bias     int32
 *     count    uint32, at most CLASSIFIER_WEIGHT_LIMIT
 *     first    uint16 [257]: hashes that begin with byte b are [first[b], first[b + 1])
 *     hashes   uint64 [count], ascending: FNV-1a of the feature's name
 *     weights  int16 [count]
 *
 * A reply's score, in thousandths of a natural log-odds of "refused", is the bias and the
 * weight of each feature that it has.
 */
enum { CLASSIFIER_WEIGHT_LIMIT = 4096 };

int32_t classifier_bias(void);
int classifier_weight_count(void);
int classifier_weight_first(int top); /* 0 to 256 */
uint64_t classifier_weight_hash(int index);
int32_t classifier_weight(int index);

/* The weight's index, -1 if there is none for the hash. */
int classifier_weight_find(uint64_t hash);

/* What eval/classifier/lexicon.txt has, in the order of strcmp. */
extern const char *const classifier_lexicon[];
extern const int classifier_lexicon_count;

#endif
