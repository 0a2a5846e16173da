#include "base/process_group_meeting.h"

#include "base/log.h"
#include "base/text_buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double tell_say_seconds = 1.0; /* not at once: mostly all are there */

/* "rank 3", "ranks 1, 3" or "ranks 1, 2, 3 and 12 more": who has not come. */
static void missing_list(const struct meeting *meeting, struct text_buffer *out)
{
    enum { NAMED = 8 };
    int missing = 0, named = 0;
    for (int i = 1; i < meeting->group->size; i++)
        missing += !meeting->told[i];
    text_buffer_append(out, missing == 1 ? "rank" : "ranks");
    for (int i = 1; i < meeting->group->size && named < NAMED; i++)
        if (!meeting->told[i])
            text_buffer_appendf(out, "%s %d", named++ ? "," : "", i);
    if (missing > named)
        text_buffer_appendf(out, " and %d more", missing - named);
}

static void say_who_is_missing(struct meeting *meeting)
{
    struct text_buffer list = {0};
    missing_list(meeting, &list);
    meeting_say(meeting, "waiting for %s of %d at %s port %d, %.0f s more",
                text_buffer_string(&list), meeting->group->size, meeting->launch->address,
                meeting->launch->port, meeting->deadline - clock_seconds());
    text_buffer_release(&list);
}

static enum status nobody_came(const struct meeting *meeting, struct error *error)
{
    struct text_buffer list = {0};
    missing_list(meeting, &list);
    error_set(error, STATUS_LIMIT,
              "%s of %d did not come to %s port %d within %.0f s: look for what they say "
              "themselves; --rank-wait gives them longer",
              text_buffer_string(&list), meeting->group->size, meeting->launch->address,
              meeting->launch->port, meeting->group->options.meeting_seconds);
    text_buffer_release(&list);
    return STATUS_LIMIT;
}

static bool is_of_this_job(const struct meeting *meeting, const struct visitor *visitor)
{
    return visitor->kind == HELLO_WHOLE && visitor->hello.job == meeting->launch->job &&
           !visitor->hello.is_data;
}

/* Why the whole job cannot go on with this visitor; STATUS_OK: it can. */
static enum status visitor_check(const struct meeting *meeting,
                                 const struct visitor *visitor, struct error *error)
{
    const struct hello *hello = &visitor->hello;
    const int size = meeting->group->size;
    if (visitor->kind == HELLO_OTHER)
        return error_set(error, STATUS_USAGE,
                         "a process at %s is another version, \"%s\"; rank 0 is \"%s\": "
                         "all ranks need the same holdfast",
                         visitor->address, hello->mark, meeting->own.mark);
    if (hello->rank < 0)
        return error_set(error, STATUS_IO, "a process on %s: %.800s", hello->host,
                         hello->reason);
    if (*hello->reason)
        return error_set(error, STATUS_IO, "rank %d on %s: %.800s", hello->rank,
                         hello->host, hello->reason);
    if (hello->size != size)
        return error_set(error, STATUS_USAGE,
                         "rank %d on %s says that there are %d ranks, and rank 0 that "
                         "there are %d: start all with the same number",
                         hello->rank, hello->host, hello->size, size);
    if (hello->rank >= size || hello->rank == 0 || meeting->told[hello->rank])
        return error_set(error, STATUS_USAGE,
                         "two processes say that they are rank %d of %d, one of them on "
                         "%s: give each its own number",
                         hello->rank, size, hello->host);
    return STATUS_OK;
}

static void member_enter(struct meeting *meeting, const struct visitor *visitor)
{
    const struct hello *hello = &visitor->hello;
    struct member *member = &meeting->table[hello->rank];
    *member = (struct member){.port = hello->port};
    memcpy(member->host, hello->host, sizeof member->host);
    memcpy(member->boot, hello->boot, sizeof member->boot);
    /* Who comes from this machine itself is, to others, where rank 0 is. */
    if (!socket_address_is_local(visitor->address))
        strcpy(member->address, visitor->address);
    else
        memcpy(member->address, meeting->launch->address, sizeof member->address);
    struct process_peer *peer = &meeting->group->peers[hello->rank];
    memcpy(peer->host, hello->host, sizeof peer->host);
    peer->lifeline = visitor->descriptor;
    meeting->told[hello->rank] = true;
}

/* A job of its own: nothing to this one. */
static void other_job_refuse(const struct meeting *meeting, struct visitor *visitor)
{
    char words[WORDS_BYTES];
    snprintf(words, sizeof words,
             "at %s port %d listens rank 0 of another job: choose another MASTER_PORT for "
             "one of the two",
             meeting->launch->address, meeting->launch->port);
    visitor_refuse(visitor, words);
}

