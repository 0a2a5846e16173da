#include "text/tense_deed.h"

#include "text/tense_shift.h"

static const char object_complement_verbs[] =
    " make let help have get see hear watch feel keep leave want need like call find cost "
    "take become be seem turn go come set do put bet teach tell ask show lead look try ";
static const char frozen_heads[] =
    " look profit living difference way lot few bit number variety couple little while job "
    "role amount range life minor series day night week year time part chance half third "
    "good bad high low able user ";

static const char predicate_adjectives[] =
    " drunk sober high naked barefoot rich famous free alone viral bankrupt armed ";

static int skip_adverbs(const struct phrase *words, int i)
{
    while (is_adverb(phrase_at(words, i)))
        i++;
    return i;
}

static void add_head(struct deed *deed, int index)
{
    if (deed->head_count < HEADS_MAX)
        deed->heads[deed->head_count++] = index;
    else
        deed->certain = false;
}

/* "write, edit and post": verbs that directly follow the first; returns the end. */
static int read_joined_heads(struct deed *deed, int i)
{
    struct verb verb;
    for (;;) {
        int next = i;
        while (is_comma(phrase_at(&deed->words, next)) ||
               is_conjunction(phrase_at(&deed->words, next)))
            next++;
        if (next == i)
            return i;
        next = skip_adverbs(&deed->words, next);
        if (!verb_of_base(phrase_at(&deed->words, next), &verb))
            return i;
        add_head(deed, next);
        i = next + 1;
    }
}

/* After the object: does the conjunction at i join another verb, and is that sure? */
static void read_late_head(struct deed *deed, int i, bool embedded)
{
    struct verb verb;
    int next = i + 1;
    while (is_conjunction(phrase_at(&deed->words, next)))
        next++;
    next = skip_adverbs(&deed->words, next);
    const struct word after = phrase_at(&deed->words, next + 1);
    if (!verb_of_base(phrase_at(&deed->words, next), &verb))
        return;
    const bool governs = is_determiner(after) || is_pronoun(after) ||
                         (is_preposition(after) && !word_is(after, "of"));
    const bool object = after.length > 0 && !is_preposition(after) &&
                        !is_conjunction(after) && !is_comma(after);
    if ((verb.flags & VERB_NOUN) && !governs && !object)
        return;
    deed->passive = false;
    if (((verb.flags & VERB_NOUN) && !governs) || embedded ||
        is_comma(phrase_at(&deed->words, i)))
        deed->certain = false;
    else
        add_head(deed, next);
}

static void read_late_heads(struct deed *deed)
{
    bool embedded = false;
    for (int i = deed->object; i < deed->words.count; i++) {
        const struct word word = deed->words.words[i];
        embedded |= word_among(word, " to that which who how why if when while where ") ||
                    is_auxiliary(word);
        if (is_conjunction(word) || is_comma(word))
            read_late_head(deed, i, embedded);
    }
}

static void read_object(struct deed *deed, int i)
{
    const struct phrase *words = &deed->words;
    const struct word next = phrase_at(words, i);
    deed->preposition = -1;
    deed->object = deed->object_end = i;
    if (word_among(next, " as like than by "))
        return;
    if (is_preposition(next) || is_particle(next)) {
        deed->preposition = i++;
        deed->object = deed->object_end = i;
    }
    const struct word first = phrase_at(words, i);
    if (first.length == 0 || is_preposition(first) || is_particle(first) ||
        is_auxiliary(first) || is_adverb(first) || word_is(first, "to") ||
        (is_wh_word(first)) || word_is(first, "that") || is_conjunction(first))
        return;
    deed->object_end = noun_phrase_end(words, i, true);
    if (deed->object_end == i + 1 && phrase_among(words, i, predicate_adjectives))
        deed->object_end = i; /* "drive drunk" */
}

static bool heads_transitive(const struct deed *deed)
{
    for (int i = 0; i < deed->head_count; i++) {
        struct verb verb;
        const struct word head = deed->words.words[deed->heads[i]];
        if (!verb_of_base(head, &verb) || (verb.flags & VERB_INTRANSITIVE))
            return false;
    }
    return true;
}

/* What follows the object leaves no doubt that the object is whole. */
static bool clean_end(const struct deed *deed)
{
    const struct word next = phrase_at(&deed->words, deed->object_end);
    return next.length == 0 || (is_preposition(next) && !word_is(next, "of")) ||
           word_among(next, " to that which who using without whose ");
}

static bool head_among(const struct deed *deed, const char *list)
{
    return phrase_among(&deed->words, deed->heads[0], list);
}

