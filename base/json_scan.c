#include "base/json_scan.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * cJSON is lenient: it takes numbers such as 01 or 1., control characters, and \u0000,
 * which would end its C strings early; and where it fails, its end pointer may be one
 * character off. Therefore this scan comes first.
 */
enum { NUMBER_BYTES_MAXIMUM = 63 }; /* cJSON's */

static void keep_token(struct json_scan *scan, size_t begin, size_t end, char kind)
{
    struct json_tape *tape = scan->tape;
    if (!tape)
        return;
    if (tape->count == JSON_TAPE_TOKENS)
        tape->overflow = true;
    else
        tape->tokens[tape->count++] =
            (struct json_token){.begin = begin, .end = end, .kind = kind};
}

static bool is_digit_at(const struct json_scan *scan, size_t at)
{
    return at < scan->count && scan->bytes[at] >= '0' && scan->bytes[at] <= '9';
}

static bool is_one_of_at(const struct json_scan *scan, size_t at, const char *set)
{
    return at < scan->count && scan->bytes[at] != '\0' && strchr(set, scan->bytes[at]);
}

/* Skips digits from `*at`; false if there are none. */
static bool skip_digits(const struct json_scan *scan, size_t *at)
{
    const size_t start = *at;
    while (is_digit_at(scan, *at))
        ++*at;
    return *at > start;
}

static void scan_number(struct json_scan *scan)
{
    size_t at = scan->at + (scan->bytes[scan->at] == '-');
    const bool leading_zero = is_one_of_at(scan, at, "0") && is_digit_at(scan, at + 1);
    bool good = !leading_zero && skip_digits(scan, &at);
    if (good && is_one_of_at(scan, at, ".")) {
        at++;
        good = skip_digits(scan, &at);
    }
    if (good && is_one_of_at(scan, at, "eE")) {
        at += 1 + is_one_of_at(scan, at + 1, "+-");
        good = skip_digits(scan, &at);
    }
    if (!good)
        scan->problem = leading_zero ? "a number may not start with 0" : "malformed number";
    else if (at - scan->at > NUMBER_BYTES_MAXIMUM)
        scan->problem = "a number of more than 63 characters";
    else
        scan->at = at;
}

