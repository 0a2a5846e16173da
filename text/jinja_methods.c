/* Methods of strings, dicts and loops. */
#include "text/jinja_run.h"

#include "text/unicode.h"

#include <string.h>
#include <utf8proc.h>

#define METHOD(NAME)                                                                       \
    static struct jinja_value NAME(struct jinja_run *run, struct jinja_value self,         \
                                   const struct jinja_call *call)

static bool given(struct jinja_value value)
{
    return value.type != JINJA_ABSENT && value.type != JINJA_NONE;
}

static const struct jinja_text *optional_text(struct jinja_run *run,
                                              struct jinja_value value)
{
    return given(value) ? jinja_text_argument(run, value) : NULL;
}

METHOD(method_strip)
{
    return jinja_strip(run, self.text, optional_text(run, call->bound[0]), SIDE_BOTH);
}

METHOD(method_lstrip)
{
    return jinja_strip(run, self.text, optional_text(run, call->bound[0]), SIDE_LEFT);
}

METHOD(method_rstrip)
{
    return jinja_strip(run, self.text, optional_text(run, call->bound[0]), SIDE_RIGHT);
}

METHOD(method_upper)
{
    (void)call;
    return jinja_change_case(run, self.text, CASE_UPPER);
}

METHOD(method_lower)
{
    (void)call;
    return jinja_change_case(run, self.text, CASE_LOWER);
}

METHOD(method_title)
{
    (void)call;
    return jinja_change_case(run, self.text, CASE_TITLE);
}

METHOD(method_capitalize)
{
    (void)call;
    return jinja_change_case(run, self.text, CASE_CAPITALIZE);
}

static bool begins(const struct jinja_text *text, const struct jinja_text *with)
{
    return text->length >= with->length &&
           (with->length == 0 || memcmp(text->bytes, with->bytes, with->length) == 0);
}

static bool ends(const struct jinja_text *text, const struct jinja_text *with)
{
    return text->length >= with->length &&
           (with->length == 0 || memcmp(text->bytes + text->length - with->length,
                                        with->bytes, with->length) == 0);
}

/* One string, or a tuple of several. */
static struct jinja_value
matches(struct jinja_run *run, struct jinja_value self, const struct jinja_call *call,
        bool match(const struct jinja_text *, const struct jinja_text *))
{
    if (given(call->bound[1]) || given(call->bound[2]))
        jinja_fail(run, STATUS_UNSUPPORTED, "startswith and endswith from a place on");
    if (call->bound[0].type != JINJA_TUPLE)
        return jinja_boolean(match(self.text, jinja_text_argument(run, call->bound[0])));
    const struct jinja_list *list = call->bound[0].list;
    for (size_t i = 0; i < list->count; i++)
        if (match(self.text, jinja_text_argument(run, list->items[i])))
            return jinja_boolean(true);
    return jinja_boolean(false);
}

METHOD(method_startswith)
{
    return matches(run, self, call, begins);
}

METHOD(method_endswith)
{
    return matches(run, self, call, ends);
}

METHOD(method_removeprefix)
{
    const struct jinja_text *prefix = jinja_text_argument(run, call->bound[0]);
    return jinja_part(&run->pool, self.text, begins(self.text, prefix) ? prefix->length : 0,
                      self.text->length);
}

METHOD(method_removesuffix)
{
    const struct jinja_text *suffix = jinja_text_argument(run, call->bound[0]);
    const size_t length = self.text->length;
    return jinja_part(&run->pool, self.text, 0,
                      ends(self.text, suffix) ? length - suffix->length : length);
}

METHOD(method_replace)
{
    return jinja_replace(run, self.text, jinja_text_argument(run, call->bound[0]),
                         jinja_text_argument(run, call->bound[1]),
                         jinja_integer_argument(run, call->bound[2], -1));
}

/* The last place where `needle` ends at or before `to`; SIZE_MAX: none. */
static size_t find_last(struct jinja_run *run, const struct jinja_text *text, size_t to,
                        const struct jinja_text *needle)
{
    jinja_pool_charge(&run->pool, to / 16);
    for (size_t at = to; at >= needle->length && at > 0; at--)
        if (needle->length == 0 ||
            memcmp(text->bytes + at - needle->length, needle->bytes, needle->length) == 0)
            return at - needle->length;
    return needle->length == 0 ? 0 : SIZE_MAX;
}

static void add_part(struct jinja_run *run, struct jinja_list *list,
                     const struct jinja_text *text, size_t from, size_t to)
{
    jinja_list_add(&run->pool, list, jinja_part(&run->pool, text, from, to));
}

static struct jinja_list *split_at(struct jinja_run *run, const struct jinja_text *text,
                                   const struct jinja_text *separator, int64_t limit)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    size_t from = 0;
    for (int64_t n = 0; (limit < 0 || n < limit) && jinja_going(run); n++) {
        const size_t found = jinja_text_find(run, text, from, separator);
        if (found == SIZE_MAX)
            break;
        add_part(run, list, text, from, found);
        from = found + separator->length;
    }
    add_part(run, list, text, from, text->length);
    return list;
}

