#include "text/tense_request.h"

/* Questions, and clauses taken apart into subject and predicate. */

static const char plain_adjectives[] =
    " able afraid alive angry asleep available aware bad bald best better big bitter black "
    "blue bright brown certain cheap clean clear clever cold common complex cool correct "
    "crazy dark dead deep different difficult dirty dry early easy effective empty "
    "expensive fair false famous far fast fat fine free fresh full good great green grey "
    "happy hard hard-working healthy heavy high hot hungry illegal important impossible "
    "inferior intelligent large late legal light likely long loud low lucky mad modern "
    "narrow necessary new nice old open orange pink poor popular possible powerful pretty "
    "purple quiet rare raw ready red rich right round sad safe salty secret sharp short "
    "sick similar simple slow small smart smooth soft sour special strange strong superior "
    "sure sweet tall tasty thick thin tired toxic true ugly unhealthy unique unsafe useful "
    "vital warm weak wet white wide wild wrong yellow young worth responsible ";

static bool looks_adjective(struct word word)
{
    static const char *const endings[] = {"ous", "ful", "able", "ible", "less", "ish"};
    if (word_among(word, plain_adjectives))
        return true;
    for (int i = 0; i < 6; i++)
        if (word.length > 5 && word_ends(word, endings[i]))
            return true;
    return false;
}

/* "… in an organization important": the predicate is the adjective at the end, or -1. */
static int final_adjective(const struct phrase *rest)
{
    int i = rest->count - 1;
    if (i < 1 || !looks_adjective(rest->words[i]))
        return -1;
    while (i > 1 && (is_adverb(rest->words[i - 1]) ||
                     phrase_among(rest, i - 1, " so too very more less most ")))
        i--;
    return is_determiner(rest->words[i - 1]) ? -1 : i;
}

/* Where the predicate after "is SUBJECT" begins, or -1. */
static int predicate_start(const struct phrase *rest)
{
    struct verb verb;
    if (phrase_is(rest, 0, "there"))
        return 1;
    if (final_adjective(rest) > 0)
        return final_adjective(rest);
    for (int i = 1; i < rest->count; i++) {
        const struct word word = rest->words[i];
        const struct word before = rest->words[i - 1];
        const bool noun_before = !is_determiner(before) && !is_preposition(before) &&
                                 !looks_adjective(before) && !is_adverb(before);
        if (!noun_before && !is_pronoun(before))
            continue;
        if (word_among(word,
                       " so too not very more less called considered still a an the ") ||
            is_adverb(word) || looks_adjective(word))
            return i;
        if (verb_of_participle(word, &verb) ||
            (verb_of_gerund(word, &verb) && i + 1 < rest->count))
            return i;
    }
    return -1;
}

/* After do, can, will …: the subject ends where the base verb begins. */
static int base_verb_start(const struct phrase *rest)
{
    struct verb verb;
    int fallback = -1;
    const int end = noun_phrase_end(rest, 0, true);
    if (end > 0 && end < rest->count && is_pronoun(rest->words[0]) && end == 1)
        return phrase_is(rest, 1, "to") ? -1 : 1;
    for (int i = 1; i < rest->count; i++) {
        const struct word before = rest->words[i - 1];
        if (!verb_of_base(rest->words[i], &verb) || is_preposition(before) ||
            (is_determiner(before) && !is_pronoun(before)) || word_is(before, "to"))
            continue;
        int start = i;
        while (start > 1 && is_adverb(rest->words[start - 1]))
            start--;
        if (!(verb.flags & VERB_NOUN) || noun_is_plural(before))
            return start;
        fallback = fallback < 0 ? start : fallback;
    }
    for (int i = 1; i < rest->count && fallback < 0; i++)
        if (noun_is_plural(rest->words[i - 1]) && !is_preposition(rest->words[i]) &&
            !is_conjunction(rest->words[i]) && !is_comma(rest->words[i]))
            return i; /* a verb that we do not know: "cats purr" */
    return fallback;
}

