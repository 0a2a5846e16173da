#include "fixture.h"

#include "data_gen/records.h"
#include "data_gen/source.h"

static enum status row_append(void *context, const cJSON *object, int64_t line,
                              struct error *row_error)
{
    (void)row_error;
    struct text_buffer *out = context;
    text_buffer_appendf(out, "%lld", (long long)line);
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        char scratch[RECORD_SCRATCH_BYTES];
        const char *text = record_text(object, item->string, scratch);
        text_buffer_appendf(out, "|%s=%s", item->string, text ? text : "-");
    }
    text_buffer_append_char(out, '\n');
    return STATUS_OK;
}

static void assert_rows(const char *bytes, const char *expected)
{
    struct text_buffer out = {0};
    assert_ok(records_parse(bytes, strlen(bytes), "x", row_append, &out, &error));
    assert_string_equal(text_buffer_string(&out), expected);
    text_buffer_release(&out);
}

static void assert_refused(const char *bytes, const char *message)
{
    struct text_buffer out = {0};
    assert_int_equal(records_parse(bytes, strlen(bytes), "x", row_append, &out, &error),
                     STATUS_FORMAT);
    assert_message(message);
    text_buffer_release(&out);
}

static void csv_cells_may_be_quoted_and_span_lines(void **state)
{
    (void)state;
    assert_rows("\xEF\xBB\xBF"
                "a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n2,\r\n",
                "2|a=1|b=x, \"y\"\nz\n5|a=2|b=\n");
    assert_rows("a\n\"\"\n", "2|a=\n");
    assert_rows("a,b\n1,2", "2|a=1|b=2\n");
}

static void csv_errors_name_the_line(void **state)
{
    (void)state;
    assert_refused("a,b\n1,2\n3\n", "x: line 3: 1 cells where the header has 2");
    assert_refused("a\n1\n\"open\n\n", "x: line 3: a quoted cell is not closed");
    assert_refused("a\n\"b\"c\n", "x: line 2: text after a closing quote");
    assert_refused("", "empty");
    assert_refused(" \n", "empty");
}

static void json_is_told_by_its_content(void **state)
{
    (void)state;
    assert_rows("[{\"a\":1.5},{\"a\":\"t\",\"b\":[1]}]", "1|a=1.5\n2|a=t|b=-\n");
    assert_rows("{\"a\":true}\n\n{\"a\":null}\n", "1|a=true\n3|a=-\n");
    assert_rows("{\"a\":\"only\"}", "1|a=only\n");
    assert_rows("{\"n\":2,\"rows\":[{\"a\":1},\n{\"a\":2}]}", "1|a=1\n2|a=2\n");
    assert_refused("{\"x\":[{\"a\":1}],\n\"y\":[{\"a\":1}]}", "several arrays");
    assert_refused("[1]", "element 1 is no object");
    assert_refused("{\"a\":1}\n{\"a\":\n", "line 2");
    assert_refused("version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
                   "git lfs pull");
}

static void specs_have_name_path_column_and_filter(void **state)
{
    (void)state;
    struct source_spec spec;
    assert_ok(source_spec_parse(&spec, "safe=dir/xs.csv:prompt?label=safe", &error));
    assert_string_equal(spec.name, "safe");
    assert_string_equal(spec.path, "dir/xs.csv");
    assert_string_equal(spec.column, "prompt");
    assert_string_equal(spec.filter_field, "label");
    assert_string_equal(spec.filter_value, "safe");
    source_spec_release(&spec);

    assert_ok(source_spec_parse(&spec, "dir.d/jbb.harmful.csv", &error));
    assert_string_equal(spec.name, "jbb.harmful");
    assert_null(spec.column);
    assert_null(spec.filter_field);
    source_spec_release(&spec);

    assert_int_equal(source_spec_parse(&spec, "a.csv?label", &error), STATUS_USAGE);
    assert_message("FIELD=VALUE");
}

/* The paper's file names hold spaces, colons and equals signs. */
static void a_file_that_exists_is_taken_as_it_is(void **state)
{
    (void)state;
    struct source_spec spec;
    const char *path = scratch_file("2024 07:14:21-model=ft:x?y=z.json", "[]");
    assert_ok(source_spec_parse(&spec, path, &error));
    assert_string_equal(spec.path, path);
    assert_null(spec.column);
    source_spec_release(&spec);
}

