#ifndef HOLDFAST_ABLATE_SWEEP_TABLE_H
#define HOLDFAST_ABLATE_SWEEP_TABLE_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "eval/verdicts.h"

#include <stdint.h>

/*
 * The rates of a sweep's runs, read from their summary.json: a column for the attack
 * success rate of each attack, for each over-refusal set, and for discrimination D; under
 * it, and in "comparisons" of the JSON, what sweep_compare() finds. What a run did not
 * measure stays empty, never 0. Runs that were asked what they were trained on are named.
 */
struct sweep_cell {
    double rate; /* NaN: not measured */
    double low;
    double high;
    int64_t n;
};

struct sweep_row {
    char *label;              /* "base", "0.02" */
    char *seed;               /* "" for the base */
    char *folder;             /* of the evaluation run */
    struct sweep_cell *cells; /* one for each column */
    int64_t leaked; /* behaviours that stand in what it was trained on; -1: unknown */
    int64_t behaviors;
    struct run_verdicts verdicts;
};

struct sweep_table {
    char **columns; /* "asr none", "refused xstest-safe", "D past" */
    size_t column_count;
    struct sweep_row *rows;
    size_t row_count;
};

/* Reads FOLDER/summary.json and attempts.jsonl into a new row; columns not seen before are
 * added. */
enum status sweep_table_add(struct sweep_table *table, const char *label, const char *seed,
                            const char *folder, struct error *error);
void sweep_table_print(const struct sweep_table *table, struct text_buffer *out);
void sweep_table_json(const struct sweep_table *table, struct text_buffer *out);
void sweep_table_release(struct sweep_table *table);

#endif
