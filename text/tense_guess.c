#include "text/tense.h"

#include "text/tense_shift.h"

#include <string.h>

/* The tense of a text: that of the first finite verb of its first sentence with one. */

static bool going_to(const struct phrase *phrase, int i)
{
    const int going = phrase_find(phrase, i + 1, " going ");
    return going >= 0 && going < i + 6 && phrase_is(phrase, going + 1, "to");
}

/* "would … have picked" */
static bool perfect_follows(const struct phrase *phrase, int i)
{
    struct verb verb;
    const int have = phrase_find(phrase, i + 1, " have ");
    if (have < 0 || have > i + 8)
        return false;
    int next = have + 1;
    while (is_adverb(phrase_at(phrase, next)))
        next++;
    return phrase_is(phrase, next, "been") ||
           verb_of_participle(phrase_at(phrase, next), &verb);
}

static enum tense auxiliary_tense(const struct phrase *phrase, int i)
{
    static const char past[] = " did was were had didn't wasn't weren't hadn't ";
    static const char present[] = " is are am do does has have can may must should isn't "
                                  "aren't don't doesn't hasn't haven't can't cannot "
                                  "shouldn't it's what's who's that's there's here's how's "
                                  "i'm you're we're they're i've we've they've you've ";
    const struct word word = phrase->words[i];
    if (word_among(word, past))
        return TENSE_PAST;
    if (word_among(word, " will shall won't shan't might ") || word_ends(word, "'ll"))
        return TENSE_FUTURE;
    if (word_among(word, " would could wouldn't couldn't "))
        return perfect_follows(phrase, i) ? TENSE_PAST : TENSE_PRESENT;
    if (word_among(word, present))
        return going_to(phrase, i) ? TENSE_FUTURE : TENSE_PRESENT;
    return TENSE_NONE;
}

/* Something that can be a subject: "people", "Columbus", "who", "she". */
static bool subject_like(struct word word)
{
    return noun_is_plural(word) || word_starts_upper(word) || is_subject_pronoun(word) ||
           word_among(word, " who which that what ");
}

static enum tense verb_tense(const struct phrase *phrase, int i)
{
    struct verb verb;
    int before = i - 1;
    while (before >= 0 && is_adverb(phrase->words[before]))
        before--;
    if (before < 0)
        return TENSE_NONE;
    const struct word subject = phrase->words[before];
    const struct word word = phrase->words[i];
    const struct word next = phrase_at(phrase, i + 1);
    if (word_starts_upper(word))
        return TENSE_NONE; /* a name: "in the Middle Ages" */
    if (word_among(subject, " what which ") &&
        is_preposition(phrase_at(phrase, before - 1)))
        return TENSE_NONE; /* "by what means" */
    if (word_is(word, "used") && word_is(next, "to"))
        return TENSE_PAST;
    if (is_preposition(subject) || word_is(subject, "to") || word_is(next, "by"))
        return TENSE_NONE;
    if (is_determiner(subject) && !is_pronoun(subject) && !is_wh_word(subject))
        return TENSE_NONE;
    if (verb_of_base(word, &verb) && subject_like(subject) && !verb_of_past(word, &verb))
        return (verb.flags & VERB_NOUN) && !is_subject_pronoun(subject) ? TENSE_NONE
                                                                        : TENSE_PRESENT;
    if (verb_of_past(word, &verb) && verb_of_base(word, &(struct verb){0}))
        return TENSE_NONE; /* "spread", "put" */
    if (verb_of_past(word, &verb) && (subject_like(subject) || !word_ends(word, "ed")))
        return TENSE_PAST;
    if (subject_like(subject) && word_ends(word, "ed") && word.length > 4)
        return TENSE_PAST;
    if (verb_of_third(word, &verb) &&
        (!(verb.flags & VERB_NOUN) ||
         (subject_like(subject) && !word_among(subject, " which that ") &&
          !is_auxiliary(next))))
        return TENSE_PRESENT;
    return TENSE_NONE;
}

/* "Write …", "Please list …"; a question only if that is beyond doubt. */
static bool is_imperative(const struct phrase *phrase, bool question)
{
    struct verb verb;
    int i = 0;
    while (is_adverb(phrase_at(phrase, i)) || phrase_among(phrase, i, " please kindly "))
        i++;
    if (!verb_of_base(phrase_at(phrase, i), &verb) || is_auxiliary(phrase->words[i]))
        return false;
    if (!(verb.flags & VERB_NOUN))
        return true;
    const struct word next = phrase_at(phrase, i + 1);
    if (!question)
        return next.length > 0 && !is_auxiliary(next) && !is_comma(next) &&
               !(word_is(phrase->words[i], "back") && word_among(next, " in then "));
    return is_determiner(next) || is_pronoun(next) || is_wh_word(next);
}

/* "Can you explain how guilds trained": the tense is that of what is to be explained. */
static int asked_clause(const struct phrase *phrase)
{
    if (!phrase_among(phrase, 0, " can could would will ") || !phrase_is(phrase, 1, "you"))
        return -1;
    const int wh = phrase_find(phrase, 2, " how why what when where who which ");
    return wh > 5 || phrase_is(phrase, wh + 1, "to") ? -1 : wh;
}

static enum tense phrase_tense(const struct phrase *phrase, bool question)
{
    struct verb verb;
    const bool asks = is_wh_word(phrase_at(phrase, 0)) && phrase->count > 2;
    bool base = asks;
    bool past = false;
    if (is_imperative(phrase, question))
        return TENSE_PRESENT;
    const int clause = asked_clause(phrase);
    for (int i = clause > 0 ? clause + 1 : 0; i < phrase->count; i++) {
        enum tense tense = auxiliary_tense(phrase, i);
        if (tense == TENSE_NONE)
            tense = verb_tense(phrase, i);
        if (tense != TENSE_NONE)
            return tense;
        past |= asks && verb_of_past(phrase->words[i], &verb);
        base |= verb_of_base(phrase->words[i], &verb) && !(verb.flags & VERB_NOUN);
    }
    return past ? TENSE_PAST : base ? TENSE_PRESENT : TENSE_NONE;
}

enum tense tense_of(const char *text)
{
    struct sentence sentence;
    const char *cursor = text;
    while (sentence_next(&sentence, &cursor)) {
        const enum tense tense = phrase_tense(&sentence.phrase, sentence.question);
        if (tense != TENSE_NONE)
            return tense;
    }
    return TENSE_NONE;
}
