#include "text/tense_frames.h"

#include "base/error.h"
#include "base/random.h"
#include "text/tense_deed.h"
#include "text/tense_frame_table.h"

#include <ctype.h>
#include <string.h>

enum { LONG_DEED_WORDS = 12 };

/* What one variant has chosen. */
struct filling {
    const struct request *request;
    enum tense tense;
    const struct frame *frame;
    struct deed deed;
    struct phrase subject;
    bool subject_plural;
    struct narrated narrated;
    struct text_buffer time;
    bool front; /* the time goes before the question */
};

/* Which frames suit. */

static unsigned offers(const struct request *request, const struct deed *deed,
                       enum tense tense)
{
    unsigned have = WITH_PLACE | TIME_STAYS;
    have |= deed->words.count > 0 ? NEEDS_DEED : 0u;
    have |= deed->certain && deed->head_count > 0 ? NEEDS_CERTAIN : 0u;
    have |= deed->passive && request->subject.count == 0 ? NEEDS_PASSIVE : 0u;
    have |= deed->kinds ? NEEDS_KINDS : 0u;
    have |= clause_fits(&request->clause, tense) ? NEEDS_CLAUSE : 0u;
    have |= request->nouns.count > 0 ? NEEDS_NOUNS : 0u;
    have |= is_adverb(phrase_at(&deed->words, 0)) ? 0u : NEEDS_PLAIN;
    return have;
}

static bool frame_has(const struct frame *frame, struct word word, enum word_form form)
{
    struct text_buffer key = {0};
    word.form = form;
    text_buffer_append(&key, " ");
    word_append(&key, word);
    text_buffer_append(&key, " ");
    const bool found = strstr(frame->text, text_buffer_string(&key)) != NULL;
    text_buffer_release(&key);
    return found;
}

/* "What did people use to use …", "What methods were used to use …" */
static bool repeats_verb(const struct frame *frame, const struct deed *deed)
{
    const struct word head = phrase_at(&deed->words, 0);
    struct verb verb;
    if (head.length < 1 || head.length > 36)
        return false;
    return frame_has(frame, head, WORD_AS_IS) ||
           (verb_of_base(head, &verb) &&
            (frame_has(frame, head, WORD_PARTICIPLE) || frame_has(frame, head, WORD_PAST)));
}

/* A deed that speaks of "them" needs somebody in the sentence to be them. */
static bool lacks_doer(const struct frame *frame, const struct request *request,
                       const struct deed *deed)
{
    if (!(frame->needs & NEEDS_DEED) || strstr(frame->text, "{S}") ||
        strstr(frame->text, "{A}"))
        return false;
    if (strstr(frame->text, "{for}") && request->subject.count > 0)
        return false;
    return request->subject.count > 0 ||
           phrase_has(&deed->words, " they them their theirs themselves ");
}

static bool suits(const struct frame *frame, const struct request *request,
                  const struct deed *deed, enum tense tense)
{
    return (frame->tenses & (1u << tense)) &&
           (frame->needs & ~offers(request, deed, tense)) == 0 &&
           !lacks_doer(frame, request, deed) && !repeats_verb(frame, deed);
}

/*
 * The frames in seeded order. Frames that not every action suits are kept only if the
 * first action suits them: a variant whose action does not falls back to the first.
 */
static int order_frames(int64_t *order, const struct request *request, enum tense tense,
                        struct random *random)
{
    const struct deed deed = deed_analyse(&request->actions[0]);
    int count = 0;
    for (int i = 0; i < tense_frame_count; i++)
        if (suits(&tense_frame_table[i], request, &deed, tense))
            order[count++] = i;
    random_shuffle(random, order, (size_t)count);
    return count;
}

/* Rendering. */

static void append_shifted(struct text_buffer *out, struct phrase phrase, enum tense tense)
{
    if (tense != TENSE_PRESENT && tense != TENSE_FUTURE)
        shift_past(&phrase);
    phrase_append(out, &phrase);
}

static const char *by_tense(enum tense tense, const char *past, const char *present,
                            const char *future)
{
    return tense == TENSE_PRESENT ? present : tense == TENSE_FUTURE ? future : past;
}

