#ifndef HOLDFAST_DATA_GEN_NEAR_DUPLICATES_H
#define HOLDFAST_DATA_GEN_NEAR_DUPLICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Finds texts that are nearly equal to one seen before. A text is the set of its word
 * 5-grams; two texts are near-duplicates if the Jaccard index of their sets,
 *
 *     J(A, B) = |A ∩ B| / |A ∪ B|,
 *
 * is at least `threshold`. Words are runs of letters and digits, ASCII case folded; of
 * scripts written without spaces each character is a word. A text of fewer than five words
 * is one 5-gram: it has near-duplicates only in texts of the same words. A text without
 * any word has none.
 *
 * Candidates are found by MinHash: with h_i a random order of all 5-grams,
 * P(min h_i(A) = min h_i(B)) = J(A, B), so the share of equal minima among k of them
 * estimates J without bias and with the standard error sqrt(J (1 - J) / k).
 * The k minima are cut into b bands of r rows, and texts that agree in all rows of any band
 * are candidates: with probability 1 - (1 - J^r)^b. r is the largest for which that is at
 * least 0.999 at J = threshold. Each candidate is then compared exactly, on the 32-bit
 * hashes of its 5-grams: what is called a near-duplicate is one, up to equal hashes.
 *
 * Sources: Broder 1997, "On the resemblance and containment of documents"; bands: Indyk
 * and Motwani 1998, "Approximate nearest neighbors"; h_i(x) = (a_i x + b_i) / 2^32 mod
 * 2^32 with 64-bit a_i, b_i: Dietzfelbinger 1996, "Universal hashing and k-wise
 * independent random variables via integer arithmetic without primes".
 *
 * Deterministic: the same texts in the same order give the same answers.
 */
enum {
    NEAR_DUPLICATE_GRAM_WORDS = 5,
    NEAR_DUPLICATE_HASHES = 128 /* k */
};

struct near_duplicates; /* opaque */

/* `threshold` in (0, 1]. Free with near_duplicates_free(). */
struct near_duplicates *near_duplicates_create(double threshold);
void near_duplicates_free(struct near_duplicates *index);

/* r; b is k / r. */
int near_duplicates_band_rows(double threshold);

/*
 * Adds `text` and returns -1; or, if it is a near-duplicate of a text added before, adds
 * nothing and returns the number of the first such text that is known (texts are numbered
 * from 0 as they were added). A text without any word is not added.
 */
int64_t near_duplicates_add(struct near_duplicates *index, const char *text);

/* For tests and inspection: the exact index, and its estimate from the k minima. */
double near_duplicates_jaccard(const char *a, const char *b);
double near_duplicates_estimate(const char *a, const char *b);

#endif
