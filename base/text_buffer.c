#include "base/text_buffer.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_buffer_release(struct text_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct text_buffer){0};
}

void text_buffer_clear(struct text_buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

const char *text_buffer_string(const struct text_buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}

char *text_buffer_detach(struct text_buffer *buffer)
{
    char *text = buffer->data ? buffer->data : memory_duplicate_bytes("", 0);
    *buffer = (struct text_buffer){0};
    return text;
}

/* Makes room for `count` more bytes and the NUL. */
static void grow(struct text_buffer *buffer, size_t count)
{
    CHECK(count < SIZE_MAX - buffer->length);
    array_reserve(buffer->data, buffer->capacity, buffer->length + count + 1);
}

void text_buffer_append(struct text_buffer *buffer, const char *text)
{
    text_buffer_append_bytes(buffer, text, strlen(text));
}

void text_buffer_append_bytes(struct text_buffer *buffer, const char *bytes, size_t count)
{
    grow(buffer, count);
    if (count > 0)
        memcpy(buffer->data + buffer->length, bytes, count);
    buffer->length += count;
    buffer->data[buffer->length] = '\0';
}

void text_buffer_append_char(struct text_buffer *buffer, char c)
{
    text_buffer_append_bytes(buffer, &c, 1);
}

void text_buffer_appendf(struct text_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_buffer_append_v(buffer, format, arguments);
    va_end(arguments);
}

void text_buffer_append_v(struct text_buffer *buffer, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    const int wanted = vsnprintf(NULL, 0, format, again);
    va_end(again);
    CHECK(wanted >= 0);
    grow(buffer, (size_t)wanted);
    vsnprintf(buffer->data + buffer->length, (size_t)wanted + 1, format, arguments);
    buffer->length += (size_t)wanted;
}

size_t text_utf8_decode(const char *bytes, size_t count, uint32_t *code_point)
{
    const unsigned char *in = (const unsigned char *)bytes;
    const unsigned char lead = in[0];
    *code_point = lead;
    if (lead < 0x80)
        return 1;
    *code_point = UINT32_MAX;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4)
        return 1;
    /* The second byte's range excludes overlong forms, surrogates and > U+10FFFF. */
    const unsigned char lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    uint32_t value = lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (i >= count || in[i] < (i == 1 ? lowest : 0x80) ||
            in[i] > (i == 1 ? highest : 0xBF))
            return i;
        value = value << 6 | (in[i] & 0x3Fu);
    }
    *code_point = value;
    return length;
}

static const char replacement_character[] = "\xEF\xBF\xBD";

/* Valid in JSON as they stand, but not in YAML, or line ends in YAML or JavaScript. */
static bool needs_escape(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 ||
           c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

static void append_json_escape(struct text_buffer *buffer, uint32_t c)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *form = short_forms; *form; form += 2) {
        if ((uint32_t)*form == c) {
            const char escape[] = {'\\', form[1]};
            text_buffer_append_bytes(buffer, escape, sizeof escape);
            return;
        }
    }
    if (c == UINT32_MAX)
        text_buffer_append(buffer, replacement_character);
    else
        text_buffer_appendf(buffer, "\\u%04x", (unsigned)c);
}

void text_buffer_append_csv(struct text_buffer *buffer, const char *text)
{
    text_buffer_append_char(buffer, '"');
    for (; *text; text++) {
        if (*text == '"')
            text_buffer_append_char(buffer, '"');
        text_buffer_append_char(buffer, *text);
    }
    text_buffer_append_char(buffer, '"');
}

/* Of each byte, whether it is other than printable ASCII that JSON has as it is. */
#define IS_SPECIAL(c) (((c) < 0x20) | ((c) > 0x7E) | ((c) == '"') | ((c) == '\\'))

/* How many bytes come before the first special one. */
static size_t plain_count(const char *bytes, size_t count)
{
    typedef unsigned char block __attribute__((vector_size(16)));
    const unsigned char *in = (const unsigned char *)bytes;
    uint64_t special[2] = {0};
    size_t at = 0;
    for (; count - at >= sizeof(block); at += sizeof(block)) {
        block now;
        memcpy(&now, in + at, sizeof now);
        now = (block)IS_SPECIAL(now);
        memcpy(special, &now, sizeof now);
        if (special[0] | special[1])
            break;
    }
    while (at < count && !IS_SPECIAL(in[at]))
        at++;
    return at;
}

void text_buffer_append_json(struct text_buffer *buffer, const char *bytes, size_t count)
{
    text_buffer_append_char(buffer, '"');
    size_t at = 0;
    size_t copied = 0;
    while ((at += plain_count(bytes + at, count - at)) < count) {
        uint32_t c;
        const size_t length = text_utf8_decode(bytes + at, count - at, &c);
        if (c == UINT32_MAX || c == '"' || c == '\\' || needs_escape(c)) {
            text_buffer_append_bytes(buffer, bytes + copied, at - copied);
            append_json_escape(buffer, c);
            copied = at + length;
        }
        at += length;
    }
    text_buffer_append_bytes(buffer, bytes + copied, count - copied);
    text_buffer_append_char(buffer, '"');
}

static locale_t c_locale;
static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    CHECK(c_locale);
}

/* Numbers are read and written with '.' whatever locale the process has. */
static locale_t use_c_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return uselocale(c_locale);
}

void text_buffer_append_number(struct text_buffer *buffer, double value)
{
    if (!isfinite(value)) {
        text_buffer_append(buffer, "null");
        return;
    }
    char text[40];
    const locale_t before = use_c_locale();
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    uselocale(before);
    text_buffer_append(buffer, text);
}

void text_buffer_append_memory(struct text_buffer *buffer, size_t bytes)
{
    const bool small = bytes < (size_t)1 << 30;
    text_buffer_appendf(buffer, "%.2f %s", (double)bytes / (small ? 0x1p20 : 0x1p30),
                        small ? "MiB" : "GiB");
}

bool text_parse_number(const char *text, double *out)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (strspn(digits, "0123456789.") == 0 ||
        digits[strspn(digits, "0123456789.eE+-")] != '\0')
        return false;
    char *end;
    const locale_t before = use_c_locale();
    const double value = strtod(text, &end);
    uselocale(before);
    if (*end != '\0' || !isfinite(value))
        return false;
    *out = value;
    return true;
}

bool text_parse_integer(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
        return false;
    errno = 0;
    const long long value = strtoll(text, NULL, 10);
    if (errno == ERANGE)
        return false;
    *out = value;
    return true;
}

bool text_is_hidden(uint32_t c)
{
    return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static const char *html_escape(uint32_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case UINT32_MAX:
        return replacement_character;
    default:
        return text_is_hidden(c) ? "" : NULL;
    }
}

void text_buffer_append_html(struct text_buffer *buffer, const char *text)
{
    const size_t count = strlen(text);
    for (size_t at = 0; at < count;) {
        uint32_t c;
        const size_t length = text_utf8_decode(text + at, count - at, &c);
        const char *escape = html_escape(c);
        if (escape)
            text_buffer_append(buffer, escape);
        else
            text_buffer_append_bytes(buffer, text + at, length);
        at += length;
    }
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix)
{
    const size_t length = strlen(text);
    const size_t suffix_length = strlen(suffix);
    return suffix_length <= length &&
           memcmp(text + length - suffix_length, suffix, suffix_length) == 0;
}
