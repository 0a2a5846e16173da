#include "fixture.h"

#include "data_gen/conversation_read.h"
#include "data_gen/records.h"
#include "data_gen/source_hash.h"

#include <unistd.h>
#include <zlib.h>

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
    assert_rows("a,b\r1,2\r\r3,\"4\r5\"\r", "2|a=1|b=2\n4|a=3|b=4\r5\n");
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

/* After the part in which any NUL byte tells that a file is no text. */
static void a_nul_byte_in_a_cell_is_refused(void **state)
{
    (void)state;
    struct text_buffer text = {0};
    struct text_buffer out = {0};
    text_buffer_append(&text, "a,b\n");
    while (text.length < 5000)
        text_buffer_append(&text, "1,\"two\nlines\"\n");
    text_buffer_append_bytes(&text, "3,x\0y\n", 7);
    assert_int_equal(records_parse(text_buffer_string(&text), text.length, "x", row_append,
                                   &out, &error),
                     STATUS_FORMAT);
    assert_message("a NUL byte in a cell");
    text_buffer_release(&text);
    text_buffer_release(&out);
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
    assert_int_equal(spec.filter_count, 1);
    assert_string_equal(spec.filters[0].field, "label");
    assert_string_equal(spec.filters[0].value, "safe");
    source_spec_release(&spec);

    assert_ok(source_spec_parse(&spec, "dir.d/jbb.harmful.csv", &error));
    assert_string_equal(spec.name, "jbb.harmful");
    assert_null(spec.column);
    assert_int_equal(spec.filter_count, 0);
    source_spec_release(&spec);

    assert_int_equal(source_spec_parse(&spec, "a.csv?label", &error), STATUS_USAGE);
    assert_message("FIELD=VALUE");
}

