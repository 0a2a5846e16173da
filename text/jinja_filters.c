/* Filters on single values; those on lists are in jinja_list_filters.c. */
#include "text/jinja_run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILTER(NAME)                                                                       \
    static struct jinja_value NAME(struct jinja_run *run, struct jinja_value self,         \
                                   const struct jinja_call *call)

static bool given(struct jinja_value value)
{
    return value.type != JINJA_ABSENT;
}

/* The text that most filters work on: str() of whatever they are given. */
static const struct jinja_text *text_of(struct jinja_run *run, struct jinja_value value)
{
    const struct jinja_value text = jinja_str(run, value);
    return jinja_text_argument(run, text);
}

FILTER(filter_trim)
{
    const struct jinja_text *characters =
        given(call->bound[0]) && call->bound[0].type != JINJA_NONE
            ? jinja_text_argument(run, call->bound[0])
            : NULL;
    return jinja_strip(run, text_of(run, self), characters, SIDE_BOTH);
}

FILTER(filter_upper)
{
    (void)call;
    return jinja_change_case(run, text_of(run, self), CASE_UPPER);
}

FILTER(filter_lower)
{
    (void)call;
    return jinja_change_case(run, text_of(run, self), CASE_LOWER);
}

FILTER(filter_title)
{
    (void)call;
    return jinja_change_case(run, text_of(run, self), CASE_WORDS);
}

FILTER(filter_capitalize)
{
    (void)call;
    return jinja_change_case(run, text_of(run, self), CASE_CAPITALIZE);
}

FILTER(filter_string)
{
    (void)call;
    return jinja_str(run, self);
}

FILTER(filter_escape)
{
    (void)call;
    return jinja_escape(run, self);
}

FILTER(filter_safe)
{
    (void)call;
    struct jinja_text *text = jinja_pool_allocate(&run->pool, sizeof *text);
    *text = *text_of(run, self);
    text->markup = true;
    return (struct jinja_value){.type = JINJA_STRING, .text = text};
}

FILTER(filter_default)
{
    const bool falsy = given(call->bound[1]) && jinja_truth(call->bound[1]);
    if (self.type != JINJA_UNDEFINED && (!falsy || jinja_truth(self)))
        return self;
    return given(call->bound[0]) ? call->bound[0] : jinja_string_of(&run->pool, "");
}

FILTER(filter_replace)
{
    const int64_t limit = call->bound[2].type == JINJA_NONE
                              ? -1
                              : jinja_integer_argument(run, call->bound[2], -1);
    return jinja_replace(run, text_of(run, self), text_of(run, call->bound[0]),
                         text_of(run, call->bound[1]), limit);
}

/* A number as Python's int() and float() read it: white space around, _ between digits. */
static char *number_text(struct jinja_run *run, const struct jinja_text *text)
{
    const struct jinja_value stripped = jinja_strip(run, text, NULL, SIDE_BOTH);
    const char *from = stripped.text->bytes;
    const size_t length = stripped.text->length;
    char *out = jinja_pool_allocate(&run->pool, length + 1);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        const bool between = i > 0 && i + 1 < length && from[i - 1] >= '0' &&
                             from[i - 1] <= '9' && from[i + 1] >= '0' && from[i + 1] <= '9';
        if (from[i] != '_' || !between)
            out[count++] = from[i];
    }
    return out;
}

static bool parse_integer(const char *text, int64_t *integer, bool *overflows)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits || digits[strspn(digits, "0123456789")])
        return false;
    errno = 0;
    *integer = strtoll(text, NULL, 10);
    *overflows = errno != 0;
    return true;
}

static bool parse_float(const char *text, double *number)
{
    static const char *const words[] = {"inf", "infinity", "nan"};
    const size_t sign = *text == '-' || *text == '+';
    for (size_t i = 0; i < 3; i++)
        if (strcasecmp(text + sign, words[i]) == 0) {
            *number = i == 2 ? (double)NAN : (double)INFINITY;
            *number = *text == '-' ? -*number : *number;
            return true;
        }
    char *end = NULL;
    if (!text[sign] || text[sign + strspn(text + sign, "0123456789.eE+-")])
        return false;
    *number = strtod(text, &end);
    return !*end;
}

static struct jinja_value truncated(struct jinja_run *run, double number,
                                    struct jinja_value fallback)
{
    if (isnan(number) || isinf(number))
        return fallback;
    if (fabs(number) >= 9.2e18) {
        jinja_fail(run, STATUS_UNSUPPORTED, "a whole number beyond 64 bits");
        return fallback;
    }
    return jinja_integer((int64_t)number);
}

