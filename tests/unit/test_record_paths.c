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

/* As Python's json and str() give them. */
static void numbers_keep_their_digits(void **state)
{
    (void)state;
    static const char *const numbers[][2] = {
        {"0.1", "[0.1]"},
        {"-12", "[-12]"},
        {"3.141592653589793", "[3.141592653589793]"},
        {"1700000000123", "[1700000000123]"},
        {"9007199254740991", "[9007199254740991]"}, /* 2^53 - 1 */
        {"-9007199254740992", "[-9007199254740992]"},
        {"1000000000000000", "[1000000000000000]"},
        {"9007199254740995", "[-]"}, /* a double does not have them all */
        {"-12345678901234567", "[-]"},
        {"1.23456789012345e20", "[1.23456789012345e+20]"},
        {"1000000000000000000", "[1e+18]"},
        {"1e300", "[1e+300]"},
        {"2.5e-9", "[2.5e-09]"},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        cJSON *value = NULL;
        struct text_buffer text = {0};
        assert_ok(json_parse(&value, numbers[i][0], strlen(numbers[i][0]), "x", &error));
        found_append(&text, value);
        assert_string_equal(text_buffer_string(&text), numbers[i][1]);
        text_buffer_release(&text);
        cJSON_Delete(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_go_into_objects_and_lists),
        cmocka_unit_test(numbers_keep_their_digits),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