static void of_several_conditions_all_hold(void **state)
{
    (void)state;
    struct source_spec spec;
    struct text_buffer text = {0};
    assert_ok(source_spec_parse(&spec, "x.jsonl?status=2&a.b=R&D&c=&d==&", &error));
    assert_int_equal(spec.filter_count, 4);
    source_spec_filters_print(&spec, "none", &text);
    assert_string_equal(text_buffer_string(&text),
                        " with status = 2 and a.b = R&D and c =  and d = =&");
    cJSON *row =
        cJSON_Parse("{\"status\":2,\"a\":{\"b\":\"R&D\"},\"c\":\"\",\"d\":\"=&\"}");
    assert_true(source_spec_matches(&spec, row));
    cJSON_ReplaceItemInObject(row, "status", cJSON_CreateNumber(1));
    assert_false(source_spec_matches(&spec, row));
    cJSON_ReplaceItemInObject(row, "status", cJSON_CreateNumber(2));
    cJSON_DeleteItemFromObject(row, "c");
    assert_false(source_spec_matches(&spec, row));
    cJSON_Delete(row);
    source_spec_release(&spec);
    text_buffer_clear(&text);
    assert_ok(source_spec_parse(&spec, "x.csv?category=R&D", &error));
    assert_string_equal(spec.filters[0].value, "R&D");
    source_spec_filters_print(&spec, "none", &text);
    source_spec_release(&spec);
    text_buffer_release(&text);
    assert_int_equal(
        source_spec_parse(&spec, "x?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9", &error),
        STATUS_USAGE);
    assert_message("more than 8 conditions");
    assert_null(spec.path);
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

/* What is read from the tokens of a row is what is read from its tree, if anything is. */
static bool assert_same_from_tokens(const char *row, const struct json_tape *tape,
                                    const struct source_spec *spec,
                                    const struct conversation *chat, bool usable)
{
    struct conversation quick;
    const bool taken = conversation_read_tokens(&quick, row, tape, 7, spec);
    if (!taken) {
        assert_null(quick.messages);
        return false;
    }
    assert_true(usable);
    assert_string_equal(quick.id, chat->id);
    assert_string_equal(quick.topic, chat->topic);
    assert_string_equal(quick.source, chat->source);
    assert_int_equal(quick.message_count, chat->message_count);
    for (size_t i = 0; i < chat->message_count; i++) {
        assert_string_equal(quick.messages[i].role, chat->messages[i].role);
        assert_string_equal(quick.messages[i].content, chat->messages[i].content);
    }
    conversation_release(&quick);
    return true;
}

/* A glance at a row's tokens never says "usable" or "filtered" where the parser would not.
 */
static bool taken_from_tokens;
static enum conversation_glance glance_at(const char *row, const struct source_spec *spec)
{
    static struct json_tape tape;
    struct json_scan scan;
    struct conversation chat;
    cJSON *object = NULL;
    tape.count = 0;
    tape.overflow = false;
    json_scan_init(&scan, row, strlen(row));
    scan.tape = &tape;
    assert_true(json_scan_text(&scan));
    const enum conversation_glance glance = conversation_glance(row, &tape, spec);
    assert_ok(json_parse(&object, row, strlen(row), "x", &error));
    const bool passes = source_spec_matches(spec, object);
    const bool usable = conversation_read(&chat, object, 7, spec);
    taken_from_tokens = assert_same_from_tokens(row, &tape, spec, &chat, usable);
    if (glance == GLANCE_USABLE && !(passes && usable))
        fail_msg("usable? %s", row);
    if (glance == GLANCE_FILTERED && passes)
        fail_msg("filtered? %s", row);
    conversation_release(&chat);
    cJSON_Delete(object);
    return glance;
}

#define TURNS(a, b)    "{\"conversations\":[" a "," b "]}"
#define MESSAGES(a, b) "{\"messages\":[" a "," b "]}"
#define HUMAN          "{\"from\":\"human\",\"value\":\"H\"}"
#define USER           "{\"role\":\"user\",\"content\":\"U\"}"

static void a_glance_agrees_with_the_parser(void **state)
{
    (void)state;
    static const char *const usable[] = {
        "{\"prompt\":\"P\",\"completion\":\"C\"}",
        "{\"Instruction\":\"P\",\"OUTPUT\":\"C\",\"n\":[1,{\"a\":2}]}",
        "{\"question\":\" \\n x\",\"answer\":\"\\t\\ty\"}",
        "{\"prompt\":\"\\\"P\\\"\",\"completion\":\" \\u00e9\"}",
        "{\"prompt\":\"\\u0041\",\"completion\":\"\\b\"}",
        TURNS(HUMAN, "{\"value\":\"G\",\"w\":{\"x\":[]},\"from\":\"gpt\"}"),
        "{\"prompt\":\"P\",\"completion\":\"C\",\"messages\":null}",
        MESSAGES(USER, "{\"role\":\"assistant\",\"content\":\"A\"}"),
    };
    static const char *const unclear[] = {
        "{}",
        "{\"prompt\":\"P\"}",
        "{\"prompt\":\"P\",\"completion\":\" \\n\"}",
        "{\"prompt\":\"P\",\"completion\":1}",
        "{\"prompt\":\"P\",\"completion\":\"\\u0020\\u000a\"}",
        "{\"prompt\":\"P\",\"completion\":\"\\u0000\"}",
        "{\"pro\\u006dpt\":\"P\",\"completion\":\"C\"}",
        "{\"prompt\":\"P\",\"completion\":\"C\",\"Conversations\":[]}",
        "{\"prompt\":\"P\",\"completion\":\"C\",\"history\":[]}",
        TURNS(HUMAN, "{\"value\":\"G\",\"weight\":1,\"from\":\"gpt\"}"),
        TURNS("{\"from\":\"human\",\"value\":\"\"}", "{\"from\":\"gpt\",\"value\":\"G\"}"),
        TURNS(HUMAN, "{\"from\":\"tool\",\"value\":\"G\"}"),
        TURNS(HUMAN, "{\"from\":\"gpt\",\"value\":null}"),
        TURNS(HUMAN, "{\"from\":\"gpt\",\"value\":\"\"}"),
        TURNS(HUMAN, "7"),
        TURNS("{\"from\":\"gpt\",\"value\":\"G\"}", HUMAN),
        MESSAGES(USER, "{\"role\":1,\"content\":\"A\"}"),
        MESSAGES(USER, "{\"Role\":\"assistant\",\"content\":\"A\"}"),
        MESSAGES(USER, "{\"role\":\"assistant\",\"content\":[]}"),
        MESSAGES(USER, "{\"role\":\"assistant\"}"),
        MESSAGES(USER, "{\"content\":\"A\"}"),
        "{\"messages\":{\"role\":\"assistant\"}}",
    };
    const struct source_spec all = {.name = (char[]){"x"}, .path = (char[]){"x"}};
    for (size_t i = 0; i < sizeof usable / sizeof *usable; i++)
        assert_int_equal(glance_at(usable[i], &all), GLANCE_USABLE);
    for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++)
        assert_int_equal(glance_at(unclear[i], &all), GLANCE_UNCLEAR);

    struct source_spec some = all;
    some.filters[0] = (struct source_filter){(char[]){"kind"}, (char[]){"a"}};
    some.filter_count = 1;
    some.column = (char[]){"ask"};
#define ROW "{\"ask\":\"Q\",\"answer\":\"A\","
    assert_int_equal(glance_at(ROW "\"kind\":\"a\"}", &some), GLANCE_USABLE);
    assert_int_equal(glance_at(ROW "\"KIND\":\"b\"}", &some), GLANCE_FILTERED);
    assert_int_equal(glance_at(ROW "\"KIND\":\"b\",\"kind\":\"a\"}", &some), GLANCE_USABLE);
    assert_int_equal(glance_at(ROW "\"kind\":\"\\u0061\"}", &some), GLANCE_UNCLEAR);
    assert_int_equal(glance_at(ROW "\"kind\":1}", &some), GLANCE_UNCLEAR);
    assert_int_equal(glance_at(ROW "\"k\":1}", &some), GLANCE_UNCLEAR);
    some.filters[1] = (struct source_filter){(char[]){"k"}, (char[]){"1"}};
    some.filter_count = 2;
    assert_int_equal(glance_at(ROW "\"kind\":\"a\",\"k\":\"1\"}", &some), GLANCE_USABLE);
    assert_int_equal(glance_at(ROW "\"kind\":\"a\",\"k\":\"2\"}", &some), GLANCE_FILTERED);
    assert_int_equal(glance_at(ROW "\"kind\":\"a\",\"k\":1}", &some), GLANCE_UNCLEAR);
}

