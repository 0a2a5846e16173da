#include "eval/reformulation_prompt.h"

#include "base/memory.h"
#include "text/unicode.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT_BYTES = 1 << 20 };

static const char request_mark[] = "{request}";
static const char attack_mark[] = "{attack}";

/* A file while it is read. `tense` is the open section's; TENSE_COUNT: none is open. */
struct reading {
    struct reformulation_prompt *prompt;
    const char *where;
    int tense;
    int64_t section_line;
    bool has_sections;
    struct text_buffer text;
};

void reformulation_prompt_release(struct reformulation_prompt *prompt)
{
    for (int i = 0; i < TENSE_COUNT; i++)
        free(prompt->texts[i]);
    *prompt = (struct reformulation_prompt){0};
}

/* Whether the line is "=== NAME ==="; the name goes to `name`, cut if too long. */
static bool section_name(const char *line, size_t count, char name[32])
{
    size_t start = 0;
    while (start < count && line[start] == '=')
        start++;
    while (count > 0 && isspace((unsigned char)line[count - 1]))
        count--;
    size_t end = count;
    while (end > start && line[end - 1] == '=')
        end--;
    if (start < 3 || count - end < 3)
        return false;
    while (start < end && line[start] == ' ')
        start++;
    while (end > start && line[end - 1] == ' ')
        end--;
    const size_t length = end - start < 31 ? end - start : 31;
    memcpy(name, line + start, length);
    name[length] = '\0';
    return true;
}

/* The text without blank lines around it, heap. */
static char *trimmed(const struct text_buffer *text)
{
    const char *start = text_buffer_string(text);
    size_t count = text->length;
    for (const char *c = start; isspace((unsigned char)*c); c++)
        if (*c == '\n') {
            count -= (size_t)(c + 1 - start);
            start = c + 1;
        }
    while (count > 0 && isspace((unsigned char)start[count - 1]))
        count--;
    return memory_duplicate_bytes(start, count);
}

static enum status section_close(struct reading *reading, struct error *error)
{
    if (reading->tense == TENSE_COUNT)
        return STATUS_OK;
    char *text = trimmed(&reading->text);
    text_buffer_clear(&reading->text);
    reading->prompt->texts[reading->tense] = text;
    if (!strstr(text, request_mark))
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: the text has no {request}: where should the "
                         "request stand?",
                         reading->where, (long long)reading->section_line);
    return STATUS_OK;
}

static enum status section_open(struct reading *reading, const char *name, int64_t line,
                                struct error *error)
{
    enum tense tense;
    if (section_close(reading, error))
        return error->status;
    text_buffer_clear(&reading->text);
    if (tense_parse(&tense, name, error))
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: '%s' is no attack: holdfast data --list-tenses "
                         "names them",
                         reading->where, (long long)line, name);
    if (tense == TENSE_NONE || reading->prompt->texts[tense])
        return error_set(error, STATUS_FORMAT, "%s: line %lld: %s", reading->where,
                         (long long)line,
                         tense == TENSE_NONE ? "the attack none leaves requests as they are"
                                             : "this attack has a section already");
    reading->tense = (int)tense;
    reading->section_line = line;
    reading->has_sections = true;
    return STATUS_OK;
}

static enum status lines_read(struct reading *reading, const char *bytes, size_t count,
                              struct error *error)
{
    struct line_reader lines = {.data = bytes, .bytes = count};
    while (line_next(&lines)) {
        char name[32];
        if (section_name(lines.line, lines.line_bytes, name)) {
            if (section_open(reading, name, lines.number, error))
                return error->status;
            continue;
        }
        const size_t kept = lines.line_bytes - (lines.line_bytes > 0 &&
                                                lines.line[lines.line_bytes - 1] == '\r');
        text_buffer_append_bytes(&reading->text, lines.line, kept);
        text_buffer_append_char(&reading->text, '\n');
    }
    return STATUS_OK;
}

/* A file without sections serves every attack. */
static enum status whole_close(struct reading *reading, struct error *error)
{
    reading->section_line = 1;
    for (int tense = TENSE_NONE + 1; tense < TENSE_COUNT; tense++) {
        struct text_buffer copy = {0};
        text_buffer_append(&copy, text_buffer_string(&reading->text));
        struct reading one = *reading;
        one.text = copy;
        one.tense = tense;
        const enum status status = section_close(&one, error);
        text_buffer_release(&one.text);
        if (status)
            return status;
    }
    return STATUS_OK;
}

enum status reformulation_prompt_parse(struct reformulation_prompt *prompt,
                                       const char *bytes, size_t count, const char *where,
                                       struct error *error)
{
    struct reading reading = {.prompt = prompt, .where = where, .tense = TENSE_COUNT};
    *prompt = (struct reformulation_prompt){0};
    bytes_sha256(prompt->sha256, bytes, count);
    if (memchr(bytes, '\0', count) || !utf8_is_valid(bytes, count))
        return error_set(error, STATUS_FORMAT, "%s: is no UTF-8 text", where);
    enum status status = lines_read(&reading, bytes, count, error);
    if (!status)
        status = reading.has_sections ? section_close(&reading, error)
                                      : whole_close(&reading, error);
    text_buffer_release(&reading.text);
    if (status)
        reformulation_prompt_release(prompt);
    return status;
}

enum status reformulation_prompt_read(struct reformulation_prompt *prompt, const char *path,
                                      struct error *error)
{
    struct text_buffer text = {0};
    enum status status = STATUS_OK;
    if (path)
        status = file_read(&text, path, FILE_LIMIT_BYTES, error);
    for (size_t i = 0; !path && reformulation_prompt_builtin[i]; i++)
        text_buffer_append(&text, reformulation_prompt_builtin[i]);
    if (!status)
        status = reformulation_prompt_parse(prompt, text_buffer_string(&text), text.length,
                                            path ? path : "the built-in prompt", error);
    text_buffer_release(&text);
    return status;
}

void reformulation_prompt_render(const struct reformulation_prompt *prompt,
                                 enum tense tense, const char *request,
                                 struct text_buffer *out)
{
    CHECK(prompt->texts[tense]);
    for (const char *at = prompt->texts[tense]; *at;) {
        if (text_starts_with(at, request_mark)) {
            text_buffer_append(out, request);
            at += strlen(request_mark);
        } else if (text_starts_with(at, attack_mark)) {
            text_buffer_append(out, tense_name(tense));
            at += strlen(attack_mark);
        } else {
            text_buffer_append_char(out, *at++);
        }
    }
}
