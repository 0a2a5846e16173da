#ifndef HOLDFAST_BASE_PROCESS_GROUP_INTERNAL_H
#define HOLDFAST_BASE_PROCESS_GROUP_INTERNAL_H

#include "base/process_group.h"

#include <poll.h>
#include <stdbool.h>

/* What process_group.c (work) and process_group_open.c (coming together) share. */
enum { PROCESS_HOST_BYTES = 128 };

struct process_peer {
    int data;     /* -1: the rank itself */
    int lifeline; /* -1: none, or the peer has said good-bye */
    char host[PROCESS_HOST_BYTES];
    size_t sent; /* bytes of the transfer that is going on */
    size_t received;
};

struct process_group {
    int rank;
    int size;
    int local_rank;
    int local_size;
    bool broken;                /* somebody was lost: the reason names whom */
    struct process_peer *peers; /* [size] */
    struct pollfd *polls;       /* [2 size]: data, then lifelines */
};

#endif
