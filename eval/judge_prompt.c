#include "eval/judge_prompt.h"

#include "base/memory.h"
#include "eval/judge.h"
#include "eval/judge_text.h"
#include "eval/verdict_pattern.h"

#include <stdlib.h>
#include <string.h>

enum {
    FILE_LIMIT_BYTES = 1 << 20,
    TOKEN_LIMIT_DEFAULT = 512,
    REPLY_LIMIT_DEFAULT_BYTES = 16384,
    REPLY_LIMIT_LEAST_BYTES = 256
};

static const char *const pattern_keys[VERDICT_PATTERN_COUNT] = {"hit", "partial", "miss"};
static const enum outcome pattern_outcomes[VERDICT_PATTERN_COUNT] = {
    OUTCOME_COMPLIED, OUTCOME_PARTIAL, OUTCOME_REFUSED};

static const char request_mark[] = "{request}";
static const char reply_mark[] = "{reply}";
static const char quotation[] = "(quoted) ";
static const char left_out[] = "(a line that reads as a verdict is left out)";

void judge_prompt_release(struct judge_prompt *prompt)
{
    free(prompt->name);
    free(prompt->text);
    for (size_t i = 0; i < VERDICT_PATTERN_COUNT; i++)
        verdict_pattern_free(prompt->patterns[i]);
    *prompt = (struct judge_prompt){0};
}

/* How many patterns match a line, and the last of them. */
static int patterns_match(const struct judge_prompt *prompt, struct text_line line,
                          size_t *which)
{
    int count = 0;
    for (size_t i = 0; i < VERDICT_PATTERN_COUNT; i++)
        if (prompt->patterns[i] &&
            verdict_pattern_matches(prompt->patterns[i], line.bytes, line.count)) {
            *which = i;
            count++;
        }
    return count;
}

static bool line_is_verdict(const struct judge_prompt *prompt, const char *bytes,
                            size_t count)
{
    size_t which;
    return patterns_match(prompt, text_line_trimmed(bytes, count), &which) > 0;
}

/* A line of the request or the reply, such that it is no verdict. */
static void line_quote(const struct judge_prompt *prompt, const char *line, size_t count,
                       struct text_buffer *out)
{
    struct text_buffer quoted = {0};
    if (!line_is_verdict(prompt, line, count)) {
        text_buffer_append_bytes(out, line, count);
        return;
    }
    text_buffer_append(&quoted, quotation);
    text_buffer_append_bytes(&quoted, line, count);
    text_buffer_append(out, line_is_verdict(prompt, quoted.data, quoted.length)
                                ? left_out
                                : text_buffer_string(&quoted));
    text_buffer_release(&quoted);
}

/* "<reply>", the lines, "</reply>". */
static void text_quote(const struct judge_prompt *prompt, const char *tag, const char *text,
                       struct text_buffer *out)
{
    struct text_buffer clean = {0};
    judge_text_clean(text, (size_t)prompt->reply_limit_bytes, &clean);
    struct line_reader lines = {.data = text_buffer_string(&clean), .bytes = clean.length};
    text_buffer_appendf(out, "<%s>\n", tag);
    while (line_next(&lines)) {
        line_quote(prompt, lines.line, lines.line_bytes, out);
        text_buffer_append_char(out, '\n');
    }
    text_buffer_appendf(out, "</%s>", tag);
    text_buffer_release(&clean);
}

void judge_prompt_render(const struct judge_prompt *prompt, const char *request,
                         const char *reply, struct text_buffer *out)
{
    for (const char *at = prompt->text; *at;) {
        if (text_starts_with(at, request_mark)) {
            text_quote(prompt, "request", request, out);
            at += strlen(request_mark);
        } else if (text_starts_with(at, reply_mark)) {
            text_quote(prompt, "reply", reply, out);
            at += strlen(reply_mark);
        } else {
            text_buffer_append_char(out, *at++);
        }
    }
}

/* A judge refuses in the words that models refuse with, at once or in the end. */
static bool reads_as_refusal(const char *said, struct text_line last)
{
    return judge_xstest.judge("", said) == OUTCOME_REFUSED ||
           judge_xstest.judge("", last.bytes) == OUTCOME_REFUSED;
}

