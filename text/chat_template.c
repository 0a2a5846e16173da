#include "text/chat_template.h"

#include "base/json.h"
#include "base/memory.h"
#include "text/chat_template_internal.h"
#include "text/chatml.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

static const char im_start[] = "<|im_start|>";
static const char im_end[] = "<|im_end|>";

struct chat_template {
    struct chatml_form form;
    char *bos; /* text of the bos token, "" if there is none */
    int32_t bos_id;
    int32_t start_id;
    int32_t end_id;
    unsigned encode_flags; /* for what is not a control token */
};

/* A conversation, rendered: control tokens and the text between them. */
struct segment {
    const char *text;
    size_t bytes;
    int32_t id; /* of a control token; -1: text */
    bool said;  /* by the assistant */
};

struct segment_list {
    struct segment *items;
    size_t count;
    size_t capacity;
};

static void add_segment(struct segment_list *list, const char *text, size_t bytes,
                        int32_t id, bool said)
{
    array_reserve(list->items, list->capacity, list->count + 1);
    list->items[list->count++] = (struct segment){text, bytes, id, said};
}

static void add_text(struct segment_list *list, const char *text)
{
    if (text[0])
        add_segment(list, text, strlen(text), -1, false);
}

/* What Python's str.strip() takes off. */
static bool is_python_space(uint32_t code_point)
{
    return unicode_is_white_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

static void strip(const char **text, size_t *bytes)
{
    uint32_t code_point;
    while (*bytes > 0) {
        const size_t taken = utf8_decode(*text, *bytes, &code_point);
        if (!is_python_space(code_point))
            break;
        *text += taken;
        *bytes -= taken;
    }
    while (*bytes > 0) {
        const size_t start = utf8_last_start(*text, *bytes);
        utf8_decode(*text + start, *bytes - start, &code_point);
        if (!is_python_space(code_point))
            break;
        *bytes = start;
    }
}

static void add_turn(const struct chat_template *chat_template, struct segment_list *list,
                     const char *role, const char *content)
{
    const struct chatml_form *form = &chat_template->form;
    const bool said = strcmp(role, "assistant") == 0;
    size_t bytes = strlen(content);
    if (form->strip)
        strip(&content, &bytes);
    add_text(list, form->before_turn);
    add_segment(list, im_start, strlen(im_start), chat_template->start_id, false);
    add_text(list, role);
    add_text(list, "\n");
    add_segment(list, content, bytes, -1, said);
    add_segment(list, im_end, strlen(im_end), chat_template->end_id, said);
    add_text(list, "\n");
    add_text(list, form->after_turn);
}

static enum status check_message(const struct chat_template *chat_template,
                                 const struct message *messages, size_t index,
                                 struct error *error)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    const struct message *message = &messages[index];
    bool known = false;
    if (!message->role || !message->content)
        return error_set(error, STATUS_USAGE, "message %zu has no %s", index,
                         message->role ? "content" : "role");
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        known = known || strcmp(roles[i], message->role) == 0;
    if (!known)
        return error_set(error, STATUS_USAGE,
                         "message %zu: role \"%s\" is none of system, user, assistant",
                         index, message->role);
    const size_t offset = strcmp(messages[0].role, "system") == 0;
    const bool is_user = strcmp(message->role, "user") == 0;
    if (chat_template->form.alternate && is_user != (index % 2 == offset))
        return error_set(
            error, STATUS_USAGE,
            "message %zu: role \"%s\": this template wants the roles "
            "user/assistant/user/assistant/…, after at most one system message",
            index, message->role);
    return STATUS_OK;
}

static enum status lay_out(const struct chat_template *chat_template,
                           const struct message *messages, size_t count,
                           bool add_generation_prompt, struct segment_list *list,
                           struct error *error)
{
    const struct chatml_form *form = &chat_template->form;
    if (count == 0)
        return error_set(error, STATUS_USAGE, "the conversation has no messages");
    for (size_t i = 0; i < count; i++) {
        const enum status status = check_message(chat_template, messages, i, error);
        if (status)
            return status;
    }
    add_text(list, form->head);
    if (form->bos && chat_template->bos[0])
        add_segment(list, chat_template->bos, strlen(chat_template->bos),
                    chat_template->bos_id, false);
    add_text(list, form->after_bos);
    if (form->system && strcmp(messages[0].role, "system") != 0)
        add_turn(chat_template, list, "system", form->system);
    for (size_t i = 0; i < count; i++)
        add_turn(chat_template, list, messages[i].role, messages[i].content);
    add_text(list, form->after_turns);
    if (!add_generation_prompt)
        return STATUS_OK;
    add_text(list, form->before_prompt);
    add_segment(list, im_start, strlen(im_start), chat_template->start_id, false);
    add_text(list, "assistant\n");
    add_text(list, form->after_prompt);
    return STATUS_OK;
}

