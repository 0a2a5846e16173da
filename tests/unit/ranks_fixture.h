#ifndef HOLDFAST_TESTS_UNIT_RANKS_FIXTURE_H
#define HOLDFAST_TESTS_UNIT_RANKS_FIXTURE_H

#include "base/launch.h"
#include "base/process_group.h"
#include "base/socket.h"
#include "tests/unit/fixture.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ranks as processes on 127.0.0.1: a child says good (0) or bad (1) by its exit code. */
static const struct process_group_options ranks_waiting = {.meeting_seconds = 20.0};

static inline int free_port(void)
{
    int listener, port = 0;
    if (socket_listen(&listener, "127.0.0.1", &port, &error))
        return 0;
    close(listener);
    return port;
}

static inline struct launch launch_of(int rank, int size, int port)
{
    return (struct launch){.rank = rank,
                           .size = size,
                           .local_rank = -1,
                           .address = "127.0.0.1",
                           .port = port,
                           .job = 7};
}

/* Says on stderr what was expected; cmocka's assertions do not work in a child. */
#define EXPECT(expression)                                                                 \
    do {                                                                                   \
        if (!(expression)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #expression);       \
            return false;                                                                  \
        }                                                                                  \
    } while (0)

/* Runs `work` in `size` processes that have come together; how many were bad, or were
 * killed by another signal than SIGKILL. */
static inline int ranks_run(int size, bool (*work)(struct process_group *, int rank))
{
    const int port = free_port();
    int bad = 0;
    for (int rank = 0; rank < size; rank++) {
        const pid_t child = fork();
        if (child)
            continue;
        struct launch launch = launch_of(rank, size, port);
        struct process_group *group;
        alarm(120); /* a hang is bad */
        if (process_group_open(&group, &launch, &ranks_waiting, &error)) {
            fprintf(stderr, "rank %d: %s\n", rank, error.message);
            _exit(1);
        }
        _exit(work(group, rank) ? 0 : 1);
    }
    for (int status, i = 0; i < size; i++) {
        wait(&status);
        bad += WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL;
    }
    return bad;
}

#endif
