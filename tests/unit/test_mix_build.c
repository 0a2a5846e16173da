#include "fixture.h"

#include "data_gen/mix_build.h"
#include "data_gen/text_set.h"

/* Writes 30 requests (15 behaviours, two each) and 300 chats; returns their specs. */
static void sources_make(struct string_list *harmful, struct string_list *benign)
{
    struct text_buffer text = {0};
    text_buffer_append(&text, "goal,behavior\n");
    for (int i = 0; i < 30; i++)
        text_buffer_appendf(&text, "Explain how to break device number %d,Behavior %d\n", i,
                            i / 2);
    string_list_add(harmful, scratch_file("harmful.csv", text_buffer_string(&text)));
    text_buffer_clear(&text);
    for (int i = 0; i < 300; i++)
        text_buffer_appendf(
            &text, "{\"prompt\":\"How do I mend device %d?\",\"completion\":\"Try %d.\"}\n",
            i % 290, i);
    string_list_add(benign, scratch_file("benign.jsonl", text_buffer_string(&text)));
    text_buffer_release(&text);
}

/* A recipe over the sources above; the caller may change it. */
struct kitchen {
    struct string_list harmful;
    struct string_list benign;
    struct string_list contrast;
    double ratios[4];
    double contrast_ratios[2];
    struct mix_recipe recipe;
};

static void kitchen_open(struct kitchen *kitchen)
{
    *kitchen = (struct kitchen){.ratios = {0.25}};
    sources_make(&kitchen->harmful, &kitchen->benign);
    kitchen->recipe = (struct mix_recipe){
        .sources = {&kitchen->harmful, &kitchen->contrast, &kitchen->benign},
        .tenses = {{TENSE_PAST, 0.5}, {TENSE_FUTURE, 0.5}},
        .tense_count = 2,
        .ratios = kitchen->ratios,
        .ratio_count = 1,
        .contrast_ratios = kitchen->contrast_ratios,
        .contrast_ratio_count = 1,
        .count = 200,
        .split_shares = {1, 0, 0},
        .refusals = "fixed",
        .system_share = 1,
        .seed = 5};
}

static void kitchen_close(struct kitchen *kitchen)
{
    string_list_release(&kitchen->harmful);
    string_list_release(&kitchen->benign);
    string_list_release(&kitchen->contrast);
}

static const char *only_split(const struct mix_cut *cut, const char *behavior)
{
    const char *split = NULL;
    for (size_t i = 0; i < cut->count; i++) {
        const struct mix_example *example = &cut->rows[i]->example;
        if (strcmp(example->behavior, behavior) != 0)
            continue;
        if (split)
            assert_string_equal(split, example->split);
        split = example->split;
    }
    return split;
}

static int64_t count_kind(const struct mix_cut *cut, const char *kind, const char *tense)
{
    int64_t count = 0;
    for (size_t i = 0; i < cut->count; i++) {
        const struct mix_example *example = &cut->rows[i]->example;
        count += strcmp(example->kind, kind) == 0 &&
                 (!tense || strcmp(example->tense, tense) == 0);
    }
    return count;
}

static void shares_splits_and_duplicates_hold(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    kitchen_open(&kitchen);
    kitchen.recipe.imperatives = 1;
    kitchen.recipe.refusals = "varied";
    memcpy(kitchen.recipe.split_shares, (double[]){0.64, 0.16, 0.2}, 3 * sizeof(double));
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    const struct mix_cut *cut = &build.cuts[0];

    int64_t refusals[SPLIT_COUNT] = {0};
    int64_t all[SPLIT_COUNT] = {0};
    int64_t imperatives = 0;
    struct text_set seen = {0};
    for (size_t i = 0; i < cut->count; i++) {
        const struct mix_row *row = cut->rows[i];
        assert_string_equal(split_names[row->split], row->example.split);
        all[row->split]++;
        refusals[row->split] += row->role == ROLE_HARMFUL;
        imperatives += row->role == ROLE_BENIGN &&
                       !text_ends_with(row->example.messages[0].content, "?");
        assert_true(text_set_add(&seen, row->example.messages[0].content));
    }
    text_set_release(&seen);
    const int64_t expected[] = {160, 40, 0};
    for (int split = 0; split < SPLIT_COUNT; split++) {
        assert_int_equal(all[split], expected[split]);
        assert_int_equal(refusals[split], expected[split] / 4);
    }
    assert_int_equal(count_kind(cut, "refusal", "past"), 25);
    assert_int_equal(imperatives, 150); /* every "How do I" becomes one */
    int in_mix = 0;
    for (int i = 0; i < 15; i++) {
        char name[32];
        snprintf(name, sizeof name, "Behavior %d", i);
        in_mix += only_split(cut, name) != NULL;
    }
    assert_int_equal(in_mix, 12);
    assert_int_equal(build.held_out_count, 6); /* 3 of 15 behaviours, two requests each */
    mix_build_release(&build);
    kitchen_close(&kitchen);
}

