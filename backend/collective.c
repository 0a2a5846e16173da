#include "backend/collective.h"

#include "backend/collective_transport.h"
#include "backend/moments8.h"
#include "backend/operation_table.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Shards begin at whole units, so that vectors of any type are aligned in them. */
enum { SHARD_UNIT = MOMENTS8_BLOCK };

int collectives_rank(const struct collectives *collectives)
{
    return collectives ? collectives->rank : 0;
}

int collectives_size(const struct collectives *collectives)
{
    return collectives ? collectives->size : 1;
}

struct backend *collectives_backend(const struct collectives *collectives)
{
    return collectives->backend;
}

static int64_t within(int64_t index, int64_t count)
{
    return index < 0 ? 0 : index < count ? index : count;
}

struct shard collectives_shard_at(const struct collectives *collectives, int rank,
                                  int64_t first, int64_t count)
{
    const int64_t size = collectives_size(collectives);
    const int64_t before = first % SHARD_UNIT; /* of the first unit, outside */
    const int64_t units = (before + count + SHARD_UNIT - 1) / SHARD_UNIT;
    const int64_t length = (units + size - 1) / size * SHARD_UNIT;
    const int64_t begin = within(rank * length - before, count);
    const int64_t end = within((rank + 1) * length - before, count);
    return (struct shard){.offset = begin, .count = end - begin};
}

struct shard collectives_shard(const struct collectives *collectives, int rank,
                               int64_t count)
{
    return collectives_shard_at(collectives, rank, 0, count);
}

/*
 * Everybody sends everybody something. NCCL connects two GPUs, on all channels that it will
 * use, when they first send one another anything, and reserves its buffers then (by default
 * 4 MiB for each channel and direction, NCCL_BUFFSIZE in its user guide; how many channels
 * depends on how the GPUs are wired): now, and not in the middle of the first update,
 * behind the memory plan.
 */
static enum status all_greet(struct collectives *c, struct error *error)
{
    enum { GREETING_BYTES = 256 };
    unsigned char *memory = c->staging;
    CHECK(c->staging_bytes >= (size_t)(c->size + 1) * GREETING_BYTES);
    for (int i = 0; i < c->size; i++)
        c->transfers[i] =
            (struct process_transfer){.out = memory,
                                      .out_bytes = GREETING_BYTES,
                                      .in = memory + (size_t)(i + 1) * GREETING_BYTES,
                                      .in_bytes = GREETING_BYTES};
    if (c->transport->exchange(c, c->transfers, error))
        return error->status;
    return c->transport->wait(c, error);
}

enum status collectives_open(struct collectives **collectives, struct backend *backend,
                             struct process_group *group, struct error *error)
{
    const struct collectives base = {.backend = backend,
                                     .group = group,
                                     .rank = process_group_rank(group),
                                     .size = process_group_size(group)};
    *collectives = NULL;
    const enum status status = strcmp(backend->table->name, "cuda") == 0
                                   ? cuda_collectives_open(collectives, &base, error)
                                   : cpu_collectives_open(collectives, &base, error);
    if (status)
        return status;
    struct collectives *c = *collectives;
    c->transfers = memory_allocate_array((size_t)c->size, sizeof *c->transfers);
    c->staging = backend_allocate(backend, c->staging_bytes, error);
    if (!c->staging)
        error_prefix(error, "memory for sums over ranks");
    else if (!all_greet(c, error))
        return STATUS_OK;
    collectives_close(c);
    *collectives = NULL;
    return error->status;
}

void collectives_close(struct collectives *collectives)
{
    if (!collectives)
        return;
    collectives->transport->close(collectives);
    if (collectives->staging)
        backend_free(collectives->backend, collectives->staging);
    free(collectives->transfers);
    free(collectives);
}

/* c->transfers, unless the device, or a rank before, has failed already. */
static enum status exchange(struct collectives *c, struct error *error)
{
    const struct error *sticky = &c->backend->error;
    if (sticky->status)
        return error_set(error, sticky->status, "%s", sticky->message);
    return c->transport->exchange(c, c->transfers, error);
}

static unsigned char *element(const struct tensor *tensor, int64_t index)
{
    return (unsigned char *)tensor->data + (size_t)index * dtype_bytes(tensor->dtype);
}

/* How many elements may come from each rank at a time. */
static int64_t piece_count(const struct collectives *c, const struct tensor *tensor)
{
    const size_t bytes = c->staging_bytes / (size_t)c->size;
    return (int64_t)(bytes / dtype_bytes(tensor->dtype));
}

static int64_t piece_of(const struct shard *shard, int64_t done, int64_t piece)
{
    const int64_t left = shard->count - done;
    return left < 0 ? 0 : left < piece ? left : piece;
}

static bool sums(const struct tensor *tensor)
{
    return (tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F64) &&
           tensor->row_stride == 0;
}

/* Elements [done, done + piece) of every shard. */
static enum status reduce_piece(struct collectives *c, struct tensor *tensor, int64_t first,
                                int64_t done, int64_t piece, struct error *error)
{
    const size_t each = dtype_bytes(tensor->dtype);
    const int64_t count = tensor_count(tensor);
    const struct shard own = collectives_shard_at(c, c->rank, first, count);
    const int64_t own_count = piece_of(&own, done, piece);
    for (int i = 0; i < c->size; i++) {
        const struct shard shard = collectives_shard_at(c, i, first, count);
        c->transfers[i] = (struct process_transfer){
            .out = element(tensor, shard.offset + done),
            .out_bytes = (size_t)piece_of(&shard, done, piece) * each,
            .in = (unsigned char *)c->staging + (size_t)(i * piece) * each,
            .in_bytes = (size_t)own_count * each,
        };
    }
    if (exchange(c, error))
        return error->status;
    return c->transport->sum_parts(c, element(tensor, own.offset + done), c->staging, piece,
                                   own_count, tensor->dtype, error);
}

