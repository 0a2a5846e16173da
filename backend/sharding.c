#include "backend/sharding.h"

#include "backend/operations.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* So that vectors of any type are aligned in every shard, as in those of units. */
enum { PLACE_UNIT = 64 };

struct shard sharding_shard(const struct sharding *sharding, int64_t unit, int rank)
{
    return collectives_shard_at(sharding->collectives, rank, sharding->starts[unit],
                                sharding_unit_count(sharding, unit));
}

static struct shard own_shard(const struct sharding *sharding, int64_t unit)
{
    return sharding_shard(sharding, unit, collectives_rank(sharding->collectives));
}

void sharding_init(struct sharding *sharding, struct collectives *collectives,
                   const int64_t *starts, int64_t unit_count)
{
    const size_t entries = (size_t)unit_count + 1;
    CHECK(unit_count > 0 && starts[0] == 0);
    *sharding = (struct sharding){.collectives = collectives, .unit_count = unit_count};
    sharding->starts = memory_allocate_array(entries, sizeof *sharding->starts);
    sharding->places = memory_allocate_array(entries, sizeof *sharding->places);
    memcpy(sharding->starts, starts, entries * sizeof *starts);
    for (int64_t unit = 0; unit < unit_count; unit++) {
        const int64_t count = sharding_unit_count(sharding, unit);
        CHECK(count >= 0);
        const int64_t own = own_shard(sharding, unit).count;
        sharding->places[unit + 1] =
            sharding->places[unit] + (own + PLACE_UNIT - 1) / PLACE_UNIT * PLACE_UNIT;
    }
}

void sharding_release(struct sharding *sharding)
{
    free(sharding->starts);
    free(sharding->places);
    *sharding = (struct sharding){0};
}

int64_t sharding_block_count(const struct sharding *sharding)
{
    return sharding->starts[sharding->unit_count];
}

int64_t sharding_held_count(const struct sharding *sharding)
{
    return sharding->places[sharding->unit_count];
}

int64_t sharding_unit_count(const struct sharding *sharding, int64_t unit)
{
    return sharding->starts[unit + 1] - sharding->starts[unit];
}

int64_t sharding_longest(const struct sharding *sharding)
{
    int64_t longest = 0;
    for (int64_t unit = 0; unit < sharding->unit_count; unit++)
        if (sharding_unit_count(sharding, unit) > longest)
            longest = sharding_unit_count(sharding, unit);
    return longest;
}

struct held_run sharding_run(const struct sharding *sharding, int64_t unit, int64_t first,
                             int64_t count)
{
    const struct shard own = own_shard(sharding, unit);
    const int64_t own_begin = sharding->starts[unit] + own.offset;
    const int64_t own_end = own_begin + own.count, end = first + count;
    const int64_t begin = first > own_begin ? first : own_begin;
    const int64_t left = (end < own_end ? end : own_end) - begin;
    return (struct held_run){.first = begin,
                             .count = left > 0 ? left : 0,
                             .place = sharding->places[unit] + begin - own_begin};
}

enum status sharding_gather(const struct sharding *sharding, int64_t unit,
                            struct tensor *whole, const void *held, struct error *error)
{
    const size_t place = (size_t)sharding->places[unit] * dtype_bytes(whole->dtype);
    CHECK(tensor_count(whole) == sharding_unit_count(sharding, unit));
    return collectives_gather_from(sharding->collectives, whole, sharding->starts[unit],
                                   (const unsigned char *)held + place, error);
}

enum status sharding_reduce(const struct sharding *sharding, int64_t unit,
                            struct tensor *whole, float *held, struct error *error)
{
    const struct shard own = own_shard(sharding, unit);
    CHECK(whole->dtype == DTYPE_F32);
    CHECK(tensor_count(whole) == sharding_unit_count(sharding, unit));
    if (collectives_reduce_scatter(sharding->collectives, whole, sharding->starts[unit],
                                   error))
        return error->status;
    struct tensor sums =
        tensor_view_1d(held + sharding->places[unit], DTYPE_F32, own.count);
    const struct tensor more =
        tensor_view_1d((float *)whole->data + own.offset, DTYPE_F32, own.count);
    if (own.count > 0)
        add(collectives_backend(sharding->collectives), &sums, &sums, &more);
    return STATUS_OK;
}

enum status sharding_gather_host(const struct sharding *sharding, int64_t unit,
                                 void *memory, size_t each, struct error *error)
{
    const int size = collectives_size(sharding->collectives);
    struct shard *parts = memory_allocate_array((size_t)size, sizeof *parts);
    for (int rank = 0; rank < size; rank++)
        parts[rank] = sharding_shard(sharding, unit, rank);
    const enum status status =
        collectives_gather_parts(sharding->collectives, memory, parts, each, error);
    free(parts);
    return status;
}
