#include "backend/collective.h"

#include "base/memory.h"
#include "tests/unit/ranks_fixture.h"

/* Counts around units of 256 and beyond what goes over at a time (4 MiB in all). */
static const int64_t counts[] = {0, 1, 255, 256, 257, 513, 4000, 2500003};
enum { COUNTS = sizeof counts / sizeof *counts };

/* Small differences beside great ones: another order of summing gives other bits. */
static float value(int rank, int64_t index)
{
    const float great = index % 3 == 0 ? 1e6F : index % 3 == 1 ? -3e5F : 0.25F;
    return great * (float)(rank % 2 == 0 ? 1 : -1) + (float)(index % 977) * 0.01F +
           (float)rank * 0.37F;
}

static float sum_in_order(int size, int64_t index)
{
    float sum = value(0, index);
    for (int rank = 1; rank < size; rank++)
        sum += value(rank, index);
    return sum;
}

struct ranks {
    struct backend *backend;
    struct collectives *collectives;
    struct process_group *group;
    int rank, size;
};

static bool ranks_begin(struct ranks *ranks, struct process_group *group)
{
    const struct backend_options options = {.thread_count = 1};
    *ranks = (struct ranks){.group = group,
                            .rank = process_group_rank(group),
                            .size = process_group_size(group)};
    EXPECT(!backend_open(&ranks->backend, &options, &error));
    EXPECT(!collectives_open(&ranks->collectives, ranks->backend, group, &error));
    EXPECT(collectives_rank(ranks->collectives) == ranks->rank);
    EXPECT(collectives_size(ranks->collectives) == ranks->size);
    return true;
}

static bool ranks_end(struct ranks *ranks)
{
    EXPECT(!collectives_wait(ranks->collectives, &error));
    collectives_close(ranks->collectives);
    backend_close(ranks->backend);
    process_group_close(ranks->group, NULL);
    return true;
}

static bool reduces_scattered(struct ranks *ranks, int64_t count)
{
    float *data = memory_allocate_array((size_t)count + 1, sizeof *data);
    struct tensor tensor = tensor_view_1d(data, DTYPE_F32, count);
    const struct shard own = collectives_shard(ranks->collectives, ranks->rank, count);
    for (int64_t i = 0; i < count; i++)
        data[i] = value(ranks->rank, i);
    data[count] = 77;
    EXPECT(!collectives_reduce_scatter(ranks->collectives, &tensor, 0, &error));
    for (int64_t i = 0; i < count; i++)
        EXPECT(data[i] == (i >= own.offset && i < own.offset + own.count
                               ? sum_in_order(ranks->size, i)
                               : value(ranks->rank, i)));
    EXPECT(!collectives_all_gather(ranks->collectives, &tensor, &error));
    for (int64_t i = 0; i < count; i++)
        EXPECT(data[i] == sum_in_order(ranks->size, i));
    EXPECT(data[count] == 77);
    free(data);
    return true;
}

static bool reduces_all(struct ranks *ranks, int64_t count)
{
    float *data = memory_allocate_array((size_t)count + 1, sizeof *data);
    struct tensor tensor = tensor_view_1d(data, DTYPE_F32, count);
    for (int64_t i = 0; i < count; i++)
        data[i] = value(ranks->rank, i);
    data[count] = 77;
    EXPECT(!collectives_all_reduce(ranks->collectives, &tensor, &error));
    for (int64_t i = 0; i < count; i++)
        EXPECT(data[i] == sum_in_order(ranks->size, i));
    EXPECT(data[count] == 77);
    free(data);
    return true;
}

