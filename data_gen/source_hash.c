#include "data_gen/source_hash.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct source_hash {
    pthread_t thread;
    bool is_running;
    char *path;
    char hex[SHA256_HEX_BYTES];
    struct error error;
};

static void *hash_run(void *argument)
{
    struct source_hash *hash = argument;
    file_sha256(hash->hex, hash->path, &hash->error);
    return NULL;
}

/* A pipe can be read once only: what was read of it is hashed, here and now. */
struct source_hash *source_hash_start(const char *path, const struct file_map *map)
{
    struct source_hash *hash = memory_allocate(sizeof *hash);
    hash->path = memory_duplicate_string(path);
    if (map->is_copy)
        bytes_sha256(hash->hex, map->data, map->bytes);
    else if (pthread_create(&hash->thread, NULL, hash_run, hash) == 0)
        hash->is_running = true;
    else
        hash_run(hash);
    return hash;
}

static void thread_end(struct source_hash *hash)
{
    if (hash->is_running)
        pthread_join(hash->thread, NULL);
    hash->is_running = false;
}

enum status source_hash_wait(struct source_hash *hash, char hex[SHA256_HEX_BYTES],
                             struct error *error)
{
    thread_end(hash);
    memcpy(hex, hash->hex, SHA256_HEX_BYTES);
    const struct error *found = &hash->error;
    return found->status ? error_set(error, found->status, "%s", found->message)
                         : STATUS_OK;
}

void source_hash_free(struct source_hash *hash)
{
    if (!hash)
        return;
    thread_end(hash);
    free(hash->path);
    free(hash);
}
