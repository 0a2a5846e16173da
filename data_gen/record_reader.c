#include "data_gen/record_reader.h"

#include "base/memory.h"
#include "data_gen/records.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- an object, or what holds the rows --- */

/* What the members of the outermost object are. */
struct outline {
    bool is_conversation;
    int array_count;    /* members that are arrays of objects */
    size_t array_begin; /* of the last of them */
    size_t array_end;
    size_t end; /* of the object */
};

static bool is_key(const char *bytes, size_t begin, size_t end, const char *name)
{
    cJSON *key = NULL;
    if (json_parse(&key, bytes + begin, end - begin, "", NULL))
        return false;
    const bool equal = strcasecmp(key->valuestring, name) == 0;
    cJSON_Delete(key);
    return equal;
}

/* Over an array, element by element, so that its pages can be given back. */
static void outline_array(struct record_reader *reader, struct json_scan *scan,
                          struct outline *outline)
{
    size_t begin, end;
    bool is_first = true;
    bool holds_rows = false;
    const size_t array_begin = scan->at;
    json_scan_step(scan);
    while (!scan->problem && json_scan_element(scan, &begin, &end)) {
        holds_rows = holds_rows || (is_first && scan->bytes[begin] == '{');
        is_first = false;
        source_file_forget(reader->file, reader->base + scan->at);
    }
    if (holds_rows) {
        outline->array_count++;
        outline->array_begin = array_begin;
        outline->array_end = scan->at;
    }
}

static bool outline_read(struct record_reader *reader, struct json_scan *scan,
                         struct outline *outline)
{
    size_t begin, end;
    *outline = (struct outline){0};
    json_scan_peek(scan);
    json_scan_step(scan); /* the '{' */
    while (!scan->problem && json_scan_member(scan, &begin, &end)) {
        if (is_key(scan->bytes, begin, end, "messages") ||
            is_key(scan->bytes, begin, end, "conversations"))
            outline->is_conversation = true;
        if (json_scan_peek(scan) == '[')
            outline_array(reader, scan, outline);
        else
            json_scan_value(scan);
    }
    outline->end = scan->at;
    return !scan->problem;
}

/* JSONL: the first object ends on the line on which it began, and more follows. */
static bool is_lines(const struct record_reader *reader, size_t begin, size_t end)
{
    const char *bytes = reader->file->bytes + reader->base;
    const size_t count = reader->file->count - reader->base;
    if (memchr(bytes + begin, '\n', end - begin))
        return false;
    size_t at = end;
    while (at < count && memchr(" \t\r", bytes[at], 3))
        at++;
    if (at == count || bytes[at] != '\n')
        return false;
    while (at < count && memchr(" \t\r\n", bytes[at], 4))
        at++;
    return at < count;
}

/* The array that begins at `offset` is all there is to read. */
static enum status array_begin(struct record_reader *reader, size_t offset, size_t bytes)
{
    reader->kind = RECORD_ARRAY;
    reader->base += offset;
    json_scan_init(&reader->scan, reader->file->bytes + reader->base, bytes);
    reader->scan.tape = &reader->tape;
    json_scan_step(&reader->scan);
    return STATUS_OK;
}

static enum status object_begin(struct record_reader *reader, size_t first,
                                struct error *error)
{
    struct outline outline;
    struct json_scan *scan = &reader->scan;
    const bool good = outline_read(reader, scan, &outline);
    if (good && is_lines(reader, first, outline.end)) {
        reader->kind = RECORD_LINES;
        reader->lines =
            (struct line_reader){.data = scan->bytes, .bytes = scan->count, .offset = 0};
        return STATUS_OK;
    }
    if (good && json_scan_peek(scan) >= 0)
        json_scan_step(scan); /* there is no value that this could begin */
    if (scan->problem)
        return json_scan_fail(scan, reader->file->where, error);
    if (outline.array_count == 1 && !outline.is_conversation)
        return array_begin(reader, outline.array_begin,
                           outline.array_end - outline.array_begin);
    if (outline.array_count > 1 && !outline.is_conversation)
        return error_set(error, STATUS_FORMAT,
                         "%s: holds several arrays of objects: give a file with one",
                         reader->file->where);
    reader->kind = RECORD_OBJECT;
    return STATUS_OK;
}

/* --- CSV --- */

static enum status csv_begin(struct record_reader *reader, struct error *error)
{
    struct csv_reader *csv = &reader->csv;
    reader->kind = RECORD_CSV;
    *csv = (struct csv_reader){.data = reader->file->bytes + reader->base,
                               .bytes = reader->file->count - reader->base,
                               .where = reader->file->where,
                               .next_line = 1};
    if (csv_next(csv, error))
        return error->status;
    reader->names = csv->cells; /* taken over: the header outlives its row */
    reader->name_count = csv->cell_count;
    csv->cells = NULL;
    csv->cell_count = csv->cell_capacity = 0;
    return STATUS_OK;
}

static bool csv_record(struct record_reader *reader, struct record *record,
                       enum status *status, struct error *error)
{
    struct csv_reader *csv = &reader->csv;
    *status = csv_next(csv, error);
    if (*status || csv->cell_count == 0)
        return false;
    if (csv->cell_count != reader->name_count) {
        *status = error_set(error, STATUS_FORMAT,
                            "%s: line %lld: %zu cells where the header has %zu", csv->where,
                            (long long)csv->line, csv->cell_count, reader->name_count);
        return false;
    }
    *record = (struct record){.begin = reader->base + csv->row_offset,
                              .end = reader->base + csv->offset,
                              .line = csv->line};
    return true;
}

