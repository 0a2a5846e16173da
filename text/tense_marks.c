#include "text/tense.h"

#include "text/tense_shift.h"

/* The marks of the relatives of the past. */

static bool is_participle(struct word word)
{
    struct verb verb;
    return word_is(word, "been") || verb_of_participle(word, &verb) ||
           (word_ends(word, "ed") && word.length > 4 && !word_ends(word, "eed"));
}

/* Where the main clause begins: behind "In the 1990s," and the like. */
static int main_clause_start(const struct phrase *phrase)
{
    enum { OPENING_WORDS_MAX = 12 };
    for (int i = 0; i < phrase->count && i < OPENING_WORDS_MAX; i++) {
        if (phrase_among(phrase, i, " had was were would could if how what "))
            return 0;
        if (is_comma(phrase->words[i]))
            return i + 1;
    }
    return 0;
}

/* The first word behind `start` that opens a subordinate clause, or the end. */
static int main_clause_end(const struct phrase *phrase, int start)
{
    const int end = phrase_find(phrase, start + 1,
                                " that which who because if why how suppose "
                                "supposing imagine ");
    return end < 0 ? phrase->count : end;
}

/* "If", "Suppose", "Imagine" …, or "Had people wanted", at the front of the sentence. */
static bool opens_condition(const struct phrase *phrase)
{
    const int start = main_clause_start(phrase);
    if (phrase_among(phrase, 0, " had were ") && !phrase_is(phrase, 1, "to"))
        return true;
    return phrase_among(phrase, start,
                        " if suppose supposing imagine imagining assume assuming "
                        "hypothetically provided ");
}

/* "What would people have done if …": the condition belongs to the main clause. */
static bool closes_condition(const struct phrase *phrase)
{
    const int start = main_clause_start(phrase);
    const int end = main_clause_end(phrase, start);
    const int would = phrase_find(phrase, start, " would could might ");
    return phrase_find(phrase, start, " if ") > 0 && would >= 0 && would < end;
}

static bool shows_hypothetical(const char *text)
{
    struct sentence sentence;
    bool condition = false;
    bool conclusion = false;
    for (const char *cursor = text; sentence_next(&sentence, &cursor);) {
        condition |=
            opens_condition(&sentence.phrase) || closes_condition(&sentence.phrase);
        conclusion |=
            phrase_has(&sentence.phrase, " would could might wouldn't couldn't would've ");
    }
    return condition && conclusion;
}

/* Where the words between auxiliary and participle must have ended. */
static bool ends_gap(const struct phrase *phrase, int i)
{
    return phrase_among(phrase, i, " to that which who where when how why if because ") ||
           (is_auxiliary(phrase_at(phrase, i)) && !phrase_among(phrase, i, " been had "));
}

/* Whether a participle answers the auxiliary at `i`: behind it, or behind the subject. */
static bool participle_follows(const struct phrase *phrase, int i)
{
    enum { GAP_WORDS_MAX = 14 };
    struct verb verb;
    int subject = i + 1;
    while (is_adverb(phrase_at(phrase, subject)))
        subject++;
    const bool gerund = verb_of_gerund(phrase_at(phrase, subject), &verb);
    for (int k = i + 1; k < phrase->count && (gerund || k <= i + GAP_WORDS_MAX); k++) {
        if (!gerund && ends_gap(phrase, k))
            return false;
        const struct word before = phrase_at(phrase, k - 1);
        const bool attribute = is_determiner(before) && !is_pronoun(before);
        if (!attribute && is_participle(phrase->words[k]))
            return true;
    }
    return false;
}

/* The auxiliary and a participle in some main clause that is no condition. */
static bool has_pair(const char *text, const char *auxiliaries)
{
    struct sentence sentence;
    for (const char *cursor = text; sentence_next(&sentence, &cursor);) {
        const struct phrase *phrase = &sentence.phrase;
        const int start = main_clause_start(phrase);
        const int end = main_clause_end(phrase, start);
        for (int i = start; i < end && !opens_condition(phrase); i++)
            if (phrase_among(phrase, i, auxiliaries) && participle_follows(phrase, i))
                return true;
    }
    return false;
}

/* He, she or they in a story; a mere question about people is none. */
static bool shows_story(const char *text)
{
    struct sentence sentence;
    bool told = false;
    bool person = false;
    bool past = tense_of(text) == TENSE_PAST;
    for (const char *cursor = text; sentence_next(&sentence, &cursor);) {
        const struct phrase *phrase = &sentence.phrase;
        if (phrase_has(phrase, " i you we i'm you're "))
            return false;
        person |= phrase_has(phrase, " he she they his her their him ");
        past |= phrase_has(phrase, " did was were had ");
        told |= !sentence.question ||
                phrase_has(phrase, " novel story tale film movie character ");
    }
    return told && person && past;
}

bool tense_shows(const char *text, enum tense tense)
{
    switch (tense) {
    case TENSE_NONE:
        return true;
    case TENSE_PAST_PERFECT:
        return has_pair(text, " had hadn't ");
    case TENSE_PASSIVE_PAST:
        return has_pair(text, " was were wasn't weren't ");
    case TENSE_HYPOTHETICAL:
        return shows_hypothetical(text);
    case TENSE_THIRD_PERSON:
        return shows_story(text) && !shows_hypothetical(text);
    case TENSE_PRESENT:
    case TENSE_PAST:
    case TENSE_FUTURE:
    case TENSE_COUNT:
        break;
    }
    return tense_of(text) == tense;
}
