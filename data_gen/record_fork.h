#ifndef HOLDFAST_DATA_GEN_RECORD_FORK_H
#define HOLDFAST_DATA_GEN_RECORD_FORK_H

#include "data_gen/record_reader.h"

/*
 * Readers that begin within a source, so that several threads can go over it. A line of
 * JSONL begins behind a line end. In an array of JSON an element is taken to begin where
 * there is a ',' and what the first element begins with, up to its first key:
 *
 *     [{"id":"a", …}, {"id":"b", …}, …
 *      ------        ^------
 *
 * That may be wrong: {"id": may stand deep within an element too (though not in a string,
 * where a '"' has a '\' before it). So what a fork reads counts only where a reader that
 * comes from before finds a row to begin where the fork began: from there on both read the
 * same.
 */

/*
 * A fork of `reader`, of which no row was read yet, that begins at the first such place of
 * the bytes [from, to) of its source; `file` is the source, for the fork alone. False where
 * there is none, or if the source has no rows that can be found so (CSV, a single object).
 * Its rows are numbered from 1. There is nothing to close.
 */
bool record_fork(struct record_reader *fork, const struct record_reader *reader,
                 struct source_file *file, size_t from, size_t to);

/* Where the first row of a fork begins, as record.begin will say. */
size_t record_fork_begin(const struct record_reader *fork);

/* Has it read from there (again), and number its rows from line + 1. */
void record_fork_start(struct record_reader *fork, size_t begin, int64_t line);

#endif
