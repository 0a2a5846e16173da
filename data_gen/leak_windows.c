#include "data_gen/leak_windows.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t multiplier = UINT64_C(0x9E3779B97F4A7C15);

static uint64_t hash_of(const uint64_t *symbols, size_t count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++)
        hash = hash * multiplier + symbols[i];
    return hash;
}

/* What the symbol that leaves a window counts: multiplier to the `exponent`. */
static uint64_t power(size_t exponent)
{
    uint64_t result = 1;
    while (exponent--)
        result *= multiplier;
    return result;
}

static void window_add(struct leak_windows *windows, int32_t request, uint64_t hash,
                       size_t start)
{
    array_reserve(windows->windows, windows->window_capacity, windows->window_count + 1);
    windows->windows[windows->window_count++] =
        (struct leak_window){.hash = hash, .request = request, .start = (int64_t)start};
}

void leak_windows_add(struct leak_windows *windows, const uint64_t *symbols, size_t count)
{
    const size_t width = windows->width ? windows->width : count;
    const size_t first = windows->symbol_count;
    const size_t request = windows->request_count++;
    size_t capacity = windows->request_capacity;
    array_reserve(windows->totals, capacity, request + 1);
    array_reserve(windows->lengths, windows->request_capacity, request + 1);
    array_reserve(windows->symbols, windows->symbol_capacity, first + count + 1);
    if (count)
        memcpy(windows->symbols + first, symbols, count * sizeof *symbols);
    windows->symbol_count += count;
    windows->lengths[request] = (int64_t)count;
    windows->totals[request] = width && count >= width ? (int64_t)(count - width + 1) : 0;
    for (int64_t i = 0; i < windows->totals[request]; i++)
        window_add(windows, (int32_t)request, hash_of(symbols + i, width),
                   first + (size_t)i);
}

static int window_compare(const void *a, const void *b)
{
    const struct leak_window *x = a;
    const struct leak_window *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

void leak_windows_finish(struct leak_windows *windows)
{
    windows->slot_count = 64;
    while (windows->slot_count < 4 * windows->window_count)
        windows->slot_count *= 2;
    windows->slots = memory_allocate_array(windows->slot_count, sizeof *windows->slots);
    for (size_t i = 0; i < windows->slot_count; i++)
        windows->slots[i] = -1;
    if (windows->window_count)
        qsort(windows->windows, windows->window_count, sizeof *windows->windows,
              window_compare);
    for (size_t i = 0; i < windows->window_count; i++) {
        const uint64_t hash = windows->windows[i].hash;
        if (i > 0 && windows->windows[i - 1].hash == hash)
            continue;
        size_t slot = (hash >> 20) & (windows->slot_count - 1);
        while (windows->slots[slot] >= 0)
            slot = (slot + 1) & (windows->slot_count - 1);
        windows->slots[slot] = (int64_t)i;
    }
}

void leak_windows_release(struct leak_windows *windows)
{
    free(windows->symbols);
    free(windows->windows);
    free(windows->slots);
    free(windows->totals);
    free(windows->lengths);
    *windows = (struct leak_windows){0};
}

static void matches_report(const struct leak_windows *windows, uint64_t hash,
                           const uint64_t *symbols, size_t width, leak_window_found *found,
                           void *context)
{
    size_t slot = (hash >> 20) & (windows->slot_count - 1);
    while (windows->slots[slot] >= 0 && windows->windows[windows->slots[slot]].hash != hash)
        slot = (slot + 1) & (windows->slot_count - 1);
    if (windows->slots[slot] < 0)
        return;
    for (size_t i = (size_t)windows->slots[slot];
         i < windows->window_count && windows->windows[i].hash == hash; i++) {
        const struct leak_window *window = &windows->windows[i];
        if (!windows->width && (size_t)windows->lengths[window->request] != width)
            continue;
        if (memcmp(windows->symbols + window->start, symbols, width * sizeof *symbols) == 0)
            found(context, window->request);
    }
}

void leak_windows_search(const struct leak_windows *windows, const uint64_t *symbols,
                         size_t count, leak_window_found *found, void *context)
{
    const size_t width = windows->width ? windows->width : count;
    if (!windows->window_count || !width || count < width)
        return;
    const uint64_t leaving = power(width);
    uint64_t hash = hash_of(symbols, width);
    for (size_t i = 0;; i++) {
        matches_report(windows, hash, symbols + i, width, found, context);
        if (i + width >= count)
            return;
        hash = hash * multiplier + symbols[i + width] - symbols[i] * leaving;
    }
}
