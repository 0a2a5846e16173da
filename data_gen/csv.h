#ifndef HOLDFAST_DATA_GEN_CSV_H
#define HOLDFAST_DATA_GEN_CSV_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Comma-separated values, RFC 4180: cells may be quoted, quotes in them are doubled, quoted
 * cells may span lines; rows end with LF, CRLF or, as Python's csv has it, CR. Blank lines
 * between rows are skipped.
 *
 *     struct csv_reader csv = {.data = …, .bytes = …, .where = path, .next_line = 1};
 *     while (!csv_next(&csv, &error) && csv.cell_count) use(csv.cells, csv.cell_count,
 * csv.line); csv_release(&csv);
 */
struct csv_reader {
    const char *data;
    size_t bytes;
    const char *where;
    size_t offset;
    int64_t next_line;
    size_t row_offset; /* where this row began */
    int64_t line;      /* the same, from 1 */
    char **cells;      /* of this row; overwritten by the next */
    size_t cell_count;
    size_t cell_capacity;
};

/* Reads the next row; cell_count 0 at the end of the file. */
enum status csv_next(struct csv_reader *csv, struct error *error);
void csv_release(struct csv_reader *csv);

#endif
