#ifndef HOLDFAST_DATA_GEN_TEXT_SET_H
#define HOLDFAST_DATA_GEN_TEXT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of texts, for finding exact duplicates: those whose normal form is the same. Only
 * 128 bits of SHA-256 of each text are kept.
 */
struct text_set {
    uint64_t (*slots)[2]; /* open addressing; {0, 0} is free */
    size_t count;
    size_t capacity; /* a power of two */
};

/*
 * The normal form: letters of ASCII small, runs of white space one space, and what ends a
 * sentence (. , ; : ! ? and spaces) dropped at the end, unless nothing else is left. Other
 * signs stay: "in C", "in C++" and "in C#" differ. The caller frees it.
 */
char *text_normal(const char *text);

/* Adds a text; false if it was there already. */
bool text_set_add(struct text_set *set, const char *text);
void text_set_release(struct text_set *set);

#endif
