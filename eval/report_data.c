#include "eval/report_data.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Reads fields until the first that is broken; from then on nothing happens. */
struct reader {
    const char *where;
    enum status status;
    struct error *error;
};

static const struct report_rate unmeasured = {.hits = -1, .count = -1};

static double read_number(struct reader *reader, const cJSON *object, const char *key)
{
    double value = (double)NAN;
    if (!reader->status)
        reader->status =
            json_optional_number(object, key, &value, reader->where, reader->error);
    return value;
}

static int64_t read_count(struct reader *reader, const cJSON *object, const char *key)
{
    int64_t value = -1;
    if (!reader->status)
        reader->status =
            json_optional_integer(object, key, &value, reader->where, reader->error);
    return value;
}

/* An object or array under `key`, NULL if absent. */
static const cJSON *read_child(struct reader *reader, const cJSON *object, const char *key)
{
    const cJSON *child = json_get(object, key);
    if (reader->status || !child || cJSON_IsNull(child))
        return NULL;
    if (cJSON_IsObject(child) || cJSON_IsArray(child))
        return child;
    reader->status = error_set(reader->error, STATUS_FORMAT,
                               "%s: \"%s\" must be an object or a list; "
                               "is this file from another tool?",
                               reader->where, key);
    return NULL;
}

/* "key": [low, high]; false if there is none. */
static bool read_pair(struct reader *reader, const cJSON *object, const char *key,
                      double *low, double *high)
{
    const cJSON *pair = read_child(reader, object, key);
    const cJSON *first = pair ? pair->child : NULL;
    const cJSON *second = first ? first->next : NULL;
    if (!first || !second || !cJSON_IsNumber(first) || !cJSON_IsNumber(second))
        return false;
    *low = first->valuedouble;
    *high = second->valuedouble;
    return true;
}

static void *array_of_children(const cJSON *object, size_t bytes_each)
{
    return memory_allocate_array((size_t)cJSON_GetArraySize(object) + 1, bytes_each);
}

static void set_wilson(struct report_rate *rate)
{
    const struct interval interval = wilson_interval(rate->hits, rate->count);
    rate->low = interval.low;
    rate->high = interval.high;
    rate->has_interval = true;
}

/* `hits_key` of "n", with the rate under `value_key` where the file gives it. */
static struct report_rate read_rate(struct reader *reader, const cJSON *object,
                                    const char *hits_key, const char *value_key)
{
    struct report_rate rate = unmeasured;
    rate.hits = read_count(reader, object, hits_key);
    rate.count = read_count(reader, object, "n");
    rate.value = value_key ? read_number(reader, object, value_key) : (double)NAN;
    if (isnan(rate.value) && rate.hits >= 0 && rate.count > 0)
        rate.value = (double)rate.hits / (double)rate.count;
    rate.measured = !isnan(rate.value) && rate.count != 0;
    rate.has_interval = read_pair(reader, object, "ci95", &rate.low, &rate.high);
    rate.has_bounds =
        read_pair(reader, object, "worst_case", &rate.bound_low, &rate.bound_high) &&
        rate.measured;
    if (rate.measured && !rate.has_interval && rate.hits >= 0 && rate.count >= rate.hits)
        set_wilson(&rate);
    return rate;
}

static int by_attempts(const void *left, const void *right)
{
    const struct report_point *a = left, *b = right;
    return (a->attempts > b->attempts) - (a->attempts < b->attempts);
}

/* One k of "asr_at", with what "asr_at_n" and "asr_at_ci95" say of it. */
static struct report_rate read_curve_rate(struct reader *reader, const cJSON *judge,
                                          const char *k)
{
    struct report_rate rate = unmeasured;
    const cJSON *counts = read_child(reader, judge, "asr_at_n");
    const cJSON *intervals = read_child(reader, judge, "asr_at_ci95");
    rate.value = read_number(reader, json_get(judge, "asr_at"), k);
    rate.count = counts ? read_count(reader, counts, k) : -1;
    rate.measured = !isnan(rate.value);
    rate.has_interval = intervals && read_pair(reader, intervals, k, &rate.low, &rate.high);
    return rate;
}

static void read_curve(struct reader *reader, struct report_judge *judge,
                       const cJSON *object)
{
    const cJSON *asr_at = read_child(reader, object, "asr_at"), *item;
    judge->curve = array_of_children(asr_at, sizeof *judge->curve);
    cJSON_ArrayForEach(item, asr_at)
    {
        struct report_point *point = &judge->curve[judge->curve_count];
        if (cJSON_IsNull(item))
            continue;
        point->asr = read_curve_rate(reader, object, item->string);
        if (!text_parse_integer(item->string, &point->attempts) && !reader->status)
            reader->status = error_set(reader->error, STATUS_FORMAT,
                                       "%s: \"asr_at\" has the key \"%s\"; it must be a "
                                       "number of attempts",
                                       reader->where, item->string);
        judge->curve_count++;
    }
    qsort(judge->curve, judge->curve_count, sizeof *judge->curve, by_attempts);
}

