#ifndef HOLDFAST_DATA_GEN_LEAK_WINDOWS_H
#define HOLDFAST_DATA_GEN_LEAK_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Finds which requests share a run of `width` symbols with a text. The windows of all
 * requests are hashed (Karp & Rabin 1987, modulo 2^64), sorted by hash and entered in a
 * table; a hit is confirmed symbol by symbol.
 *
 *     symbols   r0 r0 r0 r0 | r1 r1 r1 | …            all requests, one after the other
 *     windows   {hash, request, where in symbols}     sorted by hash
 *     slots     hash -> the first window of that hash
 *
 * Width 0 stands for whole texts: a window is all of a request, and found if it is all of
 * the text.
 */
struct leak_window {
    uint64_t hash;
    int32_t request;
    int64_t start;
};

struct leak_windows {
    size_t width;
    uint64_t *symbols;
    size_t symbol_count;
    size_t symbol_capacity;
    struct leak_window *windows;
    size_t window_count;
    size_t window_capacity;
    int64_t *slots; /* -1: free */
    size_t slot_count;
    int64_t *totals; /* windows of each request */
    int64_t *lengths;
    size_t request_count;
    size_t request_capacity;
};

/* The next request. */
void leak_windows_add(struct leak_windows *windows, const uint64_t *symbols, size_t count);
/* After the last request, before the first search. */
void leak_windows_finish(struct leak_windows *windows);
void leak_windows_release(struct leak_windows *windows);

/* Calls `found` for every window of `symbols` and every request that has it too. */
typedef void leak_window_found(void *context, int32_t request);
void leak_windows_search(const struct leak_windows *windows, const uint64_t *symbols,
                         size_t count, leak_window_found *found, void *context);

#endif
