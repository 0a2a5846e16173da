#include "checkpoints/safetensors.h"

#include "base/json.h"
#include "base/memory.h"
#include "checkpoints/shown_name.h"

#include <stdlib.h>
#include <string.h>

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

static bool directory_has(const char *directory, const char *name)
{
    char *path = path_join(directory, name);
    const bool found = file_exists(path);
    free(path);
    return found;
}

/* The error of a directory without weights, with the remedy for what is there instead. */
static enum status no_weights(const char *directory, struct error *error)
{
    if (!file_exists(directory))
        return error_set(error, STATUS_IO, "%s: no such directory", directory);
    if (!file_is_directory(directory))
        return error_set(error, STATUS_USAGE,
                         "%s: not a directory; name the directory that holds %s or %s",
                         directory, single_name, index_name);
    const char *hint = "is this a model directory?";
    if (directory_has(directory, "pytorch_model.bin") ||
        directory_has(directory, "pytorch_model.bin.index.json"))
        hint = "only pytorch_model.bin is there, which is not read (a pickle can run "
               "code); convert it with transformers: save_pretrained(DIR, "
               "safe_serialization=True)";
    else if (directory_has(directory, "adapter_model.safetensors"))
        hint = "only adapter_model.safetensors is there: this is a PEFT adapter; name the "
               "directory of its base model";
    return error_set(error, STATUS_IO, "%s: found neither %s nor %s; %s", directory,
                     single_name, index_name, hint);
}

static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && strcmp(name, ".") != 0 && !strchr(name, '/') &&
           !strstr(name, "..");
}

/* One pair of the weight map, borrowed from the JSON tree. */
struct placed {
    const char *name;
    const char *shard;
};

struct weight_map {
    struct placed *items; /* sorted by shard, then name */
    size_t count;
    size_t shard_count; /* distinct */
};

static int compare_placed(const void *left, const void *right)
{
    const struct placed *a = left;
    const struct placed *b = right;
    const int order = strcmp(a->shard, b->shard);
    return order ? order : strcmp(a->name, b->name);
}

static bool starts_shard(const struct weight_map *map, size_t i)
{
    return i == 0 || strcmp(map->items[i - 1].shard, map->items[i].shard) != 0;
}

static enum status weight_map_read(struct weight_map *map, const cJSON *root,
                                   const char *where, struct error *error)
{
    const cJSON *object = json_get(root, "weight_map");
    if (!cJSON_IsObject(object) || !object->child)
        return error_set(error, STATUS_FORMAT,
                         "%s: \"weight_map\" is missing, empty or not an object", where);
    map->items =
        memory_allocate_array((size_t)cJSON_GetArraySize(object) + 1, sizeof *map->items);
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (!cJSON_IsString(item))
            return error_set(error, STATUS_FORMAT,
                             "%s: weight_map: the value of '%s' is not a string", where,
                             show_name(item->string).text);
        if (!is_plain_name(item->valuestring))
            return error_set(
                error, STATUS_FORMAT,
                "%s: weight_map: tensor '%s' is placed in '%s', which is not a "
                "plain file name",
                where, show_name(item->string).text, show_name(item->valuestring).text);
        map->items[map->count++] = (struct placed){item->string, item->valuestring};
    }
    qsort(map->items, map->count, sizeof *map->items, compare_placed);
    for (size_t i = 0; i < map->count; i++)
        map->shard_count += starts_shard(map, i);
    return STATUS_OK;
}

static enum status shard_open(struct safetensors *file, const char *directory,
                              const char *name, struct error *error)
{
    char *path = path_join(directory, name);
    const enum status status =
        file_exists(path)
            ? safetensors_open(file, path, error)
            : error_set(error, STATUS_IO,
                        "%s: missing, but %s names it; download or copy the model again",
                        path, index_name);
    free(path);
    return status;
}

/* The tensor must be in its shard and, or a search could meet another one, only there. */
static enum status placed_check(const struct weight_files *weights, const char *name,
                                const struct safetensors *shard, const char *where,
                                struct error *error)
{
    if (!safetensors_find(shard, name))
        return error_set(error, STATUS_FORMAT,
                         "%s: weight_map: tensor '%s' is not in %s; download or copy the "
                         "model again",
                         where, show_name(name).text, path_base_name(shard->path));
    for (size_t i = 0; i < weights->count; i++)
        if (&weights->files[i] != shard && safetensors_find(&weights->files[i], name))
            return error_set(error, STATUS_FORMAT,
                             "%s: tensor '%s' is in two shards, %s and %s", where,
                             show_name(name).text, path_base_name(shard->path),
                             path_base_name(weights->files[i].path));
    return STATUS_OK;
}

static enum status shards_open(struct weight_files *weights, const struct weight_map *map,
                               const char *directory, const char *where,
                               struct error *error)
{
    enum status status = STATUS_OK;
    weights->files = memory_allocate_array(map->shard_count, sizeof *weights->files);
    for (size_t i = 0; !status && i < map->count; i++)
        if (starts_shard(map, i))
            status = shard_open(&weights->files[weights->count++], directory,
                                map->items[i].shard, error);
    size_t shard = 0;
    for (size_t i = 0; !status && i < map->count; i++) {
        shard += i > 0 && starts_shard(map, i);
        status =
            placed_check(weights, map->items[i].name, &weights->files[shard], where, error);
    }
    return status;
}

static enum status index_open(struct weight_files *weights, const char *directory,
                              struct error *error)
{
    char *path = path_join(directory, index_name);
    struct weight_map map = {0};
    cJSON *root = NULL;
    enum status status = json_parse_file(&root, path, error);
    if (!status)
        status = weight_map_read(&map, root, path, error);
    if (!status)
        status = shards_open(weights, &map, directory, path, error);
    free(map.items);
    cJSON_Delete(root);
    free(path);
    return status;
}

enum status weight_files_open(struct weight_files *weights, const char *directory,
                              struct error *error)
{
    *weights = (struct weight_files){0};
    enum status status;
    if (directory_has(directory, single_name)) {
        weights->files = memory_allocate_array(1, sizeof *weights->files);
        weights->count = 1;
        char *path = path_join(directory, single_name);
        status = safetensors_open(weights->files, path, error);
        free(path);
    } else if (directory_has(directory, index_name)) {
        status = index_open(weights, directory, error);
    } else {
        status = no_weights(directory, error);
    }
    if (status)
        weight_files_close(weights);
    return status;
}

void weight_files_close(struct weight_files *weights)
{
    for (size_t i = 0; i < weights->count; i++)
        safetensors_close(&weights->files[i]);
    free(weights->files);
    *weights = (struct weight_files){0};
}

const struct safetensors_entry *weight_files_find(const struct weight_files *weights,
                                                  const char *name, const char **file_path)
{
    for (size_t i = 0; i < weights->count; i++) {
        const struct safetensors_entry *entry = safetensors_find(&weights->files[i], name);
        if (entry) {
            if (file_path)
                *file_path = weights->files[i].path;
            return entry;
        }
    }
    return NULL;
}
