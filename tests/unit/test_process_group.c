#include "base/process_group.h"

#include "base/log.h"
#include "base/memory.h"
#include "tests/unit/ranks_fixture.h"

static bool each_with_each(struct process_group *group, int rank)
{
    enum { LARGE = 300000 };
    const int size = process_group_size(group);
    struct process_transfer transfers[8] = {0};
    int *out = memory_allocate_array(LARGE, sizeof *out);
    int *in = memory_allocate_array(LARGE * 8, sizeof *in);
    EXPECT(process_group_rank(group) == rank);
    EXPECT(process_group_local_rank(group) == rank);
    EXPECT(process_group_local_size(group) == size);
    for (int i = 0; i < LARGE; i++)
        out[i] = rank * LARGE + i;
    /* From rank r come 1000 r + 1 numbers; rank 2 sends a great deal. */
    for (int i = 0; i < size; i++) {
        const size_t sent = rank == 2 ? LARGE : (size_t)rank * 1000 + 1;
        const size_t come = i == 2 ? LARGE : (size_t)i * 1000 + 1;
        transfers[i] = (struct process_transfer){.out = out,
                                                 .out_bytes = sent * sizeof *out,
                                                 .in = in + i * LARGE,
                                                 .in_bytes = come * sizeof *in};
    }
    for (int round = 0; round < 3; round++) {
        memset(in, 0, LARGE * 8 * sizeof *in);
        EXPECT(!process_group_exchange(group, transfers, &error));
        for (int i = 0; i < size; i++)
            for (size_t k = 0; k < transfers[i].in_bytes / sizeof *in; k++)
                EXPECT(in[i * LARGE + (int)k] == i * LARGE + (int)k);
    }
    free(out);
    free(in);
    process_group_close(group, NULL);
    return true;
}

static void test_exchange(void **state)
{
    (void)state;
    for (int size = 1; size <= 4; size++)
        assert_int_equal(ranks_run(size, each_with_each), 0);
}

/* 1e16 + 1 - 1e16 is 0 in this order, and 1 in another. */
static bool sums_in_order(struct process_group *group, int rank)
{
    static const double values[] = {1e16, 1, -1e16};
    double sums[2] = {values[rank], rank};
    char text[8] = "";
    EXPECT(!process_group_sum(group, sums, 2, &error));
    EXPECT(sums[0] == 0 && sums[1] == 3);
    if (rank == 0)
        strcpy(text, "of 0");
    EXPECT(!process_group_broadcast(group, text, sizeof text, &error));
    EXPECT(strcmp(text, "of 0") == 0);
    for (int i = 0; i < 20; i++)
        EXPECT(!process_group_barrier(group, &error));
    EXPECT(!process_group_check(group, &error));
    process_group_close(group, NULL);
    return true;
}

static void test_sum(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, sums_in_order), 0);
}

/* Who is done early and leaves does not end those that still work. */
static bool leaves_early(struct process_group *group, int rank)
{
    struct process_transfer transfers[3] = {0};
    char byte = 0;
    EXPECT(!process_group_barrier(group, &error));
    usleep(rank == 2 ? 0 : 200000);
    if (rank != 2) {
        transfers[1 - rank] = (struct process_transfer){&byte, 1, &byte, 1};
        EXPECT(!process_group_exchange(group, transfers, &error));
    }
    process_group_close(group, NULL);
    return true;
}

static void test_leaves_early(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, leaves_early), 0);
}

static bool is_killed(struct process_group *group, int rank)
{
    EXPECT(!process_group_barrier(group, &error));
    usleep(100000); /* all are past the barrier */
    if (rank == 2)
        raise(SIGKILL);
    const double start = clock_seconds();
    EXPECT(process_group_barrier(group, &error) == STATUS_IO);
    EXPECT(strstr(error.message, "rank 2 on ") && strstr(error.message, "without a word"));
    EXPECT(clock_seconds() - start < 5);
    process_group_close(group, error.message);
    return true;
}

static void test_killed(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, is_killed), 0);
}

static bool gives_a_reason(struct process_group *group, int rank)
{
    EXPECT(!process_group_barrier(group, &error));
    usleep(100000);
    if (rank == 1) {
        process_group_close(group, "the disk is full");
        return true;
    }
    EXPECT(process_group_barrier(group, &error) == STATUS_IO);
    EXPECT(strstr(error.message, "rank 1 on "));
    EXPECT(rank != 0 || strstr(error.message, ": the disk is full"));
    process_group_close(group, error.message);
    return true;
}

