#include "checkpoints/model_directory.h"

#include "base/file.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stdlib.h>

static const struct {
    const char *name;
    bool required;
} metadata_files[] = {
    {"config.json", true},
    {"tokenizer.json", true},
    {"tokenizer_config.json", false},
    {"chat_template.jinja", false},
    {"generation_config.json", false},
    {"special_tokens_map.json", false},
    {"added_tokens.json", false},
    {"vocab.json", false},
    {"merges.txt", false},
    {"tokenizer.model", false},
};

static enum status file_copy(const char *from, const char *to, struct error *error)
{
    struct text_buffer content = {0};
    enum status status = file_read(&content, from, 0, error);
    if (!status)
        status = file_write_all(to, text_buffer_string(&content), content.length, error);
    text_buffer_release(&content);
    return status;
}

enum status model_directory_copy_metadata(const char *from, const char *to,
                                          struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof metadata_files / sizeof *metadata_files && !status; i++) {
        char *source = path_join(from, metadata_files[i].name);
        char *target = path_join(to, metadata_files[i].name);
        if (metadata_files[i].required || file_exists(source))
            status = file_copy(source, target, error);
        free(source);
        free(target);
    }
    return status;
}
