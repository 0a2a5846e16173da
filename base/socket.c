#include "base/socket.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A way that swallows calls must not keep the other addresses of a name waiting. */
static const double try_seconds = 8.0;

enum { BACKLOG = 1024, RETRY_MS = 50, PROBE_AFTER_S = 10, PROBE_EVERY_S = 5, PROBES = 4 };

static void option_set(int descriptor, int level, int name, int value)
{
    (void)setsockopt(descriptor, level, name, &value, sizeof value); /* as far as it goes */
}

static void connection_tune(int descriptor)
{
    option_set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    option_set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    option_set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_S);
    option_set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S);
    option_set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}

/* False at the deadline. A broken connection counts as ready: the next call says why. */
static bool ready(int descriptor, short events, double deadline)
{
    for (;;) {
        const double left = deadline - clock_seconds();
        struct pollfd wanted = {.fd = descriptor, .events = events};
        const int timeout_ms = left <= 0     ? 0
                               : left > 3600 ? 3600000
                                             : (int)(left * 1e3) + 1;
        const int count = poll(&wanted, 1, timeout_ms);
        if (count > 0)
            return true;
        if (left <= 0)
            return false;
    }
}

static void descriptor_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static int port_of(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    return ntohs(address->ss_family == AF_INET6 ? six->sin6_port : four->sin_port);
}

/* On one address; an IPv6 one that is none in particular takes IPv4 calls too. */
static enum status listen_at(int *descriptor, const struct sockaddr *address,
                             socklen_t bytes, int *port, struct error *error)
{
    struct sockaddr_storage got;
    socklen_t got_bytes = sizeof got;
    *descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*descriptor < 0)
        return error_set_errno(error, errno, "socket");
    option_set(*descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->sa_family == AF_INET6)
        option_set(*descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(*descriptor, address, bytes) || listen(*descriptor, BACKLOG) ||
        getsockname(*descriptor, (struct sockaddr *)&got, &got_bytes)) {
        error_set_errno(error, errno, "cannot listen on port %d", *port);
        descriptor_close(descriptor);
        return error->status;
    }
    *port = port_of(&got);
    return STATUS_OK;
}

/* Where the machine has no IPv6, on all of IPv4. */
static enum status listen_anywhere(int *descriptor, int *port, struct error *error)
{
    const struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                                     .sin6_port = htons((uint16_t)*port),
                                     .sin6_addr = in6addr_any};
    const struct sockaddr_in four = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)*port),
                                     .sin_addr.s_addr = htonl(INADDR_ANY)};
    const int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool has_six =
        probe >= 0 && bind(probe,
                           (const struct sockaddr *)&(struct sockaddr_in6){
                               .sin6_family = AF_INET6, .sin6_addr = in6addr_any},
                           sizeof six) == 0;
    if (probe >= 0)
        close(probe);
    if (has_six)
        return listen_at(descriptor, (const struct sockaddr *)&six, sizeof six, port,
                         error);
    return listen_at(descriptor, (const struct sockaddr *)&four, sizeof four, port, error);
}

/* All addresses of a name, and the words of an error in `error`. */
static enum status resolve(struct addrinfo **found, const char *address, int port,
                           struct error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const int code = getaddrinfo(address, service, &hints, found);
    return code ? error_set(error, STATUS_IO, "%s", gai_strerror(code)) : STATUS_OK;
}

enum status socket_listen(int *descriptor, const char *address, int *port,
                          struct error *error)
{
    struct addrinfo *found = NULL;
    *descriptor = -1;
    if (!socket_address_is_local(address))
        return listen_anywhere(descriptor, port, error);
    enum status status = resolve(&found, address, *port, error);
    for (const struct addrinfo *to = found; to; to = to->ai_next) {
        status = listen_at(descriptor, to->ai_addr, to->ai_addrlen, port, error);
        if (!status)
            break;
    }
    if (found)
        freeaddrinfo(found);
    return status;
}

/* An IPv4 caller of an IPv6 socket is written as what it is. */
static void address_write(char peer[SOCKET_ADDRESS_BYTES],
                          const struct sockaddr_storage *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    if (address->ss_family != AF_INET6)
        inet_ntop(AF_INET, &four->sin_addr, peer, SOCKET_ADDRESS_BYTES);
    else if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], peer, SOCKET_ADDRESS_BYTES);
    else
        inet_ntop(AF_INET6, &six->sin6_addr, peer, SOCKET_ADDRESS_BYTES);
}

