#ifndef HOLDFAST_TEXT_TENSE_SHIFT_H
#define HOLDFAST_TEXT_TENSE_SHIFT_H

#include "text/tense_phrase.h"

/* The finite verb of a clause. */
enum finite_kind {
    FINITE_NONE,
    FINITE_AUXILIARY, /* is, can, has (been) … */
    FINITE_THIRD,     /* steals */
    FINITE_BASE,      /* (they) steal */
    FINITE_PAST,      /* stole */
};

struct finite {
    enum finite_kind kind;
    int index;
    struct verb verb; /* unset for an auxiliary */
};

/* The first finite verb of the clause [start, end); its subject may be empty. */
struct finite clause_finite(const struct phrase *phrase, int start, int end);

struct finite clause_finite_after_subject(const struct phrase *phrase, int start, int end);

/* I, you, my, your … become they, them, their. */
void shift_persons(struct phrase *phrase);

/* Me, my, I become you, your, you: for imperatives made of questions. */
void shift_to_reader(struct phrase *phrase);

/* Finite verbs of subordinate clauses go into the past: "a tool that can" -> "could". */
void shift_past(struct phrase *phrase);

/*
 * A finite verb and those joined to it ("spreads lies and causes panic") take `form`.
 */
void shift_finite(struct phrase *phrase, struct finite finite, enum word_form form);

/* The relative clause at `index` ("that", "which", "who") gets a plural subject. */
void agree_with_plural(struct phrase *phrase, int index);

/* The past of an auxiliary, "cannot" -> "could not" being one word; else the word. */
struct word past_auxiliary(struct word word);

#endif
