/* Deals the behaviours to the splits: see mix_build.h. */

#include "base/memory.h"
#include "data_gen/leak.h"
#include "data_gen/mix_builder.h"
#include "data_gen/twin_clusters.h"

#include <stdlib.h>
#include <string.h>

/* What is dealt; numbers are those of the pool. */
struct deal {
    size_t *cluster; /* [pool count] the first request of its cluster */
    size_t *size;    /* [pool count] behaviours in the cluster that begins here */
    size_t *leaders; /* [count] the first request of each behaviour, in the order drawn */
    size_t count;
    int64_t surplus[SPLIT_COUNT]; /* behaviours that a split has beyond its share */
};

static int split_of_position(const struct mix_recipe *recipe, size_t position, size_t count)
{
    double end = 0;
    for (int split = 0; split < SPLIT_COUNT; split++) {
        end += recipe->split_shares[split];
        if ((double)position + 0.5 < end * (double)count)
            return split;
    }
    return 0;
}

/* The first request of the same behaviour stands for all of them; "Card fraud" and "card
 * fraud " are the same. */
static void leaders_find(struct harmful_pool *pool)
{
    char **names = memory_allocate_array(pool->count + 1, sizeof *names);
    pool->leader = memory_allocate_array(pool->count + 1, sizeof *pool->leader);
    for (size_t i = 0; i < pool->count; i++) {
        size_t first = 0;
        names[i] = text_normal(pool->requests[i].behavior);
        while (strcmp(names[first], names[i]) != 0)
            first++;
        pool->leader[i] = first;
    }
    for (size_t i = 0; i < pool->count; i++)
        free(names[i]);
    free(names);
}

static bool is_dealt(const struct mix_recipe *recipe)
{
    int shares = 0;
    for (int split = 0; split < SPLIT_COUNT; split++)
        shares += recipe->split_shares[split] > 0;
    return shares > 1;
}

/* How many behaviours the smallest split has. */
static double smallest_share(const struct mix_recipe *recipe, size_t count)
{
    double least = 1;
    for (int split = 0; split < SPLIT_COUNT; split++)
        if (recipe->split_shares[split] > 0 && recipe->split_shares[split] < least)
            least = recipe->split_shares[split];
    return least * (double)count;
}

/* Clusters at a threshold of likeness (above 1: each behaviour alone). Returns the
 * largest's size. */
static size_t clusters_try(const struct harmful_pool *pool, const char *const *texts,
                           double threshold, struct deal *deal)
{
    size_t largest = 0;
    for (size_t i = 0; i < pool->count; i++) {
        deal->cluster[i] = pool->leader[i];
        deal->size[i] = 0;
    }
    if (threshold <= 1)
        twin_clusters_find(texts, pool->count, threshold, deal->cluster);
    for (size_t i = 0; i < pool->count; i++)
        deal->size[deal->cluster[i]] += pool->leader[i] == i;
    for (size_t i = 0; i < pool->count; i++)
        if (deal->size[i] > largest)
            largest = deal->size[i];
    return largest;
}

/* Twins of twins of twins may be half of a list whose requests are all alike: then more
 * likeness is asked for, until every cluster has room in every split. */
static void clusters_find(struct builder *builder, struct deal *deal)
{
    const double thresholds[] = {leak_options_default().threshold, 0.7, 0.85, 1, 2};
    const struct harmful_pool *pool = &builder->pool;
    const double room = smallest_share(builder->recipe, deal->count);
    const char **texts = memory_allocate_array(pool->count + 1, sizeof *texts);
    size_t t = is_dealt(builder->recipe) ? 0 : sizeof thresholds / sizeof *thresholds - 1;
    for (size_t i = 0; i < pool->count; i++)
        texts[i] = pool->requests[i].text;
    while ((double)clusters_try(pool, texts, thresholds[t], deal) > room &&
           thresholds[t] <= 1)
        t++;
    builder->build->clusters.threshold = thresholds[t];
    free(texts);
}

