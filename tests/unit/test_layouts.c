#include "fixture.h"

#include "base/text_buffer.h"
#include "data_gen/source.h"

#include <string.h>

/* Layouts that people's chats come in, beside those of test_source.c. */

/* "role: content | …" of each chat, a line each. */
static void chats_print(const char *path, struct text_buffer *out, int64_t *skipped)
{
    struct conversation_list list;
    assert_ok(conversation_list_read(&list, path, &error));
    for (size_t i = 0; i < list.count; i++) {
        struct conversation chat;
        assert_ok(conversation_list_get(&list, i, &chat, &error));
        for (size_t j = 0; j < chat.message_count; j++)
            text_buffer_appendf(out, "%s%s: %s", j ? " | " : "", chat.messages[j].role,
                                chat.messages[j].content);
        text_buffer_append_char(out, '\n');
        conversation_release(&chat);
    }
    *skipped = list.skipped_count;
    conversation_list_release(&list);
}

/* In a line of their own, in an array and as the only object of a file. */
static void assert_read_as(const char *row, const char *expected)
{
    static const char *const frames[] = {"%s\n{\"x\":1}\n", "[%s,{\"x\":1}]", "%s"};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct text_buffer file = {0}, out = {0};
        int64_t skipped;
        text_buffer_append_bytes(&file, frames[i],
                                 (size_t)(strchr(frames[i], '%') - frames[i]));
        text_buffer_append(&file, row);
        text_buffer_append(&file, strstr(frames[i], "%s") + 2);
        chats_print(scratch_file("row.json", text_buffer_string(&file)), &out, &skipped);
        assert_string_equal(text_buffer_string(&out), expected);
        assert_int_equal(skipped, i < 2);
        text_buffer_release(&file);
        text_buffer_release(&out);
    }
}

static void assert_not_read(const char *row)
{
    struct conversation_list list;
    assert_int_equal(conversation_list_read(&list, scratch_file("row.json", row), &error),
                     STATUS_FORMAT);
    assert_message("no chat with an answer");
}

#define USER(text)      "{\"role\":\"user\",\"content\":\"" text "\"}"
#define ASSISTANT(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define HUMAN(text)     "{\"from\":\"human\",\"value\":\"" text "\"}"
#define GPT(text)       "{\"from\":\"gpt\",\"value\":\"" text "\"}"

static void system_prompts_and_history_beside_the_turns(void **state)
{
    (void)state;
    assert_read_as("{\"system\":\"S\",\"conversations\":[" HUMAN("q") "," GPT("a") "]}",
                   "system: S | user: q | assistant: a\n");
    assert_read_as("{\"conversations\":[{\"from\":\"system\",\"value\":\"own\"}," HUMAN(
                       "q") "," GPT("a") "],\"system\":\"S\"}",
                   "system: own | user: q | assistant: a\n");
    assert_read_as("{\"system\":\" \",\"messages\":[" USER("q") "," ASSISTANT("a") "]}",
                   "user: q | assistant: a\n");
    assert_read_as(
        "{\"instruction\":\"q\",\"input\":\"i\",\"output\":\"a\",\"system\":\"S\","
        "\"history\":[[\"h1\",\"r1\"],[\"h2\",\"r2\"]]}",
        "system: S | user: h1 | assistant: r1 | user: h2 | assistant: r2 | user: q\n\ni | "
        "assistant: a\n");
    assert_read_as("{\"instruction\":\"q\",\"output\":\"a\",\"history\":[]}",
                   "user: q | assistant: a\n");
    assert_read_as("{\"instruction\":\"q\",\"output\":\"a\",\"history\":\"of Rome\"}",
                   "user: q | assistant: a\n");
    assert_read_as("{\"system_prompt\":\"S\",\"question\":\"q\",\"response\":\"a\"}",
                   "system: S | user: q | assistant: a\n");
    assert_not_read("{\"instruction\":\"q\",\"output\":\"a\",\"history\":[[\"h1\"]]}");
}

static void lists_of_turns_under_other_names(void **state)
{
    (void)state;
    assert_read_as("{\"conversations\":[" USER("q") "," ASSISTANT("a") "]}",
                   "user: q | assistant: a\n");
    assert_read_as(
        "{\"conversation\":[{\"role\":\"human\",\"content\":\"q\"}," ASSISTANT("a") "]}",
        "user: q | assistant: a\n");
    assert_read_as("{\"conversation\":[" HUMAN("q") "," GPT("a") "],\"n\":2}",
                   "user: q | assistant: a\n");
    assert_read_as("{\"prompt\":[" USER("q") "," ASSISTANT("a") "," USER(
                       "r") "],\"completion\":[" ASSISTANT("b") "]}",
                   "user: q | assistant: a | user: r | assistant: b\n");
    assert_read_as("{\"messages\":null,\"prompt\":\"q\",\"completion\":\"a\"}",
                   "user: q | assistant: a\n");
    assert_read_as("{\"input\":\"q\",\"output\":\"a\"}", "user: q | assistant: a\n");
    assert_read_as("{\"query\":\"q\",\"response\":\"a\"}", "user: q | assistant: a\n");
    assert_not_read("{\"conversations\":[" USER("q") "," GPT("a") "]}");
    assert_not_read("{\"conversations\":[" HUMAN("q") "," ASSISTANT("a") "]}");
    assert_not_read("{\"prompt\":[" USER("q") "],\"completion\":[]}");
}

