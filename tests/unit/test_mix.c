#include "fixture.h"

#include "base/random.h"
#include "data_gen/mix.h"
#include "data_gen/mix_export.h"
#include "data_gen/refusals.h"
#include "data_gen/text_set.h"

#include <ctype.h>

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
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{}]}]}",
         "a call of a tool"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"weight\":0}]}",
         "\"weight\": 0"},
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
    static const char *const apart[] = {
        "Count in C", "Count in C++", "Count in C#", "if (x) {", "if (x) }", "?", "!",
        "?!"};
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        assert_true(text_set_add(&set, apart[i]));
    assert_false(text_set_add(&set, " count  in C++. "));
    assert_false(text_set_add(&set, " ?! "));
    for (int i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof text, "text %d", i);
        assert_true(text_set_add(&set, text));
        assert_false(text_set_add(&set, text));
    }
    assert_int_equal(set.count, 5010);
    text_set_release(&set);
}

/* Each of XSTest's rule and of the paper's: a few of their strings, enough for ours. */
/* How a text is compared, letter by letter. */
static void normalise_by_bytes(const char *text, char *out)
{
    size_t length = 0;
    for (bool gap = false; *text; text++) {
        if (isspace((unsigned char)*text)) {
            gap = length > 0;
            continue;
        }
        if (gap)
            out[length++] = ' ';
        gap = false;
        out[length++] = (char)tolower((unsigned char)*text);
    }
    const size_t whole = length;
    while (length && strchr(" .,;:!?", out[length - 1]))
        length--;
    out[length ? length : whole] = '\0';
}

static void text_sets_tell_texts_apart_as_a_walk_over_bytes_does(void **state)
{
    (void)state;
    static const char alphabet[] = "aAbZ  \t\n\v\r.!+\xC3\xA9";
    struct random random = random_stream(9, 0);
    int equal = 0;
    for (int round = 0; round < 20000; round++) {
        struct text_set set = {0};
        char texts[2][8], normal[2][8];
        for (int i = 0; i < 2; i++) {
            const size_t length = random_below(&random, 7);
            for (size_t j = 0; j < length; j++)
                texts[i][j] = alphabet[random_below(&random, sizeof alphabet - 1)];
            texts[i][length] = '\0';
            normalise_by_bytes(texts[i], normal[i]);
        }
        const bool same = strcmp(normal[0], normal[1]) == 0;
        assert_true(text_set_add(&set, texts[0]));
        assert_int_equal(text_set_add(&set, texts[1]), !same);
        equal += same;
        text_set_release(&set);
    }
    assert_in_range(equal, 100, 19000);
}

static void assert_refuses(const char *text)
{
    static const char *const markers[] = {"I'm sorry", "Sorry", "I am sorry", "I apologize",
                                          "I cannot"};
    bool starts = false;
    for (size_t i = 0; i < sizeof markers / sizeof *markers; i++)
        starts |= text_starts_with(text, markers[i]);
    if (!starts)
        fail_msg("\"%s\" does not begin as refusals do", text);
    assert_true(strlen(text) <= 160);
}

static void refusal_styles(void **state)
{
    (void)state;
    struct refusals refusals;
    struct text_buffer text = {0};
    struct text_buffer again = {0};
    assert_ok(refusals_open(&refusals, "fixed", &error));
    refusals_write(&refusals, 1, 9, "", &text);
    assert_string_equal(text_buffer_string(&text), "Sorry, I can't help with that.");
    refusals_release(&refusals);
    assert_ok(refusals_open(&refusals, "varied", &error));
    assert_true(refusals.texts.count >= 16);
    for (size_t i = 0; i < refusals.texts.count; i++)
        assert_refuses(refusals.texts.items[i]);
    text_buffer_clear(&text);
    refusals_write(&refusals, 1, 9, "", &text);
    refusals_write(&refusals, 1, 9, "Privacy", &again);
    assert_string_equal(text_buffer_string(&text), text_buffer_string(&again));
    refusals_release(&refusals);
    assert_int_equal(refusals_open(&refusals, "sometimes", &error), STATUS_USAGE);
    assert_ok(refusals_open(&refusals, "No, thanks.", &error));
    text_buffer_clear(&text);
    refusals_write(&refusals, 1, 1, "", &text);
    assert_string_equal(text_buffer_string(&text), "No, thanks.");
    refusals_release(&refusals);
    text_buffer_release(&text);
    text_buffer_release(&again);
}

