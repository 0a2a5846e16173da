#ifndef HOLDFAST_EVAL_RUN_ROUNDS_H
#define HOLDFAST_EVAL_RUN_ROUNDS_H

#include "base/log.h"
#include "chat/chat.h"
#include "chat/hosted_spending.h"
#include "eval/attack_words.h"
#include "eval/attempts.h"
#include "eval/bench.h"
#include "eval/eval_options.h"
#include "eval/leakage.h"
#include "eval/request_sets.h"

/* The rounds of an evaluation run (run.h): what run.c sets up, asked and judged. */
struct evaluation {
    const struct eval_options *options;
    struct request_sets sets;
    struct trained_on trained_on;
    struct leakage leakage; /* where trained_on names a file */
    struct chat *chat;
    struct file_log log;
    struct attempt_list attempts;
    struct attack_words words;
    struct bench bench;
    struct string_list discriminated; /* attacks that have a benign set beside them */
    struct spending spending;         /* of target and judges together */
    struct progress progress;
    int64_t done; /* attempts made, or not needed since a hit */
    int64_t hits;
    bool rewrites; /* attempts.jsonl holds failures whose attempts are made again */
};

/* Asks and judges until nothing is left to be asked; what is stored is judged first. */
enum status rounds_run(struct evaluation *evaluation, struct error *error);

/* Prints how much a run would ask. Nothing is asked and nothing is written. */
void rounds_estimate(struct evaluation *evaluation, struct text_buffer *shown);

/* Whether it is the set that is attacked. */
bool set_is_harmful(const struct request_set *set);

#endif