static void told_note(struct meeting *meeting, const struct visitor *visitor)
{
    const int rank = visitor->kind == HELLO_WHOLE ? visitor->hello.rank : -1;
    const int size = rank < 0 ? 0 : visitor->hello.size;
    if (size > meeting->group->size && size <= LAUNCH_SIZE_MAXIMUM)
        meeting->more = size - meeting->group->size;
    if (rank > 0 && rank < meeting->group->size && !meeting->told[rank])
        meeting->told[rank] = true;
    else
        meeting->strays++;
}

static enum status visitor_receive(struct meeting *meeting, struct visitor *visitor,
                                   struct error *error)
{
    struct answer answer;
    if (visitor->kind == HELLO_WHOLE && !is_of_this_job(meeting, visitor)) {
        other_job_refuse(meeting, visitor);
        return STATUS_OK;
    }
    if (visitor_check(meeting, visitor, error)) {
        visitor_refuse(visitor, error->message);
        told_note(meeting, visitor);
        return error->status;
    }
    answer_make(&answer, NULL);
    member_enter(meeting, visitor);
    if (socket_send(visitor->descriptor, &answer, sizeof answer, clock_seconds() + 1,
                    error))
        return error_prefix(error, "rank %d on %s", visitor->hello.rank,
                            visitor->hello.host);
    return STATUS_OK;
}

/* Waits for the hello of everybody. */
static enum status all_come(struct meeting *meeting, struct error *error)
{
    struct process_group *group = meeting->group;
    for (int come = 1; come < group->size;) {
        struct visitor visitor;
        if (meeting_wait(meeting, &visitor, earlier(meeting->deadline, group->say_at),
                         error))
            return error->status;
        if (visitor.descriptor >= 0) {
            if (visitor_receive(meeting, &visitor, error))
                return error->status;
            come += visitor.descriptor >= 0 && is_of_this_job(meeting, &visitor);
        } else if (clock_seconds() >= meeting->deadline) {
            return nobody_came(meeting, error);
        } else if (meeting_say_is_due(meeting)) {
            say_who_is_missing(meeting);
        }
    }
    return STATUS_OK;
}

static enum status table_send(struct meeting *meeting, struct error *error)
{
    const uint32_t mark = TABLE_MARK;
    const struct process_group *group = meeting->group;
    const size_t bytes = (size_t)group->size * sizeof *meeting->table;
    const double deadline = clock_seconds() + answer_seconds;
    for (int i = 1; i < group->size; i++) {
        const int lifeline = group->peers[i].lifeline;
        if (socket_send(lifeline, &mark, sizeof mark, deadline, error) ||
            socket_send(lifeline, meeting->table, bytes, deadline, error))
            return error_prefix(error, "rank %d on %s", i, group->peers[i].host);
    }
    return STATUS_OK;
}

void meeting_tell(struct meeting *meeting, const char *words, double seconds)
{
    struct process_group *group = meeting->group;
    struct error ignored;
    const double until = clock_seconds() + seconds;
    int left = group->size - 1 - meeting->strays + meeting->more;
    for (int i = 1; i < group->size; i++) {
        left -= meeting->told[i];
        if (group->peers[i].lifeline < 0)
            continue;
        words_send(group->peers[i].lifeline, words);
        close(group->peers[i].lifeline);
        group->peers[i].lifeline = -1;
    }
    group->say_at = clock_seconds() + tell_say_seconds;
    while (left > 0 && clock_seconds() < until) {
        struct visitor visitor;
        if (reception_wait(&meeting->reception, &visitor, NULL, 0,
                           earlier(until, group->say_at), &ignored))
            return;
        if (visitor.descriptor < 0 && meeting_say_is_due(meeting)) {
            meeting_say(
                meeting,
                "%s; waiting %.0f s more for ranks that have not come, to tell them", words,
                until - clock_seconds());
            group->say_at = until + 1; /* once */
        }
        if (visitor.descriptor < 0)
            continue;
        left -= is_of_this_job(meeting, &visitor);
        visitor_refuse(&visitor, words);
    }
}

enum status meeting_first(struct meeting *meeting, struct error *error)
{
    enum status status = all_come(meeting, error);
    if (!status)
        status = table_send(meeting, error);
    if (status)
        meeting_tell(meeting, error->message, status == STATUS_LIMIT ? 0 : tell_seconds);
    return status;
}
