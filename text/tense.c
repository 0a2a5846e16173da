#include "text/tense.h"

#include "text/tense_frames.h"

#include <string.h>

static const char *const names[TENSE_COUNT] = {
    [TENSE_NONE] = "none",
    [TENSE_PRESENT] = "present",
    [TENSE_PAST] = "past",
    [TENSE_FUTURE] = "future",
};

static const char *const descriptions[TENSE_COUNT] = {
    [TENSE_NONE] = "the request as it stands",
    [TENSE_PRESENT] = "a question in the present: How do people … today?",
    [TENSE_PAST] = "a question in the past: How did people … in the 1980s?",
    [TENSE_FUTURE] = "a question in the future: How will people … in 2050?",
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
    return error_set(error, STATUS_USAGE,
                     "tense '%s' is unknown: use none, present, past or future", name);
}

enum { QUOTE_BYTES_MAX = 200 };

/* "respond to the request 'X'", X cut at a word. */
static void quote_request(struct request *request, struct sentence *sentence,
                          const char *text)
{
    struct phrase action = {.count = 0};
    const char *cursor = text;
    const char *const words[] = {"respond", "to", "the", "request"};
    const char *const nothing[] = {"respond", "to", "an", "empty", "request"};
    const bool any = sentence_next(sentence, &cursor);
    for (int i = 0; i < (any ? 4 : 5); i++)
        phrase_add_text(&action, any ? words[i] : nothing[i]);
    if (any)
        phrase_add_text(&action, "of");
    int bytes = 0;
    for (int i = 0; any && i < sentence->phrase.count && bytes < QUOTE_BYTES_MAX; i++) {
        phrase_add(&action, sentence->phrase.words[i]);
        bytes += sentence->phrase.words[i].length + 1;
    }
    request_add_action(request, &action);
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
    const bool good = request_parse(&parsed, &sentence, request, false);
    if (!good)
        quote_request(&parsed, &sentence, request);
    frames_append(out, &parsed, tense, request, seed, variant);
    return good;
}