/* f64, one number, and types that are only carried. */
static bool other_types(struct ranks *ranks)
{
    double number = ranks->rank == 0 ? 1e16 : ranks->rank == 1 ? 1 : -1e16;
    double expected = ranks->size == 1 ? 1e16 : ranks->size == 2 ? 1e16 + 1 : 0;
    int16_t words[333];
    struct tensor tensor = tensor_view_1d(&number, DTYPE_F64, 1);
    EXPECT(!collectives_all_reduce(ranks->collectives, &tensor, &error));
    EXPECT(number == expected);
    tensor = tensor_view_1d(words, DTYPE_I16, 333);
    for (int i = 0; i < 333; i++)
        words[i] = (int16_t)(i + 1000 * ranks->rank);
    EXPECT(!collectives_all_gather(ranks->collectives, &tensor, &error));
    for (int rank = 0; rank < ranks->size; rank++) {
        const struct shard shard = collectives_shard(ranks->collectives, rank, 333);
        for (int64_t i = shard.offset; i < shard.offset + shard.count; i++)
            EXPECT(words[i] == i + 1000 * rank);
    }
    for (int i = 0; i < 333; i++)
        words[i] = (int16_t)(i + 1000 * ranks->rank);
    EXPECT(!collectives_broadcast(ranks->collectives, &tensor, &error));
    for (int i = 0; i < 333; i++)
        EXPECT(words[i] == i);
    return true;
}

static bool all_operations(struct process_group *group, int rank)
{
    struct ranks ranks;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    for (int i = 0; i < COUNTS; i++)
        EXPECT(reduces_scattered(&ranks, counts[i]) && reduces_all(&ranks, counts[i]));
    EXPECT(other_types(&ranks));
    return ranks_end(&ranks);
}

static void test_operations(void **state)
{
    (void)state;
    for (int size = 1; size <= 3; size++)
        assert_int_equal(ranks_run(size, all_operations), 0);
}

static bool a_rank_dies(struct process_group *group, int rank)
{
    struct ranks ranks;
    enum status status = STATUS_OK;
    enum { COUNT = 3000000 };
    EXPECT(ranks_begin(&ranks, group));
    float *data = memory_allocate_array(COUNT, sizeof *data);
    struct tensor tensor = tensor_view_1d(data, DTYPE_F32, COUNT);
    for (int round = 0; round < 1000 && !status; round++) {
        if (rank == 1 && round == 2)
            raise(SIGKILL);
        status = collectives_reduce_scatter(ranks.collectives, &tensor, 0, &error);
    }
    EXPECT(status == STATUS_IO && strstr(error.message, "rank 1 on "));
    free(data);
    collectives_close(ranks.collectives);
    backend_close(ranks.backend);
    process_group_close(group, error.message);
    return true;
}

static void test_a_rank_dies(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, a_rank_dies), 0);
}

/* Shards of any count and size: in order, without gap or overlap, in whole units. */
static bool shards_are_whole(struct process_group *group, int rank)
{
    struct ranks ranks;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    for (int64_t count = 0; count < 2100; count++) {
        int64_t end = 0;
        for (int i = 0; i < ranks.size; i++) {
            const struct shard shard = collectives_shard(ranks.collectives, i, count);
            EXPECT(shard.offset == end && shard.count >= 0);
            EXPECT(shard.offset % 256 == 0 || shard.count == 0);
            end += shard.count;
        }
        EXPECT(end == count);
    }
    return ranks_end(&ranks);
}

static void test_shards(void **state)
{
    (void)state;
    for (int size = 1; size <= 5; size += 2)
        assert_int_equal(ranks_run(size, shards_are_whole), 0);
}

/* One process on its own. */
static void test_alone(void **state)
{
    (void)state;
    float data[3] = {1, 2, 3};
    struct tensor tensor = tensor_view_1d(data, DTYPE_F32, 3);
    const struct shard own = collectives_shard(NULL, 0, 3);
    assert_int_equal(collectives_size(NULL), 1);
    assert_int_equal(collectives_rank(NULL), 0);
    assert_true(own.offset == 0 && own.count == 3);
    assert_int_equal(collectives_reduce_scatter(NULL, &tensor, 0, &error), STATUS_OK);
    assert_int_equal(collectives_all_gather(NULL, &tensor, &error), STATUS_OK);
    assert_int_equal(collectives_all_reduce(NULL, &tensor, &error), STATUS_OK);
    assert_int_equal(collectives_broadcast(NULL, &tensor, &error), STATUS_OK);
    assert_int_equal(collectives_wait(NULL, &error), STATUS_OK);
    assert_true(data[0] == 1 && data[1] == 2 && data[2] == 3);
    collectives_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_a_rank_dies),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
