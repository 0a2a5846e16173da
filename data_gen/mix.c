#include "data_gen/mix.h"

#include "base/json.h"
#include "base/memory.h"
#include "data_gen/source_file.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

void messages_free(struct message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memory_free_text(messages[i].role);
        memory_free_text(messages[i].content);
    }
    free(messages);
}

void mix_example_release(struct mix_example *example)
{
    messages_free(example->messages, example->message_count);
    free(example->id);
    free(example->kind);
    free(example->tense);
    free(example->behavior);
    free(example->category);
    free(example->source);
    free(example->split);
    free(example->request);
}

void mix_release(struct mix *mix)
{
    for (size_t i = 0; i < mix->count; i++)
        mix_example_release(&mix->examples[i]);
    free(mix->examples);
    free(mix->path);
    *mix = (struct mix){0};
}

/* content is a string, or OpenAI's typed list: [{"type":"text","text":"…"}]. */
static enum status content_read(char **content, const cJSON *message, const char *where,
                                struct error *error)
{
    const cJSON *value = json_get(message, "content");
    if (cJSON_IsString(value)) {
        *content = memory_duplicate_string(value->valuestring);
        return STATUS_OK;
    }
    if (!cJSON_IsArray(value))
        return error_set(error, STATUS_FORMAT,
                         "%s: \"content\" is neither a string nor a list of texts", where);
    struct text_buffer text = {0};
    const cJSON *part;
    cJSON_ArrayForEach(part, value)
    {
        const char *piece = NULL;
        if (json_required_string(part, "text", &piece, where, error)) {
            text_buffer_release(&text);
            return error->status;
        }
        text_buffer_append(&text, piece);
    }
    *content = memory_duplicate_string(text_buffer_string(&text));
    text_buffer_release(&text);
    return STATUS_OK;
}

enum status messages_parse(struct message **messages, size_t *count, const cJSON *array,
                           const char *where, struct error *error)
{
    *messages = NULL;
    *count = 0;
    if (!cJSON_IsArray(array) || !array->child)
        return error_set(error, STATUS_FORMAT, "%s: \"messages\" is no list of messages",
                         where);
    *messages = memory_allocate_array((size_t)cJSON_GetArraySize(array), sizeof **messages);
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        const char *role = NULL;
        char *content = NULL;
        if (json_required_string(item, "role", &role, where, error) ||
            content_read(&content, item, where, error)) {
            messages_free(*messages, *count);
            *messages = NULL;
            *count = 0;
            return error->status;
        }
        (*messages)[(*count)++] =
            (struct message){.role = memory_duplicate_string(role), .content = content};
    }
    return STATUS_OK;
}

const char *message_problem(const cJSON *message, const char *role)
{
    const cJSON *calls = json_get(message, "tool_calls");
    const cJSON *call = json_get(message, "function_call");
    const cJSON *weight = json_get(message, "weight");
    if ((call && !cJSON_IsNull(call)) || (calls && calls->child))
        return "a call of a tool, which cannot be trained on: take the chat out, or write "
               "the "
               "call as text into \"content\"";
    if (cJSON_IsNumber(weight) && weight->valuedouble <= 0 &&
        strcmp(role, "assistant") == 0)
        return "a reply with \"weight\": 0, but all replies are trained on: take it out, "
               "or "
               "the chat";
    return NULL;
}

static enum status messages_check(const cJSON *array, const char *where,
                                  struct error *error)
{
    const cJSON *message;
    cJSON_ArrayForEach(message, array)
    {
        const char *problem =
            message_problem(message, json_get(message, "role")->valuestring);
        if (problem)
            return error_set(error, STATUS_FORMAT, "%s: holds %s", where, problem);
    }
    return STATUS_OK;
}

static enum status text_read(char **out, const cJSON *object, const char *key,
                             const char *otherwise, const char *where, struct error *error)
{
    const char *text = otherwise;
    enum status status = json_optional_string(object, key, &text, where, error);
    *out = memory_duplicate_string(text);
    return status;
}

static enum status example_read(struct mix_example *example, const cJSON *object,
                                const char *where, struct error *error)
{
    const cJSON *messages = json_get(object, "messages");
    if (!messages)
        return error_set(
            error, STATUS_FORMAT,
            "%s: there is no \"messages\"; chats of other layouts (ShareGPT, "
            "Alpaca, …) become a mix by `holdfast data --benign FILE --ratio 0`",
            where);
    if (messages_parse(&example->messages, &example->message_count, messages, where,
                       error) ||
        messages_check(messages, where, error) ||
        text_read(&example->id, object, "id", where, where, error) ||
        text_read(&example->kind, object, "kind", "benign", where, error) ||
        text_read(&example->tense, object, "tense", "none", where, error) ||
        text_read(&example->behavior, object, "behavior", "", where, error) ||
        text_read(&example->category, object, "category", "", where, error) ||
        text_read(&example->source, object, "source", "", where, error) ||
        text_read(&example->split, object, "split", "train", where, error))
        return error->status;
    return text_read(&example->request, object, "request", "", where, error);
}

static enum status utf8_check(const struct mix_example *example, const char *where,
                              struct error *error)
{
    for (size_t i = 0; i < example->message_count; i++) {
        const char *text = example->messages[i].content;
        if (!utf8_is_valid(text, strlen(text)))
            return error_set(error, STATUS_FORMAT,
                             "%s: what the %s says is not UTF-8: convert the file with "
                             "`iconv -f WINDOWS-1252 -t UTF-8`, or from what it is in",
                             where, example->messages[i].role);
    }
    return STATUS_OK;
}

static enum status line_read(struct mix *mix, const struct line_reader *lines,
                             struct error *error)
{
    struct text_buffer where = {0};
    struct mix_example example = {0};
    cJSON *object = NULL;
    text_buffer_appendf(&where, "%s: line %lld", mix->path, (long long)lines->number);
    enum status status = json_parse_line(&object, lines->line, lines->line_bytes,
                                         text_buffer_string(&where), error);
    if (!status)
        status = example_read(&example, object, text_buffer_string(&where), error);
    if (!status)
        status = utf8_check(&example, text_buffer_string(&where), error);
    if (status) {
        mix_example_release(&example);
    } else {
        array_reserve(mix->examples, mix->capacity, mix->count + 1);
        mix->examples[mix->count++] = example;
    }
    cJSON_Delete(object);
    text_buffer_release(&where);
    return status;
}

enum status mix_read(struct mix *mix, const char *path, struct error *error)
{
    *mix = (struct mix){0};
    struct source_file file;
    if (source_file_open(&file, path, error))
        return error->status;
    mix->path = memory_duplicate_string(path);

    enum status status = STATUS_OK;
    struct line_reader lines = {.data = file.bytes, .bytes = file.count};
    while (!status && line_next(&lines))
        if (!line_is_blank(&lines))
            status = line_read(mix, &lines, error);
    if (!status)
        status = source_file_sha256(&file, mix->sha256, error);
    source_file_close(&file);
    if (status)
        mix_release(mix);
    return status;
}
