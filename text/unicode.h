#ifndef HOLDFAST_TEXT_UNICODE_H
#define HOLDFAST_TEXT_UNICODE_H

#include "base/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * UTF-8 and what we need of Unicode. Bytes that are not UTF-8 are read as U+FFFD, one for
 * each maximal subpart (The Unicode Standard, chapter 3, "U+FFFD substitution of maximal
 * subparts"), which is what Python's errors="replace" and Rust's from_utf8_lossy do.
 */
enum { UNICODE_REPLACEMENT = 0xFFFD, UTF8_BYTES_MAXIMUM = 4 };

/* Reads one code point of `bytes` > 0 bytes; returns how many it took, at least 1. */
size_t utf8_decode(const char *text, size_t bytes, uint32_t *code_point);

/* Start of the last code point of valid UTF-8 of `bytes` > 0 bytes. */
size_t utf8_last_start(const char *text, size_t bytes);

/* Writes a code point (not a surrogate, at most U+10FFFF: CHECK); returns 1 to 4. */
size_t utf8_encode(char out[UTF8_BYTES_MAXIMUM], uint32_t code_point);
void utf8_append(struct text_buffer *out, uint32_t code_point);

bool utf8_is_valid(const char *text, size_t bytes);

/* Appends the text with U+FFFD in place of what is not UTF-8. */
void utf8_append_repaired(struct text_buffer *out, const char *text, size_t bytes);

/* Unicode's White_Space; a word character as Rust's regex `\w` (UTS 18, Annex C). */
bool unicode_is_white_space(uint32_t code_point);
bool unicode_is_word(uint32_t code_point);

/* Appends the normalisation form of valid UTF-8 (utf8proc). */
enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };
void unicode_append_normalized(struct text_buffer *out, enum unicode_form form,
                               const char *text, size_t bytes);

#endif
