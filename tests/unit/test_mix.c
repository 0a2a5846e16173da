#include "fixture.h"

#include "base/random.h"
#include "data_gen/mix.h"
#include "data_gen/mix_build.h"
#include "data_gen/refusals.h"
#include "data_gen/text_set.h"

static void reads_a_mix_and_plain_messages(void **state)
{
    (void)state;
    struct mix mix;
    const char *path = scratch_file(
        "m.jsonl",
        "{\"id\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"u\"},"
        "{\"role\":\"assistant\",\"content\":\"v\"}],\"kind\":\"refusal\",\"tense\":"
        "\"past\","
        "\"behavior\":\"b\",\"category\":\"c\",\"source\":\"s\",\"split\":\"test\","
        "\"request\":\"r\"}\n\n"
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    assert_ok(mix_read(&mix, path, &error));
    assert_int_equal(mix.count, 2);
    assert_string_equal(mix.examples[0].split, "test");
    assert_string_equal(mix.examples[0].request, "r");
    assert_string_equal(mix.examples[1].kind, "benign");
    assert_string_equal(mix.examples[1].split, "train");
    assert_string_equal(mix.examples[1].messages[0].content, "x");
    mix_release(&mix);
}

static void broken_lines_are_named(void **state)
{
    (void)state;
    struct mix mix;
    const char *good = "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}\n";
    static const char *const bad[][2] = {
        {"{\"messages\":[]}", "no list of messages"},
        {"{\"messages\":[{\"role\":\"user\"}]}", "content"},
        {"{\"messages\":[{\"role\":1,\"content\":\"x\"}]}", "role"},
        {"{\"messages\":", "line 2"},
        {"{\"id\":5,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "id"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[300];
        snprintf(text, sizeof text, "%s%s\n", good, bad[i][0]);
        assert_int_equal(mix_read(&mix, scratch_file("bad.jsonl", text), &error),
                         STATUS_FORMAT);
        assert_message("bad.jsonl: line 2");
        assert_message(bad[i][1]);
    }
}

static void text_sets_fold_case_space_and_end(void **state)
{
    (void)state;
    struct text_set set = {0};
    assert_true(text_set_add(&set, "How did people  pick locks?"));
    assert_false(text_set_add(&set, "how did people pick\nlocks ?! "));
    assert_true(text_set_add(&set, "How did people pick a lock?"));
    for (int i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof text, "text %d", i);
        assert_true(text_set_add(&set, text));
        assert_false(text_set_add(&set, text));
    }
    assert_int_equal(set.count, 5002);
    text_set_release(&set);
}

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

static const char *only_split(const struct mix *mix, const char *behavior)
{
    const char *split = NULL;
    for (size_t i = 0; i < mix->count; i++) {
        const struct mix_example *example = &mix->examples[i];
        if (strcmp(example->behavior, behavior) != 0)
            continue;
        if (split)
            assert_string_equal(split, example->split);
        split = example->split;
    }
    return split;
}

static void shares_splits_and_duplicates_hold(void **state)
{
    (void)state;
    struct string_list harmful = {0};
    struct string_list benign = {0};
    const struct string_list contrast = {0};
    sources_make(&harmful, &benign);
    const struct mix_recipe recipe = {.harmful = &harmful,
                                      .benign = &benign,
                                      .contrast = &contrast,
                                      .tenses = {TENSE_PAST, TENSE_FUTURE},
                                      .tense_count = 2,
                                      .ratio = 0.25,
                                      .count = 200,
                                      .imperatives = 1,
                                      .split_shares = {0.64, 0.16, 0.2},
                                      .refusals = "varied",
                                      .seed = 5};
    struct mix_build build;
    assert_ok(mix_build(&build, &recipe, &error));

    int64_t refusals[SPLIT_COUNT] = {0};
    int64_t all[SPLIT_COUNT] = {0};
    int64_t past = 0;
    int64_t imperatives = 0;
    struct text_set seen = {0};
    for (size_t i = 0; i < build.mix.count; i++) {
        const struct mix_example *example = &build.mix.examples[i];
        int split = 0;
        while (strcmp(split_names[split], example->split) != 0)
            split++;
        all[split]++;
        refusals[split] += strcmp(example->kind, "refusal") == 0;
        past +=
            strcmp(example->kind, "refusal") == 0 && strcmp(example->tense, "past") == 0;
        imperatives += strcmp(example->kind, "benign") == 0 &&
                       !text_ends_with(example->messages[0].content, "?");
        assert_true(text_set_add(&seen, example->messages[0].content));
    }
    text_set_release(&seen);
    const int64_t expected[] = {160, 40, 0};
    for (int split = 0; split < SPLIT_COUNT; split++) {
        assert_int_equal(all[split], expected[split]);
        assert_int_equal(refusals[split], expected[split] / 4);
    }
    assert_int_equal(past, 25);
    assert_int_equal(imperatives, 150); /* every "How do I" becomes one */
    int in_mix = 0;
    for (int i = 0; i < 15; i++) {
        char name[32];
        snprintf(name, sizeof name, "Behavior %d", i);
        in_mix += only_split(&build.mix, name) != NULL;
    }
    assert_int_equal(in_mix, 12);
    assert_int_equal(build.held_out_count, 6); /* 3 of 15 behaviours, two requests each */
    mix_build_release(&build);
    string_list_release(&harmful);
    string_list_release(&benign);
}

static void too_small_sources_are_refused(void **state)
{
    (void)state;
    struct string_list harmful = {0};
    struct string_list benign = {0};
    const struct string_list contrast = {0};
    sources_make(&harmful, &benign);
    struct mix_recipe recipe = {.harmful = &harmful,
                                .benign = &benign,
                                .contrast = &contrast,
                                .tenses = {TENSE_NONE},
                                .tense_count = 1,
                                .ratio = 0,
                                .count = 291,
                                .split_shares = {1, 0, 0},
                                .refusals = "fixed",
                                .seed = 5};
    struct mix_build build;
    assert_int_equal(mix_build(&build, &recipe, &error), STATUS_LIMIT);
    assert_message("only 290 left that are distinct");
    recipe.ratio = 1;
    recipe.count = 31; /* TENSE_NONE has one wording for each of 30 requests */
    assert_int_equal(mix_build(&build, &recipe, &error), STATUS_LIMIT);
    assert_message("only 30 distinct");
    recipe.count = 30;
    assert_ok(mix_build(&build, &recipe, &error));
    assert_int_equal(build.mix.count, 30);
    mix_build_release(&build);
    string_list_release(&harmful);
    string_list_release(&benign);
}

static void refusal_styles(void **state)
{
    (void)state;
    struct refusals refusals;
    assert_ok(refusals_open(&refusals, "fixed", &error));
    assert_string_equal(refusals_pick(&refusals, 1, 9), "Sorry, I can't help with that.");
    refusals_release(&refusals);
    assert_ok(refusals_open(&refusals, "varied", &error));
    assert_true(refusals.count >= 12);
    assert_ptr_equal(refusals_pick(&refusals, 1, 9), refusals_pick(&refusals, 1, 9));
    refusals_release(&refusals);
    assert_int_equal(refusals_open(&refusals, "sometimes", &error), STATUS_USAGE);
    assert_ok(refusals_open(&refusals, "No, thanks.", &error));
    assert_string_equal(refusals_pick(&refusals, 1, 1), "No, thanks.");
    refusals_release(&refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_mix_and_plain_messages),
        cmocka_unit_test(broken_lines_are_named),
        cmocka_unit_test(text_sets_fold_case_space_and_end),
        cmocka_unit_test(shares_splits_and_duplicates_hold),
        cmocka_unit_test(too_small_sources_are_refused),
        cmocka_unit_test(refusal_styles),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