/* The value of four hexadecimal digits, or -1. */
static long hexadecimal_at(const struct json_scan *scan, size_t at)
{
    long value = 0;
    if (at > scan->count || scan->count - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        const char c = scan->bytes[i];
        const char lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = 16 * value + (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = 16 * value + (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Whether '\' and this make an escape of two bytes. */
static bool is_short_escape(char c)
{
    return c == 'n' || c == '"' || c == '\\' || c == 't' || c == 'r' || c == '/' ||
           c == 'b' || c == 'f';
}

/* At a '\'; moves behind the escape. */
static void scan_escape(struct json_scan *scan)
{
    const char kind = scan->at + 1 < scan->count ? scan->bytes[scan->at + 1] : '\0';
    if (is_short_escape(kind)) {
        scan->at += 2;
        return;
    }
    if (kind != 'u') {
        scan->problem = "malformed escape in a string";
        return;
    }
    const long unit = hexadecimal_at(scan, scan->at + 2);
    const bool high = unit >= 0xD800 && unit < 0xDC00;
    long low = 0;
    if (high && is_one_of_at(scan, scan->at + 6, "\\") &&
        is_one_of_at(scan, scan->at + 7, "u"))
        low = hexadecimal_at(scan, scan->at + 8);
    const bool pair = low >= 0xDC00 && low < 0xE000;
    if (unit < 0)
        scan->problem = "malformed \\u escape in a string";
    else if (unit >= 0xD800 && unit < 0xE000 && !pair)
        scan->problem = "half of a surrogate pair in a string";
    else
        scan->at += pair ? 12 : 6;
    scan->has_nul = scan->has_nul || unit == 0;
}

static void scan_string(struct json_scan *scan)
{
    const size_t start = scan->at++;
    while (scan->at < scan->count && !scan->problem) {
        scan->at = json_string_stop(&scan->block, scan->bytes, scan->count, scan->at);
        if (scan->at == scan->count)
            break;
        const unsigned char c = (unsigned char)scan->bytes[scan->at];
        if (c == '"') {
            scan->at++;
            return;
        }
        if (c < 0x20)
            scan->problem = "a control character in a string; write it as an escape";
        else
            scan_escape(scan);
    }
    if (!scan->problem) {
        scan->at = start;
        scan->problem = "a string that is not closed";
    }
}

static void unexpected(struct json_scan *scan)
{
    const unsigned char c = (unsigned char)scan->bytes[scan->at];
    if (c > 0x20 && c < 0x7F)
        snprintf(scan->unexpected, sizeof scan->unexpected, "unexpected '%c'", c);
    else
        snprintf(scan->unexpected, sizeof scan->unexpected, "unexpected byte 0x%02X", c);
    scan->problem = scan->unexpected;
}

static void end_value(struct json_scan *scan)
{
    scan->expect = scan->depth > 0 ? JSON_EXPECT_COMMA_OR_END : JSON_EXPECT_NOTHING;
}

static void scan_word(struct json_scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *text = scan->bytes + scan->at;
    for (size_t i = 0; i < 3; i++) {
        const size_t length = strlen(words[i]);
        if (scan->count - scan->at >= length && memcmp(text, words[i], length) == 0) {
            scan->at += length;
            return;
        }
    }
    unexpected(scan);
}

static void open_bracket(struct json_scan *scan, bool is_object)
{
    if (scan->depth == CJSON_NESTING_LIMIT) {
        scan->problem = "nested too deeply";
        return;
    }
    keep_token(scan, scan->at, scan->at + 1, is_object ? '{' : '[');
    scan->is_object[scan->depth++] = is_object;
    scan->expect = is_object ? JSON_EXPECT_KEY_OR_END : JSON_EXPECT_VALUE_OR_END;
    scan->at++;
}

static void scan_value(struct json_scan *scan)
{
    const size_t begin = scan->at;
    const char c = scan->bytes[begin];
    const bool is_number = c == '-' || is_digit_at(scan, begin);
    if (c == '{' || c == '[') {
        open_bracket(scan, c == '{');
        return;
    }
    if (c == '"')
        scan_string(scan);
    else if (is_number)
        scan_number(scan);
    else
        scan_word(scan);
    keep_token(scan, begin, scan->at, (char)(is_number ? '0' : c));
    end_value(scan);
}

/* True if a bracket that fits closes here. */
static bool close_bracket(struct json_scan *scan)
{
    const bool may_end = scan->expect == JSON_EXPECT_VALUE_OR_END ||
                         scan->expect == JSON_EXPECT_KEY_OR_END ||
                         scan->expect == JSON_EXPECT_COMMA_OR_END;
    if (!may_end || scan->bytes[scan->at] != (scan->is_object[scan->depth - 1] ? '}' : ']'))
        return false;
    scan->depth--;
    keep_token(scan, scan->at, scan->at + 1, scan->bytes[scan->at]);
    scan->at++;
    end_value(scan);
    return true;
}

static void scan_token(struct json_scan *scan)
{
    const size_t begin = scan->at;
    const char c = scan->bytes[begin];
    if (close_bracket(scan))
        return;
    if (scan->expect == JSON_EXPECT_VALUE || scan->expect == JSON_EXPECT_VALUE_OR_END) {
        scan_value(scan);
    } else if (c == '"' && (scan->expect == JSON_EXPECT_KEY ||
                            scan->expect == JSON_EXPECT_KEY_OR_END)) {
        scan_string(scan);
        keep_token(scan, begin, scan->at, 'k');
        scan->expect = JSON_EXPECT_COLON;
    } else if (c == ':' && scan->expect == JSON_EXPECT_COLON) {
        scan->at++;
        scan->expect = JSON_EXPECT_VALUE;
    } else if (c == ',' && scan->expect == JSON_EXPECT_COMMA_OR_END) {
        scan->at++;
        scan->expect =
            scan->is_object[scan->depth - 1] ? JSON_EXPECT_KEY : JSON_EXPECT_VALUE;
    } else {
        unexpected(scan);
    }
}

void json_scan_init(struct json_scan *scan, const char *bytes, size_t count)
{
    scan->bytes = bytes;
    scan->count = count;
    scan->at = 0;
    scan->expect = JSON_EXPECT_VALUE;
    scan->depth = 0; /* of is_object nothing is read above it */
    scan->block = (struct json_block){0};
    scan->has_nul = false;
    scan->problem = NULL;
    scan->tape = NULL;
}

int json_scan_peek(struct json_scan *scan)
{
    for (; scan->at < scan->count; scan->at++) {
        const char c = scan->bytes[scan->at];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return (unsigned char)c;
    }
    return -1;
}

void json_scan_step(struct json_scan *scan)
{
    if (json_scan_peek(scan) >= 0)
        scan_token(scan);
    else
        scan->problem = "the text ends too early; is it cut off?";
}

bool json_scan_value(struct json_scan *scan)
{
    const size_t depth = scan->depth;
    do
        json_scan_step(scan);
    while (!scan->problem &&
           (scan->depth > depth || (scan->expect != JSON_EXPECT_COMMA_OR_END &&
                                    scan->expect != JSON_EXPECT_NOTHING)));
    return !scan->problem;
}

/* Moves over the comma; false where the bracket closes. */
static bool next_of_bracket(struct json_scan *scan)
{
    CHECK(scan->depth > 0);
    const size_t depth = scan->depth;
    const int c = json_scan_peek(scan);
    if (c == ']' || c == '}' || scan->expect == JSON_EXPECT_COMMA_OR_END)
        json_scan_step(scan);
    if (scan->problem || scan->depth < depth)
        return false;
    json_scan_peek(scan);
    return true;
}

bool json_scan_element(struct json_scan *scan, size_t *begin, size_t *end)
{
    if (!next_of_bracket(scan))
        return false;
    *begin = scan->at;
    const bool good = json_scan_value(scan);
    *end = scan->at;
    return good;
}

bool json_scan_member(struct json_scan *scan, size_t *key_begin, size_t *key_end)
{
    if (!next_of_bracket(scan))
        return false;
    *key_begin = scan->at;
    json_scan_step(scan); /* the key */
    *key_end = scan->at;
    if (!scan->problem)
        json_scan_step(scan); /* the colon */
    json_scan_peek(scan);
    return !scan->problem;
}

bool json_scan_text(struct json_scan *scan)
{
    if (json_scan_value(scan) && json_scan_peek(scan) >= 0)
        unexpected(scan);
    return !scan->problem;
}

enum status json_scan_fail(const struct json_scan *scan, const char *where,
                           struct error *error)
{
    long long line = 1, column = 1;
    for (size_t i = 0; i < scan->at; i++) {
        if (scan->bytes[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)scan->bytes[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return error_set(error, STATUS_FORMAT, "%s: line %lld, column %lld: %s", where, line,
                     column, scan->problem);
}
