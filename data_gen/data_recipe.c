#include "data_gen/data_recipe.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_share(double value)
{
    return value >= 0 && value <= 1;
}

/* "NAME:SHARE" -> the length of NAME, and SHARE; NaN without one. False if it is no number.
 */
static bool named_share_read(const char *text, size_t *name_length, double *share)
{
    *name_length = strcspn(text, ":");
    *share = (double)NAN;
    return text[*name_length] == '\0' || text_parse_number(text + *name_length + 1, share);
}

static enum status tense_add(struct mix_recipe *recipe, const char *text,
                             struct error *error)
{
    size_t length = 0;
    struct tense_share *entry = &recipe->tenses[recipe->tense_count];
    if (!named_share_read(text, &length, &entry->share) ||
        !(isnan(entry->share) || is_share(entry->share)))
        return error_set(error, STATUS_USAGE,
                         "--tenses %s: it is NAME or NAME:SHARE, e.g. past:0.6", text);
    char *name = memory_duplicate_bytes(text, length);
    enum status status = tense_parse(&entry->tense, name, error);
    free(name);
    if (status)
        return error_prefix(error, "--tenses");
    for (size_t i = 0; i < recipe->tense_count; i++)
        if (recipe->tenses[i].tense == entry->tense)
            return error_set(error, STATUS_USAGE, "--tenses: %s is named twice",
                             tense_name(entry->tense));
    recipe->tense_count++;
    return STATUS_OK;
}

static enum status tenses_read(struct mix_recipe *recipe, const struct string_list *names,
                               struct error *error)
{
    double sum = 0;
    size_t given = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (recipe->tense_count == TENSE_COUNT)
            return error_set(error, STATUS_USAGE, "--tenses: a tense is named twice");
        if (tense_add(recipe, names->items[i], error))
            return error->status;
        given += !isnan(recipe->tenses[i].share);
        sum += isnan(recipe->tenses[i].share) ? 0 : recipe->tenses[i].share;
    }
    if (names->count == 0)
        return error_set(error, STATUS_USAGE, "--tenses is empty");
    recipe->tense_shares_given = given > 0;
    if (given && (given < names->count || !(fabs(sum - 1) < 1e-9)))
        return error_set(error, STATUS_USAGE,
                         "--tenses: either no tense has a share or all have, and they sum "
                         "to 1 (here %g)",
                         sum);
    for (size_t i = 0; i < recipe->tense_count && !given; i++)
        recipe->tenses[i].share = 1 / (double)recipe->tense_count;
    return STATUS_OK;
}

static int split_number(const char *name, size_t length)
{
    for (int i = 0; i < SPLIT_COUNT; i++)
        if (strlen(split_names[i]) == length && strncmp(split_names[i], name, length) == 0)
            return i;
    return -1;
}

static enum status splits_read(struct mix_recipe *recipe, const struct string_list *splits,
                               struct error *error)
{
    double sum = 0;
    for (size_t i = 0; i < splits->count; i++) {
        const char *text = splits->items[i];
        const size_t length = strcspn(text, ":");
        const int split = split_number(text, length);
        char *end = NULL;
        const double share = text[length] ? strtod(text + length + 1, &end) : 0;
        if (split < 0 || !end || *end || end == text + length + 1 || !(share > 0))
            return error_set(error, STATUS_USAGE,
                             "--splits %s: it is NAME:SHARE with NAME train, validation or "
                             "test, e.g. train:0.8,test:0.2",
                             text);
        recipe->split_shares[split] += share;
        sum += share;
    }
    if (!(fabs(sum - 1) < 1e-9))
        return error_set(error, STATUS_USAGE, "--splits: the shares sum to %g, not to 1",
                         sum);
    if (!(recipe->split_shares[SPLIT_TEST] < 1))
        return error_set(error, STATUS_USAGE, "--splits: everything is held out as test");
    return STATUS_OK;
}

static enum status numbers_read(double **numbers, const struct string_list *list,
                                const char *name, struct error *error)
{
    *numbers = memory_allocate_array(list->count + 1, sizeof **numbers);
    for (size_t i = 0; i < list->count; i++)
        if (!text_parse_number(list->items[i], &(*numbers)[i]) || !is_share((*numbers)[i]))
            return error_set(error, STATUS_USAGE,
                             "--%s %s: it is a share from 0 to 1 (a tenth is 0.1)", name,
                             list->items[i]);
    return STATUS_OK;
}

