#include "base/memory.h"
#include "base/random.h"
#include "chat/service.h"

#include <stdlib.h>
#include <string.h>

/* A seed of the attempt's own that every service takes: 31 bits. */
static int64_t seed_of(const struct chat_prompt *prompt)
{
    struct random random = random_stream(prompt->seed, prompt->stream);
    return (int64_t)(random_u32(&random) >> 1);
}

static void openai_body_print(const char *model, const struct chat_prompt *prompt,
                              unsigned quirks, struct json_writer *json)
{
    const bool apart = quirks & QUIRK_NO_SYSTEM;
    json_string(json, "model", model);
    prompt_messages_print(prompt, apart, apart ? prompt_system(prompt) : NULL, json);
    json_integer(json,
                 quirks & QUIRK_COMPLETION_TOKENS ? "max_completion_tokens" : "max_tokens",
                 prompt->token_limit);
    if (!(quirks & QUIRK_NO_TEMPERATURE))
        json_number(json, "temperature", prompt->temperature);
    if (prompt->top_p < 1 && !(quirks & QUIRK_NO_TOP_P))
        json_number(json, "top_p", prompt->top_p);
    if (!(quirks & QUIRK_NO_SEED))
        json_integer(json, "seed", seed_of(prompt));
}

/* One part of an array: {"type":"text","text":…}, {"type":"refusal","refusal":…}, a bare
 * string; what a model thinks ("thinking", "reasoning") is no reply. */
static enum status part_read(const cJSON *part, struct text_buffer *text,
                             const char **refusal, struct error *error)
{
    const char *type = "text";
    const char *words = NULL;
    if (cJSON_IsString(part)) {
        text_buffer_append(text, part->valuestring);
        return STATUS_OK;
    }
    if (!cJSON_IsObject(part))
        return error_set(error, STATUS_FORMAT, "a part of \"content\" is no text");
    if (json_optional_string(part, "type", &type, "\"content\"", error))
        return error->status;
    if (strcmp(type, "refusal") == 0)
        return json_optional_string(part, "refusal", refusal, "\"content\"", error);
    if (strcmp(type, "text") != 0 && strcmp(type, "output_text") != 0)
        return STATUS_OK;
    if (json_optional_string(part, "text", &words, "\"content\"", error))
        return error->status;
    text_buffer_append(text, words ? words : "");
    return STATUS_OK;
}

/* A string, null, or an array of parts. */
static enum status content_read(const cJSON *message, struct text_buffer *text,
                                const char **refusal, struct error *error)
{
    const cJSON *content = json_get(message, "content");
    const cJSON *part;
    if (cJSON_IsString(content))
        text_buffer_append(text, content->valuestring);
    else if (!cJSON_IsArray(content) && content && !cJSON_IsNull(content))
        return error_set(error, STATUS_FORMAT, "\"content\" is no text");
    if (!cJSON_IsArray(content))
        return STATUS_OK;
    cJSON_ArrayForEach(part, content)
    {
        if (part_read(part, text, refusal, error))
            return error->status;
    }
    return STATUS_OK;
}

/* A count that makes no sense is none: the reply is there all the same. */
static void usage_read(const cJSON *object, struct service_reply *reply)
{
    const cJSON *usage = json_get(object, "usage");
    reply->prompt_tokens = service_usage(usage, "prompt_tokens");
    reply->reply_tokens = service_usage(usage, "completion_tokens");
}

static enum status choice_settle(const char *finish, const char *refusal,
                                 struct text_buffer *text, struct service_reply *reply,
                                 struct error *error)
{
    reply->result = CHAT_REPLIED;
    if (finish && strcmp(finish, "content_filter") == 0) {
        reply->result = CHAT_FILTERED;
        text_buffer_clear(text);
        text_buffer_append(text, "finish_reason is content_filter");
    } else if (refusal && *refusal && text->length == 0) {
        char words[FAILURE_WORDS_BYTES];
        printable_copy(words, sizeof words, refusal);
        reply->result = CHAT_FILTERED;
        text_buffer_appendf(text, "the service refused: %s", words);
    } else if (finish && strcmp(finish, "length") == 0) {
        reply->result = CHAT_TRUNCATED;
    } else if (finish && (strcmp(finish, "abort") == 0 || strcmp(finish, "error") == 0)) {
        return error_set(error, STATUS_FORMAT, "finish_reason is %s", finish);
    }
    reply->text = memory_duplicate_string(text_buffer_string(text));
    return STATUS_OK;
}

static enum status openai_reply_read(const cJSON *object, struct service_reply *reply,
                                     struct error *error)
{
    const cJSON *choices = json_get(object, "choices");
    const cJSON *choice = cJSON_IsArray(choices) ? choices->child : NULL;
    const cJSON *message = json_get(choice, "message");
    const char *finish = NULL;
    const char *refusal = NULL;
    struct text_buffer text = {0};
    if (!choice)
        return error_set(error, STATUS_FORMAT, "the answer has no choices");
    if (!cJSON_IsObject(message))
        return error_set(error, STATUS_FORMAT, "the answer's choice has no message");
    usage_read(object, reply);
    enum status status =
        json_optional_string(choice, "finish_reason", &finish, "the choice", error);
    if (!status)
        status = json_optional_string(message, "refusal", &refusal, "the message", error);
    if (!status)
        status = content_read(message, &text, &refusal, error);
    if (!status)
        status = choice_settle(finish, refusal, &text, reply, error);
    text_buffer_release(&text);
    return status;
}

const struct service service_openai = {
    .prefix = "openai:",
    .key_variable = "OPENAI_API_KEY",
    .key_header = "Authorization: Bearer ",
    .path = "chat/completions",
    .body_print = openai_body_print,
    .reply_read = openai_reply_read,
};
