#include "base/memory.h"
#include "chat/service.h"

#include <stdlib.h>
#include <string.h>

/* There is no seed: attempts differ by the service's own dice. */
static void anthropic_body_print(const char *model, const struct chat_prompt *prompt,
                                 unsigned quirks, struct json_writer *json)
{
    const char *system = prompt_system(prompt);
    const bool front = quirks & QUIRK_NO_SYSTEM;
    json_string(json, "model", model);
    json_integer(json, "max_tokens", prompt->token_limit);
    if (system && !front)
        json_string(json, "system", system);
    prompt_messages_print(prompt, true, front ? system : NULL, json);
    if (!(quirks & QUIRK_NO_TEMPERATURE))
        json_number(json, "temperature", prompt->temperature);
    if (prompt->top_p < 1 && !(quirks & QUIRK_NO_TOP_P))
        json_number(json, "top_p", prompt->top_p);
}

static enum status blocks_read(const cJSON *content, struct text_buffer *text,
                               struct error *error)
{
    const cJSON *block;
    cJSON_ArrayForEach(block, content)
    {
        const char *type;
        const char *words;
        if (json_required_string(block, "type", &type, "\"content\"", error))
            return error->status;
        if (strcmp(type, "text") != 0)
            continue;
        if (json_required_string(block, "text", &words, "\"content\"", error))
            return error->status;
        text_buffer_append(text, words);
    }
    return STATUS_OK;
}

static void stop_settle(const char *stop, struct text_buffer *text,
                        struct service_reply *reply)
{
    reply->result = CHAT_REPLIED;
    if (stop && strcmp(stop, "refusal") == 0) {
        reply->result = CHAT_FILTERED;
        text_buffer_clear(text);
        text_buffer_append(text, "stop_reason is refusal");
    } else if (stop && (strcmp(stop, "max_tokens") == 0 ||
                        strcmp(stop, "model_context_window_exceeded") == 0)) {
        reply->result = CHAT_TRUNCATED;
    }
    reply->text = memory_duplicate_string(text_buffer_string(text));
}

static enum status anthropic_reply_read(const cJSON *object, struct service_reply *reply,
                                        struct error *error)
{
    const cJSON *content = json_get(object, "content");
    const cJSON *usage = json_get(object, "usage");
    const char *stop = NULL;
    struct text_buffer text = {0};
    if (!cJSON_IsArray(content))
        return error_set(error, STATUS_FORMAT, "the answer has no content");
    reply->prompt_tokens = service_usage(usage, "input_tokens");
    reply->reply_tokens = service_usage(usage, "output_tokens");
    enum status status =
        json_optional_string(object, "stop_reason", &stop, "the answer", error);
    if (!status)
        status = blocks_read(content, &text, error);
    if (!status)
        stop_settle(stop, &text, reply);
    text_buffer_release(&text);
    return status;
}

const struct service service_anthropic = {
    .prefix = "anthropic:",
    .key_variable = "ANTHROPIC_API_KEY",
    .key_header = "x-api-key: ",
    .other_header = "anthropic-version: 2023-06-01",
    .path = "messages",
    .body_print = anthropic_body_print,
    .reply_read = anthropic_reply_read,
};
