#ifndef HOLDFAST_BASE_PROCESS_GROUP_INTERNAL_H
#define HOLDFAST_BASE_PROCESS_GROUP_INTERNAL_H

#include "base/hello.h"
#include "base/process_group.h"

#include <poll.h>
#include <stdbool.h>

/* What process_group.c (work) and process_group_open.c (coming together) share. */
struct process_peer {
    int data;     /* -1: the rank itself */
    int lifeline; /* -1: none, or the peer has said good-bye */
    char host[HELLO_HOST_BYTES];
    size_t sent; /* bytes of the transfer that is going on */
    size_t received;
    double moved_seconds; /* when the last of them moved */
};

struct process_group {
    struct process_group_options options;
    int rank;
    int size;
    int local_rank;
    int local_size;
    double say_at;                  /* when to say whom it waits for */
    double looked_seconds;          /* when an exchange has last looked for what came */
    struct process_peer *peers;     /* [size] */
    struct pollfd *polls;           /* [2 size]: data, then lifelines */
    char lost[ERROR_MESSAGE_BYTES]; /* whom, and why, as all hear it; "": nobody yet */
};

/*
 * What is said on a lifeline: a length in four bytes, then words; length 0 is good-bye.
 * False where nothing comes within `seconds`, or nothing more will.
 */
enum { WORDS_BYTES = ERROR_MESSAGE_BYTES };
void words_send(int lifeline, const char *words);
bool words_receive(int lifeline, double seconds, char words[WORDS_BYTES]);
/* The error of a rank that is lost, which is what others hear then too. */
enum status process_lost_set(struct process_group *group, enum status status,
                             struct error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The error of a rank that is gone; `words` are the last ones that came, or "". */
enum status process_lost(struct process_group *group, int rank, const char *words,
                         struct error *error);
/* What `rank` says: good-bye is no error. */
enum status lifeline_read(struct process_group *group, int rank, struct error *error);

#endif
