#ifndef HOLDFAST_TESTS_GPU_GPU_RANKS_H
#define HOLDFAST_TESTS_GPU_GPU_RANKS_H

#include "backend/collective.h"
#include "tests/unit/ranks_fixture.h"

/*
 * Ranks on GPUs, each a process of its own (nothing here may touch CUDA before it forks).
 * HOLDFAST_TEST_DEVICE=cpu tests the tests.
 */
static inline const char *device_name(int number)
{
    static char name[32];
    const char *told = getenv("HOLDFAST_TEST_DEVICE");
    snprintf(name, sizeof name, "cuda:%d", number);
    return told && strcmp(told, "cpu") == 0 ? told : name;
}

static inline void require_devices(int count)
{
    const pid_t child = fork();
    if (!child) {
        struct backend *backend;
        const struct backend_options options = {.device = device_name(count - 1)};
        _exit(backend_open(&backend, &options, &error) != STATUS_OK);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (status == 0)
        return;
    print_message("skipped: there %s no %d GPU%s\n", count == 1 ? "is" : "are", count,
                  count == 1 ? "" : "s");
    skip();
}

struct ranks {
    struct backend *backend;
    struct collectives *collectives;
    struct process_group *group;
};

static inline bool ranks_begin(struct ranks *ranks, struct process_group *group)
{
    const struct backend_options options = {
        .device = device_name(process_group_rank(group)), .precision = "fp32"};
    *ranks = (struct ranks){.group = group};
    if (backend_open(&ranks->backend, &options, &error) ||
        collectives_open(&ranks->collectives, ranks->backend, group, &error))
        fprintf(stderr, "rank %d: %s\n", process_group_rank(group), error.message);
    EXPECT(ranks->collectives != NULL);
    return true;
}

static inline void ranks_end(struct ranks *ranks)
{
    collectives_close(ranks->collectives);
    backend_close(ranks->backend);
    process_group_close(ranks->group, NULL);
}

#endif
