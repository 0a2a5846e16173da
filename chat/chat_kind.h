#ifndef HOLDFAST_CHAT_CHAT_KIND_H
#define HOLDFAST_CHAT_CHAT_KIND_H

#include "base/file.h"
#include "chat/chat.h"

/*
 * What stands behind the interface: each kind of chat fills one table by field name, and
 * chat.c alone chooses. `target` is what follows the prefix: a directory, URL#name, a run.
 */
struct chat_kind {
    const char *prefix; /* of --model, "openai:"; "" is a local checkpoint */
    enum status (*open)(struct chat *chat, const char *target,
                        const struct backend_options *backend,
                        const struct hosted_options *hosted, struct error *error);
    void (*close)(struct chat *chat);
    enum status (*answer)(struct chat *chat, struct chat_prompt *prompts, size_t count,
                          chat_done *done, void *context, struct error *error);
    /* Whether the answer is there already and costs nothing; NULL: it never is. */
    bool (*knows)(struct chat *chat, const struct chat_prompt *prompt);
};

struct chat {
    const struct chat_kind *kind;
    char *name;
    char fingerprint[SHA256_HEX_BYTES];
    const char *precision; /* see chat_precision() */
    int64_t batch_limit;
    void *state; /* the kind's own */
};

extern const struct chat_kind chat_local;
extern const struct chat_kind chat_openai;
extern const struct chat_kind chat_anthropic;
extern const struct chat_kind chat_replay;

#endif
