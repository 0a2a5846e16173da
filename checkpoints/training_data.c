#include "checkpoints/training_data.h"

#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const char file_name[] = "training_data.json";

void training_data_release(struct training_data *data)
{
    for (size_t i = 0; i < data->count; i++)
        free(data->items[i].data);
    free(data->items);
    *data = (struct training_data){0};
}

void training_data_add(struct training_data *data, const char *path, const char *sha256,
                       int64_t example_count)
{
    CHECK(strlen(sha256) < SHA256_HEX_BYTES);
    for (size_t i = 0; i < data->count; i++)
        if (strcmp(data->items[i].sha256, sha256) == 0)
            return;
    array_reserve(data->items, data->capacity, data->count + 1);
    struct training_data_file *file = &data->items[data->count++];
    *file = (struct training_data_file){.data = memory_duplicate_string(path),
                                        .example_count = example_count};
    memcpy(file->sha256, sha256, strlen(sha256));
}

static enum status file_add(struct training_data *data, const cJSON *object,
                            const char *where, struct error *error)
{
    const char *path = NULL;
    const char *sha256 = NULL;
    int64_t example_count = 0;
    if (json_required_string(object, "data", &path, where, error) ||
        json_required_string(object, "sha256", &sha256, where, error) ||
        json_optional_integer(object, "examples", &example_count, where, error))
        return error->status;
    if (strlen(sha256) != SHA256_HEX_BYTES - 1 ||
        strspn(sha256, "0123456789abcdef") != SHA256_HEX_BYTES - 1)
        return error_set(error, STATUS_FORMAT,
                         "%s: \"sha256\" must be 64 digits of 0 to 9 and a to f", where);
    training_data_add(data, path, sha256, example_count);
    return STATUS_OK;
}

enum status training_data_parse(struct training_data *data, const char *bytes, size_t count,
                                const char *where, struct error *error)
{
    cJSON *json = NULL;
    *data = (struct training_data){0};
    enum status status = json_parse(&json, bytes, count, where, error);
    const cJSON *files = json_get(json, "trained_on");
    const cJSON *file;
    if (!status && !cJSON_IsArray(files))
        status =
            error_set(error, STATUS_FORMAT, "%s: \"trained_on\" must be a list", where);
    cJSON_ArrayForEach(file, files)
    {
        if (!status)
            status = file_add(data, file, where, error);
    }
    cJSON_Delete(json);
    if (status)
        training_data_release(data);
    return status;
}

enum status training_data_read(struct training_data *data, const char *directory,
                               struct error *error)
{
    struct text_buffer text = {0};
    enum status status = STATUS_OK;
    char *path = path_join(directory, file_name);
    *data = (struct training_data){0};
    if (file_exists(path)) {
        status = file_read(&text, path, 0, error);
        if (!status)
            status = training_data_parse(data, text_buffer_string(&text), text.length, path,
                                         error);
    }
    text_buffer_release(&text);
    free(path);
    return status;
}

enum status training_data_write(const struct training_data *data, const char *directory,
                                struct error *error)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text, .indent_spaces = 1};
    if (data->count == 0)
        return STATUS_OK;
    json_object_begin(&json, NULL);
    json_array_begin(&json, "trained_on");
    for (size_t i = 0; i < data->count; i++) {
        json_object_begin(&json, NULL);
        json_string(&json, "data", data->items[i].data);
        json_string(&json, "sha256", data->items[i].sha256);
        json_integer(&json, "examples", data->items[i].example_count);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    text_buffer_append_char(&text, '\n');
    char *path = path_join(directory, file_name);
    const enum status status = file_write_all(path, text.data, text.length, error);
    free(path);
    text_buffer_release(&text);
    return status;
}
