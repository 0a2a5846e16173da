#include "eval/report_bands.h"

#include "base/memory.h"
#include "base/text_buffer.h"
#include "eval/tradeoff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A behaviour or prompt of any run: equal in index and request. */
struct place {
    int64_t index;
    uint64_t request_hash;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return (a->request_hash > b->request_hash) - (a->request_hash < b->request_hash);
}

/* The verdicts of all runs on one list: a row a run, a column a place. */
struct matrix {
    const struct verdict_set **sets; /* [run_count]; NULL: the run is left out */
    size_t run_count;
    struct place *places;
    size_t count;
    signed char *verdicts; /* [run_count][count] */
};

static struct place place_of(const struct verdict_unit *unit)
{
    return (struct place){unit->index, unit->request_hash};
}

static void places_collect(struct matrix *matrix)
{
    size_t all = 0, kept = 0;
    for (size_t run = 0; run < matrix->run_count; run++)
        all += matrix->sets[run] ? matrix->sets[run]->count : 0;
    matrix->places = memory_allocate_array(all + 1, sizeof *matrix->places);
    for (size_t run = 0; run < matrix->run_count; run++)
        for (size_t i = 0; matrix->sets[run] && i < matrix->sets[run]->count; i++)
            matrix->places[matrix->count++] = place_of(&matrix->sets[run]->units[i]);
    qsort(matrix->places, matrix->count, sizeof *matrix->places, compare_places);
    for (size_t i = 0; i < matrix->count; i++)
        if (i == 0 || compare_places(&matrix->places[i], &matrix->places[kept - 1]) != 0)
            matrix->places[kept++] = matrix->places[i];
    matrix->count = kept;
}

static void row_fill(struct matrix *matrix, size_t run)
{
    const struct verdict_set *set = matrix->sets[run];
    signed char *row = &matrix->verdicts[run * matrix->count];
    for (size_t i = 0; i < matrix->count; i++)
        row[i] = -1;
    for (size_t i = 0; set && i < set->count; i++) {
        const struct place place = place_of(&set->units[i]);
        const struct place *found =
            bsearch(&place, matrix->places, matrix->count, sizeof place, compare_places);
        row[found - matrix->places] =
            (signed char)verdict_at(&set->units[i], set->attempts);
    }
}

static void matrix_make(struct matrix *matrix, const struct report *report, const char *set,
                        const char *attack)
{
    *matrix = (struct matrix){
        .sets = memory_allocate_array(report->count, sizeof(struct verdict_set *)),
        .run_count = report->count};
    for (size_t run = 0; run < report->count; run++)
        matrix->sets[run] = run_verdicts_find(&report->runs[run].verdicts, set, attack);
    places_collect(matrix);
    matrix->verdicts =
        memory_allocate_array(report->count * matrix->count + 1, sizeof(signed char));
    for (size_t run = 0; run < report->count; run++)
        row_fill(matrix, run);
}

static void matrix_release(struct matrix *matrix)
{
    free((void *)matrix->sets);
    free(matrix->places);
    free(matrix->verdicts);
}

static struct report_rate rate_of(double value)
{
    return (struct report_rate){
        .measured = !isnan(value), .value = value, .hits = -1, .count = -1};
}

static void rate_set_interval(struct report_rate *rate, struct interval interval)
{
    rate->has_interval = rate->measured;
    rate->low = interval.low;
    rate->high = interval.high;
}

/* What the summaries say, with Newcombe's intervals. */
static void bands_from_summaries(struct report_bands *bands, const struct report *report,
                                 const char *attack, const char *set,
                                 struct tradeoff_point *points)
{
    for (size_t run = 0; run < report->count; run++) {
        const struct report_rate asr = report_asr(&report->runs[run], attack);
        const struct report_rate refused = report_refused(&report->runs[run], set);
        const bool both = asr.measured && refused.measured;
        points[run] = (struct tradeoff_point){both ? asr.value : (double)NAN,
                                              both ? refused.value : (double)NAN};
        bands->youden[run] = rate_of(tradeoff_youden(&points[run]));
        if (both && asr.hits >= 0 && asr.count >= asr.hits && refused.hits >= 0 &&
            refused.count >= refused.hits)
            rate_set_interval(&bands->youden[run],
                              newcombe_interval(asr.count - asr.hits, asr.count,
                                                refused.hits, refused.count));
    }
    bands->hypervolume = rate_of(tradeoff_hypervolume(points, report->count));
}

/* Whether what is stored gives what the summaries say, for every run that has both. */
static bool points_agree(const struct tradeoff_point *stored,
                         const struct tradeoff_point *points, size_t count)
{
    for (size_t run = 0; run < count; run++)
        if (!isnan(points[run].asr) &&
            !(fabs(stored[run].asr - points[run].asr) < 1e-9 &&
              fabs(stored[run].refused - points[run].refused) < 1e-9))
            return false;
    return true;
}

static void bands_refine(struct report_bands *bands, const struct tradeoff_point *points,
                         const struct matrix *harmful, const struct matrix *benign)
{
    const size_t count = harmful->run_count;
    struct tradeoff_verdicts *runs = memory_allocate_array(count, sizeof *runs);
    struct tradeoff_bands joint;
    for (size_t run = 0; run < count; run++)
        runs[run] = (struct tradeoff_verdicts){&harmful->verdicts[run * harmful->count],
                                               &benign->verdicts[run * benign->count]};
    tradeoff_bands_make(&joint, runs, count, harmful->count, benign->count, 1);
    if (points_agree(joint.points, points, count)) {
        for (size_t run = 0; run < count; run++)
            rate_set_interval(&bands->youden[run], joint.youden[run]);
        rate_set_interval(&bands->hypervolume, joint.hypervolume_ci95);
    }
    tradeoff_bands_release(&joint);
    free(runs);
}

void report_bands_make(struct report_bands *bands, const struct report *report,
                       const char *attack, const char *set)
{
    struct matrix harmful, benign;
    struct text_buffer name = {0};
    struct tradeoff_point *points = memory_allocate_array(report->count, sizeof *points);
    text_buffer_appendf(&name, "benign:%s", set);
    bands->youden = memory_allocate_array(report->count, sizeof *bands->youden);
    bands_from_summaries(bands, report, attack, set, points);
    matrix_make(&harmful, report, "harmful", attack);
    matrix_make(&benign, report, text_buffer_string(&name), "none");
    if (harmful.count && benign.count)
        bands_refine(bands, points, &harmful, &benign);
    matrix_release(&harmful);
    matrix_release(&benign);
    text_buffer_release(&name);
    free(points);
}

void report_bands_release(struct report_bands *bands)
{
    free(bands->youden);
    *bands = (struct report_bands){0};
}
