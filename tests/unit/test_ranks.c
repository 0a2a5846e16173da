#include "train/ranks.h"

#include "tests/unit/ranks_fixture.h"

/* What --precision auto has become on two machines, say. Where rank 1 is fast, it has ended
 * before rank 2 has heard of the first agreement. */
static bool differs(struct process_group *group, int rank)
{
    struct ranks ranks = {.group = group};
    enum status status = ranks_agree(&ranks, "one\ntwo\n", "lines", &error);
    EXPECT(!status || rank == 2);
    if (!status)
        status = ranks_agree(&ranks, "", "nothing", &error);
    EXPECT(!status || rank == 2);
    if (!status)
        status = ranks_agree(&ranks,
                             rank == 1 ? "cpu\nweights in bf16\n" : "cpu\nweights in f32\n",
                             "precision differs", &error);
    if (rank == 1) {
        EXPECT(status == STATUS_USAGE);
        EXPECT(strstr(error.message, "precision differs: weights in bf16 here, weights in "
                                     "f32 on rank 0: all ranks need"));
    } else {
        EXPECT(status || ranks_barrier(&ranks, &error));
        EXPECT(strstr(error.message, "rank 1 on "));
        EXPECT(strstr(error.message, ": precision differs: weights in bf16 here"));
    }
    ranks_close(&ranks, error.message);
    return true;
}

/* A line more or less is one that differs from none. */
static bool is_longer(struct process_group *group, int rank)
{
    struct ranks ranks = {.group = group};
    const char *text = rank == 0 ? "a: 1\nb: 2" : "a: 1";
    const enum status status = ranks_agree(&ranks, text, "options differ", &error);
    EXPECT(rank == 0 ? !status : status == STATUS_USAGE);
    EXPECT(rank == 0 || strstr(error.message, "options differ:  here, b: 2 on rank 0"));
    ranks_close(&ranks, rank == 0 ? NULL : error.message);
    return true;
}

static void test_agree(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, differs), 0);
    assert_int_equal(ranks_run(2, is_longer), 0);
}

/* A rank that fails because another has ended says what that one has said; wrong usage of
 * its own stays. */
static bool has_a_cause(struct process_group *group, int rank)
{
    struct ranks ranks = {.group = group};
    EXPECT(!ranks_barrier(&ranks, &error));
    if (rank == 0) {
        usleep(100000); /* all are past the barrier */
        ranks_close(&ranks, "the disk is full");
        return true;
    }
    while (!process_group_check(group, &error))
        usleep(1000);
    error_set(&error, STATUS_USAGE, "--lr must be positive");
    ranks_cause(&ranks, &error);
    EXPECT(strcmp(error.message, "--lr must be positive") == 0);
    error_set(&error, STATUS_IO, "start/config.json: cannot open");
    for (int again = 0; again < 2; again++) {
        ranks_cause(&ranks, &error);
        EXPECT(strstr(error.message, "rank 0 on "));
        EXPECT(strstr(error.message, ": the disk is full"));
    }
    ranks_close(&ranks, error.message);
    return true;
}

static void test_cause(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, has_a_cause), 0);
}

/* Alone there is nobody to differ from. */
static void test_alone(void **state)
{
    (void)state;
    struct ranks ranks = {0};
    assert_int_equal(ranks_agree(&ranks, "text", "what", &error), STATUS_OK);
    error_set(&error, STATUS_IO, "own");
    ranks_cause(&ranks, &error);
    assert_string_equal(error.message, "own");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_cause),
        cmocka_unit_test(test_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
