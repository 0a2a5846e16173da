#include "train/ranks.h"

#include "base/log.h"
#include "base/memory.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const char *words)
{
    log_warning("%s", words);
}

enum status ranks_open(struct ranks *ranks, const struct train_options *options,
                       struct error *error)
{
    const struct process_group_options waiting = {.meeting_seconds = options->rank_wait,
                                                  .silence_seconds = options->rank_silence,
                                                  .say = say};
    *ranks = (struct ranks){0};
    if (launch_read(&ranks->launch, error))
        return error->status;
    if (ranks->launch.size == 1)
        return STATUS_OK;
    return process_group_open(&ranks->group, &ranks->launch, &waiting, error);
}

enum status ranks_check(struct error *error)
{
    struct launch launch;
    return launch_read(&launch, error);
}

void ranks_decline(const struct error *error)
{
    struct launch launch;
    (void)launch_read(&launch, NULL); /* maybe that is what `error` is about */
    if (launch.size > 1 && launch.rank >= 0)
        log_error("rank %d: %s", launch.rank, error->message);
    else
        log_error("%s", error->message);
    process_group_decline(&launch, error->message, say);
}

enum status ranks_open_collectives(struct ranks *ranks, struct backend *backend,
                                   struct error *error)
{
    if (!ranks->group)
        return STATUS_OK;
    return collectives_open(&ranks->collectives, backend, ranks->group, error);
}

void ranks_close_collectives(struct ranks *ranks)
{
    collectives_close(ranks->collectives);
    ranks->collectives = NULL;
}

void ranks_cause(struct ranks *ranks, struct error *error)
{
    struct error cause = {0};
    if (ranks->group && status_exit_code(error->status) == 1 &&
        process_group_check(ranks->group, &cause))
        *error = cause;
}

void ranks_close(struct ranks *ranks, const char *reason)
{
    process_group_close(ranks->group, reason);
    ranks->group = NULL;
}

int ranks_size(const struct ranks *ranks)
{
    return ranks->group ? process_group_size(ranks->group) : 1;
}

static int ranks_rank(const struct ranks *ranks)
{
    return ranks->group ? process_group_rank(ranks->group) : 0;
}

bool ranks_is_first(const struct ranks *ranks)
{
    return ranks_rank(ranks) == 0;
}

/* Cores that this process may use, shared by the ranks of this machine; 0: no need to. */
static int thread_share(const struct ranks *ranks)
{
    cpu_set_t cores;
    const int local_size = process_group_local_size(ranks->group);
    if (local_size == 1 || getenv("OMP_NUM_THREADS") ||
        sched_getaffinity(0, sizeof cores, &cores))
        return 0;
    const int share = CPU_COUNT(&cores) / local_size;
    return share > 0 ? share : 1;
}

/* srun and others may show each rank its own GPU, under number 0. */
static bool sees_one_gpu(void)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    return visible && *visible && !strchr(visible, ',');
}

struct backend_options ranks_backend_options(const struct ranks *ranks,
                                             const struct train_options *options,
                                             char device[RANKS_DEVICE_BYTES])
{
    struct backend_options backend = {.device = options->device,
                                      .precision = options->precision,
                                      .thread_count = (int)options->threads};
    if (!ranks->group)
        return backend;
    if (backend.thread_count == 0)
        backend.thread_count = thread_share(ranks);
    if (strcmp(options->device, "cuda") == 0 && !sees_one_gpu()) {
        snprintf(device, RANKS_DEVICE_BYTES, "cuda:%d",
                 process_group_local_rank(ranks->group));
        backend.device = device;
    }
    return backend;
}

/* How many examples come before the part of `rank`: those that begin in the tokens of
 * lower ones. */
static int64_t share_begin(const struct ranks *ranks, const struct dataset *dataset,
                           const int64_t *examples, int64_t count, int64_t tokens, int rank)
{
    int64_t before = 0, index = 0;
    while (index < count && before * ranks_size(ranks) < tokens * rank)
        before += dataset_example_tokens(dataset, examples[index++]);
    return index;
}

const int64_t *ranks_share(const struct ranks *ranks, const struct dataset *dataset,
                           const int64_t *examples, int64_t *count)
{
    const int rank = ranks_rank(ranks);
    int64_t tokens = 0;
    if (!ranks->group)
        return examples;
    for (int64_t i = 0; i < *count; i++)
        tokens += dataset_example_tokens(dataset, examples[i]);
    const int64_t begin = share_begin(ranks, dataset, examples, *count, tokens, rank);
    const int64_t end = share_begin(ranks, dataset, examples, *count, tokens, rank + 1);
    *count = end - begin;
    return examples + begin;
}

enum status ranks_barrier(struct ranks *ranks, struct error *error)
{
    return ranks->group ? process_group_barrier(ranks->group, error) : STATUS_OK;
}

enum status ranks_sum(struct ranks *ranks, double *values, size_t count,
                      struct error *error)
{
    return ranks->group ? process_group_sum(ranks->group, values, count, error) : STATUS_OK;
}

enum status ranks_most(struct ranks *ranks, int64_t *number, struct error *error)
{
    const size_t size = (size_t)ranks_size(ranks);
    double *numbers = memory_allocate_array(size, sizeof *numbers);
    numbers[ranks_rank(ranks)] = (double)*number;
    const enum status status = ranks_sum(ranks, numbers, size, error);
    for (size_t i = 0; i < size; i++)
        if (numbers[i] > (double)*number)
            *number = (int64_t)numbers[i];
    free(numbers);
    return status;
}

enum status ranks_wait(struct ranks *ranks, struct error *error)
{
    return collectives_wait(ranks->collectives, error);
}

enum status ranks_broadcast(struct ranks *ranks, int64_t *number, struct error *error)
{
    return ranks->group
               ? process_group_broadcast(ranks->group, number, sizeof *number, error)
               : STATUS_OK;
}

/* The first line of `text` that `other` does not have in its place; its own there. */
static void first_difference(const char *text, const char *other, struct text_buffer *here,
                             struct text_buffer *there)
{
    while (*text || *other) {
        const size_t own = strcspn(text, "\n"), its = strcspn(other, "\n");
        if (own != its || memcmp(text, other, own) != 0) {
            text_buffer_appendf(here, "%.*s", (int)own, text);
            text_buffer_appendf(there, "%.*s", (int)its, other);
            return;
        }
        text += own + (text[own] == '\n');
        other += its + (other[its] == '\n');
    }
}

enum status ranks_agree(struct ranks *ranks, const char *text, const char *what,
                        struct error *error)
{
    int64_t bytes = (int64_t)strlen(text) + 1;
    if (ranks_broadcast(ranks, &bytes, error))
        return error->status;
    if (!ranks->group)
        return STATUS_OK;
    char *first = memory_allocate((size_t)bytes);
    if (ranks_is_first(ranks))
        memcpy(first, text, (size_t)bytes);
    enum status status = process_group_broadcast(ranks->group, first, (size_t)bytes, error);
    if (!status && strcmp(first, text) != 0) {
        struct text_buffer here = {0}, there = {0};
        first_difference(text, first, &here, &there);
        status = error_set(error, STATUS_USAGE,
                           "%s: %.300s here, %.300s on rank 0: all ranks need the same "
                           "options, and the same files at --model, --data and --out",
                           what, text_buffer_string(&here), text_buffer_string(&there));
        text_buffer_release(&here);
        text_buffer_release(&there);
    }
    free(first);
    return status;
}
