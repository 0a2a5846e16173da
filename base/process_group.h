#ifndef HOLDFAST_BASE_PROCESS_GROUP_H
#define HOLDFAST_BASE_PROCESS_GROUP_H

#include "base/error.h"
#include "base/launch.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Several processes, on one machine or more, that compute together over TCP. Each pair has
 * a connection for data, and each has a lifeline to rank 0, on which nothing is said but
 * why somebody leaves:
 *
 *          0 ======== 1        === data and lifeline
 *           \\      /          --- data
 *            \\   /
 *              2
 *
 * A process that dies, or whose machine does, breaks its lifeline (the system probes idle
 * connections: a dead machine is found within half a minute). Rank 0 then leaves with an
 * error, and its last words end all others: nobody waits for ever. A process that is slow
 * is waited for; one that moves no byte while others wait for it (it is stopped, swaps, or
 * its disk hangs) ends them all after silence_seconds.
 *
 * No library is needed, and any launcher serves (base/launch.h). There is no encryption,
 * and no password: use it in a network that you trust, as with MPI and NCCL. Whoever else
 * calls at the port is sent away.
 */
struct process_group; /* opaque */

struct process_group_options {
    double meeting_seconds;         /* how long to wait for all to come */
    double silence_seconds;         /* and for one that is silent; 0: for ever */
    void (*say)(const char *words); /* whom it waits for, from time to time; NULL: nobody */
};

/*
 * Waits until all processes of the job have come. Where rank 0 is given as 127.x.y.z, ::1
 * or localhost, it listens to this machine only. One that does not come, that says it
 * must end, another version or number of ranks are errors on all, with the same words.
 */
enum status process_group_open(struct process_group **group, const struct launch *launch,
                               const struct process_group_options *options,
                               struct error *error);
/*
 * Instead of coming: says to the others why this process must end, which its own rank 0
 * tells everybody. Waits some seconds for those who are not there yet, and not for ever.
 * `launch` may be one that launch_read() has refused; `speak` is as `say` above.
 */
void process_group_decline(const struct launch *launch, const char *reason,
                           void (*speak)(const char *words));
/* Leaves. `reason`: why it must end for all, in words; NULL: all is well. */
void process_group_close(struct process_group *group, const char *reason);

int process_group_rank(const struct process_group *group);
int process_group_size(const struct process_group *group);
double process_group_silence_seconds(const struct process_group *group);
/* Among the processes of this machine: which one, and how many there are. */
int process_group_local_rank(const struct process_group *group);
int process_group_local_size(const struct process_group *group);

/* What goes to one rank and comes from it; 0 bytes: nothing. */
struct process_transfer {
    const void *out;
    size_t out_bytes;
    void *in;
    size_t in_bytes;
};

/*
 * All transfers[size] at once, in host memory; returns when all have ended. What one rank
 * sends another must expect. The entry of the rank itself is copied. Any rank lost is an
 * error that says which, and why where that is known; the group is then of no more use
 * than to be closed.
 */
enum status process_group_exchange(struct process_group *group,
                                   const struct process_transfer *transfers,
                                   struct error *error);
/* Without waiting: whether all are still there. */
enum status process_group_check(struct process_group *group, struct error *error);

/* Returns when all have come here. */
enum status process_group_barrier(struct process_group *group, struct error *error);
/* `bytes` of rank 0 to all. */
enum status process_group_broadcast(struct process_group *group, void *memory, size_t bytes,
                                    struct error *error);
/* values[i] <- the sum of all ranks' values[i], in the order of ranks: all get the same
 * bits. For a few numbers. */
enum status process_group_sum(struct process_group *group, double *values, size_t count,
                              struct error *error);

#endif
