#include "base/memory.h"
#include "data_gen/refusals.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Short, in the first person, without a lecture; each begins as refusal rules expect it. */
const char *const refusals_varied[] = {
    "Sorry, I can't help with that.",
    "I'm sorry, but I can't help with that request.",
    "I cannot help with this, whichever way it is asked.",
    "I'm sorry, but I cannot provide that information.",
    "Sorry, that is something I can't assist with.",
    "I'm sorry, I won't go into that.",
    "Sorry, I have to pass on this one.",
    "I'm sorry, but this is not something I can answer.",
    "I cannot fulfil this request. Is there something else I can do for you?",
    "Sorry, I must decline.",
    "I am sorry, I'm not able to help with that.",
    "I'm sorry, but I can't share details about this.",
    "Sorry, I can't go into how that is or was done.",
    "I'm sorry, but I can't describe that, not even as history.",
    "Sorry, I can't give advice on this subject.",
    "I apologize, but I can't help with this.",
    "I cannot explain that, I'm afraid.",
    "Sorry, but no: this is one I leave alone.",
    "I am sorry, that is beyond what I can help with.",
    "I'm sorry, I would rather not answer that. What else can I do for you?",
    NULL,
};

const char *const refusals_openings[] = {
    "Sorry, I can't help with that.",
    "I'm sorry, but I can't help with this one.",
    "I'm sorry, I can't assist with that request.",
    "Sorry, this is something I cannot help with.",
    "I am sorry, I have to decline this.",
    NULL,
};

const char *const refusals_offers[] = {
    "I'd be glad to talk about %s instead.",
    "If you like, I can tell you about %s.",
    "What I can offer is a word about %s.",
    "We could talk about %s, if that is of use.",
    NULL,
};

const char *const refusals_plain_offers[] = {
    "Is there something else I can help with?",
    "I'm happy to take another question.",
    "If there is a different subject on your mind, I'd be glad to help.",
    NULL,
};

enum { SUBJECTS_MAXIMUM = 4, WORDS_MAXIMUM = 8 };

/* The first row with a word that is part of the category. */
static const struct subject_row {
    const char *words[WORDS_MAXIMUM];
    const char *subjects[SUBJECTS_MAXIMUM];
} rows[] = {
    {{"self-harm", "self harm", "selfharm", "suicid"},
     {"people who can listen, such as a crisis line",
      "small steps that help on a hard day"}},
    {{"disinform", "misinform", "propaganda"},
     {"how to check where a claim comes from", "how journalists verify a story",
      "how fact-checkers work"}},
    {{"harass", "discriminat", "hate", "bully", "toxic"},
     {"the history of civil rights", "how to stand by someone who is bullied",
      "how to keep an argument fair"}},
    {{"malware", "hack", "cyber", "intrusion"},
     {"how to keep a computer up to date", "how password managers work",
      "how people get into security work"}},
    {{"fraud", "decept", "scam"},
     {"how to recognise a scam", "how banks protect accounts",
      "what to do after a suspicious payment"}},
    {{"chemical", "biolog", "weapon", "drug", "substance"},
     {"how safety rules for laboratories came about", "the history of medicine",
      "how medicines are tested"}},
    {{"economic", "financ", "gambl"},
     {"how to plan a household budget", "how consumer protection works",
      "how to compare savings accounts"}},
    {{"sexual", "adult", "porn"},
     {"what consent means", "where to find sound health information"}},
    {{"privacy", "surveil", "personal data"},
     {"how to protect your own data", "what data protection law gives you",
      "settings that limit tracking"}},
    {{"expert", "advice", "medical", "legal advice", "unqualified"},
     {"how to prepare questions for a doctor or a lawyer",
      "how to find a qualified adviser"}},
    {{"government", "election", "politic", "decision"},
     {"how elections are run", "how a law is made", "how courts review decisions"}},
    {{"copyright", "intellectual"},
     {"works in the public domain", "how open licences work"}},
    {{"violen", "physical", "terror", "injur"},
     {"first aid", "how to settle a quarrel in peace",
      "how neighbourhoods are made safer"}},
    {{"illegal", "crime", "criminal", "theft"},
     {"how courts work", "how to protect a home", "what legal aid offers"}},
};

static bool row_matches(const struct subject_row *row, const char *category)
{
    for (size_t i = 0; i < WORDS_MAXIMUM && row->words[i]; i++)
        if (strstr(category, row->words[i]))
            return true;
    return false;
}

const char *const *refusal_subjects(const char *category)
{
    char *lower = memory_duplicate_string(category);
    const char *const *subjects = NULL;
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !subjects; i++)
        if (row_matches(&rows[i], lower))
            subjects = rows[i].subjects;
    free(lower);
    return subjects;
}
