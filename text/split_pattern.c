#include "text/split_pattern.h"

#include "base/memory.h"
#include "base/text_buffer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct split_pattern {
    pcre2_code *code;
    bool jit;
};

/* Contents of a character class for Unicode's White_Space and Oniguruma's word. */
#define SPACE_SET "\\t-\\r\\x{85}\\p{Z}"
#define WORD_SET  "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}"

/* Appends what stands for the escape `\c`; `in_set`: between [ and ]. */
static void append_escape(struct text_buffer *out, char c, bool in_set)
{
    const char *set = c == 's' || c == 'S' ? SPACE_SET : WORD_SET;
    if (in_set && (c == 's' || c == 'w'))
        text_buffer_append(out, set);
    else if (!in_set && (c == 's' || c == 'w'))
        text_buffer_appendf(out, "[%s]", set);
    else if (!in_set && (c == 'S' || c == 'W'))
        text_buffer_appendf(out, "[^%s]", set);
    else
        text_buffer_appendf(out, "\\%c", c);
}

/* Whether `\u` and these four digits are a character, as Ruby writes it. */
static bool is_character_escape(const char *escape)
{
    return escape[0] == 'u' && strspn(escape + 1, "0123456789abcdefABCDEF") >= 4;
}

/* The bytes of a set inside a set ("[bc]" of "[a[bc]d]") that means no more than what is
 * between its brackets: a union; 0 where it is negated, holds sets itself, or touches a
 * range. `source[at]` is its '['. */
static size_t plain_set_bytes(const char *source, size_t at)
{
    size_t end = at + 1;
    if (at == 0 || source[at - 1] == '-' || !source[end] || strchr("^]-:", source[end]))
        return 0;
    for (; source[end] && source[end] != ']'; end++) {
        if (source[end] == '[' || source[end] == '&')
            return 0;
        end += source[end] == '\\' && source[end + 1];
    }
    return source[end] && source[end - 1] != '-' && source[end + 1] != '-' ? end + 1 - at
                                                                           : 0;
}

/* The bytes of "{1,3}" where "+" follows, which repeats it once more in Oniguruma; 0 where
 * there is none. PCRE2 would read it as an interval that gives nothing back. */
static size_t repeated_interval_bytes(const char *source, size_t at)
{
    const bool named = at > 1 && source[at - 2] == '\\' && strchr("pPx", source[at - 1]);
    const size_t inside = strspn(source + at + 1, "0123456789,");
    return inside > 0 && !named && strncmp(source + at + 1 + inside, "}+", 2) == 0
               ? inside + 2
               : 0;
}

/* Oniguruma to PCRE2. */
static enum status translate(const char *source, struct text_buffer *out,
                             struct error *error)
{
    bool in_set = false;
    size_t set_start = 0;
    size_t inner_end = 0; /* where the ']' of a set inside the set stands; 0: in none */
    for (size_t i = 0; source[i]; i++) {
        const char c = source[i];
        const bool set_begins_here = in_set && i == set_start;
        if (c == '\\' && is_character_escape(source + i + 1)) {
            text_buffer_appendf(out, "\\x{%.4s}", source + i + 2);
            i += 5;
            continue;
        }
        if (c == '\\' && source[i + 1]) {
            append_escape(out, source[++i], in_set);
            continue;
        }
        if (!in_set && c == '{' && repeated_interval_bytes(source, i)) {
            const long minimum = strtol(source + i + 1, NULL, 10);
            if (minimum > 1)
                return error_set(error, STATUS_UNSUPPORTED,
                                 "regular expression: byte %zu: a repeated interval from 2 "
                                 "on is not supported: %s",
                                 i, source);
            text_buffer_append_char(out, minimum == 0 ? '*' : '+');
            i += repeated_interval_bytes(source, i);
            continue;
        }
        if (in_set && c == '[' && plain_set_bytes(source, i)) {
            inner_end = i + plain_set_bytes(source, i) - 1;
            continue;
        }
        if (inner_end && i == inner_end) {
            inner_end = 0;
            continue;
        }
        if (in_set &&
            ((c == '[' && source[i + 1] != ':') || (c == '&' && source[i + 1] == '&')))
            return error_set(error, STATUS_UNSUPPORTED,
                             "regular expression: byte %zu: sets inside sets are not "
                             "supported: %s",
                             i, source);
        if (in_set && c == '[') { /* [:alpha:] */
            const char *close = strstr(source + i, ":]");
            const size_t length = close ? (size_t)(close + 2 - (source + i)) : 1;
            text_buffer_append_bytes(out, source + i, length);
            i += length - 1;
            continue;
        }
        if (!in_set && c == '[') {
            in_set = true;
            set_start = i + (source[i + 1] == '^' ? 2 : 1);
        } else if (in_set && c == ']' && !set_begins_here) {
            in_set = false;
        }
        text_buffer_append_char(out, c);
    }
    return STATUS_OK;
}

