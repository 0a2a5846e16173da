#include "data_gen/csv.h"

#include "base/memory.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void row_clear(struct csv_reader *csv)
{
    for (size_t i = 0; i < csv->cell_count; i++)
        free(csv->cells[i]);
    csv->cell_count = 0;
}

void csv_release(struct csv_reader *csv)
{
    row_clear(csv);
    free(csv->cells);
    csv->cells = NULL;
}

static bool at_end(const struct csv_reader *csv)
{
    return csv->offset >= csv->bytes;
}

static char peek(const struct csv_reader *csv)
{
    return csv->data[csv->offset];
}

/* Steps over LF, CRLF or CR; false if none stands here. */
static bool line_end_take(struct csv_reader *csv)
{
    const size_t left = csv->bytes - csv->offset;
    const char *at = csv->data + csv->offset;
    size_t length = 0;
    if (left >= 1 && at[0] == '\n')
        length = 1;
    else if (left >= 2 && at[0] == '\r' && at[1] == '\n')
        length = 2;
    else if (left >= 1 && at[0] == '\r')
        length = 1;
    csv->offset += length;
    csv->next_line += length > 0;
    return length > 0;
}

static enum status quoted_cell(struct csv_reader *csv, struct text_buffer *cell,
                               struct error *error)
{
    const int64_t opened = csv->next_line;
    for (csv->offset++; !at_end(csv); csv->offset++) {
        const char c = peek(csv);
        const bool doubled =
            c == '"' && csv->offset + 1 < csv->bytes && csv->data[csv->offset + 1] == '"';
        if (c == '"' && !doubled) {
            csv->offset++;
            return STATUS_OK;
        }
        csv->offset += doubled;
        csv->next_line += c == '\n';
        text_buffer_append_char(cell, c);
    }
    return error_set(
        error, STATUS_FORMAT,
        "%s: line %lld: a quoted cell is not closed before the end of the file", csv->where,
        (long long)opened);
}

static void plain_cell(struct csv_reader *csv, struct text_buffer *cell)
{
    const size_t first = csv->offset;
    while (!at_end(csv) && peek(csv) != ',' && peek(csv) != '\n' && peek(csv) != '\r')
        csv->offset++;
    text_buffer_append_bytes(cell, csv->data + first, csv->offset - first);
}

static enum status cell_next(struct csv_reader *csv, struct error *error)
{
    struct text_buffer cell = {0};
    if (!at_end(csv) && peek(csv) == '"') {
        if (quoted_cell(csv, &cell, error)) {
            text_buffer_release(&cell);
            return error->status;
        }
    } else {
        plain_cell(csv, &cell);
    }
    if (memchr(text_buffer_string(&cell), '\0', cell.length)) {
        text_buffer_release(&cell);
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: a NUL byte in a cell: is the file damaged, or of "
                         "another kind than UTF-8 text?",
                         csv->where, (long long)csv->next_line);
    }
    array_reserve(csv->cells, csv->cell_capacity, csv->cell_count + 1);
    csv->cells[csv->cell_count++] = memory_duplicate_string(text_buffer_string(&cell));
    text_buffer_release(&cell);
    return STATUS_OK;
}

enum status csv_next(struct csv_reader *csv, struct error *error)
{
    row_clear(csv);
    while (line_end_take(csv))
        ;
    csv->line = csv->next_line;
    csv->row_offset = csv->offset;
    if (at_end(csv))
        return STATUS_OK;
    for (;;) {
        if (cell_next(csv, error))
            return error->status;
        if (at_end(csv) || line_end_take(csv))
            return STATUS_OK;
        if (peek(csv) != ',')
            return error_set(error, STATUS_FORMAT,
                             "%s: line %lld: text after a closing quote: quotes inside a "
                             "quoted cell are doubled",
                             csv->where, (long long)csv->next_line);
        csv->offset++;
    }
}
