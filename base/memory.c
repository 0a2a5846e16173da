#include "base/memory.h"

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *or_exit(void *pointer, size_t count, size_t bytes_each)
{
    if (pointer)
        return pointer;
    fprintf(stderr, "error: out of memory (%zu x %zu bytes wanted)\n", count, bytes_each);
    _exit(status_exit_code(STATUS_MEMORY));
}

void *memory_allocate(size_t bytes)
{
    return memory_allocate_array(bytes, 1);
}

void *memory_allocate_array(size_t count, size_t bytes_each)
{
    if (count == 0 || bytes_each == 0)
        count = bytes_each = 1;
    return or_exit(calloc(count, bytes_each), count, bytes_each);
}

void *memory_resize_array(void *pointer, size_t count, size_t bytes_each)
{
    if (count == 0 || bytes_each == 0)
        count = bytes_each = 1;
    return or_exit(reallocarray(pointer, count, bytes_each), count, bytes_each);
}

char *memory_duplicate_string(const char *text)
{
    return text ? memory_duplicate_bytes(text, strlen(text)) : NULL;
}

char *memory_duplicate_bytes(const char *bytes, size_t count)
{
    CHECK(count < SIZE_MAX);
    char *copy = or_exit(malloc(count + 1), count + 1, 1);
    if (count > 0)
        memcpy(copy, bytes, count);
    copy[count] = '\0';
    return copy;
}

void *array_grow(void *items, size_t *capacity, size_t needed, size_t bytes_each)
{
    enum { SMALLEST = 8 };
    if (needed <= *capacity)
        return items;
    size_t wanted = *capacity > SIZE_MAX / 2 ? needed : *capacity * 2;
    if (wanted < needed)
        wanted = needed;
    if (wanted < SMALLEST)
        wanted = SMALLEST;
    items = memory_resize_array(items, wanted, bytes_each);
    *capacity = wanted;
    return items;
}

void memory_free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}
