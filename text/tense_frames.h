#ifndef HOLDFAST_TEXT_TENSE_FRAMES_H
#define HOLDFAST_TEXT_TENSE_FRAMES_H

#include "text/tense.h"
#include "text/tense_request.h"

/*
 * The question frames and what fills them. `name` seeds the choices, together with seed
 * and tense; variants of one name, seed and tense walk through a shuffled list of the
 * frames that suit the request, and through time phrases.
 */
void frames_append(struct text_buffer *out, const struct request *request, enum tense tense,
                   const char *name, uint64_t seed, int64_t variant);

/* Whether any frame suits: not for every clause in every tense. */
bool frames_suit(const struct request *request, enum tense tense);

/* Phrases of time and place, and who: pure functions of what is passed. */
int time_phrase_count(const struct request *request, enum tense tense);
const char *time_phrase(const struct request *request, enum tense tense, int64_t index);
const char *place_phrase(uint64_t index);

/* The doer to ask about; *plural says which verb form it takes. */
struct phrase frame_subject(const struct request *request, const struct phrase *action,
                            uint64_t choice, bool *plural);

/* Whom a narrative is about; "they" where the deed speaks of its doer so. */
struct narrated {
    struct phrase phrase; /* "a young woman" */
    bool plural;          /* takes "were" */
    const char *he, *him, *his;
};
struct narrated narrated_choose(const struct request *request, const struct phrase *action,
                                uint64_t choice);
/* What the slots he, him, his and wasA say; NULL for any other. */
const char *narrated_word(const struct narrated *narrated, const char *slot);

/* The clause as an inverted question in `tense`, first letter as it comes. */
bool clause_fits(const struct clause *clause, enum tense tense);
struct phrase clause_question(const struct clause *clause, enum tense tense);

#endif
