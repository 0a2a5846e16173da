#ifndef HOLDFAST_BASE_SOCKET_H
#define HOLDFAST_BASE_SOCKET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * TCP sockets that never block: waiting is the caller's, until a deadline (clock_seconds())
 * here. All are closed on exec, probed while idle (10 s, then every 5 s, 4 times), and send
 * small messages at once. IPv4 and IPv6: names are resolved to either, and all of a name's
 * addresses are tried.
 */
enum { SOCKET_ADDRESS_BYTES = 64 };

/* Listens for those who call `address`: only on this machine where it is local (below),
 * else on all addresses. *port 0: any, and set. */
enum status socket_listen(int *descriptor, const char *address, int *port,
                          struct error *error);
/* Who has come; *descriptor -1: nobody is waiting. `peer` is the numeric address. */
enum status socket_accept(int *descriptor, int listener, char peer[SOCKET_ADDRESS_BYTES],
                          struct error *error);
/* Tries again until the deadline: the other side may not listen yet. The error says what
 * the last try met. */
enum status socket_connect(int *descriptor, const char *address, int port, double deadline,
                           struct error *error);
/* All `bytes` until the deadline, or an error that says what went wrong. */
enum status socket_send(int descriptor, const void *memory, size_t bytes, double deadline,
                        struct error *error);
enum status socket_receive(int descriptor, void *memory, size_t bytes, double deadline,
                           struct error *error);
/* 127.x.y.z, ::1 or localhost. */
bool socket_address_is_local(const char *address);

#endif
