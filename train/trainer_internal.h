#ifndef HOLDFAST_TRAIN_TRAINER_INTERNAL_H
#define HOLDFAST_TRAIN_TRAINER_INTERNAL_H

#include "base/file.h"
#include "checkpoints/training_data.h"
#include "model/transformer.h"
#include "optim/adamw.h"
#include "optim/schedule.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/metrics.h"
#include "train/ranks.h"
#include "train/train_options.h"

/*
 * The parts of a run: what it is opened from (trainer_open.c), what one update does
 * (update.c), and the whole course of it (trainer.c).
 */

/* Everything a run holds; all zero is an empty one, safe to release. */
struct trainer {
    const struct train_options *options;
    struct ranks ranks;
    struct backend *backend;
    struct mix mix;
    struct {
        char *first_missing;        /* of --out, before it was made; NULL: it was there */
        bool made;                  /* by this run, as rank 0 */
        bool had_config, had_start; /* before */
    } out;
    char *start;    /* directory with config.json and tokenizer */
    bool text_part; /* of a model of images too (model/architecture.h) */
    struct tokenizer *tokenizer;
    struct chat_template *chat_template;
    struct dataset examples;
    struct dataset validation;
    struct transformer *model;
    struct adamw adamw;
    struct schedule schedule;
    struct batch_order batches;
    struct packed_batch batch;
    int64_t token_limit; /* of one packed batch */
    int64_t longest;     /* example, in tokens */
    int64_t total_steps;
    struct cross_entropy_sums *sums; /* one for each packed batch of an update */
    struct file_log metrics;
    struct metrics_line pending;     /* of the last update, to be written; step 0: none */
    struct training_data trained_on; /* of the start model, and this run's own */
    char identity[SHA256_HEX_BYTES];
};

/* Tokenizer, template and examples: all that --show needs. */
enum status trainer_open_data(struct trainer *trainer, struct architecture *architecture,
                              struct error *error);
/* Order and number of updates, the schedule, and the size of a batch. */
void trainer_plan(struct trainer *trainer, int64_t channels);
/* A hash over all that decides the final weights: not over paths, threads, logging, nor
 * the number of ranks. */
enum status trainer_make_identity(struct trainer *trainer, struct error *error);
/* Where checkpoints go, and what their settings are. Borrows all of it. */
struct checkpoint_place trainer_checkpoint_place(const struct trainer *trainer);
/* Model and optimiser, as they were at `checkpoint` (NULL: at the start). */
enum status trainer_open_model(struct trainer *trainer, const char *checkpoint,
                               const struct architecture *architecture,
                               struct error *error);

/* Writes the pending line of metrics, if there is one, on rank 0. */
enum status trainer_report(struct trainer *trainer, struct error *error);
/* Update `step` (from 0) of the weights, and what there is to say about it. The update
 * before is reported on the way, while the device computes. */
enum status trainer_update(struct trainer *trainer, int64_t step, struct metrics_line *line,
                           struct error *error);
/* The loss on the validation split. */
enum status trainer_validate(struct trainer *trainer, struct metrics_line *line,
                             struct error *error);

#endif
