#include "tests/unit/tokenizer_fixture.h"

#include "text/jinja.h"

#define TEMPLATE_FOLDER "tests/golden/templates/"
#define DATA_FOLDER     "../shared/data/"
enum { MESSAGES_MAXIMUM = 32 };

static const struct jinja_variable tokens[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};

static size_t read_messages(const cJSON *array,
                            struct jinja_message messages[MESSAGES_MAXIMUM])
{
    const cJSON *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, array)
    {
        assert_true(count < MESSAGES_MAXIMUM);
        messages[count++] = (struct jinja_message){json_get(item, "role")->valuestring,
                                                   json_get(item, "content")->valuestring};
    }
    return count;
}

static struct jinja_template *parse(const char *source, size_t bytes)
{
    struct jinja_template *parsed;
    struct error error;
    if (jinja_parse(&parsed, source, bytes, &error))
        fail_msg("%s", error.message);
    return parsed;
}

static cJSON *read_json(const char *path)
{
    cJSON *json;
    struct error error;
    if (json_parse_file(&json, path, &error))
        fail_msg("%s", error.message);
    return json;
}

/* What is done with each rendering; text is NULL where the template refuses. */
typedef void rendered(void *context, const struct jinja_output *output, size_t index,
                      const char *error_words);

/* All conversations, each without and with the generation prompt. */
static void render_all(const char *source, size_t bytes, rendered *done, void *context)
{
    struct jinja_template *parsed = parse(source, bytes);
    cJSON *conversations = read_json(TEMPLATE_FOLDER "conversations.json");
    const cJSON *conversation;
    size_t index = 0;
    cJSON_ArrayForEach(conversation, conversations)
    {
        struct jinja_message messages[MESSAGES_MAXIMUM];
        const size_t count = read_messages(conversation, messages);
        for (int prompt = 0; prompt < 2; prompt++) {
            const struct jinja_context with = {.messages = messages,
                                               .message_count = count,
                                               .add_generation_prompt = prompt,
                                               .variables = tokens,
                                               .variable_count = 2};
            struct jinja_output output = {0};
            struct error error = {0};
            const bool good = jinja_render(parsed, &with, &output, &error) == STATUS_OK;
            done(context, good ? &output : NULL, index++, error.message);
            jinja_output_release(&output);
        }
    }
    cJSON_Delete(conversations);
    jinja_free(parsed);
}

/* Iterates over the expected values in step. */
struct expectations {
    const cJSON *next;
    const char *file;
    size_t compared;
};

static void check_text(void *context, const struct jinja_output *output, size_t index,
                       const char *error_words)
{
    struct expectations *expected = context;
    const cJSON *text = expected->next;
    assert_non_null(text);
    expected->next = text->next;
    expected->compared++;
    if (cJSON_IsString(text) != (output != NULL))
        fail_msg("%s, rendering %zu: %s", expected->file, index,
                 output ? output->text.data : error_words);
    if (output)
        assert_string_equal(text_buffer_string(&output->text), text->valuestring);
}

static void check_more(const struct jinja_template *parsed, const cJSON *texts)
{
    cJSON *more = read_json(TEMPLATE_FOLDER "more.json");
    const cJSON *text = texts->child;
    for (int prompt = 0; prompt < 2; prompt++, text = text->next) {
        const struct jinja_context with = {.add_generation_prompt = prompt,
                                           .variables = tokens,
                                           .variable_count = 2,
                                           .more = more};
        struct jinja_output output = {0};
        struct error error = {0};
        const enum status status = jinja_render(parsed, &with, &output, &error);
        if (cJSON_IsString(text) != (status == STATUS_OK))
            fail_msg("%s", error.message);
        if (!status)
            assert_string_equal(text_buffer_string(&output.text), text->valuestring);
        jinja_output_release(&output);
    }
    cJSON_Delete(more);
}

/* Our own templates, byte for byte as Jinja2 renders them. */
static void test_own_templates(void **state)
{
    cJSON *rows = fixture_rows(TEMPLATE_FOLDER "own.jsonl");
    const cJSON *row;
    size_t compared = 0;
    (void)state;
    cJSON_ArrayForEach(row, rows)
    {
        char path[200];
        const char *file = json_get(row, "file")->valuestring;
        const cJSON *texts = json_get(row, "texts");
        snprintf(path, sizeof path, TEMPLATE_FOLDER "%s", file);
        struct text_buffer source = fixture_read(path);
        if (cJSON_IsTrue(json_get(row, "more"))) {
            struct jinja_template *parsed = parse(source.data, source.length);
            check_more(parsed, texts);
            jinja_free(parsed);
        } else {
            struct expectations expected = {texts->child, file, 0};
            render_all(source.data, source.length, check_text, &expected);
            compared += expected.compared;
        }
        text_buffer_release(&source);
    }
    assert_int_equal(compared, 5 * 76);
    cJSON_Delete(rows);
}

