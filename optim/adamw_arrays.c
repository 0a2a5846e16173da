#include "optim/adamw.h"

#include "backend/moments8.h"
#include "base/memory.h"

#include <stdlib.h>

/* How a moment lies in memory and in checkpoints: see adamw.h. */

/* The range that element `index` is in; the number of ranges for the end of all. */
static int64_t range_at(const struct adamw *adamw, int64_t index)
{
    int64_t range = 0;
    while (range < adamw->range_count &&
           adamw->ranges[range].offset + adamw->ranges[range].count <= index)
        range++;
    return range;
}

/*
 * How much of an array belongs to the elements before `index`, which is the first of a
 * block or of a run, or in a run without codes. A scale between the last of one run and the
 * first of the next belongs to no element.
 */
static int64_t array_before(const struct adamw *adamw, enum adamw_array array,
                            int64_t index)
{
    if (array == ADAMW_VALUES)
        return index;
    if (adamw->dtype != DTYPE_U8)
        return 0;
    const int64_t number = range_at(adamw, index);
    const int64_t rest = index == adamw->count ? MOMENTS8_BLOCK - 1 : 0;
    if (array == ADAMW_SCALES)
        return (index + rest) / MOMENTS8_BLOCK + number;
    int64_t before = 0;
    for (int64_t i = 0; i < number; i++)
        before += adamw->ranges[i].small ? adamw->ranges[i].count : 0;
    if (number < adamw->range_count && adamw->ranges[number].small)
        before += index - adamw->ranges[number].offset;
    return before;
}

static struct shard array_part(const struct adamw *adamw, enum adamw_array array,
                               int64_t unit, int rank)
{
    const struct shard shard = sharding_shard(&adamw->sharding, unit, rank);
    const int64_t first = adamw->sharding.starts[unit] + shard.offset;
    const int64_t begin = array_before(adamw, array, first);
    const int64_t end = array_before(adamw, array, first + shard.count);
    return (struct shard){.offset = begin, .count = end - begin};
}

/* Codes lie where the weights do, whose shards have room between them. */
void adamw_parts_find(struct adamw *adamw)
{
    const int rank = collectives_rank(adamw->collectives);
    const int64_t units = adamw->sharding.unit_count;
    for (enum adamw_array array = 0; array < ADAMW_ARRAYS; array++) {
        struct held_run *parts = adamw->parts[array] =
            memory_allocate_array((size_t)units, sizeof *parts);
        int64_t place = 0;
        for (int64_t unit = 0; unit < units; unit++) {
            const struct shard own = array_part(adamw, array, unit, rank);
            if (array == ADAMW_VALUES)
                place = adamw->sharding.places[unit];
            parts[unit] = (struct held_run){own.offset, own.count, place};
            place += own.count;
        }
    }
}

int64_t adamw_array_count(const struct adamw *adamw, enum adamw_array array)
{
    return array_before(adamw, array, adamw->count);
}

int64_t adamw_array_held(const struct adamw *adamw, enum adamw_array array)
{
    const struct held_run last = adamw->parts[array][adamw->sharding.unit_count - 1];
    return array == ADAMW_VALUES ? sharding_held_count(&adamw->sharding)
                                 : last.place + last.count;
}

enum dtype adamw_array_dtype(const struct adamw *adamw, enum adamw_array array)
{
    return array == ADAMW_VALUES ? adamw->dtype : DTYPE_F32;
}

void *adamw_array_data(const struct adamw_moment *moment, enum adamw_array array)
{
    return array == ADAMW_VALUES   ? moment->values
           : array == ADAMW_SCALES ? (void *)moment->scales
                                   : (void *)moment->small;
}

int64_t adamw_array_start(const struct adamw *adamw, enum adamw_array array, int64_t unit)
{
    return array_before(adamw, array, adamw->sharding.starts[unit]);
}

struct held_run adamw_array_run(const struct adamw *adamw, enum adamw_array array,
                                int64_t unit)
{
    return adamw->parts[array][unit];
}

static enum status parts_gather(struct adamw *adamw, enum adamw_array array, int64_t unit,
                                void *host, size_t each, struct error *error)
{
    const int size = collectives_size(adamw->collectives);
    const int64_t start = adamw_array_start(adamw, array, unit);
    struct shard *parts = memory_allocate_array((size_t)size, sizeof *parts);
    for (int rank = 0; rank < size; rank++) {
        parts[rank] = array_part(adamw, array, unit, rank);
        parts[rank].offset -= start;
    }
    const enum status status =
        collectives_gather_parts(adamw->collectives, host, parts, each, error);
    free(parts);
    return status;
}

enum status adamw_gather_array(struct adamw *adamw, const struct adamw_moment *moment,
                               enum adamw_array array, int64_t unit, void *host,
                               struct error *error)
{
    const size_t each = dtype_bytes(adamw_array_dtype(adamw, array));
    const struct held_run run = adamw_array_run(adamw, array, unit);
    const size_t bytes = (size_t)run.count * each;
    const unsigned char *data = adamw_array_data(moment, array);
    /* Rank 0's part is the first: it is in its place at once. */
    void *own = host ? host : memory_allocate(bytes);
    backend_copy_out(adamw->backend, own, data + (size_t)run.place * each, bytes);
    enum status status = backend_sync(adamw->backend, error);
    if (!status)
        status = parts_gather(adamw, array, unit, own, each, error);
    if (own != host)
        free(own);
    return status;
}
