#include "base/process_group_internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/socket.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long last words may take: to be said, and to come from rank 0 where another rank is
 * gone, of whom it may hear a little later. */
static const double words_seconds = 1.0, reason_seconds = 5.0;
/* When to say first whom an exchange waits for, and then from time to time. */
static const double silent_say_seconds = 60.0;
/* Between two looks, where a process is not stopped itself. */
static const double away_seconds = 3.0;
/* What rank 0 has less than others until silence is an error: it knows best whose. */
static const double first_seconds = 10.0;

int process_group_rank(const struct process_group *group)
{
    return group->rank;
}

int process_group_size(const struct process_group *group)
{
    return group->size;
}

double process_group_silence_seconds(const struct process_group *group)
{
    return group->options.silence_seconds;
}

int process_group_local_rank(const struct process_group *group)
{
    return group->local_rank;
}

int process_group_local_size(const struct process_group *group)
{
    return group->local_size;
}

/* ---- Lifelines: a length in four bytes, then the words; length 0 is good-bye ---- */

static void descriptor_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

void words_send(int lifeline, const char *words)
{
    const double deadline = clock_seconds() + words_seconds;
    struct error ignored; /* who is gone needs no words */
    const uint32_t length = (uint32_t)strlen(words);
    if (!socket_send(lifeline, &length, sizeof length, deadline, &ignored))
        socket_send(lifeline, words, length, deadline, &ignored);
}

bool words_receive(int lifeline, double seconds, char words[WORDS_BYTES])
{
    const double deadline = clock_seconds() + seconds;
    struct error ignored;
    uint32_t length = 0;
    words[0] = '\0';
    if (lifeline < 0 ||
        socket_receive(lifeline, &length, sizeof length, deadline, &ignored) ||
        length >= WORDS_BYTES ||
        socket_receive(lifeline, words, length, deadline, &ignored))
        return false;
    words[length] = '\0';
    return true;
}

enum status process_lost_set(struct process_group *group, enum status status,
                             struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(group->lost, sizeof group->lost, format, arguments);
    va_end(arguments);
    return error_set(error, status, "%s", group->lost);
}

enum status process_lost(struct process_group *group, int rank, const char *words,
                         struct error *error)
{
    if (*words)
        return process_lost_set(group, STATUS_IO, error, "%s", words);
    return process_lost_set(group, STATUS_IO, error,
                            "rank %d on %s has ended without a word (was it killed?): all "
                            "ranks end; continue with --resume",
                            rank, group->peers[rank].host);
}

/* A broken connection for data: rank 0 knows why, or the peer has told rank 0. */
static enum status data_lost(struct process_group *group, int rank, struct error *error)
{
    char words[WORDS_BYTES];
    const int teller = group->rank == 0 ? rank : 0;
    words_receive(group->peers[teller].lifeline, reason_seconds, words);
    return process_lost(group, rank, words, error);
}

enum status lifeline_read(struct process_group *group, int rank, struct error *error)
{
    char words[WORDS_BYTES];
    if (words_receive(group->peers[rank].lifeline, words_seconds, words) && !*words) {
        descriptor_close(&group->peers[rank].lifeline);
        return STATUS_OK;
    }
    return process_lost(group, rank, words, error);
}

/* ---- Exchange ---- */

enum { LOOK_MS = 500 }; /* whether somebody has been silent for too long */

static bool is_pending(const struct process_peer *peer,
                       const struct process_transfer *transfer)
{
    return peer->sent < transfer->out_bytes || peer->received < transfer->in_bytes;
}

/* The descriptors to wait for; true if there is a transfer among them. */
static bool polls_fill(struct process_group *group,
                       const struct process_transfer *transfers)
{
    bool pending = false;
    for (int i = 0; i < group->size; i++) {
        const struct process_peer *peer = &group->peers[i];
        struct pollfd *data = &group->polls[i];
        *data = (struct pollfd){.fd = -1};
        group->polls[group->size + i] =
            (struct pollfd){.fd = peer->lifeline, .events = POLLIN};
        if (!transfers || i == group->rank || !is_pending(peer, &transfers[i]))
            continue;
        pending = true;
        data->fd = peer->data;
        if (peer->sent < transfers[i].out_bytes)
            data->events |= POLLOUT;
        if (peer->received < transfers[i].in_bytes)
            data->events |= POLLIN;
    }
    return pending;
}

