#ifndef HOLDFAST_DATA_GEN_DATA_RECIPE_H
#define HOLDFAST_DATA_GEN_DATA_RECIPE_H

#include "data_gen/data_command.h"
#include "data_gen/mix_export.h"
#include "data_gen/mix_recipe.h"

/* The options of `holdfast data`, checked and understood. */
struct data_recipe {
    struct mix_recipe recipe; /* borrows from the options and from here */
    enum mix_format format;
    struct string_list paths; /* where the mix of each ratio goes */
    double *ratios;
    double *contrast_ratios;
    struct tokenizer *tokenizer;
};

/* Errors are STATUS_USAGE and name the option, or come from the tokenizer. After an error
 * only data_recipe_close() may be called. */
enum status data_recipe_open(struct data_recipe *data, const struct data_options *options,
                             struct error *error);
void data_recipe_close(struct data_recipe *data);

/* --from goes only with --format, --out and --quiet. */
enum status data_options_check_from(const struct data_options *options,
                                    struct error *error);

#endif