static cJSON *csv_object(const struct record_reader *reader, const struct csv_reader *csv)
{
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < reader->name_count; i++)
        cJSON_AddStringToObject(object, reader->names[i], csv->cells[i]);
    return object;
}

/* --- JSON --- */

static bool not_an_object(const struct record_reader *reader, enum status *status,
                          struct error *error)
{
    *status = error_set(error, STATUS_FORMAT,
                        reader->kind == RECORD_ARRAY ? "%s: element %lld is no object"
                                                     : "%s: line %lld: not an object",
                        reader->file->where, (long long)reader->line);
    return false;
}

static bool array_record(struct record_reader *reader, struct record *record,
                         enum status *status, struct error *error)
{
    struct json_scan *scan = &reader->scan;
    size_t begin, end;
    reader->tape_base = reader->base;
    if (!scan->problem && json_scan_element(scan, &begin, &end)) {
        reader->line++;
        if (scan->bytes[begin] != '{')
            return not_an_object(reader, status, error);
        *record = (struct record){
            .begin = reader->base + begin, .end = reader->base + end, .line = reader->line};
        return true;
    }
    if (!scan->problem && json_scan_peek(scan) >= 0)
        json_scan_step(scan); /* nothing may follow the array */
    if (scan->problem)
        *status = json_scan_fail(scan, reader->file->where, error);
    return false;
}

static bool line_record(struct record_reader *reader, struct record *record,
                        enum status *status, struct error *error)
{
    struct line_reader *lines = &reader->lines;
    bool more;
    while ((more = line_next(lines)) && line_is_blank(lines))
        ;
    if (!more)
        return false;
    reader->line = lines->number;
    reader->tape_base = (size_t)(lines->line - reader->file->bytes);
    json_scan_init(&reader->scan, lines->line, lines->line_bytes);
    reader->scan.tape = &reader->tape;
    if (!json_scan_text(&reader->scan)) {
        char where[512];
        snprintf(where, sizeof where, "%s: line %lld", reader->file->where,
                 (long long)reader->line);
        *status = json_scan_fail(&reader->scan, where, error);
        return false;
    }
    if (reader->tape.tokens[0].kind != '{')
        return not_an_object(reader, status, error);
    *record = (struct record){.begin = reader->tape_base,
                              .end = reader->tape_base + lines->line_bytes,
                              .line = reader->line};
    return true;
}

static bool object_record(struct record_reader *reader, struct record *record)
{
    *record = (struct record){.begin = reader->base, .end = reader->file->count, .line = 1};
    reader->tape.overflow = true; /* it was not kept */
    return reader->line++ == 0;
}

/* --- all kinds --- */

enum status record_reader_open(struct record_reader *reader, struct source_file *file,
                               struct error *error)
{
    *reader = (struct record_reader){.file = file};
    if (file->count >= 3 && memcmp(file->bytes, "\xEF\xBB\xBF", 3) == 0)
        reader->base = 3;
    struct json_scan *scan = &reader->scan;
    json_scan_init(scan, file->bytes + reader->base, file->count - reader->base);
    const int first = json_scan_peek(scan);
    const size_t offset = scan->at;
    enum status status = STATUS_OK;
    if (first < 0)
        status = error_set(error, STATUS_FORMAT, "%s: the file is empty", file->where);
    else if (first == '[')
        status = array_begin(reader, 0, scan->count);
    else if (first == '{')
        status = object_begin(reader, offset, error);
    else
        status = csv_begin(reader, error);
    if (status)
        record_reader_close(reader);
    return status;
}

void record_reader_close(struct record_reader *reader)
{
    csv_release(&reader->csv);
    struct csv_reader names = {.cells = reader->names, .cell_count = reader->name_count};
    csv_release(&names);
    reader->names = NULL;
    reader->name_count = 0;
}

bool record_next(struct record_reader *reader, struct record *record, enum status *status,
                 struct error *error)
{
    bool more = false;
    *status = STATUS_OK;
    reader->tape.count = 0;
    reader->tape.overflow = false;
    if (reader->kind == RECORD_ARRAY)
        more = array_record(reader, record, status, error);
    else if (reader->kind == RECORD_LINES)
        more = line_record(reader, record, status, error);
    else if (reader->kind == RECORD_CSV)
        more = csv_record(reader, record, status, error);
    else
        more = object_record(reader, record);
    if (more)
        source_file_forget(reader->file, record->begin);
    return more;
}

static enum status row_parse(const struct record_reader *reader, const char *bytes,
                             const struct record *record, cJSON **object,
                             struct error *error)
{
    const size_t count = record->end - record->begin;
    if (reader->kind != RECORD_CSV)
        return json_parse(object, bytes, count, reader->file->where, error);
    struct csv_reader csv = {.data = bytes,
                             .bytes = count,
                             .where = reader->file->where,
                             .next_line = record->line};
    enum status status = csv_next(&csv, error);
    if (!status && csv.cell_count == reader->name_count)
        *object = csv_object(reader, &csv);
    else if (!status)
        status = error_set(error, STATUS_IO, "%s: changed while it was read",
                           reader->file->where);
    csv_release(&csv);
    return status;
}

enum status record_parse(struct record_reader *reader, const struct record *record,
                         cJSON **object, struct error *error)
{
    const size_t count = record->end - record->begin;
    *object = NULL;
    if (reader->kind == RECORD_CSV && reader->csv.cell_count &&
        record->begin == reader->base + reader->csv.row_offset) {
        *object = csv_object(reader, &reader->csv); /* the row that was read last */
        return STATUS_OK;
    }
    char *bytes = memory_allocate(count + 1);
    enum status status = source_file_read(reader->file, record->begin, bytes, count, error);
    if (!status)
        status = row_parse(reader, bytes, record, object, error);
    free(bytes);
    return status;
}