static bool takes_base(struct word auxiliary)
{
    return word_among(auxiliary, " do does did can could will would shall should may might "
                                 "must don't doesn't didn't can't couldn't won't ");
}

/* "What is NOUNS": all is subject, unless a preposition is left over at the end. */
static bool asks_what(const struct clause *clause, const struct phrase *rest)
{
    return phrase_among(&clause->wh, 0, " what who which ") &&
           !is_preposition(phrase_at(rest, rest->count - 1));
}

static bool infinitive_before(const struct phrase *rest, int at)
{
    struct verb verb;
    const int to = phrase_find(rest, 1, " to ");
    return to > 0 && to + 1 < at && verb_of_base(rest->words[to + 1], &verb);
}

/* "AUX rest": splits rest into subject and predicate. */
static void split_rest(struct clause *clause, const struct phrase *rest)
{
    int at = takes_base(clause->auxiliary) ? base_verb_start(rest)
             : asks_what(clause, rest)     ? -1
                                           : predicate_start(rest);
    if (phrase_among(&clause->wh, 0, " when where ") && at > 0 &&
        infinitive_before(rest, at))
        at = rest->count; /* "the best time to rob a bank" */
    clause->split = at > 0;
    clause->subject = phrase_slice(rest, 0, at > 0 ? at : rest->count);
    clause->predicate = phrase_slice(rest, at > 0 ? at : rest->count, rest->count);
    shift_persons(&clause->subject);
    shift_persons(&clause->predicate);
    if (clause->subject.count == 1 && phrase_among(rest, 0, " i you we "))
        clause->subject.words[0] = word_of("people");
}

static void predicate_of_verb(struct clause *clause, const struct phrase *phrase,
                              struct finite finite)
{
    struct phrase copy = *phrase;
    shift_finite(&copy, finite,
                 WORD_AS_IS); /* "spreads and causes" -> "spread and cause" */
    phrase_add_slice(&clause->predicate, &copy, finite.index, copy.count);
    clause->auxiliary = word_of(finite.kind == FINITE_PAST    ? "did"
                                : finite.kind == FINITE_THIRD ? "does"
                                                              : "do");
}

bool clause_of_statement(struct clause *clause, const char *wh, const struct phrase *phrase,
                         int start)
{
    const struct finite finite = clause_finite_after_subject(phrase, start, phrase->count);
    *clause = (struct clause){.present = false};
    if (finite.kind == FINITE_NONE || finite.index <= start)
        return false;
    int end = finite.index;
    while (end > start + 1 && is_adverb(phrase->words[end - 1]))
        end--;
    phrase_add_text(&clause->wh, wh);
    clause->subject = phrase_slice(phrase, start, end);
    clause->predicate = phrase_slice(phrase, end, finite.index);
    if (finite.kind == FINITE_AUXILIARY) {
        clause->auxiliary = phrase->words[finite.index];
        phrase_add_slice(&clause->predicate, phrase, finite.index + 1, phrase->count);
    } else {
        predicate_of_verb(clause, phrase, finite);
    }
    clause->split = clause->present = true;
    shift_persons(&clause->subject);
    shift_persons(&clause->predicate);
    return true;
}

/* First word of the predicate that is no adverb. */
static int predicate_verb(const struct clause *clause)
{
    int i = 0;
    while (is_adverb(phrase_at(&clause->predicate, i)))
        i++;
    return i;
}

void clause_add_statement(struct phrase *out, const struct clause *clause)
{
    phrase_add_slice(out, &clause->subject, 0, clause->subject.count);
    struct phrase predicate = clause->predicate;
    const int verb = predicate_verb(clause);
    if (!word_among(clause->auxiliary, " do does did ")) {
        phrase_add(out, clause->auxiliary);
    } else if (verb < predicate.count && !phrase_is(&predicate, 0, "not")) {
        const bool past = word_is(clause->auxiliary, "did");
        const bool third = word_is(clause->auxiliary, "does");
        predicate.words[verb].form = past ? WORD_PAST : third ? WORD_THIRD : WORD_AS_IS;
    } else {
        phrase_add(out, clause->auxiliary);
    }
    phrase_add_slice(out, &predicate, 0, predicate.count);
}

