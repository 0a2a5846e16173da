#include "fixture.h"

#include "base/random.h"
#include "data_gen/near_duplicates.h"

#include <math.h>

enum { WORDS = 104, GRAMS = WORDS - 4 };

/* WORDS different words, number `text` of its kind; `edits` of them, far apart, replaced.
 */
static char *text_make(int text, int edits)
{
    struct text_buffer out = {0};
    for (int i = 0; i < WORDS; i++) {
        const bool edited = i >= 4 && i % 10 == 6 && i / 10 < edits;
        text_buffer_appendf(&out, "%s%s%dx%d", i ? " " : "", edited ? "new" : "word", text,
                            i);
    }
    return text_buffer_detach(&out);
}

/* A replaced word takes its five 5-grams out and puts five others in. */
static double jaccard_after(int edits)
{
    return (double)(GRAMS - 5 * edits) / (double)(GRAMS + 5 * edits);
}

static void known_edits_give_the_known_index(void **state)
{
    (void)state;
    char *original = text_make(1, 0);
    for (int edits = 0; edits <= 10; edits++) {
        char *edited = text_make(1, edits);
        assert_true(fabs(near_duplicates_jaccard(original, edited) - jaccard_after(edits)) <
                    1e-12);
        free(edited);
    }
    free(original);
}

static void words_are_folded_and_short_texts_are_one_gram(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        double index;
    } cases[] = {
        {"How do I pick a lock?", "how do I, pick a LOCK", 1},
        {"How do I pick a lock?", "How do I pick a lock today?", 2.0 / 3},
        {"one two three", "One, two; three!", 1},
        {"one two three", "three two one", 0},
        {"one two three", "one two three four", 0},
        {"", "", 0},
        {"?!", "?!", 0},
        {"\xc3\x9c"
         "ber allen Gipfeln ist Ruh",
         "\xc3\x9c"
         "ber \xe2\x80\x9c"
         "allen\xe2\x80\x9d Gipfeln ist Ruh",
         1},
        /* Six Han characters are six words, two 5-grams; the first five are one of them. */
        {"\xe5\xa4\xa9\xe5\x9c\xb0\xe7\x8e\x84\xe9\xbb\x84\xe5\xae\x87\xe5\xae\x99",
         "\xe5\xa4\xa9\xe5\x9c\xb0\xe7\x8e\x84\xe9\xbb\x84\xe3\x80\x82\xe5\xae\x87", 0.5},
        {"broken \xff\xfe bytes are no words here", "broken bytes are no words here", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(fabs(near_duplicates_jaccard(cases[i].a, cases[i].b) - cases[i].index) <
                    1e-12);
}

/* Mean and spread of the estimate are those of k independent draws. */
static void the_estimate_has_the_standard_error_of_the_formula(void **state)
{
    (void)state;
    enum { PAIRS = 400, EDITS = 4 };
    const double index = jaccard_after(EDITS); /* 0.667 */
    const double standard_error = sqrt(index * (1 - index) / NEAR_DUPLICATE_HASHES);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < PAIRS; i++) {
        char *a = text_make(i, 0);
        char *b = text_make(i, EDITS);
        const double off = near_duplicates_estimate(a, b) - index;
        sum += off;
        squares += off * off;
        free(a);
        free(b);
    }
    /* The hashes are the same for all pairs: 4 standard errors for the mean, and 3 of
     * the spread's own (1 / sqrt(2 n)). */
    assert_true(fabs(sum / PAIRS) < 4 * standard_error / sqrt(PAIRS));
    assert_true(fabs(sqrt(squares / PAIRS) / standard_error - 1) < 3 / sqrt(2.0 * PAIRS));
}

/* Copies with 0 to 6 edits of 2,000 texts: index 1, .905, .818, .739, .667, .6, .538. */
static void precision_and_recall_on_a_made_set(void **state)
{
    (void)state;
    enum { TEXTS = 2000 };
    struct near_duplicates *index = near_duplicates_create(0.8);
    int64_t found_right = 0;
    int64_t found_wrong = 0;
    int64_t missed = 0;
    for (int i = 0; i < TEXTS; i++) {
        char *text = text_make(i, 0);
        assert_int_equal(near_duplicates_add(index, text), -1);
        free(text);
    }
    for (int i = 0; i < TEXTS; i++) {
        const bool is_near = jaccard_after(i % 7) >= 0.8;
        char *text = text_make(i, i % 7);
        const int64_t found = near_duplicates_add(index, text);
        found_right += is_near && found == i;
        missed += is_near && found < 0;
        found_wrong += found >= 0 && !(is_near && found == i);
        free(text);
    }
    near_duplicates_free(index);
    print_message("threshold 0.8: %lld found, %lld missed, %lld wrong\n",
                  (long long)found_right, (long long)missed, (long long)found_wrong);
    /* Candidates are compared exactly, so nothing is found wrongly; at .818 a text is no
     * candidate with probability 1e-5. */
    assert_int_equal(found_wrong, 0);
    assert_true(missed <= 1);
}

static void bands_hold_the_promise(void **state)
{
    (void)state;
    for (int percent = 30; percent <= 100; percent++) {
        const double threshold = percent / 100.0;
        const int rows = near_duplicates_band_rows(threshold);
        const int bands = NEAR_DUPLICATE_HASHES / rows;
        assert_true(1 - pow(1 - pow(threshold, rows), bands) >= 0.999);
    }
    assert_int_equal(near_duplicates_band_rows(1), NEAR_DUPLICATE_HASHES);
}

static void the_first_of_several_is_named(void **state)
{
    (void)state;
    struct near_duplicates *index = near_duplicates_create(1);
    assert_int_equal(near_duplicates_add(index, "a b c d e f"), -1);
    assert_int_equal(near_duplicates_add(index, "?"), -1); /* no word: not added */
    assert_int_equal(near_duplicates_add(index, "?"), -1);
    assert_int_equal(near_duplicates_add(index, "a b c d e g"), -1);
    assert_int_equal(near_duplicates_add(index, "A B C D E G!"), 1);
    assert_int_equal(near_duplicates_add(index, "a b c d e f"), 0);
    near_duplicates_free(index);
    near_duplicates_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_edits_give_the_known_index),
        cmocka_unit_test(words_are_folded_and_short_texts_are_one_gram),
        cmocka_unit_test(the_estimate_has_the_standard_error_of_the_formula),
        cmocka_unit_test(precision_and_recall_on_a_made_set),
        cmocka_unit_test(bands_hold_the_promise),
        cmocka_unit_test(the_first_of_several_is_named),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
