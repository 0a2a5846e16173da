/* Where in a rendering the template's control tokens and the assistant's words are. */
#include "text/chat_template_internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void rendering_release(struct rendering *rendering)
{
    jinja_output_release(&rendering->output);
    free(rendering->controls);
    free(rendering->replies);
    *rendering = (struct rendering){0};
}

static enum status check_messages(const struct message *messages, size_t count,
                                  struct error *error)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    if (count == 0)
        return error_set(error, STATUS_USAGE, "the conversation has no messages");
    for (size_t i = 0; i < count; i++) {
        const struct message *message = &messages[i];
        bool known = false;
        if (!message->role || !message->content)
            return error_set(error, STATUS_USAGE, "message %zu has no %s", i,
                             message->role ? "content" : "role");
        for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
            known = known || strcmp(roles[r], message->role) == 0;
        if (!known)
            return error_set(error, STATUS_USAGE,
                             "message %zu: role \"%s\" is none of system, user, assistant",
                             i, message->role);
    }
    return STATUS_OK;
}

static enum status render(struct jinja_output *output,
                          const struct chat_template *chat_template,
                          const struct message *messages, size_t count,
                          bool add_generation_prompt, struct error *error)
{
    struct jinja_message *copies = memory_allocate_array(count + 1, sizeof *copies);
    for (size_t i = 0; i < count; i++)
        copies[i] = (struct jinja_message){messages[i].role, messages[i].content};
    const struct jinja_context context = {.messages = copies,
                                          .message_count = count,
                                          .add_generation_prompt = add_generation_prompt,
                                          .variables = chat_template->variables,
                                          .variable_count = chat_template->variable_count};
    const enum status status = jinja_render(chat_template->parsed, &context, output, error);
    free(copies);
    if (status)
        error_prefix(error, "chat template");
    return status;
}

static const struct added_token *original_of(const struct chat_template *chat_template,
                                             int32_t id)
{
    for (size_t i = 0; i < chat_template->controls.count; i++)
        if (chat_template->originals[i].id == id)
            return &chat_template->originals[i];
    CHECK(false && "a control token");
    return NULL;
}

/* The control tokens within bytes [from, to), all of them the template's. */
static void find_in_run(struct rendering *rendering,
                        const struct chat_template *chat_template, size_t from, size_t to)
{
    struct added_scan scan = {.tokens = &chat_template->controls,
                              .text = text_buffer_string(&rendering->output.text) + from,
                              .bytes = to - from};
    struct added_span span;
    while (added_scan_next(&scan, &span)) {
        if (span.id < 0)
            continue;
        array_reserve(rendering->controls, rendering->control_capacity,
                      rendering->control_count + 1);
        rendering->controls[rendering->control_count++] =
            (struct control_span){from + span.start, from + span.end, span.id,
                                  original_of(chat_template, span.id)};
    }
}

static void find_controls(struct rendering *rendering,
                          const struct chat_template *chat_template)
{
    const uint16_t *origins = rendering->output.origins;
    const size_t length = rendering->output.text.length;
    for (size_t from = 0; from < length;) {
        size_t to = from;
        while (to < length && origins[to] == origins[from])
            to++;
        if (origins[from] == 0)
            find_in_run(rendering, chat_template, from, to);
        from = to;
    }
}

enum status rendering_make(struct rendering *rendering,
                           const struct chat_template *chat_template,
                           const struct message *messages, size_t count,
                           bool add_generation_prompt, struct error *error)
{
    *rendering = (struct rendering){.prompts = add_generation_prompt};
    enum status status = check_messages(messages, count, error);
    if (!status)
        status = render(&rendering->output, chat_template, messages, count,
                        add_generation_prompt, error);
    if (!status)
        find_controls(rendering, chat_template);
    return status;
}

/* Where the words of one message stand: [first, last); false if nowhere. */
static bool find_words(const struct jinja_output *output, size_t from, uint16_t origin,
                       size_t *first, size_t *last)
{
    const size_t length = output->text.length;
    size_t at = from;
    while (at < length && output->origins[at] != origin)
        at++;
    *first = at;
    *last = at;
    for (; at < length && (output->origins[at] == 0 || output->origins[at] == origin); at++)
        if (output->origins[at] == origin)
            *last = at + 1;
    return *last > *first;
}

/* The end of the last message's words before `before`; 0 if there are none. */
static size_t words_end(const struct jinja_output *output, size_t before)
{
    while (before > 0 && output->origins[before - 1] == 0)
        before--;
    return before;
}

static bool same_bytes(const struct jinja_output *left, size_t left_at,
                       const struct jinja_output *right, size_t right_at, size_t count)
{
    return left_at + count <= left->text.length && right_at + count <= right->text.length &&
           (count == 0 ||
            memcmp(left->text.data + left_at, right->text.data + right_at, count) == 0);
}

