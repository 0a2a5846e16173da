#ifndef HOLDFAST_DATA_GEN_TEXT_SET_H
#define HOLDFAST_DATA_GEN_TEXT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of texts, for finding exact duplicates: equal after ASCII case is folded, runs of
 * white space are one space, and what is no letter or digit at the end is dropped. Only 128
 * bits of SHA-256 of each text are kept.
 */
struct text_set {
    uint64_t (*slots)[2]; /* open addressing; {0, 0} is free */
    size_t count;
    size_t capacity; /* a power of two */
};

/* Adds a text; false if it was there already. */
bool text_set_add(struct text_set *set, const char *text);
void text_set_release(struct text_set *set);

#endif
