#ifndef HOLDFAST_TRAIN_RANKS_H
#define HOLDFAST_TRAIN_RANKS_H

#include "backend/collective.h"
#include "base/launch.h"
#include "train/dataset.h"
#include "train/train_options.h"

/*
 * A run of several processes, as torchrun, mpirun and srun start them (base/launch.h):
 *
 *     - every rank takes its part of the examples of each update;
 *     - the optimiser's work and moments are shared (optim/adamw.h), and with --shard full
 *       the weights and gradients too (model/sharded.h);
 *     - rank 0 alone writes into --out, which all must be able to read.
 *
 * All zero is a process on its own, for which none of this does anything. Losses are those
 * of one process but for the order of sums; the same number of ranks gives the same bits.
 */
struct ranks {
    struct launch launch;
    struct process_group *group;     /* NULL: alone */
    struct collectives *collectives; /* NULL: alone, or not open yet */
};

/* Reads the environment, and waits for the others, saying for whom. */
enum status ranks_open(struct ranks *ranks, const struct train_options *options,
                       struct error *error);
/* Whether the environment makes sense. */
enum status ranks_check(struct error *error);
/* Of a process that cannot begin: prints `error` with its number, and says to the others
 * that they need not wait for it, which may take some seconds. */
void ranks_decline(const struct error *error);
/* Once there is a back-end. */
enum status ranks_open_collectives(struct ranks *ranks, struct backend *backend,
                                   struct error *error);
/* Before the back-end is closed. */
void ranks_close_collectives(struct ranks *ranks);
/* Where this rank has failed: if that may come of another one's end (rank 0 takes back
 * files that it has made), `error` becomes what that one has said. */
void ranks_cause(struct ranks *ranks, struct error *error);
/* `reason`: why all must end; NULL: all is well. */
void ranks_close(struct ranks *ranks, const char *reason);

int ranks_size(const struct ranks *ranks);
/* The one that writes. */
bool ranks_is_first(const struct ranks *ranks);

/*
 * Options of the back-end: "cuda" is the GPU of this rank's number on its machine (unless
 * CUDA_VISIBLE_DEVICES shows it a single one), and the ranks of a machine share its cores
 * (unless --threads or OMP_NUM_THREADS says how many). `device` holds the name.
 */
enum { RANKS_DEVICE_BYTES = 32 };
struct backend_options ranks_backend_options(const struct ranks *ranks,
                                             const struct train_options *options,
                                             char device[RANKS_DEVICE_BYTES]);

/* This rank's part of examples[0 … *count): contiguous, of about as many tokens as any
 * other's, maybe empty. Returns its first, and sets *count. */
const int64_t *ranks_share(const struct ranks *ranks, const struct dataset *dataset,
                           const int64_t *examples, int64_t *count);

enum status ranks_barrier(struct ranks *ranks, struct error *error);
enum status ranks_sum(struct ranks *ranks, double *values, size_t count,
                      struct error *error);
/* The largest of all ranks' numbers, for all. */
enum status ranks_most(struct ranks *ranks, int64_t *number, struct error *error);
/* Waits for what collectives have begun on the device. */
enum status ranks_wait(struct ranks *ranks, struct error *error);
/* Rank 0's `number`, for all. */
enum status ranks_broadcast(struct ranks *ranks, int64_t *number, struct error *error);
/* STATUS_USAGE where a rank has another text than rank 0: the first line that differs is
 * named, behind `what`. */
enum status ranks_agree(struct ranks *ranks, const char *text, const char *what,
                        struct error *error);

#endif
