/* Values as text: Python's str() and repr(), json.dumps(). */
#include "text/jinja_run.h"

#include "text/unicode.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { PRINT_DEPTH_MAXIMUM = 100, FLOAT_BYTES = 48 };

/* The shortest digits that read back equal, as 0.ddd times 10^*point. */
static void shortest_digits(double number, char digits[20], int *point)
{
    char text[FLOAT_BYTES];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, number);
        const double back = strtod(text, NULL);
        if (back >= number && back <= number)
            break;
    }
    size_t count = 0;
    const char *exponent = strchr(text, 'e');
    for (const char *at = text; at < exponent; at++)
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    *point = atoi(exponent + 1) + 1;
}

/* Python's repr(): 1.0, 0.0001, 1e-05, 1e+16. */
static void build_float(struct jinja_builder *out, double number)
{
    char digits[20];
    char text[FLOAT_BYTES];
    int point;
    if (isnan(number) || isinf(number)) {
        jinja_build(out, isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
        return;
    }
    if (signbit(number))
        jinja_build(out, "-");
    shortest_digits(fabs(number), digits, &point);
    const int count = (int)strlen(digits);
    if (point <= -4 || point > 16)
        snprintf(text, sizeof text, "%c%s%se%+03d", digits[0], count > 1 ? "." : "",
                 digits + 1, point - 1);
    else if (point <= 0)
        snprintf(text, sizeof text, "0.%.*s%s", -point, "0000", digits);
    else if (point >= count)
        snprintf(text, sizeof text, "%s%.*s.0", digits, point - count, "0000000000000000");
    else
        snprintf(text, sizeof text, "%.*s.%s", point, digits, digits + point);
    jinja_build(out, text);
}

static void build_integer(struct jinja_builder *out, int64_t integer)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)integer);
    jinja_build(out, text);
}

