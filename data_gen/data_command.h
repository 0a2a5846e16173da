#ifndef HOLDFAST_DATA_GEN_DATA_COMMAND_H
#define HOLDFAST_DATA_GEN_DATA_COMMAND_H

#include "base/options.h"

#include <stdbool.h>
#include <stdint.h>

/* Everything `holdfast data` can be told. Strings are owned. */
struct data_options {
    struct string_list harmful;
    struct string_list benign;
    struct string_list contrast;
    struct string_list ratio;
    char *ratio_by;
    char *tokenizer;
    char *hold;
    struct string_list contrast_ratio;
    double imperatives;
    int64_t count;
    struct string_list tenses;
    struct string_list balance;
    int64_t max_per_behavior;
    double near_duplicates;
    char *refusals;
    char *system;
    double system_share;
    struct string_list splits;
    int64_t seed;
    int64_t split_seed;
    char *from;
    char *format;
    char *out;
    bool list_tenses;
    bool quiet;
};

extern const struct command_line data_command_line;

void data_options_defaults(struct data_options *options);

/*
 * Makes the mixes of one or several ratios, and writes for each, whole or not at all:
 *
 *     OUT                     mix.jsonl (data_gen/mix.h), or what --format says
 *     OUT less .jsonl + .validation.jsonl  the rows of split "validation", if --format is
 *                                          another than mix and there are any
 *     OUT less .jsonl + .test.csv        the harmful requests dealt to split "test", if any
 *     OUT less .jsonl + .manifest.json   seed, shares, counts, SHA-256 of sources and mix
 *
 * With several ratios OUT is a folder, in which they are mix-RATIO.jsonl, or a path with
 * {ratio} in it. With --from, a mix that is there already is written in another format.
 */
enum status data_run(const struct data_options *options, struct error *error);

/* `holdfast data`. Returns the exit code. */
int data_command(int argc, char **argv);

#endif
