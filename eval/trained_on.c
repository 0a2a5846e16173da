#include "eval/trained_on.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "chat/chat.h"
#include "checkpoints/training_data.h"

#include <stdlib.h>
#include <string.h>

bool trained_on_is_off(const struct string_list *option)
{
    return option->count == 1 && strcmp(option->items[0], "none") == 0;
}

void trained_on_release(struct trained_on *trained_on)
{
    string_list_release(&trained_on->specs);
    string_list_release(&trained_on->missing);
}

static bool is_the_file(const char *path, const char *sha256)
{
    char hex[SHA256_HEX_BYTES];
    struct error ignored = {0};
    return file_exists(path) && !file_is_directory(path) &&
           !file_sha256(hex, path, &ignored) && strcmp(hex, sha256) == 0;
}

/* `name` under `directory` or the three folders above; heap, NULL if it is not there. */
static char *path_above(const char *directory, const char *name, const char *sha256)
{
    enum { FOLDERS = 4 }; /* sweep/mix.jsonl of sweep/run/checkpoints/step-000100 */
    char *folder = memory_duplicate_string(directory);
    char *found = NULL;
    for (int i = 0; i < FOLDERS && !found; i++) {
        char *path = path_join(folder, name);
        if (is_the_file(path, sha256))
            found = path;
        else
            free(path);
        char *above = path_join(folder, "..");
        free(folder);
        folder = above;
    }
    free(folder);
    return found;
}

static char *file_find(const char *directory, const struct training_data_file *file)
{
    if (is_the_file(file->data, file->sha256))
        return memory_duplicate_string(file->data);
    char *found = path_above(directory, file->data, file->sha256);
    return found ? found : path_above(directory, path_base_name(file->data), file->sha256);
}

static void file_take(struct trained_on *trained_on, const char *model,
                      const struct training_data_file *file)
{
    char *path = file_find(model, file);
    if (!path) {
        string_list_add(&trained_on->missing, path_base_name(file->data));
        log_warning("%s was trained on %s (sha256 %.12s…), and no such file is found: "
                    "whether behaviours stand in it is not known; name it with "
                    "--trained-on FILE, or look for nothing with --trained-on none",
                    model, file->data, file->sha256);
        return;
    }
    struct text_buffer spec = {0};
    text_buffer_appendf(&spec, "data=%s", path); /* the name keeps a '=' in the path */
    string_list_add(&trained_on->specs, text_buffer_string(&spec));
    log_info("%s was trained on %s: requests that stand in it are reported apart "
             "(--trained-on none switches that off)",
             model, path);
    text_buffer_release(&spec);
    free(path);
}

enum status trained_on_find(struct trained_on *trained_on,
                            const struct eval_options *options, struct error *error)
{
    struct training_data data;
    *trained_on = (struct trained_on){0};
    if (trained_on_is_off(&options->trained_on))
        return STATUS_OK;
    for (size_t i = 0; i < options->trained_on.count; i++)
        string_list_add(&trained_on->specs, options->trained_on.items[i]);
    if (options->trained_on.count || !file_is_directory(options->model))
        return STATUS_OK;
    if (training_data_read(&data, options->model, error))
        return error->status;
    for (size_t i = 0; i < data.count; i++)
        file_take(trained_on, options->model, &data.items[i]);
    training_data_release(&data);
    return STATUS_OK;
}
