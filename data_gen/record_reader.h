#ifndef HOLDFAST_DATA_GEN_RECORD_READER_H
#define HOLDFAST_DATA_GEN_RECORD_READER_H

#include "base/json.h"
#include "base/json_scan.h"
#include "data_gen/csv.h"
#include "data_gen/source_file.h"

#include <stdint.h>

/*
 * The rows of a source one by one, found without being parsed: their place is enough to
 * parse one later. The kind is told by the content, not by the name:
 *
 *     begins with '['    JSON: an array of objects
 *     begins with '{'    JSONL, an object a line; or one object: a chat by itself, or what
 *                        holds one array of objects, which are then the rows
 *     anything else      CSV, RFC 4180: a header, then rows; cells become strings
 *
 * A UTF-8 BOM is skipped. Every byte is checked on the way, of rows that nobody parses too:
 * the whole grammar of JSON, quotes and the count of cells in CSV. Errors name the line.
 * A key that stands twice in an object is found where the row is parsed (json_parse()), and
 * conversation_glance() has rows parsed in which it sees one: so chats that are not chosen
 * are checked too. A column of CSV that stands twice is an error as well.
 */
enum record_kind { RECORD_ARRAY, RECORD_OBJECT, RECORD_LINES, RECORD_CSV };

struct record {
    size_t begin; /* in the file's bytes */
    size_t end;
    int64_t line; /* in the file, from 1; in a JSON array the element's number, from 1 */
};

struct record_reader {
    struct source_file *file; /* borrowed */
    enum record_kind kind;
    size_t base;           /* where the text, or the array in it, begins */
    struct json_scan scan; /* ARRAY: stands in the array; LINES: the line before */
    struct json_tape tape; /* tokens of the row; offsets from tape_base in the file */
    size_t tape_base;
    struct line_reader lines;
    struct csv_reader csv;
    char **names; /* of the columns */
    size_t name_count;
    int64_t line;
    bool done;
};

enum status record_reader_open(struct record_reader *reader, struct source_file *file,
                               struct error *error);
void record_reader_close(struct record_reader *reader);

/* The next row; false at the end, or with *status. */
bool record_next(struct record_reader *reader, struct record *record, enum status *status,
                 struct error *error);

/* Parses a row that record_next() gave, at any time. The caller frees *object. */
enum status record_parse(struct record_reader *reader, const struct record *record,
                         cJSON **object, struct error *error);

#endif