static enum status ratios_read(struct data_recipe *data, const struct data_options *options,
                               struct error *error)
{
    struct mix_recipe *recipe = &data->recipe;
    if (numbers_read(&data->ratios, &options->ratio, "ratio", error) ||
        numbers_read(&data->contrast_ratios, &options->contrast_ratio, "contrast-ratio",
                     error))
        return error->status;
    recipe->ratios = data->ratios;
    recipe->ratio_count = options->ratio.count;
    recipe->contrast_ratios = data->contrast_ratios;
    recipe->contrast_ratio_count = options->contrast_ratio.count;
    if (recipe->ratio_count == 0 || recipe->contrast_ratio_count == 0)
        return error_set(error, STATUS_USAGE,
                         "--ratio and --contrast-ratio must not be empty");
    for (size_t i = 0; i < recipe->ratio_count; i++)
        for (size_t j = 0; j < i; j++)
            if (!(recipe->ratios[i] < recipe->ratios[j]) &&
                !(recipe->ratios[i] > recipe->ratios[j]))
                return error_set(error, STATUS_USAGE, "--ratio: %g is named twice",
                                 recipe->ratios[i]);
    return STATUS_OK;
}

static double sum_of(const double *numbers, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += numbers[i];
    return sum;
}

/* Whether the shares can be had together, from sources that are named. */
static enum status shares_check(const struct mix_recipe *recipe, struct error *error)
{
    const size_t contrast_sources = recipe->sources[ROLE_CONTRAST]->count;
    const double contrast = sum_of(recipe->contrast_ratios, recipe->contrast_ratio_count);
    if (recipe->contrast_ratio_count > 1 &&
        recipe->contrast_ratio_count != contrast_sources)
        return error_set(error, STATUS_USAGE,
                         "--contrast-ratio gives %zu shares for %zu --contrast sources: "
                         "give one for all, or one for each",
                         recipe->contrast_ratio_count, contrast_sources);
    if (contrast > 0 && contrast_sources == 0)
        return error_set(error, STATUS_USAGE, "--contrast-ratio needs --contrast SPEC");
    if (contrast <= 0 && contrast_sources > 0)
        log_warning("--contrast-ratio is 0: nothing of --contrast is taken");
    for (size_t i = 0; i < recipe->ratio_count; i++) {
        const double ratio = recipe->ratios[i];
        if (ratio + contrast > 1 + 1e-9)
            return error_set(error, STATUS_USAGE,
                             "--ratio %g and --contrast-ratio %g are more than 1 together",
                             ratio, contrast);
        if (recipe->hold == HOLD_BENIGN && ratio + contrast > 1 - 1e-9)
            return error_set(error, STATUS_USAGE,
                             "--hold benign: --ratio %g leaves no benign chats to hold",
                             ratio);
        if (ratio > 0 && recipe->sources[ROLE_HARMFUL]->count == 0)
            return error_set(error, STATUS_USAGE,
                             "--ratio %g needs requests to refuse: --harmful SPEC", ratio);
        if (ratio + contrast < 1 - 1e-9 && recipe->sources[ROLE_BENIGN]->count == 0)
            return error_set(error, STATUS_USAGE,
                             "chats to mix in are missing: --benign SPEC");
    }
    return STATUS_OK;
}

/* The place of `text` in `names`, or -1. */
static int name_find(const char *const *names, int count, const char *text)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

static enum status choices_read(struct mix_recipe *recipe,
                                const struct data_options *options, struct error *error)
{
    static const char *const holds[] = {"count", "benign"};
    const int measure = name_find(measure_names, MEASURE_COUNT, options->ratio_by);
    const int hold = name_find(holds, 2, options->hold);
    if (measure < 0)
        return error_set(error, STATUS_USAGE,
                         "--ratio-by %s: it is examples, tokens or target-tokens",
                         options->ratio_by);
    if (hold < 0)
        return error_set(error, STATUS_USAGE, "--hold %s: it is count or benign",
                         options->hold);
    if (measure != MEASURE_EXAMPLES && !options->tokenizer)
        return error_set(error, STATUS_USAGE,
                         "--ratio-by %s needs a tokenizer to count with: --tokenizer DIR, "
                         "the directory of the model that will be trained",
                         options->ratio_by);
    recipe->measure = (enum mix_measure)measure;
    recipe->hold = (enum mix_hold)hold;
    for (size_t i = 0; i < options->balance.count; i++) {
        const int role = name_find(role_names, ROLE_COUNT, options->balance.items[i]);
        if (role < 0)
            return error_set(error, STATUS_USAGE,
                             "--balance %s: it is harmful, benign or contrast",
                             options->balance.items[i]);
        recipe->balance[role] = true;
    }
    return STATUS_OK;
}

