/* Strings: white space, case, search and replacement. */
#include "text/jinja_run.h"

#include "text/unicode.h"

#include <string.h>
#include <utf8proc.h>

bool jinja_is_space(uint32_t code_point)
{
    return unicode_is_white_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

static bool is_stripped(const struct jinja_text *text, size_t at, size_t bytes,
                        const struct jinja_text *characters)
{
    uint32_t code_point;
    if (!characters) {
        utf8_decode(text->bytes + at, bytes, &code_point);
        return jinja_is_space(code_point);
    }
    for (size_t i = 0; i < characters->length;) {
        const size_t taken =
            utf8_decode(characters->bytes + i, characters->length - i, &code_point);
        if (taken == bytes && memcmp(characters->bytes + i, text->bytes + at, bytes) == 0)
            return true;
        i += taken;
    }
    return false;
}

struct jinja_value jinja_strip(struct jinja_run *run, const struct jinja_text *text,
                               const struct jinja_text *characters, enum jinja_sides sides)
{
    size_t from = 0;
    size_t to = text->length;
    uint32_t code_point;
    jinja_pool_charge(&run->pool, text->length / 64);
    while ((sides & SIDE_LEFT) && from < to) {
        const size_t taken = utf8_decode(text->bytes + from, to - from, &code_point);
        if (!is_stripped(text, from, taken, characters))
            break;
        from += taken;
    }
    while ((sides & SIDE_RIGHT) && from < to) {
        const size_t start = from + utf8_last_start(text->bytes + from, to - from);
        if (!is_stripped(text, start, to - start, characters))
            break;
        to = start;
    }
    return jinja_part(&run->pool, text, from, to);
}

size_t jinja_text_find(struct jinja_run *run, const struct jinja_text *text, size_t from,
                       const struct jinja_text *needle)
{
    if (from > text->length || needle->length > text->length - from)
        return SIZE_MAX;
    jinja_pool_charge(&run->pool, (text->length - from) / 64);
    if (needle->length == 0)
        return from;
    const char *found =
        memmem(text->bytes + from, text->length - from, needle->bytes, needle->length);
    return found ? (size_t)(found - text->bytes) : SIZE_MAX;
}

/* The bytes of a line end that starts here, 0 if none does: str.splitlines(). */
size_t jinja_line_end(const struct jinja_text *text, size_t at)
{
    uint32_t code_point;
    const size_t taken = utf8_decode(text->bytes + at, text->length - at, &code_point);
    if (code_point == '\r')
        return at + 1 < text->length && text->bytes[at + 1] == '\n' ? 2 : 1;
    const bool ends_line = (code_point >= '\n' && code_point <= '\f') ||
                           (code_point >= 0x1C && code_point <= 0x1E) ||
                           code_point == 0x85 || code_point == 0x2028 ||
                           code_point == 0x2029;
    return ends_line ? taken : 0;
}

/* replace() of nothing: `to` goes between all characters. */
static struct jinja_value weave(struct jinja_run *run, const struct jinja_text *text,
                                const struct jinja_text *to, int64_t limit)
{
    struct jinja_builder out = {.pool = &run->pool};
    size_t at = 0;
    for (int64_t n = 0; (limit < 0 || n < limit) && jinja_going(run); n++) {
        jinja_build_text(&out, to);
        if (at >= text->length)
            break;
        uint32_t code_point;
        const size_t taken = utf8_decode(text->bytes + at, text->length - at, &code_point);
        jinja_build_part(&out, text, at, at + taken);
        at += taken;
    }
    jinja_build_part(&out, text, at, text->length);
    return jinja_built(&out);
}

struct jinja_value jinja_replace(struct jinja_run *run, const struct jinja_text *text,
                                 const struct jinja_text *from, const struct jinja_text *to,
                                 int64_t limit)
{
    struct jinja_builder out = {.pool = &run->pool};
    size_t at = 0;
    if (from->length == 0)
        return weave(run, text, to, limit);
    for (int64_t n = 0; (limit < 0 || n < limit) && jinja_going(run); n++) {
        const size_t found = jinja_text_find(run, text, at, from);
        if (found == SIZE_MAX)
            break;
        jinja_build_part(&out, text, at, found);
        jinja_build_text(&out, to);
        at = found + from->length;
    }
    jinja_build_part(&out, text, at, text->length);
    return jinja_built(&out);
}

/* Letters whose other case is several letters, or depends on what is around them
 * (SpecialCasing.txt of Unicode); the sharp s apart, which is done. */
static bool is_special_case(uint32_t code_point, bool to_upper)
{
    if (!to_upper)
        return code_point == 0x130 || code_point == 0x3A3;
    return code_point == 0x149 || code_point == 0x1F0 || code_point == 0x390 ||
           code_point == 0x3B0 || code_point == 0x587 ||
           (code_point >= 0x1E96 && code_point <= 0x1E9A) ||
           (code_point >= 0x1F50 && code_point <= 0x1FFC) ||
           (code_point >= 0xFB00 && code_point <= 0xFB17);
}

enum letter_case { LETTER_UPPER, LETTER_LOWER, LETTER_TITLE };

static void append_case(struct jinja_run *run, struct jinja_builder *out,
                        uint32_t code_point, uint16_t origin, enum letter_case to)
{
    char bytes[UTF8_BYTES_MAXIMUM];
    if (is_special_case(code_point, to != LETTER_LOWER)) {
        jinja_fail(run, STATUS_UNSUPPORTED, "the case of U+%04X is not supported",
                   code_point);
        return;
    }
    if (code_point == 0xDF && to != LETTER_LOWER) {
        jinja_build_bytes(out, to == LETTER_UPPER ? "SS" : "Ss", 2, origin);
        return;
    }
    const int32_t from = (int32_t)code_point;
    const int32_t other = to == LETTER_UPPER   ? utf8proc_toupper(from)
                          : to == LETTER_LOWER ? utf8proc_tolower(from)
                                               : utf8proc_totitle(from);
    jinja_build_bytes(out, bytes, utf8_encode(bytes, (uint32_t)other), origin);
}

static bool is_cased(uint32_t code_point)
{
    const utf8proc_category_t category = utf8proc_category((int32_t)code_point);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT;
}

/* What Jinja's filter "title" takes as the gap between words. */
static bool is_word_gap(uint32_t code_point)
{
    return jinja_is_space(code_point) ||
           (code_point < 0x80 && code_point && strchr("-({[<", (int)code_point));
}

static enum letter_case next_case(enum jinja_case to, bool starts)
{
    if (to == CASE_UPPER)
        return LETTER_UPPER;
    if (to == CASE_LOWER || !starts)
        return LETTER_LOWER;
    return to == CASE_WORDS ? LETTER_UPPER : LETTER_TITLE;
}

struct jinja_value jinja_change_case(struct jinja_run *run, const struct jinja_text *text,
                                     enum jinja_case to)
{
    struct jinja_builder out = {.pool = &run->pool};
    bool starts = true;
    for (size_t i = 0; i < text->length && !run->failed;) {
        uint32_t code_point;
        const uint16_t origin = text->origins ? text->origins[i] : 0;
        i += utf8_decode(text->bytes + i, text->length - i, &code_point);
        append_case(run, &out, code_point, origin, next_case(to, starts));
        if (to == CASE_TITLE)
            starts = !is_cased(code_point);
        else
            starts = to == CASE_WORDS && is_word_gap(code_point);
    }
    return jinja_built(&out);
}
