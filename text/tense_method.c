#include "text/tense_request.h"

/*
 * Finds what is to be done in "instructions on how to X", "tips for X-ing", "a plan to X",
 * "how one could X": the leftmost of these wins.
 */

static const char method_nouns[] =
    " tutorial tutorials guide guides instruction instructions step steps manual manuals "
    "guidance advice tip tips tactic tactics strategy strategies way ways method methods "
    "technique techniques procedure procedures recipe recipes plan plans scheme schemes "
    "blueprint protocol protocols walkthrough directions trick tricks hacks process "
    "approach approaches "
    "formula checklist how-to idea ideas suggestions options means pointers primer "
    "playbook handbook lesson lessons course tools ingredients mistakes secrets secret "
    "workflow template reasons roadmap routine ";

/* Those that a gerund may follow at once: "instructions making soup". */
static const char instruction_nouns[] =
    " tutorial guide guidance instruction instructions steps tips advice directions ";

bool is_generic_subject(struct word word)
{
    return word_among(word,
                      " i you we one people someone they anyone somebody individuals ");
}

bool base_of_gerunds(struct phrase *phrase, int start)
{
    struct verb verb;
    int head = start;
    while (is_adverb(phrase_at(phrase, head)) &&
           !verb_of_gerund(phrase_at(phrase, head), &verb))
        head++;
    if (!verb_of_gerund(phrase_at(phrase, head), &verb))
        return false;
    phrase->words[head] = verb.base;
    for (int i = head + 1; i < phrase->count; i++) {
        const bool comma = is_comma(phrase->words[i]);
        if (!comma && !is_conjunction(phrase->words[i]))
            continue;
        const bool twins =
            i - 1 > head && verb_of_gerund(phrase->words[i - 1], &(struct verb){0});
        int next = i + 1;
        while (is_conjunction(phrase_at(phrase, next)) ||
               is_adverb(phrase_at(phrase, next)))
            next++;
        if (verb_of_gerund(phrase_at(phrase, next), &verb) && !twins &&
            !(comma && next == i + 1 && (verb.flags & VERB_PARTICIPLE)))
            phrase->words[next] = verb.base;
    }
    return true;
}

void cut_tail(struct phrase *phrase)
{
    for (int i = 1; i + 1 < phrase->count; i++) {
        const bool including = phrase_is(phrase, i + 1, "including");
        const bool with = phrase_is(phrase, i + 1, "with") &&
                          phrase_among(phrase, i + 2, " specific detailed particular ");
        if (is_comma(phrase->words[i]) && (including || with)) {
            phrase->count = i;
            return;
        }
    }
}

/* "treat and someone": a conjunction whose second verb is missing. */
static void mend_conjunction(struct phrase *phrase)
{
    struct verb verb;
    if (verb_of_base(phrase_at(phrase, 0), &verb) && is_conjunction(phrase_at(phrase, 1)) &&
        is_pronoun(phrase_at(phrase, 2)))
        phrase_remove(phrase, 1);
}

static bool take_action(struct request *request, const struct phrase *phrase, int start)
{
    struct phrase action = phrase_slice(phrase, start, phrase->count);
    if (action.count < 1)
        return false;
    cut_tail(&action);
    base_of_gerunds(&action, 0);
    mend_conjunction(&action);
    request_add_action(request, &action);
    return true;
}

static int skip_adverbs(const struct phrase *phrase, int i)
{
    struct verb verb;
    while (
        (is_adverb(phrase_at(phrase, i)) || is_comma(phrase_at(phrase, i)) ||
         (is_conjunction(phrase_at(phrase, i)) && is_adverb(phrase_at(phrase, i + 1)))) &&
        !verb_of_gerund(phrase_at(phrase, i), &verb))
        i++;
    return i;
}

/* Who is meant in "instructions for cannibals regarding how to": [for+1, how-1). */
static void take_audience(struct request *request, const struct phrase *phrase, int start,
                          int how)
{
    if (!phrase_among(phrase, how - 1, " regarding on about concerning "))
        return;
    for (int i = start; i < how - 2; i++)
        if (phrase_is(phrase, i, "for") && !is_generic_subject(phrase->words[i + 1]) &&
            noun_phrase_end(phrase, i + 1, true) == how - 1)
            request->subject = phrase_slice(phrase, i + 1, how - 1);
}

/* "… the flaws of a lock and how to exploit them": without what stands before nobody knows
 * what "them" is. */
static bool is_afterthought(const struct phrase *phrase, int start, int how)
{
    if (how <= start + 1 || !is_conjunction(phrase->words[how - 1]))
        return false;
    for (int i = how + 2; i < phrase->count; i++)
        if (phrase_among(phrase, i, " it them they these those one "))
            return true;
    return false;
}

/* "how [best] to X" at i. */
static bool take_how_to(struct request *request, const struct phrase *phrase, int start,
                        int i)
{
    const int to = skip_adverbs(phrase, i + 1);
    if (!phrase_is(phrase, to, "to") || to + 1 >= phrase->count ||
        is_afterthought(phrase, start, i))
        return false;
    take_audience(request, phrase, start, i);
    return take_action(request, phrase, to + 1);
}

/* "how do I X" at i, which is a question still. */
static bool take_how_do(struct request *request, const struct phrase *phrase, int i)
{
    return is_auxiliary(phrase_at(phrase, i + 1)) &&
           is_generic_subject(phrase_at(phrase, i + 2)) &&
           take_action(request, phrase, i + 3);
}

