#include "eval/request_sets.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int compare_indices(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Two rows of one index would be one attempt: refuse them. */
static enum status indices_check(const struct request_set *set, struct error *error)
{
    enum status status = STATUS_OK;
    int64_t *indices = memory_allocate_array(set->count, sizeof *indices);
    for (size_t i = 0; i < set->count; i++)
        indices[i] = set->list.items[i].index;
    qsort(indices, set->count, sizeof *indices, compare_indices);
    for (size_t i = 1; i < set->count && !status; i++)
        if (indices[i] == indices[i - 1])
            status = error_set(error, STATUS_FORMAT,
                               "%s: index %lld occurs twice; give each row its own, or "
                               "rename the column 'index'",
                               set->list.path, (long long)indices[i]);
    free(indices);
    return status;
}

static enum status name_check(const struct request_sets *sets, struct error *error)
{
    const struct request_set *last = &sets->items[sets->count - 1];
    for (size_t i = 0; i + 1 < sets->count; i++)
        if (strcmp(sets->items[i].set, last->set) == 0)
            return error_set(error, STATUS_USAGE,
                             "two benign sets are called '%s': name one as NAME=%s",
                             last->list.name, last->spec);
    return STATUS_OK;
}

static enum status set_add(struct request_sets *sets, const char *spec, bool harmful,
                           int64_t limit, struct error *error)
{
    struct request_set *set = &sets->items[sets->count];
    if (request_list_read(&set->list, spec, error))
        return error->status;
    struct text_buffer name = {0};
    text_buffer_appendf(&name, harmful ? "harmful" : "benign:%s", set->list.name);
    set->set = text_buffer_detach(&name);
    set->spec = spec;
    set->count = set->list.count;
    if (limit > 0 && (size_t)limit < set->count)
        set->count = (size_t)limit;
    sets->count++;
    if (indices_check(set, error))
        return error->status;
    return name_check(sets, error);
}

static enum status paired_add(struct request_sets *sets, const char *spec, int64_t limit,
                              const char **name, struct error *error)
{
    if (!spec)
        return STATUS_OK;
    if (set_add(sets, spec, false, limit, error))
        return error->status;
    *name = sets->items[sets->count - 1].list.name;
    return STATUS_OK;
}

enum status request_sets_read(struct request_sets *sets, const struct eval_options *options,
                              struct error *error)
{
    const int64_t limit = options->limit;
    *sets = (struct request_sets){0};
    sets->items = memory_allocate_array(options->benign.count + 3, sizeof *sets->items);
    enum status status = set_add(sets, options->behaviors, true, limit, error);
    for (size_t i = 0; i < options->benign.count && !status; i++)
        status = set_add(sets, options->benign.items[i], false, limit, error);
    if (!status)
        status = paired_add(sets, options->benign_past, limit, &sets->benign_past, error);
    if (!status)
        status =
            paired_add(sets, options->benign_future, limit, &sets->benign_future, error);
    if (status)
        request_sets_release(sets);
    return status;
}

void request_sets_release(struct request_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        request_list_release(&sets->items[i].list);
        free(sets->items[i].set);
    }
    free(sets->items);
    *sets = (struct request_sets){0};
}