static void alternatives_name_a_subject_of_the_category(void **state)
{
    (void)state;
    static const char *const categories[] = {
        "Harassment/Discrimination",
        "Malware/Hacking",
        "Physical harm",
        "Economic harm",
        "Fraud/Deception",
        "Disinformation",
        "Sexual/Adult content",
        "Privacy",
        "Expert advice",
        "Government decision-making", /* JailbreakBench */
        "chemical_biological",
        "illegal",
        "misinformation_disinformation",
        "harassment_bullying",
        "cybercrime_intrusion",
        "copyright", /* HarmBench */
        "Violence",
        "Non-violent crimes",
        "Illegal goods and services", /* StrongREJECT */
    };
    struct refusals refusals;
    assert_ok(refusals_open(&refusals, "alternative", &error));
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        const char *const *subjects = refusal_subjects(categories[i]);
        struct text_buffer text = {0};
        bool named = false;
        assert_non_null(subjects);
        refusals_write(&refusals, 3, i, categories[i], &text);
        assert_refuses(text_buffer_string(&text));
        for (; *subjects; subjects++)
            named |= strstr(text_buffer_string(&text), *subjects) != NULL;
        assert_true(named);
        assert_null(strchr(text_buffer_string(&text), '%'));
        text_buffer_release(&text);
    }
    assert_null(refusal_subjects(""));
    assert_null(refusal_subjects("something else"));
    struct text_buffer text = {0};
    refusals_write(&refusals, 3, 1, "something else", &text);
    assert_refuses(text_buffer_string(&text));
    assert_null(strchr(text_buffer_string(&text), '%'));
    text_buffer_release(&text);
    refusals_release(&refusals);
}

static void formats_have_their_layouts(void **state)
{
    (void)state;
    struct message messages[] = {{"system", "s"}, {"user", "u"},      {"assistant", "a"},
                                 {"user", "v"},   {"assistant", "b"}, {"user", "w"}};
    const struct mix_example example = {
        .id = (char[]){"x"}, .messages = messages, .message_count = 6};
    static const char *const expected[] = {
        [FORMAT_OPENAI] = "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
                          "{\"role\":\"user\",\"content\":\"u\"},"
                          "{\"role\":\"assistant\",\"content\":\"a\"},"
                          "{\"role\":\"user\",\"content\":\"v\"},"
                          "{\"role\":\"assistant\",\"content\":\"b\"}]}\n",
        [FORMAT_TRL_PROMPT_COMPLETION] =
            "{\"prompt\":[{\"role\":\"system\",\"content\":\"s\"},"
            "{\"role\":\"user\",\"content\":\"u\"},"
            "{\"role\":\"assistant\",\"content\":\"a\"},"
            "{\"role\":\"user\",\"content\":\"v\"}],"
            "\"completion\":[{\"role\":\"assistant\",\"content\":\"b\"}]}\n",
        [FORMAT_SHAREGPT] =
            "{\"id\":\"x\",\"conversations\":[{\"from\":\"system\",\"value\":\"s\"},"
            "{\"from\":\"human\",\"value\":\"u\"},{\"from\":\"gpt\",\"value\":\"a\"},"
            "{\"from\":\"human\",\"value\":\"v\"},{\"from\":\"gpt\",\"value\":\"b\"}]}\n",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct text_buffer text = {0};
        mix_example_write(&text, &example, (enum mix_format)i);
        if (expected[i])
            assert_string_equal(text_buffer_string(&text), expected[i]);
        text_buffer_release(&text);
    }
    enum mix_format format;
    assert_ok(mix_format_parse(&format, "sharegpt", &error));
    assert_int_equal(format, FORMAT_SHAREGPT);
    assert_int_equal(mix_format_parse(&format, "csv", &error), STATUS_USAGE);
}

static const struct mix_example *example_at(const void *context, size_t i)
{
    return (const struct mix_example *)context + i;
}

static enum status is_not_ready(void *context, struct error *why)
{
    (void)context;
    return error_set(why, STATUS_IO, "not ready");
}

static void what_is_not_ready_is_not_put_in_place(void **state)
{
    (void)state;
    struct message message = {.role = "assistant", .content = "Hi."};
    struct mix_example example = {.id = (char[]){"1"},
                                  .messages = &message,
                                  .message_count = 1,
                                  .split = (char[]){"train"}};
    const char *path = scratch_file("kept.jsonl", "before\n");
    struct mix_examples examples = {
        .at = example_at, .ready = is_not_ready, .context = &example, .count = 1};
    struct text_buffer text = {0};
    char sha256[65];
    for (int i = 0; i < FORMAT_COUNT; i++) {
        assert_int_equal(mix_export(path, (enum mix_format)i, &examples, sha256, &error),
                         STATUS_IO);
        assert_message("not ready");
        assert_ok(file_read(&text, path, 0, &error));
        assert_string_equal(text_buffer_string(&text), "before\n");
    }
    examples.ready = NULL;
    assert_ok(mix_export(path, FORMAT_OPENAI, &examples, sha256, &error));
    assert_ok(file_read(&text, path, 0, &error));
    assert_non_null(strstr(text_buffer_string(&text), "Hi."));
    text_buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_mix_and_plain_messages),
        cmocka_unit_test(broken_lines_are_named),
        cmocka_unit_test(text_sets_fold_case_space_and_end),
        cmocka_unit_test(text_sets_tell_texts_apart_as_a_walk_over_bytes_does),
        cmocka_unit_test(what_is_not_ready_is_not_put_in_place),
        cmocka_unit_test(refusal_styles),
        cmocka_unit_test(alternatives_name_a_subject_of_the_category),
        cmocka_unit_test(formats_have_their_layouts),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
