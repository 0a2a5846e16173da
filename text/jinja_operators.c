/* Arithmetic, comparisons, joining: as Python computes them, with 64-bit integers. */
#include "text/jinja_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct jinja_value no_operator(struct jinja_run *run, const char *operator,
                                      struct jinja_value left, struct jinja_value right)
{
    const struct jinja_value *undefined = left.type == JINJA_UNDEFINED    ? &left
                                          : right.type == JINJA_UNDEFINED ? &right
                                                                          : NULL;
    if (undefined && undefined->text)
        jinja_fail(run, STATUS_FORMAT, "\"%.*s\" is undefined",
                   (int)undefined->text->length, undefined->text->bytes);
    else
        jinja_fail(run, STATUS_FORMAT, "\"%s\" does not work on %s and %s", operator,
                   jinja_type_name(left), jinja_type_name(right));
    return jinja_undefined();
}

static struct jinja_value overflow(struct jinja_run *run)
{
    jinja_fail(run, STATUS_UNSUPPORTED, "a whole number beyond 64 bits");
    return jinja_undefined();
}

static struct jinja_value checked(struct jinja_run *run, bool overflows,
                                  const int64_t *result)
{
    return overflows ? overflow(run) : jinja_integer(*result);
}

static struct jinja_value divide_by_zero(struct jinja_run *run)
{
    jinja_fail(run, STATUS_FORMAT, "division by zero");
    return jinja_undefined();
}

/* Rounded down, and the rest that goes with it: it has the sign of the divisor. */
static struct jinja_value floor_divide(struct jinja_run *run, int64_t left, int64_t right,
                                       bool rest)
{
    if (right == 0)
        return divide_by_zero(run);
    if (right == -1) {
        int64_t negative = 0;
        const bool overflows = __builtin_sub_overflow(0, left, &negative);
        return rest ? jinja_integer(0) : checked(run, overflows, &negative);
    }
    const int64_t remainder = left % right;
    const bool down = remainder != 0 && (remainder < 0) != (right < 0);
    if (rest)
        return jinja_integer(down ? remainder + right : remainder);
    return jinja_integer(left / right - down);
}

static struct jinja_value power(struct jinja_run *run, int64_t base, int64_t exponent)
{
    int64_t result = 1;
    bool overflows = false;
    if (exponent < 0)
        return base == 0 ? divide_by_zero(run)
                         : jinja_float(pow((double)base, (double)exponent));
    while (exponent > 0 && !overflows) {
        if (exponent & 1)
            overflows = __builtin_mul_overflow(result, base, &result);
        exponent >>= 1;
        if (exponent > 0 && !overflows)
            overflows = __builtin_mul_overflow(base, base, &base);
    }
    return checked(run, overflows, &result);
}

static struct jinja_value integers(struct jinja_run *run, const char *operator,
                                   int64_t left, int64_t right)
{
    int64_t result = 0;
    switch (operator[0]) {
    case '+':
        return checked(run, __builtin_add_overflow(left, right, &result), &result);
    case '-':
        return checked(run, __builtin_sub_overflow(left, right, &result), &result);
    case '%':
        return floor_divide(run, left, right, true);
    case '*':
        if (operator[1])
            return power(run, left, right);
        return checked(run, __builtin_mul_overflow(left, right, &result), &result);
    default:
        if (operator[1])
            return floor_divide(run, left, right, false);
        return right == 0 ? divide_by_zero(run) : jinja_float((double)left / (double)right);
    }
}

static bool is_zero(double number)
{
    return fpclassify(number) == FP_ZERO;
}

/* With the sign of the divisor, a zero too. */
static double float_rest(double left, double right)
{
    const double rest = fmod(left, right);
    if (is_zero(rest))
        return copysign(0, right);
    return (rest < 0) != (right < 0) ? rest + right : rest;
}

static struct jinja_value floats(struct jinja_run *run, const char *operator, double left,
                                 double right)
{
    const bool divides = operator[0] == '/' || operator[0] == '%';
    if (divides && is_zero(right))
        return divide_by_zero(run);
    switch (operator[0]) {
    case '+':
        return jinja_float(left + right);
    case '-':
        return jinja_float(left - right);
    case '%':
        return jinja_float(float_rest(left, right));
    case '*':
        return jinja_float(operator[1] ? pow(left, right) : left * right);
    default:
        return jinja_float(operator[1] ? rint((left - float_rest(left, right)) / right)
                                       : left / right);
    }
}

static struct jinja_value join_lists(struct jinja_run *run, struct jinja_value left,
                                     struct jinja_value right)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    const struct jinja_list *const parts[] = {left.list, right.list};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->count && !run->pool.exhausted; i++)
            jinja_list_add(&run->pool, list, parts[p]->items[i]);
    return jinja_of_list(left.type, list);
}

