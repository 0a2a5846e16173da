#include "chat/chat.h"

#include "base/memory.h"
#include "chat/chat_kind.h"

#include <stdlib.h>
#include <string.h>

static const struct chat_kind *const prefixed[] = {&chat_openai, &chat_anthropic,
                                                   &chat_replay};

static const struct chat_kind *kind_find(const char *model)
{
    for (size_t i = 0; i < sizeof prefixed / sizeof *prefixed; i++)
        if (text_starts_with(model, prefixed[i]->prefix))
            return prefixed[i];
    return &chat_local;
}

bool chat_is_hosted(const char *model)
{
    const struct chat_kind *kind = kind_find(model);
    return kind == &chat_openai || kind == &chat_anthropic;
}

enum status chat_open_hosted(struct chat **chat, const char *model,
                             const struct backend_options *backend,
                             const struct hosted_options *hosted, struct error *error)
{
    const struct chat_kind *kind = kind_find(model);
    *chat = memory_allocate(sizeof **chat);
    (*chat)->kind = kind;
    (*chat)->name = memory_duplicate_string(model);
    const enum status status =
        kind->open(*chat, model + strlen(kind->prefix), backend, hosted, error);
    if (status) {
        chat_close(*chat);
        *chat = NULL;
    }
    return status;
}

enum status chat_open(struct chat **chat, const char *model,
                      const struct backend_options *backend, struct error *error)
{
    return chat_open_hosted(chat, model, backend, NULL, error);
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

const char *chat_precision(const struct chat *chat)
{
    return chat->precision ? chat->precision : "";
}

void chat_set_batch_limit(struct chat *chat, int64_t limit)
{
    chat->batch_limit = limit;
}

bool chat_knows(struct chat *chat, const struct chat_prompt *prompt)
{
    return chat->kind->knows && chat->kind->knows(chat, prompt);
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