static bool passive_object(const struct deed *deed)
{
    const struct word first = phrase_at(&deed->words, deed->object);
    const bool someone = word_among(first, " someone somebody people ");
    const bool prepositional =
        deed->preposition >= 0 &&
        !(head_among(deed, " hack break tamper interfere tap ") &&
          phrase_among(&deed->words, deed->preposition, " into with "));
    if (deed->object_end <= deed->object || prepositional)
        return false;
    if (is_pronoun(first) && !is_determiner(first) && !someone)
        return false;
    return !phrase_among(&deed->words, deed->object, " their them himself ");
}

static bool refers_to_agent(const struct phrase *words)
{
    return phrase_has(words, " they them their theirs themselves ");
}

static void judge(struct deed *deed)
{
    const bool simple_make = head_among(deed, " make do find take put call need keep ") &&
                             (deed->object_end == deed->words.count ||
                              phrase_among(&deed->words, deed->object_end,
                                           " for from in with using out at on "));
    const bool verb_fits = !head_among(deed, object_complement_verbs) || simple_make;
    const struct word next = phrase_at(&deed->words, deed->object_end);
    const bool transitive = heads_transitive(deed) || deed->preposition >= 0;
    deed->passive = deed->certain && deed->passive && transitive && verb_fits &&
                    passive_object(deed) && clean_end(deed) &&
                    !refers_to_agent(&deed->words);
    deed->kinds = deed->certain && deed->head_count == 1 && heads_transitive(deed) &&
                  deed->preposition < 0 && deed->object_end > deed->object &&
                  deed->words.count <= 14 && verb_fits &&
                  !phrase_has(&deed->words, " and or it its ") &&
                  !is_determiner(phrase_at(&deed->words, deed->object)) &&
                  (next.length == 0 || word_among(next, " about against "));
}

struct deed deed_analyse(const struct phrase *words)
{
    struct deed deed = {
        .words = *words, .preposition = -1, .certain = true, .passive = true};
    struct verb verb;
    const int head = skip_adverbs(words, 0);
    if (!verb_of_base(phrase_at(words, head), &verb)) {
        deed.certain = deed.passive = false;
        return deed;
    }
    add_head(&deed, head);
    read_object(&deed, read_joined_heads(&deed, head + 1));
    read_late_heads(&deed);
    judge(&deed);
    return deed;
}

/* "in Python that sends mail": a verb far from its noun would not follow its number. */
static bool late_relative(const struct phrase *words, int end)
{
    struct verb verb;
    const int that = phrase_find(words, end + 1, " that which who ");
    return that > 0 && !is_determiner(phrase_at(words, end + 1)) &&
           verb_of_third(phrase_at(words, that + 1), &verb);
}

static bool can_be_plural(const struct deed *deed, int end, int head)
{
    const struct phrase *words = &deed->words;
    const struct word noun = phrase_at(words, head);
    const struct word next = phrase_at(words, end);
    struct verb verb;
    if (!phrase_among(words, deed->object, " a an ") || end - deed->object < 2)
        return false;
    if (verb_of_base(noun, &verb) && !(verb.flags & VERB_NOUN))
        return false; /* "make a woman miscarry" */
    for (int i = deed->object; i < end; i++)
        if (word_ends(words->words[i], "'s") || word_ends(words->words[i], "s'"))
            return false;
    if (is_comma(next) || is_conjunction(next) || word_is(next, "-"))
        return false;
    if (is_preposition(next) && late_relative(words, end))
        return false;
    if (noun_is_mass(noun) || noun_is_plural(noun) || word_among(noun, frozen_heads) ||
        word_has_digit(noun) || head_among(deed, object_complement_verbs))
        return head_among(deed, " make ") && end == words->count &&
               !word_among(noun, frozen_heads) && !noun_is_mass(noun);
    return !phrase_has(words, " it its itself someone them themselves ");
}

bool deed_pluralise(struct deed *deed)
{
    const int end = noun_phrase_end(&deed->words, deed->object, false);
    const int head = noun_phrase_head(&deed->words, deed->object, end);
    if (deed->head_count == 0 || !can_be_plural(deed, end, head))
        return false;
    struct phrase words = deed->words;
    words.words[head].form = WORD_PLURAL;
    if (phrase_among(&words, end, " that which who "))
        agree_with_plural(&words, end);
    phrase_remove(&words, deed->object);
    *deed = deed_analyse(&words);
    return true;
}

struct phrase deed_inflected(const struct deed *deed, enum word_form form)
{
    struct phrase words = deed->words;
    for (int i = 0; i < deed->head_count; i++)
        words.words[deed->heads[i]].form = form;
    return words;
}

struct phrase deed_passive(const struct deed *deed)
{
    const struct phrase words = deed_inflected(deed, WORD_PARTICIPLE);
    struct phrase passive = phrase_slice(&words, 0, deed->object);
    phrase_add_slice(&passive, &words, deed->object_end, words.count);
    return passive;
}

struct phrase deed_kinds(const struct deed *deed)
{
    return phrase_slice(&deed->words, deed->object, deed->words.count);
}
