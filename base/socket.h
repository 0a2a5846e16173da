#ifndef HOLDFAST_BASE_SOCKET_H
#define HOLDFAST_BASE_SOCKET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * TCP sockets that never block: waiting is the caller's, until a deadline (clock_seconds())
 * here. All are closed on exec, probed while idle (10 s, then every 5 s, 4 times), and send
 * small messages at once.
 */
enum { SOCKET_ADDRESS_BYTES = 64 };

/* Listens on all addresses, or on this machine's own only. *port 0: any, and set. */
enum status socket_listen(int *descriptor, bool local, int *port, struct error *error);
/* -1 with an error at the deadline. `peer` (SOCKET_ADDRESS_BYTES, may be NULL) is the
 * numeric address of who has come. */
enum status socket_accept(int *descriptor, int listener, char *peer, double deadline,
                          struct error *error);
/* Tries again until the deadline: the other side may not listen yet. */
enum status socket_connect(int *descriptor, const char *address, int port, double deadline,
                           struct error *error);
/* All `bytes` until the deadline, or an error that says what went wrong. */
enum status socket_send(int descriptor, const void *memory, size_t bytes, double deadline,
                        struct error *error);
enum status socket_receive(int descriptor, void *memory, size_t bytes, double deadline,
                           struct error *error);
/* 127.x.y.z or localhost. */
bool socket_address_is_local(const char *address);

#endif
