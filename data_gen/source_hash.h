#ifndef HOLDFAST_DATA_GEN_SOURCE_HASH_H
#define HOLDFAST_DATA_GEN_SOURCE_HASH_H

#include "base/file.h"

/*
 * The SHA-256 of a source, which takes as long as choosing from it: a thread of its own
 * reads the file for it, and whoever needs it waits then. What could not be read is told
 * to who waits.
 */
struct source_hash;

/* `map` is the file's, and needed for the call alone. */
struct source_hash *source_hash_start(const char *path, const struct file_map *map);
enum status source_hash_wait(struct source_hash *hash, char hex[SHA256_HEX_BYTES],
                             struct error *error);
void source_hash_free(struct source_hash *hash); /* waits; NULL is fine */

#endif
