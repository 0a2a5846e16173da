#include "base/memory.h"
#include "checkpoints/model_directory.h"

#include <stdlib.h>
#include <string.h>

static bool holds(const char *directory, const char *name)
{
    char *path = path_join(directory, name);
    const bool found = file_exists(path);
    free(path);
    return found;
}

static bool is_model(const char *directory)
{
    return holds(directory, "config.json") || holds(directory, "adapter_config.json");
}

enum status model_directory_check(const char *directory, struct error *error)
{
    if (strstr(directory, "://"))
        return error_set(error, STATUS_USAGE,
                         "%s is no folder; a hosted model is named openai:URL#NAME or "
                         "anthropic:URL#NAME",
                         directory);
    if (!file_is_directory(directory))
        return error_set(error, STATUS_IO,
                         "%s: no such folder; give the directory of a checkpoint",
                         directory);
    if (is_model(directory))
        return STATUS_OK;
    char *final = path_join(directory, "final");
    enum status status;
    if (is_model(final))
        status = error_set(error, STATUS_FORMAT,
                           "%s is the folder of a training run: its model is %s", directory,
                           final);
    else
        status = error_set(error, STATUS_FORMAT,
                           "%s: there is no config.json in it: is it a Hugging Face model "
                           "directory?",
                           directory);
    free(final);
    return status;
}
