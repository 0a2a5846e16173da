#include "eval/verdicts.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "eval/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void verdict_set_release(struct verdict_set *set)
{
    free(set->set);
    free(set->attack);
    free(set->judge);
    free(set->units);
}

void run_verdicts_release(struct run_verdicts *verdicts)
{
    for (size_t i = 0; i < verdicts->count; i++)
        verdict_set_release(&verdicts->sets[i]);
    free(verdicts->sets);
    *verdicts = (struct run_verdicts){0};
}

static int judge_number(const struct attempt_list *list, const char *name)
{
    for (size_t i = 0; name && i < list->judge_count; i++)
        if (strcmp(list->judges[i], name) == 0)
            return (int)i;
    return -1;
}

/* Attempts are in the order of their numbers; `success` is the judge's word for it. */
static struct verdict_unit unit_verdicts(const struct unit *unit, int judge,
                                         enum outcome success)
{
    const struct attempt *first = unit->attempts[0];
    struct verdict_unit verdicts = {first->index, random_stream_of(first->request, 0, 0), 0,
                                    0};
    bool all_scored = true;
    for (size_t i = 0; i < unit->count && judge >= 0; i++) {
        const struct attempt *attempt = unit->attempts[i];
        all_scored = all_scored && attempt_is_scored(attempt, judge) &&
                     attempt->attempt == (int64_t)i + 1;
        verdicts.scored += all_scored;
        if (!verdicts.first_success && attempt->judged[judge] &&
            attempt->verdicts[judge] == success)
            verdicts.first_success = attempt->attempt;
    }
    return verdicts;
}

static void verdict_set_add(struct run_verdicts *verdicts, const struct attempt_list *list,
                            const char *set, const char *attack, const char *judge,
                            int64_t attempts)
{
    struct units units;
    const enum outcome success =
        strcmp(set, "harmful") == 0 ? OUTCOME_COMPLIED : OUTCOME_REFUSED;
    verdicts->sets =
        memory_resize_array(verdicts->sets, verdicts->count + 1, sizeof *verdicts->sets);
    struct verdict_set *added = &verdicts->sets[verdicts->count++];
    units_collect(&units, list, set, attack);
    *added = (struct verdict_set){
        .set = memory_duplicate_string(set),
        .attack = memory_duplicate_string(attack),
        .judge = memory_duplicate_string(judge),
        .attempts = attempts,
        .units = memory_allocate_array(units.count + 1, sizeof *added->units),
        .count = units.count,
    };
    for (size_t i = 0; i < units.count; i++)
        added->units[i] =
            unit_verdicts(&units.items[i], judge_number(list, judge), success);
    units_release(&units);
}

static void attack_add(struct run_verdicts *verdicts, const struct attempt_list *list,
                       const cJSON *attack)
{
    const cJSON *judges = json_get(attack, "judges");
    int64_t attempts = 1;
    json_optional_integer(attack, "attempts", &attempts, "summary.json", NULL);
    if (attack->string && judges && judges->child) /* the first judge is the main one */
        verdict_set_add(verdicts, list, "harmful", attack->string, judges->child->string,
                        attempts);
}

static void benign_add(struct run_verdicts *verdicts, const struct attempt_list *list,
                       const cJSON *benign)
{
    const char *judge = NULL;
    struct text_buffer set = {0};
    if (!benign->string) /* a list: of another tool */
        return;
    text_buffer_appendf(&set, "benign:%s", benign->string);
    json_optional_string(benign, "judge", &judge, "summary.json", NULL);
    verdict_set_add(verdicts, list, text_buffer_string(&set), "none", judge, 1);
    text_buffer_release(&set);
}

