#ifndef HOLDFAST_BACKEND_SHARDING_H
#define HOLDFAST_BACKEND_SHARDING_H

#include "backend/collective.h"

/*
 * A block of elements that is cut into units, each of which is shared out among ranks
 * (backend/collective.h): cut where the block has multiples of 256 elements. What a rank
 * holds are its shards of all units, one after another, each begun at a multiple of 64
 * elements:
 *
 *     block        | unit 0        | unit 1    |
 *     rank 0       |#######        |#####      |  ->  |####### |#####   |
 *     rank 1       |       ########|     ######|  ->  |########|######  |
 *
 * The elements between them are never used, and stay zero where memory begins so. A unit
 * at a time is gathered whole, into memory that the next unit takes over.
 */
struct sharding {
    struct collectives *collectives; /* borrowed; NULL: one process, which holds all */
    int64_t unit_count;
    int64_t *starts; /* [unit_count + 1] where units begin in the block */
    int64_t *places; /* [unit_count + 1] where their shards begin in what is held */
};

/* starts [unit_count + 1] ascending from 0; copied. */
void sharding_init(struct sharding *sharding, struct collectives *collectives,
                   const int64_t *starts, int64_t unit_count);
void sharding_release(struct sharding *sharding);

int64_t sharding_block_count(const struct sharding *sharding);
/* Elements that are held, those between the shards included. */
int64_t sharding_held_count(const struct sharding *sharding);
int64_t sharding_unit_count(const struct sharding *sharding, int64_t unit);
/* What of a unit is `rank`'s, counted from where the unit begins. */
struct shard sharding_shard(const struct sharding *sharding, int64_t unit, int rank);
/* Of the longest unit. */
int64_t sharding_longest(const struct sharding *sharding);

/* A run of elements that is held: where in the block, and where in what is held. */
struct held_run {
    int64_t first;
    int64_t count; /* 0: none */
    int64_t place;
};
/* What of elements [first, first + count) of the block is held of a unit. */
struct held_run sharding_run(const struct sharding *sharding, int64_t unit, int64_t first,
                             int64_t count);

/*
 * unit [sharding_unit_count] <- the shards of all ranks; `held` is this rank's memory for
 * all units, of the same type.
 */
enum status sharding_gather(const struct sharding *sharding, int64_t unit,
                            struct tensor *whole, const void *held, struct error *error);
/* held += the sum over all ranks of `whole`, f32, which is stale after it. */
enum status sharding_reduce(const struct sharding *sharding, int64_t unit,
                            struct tensor *whole, float *held, struct error *error);
/*
 * For files: a unit in host memory of rank 0. `memory` begins with the shard of this rank,
 * in elements of `each` bytes, and on rank 0 has room for [sharding_unit_count]: its shard
 * is the first. Needs no wait.
 */
enum status sharding_gather_host(const struct sharding *sharding, int64_t unit,
                                 void *memory, size_t each, struct error *error);

#endif
