/* A rendering as tokens: what is a control token, and what stays text. */
#include "text/chat_template_internal.h"

#include "base/memory.h"
#include "text/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

static bool has_space(const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        uint32_t code_point;
        const size_t taken = utf8_decode(text, left, &code_point);
        if (unicode_is_white_space(code_point))
            return true;
        text += taken;
        left -= taken;
    }
    return false;
}

static void collect(struct chat_template *chat_template, const struct tokenizer *tokenizer,
                    const struct added_tokens *from, bool only_special)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct added_token *token = &from->items[i];
        const struct added_token bare = {.id = token->id, .special = token->special};
        const char *text = tokenizer_token_text(tokenizer, token->id);
        if (!text || !text[0] || (!token->special && (only_special || has_space(text))))
            continue;
        if (added_tokens_add(&chat_template->controls, text, strlen(text), bare))
            chat_template->originals[chat_template->controls.count - 1] = *token;
    }
}

void chat_template_collect(struct chat_template *chat_template,
                           const struct tokenizer *tokenizer, bool only_special)
{
    const size_t count = tokenizer->added_raw.count + tokenizer->added_normalized.count;
    added_tokens_release(&chat_template->controls);
    free(chat_template->originals);
    chat_template->originals =
        memory_allocate_array(count + 1, sizeof *chat_template->originals);
    collect(chat_template, tokenizer, &tokenizer->added_raw, only_special);
    collect(chat_template, tokenizer, &tokenizer->added_normalized, only_special);
}

/* Whether a control token can be read in this text, as it is or normalised. */
static bool reads_as_control(const struct chat_template *chat_template,
                             const struct tokenizer *tokenizer, const char *text,
                             size_t bytes)
{
    struct text_buffer normal = {0};
    bool found = false;
    tokenizer_normalize(tokenizer, text, bytes, TEXT_INSIDE, &normal);
    const char *const texts[] = {text, text_buffer_string(&normal)};
    const size_t lengths[] = {bytes, normal.length};
    for (size_t i = 0; i < 2 && !found; i++) {
        struct added_scan scan = {
            .tokens = &chat_template->controls, .text = texts[i], .bytes = lengths[i]};
        struct added_span span;
        while (!found && added_scan_next(&scan, &span))
            found = span.id >= 0;
    }
    text_buffer_release(&normal);
    return found;
}

struct encoder {
    const struct rendering *rendering;
    const struct chat_template *chat_template;
    const struct tokenizer *tokenizer;
    struct token_list *ids;
    struct mask_list *mask; /* may be NULL */
    size_t at;              /* everything before is encoded */
    size_t next_control;
    bool skips_space; /* the token before takes the white space behind it */
    unsigned place;   /* ENCODE_AFTER_TOKEN, ENCODE_INSIDE, or 0 at the very start */
};

static void extend_mask(struct encoder *encoder, size_t from, bool said)
{
    struct mask_list *mask = encoder->mask;
    const size_t added = encoder->ids->count - from;
    if (!mask || added == 0)
        return;
    array_reserve(mask->values, mask->capacity, mask->count + added);
    memset(mask->values + mask->count, said, added);
    mask->count += added;
}

static size_t skip_space(const char *text, size_t at, size_t to)
{
    while (at < to) {
        uint32_t code_point;
        const size_t taken = utf8_decode(text + at, to - at, &code_point);
        if (!unicode_is_white_space(code_point))
            break;
        at += taken;
    }
    return at;
}

static size_t skip_space_back(const char *text, size_t from, size_t at)
{
    while (at > from) {
        uint32_t code_point;
        const size_t start = from + utf8_last_start(text + from, at - from);
        utf8_decode(text + start, at - start, &code_point);
        if (!unicode_is_white_space(code_point))
            break;
        at = start;
    }
    return at;
}

/* Text between control tokens, up to `to`. Special tokens are not looked for in it; added
 * tokens that are not called special neither, where one of them is a control token. */
static void encode_text(struct encoder *encoder, size_t to)
{
    const char *text = text_buffer_string(&encoder->rendering->output.text) + encoder->at;
    const size_t bytes = to - encoder->at;
    const bool plain =
        encoder->chat_template->unmarked &&
        reads_as_control(encoder->chat_template, encoder->tokenizer, text, bytes);
    if (bytes == 0)
        return;
    tokenizer_encode(encoder->tokenizer, text, bytes,
                     encoder->place | (plain ? ENCODE_PLAIN : 0), encoder->ids);
    encoder->at = to;
    encoder->place = ENCODE_INSIDE;
}

/* A control token, and the text before it. */
static void encode_control(struct encoder *encoder, const struct control_span *control)
{
    const char *text = text_buffer_string(&encoder->rendering->output.text);
    encode_text(encoder, control->original->lstrip
                             ? skip_space_back(text, encoder->at, control->start)
                             : control->start);
    token_list_append(encoder->ids, control->id);
    encoder->at = control->end;
    encoder->place = ENCODE_AFTER_TOKEN;
    encoder->skips_space = control->original->rstrip;
}

static void skip_taken_space(struct encoder *encoder, size_t to)
{
    const struct rendering *rendering = encoder->rendering;
    if (!encoder->skips_space)
        return;
    if (encoder->next_control < rendering->control_count &&
        rendering->controls[encoder->next_control].start < to)
        to = rendering->controls[encoder->next_control].start;
    encoder->at = skip_space(text_buffer_string(&rendering->output.text), encoder->at, to);
    encoder->skips_space = encoder->at == to;
}

/* Everything up to `to`, said by the assistant or not. No control token lies across. The
 * white space at the start of a reply is the assistant's: no token takes it. */
static void encode_until(struct encoder *encoder, size_t to, bool said)
{
    const struct rendering *rendering = encoder->rendering;
    const size_t before = encoder->ids->count;
    encoder->skips_space = encoder->skips_space && !said;
    skip_taken_space(encoder, to);
    while (encoder->next_control < rendering->control_count &&
           rendering->controls[encoder->next_control].end <= to) {
        encode_control(encoder, &rendering->controls[encoder->next_control++]);
        skip_taken_space(encoder, to);
    }
    encode_text(encoder, to);
    encoder->at = to;
    extend_mask(encoder, before, said);
}

void rendering_encode(const struct rendering *rendering,
                      const struct chat_template *chat_template,
                      const struct tokenizer *tokenizer, struct token_list *ids,
                      struct mask_list *mask)
{
    struct encoder encoder = {.rendering = rendering,
                              .chat_template = chat_template,
                              .tokenizer = tokenizer,
                              .ids = ids,
                              .mask = mask};
    for (size_t i = 0; i < rendering->reply_count; i++) {
        encode_until(&encoder, rendering->replies[i].start, false);
        encode_until(&encoder, rendering->replies[i].end, true);
    }
    encode_until(&encoder, rendering->output.text.length, false);
}