enum status run_verdicts_read(struct run_verdicts *verdicts, const char *folder,
                              const cJSON *summary, struct error *error)
{
    struct attempt_list list = {0};
    struct file_map map = {0};
    char *path = path_join(folder, "attempts.jsonl");
    const cJSON *item;
    *verdicts = (struct run_verdicts){0};
    enum status status = file_map(&map, path, error);
    if (!status) {
        status = attempts_parse(&list, (const char *)map.data, map.bytes, path, error);
        file_unmap(&map);
    }
    if (!status) {
        cJSON_ArrayForEach(item, json_get(summary, "attacks"))
            attack_add(verdicts, &list, item);
        cJSON_ArrayForEach(item, json_get(summary, "over_refusal"))
            benign_add(verdicts, &list, item);
    }
    attempt_list_release(&list);
    free(path);
    return status;
}

const struct verdict_set *run_verdicts_find(const struct run_verdicts *verdicts,
                                            const char *set, const char *attack)
{
    for (size_t i = 0; i < verdicts->count; i++)
        if (strcmp(verdicts->sets[i].set, set) == 0 &&
            strcmp(verdicts->sets[i].attack, attack) == 0)
            return &verdicts->sets[i];
    return NULL;
}

int verdict_at(const struct verdict_unit *unit, int64_t k)
{
    if (unit->first_success > 0 && unit->first_success <= k)
        return 1;
    return unit->scored >= k ? 0 : -1;
}

static void pair_add(struct pair_counts *pairs, int before, int after)
{
    pairs->both += before && after;
    pairs->first_only += before && !after;
    pairs->second_only += !before && after;
    pairs->neither += !before && !after;
}

/* Both are in the order of indices. */
static void pairs_match(struct comparison *comparison, const struct verdict_set *before,
                        const struct verdict_set *after)
{
    size_t a = 0;
    size_t b = 0;
    while (a < before->count && b < after->count) {
        const struct verdict_unit *first = &before->units[a];
        const struct verdict_unit *second = &after->units[b];
        a += first->index <= second->index;
        b += second->index <= first->index;
        const int was = verdict_at(first, comparison->attempts);
        const int is = verdict_at(second, comparison->attempts);
        if (first->index != second->index || was < 0 || is < 0 ||
            first->request_hash != second->request_hash)
            continue;
        pair_add(&comparison->pairs, was, is);
        comparison->count++;
    }
    const size_t most = before->count > after->count ? before->count : after->count;
    comparison->left_out = (int64_t)most - comparison->count;
}

void verdicts_compare(struct comparison *comparison, const struct verdict_set *before,
                      const struct verdict_set *after)
{
    const double unknown = (double)NAN;
    *comparison = (struct comparison){.before = unknown,
                                      .after = unknown,
                                      .difference = unknown,
                                      .ci95 = {-1, 1},
                                      .p = unknown,
                                      .p_holm = unknown};
    if (!before || !after || !before->judge || !after->judge ||
        strcmp(before->judge, after->judge) != 0)
        return;
    comparison->attempts =
        before->attempts < after->attempts ? before->attempts : after->attempts;
    pairs_match(comparison, before, after);
    if (comparison->count == 0)
        return;
    const struct pair_counts *pairs = &comparison->pairs;
    const double count = (double)comparison->count;
    comparison->before = (double)(pairs->both + pairs->first_only) / count;
    comparison->after = (double)(pairs->both + pairs->second_only) / count;
    comparison->difference = (double)(pairs->second_only - pairs->first_only) / count;
    comparison->ci95 = paired_interval(pairs, 1);
    comparison->p = mcnemar_exact(pairs->first_only, pairs->second_only);
    comparison->p_holm = comparison->p;
}

void comparisons_adjust(struct comparison *const *family, size_t count)
{
    double *p = memory_allocate_array(count + 1, sizeof *p);
    double *adjusted = memory_allocate_array(count + 1, sizeof *adjusted);
    for (size_t i = 0; i < count; i++)
        p[i] = family[i]->p;
    holm_adjust(p, adjusted, count);
    for (size_t i = 0; i < count; i++)
        family[i]->p_holm = adjusted[i];
    free(p);
    free(adjusted);
}
