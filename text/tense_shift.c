#include "text/tense_shift.h"

#include <string.h>

/* Finite verbs. */

static bool is_finite_auxiliary(struct word word)
{
    return is_auxiliary(word) && !word_among(word, " be been being ");
}

/* "have" and "do" are verbs of their own unless a participle or a base form follows. */
static bool is_full_verb(const struct phrase *phrase, int i)
{
    struct verb verb;
    int next = i + 1;
    if (!phrase_among(phrase, i, " has have do does had did "))
        return false;
    while (is_adverb(phrase_at(phrase, next)))
        next++;
    const struct word word = phrase_at(phrase, next);
    if (next > i + 1 && phrase_among(phrase, i + 1, " not never "))
        return false;
    if (phrase_among(phrase, i, " has have had "))
        return !word_is(word, "been") && !verb_of_participle(word, &verb);
    return !verb_of_base(word, &verb);
}

static bool opens_object(struct word next)
{
    return next.length > 0 && !is_preposition(next) && !is_conjunction(next) &&
           !is_comma(next) && !is_finite_auxiliary(next) && !word_is(next, "to");
}

/* The nearest word before i that is no adverb, and lies in the clause. */
static int word_before(const struct phrase *phrase, int start, int i)
{
    int before = i - 1;
    while (before >= start && is_adverb(phrase->words[before]))
        before--;
    return before;
}

/* "vapour trails form on …": a plural and the verb after it, no determiner in front. */
static bool plural_before_verb(const struct phrase *phrase, int start, int i)
{
    struct verb verb;
    const struct word after = phrase_at(phrase, i + 2);
    return verb_of_base(phrase_at(phrase, i + 1), &verb) &&
           (after.length == 0 || is_preposition(after)) &&
           !is_determiner(phrase_at(phrase, start));
}

static bool third_at(const struct phrase *phrase, int start, int i, struct verb *verb)
{
    const int before = word_before(phrase, start, i);
    const struct word next = phrase_at(phrase, i + 1);
    if (!verb_of_third(phrase->words[i], verb))
        return false;
    if (!(verb->flags & VERB_NOUN) || is_subject_pronoun(phrase_at(phrase, before)))
        return true;
    return opens_object(next) && !plural_before_verb(phrase, start, i) &&
           !noun_is_plural(phrase_at(phrase, before)) &&
           !verb_of_third(next, &(struct verb){0});
}

static bool base_at(const struct phrase *phrase, int start, int i, struct verb *verb)
{
    const int before = word_before(phrase, start, i);
    const struct word subject = phrase_at(phrase, before);
    if (!verb_of_base(phrase->words[i], verb))
        return false;
    if (!noun_is_plural(subject) && !word_among(subject, " i you we they "))
        return false;
    return !(verb->flags & VERB_NOUN) || opens_object(phrase_at(phrase, i + 1)) ||
           (before == start && is_particle(phrase_at(phrase, i + 1))) ||
           word_among(subject, " i you we they ");
}

/* A relative clause without a subject: the verb is at its very beginning. */
static enum finite_kind subjectless_at(const struct phrase *phrase, int i,
                                       struct verb *verb)
{
    const struct word next = phrase_at(phrase, i + 1);
    if (verb_of_third(phrase->words[i], verb))
        return (verb->flags & VERB_NOUN) && is_auxiliary(next) ? FINITE_NONE : FINITE_THIRD;
    const bool plural = noun_is_plural(phrase_at(phrase, i - 2)) && !is_auxiliary(next);
    if (verb_of_base(phrase->words[i], verb))
        return (verb->flags & VERB_NOUN) && !opens_object(next) && !plural ? FINITE_NONE
                                                                           : FINITE_BASE;
    if (verb_of_past(phrase->words[i], verb))
        return noun_is_plural(next) || is_auxiliary(next) ? FINITE_NONE : FINITE_PAST;
    return FINITE_NONE;
}

static enum finite_kind full_verb_kind(struct word word, struct verb *verb)
{
    verb_of_base(word_of(word_among(word, " do does did ") ? "do" : "have"), verb);
    if (word_among(word, " has does "))
        return FINITE_THIRD;
    return word_among(word, " had did ") ? FINITE_PAST : FINITE_BASE;
}

