#include "data_gen/leak_tense.h"

#include "base/memory.h"

#include <stdlib.h>

static int number_compare(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a;
    const int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The distinct stems of words [start, end), sorted, in tense->stems. */
static size_t stems_collect(struct leak_tense *tense, const struct leak_text *text,
                            size_t start, size_t end)
{
    size_t count = 0;
    size_t distinct = 0;
    array_reserve(tense->stems, tense->stem_capacity, end - start + 1);
    for (size_t i = start; i < end; i++)
        if (text->words[i].stem >= 0)
            tense->stems[count++] = text->words[i].stem;
    if (count > 1)
        qsort(tense->stems, count, sizeof *tense->stems, number_compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || tense->stems[i] != tense->stems[i - 1])
            tense->stems[distinct++] = tense->stems[i];
    return distinct;
}

void leak_tense_add(struct leak_tense *tense, const struct leak_text *request)
{
    const size_t count = stems_collect(tense, request, 0, request->word_count);
    const size_t number = tense->request_count++;
    array_reserve(tense->sizes, tense->request_capacity, number + 1);
    tense->sizes[number] = (int32_t)count;
    array_reserve(tense->postings, tense->posting_capacity,
                  tense->posting_count + count + 1);
    for (size_t i = 0; i < count; i++)
        tense->postings[tense->posting_count++] =
            (struct leak_posting){.stem = tense->stems[i], .request = (int32_t)number};
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
    tense->shared = memory_allocate_array(tense->request_count + 1, sizeof *tense->shared);
    tense->common = memory_allocate_array(tense->request_count + 1, sizeof *tense->common);
    tense->touched =
        memory_allocate_array(tense->request_count + 1, sizeof *tense->touched);
}

void leak_tense_release(struct leak_tense *tense)
{
    free(tense->postings);
    free(tense->firsts);
    free(tense->sizes);
    free(tense->shared);
    free(tense->common);
    free(tense->touched);
    free(tense->stems);
    *tense = (struct leak_tense){0};
}

static size_t shared_count(struct leak_tense *tense, size_t stem_count)
{
    size_t touched = 0;
    for (size_t i = 0; i < stem_count && tense->stems[i] < tense->stem_limit; i++) {
        const int32_t stem = tense->stems[i];
        for (int64_t p = tense->firsts[stem]; p < tense->firsts[stem + 1]; p++) {
            const int32_t request = tense->postings[p].request;
            if (tense->shared[request]++ == 0)
                tense->touched[touched++] = request;
            tense->common[request] += stem < tense->common_count;
        }
    }
    return touched;
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
    const size_t count = stems_collect(tense, text, start, end);
    const size_t touched = shared_count(tense, count);
    for (size_t i = 0; i < touched; i++) {
        const int32_t request = tense->touched[i];
        const int32_t shared = tense->shared[request];
        const int32_t common = tense->common[request];
        const double score = 2.0 * shared / ((double)tense->sizes[request] + (double)count);
        tense->shared[request] = tense->common[request] = 0;
        if (score >= least_score(shared, common, whole, threshold))
            found(context, request, score);
    }
}

void leak_tense_search(struct leak_tense *tense, const struct leak_text *text,
                       double threshold, leak_twin_found *found, void *context)
{
    size_t before = 0; /* where the clause before this one begins */
    size_t start = 0;
    size_t clauses = 0;
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
