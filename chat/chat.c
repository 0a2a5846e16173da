#include "chat/chat.h"

#include "base/memory.h"
#include "chat/chat_kind.h"

#include <stdlib.h>
#include <string.h>

static const struct chat_kind unbuilt[] = {
    {.prefix = "openai:"}, {.prefix = "anthropic:"}, {.prefix = "replay:"}};

static enum status kind_find(const struct chat_kind **kind, const char *model,
                             struct error *error)
{
    for (size_t i = 0; i < sizeof unbuilt / sizeof *unbuilt; i++)
        if (text_starts_with(model, unbuilt[i].prefix))
            return error_set(error, STATUS_UNSUPPORTED,
                             "--model %s: '%s' is not built yet; give the directory of a "
                             "local checkpoint",
                             model, unbuilt[i].prefix);
    *kind = &chat_local;
    return STATUS_OK;
}

enum status chat_open(struct chat **chat, const char *model,
                      const struct backend_options *backend, struct error *error)
{
    const struct chat_kind *kind;
    *chat = NULL;
    if (kind_find(&kind, model, error))
        return error->status;
    *chat = memory_allocate(sizeof **chat);
    (*chat)->kind = kind;
    (*chat)->name = memory_duplicate_string(model);
    const enum status status =
        kind->open(*chat, model + strlen(kind->prefix), backend, error);
    if (status) {
        chat_close(*chat);
        *chat = NULL;
    }
    return status;
}

void chat_close(struct chat *chat)
{
    if (!chat)
        return;
    chat->kind->close(chat);
    free(chat->name);
    free(chat);
}

const char *chat_name(const struct chat *chat)
{
    return chat->name;
}

const char *chat_fingerprint(const struct chat *chat)
{
    return chat->fingerprint;
}

void chat_set_batch_limit(struct chat *chat, int64_t limit)
{
    chat->batch_limit = limit;
}

enum status chat_answer(struct chat *chat, struct chat_prompt *prompts, size_t count,
                        chat_done *done, void *context, struct error *error)
{
    return chat->kind->answer(chat, prompts, count, done, context, error);
}

void chat_prompt_release(struct chat_prompt *prompt)
{
    free(prompt->text);
    prompt->text = NULL;
}
