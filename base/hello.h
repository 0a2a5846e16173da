#ifndef HOLDFAST_BASE_HELLO_H
#define HOLDFAST_BASE_HELLO_H

#include "base/error.h"
#include "base/launch.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The first words of two processes of a job, in the bytes of the machine:
 *
 *     who connects   struct hello     who it is, or why it must end
 *     rank 0         struct answer    come in, or why not
 *
 * Both begin with a mark that names program, protocol and version: it stays in this place
 * and of this size in all versions, so that each can name the other.
 */
enum { HELLO_MARK_BYTES = 64, HELLO_HOST_BYTES = 128, HELLO_BOOT_BYTES = 40 };

struct hello {
    char mark[HELLO_MARK_BYTES];
    uint64_t job;
    int32_t rank; /* -1: what the launcher says of it makes no sense */
    int32_t size;
    int32_t port; /* where it listens */
    int32_t is_data;
    char host[HELLO_HOST_BYTES];
    char boot[HELLO_BOOT_BYTES];      /* with the host: which machine */
    char reason[ERROR_MESSAGE_BYTES]; /* why it must end before it has begun; "": it is well
                                       */
};

struct answer {
    char mark[HELLO_MARK_BYTES];
    int32_t welcome;
    char words[ERROR_MESSAGE_BYTES]; /* why not */
};

void hello_make(struct hello *hello, const struct launch *launch, int port);

/* What `count` bytes that have come are. */
enum hello_kind {
    HELLO_BEGUN,    /* more must come */
    HELLO_STRANGER, /* of no holdfast */
    HELLO_OTHER,    /* of another version of holdfast: `mark` alone is valid */
    HELLO_WHOLE     /* all texts end within their places */
};
enum hello_kind hello_read(struct hello *hello, const void *bytes, size_t count);

void answer_make(struct answer *answer, const char *refusal);
/* HELLO_WHOLE, HELLO_OTHER or HELLO_STRANGER. */
enum hello_kind answer_check(struct answer *answer);

#endif