/* Slots that are a mere word of the tense and a number. */
static const char *word_slot(const struct filling *fill, const char *slot)
{
    const enum tense tense = fill->tense;
    const bool many = fill->subject_plural;
    const bool objects =
        noun_phrase_is_plural(&fill->deed.words, fill->deed.object, fill->deed.object_end);
    if (!strcmp(slot, "do"))
        return by_tense(tense, "did", many ? "do" : "does", "will");
    if (!strcmp(slot, "does"))
        return by_tense(tense, "did", "does", "will");
    if (!strcmp(slot, "is"))
        return by_tense(tense, "was", "is", "will be");
    if (!strcmp(slot, "are"))
        return by_tense(tense, "were", "are", "will be");
    if (!strcmp(slot, "was"))
        return by_tense(tense, "was", "is", "will");
    if (!strcmp(slot, "were"))
        return by_tense(tense, many ? "were" : "was", many ? "are" : "is", "will");
    if (!strcmp(slot, "wasO"))
        return by_tense(tense, objects ? "were" : "was", objects ? "are" : "is", "will");
    if (!strcmp(slot, "aren"))
        return many ? "are" : "is";
    if (!strcmp(slot, "be"))
        return by_tense(tense, "", "", "be ");
    return !strcmp(slot, "want") ? by_tense(tense, "wanted", "want", "want")
                                 : narrated_word(&fill->narrated, slot);
}

static struct phrase phrase_slot(const struct filling *fill, const char *slot)
{
    const struct deed *deed = &fill->deed;
    if (!strcmp(slot, "S"))
        return fill->subject;
    if (!strcmp(slot, "G"))
        return deed_inflected(deed, WORD_GERUND);
    if (!strcmp(slot, "P"))
        return deed_inflected(deed, WORD_PARTICIPLE);
    if (!strcmp(slot, "D"))
        return deed_inflected(deed, WORD_PAST);
    if (!strcmp(slot, "A"))
        return fill->narrated.phrase;
    if (!strcmp(slot, "O"))
        return phrase_slice(&deed->words, deed->object, deed->object_end);
    if (!strcmp(slot, "R"))
        return deed_passive(deed);
    if (!strcmp(slot, "K"))
        return deed_kinds(deed);
    if (!strcmp(slot, "M"))
        return phrase_slice(&deed->words, 0, deed->object);
    if (!strcmp(slot, "N"))
        return fill->request->nouns;
    return deed->words;
}

static void append_slot(struct text_buffer *out, const struct filling *fill,
                        const char *slot)
{
    const char *word = word_slot(fill, slot);
    if (word) {
        text_buffer_append(out, word);
    } else if (!strcmp(slot, "T")) {
        if (!fill->front)
            text_buffer_append(out, text_buffer_string(&fill->time));
    } else if (!strcmp(slot, "for")) {
        if (fill->request->subject.count > 0) {
            text_buffer_append(out, " for ");
            phrase_append(out, &fill->request->subject);
        }
    } else if (!strcmp(slot, "Q")) {
        const struct phrase question = clause_question(&fill->request->clause, fill->tense);
        phrase_append(out, &question);
    } else {
        append_shifted(out, phrase_slot(fill, slot), fill->tense);
    }
}

/* Whether the mark at `i` closes what stands before it. */
static bool closes(const struct text_buffer *out, size_t i)
{
    return strchr(",.:", out->data[i]) && i + 1 < out->length && out->data[i + 1] == ' ';
}

/* No two spaces, none before a mark. */
static void tidy(struct text_buffer *out, size_t start)
{
    size_t kept = start;
    for (size_t i = start; i < out->length; i++) {
        const char c = out->data[i];
        const bool space = c == ' ' && (kept == start || out->data[kept - 1] == ' ');
        if (c == '?' && kept > start && i + 1 == out->length)
            while (kept > start && strchr(" ,;:.", out->data[kept - 1]))
                kept--;
        if (out->data[i] && closes(out, i) && kept > start && out->data[kept - 1] == ' ')
            kept--;
        if (!space)
            out->data[kept++] = c;
    }
    out->length = kept;
    out->data[kept] = '\0';
}

static void append_frame(struct text_buffer *out, const struct filling *fill)
{
    const size_t start = out->length;
    const char *c = fill->frame->text;
    if (fill->front) {
        text_buffer_appendf(out, "%s, ", text_buffer_string(&fill->time));
        text_buffer_append_char(out, (char)tolower((unsigned char)*c));
        c += *c != '{';
        if (c == fill->frame->text)
            out->data[--out->length] = '\0';
    }
    while (*c) {
        char slot[8] = "";
        const size_t length = *c == '{' ? strcspn(c + 1, "}") : 0;
        if (*c != '{' || length >= sizeof slot) {
            text_buffer_append_char(out, *c++);
            continue;
        }
        memcpy(slot, c + 1, length);
        append_slot(out, fill, slot);
        c += length + 2;
    }
    tidy(out, start);
    out->data[start] = (char)toupper((unsigned char)out->data[start]);
}

