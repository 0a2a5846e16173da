#ifndef HOLDFAST_BASE_REPEATED_STRING_H
#define HOLDFAST_BASE_REPEATED_STRING_H

#include <stddef.h>

/* The index of a string that is equal to one before it; `count` if all differ. Takes time
 * and memory in proportion to the count. */
size_t repeated_string(const char *const *strings, size_t count);

#endif
