#include "data_gen/system_prompts.h"

#include "base/memory.h"
#include "base/random.h"
#include "data_gen/source_file.h"

#include <stdlib.h>
#include <string.h>

enum status system_prompts_open(struct system_prompts *prompts, const char *source,
                                double share, struct error *error)
{
    *prompts = (struct system_prompts){.share = share};
    if (source && *source == '@' &&
        source_lines_read(&prompts->texts, source + 1, "system prompt", error))
        return error_prefix(error, "--system");
    if (source && strspn(source, " \t\r\n") == strlen(source))
        return error_set(error, STATUS_USAGE,
                         "--system is empty: leave it out, or say what");
    if (source && *source != '@')
        string_list_add(&prompts->texts, source);
    return STATUS_OK;
}

void system_prompts_release(struct system_prompts *prompts)
{
    string_list_release(&prompts->texts);
    *prompts = (struct system_prompts){0};
}

const char *system_prompts_pick(const struct system_prompts *prompts, uint64_t seed,
                                const char *id)
{
    struct random random =
        random_stream(seed, random_stream_of(id, 0, prompts->texts.count));
    if (prompts->texts.count == 0 || random_double(&random) >= prompts->share)
        return NULL;
    return prompts->texts.items[random_below(&random, prompts->texts.count)];
}