/* Choices. */

static void choose_deed(struct filling *fill, struct random *random)
{
    const int count = fill->request->action_count;
    const int64_t pick = count > 0 ? (int64_t)random_below(random, (uint64_t)count) : 0;
    fill->deed = deed_analyse(&fill->request->actions[pick]);
    if (!suits(fill->frame, fill->request, &fill->deed, fill->tense))
        fill->deed = deed_analyse(&fill->request->actions[0]);
    const bool kinds = fill->frame->needs & NEEDS_KINDS;
    if (random_below(random, 3) > 0 || kinds) {
        struct deed plural = fill->deed;
        if (deed_pluralise(&plural) &&
            suits(fill->frame, fill->request, &plural, fill->tense))
            fill->deed = plural;
    }
}

static int filled_words(const struct filling *fill)
{
    const struct clause *clause = &fill->request->clause;
    if (fill->frame->needs & NEEDS_CLAUSE)
        return clause->subject.count + clause->predicate.count;
    return fill->frame->needs & NEEDS_NOUNS ? fill->request->nouns.count
                                            : fill->deed.words.count;
}

/* "in Berlin": one place is enough. */
static bool has_place(const struct phrase *phrase)
{
    for (int i = 0; i + 1 < phrase->count; i++)
        if (phrase_is(phrase, i, "in") && word_starts_upper(phrase->words[i + 1]))
            return true;
    return false;
}

static bool is_placed(const struct filling *fill)
{
    const struct clause *clause = &fill->request->clause;
    if (fill->frame->needs & NEEDS_CLAUSE)
        return has_place(&clause->subject) || has_place(&clause->predicate);
    return has_place(fill->frame->needs & NEEDS_NOUNS ? &fill->request->nouns
                                                      : &fill->deed.words);
}

static void choose_time(struct filling *fill, struct random *random, int64_t round)
{
    const int64_t offset = (int64_t)random_below(random, 1000);
    if (fill->frame->needs & WITH_PLACE) {
        const char *place = place_phrase(random_u64(random));
        if (!is_placed(fill))
            text_buffer_appendf(&fill->time, "%s ", place);
    }
    text_buffer_append(&fill->time,
                       time_phrase(fill->request, fill->tense, offset + round));
    const bool coin = random_below(random, 4) == 0;
    fill->front = coin || filled_words(fill) > LONG_DEED_WORDS;
    if (fill->frame->needs & TIME_STAYS)
        fill->front = false;
    if (strstr(fill->frame->text, "{Q}") && fill->frame->text[0] != '{')
        fill->front = false;
}

bool frames_suit(const struct request *request, enum tense tense)
{
    const struct deed deed = deed_analyse(&request->actions[0]);
    for (int i = 0; i < tense_frame_count; i++)
        if (suits(&tense_frame_table[i], request, &deed, tense))
            return true;
    return false;
}

void frames_append(struct text_buffer *out, const struct request *request, enum tense tense,
                   const char *name, uint64_t seed, int64_t variant)
{
    int64_t order[TENSE_FRAME_LIMIT];
    struct random shuffle = random_stream(seed, random_stream_of(name, tense, 0));
    const int count = order_frames(order, request, tense, &shuffle);
    CHECK(count > 0);
    const int64_t at = variant % count;
    /* The time must differ between rounds of one frame: it is drawn per frame. */
    struct random choice =
        random_stream(seed, random_stream_of(name, tense, 1 + (uint64_t)at));
    struct filling fill = {
        .request = request, .tense = tense, .frame = &tense_frame_table[order[at]]};
    choose_deed(&fill, &choice);
    fill.subject =
        frame_subject(request, &fill.deed.words, random_u64(&choice), &fill.subject_plural);
    if (tense == TENSE_THIRD_PERSON)
        fill.narrated = narrated_choose(request, &fill.deed.words, random_u64(&choice));
    choose_time(&fill, &choice, variant / count);
    append_frame(out, &fill);
    text_buffer_release(&fill.time);
}