static void test_snippets(void **state)
{
    static const struct jinja_message messages[] = {{"user", " hi "},
                                                    {"assistant", "yo\n"}};
    const struct jinja_context with = {
        .messages = messages, .message_count = 2, .variables = tokens, .variable_count = 2};
    cJSON *rows = fixture_rows(TEMPLATE_FOLDER "snippets.jsonl");
    const cJSON *row;
    size_t count = 0;
    (void)state;
    cJSON_ArrayForEach(row, rows)
    {
        const char *source = json_get(row, "source")->valuestring;
        const cJSON *text = json_get(row, "text");
        struct jinja_template *parsed;
        struct jinja_output output = {0};
        struct error error = {0};
        enum status status = jinja_parse(&parsed, source, strlen(source), &error);
        if (!status)
            status = jinja_render(parsed, &with, &output, &error);
        if (cJSON_IsString(text) != (status == STATUS_OK))
            fail_msg("%s: %s", source, error.message);
        if (status)
            assert_memory_equal(error.message, "line ", 5);
        else if (output.text.length != strlen(text->valuestring))
            /* a NUL in a string ends what cJSON gives */
            fail_msg("%s: %s", source, text_buffer_string(&output.text));
        else
            assert_string_equal(text_buffer_string(&output.text), text->valuestring);
        jinja_output_release(&output);
        jinja_free(parsed);
        count++;
    }
    assert_in_range(count, 100, 200);
    cJSON_Delete(rows);
}

static void check_hash(void *context, const struct jinja_output *output, size_t index,
                       const char *error_words)
{
    struct expectations *expected = context;
    const cJSON *hash = expected->next;
    char hex[SHA256_HEX_BYTES];
    assert_non_null(hash);
    expected->next = hash->next;
    expected->compared++;
    if (cJSON_IsString(hash) != (output != NULL))
        fail_msg("%s, rendering %zu: %s", expected->file, index,
                 output ? output->text.data : error_words);
    if (!output)
        return;
    bytes_sha256(hex, text_buffer_string(&output->text), output->text.length);
    if (strcmp(hex, hash->valuestring) != 0)
        fail_msg("%s, rendering %zu differs: %s", expected->file, index, output->text.data);
}

/* The templates of real models, where the shared data is there. */
static void test_shared_templates(void **state)
{
    cJSON *rows = fixture_rows(TEMPLATE_FOLDER "shared.jsonl");
    const cJSON *row;
    size_t compared = 0;
    (void)state;
    cJSON_ArrayForEach(row, rows)
    {
        char path[200];
        const char *file = json_get(row, "file")->valuestring;
        snprintf(path, sizeof path, DATA_FOLDER "%s", file);
        if (!file_exists(path)) {
            print_message("skipped: %s is not there\n", path);
            continue;
        }
        struct text_buffer source = fixture_read(path);
        struct expectations expected = {json_get(row, "sha256")->child, file, 0};
        render_all(source.data, source.length, check_hash, &expected);
        compared += expected.compared;
        text_buffer_release(&source);
    }
    assert_true(compared == 0 || compared == 13 * 76);
    cJSON_Delete(rows);
}

static void append_rendering(void *context, const struct jinja_output *output, size_t index,
                             const char *error_words)
{
    struct text_buffer *all = context;
    (void)index;
    (void)error_words;
    text_buffer_append(all, output ? text_buffer_string(&output->text) : "refused");
    text_buffer_append_bytes(all, "", 1);
}

