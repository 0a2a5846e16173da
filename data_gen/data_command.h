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
    double ratio;
    double contrast_ratio;
    double imperatives;
    int64_t count;
    struct string_list tenses;
    struct string_list splits;
    char *refusals;
    int64_t seed;
    int64_t split_seed;
    char *format;
    char *out;
    bool list_tenses;
    bool quiet;
};

extern const struct command_line data_command_line;

void data_options_defaults(struct data_options *options);

/*
 * Makes a mix and writes, each whole or not at all:
 *
 *     OUT                     mix.jsonl (data_gen/mix.h), or OpenAI's fine-tuning layout
 *     OUT less .jsonl + .manifest.json   seed, shares, counts, SHA-256 of sources and mix
 *     OUT less .jsonl + .test.csv        the harmful requests dealt to split "test", if any
 */
enum status data_run(const struct data_options *options, struct error *error);

/* `holdfast data`. Returns the exit code. */
int data_command(int argc, char **argv);

#endif
