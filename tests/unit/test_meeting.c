#include "base/hello.h"
#include "base/log.h"
#include "base/process_group.h"
#include "base/random.h"
#include "tests/unit/ranks_fixture.h"

/* How ranks come together, and what they say where one does not. */

/* Runs `work` once for each rank, each in a process of its own, which has not opened
 * anything yet; how many were bad. */
static int each_run(int size, int port, bool (*work)(struct launch *, int rank))
{
    int bad = 0;
    for (int rank = 0; rank < size; rank++) {
        if (fork())
            continue;
        struct launch launch = launch_of(rank, size, port);
        alarm(60); /* a hang is bad */
        _exit(work(&launch, rank) ? 0 : 1);
    }
    for (int status, i = 0; i < size; i++) {
        wait(&status);
        bad += WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL;
    }
    return bad;
}

/* Whether it cannot be opened, and why, in words that all ranks say. */
static bool fails_with(const struct launch *launch, const char *words)
{
    struct process_group *group;
    EXPECT(process_group_open(&group, launch, &ranks_waiting, &error));
    EXPECT(group == NULL);
    if (strstr(error.message, words))
        return true;
    fprintf(stderr, "rank %d: no \"%s\" in: %s\n", launch->rank, words, error.message);
    return false;
}

static bool one_declines(struct launch *launch, int rank, int who)
{
    if (rank != who)
        return fails_with(launch, ": no such option");
    process_group_decline(launch, "no such option", NULL);
    return true;
}

static bool first_declines(struct launch *launch, int rank)
{
    return one_declines(launch, rank, 0);
}

static bool last_declines(struct launch *launch, int rank)
{
    return one_declines(launch, rank, 2);
}

static bool all_decline(struct launch *launch, int rank)
{
    (void)rank;
    process_group_decline(launch, "no such option", NULL);
    return true;
}

static bool one_has_no_number(struct launch *launch, int rank)
{
    if (rank != 2)
        return fails_with(launch, "a process on ");
    launch->rank = -1;
    process_group_decline(launch, "RANK=7", NULL);
    return true;
}

static void test_decline(void **state)
{
    (void)state;
    assert_int_equal(each_run(3, free_port(), first_declines), 0);
    assert_int_equal(each_run(3, free_port(), last_declines), 0);
    assert_int_equal(each_run(3, free_port(), all_decline), 0);
    assert_int_equal(each_run(3, free_port(), one_has_no_number), 0);
}

static bool same_number(struct launch *launch, int rank)
{
    if (rank == 2)
        launch->rank = 1;
    return fails_with(launch, "two processes say that they are rank 1 of 3");
}

static bool other_size(struct launch *launch, int rank)
{
    if (rank == 1)
        launch->size = 2;
    return fails_with(launch, "rank 1 on ") && strstr(error.message, "there are 2 ranks");
}

/* One more than rank 0 knows of hears it too. */
static bool one_too_many(struct launch *launch, int rank)
{
    if (rank == 0)
        launch->size = 2;
    if (rank == 2)
        usleep(500000);
    return fails_with(launch, "rank 1 on ") && strstr(error.message, "there are 3 ranks");
}

static void test_contradictions(void **state)
{
    (void)state;
    assert_int_equal(each_run(3, free_port(), same_number), 0);
    assert_int_equal(each_run(3, free_port(), other_size), 0);
    assert_int_equal(each_run(3, free_port(), one_too_many), 0);
}

/* Comes, and dies while rank 0 waits for another that never comes. */
static bool dies_early(struct launch *launch, int rank, int who)
{
    launch->size = 3;
    if (rank == who)
        alarm(1); /* SIGALRM ends it */
    return fails_with(launch, "has ended without a word") && rank != who;
}

static bool second_dies(struct launch *launch, int rank)
{
    return dies_early(launch, rank, 1);
}

static bool first_dies(struct launch *launch, int rank)
{
    return dies_early(launch, rank, 0);
}