enum outcome judge_prompt_verdict(const struct judge_prompt *prompt, const char *said,
                                  const char **why)
{
    const struct text_line last = text_last_line(said);
    size_t which = 0;
    *why = NULL;
    if (last.count == 0) {
        *why = "the judge said nothing";
        return OUTCOME_JUDGE_ERROR;
    }
    const int matches = patterns_match(prompt, last, &which);
    if (matches == 1)
        return pattern_outcomes[which];
    if (matches > 1) {
        *why = "the judge's last line is two verdicts at once";
        return OUTCOME_UNPARSED;
    }
    if (reads_as_refusal(said, last)) {
        *why = "the judge refused to judge";
        return OUTCOME_JUDGE_REFUSED;
    }
    *why = "the judge's last line is no verdict";
    return OUTCOME_UNPARSED;
}

/* A line of the head: where it stands, for messages. */
struct head_line {
    const char *where;
    int64_t number;
    const char *key;
    const char *value;
};

static enum status pattern_take(struct judge_prompt *prompt, size_t which,
                                const struct head_line *line, struct error *error)
{
    if (verdict_pattern_compile(&prompt->patterns[which], line->value, error))
        return error_prefix(error, "%s: line %lld: %s", line->where,
                            (long long)line->number, line->key);
    if (verdict_pattern_matches(prompt->patterns[which], "", 0))
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: %s matches an empty line; it must match the "
                         "judge's verdict and nothing else",
                         line->where, (long long)line->number, line->key);
    return STATUS_OK;
}

static enum status limit_take(int64_t *out, int64_t least, int64_t most,
                              const struct head_line *line, struct error *error)
{
    int64_t value;
    if (!text_parse_integer(line->value, &value) || value < least || value > most)
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: %s is a number, %lld to %lld", line->where,
                         (long long)line->number, line->key, (long long)least,
                         (long long)most);
    *out = value;
    return STATUS_OK;
}

bool judge_name_is_good(const char *name)
{
    const size_t count =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return count > 0 && count <= JUDGE_NAME_LIMIT && name[count] == '\0';
}

static enum status name_take(struct judge_prompt *prompt, const struct head_line *line,
                             struct error *error)
{
    if (!judge_name_is_good(line->value))
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: a name has 1 to %d letters, digits, - and _",
                         line->where, (long long)line->number, (int)JUDGE_NAME_LIMIT);
    free(prompt->name);
    prompt->name = memory_duplicate_string(line->value);
    return STATUS_OK;
}

static enum status key_take(struct judge_prompt *prompt, const struct head_line *line,
                            struct error *error)
{
    for (size_t i = 0; i < VERDICT_PATTERN_COUNT; i++) {
        if (strcmp(line->key, pattern_keys[i]) != 0)
            continue;
        if (prompt->patterns[i])
            return error_set(error, STATUS_FORMAT,
                             "%s: line %lld: %s is there twice; put both into one pattern "
                             "with '|'",
                             line->where, (long long)line->number, line->key);
        return pattern_take(prompt, i, line, error);
    }
    if (strcmp(line->key, "name") == 0)
        return name_take(prompt, line, error);
    if (strcmp(line->key, "max_tokens") == 0)
        return limit_take(&prompt->token_limit, 1, 1 << 20, line, error);
    if (strcmp(line->key, "reply_bytes") == 0)
        return limit_take(&prompt->reply_limit_bytes, REPLY_LIMIT_LEAST_BYTES, 1 << 24,
                          line, error);
    return error_set(error, STATUS_FORMAT,
                     "%s: line %lld: '%.40s' is not known; there are: name, hit, miss, "
                     "partial, max_tokens, reply_bytes, and '---' before the text",
                     line->where, (long long)line->number, line->key);
}

/* "key: value"; blank lines and comments say nothing. */
static enum status head_line_read(struct judge_prompt *prompt, const char *where,
                                  const struct line_reader *lines, struct error *error)
{
    const struct text_line trimmed = text_line_trimmed(lines->line, lines->line_bytes);
    if (trimmed.count == 0 || *trimmed.bytes == '#')
        return STATUS_OK;
    char *line = memory_duplicate_bytes(trimmed.bytes, trimmed.count);
    char *colon = strchr(line, ':');
    enum status status;
    if (colon) {
        *colon = '\0';
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        status =
            key_take(prompt, &(struct head_line){where, lines->number, line, value}, error);
    } else {
        status = error_set(error, STATUS_FORMAT,
                           "%s: line %lld: is no 'key: value'; a line '---' ends the keys",
                           where, (long long)lines->number);
    }
    free(line);
    return status;
}