static void too_small_sources_are_refused(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    kitchen_open(&kitchen);
    kitchen.recipe.tenses[0] = (struct tense_share){TENSE_NONE, 1};
    kitchen.recipe.tense_count = 1;
    kitchen.ratios[0] = 0;
    kitchen.recipe.count = 291;
    assert_int_equal(mix_build(&build, &kitchen.recipe, &error), STATUS_LIMIT);
    assert_message("only 290 left that are distinct");
    kitchen.ratios[0] = 1;
    kitchen.recipe.count = 31; /* TENSE_NONE has one wording for each of 30 requests */
    assert_int_equal(mix_build(&build, &kitchen.recipe, &error), STATUS_LIMIT);
    assert_message("only 30 distinct");
    kitchen.recipe.count = 30;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    assert_int_equal(build.cuts[0].count, 30);
    mix_build_release(&build);
    kitchen_close(&kitchen);
}

/* Whether every row of a kind in `part` is in `whole`; rows are shared, not copied. */
static bool contains(const struct mix_cut *whole, const struct mix_cut *part, bool refusals)
{
    for (size_t i = 0; i < part->count; i++) {
        bool found = (part->rows[i]->role == ROLE_HARMFUL) != refusals;
        for (size_t j = 0; j < whole->count && !found; j++)
            found = whole->rows[j] == part->rows[i];
        if (!found)
            return false;
    }
    return true;
}

static void mixes_of_several_ratios_are_nested(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    kitchen_open(&kitchen);
    memcpy(kitchen.ratios, (double[]){0.1, 0.5, 0, 0.2}, 4 * sizeof(double));
    kitchen.recipe.ratio_count = 4;
    memcpy(kitchen.recipe.split_shares, (double[]){0.8, 0.2, 0}, 3 * sizeof(double));
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    const struct mix_cut *cuts = build.cuts;
    const int64_t refusals[] = {20, 100, 0, 40};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(cuts[i].count, 200);
        assert_int_equal(count_kind(&cuts[i], "refusal", NULL), refusals[i]);
        assert_true(contains(&cuts[1], &cuts[i], true));  /* refusals: all in the largest */
        assert_true(contains(&cuts[i], &cuts[1], false)); /* chats: those of the largest */
    }
    assert_false(contains(&cuts[0], &cuts[3], true));
    /* 20 more refusals stand where 20 chats stood; all else is in its place. */
    int same = 0;
    for (int i = 0; i < 200; i++)
        same += cuts[0].rows[i] == cuts[3].rows[i];
    assert_int_equal(same, 180);

    mix_build_release(&build);
    kitchen_close(&kitchen);
}

static void a_ratio_made_alone_is_the_same_mix(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    struct mix_build alone;
    kitchen_open(&kitchen);
    memcpy(kitchen.ratios, (double[]){0.2, 0.5}, 2 * sizeof(double));
    kitchen.recipe.ratio_count = 2;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    kitchen.recipe.ratio_count = 1;
    assert_ok(mix_build(&alone, &kitchen.recipe, &error));
    for (int i = 0; i < 200; i++)
        assert_string_equal(alone.cuts[0].rows[i]->example.id,
                            build.cuts[0].rows[i]->example.id);
    mix_build_release(&alone);
    mix_build_release(&build);
    kitchen_close(&kitchen);
}

static void benign_chats_can_be_held(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    kitchen_open(&kitchen);
    memcpy(kitchen.ratios, (double[]){0, 0.2, 0.5}, 3 * sizeof(double));
    kitchen.recipe.ratio_count = 3;
    kitchen.recipe.hold = HOLD_BENIGN;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    const int64_t counts[] = {100, 125, 200}; /* 100 / (1 - ratio) */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(build.cuts[i].count, counts[i]);
        assert_int_equal(count_kind(&build.cuts[i], "benign", NULL), 100);
        assert_true(contains(&build.cuts[2], &build.cuts[i], true));
        assert_true(contains(&build.cuts[2], &build.cuts[i], false));
    }
    mix_build_release(&build);
    kitchen_close(&kitchen);
}