static size_t skip(const struct jinja_text *text, size_t at, bool space)
{
    while (at < text->length) {
        uint32_t code_point;
        const size_t taken = utf8_decode(text->bytes + at, text->length - at, &code_point);
        if (jinja_is_space(code_point) != space)
            break;
        at += taken;
    }
    return at;
}

/* Words between white space; what is behind the last split stays as it is. */
static struct jinja_list *split_words(struct jinja_run *run, const struct jinja_text *text,
                                      int64_t limit)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    size_t from = skip(text, 0, true);
    for (int64_t n = 0; from < text->length && jinja_going(run); n++) {
        if (limit >= 0 && n == limit) {
            add_part(run, list, text, from, text->length);
            break;
        }
        const size_t to = skip(text, from, false);
        add_part(run, list, text, from, to);
        from = skip(text, to, true);
    }
    return list;
}

static const struct jinja_text *separator_of(struct jinja_run *run,
                                             const struct jinja_call *call)
{
    const struct jinja_text *separator = optional_text(run, call->bound[0]);
    if (separator && separator->length == 0)
        jinja_fail(run, STATUS_FORMAT, "an empty separator");
    return separator;
}

METHOD(method_split)
{
    const struct jinja_text *separator = separator_of(run, call);
    const int64_t limit = jinja_integer_argument(run, call->bound[1], -1);
    if (run->failed)
        return jinja_undefined();
    return jinja_of_list(JINJA_LIST, separator ? split_at(run, self.text, separator, limit)
                                               : split_words(run, self.text, limit));
}

METHOD(method_rsplit)
{
    const struct jinja_text *separator = separator_of(run, call);
    const int64_t limit = jinja_integer_argument(run, call->bound[1], -1);
    struct jinja_list *parts = jinja_list_new(&run->pool);
    struct jinja_list *list = jinja_list_new(&run->pool);
    size_t to = self.text->length;
    if (limit < 0)
        return method_split(run, self, call);
    if (!separator)
        jinja_fail(run, STATUS_UNSUPPORTED, "rsplit at white space with a limit");
    for (int64_t n = 0; n < limit && jinja_going(run); n++) {
        const size_t found = find_last(run, self.text, to, separator);
        if (found == SIZE_MAX)
            break;
        add_part(run, parts, self.text, found + separator->length, to);
        to = found;
    }
    add_part(run, parts, self.text, 0, to);
    for (size_t i = parts->count; i > 0; i--)
        jinja_list_add(&run->pool, list, parts->items[i - 1]);
    return jinja_of_list(JINJA_LIST, list);
}

static struct jinja_value parted(struct jinja_run *run, const struct jinja_text *text,
                                 const struct jinja_text *separator, size_t found,
                                 bool from_right)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    const bool there = found != SIZE_MAX;
    const size_t before = there ? found : from_right ? 0 : text->length;
    const size_t after = there ? found + separator->length : before;
    add_part(run, list, text, 0, before);
    jinja_list_add(&run->pool, list,
                   there ? jinja_part(&run->pool, text, before, after)
                         : jinja_string_of(&run->pool, ""));
    add_part(run, list, text, after, text->length);
    return jinja_of_list(JINJA_TUPLE, list);
}

METHOD(method_partition)
{
    const struct jinja_text *separator = separator_of(run, call);
    if (run->failed || !separator)
        return jinja_undefined();
    return parted(run, self.text, separator, jinja_text_find(run, self.text, 0, separator),
                  false);
}

METHOD(method_rpartition)
{
    const struct jinja_text *separator = separator_of(run, call);
    if (run->failed || !separator)
        return jinja_undefined();
    return parted(run, self.text, separator,
                  find_last(run, self.text, self.text->length, separator), true);
}

METHOD(method_splitlines)
{
    const bool keep = given(call->bound[0]) && jinja_truth(call->bound[0]);
    const struct jinja_text *text = self.text;
    struct jinja_list *list = jinja_list_new(&run->pool);
    size_t from = 0;
    for (size_t at = 0; at < text->length && !run->pool.exhausted;) {
        const size_t end = jinja_line_end(text, at);
        if (end) {
            add_part(run, list, text, from, keep ? at + end : at);
            from = at + end;
        }
        at += end ? end : 1;
        while (at < text->length && ((unsigned char)text->bytes[at] & 0xC0) == 0x80)
            at++;
    }
    if (from < text->length)
        add_part(run, list, text, from, text->length);
    return jinja_of_list(JINJA_LIST, list);
}

METHOD(method_join)
{
    const struct jinja_list *list = jinja_iterate(run, call->bound[0]);
    struct jinja_builder out = {.pool = &run->pool};
    for (size_t i = 0; i < list->count && jinja_going(run); i++) {
        const struct jinja_text *item = jinja_text_argument(run, list->items[i]);
        if (i > 0)
            jinja_build_text(&out, self.text);
        jinja_build_text(&out, item);
    }
    return jinja_built(&out);
}