enum status chat_template_render(const struct chat_template *chat_template,
                                 const struct message *messages, size_t count,
                                 bool add_generation_prompt, struct text_buffer *text,
                                 struct error *error)
{
    struct segment_list list = {0};
    const enum status status =
        lay_out(chat_template, messages, count, add_generation_prompt, &list, error);
    for (size_t i = 0; i < list.count && !status; i++)
        utf8_append_repaired(text, list.items[i].text, list.items[i].bytes);
    free(list.items);
    return status;
}

void mask_list_release(struct mask_list *list)
{
    free(list->values);
    *list = (struct mask_list){0};
}

/* Appends `said` until the mask has moved on by `added`. */
static void mask_append(struct mask_list *mask, size_t added, bool said)
{
    if (!mask || added == 0)
        return;
    array_reserve(mask->values, mask->capacity, mask->count + added);
    memset(mask->values + mask->count, said, added);
    mask->count += added;
}

/* Encodes segment i and the text segments behind it that belong to the same stretch;
 * returns the index behind them. */
static size_t encode_stretch(const struct chat_template *chat_template,
                             const struct tokenizer *tokenizer,
                             const struct segment_list *list, size_t i,
                             struct token_list *ids)
{
    struct text_buffer text = {0};
    const bool said = list->items[i].said;
    if (list->items[i].id >= 0) {
        token_list_append(ids, list->items[i].id);
        return i + 1;
    }
    for (; i < list->count && list->items[i].id < 0 && list->items[i].said == said; i++)
        text_buffer_append_bytes(&text, list->items[i].text, list->items[i].bytes);
    tokenizer_encode(tokenizer, text_buffer_string(&text), text.length,
                     chat_template->encode_flags, ids);
    text_buffer_release(&text);
    return i;
}

enum status chat_template_encode(const struct chat_template *chat_template,
                                 const struct tokenizer *tokenizer,
                                 const struct message *messages, size_t count,
                                 bool add_generation_prompt, struct token_list *ids,
                                 struct mask_list *mask, struct error *error)
{
    struct segment_list list = {0};
    const enum status status =
        lay_out(chat_template, messages, count, add_generation_prompt, &list, error);
    for (size_t i = 0; i < list.count && !status;) {
        const size_t before = ids->count;
        const bool said = list.items[i].said;
        i = encode_stretch(chat_template, tokenizer, &list, i, ids);
        mask_append(mask, ids->count - before, said);
    }
    free(list.items);
    return status;
}

int32_t chat_template_end_of_turn(const struct chat_template *chat_template)
{
    return chat_template->end_id;
}

static enum status find_control(const struct tokenizer *tokenizer, const char *token,
                                int32_t *id, struct error *error)
{
    *id = tokenizer_token_id(tokenizer, token);
    if (*id >= 0)
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "chat template: the tokenizer has no token %s: add it to added_tokens "
                     "of tokenizer.json",
                     token);
}

enum status chat_template_build(struct chat_template **chat_template, const char *source,
                                const char *bos, const struct tokenizer *tokenizer,
                                struct error *error)
{
    struct chat_template *built = memory_allocate(sizeof *built);
    *chat_template = NULL;
    enum status status = chatml_recognize(
        &built->form, source ? source : chat_template_chatml_source(), error);
    if (!status)
        status = find_control(tokenizer, im_start, &built->start_id, error);
    if (!status)
        status = find_control(tokenizer, im_end, &built->end_id, error);
    if (status) {
        chat_template_free(built);
        return status;
    }
    built->bos = memory_duplicate_string(bos ? bos : "");
    built->bos_id = tokenizer_token_id(tokenizer, built->bos);
    /* Where the file does not call the control tokens special, none may be looked for. */
    if (!tokenizer_token_is_special(tokenizer, built->start_id) ||
        !tokenizer_token_is_special(tokenizer, built->end_id))
        built->encode_flags = ENCODE_PLAIN;
    *chat_template = built;
    return STATUS_OK;
}

enum status chat_template_parse(struct chat_template **chat_template, const char *source,
                                const struct tokenizer *tokenizer, struct error *error)
{
    return chat_template_build(chat_template, source, NULL, tokenizer, error);
}

void chat_template_free(struct chat_template *chat_template)
{
    if (!chat_template)
        return;
    chatml_form_release(&chat_template->form);
    free(chat_template->bos);
    free(chat_template);
}
