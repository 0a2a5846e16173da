#include "text/decoder.h"

#include "base/memory.h"
#include "text/byte_level.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum { BYTE_TOKEN_BYTES = 6 };

void decoder_add(struct decoder *decoder, struct decoder_step step)
{
    array_reserve(decoder->steps, decoder->capacity, decoder->count + 1);
    decoder->steps[decoder->count++] = step;
}

void decoder_step_release(struct decoder_step *step)
{
    free(step->literal);
    free(step->content);
    split_pattern_free(step->pattern);
    *step = (struct decoder_step){0};
}

void decoder_release(struct decoder *decoder)
{
    for (size_t i = 0; i < decoder->count; i++)
        decoder_step_release(&decoder->steps[i]);
    free(decoder->steps);
    *decoder = (struct decoder){0};
}

bool decoder_is_byte_level(const struct decoder *decoder)
{
    return decoder->count == 1 && decoder->steps[0].kind == DECODER_BYTE_LEVEL;
}

void token_strings_end(struct token_strings *list)
{
    array_reserve(list->ends, list->capacity, list->count + 1);
    list->ends[list->count++] = list->bytes.length;
}

void token_strings_clear(struct token_strings *list)
{
    text_buffer_clear(&list->bytes);
    list->count = 0;
}

void token_strings_release(struct token_strings *list)
{
    text_buffer_release(&list->bytes);
    free(list->ends);
    *list = (struct token_strings){0};
}

size_t token_strings_start(const struct token_strings *list, size_t index)
{
    return index == 0 ? 0 : list->ends[index - 1];
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int byte_token_value(const char *spelling, size_t bytes)
{
    if (bytes != BYTE_TOKEN_BYTES || memcmp(spelling, "<0x", 3) != 0 || spelling[5] != '>')
        return -1;
    const int high = hex_digit(spelling[3]);
    const int low = hex_digit(spelling[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static void unspell_all(const struct token_strings *in, struct token_strings *out)
{
    struct text_buffer raw = {0};
    for (size_t i = 0; i < in->count; i++) {
        const size_t start = token_strings_start(in, i);
        const char *spelling = text_buffer_string(&in->bytes) + start;
        const size_t bytes = in->ends[i] - start;
        if (!byte_level_unspell(&raw, spelling, bytes))
            text_buffer_append_bytes(&raw, spelling, bytes);
    }
    utf8_append_repaired(&out->bytes, text_buffer_string(&raw), raw.length);
    token_strings_end(out);
    text_buffer_release(&raw);
}

static void replace_literal(const char *literal, const char *content, const char *text,
                            size_t bytes, struct text_buffer *out)
{
    const size_t literal_bytes = strlen(literal);
    const char *match;
    while ((match = memmem(text, bytes, literal, literal_bytes)) != NULL) {
        text_buffer_append_bytes(out, text, (size_t)(match - text));
        text_buffer_append(out, content);
        bytes -= (size_t)(match - text) + literal_bytes;
        text = match + literal_bytes;
    }
    text_buffer_append_bytes(out, text, bytes);
}

static void replace_pattern(const struct decoder_step *step, const char *text, size_t bytes,
                            struct text_buffer *out)
{
    struct split_matcher matcher = {0};
    size_t start, end, previous = 0;
    split_matcher_begin(&matcher, step->pattern, text, bytes);
    while (split_matcher_next(&matcher, &start, &end)) {
        text_buffer_append_bytes(out, text + previous, start - previous);
        text_buffer_append(out, step->content);
        previous = end;
    }
    text_buffer_append_bytes(out, text + previous, bytes - previous);
    split_matcher_release(&matcher);
}

/* One string for a run of byte tokens, or one for each where the run is not UTF-8. */
static void end_byte_run(struct text_buffer *run, struct token_strings *out)
{
    if (run->length == 0)
        return;
    if (utf8_is_valid(run->data, run->length)) {
        text_buffer_append_bytes(&out->bytes, run->data, run->length);
        token_strings_end(out);
    } else {
        for (size_t i = 0; i < run->length; i++) {
            utf8_append(&out->bytes, UNICODE_REPLACEMENT);
            token_strings_end(out);
        }
    }
    text_buffer_clear(run);
}

static void byte_fallback(const struct token_strings *in, struct token_strings *out)
{
    struct text_buffer run = {0};
    for (size_t i = 0; i < in->count; i++) {
        const size_t start = token_strings_start(in, i);
        const char *spelling = text_buffer_string(&in->bytes) + start;
        const int value = byte_token_value(spelling, in->ends[i] - start);
        if (value >= 0) {
            text_buffer_append_char(&run, (char)(unsigned char)value);
            continue;
        }
        end_byte_run(&run, out);
        text_buffer_append_bytes(&out->bytes, spelling, in->ends[i] - start);
        token_strings_end(out);
    }
    end_byte_run(&run, out);
    text_buffer_release(&run);
}

static void strip(const struct decoder_step *step, const char *text, size_t bytes,
                  struct text_buffer *out)
{
    const size_t unit = strlen(step->content);
    for (size_t i = 0; i < step->left && bytes >= unit; i++) {
        if (memcmp(text, step->content, unit) != 0)
            break;
        text += unit;
        bytes -= unit;
    }
    for (size_t i = 0; i < step->right && bytes >= unit; i++) {
        if (memcmp(text + bytes - unit, step->content, unit) != 0)
            break;
        bytes -= unit;
    }
    text_buffer_append_bytes(out, text, bytes);
}

static void each_string(const struct decoder_step *step, const struct token_strings *in,
                        struct token_strings *out)
{
    for (size_t i = 0; i < in->count; i++) {
        const size_t start = token_strings_start(in, i);
        const char *text = text_buffer_string(&in->bytes) + start;
        const size_t bytes = in->ends[i] - start;
        if (step->kind == DECODER_STRIP)
            strip(step, text, bytes, &out->bytes);
        else if (step->kind == DECODER_METASPACE)
            replace_literal(step->content, i == 0 && step->left ? "" : " ", text, bytes,
                            &out->bytes);
        else if (step->literal)
            replace_literal(step->literal, step->content, text, bytes, &out->bytes);
        else
            replace_pattern(step, text, bytes, &out->bytes);
        token_strings_end(out);
    }
}

static void run_step(const struct decoder_step *step, const struct token_strings *in,
                     struct token_strings *out)
{
    switch (step->kind) {
    case DECODER_BYTE_LEVEL:
        unspell_all(in, out);
        break;
    case DECODER_BYTE_FALLBACK:
        byte_fallback(in, out);
        break;
    case DECODER_FUSE:
        text_buffer_append_bytes(&out->bytes, text_buffer_string(&in->bytes),
                                 in->bytes.length);
        token_strings_end(out);
        break;
    case DECODER_REPLACE:
    case DECODER_STRIP:
    case DECODER_METASPACE:
        each_string(step, in, out);
        break;
    }
}

void decoder_run(const struct decoder *decoder, struct token_strings *list,
                 struct text_buffer *out)
{
    struct token_strings next = {0};
    for (size_t i = 0; i < decoder->count; i++) {
        token_strings_clear(&next);
        run_step(&decoder->steps[i], list, &next);
        const struct token_strings swap = *list;
        *list = next;
        next = swap;
    }
    text_buffer_append_bytes(out, text_buffer_string(&list->bytes), list->bytes.length);
    token_strings_release(&next);
}