FILTER(filter_int)
{
    const struct jinja_value fallback =
        given(call->bound[0]) ? call->bound[0] : jinja_integer(0);
    int64_t integer = 0;
    double number = 0;
    bool overflows = false;
    if (jinja_integer_argument(run, call->bound[1], 10) != 10)
        jinja_fail(run, STATUS_UNSUPPORTED, "int: only base 10 is supported");
    if (jinja_is_integer(self))
        return jinja_integer(jinja_as_integer(self));
    if (self.type == JINJA_FLOAT)
        return truncated(run, self.number, fallback);
    if (!jinja_is_string(self))
        return fallback;
    const char *text = number_text(run, self.text);
    if (!parse_integer(text, &integer, &overflows))
        return parse_float(text, &number) ? truncated(run, number, fallback) : fallback;
    if (overflows)
        jinja_fail(run, STATUS_UNSUPPORTED, "a whole number beyond 64 bits");
    return jinja_integer(integer);
}

FILTER(filter_float)
{
    double number = 0;
    if (jinja_is_number(self))
        return jinja_float(jinja_as_number(self));
    if (jinja_is_string(self) && parse_float(number_text(run, self.text), &number))
        return jinja_float(number);
    return given(call->bound[0]) ? call->bound[0] : jinja_float(0);
}

FILTER(filter_abs)
{
    (void)call;
    if (self.type == JINJA_FLOAT)
        return jinja_float(fabs(self.number));
    const bool negative = jinja_is_integer(self) && jinja_as_integer(self) < 0;
    return negative ? jinja_negate(run, self)
                    : jinja_binary(run, "+", jinja_integer(0), self);
}

static struct jinja_value round_common(struct jinja_value self, int64_t precision)
{
    char text[400];
    if (self.type != JINJA_FLOAT || isnan(self.number) || isinf(self.number))
        return self.type == JINJA_FLOAT ? self : jinja_integer(jinja_as_integer(self));
    snprintf(text, sizeof text, "%.*f", (int)precision, self.number);
    return jinja_float(strtod(text, NULL));
}

FILTER(filter_round)
{
    const int64_t precision = jinja_integer_argument(run, call->bound[0], 0);
    static const struct jinja_text common = {.bytes = "common", .length = 6};
    const struct jinja_text *method =
        given(call->bound[1]) ? jinja_text_argument(run, call->bound[1]) : &common;
    if (!jinja_is_number(self) || precision < 0 || precision > 15) {
        jinja_fail(run, STATUS_UNSUPPORTED, "round of a %s to %lld places",
                   jinja_type_name(self), (long long)precision);
        return jinja_undefined();
    }
    if (jinja_text_is(method, "common"))
        return round_common(self, precision);
    const double scale = pow(10, (double)precision);
    const double scaled = jinja_as_number(self) * scale;
    if (!jinja_text_is(method, "ceil") && !jinja_text_is(method, "floor"))
        jinja_fail(run, STATUS_FORMAT, "round: common, ceil or floor");
    return jinja_float((jinja_text_is(method, "ceil") ? ceil(scaled) : floor(scaled)) /
                       scale);
}

/* The separators of json.dumps(): its own, or a pair that is given. */
static void json_separators(struct jinja_run *run, struct json_style *style,
                            struct jinja_value pair)
{
    style->item_separator = jinja_string_of(&run->pool, style->indent ? "," : ", ");
    style->key_separator = jinja_string_of(&run->pool, ": ");
    if (!given(pair) || pair.type == JINJA_NONE)
        return;
    if ((pair.type == JINJA_TUPLE || pair.type == JINJA_LIST) && pair.list->count == 2 &&
        jinja_is_string(pair.list->items[0]) && jinja_is_string(pair.list->items[1])) {
        style->item_separator = pair.list->items[0];
        style->key_separator = pair.list->items[1];
        return;
    }
    jinja_fail(run, STATUS_FORMAT, "tojson: separators are two strings");
}

static const char *json_indent(struct jinja_run *run, struct jinja_value indent)
{
    enum { INDENT_MAXIMUM = 64 };
    char spaces[INDENT_MAXIMUM + 1] = {0};
    if (!given(indent) || indent.type == JINJA_NONE)
        return NULL;
    if (jinja_is_string(indent))
        return jinja_pool_copy(&run->pool, indent.text->bytes, indent.text->length);
    const int64_t count = jinja_integer_argument(run, indent, 0);
    if (count > INDENT_MAXIMUM) {
        jinja_fail(run, STATUS_LIMIT, "tojson: an indent of more than 64");
        return NULL;
    }
    memset(spaces, ' ', count > 0 ? (size_t)count : 0);
    return jinja_pool_copy(&run->pool, spaces, strlen(spaces));
}