static enum finite_kind finite_at(const struct phrase *phrase, int start, int i,
                                  struct verb *verb)
{
    const int before = word_before(phrase, start, i);
    const enum word_form form = phrase->words[i].form;
    if ((form == WORD_THIRD || form == WORD_PAST) && verb_of_base(phrase->words[i], verb))
        return form == WORD_THIRD ? FINITE_THIRD : FINITE_PAST;
    if (is_full_verb(phrase, i))
        return full_verb_kind(phrase->words[i], verb);
    if (is_finite_auxiliary(phrase->words[i]))
        return FINITE_AUXILIARY;
    if (before < start)
        return subjectless_at(phrase, i, verb);
    const struct word subject = phrase->words[before];
    if (is_determiner(subject) && !is_pronoun(subject))
        return FINITE_NONE;
    if (is_preposition(subject) || is_conjunction(subject) || word_is(subject, "to"))
        return FINITE_NONE;
    if (third_at(phrase, start, i, verb))
        return FINITE_THIRD;
    return base_at(phrase, start, i, verb) ? FINITE_BASE : FINITE_NONE;
}

/* "how vapour trails form on cold days": a base form after a plural, noun or not. */
static struct finite plural_finite(const struct phrase *phrase, int start, int end)
{
    struct finite found = {.kind = FINITE_NONE};
    for (int i = start + 1; i < end && found.kind == FINITE_NONE; i++)
        if (noun_is_plural(phrase_at(phrase, word_before(phrase, start, i))) &&
            !is_auxiliary(phrase_at(phrase, i + 1)) &&
            verb_of_base(phrase->words[i], &found.verb))
            found = (struct finite){FINITE_BASE, i, found.verb};
    return found;
}

/* Last resort: "the Holocaust never happened", "how the market works". */
static struct finite lenient_finite(const struct phrase *phrase, int start, int end)
{
    struct finite found = plural_finite(phrase, start, end);
    if (found.kind != FINITE_NONE)
        return found;
    for (int i = start + 1; i < end; i++) {
        const struct word before = phrase->words[word_before(phrase, start, i) < start
                                                     ? start
                                                     : word_before(phrase, start, i)];
        const bool possible = !is_preposition(before) && !is_conjunction(before) &&
                              (!is_determiner(before) || is_pronoun(before));
        if (possible && !phrase_is(phrase, i + 1, "by") &&
            verb_of_past(phrase->words[i], &found.verb))
            found.kind = FINITE_PAST;
        else if (possible && verb_of_third(phrase->words[i], &found.verb))
            found.kind = FINITE_THIRD;
        else
            continue;
        found.index = i;
        return found;
    }
    return found;
}

static struct finite search_finite(const struct phrase *phrase, int start, int first,
                                   int end)
{
    int relatives = 0; /* open relative clauses inside the subject */
    for (int i = first; i < end; i++) {
        struct finite found = {.index = i};
        if (i > start && phrase_among(phrase, i, " that who which ")) {
            relatives++;
            continue;
        }
        found.kind = finite_at(phrase, start, i, &found.verb);
        if (found.kind != FINITE_NONE && relatives-- == 0)
            return found;
        relatives = relatives < 0 ? 0 : relatives;
    }
    return lenient_finite(phrase, start, end);
}

struct finite clause_finite(const struct phrase *phrase, int start, int end)
{
    return search_finite(phrase, start, start, end);
}

struct finite clause_finite_after_subject(const struct phrase *phrase, int start, int end)
{
    return search_finite(phrase, start, start + 1, end);
}

/* Persons. */

static bool you_is_subject(const struct phrase *phrase, int i)
{
    struct verb verb;
    int next = i + 1;
    while (is_adverb(phrase_at(phrase, next)))
        next++;
    const struct word word = phrase_at(phrase, next);
    const struct word before = phrase_at(phrase, i - 1);
    if (is_preposition(before) && !word_among(before, " as before after until since than "))
        return false;
    if (is_finite_auxiliary(word) || is_finite_auxiliary(before))
        return true;
    return verb_of_base(word, &verb) && !verb_of_base(before, &verb);
}

static const char *const they_forms[][2] = {
    {"i", "they"},
    {"my", "their"},
    {"your", "their"},

    {"yours", "theirs"},
    {"me", "them"},
    {"am", "are"},
    {"i'm", "they are"},
    {"you're", "they are"},
    {"i've", "they have"},
    {"you've", "they have"},
    {"i'll", "they will"},
    {"you'll", "they will"},
    {"i'd", "they would"},
    {"you'd", "they would"},
    {"myself", "themselves"},
    {"yourself", "themselves"},
    {"yourselves", "themselves"},
};