static void test_death_while_waiting(void **state)
{
    (void)state;
    /* The one that dies is the bad one, by SIGALRM. */
    assert_int_equal(each_run(2, free_port(), first_dies), 1);
    const int port = free_port();
    const pid_t late = fork();
    if (!late) { /* so that rank 0 need not wait to tell it */
        struct launch launch = launch_of(2, 3, port);
        sleep(2);
        _exit(fails_with(&launch, "rank 1 on ") ? 0 : 1);
    }
    int status = -1;
    /* each_run() may have waited for the late one too. */
    const int bad = each_run(2, port, second_dies);
    if (waitpid(late, &status, 0) < 0)
        while (wait(&status) > 0)
            ;
    assert_int_equal(bad, 1);
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Says what `bytes` are, and what comes back. */
static bool is_refused(int port, const void *bytes, size_t count, const char *words)
{
    int descriptor;
    struct answer answer = {0};
    const double deadline = clock_seconds() + 20;
    EXPECT(!socket_connect(&descriptor, "127.0.0.1", port, deadline, &error));
    EXPECT(!socket_send(descriptor, bytes, count, deadline, &error));
    const bool answered =
        !socket_receive(descriptor, &answer, sizeof answer, deadline, &error);
    close(descriptor);
    EXPECT(answered == (words != NULL));
    EXPECT(!words || strstr(answer.words, words));
    return true;
}

/* Random bytes, HTTP, and those who say nothing keep nobody waiting; another job neither.
 */
static bool beside_strangers(struct launch *launch, int rank)
{
    struct process_group *group;
    struct hello hello;
    enum { SILENT = 50 };
    int silent[SILENT];
    char noise[sizeof(struct hello)];
    struct random random = random_stream(1, 2);
    for (int i = 0; rank == 1 && i < SILENT; i++)
        EXPECT(!socket_connect(&silent[i], "127.0.0.1", launch->port, clock_seconds() + 20,
                               &error));
    for (int i = 0; rank == 1 && i < 20; i++) {
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (char)random_u64(&random);
        EXPECT(is_refused(launch->port, noise, sizeof noise, NULL));
        EXPECT(is_refused(launch->port, "GET / HTTP/1.1\r\n\r\n", 18, NULL));
    }
    if (rank == 1) {
        launch->job++;
        hello_make(&hello, launch, 1);
        EXPECT(is_refused(launch->port, &hello, sizeof hello, "another job"));
        launch->job--;
    }
    EXPECT(!process_group_open(&group, launch, &ranks_waiting, &error));
    EXPECT(!process_group_barrier(group, &error));
    process_group_close(group, NULL);
    return true;
}

static bool of_another_version(struct launch *launch, int rank)
{
    char bytes[600] = "holdfast process group 1";
    if (rank == 0)
        return fails_with(launch, "is another version, \"holdfast process group 1\"");
    return is_refused(launch->port, bytes, sizeof bytes,
                      "all ranks need the same holdfast");
}

static void test_strangers(void **state)
{
    (void)state;
    assert_int_equal(each_run(2, free_port(), beside_strangers), 0);
    assert_int_equal(each_run(2, free_port(), of_another_version), 0);
}

/* Another program has the port, and says something else, or hangs up. */
static bool beside_a_program(struct launch *launch, int rank)
{
    int listener = -1, descriptor = -1, port = launch->port;
    char peer[SOCKET_ADDRESS_BYTES];
    const char words[sizeof(struct answer)] = "HTTP/1.1 400 Bad Request\r\n";
    if (rank == 1)
        return fails_with(launch, "is no rank 0 of this holdfast");
    EXPECT(!socket_listen(&listener, "127.0.0.1", &port, &error));
    EXPECT(fails_with(launch, "set MASTER_PORT to a free one"));
    while (descriptor < 0)
        EXPECT(!socket_accept(&descriptor, listener, peer, &error));
    EXPECT(!socket_send(descriptor, words, sizeof words, clock_seconds() + 20, &error));
    usleep(100000);
    close(descriptor);
    return true;
}

static void test_port_in_use(void **state)
{
    (void)state;
    assert_int_equal(each_run(2, free_port(), beside_a_program), 0);
}

static bool on_address(struct launch *launch, const char *address)
{
    struct process_group *group;
    strcpy(launch->address, address);
    EXPECT(!process_group_open(&group, launch, &ranks_waiting, &error));
    EXPECT(process_group_local_size(group) == 3);
    EXPECT(!process_group_barrier(group, &error));
    process_group_close(group, NULL);
    return true;
}

static bool on_ipv6(struct launch *launch, int rank)
{
    (void)rank;
    return on_address(launch, "::1");
}

static bool on_localhost(struct launch *launch, int rank)
{
    (void)rank;
    return on_address(launch, "localhost");
}

/* On all addresses, of which this one is called. */
static bool on_any(struct launch *launch, int rank)
{
    (void)rank;
    return on_address(launch, "0:0::1");
}

static bool on_any_ipv4(struct launch *launch, int rank)
{
    (void)rank;
    return on_address(launch, "0.0.0.0");
}

static void test_addresses(void **state)
{
    (void)state;
    int listener, port = 0;
    assert_int_equal(each_run(3, free_port(), on_localhost), 0);
    assert_int_equal(each_run(3, free_port(), on_any_ipv4), 0);
    if (socket_listen(&listener, "::1", &port, &error))
        return; /* a machine without IPv6 */
    close(listener);
    assert_int_equal(each_run(3, free_port(), on_ipv6), 0);
    assert_int_equal(each_run(3, free_port(), on_any), 0);
}

static char said[4096];

static void say(const char *words)
{
    strncat(said, words, sizeof said - strlen(said) - 1);
}

/* Says whom it waits for. */
static void test_says_who_is_missing(void **state)
{
    (void)state;
    struct process_group *group;
    const struct process_group_options options = {.meeting_seconds = 5.5, .say = say};
    struct launch launch = launch_of(0, 12, free_port());
    said[0] = '\0';
    assert_int_equal(process_group_open(&group, &launch, &options, &error), STATUS_LIMIT);
    assert_non_null(strstr(said, "waiting for ranks 1, 2, 3, 4, 5, 6, 7, 8 and 3 more of 12"
                                 " at 127.0.0.1 port "));
    said[0] = '\0';
    launch = launch_of(3, 12, free_port());
    assert_int_equal(process_group_open(&group, &launch, &options, &error), STATUS_IO);
    assert_non_null(strstr(said, "waiting for rank 0, "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decline),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_death_while_waiting),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_says_who_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