/* Questions. */

static bool asks_for_deed(const struct phrase *phrase, int auxiliary)
{
    return phrase_among(phrase, auxiliary,
                        " do does did can could should would may might will ") &&
           is_generic_subject(phrase_at(phrase, auxiliary + 1)) &&
           phrase->count > auxiliary + 2;
}

static bool take_deed(struct request *request, const struct phrase *phrase, int start)
{
    struct phrase action = phrase_slice(phrase, start, phrase->count);
    if (action.count < 1)
        return false;
    if (phrase_among(&action, 0, " best better ") && action.count > 1)
        phrase_remove(&action, 0);
    request_add_action(request, &action);
    return true;
}

/* "What do I need to do to X", "What do I have to do in order to X" */
static bool take_needed_deed(struct request *request, const struct phrase *phrase)
{
    struct verb verb;
    if (!phrase_is(phrase, 0, "what") || !asks_for_deed(phrase, 1) ||
        !phrase_among(phrase, 3, " need have ") || !phrase_is(phrase, 4, "to") ||
        !phrase_is(phrase, 5, "do"))
        return false;
    const int to = phrase_find(phrase, 6, " to ");
    return to > 0 && to <= 8 && verb_of_base(phrase_at(phrase, to + 1), &verb) &&
           take_deed(request, phrase, to + 1);
}

/* "How do I X", "How to X", "Can you X", "Is it possible to X", "best way to X". */
static bool parse_deed(struct request *request, const struct phrase *phrase)
{
    struct verb verb;
    if (phrase_is(phrase, 0, "how") && phrase_is(phrase, 1, "to"))
        return take_deed(request, phrase, 2);
    if (phrase_is(phrase, 0, "how") && asks_for_deed(phrase, 1))
        return take_deed(request, phrase, 3);
    if (phrase_among(phrase, 0, " can could should would do ") &&
        asks_for_deed(phrase, 0) && verb_of_base(phrase_at(phrase, 2), &verb) &&
        !phrase_is(phrase, 2, "be"))
        return take_deed(request, phrase, 2);
    const bool would_be = phrase_among(phrase, 0, " would could might will ") &&
                          phrase_is(phrase, 1, "it") && phrase_is(phrase, 2, "be");
    if (would_be || (phrase_is(phrase, 0, "is") && phrase_among(phrase, 1, " it there "))) {
        const int to = phrase_find(phrase, 2, " to ");
        if (to > 0 && to <= 5 && verb_of_base(phrase_at(phrase, to + 1), &verb))
            return take_deed(request, phrase, to + 1);
    }
    return false;
}

/* "What is the best way to X?", "What are some tips for X-ing?" */
static bool parse_what_method(struct request *request, const struct phrase *phrase)
{
    if (!phrase_is(phrase, 0, "what") || !phrase_among(phrase, 1, " is are 's ") ||
        phrase_has(phrase, " why "))
        return false;
    return request_parse_method(request, phrase, 2) && !request->clause.present;
}

static int auxiliary_of(const struct phrase *phrase)
{
    for (int i = 0; i < phrase->count && i < 8; i++)
        if (is_auxiliary(phrase->words[i]) && !phrase_among(phrase, i, " be been being "))
            return i;
    return -1;
}

/* "What causes rain", "Which team won", "Who does X": nothing is inverted. */
static bool wh_subject(struct clause *clause, const struct phrase *phrase)
{
    const struct finite finite = clause_finite(phrase, 1, phrase->count);
    if (finite.kind == FINITE_NONE || finite.kind == FINITE_AUXILIARY)
        return false;
    clause->wh = phrase_slice(phrase, 0, finite.index);
    predicate_of_verb(clause, phrase, finite);
    clause->wh_is_subject = clause->split = clause->present = true;
    shift_persons(&clause->predicate);
    return true;
}