enum status socket_accept(int *descriptor, int listener, char peer[SOCKET_ADDRESS_BYTES],
                          struct error *error)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    peer[0] = '\0';
    *descriptor = accept4(listener, (struct sockaddr *)&address, &bytes,
                          SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*descriptor < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
                   ? STATUS_OK
                   : error_set_errno(error, errno, "accept");
    connection_tune(*descriptor);
    address_write(peer, &address);
    return STATUS_OK;
}

/* A port of the range that systems hand out may be given to the very socket that wants to
 * connect to it, which then meets itself. */
static bool met_itself(int descriptor)
{
    struct sockaddr_storage own = {0}, other = {0};
    socklen_t own_bytes = sizeof own, other_bytes = sizeof other;
    return !getsockname(descriptor, (struct sockaddr *)&own, &own_bytes) &&
           !getpeername(descriptor, (struct sockaddr *)&other, &other_bytes) &&
           own_bytes == other_bytes && memcmp(&own, &other, own_bytes) == 0;
}

/* One try of one address. */
static enum status connect_once(int *descriptor, const struct addrinfo *to, double deadline,
                                struct error *error)
{
    int code = 0;
    socklen_t bytes = sizeof code;
    *descriptor = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*descriptor < 0)
        return error_set_errno(error, errno, "socket");
    if (connect(*descriptor, to->ai_addr, to->ai_addrlen) && errno != EINPROGRESS)
        code = errno;
    else if (!ready(*descriptor, POLLOUT, deadline))
        code = ETIMEDOUT;
    else if (getsockopt(*descriptor, SOL_SOCKET, SO_ERROR, &code, &bytes))
        code = errno;
    else if (!code && met_itself(*descriptor))
        code = ECONNREFUSED;
    if (!code) {
        connection_tune(*descriptor);
        return STATUS_OK;
    }
    descriptor_close(descriptor);
    return error_set_errno(error, code, "cannot connect");
}

/* One try of each address of a name. */
static enum status connect_any(int *descriptor, const char *address, int port,
                               double deadline, struct error *error)
{
    struct addrinfo *found = NULL;
    enum status status = resolve(&found, address, port, error);
    for (const struct addrinfo *to = found; to; to = to->ai_next) {
        const double until = clock_seconds() + try_seconds;
        status = connect_once(descriptor, to, until < deadline ? until : deadline, error);
        if (!status)
            break;
    }
    if (found)
        freeaddrinfo(found);
    return status;
}

enum status socket_connect(int *descriptor, const char *address, int port, double deadline,
                           struct error *error)
{
    struct error last = {0}; /* of a try: others may follow */
    *descriptor = -1;
    for (;;) {
        const enum status status = connect_any(descriptor, address, port, deadline, &last);
        if (!status)
            return STATUS_OK;
        if (clock_seconds() >= deadline)
            return error_set(error, status, "%s port %d: %s", address, port, last.message);
        poll(NULL, 0, RETRY_MS);
    }
}

/* errno of the last call: whether it is worth waiting. */
static bool is_busy(void)
{
    return errno == EAGAIN || errno == EINTR;
}

enum status socket_send(int descriptor, const void *memory, size_t bytes, double deadline,
                        struct error *error)
{
    const unsigned char *next = memory;
    while (bytes > 0) {
        const ssize_t sent = send(descriptor, next, bytes, MSG_NOSIGNAL);
        if (sent < 0 && !is_busy())
            return error_set_errno(error, errno, "send");
        if (sent < 0 && !ready(descriptor, POLLOUT, deadline))
            return error_set(error, STATUS_LIMIT, "it takes nothing any more");
        if (sent > 0) {
            next += sent;
            bytes -= (size_t)sent;
        }
    }
    return STATUS_OK;
}

enum status socket_receive(int descriptor, void *memory, size_t bytes, double deadline,
                           struct error *error)
{
    unsigned char *next = memory;
    while (bytes > 0) {
        const ssize_t count = recv(descriptor, next, bytes, 0);
        if (count == 0)
            return error_set(error, STATUS_IO, "the connection was closed");
        if (count < 0 && !is_busy())
            return error_set_errno(error, errno, "receive");
        if (count < 0 && !ready(descriptor, POLLIN, deadline))
            return error_set(error, STATUS_LIMIT, "it says nothing");
        if (count > 0) {
            next += count;
            bytes -= (size_t)count;
        }
    }
    return STATUS_OK;
}

bool socket_address_is_local(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "localhost") == 0;
}
