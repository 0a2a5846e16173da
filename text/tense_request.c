#include "text/tense_request.h"
#include "text/tense_address.h"

#include <string.h>

/* Words that ask politely and say nothing; longest first. */
static const char *const politeness[] = {
    "i would like you to",
    "i'd like you to",
    "i want you to",
    "i need you to",
    "can you please",
    "could you please",
    "would you please",
    "will you please",
    "can someone please",
    "could someone please",
    "can someone",
    "could someone",
    "can anyone",
    "could anyone",
    "can you tell me",
    "could you tell me",
    "please tell me",
    "i would like to know",
    "i'd like to know",
    "i want to know",
    "i need to know",
    "i would like to learn",
    "i'd like to learn",
    "i want to learn",
    "i need to learn",
    "i would like to",
    "i'd like to",
    "i want to",
    "i need to",
    "i am trying to",
    "i'm trying to",
    "do you know",
    "let me know",
    "tell me",
    "could you",
    "would you",
    "will you",
    "can you",
    "please",
    "kindly",
    "hello",
    "hey",
    "hi",
    "also",
    "help me to",
    "help me",
    "let's",
    "now",
    "so",
};

/* Verbs that ask for a text or a thing rather than name the deed. */
static const char presenting_verbs[] =
    " write give provide create draft develop design list outline offer share teach "
    "instruct show tell suggest generate produce make guide demonstrate prepare compose "
    "present detail discuss illustrate publish post educate recommend explain describe "
    "train advise propose build formulate invent summarize identify name analyze craft "
    "supply send find help construct record film argue prove devise walk ";
static const char teaching_verbs[] =
    " teach instruct show tell guide educate advise help walk ask ";

/* Two-word verbs have a space; they count as one word. */
static const char *const other_makers[][2] = {
    {"write", "put together"}, {"draft", "put together"},   {"compose", "write"},
    {"create", "make"},        {"develop", "create"},       {"design", "create"},
    {"generate", "create"},    {"produce", "put together"}, {"build", "put together"},
    {"craft", "create"},       {"give", "come up with"},    {"provide", "come up with"},
    {"offer", "present"},      {"share", "present"},        {"list", "identify"},
    {"outline", "draw up"},    {"make", "put together"},    {"suggest", "come up with"},
};

static int match_words(const struct phrase *phrase, const char *literal)
{
    int i = 0;
    while (*literal) {
        const struct word want = {.text = literal, .length = (int)strcspn(literal, " ")};
        const struct word have = phrase_at(phrase, i);
        if (have.length != want.length ||
            strncasecmp(have.text, want.text, (size_t)want.length) != 0)
            return 0;
        i++;
        literal += want.length;
        literal += strspn(literal, " ");
    }
    return i;
}

static void strip_politeness(struct phrase *phrase)
{
    for (size_t k = 0; k < sizeof politeness / sizeof politeness[0]; k++) {
        const int count = match_words(phrase, politeness[k]);
        if (count == 0 || count >= phrase->count)
            continue;
        int start = count;
        while (is_comma(phrase_at(phrase, start)))
            start++;
        *phrase = phrase_slice(phrase, start, phrase->count);
        k = (size_t)-1;
    }
    if (phrase->count > 2 && phrase_is(phrase, phrase->count - 1, "please"))
        phrase->count -= is_comma(phrase->words[phrase->count - 2]) ? 2 : 1;
}

void request_add_action(struct request *request, const struct phrase *action)
{
    if (request->action_count >= ACTIONS_MAX || action->count < 1)
        return;
    struct phrase *added = &request->actions[request->action_count++];
    *added = *action;
    struct verb verb;
    if (request->to_reader)
        shift_to_reader(added);
    else
        shift_persons(added);
    if (verb_of_base(added->words[0], &verb))
        added->words[0] = verb.base;
    else if (added->words[0].form == WORD_AS_IS)
        added->words[0].form = WORD_LOWER;
}