static void test_more_shared_templates(void **state)
{
    cJSON *rows = fixture_rows(TEMPLATE_FOLDER "shared-more.jsonl");
    const cJSON *row;
    (void)state;
    cJSON_ArrayForEach(row, rows)
    {
        char path[200];
        char hex[SHA256_HEX_BYTES];
        const char *file = json_get(row, "file")->valuestring;
        snprintf(path, sizeof path, DATA_FOLDER "%s", file);
        if (!file_exists(path))
            continue;
        struct text_buffer source = fixture_read(path);
        struct text_buffer all = {0};
        if (strstr(file, ".json")) {
            cJSON *config = read_json(path);
            text_buffer_clear(&source);
            text_buffer_append(&source, json_get(config, "chat_template")->valuestring);
            cJSON_Delete(config);
        }
        render_all(source.data, source.length, append_rendering, &all);
        bytes_sha256(hex, all.data, all.length);
        if (strcmp(hex, json_get(row, "sha256")->valuestring) != 0)
            fail_msg("%s differs", file);
        text_buffer_release(&all);
        text_buffer_release(&source);
    }
    cJSON_Delete(rows);
}

static enum status render(const char *source, struct jinja_output *output,
                          struct error *error)
{
    static const struct jinja_message messages[] = {{"user", "ab<c>\nd"},
                                                    {"assistant", "\xC3\x9F."}};
    const struct jinja_context with = {.messages = messages, .message_count = 2};
    struct jinja_template *parsed;
    enum status status = jinja_parse(&parsed, source, strlen(source), error);
    if (!status)
        status = jinja_render(parsed, &with, output, error);
    jinja_free(parsed);
    return status;
}

/* Where each byte came from: 0 the template, 1 and 2 the messages. */
static void test_origins(void **state)
{
    static const struct {
        const char *source; /* u: the first message, a: the second */
        const char *text;
        const char *origins;
    } cases[] = {
        {"-{{ u }}-{{ a }}", "-ab<c>\nd-\xC3\x9F.", "011111110222"},
        {"{{ '[' + u[1:3] + ']' ~ a[0] }}", "[b<]\xC3\x9F", "011022"},
        {"{{ u | upper }}{{ a | upper }}", "AB<C>\nDSS.", "1111111222"},
        {"{{ u.replace('<', a) }}", "ab\xC3\x9F.c>\nd", "112221111"},
        {"{{ u.split('<') | join('|') }}", "ab|c>\nd", "1101111"},
        {"{{ u | tojson }}", "\"ab<c>\\nd\"", "0111111110"},
        {"{{ [u[:2]] }}{{ {u[0]: a} }}", "['ab']{'a': '\xC3\x9F.'}",
         "0011000010000222"
         "00"},
        {"{{ u[::-3] }}{{ u * 2 }}", "dcaab<c>\ndab<c>\nd", "11111111111111111"},
        {"{% set x %}<{{ u[:1] }}>{% endset %}{{ x.strip('<') }}", "a>", "10"},
        {"{% macro m(t) %}({{ t }}){% endmacro %}{{ m(a) }}", "(\xC3\x9F.)", "02220"},
        {"{{ u | e }}", "ab&lt;c&gt;\nd", "1111111111111"},
        {"{{ '%s!' % a }}{{ u | indent(1) }}", "\xC3\x9F.!ab<c>\n d",
         "2220111111"
         "01"},
        {"{% filter trim %} {{ a }} {% endfilter %}{{ a ~ u | length }}",
         "\xC3\x9F.\xC3\x9F.7", "2222220"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jinja_output output = {0};
        struct error error;
        char source[300];
        snprintf(source, sizeof source,
                 "{%% set u = messages[0].content %%}{%% set a = messages[1].content %%}%s",
                 cases[i].source);
        if (render(source, &output, &error))
            fail_msg("%s: %s", cases[i].source, error.message);
        assert_string_equal(text_buffer_string(&output.text), cases[i].text);
        assert_int_equal(strlen(cases[i].origins), output.text.length);
        for (size_t at = 0; at < output.text.length; at++)
            if (output.origins[at] != cases[i].origins[at] - '0')
                fail_msg("%s: byte %zu is from %d", cases[i].source, at,
                         output.origins[at]);
        jinja_output_release(&output);
    }
}

/* What is refused, with its place and its reason. */
static void test_errors(void **state)
{
    static const struct {
        const char *source;
        enum status status;
        const char *words;
    } cases[] = {
        {"a\n{{ x | nosuch }}", STATUS_UNSUPPORTED,
         "line 2, column 8: the filter \"nosuch\""},
        {"{{ x is nosuch }}", STATUS_UNSUPPORTED, "line 1, column 9: the test \"nosuch\""},
        {"\xC3\xA9{% call m() %}{% endcall %}", STATUS_UNSUPPORTED,
         "line 1, column 5: the statement \"call\""},
        {"{{ 'x'.encode() }}", STATUS_UNSUPPORTED, "string method \"encode\""},
        {"{{ f(*x) }}", STATUS_UNSUPPORTED, "* and ** in calls"},
        {"{% for x in [] recursive %}{% endfor %}", STATUS_UNSUPPORTED, "recursive"},
        {"{{ 9223372036854775807 + 1 }}", STATUS_UNSUPPORTED, "beyond 64 bits"},
        {"{{ '\xEF\xAC\x81' | upper }}", STATUS_UNSUPPORTED, "the case of U+FB01"},
        {"{{ x.__class__ }}", STATUS_UNSUPPORTED, "the sandbox hides \"__class__\""},
        {"{{ [1].append(2) }}", STATUS_FORMAT, "\"append\" is undefined"},
        {"{{ {}.update({}) }}", STATUS_FORMAT, "\"update\" is undefined"},
        {"{% if x %}", STATUS_FORMAT, "has no end: \"elif\" is missing"},
        {"{% endif %}", STATUS_FORMAT, "nothing is open"},
        {"{% break %}", STATUS_FORMAT, "this stands in no loop"},
        {"{{ 1 + }}", STATUS_FORMAT,
         "line 1, column 8: expected an expression, found \"}}\""},
        {"{{ 'a\n b", STATUS_FORMAT, "line 1, column 4: this string has no end"},
        {"{{ (1 }}", STATUS_FORMAT, "line 1, column 7: a bracket that closes nothing"},
        {"{# x", STATUS_FORMAT, "line 1, column 1: this comment has no end"},
        {"{% raw %}x", STATUS_FORMAT, "no {% endraw %}"},
        {"{{ x.y }}", STATUS_FORMAT, "line 1, column 5: \"x\" is undefined"},
        {"{{ 'a' + 1 }}", STATUS_FORMAT,
         "line 1, column 8: \"+\" does not work on str and int"},
        {"{{ 1 // 0 }}", STATUS_FORMAT, "division by zero"},
        {"{{ raise_exception('no ' ~ 1) }}", STATUS_USAGE,
         "refuses this conversation: no 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jinja_output output = {0};
        struct error error = {0};
        const enum status status = render(cases[i].source, &output, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].words))
            fail_msg("%s: %d %s", cases[i].source, status, error.message);
        assert_int_equal(output.text.length, 0);
        jinja_output_release(&output);
    }
}

