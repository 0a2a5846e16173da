#ifndef HOLDFAST_ABLATE_ABLATE_H
#define HOLDFAST_ABLATE_ABLATE_H

#include "base/error.h"
#include "base/options.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A sweep: data -> train -> eval for each refusal ratio and seed, each in a folder of its
 * own.
 *
 *     OUT/config.yaml                      the resolved options
 *     OUT/base/eval/                       the start model, for "before"
 *     OUT/ratio-0.02/seed-1/mix.jsonl      and its manifest
 *     OUT/ratio-0.02/seed-1/run/           training run
 *     OUT/ratio-0.02/seed-1/eval/          evaluation run
 *     OUT/sweep.json                       a row a run: rates with n and intervals
 *                                          and p-values against base and control
 *     OUT/report.html                      all runs side by side, with the trade-off
 * picture
 *
 * The mixes of a seed are made together and nested (data_gen/mix_build.h): models of two
 * ratios differ in the rows that were added, not in the draw.
 *
 * Stages that are finished are not run again with --resume; one that was cut off continues.
 */
struct ablate_options {
    char *model;
    struct string_list ratios;
    struct string_list seeds;
    struct string_list data;  /* NAME=VALUE for `holdfast data` */
    struct string_list train; /* … `holdfast train` */
    struct string_list eval;  /* … `holdfast eval` */
    char *out;
    bool resume;
    bool json;
    bool quiet;
};

/* STATUS_UNMEASURED or STATUS_GATE, where a run gave it, only after all runs are done. */
enum status ablate_run(const struct ablate_options *options, struct error *error);

/* `holdfast ablate`. Returns the exit code. */
int ablate_command(int argc, char **argv);

#endif
