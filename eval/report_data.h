#ifndef HOLDFAST_EVAL_REPORT_DATA_H
#define HOLDFAST_EVAL_REPORT_DATA_H

#include "base/error.h"
#include "eval/verdicts.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the report knows of its runs: each summary.json as structs.
 *
 *     report
 *      └ runs[]                     the first is the baseline
 *         ├ attacks[]               none, past, future, …
 *         │  ├ judges[]             the first is the main one
 *         │  │  └ curve[]           ASR@k
 *         │  ├ categories[]         by the main judge
 *         │  └ outcomes[]
 *         ├ benign[]                over-refusal and outcomes[], one for each set
 *         ├ discriminations[]       D, one for each tense
 *         └ outcomes[]              of the first attack; of all, where no attack has its
 * own
 *
 * Strings are borrowed from the run's JSON trees and live as long as the report.
 */

/* A share of something, or with `value` in [-1, 1] a difference of shares. */
struct report_rate {
    bool measured; /* false: nothing below holds */
    bool has_interval;
    bool has_bounds;
    double value;
    double low, high;             /* 95% interval */
    double bound_low, bound_high; /* worst cases: all unscored are misses, or hits */
    int64_t hits;                 /* -1: not known */
    int64_t count;                /* -1: not known */
    int64_t other_count;          /* of a difference: what is taken off; 0: none */
};

struct report_point {
    int64_t attempts; /* k */
    struct report_rate asr;
};

struct report_judge {
    const char *name;
    struct report_rate asr;
    struct report_point *curve; /* k upwards */
    size_t curve_count;
};

struct report_category {
    const char *name;
    struct report_rate asr;
};

struct report_outcome {
    const char *name;
    int64_t count;
};

struct report_outcomes {
    struct report_outcome *items;
    size_t count;
    int64_t total;
};

struct report_attack {
    const char *name;
    int64_t attempts; /* a behaviour; -1: not known */
    struct report_judge *judges;
    size_t judge_count;
    struct report_category *categories;
    size_t category_count;
    struct report_outcomes outcomes;
};

struct report_benign {
    const char *name;
    struct report_rate refused;
    struct report_outcomes outcomes;
};

struct report_discrimination {
    const char *attack;
    struct report_rate harmful_refused;
    struct report_rate benign_refused;
    struct report_rate d; /* harmful_refused - benign_refused */
};

struct report_run {
    char *path;
    char *label; /* what tells this run from the others */
    const char *model;
    struct report_attack *attacks;
    size_t attack_count;
    struct report_benign *benign;
    size_t benign_count;
    struct report_discrimination *discriminations;
    size_t discrimination_count;
    struct report_outcomes outcomes;
    struct report_rate degenerate;
    struct run_verdicts verdicts; /* empty where attempts.jsonl is missing or broken */
    cJSON *summary;
    cJSON *manifest; /* NULL: there is none */
};

struct report {
    struct report_run *runs;
    size_t count;
    size_t after; /* the run that is held against the first; 0 if there is only one */
};

/* On an error nothing is left to close. */
enum status report_open(struct report *report, const char *const *paths, size_t count,
                        struct error *error);
void report_close(struct report *report);

/* Lookups by name; NULL or an unmeasured rate if there is no such thing. */
const struct report_attack *report_attack(const struct report_run *run, const char *attack);
struct report_rate report_asr(const struct report_run *run, const char *attack);
struct report_rate report_category_asr(const struct report_run *run, const char *attack,
                                       const char *category);
struct report_rate report_refused(const struct report_run *run, const char *set);
const struct report_discrimination *report_discrimination(const struct report_run *run,
                                                          const char *attack);

/* Names in the order in which the runs bring them up; `items` is freed by the caller. */
struct report_names {
    const char **items;
    size_t count;
    size_t capacity;
};
void report_names_add(struct report_names *names, const char *name); /* once each */
struct report_names report_attack_names(const struct report *report);
struct report_names report_category_names(const struct report *report, const char *attack);
struct report_names report_set_names(const struct report *report);
struct report_names report_discrimination_names(const struct report *report);

/* The attack that the report is about: "past" where it was run, else the last one. */
const char *report_main_attack(const struct report *report);

/*
 * Labels for run folders: without what all paths end in ("before/eval" and "after/eval"
 * give "before", "after"), then the fewest last components that differ from all others.
 */
void report_set_labels(struct report *report);

#endif