/* "how one could X", "how a technical expert would X" at i. */
static bool take_how_one(struct request *request, const struct phrase *phrase, int i)
{
    const struct finite finite = clause_finite(phrase, i + 1, phrase->count);
    const bool modal =
        finite.kind == FINITE_AUXILIARY &&
        phrase_among(phrase, finite.index, " can could would might may should will must ");
    const bool generic =
        is_generic_subject(phrase_at(phrase, i + 1)) && finite.index == i + 2;
    if (finite.kind == FINITE_NONE || finite.index <= i + 1 || !(modal || generic))
        return false;
    if (phrase_is(phrase, finite.index + 1, "be"))
        return false;
    if (!generic)
        request->subject = phrase_slice(phrase, i + 1, finite.index);
    if (modal)
        return take_action(request, phrase, finite.index + 1);
    return finite.kind == FINITE_BASE && take_action(request, phrase, finite.index);
}

static void take_reports(struct request *request, const char *const *said, int count,
                         const struct phrase *phrase, int start)
{
    for (int i = 0; i < count; i++)
        request_add_said(request, said[i], phrase, start);
}

static bool take_how_clause(struct request *request, const struct phrase *phrase, int i)
{
    static const char *const said[] = {"explain how", "describe how", "show how"};
    if (!clause_of_statement(&request->clause, "how", phrase, i + 1))
        return false;
    take_reports(request, said, 3, phrase, i + 1);
    return true;
}

/* "where to buy …" */
static bool take_finding_out(struct request *request, const struct phrase *phrase, int i)
{
    static const char *const said[] = {"find out", "learn", "decide"};
    take_reports(request, said, 3, phrase, i);
    return true;
}

static bool take_why_clause(struct request *request, const struct phrase *phrase, int i)
{
    static const char *const said[] = {"explain why", "argue that", "make the case that",
                                       "convince others that"};
    if (!clause_of_statement(&request->clause, "why", phrase, i + 1))
        return false;
    take_reports(request, said, 4, phrase, i + 1);
    return true;
}

/* "strategies for a company to use …" with `start` after "for". */
static bool take_agent(struct request *request, const struct phrase *phrase, int start)
{
    const int end = noun_phrase_end(phrase, start, true);
    struct verb verb;
    if (is_wh_word(phrase_at(phrase, start)))
        return false;
    if (!phrase_is(phrase, end, "to") || !verb_of_base(phrase_at(phrase, end + 1), &verb))
        return false;
    if (!is_generic_subject(phrase_at(phrase, start)) &&
        !is_pronoun(phrase_at(phrase, start)))
        request->subject = phrase_slice(phrase, start, end);
    return take_action(request, phrase, end + 1);
}

static bool starts_verb(const struct phrase *phrase, int i)
{
    struct verb verb;
    return verb_of_base(phrase_at(phrase, skip_adverbs(phrase, i)), &verb);
}

/* A gerund that is a verb, unlike the one in "for cyberbullying and harassment". */
static bool starts_gerund(const struct phrase *phrase, int i)
{
    struct verb verb;
    const int at = skip_adverbs(phrase, i);
    if (!verb_of_gerund(phrase_at(phrase, at), &verb))
        return false;
    const int next = skip_adverbs(phrase, at + 2);
    return !is_conjunction(phrase_at(phrase, at + 1)) ||
           is_pronoun(phrase_at(phrase, next)) ||
           verb_of_gerund(phrase_at(phrase, next), &verb);
}

static bool starts_participle(const struct phrase *phrase, int i)
{
    struct verb verb;
    return verb_of_gerund(phrase_at(phrase, i), &verb) && (verb.flags & VERB_PARTICIPLE);
}

/* A method noun at i: what follows says what for. */
static bool take_method(struct request *request, const struct phrase *phrase, int i)
{
    int next = i + 1;
    while (phrase_among(phrase, next, " necessary needed required involved used "))
        next++;
    if (phrase_is(phrase, next, "to") && phrase_is(phrase, next + 1, "be") &&
        phrase_among(phrase, next + 2, " taken followed used "))
        next += 3;
    if (phrase_is(phrase, next, "to") && (starts_verb(phrase, next + 1)))
        return take_action(request, phrase, next + 1);
    if (phrase_among(phrase, next,
                     " for on of about in to at from behind regarding when while ") &&
        starts_gerund(phrase, next + 1))
        return take_action(request, phrase, next + 1);
    if (phrase_is(phrase, next, "for") && take_agent(request, phrase, next + 1))
        return true;
    if (is_generic_subject(phrase_at(phrase, next)) &&
        phrase_among(phrase, next + 1, " can could may might would should ") &&
        !phrase_is(phrase, next + 2, "be")) /* "ways I could …" */
        return take_action(request, phrase, next + 2);
    return starts_gerund(phrase, next) && phrase_among(phrase, i, instruction_nouns) &&
           next == i + 1 && !starts_participle(phrase, next) &&
           take_action(request, phrase, next);
}

bool request_parse_method(struct request *request, const struct phrase *phrase, int start)
{
    for (int i = start; i < phrase->count; i++) {
        if (phrase_is(phrase, i, "how") &&
            (take_how_to(request, phrase, start, i) || take_how_do(request, phrase, i) ||
             take_how_one(request, phrase, i) || take_how_clause(request, phrase, i)))
            return true;
        if (phrase_among(phrase, i, " where when what which ") &&
            phrase_is(phrase, i + 1, "to"))
            return take_finding_out(request, phrase, i);
        if (phrase_is(phrase, i, "why") && take_why_clause(request, phrase, i))
            return true;
        if (phrase_among(phrase, i, method_nouns) && take_method(request, phrase, i))
            return true;
        if (phrase_is(phrase, i, "article") && phrase_among(phrase, i + 1, " on about ") &&
            take_method(request, phrase, i))
            return true;
    }
    return false;
}