static void test_reason(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, gives_a_reason), 0);
}

/* Without an exchange: what a rank that waits for its GPU looks at. */
static bool is_noticed(struct process_group *group, int rank)
{
    EXPECT(!process_group_check(group, &error));
    EXPECT(!process_group_barrier(group, &error));
    usleep(100000);
    if (rank == 1)
        raise(SIGKILL);
    const double start = clock_seconds();
    while (!process_group_check(group, &error) && clock_seconds() - start < 10)
        usleep(1000);
    EXPECT(strstr(error.message, "rank 1 on ") != NULL);
    process_group_close(group, error.message);
    return true;
}

static void test_check(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, is_noticed), 0);
}

static enum status open_within(struct process_group **group, const struct launch *launch,
                               double seconds)
{
    const struct process_group_options options = {.meeting_seconds = seconds};
    return process_group_open(group, launch, &options, &error);
}

static void test_nobody_comes(void **state)
{
    (void)state;
    struct process_group *group;
    struct launch launch = launch_of(0, 3, free_port());
    assert_int_equal(open_within(&group, &launch, 0.2), STATUS_LIMIT);
    assert_non_null(strstr(error.message, "ranks 1, 2 of 3 did not come"));
    assert_null(group);
    launch = launch_of(1, 3, free_port());
    assert_int_not_equal(open_within(&group, &launch, 0.2), STATUS_OK);
    assert_non_null(strstr(error.message, "rank 0 cannot be reached"));
    assert_null(group);
}

/* What others say to the port, or do not say, does no harm. */
static void test_strangers(void **state)
{
    (void)state;
    const int port = free_port();
    const pid_t child = fork();
    struct process_group *group;
    if (!child) {
        const double deadline = clock_seconds() + 10;
        int stranger;
        const char words[400] = "GET / HTTP/1.1\r\n\r\n";
        struct launch launch = launch_of(1, 2, port);
        if (socket_connect(&stranger, "127.0.0.1", port, deadline, &error) ||
            socket_send(stranger, words, sizeof words, deadline, &error) ||
            close(stranger) ||
            socket_connect(&stranger, "127.0.0.1", port, deadline, &error))
            _exit(2);
        close(stranger);
        launch.job = 8; /* another job's */
        if (open_within(&group, &launch, 1) == STATUS_OK)
            _exit(3);
        launch.job = 7;
        if (open_within(&group, &launch, 10) || process_group_barrier(group, &error))
            _exit(4);
        process_group_close(group, NULL);
        _exit(0);
    }
    int status = -1;
    struct launch launch = launch_of(0, 2, port);
    if (open_within(&group, &launch, 10))
        fail_msg("%s", error.message);
    assert_int_equal(process_group_barrier(group, &error), STATUS_OK);
    process_group_close(group, NULL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A rank that is stopped is there and moves nothing: the others end, and it does when it
 * goes on. */
static bool is_stopped(struct launch *launch, int rank)
{
    const struct process_group_options options = {.meeting_seconds = 20,
                                                  .silence_seconds = 3};
    struct process_group *group;
    EXPECT(!process_group_open(&group, launch, &options, &error));
    EXPECT(!process_group_barrier(group, &error));
    EXPECT(!process_group_barrier(group, &error));
    if (rank == 1) {
        const pid_t self = getpid();
        if (!fork()) { /* whoever wakes it */
            sleep(6);
            kill(self, SIGCONT);
            _exit(0);
        }
        raise(SIGSTOP);
    }
    EXPECT(process_group_barrier(group, &error));
    EXPECT(strstr(error.message, "rank 1 on ") && strstr(error.message, "moved nothing"));
    process_group_close(group, error.message);
    return true;
}

static void test_stopped(void **state)
{
    (void)state;
    const int port = free_port();
    for (int rank = 0; rank < 3; rank++) {
        struct launch launch = launch_of(rank, 3, port);
        if (fork())
            continue;
        alarm(60);
        _exit(is_stopped(&launch, rank) ? 0 : 1);
    }
    for (int status, i = 0; i < 3; i++) {
        wait(&status);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange),     cmocka_unit_test(test_sum),
        cmocka_unit_test(test_leaves_early), cmocka_unit_test(test_killed),
        cmocka_unit_test(test_reason),       cmocka_unit_test(test_check),
        cmocka_unit_test(test_nobody_comes), cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
