#include "data_gen/leak_frame.h"

#include "text/english.h"

#include <stdio.h>
#include <string.h>

enum role {
    ASKS = 1 << 0,
    ACTIVE = 1 << 1,  /* auxiliaries with the doer behind them */
    PASSIVE = 1 << 2, /* and with the object */
    BREAKS = 1 << 3,  /* no noun phrase goes over it */
    PLACES = 1 << 4,  /* prepositions before a place */
    WHEN = 1 << 5,    /* before a time */
    LASTS = 1 << 6,   /* before a time, whatever it is */
    TIME = 1 << 7,    /* nouns */
    AGO = 1 << 8,     /* behind a time */
    AMOUNT = 1 << 9,  /* of time */
    OLDEN = 1 << 10,  /* adjectives before a place */
    ONE = 1 << 11,    /* articles of the singular */
    DOER = 1 << 12,   /* one, with an article */
    DOERS = 1 << 13,
    WRONG = 1 << 14, /* who does wrong */
    BY = 1 << 15,
    FOR = 1 << 16,
    TO = 1 << 17,
    OPENS = 1 << 18, /* "teach me", "show how" */
    ASKER = 1 << 19,
};

static const struct role_words {
    unsigned roles;
    const char *words;
} known[] = {
    {ASKS | BREAKS, "how what which where why when who"},
    {ACTIVE | BREAKS, "did had would will could might"},
    {PASSIVE | BREAKS, "was were been be being"},
    {PLACES | WHEN | BREAKS, "in at on under around across"},
    {LASTS | WHEN | BREAKS, "during throughout before"},
    {WHEN | BREAKS, "after until since of from"},
    {BREAKS, "with without into against about through via and or but if because while than "
             "as that do does is are have has can he she it they we you i his her its "
             "their our my your this these those not"},
    {BY | BREAKS, "by"},
    {FOR | BREAKS, "for"},
    {TO | BREAKS, "to"},
    {OPENS, "show teach instruct"},
    {ASKER, "me us how"},
    {ONE, "a an some"},
    {TIME, "era eras age ages times time days years decade decades century centuries "
           "generation generations period periods epoch war wars wartime peacetime reign "
           "regime rule empire depression prohibition renaissance antiquity millennium "
           "twenties thirties forties fifties sixties seventies eighties nineties "
           "noughties revolution pandemic lockdown lockdowns while week weeks month "
           "months moment yesteryear past end turn dawn height heyday beginning"},
    {AGO, "ago back earlier before"},
    {AMOUNT, "half two three four five six seven eight nine ten dozen couple"},
    {OLDEN, "ancient medieval wartime colonial imperial tsarist soviet victorian old "
            "modern early rural"},
    {DOERS, "people persons individuals men women someone somebody anyone everyone police "
            "staff folk kids teens youths children authorities families households romans "
            "greeks americans germans"},
    {DOERS | WRONG, "mob mafia"},
    {DOER | WRONG,
     "criminal crook thief gang gangster mobster bandit villain culprit "
     "perpetrator offender terrorist hacker attacker burglar robber smuggler "
     "fraudster scammer swindler forger counterfeiter trafficker arsonist saboteur "
     "vandal thug murderer killer kidnapper blackmailer spammer conman intruder "
     "wrongdoer lawbreaker evildoer delinquent hoodlum felon outlaw racketeer"},
    {DOER, "spy voyeur addict inmate convict fugitive pirate rival pupil student kid "
           "teen youth parent father mother husband wife boy girl son daughter relative "
           "heir household family couple neighbour neighbor colleague boss clerk cop "
           "soldier official agent merchant accountant assistant consultant informant "
           "migrant immigrant refugee peasant servant tenant patient client candidate "
           "applicant employee intern nurse coach athlete monk priest nun king queen "
           "noble knight slave citizen guy local resident nazi communist partisan rebel "
           "guerrilla insurgent assassin artist cartel syndicate clan cult sect company "
           "firm business corporation bank casino hospital clinic government army agency "
           "school pickpocket attendant quack shaman extremist fanatic supremacist "
           "skinhead mercenary artisan chef guard crew troop pilot scribe thane lord "
           "lady bully cheat truant suspect veteran expert specialist individual person "
           "junkie detective executive captain magnate mogul tycoon peddler"},
};

