#ifndef HOLDFAST_DATA_GEN_MIX_WRITE_H
#define HOLDFAST_DATA_GEN_MIX_WRITE_H

#include "base/error.h"
#include "data_gen/data_command.h"
#include "data_gen/mix_build.h"

/* Writes the mix, its manifest and the held-out requests, as data_command.h says. */
enum status mix_build_write(struct mix_build *build, const struct mix_recipe *recipe,
                            const struct data_options *options, struct error *error);

/* The file beside a mix: "dir/mix.jsonl" and ".test.csv" give "dir/mix.test.csv"; owned. */
char *mix_path_beside(const char *mix, const char *ending);

#endif
