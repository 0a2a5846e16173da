#ifndef HOLDFAST_BASE_RECEPTION_H
#define HOLDFAST_BASE_RECEPTION_H

#include "base/hello.h"
#include "base/socket.h"

#include <poll.h>

/*
 * Where processes of a job come to: a listening socket, and those who have come and are
 * not done saying hello. Whoever says something else is sent away at once, who says
 * nothing after 5 s, and nobody keeps others waiting.
 */
enum { RECEPTION_PLACES = 32 };

struct reception {
    int listener; /* -1: closed */
    struct guest {
        int descriptor; /* -1: the place is free */
        double since;
        size_t count; /* bytes that have come */
        unsigned char bytes[sizeof(struct hello)];
        char address[SOCKET_ADDRESS_BYTES];
    } guests[RECEPTION_PLACES];
};

/* Who has said hello; the descriptor is the taker's. */
struct visitor {
    enum hello_kind kind; /* HELLO_WHOLE or HELLO_OTHER; HELLO_BEGUN: nobody came */
    int descriptor;
    struct hello hello;
    char address[SOCKET_ADDRESS_BYTES]; /* numeric: where it comes from */
};

/* As socket_listen(). */
enum status reception_open(struct reception *reception, const char *address, int *port,
                           struct error *error);
void reception_close(struct reception *reception);

/*
 * Waits until somebody has said hello, something has happened to one of others[0 … count)
 * (as poll(2) fills it; may be none), or the deadline: the last two with a visitor who is
 * nobody.
 */
enum status reception_wait(struct reception *reception, struct visitor *visitor,
                           struct pollfd *others, int count, double deadline,
                           struct error *error);

#endif
