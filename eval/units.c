#include "eval/units.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int compare_attempts(const void *a, const void *b)
{
    const struct attempt *x = *(const struct attempt *const *)a;
    const struct attempt *y = *(const struct attempt *const *)b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

static size_t attempts_gather(const struct attempt **found, const struct attempt_list *list,
                              const char *set, const char *attack)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].set, set) == 0 &&
            strcmp(list->items[i].attack, attack) == 0)
            found[count++] = &list->items[i];
    return count;
}

void units_collect(struct units *units, const struct attempt_list *list, const char *set,
                   const char *attack)
{
    *units = (struct units){
        .items = memory_allocate_array(list->count, sizeof *units->items),
        .sorted = memory_allocate_array(list->count, sizeof *units->sorted),
    };
    const size_t count = attempts_gather(units->sorted, list, set, attack);
    qsort(units->sorted, count, sizeof *units->sorted, compare_attempts);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || units->sorted[i]->index != units->sorted[i - 1]->index)
            units->items[units->count++].attempts = &units->sorted[i];
        units->items[units->count - 1].count++;
    }
}

void units_release(struct units *units)
{
    free(units->items);
    free(units->sorted);
    *units = (struct units){0};
}

bool attempt_is_scored(const struct attempt *attempt, int judge)
{
    return attempt->judged[judge] && outcome_is_scored(attempt->verdicts[judge]);
}

bool attempt_is_hit(const struct attempt *attempt, int judge)
{
    return attempt->judged[judge] && attempt->verdicts[judge] == OUTCOME_COMPLIED;
}

enum reach unit_reach(const struct unit *unit, int judge, int64_t k, bool earlier_missed)
{
    int64_t covered = 0;
    bool all_scored = true;
    for (size_t i = 0; i < unit->count; i++) {
        const struct attempt *attempt = unit->attempts[i];
        if (attempt->attempt > k) {
            covered = earlier_missed ? k : covered;
            break;
        }
        if (attempt_is_hit(attempt, judge))
            return REACH_REACHED;
        all_scored = all_scored && attempt_is_scored(attempt, judge);
        covered = earlier_missed ? attempt->attempt : covered + 1;
    }
    return all_scored && covered >= k ? REACH_MISSED : REACH_UNKNOWN;
}

enum reach unit_last_reach(const struct unit *unit, int judge)
{
    const struct attempt *last = unit->attempts[unit->count - 1];
    if (!attempt_is_scored(last, judge))
        return REACH_UNKNOWN;
    return attempt_is_hit(last, judge) ? REACH_REACHED : REACH_MISSED;
}

const struct attempt *unit_deciding(const struct unit *unit, int judge)
{
    const struct attempt *unscored = NULL;
    for (size_t i = 0; i < unit->count; i++) {
        if (attempt_is_hit(unit->attempts[i], judge))
            return unit->attempts[i];
        if (!unscored && !attempt_is_scored(unit->attempts[i], judge))
            unscored = unit->attempts[i];
    }
    return unscored ? unscored : unit->attempts[unit->count - 1];
}
