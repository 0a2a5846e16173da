#ifndef HOLDFAST_MODEL_CACHED_PASS_H
#define HOLDFAST_MODEL_CACHED_PASS_H

#include "model/transformer_internal.h"

/*
 * The forward of generation: rows of tokens go through the blocks, and their keys and
 * values into a paged cache (backend/operations.h). It computes in the activations that
 * transformer_inference_begin() has reserved, and a row, or a document, gives the same
 * bits whatever runs beside it.
 */
struct key_value_cache {
    struct backend *backend;
    void *memory;                         /* device */
    struct key_value_cache_layer *layers; /* [L] */
    int64_t page_count;
};

/* Bytes of one page in all layers. */
size_t key_value_cache_page_bytes(const struct transformer *model);
enum status key_value_cache_reserve(struct key_value_cache *cache,
                                    const struct transformer *model, int64_t page_count,
                                    struct error *error);
void key_value_cache_release(struct key_value_cache *cache);

/* Tokens of one pass; all arrays are where the back-end computes. */
struct cached_rows {
    int64_t count;
    const int32_t *tokens;
    const int32_t *positions;
    const int32_t *turns;       /* rows of the rotary tables */
    const int32_t *cache_rows;  /* where their keys and values go */
    struct documents documents; /* see attention_prefill(); count 0: decode */
    struct cache_pages pages;   /* of each document; decode: of each row */
    bool continues;             /* see attention_prefill() */
};

/* Brings prompts into the cache. */
void cached_pass_prefill(struct transformer *model, struct key_value_cache *cache,
                         const struct cached_rows *rows);
/* Logits [count, V] f32 of what follows each row. */
void cached_pass_decode(struct transformer *model, struct key_value_cache *cache,
                        const struct cached_rows *rows, struct tensor *logits);

#endif
