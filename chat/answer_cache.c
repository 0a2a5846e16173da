#include "chat/answer_cache.h"

#include "base/json.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const result_names[] = {[CHAT_REPLIED] = "replied",
                                           [CHAT_TRUNCATED] = "truncated",
                                           [CHAT_FILTERED] = "filtered"};

static bool result_parse(enum chat_result *result, const char *name)
{
    for (int i = CHAT_REPLIED; i <= CHAT_FILTERED; i++) {
        if (strcmp(result_names[i], name) != 0)
            continue;
        *result = (enum chat_result)i;
        return true;
    }
    return false;
}

static char *shelf_path(const char *folder, const char *key)
{
    const char shelf[] = {key[0], key[1], '\0'};
    return path_join(folder, shelf);
}

static char *answer_path(const char *folder, const char *key)
{
    struct text_buffer name = {0};
    char *shelf = shelf_path(folder, key);
    text_buffer_appendf(&name, "%s.json", key);
    char *path = path_join(shelf, text_buffer_string(&name));
    text_buffer_release(&name);
    free(shelf);
    return path;
}

static bool answer_read(const cJSON *object, struct chat_prompt *prompt)
{
    const char *result;
    const char *text;
    if (json_required_string(object, "result", &result, "", NULL) ||
        json_required_string(object, "text", &text, "", NULL) ||
        json_required_integer(object, "prompt_tokens", &prompt->prompt_tokens, "", NULL) ||
        json_required_integer(object, "reply_tokens", &prompt->reply_tokens, "", NULL) ||
        !result_parse(&prompt->result, result))
        return false;
    prompt->text = memory_duplicate_string(text);
    return true;
}

bool answer_cache_has(const char *folder, const char key[SHA256_HEX_BYTES])
{
    char *path = answer_path(folder, key);
    const bool there = file_exists(path);
    free(path);
    return there;
}

bool answer_cache_find(const char *folder, const char key[SHA256_HEX_BYTES],
                       struct chat_prompt *prompt)
{
    bool found = false;
    cJSON *object = NULL;
    char *path = answer_path(folder, key);
    if (file_exists(path) && json_parse_file(&object, path, NULL) == STATUS_OK)
        found = answer_read(object, prompt);
    cJSON_Delete(object);
    free(path);
    return found;
}

/* Beside its place, then there. */
static enum status text_place(const char *path, const struct text_buffer *text,
                              struct error *error)
{
    struct text_buffer name = {0};
    text_buffer_appendf(&name, "%s.%ld.tmp", path, (long)getpid());
    const char *temporary = text_buffer_string(&name);
    FILE *file = fopen(temporary, "wb");
    bool good = file && fwrite(text->data, 1, text->length, file) == text->length;
    good = file && fclose(file) == 0 && good;
    if (good)
        good = rename(temporary, path) == 0;
    const int error_number = errno;
    if (!good)
        error_set_errno(error, error_number, "--cache: %s", path);
    if (!good && file)
        remove(temporary);
    text_buffer_release(&name);
    return good ? STATUS_OK : error->status;
}

static enum status shelf_make(const char *shelf, struct error *error)
{
    return file_is_directory(shelf) ? STATUS_OK : file_make_directories(shelf, error);
}

enum status answer_cache_store(const char *folder, const char key[SHA256_HEX_BYTES],
                               const struct chat_prompt *prompt, struct error *error)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_string(&json, "result", result_names[prompt->result]);
    json_string(&json, "text", prompt->text);
    json_integer(&json, "prompt_tokens", prompt->prompt_tokens);
    json_integer(&json, "reply_tokens", prompt->reply_tokens);
    json_object_end(&json);
    text_buffer_append_char(&text, '\n');
    char *shelf = shelf_path(folder, key);
    char *path = answer_path(folder, key);
    enum status status = shelf_make(shelf, error);
    if (!status)
        status = text_place(path, &text, error);
    free(path);
    free(shelf);
    text_buffer_release(&text);
    return status;
}