static const char *const you_forms[][2] = {
    {"i", "you"},         {"my", "your"},       {"me", "you"},
    {"am", "are"},        {"i'm", "you are"},   {"i've", "you have"},
    {"i'll", "you will"}, {"i'd", "you would"}, {"myself", "yourself"},
};

/* "i.e." and "World War I" stay: only words that are wholly a pronoun change. */
static void replace_forms(struct phrase *phrase, const char *const (*forms)[2], int count)
{
    for (int i = 0; i < phrase->count; i++)
        for (int k = 0; k < count; k++)
            if (phrase_is(phrase, i, forms[k][0])) {
                phrase->words[i] = word_of(forms[k][1]);
                break;
            }
}

void shift_persons(struct phrase *phrase)
{
    const bool we = phrase_has(phrase, " i my me "); /* else "our society" is everybody's */
    for (int i = 0; i < phrase->count && we; i++)
        if (phrase_is(phrase, i, "our"))
            phrase->words[i] = word_of("their");
    for (int i = 0; i < phrase->count; i++)
        if (phrase_is(phrase, i, "you"))
            phrase->words[i] = word_of(you_is_subject(phrase, i) ? "they" : "them");
    replace_forms(phrase, they_forms, (int)(sizeof they_forms / sizeof they_forms[0]));
}

void shift_to_reader(struct phrase *phrase)
{
    replace_forms(phrase, you_forms, (int)(sizeof you_forms / sizeof you_forms[0]));
}

/* Tense. */

static const char *const past_auxiliaries[][2] = {
    {"is", "was"},
    {"are", "were"},
    {"am", "was"},
    {"has", "had"},
    {"have", "had"},
    {"do", "did"},
    {"does", "did"},
    {"can", "could"},
    {"will", "would"},
    {"may", "might"},
    {"shall", "should"},
    {"isn't", "was not"},
    {"aren't", "were not"},
    {"hasn't", "had not"},
    {"haven't", "had not"},
    {"don't", "did not"},
    {"doesn't", "did not"},
    {"can't", "could not"},
    {"cannot", "could not"},
    {"won't", "would not"},
    {"it's", "it was"},
    {"that's", "that was"},
    {"they're", "they were"},
    {"they are", "they were"},
    {"they have", "they had"},
    {"they will", "they would"},
    {"they've", "they had"},
    {"there's", "there was"},
    {"he's", "he was"},
    {"she's", "she was"},
};

struct word past_auxiliary(struct word word)
{
    const int count = (int)(sizeof past_auxiliaries / sizeof past_auxiliaries[0]);
    for (int i = 0; i < count; i++)
        if (word_is(word, past_auxiliaries[i][0]))
            return word_of(past_auxiliaries[i][1]);
    return word;
}

/* A joined third-person verb at i: "and praises the party", not "and attacks on". */
static bool joined_third(const struct phrase *phrase, int i, struct verb *verb)
{
    if (!verb_of_third(phrase_at(phrase, i), verb))
        return false;
    return !(verb->flags & VERB_NOUN) || opens_object(phrase_at(phrase, i + 1));
}

static void restyle(struct phrase *phrase, int i, const struct verb *verb,
                    enum word_form form)
{
    phrase->words[i] = verb->base;
    phrase->words[i].form = form;
}

/* The same for a base form, which must not belong to a "to" before it. */
static bool joined_base(const struct phrase *phrase, int i, struct verb *verb)
{
    if (!verb_of_base(phrase_at(phrase, i), verb))
        return false;
    return !(verb->flags & VERB_NOUN) || is_determiner(phrase_at(phrase, i + 1));
}

void shift_finite(struct phrase *phrase, struct finite finite, enum word_form form)
{
    const bool base = finite.kind == FINITE_BASE;
    restyle(phrase, finite.index, &finite.verb, form);
    for (int i = finite.index + 1; i < phrase->count && finite.kind != FINITE_PAST; i++) {
        struct verb verb;
        if (base && phrase_among(phrase, i, " to that which who can could will if when "))
            return;
        if (!is_conjunction(phrase->words[i]) && !is_comma(phrase->words[i]))
            continue;
        int next = i + 1;
        while (is_conjunction(phrase_at(phrase, next)) ||
               is_adverb(phrase_at(phrase, next)))
            next++;
        if (base ? joined_base(phrase, next, &verb) : joined_third(phrase, next, &verb))
            restyle(phrase, next, &verb, form);
    }
}