/* As the manifest tells it. */
static void clusters_count(const struct deal *deal, const struct harmful_pool *pool,
                           struct mix_clusters *clusters)
{
    clusters->behaviors = (int64_t)deal->count;
    for (size_t i = 0; i < deal->count; i++) {
        clusters->in_split[pool->split[deal->leaders[i]]]++;
        const int64_t size = (int64_t)deal->size[deal->leaders[i]];
        clusters->count += size > 0;
        clusters->with_twins += size > 1;
        if (size > clusters->largest)
            clusters->largest = size;
    }
}

/* Every behaviour by the place it was drawn at; then each to the split of the first of its
 * cluster, which is drawn no other way than any behaviour. */
static void clusters_deal(struct builder *builder, struct deal *deal)
{
    struct harmful_pool *pool = &builder->pool;
    for (size_t i = 0; i < deal->count; i++) {
        const int split = split_of_position(builder->recipe, i, deal->count);
        pool->split[deal->leaders[i]] = split;
        deal->surplus[split]--;
    }
    for (size_t i = 0; i < pool->count; i++)
        if (pool->leader[i] == i) {
            pool->split[i] = pool->split[deal->cluster[i]];
            deal->surplus[pool->split[i]]++;
        }
}

/* Gives splits their shares back, with behaviours that have no twin. */
static void shares_restore(struct harmful_pool *pool, struct deal *deal)
{
    for (size_t i = deal->count; i-- > 0;) {
        const size_t leader = deal->leaders[i];
        int *split = &pool->split[leader];
        if (deal->surplus[*split] <= 0 || deal->size[deal->cluster[leader]] > 1)
            continue;
        int other = 0;
        while (deal->surplus[other] >= 0) /* the sum is 0: one is below */
            other++;
        deal->surplus[*split]--;
        deal->surplus[other]++;
        *split = other;
    }
}

static void held_out_list(struct builder *builder)
{
    struct mix_build *build = builder->build;
    for (size_t i = 0; i < builder->pool.count; i++) {
        const struct request *request = &builder->pool.requests[i];
        if (builder->pool.split[i] != SPLIT_TEST)
            continue;
        array_reserve(build->held_out, build->held_out_capacity, build->held_out_count + 1);
        build->held_out[build->held_out_count++] =
            (struct held_out){.text = memory_duplicate_string(request->text),
                              .behavior = memory_duplicate_string(request->behavior),
                              .category = memory_duplicate_string(request->category),
                              .index = request->index};
    }
}

static void leaders_shuffle(const struct builder *builder, struct deal *deal)
{
    const struct harmful_pool *pool = &builder->pool;
    size_t *leaders = memory_allocate_array(pool->count + 1, sizeof *leaders);
    int64_t *order = memory_allocate_array(pool->count + 1, sizeof *order);
    for (size_t i = 0; i < pool->count; i++)
        if (pool->leader[i] == i)
            leaders[deal->count++] = i;
    numbers_shuffled(order, deal->count, builder->recipe->split_seed, "split");
    for (size_t i = 0; i < deal->count; i++)
        deal->leaders[i] = leaders[order[i]];
    free(leaders);
    free(order);
}

void builder_deal_behaviors(struct builder *builder)
{
    struct harmful_pool *pool = &builder->pool;
    struct deal deal = {
        .cluster = memory_allocate_array(pool->count + 1, sizeof *deal.cluster),
        .size = memory_allocate_array(pool->count + 1, sizeof *deal.size),
        .leaders = memory_allocate_array(pool->count + 1, sizeof *deal.leaders)};
    leaders_find(pool);
    pool->split = memory_allocate_array(pool->count + 1, sizeof *pool->split);
    leaders_shuffle(builder, &deal);
    clusters_find(builder, &deal);
    clusters_deal(builder, &deal);
    shares_restore(pool, &deal);
    for (size_t i = 0; i < pool->count; i++)
        pool->split[i] = pool->split[pool->leader[i]];
    if (is_dealt(builder->recipe))
        clusters_count(&deal, pool, &builder->build->clusters);
    free(deal.cluster);
    free(deal.size);
    free(deal.leaders);
    held_out_list(builder);
}
