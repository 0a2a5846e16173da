#ifndef HOLDFAST_DATA_GEN_LEAK_H
#define HOLDFAST_DATA_GEN_LEAK_H

#include "base/error.h"
#include "base/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether a request that a model is to be evaluated on stands in what it was trained on.
 * Several ways to look, each a mode:
 *
 *     exact        the same words, the whole of a training text
 *     words-13     13 consecutive words of the request stand in a training text
 *     words-8      8 of them (a frame such as "write a step by step guide on how to" is
 *                  already 9)
 *     words-5      5 of them (mostly frames: for looking, not for judging)
 *     letters-50   50 consecutive letters and digits of it, as in OpenAI's GPT-4 report
 *                  (arXiv:2303.08774, appendix C), but every window, not three at random
 *     tense        what is asked for is the same, in any tense, frame and decade: of the
 * sets of stems (data_gen/leak_words.h) R of the request and T of the other text, less
 * who, when and where (data_gen/leak_tense.h),
 *
 *                      score = 2 |R and T| / (|R| + |T|) >= threshold    (Dice 1945)
 *
 *                  and, of few stems in common, at least 0.65 of three, 0.8 of two, 1 of
 *                  one. T is taken of the whole text, every clause and every two
 *                  neighbouring clauses; of these the score is at least 0.6 with five stems
 *                  in common, 0.65 with four, 0.75 with three, 1 with two, and one is none.
 *                  Two words that are common in requests for programs count as one stem
 *                  here; if all in common are such words there are at least two of them,
 *                  and the score is at least 0.75.
 *
 * A score depends on the two texts alone, not on what else is in the files. In the verbatim
 * modes the score is the share of the request's windows that were found.
 *
 * Texts that are asked (user and system messages, and the `request` that a mix says an
 * example was made of) are looked at in all modes; those that answer in the verbatim modes
 * only.
 */
enum leak_mode {
    LEAK_EXACT,
    LEAK_WORDS_13,
    LEAK_WORDS_8,
    LEAK_WORDS_5,
    LEAK_LETTERS_50,
    LEAK_TENSE,
    LEAK_MODE_COUNT
};
const char *leak_mode_name(enum leak_mode mode);

struct leak_options {
    bool modes[LEAK_MODE_COUNT];
    double threshold; /* of the tense mode */
    /* Rows that a mix marks benign or contrast are compared verbatim only: a harmful
     * request's harmless neighbour, answered, is not its twin. */
    bool benign_verbatim;
};

/* Modes and threshold with which an unrelated request is seldom called a leak. */
struct leak_options leak_options_default(void);

/* From names; empty gives the default. STATUS_USAGE for an unknown one or a threshold
 * that is not above 0 and at most 1. */
enum status leak_options_parse(struct leak_options *options,
                               const struct string_list *modes, double threshold,
                               struct error *error);

/* A training example. Texts are borrowed for the call. */
struct leak_source_text {
    const char *text;
    bool asked;
};
struct leak_row {
    const struct leak_source_text *texts;
    size_t text_count;
    size_t file; /* the caller's number */
    int64_t line;
};

/* What one mode found of one request. */
struct leak_finding {
    int64_t row_count; /* training examples; 0: no leak */
    double score;      /* of the closest example, the first of equals */
    size_t file;
    int64_t line;
    char *text; /* its text, owned by the index */
};

struct leak_index;

/* Texts are copied as far as they are needed. Free with leak_index_free(). */
struct leak_index *leak_index_create(const char *const *requests, size_t count,
                                     const struct leak_options *options);
void leak_index_free(struct leak_index *index);

/* Compares one training example with every request. */
void leak_index_add_row(struct leak_index *index, const struct leak_row *row);

/* Training examples seen, and those that leak some request in `mode` (LEAK_MODE_COUNT: in
 * any). */
int64_t leak_index_rows(const struct leak_index *index);
int64_t leak_index_leaking_rows(const struct leak_index *index, enum leak_mode mode);

const struct leak_finding *leak_index_finding(const struct leak_index *index,
                                              size_t request, enum leak_mode mode);
/* Found in some mode: the one to show, the exact mode first, then the tense mode;
 * LEAK_MODE_COUNT if none. */
enum leak_mode leak_index_leak(const struct leak_index *index, size_t request);

#endif
