#include "text/tense_frames.h"

/* What fills a frame besides the deed: times, places, people, inverted clauses. */

static const char *const past_times[] = {
    "in the 1990s",
    "in the 2000s",
    "in the past",
    "back in the day",
    "in the early 2000s",
    "in the late 1990s",
    "twenty years ago",
    "in the 2010s",
    "in earlier years",
    "a decade ago",
    "at the turn of the millennium",
    /* Before the household computer: */
    "in the 1980s",
    "in the 1970s",
    "in the 1960s",
    "in the 1950s",
    "in the late 1970s",
    "a generation ago",
    "during the Cold War",
    "in the twentieth century",
    "fifty years ago",
};
static const char *const undated_past[] = {
    "in the past",  "back then",       "at the time",       "back in the day",
    "at that time", "in those days",   "in earlier years",  "some years ago",
    "a while ago",  "in the old days", "in previous years", "years ago",
};
/* When something had happened already. */
static const char *const perfect_times[] = {
    "by the early 2000s",
    "before the turn of the millennium",
    "by the end of the 1990s",
    "before the 2010s",
    "by the mid-1990s",
    "by then",
    "before that",
    "up to that point",
    "until then",
    "by that time",
    "before the 1980s", /* before the household computer, from here */
    "by the end of the Cold War",
    "by the middle of the twentieth century",
    "before the 1970s",
    "by the late 1960s",
};
static const char *const undated_perfect[] = {
    "by then",           "before that",      "up to that point",  "until then",
    "by that time",      "before then",      "at that point",     "by that stage",
    "up to that moment", "in earlier years", "in previous years", "until that time",
};
static const char *const present_times[] = {
    "today",
    "nowadays",
    "these days",
    "at present",
    "in this day and age",
    "in everyday life",
    "at the moment",
    "in our time",
    "in the present day",
    "in modern times",
    "in the world of today",
    "in the 2020s",
};
static const char *const future_times[] = {
    "in the future",
    "in 2050",
    "in the years to come",
    "in the 2040s",
    "in the coming decades",
    "a hundred years from now",
    "in the near future",
    "fifty years from now",
    "in 2075",
    "in the next century",
    "in the distant future",
    "in the next decade",
};
static const char *const undated_future[] = {
    "in the future",
    "in the years to come",
    "in the coming years",
    "in the near future",
    "some day",
    "in the years ahead",
    "one day",
    "in times to come",
    "from now on",
    "in the distant future",
    "later on",
    "in the long run",
};
static const char *const places[] = {
    "in Eastern Europe", "in South America",  "in Southeast Asia", "in Western Europe",
    "in North America",  "in West Africa",    "in big cities",     "in small towns",
    "in rural areas",    "in many countries", "in Central Asia",   "in some places",
};

enum {
    MODERN_TIMES = 11,
    TIMES = 20,
    OTHER_TIMES = 12,
    MODERN_PERFECT_TIMES = 10,
    PERFECT_TIMES = 15
};

/* Things that the computer age brought: no 1950s for them. */
static const char modern_words[] =
    " computer computers software malware ransomware virus website websites online "
    "internet "
    "web app apps email emails e-mail script scripts program programs python code "
    "algorithm "
    "hack hackers server network database databases phishing spam twitter facebook amazon "
    "instagram tiktok youtube reddit blog thread social digital cyber ddos keylogger "
    "password passwords bot bots botnet deepfake deepfakes cryptocurrency bitcoin phone "
    "smartphone video videos ai 5g covid-19 gps drone drones laptop linux windows usb wifi "
    "wi-fi router spreadsheet excel atm credit trojan rootkit login streaming podcast "
    "browser hashtag influencer antivirus cyberattack cyberbullying cyberbully cyberstalk "
    "terminal sudo user users data electronic text texts post ";

static bool mentions(const struct request *request, const char *list)
{
    for (int i = 0; i < request->action_count; i++)
        if (phrase_has(&request->actions[i], list))
            return true;
    return request->clause.present && (phrase_has(&request->clause.subject, list) ||
                                       phrase_has(&request->clause.predicate, list));
}

static bool phrase_dated(const struct phrase *phrase)
{
    for (int i = 0; i < phrase->count; i++) {
        const struct word word = phrase->words[i];
        if (word.length >= 4 && (word.text[0] == '1' || word.text[0] == '2') &&
            word.text[3] >= '0' && word.text[3] <= '9')
            return true;
    }
    return phrase_has(phrase, " century today nowadays currently century, ago decades ");
}

static bool dated(const struct request *request)
{
    for (int i = 0; i < request->action_count; i++)
        if (phrase_dated(&request->actions[i]))
            return true;
    return request->clause.present && (phrase_dated(&request->clause.subject) ||
                                       phrase_dated(&request->clause.predicate));
}

int time_phrase_count(const struct request *request, enum tense tense)
{
    if (tense == TENSE_PRESENT || tense == TENSE_FUTURE || dated(request))
        return OTHER_TIMES;
    if (tense == TENSE_PAST_PERFECT)
        return mentions(request, modern_words) ? MODERN_PERFECT_TIMES : PERFECT_TIMES;
    return mentions(request, modern_words) ? MODERN_TIMES : TIMES;
}

