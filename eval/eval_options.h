#ifndef HOLDFAST_EVAL_EVAL_OPTIONS_H
#define HOLDFAST_EVAL_EVAL_OPTIONS_H

#include "base/options.h"
#include "chat/hosted_options.h"
#include "eval/bench.h"
#include "eval/judge_options.h"

#include <stdbool.h>
#include <stdint.h>

/* Everything that `holdfast eval` can be told. Strings are owned. */
struct eval_options {
    char *model;
    char *behaviors;
    struct string_list benign;
    char *benign_past;
    char *benign_future;
    int64_t limit; /* 0: all */

    struct string_list attacks;
    int64_t attempts;
    char *stop;                 /* "first-hit" or "never" */
    bool fixed_attempts;        /* what stop says; set by eval_options_check() */
    char *reformulator;         /* NULL: rules */
    char *reformulation_prompt; /* NULL: the built-in one */
    int64_t reformulation_tries;
    double reformulator_price_in; /* NaN: not given */
    double reformulator_price_out;
    char *replay; /* NULL: none */
    double temperature;
    double top_p;
    int64_t max_tokens;
    double benign_temperature;
    int64_t seed;
    char *system; /* NULL: none */
    struct string_list trained_on;

    struct hosted_options hosted;
    bool dry_run;

    struct string_list judges; /* the first is the main one */
    char *confirm;             /* NULL: none */
    char *refusal_judge;
    struct judge_options judging;
    double unscored_limit;
    struct string_list fail_if;
    char *junit; /* NULL: none */

    char *out;
    bool resume;
    bool json;
    char *device;
    char *precision; /* auto, fp32, bf16 */
    int64_t threads;
    int64_t batch;
    bool quiet;
};

extern const struct command_line eval_command_line;

void eval_options_defaults(struct eval_options *options);

/* What options_parse() cannot know: ranges and names. Attacks and judges, if none are
 * given, become "past" and "rules". */
enum status eval_options_check(struct eval_options *options, struct error *error);

/* The judges that the options name; borrows from both. */
struct bench_plan eval_options_bench(const struct eval_options *options,
                                     const struct string_list *discriminated);

#endif
