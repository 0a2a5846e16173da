#include "eval/summary_parts.h"

#include "base/memory.h"
#include "base/random.h"
#include "eval/tradeoff.h"

#include <math.h>
#include <stdlib.h>

static void reply_count(struct pair_counts *pairs, bool first, bool second)
{
    pairs->both += first && second;
    pairs->first_only += first && !second;
    pairs->second_only += !first && second;
    pairs->neither += !first && !second;
}

static struct pair_counts pair_count_unit(const struct unit *unit, int first, int second)
{
    struct pair_counts pairs = {0};
    for (size_t a = 0; a < unit->count; a++) {
        const struct attempt *attempt = unit->attempts[a];
        if (attempt_is_scored(attempt, first) && attempt_is_scored(attempt, second) &&
            !attempt_is_given_up(attempt))
            reply_count(&pairs, attempt_is_hit(attempt, first),
                        attempt_is_hit(attempt, second));
    }
    return pairs;
}

static int64_t pairs_total(const struct pair_counts *pairs)
{
    return pairs->both + pairs->first_only + pairs->second_only + pairs->neither;
}

static void pairs_add(struct pair_counts *sum, const struct pair_counts *more)
{
    sum->both += more->both;
    sum->first_only += more->first_only;
    sum->second_only += more->second_only;
    sum->neither += more->neither;
}

/*
 * Percentile bootstrap over behaviours, whose replies stay together, of the resamples in
 * which kappa is defined; NaN if it is in none.
 */
static struct interval kappa_interval(const struct pair_counts *clusters, size_t count,
                                      uint64_t seed)
{
    double kappas[BOOTSTRAP_RESAMPLES];
    size_t defined = 0;
    struct random random = random_stream(seed, random_stream_of("kappa", 0, 0));
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES && count > 0; i++) {
        struct pair_counts sum = {0};
        for (size_t j = 0; j < count; j++)
            pairs_add(&sum, &clusters[random_below(&random, count)]);
        const double kappa = cohen_kappa(&sum);
        if (!isnan(kappa))
            kappas[defined++] = kappa;
    }
    if (defined == 0)
        return (struct interval){(double)NAN, (double)NAN};
    return percentile_interval(kappas, defined);
}

/* Where judges agree on all, or one says the same of all replies, every resample has the
 * same kappa, 1 or 0: no spread that a bootstrap could see. */
static bool kappa_varies(const struct pair_counts *pairs)
{
    const bool first =
        pairs->both + pairs->first_only > 0 && pairs->second_only + pairs->neither > 0;
    const bool second =
        pairs->both + pairs->second_only > 0 && pairs->first_only + pairs->neither > 0;
    return first && second && pairs->first_only + pairs->second_only > 0;
}

static void pair_intervals(struct judge_pair *pair, const struct pair_counts *clusters,
                           size_t count, uint64_t seed)
{
    double *agreed = memory_allocate_array(count + 1, sizeof *agreed);
    double *replies = memory_allocate_array(count + 1, sizeof *replies);
    for (size_t i = 0; i < count; i++) {
        agreed[i] = (double)(clusters[i].both + clusters[i].neither);
        replies[i] = (double)pairs_total(&clusters[i]);
    }
    pair->agreement_ci95 = bootstrap_interval(agreed, replies, count, seed);
    pair->kappa_ci95 = kappa_varies(&pair->pairs)
                           ? kappa_interval(clusters, count, seed)
                           : (struct interval){(double)NAN, (double)NAN};
    free(agreed);
    free(replies);
}

static void pair_make(struct judge_pair *pair, const struct units *units, int first,
                      int second, uint64_t seed)
{
    struct pair_counts *clusters =
        memory_allocate_array(units->count + 1, sizeof *clusters);
    size_t count = 0;
    for (size_t i = 0; i < units->count && first >= 0 && second >= 0; i++) {
        clusters[count] = pair_count_unit(&units->items[i], first, second);
        pairs_add(&pair->pairs, &clusters[count]);
        count += pairs_total(&clusters[count]) > 0;
    }
    pair->count = pairs_total(&pair->pairs);
    pair->kappa = cohen_kappa(&pair->pairs);
    pair->agreement = (double)NAN;
    if (count > 0) {
        pair->agreement =
            (double)(pair->pairs.both + pair->pairs.neither) / (double)pair->count;
        pair_intervals(pair, clusters, count, seed);
    }
    free(clusters);
}

void judge_pairs_make(struct attack_result *attack, const struct units *units,
                      const int judges[JUDGE_LIMIT], uint64_t seed)
{
    for (size_t i = 0; i < attack->judge_count; i++)
        for (size_t j = i + 1; j < attack->judge_count; j++) {
            struct judge_pair *pair = &attack->pairs[attack->pair_count++];
            *pair = (struct judge_pair){
                .names = {attack->judges[i].name, attack->judges[j].name}};
            pair_make(pair, units, judges[i], judges[j], seed);
        }
}

static int double_compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

void queries_make(struct attack_result *attack, const struct units *units, int judge)
{
    double *queries = memory_allocate_array(units->count + 1, sizeof *queries);
    size_t count = 0;
    for (size_t i = 0; i < units->count && judge >= 0; i++) {
        const struct attempt *deciding = unit_deciding(&units->items[i], judge);
        if (attempt_is_hit(deciding, judge))
            queries[count++] = (double)deciding->attempt;
    }
    qsort(queries, count, sizeof *queries, double_compare);
    attack->queries_count = (int64_t)count;
    attack->queries_median =
        count ? (queries[(count - 1) / 2] + queries[count / 2]) / 2 : (double)NAN;
    free(queries);
}

void corrections_make(struct summary *summary)
{
    for (size_t i = 0; i < summary->attack_count && summary->judge_errors.m0; i++) {
        struct attack_result *attack = &summary->attacks[i];
        if (attack->judge_count == 0 || attack->judges[0].at_count == 0)
            continue;
        const struct rate *first = &attack->judges[0].at[0];
        attack->is_corrected = judge_correct(&attack->corrected, first->value, first->count,
                                             &summary->judge_errors, NULL) == STATUS_OK;
    }
}

static struct youden_result youden_of(const struct attack_result *attack,
                                      const struct benign_result *benign, uint64_t seed)
{
    const struct tradeoff_verdicts verdicts = {attack->hits, benign->refusals};
    struct tradeoff_bands bands;
    tradeoff_bands_make(&bands, &verdicts, 1, (size_t)attack->behaviors,
                        (size_t)benign->prompts, seed);
    const struct youden_result youden = {tradeoff_youden(&bands.points[0]),
                                         bands.youden[0]};
    tradeoff_bands_release(&bands);
    return youden;
}

void youdens_make(struct summary *summary, uint64_t seed)
{
    for (size_t i = 0; i < summary->attack_count; i++) {
        struct attack_result *attack = &summary->attacks[i];
        attack->youdens =
            memory_allocate_array(summary->benign_count + 1, sizeof *attack->youdens);
        for (size_t set = 0; set < summary->benign_count; set++)
            attack->youdens[set] = youden_of(attack, &summary->benign[set], seed);
    }
}
