#ifndef HOLDFAST_MODEL_PREFILL_H
#define HOLDFAST_MODEL_PREFILL_H

#include "model/cached_pass.h"

/*
 * Tokens that are known already, of many sequences, packed into few passes that bring them
 * into the cache. A document may continue what its sequence has there, also
 * what an earlier document of the same pass puts there.
 */
struct prefill {
    struct transformer *model;
    struct key_value_cache *cache;
    int64_t row_limit;
    int64_t document_limit;
    int64_t width; /* pages of a sequence at most */
    int64_t count; /* rows that are packed */
    int64_t longest;
    int64_t document_count;
    struct arena host;
    int32_t *tokens; /* [row_limit], as the next three */
    int32_t *positions;
    int32_t *turns; /* rows of the rotary tables */
    int32_t *cache_rows;
    int32_t *document_starts; /* [document_limit + 1] */
    int32_t *pages;           /* [document_limit, width] */
    int32_t *packed;          /* all of them, without gaps */
    int32_t *device;          /* likewise */
};

enum status prefill_reserve(struct prefill *prefill, struct transformer *model,
                            struct key_value_cache *cache, int64_t row_limit,
                            int64_t document_limit, int64_t width, struct error *error);
void prefill_release(struct prefill *prefill);

/* Begins a document of `count` > 0 rows; prefill_row() then gives each of them. Runs what
 * is packed if it has no room. */
void prefill_begin(struct prefill *prefill, const int32_t *pages, int64_t page_count,
                   int64_t count);
void prefill_row(struct prefill *prefill, int32_t token, int32_t position, int32_t turn);
/* Runs what is packed. */
void prefill_run(struct prefill *prefill);

#endif
