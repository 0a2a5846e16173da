#include "text/normalizer.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* `tokenizers` looks up whole graphemes of at most this many bytes. */
enum { GRAPHEME_BYTES_MAXIMUM = 5 };

void normalizer_add(struct normalizer *normalizer, struct normalizer_step step)
{
    array_reserve(normalizer->steps, normalizer->capacity, normalizer->count + 1);
    normalizer->steps[normalizer->count++] = step;
}

void normalizer_step_release(struct normalizer_step *step)
{
    free(step->literal);
    free(step->content);
    split_pattern_free(step->pattern);
    charsmap_release(&step->charsmap);
    *step = (struct normalizer_step){0};
}

void normalizer_release(struct normalizer *normalizer)
{
    for (size_t i = 0; i < normalizer->count; i++)
        normalizer_step_release(&normalizer->steps[i]);
    free(normalizer->steps);
    *normalizer = (struct normalizer){0};
}

static void replace_literal(const struct normalizer_step *step, const char *text,
                            size_t bytes, struct text_buffer *out)
{
    const char *end = text + bytes;
    const char *match;
    while ((match = memmem(text, (size_t)(end - text), step->literal,
                           step->literal_bytes)) != NULL) {
        text_buffer_append_bytes(out, text, (size_t)(match - text));
        text_buffer_append_bytes(out, step->content, step->content_bytes);
        text = match + step->literal_bytes;
    }
    text_buffer_append_bytes(out, text, (size_t)(end - text));
}

static void replace_pattern(const struct normalizer_step *step, const char *text,
                            size_t bytes, struct text_buffer *out)
{
    struct split_matcher matcher = {0};
    size_t start, end, previous = 0;
    split_matcher_begin(&matcher, step->pattern, text, bytes);
    while (split_matcher_next(&matcher, &start, &end)) {
        text_buffer_append_bytes(out, text + previous, start - previous);
        text_buffer_append_bytes(out, step->content, step->content_bytes);
        previous = end;
    }
    text_buffer_append_bytes(out, text + previous, bytes - previous);
    split_matcher_release(&matcher);
}

static void strip(const struct normalizer_step *step, const char *text, size_t bytes,
                  struct text_buffer *out)
{
    uint32_t code_point;
    while (step->strip_left && bytes > 0) {
        const size_t taken = utf8_decode(text, bytes, &code_point);
        if (!unicode_is_white_space(code_point))
            break;
        text += taken;
        bytes -= taken;
    }
    while (step->strip_right && bytes > 0) {
        const size_t last = utf8_last_start(text, bytes);
        utf8_decode(text + last, bytes - last, &code_point);
        if (!unicode_is_white_space(code_point))
            break;
        bytes = last;
    }
    text_buffer_append_bytes(out, text, bytes);
}

static void lowercase(const char *text, size_t bytes, struct text_buffer *out)
{
    while (bytes > 0) {
        uint32_t code_point;
        const size_t taken = utf8_decode(text, bytes, &code_point);
        if (code_point == 0x130) /* the one letter whose lower case is two characters */
            text_buffer_append(out, "i\xCC\x87");
        else
            utf8_append(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point));
        text += taken;
        bytes -= taken;
    }
}

/* Bytes of the extended grapheme cluster at the start. */
static size_t grapheme_bytes(const char *text, size_t bytes)
{
    uint32_t left, right;
    utf8proc_int32_t state = 0;
    size_t end = utf8_decode(text, bytes, &left);
    while (end < bytes) {
        const size_t taken = utf8_decode(text + end, bytes - end, &right);
        if (left < 0x80 && right < 0x80
                ? left != '\r' || right != '\n'
                : utf8proc_grapheme_break_stateful((utf8proc_int32_t)left,
                                                   (utf8proc_int32_t)right, &state))
            break;
        end += taken;
        left = right;
    }
    return end;
}

static bool map_chunk(const struct charsmap *map, const char *text, size_t bytes,
                      struct text_buffer *out)
{
    const char *replacement;
    if (charsmap_find(map, text, bytes, false, &replacement) == 0)
        return false;
    text_buffer_append(out, replacement);
    return true;
}

/* The whole chunk goes for a rule of its shortest prefix: so does spm_precompiled, and
 * models were trained behind it. */
static void map_characters(const struct charsmap *map, const char *text, size_t bytes,
                           struct text_buffer *out)
{
    while (bytes > 0) {
        const size_t grapheme = grapheme_bytes(text, bytes);
        if (grapheme > GRAPHEME_BYTES_MAXIMUM || !map_chunk(map, text, grapheme, out)) {
            for (size_t i = 0; i < grapheme;) {
                uint32_t code_point;
                const size_t taken = utf8_decode(text + i, grapheme - i, &code_point);
                if (!map_chunk(map, text + i, taken, out))
                    text_buffer_append_bytes(out, text + i, taken);
                i += taken;
            }
        }
        text += grapheme;
        bytes -= grapheme;
    }
}

static void prepend(const struct normalizer_step *step, const char *text, size_t bytes,
                    enum text_place place, struct text_buffer *out)
{
    if (bytes > 0 && place != TEXT_INSIDE)
        text_buffer_append_bytes(out, step->content, step->content_bytes);
    text_buffer_append_bytes(out, text, bytes);
}

static void run_step(const struct normalizer_step *step, const char *text, size_t bytes,
                     enum text_place place, struct text_buffer *out)
{
    switch (step->kind) {
    case NORMALIZER_FORM:
        unicode_append_normalized(out, step->form, text, bytes);
        break;
    case NORMALIZER_PREPEND:
        prepend(step, text, bytes, place, out);
        break;
    case NORMALIZER_REPLACE:
        (step->literal ? replace_literal : replace_pattern)(step, text, bytes, out);
        break;
    case NORMALIZER_STRIP:
        strip(step, text, bytes, out);
        break;
    case NORMALIZER_LOWERCASE:
        lowercase(text, bytes, out);
        break;
    case NORMALIZER_CHARSMAP:
        map_characters(&step->charsmap, text, bytes, out);
        break;
    case NORMALIZER_SENTENCEPIECE:
        sentencepiece_normalize(step, text, bytes, place, out);
        break;
    }
}

void normalizer_run(const struct normalizer *normalizer, const char *text, size_t bytes,
                    enum text_place place, struct text_buffer *out)
{
    struct text_buffer scratch[2] = {{0}, {0}};
    for (size_t i = 0; i < normalizer->count; i++) {
        const bool last = i + 1 == normalizer->count;
        struct text_buffer *to = last ? out : &scratch[i % 2];
        if (!last)
            text_buffer_clear(to);
        run_step(&normalizer->steps[i], text, bytes, place, to);
        text = text_buffer_string(to);
        bytes = to->length;
    }
    if (normalizer->count == 0)
        text_buffer_append_bytes(out, text, bytes);
    text_buffer_release(&scratch[0]);
    text_buffer_release(&scratch[1]);
}
