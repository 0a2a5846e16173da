#ifndef HOLDFAST_TEXT_UNIGRAM_H
#define HOLDFAST_TEXT_UNIGRAM_H

#include "text/tokenizer.h"
#include "text/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The unigram language model: of all ways to cut a word into pieces, the one whose scores
 * (log probabilities) have the largest sum, found from left to right (Viterbi). A character
 * that no piece of its length covers costs the lowest score less 10; neighbours of this
 * kind are one unknown token, or their bytes where the vocabulary has byte tokens.
 *
 * Source: Kudo 2018, arXiv:1804.10959, section 3; ties and rounding as in `tokenizers`
 * (sums in fp64) or as in SentencePiece (kept in fp32).
 */
struct unigram_node; /* of the prefix tree over the pieces' bytes */

struct unigram {
    struct unigram_node *nodes; /* open addressing by (parent, byte) */
    size_t node_capacity;       /* a power of two */
    size_t node_count;
    double *scores; /* by id */
    size_t score_count;
    size_t score_capacity;
    double lowest_score;
    int32_t unknown_id;
    bool byte_fallback;
    bool sentencepiece;    /* fp32 sums; unknown characters fall back one by one */
    int32_t byte_ids[256]; /* of "<0x0A>"; -1: none */
    const struct vocabulary *vocabulary;
};

void unigram_init(struct unigram *unigram, const struct vocabulary *vocabulary);
void unigram_release(struct unigram *unigram);

/* Every piece has a score; those that text may become are listed besides. */
void unigram_set_score(struct unigram *unigram, int32_t id, double score);
void unigram_add_piece(struct unigram *unigram, const char *piece, size_t bytes,
                       int32_t id);

/* Appends the ids of a word. */
void unigram_encode(const struct unigram *unigram, const char *word, size_t bytes,
                    struct token_list *ids);

#endif