void request_add_said(struct request *request, const char *said,
                      const struct phrase *phrase, int start)
{
    struct phrase action = {.count = 0};
    while (*said) {
        const int length = (int)strcspn(said, " ");
        phrase_add(&action, (struct word){.text = said, .length = length});
        said += length;
        said += strspn(said, " ");
    }
    phrase_add_slice(&action, phrase, start, phrase->count);
    request_add_action(request, &action);
}

/* The noun phrase at `start` as plural words: "a blog post" -> "blog posts". */
static void add_plural(struct phrase *out, const struct phrase *phrase, int start, int end)
{
    const int head = noun_phrase_head(phrase, start, end);
    const bool article = phrase_among(phrase, start, " a an ");
    for (int i = article ? start + 1 : start; i < end; i++) {
        struct word word = phrase->words[i];
        if (article && i == head && !noun_is_mass(word) && !noun_is_plural(word))
            word.form = WORD_PLURAL;
        phrase_add(out, word);
    }
}

/* "use blog posts to promote …" from "a blog post that promotes …". */
static void add_use(struct request *request, const struct phrase *phrase, int start,
                    int end, const struct phrase *deed)
{
    struct phrase action = {.count = 0};
    phrase_add_text(&action, "use");
    add_plural(&action, phrase, start, end);
    phrase_add_text(&action, "to");
    phrase_add_slice(&action, deed, 0, deed->count);
    request_add_action(request, &action);
}

/* The relative clause at `that` as a deed in base form; empty if it is none. */
static struct phrase deed_of_relative(const struct phrase *phrase, int that)
{
    struct phrase deed = phrase_slice(phrase, that + 1, phrase->count);
    struct finite finite = clause_finite(&deed, 0, deed.count);
    int start = 0;
    while (is_adverb(phrase_at(&deed, start)))
        start++;
    if (finite.kind == FINITE_NONE || finite.index != start) {
        deed.count = 0;
    } else if (finite.kind == FINITE_AUXILIARY) {
        const bool modal =
            phrase_among(&deed, finite.index, " can could will would might ");
        const bool passive = phrase_is(&deed, start + 1, "be");
        const bool used = passive && phrase_is(&deed, start + 2, "used") &&
                          phrase_is(&deed, start + 3, "to");
        const int from = used ? start + 4 : start + 1;
        deed = phrase_slice(&deed, modal && (used || !passive) ? from : deed.count,
                            deed.count);
    } else if (finite.kind == FINITE_THIRD) {
        shift_finite(&deed, finite, WORD_AS_IS);
    }
    return deed;
}

/* The participle clause at i: "convincing children to eat …" as a deed. */
static struct phrase deed_of_participle(const struct phrase *phrase, int i)
{
    struct phrase deed = phrase_slice(phrase, i, phrase->count);
    if (!base_of_gerunds(&deed, 0) ||
        phrase_among(&deed, 0, " use include involve pose aim contain "))
        deed.count = 0;
    return deed;
}

static void add_object_deed(struct request *request, const struct phrase *phrase,
                            int object)
{
    const int end = noun_phrase_end(phrase, object, false);
    struct phrase deed = {.count = 0};
    if (end <= object || !is_determiner(phrase_at(phrase, object)))
        if (!noun_is_mass(phrase_at(phrase, end - 1)))
            return;
    if (phrase_among(phrase, end, " that which "))
        deed = deed_of_relative(phrase, end);
    else if (phrase_at(phrase, end).length > 0)
        deed = deed_of_participle(phrase, end);
    if (deed.count > 0 && !phrase_is(&deed, 0, "use"))
        add_use(request, phrase, object, end, &deed);
}

/* "claiming that C" inside an article: people argued that C. */
static void add_claim(struct request *request, const struct phrase *phrase, int start)
{
    static const char sayings[] = " claiming arguing asserting alleging stating suggesting "
                                  "explaining saying insisting ";
    const int said = phrase_find(phrase, start, sayings);
    if (said < 0 ||
        phrase_among(phrase, said + 1, " how why what where when who which whether to in "))
        return;
    const int clause = phrase_is(phrase, said + 1, "that") ? said + 2 : said + 1;
    if (clause_finite(phrase, clause, phrase->count).kind == FINITE_NONE)
        return;
    request_add_said(request, "argue that", phrase, clause);
    request_add_said(request, "make the case that", phrase, clause);
}

