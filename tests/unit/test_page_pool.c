#include "base/random.h"
#include "model/page_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

enum { FIRST = 3, COUNT = 10 };

static void takes_each_page_once(void **state)
{
    struct page_pool pool;
    int32_t memory[COUNT];
    bool seen[FIRST + COUNT] = {false};
    (void)state;
    page_pool_init(&pool, memory, FIRST, COUNT);
    assert_int_equal(page_pool_room(&pool), COUNT);
    assert_true(page_pool_promise(&pool, COUNT));
    for (int i = 0; i < COUNT; i++) {
        const int32_t page = page_pool_take(&pool);
        assert_in_range(page, FIRST, FIRST + COUNT - 1);
        assert_false(seen[page]);
        seen[page] = true;
    }
    assert_int_equal(page_pool_room(&pool), 0);
}

static void promises_no_more_than_there_is(void **state)
{
    struct page_pool pool;
    int32_t memory[COUNT], page;
    (void)state;
    page_pool_init(&pool, memory, FIRST, COUNT);
    assert_true(page_pool_promise(&pool, 6));
    assert_false(page_pool_promise(&pool, 5));
    assert_int_equal(page_pool_room(&pool), 4); /* a refusal promises nothing */
    page = page_pool_take(&pool);
    assert_int_equal(page_pool_room(&pool), 4); /* taking keeps a promise */
    assert_true(page_pool_promise(&pool, 4));
    assert_true(page_pool_promise(&pool, 0));
    assert_false(page_pool_promise(&pool, 1));
    page_pool_give(&pool, &page, 1, 5); /* the first ends with 5 pages not taken */
    assert_int_equal(page_pool_room(&pool), 6);
    page_pool_give(&pool, NULL, 0, 4);
    assert_int_equal(page_pool_room(&pool), COUNT);
}

static void pages_can_be_empty(void **state)
{
    struct page_pool pool;
    (void)state;
    page_pool_init(&pool, NULL, 1, 0);
    assert_int_equal(page_pool_room(&pool), 0);
    assert_true(page_pool_promise(&pool, 0));
    assert_false(page_pool_promise(&pool, 1));
}

/* Sequences of random sizes come, grow and go: no page ever has two owners. */
static void random_sequences_share_well(void **state)
{
    enum { SEQUENCES = 7, PAGES = 40, STEPS = 20000 };
    struct random random = random_stream(17, 1);
    struct page_pool pool;
    int32_t memory[PAGES], pages[SEQUENCES][PAGES];
    int64_t limit[SEQUENCES] = {0}, taken[SEQUENCES] = {0}, promised = 0;
    int owner[PAGES];
    (void)state;
    page_pool_init(&pool, memory, 0, PAGES);
    for (int i = 0; i < PAGES; i++)
        owner[i] = -1;
    for (int step = 0; step < STEPS; step++) {
        const int s = (int)random_below(&random, SEQUENCES);
        if (limit[s] == 0) {
            const int64_t wanted = 1 + (int64_t)random_below(&random, 15);
            assert_int_equal(page_pool_promise(&pool, wanted), promised + wanted <= PAGES);
            limit[s] = promised + wanted <= PAGES ? wanted : 0;
            promised += limit[s];
        } else if (taken[s] < limit[s] && random_below(&random, 4)) {
            const int32_t page = page_pool_take(&pool);
            assert_in_range(page, 0, PAGES - 1);
            assert_int_equal(owner[page], -1);
            owner[page] = s;
            pages[s][taken[s]++] = page;
        } else {
            for (int64_t i = 0; i < taken[s]; i++)
                owner[pages[s][i]] = -1;
            page_pool_give(&pool, pages[s], taken[s], limit[s] - taken[s]);
            promised -= limit[s];
            limit[s] = taken[s] = 0;
        }
        assert_int_equal(page_pool_room(&pool), PAGES - promised);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_each_page_once),
        cmocka_unit_test(promises_no_more_than_there_is),
        cmocka_unit_test(pages_can_be_empty),
        cmocka_unit_test(random_sequences_share_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