/*
 * Where a reply starts: where the prompt of its generation ends. That prompt is a prefix
 * of most renderings. Where the template writes an older turn in another way (a system
 * text that moves, thinking left out), what it writes between the last words before the
 * reply and the reply decides; and last, or where the template refuses to make the prompt,
 * where the reply's own words start.
 */
static bool find_start(const struct jinja_output *output, const struct jinja_output *prompt,
                       size_t from, bool has_words, size_t first, size_t *start)
{
    const size_t bytes = prompt->text.length;
    *start = bytes;
    if (bytes > 0 && bytes >= from && (!has_words || bytes <= first) &&
        same_bytes(output, 0, prompt, 0, bytes))
        return true;
    if (!has_words)
        return false;
    const size_t tail = words_end(prompt, bytes);
    const size_t before = words_end(output, first);
    *start = before + bytes - tail;
    if (bytes <= tail || *start < from || *start > first ||
        !same_bytes(output, before, prompt, tail, bytes - tail))
        *start = first;
    return true;
}

/* The end-of-turn token that follows at once, or later within the template's own text. */
static void find_end(const struct rendering *rendering,
                     const struct chat_template *chat_template, size_t last,
                     struct reply_span *reply)
{
    reply->end = last;
    for (size_t i = 0; i < rendering->control_count; i++) {
        const struct control_span *control = &rendering->controls[i];
        if (control->start < last)
            continue;
        for (size_t at = last; at < control->start; at++)
            if (rendering->output.origins[at] != 0)
                return;
        if (control->id != chat_template->end_id &&
            control->id != chat_template->inner_end_id)
            return;
        reply->end = control->end;
        reply->ends = true;
        return;
    }
}

/* Whether a control token begins before `at` and ends behind it. */
static bool cuts_control(const struct rendering *rendering, size_t at)
{
    for (size_t i = 0; i < rendering->control_count; i++)
        if (rendering->controls[i].start < at && at < rendering->controls[i].end)
            return true;
    return false;
}

/*
 * Where a message without a single word of its own would stand, for templates whose prompt
 * is no prefix: a rendering that differs in one letter there shows it. False if more than
 * that differs.
 */
static bool find_gap(const struct rendering *rendering,
                     const struct chat_template *chat_template,
                     const struct message *messages, size_t count, size_t index, size_t *at)
{
    const struct jinja_output *output = &rendering->output;
    struct jinja_output filled = {0};
    struct message *copies = memory_allocate_array(count, sizeof *copies);
    size_t first = 0;
    size_t last = 0;
    memcpy(copies, messages, count * sizeof *copies);
    copies[index].content = "x";
    bool found = render(&filled, chat_template, copies, count, rendering->prompts, NULL) ==
                     STATUS_OK &&
                 find_words(&filled, 0, (uint16_t)(index + 1), &first, &last);
    found = found && last == first + 1 && output->text.length + 1 == filled.text.length &&
            same_bytes(output, 0, &filled, 0, first) &&
            same_bytes(output, first, &filled, last, output->text.length - first);
    *at = first;
    jinja_output_release(&filled);
    free(copies);
    return found;
}

/* Adds the reply of messages[index], if the rendering holds it at or behind `from`. */
static size_t add_reply(struct rendering *rendering,
                        const struct chat_template *chat_template,
                        const struct message *messages, size_t count, size_t index,
                        const struct jinja_output *prompt, size_t from)
{
    struct reply_span reply = {.message = index};
    size_t first;
    size_t last;
    const bool has_words =
        find_words(&rendering->output, from, (uint16_t)(index + 1), &first, &last);
    bool found =
        find_start(&rendering->output, prompt, from, has_words, first, &reply.start);
    if (!found)
        found = find_gap(rendering, chat_template, messages, count, index, &reply.start);
    if (found && has_words && cuts_control(rendering, reply.start))
        reply.start = first; /* where a message begins, no token lies across */
    if (!found || reply.start < from || cuts_control(rendering, reply.start))
        return from;
    find_end(rendering, chat_template, has_words ? last : reply.start, &reply);
    array_reserve(rendering->replies, rendering->reply_capacity,
                  rendering->reply_count + 1);
    rendering->replies[rendering->reply_count++] = reply;
    return reply.end;
}

enum status rendering_find_replies(struct rendering *rendering,
                                   const struct chat_template *chat_template,
                                   const struct message *messages, size_t count,
                                   struct error *error)
{
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        struct jinja_output prompt = {0};
        if (strcmp(messages[i].role, "assistant") != 0)
            continue;
        const enum status status = render(&prompt, chat_template, messages, i, true, error);
        if (status == STATUS_LIMIT) {
            jinja_output_release(&prompt);
            return status;
        }
        /* A template that refuses this beginning leaves no prompt: the words decide. */
        from = add_reply(rendering, chat_template, messages, count, i, &prompt, from);
        jinja_output_release(&prompt);
    }
    return STATUS_OK;
}