static enum status compile(struct split_pattern *pattern, const char *source, bool literal,
                           struct error *error)
{
    const uint32_t options =
        literal ? PCRE2_UTF | PCRE2_LITERAL : PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE;
    int code = 0;
    PCRE2_SIZE offset = 0;
    pattern->code = pcre2_compile((PCRE2_SPTR)source, PCRE2_ZERO_TERMINATED, options, &code,
                                  &offset, NULL);
    if (!pattern->code) {
        char message[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        return error_set(error, STATUS_FORMAT, "regular expression: byte %zu: %s: %s",
                         (size_t)offset, message, source);
    }
    pattern->jit = pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0;
    return STATUS_OK;
}

enum status split_pattern_compile(struct split_pattern **pattern, const char *source,
                                  bool literal, struct error *error)
{
    struct text_buffer translated = {0};
    enum status status = STATUS_OK;
    *pattern = memory_allocate(sizeof **pattern);
    if (literal)
        text_buffer_append(&translated, source);
    else
        status = translate(source, &translated, error);
    if (!status)
        status = compile(*pattern, text_buffer_string(&translated), literal, error);
    text_buffer_release(&translated);
    if (status) {
        split_pattern_free(*pattern);
        *pattern = NULL;
    }
    return status;
}

void split_pattern_free(struct split_pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

void split_matcher_begin(struct split_matcher *matcher, const struct split_pattern *pattern,
                         const char *text, size_t bytes)
{
    /* One pair of offsets: whatever the pattern captures, only the whole match counts. */
    if (!matcher->match_data) {
        matcher->match_data = pcre2_match_data_create(1, NULL);
        CHECK(matcher->match_data != NULL);
    }
    matcher->pattern = pattern;
    matcher->text = text;
    matcher->bytes = bytes;
    matcher->offset = 0;
    matcher->has_match = false;
    matcher->last_end = 0;
}

/* A search that runs into PCRE2's limits counts as "no match": the rest stays whole. */
static bool search(struct split_matcher *matcher, size_t *start, size_t *end)
{
    const struct split_pattern *pattern = matcher->pattern;
    const PCRE2_SPTR text = (PCRE2_SPTR)matcher->text;
    int result = PCRE2_ERROR_JIT_STACKLIMIT;
    if (pattern->jit)
        result = pcre2_jit_match(pattern->code, text, matcher->bytes, matcher->offset,
                                 PCRE2_NO_UTF_CHECK, matcher->match_data, NULL);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT)
        result = pcre2_match(pattern->code, text, matcher->bytes, matcher->offset,
                             PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, matcher->match_data, NULL);
    if (result < 0)
        return false;
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(matcher->match_data);
    *start = offsets[0];
    *end = offsets[1];
    return *start <= *end; /* \K in a lookahead may put the start behind the end */
}

static size_t next_character(const struct split_matcher *matcher, size_t offset)
{
    do
        offset++;
    while (offset < matcher->bytes &&
           ((unsigned char)matcher->text[offset] & 0xC0) == 0x80);
    return offset;
}

bool split_matcher_next(struct split_matcher *matcher, size_t *start, size_t *end)
{
    while (matcher->offset <= matcher->bytes) {
        if (!search(matcher, start, end) || *start < matcher->last_end)
            break;
        const bool empty = *start == *end;
        const bool repeats = empty && matcher->has_match && *start == matcher->last_end;
        matcher->offset = empty ? next_character(matcher, *end) : *end;
        if (repeats)
            continue;
        matcher->has_match = true;
        matcher->last_end = *end;
        return true;
    }
    matcher->offset = matcher->bytes + 1;
    return false;
}

void split_matcher_release(struct split_matcher *matcher)
{
    pcre2_match_data_free(matcher->match_data);
    *matcher = (struct split_matcher){0};
}
