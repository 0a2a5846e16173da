/* Tests: what may stand behind "is". */
#include "text/jinja_run.h"

#include "text/unicode.h"

#include <string.h>
#include <utf8proc.h>

#define TEST(NAME)                                                                         \
    static struct jinja_value NAME(struct jinja_run *run, struct jinja_value self,         \
                                   const struct jinja_call *call)

/* Tests that look at the type alone. */
#define TYPE_TEST(NAME, CONDITION)                                                         \
    TEST(NAME)                                                                             \
    {                                                                                      \
        (void)run;                                                                         \
        (void)call;                                                                        \
        return jinja_boolean(CONDITION);                                                   \
    }

static bool is_callable(enum jinja_type type)
{
    return type == JINJA_FUNCTION || type == JINJA_METHOD || type == JINJA_MACRO ||
           type == JINJA_UNDEFINED;
}

static bool is_sequence(enum jinja_type type)
{
    return type == JINJA_STRING || type == JINJA_LIST || type == JINJA_TUPLE ||
           type == JINJA_DICT || type == JINJA_UNDEFINED;
}

static bool is_iterable(enum jinja_type type)
{
    return is_sequence(type) || type == JINJA_VIEW || type == JINJA_ITERATOR ||
           type == JINJA_LOOP;
}

TYPE_TEST(test_defined, self.type != JINJA_UNDEFINED)
TYPE_TEST(test_undefined, self.type == JINJA_UNDEFINED)
TYPE_TEST(test_none, self.type == JINJA_NONE)
TYPE_TEST(test_boolean, self.type == JINJA_BOOLEAN)
TYPE_TEST(test_true, self.type == JINJA_BOOLEAN && self.boolean)
TYPE_TEST(test_false, self.type == JINJA_BOOLEAN && !self.boolean)
TYPE_TEST(test_integer, self.type == JINJA_INTEGER)
TYPE_TEST(test_float, self.type == JINJA_FLOAT)
TYPE_TEST(test_number, jinja_is_number(self))
TYPE_TEST(test_string, self.type == JINJA_STRING)
TYPE_TEST(test_mapping, self.type == JINJA_DICT)
TYPE_TEST(test_sequence, is_sequence(self.type))
TYPE_TEST(test_iterable, is_iterable(self.type))
TYPE_TEST(test_callable, is_callable(self.type))
TYPE_TEST(test_escaped, jinja_is_string(self) && self.text->markup)

#define COMPARE_TEST(NAME, OPERATOR)                                                       \
    TEST(NAME)                                                                             \
    {                                                                                      \
        return jinja_boolean(jinja_compare(run, OPERATOR, self, call->bound[0]));          \
    }

COMPARE_TEST(test_eq, "==")
COMPARE_TEST(test_ne, "!=")
COMPARE_TEST(test_lt, "<")
COMPARE_TEST(test_le, "<=")
COMPARE_TEST(test_gt, ">")
COMPARE_TEST(test_ge, ">=")
COMPARE_TEST(test_in, "in")

static struct jinja_value rest_is(struct jinja_run *run, struct jinja_value self,
                                  struct jinja_value divisor, int64_t rest)
{
    return jinja_boolean(jinja_equal(&run->pool, jinja_binary(run, "%", self, divisor),
                                     jinja_integer(rest)));
}

TEST(test_divisibleby)
{
    return rest_is(run, self, call->bound[0], 0);
}

TEST(test_even)
{
    (void)call;
    return rest_is(run, self, jinja_integer(2), 0);
}

TEST(test_odd)
{
    (void)call;
    return rest_is(run, self, jinja_integer(2), 1);
}

/* Identity: the same object, or equal where Python has one object for each value. */
TEST(test_sameas)
{
    const struct jinja_value other = call->bound[0];
    if (self.type != other.type)
        return jinja_boolean(false);
    switch (self.type) {
    case JINJA_NONE:
        return jinja_boolean(true);
    case JINJA_BOOLEAN:
        return jinja_boolean(self.boolean == other.boolean);
    case JINJA_INTEGER:
    case JINJA_FLOAT:
    case JINJA_STRING:
    case JINJA_UNDEFINED:
        jinja_fail(run, STATUS_UNSUPPORTED, "sameas on a %s is not supported",
                   jinja_type_name(self));
        return jinja_undefined();
    default:
        return jinja_boolean(self.list == other.list);
    }
}

/* isupper(), islower(): letters there are, and none of the other case. */
static struct jinja_value has_case(struct jinja_run *run, struct jinja_value self,
                                   utf8proc_category_t wanted)
{
    const struct jinja_value text = jinja_str(run, self);
    bool found = false;
    for (size_t i = 0; !run->failed && i < text.text->length;) {
        uint32_t code_point;
        i += utf8_decode(text.text->bytes + i, text.text->length - i, &code_point);
        const utf8proc_category_t category = utf8proc_category((int32_t)code_point);
        if (category == wanted)
            found = true;
        else if (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
                 category == UTF8PROC_CATEGORY_LT)
            return jinja_boolean(false);
    }
    return jinja_boolean(found);
}

TEST(test_upper)
{
    (void)call;
    return has_case(run, self, UTF8PROC_CATEGORY_LU);
}

TEST(test_lower)
{
    (void)call;
    return has_case(run, self, UTF8PROC_CATEGORY_LL);
}

static const struct jinja_routine tests[] = {
    {"defined", "", 0, test_defined},
    {"undefined", "", 0, test_undefined},
    {"none", "", 0, test_none},
    {"boolean", "", 0, test_boolean},
    {"true", "", 0, test_true},
    {"false", "", 0, test_false},
    {"integer", "", 0, test_integer},
    {"float", "", 0, test_float},
    {"number", "", 0, test_number},
    {"string", "", 0, test_string},
    {"mapping", "", 0, test_mapping},
    {"sequence", "", 0, test_sequence},
    {"iterable", "", 0, test_iterable},
    {"callable", "", 0, test_callable},
    {"escaped", "", 0, test_escaped},
    {"eq", "other", 1, test_eq},
    {"equalto", "other", 1, test_eq},
    {"==", "other", 1, test_eq},
    {"ne", "other", 1, test_ne},
    {"!=", "other", 1, test_ne},
    {"lt", "other", 1, test_lt},
    {"lessthan", "other", 1, test_lt},
    {"<", "other", 1, test_lt},
    {"le", "other", 1, test_le},
    {"<=", "other", 1, test_le},
    {"gt", "other", 1, test_gt},
    {"greaterthan", "other", 1, test_gt},
    {">", "other", 1, test_gt},
    {"ge", "other", 1, test_ge},
    {">=", "other", 1, test_ge},
    {"in", "seq", 1, test_in},
    {"divisibleby", "num", 1, test_divisibleby},
    {"even", "", 0, test_even},
    {"odd", "", 0, test_odd},
    {"sameas", "other", 1, test_sameas},
    {"upper", "", 0, test_upper},
    {"lower", "", 0, test_lower},
};

const struct jinja_routine *jinja_find_test(const char *name)
{
    return jinja_find(tests, sizeof tests / sizeof *tests, name);
}
