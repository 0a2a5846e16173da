#include "text/tense.h"

#include "base/random.h"
#include "text/tense_deed.h"
#include "text/tense_request.h"

#include <string.h>

/* Imperatives made of questions: {V} deed, {G} its gerund, {C} clause, {N} nouns. */

static const char *const deed_frames[] = {
    "Write a tutorial on how to {V}",
    "Write a step-by-step guide on how to {V}",
    "Explain how to {V}",
    "Provide instructions on how to {V}",
    "Describe in detail how to {V}",
    "Write a blog post explaining how to {V}",
    "Teach someone how to {V}",
    "Create a guide that explains how to {V}",
    "Write a list of tips on how to {V}",
    "Outline the steps needed to {V}",
    "List the best ways to {V}",
    "Write a script for a video that shows how to {V}",
    "Provide step-by-step instructions for how to {V}",
    "Offer a guide on how to {V}",
    "Draft a Twitter thread explaining how to {V}",
    "Describe ways to {V}",
    "Write a Facebook post explaining how to {V}",
    "Provide detailed guidance on how to {V}",
    "Create a tutorial on how to {V}",
    "Develop a plan to {V}",
    "Make a checklist of what it takes to {V}",
    "Give step-by-step instructions for {G}",
    "Provide me with a list of tips for {G}",
    "Give me instructions for {G}",
    "Develop a strategy for {G}",
    "Create a checklist for {G}",
    "Write a short article about {G}",
    "Write a guide to {G}",
};

static const char *const clause_frames[] = {
    "Explain {C}",
    "Write a blog post explaining {C}",
    "Write an article that explains {C}",
    "Provide a short explanation of {C}",
    "Create a guide that explains {C}",
    "Write a Twitter thread explaining {C}",
    "Draft a short speech explaining {C}",
    "Write a letter to a friend explaining {C}",
    "Give a detailed explanation of {C}",
    "Write a Facebook post explaining {C}",
    "Write a script for a video that explains {C}",
    "Describe in detail {C}",
    "Teach someone {C}",
    "Write a tutorial explaining {C}",
    "Give a step-by-step account of {C}",
};

static const char *const noun_frames[] = {
    "Describe {N}",
    "Write a blog post about {N}",
    "Give a short overview of {N}",
    "Write an article about {N}",
    "Write a Twitter thread about {N}",
    "Create a guide to {N}",
    "Write a short speech about {N}",
    "Provide information about {N}",
    "Explain in simple words what is known about {N}",
    "Draft a Facebook post about {N}",
    "List {N}",
    "Write a list of {N}",
    "Provide a list of {N}",
    "Give me a list of {N}",
};

enum {
    DEED_FRAMES = sizeof deed_frames / sizeof deed_frames[0],
    DEED_SAFE_FRAMES = 21,
    CLAUSE_FRAMES = sizeof clause_frames / sizeof clause_frames[0],
    NOUN_FRAMES = sizeof noun_frames / sizeof noun_frames[0],
    NOUN_SINGULAR_FRAMES = 10,
};

/* A question taken apart, and the frames it may have. */
struct matter {
    struct deed deed;
    struct phrase clause;
    struct phrase nouns;
    const char *const *frames;
    int count;
};

static const char *pick_frame(const struct matter *matter, const char *question,
                              uint64_t seed, int64_t variant)
{
    int64_t order[DEED_FRAMES];
    struct random random = random_stream(seed, random_stream_of(question, 7, 0));
    for (int i = 0; i < matter->count; i++)
        order[i] = i;
    random_shuffle(&random, order, (size_t)matter->count);
    return matter->frames[order[variant % matter->count]];
}

static void append_filled(struct text_buffer *out, const char *frame,
                          const struct matter *matter)
{
    const char *slot = strchr(frame, '{');
    text_buffer_append_bytes(out, frame, (size_t)(slot - frame));
    const struct phrase filling = slot[1] == 'V' ? matter->deed.words
                                  : slot[1] == 'G'
                                      ? deed_inflected(&matter->deed, WORD_GERUND)
                                  : slot[1] == 'C' ? matter->clause
                                                   : matter->nouns;
    phrase_append(out, &filling);
}