FILTER(filter_tojson)
{
    struct json_style style = {
        .ascii = given(call->bound[0]) && jinja_truth(call->bound[0]),
        .indent = json_indent(run, call->bound[1]),
        .sort_keys = given(call->bound[3]) && jinja_truth(call->bound[3])};
    json_separators(run, &style, call->bound[2]);
    return run->failed ? jinja_undefined() : jinja_dump_json(run, self, &style);
}

FILTER(filter_format)
{
    struct jinja_list values = {.count = call->arguments.count};
    if (call->arguments.named_count > 0)
        jinja_fail(run, STATUS_UNSUPPORTED, "format with named arguments");
    values.items = jinja_pool_array(&run->pool, values.count + 1, sizeof *values.items);
    for (size_t i = 0; i < values.count; i++)
        values.items[i] = call->arguments.items[i];
    return run->failed ? jinja_undefined() : jinja_printf(run, text_of(run, self), &values);
}

FILTER(filter_attr)
{
    const struct jinja_text *name = text_of(run, call->bound[0]);
    if (self.type == JINJA_DICT) /* attr never looks at the items */
        jinja_fail(run, STATUS_UNSUPPORTED, "attr of a dict");
    return run->failed
               ? jinja_undefined()
               : jinja_attribute(run, self,
                                 jinja_pool_copy(&run->pool, name->bytes, name->length));
}

/* What stands in front of the lines that are indented. */
static struct jinja_value indention(struct jinja_run *run, struct jinja_value width)
{
    if (jinja_is_string(width))
        return width;
    return jinja_binary(run, "*", jinja_string_of(&run->pool, " "),
                        jinja_integer(jinja_integer_argument(run, width, 4)));
}

/* Every line but the first behind spaces (`first`: that one too), empty lines only if
 * `blank`. All line ends become line feeds, as in Jinja. */
FILTER(filter_indent)
{
    const struct jinja_text *text = text_of(run, self);
    const struct jinja_value spaces = indention(run, call->bound[0]);
    const bool first = given(call->bound[1]) && jinja_truth(call->bound[1]);
    const bool blank = given(call->bound[2]) && jinja_truth(call->bound[2]);
    struct jinja_builder out = {.pool = &run->pool};
    if (run->failed)
        return jinja_undefined();
    if (first)
        jinja_build_text(&out, spaces.text);
    for (size_t i = 0; i < text->length;) {
        const size_t end = jinja_line_end(text, i);
        if (!end) {
            jinja_build_part(&out, text, i, i + 1);
            i++;
            continue;
        }
        jinja_build_bytes(&out, "\n", 1, text->origins ? text->origins[i] : 0);
        i += end;
        const bool empty = i == text->length || jinja_line_end(text, i) > 0;
        if (blank || !empty)
            jinja_build_text(&out, spaces.text);
    }
    return jinja_built(&out);
}

FILTER(filter_center)
{
    const struct jinja_text *text = text_of(run, self);
    const int64_t width = jinja_integer_argument(run, call->bound[0], 80);
    const int64_t length = (int64_t)jinja_text_count(text);
    const int64_t pad = width > length ? width - length : 0;
    const int64_t left = pad / 2 + (pad & width & 1);
    const struct jinja_value space = jinja_string_of(&run->pool, " ");
    struct jinja_builder out = {.pool = &run->pool};
    jinja_build_text(
        &out, jinja_text_argument(run, jinja_binary(run, "*", space, jinja_integer(left))));
    jinja_build_text(&out, text);
    jinja_build_text(
        &out,
        jinja_text_argument(run, jinja_binary(run, "*", space, jinja_integer(pad - left))));
    return jinja_built(&out);
}

static const struct jinja_routine filters[] = {
    {"abs", "", 0, filter_abs},
    {"attr", "name", 1, filter_attr},
    {"capitalize", "", 0, filter_capitalize},
    {"center", "width", 0, filter_center},
    {"d", "default_value boolean", 0, filter_default},
    {"default", "default_value boolean", 0, filter_default},
    {"e", "", 0, filter_escape},
    {"escape", "", 0, filter_escape},
    {"float", "default", 0, filter_float},
    {"format", "*", 0, filter_format},
    {"indent", "width first blank", 0, filter_indent},
    {"int", "default base", 0, filter_int},
    {"lower", "", 0, filter_lower},
    {"replace", "old new count", 2, filter_replace},
    {"round", "precision method", 0, filter_round},
    {"safe", "", 0, filter_safe},
    {"string", "", 0, filter_string},
    {"title", "", 0, filter_title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, filter_tojson},
    {"trim", "chars", 0, filter_trim},
    {"upper", "", 0, filter_upper},
};

const struct jinja_routine *jinja_find_filter(const char *name)
{
    const struct jinja_routine *found =
        jinja_find(filters, sizeof filters / sizeof *filters, name);
    return found ? found : jinja_find_list_filter(name);
}
