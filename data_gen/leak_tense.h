#ifndef HOLDFAST_DATA_GEN_LEAK_TENSE_H
#define HOLDFAST_DATA_GEN_LEAK_TENSE_H

#include "data_gen/leak_words.h"

/*
 * The tense mode of data_gen/leak.h: requests as sets of stems, with an inverted index from
 * a stem to the requests that have it.
 */
struct leak_posting {
    int32_t stem;
    int32_t request;
};

struct leak_tense {
    struct leak_posting *postings; /* sorted by stem */
    size_t posting_count;
    size_t posting_capacity;
    int64_t *firsts; /* [stem_limit + 1] where a stem's postings begin */
    int32_t stem_limit;
    int32_t *sizes; /* stems of each request */
    size_t request_count;
    size_t request_capacity;

    /* The lexicon's: stems below are common words. Set it before the first search. */
    int32_t common_count;
    int32_t *shared;  /* [request] stems shared with the clause that is looked at; else 0 */
    int32_t *common;  /* [request] how many of these are common words; else 0 */
    int32_t *touched; /* requests with shared > 0 */
    int32_t *stems;   /* distinct stems of the clause */
    size_t stem_capacity;
};

/* The next request. */
void leak_tense_add(struct leak_tense *tense, const struct leak_text *request);
/* After the last request, before the first search. */
void leak_tense_finish(struct leak_tense *tense);
void leak_tense_release(struct leak_tense *tense);

/*
 * Calls `found` for every part of the text (a clause, two neighbouring clauses, the whole)
 * and every request whose score with it is at least `threshold`.
 */
typedef void leak_twin_found(void *context, int32_t request, double score);
void leak_tense_search(struct leak_tense *tense, const struct leak_text *text,
                       double threshold, leak_twin_found *found, void *context);

#endif
