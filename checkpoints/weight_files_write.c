#include "checkpoints/safetensors.h"

#include "base/json.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";
static const char *const metadata[] = {"format", "pt"};

/* Tensors [begin, end) of the list go into one file. */
struct shard {
    size_t begin;
    size_t end;
};

struct plan {
    struct shard *shards;
    size_t count;
    size_t capacity;
    size_t total_bytes;
};

static void plan_shards(struct plan *plan, const struct safetensors_tensor *tensors,
                        size_t count, size_t max_shard_bytes)
{
    size_t shard_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t bytes = safetensors_stored_bytes(&tensors[i]);
        const bool full =
            max_shard_bytes > 0 && shard_bytes > 0 &&
            (shard_bytes > max_shard_bytes || bytes > max_shard_bytes - shard_bytes);
        if (plan->count == 0 || full) {
            array_reserve(plan->shards, plan->capacity, plan->count + 1);
            plan->shards[plan->count++] = (struct shard){i, i};
            shard_bytes = 0;
        }
        plan->shards[plan->count - 1].end = i + 1;
        shard_bytes += bytes;
        CHECK(!__builtin_add_overflow(plan->total_bytes, bytes, &plan->total_bytes));
    }
}

static void shard_name(char name[64], size_t index, size_t count)
{
    snprintf(name, 64, "model-%05zu-of-%05zu.safetensors", index + 1, count);
}

static enum status shard_write(const char *directory, const char *name,
                               const struct safetensors_tensor *tensors,
                               const struct shard *shard,
                               const struct safetensors_source *source, struct error *error)
{
    char *path = path_join(directory, name);
    const enum status status = safetensors_write_from(
        path, tensors + shard->begin, shard->end - shard->begin, metadata,
        sizeof metadata / sizeof *metadata / 2, source, error);
    free(path);
    return status;
}

struct placed {
    const char *name;
    size_t shard;
};

static int compare_placed(const void *left, const void *right)
{
    const struct placed *a = left;
    const struct placed *b = right;
    return strcmp(a->name, b->name);
}

static struct placed *placed_sorted(const struct safetensors_tensor *tensors, size_t count,
                                    const struct plan *plan)
{
    struct placed *placed = memory_allocate_array(count, sizeof *placed);
    for (size_t s = 0; s < plan->count; s++)
        for (size_t i = plan->shards[s].begin; i < plan->shards[s].end; i++)
            placed[i] = (struct placed){tensors[i].name, s};
    qsort(placed, count, sizeof *placed, compare_placed);
    for (size_t i = 1; i < count; i++)
        CHECK(strcmp(placed[i - 1].name, placed[i].name) != 0);
    return placed;
}

static enum status index_write(const char *directory, const struct placed *placed,
                               size_t count, const struct plan *plan, struct error *error)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text, .indent_spaces = 2};
    json_object_begin(&json, NULL);
    json_object_begin(&json, "metadata");
    json_integer(&json, "total_size", (int64_t)plan->total_bytes);
    json_object_end(&json);
    json_object_begin(&json, "weight_map");
    for (size_t i = 0; i < count; i++) {
        char name[64];
        shard_name(name, placed[i].shard, plan->count);
        json_string(&json, placed[i].name, name);
    }
    json_object_end(&json);
    json_object_end(&json);
    text_buffer_append(&text, "\n");
    char *path = path_join(directory, index_name);
    const enum status status = file_write_all(path, text.data, text.length, error);
    free(path);
    text_buffer_release(&text);
    return status;
}

static enum status refuse_existing(const char *directory, struct error *error)
{
    const char *const names[] = {single_name, index_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = path_join(directory, names[i]);
        const bool found = file_exists(path);
        free(path);
        if (found)
            return error_set(error, STATUS_IO,
                             "%s: holds weights already (%s); name a new directory",
                             directory, names[i]);
    }
    return STATUS_OK;
}

enum status weight_files_write(const char *directory,
                               const struct safetensors_tensor *tensors, size_t count,
                               size_t max_shard_bytes, struct error *error)
{
    return weight_files_write_from(directory, tensors, count, max_shard_bytes, NULL, error);
}

enum status weight_files_write_from(const char *directory,
                                    const struct safetensors_tensor *tensors, size_t count,
                                    size_t max_shard_bytes,
                                    const struct safetensors_source *source,
                                    struct error *error)
{
    CHECK(count > 0);
    enum status status = refuse_existing(directory, error);
    if (status)
        return status;
    struct plan plan = {0};
    plan_shards(&plan, tensors, count, max_shard_bytes);
    struct placed *placed = placed_sorted(tensors, count, &plan);
    if (plan.count == 1)
        status = shard_write(directory, single_name, tensors, plan.shards, source, error);
    for (size_t i = 0; plan.count > 1 && !status && i < plan.count; i++) {
        char name[64];
        shard_name(name, i, plan.count);
        status = shard_write(directory, name, tensors, &plan.shards[i], source, error);
    }
    if (plan.count > 1 && !status)
        status = index_write(directory, placed, count, &plan, error);
    free(placed);
    free(plan.shards);
    return status;
}
