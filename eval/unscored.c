#include "eval/unscored.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const char *reason_of(const struct attempt *attempt)
{
    if (outcome_is_scored(attempt->outcome))
        return NULL;
    return attempt->reason ? attempt->reason : outcome_name(attempt->outcome);
}

static int compare_reasons(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* All reasons, equal ones side by side; returns how many. */
static size_t reasons_collect(const char **reasons, const struct attempt_list *list)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (reason_of(&list->items[i]))
            reasons[count++] = reason_of(&list->items[i]);
    qsort(reasons, count, sizeof *reasons, compare_reasons);
    return count;
}

void unscored_explain(struct error *error, const struct attempt_list *list)
{
    const char **reasons = memory_allocate_array(list->count + 1, sizeof *reasons);
    const size_t count = reasons_collect(reasons, list);
    const char *commonest = NULL;
    size_t most = 0;
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        same = i > 0 && strcmp(reasons[i], reasons[i - 1]) == 0 ? same + 1 : 1;
        if (same <= most)
            continue;
        most = same;
        commonest = reasons[i];
    }
    if (commonest) {
        const struct error old = *error;
        error_set(error, old.status, "%s; %zu of %zu such attempts: %.200s", old.message,
                  most, count, commonest);
    }
    free((void *)reasons);
}
