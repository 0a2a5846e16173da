#include "text/byte_level.h"

#include "base/error.h"
#include "text/unicode.h"

const char byte_level_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

enum { PRINTED_COUNT = 94 + 12 + 82, MOVED_FIRST = 0x100 };

static bool is_printed(unsigned char byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* The moved bytes are 00-20, 7F-A0, AD: three runs. */
uint32_t byte_level_character(unsigned char byte)
{
    if (is_printed(byte))
        return byte;
    if (byte <= 0x20)
        return MOVED_FIRST + (uint32_t)byte;
    if (byte <= 0xA0)
        return MOVED_FIRST + 0x21 + (uint32_t)(byte - 0x7F);
    return MOVED_FIRST + 0x21 + 0x22;
}

int byte_level_byte(uint32_t character)
{
    if (character < MOVED_FIRST)
        return is_printed((unsigned char)character) ? (int)character : -1;
    const uint32_t moved = character - MOVED_FIRST;
    if (moved <= 0x20)
        return (int)moved;
    if (moved < 0x21 + 0x22)
        return (int)(moved - 0x21 + 0x7F);
    return moved == 0x21 + 0x22 ? 0xAD : -1;
}

unsigned char byte_level_ordered(size_t index)
{
    CHECK(index < 256);
    if (index < 94)
        return (unsigned char)(0x21 + index);
    if (index < 94 + 12)
        return (unsigned char)(0xA1 + index - 94);
    if (index < PRINTED_COUNT)
        return (unsigned char)(0xAE + index - 94 - 12);
    return (unsigned char)byte_level_byte(MOVED_FIRST + (uint32_t)(index - PRINTED_COUNT));
}

void byte_level_spell(struct text_buffer *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        utf8_append(out, byte_level_character((unsigned char)text[i]));
}

bool byte_level_unspell(struct text_buffer *out, const char *spelling, size_t bytes)
{
    const size_t start = out->length;
    while (bytes > 0) {
        uint32_t character;
        const size_t taken = utf8_decode(spelling, bytes, &character);
        const int byte = byte_level_byte(character);
        if (byte < 0) {
            if (out->data) {
                out->length = start;
                out->data[start] = '\0';
            }
            return false;
        }
        text_buffer_append_char(out, (char)(unsigned char)byte);
        spelling += taken;
        bytes -= taken;
    }
    return true;
}
