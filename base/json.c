#include "base/json.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES_MAXIMUM = 63 }; /* cJSON's */

/*
 * cJSON is lenient: it takes numbers such as 01 or 1., control characters, and \u0000,
 * which would end its C strings early; and where it fails, its end pointer may be one
 * character off. A scan of the whole grammar (RFC 8259) comes first, therefore.
 */
enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after '[' */
    EXPECT_KEY,
    EXPECT_KEY_OR_END, /* after '{' */
    EXPECT_COLON,
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING /* the value is complete */
};

struct scan {
    const char *bytes;
    size_t count;
    size_t at;
    enum expect expect;
    size_t depth;                        /* brackets open at `at` */
    bool is_object[CJSON_NESTING_LIMIT]; /* for each of them */
    bool has_nul;                        /* some string holds \u0000 */
    const char *problem;                 /* NULL while all is well */
    char unexpected[32];                 /* room for one such problem */
};

/* Names line and column, both from 1; a column is a character. */
static enum status fail_at(const char *bytes, size_t at, const char *problem,
                           const char *where, struct error *error)
{
    long long line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        if (bytes[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)bytes[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return error_set(error, STATUS_FORMAT, "%s: line %lld, column %lld: %s", where, line,
                     column, problem);
}

static bool is_digit_at(const struct scan *scan, size_t at)
{
    return at < scan->count && scan->bytes[at] >= '0' && scan->bytes[at] <= '9';
}

static bool is_one_of_at(const struct scan *scan, size_t at, const char *set)
{
    return at < scan->count && scan->bytes[at] != '\0' && strchr(set, scan->bytes[at]);
}

/* Skips digits from `*at`; false if there are none. */
static bool skip_digits(const struct scan *scan, size_t *at)
{
    const size_t start = *at;
    while (is_digit_at(scan, *at))
        ++*at;
    return *at > start;
}

static void scan_number(struct scan *scan)
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
static long hexadecimal_at(const struct scan *scan, size_t at)
{
    char digits[5] = "";
    if (scan->count - at < 4)
        return -1;
    memcpy(digits, scan->bytes + at, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

/* At a '\'; moves behind the escape. */
static void scan_escape(struct scan *scan)
{
    if (!is_one_of_at(scan, scan->at + 1, "\"\\/bfnrtu")) {
        scan->problem = "malformed escape in a string";
        return;
    }
    if (scan->bytes[scan->at + 1] != 'u') {
        scan->at += 2;
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

/* Most of a string needs no look: a loop of its own keeps it in registers. */
static void skip_plain(struct scan *scan)
{
    const unsigned char *at = (const unsigned char *)scan->bytes + scan->at;
    const unsigned char *end = (const unsigned char *)scan->bytes + scan->count;
    while (at < end && *at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    scan->at = (size_t)((const char *)at - scan->bytes);
}

static void scan_string(struct scan *scan)
{
    const size_t start = scan->at++;
    while (scan->at < scan->count && !scan->problem) {
        skip_plain(scan);
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

static void unexpected(struct scan *scan)
{
    const unsigned char c = (unsigned char)scan->bytes[scan->at];
    if (c > 0x20 && c < 0x7F)
        snprintf(scan->unexpected, sizeof scan->unexpected, "unexpected '%c'", c);
    else
        snprintf(scan->unexpected, sizeof scan->unexpected, "unexpected byte 0x%02X", c);
    scan->problem = scan->unexpected;
}

static void end_value(struct scan *scan)
{
    scan->expect = scan->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static void scan_word(struct scan *scan)
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

static void open_bracket(struct scan *scan, bool is_object)
{
    if (scan->depth == CJSON_NESTING_LIMIT) {
        scan->problem = "nested too deeply";
        return;
    }
    scan->is_object[scan->depth++] = is_object;
    scan->expect = is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    scan->at++;
}

static void scan_value(struct scan *scan)
{
    const char c = scan->bytes[scan->at];
    if (c == '{' || c == '[') {
        open_bracket(scan, c == '{');
        return;
    }
    if (c == '"')
        scan_string(scan);
    else if (c == '-' || is_digit_at(scan, scan->at))
        scan_number(scan);
    else
        scan_word(scan);
    end_value(scan);
}

/* True if a bracket that fits closes here. */
static bool close_bracket(struct scan *scan)
{
    const bool may_end = scan->expect == EXPECT_VALUE_OR_END ||
                         scan->expect == EXPECT_KEY_OR_END ||
                         scan->expect == EXPECT_COMMA_OR_END;
    if (!may_end || scan->bytes[scan->at] != (scan->is_object[scan->depth - 1] ? '}' : ']'))
        return false;
    scan->depth--;
    scan->at++;
    end_value(scan);
    return true;
}

static void scan_token(struct scan *scan)
{
    const char c = scan->bytes[scan->at];
    if (close_bracket(scan))
        return;
    if (scan->expect == EXPECT_VALUE || scan->expect == EXPECT_VALUE_OR_END) {
        scan_value(scan);
    } else if (c == '"' &&
               (scan->expect == EXPECT_KEY || scan->expect == EXPECT_KEY_OR_END)) {
        scan_string(scan);
        scan->expect = EXPECT_COLON;
    } else if (c == ':' && scan->expect == EXPECT_COLON) {
        scan->at++;
        scan->expect = EXPECT_VALUE;
    } else if (c == ',' && scan->expect == EXPECT_COMMA_OR_END) {
        scan->at++;
        scan->expect = scan->is_object[scan->depth - 1] ? EXPECT_KEY : EXPECT_VALUE;
    } else {
        unexpected(scan);
    }
}

static size_t skip_white_space(const char *bytes, size_t count, size_t at)
{
    while (at < count && memchr(" \t\r\n", bytes[at], 4))
        at++;
    return at;
}

static void scan_text(struct scan *scan)
{
    for (;;) {
        scan->at = skip_white_space(scan->bytes, scan->count, scan->at);
        if (scan->at == scan->count)
            break;
        scan_token(scan);
        if (scan->problem)
            return;
    }
    if (scan->expect != EXPECT_NOTHING)
        scan->problem = "the text ends too early; is it cut off?";
}

/* The text with \u0000 replaced by \ufffd, of the same length; the caller frees. */
static char *without_nul_escapes(const char *bytes, size_t count)
{
    char *copy = memory_duplicate_bytes(bytes, count);
    for (size_t i = 0; i < count; i++) {
        if (copy[i] != '\\')
            continue;
        if (strncmp(copy + i + 1, "u0000", 5) == 0)
            memcpy(copy + i + 1, "ufffd", 5);
        i++; /* "\\" is one escape, not the start of the next */
    }
    return copy;
}

enum status json_parse(cJSON **value, const char *bytes, size_t count, const char *where,
                       struct error *error)
{
    *value = NULL;
    if (count >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    if (skip_white_space(bytes, count, 0) == count)
        return error_set(error, STATUS_FORMAT, "%s: is empty; a JSON value is expected",
                         where);
    struct scan scan = {.bytes = bytes, .count = count};
    scan_text(&scan);
    if (scan.problem)
        return fail_at(bytes, scan.at, scan.problem, where, error);
    char *copy = scan.has_nul ? without_nul_escapes(bytes, count) : NULL;
    *value = cJSON_ParseWithLength(copy ? copy : bytes, count);
    free(copy);
    if (!*value) /* the grammar is right, so nothing else is left */
        return error_set(error, STATUS_MEMORY, "%s: no memory for the JSON value", where);
    return STATUS_OK;
}

enum status json_parse_file(cJSON **value, const char *path, struct error *error)
{
    struct file_map map;
    *value = NULL;
    enum status result = file_map(&map, path, error);
    if (result)
        return result;
    if (bytes_are_lfs_pointer(map.data, map.bytes))
        result = error_set(error, STATUS_FORMAT,
                           "%s: is a git-LFS pointer, not the file itself; "
                           "fetch the file with 'git lfs pull'",
                           path);
    else
        result = json_parse(value, (const char *)map.data, map.bytes, path, error);
    file_unmap(&map);
    return result;
}
