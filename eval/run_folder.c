#include "eval/run_folder.h"

#include "base/file.h"

#include <stdlib.h>

enum status run_folder_check(const struct eval_options *options, struct error *error)
{
    enum status status = STATUS_OK;
    char *manifest = path_join(options->out, "manifest.json");
    char *attempts = path_join(options->out, "attempts.jsonl");
    if (!options->resume && (file_exists(manifest) || file_exists(attempts)))
        status = error_set(error, STATUS_USAGE,
                           "%s holds a run already: continue it with --resume, or choose "
                           "another --out",
                           options->out);
    else if (!file_exists(manifest) && file_exists(attempts))
        status = error_set(error, STATUS_FORMAT,
                           "%s has attempts and no manifest.json: nobody knows what they "
                           "are; choose another --out",
                           options->out);
    free(manifest);
    free(attempts);
    return status;
}

enum status run_folder_write_config(const struct eval_options *options, struct error *error)
{
    struct eval_options copy = *options;
    struct text_buffer yaml = {0};
    copy.resume = false;
    options_print_yaml(&eval_command_line, &copy, &yaml);
    char *path = path_join(options->out, "config.yaml");
    enum status status =
        file_write_all(path, text_buffer_string(&yaml), yaml.length, error);
    free(path);
    text_buffer_release(&yaml);
    return status;
}
