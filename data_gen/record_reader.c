#include "data_gen/record_reader.h"

#include "base/memory.h"
#include "base/options.h"
#include "base/repeated_string.h"
#include "data_gen/conversation_read.h"
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
    struct string_list keys;
};

static void outline_key(struct outline *outline, const char *bytes, size_t count)
{
    cJSON *key = NULL;
    if (json_parse(&key, bytes, count, "", NULL))
        return;
    static const char *const lists[] = {"messages", "conversations", "conversation"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcasecmp(key->valuestring, lists[i]) == 0)
            outline->is_conversation = true;
    string_list_add(&outline->keys, key->valuestring);
    cJSON_Delete(key);
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

static bool outline_has(const struct outline *outline, const char *key)
{
    for (size_t i = 0; i < outline->keys.count; i++)
        if (strcasecmp(outline->keys.items[i], key) == 0)
            return true;
    return false;
}

static void outline_read(struct record_reader *reader, struct json_scan *scan,
                         struct outline *outline)
{
    size_t begin, end;
    json_scan_peek(scan);
    json_scan_step(scan); /* the '{' */
    while (!scan->problem && json_scan_member(scan, &begin, &end)) {
        outline_key(outline, scan->bytes + begin, end - begin);
        if (json_scan_peek(scan) == '[')
            outline_array(reader, scan, outline);
        else
            json_scan_value(scan);
    }
    outline->end = scan->at;
    for (const struct conversation_layout *layout = conversation_layouts; layout->request;
         layout++)
        if (outline_has(outline, layout->request) && outline_has(outline, layout->reply))
            outline->is_conversation = true;
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

/* The rows are in an array of the object that was read. */
static enum status member_begin(struct record_reader *reader, const struct outline *outline,
                                struct error *error)
{
    const struct string_list *keys = &outline->keys;
    const size_t repeated = repeated_string((const char *const *)keys->items, keys->count);
    if (repeated < keys->count)
        return error_set(error, STATUS_FORMAT,
                         "%s: \"%.100s\" stands twice in one object: take one of them out",
                         reader->file->where, keys->items[repeated]);
    if (outline->array_count > 1)
        return error_set(error, STATUS_FORMAT,
                         "%s: holds several arrays of objects: give a file with one",
                         reader->file->where);
    return array_begin(reader, outline->array_begin,
                       outline->array_end - outline->array_begin);
}

static enum status outline_begin(struct record_reader *reader, size_t first,
                                 const struct outline *outline, struct error *error)
{
    struct json_scan *scan = &reader->scan;
    const bool good = !scan->problem;
    if (good && is_lines(reader, first, outline->end)) {
        reader->kind = RECORD_LINES;
        reader->lines =
            (struct line_reader){.data = scan->bytes, .bytes = scan->count, .offset = 0};
        return STATUS_OK;
    }
    if (good && json_scan_peek(scan) >= 0)
        json_scan_step(scan); /* there is no value that this could begin */
    if (scan->problem)
        return json_scan_fail(scan, reader->file->where, error);
    if (outline->array_count >= 1 && !outline->is_conversation)
        return member_begin(reader, outline, error);
    reader->kind = RECORD_OBJECT;
    return STATUS_OK;
}

static enum status object_begin(struct record_reader *reader, size_t first,
                                struct error *error)
{
    struct outline outline = {0};
    outline_read(reader, &reader->scan, &outline);
    const enum status status = outline_begin(reader, first, &outline, error);
    string_list_release(&outline.keys);
    return status;
}

/* --- CSV --- */

/* A column without a name cannot be asked for: there may be several. */
static enum status column_check(const struct csv_reader *csv, struct error *error)
{
    const char **names = memory_allocate_array(csv->cell_count + 1, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < csv->cell_count; i++)
        if (csv->cells[i][0])
            names[count++] = csv->cells[i];
    const size_t repeated = repeated_string(names, count);
    if (repeated < count)
        error_set(error, STATUS_FORMAT,
                  "%s: line %lld: the column \"%.100s\" stands twice: rename one of them",
                  csv->where, (long long)csv->line, names[repeated]);
    free(names);
    return repeated < count ? STATUS_FORMAT : STATUS_OK;
}

static enum status csv_begin(struct record_reader *reader, struct error *error)
{
    struct csv_reader *csv = &reader->csv;
    reader->kind = RECORD_CSV;
    *csv = (struct csv_reader){.data = reader->file->bytes + reader->base,
                               .bytes = reader->file->count - reader->base,
                               .where = reader->file->where,
                               .next_line = 1};
    if (csv_next(csv, error) || column_check(csv, error))
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

static enum status json_row_parse(const struct record_reader *reader, const char *bytes,
                                  const struct record *record, cJSON **object,
                                  struct error *error)
{
    const size_t count = record->end - record->begin;
    if (!json_parse_line(object, bytes, count, reader->file->where, error))
        return STATUS_OK;
    struct text_buffer where = {0}; /* made for the message alone: most rows are good */
    text_buffer_append(&where, reader->file->where);
    if (reader->kind != RECORD_OBJECT)
        text_buffer_appendf(&where, ": %s %lld",
                            reader->kind == RECORD_LINES ? "line" : "element",
                            (long long)record->line);
    const enum status status =
        json_parse_line(object, bytes, count, text_buffer_string(&where), error);
    text_buffer_release(&where);
    return status;
}

static enum status row_parse(const struct record_reader *reader, const char *bytes,
                             const struct record *record, cJSON **object,
                             struct error *error)
{
    const size_t count = record->end - record->begin;
    if (reader->kind != RECORD_CSV)
        return json_row_parse(reader, bytes, record, object, error);
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
