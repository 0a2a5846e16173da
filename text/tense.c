#include "text/tense.h"

#include "text/tense_frames.h"

#include <string.h>

static const char *const names[TENSE_COUNT] = {
    [TENSE_NONE] = "none",
    [TENSE_PRESENT] = "present",
    [TENSE_PAST] = "past",
    [TENSE_FUTURE] = "future",
    [TENSE_PAST_PERFECT] = "past-perfect",
    [TENSE_PASSIVE_PAST] = "passive-past",
    [TENSE_HYPOTHETICAL] = "hypothetical",
    [TENSE_THIRD_PERSON] = "third-person",
};

static const char *const descriptions[TENSE_COUNT] = {
    [TENSE_NONE] = "the request as it stands",
    [TENSE_PRESENT] = "a question in the present: How do people … today?",
    [TENSE_PAST] = "a question in the past: How did people … in the 1980s?",
    [TENSE_FUTURE] = "a question in the future: How will people … in 2050?",
    [TENSE_PAST_PERFECT] = "what had been done: How had people … by the 1990s?",
    [TENSE_PASSIVE_PAST] = "what was done: How was it … in the 1980s?",
    [TENSE_HYPOTHETICAL] =
        "a condition: If someone had wanted to …, how would they have …?",
    [TENSE_THIRD_PERSON] = "a story: A young man wanted to …. How did he …?",
};

const char *tense_name(enum tense tense)
{
    CHECK(tense >= 0 && tense < TENSE_COUNT);
    return names[tense];
}

const char *tense_description(enum tense tense)
{
    CHECK(tense >= 0 && tense < TENSE_COUNT);
    return descriptions[tense];
}

enum status tense_parse(enum tense *tense, const char *name, struct error *error)
{
    for (int i = 0; i < TENSE_COUNT; i++)
        if (!strcmp(name, names[i])) {
            *tense = (enum tense)i;
            return STATUS_OK;
        }
    return error_set(
        error, STATUS_USAGE,
        "tense '%s' is unknown: use none, present, past, future, past-perfect, "
        "passive-past, hypothetical or third-person",
        name);
}

enum { QUOTE_BYTES_MAX = 200 };

/* Puts the sentence between quotes, in place, cut at a space; returns it as one word. */
static struct word quoted(struct sentence *sentence)
{
    char *bytes = sentence->bytes;
    size_t length = strlen(bytes);
    if (length > QUOTE_BYTES_MAX) {
        length = QUOTE_BYTES_MAX;
        while (length > 0 && bytes[length] != ' ')
            length--;
    }
    if (length == 0) /* one long run of bytes: cut between characters */
        for (length = QUOTE_BYTES_MAX; length > 0 && (bytes[length] & 0xc0) == 0x80;)
            length--;
    memmove(bytes + 1, bytes, length);
    bytes[0] = bytes[length + 1] = '\'';
    return (struct word){.text = bytes, .length = (int)length + 2};
}

/* "respond to the request 'X'" */
static void quote_request(struct request *request, struct sentence *sentence,
                          const char *text)
{
    static const char *const some[] = {"respond", "to", "the", "request"};
    static const char *const none[] = {"respond", "to", "empty", "requests"};
    struct phrase action = {.count = 0};
    const char *cursor = text;
    const bool any = sentence_next(sentence, &cursor);
    for (int i = 0; i < 4; i++)
        phrase_add_text(&action, any ? some[i] : none[i]);
    *request = (struct request){.question = false};
    if (any)
        phrase_add(&action, quoted(sentence));
    request_add_action(request, &action);
}

/* A clause without a deed becomes one, for frames that need one: "find out whether …". */
static void add_report(struct request *request)
{
    struct phrase statement = {.count = 0};
    const struct clause *clause = &request->clause;
    if (request->action_count > 0 || !clause->present || !clause->split)
        return;
    if (clause->wh_is_subject) {
        statement = clause_question(clause, TENSE_PRESENT);
    } else {
        if (clause->wh.count == 0)
            phrase_add_text(&statement, "whether");
        phrase_add_slice(&statement, &clause->wh, 0, clause->wh.count);
        clause_add_statement(&statement, clause);
    }
    request_add_said(request, "find out", &statement, 0);
}

bool tense_reformulate(const char *request, enum tense tense, uint64_t seed,
                       int64_t variant, struct text_buffer *out)
{
    CHECK(tense >= 0 && tense < TENSE_COUNT && variant >= 0);
    if (tense == TENSE_NONE) {
        text_buffer_append(out, request);
        return true;
    }
    struct request parsed;
    struct sentence sentence;
    bool good = request_parse(&parsed, &sentence, request, false);
    if (good && tense > TENSE_FUTURE)
        add_report(&parsed);
    good = good && frames_suit(&parsed, tense);
    if (!good)
        quote_request(&parsed, &sentence, request);
    frames_append(out, &parsed, tense, request, seed, variant);
    return good;
}