static void read_judges(struct reader *reader, struct report_attack *attack,
                        const cJSON *judges)
{
    const cJSON *item;
    attack->judges = array_of_children(judges, sizeof *attack->judges);
    cJSON_ArrayForEach(item, judges)
    {
        struct report_judge *judge = &attack->judges[attack->judge_count++];
        judge->name = item->string;
        judge->asr = read_rate(reader, item, "successes", "asr");
        read_curve(reader, judge, item);
    }
}

/* By the main judge; by whichever there is where the main one has no categories. */
static void read_categories(struct reader *reader, struct report_attack *attack,
                            const cJSON *categories)
{
    const cJSON *item;
    attack->categories = array_of_children(categories, sizeof *attack->categories);
    cJSON_ArrayForEach(item, categories)
    {
        const cJSON *judged =
            attack->judge_count ? json_get(item, attack->judges[0].name) : NULL;
        struct report_category *category = &attack->categories[attack->category_count++];
        category->name = item->string;
        category->asr =
            read_rate(reader, judged ? judged : item->child, "successes", "asr");
    }
}

static struct report_outcomes read_outcomes(struct reader *reader, const cJSON *object)
{
    struct report_outcomes outcomes = {0};
    const cJSON *counts = read_child(reader, object, "outcomes"), *item;
    outcomes.items = array_of_children(counts, sizeof *outcomes.items);
    cJSON_ArrayForEach(item, counts)
    {
        const int64_t count = read_count(reader, counts, item->string);
        outcomes.items[outcomes.count++] = (struct report_outcome){item->string, count};
        outcomes.total += count > 0 ? count : 0;
    }
    return outcomes;
}

static void read_attack(struct reader *reader, struct report_attack *attack,
                        const char *name, const cJSON *object)
{
    const cJSON *judges = read_child(reader, object, "judges");
    const cJSON *categories = read_child(reader, object, "categories");
    attack->name = name;
    attack->attempts = read_count(reader, object, "attempts");
    if (judges)
        read_judges(reader, attack, judges);
    if (categories)
        read_categories(reader, attack, categories);
    attack->outcomes = read_outcomes(reader, object);
}

/* "attacks", or the one attack that the top level tells of. */
static void read_attacks(struct reader *reader, struct report_run *run)
{
    const cJSON *attacks = read_child(reader, run->summary, "attacks"), *item;
    const char *name = "none";
    if (!attacks) {
        if (!reader->status)
            reader->status = json_optional_string(run->summary, "attack", &name,
                                                  reader->where, reader->error);
        run->attacks = memory_allocate(sizeof *run->attacks);
        if (json_get(run->summary, "judges"))
            read_attack(reader, &run->attacks[run->attack_count++], name, run->summary);
        return;
    }
    run->attacks = array_of_children(attacks, sizeof *run->attacks);
    cJSON_ArrayForEach(item, attacks)
        read_attack(reader, &run->attacks[run->attack_count++], item->string, item);
}

static void read_benign(struct reader *reader, struct report_run *run)
{
    const cJSON *sets = read_child(reader, run->summary, "over_refusal"), *item;
    run->benign = array_of_children(sets, sizeof *run->benign);
    cJSON_ArrayForEach(item, sets)
    {
        struct report_benign *benign = &run->benign[run->benign_count++];
        benign->name = item->string;
        benign->refused = read_rate(reader, item, "refused", "rate");
        benign->outcomes = read_outcomes(reader, item);
    }
}

/* A bare share, "harmful_refused": 0.27, with the count that stands beside it if any. */
static struct report_rate read_share(struct reader *reader, const cJSON *object,
                                     const char *key, const char *count_key)
{
    struct report_rate rate = unmeasured;
    rate.value = read_number(reader, object, key);
    rate.count = read_count(reader, object, count_key);
    rate.measured = !isnan(rate.value) && rate.count != 0;
    if (rate.measured && rate.count > 0 && rate.value >= 0 && rate.value <= 1) {
        rate.hits = llround(rate.value * (double)rate.count);
        set_wilson(&rate);
    }
    return rate;
}

