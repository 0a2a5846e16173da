#include "base/process_group_meeting.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Coming together. Rank 0 listens where all know it; everybody else listens on a port of
 * its own, and
 *
 *     1. connects to rank 0 (its lifeline), says a `struct hello`, and gets an answer;
 *     2. gets the table of all members, with the addresses from which they came, or why
 *        all must end, as on any lifeline (process_group_internal.h);
 *     3. connects to every lower rank for data, says hello again, and is connected to by
 *        every higher one.
 *
 * Rank 0 sees at once when one that has come dies, and so do the others when it does.
 * Where it must end before all have come, it waits for the rest a while to tell them.
 */
static const double data_seconds = 30.0; /* to reach somebody who listens already */
static const double first_say_seconds = 5.0, say_seconds_most = 60.0;

/* ---- Words while waiting ---- */

bool meeting_say_is_due(const struct meeting *meeting)
{
    return clock_seconds() >= meeting->group->say_at;
}

void meeting_say(struct meeting *meeting, const char *format, ...)
{
    struct process_group *group = meeting->group;
    char words[WORDS_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    meeting->say_gap = earlier(2 * meeting->say_gap, say_seconds_most);
    group->say_at = clock_seconds() + meeting->say_gap;
    if (group->options.say)
        group->options.say(words);
}

void visitor_refuse(struct visitor *visitor, const char *words)
{
    struct answer answer;
    struct error ignored;
    answer_make(&answer, words);
    socket_send(visitor->descriptor, &answer, sizeof answer, clock_seconds() + 1, &ignored);
    close(visitor->descriptor);
    visitor->descriptor = -1;
}

/* ---- Everybody, while waiting ---- */

static enum status lifeline_events(struct meeting *meeting, const struct pollfd *lifelines,
                                   struct error *error)
{
    for (int i = 0; i < meeting->group->size; i++)
        if (lifelines[i].revents && lifeline_read(meeting->group, i, error))
            return error->status;
    return STATUS_OK;
}

enum status meeting_wait(struct meeting *meeting, struct visitor *visitor, double until,
                         struct error *error)
{
    const struct process_group *group = meeting->group;
    struct pollfd *lifelines =
        memory_allocate_array((size_t)group->size, sizeof *lifelines);
    for (int i = 0; i < group->size; i++)
        lifelines[i] = (struct pollfd){.fd = group->peers[i].lifeline, .events = POLLIN};
    enum status status =
        reception_wait(&meeting->reception, visitor, lifelines, group->size, until, error);
    if (!status)
        status = lifeline_events(meeting, lifelines, error);
    if (status && visitor->descriptor >= 0)
        close(visitor->descriptor);
    free(lifelines);
    return status;
}

/* ---- The others ---- */

/* Until rank 0 listens. */
static enum status rank0_reach(struct meeting *meeting, struct error *error)
{
    const struct launch *launch = meeting->launch;
    const double limit = meeting->group->options.meeting_seconds;
    for (;;) {
        const double until = earlier(meeting->deadline, meeting->group->say_at);
        if (!socket_connect(&meeting->group->peers[0].lifeline, launch->address,
                            launch->port, until, error))
            return STATUS_OK;
        if (clock_seconds() >= meeting->deadline)
            return error_prefix(error, "rank 0 cannot be reached within %.0f s", limit);
        if (meeting_say_is_due(meeting))
            meeting_say(meeting, "waiting for rank 0, %.0f s more: %s",
                        meeting->deadline - clock_seconds(), error->message);
    }
}

/* Says hello to rank 0; STATUS_OK: it may come in. */
static enum status come_in(struct meeting *meeting, struct error *error)
{
    struct process_group *group = meeting->group;
    const struct launch *launch = meeting->launch;
    struct answer answer;
    if (rank0_reach(meeting, error))
        return error->status;
    const int lifeline = group->peers[0].lifeline;
    const double deadline = clock_seconds() + answer_seconds;
    if (socket_send(lifeline, &meeting->own, sizeof meeting->own, deadline, error) ||
        socket_receive(lifeline, &answer, sizeof answer, deadline, error))
        return error_set(error, error->status,
                         "rank 0 does not answer at %s port %d: %s (it has ended, or "
                         "another program listens there: then set MASTER_PORT to a free "
                         "one)",
                         launch->address, launch->port, error->message);
    const enum hello_kind kind = answer_check(&answer);
    if (kind == HELLO_OTHER)
        return error_set(error, STATUS_USAGE,
                         "rank 0 is another version, \"%s\"; this one is \"%s\": all ranks "
                         "need the same holdfast",
                         answer.mark, meeting->own.mark);
    if (kind == HELLO_STRANGER)
        return error_set(error, STATUS_IO,
                         "what answers at %s port %d is no rank 0 of this holdfast: set "
                         "MASTER_PORT to a free one",
                         launch->address, launch->port);
    if (answer.welcome)
        return STATUS_OK;
    return process_lost_set(group, STATUS_IO, error, "%s", answer.words);
}

/* Rank 0 waits for others now, as long as it may. */
static enum status table_get(struct meeting *meeting, struct error *error)
{
    struct process_group *group = meeting->group;
    const int lifeline = group->peers[0].lifeline;
    const size_t bytes = (size_t)group->size * sizeof *meeting->table;
    const double deadline =
        clock_seconds() + group->options.meeting_seconds + answer_seconds;
    char words[WORDS_BYTES] = "";
    uint32_t mark;
    enum status status = socket_receive(lifeline, &mark, sizeof mark, deadline, error);
    if (!status && mark == TABLE_MARK)
        status = socket_receive(lifeline, meeting->table, bytes, deadline, error);
    else if (!status && mark < sizeof words)
        status = socket_receive(lifeline, words, mark, deadline, error);
    if (!status && mark == TABLE_MARK)
        return STATUS_OK;
    if (status == STATUS_LIMIT)
        return error_prefix(error, "rank 0");
    words[sizeof words - 1] = '\0';
    return process_lost(group, 0, words, error);
}

static void member_tame(struct member *member)
{
    member->host[sizeof member->host - 1] = '\0';
    member->boot[sizeof member->boot - 1] = '\0';
    member->address[sizeof member->address - 1] = '\0';
}

/* ---- Data ---- */

/* Somebody who listens already; or it is gone, and rank 0 says so. */
static enum status member_reach(struct process_group *group, int rank,
                                const struct member *to, struct error *error)
{
    const double deadline = clock_seconds() + data_seconds;
    struct error lost = {0};
    for (;;) {
        const double until = earlier(deadline, clock_seconds() + 1);
        if (!socket_connect(&group->peers[rank].data, to->address, to->port, until, error))
            return STATUS_OK;
        if (process_group_check(group, &lost))
            return error_set(error, lost.status, "%s", lost.message);
        if (clock_seconds() >= deadline)
            return error_prefix(error,
                                "rank %d on %s cannot be reached (all ranks connect to one "
                                "another, on any port)",
                                rank, to->host);
    }
}

static enum status lower_reach(struct meeting *meeting, struct error *error)
{
    struct process_group *group = meeting->group;
    struct hello hello = meeting->own;
    hello.is_data = 1;
    for (int i = 0; i < group->rank; i++) {
        if (member_reach(group, i, &meeting->table[i], error))
            return error->status;
        if (socket_send(group->peers[i].data, &hello, sizeof hello,
                        clock_seconds() + data_seconds, error))
            return error_prefix(error, "rank %d on %s", i, meeting->table[i].host);
    }
    return STATUS_OK;
}

static enum status higher_accept(struct meeting *meeting, struct error *error)
{
    struct process_group *group = meeting->group;
    const double deadline = clock_seconds() + 2 * data_seconds;
    for (int left = group->size - 1 - group->rank; left > 0;) {
        struct visitor visitor;
        if (meeting_wait(meeting, &visitor, deadline, error))
            return error->status;
        const struct hello *hello = &visitor.hello;
        if (visitor.descriptor < 0 && clock_seconds() >= deadline)
            return error_set(error, STATUS_LIMIT,
                             "%d higher ranks did not connect to this one", left);
        if (visitor.descriptor < 0)
            continue;
        if (visitor.kind != HELLO_WHOLE || hello->job != meeting->launch->job ||
            !hello->is_data || hello->rank <= group->rank || hello->rank >= group->size ||
            group->peers[hello->rank].data >= 0) {
            visitor_refuse(&visitor, "this is no rank 0 that waits for others");
            continue;
        }
        group->peers[hello->rank].data = visitor.descriptor;
        left--;
    }
    return STATUS_OK;
}

static void machines_count(struct process_group *group, const struct member *table)
{
    const struct member *own = &table[group->rank];
    for (int i = 0; i < group->size; i++) {
        memcpy(group->peers[i].host, table[i].host, sizeof table[i].host);
        if (strcmp(own->host, table[i].host) != 0 || strcmp(own->boot, table[i].boot) != 0)
            continue;
        group->local_size++;
        group->local_rank += i < group->rank;
    }
}

/* ---- All of it ---- */

static enum status listen_here(struct meeting *meeting, struct error *error)
{
    const struct launch *launch = meeting->launch;
    int port = launch->rank == 0 ? launch->port : 0;
    if (reception_open(&meeting->reception, launch->address, &port, error))
        return error_set(error, error->status,
                         "%s (of %s): another program, or another rank 0, may be there; "
                         "set MASTER_PORT to a free one",
                         error->message, launch->address);
    hello_make(&meeting->own, launch, port);
    if (launch->rank < 0)
        return STATUS_OK;
    struct member *own = &meeting->table[launch->rank];
    own->port = port;
    memcpy(own->host, meeting->own.host, sizeof own->host);
    memcpy(own->boot, meeting->own.boot, sizeof own->boot);
    memcpy(own->address, launch->address, sizeof own->address);
    memcpy(meeting->group->peers[launch->rank].host, own->host, sizeof own->host);
    return STATUS_OK;
}

static enum status meet_as_other(struct meeting *meeting, struct error *error)
{
    if (come_in(meeting, error) || table_get(meeting, error))
        return error->status;
    for (int i = 0; i < meeting->group->size; i++)
        member_tame(&meeting->table[i]);
    return STATUS_OK;
}

static enum status meet(struct meeting *meeting, struct error *error)
{
    enum status status = listen_here(meeting, error);
    if (!status)
        status = meeting->launch->rank == 0 ? meeting_first(meeting, error)
                                            : meet_as_other(meeting, error);
    if (!status)
        status = lower_reach(meeting, error);
    if (!status)
        status = higher_accept(meeting, error);
    if (!status)
        machines_count(meeting->group, meeting->table);
    return status;
}

static struct process_group *group_create(const struct launch *launch,
                                          const struct process_group_options *options)
{
    const size_t size = (size_t)launch->size;
    struct process_group *group = memory_allocate(sizeof *group);
    group->options = *options;
    group->rank = launch->rank;
    group->size = launch->size;
    group->peers = memory_allocate_array(size, sizeof *group->peers);
    group->polls = memory_allocate_array(2 * size, sizeof *group->polls);
    for (size_t i = 0; i < size; i++)
        group->peers[i].data = group->peers[i].lifeline = -1;
    return group;
}

static struct meeting meeting_create(struct process_group *group,
                                     const struct launch *launch)
{
    const size_t size = (size_t)launch->size;
    const double now = clock_seconds();
    group->say_at = now + first_say_seconds;
    if (launch->rank != 0) /* its name is not known yet */
        snprintf(group->peers[0].host, sizeof group->peers[0].host, "%.100s",
                 launch->address);
    return (struct meeting){.group = group,
                            .launch = launch,
                            .table = memory_allocate_array(size, sizeof(struct member)),
                            .told = memory_allocate_array(size, sizeof(bool)),
                            .reception = {.listener = -1},
                            .deadline = now + group->options.meeting_seconds,
                            .say_gap = first_say_seconds};
}

static void meeting_release(struct meeting *meeting)
{
    reception_close(&meeting->reception);
    free(meeting->told);
    free(meeting->table);
}

enum status process_group_open(struct process_group **group, const struct launch *launch,
                               const struct process_group_options *options,
                               struct error *error)
{
    struct error own = {0}; /* the words are needed */
    CHECK(launch->size >= 1 && launch->rank >= 0 && launch->rank < launch->size);
    *group = group_create(launch, options);
    struct meeting meeting = meeting_create(*group, launch);
    const enum status status = meet(&meeting, &own);
    meeting_release(&meeting);
    if (!status && launch->local_rank >= 0)
        (*group)->local_rank = launch->local_rank;
    if (status) {
        error_set(error, status, "%s", own.message);
        process_group_close(*group, own.message);
        *group = NULL;
    }
    return status;
}

void process_group_decline(const struct launch *launch, const char *reason,
                           void (*speak)(const char *words))
{
    const struct process_group_options options = {.meeting_seconds = tell_seconds,
                                                  .say = speak};
    struct error ignored = {0};
    if (launch->size < 2 || launch->port == 0)
        return;
    struct process_group *group = group_create(launch, &options);
    struct meeting meeting = meeting_create(group, launch);
    enum status status = listen_here(&meeting, &ignored);
    char words[WORDS_BYTES];
    snprintf(words, sizeof words, "rank 0 on %s: %.800s", meeting.own.host, reason);
    snprintf(meeting.own.reason, sizeof meeting.own.reason, "%.800s", reason);
    if (!status && launch->rank == 0)
        meeting_tell(&meeting, words, tell_seconds);
    else if (!status)
        (void)come_in(&meeting, &ignored);
    meeting_release(&meeting);
    process_group_close(group, NULL);
}
