#include "model/prefill.h"

#include <string.h>

static size_t packed_count(const struct prefill *prefill)
{
    const size_t documents = (size_t)prefill->document_limit;
    return 4 * (size_t)prefill->row_limit + documents + 1 +
           documents * (size_t)prefill->width;
}

/* An arena without a base only measures. */
static void host_place(struct prefill *prefill, struct arena *arena)
{
    const size_t limit = (size_t)prefill->row_limit;
    const size_t documents = (size_t)prefill->document_limit;
    prefill->tokens = arena_push_array(arena, limit, sizeof(int32_t));
    prefill->positions = arena_push_array(arena, limit, sizeof(int32_t));
    prefill->turns = arena_push_array(arena, limit, sizeof(int32_t));
    prefill->cache_rows = arena_push_array(arena, limit, sizeof(int32_t));
    prefill->document_starts = arena_push_array(arena, documents + 1, sizeof(int32_t));
    prefill->pages =
        arena_push_array(arena, documents, (size_t)prefill->width * sizeof(int32_t));
    prefill->packed = arena_push_array(arena, packed_count(prefill), sizeof(int32_t));
}

enum status prefill_reserve(struct prefill *prefill, struct transformer *model,
                            struct key_value_cache *cache, int64_t row_limit,
                            int64_t document_limit, int64_t width, struct error *error)
{
    *prefill = (struct prefill){.model = model,
                                .cache = cache,
                                .row_limit = row_limit,
                                .document_limit = document_limit,
                                .width = width};
    host_place(prefill, &prefill->host);
    const enum status status = arena_reserve(&prefill->host, error);
    if (status)
        return status;
    host_place(prefill, &prefill->host);
    prefill->device =
        backend_allocate(model->backend, packed_count(prefill) * sizeof(int32_t), error);
    if (!prefill->device)
        return error_prefix(error, "prompts of %lld tokens", (long long)row_limit);
    return STATUS_OK;
}

void prefill_release(struct prefill *prefill)
{
    if (!prefill->model)
        return; /* never reserved */
    backend_free(prefill->model->backend, prefill->device);
    arena_release(&prefill->host);
}

void prefill_begin(struct prefill *prefill, const int32_t *pages, int64_t page_count,
                   int64_t count)
{
    CHECK(count > 0 && count <= prefill->row_limit && page_count <= prefill->width);
    if (prefill->count + count > prefill->row_limit ||
        prefill->document_count == prefill->document_limit)
        prefill_run(prefill);
    memcpy(prefill->pages + prefill->document_count * prefill->width, pages,
           (size_t)page_count * sizeof *pages);
    prefill->document_starts[prefill->document_count++] = (int32_t)prefill->count;
    if (count > prefill->longest)
        prefill->longest = count;
}

void prefill_row(struct prefill *prefill, int32_t token, int32_t position, int32_t turn)
{
    const int32_t *pages = prefill->pages + (prefill->document_count - 1) * prefill->width;
    const int64_t row = prefill->count++;
    CHECK(row < prefill->row_limit);
    prefill->tokens[row] = token;
    prefill->positions[row] = position;
    prefill->turns[row] = turn;
    prefill->cache_rows[row] =
        pages[position / CACHE_PAGE_ROWS] * CACHE_PAGE_ROWS + position % CACHE_PAGE_ROWS;
}

static int32_t *append(int32_t *to, const int32_t *from, int64_t count)
{
    memcpy(to, from, (size_t)count * sizeof *to);
    return to + count;
}

/* One copy brings everything to the device; returns how many numbers it has. */
static size_t pack(const struct prefill *prefill)
{
    const int64_t count = prefill->count, documents = prefill->document_count;
    int32_t *end = append(prefill->packed, prefill->tokens, count);
    end = append(end, prefill->positions, count);
    end = append(end, prefill->turns, count);
    end = append(end, prefill->cache_rows, count);
    end = append(end, prefill->document_starts, documents + 1);
    end = append(end, prefill->pages, documents * prefill->width);
    return (size_t)(end - prefill->packed);
}

/* Whether any document goes on behind what its sequence has in the cache. */
static bool any_continues(const struct prefill *prefill)
{
    for (int64_t n = 0; n < prefill->document_count; n++) {
        if (prefill->positions[prefill->document_starts[n]] > 0)
            return true;
    }
    return false;
}

void prefill_run(struct prefill *prefill)
{
    const int64_t count = prefill->count, documents = prefill->document_count;
    const int32_t *starts = prefill->device + 4 * count;
    if (count == 0)
        return;
    prefill->document_starts[documents] = (int32_t)count;
    backend_copy_in(prefill->model->backend, prefill->device, prefill->packed,
                    pack(prefill) * sizeof *prefill->packed);
    const struct cached_rows pass = {
        .count = count,
        .tokens = prefill->device,
        .positions = prefill->device + count,
        .turns = prefill->device + 2 * count,
        .cache_rows = prefill->device + 3 * count,
        .documents = {starts, documents, prefill->longest},
        .pages = {starts + documents + 1, prefill->width},
        .continues = any_continues(prefill),
    };
    cached_pass_prefill(prefill->model, prefill->cache, &pass);
    prefill->count = prefill->document_count = prefill->longest = 0;
}