static enum status numbers_check(const struct data_options *options, struct error *error)
{
    if (options->count < 1)
        return error_set(error, STATUS_USAGE, "--count must be at least 1");
    if (options->max_per_behavior < 0)
        return error_set(error, STATUS_USAGE, "--max-per-behavior must not be negative");
    if (!is_share(options->imperatives) || !is_share(options->system_share))
        return error_set(error, STATUS_USAGE,
                         "--imperatives and --system-share are shares from 0 to 1");
    if (!(options->near_duplicates == 0 ||
          (options->near_duplicates >= 0.3 && options->near_duplicates <= 1)))
        return error_set(
            error, STATUS_USAGE,
            "--near-duplicates %g: it is a Jaccard index from 0.3 to 1 (0.8 is "
            "usual), or 0 for none",
            options->near_duplicates);
    if (options->system_share < 1 && !options->system)
        return error_set(error, STATUS_USAGE, "--system-share needs --system TEXT");
    return STATUS_OK;
}

static void ratio_path_add(struct string_list *paths, const char *out, const char *ratio)
{
    static const char place[] = "{ratio}";
    struct text_buffer path = {0};
    const char *at = strstr(out, place);
    if (!at) {
        char *name;
        text_buffer_appendf(&path, "mix-%s.jsonl", ratio);
        name = path_join(out, text_buffer_string(&path));
        string_list_add(paths, name);
        free(name);
    } else {
        for (; at; out = at + strlen(place), at = strstr(out, place)) {
            text_buffer_append_bytes(&path, out, (size_t)(at - out));
            text_buffer_append(&path, ratio);
        }
        text_buffer_append(&path, out);
        string_list_add(paths, text_buffer_string(&path));
    }
    text_buffer_release(&path);
}

static enum status paths_make(struct data_recipe *data, const struct data_options *options,
                              struct error *error)
{
    const char *out = options->out;
    if (!out)
        return error_set(error, STATUS_USAGE, "--out MIX.jsonl is missing");
    const bool has_place = strstr(out, "{ratio}") != NULL;
    const bool is_folder = text_ends_with(out, "/") || file_is_directory(out);
    if (options->ratio.count == 1 && !has_place && !is_folder) {
        string_list_add(&data->paths, out);
        return STATUS_OK;
    }
    if (!has_place && !is_folder && text_ends_with(out, ".jsonl"))
        return error_set(error, STATUS_USAGE,
                         "--out %s: several ratios need a folder, or a path with {ratio} "
                         "in it, e.g. mix-{ratio}.jsonl",
                         out);
    for (size_t i = 0; i < options->ratio.count; i++)
        ratio_path_add(&data->paths, out, options->ratio.items[i]);
    return STATUS_OK;
}

enum status data_recipe_open(struct data_recipe *data, const struct data_options *options,
                             struct error *error)
{
    *data =
        (struct data_recipe){.recipe = {.sources = {[ROLE_HARMFUL] = &options->harmful,
                                                    [ROLE_BENIGN] = &options->benign,
                                                    [ROLE_CONTRAST] = &options->contrast},
                                        .imperatives = options->imperatives,
                                        .count = options->count,
                                        .refusals = options->refusals,
                                        .max_per_behavior = options->max_per_behavior,
                                        .near_duplicates = options->near_duplicates,
                                        .system = options->system,
                                        .system_share = options->system_share,
                                        .seed = (uint64_t)options->seed,
                                        .split_seed = (uint64_t)options->split_seed}};
    struct mix_recipe *recipe = &data->recipe;
    if (paths_make(data, options, error) || numbers_check(options, error) ||
        ratios_read(data, options, error) || choices_read(recipe, options, error) ||
        shares_check(recipe, error) || tenses_read(recipe, &options->tenses, error) ||
        splits_read(recipe, &options->splits, error) ||
        mix_format_parse(&data->format, options->format, error))
        return error->status;
    if (options->tokenizer &&
        tokenizer_open_directory(&data->tokenizer, options->tokenizer, error))
        return error->status;
    recipe->tokenizer = data->tokenizer;
    return STATUS_OK;
}

void data_recipe_close(struct data_recipe *data)
{
    string_list_release(&data->paths);
    free(data->ratios);
    free(data->contrast_ratios);
    tokenizer_free(data->tokenizer);
    *data = (struct data_recipe){0};
}

enum status data_options_check_from(const struct data_options *options, struct error *error)
{
    struct data_options defaults;
    struct data_options others = *options;
    struct text_buffer given = {0};
    struct text_buffer plain = {0};
    if (!options->out)
        return error_set(error, STATUS_USAGE, "--out PATH is missing");
    data_options_defaults(&defaults);
    others.from = NULL;
    others.format = defaults.format;
    others.out = NULL;
    others.quiet = false;
    options_print_yaml(&data_command_line, &others, &given);
    options_print_yaml(&data_command_line, &defaults, &plain);
    const bool same = strcmp(text_buffer_string(&given), text_buffer_string(&plain)) == 0;
    options_release(&data_command_line, &defaults);
    text_buffer_release(&given);
    text_buffer_release(&plain);
    return same ? STATUS_OK
                : error_set(error, STATUS_USAGE,
                            "--from writes a mix as it is: only --format and --out go with "
                            "it");
}
