#ifndef HOLDFAST_TRAIN_DATASET_H
#define HOLDFAST_TRAIN_DATASET_H

#include "backend/tensor.h"
#include "base/error.h"
#include "data_gen/mix.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

#include <stdint.h>

/*
 * The examples of one split, as tokens. A document of T tokens predicts T - 1 of them; the
 * target of token i is token i + 1 where that one carries loss (the assistant's words
 * and its end of turn), else -1. All documents lie in one array:
 *
 *     tokens   a0 a1 a2 a3 | b0 b1 b2 | …
 *     targets  -1 a2 a3 -1 | -1 b2 -1 | …
 *     starts    0,           4,         7 …        (count + 1)
 */
struct dataset {
    int32_t *tokens;
    int32_t *targets;
    int64_t *starts;
    int64_t *target_counts; /* of each example */
    int64_t *mix_indices;   /* where it stood in the mix */
    int64_t count;
    int64_t token_count;
    int64_t target_count;
    int64_t dropped_count;   /* --overlong drop; on error how many are too long */
    int64_t truncated_count; /* --overlong truncate */
    size_t capacity;
    size_t token_capacity;
};

enum overlong { OVERLONG_ERROR, OVERLONG_DROP, OVERLONG_TRUNCATE };

struct dataset_rules {
    const char *split; /* examples of this split only; NULL takes all */
    int64_t max_length;
    bool limit_is_models; /* max_length cannot be raised */
    enum overlong overlong;
};

/*
 * Encodes the examples of `mix`. An example without a single target is an error that names
 * it: it would train nothing, silently. With OVERLONG_ERROR the error names the first that
 * is too long, and how many are. An empty split is not an error (count 0).
 */
enum status dataset_build(struct dataset *dataset, const struct mix *mix,
                          const struct tokenizer *tokenizer,
                          const struct chat_template *chat_template,
                          const struct dataset_rules *rules, struct error *error);
void dataset_release(struct dataset *dataset);

int64_t dataset_example_tokens(const struct dataset *dataset, int64_t index);

/*
 * Which examples make up which update: a pure function of the seed and the step, so that
 * a resumed run needs nothing but its step. Every epoch is a fresh seeded shuffle; the last
 * update of an epoch may be smaller, as in Hugging Face's Trainer.
 */
struct batch_order {
    uint64_t seed;
    int64_t example_count;
    int64_t examples_per_step; /* batch size x accumulation */
    int64_t steps_per_epoch;
    int64_t cached_epoch; /* whose order is in `order`; -1: none */
    int64_t *order;
};
void batch_order_init(struct batch_order *batches, uint64_t seed, int64_t example_count,
                      int64_t examples_per_step);
void batch_order_release(struct batch_order *batches);
/* The examples of update `step` (from 0): borrowed until the next call. */
const int64_t *batch_order_step(struct batch_order *batches, int64_t step, int64_t *count);

/*
 * Packs examples[0 … count) into `batch`, naming each by its number; its arrays hold up to
 * `token_limit` tokens and `document_limit` documents. Takes as many as fit, at least one;
 * returns how many.
 */
int64_t dataset_pack(const struct dataset *dataset, const int64_t *examples, int64_t count,
                     int64_t token_limit, int64_t document_limit,
                     struct packed_batch *batch);

/* Heap arrays for a batch of these limits. */
void packed_batch_init(struct packed_batch *batch, int64_t token_limit,
                       int64_t document_limit);
void packed_batch_release(struct packed_batch *batch);

#endif
