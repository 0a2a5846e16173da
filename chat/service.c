#include "chat/service.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void service_body(const struct service *service, const char *model,
                  const struct chat_prompt *prompt, unsigned quirks,
                  struct text_buffer *body)
{
    struct json_writer json = {.out = body};
    json_object_begin(&json, NULL);
    service->body_print(model, prompt, quirks, &json);
    json_object_end(&json);
}

const char *prompt_system(const struct chat_prompt *prompt)
{
    return prompt->message_count > 0 && strcmp(prompt->messages[0].role, "system") == 0
               ? prompt->messages[0].content
               : NULL;
}

static void message_print(const char *role, const char *front, const char *content,
                          struct json_writer *json)
{
    struct text_buffer text = {0};
    if (front)
        text_buffer_appendf(&text, "%s\n\n", front);
    text_buffer_append(&text, content);
    json_object_begin(json, NULL);
    json_string(json, "role", role);
    json_string(json, "content", text_buffer_string(&text));
    json_object_end(json);
    text_buffer_release(&text);
}

void prompt_messages_print(const struct chat_prompt *prompt, bool system_apart,
                           const char *system_in_front, struct json_writer *json)
{
    const char *front = system_in_front;
    json_array_begin(json, "messages");
    for (size_t i = prompt_system(prompt) && system_apart; i < prompt->message_count; i++) {
        const struct message *message = &prompt->messages[i];
        message_print(message->role, front, message->content, json);
        front = NULL;
    }
    json_array_end(json);
}

int64_t service_tokens_guess(const struct chat_prompt *prompt)
{
    int64_t tokens = 0;
    for (size_t i = 0; i < prompt->message_count; i++)
        tokens += 8 + (int64_t)(strlen(prompt->messages[i].content) + 2) / 3;
    return tokens;
}

/* The code unit of "\uXXXX" at `at`; -1: there is none. */
static int32_t escaped_unit(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = at[i] ? strchr(digits, tolower((unsigned char)at[i])) : NULL;
        if (!digit)
            return -1;
        unit = unit * 16 + (int32_t)(digit - digits);
    }
    return unit;
}

void service_answer_mend(char *bytes, size_t count)
{
    const char *end = count ? bytes + count : bytes;
    for (char *at = bytes; at < end; at++) {
        if (*at != '\\')
            continue;
        const int32_t unit = escaped_unit(at, end);
        const int32_t next = unit < 0 ? -1 : escaped_unit(at + 6, end);
        const bool high = unit >= 0xD800 && unit <= 0xDBFF;
        const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
        const bool pair = high && next >= 0xDC00 && next <= 0xDFFF;
        if (low || (high && !pair))
            memcpy(at + 2, "fffd", 4);
        at += pair ? 11 : unit >= 0 ? 5 : 1;
    }
}

/* Some services put an error into an answer of status 200: its words say more. */
static enum status error_told_instead(const cJSON *object, struct error *error)
{
    struct service_failure failure;
    service_failure_read(object, &failure);
    if (!*failure.message)
        return error->status;
    return error_set(error, STATUS_FORMAT, "the answer is an error: %s", failure.message);
}

int64_t service_usage(const cJSON *usage, const char *key)
{
    enum { TOKENS_LIMIT = 1 << 30 };
    const cJSON *count = json_get(usage, key);
    const bool good = cJSON_IsNumber(count) && count->valuedouble >= 0 &&
                      count->valuedouble <= TOKENS_LIMIT;
    return good ? (int64_t)count->valuedouble : -1;
}

enum status service_reply_parse(const struct service *service, const char *bytes,
                                size_t count, struct service_reply *reply,
                                struct error *error)
{
    cJSON *object = NULL;
    *reply = (struct service_reply){.prompt_tokens = -1, .reply_tokens = -1};
    enum status status = json_parse(&object, bytes, count, "the answer", error);
    if (!status && !cJSON_IsObject(object))
        status = error_set(error, STATUS_FORMAT, "the answer is no JSON object");
    if (!status) {
        status = service->reply_read(object, reply, error);
        if (status)
            status = error_told_instead(object, error);
    }
    if (status) {
        free(reply->text);
        reply->text = NULL;
    }
    cJSON_Delete(object);
    return status;
}

void printable_copy(char *out, size_t bytes, const char *text)
{
    size_t length = 0;
    bool blank = false;
    while (*text && length + 1 < bytes) {
        uint32_t code_point;
        const size_t step = text_utf8_decode(text, strlen(text), &code_point);
        const bool visible = code_point > ' ' && code_point != 0x7F &&
                             !(code_point >= 0x80 && code_point < 0xA0) &&
                             code_point != UINT32_MAX;
        if (visible && length + blank + step + 1 > bytes)
            break;
        if (visible && blank)
            out[length++] = ' ';
        if (visible)
            memcpy(out + length, text, step);
        length += visible ? step : 0;
        blank = !visible && length > 0;
        text += step;
    }
    out[length] = '\0';
}
