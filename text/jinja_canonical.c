#include "text/jinja_canonical.h"

#include <stddef.h>
#include <string.h>

struct jinja_reader {
    const char *at; /* NUL-terminated */
    struct text_buffer *out;
    bool line_starts;  /* what was consumed last ended with a newline */
    size_t string_end; /* out->length behind the last string written, 0: none */
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

static const char *skip_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

/* The next "{%", "{{" or "{#", or the end. */
static const char *find_tag(const char *at)
{
    for (; *at; at++)
        if (*at == '{' && (at[1] == '%' || at[1] == '{' || at[1] == '#'))
            break;
    return at;
}

/* Writes the text before a tag, less what the tag takes off its end. */
static void write_text(struct jinja_reader *reader, const char *tag)
{
    const char *start = reader->at;
    const char *end = tag;
    const char modifier = *tag ? tag[2] : '\0';
    if (modifier == '-') {
        while (end > start && is_space(end[-1]))
            end--;
    } else if (*tag && modifier != '+' && tag[1] != '{') {
        const char *line = end;
        while (line > start && line[-1] != '\n' && is_space(line[-1]))
            line--;
        const bool whole = line > start ? line[-1] == '\n' : reader->line_starts;
        end = whole ? line : end;
    }
    text_buffer_append_bytes(reader->out, start, (size_t)(end - start));
    if (end > start)
        reader->string_end = 0;
    reader->at = tag;
}

/* Decodes a string's quotes: the inner text with ' escaped and newlines as \n. */
static bool read_string(struct jinja_reader *reader, struct text_buffer *inner)
{
    const char quote = *reader->at++;
    for (; *reader->at != quote; reader->at++) {
        const char c = *reader->at;
        if (!c)
            return false;
        if (c == '\\' && reader->at[1]) {
            reader->at++;
            if (*reader->at != '"') /* \" needs no backslash in single quotes */
                text_buffer_append_char(inner, '\\');
            text_buffer_append_char(inner, *reader->at);
        } else if (c == '\'') {
            text_buffer_append(inner, "\\'");
        } else if (c == '\n') {
            text_buffer_append(inner, "\\n");
        } else {
            text_buffer_append_char(inner, c);
        }
    }
    reader->at++;
    return true;
}

/* 'a' + 'b' may be joined unless something that binds tighter follows. */
static bool joins(const struct jinja_reader *reader)
{
    const struct text_buffer *out = reader->out;
    const char next = *skip_space(reader->at);
    return reader->string_end > 0 && out->length == reader->string_end + 1 &&
           out->data[out->length - 1] == '+' && (!next || !strchr("|[.(*%/~", next));
}

static bool write_string(struct jinja_reader *reader)
{
    struct text_buffer inner = {0};
    const bool good = read_string(reader, &inner);
    if (good) {
        if (joins(reader)) {
            reader->out->length -= 2; /* '+ */
            reader->out->data[reader->out->length] = '\0';
        } else {
            text_buffer_append_char(reader->out, '\'');
        }
        text_buffer_append_bytes(reader->out, text_buffer_string(&inner), inner.length);
        text_buffer_append_char(reader->out, '\'');
        reader->string_end = reader->out->length;
    }
    text_buffer_release(&inner);
    return good;
}

/* At a '.': a.b becomes a['b'] unless it is called, a.b(…). */
static void write_attribute(struct jinja_reader *reader)
{
    const char *name = skip_space(reader->at + 1);
    const char *end = name;
    while (is_name(*end))
        end++;
    const bool called = *skip_space(end) == '(';
    if (end == name || (*name >= '0' && *name <= '9')) {
        text_buffer_append_char(reader->out, *reader->at++);
        return;
    }
    text_buffer_append(reader->out, called ? "." : "['");
    text_buffer_append_bytes(reader->out, name, (size_t)(end - name));
    text_buffer_append(reader->out, called ? "" : "']");
    reader->at = end;
}

static void write_character(struct jinja_reader *reader, bool spaced)
{
    const struct text_buffer *out = reader->out;
    if (spaced && is_name(*reader->at) && is_name(out->data[out->length - 1]))
        text_buffer_append_char(reader->out, ' ');
    text_buffer_append_char(reader->out, *reader->at++);
}

/* The inside of a tag up to its closing "%}" or "}}" (`close` and '}'). */
static bool write_expression(struct jinja_reader *reader, char close)
{
    int braces = 0;
    bool spaced = false;
    for (;; spaced = false) {
        const char *next = skip_space(reader->at);
        spaced = next > reader->at;
        reader->at = next;
        const char *end = *next == '-' || *next == '+' ? next + 1 : next;
        if (!*next)
            return false;
        if (braces == 0 && *end == close && end[1] == '}')
            return true;
        braces += (*next == '{') - (*next == '}');
        if (*next == '\'' || *next == '"') {
            if (!write_string(reader))
                return false;
        } else if (*next == '.') {
            write_attribute(reader);
        } else {
            write_character(reader, spaced);
        }
    }
}

/* Steps over the end of a tag and the white space that it takes with it. */
static void close_tag(struct jinja_reader *reader, bool trims_newline)
{
    const char modifier = *reader->at == '-' || *reader->at == '+' ? *reader->at++ : '\0';
    reader->at += 2;
    if (modifier == '-')
        reader->at = skip_space(reader->at);
    else if (modifier != '+' && trims_newline && *reader->at == '\n')
        reader->at++;
    reader->line_starts = reader->at[-1] == '\n';
}

static bool write_comment(struct jinja_reader *reader)
{
    const char *end = strstr(reader->at, "#}");
    if (!end)
        return false;
    reader->at = end[-1] == '-' || end[-1] == '+' ? end - 1 : end;
    close_tag(reader, true);
    return true;
}

static bool write_tag(struct jinja_reader *reader)
{
    const char kind = reader->at[1];
    const bool modified = reader->at[2] == '-' || reader->at[2] == '+';
    reader->at += modified ? 3 : 2;
    if (kind == '#')
        return write_comment(reader);
    text_buffer_append_char(reader->out, '{');
    text_buffer_append_char(reader->out, kind);
    const char close = kind == '{' ? '}' : '%';
    if (!write_expression(reader, close))
        return false;
    text_buffer_append_char(reader->out, close);
    text_buffer_append_char(reader->out, '}');
    close_tag(reader, kind == '%');
    return true;
}

/* "\r\n" and "\r" are "\n"; one newline at the very end does not count. */
static void normalize_newlines(const char *source, struct text_buffer *out)
{
    for (const char *at = source; *at; at++) {
        if (at[0] == '\r' && at[1] == '\n')
            continue;
        text_buffer_append_char(out, *at == '\r' ? '\n' : *at);
    }
    if (out->length > 0 && out->data[out->length - 1] == '\n')
        out->data[--out->length] = '\0';
}

bool jinja_canonical(const char *source, struct text_buffer *out)
{
    struct text_buffer lines = {0};
    normalize_newlines(source, &lines);
    struct jinja_reader reader = {
        .at = text_buffer_string(&lines), .out = out, .line_starts = true};
    bool good = true;
    while (good && *reader.at) {
        write_text(&reader, find_tag(reader.at));
        if (*reader.at)
            good = write_tag(&reader);
    }
    text_buffer_release(&lines);
    return good;
}
