#include "base/process_group_internal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/socket.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Coming together. Rank 0 listens where all know it; everybody else listens on a port of
 * its own, and
 *
 *     1. connects to rank 0 (its lifeline) and says a `struct hello`;
 *     2. gets the table of all hellos, with the addresses from which they came;
 *     3. connects to every lower rank for data, says hello again, and is connected to by
 *        every higher one.
 *
 * A connection that says something else, or nothing, is closed.
 */
enum { MAGIC_BYTES = 32, BOOT_BYTES = 40 };
static const char magic[MAGIC_BYTES] = "holdfast process group 1";
static const double hello_seconds = 5.0; /* for a stranger to say hello */

struct hello {
    char magic[MAGIC_BYTES];
    uint64_t job;
    int32_t rank;
    int32_t size;
    int32_t port;
    int32_t is_data;
    char host[PROCESS_HOST_BYTES];
    char boot[BOOT_BYTES]; /* with the host: which machine */
    char address[LAUNCH_ADDRESS_BYTES];
};

/* What is needed until all have come. */
struct meeting {
    struct process_group *group;
    const struct launch *launch;
    struct hello *table; /* [size] */
    int listener;
    double deadline;
};

static void hello_make(struct hello *hello, const struct launch *launch, int port)
{
    struct text_buffer boot = {0};
    *hello = (struct hello){
        .job = launch->job, .rank = launch->rank, .size = launch->size, .port = port};
    memcpy(hello->magic, magic, sizeof magic);
    memcpy(hello->address, launch->address, sizeof hello->address);
    if (gethostname(hello->host, sizeof hello->host - 1))
        strcpy(hello->host, "?");
    if (!file_read(&boot, "/proc/sys/kernel/random/boot_id", 0, NULL))
        strncpy(hello->boot, text_buffer_string(&boot), sizeof hello->boot - 1);
    text_buffer_release(&boot);
}

/* Accepts the next connection of this job for data, or as a lifeline; others are closed. */
static enum status member_accept(struct meeting *meeting, bool is_data, int *descriptor,
                                 struct hello *hello, struct error *error)
{
    const struct launch *launch = meeting->launch;
    char peer[SOCKET_ADDRESS_BYTES];
    struct error ignored;
    for (;;) {
        if (socket_accept(descriptor, meeting->listener, peer, meeting->deadline, error))
            return error->status;
        const bool known = !socket_receive(*descriptor, hello, sizeof *hello,
                                           clock_seconds() + hello_seconds, &ignored) &&
                           memcmp(hello->magic, magic, sizeof magic) == 0 &&
                           hello->job == launch->job && hello->size == launch->size &&
                           hello->rank >= 0 && hello->rank < launch->size &&
                           hello->is_data == is_data;
        if (known)
            break;
        close(*descriptor);
    }
    hello->host[sizeof hello->host - 1] = '\0';
    hello->boot[sizeof hello->boot - 1] = '\0';
    /* Who comes from this machine itself is, to others, where rank 0 is. */
    if (!socket_address_is_local(peer))
        strcpy(hello->address, peer);
    else
        memcpy(hello->address, launch->address, sizeof hello->address);
    return STATUS_OK;
}

static enum status hello_take(struct meeting *meeting, int descriptor,
                              const struct hello *hello, struct error *error)
{
    struct process_peer *peer = &meeting->group->peers[hello->rank];
    int *place = hello->is_data ? &peer->data : &peer->lifeline;
    if (hello->rank == meeting->group->rank || *place >= 0) {
        close(descriptor);
        return error_set(error, STATUS_USAGE,
                         "two processes say that they are rank %d of %d, one on %s",
                         hello->rank, hello->size, hello->host);
    }
    *place = descriptor;
    return STATUS_OK;
}

/* Rank 0: waits for the hello of everybody, and answers with all of them. */
static enum status table_make(struct meeting *meeting, struct error *error)
{
    struct process_group *group = meeting->group;
    for (int come = 1; come < group->size; come++) {
        int descriptor;
        struct hello hello;
        if (member_accept(meeting, false, &descriptor, &hello, error))
            return error_prefix(error, "only %d of %d ranks have come to %s port %d", come,
                                group->size, meeting->launch->address,
                                meeting->launch->port);
        if (hello_take(meeting, descriptor, &hello, error))
            return error->status;
        meeting->table[hello.rank] = hello;
    }
    const size_t bytes = (size_t)group->size * sizeof *meeting->table;
    for (int i = 1; i < group->size; i++)
        if (socket_send(group->peers[i].lifeline, meeting->table, bytes, meeting->deadline,
                        error))
            return error_prefix(error, "rank %d", i);
    return STATUS_OK;
}

