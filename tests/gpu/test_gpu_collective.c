#include "backend/collective_transport.h"
#include "base/memory.h"
#include "tests/gpu/gpu_ranks.h"

/*
 * One GPU: the transport with itself. Two GPUs or more: all collectives between two, and
 * one that dies.
 */
static float value(int rank, int64_t index)
{
    const float great = index % 3 == 0 ? 1e6F : index % 3 == 1 ? -3e5F : 0.25F;
    return great * (float)(rank % 2 == 0 ? 1 : -1) + (float)(index % 977) * 0.01F +
           (float)rank * 0.37F;
}

/* An exchange with itself, and sums of three rows, in order. */
static bool with_itself(struct process_group *group, int rank)
{
    enum { COUNT = 100003, ROWS = 3 };
    struct ranks ranks;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    const size_t bytes = COUNT * sizeof(float);
    float *host = memory_allocate_array(ROWS * COUNT, sizeof *host);
    float *in = backend_allocate(ranks.backend, ROWS * bytes, &error);
    float *out = backend_allocate(ranks.backend, ROWS * bytes, &error);
    const struct process_transfer transfer = {in, ROWS * bytes, out, ROWS * bytes};
    const struct collective_transport *transport = ranks.collectives->transport;
    EXPECT(in && out);
    for (int i = 0; i < ROWS * COUNT; i++)
        host[i] = value(i / COUNT, i % COUNT);
    backend_copy_in(ranks.backend, in, host, ROWS * bytes);
    EXPECT(!transport->exchange(ranks.collectives, &transfer, &error));
    EXPECT(!collectives_wait(ranks.collectives, &error));
    memset(host, 0, ROWS * bytes);
    backend_copy_out(ranks.backend, host, out, ROWS * bytes);
    EXPECT(!backend_sync(ranks.backend, &error));
    for (int i = 0; i < ROWS * COUNT; i++)
        EXPECT(host[i] == value(i / COUNT, i % COUNT));

    ranks.collectives->size = ROWS;
    EXPECT(!transport->sum_parts(ranks.collectives, in, out, COUNT, COUNT - 1, DTYPE_F32,
                                 &error));
    ranks.collectives->size = 1;
    EXPECT(!collectives_wait(ranks.collectives, &error));
    backend_copy_out(ranks.backend, host, in, bytes);
    EXPECT(!backend_sync(ranks.backend, &error));
    for (int i = 0; i < COUNT; i++)
        EXPECT(host[i] ==
               (i == COUNT - 1 ? value(0, i) : value(0, i) + value(1, i) + value(2, i)));
    backend_free(ranks.backend, in);
    backend_free(ranks.backend, out);
    free(host);
    ranks_end(&ranks);
    return true;
}

static void test_with_itself(void **state)
{
    (void)state;
    require_devices(1);
    assert_int_equal(ranks_run(1, with_itself), 0);
}

static bool reduce_and_gather(struct ranks *ranks, int64_t count)
{
    const int rank = process_group_rank(ranks->group);
    const size_t bytes = (size_t)count * sizeof(float);
    float *host = memory_allocate(bytes + 1);
    void *data = backend_allocate(ranks->backend, bytes, &error);
    struct tensor tensor = tensor_view_1d(data, DTYPE_F32, count);
    EXPECT(data != NULL);
    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < count; i++)
            host[i] = value(rank, i);
        backend_copy_in(ranks->backend, data, host, bytes);
        if (round == 0)
            EXPECT(!collectives_reduce_scatter(ranks->collectives, &tensor, 0, &error) &&
                   !collectives_all_gather(ranks->collectives, &tensor, &error));
        else
            EXPECT(!collectives_all_reduce(ranks->collectives, &tensor, &error));
        EXPECT(!collectives_wait(ranks->collectives, &error));
        backend_copy_out(ranks->backend, host, data, bytes);
        EXPECT(!backend_sync(ranks->backend, &error));
        for (int64_t i = 0; i < count; i++)
            EXPECT(host[i] == value(0, i) + value(1, i));
    }
    backend_free(ranks->backend, data);
    free(host);
    return true;
}

static bool between_two(struct process_group *group, int rank)
{
    static const int64_t counts[] = {1, 65, 1000, 40000003}; /* the last in two pieces */
    struct ranks ranks;
    double number = rank == 0 ? 1e16 : 1, expected = 1e16 + 1;
    EXPECT(ranks_begin(&ranks, group));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        EXPECT(reduce_and_gather(&ranks, counts[i]));
    void *data = backend_allocate(ranks.backend, sizeof number, &error);
    struct tensor tensor = tensor_view_1d(data, DTYPE_F64, 1);
    EXPECT(data != NULL);
    backend_copy_in(ranks.backend, data, &number, sizeof number);
    EXPECT(!collectives_all_reduce(ranks.collectives, &tensor, &error));
    EXPECT(!collectives_wait(ranks.collectives, &error));
    backend_copy_out(ranks.backend, &number, data, sizeof number);
    EXPECT(!backend_sync(ranks.backend, &error));
    EXPECT(number == expected);
    backend_free(ranks.backend, data);
    EXPECT(!process_group_barrier(group, &error));
    ranks_end(&ranks);
    return true;
}

static void test_between_two(void **state)
{
    (void)state;
    require_devices(2);
    assert_int_equal(ranks_run(2, between_two), 0);
}

static bool one_dies(struct process_group *group, int rank)
{
    enum { COUNT = 4000000 };
    struct ranks ranks;
    enum status status = STATUS_OK;
    EXPECT(ranks_begin(&ranks, group));
    void *data = backend_allocate(ranks.backend, COUNT * sizeof(float), &error);
    struct tensor tensor = tensor_view_1d(data, DTYPE_F32, COUNT);
    EXPECT(data != NULL);
    for (int round = 0; round < 100 && !status; round++) {
        if (rank == 1 && round == 3)
            raise(SIGKILL);
        status = collectives_reduce_scatter(ranks.collectives, &tensor, 0, &error);
        if (!status)
            status = collectives_wait(ranks.collectives, &error);
    }
    EXPECT(status != STATUS_OK && strstr(error.message, "rank 1 on "));
    backend_free(ranks.backend, data); /* does not hang */
    ranks_end(&ranks);
    return true;
}

static void test_one_dies(void **state)
{
    (void)state;
    require_devices(2);
    assert_int_equal(ranks_run(2, one_dies), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_itself),
        cmocka_unit_test(test_between_two),
        cmocka_unit_test(test_one_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
