#include "text/chat_template.h"

#include "base/memory.h"
#include "text/chat_template_internal.h"

#include <stdlib.h>
#include <string.h>

static const char chatml_source[] =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const char *chat_template_chatml_source(void)
{
    return chatml_source;
}

enum status chat_template_render(const struct chat_template *chat_template,
                                 const struct message *messages, size_t count,
                                 bool add_generation_prompt, struct text_buffer *text,
                                 struct error *error)
{
    struct rendering rendering = {0};
    const enum status status = rendering_make(&rendering, chat_template, messages, count,
                                              add_generation_prompt, error);
    if (!status)
        text_buffer_append_bytes(text, text_buffer_string(&rendering.output.text),
                                 rendering.output.text.length);
    rendering_release(&rendering);
    return status;
}

void mask_list_release(struct mask_list *list)
{
    free(list->values);
    *list = (struct mask_list){0};
}

/* A reply that nothing ends would teach a model never to stop, unless the assistant goes
 * on in the next message, as where a template joins the two. */
static enum status check_ends(const struct rendering *rendering,
                              const struct message *messages, size_t count,
                              struct error *error)
{
    for (size_t i = 0; i < rendering->reply_count; i++) {
        const size_t next = rendering->replies[i].message + 1;
        const bool goes_on = next < count && strcmp(messages[next].role, "assistant") == 0;
        if (!rendering->replies[i].ends && !goes_on)
            return error_set(
                error, STATUS_FORMAT,
                "message %zu: the chat template writes no token behind what the assistant "
                "says (or the tokenizer does not know it): nothing would teach the model "
                "where to stop",
                rendering->replies[i].message);
    }
    return STATUS_OK;
}

enum status chat_template_encode(const struct chat_template *chat_template,
                                 const struct tokenizer *tokenizer,
                                 const struct message *messages, size_t count,
                                 bool add_generation_prompt, struct token_list *ids,
                                 struct mask_list *mask, struct error *error)
{
    struct rendering rendering = {0};
    enum status status = rendering_make(&rendering, chat_template, messages, count,
                                        add_generation_prompt, error);
    if (!status)
        status = rendering_find_replies(&rendering, chat_template, messages, count, error);
    if (!status && mask)
        status = check_ends(&rendering, messages, count, error);
    if (!status)
        rendering_encode(&rendering, chat_template, tokenizer, ids, mask);
    rendering_release(&rendering);
    return status;
}

int32_t chat_template_end_of_turn(const struct chat_template *chat_template)
{
    return chat_template->end_id;
}

int32_t chat_template_end_of_inner_turn(const struct chat_template *chat_template)
{
    return chat_template->inner_end_id;
}

/* The control token behind the words of a message, with no other words in between; NULL if
 * there is none. */
static const struct control_span *end_behind(const struct rendering *rendering,
                                             uint16_t origin)
{
    const uint16_t *origins = rendering->output.origins;
    size_t last = rendering->output.text.length;
    while (last > 0 && origins[last - 1] != origin)
        last--;
    for (size_t i = 0; last > 0 && i < rendering->control_count; i++) {
        const struct control_span *control = &rendering->controls[i];
        for (; last < control->start && origins[last] == 0; last++)
            ;
        if (control->start == last)
            return control;
    }
    return NULL;
}

/* The first control token that belongs to the turn of this message: the nearest before its
 * words; 0 where none is, or where the template leaves the words out. */
static size_t first_of_turn(const struct rendering *rendering, uint16_t origin)
{
    size_t at = 0;
    size_t first = 0;
    while (at < rendering->output.text.length && rendering->output.origins[at] != origin)
        at++;
    while (at < rendering->output.text.length && first + 1 < rendering->control_count &&
           rendering->controls[first + 1].end <= at)
        first++;
    return first;
}

/* Whether the template opens or ends turns with added tokens that the tokenizer does not
 * call special, from the question on: what stands before it may be a default system text
 * that only speaks of them. */
static bool has_unmarked(const struct rendering *rendering, uint16_t question)
{
    for (size_t i = first_of_turn(rendering, question); i < rendering->control_count; i++)
        if (!rendering->controls[i].original->special)
            return true;
    return false;
}

/* Whether a token between the answer and a next question ends the answer's turn, and does
 * not open the question's: it is called special, does not stand right before the first
 * question, and no role is written between it and the next one ("<|header|>user<|end|>").
 */
static bool ends_turn(const struct rendering *rendering, uint16_t question,
                      const struct control_span *control)
{
    const char *text = text_buffer_string(&rendering->output.text);
    const struct control_span *next = control + 1;
    if (!control->original->special ||
        rendering->controls[first_of_turn(rendering, question)].id == control->id)
        return false;
    if (next == rendering->controls + rendering->control_count)
        return true;
    for (size_t at = control->end; at < next->start; at++)
        if (rendering->output.origins[at] != 0)
            return true; /* the question comes before it */
    return control->end + strspn(text + control->end, " \n\r\t") >= next->start;
}

