#include "eval/leakage.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int index_compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum leak_mode mode_of(const struct leaked_set *set, size_t request)
{
    return leak_index_leak(set->check->index,
                           leak_check_number(set->check, set->list, request));
}

static void set_add(struct leakage *leakage, const struct request_set *set,
                    const struct leak_check *check, size_t list)
{
    const struct request *items = check->lists[list].items;
    struct leaked_set *leaked = &leakage->sets[leakage->set_count];
    *leaked = (struct leaked_set){
        .name = leakage->set_count ? set->list.name : NULL,
        .check = check,
        .list = list,
        .request_count = set->count,
        .indices = memory_allocate_array(set->count + 1, sizeof *leaked->indices)};
    leakage->set_count++;
    for (size_t i = 0; i < set->count; i++)
        if (mode_of(leaked, i) != LEAK_MODE_COUNT)
            leaked->indices[leaked->count++] = items[i].index;
    qsort(leaked->indices, leaked->count, sizeof *leaked->indices, index_compare);
}

/* Compares the sets from `first` to before `end`. */
static enum status check_run(struct leak_check *check, const struct trained_on *trained_on,
                             const struct request_sets *sets, size_t first, size_t end,
                             struct error *error)
{
    struct leak_options modes = leak_options_default();
    struct string_list lists = {0};
    modes.benign_verbatim = first == 0;
    for (size_t i = first; i < end; i++)
        string_list_add(&lists, sets->items[i].spec);
    const enum status status =
        leak_check_run(check, &trained_on->specs, &lists, &modes, error);
    string_list_release(&lists);
    return status;
}

enum status leakage_open(struct leakage *leakage, const struct trained_on *trained_on,
                         const struct request_sets *sets, struct error *error)
{
    *leakage = (struct leakage){.missing = &trained_on->missing};
    if (check_run(&leakage->behaviors, trained_on, sets, 0, 1, error))
        return error->status;
    if (sets->count > 1 &&
        check_run(&leakage->benign, trained_on, sets, 1, sets->count, error))
        return error->status;
    leakage->sets = memory_allocate_array(sets->count, sizeof *leakage->sets);
    for (size_t i = 0; i < sets->count; i++)
        set_add(leakage, &sets->items[i], i ? &leakage->benign : &leakage->behaviors,
                i ? i - 1 : 0);
    return STATUS_OK;
}

void leakage_release(struct leakage *leakage)
{
    for (size_t i = 0; i < leakage->set_count; i++)
        free(leakage->sets[i].indices);
    free(leakage->sets);
    leak_check_release(&leakage->behaviors);
    leak_check_release(&leakage->benign);
    *leakage = (struct leakage){0};
}

static const struct leaked_set *set_find(const struct leakage *leakage, const char *name)
{
    for (size_t i = name ? 1 : 0; i < leakage->set_count; i++)
        if (!name || strcmp(leakage->sets[i].name, name) == 0)
            return &leakage->sets[i];
    return NULL;
}

bool leakage_has(const struct leakage *leakage, const char *set, int64_t index)
{
    const struct leaked_set *found = set_find(leakage, set);
    return found && found->count &&
           bsearch(&index, found->indices, found->count, sizeof index, index_compare);
}

static void pair_print(const struct leaked_set *set, size_t request,
                       struct json_writer *json)
{
    const enum leak_mode mode = mode_of(set, request);
    if (mode == LEAK_MODE_COUNT)
        return;
    const struct request *asked = &set->check->lists[set->list].items[request];
    const struct leak_finding *finding = leak_index_finding(
        set->check->index, leak_check_number(set->check, set->list, request), mode);
    json_object_begin(json, NULL);
    json_integer(json, "index", asked->index);
    json_string(json, "request", asked->text);
    json_string(json, "file", path_base_name(set->check->training[finding->file].path));
    json_integer(json, "line", finding->line);
    json_string(json, "text", finding->text);
    json_string(json, "mode", leak_mode_name(mode));
    json_number(json, "score", finding->score);
    json_object_end(json);
}

static void pairs_print(const struct leaked_set *set, struct json_writer *json)
{
    json_array_begin(json, "pairs");
    for (size_t i = 0; i < set->request_count; i++)
        pair_print(set, i, json);
    json_array_end(json);
}

static void files_print(const struct leakage *leakage, struct json_writer *json)
{
    const struct leak_check *check = &leakage->behaviors;
    json_array_begin(json, "trained_on");
    for (size_t i = 0; i < check->training_count; i++) {
        json_object_begin(json, NULL);
        json_string(json, "file", path_base_name(check->training[i].path));
        json_string(json, "sha256", check->training[i].sha256);
        json_integer(json, "rows", check->training[i].row_count);
        json_object_end(json);
    }
    json_array_end(json);
    json_array_begin(json, "not_found");
    for (size_t i = 0; i < leakage->missing->count; i++)
        json_string(json, NULL, leakage->missing->items[i]);
    json_array_end(json);
}

void leakage_print(const struct leakage *leakage, struct json_writer *json)
{
    files_print(leakage, json);
    json_integer(json, "behaviors", (int64_t)leakage->sets[0].request_count);
    json_integer(json, "leaked", (int64_t)leakage->sets[0].count);
    pairs_print(&leakage->sets[0], json);
    json_object_begin(json, "benign");
    for (size_t i = 1; i < leakage->set_count; i++) {
        const struct leaked_set *set = &leakage->sets[i];
        json_object_begin(json, set->name);
        json_integer(json, "prompts", (int64_t)set->request_count);
        json_integer(json, "leaked", (int64_t)set->count);
        pairs_print(set, json);
        json_object_end(json);
    }
    json_object_end(json);
}