/* Everybody else. */
static enum status table_get(struct meeting *meeting, const struct hello *own,
                             struct error *error)
{
    struct process_group *group = meeting->group;
    const struct launch *launch = meeting->launch;
    int *lifeline = &group->peers[0].lifeline;
    const size_t bytes = (size_t)group->size * sizeof *meeting->table;
    if (socket_connect(lifeline, launch->address, launch->port, meeting->deadline, error))
        return error_prefix(error, "rank 0 cannot be reached");
    if (socket_send(*lifeline, own, sizeof *own, meeting->deadline, error) ||
        socket_receive(*lifeline, meeting->table, bytes, meeting->deadline, error))
        return error_prefix(error,
                            "rank 0 does not answer at %s port %d (if another program "
                            "listens there, set MASTER_PORT to a free one)",
                            launch->address, launch->port);
    return STATUS_OK;
}

static enum status data_connect(struct meeting *meeting, const struct hello *own,
                                struct error *error)
{
    struct process_group *group = meeting->group;
    struct hello hello = *own;
    hello.is_data = 1;
    for (int i = 0; i < group->rank; i++) {
        const struct hello *to = &meeting->table[i];
        if (socket_connect(&group->peers[i].data, to->address, to->port, meeting->deadline,
                           error) ||
            socket_send(group->peers[i].data, &hello, sizeof hello, meeting->deadline,
                        error))
            return error_prefix(error, "rank %d on %s cannot be reached", i, to->host);
    }
    for (int i = group->rank + 1; i < group->size; i++) {
        int descriptor;
        if (member_accept(meeting, true, &descriptor, &hello, error) ||
            hello_take(meeting, descriptor, &hello, error))
            return error_prefix(error, "higher ranks");
    }
    return STATUS_OK;
}

static void machines_count(struct process_group *group, const struct hello *table)
{
    const struct hello *own = &table[group->rank];
    for (int i = 0; i < group->size; i++) {
        memcpy(group->peers[i].host, table[i].host, sizeof table[i].host);
        if (strcmp(own->host, table[i].host) != 0 || strcmp(own->boot, table[i].boot) != 0)
            continue;
        group->local_size++;
        group->local_rank += i < group->rank;
    }
}

static enum status meet(struct meeting *meeting, struct error *error)
{
    const struct launch *launch = meeting->launch;
    struct process_group *group = meeting->group;
    struct hello own;
    int port = group->rank == 0 ? launch->port : 0;
    if (socket_listen(&meeting->listener, socket_address_is_local(launch->address), &port,
                      error))
        return error_prefix(error, "rank %d (MASTER_PORT chooses another port)",
                            group->rank);
    hello_make(&own, launch, port);
    meeting->table[group->rank] = own;
    enum status status =
        group->rank == 0 ? table_make(meeting, error) : table_get(meeting, &own, error);
    if (!status)
        status = data_connect(meeting, &own, error);
    if (!status)
        machines_count(group, meeting->table);
    return status;
}

enum status process_group_open(struct process_group **group, const struct launch *launch,
                               double timeout_seconds, struct error *error)
{
    const size_t size = (size_t)launch->size;
    CHECK(launch->size >= 1 && launch->rank >= 0 && launch->rank < launch->size);
    *group = memory_allocate(sizeof **group);
    (*group)->rank = launch->rank;
    (*group)->size = launch->size;
    (*group)->peers = memory_allocate_array(size, sizeof *(*group)->peers);
    (*group)->polls = memory_allocate_array(2 * size, sizeof *(*group)->polls);
    for (size_t i = 0; i < size; i++)
        (*group)->peers[i].data = (*group)->peers[i].lifeline = -1;
    struct meeting meeting = {.group = *group,
                              .launch = launch,
                              .table = memory_allocate_array(size, sizeof *meeting.table),
                              .listener = -1,
                              .deadline = clock_seconds() + timeout_seconds};
    const enum status status = meet(&meeting, error);
    if (meeting.listener >= 0)
        close(meeting.listener);
    free(meeting.table);
    if (!status && launch->local_rank >= 0)
        (*group)->local_rank = launch->local_rank;
    if (status) {
        process_group_close(*group, error ? error->message : NULL);
        *group = NULL;
    }
    return status;
}