static void assert_message_of(const char *file, const char *filter, const char *message)
{
    struct conversation_list list;
    char spec[4096];
    snprintf(spec, sizeof spec, "%s%s", scratch_file("row.json", file), filter);
    assert_int_equal(conversation_list_read(&list, spec, &error), STATUS_FORMAT);
    assert_message(message);
}

static void why_there_is_no_chat_is_said(void **state)
{
    (void)state;
    assert_message_of("prompt;completion\nq;a\n", "",
                      "its first row has: prompt;completion");
    assert_message_of("prompt, completion\nq, a\n", "",
                      "its first row has: prompt,  completion");
    assert_message_of("{\"a\":1,\"b\":[]}\n{\"c\":1}\n", "", "its first row has: a, b");
    assert_message_of("[]", "", "row.json: no row");
    assert_message_of("prompt,completion\n", "", "row.json: no row");
    assert_message_of("prompt,completion,lang\nq,a,en\n", "?lang=de",
                      "row.json: no row with lang = de");
    assert_message_of("prompt,completion\nq,a\n", "?lang=de",
                      "row.json: no row with lang = de");
    assert_message_of("prompt,answer,lang\nq,a,de\n", "?lang=de", "no chat with an answer");
}

/* A chat may hold other lists of objects beside what is said. */
static void a_chat_alone_is_no_list_of_chats(void **state)
{
    (void)state;
    assert_read_as(
        "{\"prompt\":\"q\",\"completion\":\"a\",\"sources\":[{\"question\":\"x\","
        "\"answer\":\"y\"}]}",
        "user: q | assistant: a\n");
    assert_read_as(
        "{\"more\":[{\"messages\":[]}],\"messages\":[" USER("q") "," ASSISTANT("a") "]}",
        "user: q | assistant: a\n");
}

static void who_says_nothing_is_not_answered(void **state)
{
    (void)state;
    assert_read_as("{\"conversations\":[" GPT("hello") "," HUMAN("q") "," GPT("a") "]}",
                   "assistant: hello | user: q | assistant: a\n");
    assert_not_read("{\"conversations\":[" GPT("hello") "," GPT("a") "]}");
    assert_not_read("{\"conversations\":[]}");
    assert_not_read("{\"messages\":[" USER(" ") "," ASSISTANT("a") "]}");
    assert_not_read(
        "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"}," ASSISTANT("a") "]}");
    assert_not_read("{\"messages\":[" USER("q") "," ASSISTANT("") "," USER(
        "q") "," ASSISTANT("a") "]}");
}

/* Of a chat with a call of a tool, or a reply that is not to be learnt, nothing is taken.
 */
static void what_cannot_be_trained_on_is_left(void **state)
{
    (void)state;
#define REPLY(more)                                                                        \
    "{\"messages\":[" USER("q") ",{\"role\":\"assistant\",\"content\":\"a\"," more "}]}"
    assert_not_read(REPLY("\"tool_calls\":[{\"id\":\"1\"}]"));
    assert_not_read(REPLY("\"function_call\":{\"name\":\"f\"}"));
    assert_not_read(REPLY("\"weight\":0"));
    assert_not_read("{\"conversations\":[" HUMAN(
        "q") ",{\"from\":\"gpt\",\"value\":\"a\",\"weight\":0}]}");
    assert_read_as(REPLY("\"weight\":1,\"tool_calls\":[],\"function_call\":null"),
                   "user: q | assistant: a\n");
    assert_read_as(
        "{\"conversations\":[{\"from\":\"human\",\"value\":\"q\",\"weight\":0}," GPT(
            "a") "]}",
        "user: q | assistant: a\n");
}

/* HarmBench's own columns. */
static void harmbench_has_categories(void **state)
{
    (void)state;
    struct request_list list;
    assert_ok(request_list_read(
        &list,
        scratch_file("h.csv",
                     "Behavior,FunctionalCategory,SemanticCategory,Tags,"
                     "ContextString,BehaviorID\nDo x,standard,cybercrime_intrusion,"
                     ",,do_x\n"),
        &error));
    assert_string_equal(list.items[0].text, "Do x");
    assert_string_equal(list.items[0].category, "cybercrime_intrusion");
    request_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_prompts_and_history_beside_the_turns),
        cmocka_unit_test(lists_of_turns_under_other_names),
        cmocka_unit_test(why_there_is_no_chat_is_said),
        cmocka_unit_test(a_chat_alone_is_no_list_of_chats),
        cmocka_unit_test(who_says_nothing_is_not_answered),
        cmocka_unit_test(what_cannot_be_trained_on_is_left),
        cmocka_unit_test(harmbench_has_categories),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