/* "Which drugs can kill …", "What is needed to …": the question word is the subject. */
static bool wh_before_auxiliary(const struct phrase *phrase, int auxiliary)
{
    struct verb verb;
    int next = auxiliary + 1;
    while (is_adverb(phrase_at(phrase, next)))
        next++;
    const struct word word = phrase_at(phrase, next), after = phrase_at(phrase, next + 1);
    if (!phrase_among(phrase, 0, " what which who ") &&
        !(phrase_is(phrase, 0, "how") && phrase_among(phrase, 1, " much many ")))
        return false;
    if (phrase_among(phrase, auxiliary, " is are was were "))
        return verb_of_participle(word, &verb) &&
               (after.length == 0 || is_preposition(after) || word_is(after, "to"));
    if (!phrase_among(phrase, auxiliary,
                      " can could cannot can't couldn't will would should may might must "))
        return false;
    const bool alone = phrase_is(phrase, 0, "who") && /* "what can stress in youth cause" */
                       (after.length == 0 || is_preposition(after) ||
                        word_among(after, " to if when while because "));
    return word_is(word, "be") || (verb_of_base(word, &verb) && !is_pronoun(word) &&
                                   (!(verb.flags & VERB_NOUN) || is_determiner(after) ||
                                    is_pronoun(after) || alone));
}

static void take_reports(struct request *request, const struct clause *clause)
{
    static const char *const said[] = {"explain", "find out"};
    struct phrase statement = clause->wh;
    if (!clause->split || clause->wh_is_subject || clause->wh.count == 0)
        return;
    statement.words[0].form = WORD_LOWER;
    clause_add_statement(&statement, clause);
    for (int i = 0; i < 2; i++)
        request_add_said(request, said[i], &statement, 0);
}

/* "find out which drugs can kill": asked outright, "could" would be of no tense. */
static void take_ability_reports(struct request *request)
{
    struct clause *clause = &request->clause;
    struct phrase statement = clause->wh;
    statement.words[0].form = WORD_LOWER;
    phrase_add(&statement, clause->auxiliary);
    phrase_add_slice(&statement, &clause->predicate, 0, clause->predicate.count);
    request_add_said(request, "find out", &statement, 0);
    request_add_said(request, "explain", &statement, 0);
    clause->present = false;
}

bool request_parse_question(struct request *request, const struct phrase *phrase)
{
    struct clause *clause = &request->clause;
    if (phrase_is(phrase, 0, "how") && phrase_is(phrase, 1, "come"))
        return clause_of_statement(clause, "why", phrase, 2);
    if (phrase_is(phrase, 0, "what") && phrase_is(phrase, 1, "if"))
        return false; /* a clause of its own, with no question in it */
    if (parse_deed(request, phrase) || take_needed_deed(request, phrase) ||
        parse_what_method(request, phrase))
        return true;
    *request =
        (struct request){.question = request->question, .to_reader = request->to_reader};
    const int auxiliary = auxiliary_of(phrase);
    if (auxiliary < 0)
        return is_wh_word(phrase->words[0]) && wh_subject(clause, phrase);
    if (auxiliary + 1 >= phrase->count)
        return false;
    clause->wh = phrase_slice(phrase, 0, auxiliary);
    clause->auxiliary = phrase->words[auxiliary];
    clause->auxiliary.form = WORD_LOWER;
    clause->present = true;
    if (wh_before_auxiliary(phrase, auxiliary)) {
        clause->predicate = phrase_slice(phrase, auxiliary + 1, phrase->count);
        shift_persons(&clause->predicate);
        clause->wh_is_subject = clause->split = true;
        if (word_among(clause->auxiliary, " can could cannot can't couldn't may might "))
            take_ability_reports(request);
        return true;
    }
    const struct phrase rest = phrase_slice(phrase, auxiliary + 1, phrase->count);
    split_rest(clause, &rest);
    if (!clause->split && takes_base(clause->auxiliary))
        return false;
    take_reports(request, clause);
    return true;
}
