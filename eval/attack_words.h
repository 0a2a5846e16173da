#ifndef HOLDFAST_EVAL_ATTACK_WORDS_H
#define HOLDFAST_EVAL_ATTACK_WORDS_H

#include "chat/hosted_spending.h"
#include "eval/attack.h"
#include "eval/reformulator.h"
#include "eval/replayed_run.h"
#include "eval/request_sets.h"

/*
 * Where the words of attacks come from:
 *
 *     attack none      the request itself
 *     --replay RUN     what RUN asked in the same attempt (but not for fresh:NAME)
 *     --reformulator   a chat model, reformulator.h
 *     else             rules, attack.h
 */
struct attack_words {
    const struct eval_options *options; /* borrowed */
    struct reformulation_prompt prompt;
    struct replayed_run replayed;
    struct chat *chat; /* the reformulator; NULL: none, or not connected */
    bool chat_is_target;
};

/* Reads prompt file and replayed run, and checks them; opens no model. */
enum status attack_words_open(struct attack_words *words,
                              const struct eval_options *options,
                              const struct request_sets *sets, struct error *error);

/* Opens the reformulator, if there is one; the target, if it is the very same, is shared.
 * `hosted` is the target's; the reformulator has prices of its own. */
enum status attack_words_connect(struct attack_words *words, struct chat *target,
                                 const struct backend_options *backend,
                                 const struct hosted_options *hosted, struct error *error);
void attack_words_release(struct attack_words *words);

/* How many attempts this behaviour can have. */
int64_t attack_words_attempts(const struct attack_words *words, int64_t index,
                              const char *attack);

/* Fills in `text`, or `failure`, of all. */
enum status attack_words_find(const struct attack_words *words, struct wording *wordings,
                              size_t count, struct error *error);

/* The same for one, but what a model would have to be asked for is left without a text. */
void attack_words_guess(const struct attack_words *words, struct wording *wording);

/* Members of a manifest's identity: reformulator, prompt, replayed run; null where a run
 * has none. */
void attack_words_identity_print(const struct attack_words *words,
                                 struct json_writer *json);

/* What a dry run says of the reformulator, at most; returns its cost, NaN if its prices are
 * not given, 0 if there is none. */
double attack_words_estimate_print(const struct attack_words *words,
                                   const struct request_sets *sets,
                                   struct text_buffer *out);

#endif