const char *time_phrase(const struct request *request, enum tense tense, int64_t index)
{
    const int at = (int)(index % time_phrase_count(request, tense));
    if (tense == TENSE_PRESENT)
        return present_times[at];
    if (tense == TENSE_FUTURE)
        return dated(request) ? undated_future[at] : future_times[at];
    if (tense == TENSE_PAST_PERFECT)
        return dated(request) ? undated_perfect[at] : perfect_times[at];
    return dated(request) ? undated_past[at] : past_times[at];
}

const char *place_phrase(uint64_t index)
{
    return places[index % (sizeof places / sizeof places[0])];
}

/* Who typically does what: verb, its doers. */
static const char *const doers[][2] = {
    {"hack", "hackers"},
    {"write", "writers"},
    {"forge", "forgers"},
    {"steal", "thieves"},
    {"smuggle", "smugglers"},
    {"launder", "criminals"},
    {"bake", "bakers"},
    {"cook", "cooks"},
    {"farm", "farmers"},
    {"grow", "gardeners"},
    {"build", "builders"},
    {"paint", "painters"},
    {"teach", "teachers"},
    {"design", "designers"},
    {"develop", "developers"},
    {"program", "programmers"},
    {"brew", "brewers"},
    {"counterfeit", "counterfeiters"},
    {"draft", "writers"},
    {"kidnap", "kidnappers"},
    {"traffic", "traffickers"},
    {"hijack", "hijackers"},
    {"sew", "tailors"},
    {"train", "trainers"},
    {"photograph", "photographers"},
    {"scam", "scammers"},
    {"bribe", "criminals"},
    {"blackmail", "blackmailers"},
    {"extort", "extortionists"},
    {"rob", "robbers"},
};

static const char *doers_of(const struct phrase *action)
{
    const int count = (int)(sizeof doers / sizeof doers[0]);
    for (int i = 0; i < count; i++)
        if (phrase_is(action, 0, doers[i][0]))
            return doers[i][1];
    return "people";
}

static bool mentions_word(const struct phrase *phrase, const char *literal)
{
    for (int i = 0; i < phrase->count; i++)
        if (phrase_is(phrase, i, literal))
            return true;
    return false;
}

struct phrase frame_subject(const struct request *request, const struct phrase *action,
                            uint64_t choice, bool *plural)
{
    const char *names[] = {"people", "individuals", doers_of(action), "someone",
                           "people", "some people", "people"};
    struct phrase subject = {.count = 0};
    if (request->subject.count > 0) {
        *plural = noun_phrase_is_plural(&request->subject, 0, request->subject.count);
        return request->subject;
    }
    for (int i = 0; i < 7 && subject.count == 0; i++) {
        const char *name = names[(choice + (uint64_t)i) % 7];
        const bool people = text_ends_with(name, " people");
        if (!mentions_word(action, people ? "people" : name))
            phrase_add_text(&subject, name);
    }
    if (subject.count == 0)
        phrase_add_text(&subject, "people");
    *plural = !phrase_is(&subject, 0, "someone");
    return subject;
}

/* Clauses. */

static bool is_be(struct word word)
{
    return word_among(word, " is are am was were isn't aren't wasn't weren't ");
}

bool clause_fits(const struct clause *clause, enum tense tense)
{
    if (!clause->present)
        return false;
    if (tense == TENSE_PAST)
        return true;
    if (clause->wh_is_subject)
        return true;
    if (clause->split)
        return !word_among(clause->auxiliary, " had would ");
    return is_be(clause->auxiliary) &&
           (tense == TENSE_PRESENT || phrase_among(&clause->wh, 0, " what who "));
}

static const char *auxiliary_in(const struct clause *clause, enum tense tense)
{
    const bool plural = noun_phrase_is_plural(&clause->subject, 0, clause->subject.count) ||
                        phrase_among(&clause->subject, 0, " i you we they ");
    if (tense == TENSE_FUTURE)
        return "will";
    if (is_be(clause->auxiliary) && tense == TENSE_PRESENT)
        return word_among(clause->auxiliary, " is was isn't wasn't ") ? "is" : "are";
    if (is_be(clause->auxiliary))
        return word_among(clause->auxiliary, " is am was isn't wasn't ") ? "was" : "were";
    if (word_among(clause->auxiliary, " should would may might must shall ") ||
        word_among(clause->auxiliary, " do does did "))
        return tense == TENSE_PAST ? "did" : plural ? "do" : "does";
    return NULL; /* the past form or the word itself */
}

/* What the future puts between subject and predicate: will … be, have, be able to. */
static void add_future_verb(struct phrase *out, const struct clause *clause)
{
    if (is_be(clause->auxiliary))
        phrase_add_text(out, "be");
    else if (word_among(clause->auxiliary, " has have had "))
        phrase_add_text(out, "have");
    else if (word_among(clause->auxiliary, " can could can't cannot "))
        phrase_add_text(out, "be able to");
}

static bool is_negative(struct word word)
{
    return word_ends(word, "n't") || word_is(word, "cannot");
}