/* The place of a byte, in code points. */
static struct jinja_value place(struct jinja_run *run, const struct jinja_text *text,
                                size_t byte)
{
    if (byte == SIZE_MAX)
        return jinja_integer(-1);
    const struct jinja_value before = jinja_part(&run->pool, text, 0, byte);
    return jinja_integer((int64_t)jinja_text_count(before.text));
}

METHOD(method_find)
{
    return place(
        run, self.text,
        jinja_text_find(run, self.text, 0, jinja_text_argument(run, call->bound[0])));
}

METHOD(method_rfind)
{
    return place(run, self.text,
                 find_last(run, self.text, self.text->length,
                           jinja_text_argument(run, call->bound[0])));
}

METHOD(method_index)
{
    const struct jinja_value found = method_find(run, self, call);
    if (found.integer < 0)
        jinja_fail(run, STATUS_FORMAT, "index: the string is not found");
    return found;
}

METHOD(method_count)
{
    const struct jinja_text *needle = jinja_text_argument(run, call->bound[0]);
    int64_t count = 0;
    if (needle->length == 0)
        return jinja_integer((int64_t)jinja_text_count(self.text) + 1);
    for (size_t at = 0; jinja_going(run); count++) {
        at = jinja_text_find(run, self.text, at, needle);
        if (at == SIZE_MAX)
            break;
        at += needle->length;
    }
    return jinja_integer(count);
}

enum character_class { CLASS_SPACE, CLASS_DIGIT, CLASS_ALPHA, CLASS_ALNUM };

static bool in_class(uint32_t code_point, enum character_class class)
{
    const utf8proc_category_t category = utf8proc_category((int32_t)code_point);
    const bool alpha = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    const bool digit = category == UTF8PROC_CATEGORY_ND;
    switch (class) {
    case CLASS_SPACE:
        return jinja_is_space(code_point);
    case CLASS_DIGIT:
        return digit;
    case CLASS_ALPHA:
        return alpha;
    default:
        return alpha || digit;
    }
}

/* True where there are characters and all are of a class. */
static struct jinja_value all_in(struct jinja_value self, enum character_class class)
{
    const struct jinja_text *text = self.text;
    for (size_t i = 0; i < text->length;) {
        uint32_t code_point;
        i += utf8_decode(text->bytes + i, text->length - i, &code_point);
        if (!in_class(code_point, class))
            return jinja_boolean(false);
    }
    return jinja_boolean(text->length > 0);
}

METHOD(method_isspace)
{
    (void)run;
    (void)call;
    return all_in(self, CLASS_SPACE);
}

METHOD(method_isdigit)
{
    (void)run;
    (void)call;
    return all_in(self, CLASS_DIGIT);
}

METHOD(method_isalpha)
{
    (void)run;
    (void)call;
    return all_in(self, CLASS_ALPHA);
}

METHOD(method_isalnum)
{
    (void)run;
    (void)call;
    return all_in(self, CLASS_ALNUM);
}

METHOD(method_isupper)
{
    (void)call;
    return jinja_find_test("upper")->call(run, self, call);
}

METHOD(method_islower)
{
    (void)call;
    return jinja_find_test("lower")->call(run, self, call);
}

static const struct jinja_routine string_methods[] = {
    {"capitalize", "", 0, method_capitalize},
    {"count", "sub", 1, method_count},
    {"endswith", "suffix start end", 1, method_endswith},
    {"find", "sub", 1, method_find},
    {"index", "sub", 1, method_index},
    {"isalnum", "", 0, method_isalnum},
    {"isalpha", "", 0, method_isalpha},
    {"isdigit", "", 0, method_isdigit},
    {"islower", "", 0, method_islower},
    {"isspace", "", 0, method_isspace},
    {"isupper", "", 0, method_isupper},
    {"join", "iterable", 1, method_join},
    {"lower", "", 0, method_lower},
    {"lstrip", "chars", 0, method_lstrip},
    {"partition", "sep", 1, method_partition},
    {"removeprefix", "prefix", 1, method_removeprefix},
    {"removesuffix", "suffix", 1, method_removesuffix},
    {"replace", "old new count", 2, method_replace},
    {"rfind", "sub", 1, method_rfind},
    {"rpartition", "sep", 1, method_rpartition},
    {"rsplit", "sep maxsplit", 0, method_rsplit},
    {"rstrip", "chars", 0, method_rstrip},
    {"split", "sep maxsplit", 0, method_split},
    {"splitlines", "keepends", 0, method_splitlines},
    {"startswith", "prefix start end", 1, method_startswith},
    {"strip", "chars", 0, method_strip},
    {"title", "", 0, method_title},
    {"upper", "", 0, method_upper},
};

const struct jinja_routine *jinja_find_string_method(const char *name)
{
    return jinja_find(string_methods, sizeof string_methods / sizeof *string_methods, name);
}