static void add_maker(struct request *request, const struct phrase *phrase, int object)
{
    const int count = (int)(sizeof other_makers / sizeof other_makers[0]);
    const struct phrase *first = &request->actions[0];
    if (is_comma(phrase_at(phrase, object)) || is_conjunction(phrase_at(phrase, object)))
        return; /* "build, test and deploy …" */
    for (int i = 0; i < count; i++)
        if (phrase_is(first, 0, other_makers[i][0])) {
            request_add_said(request, other_makers[i][1], phrase, object);
            return;
        }
}

/* "a malware" -> "malware": the article of a mass noun is dropped. */
static void mend_mass_article(struct phrase *phrase)
{
    for (int i = 0; i + 1 < phrase->count; i++)
        if (phrase_among(phrase, i, " a an ") &&
            noun_is_mass(phrase->words[noun_phrase_head(
                phrase, i, noun_phrase_end(phrase, i, false))]) &&
            word_ends(phrase->words[noun_phrase_head(phrase, i,
                                                     noun_phrase_end(phrase, i, false))],
                      "ware"))
            phrase_remove(phrase, i);
}

/* A text or a thing is asked for: "Write a keylogger script". */
static void take_artifact(struct request *request, const struct phrase *phrase, int verb,
                          int object)
{
    struct phrase action = phrase_slice(phrase, verb, verb + 1);
    phrase_add_slice(&action, phrase, object, phrase->count);
    cut_tail(&action);
    request_add_action(request, &action);
    struct phrase rest = phrase_slice(phrase, object, phrase->count);
    cut_tail(&rest);
    add_object_deed(request, &rest, 0);
    add_claim(request, &rest, 0);
    add_maker(request, &rest, 0);
    if (phrase_among(phrase, verb, " list name identify give suggest recommend provide ") &&
        noun_phrase_is_plural(&rest, 0, noun_phrase_end(&rest, 0, false))) {
        request->nouns = rest;
        shift_persons(&request->nouns);
    }
}

/* Where the object begins after "give me", "provide me with", "teach people". */
static int skip_recipient(const struct phrase *phrase, int verb)
{
    int i = verb + 1;
    if (phrase_is(phrase, i, "to") && phrase_among(phrase, i + 1, " me us "))
        i++;
    if (phrase_among(phrase, i, " me us him her them "))
        i++;
    if (i > verb + 1 && phrase_is(phrase, i, "with"))
        i++;
    return i;
}

/* "Instruct the user to steal …". */
static bool take_instructed(struct request *request, const struct phrase *phrase, int verb)
{
    struct verb known;
    const int end = noun_phrase_end(phrase, verb + 1, false);
    if (!phrase_among(phrase, verb, teaching_verbs) || !phrase_is(phrase, end, "to") ||
        !verb_of_base(phrase_at(phrase, end + 1), &known))
        return false;
    struct phrase action = phrase_slice(phrase, end + 1, phrase->count);
    for (int i = 0; i < action.count; i++) /* "my dad to cheat on his taxes" */
        if (phrase_among(&action, i, " his her "))
            action.words[i] = word_of("their");
    request_add_action(request, &action);
    return true;
}

static bool take_that(struct request *request, const struct phrase *phrase, int object)
{
    static const char *const said[] = {"argue that", "claim that", "make the case that",
                                       "convince others that"};
    static const char *const wished[] = {"recommend that", "propose that"};
    const bool wish =
        phrase_among(phrase, object - 1, " recommend suggest propose advise ");
    if (!phrase_is(phrase, object, "that") ||
        clause_finite(phrase, object + 1, phrase->count).kind == FINITE_NONE)
        return false;
    for (int i = 0; i < (wish ? 2 : 4); i++)
        request_add_said(request, wish ? wished[i] : said[i], phrase, object + 1);
    return true;
}

