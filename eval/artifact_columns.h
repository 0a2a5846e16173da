#ifndef HOLDFAST_EVAL_ARTIFACT_COLUMNS_H
#define HOLDFAST_EVAL_ARTIFACT_COLUMNS_H

#include "base/options.h"
#include "eval/artifact.h"

/*
 * Stored replies in any layout, by a map of what stands where: CSV, JSONL, a JSON array, or
 * an object that holds one; with "rows" any JSON. Places are paths (data_gen/records.h):
 *
 *     request   what judges are shown; required
 *     response  what the model said; required. With '*' a row has several attempts
 *     prompt    what the model was asked (else the request)
 *     index     which behaviour it is, a whole number (else equal requests are one
 *               behaviour, in the order in which they first stand)
 *     attempt   its number, from 1 (else they are counted in the order of the file)
 *     attack    a tense's name (else all are one attack, "stored")
 *     category  for the table by category
 *     hit       a verdict that is stored: true, 1, "yes", "unsafe", "C" or a number
 *               from 0.5 on is a hit; or its contrary, `miss`. With several replies
 *               there is one, or one for each
 *     rows      where the rows are: "results.results", "*.*"
 *
 * A reply that is null or not there is a target_error, never a refusal; a verdict that is
 * null is none. The stored verdicts are those of the judge "stored".
 */
enum artifact_column {
    COLUMN_REQUEST,
    COLUMN_RESPONSE,
    COLUMN_PROMPT,
    COLUMN_INDEX,
    COLUMN_ATTEMPT,
    COLUMN_ATTACK,
    COLUMN_CATEGORY,
    COLUMN_HIT,
    COLUMN_MISS,
    COLUMN_ROWS,
    COLUMN_COUNT
};
struct artifact_columns {
    const char *paths[COLUMN_COUNT]; /* borrowed from the list; NULL: not named */
    const char *benign; /* the requests are harmless, of the set of this name; or NULL */
};

/* From NAME=PATH texts. STATUS_USAGE for other names, and if a required one is missing. */
enum status artifact_columns_parse(struct artifact_columns *columns,
                                   const struct string_list *texts, struct error *error);

/* `spec` is PATH[?FIELD=VALUE[&FIELD=VALUE]…]: only rows that match. Not in the artifact's
 * hands later. */
enum status artifact_read_columns(struct artifact *artifact, const char *spec,
                                  const struct artifact_columns *columns,
                                  struct error *error);
/* The same over bytes in memory, without a filter; `where` names them. */
enum status artifact_parse_columns(struct artifact *artifact, const char *bytes,
                                   size_t count, const char *where,
                                   const struct artifact_columns *columns,
                                   struct error *error);

#endif