/* The same on all ranks, which exchange as many pieces. */
static int64_t longest_shard(const struct collectives *c, int64_t first, int64_t count)
{
    int64_t longest = 0;
    for (int i = 0; i < c->size; i++) {
        const struct shard shard = collectives_shard_at(c, i, first, count);
        longest = shard.count > longest ? shard.count : longest;
    }
    return longest;
}

enum status collectives_reduce_scatter(struct collectives *c, struct tensor *tensor,
                                       int64_t first, struct error *error)
{
    CHECK(sums(tensor));
    if (collectives_size(c) == 1)
        return STATUS_OK;
    const int64_t piece = piece_count(c, tensor);
    const int64_t longest = longest_shard(c, first, tensor_count(tensor));
    for (int64_t done = 0; done < longest; done += piece)
        if (reduce_piece(c, tensor, first, done, piece, error))
            return error->status;
    return STATUS_OK;
}

enum status collectives_all_gather(struct collectives *c, struct tensor *tensor,
                                   struct error *error)
{
    CHECK(tensor->row_stride == 0);
    if (collectives_size(c) == 1)
        return STATUS_OK;
    const size_t each = dtype_bytes(tensor->dtype);
    const int64_t count = tensor_count(tensor);
    const struct shard own = collectives_shard(c, c->rank, count);
    for (int i = 0; i < c->size; i++) {
        const struct shard shard = collectives_shard(c, i, count);
        c->transfers[i] = (struct process_transfer){0};
        if (i != c->rank)
            c->transfers[i] =
                (struct process_transfer){.out = element(tensor, own.offset),
                                          .out_bytes = (size_t)own.count * each,
                                          .in = element(tensor, shard.offset),
                                          .in_bytes = (size_t)shard.count * each};
    }
    return exchange(c, error);
}

enum status collectives_gather_from(struct collectives *c, struct tensor *tensor,
                                    int64_t first, const void *own, struct error *error)
{
    CHECK(tensor->row_stride == 0);
    const size_t each = dtype_bytes(tensor->dtype);
    const int64_t count = tensor_count(tensor);
    const size_t own_bytes =
        (size_t)collectives_shard_at(c, c->rank, first, count).count * each;
    for (int i = 0; i < c->size; i++) {
        const struct shard shard = collectives_shard_at(c, i, first, count);
        c->transfers[i] = (struct process_transfer){.out = own,
                                                    .out_bytes = own_bytes,
                                                    .in = element(tensor, shard.offset),
                                                    .in_bytes = (size_t)shard.count * each};
    }
    return exchange(c, error);
}

enum status collectives_all_reduce(struct collectives *c, struct tensor *tensor,
                                   struct error *error)
{
    CHECK(sums(tensor));
    if (collectives_size(c) == 1)
        return STATUS_OK;
    const size_t each = dtype_bytes(tensor->dtype);
    const int64_t piece = piece_count(c, tensor);
    const struct shard all = {.count = tensor_count(tensor)};
    for (int64_t done = 0; done < all.count; done += piece) {
        const int64_t count = piece_of(&all, done, piece);
        for (int i = 0; i < c->size; i++)
            c->transfers[i] = (struct process_transfer){
                .out = element(tensor, done),
                .out_bytes = (size_t)count * each,
                .in = (unsigned char *)c->staging + (size_t)(i * piece) * each,
                .in_bytes = (size_t)count * each,
            };
        if (exchange(c, error) ||
            c->transport->sum_parts(c, element(tensor, done), c->staging, piece, count,
                                    tensor->dtype, error))
            return error->status;
    }
    return STATUS_OK;
}

enum status collectives_broadcast(struct collectives *c, struct tensor *tensor,
                                  struct error *error)
{
    CHECK(tensor->row_stride == 0);
    if (collectives_size(c) == 1)
        return STATUS_OK;
    const size_t bytes = tensor_bytes(tensor);
    for (int i = 0; i < c->size; i++) {
        c->transfers[i] = (struct process_transfer){0};
        if (c->rank == 0 && i != 0)
            c->transfers[i] =
                (struct process_transfer){.out = tensor->data, .out_bytes = bytes};
        else if (c->rank != 0 && i == 0)
            c->transfers[i] =
                (struct process_transfer){.in = tensor->data, .in_bytes = bytes};
    }
    return exchange(c, error);
}

enum status collectives_gather_parts(struct collectives *c, void *memory,
                                     const struct shard *parts, size_t each,
                                     struct error *error)
{
    if (collectives_size(c) == 1)
        return STATUS_OK;
    for (int i = 0; i < c->size; i++) {
        const struct shard shard = parts[c->rank == 0 ? i : c->rank];
        const size_t bytes = (size_t)shard.count * each;
        c->transfers[i] = (struct process_transfer){0};
        if (c->rank == 0 && i != 0)
            c->transfers[i] = (struct process_transfer){.in = (unsigned char *)memory +
                                                              (size_t)shard.offset * each,
                                                        .in_bytes = bytes};
        else if (c->rank != 0 && i == 0)
            c->transfers[i] = (struct process_transfer){.out = memory, .out_bytes = bytes};
    }
    return process_group_exchange(c->group, c->transfers, error);
}

enum status collectives_wait(struct collectives *c, struct error *error)
{
    return c ? c->transport->wait(c, error) : STATUS_OK;
}