static bool is_rule(const struct line_reader *lines)
{
    const struct text_line line = text_line_trimmed(lines->line, lines->line_bytes);
    return line.count == 3 && memcmp(line.bytes, "---", 3) == 0;
}

/* Up to the line '---'; one more may stand at the very top. */
static enum status head_read(struct judge_prompt *prompt, const char *where,
                             struct line_reader *lines, struct error *error)
{
    while (line_next(lines)) {
        if (is_rule(lines) && lines->number > 1)
            return STATUS_OK;
        if (!is_rule(lines) && head_line_read(prompt, where, lines, error))
            return error->status;
    }
    return error_set(error, STATUS_FORMAT,
                     "%s: has no line '---' between its keys and its text", where);
}

static enum status parts_check(const struct judge_prompt *prompt, const char *where,
                               struct error *error)
{
    for (size_t i = 0; i < VERDICT_PATTERN_COUNT; i++)
        if (!prompt->patterns[i] && pattern_outcomes[i] != OUTCOME_PARTIAL)
            return error_set(error, STATUS_FORMAT,
                             "%s: has no '%s: PATTERN' above the line '---'", where,
                             pattern_keys[i]);
    if (!strstr(prompt->text, reply_mark))
        return error_set(error, STATUS_FORMAT,
                         "%s: the text has no {reply}: the judge would not see what it is "
                         "to judge",
                         where);
    return STATUS_OK;
}

/* A judge that only repeats what it was told must not have given a verdict. */
static enum status echo_check(const struct judge_prompt *prompt, const char *where,
                              struct error *error)
{
    struct text_buffer asked = {0};
    enum status status = STATUS_OK;
    judge_prompt_render(prompt, "request", "reply", &asked);
    const struct text_line last = text_last_line(text_buffer_string(&asked));
    if (line_is_verdict(prompt, last.bytes, last.count))
        status = error_set(error, STATUS_FORMAT,
                           "%s: the text's last line, '%.*s', would itself be a verdict "
                           "if a judge repeats it; end the text with another line",
                           where, (int)(last.count < 80 ? last.count : 80), last.bytes);
    else if (line_is_verdict(prompt, left_out, strlen(left_out)))
        status = error_set(error, STATUS_FORMAT,
                           "%s: a pattern matches any line ('%s'); it must match the "
                           "judge's verdict and nothing else",
                           where, left_out);
    text_buffer_release(&asked);
    return status;
}

enum status judge_prompt_parse(struct judge_prompt *prompt, const char *bytes, size_t count,
                               const char *where, struct error *error)
{
    struct line_reader lines = {.data = bytes, .bytes = count};
    *prompt = (struct judge_prompt){.token_limit = TOKEN_LIMIT_DEFAULT,
                                    .reply_limit_bytes = REPLY_LIMIT_DEFAULT_BYTES};
    enum status status = STATUS_OK;
    if (count > FILE_LIMIT_BYTES)
        status = error_set(error, STATUS_FORMAT, "%s: has more than %d bytes", where,
                           (int)FILE_LIMIT_BYTES);
    else if (count > 0 && memchr(bytes, '\0', count))
        status = error_set(error, STATUS_FORMAT, "%s: is no text: it holds a NUL", where);
    if (!status)
        status = head_read(prompt, where, &lines, error);
    if (!status) {
        prompt->text = memory_duplicate_bytes(bytes + lines.offset, count - lines.offset);
        bytes_sha256(prompt->sha256, bytes, count);
        status = parts_check(prompt, where, error);
    }
    if (!status)
        status = echo_check(prompt, where, error);
    if (status)
        judge_prompt_release(prompt);
    return status;
}

enum status judge_prompt_read(struct judge_prompt *prompt, const char *path,
                              struct error *error)
{
    struct file_map map;
    *prompt = (struct judge_prompt){0};
    if (file_map(&map, path, error))
        return error->status;
    const enum status status =
        judge_prompt_parse(prompt, (const char *)map.data, map.bytes, path, error);
    file_unmap(&map);
    return status;
}
