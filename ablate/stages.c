#include "ablate/stages.h"

#include "base/memory.h"
#include "base/text_buffer.h"
#include "data_gen/data_recipe.h"
#include "eval/eval_options.h"
#include "train/train_options.h"

#include <stdlib.h>
#include <string.h>

/* Whether the pair's name, of `length` bytes, is `name`, a '-' being a '_'. */
static bool names(const char *pair, size_t length, const char *name)
{
    if (strlen(name) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (pair[i] != name[i] && !(pair[i] == '-' && name[i] == '_'))
            return false;
    return true;
}

static enum status pair_apply(const struct command_line *stage, void *settings,
                              const char *pair, const struct override *own, size_t reserved,
                              struct error *error)
{
    const char *equals = strchr(pair, '=');
    if (!equals)
        return error_set(error, STATUS_USAGE, "'%s' for %s is not NAME=VALUE", pair,
                         stage->name);
    const size_t length = (size_t)(equals - pair);
    for (size_t i = 0; i < reserved; i++)
        if (names(pair, length, own[i].name))
            return error_set(error, STATUS_USAGE,
                             "%s: '%s' cannot be given: the sweep sets %s itself "
                             "('holdfast ablate --help')",
                             stage->name, pair, own[i].name);
    char *name = memory_duplicate_bytes(pair, length);
    enum status status = options_set(stage, settings, name, equals + 1, error);
    free(name);
    return status ? error_prefix(error, "%s", stage->name) : STATUS_OK;
}

enum status stage_settings(const struct command_line *stage, void *settings,
                           const struct string_list *pairs, const struct override *own,
                           size_t own_count, size_t reserved, struct error *error)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (pair_apply(stage, settings, pairs->items[i], own, reserved, error))
            return error->status;
    for (size_t i = 0; i < own_count; i++)
        if (options_set(stage, settings, own[i].name, own[i].value, error))
            return error->status;
    return STATUS_OK;
}

char *ratios_joined(const struct ablate_options *options)
{
    struct text_buffer text = {0};
    for (size_t i = 0; i < options->ratios.count; i++)
        text_buffer_appendf(&text, "%s%s", i ? "," : "", options->ratios.items[i]);
    return text_buffer_detach(&text);
}

static bool holds_out(const struct string_list *splits)
{
    for (size_t i = 0; i < splits->count; i++)
        if (text_starts_with(splits->items[i], "test:"))
            return true;
    return false;
}

static enum status data_check(const struct ablate_options *options, bool *holds,
                              struct error *error)
{
    struct data_options settings;
    struct data_recipe recipe = {0};
    char *ratios = ratios_joined(options);
    const struct override own[] = {{"ratio", ratios},
                                   {"seed", options->seeds.items[0]},
                                   {"out", "{ratio}"},
                                   {"quiet", "true"}};
    data_options_defaults(&settings);
    enum status status =
        stage_settings(&data_command_line, &settings, &options->data, own, 4, 4, error);
    if (!status && (status = data_recipe_open(&recipe, &settings, error)))
        error_prefix(error, "%s", data_command_line.name);
    *holds = holds_out(&settings.splits);
    data_recipe_close(&recipe);
    options_release(&data_command_line, &settings);
    free(ratios);
    return status;
}

static enum status train_check(const struct ablate_options *options, struct error *error)
{
    struct train_options settings;
    const struct override own[] = {{"model", options->model}, {"data", "mix.jsonl"},
                                   {"out", options->out},     {"seed", "1"},
                                   {"resume", "true"},        {"quiet", "true"}};
    train_options_defaults(&settings);
    enum status status =
        stage_settings(&train_command_line, &settings, &options->train, own, 6, 6, error);
    if (!status && (status = train_options_check(&settings, error)))
        error_prefix(error, "%s", train_command_line.name);
    options_release(&train_command_line, &settings);
    return status;
}

static enum status eval_check(const struct ablate_options *options, bool *asks_held_out,
                              struct error *error)
{
    struct eval_options settings;
    const struct override own[] = {{"model", options->model},
                                   {"out", options->out},
                                   {"resume", "true"},
                                   {"quiet", "true"}};
    eval_options_defaults(&settings);
    enum status status =
        stage_settings(&eval_command_line, &settings, &options->eval, own, 4, 4, error);
    *asks_held_out = !settings.behaviors;
    if (*asks_held_out)
        settings.behaviors = memory_duplicate_string("mix.test.csv");
    if (!status && (status = eval_options_check(&settings, error)))
        error_prefix(error, "%s", eval_command_line.name);
    options_release(&eval_command_line, &settings);
    return status;
}

/* Each a whole number, none twice: a run that counts twice makes intervals too small. */
static enum status seeds_check(const struct string_list *seeds, struct error *error)
{
    struct train_options settings;
    enum status status = STATUS_OK;
    train_options_defaults(&settings);
    for (size_t i = 0; i < seeds->count && !status; i++) {
        status =
            options_set(&train_command_line, &settings, "seed", seeds->items[i], error);
        for (size_t j = 0; j < i && !status; j++)
            if (strtoll(seeds->items[i], NULL, 10) == strtoll(seeds->items[j], NULL, 10))
                status = error_set(error, STATUS_USAGE, "--seeds: %s is named twice",
                                   seeds->items[i]);
    }
    options_release(&train_command_line, &settings);
    return status;
}

enum status stages_check(const struct ablate_options *options, bool *asks_held_out,
                         struct error *error)
{
    bool holds = false;
    if (seeds_check(&options->seeds, error) || data_check(options, &holds, error) ||
        train_check(options, error) || eval_check(options, asks_held_out, error))
        return error->status;
    if (*asks_held_out && !holds)
        return error_set(error, STATUS_USAGE,
                         "what are the models to be asked? Give --eval behaviors=SPEC, or "
                         "hold some of --data harmful=… out with --data "
                         "splits=train:0.5,test:0.5");
    return STATUS_OK;
}
