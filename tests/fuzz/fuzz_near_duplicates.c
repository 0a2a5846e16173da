#include "data_gen/near_duplicates.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Any bytes as two texts: the index is the same both ways and in [0, 1], 1 of a text with
 * itself if it has any word, and what is added twice is found.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t half = size / 2;
    char *a = memory_duplicate_bytes((const char *)data, half);
    char *b = memory_duplicate_bytes((const char *)data + half, size - half);
    const double there = near_duplicates_jaccard(a, b);
    const double back = near_duplicates_jaccard(b, a);
    CHECK(there >= 0 && there <= 1 && !(there < back) && !(there > back));
    struct near_duplicates *index = near_duplicates_create(1);
    CHECK(near_duplicates_add(index, a) == -1);
    const bool has_words = near_duplicates_jaccard(a, a) > 0;
    CHECK(near_duplicates_add(index, a) == (has_words ? 0 : -1));
    CHECK((near_duplicates_add(index, b) == 0) == (there >= 1));
    near_duplicates_free(index);
    free(a);
    free(b);
    return 0;
}