/* "recommends that patients take": the subjunctive has no tense. */
static bool subjunctive_before(const struct phrase *phrase, int i)
{
    static const char verbs[] =
        " recommend recommends recommending suggest suggests suggesting demand demands "
        "demanding insist insists insisting propose proposes proposing request requests "
        "requesting require requires requiring ask asks asking urge urges urging ";
    return phrase_among(phrase, i - 1, verbs) || phrase_among(phrase, i - 2, verbs);
}

static bool opens_clause(const struct phrase *phrase, int i)
{
    struct verb verb;
    if (phrase_is(phrase, i, "how"))
        return !phrase_is(phrase, i + 1, "to");
    if (phrase_is(phrase, i, "so"))
        return is_determiner(phrase_at(phrase, i + 1)) && !phrase_is(phrase, i + 1, "much");
    if (!phrase_among(phrase, i,
                      " that which who because if whether why unless although "
                      "though where when while until what whatever whoever "))
        return false;
    const struct word next = phrase_at(phrase, i + 1);
    return !word_is(next, "to") && !verb_of_gerund(next, &verb);
}

/* "suggesting the attacks were a hoax": a clause without "that". */
static bool opens_bare_clause(const struct phrase *phrase, int i)
{
    return phrase_among(phrase, i,
                        " claiming arguing asserting alleging saying believing "
                        "stating insisting pretending claims argues says ") &&
           !phrase_among(phrase, i + 1, " that to ");
}

static void shift_clause(struct phrase *phrase, int i)
{
    const bool relative = phrase_among(phrase, i, " that which who what whatever whoever ");
    const struct finite finite =
        relative ? clause_finite(phrase, i + 1, phrase->count)
                 : clause_finite_after_subject(phrase, i + 1, phrase->count);
    if (finite.kind == FINITE_AUXILIARY)
        phrase->words[finite.index] = past_auxiliary(phrase->words[finite.index]);
    else if (finite.kind == FINITE_THIRD)
        shift_finite(phrase, finite, WORD_PAST);
    else if (finite.kind == FINITE_BASE && !subjunctive_before(phrase, i))
        shift_finite(phrase, finite, WORD_PAST);
}

/* Auxiliaries are finite wherever they stand, save "their will", "a can", "to do". */
static void shift_auxiliaries(struct phrase *phrase)
{
    for (int i = 0; i < phrase->count; i++) {
        const struct word before = phrase_at(phrase, i - 1);
        const bool noun = is_determiner(before) && !is_pronoun(before);
        const bool always =
            phrase_among(phrase, i,
                         " is are isn't aren't can't cannot doesn't don't won't it's "
                         "that's they're they've there's he's she's does ");
        const bool usually = phrase_among(phrase, i, " can will ") && !noun;
        const bool negated = phrase_among(phrase, i, " do has have ") &&
                             phrase_is(phrase, i + 1, "not") && !word_is(before, "to");
        const bool joined =
            memchr(phrase->words[i].text, ' ', (size_t)phrase->words[i].length);
        if (always || usually || negated || joined)
            phrase->words[i] = past_auxiliary(phrase->words[i]);
    }
}

void shift_past(struct phrase *phrase)
{
    for (int i = 0; i < phrase->count; i++)
        if (opens_clause(phrase, i) || opens_bare_clause(phrase, i))
            shift_clause(phrase, i);
    shift_auxiliaries(phrase);
}

void agree_with_plural(struct phrase *phrase, int index)
{
    static const char *const forms[][2] = {
        {"is", "are"}, {"was", "were"}, {"has", "have"}, {"does", "do"}};
    const struct finite finite = clause_finite(phrase, index + 1, phrase->count);
    if (word_before(phrase, index + 1, finite.index) > index)
        return; /* the clause has a subject of its own */
    if (finite.kind == FINITE_THIRD)
        shift_finite(phrase, finite, WORD_AS_IS);
    for (int k = 0; k < 4 && finite.kind == FINITE_AUXILIARY; k++)
        if (phrase_is(phrase, finite.index, forms[k][0])) {
            phrase->words[finite.index] = word_of(forms[k][1]);
            return;
        }
}