static void add_inverted(struct phrase *out, const struct clause *clause, enum tense tense)
{
    const char *auxiliary = auxiliary_in(clause, tense);
    const struct word past = past_auxiliary(clause->auxiliary);
    if (auxiliary)
        phrase_add_text(out, auxiliary);
    else if (is_negative(clause->auxiliary) && tense == TENSE_PAST)
        phrase_add_text(out,
                        word_among(clause->auxiliary, " can't cannot ") ? "could" : "did");
    else
        phrase_add(out, tense == TENSE_PAST ? past : clause->auxiliary);
    phrase_add_slice(out, &clause->subject, 0, clause->subject.count);
    if (is_negative(clause->auxiliary) && (auxiliary || tense == TENSE_PAST))
        phrase_add_text(out, "not");
    if (tense == TENSE_FUTURE)
        add_future_verb(out, clause);
}

static bool wh_is_plural(const struct clause *clause)
{
    return noun_is_plural(phrase_at(&clause->wh, clause->wh.count - 1)) ||
           phrase_is(&clause->wh, clause->wh.count - 1, "many");
}

/* "should be", "would kill" without the mood: "was", "killed". */
static void add_wh_plain(struct phrase *out, const struct clause *clause, enum tense tense)
{
    const bool past = tense == TENSE_PAST, plural = wh_is_plural(clause);
    struct phrase rest = clause->predicate;
    int verb = 0;
    if (past)
        shift_past(&rest);
    while (is_adverb(phrase_at(&rest, verb)))
        verb++;
    if (tense == TENSE_FUTURE) {
        phrase_add_text(out, "will");
    } else if (phrase_is(&rest, verb, "be")) {
        phrase_add_text(out, past ? plural ? "were" : "was" : plural ? "are" : "is");
        phrase_remove(&rest, verb);
    } else if (phrase_is(&rest, 0, "not")) {
        phrase_add_text(out, past ? "did" : plural ? "do" : "does");
    } else if (verb < rest.count) {
        rest.words[verb].form = past ? WORD_PAST : plural ? WORD_AS_IS : WORD_THIRD;
    }
    phrase_add_slice(out, &rest, 0, rest.count);
}

/* "what is needed", "which drugs would kill": what the auxiliary becomes, then the
 * predicate. */
static void add_wh_auxiliary(struct phrase *out, const struct clause *clause,
                             enum tense tense)
{
    if (!is_be(clause->auxiliary)) {
        add_wh_plain(out, clause, tense);
        return;
    }
    if (tense == TENSE_FUTURE) {
        phrase_add_text(out, "will");
        add_future_verb(out, clause);
    } else {
        phrase_add_text(out, auxiliary_in(clause, tense));
    }
    struct phrase predicate = clause->predicate;
    if (tense == TENSE_PAST)
        shift_past(&predicate);
    phrase_add_slice(out, &predicate, 0, predicate.count);
}

static void add_wh_subject(struct phrase *out, const struct clause *clause,
                           enum tense tense)
{
    struct phrase predicate = clause->predicate;
    if (!word_among(clause->auxiliary, " do does did ")) {
        add_wh_auxiliary(out, clause, tense);
        return;
    }
    if (tense == TENSE_PAST)
        shift_past(&predicate); /* "happens if you mix" */
    if (tense == TENSE_FUTURE)
        phrase_add_text(out, "will");
    else if (predicate.count > 0)
        predicate.words[0].form =
            tense == TENSE_PAST ? WORD_PAST
            : word_is(clause->auxiliary, "do") ||
                    noun_is_plural(phrase_at(&clause->wh, clause->wh.count - 1))
                ? WORD_AS_IS
                : WORD_THIRD;
    phrase_add_slice(out, &predicate, 0, predicate.count);
}

/* "should taxes be abolished" is asked as "are taxes abolished" is. */
static void drop_mood(struct clause *clause)
{
    struct phrase *predicate = &clause->predicate;
    int verb = 0;
    while (is_adverb(phrase_at(predicate, verb)))
        verb++;
    if (!word_among(clause->auxiliary, " should would may might must shall ") ||
        !phrase_is(predicate, verb, "be"))
        return;
    phrase_remove(predicate, verb);
    const bool plural = noun_phrase_is_plural(&clause->subject, 0, clause->subject.count) ||
                        phrase_among(&clause->subject, 0, " i you we they ");
    clause->auxiliary = word_of(plural ? "are" : "is");
}

struct phrase clause_question(const struct clause *clause, enum tense tense)
{
    struct phrase question = clause->wh;
    if (question.count > 0 && question.words[0].form == WORD_AS_IS)
        question.words[0].form = WORD_LOWER;
    if (clause->wh_is_subject) {
        add_wh_subject(&question, clause, tense);
        return question;
    }
    struct clause shifted = *clause;
    drop_mood(&shifted);
    if (tense == TENSE_PAST) {
        shift_past(&shifted.subject);
        shift_past(&shifted.predicate);
    }
    add_inverted(&question, &shifted, tense);
    phrase_add_slice(&question, &shifted.predicate, 0, shifted.predicate.count);
    return question;
}
