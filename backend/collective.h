#ifndef HOLDFAST_BACKEND_COLLECTIVE_H
#define HOLDFAST_BACKEND_COLLECTIVE_H

#include "backend/backend.h"
#include "base/process_group.h"

/*
 * Operations of several processes (ranks) on tensors that lie where a back-end computes.
 * All ranks call the same ones in the same order, with tensors of the same shape. A sum
 * runs in the order of ranks, ((t0 + t1) + t2) + …: the same bits in every run, whatever
 * the network does.
 *
 * A tensor is shared out in contiguous shards, one a rank, of whole units of 256 elements
 * (the first and the last ones may be shorter, or empty), so that a block of 8-bit moments
 * (backend/moments8.h) is wholly one rank's:
 *
 *     rank 0           rank 1           rank 2
 *     [0, n)           [n, 2n)          [2n, count)
 *
 * Units are counted in the block of elements that the tensor is a part of, where it begins
 * at element `first`; above, at a multiple of 256.
 *
 * Everything is made of one thing that a transport can do, an exchange of each with each:
 * on the CPU over TCP (base/process_group.h), on GPUs with NCCL. A NULL pointer is one
 * process on its own, for which all of this does nothing.
 *
 * Errors: a rank that was lost, or a device that failed, in words. Nothing but closing is
 * possible after one. Where the back-end has a sticky error, that is returned and nothing
 * is sent. On GPUs a call returns before it has run: collectives_wait() waits,
 * and is what notices that others are gone; use it before backend_sync().
 */
struct collectives; /* opaque */

struct shard {
    int64_t offset;
    int64_t count;
};

/* `group` (borrowed) is open; all of its ranks call this. Each has reached each when it
 * returns, and what connects them has reserved its memory. */
enum status collectives_open(struct collectives **collectives, struct backend *backend,
                             struct process_group *group, struct error *error);
void collectives_close(struct collectives *collectives);

int collectives_rank(const struct collectives *collectives);
int collectives_size(const struct collectives *collectives);
struct backend *collectives_backend(const struct collectives *collectives);
/* What of `count` elements is `rank`'s; `first` is 0. */
struct shard collectives_shard(const struct collectives *collectives, int rank,
                               int64_t count);
/* The same of elements [first, first + count) of a block, counted from `first`. */
struct shard collectives_shard_at(const struct collectives *collectives, int rank,
                                  int64_t first, int64_t count);

/* f32 or f64: the own shard of `tensor` <- the sum of all ranks' tensors there. The rest is
 * as it was. */
enum status collectives_reduce_scatter(struct collectives *collectives,
                                       struct tensor *tensor, int64_t first,
                                       struct error *error);
/* Any type: every shard of `tensor` <- that of its rank; `first` is 0. */
enum status collectives_all_gather(struct collectives *collectives, struct tensor *tensor,
                                   struct error *error);
/* Any type: the same, where the own shard comes from `own`, outside of `tensor`. Not of a
 * NULL pointer. */
enum status collectives_gather_from(struct collectives *collectives, struct tensor *tensor,
                                    int64_t first, const void *own, struct error *error);
/* f32 or f64: `tensor` <- the sum of all ranks' tensors. Everything goes from each to each:
 * for small ones. */
enum status collectives_all_reduce(struct collectives *collectives, struct tensor *tensor,
                                   struct error *error);
/* Any type: `tensor` <- rank 0's. */
enum status collectives_broadcast(struct collectives *collectives, struct tensor *tensor,
                                  struct error *error);
/* Parts in host memory, each at the begin of `memory`, to rank 0, which puts that of rank r
 * where parts[r] says, in elements of `each` bytes. All ranks have the same parts [size];
 * rank 0's begins at 0. Needs no wait. */
enum status collectives_gather_parts(struct collectives *collectives, void *memory,
                                     const struct shard *parts, size_t each,
                                     struct error *error);
/* Waits until all of the above has run, here. */
enum status collectives_wait(struct collectives *collectives, struct error *error);

#endif
