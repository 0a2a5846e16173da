#include "base/memory.h"
#include "data_gen/mix_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mix_source *source_add(struct mix_build *build, enum mix_role role,
                                     const char *name, const char *path, const char *sha256,
                                     size_t rows)
{
    array_reserve(build->sources, build->source_capacity, build->source_count + 1);
    struct mix_source *source = &build->sources[build->source_count++];
    *source = (struct mix_source){.role = role,
                                  .name = memory_duplicate_string(name),
                                  .path = memory_duplicate_string(path),
                                  .rows = (int64_t)rows};
    snprintf(source->sha256, sizeof source->sha256, "%s", sha256);
    return source;
}

static void pool_add(struct harmful_pool *pool, const struct request *request,
                     size_t source)
{
    const size_t old_capacity = pool->capacity;
    array_reserve(pool->requests, pool->capacity, pool->count + 1);
    if (pool->capacity != old_capacity)
        pool->source =
            memory_resize_array(pool->source, pool->capacity, sizeof *pool->source);
    pool->source[pool->count] = source;
    pool->requests[pool->count++] = *request;
}

enum status builder_read_harmful(struct builder *builder, struct error *error)
{
    const struct string_list *specs = builder->recipe->sources[ROLE_HARMFUL];
    builder->harmful = memory_allocate_array(specs->count + 1, sizeof *builder->harmful);
    for (size_t i = 0; i < specs->count; i++) {
        struct request_list *list = &builder->harmful[i];
        if (request_list_read(list, specs->items[i], error))
            return error->status;
        struct mix_source *source = source_add(builder->build, ROLE_HARMFUL, list->name,
                                               list->path, list->sha256, list->count);
        for (size_t j = 0; j < list->count; j++) {
            const char *text = list->items[j].text;
            if (!text_set_add(&builder->seen, text))
                source->duplicates++;
            else if (builder->near_requests &&
                     near_duplicates_add(builder->near_requests, text) >= 0)
                source->near_duplicates++;
            else
                pool_add(&builder->pool, &list->items[j], builder->build->source_count - 1);
        }
    }
    return STATUS_OK;
}

enum status builder_read_chats(struct builder *builder, enum mix_role role,
                               struct error *error)
{
    const struct string_list *specs = builder->recipe->sources[role];
    struct conversation_list *lists =
        memory_allocate_array(specs->count + 1, sizeof *lists);
    builder->chats[role] = lists;
    for (size_t i = 0; i < specs->count; i++) {
        struct conversation_list *list = &lists[i];
        if (conversation_list_read(list, specs->items[i], error))
            return error->status;
        struct mix_source *source =
            source_add(builder->build, role, list->name, list->path, "", list->count);
        source->skipped = list->skipped_count;
        source->hash = conversation_list_take_hash(list);
    }
    return STATUS_OK;
}
