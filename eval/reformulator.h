#ifndef HOLDFAST_EVAL_REFORMULATOR_H
#define HOLDFAST_EVAL_REFORMULATOR_H

#include "chat/chat.h"
#include "eval/reformulation_prompt.h"

#include <stdint.h>

/*
 * Attacks worded by a chat model: temperature 1, at most 150 tokens, double quotes removed
 * (protocols.md), a fresh wording for each attempt. A wording is taken if it is whole, no
 * refusal (the string rule "xstest", or the beginning of one told in the past), not the
 * request again, keeps a word of it, and shows the attack's tense
 * (tense_shows()); else the model is asked once more, with other random numbers, up to
 * `tries` times. The random numbers of a try are
 *
 *     random_stream(seed, random_stream_of("reformulation N|ATTACK", index, attempt))
 *
 * with N the number of the try: nothing else decides them, and no two tries are one and
 * the same in a cache of answers.
 */
enum { REFORMULATION_TOKENS = 150 };

struct reformulator {
    struct chat *chat; /* borrowed */
    const struct reformulation_prompt *prompt;
    uint64_t seed;
    int64_t tries;
};

/* What an attempt asks, while it is found. */
struct wording {
    const char *request; /* borrowed, as the other inputs */
    const char *attack;
    enum tense tense;
    int64_t index;
    int64_t attempt;
    /* results, heap */
    char *text;      /* NULL: none was found */
    char *failure;   /* why, then */
    cJSON *rejected; /* [{"why","text"},…] in the order of tries; NULL: none */
};
void wording_release(struct wording *wording);

/* Finds all texts or failures. A status other than OK: the chat as a whole broke. */
enum status reformulator_word(const struct reformulator *reformulator,
                              struct wording *wordings, size_t count, struct error *error);

/* The model's reply as a wording: no double quotes, no blanks around it, no "Rewritten:"
 * before it; heap. */
char *reformulation_clean(const char *reply);

/* Why a cleaned reply is no wording of the request; NULL if it is one. */
const char *reformulation_fault(const char *text, const char *request, enum tense tense);

/* One try: the prompt, and what it borrows. It must not move once it is made. */
struct reformulator_ask {
    char *text;
    struct message message;
};
struct chat_prompt reformulator_prompt(const struct reformulator *reformulator,
                                       const struct wording *wording, int64_t number,
                                       struct reformulator_ask *ask);

#endif
