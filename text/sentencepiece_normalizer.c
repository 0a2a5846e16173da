#include "text/normalizer.h"

#include <string.h>

static const char meta_space[] = "\xE2\x96\x81"; /* U+2581 */
enum { META_SPACE_BYTES = 3 };

struct normal_part {
    const char *text;
    size_t bytes;
    size_t taken; /* of the input */
};

/* The rule of the longest prefix; user-defined symbols pass as they are. */
static struct normal_part next_part(const struct normalizer_step *step, const char *text,
                                    size_t bytes)
{
    const char *replacement;
    uint32_t code_point;
    size_t taken = 0;
    if (step->rules.user_defined)
        taken = added_tokens_longest(step->rules.user_defined, text, bytes);
    if (taken > 0)
        return (struct normal_part){text, taken, taken};
    taken = charsmap_find(&step->charsmap, text, bytes, true, &replacement);
    if (taken > 0)
        return (struct normal_part){replacement, strlen(replacement), taken};
    taken = utf8_decode(text, bytes, &code_point);
    return (struct normal_part){text, taken, taken};
}

static void append_space(const struct normalizer_step *step, struct text_buffer *out)
{
    if (step->rules.escape_whitespaces)
        text_buffer_append_bytes(out, meta_space, META_SPACE_BYTES);
    else
        text_buffer_append_char(out, ' ');
}

static void append_part(const struct normalizer_step *step, const char *text, size_t bytes,
                        struct text_buffer *out)
{
    const char *space;
    while ((space = memchr(text, ' ', bytes)) != NULL) {
        text_buffer_append_bytes(out, text, (size_t)(space - text));
        append_space(step, out);
        bytes -= (size_t)(space + 1 - text);
        text = space + 1;
    }
    text_buffer_append_bytes(out, text, bytes);
}

static size_t heading_space(const struct normalizer_step *step, const char *text,
                            size_t bytes)
{
    size_t skipped = 0;
    while (skipped < bytes) {
        const struct normal_part part = next_part(step, text + skipped, bytes - skipped);
        if (part.bytes != 1 || part.text[0] != ' ')
            break;
        skipped += part.taken;
    }
    return skipped;
}

static void drop_trailing_space(const struct normalizer_step *step, size_t start,
                                struct text_buffer *out)
{
    const char *space = step->rules.escape_whitespaces ? meta_space : " ";
    const size_t bytes = strlen(space);
    while (out->length >= start + bytes &&
           memcmp(out->data + out->length - bytes, space, bytes) == 0) {
        out->length -= bytes;
        out->data[out->length] = '\0';
    }
}

void sentencepiece_normalize(const struct normalizer_step *step, const char *text,
                             size_t bytes, enum text_place place, struct text_buffer *out)
{
    const struct sentencepiece_rules *rules = &step->rules;
    const bool dummy = rules->add_dummy_prefix && place != TEXT_INSIDE &&
                       (place == TEXT_FIRST || !rules->prefix_first_only);
    const size_t start = out->length;
    bool after_space = rules->remove_extra_whitespaces && place != TEXT_INSIDE;
    size_t i = after_space ? heading_space(step, text, bytes) : 0;
    if (i == bytes)
        return;
    if (dummy && !rules->treat_whitespace_as_suffix)
        append_space(step, out);
    while (i < bytes) {
        struct normal_part part = next_part(step, text + i, bytes - i);
        i += part.taken;
        while (after_space && part.bytes > 0 && part.text[0] == ' ') {
            part.text++;
            part.bytes--;
        }
        if (part.bytes == 0)
            continue;
        append_part(step, part.text, part.bytes, out);
        after_space = rules->remove_extra_whitespaces && part.text[part.bytes - 1] == ' ';
    }
    if (rules->remove_extra_whitespaces)
        drop_trailing_space(step, start, out);
    if (dummy && rules->treat_whitespace_as_suffix)
        append_space(step, out);
}
