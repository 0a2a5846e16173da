#ifndef HOLDFAST_BASE_TEXT_BUFFER_H
#define HOLDFAST_BASE_TEXT_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A growing byte string. Invariants: data[length] is NUL whenever data is not NULL;
 * an initialised-to-zero struct is an empty string; text_buffer_string() is never NULL.
 */
struct text_buffer {
    char *data;
    size_t length;
    size_t capacity;
};

void text_buffer_release(struct text_buffer *buffer); /* and back to empty */
void text_buffer_clear(struct text_buffer *buffer);   /* keeps the memory */
const char *text_buffer_string(const struct text_buffer *buffer);
char *text_buffer_detach(struct text_buffer *buffer); /* caller frees; buffer empty */

void text_buffer_append(struct text_buffer *buffer, const char *text);
void text_buffer_append_bytes(struct text_buffer *buffer, const char *bytes, size_t count);
void text_buffer_append_char(struct text_buffer *buffer, char c);
void text_buffer_appendf(struct text_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_buffer_append_v(struct text_buffer *buffer, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/*
 * Text between quotes with JSON escapes; invalid UTF-8 becomes U+FFFD. Control
 * characters and Unicode line ends are escaped too, so that the same text is a YAML
 * double-quoted scalar.
 */
void text_buffer_append_json(struct text_buffer *buffer, const char *bytes, size_t count);
/* A cell of a CSV file, quoted: no text can end it. */
void text_buffer_append_csv(struct text_buffer *buffer, const char *text);

/* Shortest decimal that reads back as the same double; NaN and infinities as null. */
void text_buffer_append_number(struct text_buffer *buffer, double value);
/* Memory, for people: "2.94 GiB", and below one "268.40 MiB". */
void text_buffer_append_memory(struct text_buffer *buffer, size_t bytes);

/* Characters that a page must not pass on from a stranger's text: C0 without line feed and
 * tab, DEL and C1, and those that embed, override or isolate a direction of writing. */
bool text_is_hidden(uint32_t c);

/* Text for HTML bodies and attributes: & < > " ' escaped; hidden characters dropped;
 * invalid UTF-8 becomes U+FFFD. */
void text_buffer_append_html(struct text_buffer *buffer, const char *text);

/*
 * The whole of `text` as a decimal number, with '.' in any locale: no white space, no
 * hexadecimal, no infinity. False, and *out untouched, if it is none or out of range.
 */
bool text_parse_number(const char *text, double *out);
bool text_parse_integer(const char *text, int64_t *out);

/*
 * The first code point of `count` > 0 bytes; returns how many bytes it takes. For
 * invalid UTF-8 *code_point is UINT32_MAX and the length that of the longest prefix of a
 * valid sequence (at least 1), as Unicode recommends for U+FFFD.
 */
size_t text_utf8_decode(const char *bytes, size_t count, uint32_t *code_point);

bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);

#endif