static void tense_shares_and_limits_are_kept(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    kitchen_open(&kitchen);
    kitchen.recipe.tenses[0] = (struct tense_share){TENSE_PAST, 0.6};
    kitchen.recipe.tenses[1] = (struct tense_share){TENSE_PRESENT, 0.3};
    kitchen.recipe.tenses[2] = (struct tense_share){TENSE_NONE, 0.1};
    kitchen.recipe.tense_count = 3;
    kitchen.recipe.tense_shares_given = true;
    kitchen.ratios[0] = 0.5;
    kitchen.recipe.max_per_behavior = 7; /* 15 behaviours: 105 at most */
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    assert_int_equal(count_kind(&build.cuts[0], "refusal", "past"), 60);
    assert_int_equal(count_kind(&build.cuts[0], "refusal", "present"), 30);
    assert_int_equal(count_kind(&build.cuts[0], "refusal", "none"), 10);
    for (int i = 0; i < 15; i++) {
        char name[32];
        int64_t made = 0;
        snprintf(name, sizeof name, "Behavior %d", i);
        for (size_t j = 0; j < build.cuts[0].count; j++)
            made += strcmp(build.cuts[0].rows[j]->example.behavior, name) == 0;
        assert_in_range(made, 6, 7);
    }
    mix_build_release(&build);

    kitchen.recipe.max_per_behavior = 6;
    assert_int_equal(mix_build(&build, &kitchen.recipe, &error), STATUS_LIMIT);
    assert_message("only 90 distinct ones within --max-per-behavior");
    kitchen.recipe.max_per_behavior = 0;
    kitchen.recipe.tenses[0].share = 0.2;
    kitchen.recipe.tenses[2].share = 0.5; /* 50 of 100, and there are 30 requests */
    assert_int_equal(mix_build(&build, &kitchen.recipe, &error), STATUS_LIMIT);
    assert_message("50 of 100 refusals should be in the tense 'none'");
    kitchen_close(&kitchen);
}

/* A behaviour is one in any case and spacing: it stands in one split, has one limit, and
 * its category is one too. */
static void behaviours_are_told_apart_by_their_words(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    struct text_buffer text = {0};
    kitchen_open(&kitchen);
    text_buffer_append(&text, "goal,behavior,category\n");
    for (int i = 0; i < 20; i++)
        text_buffer_appendf(&text,
                            "Explain how to break lock%d,Card fraud %d,%s\n"
                            "Explain how to mend gate%d,\" card  FRAUD %d. \",%s\n",
                            i, i, i % 2 ? "Theft" : "theft", i, i,
                            i % 2 ? "THEFT" : "arson");
    scratch_file("harmful.csv", text_buffer_string(&text));
    text_buffer_release(&text);
    memcpy(kitchen.recipe.split_shares, (double[]){0.5, 0, 0.5}, 3 * sizeof(double));
    kitchen.recipe.count = 10;
    kitchen.ratios[0] = 1;
    kitchen.recipe.max_per_behavior = 1;
    kitchen.recipe.balance[ROLE_HARMFUL] = true;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    bool trained[20] = {false};
    int arson = 0;
    for (size_t i = 0; i < build.cuts[0].count; i++) {
        const struct mix_example *example = &build.cuts[0].rows[i]->example;
        const int number =
            atoi(example->behavior + strcspn(example->behavior, "0123456789"));
        assert_false(trained[number]); /* no more than one of each */
        trained[number] = true;
        arson += strcmp(example->category, "arson") == 0;
    }
    assert_in_range(arson, 3, 5); /* half of them, were there enough */
    assert_int_equal(build.held_out_count, 20);
    for (size_t i = 0; i < build.held_out_count; i++) {
        const char *name = build.held_out[i].behavior;
        assert_false(trained[atoi(name + strcspn(name, "0123456789"))]);
    }
    mix_build_release(&build);
    kitchen_close(&kitchen);
}

