#ifndef HOLDFAST_TEXT_TENSE_REQUEST_H
#define HOLDFAST_TEXT_TENSE_REQUEST_H

#include "text/tense_shift.h"

/*
 * A clause taken apart, whether it stood as a question or as a statement:
 *
 *     why | is    | the sky     | blue         "Why is the sky blue?"
 *     how | do    | vaccines    | cause autism "… how vaccines cause autism"
 *     what|       |             | causes rain  the question word is the subject
 */
struct clause {
    struct phrase wh;      /* "how", "what kind of music"; empty for yes or no */
    struct word auxiliary; /* present or past as it stood; "do", "does", "did" for none */
    struct phrase subject;
    struct phrase predicate; /* begins with the base verb after "do" */
    bool wh_is_subject;
    bool split;   /* false: where the subject ends is unknown, predicate is empty */
    bool present; /* there is one */
};

enum { ACTIONS_MAX = 4 };

/* What a request comes down to: things to do, or a clause to ask about, or both. */
struct request {
    struct phrase actions[ACTIONS_MAX]; /* verb phrases, base form: "pick a lock" */
    int action_count;
    struct phrase subject; /* who does it; empty for people in general */
    struct clause clause;
    struct phrase nouns; /* "three tips for …": may be asked for with "What were" */
    bool question;
    bool to_reader; /* "my pan" is "your pan", not "their pan" */
};

/* Takes the first sentence apart that can be; false if none can. */
bool request_parse(struct request *request, struct sentence *sentence, const char *text,
                   bool to_reader);

/* Parts of the parser, in tense_question.c, tense_method.c. */
bool request_parse_question(struct request *request, const struct phrase *phrase);
bool request_parse_method(struct request *request, const struct phrase *phrase, int start);

/* From "SUBJECT verb …" at [start, end) to a clause. */
bool clause_of_statement(struct clause *clause, const char *wh, const struct phrase *phrase,
                         int start);
/* The clause as a statement, without its question word, appended. */
void clause_add_statement(struct phrase *out, const struct clause *clause);

void request_add_action(struct request *request, const struct phrase *action);

/* "argue that", "convince others that" … : a literal, then the phrase from `start`. */
void request_add_said(struct request *request, const char *said,
                      const struct phrase *phrase, int start);

/* "picking" at `start` becomes "pick", and the gerunds joined to it. */
bool base_of_gerunds(struct phrase *phrase, int start);

/* Cuts ", including …" and the like. */
void cut_tail(struct phrase *phrase);

bool is_generic_subject(struct word word); /* I, you, one, people … */

#endif