/* Some templates insist on a system message. */
static const struct message probe_messages[] = {
    {"system", "s"}, {"user", "u"}, {"assistant", "a"}, {"user", "v"}};
enum { PROBE_COUNT = 3 };

/* What a question behind the answer shows; some templates end the last turn otherwise. */
static void probe_inner(struct chat_template *built, size_t first)
{
    struct rendering rendering = {0};
    const uint16_t answer = (uint16_t)(PROBE_COUNT - first);
    const uint16_t question = (uint16_t)(answer - 1);
    if (rendering_make(&rendering, built, probe_messages + first, answer + 1U, false,
                       NULL) == STATUS_OK) {
        const struct control_span *end = end_behind(&rendering, answer);
        if (end && ends_turn(&rendering, question, end))
            built->inner_end_id = end->id;
        built->unmarked = built->unmarked || has_unmarked(&rendering, question);
    }
    rendering_release(&rendering);
}

/* Whether the template, not the renderer, is why there is no rendering. */
static bool template_refuses(enum status status)
{
    return status == STATUS_USAGE || status == STATUS_FORMAT;
}

/*
 * Renders a short conversation: which token ends the assistant's turn, and whether the
 * template writes added tokens that the tokenizer does not call special. A template that
 * refuses it is taken as it is, without an end of turn.
 */
static enum status probe(struct chat_template *built, const struct tokenizer *tokenizer,
                         struct error *error)
{
    struct rendering rendering = {0};
    size_t first = 1;
    enum status status = rendering_make(&rendering, built, probe_messages + 1,
                                        PROBE_COUNT - 1, false, error);
    if (template_refuses(status)) {
        rendering_release(&rendering);
        first = 0;
        status =
            rendering_make(&rendering, built, probe_messages, PROBE_COUNT, false, error);
    }
    if (!status) {
        const uint16_t answer = (uint16_t)(PROBE_COUNT - first);
        const struct control_span *end = end_behind(&rendering, answer);
        built->end_id = end ? end->id : -1;
        built->inner_end_id = built->end_id;
        built->unmarked = has_unmarked(&rendering, (uint16_t)(answer - 1));
        probe_inner(built, first);
        if (!built->unmarked)
            chat_template_collect(built, tokenizer, true);
    }
    rendering_release(&rendering);
    return template_refuses(status) ? STATUS_OK : status;
}

/* The built-in template is of no use without its tokens. */
static enum status check_chatml(const struct tokenizer *tokenizer, struct error *error)
{
    static const char *const tokens[] = {"<|im_start|>", "<|im_end|>"};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (tokenizer_token_id(tokenizer, tokens[i]) < 0)
            return error_set(error, STATUS_FORMAT,
                             "chat template: the tokenizer has no token %s: add it to "
                             "added_tokens of tokenizer.json",
                             tokens[i]);
    return STATUS_OK;
}

static void copy_variables(struct chat_template *built,
                           const struct jinja_variable *variables, size_t count)
{
    built->variables = memory_allocate_array(count + 1, sizeof *built->variables);
    built->variable_count = count;
    for (size_t i = 0; i < count; i++)
        built->variables[i] =
            (struct jinja_variable){memory_duplicate_string(variables[i].name),
                                    memory_duplicate_string(variables[i].text)};
}

enum status chat_template_build(struct chat_template **chat_template, const char *source,
                                const struct jinja_variable *variables,
                                size_t variable_count, const struct tokenizer *tokenizer,
                                struct error *error)
{
    struct error ignored;
    struct chat_template *built = memory_allocate(sizeof *built);
    const char *text = source ? source : chatml_source;
    enum status status = STATUS_OK;
    if (!error)
        error = &ignored;
    *chat_template = NULL;
    built->end_id = -1;
    built->inner_end_id = -1;
    copy_variables(built, variables, variable_count);
    if (!source)
        status = check_chatml(tokenizer, error);
    if (!status && jinja_parse(&built->parsed, text, strlen(text), error))
        status = error_prefix(error, "chat template");
    if (!status) {
        chat_template_collect(built, tokenizer, false);
        status = probe(built, tokenizer, error);
    }
    if (status)
        chat_template_free(built);
    else
        *chat_template = built;
    return status;
}

enum status chat_template_parse(struct chat_template **chat_template, const char *source,
                                const struct tokenizer *tokenizer, struct error *error)
{
    return chat_template_build(chat_template, source, NULL, 0, tokenizer, error);
}

const char *chat_template_file(const struct chat_template *chat_template)
{
    return chat_template->file;
}

void chat_template_free(struct chat_template *chat_template)
{
    if (!chat_template)
        return;
    for (size_t i = 0; i < chat_template->variable_count; i++) {
        memory_free_text(chat_template->variables[i].name);
        memory_free_text(chat_template->variables[i].text);
    }
    free(chat_template->variables);
    free(chat_template->originals);
    added_tokens_release(&chat_template->controls);
    jinja_free(chat_template->parsed);
    free(chat_template);
}
