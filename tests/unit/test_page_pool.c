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
    int32_t memory[2 * COUNT];
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
    int32_t memory[2 * COUNT], page;
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

enum { SEQUENCES = 7, PAGES = 40 };
struct owner {
    int32_t pages[PAGES];
    int64_t taken, limit; /* limit 0: does not run */
};

/* Begins with some of the pages of another one, and with a promise of `wanted` more. */
static void owner_begin(struct owner *owner, const struct owner *other, int64_t shared,
                        int64_t wanted, struct page_pool *pool, int *holders)
{
    if (!page_pool_promise(pool, wanted))
        return;
    for (int64_t i = 0; i < shared; i++) {
        owner->pages[i] = other->pages[i];
        page_pool_share(pool, other->pages[i]);
        holders[other->pages[i]]++;
    }
    owner->taken = shared;
    owner->limit = shared + wanted;
}

static void owner_take(struct owner *owner, struct page_pool *pool, int *holders)
{
    const int32_t page = page_pool_take(pool);
    assert_in_range(page, 0, PAGES - 1);
    assert_int_equal(holders[page], 0);
    holders[page] = 1;
    owner->pages[owner->taken++] = page;
}

static void owner_end(struct owner *owner, struct page_pool *pool, int *holders)
{
    for (int64_t i = 0; i < owner->taken; i++)
        holders[owner->pages[i]]--;
    page_pool_give(pool, owner->pages, owner->taken, owner->limit - owner->taken);
    owner->taken = owner->limit = 0;
}

/* What is neither held by somebody nor promised. */
static int64_t room_expected(const struct owner owners[SEQUENCES], const int *holders)
{
    int64_t room = PAGES;
    for (int i = 0; i < PAGES; i++)
        room -= holders[i] > 0;
    for (int s = 0; s < SEQUENCES; s++)
        room -= owners[s].limit - owners[s].taken;
    return room;
}

/* Sequences of random sizes come, grow and go, some beginning with pages of others: a page
 * is taken by nobody while anybody holds it. */
static void random_sequences_share_well(void **state)
{
    enum { STEPS = 20000 };
    struct random random = random_stream(17, 1);
    struct owner owners[SEQUENCES] = {0};
    struct page_pool pool;
    int32_t memory[2 * PAGES];
    int holders[PAGES] = {0};
    (void)state;
    page_pool_init(&pool, memory, 0, PAGES);
    for (int step = 0; step < STEPS; step++) {
        struct owner *owner = &owners[random_below(&random, SEQUENCES)];
        const struct owner *other = &owners[random_below(&random, SEQUENCES)];
        if (owner->limit == 0)
            owner_begin(owner, other,
                        (int64_t)random_below(&random, (uint64_t)other->taken + 1),
                        1 + (int64_t)random_below(&random, 15), &pool, holders);
        else if (owner->taken < owner->limit && random_below(&random, 4))
            owner_take(owner, &pool, holders);
        else
            owner_end(owner, &pool, holders);
        assert_int_equal(page_pool_room(&pool), room_expected(owners, holders));
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
