#ifndef HOLDFAST_DATA_GEN_LEAK_TENSE_H
#define HOLDFAST_DATA_GEN_LEAK_TENSE_H

#include "data_gen/leak_words.h"

/*
 * The tense mode of data_gen/leak.h: requests as sets of stems, with an inverted index from
 * a stem to the requests that have it.
 *
 * Who did it, when and where (data_gen/leak_frame.h) is part of what is asked for in some
 * texts, and decoration in others. Of a frame's stem
 *
 *     the other text has it as content         it counts as any
 *     the other text has it in its frame too   it counts in neither: it makes no twins
 *     the other text has it not                it counts if the other has a frame of its
 *                                              own ("in France", "in Spain"), and not if it
 *                                              has none; a generic one never does
 *
 * A part with fewer than two stems of content has no frame but generic ones, one with none
 * has not even these: what is left of it would be too little to tell it by.
 */
struct leak_posting {
    int32_t stem;
    int32_t request;
    int frame; /* enum leak_frame */
};

/* A text or a part of it: how many stems it has, by what they are. */
struct leak_sizes {
    int32_t content;
    int32_t named; /* of its frame; generic ones are not counted */
};

/* What a request has in common with the part that is looked at. */
struct leak_overlap {
    int32_t shared; /* stems that are content in one of the two at least */
    int32_t common; /* how many of these are common words */
    int32_t change; /* to the sizes of the two, together */
    bool touched;
};

struct leak_tense {
    struct leak_posting *postings; /* sorted by stem */
    size_t posting_count;
    size_t posting_capacity;
    int64_t *firsts; /* [stem_limit + 1] where a stem's postings begin */
    int32_t stem_limit;
    struct leak_sizes *sizes; /* of each request */
    size_t request_count;
    size_t request_capacity;

    /* The lexicon's: stems below are common words. Set it before the first search. */
    int32_t common_count;
    struct leak_overlap *overlaps; /* [request] all 0 between parts */
    int32_t *touched;              /* requests with an overlap */
    struct leak_posting *stems;    /* distinct stems of the part; request is not used */
    size_t stem_capacity;
};

/* The next request. Its frame is marked here, and a text's in leak_tense_search(). */
void leak_tense_add(struct leak_tense *tense, struct leak_text *request);
/* After the last request, before the first search. */
void leak_tense_finish(struct leak_tense *tense);
void leak_tense_release(struct leak_tense *tense);

/*
 * Calls `found` for every part of the text (a clause, two neighbouring clauses, the whole)
 * and every request whose score with it is at least `threshold`.
 */
typedef void leak_twin_found(void *context, int32_t request, double score);
void leak_tense_search(struct leak_tense *tense, struct leak_text *text, double threshold,
                       leak_twin_found *found, void *context);

#endif
