#include "train/merge_command.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "checkpoints/model_directory.h"
#include "checkpoints/training_data.h"
#include "model/transformer.h"

#include <stdlib.h>
#include <string.h>

struct merge_options {
    char *model;
    char *adapter;
    char *out;
    char *save_dtype;
};

#define FIELD(name) offsetof(struct merge_options, name)

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, FIELD(model), "DIR", "the model that was adapted", "Merge"},
    {"adapter", OPTION_STRING, FIELD(adapter), "DIR",
     "adapter_config.json and adapter_model.safetensors, ours or PEFT's", NULL},
    {"out", OPTION_STRING, FIELD(out), "DIR", "the merged model; must not exist yet", NULL},
    {"save-dtype", OPTION_STRING, FIELD(save_dtype), "TYPE",
     "f32, bf16 or f16: element type of the merged weights", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command_line = {
    .name = "holdfast merge",
    .summary = "Folds a LoRA adapter into the weights of its model.",
    .examples = "  holdfast merge --model DIR --adapter run/final --out merged/\n",
    .positional = NULL,
    .entries = entries,
};

static enum status merge_check(const struct merge_options *options, enum dtype *stored,
                               struct error *error)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } dtypes[] = {{"f32", DTYPE_F32}, {"bf16", DTYPE_BF16}, {"f16", DTYPE_F16}};
    if (!options->model || !options->adapter || !options->out)
        return error_set(error, STATUS_USAGE, "--model, --adapter and --out are needed");
    if (file_exists(options->out))
        return error_set(error, STATUS_USAGE, "%s exists already: choose another --out",
                         options->out);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(options->save_dtype, dtypes[i].name) == 0) {
            *stored = dtypes[i].dtype;
            return STATUS_OK;
        }
    return error_set(error, STATUS_USAGE, "--save-dtype %s: it is f32, bf16 or f16",
                     options->save_dtype);
}

/* An adapter of ours names the data of its base as well. */
static enum status trained_on_copy(const char *from, const char *to, struct error *error)
{
    struct training_data data;
    if (training_data_read(&data, from, error))
        return error->status;
    const enum status status = training_data_write(&data, to, error);
    training_data_release(&data);
    return status;
}

/* Written beside --out and renamed: either all of it is there or nothing. */
static enum status merged_write(const struct transformer *model,
                                const struct merge_options *options, enum dtype stored,
                                struct error *error)
{
    struct text_buffer temporary = {0};
    text_buffer_appendf(&temporary, "%s.tmp", options->out);
    const char *folder = text_buffer_string(&temporary);
    char *first_missing = file_first_missing(folder);
    enum status status = file_remove_tree(folder, error);
    if (!status)
        status = file_make_directories(folder, error);
    if (!status)
        status = model_directory_copy_metadata(options->model, folder, error);
    if (!status)
        status = architecture_copy_config(options->model, folder, stored, error);
    if (!status)
        status = trained_on_copy(options->adapter, folder, error);
    if (!status)
        status = transformer_write_merged(model, folder, stored, error);
    if (!status)
        status = file_rename_directory(folder, options->out, error);
    if (status)
        file_remove_made(folder, first_missing ? first_missing : folder);
    free(first_missing);
    text_buffer_release(&temporary);
    return status;
}

static enum status merge_run(const struct merge_options *options, struct error *error)
{
    enum dtype stored = DTYPE_BF16;
    struct backend *backend = NULL;
    struct transformer *model = NULL;
    enum status status = merge_check(options, &stored, error);
    if (!status)
        status = backend_open(&backend, &(struct backend_options){.device = "cpu"}, error);
    if (!status)
        status = transformer_open_directory(&model, backend, options->model,
                                            MASTERS_DROPPED, error);
    if (!status && transformer_lora(model))
        status = error_set(error, STATUS_USAGE,
                           "--model %s is an adapter itself: give the model that it adapts",
                           options->model);
    if (!status)
        status = transformer_open_adapter(model, options->adapter, MASTERS_DROPPED, error);
    if (!status)
        status = merged_write(model, options, stored, error);
    if (!status)
        log_info("the merged model is in %s%s", options->out,
                 transformer_architecture(model)->text_part
                     ? ": the text part alone, without the one that sees images"
                     : "");
    transformer_free(model);
    backend_close(backend);
    return status;
}

int merge_command(int argc, char **argv)
{
    struct merge_options options = {.save_dtype = memory_duplicate_string("bf16")};
    struct error error = {0};
    bool help_shown = false;
    enum status status =
        options_parse(&command_line, argc, argv, &options, NULL, &help_shown, &error);
    if (!status && !help_shown)
        status = merge_run(&options, &error);
    if (status)
        log_error("%s", error.message);
    options_release(&command_line, &options);
    return status_exit_code(status);
}
