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

enum status socket_listen(int *descriptor, bool local, int *port, struct error *error)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)*port),
        .sin_addr.s_addr = htonl(local ? INADDR_LOOPBACK : INADDR_ANY),
    };
    socklen_t bytes = sizeof address;
    *descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*descriptor < 0)
        return error_set_errno(error, errno, "socket");
    option_set(*descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(*descriptor, (struct sockaddr *)&address, bytes) ||
        listen(*descriptor, BACKLOG) ||
        getsockname(*descriptor, (struct sockaddr *)&address, &bytes)) {
        error_set_errno(error, errno, "cannot listen on port %d", *port);
        close(*descriptor);
        *descriptor = -1;
        return error->status;
    }
    *port = ntohs(address.sin_port);
    return STATUS_OK;
}

enum status socket_accept(int *descriptor, int listener, char *peer, double deadline,
                          struct error *error)
{
    struct sockaddr_in address;
    do {
        socklen_t bytes = sizeof address;
        if (!ready(listener, POLLIN, deadline)) {
            *descriptor = -1;
            return error_set(error, STATUS_LIMIT, "nobody has come in time");
        }
        *descriptor = accept4(listener, (struct sockaddr *)&address, &bytes,
                              SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (*descriptor < 0 &&
             (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED));
    if (*descriptor < 0)
        return error_set_errno(error, errno, "accept");
    connection_tune(*descriptor);
    if (peer)
        inet_ntop(AF_INET, &address.sin_addr, peer, SOCKET_ADDRESS_BYTES);
    return STATUS_OK;
}

/* A port of the range that systems hand out may be given to the very socket that wants to
 * connect to it, which then meets itself. */
static bool met_itself(int descriptor)
{
    struct sockaddr_in own, other;
    socklen_t own_bytes = sizeof own, other_bytes = sizeof other;
    return !getsockname(descriptor, (struct sockaddr *)&own, &own_bytes) &&
           !getpeername(descriptor, (struct sockaddr *)&other, &other_bytes) &&
           own.sin_port == other.sin_port && own.sin_addr.s_addr == other.sin_addr.s_addr;
}

/* One try. */
static enum status connect_once(int *descriptor, const struct addrinfo *to, double deadline,
                                struct error *error)
{
    int code = 0;
    socklen_t bytes = sizeof code;
    *descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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
    close(*descriptor);
    *descriptor = -1;
    return error_set_errno(error, code, "cannot connect");
}

enum status socket_connect(int *descriptor, const char *address, int port, double deadline,
                           struct error *error)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct error last = {0}; /* of a try: others may follow */
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    for (;;) {
        struct addrinfo *found = NULL;
        enum status status = STATUS_OK;
        const int code = getaddrinfo(address, service, &hints, &found);
        if (code)
            status = error_set(&last, STATUS_IO, "%s", gai_strerror(code));
        else
            status = connect_once(descriptor, found, deadline, &last);
        if (found)
            freeaddrinfo(found);
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
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "localhost") == 0;
}
