#ifndef HOLDFAST_CHAT_CHAT_H
#define HOLDFAST_CHAT_CHAT_H

#include "backend/backend.h"
#include "base/error.h"
#include "chat/hosted_options.h"
#include "text/chat_template.h"

#include <stdint.h>

/*
 * One interface to everything that answers messages: "messages in, reply out". Each kind
 * of chat fills a const table; callers hand over many prompts and get each reply as it
 * comes.
 *
 *     local checkpoint    --model DIR
 *     hosted              --model openai:URL#name, anthropic:URL#name (hosted.h)
 *     stored replies      --model replay:RUN, of a run of `holdfast eval` (replay.c)
 */
enum chat_result {
    CHAT_REPLIED,   /* `text` is the whole reply */
    CHAT_TRUNCATED, /* `text` is cut at the token limit */
    CHAT_FILTERED,  /* the service withheld it */
    CHAT_FAILED     /* `text` says why; never a reply */
};

struct chat_prompt {
    const struct message *messages; /* borrowed until the reply is there */
    size_t message_count;
    uint64_t seed;
    uint64_t stream; /* with the seed: this attempt's random numbers */
    double temperature;
    double top_p;
    int64_t token_limit;
    void *tag; /* the caller's own */
    /* results */
    enum chat_result result;
    char *text; /* heap; released by chat_prompt_release() */
    int64_t prompt_tokens;
    int64_t reply_tokens;
    double milliseconds; /* from the start of the batch to this reply */
};
void chat_prompt_release(struct chat_prompt *prompt);

struct chat; /* opaque */

/* `model` as on the command line; `backend` is what a local one computes on, `hosted` how
 * one behind HTTP is asked (NULL: the defaults). */
enum status chat_open_hosted(struct chat **chat, const char *model,
                             const struct backend_options *backend,
                             const struct hosted_options *hosted, struct error *error);
enum status chat_open(struct chat **chat, const char *model,
                      const struct backend_options *backend, struct error *error);
void chat_close(struct chat *chat);
bool chat_is_hosted(const char *model);         /* by its prefix */
const char *chat_name(const struct chat *chat); /* as given */
/* For the manifest: SHA-256 over weights and tokenizer, or over service, URL and name. */
const char *chat_fingerprint(const struct chat *chat);
/* "fp32" or "bf16", in which a local checkpoint computes ("auto" has been decided); else
 * "". */
const char *chat_precision(const struct chat *chat);

/* How many prompts are under way at once at most; 0: the chat chooses. No reply depends on
 * it. */
void chat_set_batch_limit(struct chat *chat, int64_t limit);

/* Whether the answer lies in a cache, so that asking costs nothing. */
bool chat_knows(struct chat *chat, const struct chat_prompt *prompt);

/*
 * Answers all prompts; `done` is called from this thread as each reply arrives. A status
 * other than OK means that the chat as a whole broke; single failures are CHAT_FAILED.
 * `done` may return a status other than OK to stop early (a full disk): it is passed on.
 */
typedef enum status chat_done(void *context, struct chat_prompt *prompt,
                              struct error *error);
enum status chat_answer(struct chat *chat, struct chat_prompt *prompts, size_t count,
                        chat_done *done, void *context, struct error *error);

#endif
