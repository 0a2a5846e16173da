#ifndef HOLDFAST_DATA_GEN_LEAK_WORDS_H
#define HOLDFAST_DATA_GEN_LEAK_WORDS_H

#include "text/string_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A text as the leak check compares it:
 *
 *     "How did people pick a lock in the 1980s?"
 *     words     how did people pick a lock in the 1980s     runs of Unicode word
 * characters, lower case, as hashes stems                    pick   lock of content words,
 * as numbers letters   howdidpeoplepickalockinthe1980s             letters and digits only
 *
 * A stem is the base form of an irregular verb ("stole", "stolen": "steal"), else the
 * word less its endings ("forged", "forging": "forg"). Words of grammar, words that frame a
 * request
 * ("write a tutorial on how to", "how did people") or date it ("in the early 1980s", "years
 * ago"), numbers and single letters have none (stem -1): what is left is what is asked for,
 * in whatever tense.
 */
struct leak_word {
    uint64_t hash;
    int32_t stem;
    unsigned roles;   /* what it may be in a frame (data_gen/leak_frame.h) */
    int frame;        /* enum leak_frame; set by leak_frame_mark() */
    bool is_name;     /* has a stem, and a capital letter, and is not the clause's first */
    bool ends_clause; /* . ! ? : ; or a line end follows */
};

struct leak_text {
    struct leak_word *words;
    size_t word_count;
    size_t word_capacity;
    uint64_t *letters; /* code points */
    size_t letter_count;
    size_t letter_capacity;
};

/* Words that stand in many requests for programs ("function", "string", "file"), with
 * blanks between: where they meet, two texts seldom ask for the same (leak_common.c). */
extern const char *const leak_common_words;

/*
 * Numbers for stems. Every distinct word is taken apart once. Stems of common words come
 * first: they are those below common_count.
 */
struct leak_lexicon {
    struct string_table words; /* word -> its place in infos */
    struct string_table stems; /* stem -> its number or -1 */
    struct string_table roles; /* of data_gen/leak_frame.h */
    struct leak_word_info {
        int32_t stem;
        unsigned roles;
    } * infos;
    size_t info_count;
    size_t info_capacity;
    int32_t stem_count;
    int32_t common_count;
};
void leak_lexicon_init(struct leak_lexicon *lexicon);
void leak_lexicon_release(struct leak_lexicon *lexicon);

/* Fills `text` anew, keeping its memory. Bytes that are not UTF-8 end a word. */
void leak_text_read(struct leak_text *text, struct leak_lexicon *lexicon,
                    const char *bytes);
void leak_text_release(struct leak_text *text);

/* The stem of a lower-case word, written to `stem` (cut at LEAK_STEM_BYTES - 1). */
enum { LEAK_STEM_BYTES = 64 };
void leak_stem(char stem[LEAK_STEM_BYTES], const char *word);

#endif