/* "thieves" -> "thief", "families" -> "family", "salesmen" -> "salesman", "spies" -> "spy";
 * else less its s. False if there is none. */
static bool singular_of(char *word, size_t bytes, const char *plural)
{
    static const char *const changes[][2] = {
        {"ies", "y"},   {"eves", "ef"}, {"ives", "ife"}, {"men", "man"},
        {"sses", "ss"}, {"ches", "ch"}, {"s", ""}};
    const size_t length = strlen(plural);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const size_t end = strlen(changes[i][0]);
        if (length <= end + 1 || strcmp(plural + length - end, changes[i][0]) != 0)
            continue;
        snprintf(word, bytes, "%.*s%s", (int)(length - end), plural, changes[i][1]);
        return true;
    }
    return false;
}

/* An ending of words for those who do something. */
static bool is_agent(const char *singular)
{
    static const char *const endings[] = {"er", "or", "ist", "ian", "man", "eur", "smith"};
    const size_t length = strlen(singular);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (length >= strlen(endings[i]) + 3 && word_ends(word_of(singular), endings[i]))
            return true;
    return false;
}

static unsigned doer_roles(const struct string_table *table, const char *word)
{
    char singular[LEAK_STEM_BYTES];
    if (is_agent(word))
        return DOER;
    if (!singular_of(singular, sizeof singular, word))
        return 0;
    const unsigned roles = leak_frame_roles(table, singular);
    return roles & (DOER | DOERS) ? DOERS | (roles & WRONG) : 0;
}

void leak_frame_roles_add(struct string_table *table)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        for (const char *at = known[i].words; *at; at += *at == ' ') {
            const size_t length = strcspn(at, " ");
            bool added;
            struct string_entry *entry = string_table_add(table, at, length, 0, &added);
            entry->value |= (int32_t)known[i].roles;
            at += length;
        }
}

unsigned leak_frame_roles(const struct string_table *table, const char *word)
{
    const size_t length = strlen(word);
    const struct string_entry *entry = string_table_find(table, word, length);
    if (entry || length >= LEAK_STEM_BYTES)
        return entry ? (unsigned)entry->value : 0;
    return doer_roles(table, word);
}

/* A clause: words [start, end) of a text. */
struct clause {
    struct leak_word *words;
    size_t start;
    size_t end;
};

static unsigned roles_at(const struct clause *clause, size_t i)
{
    return i < clause->end ? clause->words[i].roles : BREAKS;
}

static void mark(const struct clause *clause, size_t start, size_t end,
                 enum leak_frame frame)
{
    for (size_t i = start; i < end; i++)
        if (clause->words[i].frame == LEAK_FRAME_NONE)
            clause->words[i].frame = frame;
}

/* Behind the doers that the words from `start` name, `start` if they name none. */
static size_t doers_end(const struct clause *clause, size_t start)
{
    enum { WORDS_MAX = 5 };
    bool is_one = false;
    for (size_t i = start; i < start + WORDS_MAX; i++) {
        const unsigned roles = roles_at(clause, i);
        const unsigned wanted = is_one ? DOER | DOERS : DOERS;
        if (roles & BREAKS)
            return start;
        is_one = is_one || (roles & ONE);
        if (!(roles & wanted))
            continue;
        while (roles_at(clause, i + 1) & wanted) /* "police officers", "drug dealers" */
            i++;
        return i + 1;
    }
    return start;
}

/* Their own word may be any wrongdoer's; what stands before it ("bank robbers") may say
 * what they did, and is somebody's in particular. */
static void doers_mark(const struct clause *clause, size_t start, size_t end)
{
    for (size_t i = start; i < end; i++)
        mark(clause, i, i + 1,
             clause->words[i].roles & WRONG ? LEAK_FRAME_GENERIC : LEAK_FRAME_NAMED);
}

