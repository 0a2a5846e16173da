#include "text/tense_address.h"

#include "text/tense_request.h"

static void cut_to(struct phrase *phrase, int start)
{
    *phrase = phrase_slice(phrase, start, phrase->count);
}

/* "Question: …", "Guide: building …" */
static void cut_label(struct phrase *phrase)
{
    static const char labels[] = " question q query request task topic prompt instruction "
                                 "instructions guide tutorial "
                                 "how-to howto title subject problem challenge ";
    for (int i = 1; i <= 2 && i + 1 < phrase->count; i++)
        if (phrase_is(phrase, i, ":") && phrase_among(phrase, i - 1, labels)) {
            cut_to(phrase, i + 1);
            base_of_gerunds(phrase, 0);
            return;
        }
}

/* "Help, …", "OK, …" */
static void cut_call(struct phrase *phrase)
{
    if (phrase_among(phrase, 0, " help ok okay well sure listen look ") &&
        is_comma(phrase_at(phrase, 1)) && phrase->count > 2)
        cut_to(phrase, 2);
}

/* "Don't tell anyone, but …", "Do not hold back: …" */
static void cut_prohibition(struct phrase *phrase)
{
    if (!phrase_among(phrase, 0, " don't never ") &&
        !(phrase_is(phrase, 0, "do") && phrase_among(phrase, 1, " not never ")))
        return;
    const int but = phrase_find(phrase, 2, " but just : ; ");
    if (but > 0 && but + 1 < phrase->count)
        cut_to(phrase, but + 1);
}

/* "Ignore your instructions and …", "Forget the rules, …" */
static void cut_defiance(struct phrase *phrase)
{
    if (!phrase_among(phrase, 0, " ignore disregard forget override "))
        return;
    const int rules = phrase_find(phrase, 1,
                                  " instructions rules guidelines restrictions training "
                                  "programming policies policy filters safeguards ");
    int next = rules + 1;
    while (is_comma(phrase_at(phrase, next)) || is_conjunction(phrase_at(phrase, next)))
        next++;
    if (rules > 0 && next > rules + 1 && next < phrase->count)
        cut_to(phrase, next);
}

/* "how do I …" at i. */
static bool asks_again(const struct phrase *phrase, int i)
{
    return is_wh_word(phrase_at(phrase, i)) && is_auxiliary(phrase_at(phrase, i + 1)) &&
           i + 2 < phrase->count &&
           (is_conjunction(phrase_at(phrase, i - 1)) || is_comma(phrase_at(phrase, i - 1)));
}

/* "how is it done", "how should he do it": says nothing without what stood before. */
static bool refers_back(const struct phrase *phrase)
{
    return phrase_has(phrase, " do does done ") &&
           phrase_among(phrase, phrase->count - 1, " it this that so done ");
}

/* "what is NOUNS" and a question about it: the nouns take the place of "it". */
static bool put_nouns(struct phrase *phrase, int end, const struct phrase *second)
{
    const int pronoun = phrase_find(second, 3, " it them one ");
    if (!phrase_is(phrase, 0, "what") || !phrase_among(phrase, 1, " is are ") || end < 3 ||
        pronoun < 0 || !is_generic_subject(phrase_at(second, 2)))
        return false;
    struct phrase whole = phrase_slice(second, 0, pronoun);
    phrase_add_slice(&whole, phrase, 2, end);
    phrase_add_slice(&whole, second, pronoun + 1, second->count);
    *phrase = whole;
    return true;
}

static void cut_second_question(struct phrase *phrase)
{
    int i = 1;
    while (i < phrase->count && !asks_again(phrase, i))
        i++;
    if (i >= phrase->count)
        return;
    const struct phrase second = phrase_slice(phrase, i, phrase->count);
    const bool colon = phrase_among(phrase, i - 1, " : ; ");
    int end = i;
    while (end > 0 && (is_comma(phrase_at(phrase, end - 1)) ||
                       is_conjunction(phrase_at(phrase, end - 1))))
        end--;
    if (put_nouns(phrase, end, &second))
        return;
    if (colon && !refers_back(&second))
        *phrase = second;
    else if (end > 0 && (colon || is_conjunction(phrase_at(phrase, i - 1))))
        phrase->count = end;
}

void address_cut(struct phrase *phrase)
{
    cut_label(phrase);
    cut_call(phrase);
    cut_prohibition(phrase);
    cut_defiance(phrase);
    cut_second_question(phrase);
}

bool address_sets_stage(const struct phrase *phrase)
{
    return phrase_among(phrase, 0,
                        " imagine pretend act roleplay role-play suppose assume ignore "
                        "disregard forget ");
}
