#include "data_gen/record_fork.h"

#include <string.h>

/* What the first element begins with, up to its first key; 0 bytes if it is no object, or
 * has none. */
static size_t opening_find(const struct record_reader *reader, const char **opening)
{
    struct json_scan scan = reader->scan; /* behind the '[' */
    scan.tape = NULL;
    if (json_scan_peek(&scan) != '{')
        return 0;
    *opening = scan.bytes + scan.at;
    json_scan_step(&scan);
    if (json_scan_peek(&scan) != '"')
        return 0;
    json_scan_step(&scan);
    return scan.problem ? 0 : (size_t)(scan.bytes + scan.at - *opening);
}

static bool follows_comma(const char *bytes, size_t at)
{
    while (at > 0 && memchr(" \t\r\n", bytes[at - 1], 4))
        at--;
    return at > 0 && bytes[at - 1] == ',';
}

static bool element_find(struct record_reader *fork, size_t from, size_t to)
{
    const struct json_scan *scan = &fork->scan;
    const char *opening = NULL;
    const size_t opening_bytes = opening_find(fork, &opening);
    if (opening_bytes == 0)
        return false;
    const size_t end = scan->count - to > opening_bytes ? to + opening_bytes : scan->count;
    const char *found;
    for (size_t at = from; at < to; at++) {
        found = memmem(scan->bytes + at, end - at, opening, opening_bytes);
        at = found ? (size_t)(found - scan->bytes) : to;
        if (at < to && follows_comma(scan->bytes, at)) {
            record_fork_start(fork, fork->base + at, 0);
            return true;
        }
    }
    return false;
}

static bool line_find(struct record_reader *fork, size_t from, size_t to)
{
    struct line_reader lines = fork->lines;
    lines.offset = from > 0 ? from - 1 : 0; /* a line end right before it will do */
    if (from > 0)
        line_next(&lines);
    size_t begin;
    do
        begin = lines.offset;
    while (line_next(&lines) && line_is_blank(&lines));
    record_fork_start(fork, fork->base + begin, 0);
    return begin < to;
}

bool record_fork(struct record_reader *fork, const struct record_reader *reader,
                 struct source_file *file, size_t from, size_t to)
{
    if (reader->kind != RECORD_ARRAY && reader->kind != RECORD_LINES)
        return false;
    *fork = *reader;
    fork->file = file;
    fork->scan.tape = &fork->tape;
    const size_t end = reader->base + (reader->kind == RECORD_ARRAY ? fork->scan.count
                                                                    : fork->lines.bytes);
    from = from > reader->base ? from : reader->base;
    to = to < end ? to : end;
    if (from >= to)
        return false;
    from -= reader->base;
    to -= reader->base;
    return fork->kind == RECORD_ARRAY ? element_find(fork, from, to)
                                      : line_find(fork, from, to);
}

size_t record_fork_begin(const struct record_reader *fork)
{
    return fork->base + (fork->kind == RECORD_ARRAY ? fork->scan.at : fork->lines.offset);
}

void record_fork_start(struct record_reader *fork, size_t begin, int64_t line)
{
    fork->line = line;
    fork->lines.offset = begin - fork->base;
    fork->lines.number = line;
    if (fork->kind != RECORD_ARRAY)
        return;
    json_scan_init(&fork->scan, fork->scan.bytes, fork->scan.count);
    fork->scan.tape = &fork->tape;
    fork->scan.at = begin - fork->base;
    fork->scan.is_object[fork->scan.depth++] = false; /* within the array */
}
