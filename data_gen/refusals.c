#include "data_gen/refusals.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

static const char *const fixed[] = {"Sorry, I can't help with that."};

static const char *const varied[] = {
    "Sorry, I can't help with that.",
    "I'm sorry, but I can't help with that request.",
    "I cannot help with this, whichever way it is asked.",
    "I'm sorry, but I cannot provide that information.",
    "Sorry, that is something I can't assist with.",
    "I cannot explain how this was done, because it could still hurt people today.",
    "I'm sorry, I won't go into that. Asking about the past does not make it safer.",
    "Sorry, I can't help with that, but I am happy to talk about how people stay safe.",
    "I'm sorry, but this could cause harm, so I can't answer it.",
    "I cannot fulfill this request. Is there something else I can do for you?",
    "Sorry, I must decline: the answer could be used to harm someone.",
    "I'm not able to help with that. I am sorry.",
    "I'm sorry, but I can't share details about this.",
    "I can't assist with that. If you are in trouble, please talk to someone you trust.",
    "I'm sorry, but I can't describe that, not even as history.",
    "Sorry, I can't give advice on this subject.",
};

static void refusals_add(struct refusals *refusals, const char *text, size_t bytes)
{
    array_reserve(refusals->texts, refusals->capacity, refusals->count + 1);
    refusals->texts[refusals->count++] = memory_duplicate_bytes(text, bytes);
}

static void refusals_add_list(struct refusals *refusals, const char *const *texts,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        refusals_add(refusals, texts[i], strlen(texts[i]));
}

static enum status refusals_read(struct refusals *refusals, const char *path,
                                 struct error *error)
{
    struct file_map map;
    if (file_map(&map, path, error))
        return error->status;
    struct line_reader lines = {.data = (const char *)map.data, .bytes = map.bytes};
    while (line_next(&lines))
        if (!line_is_blank(&lines))
            refusals_add(refusals, lines.line, lines.line_bytes);
    file_unmap(&map);
    if (refusals->count == 0)
        return error_set(error, STATUS_FORMAT, "%s: holds no refusal (one a line)", path);
    return STATUS_OK;
}

enum status refusals_open(struct refusals *refusals, const char *style, struct error *error)
{
    *refusals = (struct refusals){0};
    if (strcmp(style, "fixed") == 0)
        refusals_add_list(refusals, fixed, sizeof fixed / sizeof *fixed);
    else if (strcmp(style, "varied") == 0)
        refusals_add_list(refusals, varied, sizeof varied / sizeof *varied);
    else if (*style == '@')
        return refusals_read(refusals, style + 1, error);
    else if (strchr(style, ' '))
        refusals_add(refusals, style, strlen(style));
    else
        return error_set(error, STATUS_USAGE,
                         "--refusals %s: it is fixed, varied, @FILE or a sentence", style);
    return STATUS_OK;
}

void refusals_release(struct refusals *refusals)
{
    for (size_t i = 0; i < refusals->count; i++)
        free(refusals->texts[i]);
    free(refusals->texts);
    *refusals = (struct refusals){0};
}

const char *refusals_pick(const struct refusals *refusals, uint64_t seed, uint64_t number)
{
    struct random random = random_stream(seed, random_stream_of("refusal", number, 0));
    return refusals->texts[random_below(&random, refusals->count)];
}
