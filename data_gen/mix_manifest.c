#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "data_gen/mix_write.h"
#include "data_gen/near_duplicates.h"

#include <stdlib.h>
#include <string.h>

/* In the order in which people read them. */
static const enum mix_role roles[ROLE_COUNT] = {ROLE_HARMFUL, ROLE_BENIGN, ROLE_CONTRAST};

struct mix_counts {
    int64_t of[SPLIT_COUNT][ROLE_COUNT][TENSE_COUNT];
};

static void counts_make(struct mix_counts *counts, const struct mix_cut *cut)
{
    *counts = (struct mix_counts){0};
    for (size_t i = 0; i < cut->count; i++) {
        const struct mix_row *row = cut->rows[i];
        for (int tense = 0; tense < TENSE_COUNT; tense++)
            counts->of[row->split][row->role][tense] +=
                strcmp(row->example.tense, tense_name((enum tense)tense)) == 0;
    }
}

/* {"train":{"refusal":{"past":150},"benign":{"none":…},…},…} */
static void counts_write(struct json_writer *json, const struct mix_cut *cut)
{
    struct mix_counts counts;
    counts_make(&counts, cut);
    json_object_begin(json, "counts");
    for (int split = 0; split < SPLIT_COUNT; split++) {
        json_object_begin(json, split_names[split]);
        for (int i = 0; i < ROLE_COUNT; i++) {
            json_object_begin(json, kind_names[roles[i]]);
            for (int tense = 0; tense < TENSE_COUNT; tense++)
                if (counts.of[split][roles[i]][tense])
                    json_integer(json, tense_name((enum tense)tense),
                                 counts.of[split][roles[i]][tense]);
            json_object_end(json);
        }
        json_object_end(json);
    }
    json_object_end(json);
}

static int category_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* {"refusal":{"Fraud":12,…},"benign":{…},"contrast":{…}} */
static void categories_write(struct json_writer *json, const struct mix_cut *cut)
{
    const char **names = memory_allocate_array(cut->count + 1, sizeof *names);
    json_object_begin(json, "categories");
    for (int i = 0; i < ROLE_COUNT; i++) {
        size_t count = 0;
        for (size_t j = 0; j < cut->count; j++)
            if (cut->rows[j]->role == roles[i])
                names[count++] = cut->rows[j]->example.category;
        qsort(names, count, sizeof *names, category_compare);
        json_object_begin(json, kind_names[roles[i]]);
        for (size_t j = 0, first = 0; j < count; j++) {
            if (j + 1 < count && strcmp(names[j], names[j + 1]) == 0)
                continue;
            json_integer(json, names[j], (int64_t)(j + 1 - first));
            first = j + 1;
        }
        json_object_end(json);
    }
    json_object_end(json);
    free(names);
}

/* Of the texts alone: what a chat template adds is not counted. */
static void tokens_write(struct json_writer *json, const struct mix_cut *cut)
{
    json_object_begin(json, "tokens");
    for (int i = 0; i < ROLE_COUNT; i++) {
        int64_t tokens = 0;
        int64_t target_tokens = 0;
        for (size_t j = 0; j < cut->count; j++) {
            const struct mix_row *row = cut->rows[j];
            tokens += row->role == roles[i] ? row->tokens : 0;
            target_tokens += row->role == roles[i] ? row->target_tokens : 0;
        }
        json_object_begin(json, kind_names[roles[i]]);
        json_integer(json, "tokens", tokens);
        json_integer(json, "target_tokens", target_tokens);
        json_object_end(json);
    }
    json_object_end(json);
}

static void sources_write(struct json_writer *json, const struct mix_build *build,
                          const struct mix_cut *cut)
{
    json_array_begin(json, "sources");
    for (size_t i = 0; i < build->source_count; i++) {
        const struct mix_source *source = &build->sources[i];
        int64_t used = 0;
        for (size_t j = 0; j < cut->count; j++)
            used += cut->rows[j]->source == i;
        json_object_begin(json, NULL);
        json_string(json, "role", role_names[source->role]);
        json_string(json, "name", source->name);
        json_string(json, "file", path_base_name(source->path));
        json_string(json, "sha256", source->sha256);
        json_integer(json, "rows", source->rows);
        json_integer(json, "skipped", source->skipped);
        json_integer(json, "duplicates", source->duplicates);
        json_integer(json, "near_duplicates", source->near_duplicates);
        json_integer(json, "used", used);
        json_object_end(json);
    }
    json_array_end(json);
}