static void requests_take_column_filter_and_index(void **state)
{
    (void)state;
    struct request_list list;
    char spec[300];
    const char *path =
        scratch_file("r.csv", "Index,Goal,Category,kind\n7,\"Do a, b\",C1,x\n"
                              "8,Do c,C2,y\n9,Do d,,x\n");
    snprintf(spec, sizeof spec, "set=%s:Goal?kind=x", path);
    assert_ok(request_list_read(&list, spec, &error));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.name, "set");
    assert_string_equal(list.items[0].text, "Do a, b");
    assert_string_equal(list.items[0].behavior, "Do a, b");
    assert_string_equal(list.items[0].category, "C1");
    assert_int_equal(list.items[1].index, 9);
    assert_int_equal(list.items[1].line, 4);
    request_list_release(&list);

    snprintf(spec, sizeof spec, "%s:Nope", path);
    assert_int_equal(request_list_read(&list, spec, &error), STATUS_FORMAT);
    assert_message("no column 'Nope': there are: Index, Goal, Category, kind");
    snprintf(spec, sizeof spec, "%s?kind=z", path);
    assert_int_equal(request_list_read(&list, spec, &error), STATUS_FORMAT);
    assert_message("no row with kind = z");
}

static struct conversation chat_of(const struct conversation_list *list, size_t index)
{
    struct conversation chat;
    assert_ok(conversation_list_get(list, index, &chat, &error));
    return chat;
}

static void assert_chat(const struct conversation_list *list, size_t index,
                        const char *user, const char *reply)
{
    struct conversation chat = chat_of(list, index);
    assert_int_equal(chat.message_count, 2);
    assert_string_equal(chat.messages[0].role, "user");
    assert_string_equal(chat.messages[0].content, user);
    assert_string_equal(chat.messages[1].role, "assistant");
    assert_string_equal(chat.messages[1].content, reply);
    conversation_release(&chat);
}

static void chats_of_every_layout(void **state)
{
    (void)state;
    struct conversation_list list;
    struct conversation chat;
    const char *path = scratch_file(
        "c.json",
        "[{\"instruction\":\"I\",\"input\":\"\",\"output\":\"O\"},"
        "{\"instruction\":\"I\",\"context\":\"C\",\"response\":\"R\",\"category\":\"qa\"},"
        "{\"instruction\":\"I\",\"input\":\"N\",\"response\":\"R\"},"
        "{\"prompt\":\"P\",\"completion\":\"C\"},"
        "{\"id\":\"s1\",\"conversations\":[{\"from\":\"human\",\"value\":\"H\"},"
        "{\"from\":\"gpt\",\"value\":\"G\"}]},"
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
        "{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":\"c\"}]},"
        "{\"question\":\"Q\",\"answer\":\"A\"},"
        "{\"question\":\"Q\",\"answer\":\"  \"},{\"other\":1},"
        "{\"conversations\":[{\"from\":\"tool\",\"value\":\"H\"}]}]");
    assert_ok(conversation_list_read(&list, path, &error));
    assert_int_equal(list.count, 7);
    assert_int_equal(list.skipped_count, 3);
    assert_non_null(strstr(list.first_skipped, "line 8"));
    assert_chat(&list, 0, "I", "O");
    assert_chat(&list, 1, "I\n\nC", "R");
    chat = chat_of(&list, 1);
    assert_string_equal(chat.topic, "qa");
    conversation_release(&chat);
    assert_chat(&list, 2, "I\n\nN", "R");
    assert_chat(&list, 3, "P", "C");
    assert_chat(&list, 4, "H", "G");
    chat = chat_of(&list, 4);
    assert_string_equal(chat.id, "s1");
    conversation_release(&chat);
    chat = chat_of(&list, 3);
    assert_string_equal(chat.id, "c-3");
    conversation_release(&chat);
    assert_chat(&list, 5, "ab", "c");
    assert_chat(&list, 6, "Q", "A");
    conversation_list_release(&list);
}

static void a_column_replaces_the_request(void **state)
{
    (void)state;
    struct conversation_list list;
    char spec[300];
    snprintf(
        spec, sizeof spec, "%s:imperative",
        scratch_file("h.jsonl",
                     "{\"question\":\"Q?\",\"imperative\":\"Do\",\"answer\":\"A\"}\n"));
    assert_ok(conversation_list_read(&list, spec, &error));
    assert_chat(&list, 0, "Do", "A");
    conversation_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_cells_may_be_quoted_and_span_lines),
        cmocka_unit_test(csv_errors_name_the_line),
        cmocka_unit_test(json_is_told_by_its_content),
        cmocka_unit_test(specs_have_name_path_column_and_filter),
        cmocka_unit_test(a_file_that_exists_is_taken_as_it_is),
        cmocka_unit_test(requests_take_column_filter_and_index),
        cmocka_unit_test(chats_of_every_layout),
        cmocka_unit_test(a_column_replaces_the_request),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
