#include "data_gen/leak_tense.h"

#include "base/memory.h"
#include "data_gen/leak_frame.h"

#include <stdlib.h>

/* Content before frames, where a text has a stem as both. */
static int stem_compare(const void *a, const void *b)
{
    const struct leak_posting *x = a;
    const struct leak_posting *y = b;
    if (x->stem != y->stem)
        return x->stem < y->stem ? -1 : 1;
    return x->frame - y->frame;
}

static int32_t frame_count(const struct leak_tense *tense, size_t count,
                           enum leak_frame frame)
{
    int32_t result = 0;
    for (size_t i = 0; i < count; i++)
        result += tense->stems[i].frame == (int)frame;
    return result;
}

/* Makes content of the stems that were a frame. */
static void frame_drop(struct leak_tense *tense, size_t count, enum leak_frame frame)
{
    for (size_t i = 0; i < count; i++)
        if (tense->stems[i].frame == (int)frame)
            tense->stems[i].frame = LEAK_FRAME_NONE;
}

/* The distinct stems of words [start, end), sorted, in tense->stems. */
static size_t stems_collect(struct leak_tense *tense, const struct leak_text *text,
                            size_t start, size_t end, struct leak_sizes *sizes)
{
    enum { CONTENT_MIN = 2 };
    size_t count = 0;
    size_t distinct = 0;
    array_reserve(tense->stems, tense->stem_capacity, end - start + 1);
    for (size_t i = start; i < end; i++)
        if (text->words[i].stem >= 0)
            tense->stems[count++] = (struct leak_posting){.stem = text->words[i].stem,
                                                          .frame = text->words[i].frame};
    if (count > 1)
        qsort(tense->stems, count, sizeof *tense->stems, stem_compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || tense->stems[i].stem != tense->stems[distinct - 1].stem)
            tense->stems[distinct++] = tense->stems[i];
    const int32_t content = frame_count(tense, distinct, LEAK_FRAME_NONE);
    if (content < CONTENT_MIN)
        frame_drop(tense, distinct, LEAK_FRAME_NAMED);
    if (content == 0)
        frame_drop(tense, distinct, LEAK_FRAME_GENERIC);
    sizes->content = frame_count(tense, distinct, LEAK_FRAME_NONE);
    sizes->named = frame_count(tense, distinct, LEAK_FRAME_NAMED);
    return distinct;
}

void leak_tense_add(struct leak_tense *tense, struct leak_text *request)
{
    struct leak_sizes sizes;
    leak_frame_mark(request);
    const size_t count = stems_collect(tense, request, 0, request->word_count, &sizes);
    const size_t number = tense->request_count++;
    array_reserve(tense->sizes, tense->request_capacity, number + 1);
    tense->sizes[number] = sizes;
    array_reserve(tense->postings, tense->posting_capacity,
                  tense->posting_count + count + 1);
    for (size_t i = 0; i < count; i++)
        tense->postings[tense->posting_count++] =
            (struct leak_posting){.stem = tense->stems[i].stem,
                                  .request = (int32_t)number,
                                  .frame = tense->stems[i].frame};
}

static int posting_compare(const void *a, const void *b)
{
    const struct leak_posting *x = a;
    const struct leak_posting *y = b;
    if (x->stem != y->stem)
        return x->stem < y->stem ? -1 : 1;
    return (x->request > y->request) - (x->request < y->request);
}

void leak_tense_finish(struct leak_tense *tense)
{
    if (tense->posting_count)
        qsort(tense->postings, tense->posting_count, sizeof *tense->postings,
              posting_compare);
    if (tense->posting_count)
        tense->stem_limit = tense->postings[tense->posting_count - 1].stem + 1;
    tense->firsts =
        memory_allocate_array((size_t)tense->stem_limit + 1, sizeof *tense->firsts);
    for (size_t i = 0; i < tense->posting_count; i++)
        tense->firsts[tense->postings[i].stem + 1] = (int64_t)i + 1;
    for (int32_t stem = 0; stem < tense->stem_limit; stem++)
        if (tense->firsts[stem + 1] == 0) /* no request has it */
            tense->firsts[stem + 1] = tense->firsts[stem];
    tense->overlaps =
        memory_allocate_array(tense->request_count + 1, sizeof *tense->overlaps);
    tense->touched =
        memory_allocate_array(tense->request_count + 1, sizeof *tense->touched);
}