/* Templates that would run for ever, or eat all memory, are stopped. */
static void test_limits(void **state)
{
    static const char *const sources[] = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(x='x') %}{% for i in range(99) %}"
        "{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{{ 'x' * 999999999999 }}",
        "{{ [0] * 999999999999 }}",
        "{{ range(999999999) }}",
        "{{ ('x' * 9999999).replace('x', 'y' * 9999999) }}",
        "{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(90) %}"
        "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set a = namespace(x=[]) %}{% set b = namespace(x=[]) %}{% for i in range(60) %}"
        "{% set a.x = [a.x, a.x] %}{% set b.x = [b.x, b.x] %}{% endfor %}{{ a.x == b.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(90) %}"
        "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == [1] }}{{ ns.x | tojson }}"
        "{% for i in range(90) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    };
    struct text_buffer deep = {0};
    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct jinja_output output = {0};
        struct error error = {0};
        const enum status status = render(sources[i], &output, &error);
        if (status != STATUS_LIMIT)
            fail_msg("%s: %d %s", sources[i], status, error.message);
        jinja_output_release(&output);
    }
    static const char *const nested[][2] = {
        {"{{ ", "("},       {"{{ ", "["},   {"{{ ", "not "}, {"{{ ", "-"},
        {"", "{% if 1 %}"}, {"{{ 1", "+1"}, {"{{ x", ".y"},  {"{{ 1", "|abs"},
    };
    for (size_t i = 0; i < sizeof nested / sizeof *nested; i++) {
        struct jinja_output output = {0};
        text_buffer_clear(&deep);
        text_buffer_append(&deep, nested[i][0]);
        for (int n = 0; n < 20000; n++)
            text_buffer_append(&deep, nested[i][1]);
        text_buffer_append(&deep, " }}");
        assert_int_not_equal(render(deep.data, &output, NULL), STATUS_OK);
        jinja_output_release(&output);
    }
    text_buffer_release(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_templates),
        cmocka_unit_test(test_snippets),
        cmocka_unit_test(test_shared_templates),
        cmocka_unit_test(test_more_shared_templates),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
