#include "eval/leakage.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>

static int index_compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum leak_mode mode_of(const struct leakage *leakage, size_t request)
{
    return leak_index_leak(leakage->check.index, request);
}

enum status leakage_open(struct leakage *leakage, const struct eval_options *options,
                         struct error *error)
{
    struct leak_options modes = leak_options_default();
    struct string_list behaviors = {0};
    *leakage = (struct leakage){0};
    modes.benign_verbatim = true;
    string_list_add(&behaviors, options->behaviors);
    const enum status status =
        leak_check_run(&leakage->check, &options->trained_on, &behaviors, &modes, error);
    string_list_release(&behaviors);
    if (status)
        return status;
    const struct request_list *list = &leakage->check.lists[0];
    leakage->behavior_count = list->count;
    if (options->limit > 0 && (size_t)options->limit < list->count)
        leakage->behavior_count = (size_t)options->limit;
    leakage->indices =
        memory_allocate_array(leakage->behavior_count + 1, sizeof *leakage->indices);
    for (size_t i = 0; i < leakage->behavior_count; i++)
        if (mode_of(leakage, i) != LEAK_MODE_COUNT)
            leakage->indices[leakage->count++] = list->items[i].index;
    qsort(leakage->indices, leakage->count, sizeof *leakage->indices, index_compare);
    return STATUS_OK;
}

void leakage_release(struct leakage *leakage)
{
    free(leakage->indices);
    leak_check_release(&leakage->check);
    *leakage = (struct leakage){0};
}

bool leakage_has(const struct leakage *leakage, int64_t index)
{
    return leakage->count && bsearch(&index, leakage->indices, leakage->count,
                                     sizeof *leakage->indices, index_compare);
}

static void pair_print(const struct leakage *leakage, size_t request,
                       struct json_writer *json)
{
    const enum leak_mode mode = mode_of(leakage, request);
    if (mode == LEAK_MODE_COUNT)
        return;
    const struct leak_finding *finding =
        leak_index_finding(leakage->check.index, request, mode);
    json_object_begin(json, NULL);
    json_integer(json, "index", leakage->check.lists[0].items[request].index);
    json_string(json, "request", leakage->check.lists[0].items[request].text);
    json_string(json, "file", path_base_name(leakage->check.training[finding->file].path));
    json_integer(json, "line", finding->line);
    json_string(json, "text", finding->text);
    json_string(json, "mode", leak_mode_name(mode));
    json_number(json, "score", finding->score);
    json_object_end(json);
}

void leakage_print(const struct leakage *leakage, struct json_writer *json)
{
    json_array_begin(json, "trained_on");
    for (size_t i = 0; i < leakage->check.training_count; i++) {
        json_object_begin(json, NULL);
        json_string(json, "file", path_base_name(leakage->check.training[i].path));
        json_string(json, "sha256", leakage->check.training[i].sha256);
        json_integer(json, "rows", leakage->check.training[i].row_count);
        json_object_end(json);
    }
    json_array_end(json);
    json_integer(json, "behaviors", (int64_t)leakage->behavior_count);
    json_integer(json, "leaked", (int64_t)leakage->count);
    json_array_begin(json, "pairs");
    for (size_t i = 0; i < leakage->behavior_count; i++)
        pair_print(leakage, i, json);
    json_array_end(json);
}
