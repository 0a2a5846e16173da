#include "eval/same_replies.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

void same_replies_release(struct same_replies *same)
{
    free(same->first);
    free(same->slots);
    *same = (struct same_replies){0};
}

static size_t slot_of(const struct same_replies *same, const struct attempt_list *list,
                      const struct attempt *attempt)
{
    const uint64_t hash =
        random_stream_of(attempt->response, random_stream_of(attempt->request, 0, 0), 0);
    size_t slot = (size_t)hash & (same->slot_count - 1);
    for (; same->slots[slot]; slot = (slot + 1) & (same->slot_count - 1)) {
        const struct attempt *other = &list->items[same->slots[slot] - 1];
        if (strcmp(other->response, attempt->response) == 0 &&
            strcmp(other->request, attempt->request) == 0)
            break;
    }
    return slot;
}

static void slots_reserve(struct same_replies *same, const struct attempt_list *list)
{
    if (2 * list->count <= same->slot_count)
        return;
    free(same->slots);
    if (!same->slot_count)
        same->slot_count = 64;
    while (2 * list->count > same->slot_count)
        same->slot_count *= 2;
    same->slots = memory_allocate_array(same->slot_count, sizeof *same->slots);
    for (size_t i = 0; i < same->count; i++)
        if (same->first[i] == i)
            same->slots[slot_of(same, list, &list->items[i])] = i + 1;
}

void same_replies_update(struct same_replies *same, const struct attempt_list *list)
{
    slots_reserve(same, list);
    array_reserve(same->first, same->first_capacity, list->count);
    for (; same->count < list->count; same->count++) {
        const size_t slot = slot_of(same, list, &list->items[same->count]);
        if (!same->slots[slot])
            same->slots[slot] = same->count + 1;
        same->first[same->count] = same->slots[slot] - 1;
    }
}