/* "Advise me on buying …", "Walk me through buying …" */
static bool take_advised(struct request *request, const struct phrase *phrase, int object)
{
    struct phrase action = phrase_slice(phrase, object + 1, phrase->count);
    if (!phrase_among(phrase, object, " on about in through ") ||
        !base_of_gerunds(&action, 0))
        return false;
    request_add_action(request, &action);
    return true;
}

static bool parse_presenting(struct request *request, const struct phrase *phrase, int verb)
{
    const int object = skip_recipient(phrase, verb);
    if (object >= phrase->count)
        return false;
    if (take_that(request, phrase, object) || take_advised(request, phrase, object) ||
        request_parse_method(request, phrase, object) ||
        take_instructed(request, phrase, verb))
        return true;
    take_artifact(request, phrase, verb, object);
    return true;
}

static bool parse_imperative(struct request *request, const struct phrase *phrase)
{
    struct verb known;
    int verb = 0;
    while (is_adverb(phrase_at(phrase, verb)) && verb + 1 < phrase->count)
        verb++;
    if (phrase_among(phrase, verb, presenting_verbs))
        return parse_presenting(request, phrase, verb);
    if (verb_of_base(phrase_at(phrase, verb), &known)) {
        const bool noun = known.flags & VERB_NOUN;
        if (noun &&
            (phrase->count == verb + 1 ||
             (phrase->count == verb + 2 &&
              phrase_among(phrase, verb + 1, " recipe tutorial guide instructions "))))
            return false; /* "bomb", "bomb recipe" */
        struct phrase action = phrase_slice(phrase, 0, phrase->count);
        cut_tail(&action);
        request_add_action(request, &action);
        return true;
    }
    return request_parse_method(request, phrase, 0);
}

/* "Given this text, what …", "Don't hold back: explain …": where the request proper begins,
 * or 0. */
static int preamble_end(const struct phrase *phrase)
{
    const struct word first = phrase_at(phrase, 0);
    struct verb verb;
    if (!is_preposition(first) &&
        !word_among(first, " given based according if considering "
                           "assuming back when suppose because don't never "))
        return 0;
    for (int i = 1; i + 2 < phrase->count; i++) {
        const struct word next = phrase->words[i + 1];
        const bool begins = (is_wh_word(next) && !word_among(next, " which who whose ")) ||
                            (is_auxiliary(next) && is_pronoun(phrase_at(phrase, i + 2))) ||
                            (verb_of_base(next, &verb) && !(verb.flags & VERB_NOUN)) ||
                            word_is(next, "please");
        if (is_comma(phrase->words[i]) && begins)
            return i + 1;
    }
    return 0;
}

static bool parse_sentence(struct request *request, const struct phrase *phrase)
{
    const struct word first = phrase_at(phrase, 0);
    struct verb verb;
    const bool forbids =
        (word_is(first, "don't") && verb_of_base(phrase_at(phrase, 1), &verb)) ||
        (word_is(first, "do") && phrase_among(phrase, 1, " not never "));
    if (forbids)
        return false; /* it asks for nothing */
    if (is_wh_word(first) || is_auxiliary(first))
        if (!(phrase_is(phrase, 0, "do") && !is_pronoun(phrase_at(phrase, 1))))
            return request_parse_question(request, phrase);
    return parse_imperative(request, phrase);
}

bool request_parse(struct request *request, struct sentence *sentence, const char *text,
                   bool to_reader)
{
    const char *cursor = text;
    while (sentence_next(sentence, &cursor)) {
        struct phrase phrase = sentence->phrase;
        *request = (struct request){.question = sentence->question, .to_reader = to_reader};
        phrase = phrase_slice(&phrase, preamble_end(&phrase), phrase.count);
        if (address_sets_stage(&phrase) && *cursor)
            continue;
        address_cut(&phrase);
        strip_politeness(&phrase);
        mend_mass_article(&phrase);
        if (parse_sentence(request, &phrase))
            return true;
    }
    *request = (struct request){.question = false};
    return false;
}
