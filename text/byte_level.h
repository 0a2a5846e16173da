#ifndef HOLDFAST_TEXT_BYTE_LEVEL_H
#define HOLDFAST_TEXT_BYTE_LEVEL_H

#include "base/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The byte-level alphabet of GPT-2 (Radford et al. 2019, encoder.py bytes_to_unicode):
 * every byte has a printable character, so that a vocabulary is plain text.
 *
 *     bytes 21-7E, A1-AC, AE-FF    the character of the same number
 *     the 68 others, ascending     U+0100, U+0101, … (space is U+0120, "Ġ")
 */
uint32_t byte_level_character(unsigned char byte);

/* The byte of a character, -1 if it is none of the 256. */
int byte_level_byte(uint32_t character);

/* The bytes in the order of their characters: the order of GPT-2's first 256 ids. */
unsigned char byte_level_ordered(size_t index);

/* Appends the spelling of `bytes` bytes. */
void byte_level_spell(struct text_buffer *out, const char *text, size_t bytes);

/* Appends the bytes of a spelling; false, appending nothing, if one is none of the 256. */
bool byte_level_unspell(struct text_buffer *out, const char *spelling, size_t bytes);

/* The split pattern of GPT-2 (encoder.py), as the ByteLevel pre-tokenizer uses it. */
extern const char byte_level_pattern[];

#endif
