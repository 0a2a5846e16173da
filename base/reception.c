#include "base/reception.h"

#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const double hello_seconds = 5.0; /* for a guest to say hello */

enum status reception_open(struct reception *reception, const char *address, int *port,
                           struct error *error)
{
    for (int i = 0; i < RECEPTION_PLACES; i++)
        reception->guests[i].descriptor = -1;
    return socket_listen(&reception->listener, address, port, error);
}

static void guest_send_away(struct guest *guest)
{
    if (guest->descriptor >= 0)
        close(guest->descriptor);
    guest->descriptor = -1;
}

void reception_close(struct reception *reception)
{
    if (reception->listener < 0)
        return;
    for (int i = 0; i < RECEPTION_PLACES; i++)
        guest_send_away(&reception->guests[i]);
    close(reception->listener);
    reception->listener = -1;
}

/* A free one, or that of the guest who has waited longest. */
static struct guest *place_find(struct reception *reception)
{
    struct guest *best = &reception->guests[0];
    for (int i = 0; i < RECEPTION_PLACES; i++) {
        struct guest *guest = &reception->guests[i];
        if (guest->descriptor < 0)
            return guest;
        if (guest->since < best->since)
            best = guest;
    }
    guest_send_away(best);
    return best;
}

static enum status guests_accept(struct reception *reception, struct error *error)
{
    for (;;) {
        int descriptor;
        char address[SOCKET_ADDRESS_BYTES];
        if (socket_accept(&descriptor, reception->listener, address, error))
            return error->status;
        if (descriptor < 0)
            return STATUS_OK;
        struct guest *guest = place_find(reception);
        *guest = (struct guest){.descriptor = descriptor, .since = clock_seconds()};
        memcpy(guest->address, address, sizeof address);
    }
}

/* Takes what has come; HELLO_STRANGER too where nothing more will. */
static enum hello_kind guest_hear(struct guest *guest, struct hello *hello)
{
    for (;;) {
        const ssize_t count = recv(guest->descriptor, guest->bytes + guest->count,
                                   sizeof guest->bytes - guest->count, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return clock_seconds() - guest->since > hello_seconds ? HELLO_STRANGER
                                                                  : HELLO_BEGUN;
        if (count <= 0)
            return HELLO_STRANGER;
        guest->count += (size_t)count;
        const enum hello_kind kind = hello_read(hello, guest->bytes, guest->count);
        if (kind != HELLO_BEGUN)
            return kind;
    }
}

/* True if one of them has said hello. */
static bool guests_hear(struct reception *reception, struct visitor *visitor)
{
    for (int i = 0; i < RECEPTION_PLACES; i++) {
        struct guest *guest = &reception->guests[i];
        if (guest->descriptor < 0)
            continue;
        const enum hello_kind kind = guest_hear(guest, &visitor->hello);
        if (kind == HELLO_STRANGER)
            guest_send_away(guest);
        if (kind != HELLO_WHOLE && kind != HELLO_OTHER)
            continue;
        visitor->kind = kind;
        visitor->descriptor = guest->descriptor;
        memcpy(visitor->address, guest->address, sizeof visitor->address);
        guest->descriptor = -1;
        return true;
    }
    return false;
}

/* The listener, the guests, and others. */
static int polls_fill(const struct reception *reception, struct pollfd *polls,
                      const struct pollfd *others, int count)
{
    int used = 0;
    polls[used++] = (struct pollfd){.fd = reception->listener, .events = POLLIN};
    for (int i = 0; i < RECEPTION_PLACES; i++)
        polls[used++] =
            (struct pollfd){.fd = reception->guests[i].descriptor, .events = POLLIN};
    for (int i = 0; i < count; i++)
        polls[used++] = (struct pollfd){.fd = others[i].fd, .events = others[i].events};
    return used;
}

enum status reception_wait(struct reception *reception, struct visitor *visitor,
                           struct pollfd *others, int count, double deadline,
                           struct error *error)
{
    enum { LOOK_MS = 500 }; /* for guests who say nothing */
    struct pollfd *polls =
        memory_allocate_array(1 + RECEPTION_PLACES + (size_t)count, sizeof *polls);
    enum status status = STATUS_OK;
    bool done = false;
    *visitor = (struct visitor){.kind = HELLO_BEGUN, .descriptor = -1};
    while (!done && !status) {
        const double left_ms = (deadline - clock_seconds()) * 1e3;
        const int used = polls_fill(reception, polls, others, count);
        const int wait_ms = left_ms > LOOK_MS ? LOOK_MS
                            : left_ms > 0     ? (int)left_ms + 1
                                              : 0;
        if (poll(polls, (nfds_t)used, wait_ms) < 0 && errno != EINTR)
            status = error_set_errno(error, errno, "poll");
        if (!status)
            status = guests_accept(reception, error);
        done = !status && guests_hear(reception, visitor);
        for (int i = 0; i < count; i++) {
            others[i].revents = polls[1 + RECEPTION_PLACES + i].revents;
            done = done || others[i].revents;
        }
        done = done || left_ms <= 0;
    }
    free(polls);
    return status;
}