/* Moves what can be moved at once; false: the connection is broken. */
static bool transfer_move(struct process_peer *peer,
                          const struct process_transfer *transfer)
{
    const size_t before = peer->received + peer->sent;
    while (peer->received < transfer->in_bytes) {
        const ssize_t count =
            recv(peer->data, (unsigned char *)transfer->in + peer->received,
                 transfer->in_bytes - peer->received, 0);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (count < 0)
            break;
        peer->received += (size_t)count;
    }
    while (peer->sent < transfer->out_bytes) {
        const ssize_t count =
            send(peer->data, (const unsigned char *)transfer->out + peer->sent,
                 transfer->out_bytes - peer->sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (count < 0)
            break;
        peer->sent += (size_t)count;
    }
    if (peer->received + peer->sent > before)
        peer->moved_seconds = clock_seconds();
    return true;
}

/* The rank that has been silent longest of those who are waited for. */
static int most_silent(const struct process_group *group,
                       const struct process_transfer *transfers)
{
    int found = -1;
    for (int i = 0; i < group->size; i++)
        if (i != group->rank && is_pending(&group->peers[i], &transfers[i]) &&
            (found < 0 ||
             group->peers[i].moved_seconds < group->peers[found].moved_seconds))
            found = i;
    return found;
}

static void say_who_is_silent(struct process_group *group, int rank, double now)
{
    struct text_buffer words = {0};
    const double silent = now - group->peers[rank].moved_seconds;
    if (!group->options.say || silent < silent_say_seconds || now < group->say_at)
        return;
    text_buffer_appendf(&words,
                        "waiting for rank %d on %s, which is there, and has moved nothing "
                        "for %.0f s",
                        rank, group->peers[rank].host, silent);
    group->options.say(text_buffer_string(&words));
    text_buffer_release(&words);
    group->say_at = now + 5 * silent_say_seconds;
}

/* Who was stopped itself has not seen what came meanwhile, and blames nobody. */
static void look_note(struct process_group *group, double now)
{
    const bool was_away = now - group->looked_seconds > away_seconds;
    for (int i = 0; i < group->size && was_away; i++)
        group->peers[i].moved_seconds = now;
    group->looked_seconds = now;
}

static enum status silence_check(struct process_group *group,
                                 const struct process_transfer *transfers,
                                 struct error *error)
{
    const double now = clock_seconds();
    const double limit =
        group->options.silence_seconds + (group->rank == 0 ? 0 : first_seconds);
    look_note(group, now);
    const int rank = most_silent(group, transfers);
    if (rank < 0)
        return STATUS_OK;
    const double silent = now - group->peers[rank].moved_seconds;
    say_who_is_silent(group, rank, now);
    if (group->options.silence_seconds == 0 || silent < limit)
        return STATUS_OK;
    return process_lost_set(group, STATUS_LIMIT, error,
                            "rank %d on %s is there, and has moved nothing for %.0f s (is "
                            "it stopped, swapping, or its disk slow?): all ranks end; "
                            "--rank-silence gives it longer",
                            rank, group->peers[rank].host, silent);
}

static enum status lifelines_look(struct process_group *group, struct error *error)
{
    for (int i = 0; i < group->size; i++)
        if (group->polls[group->size + i].revents && lifeline_read(group, i, error))
            return error->status;
    return STATUS_OK;
}

static enum status events_handle(struct process_group *group,
                                 const struct process_transfer *transfers,
                                 struct error *error)
{
    for (int i = 0; i < group->size; i++)
        if (group->polls[i].revents && !transfer_move(&group->peers[i], &transfers[i]))
            return data_lost(group, i, error);
    return lifelines_look(group, error);
}

static enum status polls_wait(struct process_group *group, int timeout_ms,
                              struct error *error)
{
    if (poll(group->polls, (nfds_t)group->size * 2, timeout_ms) >= 0)
        return STATUS_OK;
    for (int i = 0; i < 2 * group->size; i++)
        group->polls[i].revents = 0;
    return errno == EINTR ? STATUS_OK : error_set_errno(error, errno, "poll");
}

enum status process_group_exchange(struct process_group *group,
                                   const struct process_transfer *transfers,
                                   struct error *error)
{
    const struct process_transfer *own = &transfers[group->rank];
    CHECK(own->in_bytes == own->out_bytes);
    if (own->in_bytes)
        memmove(own->in, own->out, own->in_bytes);
    const double now = clock_seconds();
    group->looked_seconds = now;
    for (int i = 0; i < group->size; i++) {
        group->peers[i].sent = group->peers[i].received = 0;
        group->peers[i].moved_seconds = now;
    }
    while (polls_fill(group, transfers))
        if (polls_wait(group, LOOK_MS, error) || events_handle(group, transfers, error) ||
            silence_check(group, transfers, error))
            return error->status;
    return STATUS_OK;
}

enum status process_group_check(struct process_group *group, struct error *error)
{
    if (*group->lost)
        return error_set(error, STATUS_IO, "%s", group->lost);
    polls_fill(group, NULL);
    if (polls_wait(group, 0, error))
        return error->status;
    return lifelines_look(group, error);
}

/* ---- What is made of it ---- */

enum status process_group_barrier(struct process_group *group, struct error *error)
{
    double nothing = 0;
    return process_group_sum(group, &nothing, 1, error);
}

enum status process_group_broadcast(struct process_group *group, void *memory, size_t bytes,
                                    struct error *error)
{
    struct process_transfer *transfers =
        memory_allocate_array((size_t)group->size, sizeof *transfers);
    if (group->rank == 0)
        for (int i = 1; i < group->size; i++)
            transfers[i] = (struct process_transfer){.out = memory, .out_bytes = bytes};
    else
        transfers[0] = (struct process_transfer){.in = memory, .in_bytes = bytes};
    const enum status status = process_group_exchange(group, transfers, error);
    free(transfers);
    return status;
}

enum status process_group_sum(struct process_group *group, double *values, size_t count,
                              struct error *error)
{
    const size_t size = (size_t)group->size;
    struct process_transfer *transfers = memory_allocate_array(size, sizeof *transfers);
    double *parts = memory_allocate_array(size * count, sizeof *parts);
    for (size_t i = 0; i < size; i++)
        transfers[i] = (struct process_transfer){.out = values,
                                                 .out_bytes = count * sizeof *values,
                                                 .in = parts + i * count,
                                                 .in_bytes = count * sizeof *parts};
    const enum status status = process_group_exchange(group, transfers, error);
    for (size_t k = 0; k < count && !status; k++) {
        values[k] = parts[k];
        for (size_t i = 1; i < size; i++)
            values[k] += parts[i * count + k];
    }
    free(parts);
    free(transfers);
    return status;
}

void process_group_close(struct process_group *group, const char *reason)
{
    char words[WORDS_BYTES] = "";
    if (!group)
        return;
    if (reason && *group->lost)
        snprintf(words, sizeof words, "%s", group->lost);
    else if (reason)
        snprintf(words, sizeof words, "rank %d on %s: %.800s", group->rank,
                 group->peers[group->rank].host, reason);
    for (int i = 0; i < group->size; i++)
        if (group->peers[i].lifeline >= 0)
            words_send(group->peers[i].lifeline, words);
    for (int i = 0; i < group->size; i++) {
        descriptor_close(&group->peers[i].lifeline);
        descriptor_close(&group->peers[i].data);
    }
    free(group->polls);
    free(group->peers);
    free(group);
}