static struct jinja_value repeat(struct jinja_run *run, struct jinja_value value,
                                 int64_t times)
{
    struct jinja_builder out = {.pool = &run->pool};
    struct jinja_list *list = jinja_list_new(&run->pool);
    const bool is_text = jinja_is_string(value);
    const size_t length = is_text ? value.text->length : value.list->count;
    for (int64_t n = 0; length > 0 && n < times && jinja_going(run); n++) {
        if (is_text)
            jinja_build_text(&out, value.text);
        for (size_t i = 0; !is_text && i < length; i++)
            jinja_list_add(&run->pool, list, value.list->items[i]);
    }
    return is_text ? jinja_built(&out) : jinja_of_list(value.type, list);
}

static bool is_sequence(struct jinja_value value)
{
    return jinja_is_string(value) || value.type == JINJA_LIST || value.type == JINJA_TUPLE;
}

struct jinja_value jinja_binary(struct jinja_run *run, const char *operator,
                                struct jinja_value left, struct jinja_value right)
{
    if (jinja_is_integer(left) && jinja_is_integer(right))
        return integers(run, operator, jinja_as_integer(left), jinja_as_integer(right));
    if (jinja_is_number(left) && jinja_is_number(right))
        return floats(run, operator, jinja_as_number(left), jinja_as_number(right));
    if (strcmp(operator, "+") == 0 && jinja_is_string(left) && jinja_is_string(right))
        return jinja_concat(run, left, right);
    if (strcmp(operator, "+") == 0 && left.type == right.type && is_sequence(left))
        return join_lists(run, left, right);
    if (strcmp(operator, "*") == 0 && is_sequence(left) && jinja_is_integer(right))
        return repeat(run, left, jinja_as_integer(right));
    if (strcmp(operator, "*") == 0 && is_sequence(right) && jinja_is_integer(left))
        return repeat(run, right, jinja_as_integer(left));
    if (strcmp(operator, "%") == 0 && jinja_is_string(left)) {
        struct jinja_list one = {.items = &right, .count = 1};
        return jinja_printf(run, left.text, right.type == JINJA_TUPLE ? right.list : &one);
    }
    return no_operator(run, operator, left, right);
}

struct jinja_value jinja_negate(struct jinja_run *run, struct jinja_value value)
{
    if (value.type == JINJA_FLOAT)
        return jinja_float(-value.number);
    return jinja_binary(run, "-", jinja_integer(0), value);
}

static struct jinja_value as_markup(struct jinja_run *run, struct jinja_value value)
{
    struct jinja_text *text = jinja_pool_allocate(&run->pool, sizeof *text);
    *text = *value.text;
    text->markup = true;
    return (struct jinja_value){.type = JINJA_STRING, .text = text};
}

