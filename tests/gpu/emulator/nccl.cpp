#include "tests/gpu/emulator/emulator.h"

/* The functions of NCCL that the back-end calls, between processes on one machine. Where
 * there is no nccl.h the back-end does without it, too. */
#if __has_include(<nccl.h>)

#include <errno.h>
#include <memory>
#include <nccl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace
{

enum { PATIENCE_MS = 20 };

struct transfer {
    int rank;
    char *memory;
    size_t bytes;
    bool out;
};

struct connections {
    int rank, size;
    ncclUniqueId id;
    int listening;
    std::vector<int> sockets; /* of each rank, -1: not yet */
    bool busy;                /* what was begun is said to be done by the next question */
    bool aborted;
    ncclResult_t error;
};

std::vector<transfer> group;
ncclComm_t group_comm;
cudaStream_t group_stream;

sockaddr_un address_of(const ncclUniqueId &id, int rank)
{
    sockaddr_un address = {};

    address.sun_family = AF_UNIX; /* a name that is no file: its first byte is 0 */
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%.90s-%d", id.internal, rank);
    return address;
}

void lower_connect(connections *c, int rank)
{
    const sockaddr_un address = address_of(c->id, rank);
    const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(s, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0 &&
        send(s, &c->rank, sizeof c->rank, MSG_NOSIGNAL) == sizeof c->rank)
        c->sockets[static_cast<size_t>(rank)] = s;
    else
        close(s);
}

void higher_accept(connections *c)
{
    pollfd one = {c->listening, POLLIN, 0};
    int rank;

    while (poll(&one, 1, 1) > 0) {
        const int s = accept4(c->listening, NULL, NULL, SOCK_CLOEXEC);
        if (s < 0 || recv(s, &rank, sizeof rank, MSG_WAITALL) != sizeof rank)
            return;
        c->sockets[static_cast<size_t>(rank)] = s;
    }
}

bool connected(connections *c)
{
    bool all = true;

    for (int i = 0; i < c->rank; i++)
        if (c->sockets[static_cast<size_t>(i)] < 0)
            lower_connect(c, i);
    higher_accept(c);
    for (int i = 0; i < c->size; i++)
        all = all && (i == c->rank || c->sockets[static_cast<size_t>(i)] >= 0);
    return all;
}

/* What can be moved now. */
void move(connections *c, transfer *t)
{
    const int s = c->sockets[static_cast<size_t>(t->rank)];
    const ssize_t count = t->out ? send(s, t->memory, t->bytes, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : recv(s, t->memory, t->bytes, MSG_DONTWAIT);

    if (count > 0) {
        t->memory += count;
        t->bytes -= static_cast<size_t>(count);
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        c->error = ncclRemoteError;
    }
}

/* Whether it is over: done, or given up. */
bool exchanged(connections *c, std::vector<transfer> *transfers)
{
    std::vector<pollfd> polled;

    if (c->aborted)
        return true;
    for (const transfer &t : *transfers)
        if (t.bytes > 0)
            polled.push_back({c->sockets[static_cast<size_t>(t.rank)],
                              static_cast<short>(t.out ? POLLOUT : POLLIN), 0});
    if (polled.empty())
        return true;
    if (c->error == ncclSuccess && poll(polled.data(), polled.size(), PATIENCE_MS) > 0)
        for (transfer &t : *transfers)
            if (t.bytes > 0)
                move(c, &t);
    return false;
}

ncclResult_t queue(const transfer &one, ncclComm_t comm, cudaStream_t stream)
{
    group.push_back(one);
    group_comm = comm;
    group_stream = stream;
    return ncclSuccess;
}

} /* namespace */

struct ncclComm {
    std::shared_ptr<connections> shared; /* with the work that is on its way */
};

extern "C" {

ncclResult_t ncclGetVersion(int *version)
{
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t)
{
    return "error of the emulator";
}

const char *ncclGetLastError(ncclComm_t)
{
    return "a rank is gone";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    static int count;

    snprintf(id->internal, sizeof id->internal, "holdfast-nccl-%d-%d",
             static_cast<int>(getpid()), count++);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t *)
{
    const auto c = std::make_shared<connections>();
    const sockaddr_un address = address_of(id, rank);

    *c = {rank, size, id, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
          std::vector<int>(static_cast<size_t>(size), -1), false, false, ncclSuccess};
    if (bind(c->listening, reinterpret_cast<const sockaddr *>(&address), sizeof address) ||
        listen(c->listening, size))
        return ncclSystemError;
    *comm = new ncclComm{c};
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *result)
{
    connections *c = comm->shared.get();

    *result = c->error != ncclSuccess            ? c->error
              : c->busy || connected(c)          ? ncclSuccess
                                                 : ncclInProgress;
    c->busy = false;
    return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    connections *c = comm->shared.get();

    c->aborted = true;
    close(c->listening);
    for (int s : c->sockets)
        if (s >= 0)
            close(s);
    delete comm;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart(void)
{
    group.clear();
    return ncclSuccess;
}

ncclResult_t ncclSend(const void *memory, size_t count, ncclDataType_t, int rank,
                      ncclComm_t comm, cudaStream_t stream)
{
    char *bytes = static_cast<char *>(const_cast<void *>(memory)); /* only read from */
    return queue({rank, bytes, count, true}, comm, stream);
}

ncclResult_t ncclRecv(void *memory, size_t count, ncclDataType_t, int rank, ncclComm_t comm,
                      cudaStream_t stream)
{
    return queue({rank, static_cast<char *>(memory), count, false}, comm, stream);
}

/* What is not of int8 is not asked for. */
ncclResult_t ncclGroupEnd(void)
{
    if (group.empty())
        return ncclSuccess;
    const std::shared_ptr<connections> c = group_comm->shared;
    const auto transfers = std::make_shared<std::vector<transfer>>(group);
    group.clear();
    c->busy = true;
    emulator::enqueue_waiting(group_stream,
                              [c, transfers] { return exchanged(c.get(), transfers.get()); });
    return ncclInProgress;
}

} /* extern "C" */

#endif