static void plain_rows_are_read_from_their_tokens(void **state)
{
    (void)state;
#define GPT "{\"from\":\"gpt\",\"value\":\"G\"}"
#define ASSISTANT                                                                          \
    "{\"role\":\"assistant\",\"content\":\"\\u00e9 \\ud83d\\ude00\\u0000\\n\"}"
    static const char *const taken[] = {
        TURNS(HUMAN, GPT),
        TURNS("{\"From\":\"system\",\"value\":\"\"}", HUMAN "," GPT),
        TURNS(USER, "{\"role\":\"gpt\",\"content\":\"A\"}"),
        MESSAGES(USER, ASSISTANT),
        MESSAGES("{\"content\":\"C\",\"w\":1,\"role\":\"\\u0075ser\"}", ASSISTANT),
        "{\"messages\":null,\"conversations\":[" HUMAN "," GPT "]}",
        "{\"ID\":\"a\",\"category\":\" \",\"topic\":\"t\",\"messages\":[" USER "," ASSISTANT
        "]}",
        "{\"Category\":\"c\",\"topic\":7,\"id\":\"\\t\",\"conversations\":[" HUMAN "," GPT
        "]}",
    };
    static const char *const left[] = {
        "[1]",
        "{\"system\":\"S\",\"conversations\":[" HUMAN "," GPT "]}",
        MESSAGES("{\"content\":\"C\",\"weight\":1,\"role\":\"user\"}", ASSISTANT),
        "{\"id\":12,\"conversations\":[" HUMAN "," GPT "]}",
        "{\"i\\u0064\":\"x\",\"conversations\":[" HUMAN "," GPT "]}",
        "{\"prompt\":\"P\",\"completion\":\"C\"}",
        MESSAGES(
            USER,
            "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"A\"}]}"),
        MESSAGES(USER, "{\"role\":\"assistant\",\"content\":\" \"}"),
        TURNS(HUMAN, "{\"from\":\"tool\",\"value\":\"G\"}," GPT),
        TURNS(HUMAN, "7"),
        TURNS(GPT, HUMAN),
    };
    const struct source_spec all = {.name = (char[]){"x"}, .path = (char[]){"x"}};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        glance_at(taken[i], &all);
        if (!taken_from_tokens)
            fail_msg("not taken: %s", taken[i]);
    }
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        glance_at(left[i], &all);
        if (taken_from_tokens)
            fail_msg("taken: %s", left[i]);
    }
}

