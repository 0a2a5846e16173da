#include "data_gen/mix_plan.h"

#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int64_t share_of(double share, int64_t count)
{
    return (int64_t)llround(share * (double)count);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How many examples the splits up to this one have: rounded so, they are --count in all. */
static int64_t count_up_to(const struct mix_recipe *recipe, int split)
{
    double share = 0;
    for (int i = 0; i <= split; i++)
        share += recipe->split_shares[i];
    return share_of(share / (1 - recipe->split_shares[SPLIT_TEST]), recipe->count);
}

void split_plan_init(struct split_plan *plan, const struct mix_recipe *recipe, int split)
{
    *plan = (struct split_plan){.recipe = recipe, .split = split};
    plan->count = count_up_to(recipe, split) - count_up_to(recipe, split - 1);
    for (size_t i = 0; i < recipe->contrast_ratio_count; i++)
        plan->contrast += share_of(recipe->contrast_ratios[i], plan->count);
    plan->contrast = smaller(plan->contrast, plan->count);
    plan->refusals = memory_allocate_array(recipe->ratio_count, sizeof *plan->refusals);
    plan->chats = memory_allocate_array(recipe->ratio_count, sizeof *plan->chats);
}

void split_plan_release(struct split_plan *plan)
{
    free(plan->refusals);
    free(plan->chats);
    *plan = (struct split_plan){0};
}

void split_rows_release(struct split_rows *rows)
{
    free(rows->refusals.rows);
    free(rows->chats.rows);
    free(rows->contrast.rows);
    *rows = (struct split_rows){0};
}

static size_t largest_ratio(const struct mix_recipe *recipe)
{
    size_t largest = 0;
    for (size_t i = 1; i < recipe->ratio_count; i++)
        if (recipe->ratios[i] > recipe->ratios[largest])
            largest = i;
    return largest;
}

static int64_t by_examples(const struct split_plan *plan, double ratio)
{
    return smaller(share_of(ratio, plan->count), plan->count - plan->contrast);
}

int64_t split_plan_chats_wanted(const struct split_plan *plan)
{
    const struct mix_recipe *recipe = plan->recipe;
    const int64_t others = plan->count - plan->contrast;
    if (recipe->measure != MEASURE_EXAMPLES)
        return others;
    double least = recipe->ratios[largest_ratio(recipe)];
    for (size_t i = 0; i < recipe->ratio_count && recipe->hold == HOLD_COUNT; i++)
        least = fmin(least, recipe->ratios[i]);
    return others - by_examples(plan, least);
}

/* By the recipe's measure. */
static int64_t row_tokens(const struct split_plan *plan, const struct mix_row *row)
{
    return plan->recipe->measure == MEASURE_TOKENS ? row->tokens : row->target_tokens;
}

static int64_t tokens_of(const struct split_plan *plan, const struct drawn_rows *drawn,
                         int64_t count)
{
    int64_t tokens = 0;
    for (int64_t i = 0; i < count; i++)
        tokens += row_tokens(plan, drawn->rows[i]);
    return tokens;
}

struct token_search {
    const struct split_plan *plan;
    struct split_rows *rows;
    refusals_draw *draw;
    void *context;
    int64_t held_chats; /* HOLD_BENIGN: m; else -1 */
};

static int64_t chats_beside(const struct token_search *search, int64_t refusals)
{
    const struct split_plan *plan = search->plan;
    return search->held_chats >= 0 ? search->held_chats
                                   : plan->count - plan->contrast - refusals;
}

/* The fewest refusals that leave no more chats to take than there are. */
static int64_t fewest_refusals(const struct token_search *search)
{
    const struct split_plan *plan = search->plan;
    const int64_t missing = plan->count - plan->contrast - search->rows->chats.count;
    return search->held_chats >= 0 || missing < 0 ? 0 : missing;
}

static enum status chats_lacking(const struct token_search *search, double ratio,
                                 struct error *error)
{
    return error_set(error, STATUS_LIMIT,
                     "split %s: with only %" PRId64 " distinct benign chats, %" PRId64
                     " examples would have more than %g of their tokens in refusals: give "
                     "more --benign, or lower --count",
                     split_names[search->plan->split], search->rows->chats.count,
                     search->plan->count, ratio);
}

static enum status ratio_out_of_reach(const struct token_search *search, double ratio,
                                      double share, struct error *error)
{
    return error_set(error, STATUS_LIMIT,
                     "split %s: beside the contrast examples, refusals can have only %.3f "
                     "of the tokens, not %g: lower --ratio or --contrast-ratio",
                     split_names[search->plan->split], share, ratio);
}

/* The refusals of the walk, with the tokens of both sides. */
struct token_walk {
    int64_t refusals;
    int64_t refused;
    int64_t others;
};

static double walk_share(const struct token_walk *walk)
{
    const int64_t all = walk->refused + walk->others;
    return all ? (double)walk->refused / (double)all : 0;
}

static enum status walk_begin(const struct token_search *search, struct token_walk *walk,
                              struct error *error)
{
    const struct split_plan *plan = search->plan;
    const struct split_rows *rows = search->rows;
    walk->refusals = fewest_refusals(search);
    if (search->draw(search->context, search->rows, walk->refusals, error))
        return error->status;
    walk->refused = tokens_of(plan, &rows->refusals, walk->refusals);
    walk->others = tokens_of(plan, &rows->contrast, plan->contrast) +
                   tokens_of(plan, &rows->chats, chats_beside(search, walk->refusals));
    return STATUS_OK;
}

/* One refusal more and, as the count is held, the last chat less. */
static enum status walk_step(const struct token_search *search, struct token_walk *walk,
                             struct error *error)
{
    const int64_t n = walk->refusals;
    struct split_rows *rows = search->rows;
    if (search->draw(search->context, rows, n + 1, error))
        return error->status;
    walk->refused += row_tokens(search->plan, rows->refusals.rows[n]);
    if (search->held_chats < 0)
        walk->others -=
            row_tokens(search->plan, rows->chats.rows[chats_beside(search, n) - 1]);
    walk->refusals++;
    return STATUS_OK;
}

static enum status tokens_search(const struct token_search *search, double ratio,
                                 int64_t *result, struct error *error)
{
    const int64_t most = search->plan->count - search->plan->contrast;
    struct token_walk walk = {0};
    double before = -1; /* the share a refusal ago */
    if (walk_begin(search, &walk, error))
        return error->status;
    while (walk_share(&walk) < ratio && walk.refusals < most) {
        before = walk_share(&walk);
        if (walk_step(search, &walk, error))
            return error->status;
    }
    const double share = walk_share(&walk);
    if (share < ratio - 1e-9)
        return ratio_out_of_reach(search, ratio, share, error);
    if (before < 0 && walk.refusals > 0 && share > ratio + 1e-9)
        return chats_lacking(search, ratio, error);
    *result = walk.refusals - (before >= 0 && ratio - before < share - ratio);
    return STATUS_OK;
}

static enum status plan_by_tokens(struct split_plan *plan, struct token_search *search,
                                  struct error *error)
{
    const struct mix_recipe *recipe = plan->recipe;
    int64_t most = plan->count;
    if (recipe->hold == HOLD_BENIGN) {
        const double largest = recipe->ratios[largest_ratio(recipe)];
        if (tokens_search(search, largest, &most, error))
            return error->status;
        search->held_chats = plan->count - plan->contrast - most;
    }
    for (size_t i = 0; i < recipe->ratio_count; i++) {
        if (tokens_search(search, recipe->ratios[i], &plan->refusals[i], error))
            return error->status;
        plan->refusals[i] = smaller(plan->refusals[i], most);
        plan->chats[i] = chats_beside(search, plan->refusals[i]);
    }
    return STATUS_OK;
}

static void plan_by_examples(struct split_plan *plan)
{
    const struct mix_recipe *recipe = plan->recipe;
    const size_t largest = largest_ratio(recipe);
    for (size_t i = 0; i < recipe->ratio_count; i++)
        plan->refusals[i] = by_examples(plan, recipe->ratios[i]);
    for (size_t i = 0; i < recipe->ratio_count; i++)
        plan->chats[i] = plan->count - plan->contrast -
                         plan->refusals[recipe->hold == HOLD_BENIGN ? largest : i];
    for (size_t i = 0; i < recipe->ratio_count && recipe->hold == HOLD_BENIGN; i++) {
        const double ratio = recipe->ratios[i];
        const int64_t kept = plan->chats[i] + plan->contrast;
        if (ratio < recipe->ratios[largest])
            plan->refusals[i] =
                smaller(share_of(ratio / (1 - ratio), kept), plan->refusals[largest]);
    }
}

enum status split_plan_make(struct split_plan *plan, struct split_rows *rows,
                            refusals_draw *draw, void *context, struct error *error)
{
    struct token_search search = {plan, rows, draw, context, -1};
    if (plan->count == 0)
        return STATUS_OK;
    if (plan->recipe->measure != MEASURE_EXAMPLES)
        return plan_by_tokens(plan, &search, error);
    plan_by_examples(plan);
    return draw(context, rows, plan->refusals[largest_ratio(plan->recipe)], error);
}
