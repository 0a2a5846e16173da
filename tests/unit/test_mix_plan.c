#include "fixture.h"

#include "base/memory.h"
#include "data_gen/mix_plan.h"

/* Rows of fixed sizes: refusals of 10 tokens, 5 of them the assistant's; chats of 40, 30.
 */
enum { CONTRAST = 10, REFUSALS = 90 };
static struct mix_row refusal_row = {.tokens = 10, .target_tokens = 5};
static struct mix_row chat_row = {.tokens = 40, .target_tokens = 30};

static enum status draw(void *context, struct split_rows *rows, int64_t count,
                        struct error *out)
{
    (void)context;
    while (rows->refusals.count < count && rows->refusals.count < REFUSALS) {
        array_reserve(rows->refusals.rows, rows->refusals.capacity,
                      rows->refusals.count + 1);
        rows->refusals.rows[rows->refusals.count++] = &refusal_row;
    }
    return rows->refusals.count < count
               ? error_set(out, STATUS_LIMIT, "no more than %d refusals", REFUSALS)
               : STATUS_OK;
}

static void rows_open(struct split_rows *rows, int64_t chats, int64_t contrast)
{
    *rows = (struct split_rows){0};
    rows->chats.rows = memory_allocate_array((size_t)chats + 1, sizeof *rows->chats.rows);
    rows->contrast.rows =
        memory_allocate_array((size_t)contrast + 1, sizeof *rows->contrast.rows);
    for (; rows->chats.count < chats; rows->chats.count++)
        rows->chats.rows[rows->chats.count] = &chat_row;
    for (; rows->contrast.count < contrast; rows->contrast.count++)
        rows->contrast.rows[rows->contrast.count] = &chat_row;
}

static struct mix_recipe recipe_of(const double *ratios, size_t count,
                                   enum mix_measure measure)
{
    static const double contrast = 0.1;
    return (struct mix_recipe){.ratios = ratios,
                               .ratio_count = count,
                               .measure = measure,
                               .contrast_ratios = &contrast,
                               .contrast_ratio_count = 1,
                               .count = 100,
                               .split_shares = {1, 0, 0}};
}

static void ratios_by_tokens_are_met(void **state)
{
    (void)state;
    /* 10 n = ratio (10 n + 40 (100 - n)); of the targets 5 n = ratio (5 n + 30 (100 - n)).
     */
    static const struct {
        enum mix_measure measure;
        double ratio;
        int64_t refusals;
    } cases[] = {
        {MEASURE_EXAMPLES, 0.2, 20},      {MEASURE_TOKENS, 0, 0},
        {MEASURE_TOKENS, 0.2, 50},        {MEASURE_TOKENS, 0.5, 80},
        {MEASURE_TARGET_TOKENS, 0.2, 60}, {MEASURE_TARGET_TOKENS, 0.02, 11},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mix_recipe recipe = recipe_of(&cases[i].ratio, 1, cases[i].measure);
        struct split_plan plan;
        struct split_rows rows;
        split_plan_init(&plan, &recipe, SPLIT_TRAIN);
        assert_int_equal(plan.contrast, CONTRAST);
        rows_open(&rows, split_plan_chats_wanted(&plan), CONTRAST);
        assert_ok(split_plan_make(&plan, &rows, draw, NULL, &error));
        assert_int_equal(plan.refusals[0], cases[i].refusals);
        assert_int_equal(plan.chats[0], 90 - cases[i].refusals);
        split_rows_release(&rows);
        split_plan_release(&plan);
    }
}

/* However --count divides, train and validation have it between them. */
static void splits_have_the_count_between_them(void **state)
{
    (void)state;
    static const double ratio = 0.5;
    static const double shares[][SPLIT_COUNT] = {
        {0.5, 0.5, 0}, {0.34, 0.33, 0.33}, {0.9, 0.1, 0}, {0, 0.5, 0.5}, {1, 0, 0}};
    struct mix_recipe recipe = recipe_of(&ratio, 1, MEASURE_EXAMPLES);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        for (recipe.count = 1; recipe.count < 120; recipe.count++) {
            int64_t sum = 0;
            memcpy(recipe.split_shares, shares[i], sizeof shares[i]);
            for (int split = SPLIT_TRAIN; split < SPLIT_TEST; split++) {
                struct split_plan plan;
                split_plan_init(&plan, &recipe, split);
                assert_true(shares[i][split] > 0 || plan.count == 0);
                sum += plan.count;
                split_plan_release(&plan);
            }
            assert_int_equal(sum, recipe.count);
        }
}

static void held_chats_stay_the_same(void **state)
{
    (void)state;
    static const double ratios[] = {0.2, 0.5, 0};
    struct mix_recipe recipe = recipe_of(ratios, 3, MEASURE_TOKENS);
    struct split_plan plan;
    struct split_rows rows;
    recipe.hold = HOLD_BENIGN;
    split_plan_init(&plan, &recipe, SPLIT_TRAIN);
    rows_open(&rows, 90, CONTRAST);
    assert_ok(split_plan_make(&plan, &rows, draw, NULL, &error));
    /* 80 refusals of 10 tokens and 20 others of 40; a fifth of 1,000 tokens is 200. */
    const int64_t refusals[] = {20, 80, 0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plan.refusals[i], refusals[i]);
        assert_int_equal(plan.chats[i], 10);
    }
    split_rows_release(&rows);
    split_plan_release(&plan);
}

static void what_cannot_be_had_is_said(void **state)
{
    (void)state;
    static const struct {
        double ratio;
        int64_t chats;
        const char *words;
    } cases[] = {
        {0.2, 20, "with only 20 distinct benign chats"}, /* then 70 refusals: 37% */
        {0.9, 90, "refusals can have only 0.692 of the tokens"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mix_recipe recipe = recipe_of(&cases[i].ratio, 1, MEASURE_TOKENS);
        struct split_plan plan;
        struct split_rows rows;
        split_plan_init(&plan, &recipe, SPLIT_TRAIN);
        rows_open(&rows, cases[i].chats, CONTRAST);
        assert_int_equal(split_plan_make(&plan, &rows, draw, NULL, &error), STATUS_LIMIT);
        assert_message(cases[i].words);
        split_rows_release(&rows);
        split_plan_release(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_by_tokens_are_met),
        cmocka_unit_test(splits_have_the_count_between_them),
        cmocka_unit_test(held_chats_stay_the_same),
        cmocka_unit_test(what_cannot_be_had_is_said),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