static void rows_that_nobody_wants_are_checked_too(void **state)
{
    (void)state;
    struct conversation_list list;
    const char *chat = "{\"prompt\":\"P\",\"completion\":\"C\"}";
    char text[300];
    snprintf(text, sizeof text, "[%s,\n{\"other\":[1,tru]},\n%s]", chat, chat);
    assert_int_equal(conversation_list_read(&list, scratch_file("b.json", text), &error),
                     STATUS_FORMAT);
    assert_message("b.json: line 2, column 13: unexpected 't'");
    snprintf(text, sizeof text, "%s\n\n{\"a\":\"\x01\"}\n", chat);
    assert_int_equal(conversation_list_read(&list, scratch_file("b.jsonl", text), &error),
                     STATUS_FORMAT);
    assert_message("b.jsonl: line 3: line 1, column 7: a control character");
    snprintf(text, sizeof text, "{\"rows\":[%s],\"n\":01}", chat);
    assert_int_equal(conversation_list_read(&list, scratch_file("c.json", text), &error),
                     STATUS_FORMAT);
    assert_message("a number may not start with 0");
    snprintf(text, sizeof text, "[%s] x", chat);
    assert_int_equal(conversation_list_read(&list, scratch_file("d.json", text), &error),
                     STATUS_FORMAT);
    assert_message("d.json: line 1, column 35: unexpected 'x'");
}

/* In any order, from every kind of file, packed or not. */
static void assert_chats(const char *path)
{
    struct conversation_list list;
    char hex[2][SHA256_HEX_BYTES];
    assert_ok(conversation_list_read(&list, path, &error));
    assert_int_equal(list.count, 3);
    assert_int_equal(list.skipped_count, 1);
    assert_chat(&list, 2, "R", "T\n\"");
    assert_chat(&list, 0, "P", "C");
    assert_chat(&list, 1, "Q", "D, E");
    assert_chat(&list, 2, "R", "T\n\"");
    struct conversation chat = chat_of(&list, 2);
    assert_string_equal(chat.id + strlen(chat.id) - 2, "-3");
    conversation_release(&chat);
    struct source_hash *hash = conversation_list_take_hash(&list);
    conversation_list_release(&list);
    assert_ok(source_hash_wait(hash, hex[0], &error));
    assert_ok(file_sha256(hex[1], path, &error));
    assert_string_equal(hex[0], hex[1]);
    source_hash_free(hash);
}

static const char *packed_file(const char *name, const char *text)
{
    const char *path = scratch_path(name);
    gzFile file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), strlen(text));
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static void chats_are_read_one_by_one(void **state)
{
    (void)state;
#define A "{\"prompt\":\"P\",\"completion\":\"C\"}"
#define B "{\"prompt\":\"Q\",\"completion\":\"D, E\"}"
#define C "{\"prompt\":\"R\",\"completion\":\"T\\n\\\"\"}"
    static const char *const texts[] = {
        "[" A ",\n{\"x\":1}," B " , " C "]\n",
        "{\"note\":[1,2],\"rows\":[" A ",{\"x\":1}," B "," C "],\"n\":4}",
        A "\n{\"x\":1}\r\n\n" B "\n" C,
        "\xEF\xBB\xBFprompt,completion\nP,C\n\nQ,\r\nQ,\"D, E\"\nR,\"T\n\"\"\"\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (i != 3)
            assert_chats(scratch_file("rows", texts[i]));
        assert_chats(packed_file("rows.gz", texts[i]));
    }
    assert_chats(scratch_file("rows", texts[3]));
}