void leak_tense_release(struct leak_tense *tense)
{
    free(tense->postings);
    free(tense->firsts);
    free(tense->sizes);
    free(tense->overlaps);
    free(tense->touched);
    free(tense->stems);
    *tense = (struct leak_tense){0};
}

/* What a stem in common, of frame `frame` in a text, changes in the text's size, where the
 * other text has `others` named stems in its frame. */
static int32_t size_change(int frame, int32_t others, bool both_frames)
{
    const bool is_counted = frame == LEAK_FRAME_NAMED && others > 0;
    if (frame == LEAK_FRAME_NONE || is_counted != both_frames)
        return 0;
    return both_frames ? -1 : 1;
}

static size_t overlaps_find(struct leak_tense *tense, size_t stem_count,
                            const struct leak_sizes *part)
{
    size_t touched = 0;
    for (size_t i = 0; i < stem_count && tense->stems[i].stem < tense->stem_limit; i++) {
        const int32_t stem = tense->stems[i].stem;
        const int frame = tense->stems[i].frame;
        for (int64_t p = tense->firsts[stem]; p < tense->firsts[stem + 1]; p++) {
            const struct leak_posting *posting = &tense->postings[p];
            struct leak_overlap *overlap = &tense->overlaps[posting->request];
            if (!overlap->touched)
                tense->touched[touched++] = posting->request;
            overlap->touched = true;
            const bool both = frame && posting->frame;
            overlap->shared += !both;
            overlap->common += !both && stem < tense->common_count;
            if (!frame && !posting->frame)
                continue;
            overlap->change +=
                size_change(posting->frame, part->named, both) +
                size_change(frame, tense->sizes[posting->request].named, both);
        }
    }
    return touched;
}

static double score_of(const struct leak_overlap *overlap, const struct leak_sizes *a,
                       const struct leak_sizes *b)
{
    int32_t sizes = a->content + b->content + overlap->change;
    if (a->named && b->named)
        sizes += a->named + b->named;
    return overlap->shared ? 2.0 * overlap->shared / sizes : 0;
}

/*
 * The least score by the number of stems in common: a few words in common are a topic,
 * unless they are nearly all there is. A clause of a longer text has fewer words than the
 * whole, and there are many of them: it takes more. Two common words count as one, an odd
 * one as one too, but not alone; and where all are common it takes 0.75.
 */
static double least_score(int32_t stems, int32_t common, bool whole, double threshold)
{
    enum { NEVER = 2 };
    static const double all_common = 0.75;
    static const double of_whole[] = {2, 1, 0.8, 0.65};
    static const double of_part[] = {2, 2, 1, 0.75, 0.65, 0.6}; /* 2: never */
    const double *least = whole ? of_whole : of_part;
    const int32_t count =
        whole ? sizeof of_whole / sizeof *of_whole : sizeof of_part / sizeof *of_part;
    const int32_t shared = stems - common / 2;
    if (stems == common && common < 2)
        return NEVER;
    if (stems == common && threshold < all_common)
        threshold = all_common;
    return shared < count && least[shared] > threshold ? least[shared] : threshold;
}

static void part_search(struct leak_tense *tense, const struct leak_text *text,
                        size_t start, size_t end, double threshold, leak_twin_found *found,
                        void *context)
{
    const bool whole = end - start == text->word_count;
    struct leak_sizes part;
    const size_t count = stems_collect(tense, text, start, end, &part);
    const size_t touched = overlaps_find(tense, count, &part);
    for (size_t i = 0; i < touched; i++) {
        const int32_t request = tense->touched[i];
        const struct leak_overlap overlap = tense->overlaps[request];
        const double score = score_of(&overlap, &tense->sizes[request], &part);
        tense->overlaps[request] = (struct leak_overlap){0};
        if (overlap.shared &&
            score >= least_score(overlap.shared, overlap.common, whole, threshold))
            found(context, request, score);
    }
}

void leak_tense_search(struct leak_tense *tense, struct leak_text *text, double threshold,
                       leak_twin_found *found, void *context)
{
    size_t before = 0; /* where the clause before this one begins */
    size_t start = 0;
    size_t clauses = 0;
    leak_frame_mark(text);
    for (size_t i = 0; i < text->word_count; i++) {
        if (!text->words[i].ends_clause && i + 1 < text->word_count)
            continue;
        part_search(tense, text, start, i + 1, threshold, found, context);
        if (clauses++ > 0)
            part_search(tense, text, before, i + 1, threshold, found, context);
        before = start;
        start = i + 1;
    }
    if (clauses > 2)
        part_search(tense, text, 0, text->word_count, threshold, found, context);
}
