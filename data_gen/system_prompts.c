#include "data_gen/system_prompts.h"

#include "base/memory.h"
#include "base/random.h"
#include "data_gen/source_file.h"

#include <stdlib.h>
#include <string.h>

static void prompt_add(struct system_prompts *prompts, const char *text, size_t bytes)
{
    array_reserve(prompts->texts, prompts->capacity, prompts->count + 1);
    prompts->texts[prompts->count++] = memory_duplicate_bytes(text, bytes);
}

static enum status prompts_read(struct system_prompts *prompts, const char *path,
                                struct error *error)
{
    struct source_file file;
    if (source_file_open(&file, path, error))
        return error_prefix(error, "--system");
    struct line_reader lines = {.data = file.bytes, .bytes = file.count};
    while (line_next(&lines))
        if (!line_is_blank(&lines))
            prompt_add(prompts, lines.line, lines.line_bytes);
    source_file_close(&file);
    if (prompts->count == 0)
        return error_set(error, STATUS_FORMAT, "%s: holds no system prompt (one a line)",
                         path);
    return STATUS_OK;
}

enum status system_prompts_open(struct system_prompts *prompts, const char *source,
                                double share, struct error *error)
{
    *prompts = (struct system_prompts){.share = share};
    if (source && *source == '@')
        return prompts_read(prompts, source + 1, error);
    if (source)
        prompt_add(prompts, source, strlen(source));
    return STATUS_OK;
}

void system_prompts_release(struct system_prompts *prompts)
{
    for (size_t i = 0; i < prompts->count; i++)
        free(prompts->texts[i]);
    free(prompts->texts);
    *prompts = (struct system_prompts){0};
}

const char *system_prompts_pick(const struct system_prompts *prompts, uint64_t seed,
                                const char *id)
{
    struct random random = random_stream(seed, random_stream_of(id, 0, prompts->count));
    if (prompts->count == 0 || random_double(&random) >= prompts->share)
        return NULL;
    return prompts->texts[random_below(&random, prompts->count)];
}
