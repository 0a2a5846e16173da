#include "text/unicode.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* What may follow a lead byte (Unicode Standard, table 3-7). */
struct lead {
    unsigned char extra;        /* continuation bytes */
    unsigned char low, high;    /* range of the first of them */
    unsigned char payload_mask; /* bits of the lead byte that count */
};

static struct lead lead_of(unsigned char byte)
{
    if (byte >= 0xC2 && byte <= 0xDF)
        return (struct lead){1, 0x80, 0xBF, 0x1F};
    if (byte >= 0xE0 && byte <= 0xEF)
        return (struct lead){2, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF,
                             0x0F};
    if (byte >= 0xF0 && byte <= 0xF4)
        return (struct lead){3, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF,
                             0x07};
    return (struct lead){0};
}

/* As utf8_decode(), and says whether the bytes were well formed. */
static size_t decode_checked(const char *text, size_t bytes, uint32_t *code_point,
                             bool *valid)
{
    const unsigned char *in = (const unsigned char *)text;
    if (in[0] < 0x80) {
        *code_point = in[0];
        *valid = true;
        return 1;
    }
    const struct lead lead = lead_of(in[0]);
    uint32_t value = in[0] & lead.payload_mask;
    size_t taken = 1;
    while (taken <= lead.extra && taken < bytes) {
        const unsigned char low = taken == 1 ? lead.low : 0x80;
        const unsigned char high = taken == 1 ? lead.high : 0xBF;
        if (in[taken] < low || in[taken] > high)
            break;
        value = value << 6 | (in[taken] & 0x3F);
        taken++;
    }
    *valid = lead.extra > 0 && taken == (size_t)lead.extra + 1;
    *code_point = *valid ? value : UNICODE_REPLACEMENT;
    return taken;
}

size_t utf8_decode(const char *text, size_t bytes, uint32_t *code_point)
{
    bool valid;
    CHECK(bytes > 0);
    return decode_checked(text, bytes, code_point, &valid);
}

size_t utf8_last_start(const char *text, size_t bytes)
{
    size_t start = bytes - 1;
    while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    return start;
}

size_t utf8_encode(char out[UTF8_BYTES_MAXIMUM], uint32_t code_point)
{
    CHECK(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF));
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    const size_t extra = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
    const unsigned lead_bits = 0xFF00u >> (extra + 1);
    for (size_t i = extra; i > 0; i--) {
        out[i] = (char)(unsigned char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(unsigned char)((lead_bits & 0xFF) | code_point);
    return extra + 1;
}

void utf8_append(struct text_buffer *out, uint32_t code_point)
{
    char bytes[UTF8_BYTES_MAXIMUM];
    text_buffer_append_bytes(out, bytes, utf8_encode(bytes, code_point));
}

/* Length of the run of ASCII at the start, in steps of 8 bytes. */
static size_t ascii_run(const char *text, size_t bytes)
{
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t eight;
        memcpy(&eight, text + i, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

/* Length of the valid UTF-8 at the start. */
static size_t valid_run(const char *text, size_t bytes)
{
    size_t i = 0;
    while (i < bytes) {
        uint32_t code_point;
        bool valid;
        i += ascii_run(text + i, bytes - i);
        if (i == bytes)
            break;
        const size_t taken = decode_checked(text + i, bytes - i, &code_point, &valid);
        if (!valid)
            break;
        i += taken;
    }
    return i;
}

bool utf8_is_valid(const char *text, size_t bytes)
{
    return valid_run(text, bytes) == bytes;
}

void utf8_append_repaired(struct text_buffer *out, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const size_t good = valid_run(text, bytes);
        text_buffer_append_bytes(out, text, good);
        text += good;
        bytes -= good;
        if (bytes == 0)
            break;
        uint32_t code_point;
        const size_t bad = utf8_decode(text, bytes, &code_point);
        utf8_append(out, UNICODE_REPLACEMENT);
        text += bad;
        bytes -= bad;
    }
}

bool unicode_is_white_space(uint32_t code_point)
{
    if (code_point < 0x80)
        return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
    if (code_point == 0x85)
        return true;
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        return false;
    }
}

/* Circled and squared letters: symbols that are Alphabetic nevertheless. */
static bool is_enclosed_letter(uint32_t code_point)
{
    return (code_point >= 0x24B6 && code_point <= 0x24E9) ||
           (code_point >= 0x1F130 && code_point <= 0x1F149) ||
           (code_point >= 0x1F150 && code_point <= 0x1F169) ||
           (code_point >= 0x1F170 && code_point <= 0x1F189);
}

bool unicode_is_word(uint32_t code_point)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL)
        return true; /* letters, marks, decimal and letter numbers */
    if (category == UTF8PROC_CATEGORY_PC)
        return true;
    return code_point == 0x200C || code_point == 0x200D || is_enclosed_letter(code_point);
}

void unicode_append_normalized(struct text_buffer *out, enum unicode_form form,
                               const char *text, size_t bytes)
{
    static const int options[] = {
        [UNICODE_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [UNICODE_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [UNICODE_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [UNICODE_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    if (ascii_run(text, bytes) == bytes) {
        text_buffer_append_bytes(out, text, bytes);
        return;
    }
    utf8proc_uint8_t *mapped = NULL;
    const utf8proc_ssize_t length =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)bytes, &mapped,
                     (utf8proc_option_t)options[form]);
    CHECK(length >= 0); /* the text is valid; what is left is running out of memory */
    text_buffer_append_bytes(out, (const char *)mapped, (size_t)length);
    free(mapped);
}