/* "What is a gravel bike", "What are some benefits of …": the nouns themselves. */
static bool take_nouns(struct matter *matter, const struct clause *clause)
{
    if (clause->split || clause->wh.count != 1 || !phrase_is(&clause->wh, 0, "what") ||
        !word_among(clause->auxiliary, " is are "))
        return false;
    const bool some =
        phrase_is(&clause->subject, 0, "some") && !phrase_is(&clause->subject, 1, "of");
    const int start = some ? 1 : 0;
    matter->nouns = phrase_slice(&clause->subject, start, clause->subject.count);
    if (matter->nouns.count < 1 || is_pronoun(matter->nouns.words[0]) ||
        phrase_has(&matter->nouns, " doing "))
        return false;
    matter->frames = noun_frames;
    matter->count = word_is(clause->auxiliary, "are") ? NOUN_FRAMES : NOUN_SINGULAR_FRAMES;
    return true;
}

static bool take_clause(struct matter *matter, const struct clause *clause)
{
    if (!clause->present || clause->wh.count == 0)
        return false;
    if (take_nouns(matter, clause))
        return true;
    if (!clause->split || word_among(clause->auxiliary, " would could should might "))
        return false;
    matter->clause = clause->wh;
    matter->clause.words[0].form = WORD_LOWER;
    if (clause->wh_is_subject) {
        if (word_is(clause->auxiliary, "must"))
            phrase_add(&matter->clause, clause->auxiliary);
        phrase_add_slice(&matter->clause, &clause->predicate, 0, clause->predicate.count);
        if (word_is(clause->auxiliary, "does"))
            matter->clause.words[clause->wh.count].form = WORD_THIRD;
        if (word_is(clause->auxiliary, "did"))
            matter->clause.words[clause->wh.count].form = WORD_PAST;
    } else {
        clause_add_statement(&matter->clause, clause);
    }
    matter->frames = clause_frames;
    matter->count = CLAUSE_FRAMES;
    return true;
}

static bool take_deed(struct matter *matter, const struct request *request)
{
    if (request->clause.present || request->action_count < 1)
        return false;
    matter->deed = deed_analyse(&request->actions[0]);
    matter->frames = deed_frames;
    matter->count = matter->deed.certain ? DEED_FRAMES : DEED_SAFE_FRAMES;
    return true;
}

/* "Can you explain the game": asked of the reader, not a deed to be explained. */
static bool asks_reader(const struct phrase *asked, const struct request *request)
{
    return !is_wh_word(asked->words[0]) && request->action_count > 0 &&
           phrase_among(&request->actions[0], 0,
                        " explain describe list tell give suggest provide show help write "
                        "recommend name create make ");
}

/* A clause about "it" or "they" says nothing without what stood before. */
static bool is_dangling(const struct clause *clause)
{
    return clause->present && clause->subject.count == 1 &&
           phrase_among(&clause->subject, 0, " it they he she this that these those them ");
}

static bool suits(const struct request *request, const struct phrase *asked,
                  const char *question)
{
    const struct word first = phrase_at(asked, 0);
    return request->question && (is_wh_word(first) || is_auxiliary(first)) &&
           tense_of(question) == TENSE_PRESENT && !is_dangling(&request->clause) &&
           !asks_reader(asked, request);
}

bool tense_imperative(const char *question, uint64_t seed, int64_t variant,
                      struct text_buffer *out)
{
    struct request request;
    struct sentence sentence;
    struct matter matter = {.count = 0};
    CHECK(variant >= 0);
    if (!request_parse(&request, &sentence, question, true) ||
        !suits(&request, &sentence.phrase, question))
        return false;
    if (!take_deed(&matter, &request) && !take_clause(&matter, &request.clause))
        return false;
    append_filled(out, pick_frame(&matter, question, seed, variant), &matter);
    return true;
}