static void numbers_write(struct json_writer *json, const char *key, const double *numbers,
                          size_t count)
{
    json_array_begin(json, key);
    for (size_t i = 0; i < count; i++)
        json_number(json, NULL, numbers[i]);
    json_array_end(json);
}

static void ratios_write(struct json_writer *json, const struct mix_cut *cut,
                         const struct mix_recipe *recipe)
{
    double contrast = 0;
    for (size_t i = 0; i < recipe->contrast_ratio_count; i++)
        contrast += recipe->contrast_ratios[i];
    json_integer(json, "count", recipe->count);
    json_number(json, "ratio", cut->ratio);
    json_string(json, "ratio_by", measure_names[recipe->measure]);
    numbers_write(json, "nested_ratios", recipe->ratios, recipe->ratio_count);
    json_string(json, "hold", recipe->hold == HOLD_COUNT ? "count" : "benign");
    json_number(json, "contrast_ratio", contrast);
    if (recipe->contrast_ratio_count > 1)
        numbers_write(json, "contrast_ratios", recipe->contrast_ratios,
                      recipe->contrast_ratio_count);
}

static void near_duplicates_write(struct json_writer *json, double threshold)
{
    const int rows = near_duplicates_band_rows(threshold);
    json_object_begin(json, "near_duplicates");
    json_number(json, "threshold", threshold);
    json_integer(json, "gram_words", NEAR_DUPLICATE_GRAM_WORDS);
    json_integer(json, "hashes", NEAR_DUPLICATE_HASHES);
    json_integer(json, "bands", NEAR_DUPLICATE_HASHES / rows);
    json_integer(json, "rows", rows);
    json_object_end(json);
}

static void tenses_write(struct json_writer *json, const struct mix_recipe *recipe)
{
    json_object_begin(json, "tenses");
    for (size_t i = 0; i < recipe->tense_count; i++)
        json_number(json, tense_name(recipe->tenses[i].tense), recipe->tenses[i].share);
    json_object_end(json);
}

static void recipe_write(struct json_writer *json, const struct mix_recipe *recipe)
{
    json_integer(json, "seed", (int64_t)recipe->seed);
    json_integer(json, "split_seed", (int64_t)recipe->split_seed);
    json_number(json, "imperatives", recipe->imperatives);
    json_string(json, "refusals", recipe->refusals);
    tenses_write(json, recipe);
    json_object_begin(json, "splits");
    for (int split = 0; split < SPLIT_COUNT; split++)
        json_number(json, split_names[split], recipe->split_shares[split]);
    json_object_end(json);
    json_array_begin(json, "balance");
    for (int i = 0; i < ROLE_COUNT; i++)
        if (recipe->balance[i])
            json_string(json, NULL, role_names[i]);
    json_array_end(json);
    json_integer(json, "max_per_behavior", recipe->max_per_behavior);
    if (recipe->near_duplicates > 0)
        near_duplicates_write(json, recipe->near_duplicates);
    if (recipe->system) {
        json_string(json, "system", recipe->system);
        json_number(json, "system_share", recipe->system_share);
    }
}

static void clusters_write(struct json_writer *json, const struct mix_clusters *clusters)
{
    json_object_begin(json, "deal");
    json_integer(json, "behaviors", clusters->behaviors);
    json_integer(json, "clusters", clusters->count);
    json_integer(json, "clusters_of_twins", clusters->with_twins);
    json_integer(json, "largest_cluster", clusters->largest);
    if (clusters->threshold > 1)
        json_null(json, "twin_threshold");
    else
        json_number(json, "twin_threshold", clusters->threshold);
    json_object_begin(json, "behaviors_in");
    for (int split = 0; split < SPLIT_COUNT; split++)
        json_integer(json, split_names[split], clusters->in_split[split]);
    json_object_end(json);
    json_object_end(json);
}

void mix_manifest_print(const struct mix_build *build, const struct mix_cut *cut,
                        const struct mix_recipe *recipe, struct text_buffer *out)
{
    struct json_writer json = {.out = out, .indent_spaces = 2};
    json_object_begin(&json, NULL);
    json_string(&json, "mix_sha256", cut->sha256);
    ratios_write(&json, cut, recipe);
    recipe_write(&json, recipe);
    if (build->clusters.behaviors > 0)
        clusters_write(&json, &build->clusters);
    counts_write(&json, cut);
    categories_write(&json, cut);
    if (recipe->tokenizer)
        tokens_write(&json, cut);
    sources_write(&json, build, cut);
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}
