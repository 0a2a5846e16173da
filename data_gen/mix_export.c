#include "data_gen/mix_export.h"

#include "base/file.h"
#include "base/json.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const format_names[FORMAT_COUNT] = {"mix", "openai", "trl-messages",
                                                       "trl-prompt-completion", "sharegpt"};

enum status mix_format_parse(enum mix_format *format, const char *name, struct error *error)
{
    for (int i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *format = (enum mix_format)i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_USAGE,
                     "--format %s: it is mix, openai, sharegpt, trl-messages or "
                     "trl-prompt-completion",
                     name);
}

static void messages_write(struct json_writer *json, const char *key,
                           const struct message *messages, size_t count)
{
    json_array_begin(json, key);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(json, NULL);
        json_string(json, "role", messages[i].role);
        json_string(json, "content", messages[i].content);
        json_object_end(json);
    }
    json_array_end(json);
}

static const char *sharegpt_speaker(const char *role)
{
    if (strcmp(role, "user") == 0)
        return "human";
    return strcmp(role, "assistant") == 0 ? "gpt" : role;
}

static void conversations_write(struct json_writer *json, const struct message *messages,
                                size_t count)
{
    json_array_begin(json, "conversations");
    for (size_t i = 0; i < count; i++) {
        json_object_begin(json, NULL);
        json_string(json, "from", sharegpt_speaker(messages[i].role));
        json_string(json, "value", messages[i].content);
        json_object_end(json);
    }
    json_array_end(json);
}

static void fields_write(struct json_writer *json, const struct mix_example *example)
{
    json_string(json, "kind", example->kind);
    json_string(json, "tense", example->tense);
    json_string(json, "behavior", example->behavior);
    json_string(json, "category", example->category);
    json_string(json, "source", example->source);
    json_string(json, "split", example->split);
    json_string(json, "request", example->request);
}

/* Messages up to what the assistant says last. */
static size_t trained_count(const struct mix_example *example)
{
    size_t count = example->message_count;
    while (count > 0 && strcmp(example->messages[count - 1].role, "assistant") != 0)
        count--;
    return count;
}

void mix_example_write(struct text_buffer *out, const struct mix_example *example,
                       enum mix_format format)
{
    struct json_writer json = {.out = out};
    const struct message *messages = example->messages;
    const size_t count = trained_count(example);
    json_object_begin(&json, NULL);
    if (format == FORMAT_MIX || format == FORMAT_SHAREGPT)
        json_string(&json, "id", example->id);
    if (format == FORMAT_SHAREGPT) {
        conversations_write(&json, messages, count);
    } else if (format == FORMAT_TRL_PROMPT_COMPLETION) {
        messages_write(&json, "prompt", messages, count ? count - 1 : 0);
        messages_write(&json, "completion", messages + (count ? count - 1 : 0),
                       count ? 1 : 0);
    } else if (format == FORMAT_MIX) {
        messages_write(&json, "messages", messages, example->message_count);
        fields_write(&json, example);
    } else {
        messages_write(&json, "messages", messages, count);
    }
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

char *mix_path_beside(const char *path, const char *ending)
{
    struct text_buffer result = {0};
    const size_t length = strlen(path) - (text_ends_with(path, ".jsonl") ? 6 : 0);
    text_buffer_append_bytes(&result, path, length);
    text_buffer_append(&result, ending);
    return text_buffer_detach(&result);
}

static void hex_write(char hex[65], struct sha256_ctx *hash)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(hash, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)digest[i]);
}

/* Writes the examples of one split, or with NULL those of all. */
static enum status split_export(const char *path, enum mix_format format, const char *split,
                                const struct mix_examples *examples, char sha256[65],
                                struct error *error)
{
    struct file_writer file;
    struct sha256_ctx hash;
    struct text_buffer line = {0};
    if (file_create(&file, path, error))
        return error->status;
    sha256_init(&hash);
    for (size_t i = 0; i < examples->count; i++) {
        const struct mix_example *example = examples->at(examples->context, i);
        if (split && strcmp(example->split, split) != 0)
            continue;
        text_buffer_clear(&line);
        mix_example_write(&line, example, format);
        sha256_update(&hash, line.length, (const uint8_t *)line.data);
        fwrite(line.data, 1, line.length, file.stream); /* errors are kept for the commit */
    }
    text_buffer_release(&line);
    hex_write(sha256, &hash);
    if (!examples->ready || !examples->ready(examples->context, error))
        return file_commit(&file, error);
    file_abandon(&file);
    return error->status;
}

static size_t split_size(const char *split, const struct mix_examples *examples)
{
    size_t size = 0;
    for (size_t i = 0; i < examples->count; i++)
        size += strcmp(examples->at(examples->context, i)->split, split) == 0;
    return size;
}

enum status mix_export(const char *path, enum mix_format format,
                       const struct mix_examples *examples, char sha256[65],
                       struct error *error)
{
    char other_sha256[65];
    if (format == FORMAT_MIX)
        return split_export(path, format, NULL, examples, sha256, error);
    if (split_size("validation", examples) == 0)
        return split_export(path, format, "train", examples, sha256, error);
    char *validation = mix_path_beside(path, ".validation.jsonl");
    enum status status =
        split_export(validation, format, "validation", examples, other_sha256, error);
    free(validation);
    if (status)
        return status;
    return split_export(path, format, "train", examples, sha256, error);
}
