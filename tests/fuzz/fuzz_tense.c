#include "text/tense.h"

#include "base/memory.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Any bytes as a request: every tense gives a question that begins with what it should
 * and ends with a question mark, the same one twice.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t seed = size > 0 ? data[0] : 0;
    const int64_t variant = size > 1 ? data[1] : 0;
    char *text = memory_duplicate_bytes((const char *)data, size);
    struct text_buffer one = {0};
    struct text_buffer two = {0};
    for (int tense = TENSE_PRESENT; tense < TENSE_COUNT; tense++) {
        text_buffer_clear(&one);
        text_buffer_clear(&two);
        tense_reformulate(text, (enum tense)tense, seed, variant, &one);
        tense_reformulate(text, (enum tense)tense, seed, variant, &two);
        CHECK(one.length > 1 && text_ends_with(one.data, "?"));
        CHECK(!strcmp(one.data, two.data));
        tense_of(one.data);
        tense_shows(one.data, (enum tense)tense);
        tense_shows(text, (enum tense)tense);
    }
    text_buffer_clear(&one);
    CHECK(tense_imperative(text, seed, variant, &one) || one.length == 0);
    tense_of(text);
    text_buffer_release(&one);
    text_buffer_release(&two);
    free(text);
    return 0;
}