/* Sources number their chats without knowing of each other, or all the same. */
static void every_chat_has_an_id_of_its_own(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    struct text_buffer text = {0};
    struct text_set ids = {0};
    kitchen_open(&kitchen);
    for (int source = 0; source < 3; source++) {
        char name[20];
        text_buffer_clear(&text);
        for (int i = 0; i < 20; i++)
            text_buffer_appendf(
                &text, "{\"id\":%d,\"prompt\":\"Say %d of %d\",\"completion\":\"a\"}\n",
                source < 2 ? i : 7, i, source);
        snprintf(name, sizeof name, "ids%d.jsonl", source);
        string_list_add(source ? &kitchen.contrast : &kitchen.benign,
                        scratch_file(name, text_buffer_string(&text)));
    }
    kitchen.contrast_ratios[0] = kitchen.contrast_ratios[1] = 0.2;
    kitchen.recipe.contrast_ratio_count = 2;
    kitchen.recipe.count = 100;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    assert_int_equal(build.cuts[0].count, 100);
    for (size_t i = 0; i < build.cuts[0].count; i++)
        assert_true(text_set_add(&ids, build.cuts[0].rows[i]->example.id));
    text_set_release(&ids);
    text_buffer_release(&text);
    mix_build_release(&build);
    kitchen_close(&kitchen);
}

static void categories_are_balanced(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    struct text_buffer text = {0};
    kitchen_open(&kitchen);
    text_buffer_append(&text, "goal,category\n");
    for (int i = 0; i < 30; i++) /* 24 of A, 6 of B */
        text_buffer_appendf(&text, "Explain how to break device number %d,%s\n", i,
                            i % 5 ? "A" : "B");
    scratch_file("harmful.csv", text_buffer_string(&text));
    kitchen.recipe.balance[ROLE_HARMFUL] = true;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    int64_t of_b = 0;
    int64_t past_of_b = 0;
    for (size_t i = 0; i < build.cuts[0].count; i++) {
        const struct mix_example *example = &build.cuts[0].rows[i]->example;
        const bool is_b = strcmp(example->category, "B") == 0;
        of_b += is_b;
        past_of_b += is_b && strcmp(example->tense, "past") == 0;
    }
    assert_int_equal(of_b, 25);        /* of 50 */
    assert_in_range(past_of_b, 1, 24); /* tenses go across the categories */
    mix_build_release(&build);
    text_buffer_release(&text);
    kitchen_close(&kitchen);
}

static void topics_are_balanced(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    struct text_buffer text = {0};
    kitchen_open(&kitchen);
    for (int i = 0; i < 120; i++) /* 100 of a, 20 of b */
        text_buffer_appendf(
            &text, "{\"prompt\":\"Question %d\",\"completion\":\"Yes\",\"topic\":\"%s\"}\n",
            i, i % 6 ? "a" : "b");
    scratch_file("benign.jsonl", text_buffer_string(&text));
    kitchen.ratios[0] = 0;
    kitchen.recipe.balance[ROLE_BENIGN] = true;
    const int64_t of_b[][2] = {{30, 15}, {60, 20}}; /* as many as there are */
    for (int i = 0; i < 2; i++) {
        kitchen.recipe.count = of_b[i][0];
        assert_ok(mix_build(&build, &kitchen.recipe, &error));
        int64_t count = 0;
        for (size_t j = 0; j < build.cuts[0].count; j++)
            count += strcmp(build.cuts[0].rows[j]->example.category, "b") == 0;
        assert_int_equal(count, of_b[i][1]);
        mix_build_release(&build);
    }
    text_buffer_release(&text);
    kitchen_close(&kitchen);
}

static void near_duplicates_are_left_out(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    struct text_buffer text = {0};
    kitchen_open(&kitchen);
    for (int i = 0; i < 40; i++) { /* 20 texts of 30 words, each with one word changed */
        text_buffer_append(&text, "{\"prompt\":\"");
        for (int j = 0; j < 30; j++)
            text_buffer_appendf(&text, "%s%d-%d ", j == 29 && i % 2 ? "new" : "word", i / 2,
                                j);
        text_buffer_append(&text, "\",\"completion\":\"Yes\"}\n");
    }
    scratch_file("benign.jsonl", text_buffer_string(&text));
    kitchen.ratios[0] = 0;
    kitchen.recipe.count = 20;
    kitchen.recipe.near_duplicates = 0.8;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    mix_build_release(&build);
    kitchen.recipe.count = 21;
    assert_int_equal(mix_build(&build, &kitchen.recipe, &error), STATUS_LIMIT);
    assert_message("only 20 left");
    kitchen.recipe.near_duplicates = 0;
    kitchen.recipe.count = 40;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    mix_build_release(&build);
    text_buffer_release(&text);
    kitchen_close(&kitchen);
}

