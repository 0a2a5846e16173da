#ifndef HOLDFAST_TRAIN_TRAIN_OPTIONS_H
#define HOLDFAST_TRAIN_TRAIN_OPTIONS_H

#include "base/options.h"
#include "model/lora.h"
#include "optim/adamw.h"
#include "optim/schedule.h"

#include <stdbool.h>
#include <stdint.h>

/* Everything that `holdfast train` can be told. Strings are owned. */
struct train_options {
    char *model;     /* directory to start from */
    char *init;      /* config.json to start from with random weights */
    char *tokenizer; /* with init: a directory; NULL learns one from the data */
    char *data;
    struct string_list held_out; /* lists that must not stand in the data */
    bool allow_leak;
    char *out;
    bool resume;

    int64_t lora; /* rank; 0: all weights */
    double lora_alpha;
    char *lora_targets;
    double lora_dropout;
    bool rslora;
    bool dora;
    char *quantize; /* none, nf4: the frozen weights */

    double epochs;
    int64_t step_limit; /* 0: from epochs */
    int64_t batch_size;
    int64_t accumulation;
    int64_t batch_tokens;
    int64_t max_length;
    char *overlong; /* error, drop, truncate */

    double lr;
    char *schedule;
    double warmup; /* below 1: share of all steps; else steps */
    double lr_floor;
    double decay_share; /* wsd */
    double beta1;
    double beta2;
    double epsilon;
    double weight_decay;
    double clip_norm;
    double label_smoothing;

    int64_t seed;
    bool recompute;
    char *moments;       /* f32, bf16, 8bit */
    char *shard;         /* optimizer, full: what several processes share out */
    char *masters;       /* fp32, none */
    double rank_wait;    /* seconds, of several processes: for all to come */
    double rank_silence; /* and for one that moves nothing; 0: for ever */
    int64_t save_every;
    int64_t keep;
    int64_t validate_every;
    char *save_dtype;
    char *device;
    char *precision; /* auto, fp32, bf16, fp8 */
    int64_t threads;
    int64_t show;
    bool quiet;
};

extern const struct command_line train_command_line;

void train_options_defaults(struct train_options *options);

/* What options_parse() cannot know: combinations, ranges, names. */
enum status train_options_check(const struct train_options *options, struct error *error);

/* The optimiser's and the schedule's part; `total_steps` and channels (noam) are known
 * late. */
/* rank 0 without --lora */
struct lora_options train_lora_options(const struct train_options *options);
bool train_sharded(const struct train_options *options);
bool train_quantized(const struct train_options *options);
struct adamw_options train_adamw_options(const struct train_options *options);
struct schedule train_schedule(const struct train_options *options, int64_t total_steps,
                               int64_t channels);

#endif
