#ifndef HOLDFAST_CHAT_HOSTED_H
#define HOLDFAST_CHAT_HOSTED_H

#include "chat/hosted_options.h"
#include "chat/hosted_spending.h"
#include "chat/hosted_try.h"
#include "chat/pacing.h"
#include "chat/service.h"

#include <curl/curl.h>

/*
 * A model behind HTTP, open: what hosted.c opens and hosted_answer.c asks. The key lives
 * here and in the header list, nowhere else, and is wiped at the end.
 */
struct hosted {
    const struct service *service;
    struct service_target target;
    struct hosted_options options; /* `cache` is owned */
    char *key;                     /* NULL: none */
    const char *key_variable;      /* where it is, or would be */
    struct curl_slist *headers;
    CURLM *multi;
    struct transfer **idle; /* room for `concurrency` */
    size_t idle_count;

    unsigned quirks;
    struct pacing pacing;
    struct spending spending;
    int64_t cached; /* answers that came from the cache */
    bool ever_replied;
};

/* SHA-256 of all that a question is: what its answer is kept under. */
void hosted_cache_key(const struct hosted *hosted, const struct chat_prompt *prompt,
                      char key[SHA256_HEX_BYTES]);

/* struct chat_kind's answer. */
struct chat;
enum status hosted_answer(struct chat *chat, struct chat_prompt *prompts, size_t count,
                          chat_done *done, void *context, struct error *error);

#endif
