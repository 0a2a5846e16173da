#ifndef HOLDFAST_TEXT_ENGLISH_H
#define HOLDFAST_TEXT_ENGLISH_H

#include "base/text_buffer.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Small facts about English: verbs and how they inflect, number of nouns, closed
 * classes of words. A word is a slice of somebody else's text (or of a literal here)
 * and the form in which it is to be written; nothing in this file allocates.
 *
 *     text "stop", form WORD_GERUND   is written   "stopping"
 */
enum word_form {
    WORD_AS_IS,
    WORD_LOWER, /* first letter lowered, unless the word is a name or an acronym */
    WORD_PAST,
    WORD_PARTICIPLE,
    WORD_GERUND,
    WORD_THIRD, /* he stops */
    WORD_PLURAL,
};

struct word {
    const char *text;
    int length; /* bytes */
    enum word_form form;
    bool glued; /* no space before it: punctuation */
};

struct word word_of(const char *literal);
void word_append(struct text_buffer *out, struct word word); /* in its form */

bool word_is(struct word word, const char *literal); /* ASCII case is ignored */

/* Whether the word is in a list " like this one ", lower case, a space on each side. */
bool word_among(struct word word, const char *list);
bool word_ends(struct word word, const char *suffix);
bool word_starts_upper(struct word word);
bool word_has_digit(struct word word);

/* Verbs. */
enum verb_flags {
    VERB_INTRANSITIVE = 1, /* takes no direct object, so no passive */
    VERB_NOUN = 2,         /* the same word is an everyday noun: "attack" */
    VERB_PARTICIPLE = 4,   /* its gerund often follows a noun: "an essay praising …" */
    VERB_DOUBLES = 8,      /* last consonant doubles although the stem is long: "admit" */
    VERB_ADDS_K = 16,      /* "traffic", "trafficking" */
};

struct verb {
    struct word base;       /* text is NULL for no verb */
    struct word past;       /* text is NULL for a regular verb */
    struct word participle; /* as past */
    unsigned flags;
};

/* Each fills `verb` and returns true if the word is that form of a verb we know. */
bool verb_of_base(struct word word, struct verb *verb);
bool verb_of_gerund(struct word word, struct verb *verb);
bool verb_of_third(struct word word, struct verb *verb);
bool verb_of_past(struct word word, struct verb *verb);
bool verb_of_participle(struct word word, struct verb *verb);
bool verb_is_noun_too(struct word base);

/* Spelling of a regular inflection; any word will do as a stem. */
void append_past(struct text_buffer *out, struct word base);
void append_participle(struct text_buffer *out, struct word base);
void append_gerund(struct text_buffer *out, struct word base);
void append_third(struct text_buffer *out, struct word base);
void append_plural(struct text_buffer *out, struct word noun);

/* Nouns. */
bool noun_is_plural(struct word word);
bool noun_is_mass(struct word word); /* "malware", "advice" */

/* Closed classes. */
bool is_determiner(struct word word); /* articles, possessives, quantities */
bool is_possessive(struct word word); /* "their", "Ann's" */
bool is_preposition(struct word word);
bool is_particle(struct word word);    /* "up" in "set up" */
bool is_conjunction(struct word word); /* and, or, & */
bool is_pronoun(struct word word);
bool is_subject_pronoun(struct word word);
bool is_auxiliary(struct word word); /* also contracted and negated ones */
bool is_wh_word(struct word word);
bool is_adverb(struct word word);
bool is_comma(struct word word);

/* The tables: " base base:flags …" by first letter; "base past participle:flags" sorted. */
extern const char *const english_regular_verbs[26];
extern const char *const english_irregular_verbs[];
extern const int english_irregular_verb_count;

#endif