static bool is_printable(uint32_t code_point)
{
    switch (utf8proc_category((int32_t)code_point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return code_point == ' ';
    default:
        return true;
    }
}

/* One code point as repr() writes it between `quote`s. */
static void escape_repr(char escaped[16], uint32_t code_point, char quote)
{
    static const char from[] = "\\\n\r\t";
    static const char *const to[] = {"\\\\", "\\n", "\\r", "\\t"};
    const char *found =
        code_point && code_point < 0x80 ? strchr(from, (int)code_point) : NULL;
    escaped[0] = '\0';
    if (found)
        snprintf(escaped, 16, "%s", to[found - from]);
    else if (code_point == (unsigned char)quote)
        snprintf(escaped, 16, "\\%c", quote);
    else if (!is_printable(code_point))
        snprintf(escaped, 16,
                 code_point < 0x100     ? "\\x%02x"
                 : code_point < 0x10000 ? "\\u%04x"
                                        : "\\U%08x",
                 code_point);
}

static void build_repr_text(struct jinja_builder *out, const struct jinja_text *text)
{
    const bool has_single = text->length > 0 && memchr(text->bytes, '\'', text->length);
    const bool has_double = text->length > 0 && memchr(text->bytes, '"', text->length);
    const char quote = has_single && !has_double ? '"' : '\'';
    jinja_build_bytes(out, &quote, 1, 0);
    for (size_t i = 0; i < text->length;) {
        char escaped[16];
        uint32_t code_point;
        const size_t taken = utf8_decode(text->bytes + i, text->length - i, &code_point);
        escape_repr(escaped, code_point, quote);
        if (escaped[0])
            jinja_build_bytes(out, escaped, strlen(escaped),
                              text->origins ? text->origins[i] : 0);
        else
            jinja_build_part(out, text, i, i + taken);
        i += taken;
    }
    jinja_build_bytes(out, &quote, 1, 0);
}

static void build_repr(struct jinja_run *run, struct jinja_builder *out,
                       struct jinja_value value, int depth);

static void build_items(struct jinja_run *run, struct jinja_builder *out,
                        const struct jinja_list *list, int depth)
{
    for (size_t i = 0; i < list->count && jinja_going(run); i++) {
        if (i > 0)
            jinja_build(out, ", ");
        build_repr(run, out, list->items[i], depth);
    }
}

static void build_dict(struct jinja_run *run, struct jinja_builder *out,
                       const struct jinja_dict *dict, int depth)
{
    jinja_build(out, "{");
    for (size_t i = 0; i < dict->count && jinja_going(run); i++) {
        if (i > 0)
            jinja_build(out, ", ");
        build_repr(run, out, dict->pairs[i].key, depth);
        jinja_build(out, ": ");
        build_repr(run, out, dict->pairs[i].value, depth);
    }
    jinja_build(out, "}");
}

static void build_list(struct jinja_run *run, struct jinja_builder *out,
                       struct jinja_value value, int depth)
{
    const bool is_tuple = value.type == JINJA_TUPLE;
    if (value.type == JINJA_VIEW) {
        jinja_build(out, value.list->name);
        jinja_build(out, "(");
    }
    jinja_build(out, is_tuple ? "(" : "[");
    build_items(run, out, value.list, depth);
    if (is_tuple && value.list->count == 1)
        jinja_build(out, ",");
    jinja_build(out, is_tuple ? ")" : "]");
    if (value.type == JINJA_VIEW)
        jinja_build(out, ")");
}

static void build_repr(struct jinja_run *run, struct jinja_builder *out,
                       struct jinja_value value, int depth)
{
    if (depth > PRINT_DEPTH_MAXIMUM)
        jinja_fail(run, STATUS_LIMIT, "a value that is nested too deeply");
    if (!jinja_going(run))
        return;
    switch (value.type) {
    case JINJA_NONE:
        jinja_build(out, "None");
        break;
    case JINJA_BOOLEAN:
        jinja_build(out, value.boolean ? "True" : "False");
        break;
    case JINJA_INTEGER:
        build_integer(out, value.integer);
        break;
    case JINJA_FLOAT:
        build_float(out, value.number);
        break;
    case JINJA_STRING:
        build_repr_text(out, value.text);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_VIEW:
        build_list(run, out, value, depth + 1);
        break;
    case JINJA_DICT:
        build_dict(run, out, value.dict, depth + 1);
        break;
    case JINJA_UNDEFINED:
        jinja_build(out, "Undefined");
        break;
    default:
        jinja_fail(run, STATUS_UNSUPPORTED, "printing a %s is not supported",
                   jinja_type_name(value));
    }
}

struct jinja_value jinja_str(struct jinja_run *run, struct jinja_value value)
{
    struct jinja_builder out = {.pool = &run->pool};
    if (jinja_is_string(value))
        return value;
    if (value.type != JINJA_UNDEFINED)
        build_repr(run, &out, value, 0);
    return jinja_built(&out);
}

/* One code point as JSON writes it; escaped[0] is NUL where it stays as it is. */
static void escape_json(char escaped[16], uint32_t code_point, bool ascii)
{
    static const char from[] = "\"\\\n\r\t\f\b";
    static const char *const to[] = {"\\\"", "\\\\", "\\n", "\\r", "\\t", "\\f", "\\b"};
    const char *found =
        code_point && code_point < 0x80 ? strchr(from, (int)code_point) : NULL;
    escaped[0] = '\0';
    if (found)
        snprintf(escaped, 16, "%s", to[found - from]);
    else if (code_point >= 0x10000 && ascii)
        snprintf(escaped, 16, "\\u%04x\\u%04x", 0xD7C0 + (code_point >> 10),
                 0xDC00 + (code_point & 0x3FF));
    else if (code_point < 0x20 || (code_point >= 0x7F && ascii))
        snprintf(escaped, 16, "\\u%04x", code_point);
}

struct dump {
    struct jinja_run *run;
    struct jinja_builder out;
    const struct json_style *style;
};

static void dump_text(struct dump *dump, const struct jinja_text *text)
{
    jinja_build(&dump->out, "\"");
    for (size_t i = 0; i < text->length;) {
        char escaped[16];
        uint32_t code_point;
        const size_t taken = utf8_decode(text->bytes + i, text->length - i, &code_point);
        escape_json(escaped, code_point, dump->style->ascii);
        if (escaped[0])
            jinja_build_bytes(&dump->out, escaped, strlen(escaped),
                              text->origins ? text->origins[i] : 0);
        else
            jinja_build_part(&dump->out, text, i, i + taken);
        i += taken;
    }
    jinja_build(&dump->out, "\"");
}

static void dump_line(struct dump *dump, int depth)
{
    if (!dump->style->indent)
        return;
    jinja_build(&dump->out, "\n");
    for (int i = 0; i < depth; i++)
        jinja_build(&dump->out, dump->style->indent);
}

static void dump_value(struct dump *dump, struct jinja_value value, int depth);

static void dump_list(struct dump *dump, const struct jinja_list *list, int depth)
{
    jinja_build(&dump->out, "[");
    for (size_t i = 0; i < list->count && !dump->run->failed; i++) {
        if (i > 0)
            jinja_build_text(&dump->out, dump->style->item_separator.text);
        dump_line(dump, depth);
        dump_value(dump, list->items[i], depth);
    }
    if (list->count > 0)
        dump_line(dump, depth - 1);
    jinja_build(&dump->out, "]");
}

/* Keys that are no strings are written as JSON writes their values, in quotes. */
static void dump_key(struct dump *dump, struct jinja_value key)
{
    if (jinja_is_string(key)) {
        dump_text(dump, key.text);
        return;
    }
    if (!jinja_is_number(key) && key.type != JINJA_NONE)
        jinja_fail(dump->run, STATUS_FORMAT, "tojson: a %s cannot be a key",
                   jinja_type_name(key));
    jinja_build(&dump->out, "\"");
    dump_value(dump, key, 0);
    jinja_build(&dump->out, "\"");
}

static int compare_pairs(const void *left, const void *right)
{
    const struct jinja_text *a = ((const struct jinja_pair *)left)->key.text;
    const struct jinja_text *b = ((const struct jinja_pair *)right)->key.text;
    const size_t length = a->length < b->length ? a->length : b->length;
    const int order = length > 0 ? memcmp(a->bytes, b->bytes, length) : 0;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static const struct jinja_pair *dump_order(struct dump *dump, const struct jinja_dict *dict)
{
    if (!dump->style->sort_keys || dict->count == 0)
        return dict->pairs;
    struct jinja_pair *pairs =
        jinja_pool_array(&dump->run->pool, dict->count, sizeof *pairs);
    for (size_t i = 0; i < dict->count; i++) {
        pairs[i] = dict->pairs[i];
        if (!jinja_is_string(pairs[i].key)) {
            jinja_fail(dump->run, STATUS_UNSUPPORTED,
                       "tojson: sort_keys with keys that are no strings");
            return dict->pairs;
        }
    }
    qsort(pairs, dict->count, sizeof *pairs, compare_pairs);
    return pairs;
}

static void dump_dict(struct dump *dump, const struct jinja_dict *dict, int depth)
{
    const struct jinja_pair *pairs = dump_order(dump, dict);
    jinja_build(&dump->out, "{");
    for (size_t i = 0; i < dict->count && !dump->run->failed; i++) {
        if (i > 0)
            jinja_build_text(&dump->out, dump->style->item_separator.text);
        dump_line(dump, depth);
        dump_key(dump, pairs[i].key);
        jinja_build_text(&dump->out, dump->style->key_separator.text);
        dump_value(dump, pairs[i].value, depth);
    }
    if (dict->count > 0)
        dump_line(dump, depth - 1);
    jinja_build(&dump->out, "}");
}

static void dump_float(struct dump *dump, double number)
{
    if (isnan(number))
        jinja_build(&dump->out, "NaN");
    else if (isinf(number))
        jinja_build(&dump->out, number < 0 ? "-Infinity" : "Infinity");
    else
        build_float(&dump->out, number);
}

static void dump_value(struct dump *dump, struct jinja_value value, int depth)
{
    if (depth > PRINT_DEPTH_MAXIMUM)
        jinja_fail(dump->run, STATUS_LIMIT, "tojson: a value that is nested too deeply");
    if (!jinja_going(dump->run))
        return;
    switch (value.type) {
    case JINJA_NONE:
        jinja_build(&dump->out, "null");
        break;
    case JINJA_BOOLEAN:
        jinja_build(&dump->out, value.boolean ? "true" : "false");
        break;
    case JINJA_INTEGER:
        build_integer(&dump->out, value.integer);
        break;
    case JINJA_FLOAT:
        dump_float(dump, value.number);
        break;
    case JINJA_STRING:
        dump_text(dump, value.text);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
        dump_list(dump, value.list, depth + 1);
        break;
    case JINJA_DICT:
        dump_dict(dump, value.dict, depth + 1);
        break;
    default:
        jinja_fail(dump->run, STATUS_FORMAT, "tojson: a %s is not JSON",
                   jinja_type_name(value));
    }
}

struct jinja_value jinja_dump_json(struct jinja_run *run, struct jinja_value value,
                                   const struct json_style *style)
{
    struct dump dump = {.run = run, .out = {.pool = &run->pool}, .style = style};
    dump_value(&dump, value, 0);
    return jinja_built(&dump.out);
}