struct jinja_value jinja_escape(struct jinja_run *run, struct jinja_value value)
{
    static const char special[] = "&<>'\"";
    static const char *const escapes[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    const struct jinja_value string = jinja_str(run, value);
    struct jinja_builder out = {.pool = &run->pool};
    if (run->failed || string.text->markup)
        return string;
    for (size_t i = 0; i < string.text->length; i++) {
        const char c = string.text->bytes[i];
        const char *found = c ? strchr(special, c) : NULL;
        const uint16_t origin = string.text->origins ? string.text->origins[i] : 0;
        if (found)
            jinja_build_bytes(&out, escapes[found - special],
                              strlen(escapes[found - special]), origin);
        else
            jinja_build_bytes(&out, &c, 1, origin);
    }
    return as_markup(run, jinja_built(&out));
}

struct jinja_value jinja_concat(struct jinja_run *run, struct jinja_value left,
                                struct jinja_value right)
{
    struct jinja_builder out = {.pool = &run->pool};
    const bool markup = left.text->markup || right.text->markup;
    if (markup) {
        left = jinja_escape(run, left);
        right = jinja_escape(run, right);
    }
    jinja_build_text(&out, left.text);
    jinja_build_text(&out, right.text);
    const struct jinja_value joined = jinja_built(&out);
    return markup ? as_markup(run, joined) : joined;
}

int jinja_order(struct jinja_run *run, struct jinja_value left, struct jinja_value right)
{
    jinja_pool_charge(&run->pool, 1);
    if (jinja_is_integer(left) && jinja_is_integer(right))
        return (jinja_as_integer(left) > jinja_as_integer(right)) -
               (jinja_as_integer(left) < jinja_as_integer(right));
    if (jinja_is_number(left) && jinja_is_number(right))
        return (jinja_as_number(left) > jinja_as_number(right)) -
               (jinja_as_number(left) < jinja_as_number(right));
    if (jinja_is_string(left) && jinja_is_string(right)) {
        const size_t length =
            left.text->length < right.text->length ? left.text->length : right.text->length;
        const int order =
            length > 0 ? memcmp(left.text->bytes, right.text->bytes, length) : 0;
        jinja_pool_charge(&run->pool, length / 64);
        return order ? order
                     : (left.text->length > right.text->length) -
                           (left.text->length < right.text->length);
    }
    if ((left.type == JINJA_LIST || left.type == JINJA_TUPLE) && left.type == right.type) {
        jinja_fail(run, STATUS_UNSUPPORTED, "ordering lists is not supported");
        return 0;
    }
    no_operator(run, "<", left, right);
    return 0;
}

static bool list_contains(struct jinja_run *run, const struct jinja_list *list,
                          struct jinja_value what)
{
    for (size_t i = 0; i < list->count; i++)
        if (jinja_equal(&run->pool, list->items[i], what))
            return true;
    return false;
}

bool jinja_contains(struct jinja_run *run, struct jinja_value in, struct jinja_value what)
{
    switch (in.type) {
    case JINJA_STRING:
        if (!jinja_is_string(what)) {
            no_operator(run, "in", what, in);
            return false;
        }
        return jinja_text_find(run, in.text, 0, what.text) != SIZE_MAX;
    case JINJA_DICT:
        return jinja_dict_get(&run->pool, in.dict, what) != NULL;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_VIEW:
        return list_contains(run, in.list, what);
    case JINJA_ITERATOR:
        return list_contains(run, jinja_iterate(run, in), what);
    case JINJA_UNDEFINED:
        return false;
    default:
        no_operator(run, "in", what, in);
        return false;
    }
}

bool jinja_compare(struct jinja_run *run, const char *operator, struct jinja_value left,
                   struct jinja_value right)
{
    if (strcmp(operator, "==") == 0)
        return jinja_equal(&run->pool, left, right);
    if (strcmp(operator, "!=") == 0)
        return !jinja_equal(&run->pool, left, right);
    if (strcmp(operator, "in") == 0)
        return jinja_contains(run, right, left);
    if (strcmp(operator, "not in") == 0)
        return !jinja_contains(run, right, left);
    const int order = jinja_order(run, left, right);
    if (run->failed)
        return false;
    switch (operator[0]) {
    case '<':
        return operator[1] ? order <= 0 : order<0;
    default:
        return operator[1] ? order >= 0 : order> 0;
    }
}

/* One conversion of a % format: s, r, d, i, with a width and zeros. */
static void print_one(struct jinja_run *run, struct jinja_builder *out, const char *width,
                      char conversion, struct jinja_value value)
{
    char format[32];
    char number[64];
    if (conversion == 's' && !*width) {
        const struct jinja_value text = jinja_str(run, value);
        if (!run->failed)
            jinja_build_text(out, text.text);
    } else if ((conversion == 'd' || conversion == 'i') && jinja_is_integer(value)) {
        snprintf(format, sizeof format, "%%%sll%c", width, conversion);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(number, sizeof number, format, (long long)jinja_as_integer(value));
#pragma GCC diagnostic pop
        jinja_build(out, number);
    } else {
        jinja_fail(run, STATUS_UNSUPPORTED, "%%%s%c of a %s is not supported", width,
                   conversion, jinja_type_name(value));
    }
}

struct jinja_value jinja_printf(struct jinja_run *run, const struct jinja_text *format,
                                const struct jinja_list *values)
{
    struct jinja_builder out = {.pool = &run->pool};
    size_t used = 0;
    for (size_t i = 0; i < format->length && !run->failed; i++) {
        char width[4] = {0};
        if (format->bytes[i] != '%') {
            jinja_build_part(&out, format, i, i + 1);
            continue;
        }
        if (++i < format->length && format->bytes[i] == '%') {
            jinja_build(&out, "%");
            continue;
        }
        for (size_t w = 0; w + 1 < sizeof width && i < format->length &&
                           format->bytes[i] >= '0' && format->bytes[i] <= '9';
             w++)
            width[w] = format->bytes[i++];
        if (i >= format->length || used == values->count)
            jinja_fail(run, STATUS_FORMAT, "a %% format with too few values or no end");
        else
            print_one(run, &out, width, format->bytes[i], values->items[used++]);
    }
    if (used < values->count)
        jinja_fail(run, STATUS_FORMAT, "a %% format with too many values");
    return jinja_built(&out);
}
