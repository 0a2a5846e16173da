#include "eval/degenerate.h"

#include <stddef.h>
#include <string.h>

enum { WORD_LIMIT = 2000, GRAM_LIMIT = 4 };

struct word {
    const char *begin;
    size_t bytes;
};

static size_t words_split(struct word words[WORD_LIMIT], const char *text)
{
    static const char space[] = " \t\r\n\v\f";
    size_t count = 0;
    text += strspn(text, space);
    while (*text && count < WORD_LIMIT) {
        words[count] = (struct word){.begin = text, .bytes = strcspn(text, space)};
        text += words[count++].bytes;
        text += strspn(text, space);
    }
    return count;
}

static bool grams_equal(const struct word *a, const struct word *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (a[i].bytes != b[i].bytes || memcmp(a[i].begin, b[i].begin, a[i].bytes) != 0)
            return false;
    return true;
}

/* How often the gram that begins at `first` occurs from there on, without overlap. */
static size_t occurrences(const struct word *words, size_t count, size_t first, size_t size)
{
    size_t found = 0;
    for (size_t i = first; i + size <= count;) {
        const bool same = grams_equal(&words[first], &words[i], size);
        found += same;
        i += same ? size : 1;
    }
    return found;
}

bool reply_is_degenerate(const char *reply)
{
    struct word words[WORD_LIMIT];
    const size_t count = words_split(words, reply);
    for (size_t size = 1; size <= GRAM_LIMIT; size++)
        for (size_t first = 0; first + size <= count; first++) {
            if ((count - first) * 2 <= count)
                break; /* what is left is no majority */
            const size_t found = occurrences(words, count, first, size);
            if (found > 1 && 2 * found * size > count)
                return true;
        }
    return count == 0;
}