static void several_turns_and_system_prompts(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    struct text_buffer text = {0};
    kitchen_open(&kitchen);
    /* All end in the same words: what users said before tells them apart. */
    for (int i = 0; i < 40; i++)
        text_buffer_appendf(
            &text,
            "{\"messages\":[%s{\"role\":\"user\",\"content\":\"Tell me of %d\"},"
            "{\"role\":\"assistant\",\"content\":\"So.\"},"
            "{\"role\":\"user\",\"content\":\"Go on\"},"
            "{\"role\":\"assistant\",\"content\":\"That is all.\"}]}\n",
            i % 4 ? "" : "{\"role\":\"system\",\"content\":\"Its own.\"},", i);
    scratch_file("benign.jsonl", text_buffer_string(&text));
    kitchen.ratios[0] = 0.5;
    kitchen.recipe.count = 80;
    kitchen.recipe.system = "Ours.";
    kitchen.recipe.system_share = 0.5;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    int64_t own = 0;
    int64_t ours[ROLE_COUNT] = {0};
    for (size_t i = 0; i < build.cuts[0].count; i++) {
        const struct mix_row *row = build.cuts[0].rows[i];
        const char *first = row->example.messages[0].content;
        const bool has_own = strcmp(first, "Its own.") == 0;
        const bool has_ours = strcmp(first, "Ours.") == 0;
        own += has_own;
        ours[row->role] += has_ours;
        assert_int_equal(row->example.message_count,
                         (row->role == ROLE_HARMFUL ? 2 : 4) + has_own + has_ours);
    }
    assert_int_equal(own, 10);
    /* Of 40 and 30, half: within 4 standard deviations. */
    assert_in_range(ours[ROLE_HARMFUL], 8, 32);
    assert_in_range(ours[ROLE_BENIGN], 5, 25);
    mix_build_release(&build);
    kitchen.recipe.system_share = 1;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    for (size_t i = 0; i < build.cuts[0].count; i++)
        assert_string_equal(build.cuts[0].rows[i]->example.messages[0].role, "system");
    mix_build_release(&build);
    kitchen.recipe.system = "@/nowhere";
    assert_int_equal(mix_build(&build, &kitchen.recipe, &error), STATUS_IO);
    text_buffer_release(&text);
    kitchen_close(&kitchen);
}

static void contrast_sources_have_shares_of_their_own(void **state)
{
    (void)state;
    struct kitchen kitchen;
    struct mix_build build;
    static const char *const names[] = {"twins", "past"};
    kitchen_open(&kitchen);
    for (int source = 0; source < 2; source++) {
        struct text_buffer text = {0};
        char file[32];
        for (int i = 0; i < 100 >> source; i++)
            text_buffer_appendf(&text, "{\"question\":\"%s %d?\",\"answer\":\"Yes\"}\n",
                                names[source], i);
        snprintf(file, sizeof file, "%s.jsonl", names[source]);
        string_list_add(&kitchen.contrast, scratch_file(file, text_buffer_string(&text)));
        text_buffer_release(&text);
    }
    memcpy(kitchen.contrast_ratios, (double[]){0.05, 0.2}, 2 * sizeof(double));
    kitchen.recipe.contrast_ratio_count = 2;
    assert_ok(mix_build(&build, &kitchen.recipe, &error));
    int64_t of_past = 0;
    for (size_t i = 0; i < build.cuts[0].count; i++)
        of_past += strcmp(build.cuts[0].rows[i]->example.source, "past") == 0;
    assert_int_equal(of_past, 40);
    assert_int_equal(count_kind(&build.cuts[0], "contrast", NULL), 50);
    assert_int_equal(count_kind(&build.cuts[0], "refusal", NULL), 50);
    mix_build_release(&build);
    kitchen.contrast_ratios[1] = 0.3; /* 60, and there are 50 */
    assert_int_equal(mix_build(&build, &kitchen.recipe, &error), STATUS_LIMIT);
    assert_message("--contrast sources have only 50 left");
    kitchen_close(&kitchen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_splits_and_duplicates_hold),
        cmocka_unit_test(too_small_sources_are_refused),
        cmocka_unit_test(mixes_of_several_ratios_are_nested),
        cmocka_unit_test(a_ratio_made_alone_is_the_same_mix),
        cmocka_unit_test(benign_chats_can_be_held),
        cmocka_unit_test(tense_shares_and_limits_are_kept),
        cmocka_unit_test(behaviours_are_told_apart_by_their_words),
        cmocka_unit_test(every_chat_has_an_id_of_its_own),
        cmocka_unit_test(categories_are_balanced),
        cmocka_unit_test(topics_are_balanced),
        cmocka_unit_test(near_duplicates_are_left_out),
        cmocka_unit_test(several_turns_and_system_prompts),
        cmocka_unit_test(contrast_sources_have_shares_of_their_own),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
