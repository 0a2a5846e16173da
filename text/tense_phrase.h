#ifndef HOLDFAST_TEXT_TENSE_PHRASE_H
#define HOLDFAST_TEXT_TENSE_PHRASE_H

#include "text/english.h"

/*
 * A run of words, commas being words of their own. Phrases are plain values: copied,
 * cut and spliced without allocation. Words beyond the capacity are dropped.
 */
enum { PHRASE_WORDS_MAX = 96, SENTENCE_BYTES_MAX = 4096 };

struct phrase {
    struct word words[PHRASE_WORDS_MAX];
    int count;
};

/* One sentence of a request: normalised bytes, and its words, which point into them. */
struct sentence {
    char bytes[SENTENCE_BYTES_MAX];
    struct phrase phrase;
    bool question; /* it ended with a question mark */
};

/*
 * Reads the sentence at *cursor and advances. Curly quotes become straight, double
 * quotes, list marks and the closing punctuation are dropped, doubled function words
 * ("to to") are written once. False at the end of the text.
 */
bool sentence_next(struct sentence *sentence, const char **cursor);

void phrase_add(struct phrase *phrase, struct word word);
void phrase_add_text(struct phrase *phrase, const char *literal); /* one word */
void phrase_add_slice(struct phrase *phrase, const struct phrase *from, int start, int end);
struct phrase phrase_slice(const struct phrase *from, int start, int end);
void phrase_remove(struct phrase *phrase, int index);
void phrase_append(struct text_buffer *out, const struct phrase *phrase);

/* The word at `index`, or an empty word outside the phrase. */
struct word phrase_at(const struct phrase *phrase, int index);
bool phrase_is(const struct phrase *phrase, int index, const char *literal);
bool phrase_among(const struct phrase *phrase, int index, const char *list);
bool phrase_has(const struct phrase *phrase, const char *list); /* any word of `list` */
int phrase_find(const struct phrase *phrase, int start, const char *list); /* or -1 */

/*
 * Where the noun phrase that begins at `start` ends (exclusive): before a preposition
 * other than "of", a relative clause, "to", a comma, a participle clause, an adverb or
 * a conjunction. Joined noun phrases ("a bomb or other device") are one if `joined`.
 */
int noun_phrase_end(const struct phrase *phrase, int start, bool joined);

/* The noun that gives [start, end) its number: the last word before "of". */
int noun_phrase_head(const struct phrase *phrase, int start, int end);
bool noun_phrase_is_plural(const struct phrase *phrase, int start, int end);

#endif