/* Also in rows that a glance would have been enough for, and in those that are left out. */
static void names_that_stand_twice_are_refused(void **state)
{
    (void)state;
#define TWICE "{\"prompt\":\"P\",\"completion\":\"C\",\"prompt\":\"Q\"}"
    static const char *const texts[][2] = {
        {A "\n" B "\n" TWICE "\n", "rows: line 3, column 32: \"prompt\" stands twice"},
        {"[" A ",\n" B "," TWICE "]",
         "rows: element 3, column 32: \"prompt\" stands twice"},
        {"[{\"messages\":[" USER
         ",{\"role\":\"assistant\",\"content\":\"A\",\n\"role\":\"u\"}]}]",
         "rows: element 1: line 2, column 1: \"role\" stands twice"},
        {"{\"messages\":[" USER "],\n\"messages\":[]}",
         "rows: line 2, column 1: \"messages\" stands twice"},
        {"{\"rows\":[" A "],\"n\":1,\"rows\":[]}", "rows: \"rows\" stands twice"},
        {"{\"rows\":[" A "],\"rows\":[" A "]}", "rows: \"rows\" stands twice"},
        {A "\n{\"kind\":\"b\",\"x\":{\"y\":[],\"z\":{},\"y\":0}}\n",
         "rows: line 2, column 32: \"y\" stands twice"},
        {"prompt,completion,,,prompt\nP,C,,,Q\n",
         "rows: line 1: the column \"prompt\" stands twice: rename one of them"},
    };
    struct conversation_list list;
    char spec[300];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(spec, sizeof spec, "%s?kind=a", scratch_file("rows", texts[i][0]));
        assert_int_equal(conversation_list_read(&list, spec, &error), STATUS_FORMAT);
        assert_message(texts[i][1]);
        spec[strlen(spec) - strlen("?kind=a")] = '\0';
        assert_int_equal(conversation_list_read(&list, spec, &error), STATUS_FORMAT);
        assert_message(texts[i][1]);
    }
    assert_rows("goal,,\nG,a,a\n", "2|goal=G|=a|=a\n");
}

static void what_is_no_text_is_refused(void **state)
{
    (void)state;
    struct conversation_list list;
    const char *path = scratch_file("x.parquet", "PAR1\x15\x04\x15");
    assert_int_equal(conversation_list_read(&list, path, &error), STATUS_UNSUPPORTED);
    assert_message("x.parquet: this is the beginning of a Parquet file without its end");
    path = packed_file("once.gz", "\x1F\x8B\x08");
    assert_int_equal(conversation_list_read(&list, path, &error), STATUS_UNSUPPORTED);
    assert_message("packed twice");
    path = packed_file("empty.gz", "");
    assert_int_equal(conversation_list_read(&list, path, &error), STATUS_FORMAT);
    assert_message("the file is empty");
    assert_int_equal(conversation_list_read(&list, scratch_folder, &error), STATUS_IO);
    assert_message("is a folder");
    path = packed_file("cut.gz", "[]");
    assert_int_equal(truncate(path, 15), 0);
    assert_int_equal(conversation_list_read(&list, path, &error), STATUS_FORMAT);
    assert_message("cut.gz: byte 15: the gzip data end too early");
    setenv("TMPDIR", "/nowhere/at/all", 1);
    path = packed_file("a.gz", "[]");
    assert_int_equal(conversation_list_read(&list, path, &error), STATUS_IO);
    unsetenv("TMPDIR");
    assert_message("set TMPDIR");
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
        cmocka_unit_test(a_nul_byte_in_a_cell_is_refused),
        cmocka_unit_test(json_is_told_by_its_content),
        cmocka_unit_test(specs_have_name_path_column_and_filter),
        cmocka_unit_test(of_several_conditions_all_hold),
        cmocka_unit_test(a_file_that_exists_is_taken_as_it_is),
        cmocka_unit_test(requests_take_column_filter_and_index),
        cmocka_unit_test(chats_of_every_layout),
        cmocka_unit_test(a_column_replaces_the_request),
        cmocka_unit_test(a_glance_agrees_with_the_parser),
        cmocka_unit_test(plain_rows_are_read_from_their_tokens),
        cmocka_unit_test(rows_that_nobody_wants_are_checked_too),
        cmocka_unit_test(chats_are_read_one_by_one),
        cmocka_unit_test(names_that_stand_twice_are_refused),
        cmocka_unit_test(what_is_no_text_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
