#ifndef HOLDFAST_EVAL_VERDICTS_H
#define HOLDFAST_EVAL_VERDICTS_H

#include "base/error.h"
#include "eval/paired.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the main judge said of each behaviour of a finished run, and the refusal judge of
 * each benign prompt: what tests on the same behaviours need, without the replies.
 *
 *     run_verdicts
 *      └ sets[]           (harmful, ATTACK), or (benign:SET, none)
 *         └ units[]       behaviours or prompts, by index
 *
 * Success is an answer to a harmful request, or a refused benign prompt.
 */
struct verdict_unit {
    int64_t index;
    uint64_t request_hash; /* equal indices of two lists need not be the same request */
    int64_t first_success; /* number of the attempt, from 1; 0: none */
    int64_t scored;        /* attempts before the first one without a verdict */
};

struct verdict_set {
    char *set;
    char *attack;
    char *judge;      /* NULL: not known */
    int64_t attempts; /* made for a unit at most */
    struct verdict_unit *units;
    size_t count;
};

struct run_verdicts {
    struct verdict_set *sets;
    size_t count;
};

/*
 * Reads FOLDER/attempts.jsonl by the judges and numbers of attempts that `summary`, the
 * run's summary.json, names. Errors: a missing or malformed file; then nothing is held.
 */
enum status run_verdicts_read(struct run_verdicts *verdicts, const char *folder,
                              const cJSON *summary, struct error *error);
void run_verdicts_release(struct run_verdicts *verdicts);

const struct verdict_set *run_verdicts_find(const struct run_verdicts *verdicts,
                                            const char *set, const char *attack);

/* 1 if one of the first k attempts was a success, 0 if k were scored and none was, -1
 * else: as summary.h's reached, missed and unknown. */
int verdict_at(const struct verdict_unit *unit, int64_t k);

/*
 * Two runs on the behaviours that both scored, each within the attempts of the run that
 * made fewer. Runs judged by different judges have no pairs. Pairs: first is `before`. p is
 * McNemar's, exact; ci95 is that of after - before, paired_interval() with seed 1.
 */
struct comparison {
    int64_t attempts;
    struct pair_counts pairs;
    int64_t count;    /* pairs */
    int64_t left_out; /* units of either run that are not in the other, or unscored */
    double before;    /* shares of success; NaN without pairs, as all below */
    double after;
    double difference;
    struct interval ci95;
    double p;
    double p_holm; /* comparisons_adjust(); p until then */
};
void verdicts_compare(struct comparison *comparison, const struct verdict_set *before,
                      const struct verdict_set *after); /* NULL: nothing to compare */

/* Holm over one family: comparisons of the same attack with several runs. */
void comparisons_adjust(struct comparison *const *family, size_t count);

#endif