static void read_discriminations(struct reader *reader, struct report_run *run)
{
    const cJSON *tenses = read_child(reader, run->summary, "discrimination"), *item;
    run->discriminations = array_of_children(tenses, sizeof *run->discriminations);
    cJSON_ArrayForEach(item, tenses)
    {
        struct report_discrimination *found =
            &run->discriminations[run->discrimination_count++];
        found->attack = item->string;
        found->harmful_refused = read_share(reader, item, "harmful_refused", "harmful_n");
        found->benign_refused = read_share(reader, item, "benign_refused", "benign_n");
        found->d = unmeasured;
        found->d.value = read_number(reader, item, "d");
        found->d.measured = !isnan(found->d.value);
        found->d.count = found->harmful_refused.count;
        found->d.other_count =
            found->benign_refused.count > 0 ? found->benign_refused.count : 0;
        found->d.has_interval =
            read_pair(reader, item, "ci95", &found->d.low, &found->d.high);
    }
}

/* A share by itself, or {"count", "n"}. */
static struct report_rate read_degenerate(struct reader *reader, const cJSON *summary)
{
    const cJSON *degenerate = json_get(summary, "degenerate");
    if (cJSON_IsObject(degenerate))
        return read_rate(reader, degenerate, "count", "rate");
    return read_share(reader, summary, "degenerate", "degenerate_n");
}

static enum status read_summary(struct report_run *run, struct error *error)
{
    char *path = path_join(run->path, "summary.json");
    struct reader reader = {path, STATUS_OK, error};
    if (!file_exists(path))
        reader.status = error_set(error, STATUS_IO,
                                  "%s: not found; give the folder of a finished "
                                  "evaluation (`holdfast eval --resume` finishes one)",
                                  path);
    else
        reader.status = json_parse_file(&run->summary, path, error);
    if (!reader.status && !cJSON_IsObject(run->summary))
        reader.status =
            error_set(error, STATUS_FORMAT, "%s: line 1: must be a JSON object", path);
    if (!reader.status)
        reader.status =
            json_optional_string(run->summary, "model", &run->model, path, error);
    if (!reader.status) {
        read_attacks(&reader, run);
        read_benign(&reader, run);
        read_discriminations(&reader, run);
        run->outcomes = read_outcomes(&reader, run->summary);
        run->degenerate = read_degenerate(&reader, run->summary);
    }
    free(path);
    return reader.status;
}

static enum status read_manifest(struct report_run *run, struct error *error)
{
    char *path = path_join(run->path, "manifest.json");
    const enum status status =
        file_exists(path) ? json_parse_file(&run->manifest, path, error) : STATUS_OK;
    free(path);
    return status;
}

/* A broken file is reported where its transcripts are read, with the place. */
static void read_verdicts(struct report_run *run)
{
    struct error error;
    run_verdicts_read(&run->verdicts, run->path, run->summary, &error);
}

static void attack_release(struct report_attack *attack)
{
    for (size_t i = 0; i < attack->judge_count; i++)
        free(attack->judges[i].curve);
    free(attack->judges);
    free(attack->categories);
    free(attack->outcomes.items);
}

static void run_release(struct report_run *run)
{
    for (size_t i = 0; run->attacks && i < run->attack_count; i++)
        attack_release(&run->attacks[i]);
    free(run->attacks);
    for (size_t i = 0; i < run->benign_count; i++)
        free(run->benign[i].outcomes.items);
    free(run->benign);
    free(run->discriminations);
    free(run->outcomes.items);
    run_verdicts_release(&run->verdicts);
    cJSON_Delete(run->summary);
    cJSON_Delete(run->manifest);
    free(run->path);
    free(run->label);
}

void report_close(struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        run_release(&report->runs[i]);
    free(report->runs);
    *report = (struct report){0};
}

/* Among several hardened runs: the one with the largest D, else the lowest ASR. */
static size_t choose_after(const struct report *report)
{
    const char *attack = report_main_attack(report);
    size_t best = report->count - 1;
    double best_score = -(double)INFINITY;
    for (size_t i = 1; attack && i < report->count; i++) {
        const struct report_discrimination *found =
            report_discrimination(&report->runs[i], attack);
        const struct report_rate asr = report_asr(&report->runs[i], attack);
        const double score = found && found->d.measured ? found->d.value
                             : asr.measured             ? -1 - asr.value
                                                        : -(double)INFINITY;
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

enum status report_open(struct report *report, const char *const *paths, size_t count,
                        struct error *error)
{
    enum status status = STATUS_OK;
    CHECK(count > 0);
    *report = (struct report){memory_allocate_array(count, sizeof *report->runs), count, 0};
    for (size_t i = 0; i < count; i++)
        report->runs[i].path = memory_duplicate_string(paths[i]);
    for (size_t i = 0; !status && i < count; i++) {
        status = read_summary(&report->runs[i], error);
        if (!status)
            status = read_manifest(&report->runs[i], error);
        if (!status)
            read_verdicts(&report->runs[i]);
    }
    if (status) {
        report_close(report);
        return status;
    }
    report_set_labels(report);
    report->after = choose_after(report);
    return STATUS_OK;
}
