#include "model/checkpoint_summary.h"

#include "checkpoints/safetensors.h"
#include "model/transformer_internal.h"

#include <string.h>

const char *checkpoint_part_name(enum checkpoint_part part)
{
    static const char *const names[PART_COUNT] = {
        [PART_EMBEDDING] = "embedding",
        [PART_ATTENTION] = "attention",
        [PART_FEED_FORWARD] = "feed_forward",
        [PART_NORMS] = "norms",
        [PART_HEAD] = "head",
    };
    return names[part];
}

/* By the names of files: norms are vectors; biases belong to what they are added in. */
static enum checkpoint_part part_of(const struct parameter *parameter)
{
    const char *name = parameter->name;
    if (strstr(name, "norm") || strstr(name, ".ln_"))
        return PART_NORMS;
    if (strstr(name, "attn"))
        return PART_ATTENTION;
    if (strstr(name, ".mlp."))
        return PART_FEED_FORWARD;
    return strstr(name, "lm_head") ? PART_HEAD : PART_EMBEDDING;
}

static void summarise_parameters(struct checkpoint_summary *summary,
                                 const struct parameter_block *block)
{
    for (size_t i = 0; i < block->entry_count; i++) {
        summary->parts[part_of(&block->entries[i])] += block->entries[i].count;
        summary->parameters += block->entries[i].count;
    }
}

static void summarise_files(struct checkpoint_summary *summary,
                            const struct weight_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct safetensors *file = &files->files[i];
        summary->file_count++;
        summary->file_bytes += file->map.bytes;
        summary->tensor_count += file->entry_count;
        for (size_t j = 0; j < file->entry_count; j++)
            summary->stored[file->entries[j].dtype] += file->entries[j].count;
    }
}

enum status checkpoint_summarise(struct checkpoint_summary *summary,
                                 const struct architecture *architecture,
                                 const char *directory, struct error *error)
{
    struct transformer model = {.architecture = *architecture};
    struct weight_files files = {0};
    *summary = (struct checkpoint_summary){0};
    transformer_add_parameters(&model);
    enum status status = weight_files_open(&files, directory, error);
    if (!status)
        status = weights_check(&model, &files, directory, error);
    if (!status) {
        summarise_parameters(summary, &model.base);
        summarise_files(summary, &files);
    }
    weight_files_close(&files);
    parameter_block_release(&model.base);
    return status;
}
