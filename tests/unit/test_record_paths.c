#include "base/json.h"
#include "base/text_buffer.h"
#include "data_gen/records.h"
#include "tests/unit/fixture.h"

static void found_append(void *context, const cJSON *value)
{
    char scratch[RECORD_SCRATCH_BYTES];
    const char *text = record_value_text(value, scratch);
    text_buffer_appendf(context, "[%s]", text ? text : "-");
}

static void paths_go_into_objects_and_lists(void **state)
{
    (void)state;
    static const char bytes[] =
        "{\"Goal\":\"g\",\"a.b\":\"dots\",\"a\":{\"b\":\"inner\",\"c.D\":{\"e\":[1,2.5]}},"
        "\"t\":[{\"x\":\"p\"},{\"y\":\"q\"},{\"x\":null},{\"x\":true}],\"n\":[],"
        "\"m\":{\"k\":[[\"u\",\"v\"],[\"w\"]]}}";
    static const struct {
        const char *path;
        const char *one;
        const char *each;
    } cases[] = {
        {"goal", "[g]", "[g]"},
        {"a.b", "[dots]", "[dots]"}, /* a name that is there goes before a path */
        {"A.c.d.e.1", "[2.5]", "[2.5]"},
        {"t.0.x", "[p]", "[p]"},
        {"t.-1.x", "[true]", "[true]"},
        {"t.-5.x", "[-]", "[-]"},
        {"t.4.x", "[-]", "[-]"},
        {"t.00x", "[-]", "[-]"},
        {"goal.x", "[-]", "[-]"},
        {"a..b", "[-]", "[-]"},
        {"nothing", "[-]", "[-]"},
        {"t.*.x", "[-]", "[p][-][-][true]"},
        {"a.c.D.e.*", "[-]", "[1][2.5]"},
        {"n.*", "[-]", ""},
        {"goal.*", "[-]", ""},
        {"m.*.*.*", "[-]", "[u][v][w]"},
        {"m.k.*.0", "[-]", "[u][w]"},
    };
    cJSON *object = NULL;
    assert_ok(json_parse(&object, bytes, strlen(bytes), "x", &error));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text_buffer one = {0};
        struct text_buffer each = {0};
        found_append(&one, record_get(object, cases[i].path));
        record_each(object, cases[i].path, found_append, &each);
        assert_string_equal(text_buffer_string(&one), cases[i].one);
        assert_string_equal(text_buffer_string(&each), cases[i].each);
        text_buffer_release(&one);
        text_buffer_release(&each);
    }
    cJSON_Delete(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_go_into_objects_and_lists),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