static void who_mark(const struct clause *clause, size_t at)
{
    const unsigned roles = roles_at(clause, at);
    const size_t end = doers_end(clause, at + 1);
    const unsigned next = roles_at(clause, end);
    if ((roles & ACTIVE) && !(next & PASSIVE))
        doers_mark(clause, at + 1, end);
    if ((roles & FOR) && (next & TO))
        doers_mark(clause, at + 1, end);
    if (roles & BY)
        doers_mark(clause, at + 1, end);
}

/* Of the words behind a preposition up to the next one, those up to the last that is a
 * time. Where the preposition stands before times only and none is known, all, if the deed
 * was named before: "before barcodes". */
static void when_mark(const struct clause *clause, size_t at, bool has_deed)
{
    enum { STEMS_MAX = 3 };
    size_t end = at + 1;
    size_t stems = 0;
    size_t i = at + 1;
    for (; !(roles_at(clause, i) & BREAKS) && stems <= STEMS_MAX; i++) {
        stems += clause->words[i].stem >= 0;
        if (roles_at(clause, i) & TIME && stems <= STEMS_MAX)
            end = i + 1;
    }
    if (end == at + 1 && (roles_at(clause, at) & LASTS) && stems <= STEMS_MAX && has_deed)
        end = i;
    mark(clause, at + 1, end, LEAK_FRAME_NAMED);
}

/* "half a century ago" */
static void ago_mark(const struct clause *clause, size_t at)
{
    enum { WORDS_MAX = 4 };
    if (at == clause->start || !(roles_at(clause, at - 1) & TIME))
        return;
    for (size_t i = at; i > clause->start && at - i < WORDS_MAX; i--)
        if (roles_at(clause, i - 1) & (AMOUNT | TIME))
            mark(clause, i - 1, i, LEAK_FRAME_NAMED);
}

static void where_mark(const struct clause *clause, size_t at)
{
    size_t i = at + 1;
    while (i < clause->end && (clause->words[i].stem < 0 || roles_at(clause, i) & OLDEN) &&
           !(roles_at(clause, i) & BREAKS) && !clause->words[i].is_name)
        i++;
    const size_t name = i;
    while (i < clause->end && clause->words[i].is_name)
        i++;
    if (i > name)
        mark(clause, at + 1, i, LEAK_FRAME_NAMED);
}

static void clause_mark(const struct clause *clause)
{
    bool asks = false;
    size_t at = clause->start;
    for (size_t i = at; i < clause->end; i++)
        if (roles_at(clause, i) & OPENS && roles_at(clause, i + 1) & ASKER)
            mark(clause, i, i + 1, LEAK_FRAME_GENERIC);
    for (; at < clause->end; at++) { /* to the auxiliary of a question */
        asks = asks || (roles_at(clause, at) & ASKS);
        if (asks && roles_at(clause, at) & (ACTIVE | PASSIVE))
            break;
    }
    if (at == clause->end)
        return;
    bool has_deed = false; /* content behind the auxiliary */
    for (size_t i = clause->start; i < clause->end; i++) {
        const unsigned roles = roles_at(clause, i);
        if (roles & (i == at ? ACTIVE | PASSIVE : BY | FOR))
            who_mark(clause, i);
        if (roles & WHEN)
            when_mark(clause, i, has_deed);
        if (roles & PLACES)
            where_mark(clause, i);
        if (roles & AGO)
            ago_mark(clause, i);
        has_deed = has_deed || (i > at && clause->words[i].stem >= 0 &&
                                clause->words[i].frame == LEAK_FRAME_NONE);
    }
}

void leak_frame_mark(struct leak_text *text)
{
    size_t start = 0;
    for (size_t i = 0; i < text->word_count; i++) {
        text->words[i].frame = LEAK_FRAME_NONE;
        if (!text->words[i].ends_clause && i + 1 < text->word_count)
            continue;
        clause_mark(&(struct clause){.words = text->words, .start = start, .end = i + 1});
        start = i + 1;
    }
}
