/* Attributes, items, slices, iteration. */
#include "text/jinja_run.h"

#include <string.h>

static struct jinja_value method(struct jinja_run *run, struct jinja_value self,
                                 const struct jinja_routine *routine)
{
    struct jinja_method *bound = jinja_pool_allocate(&run->pool, sizeof *bound);
    *bound = (struct jinja_method){self, routine};
    return (struct jinja_value){.type = JINJA_METHOD, .method = bound};
}

static bool is_one_of(const char *name, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(name, *words) == 0)
            return true;
    return false;
}

/* What Python's strings have and we do not. */
static struct jinja_value string_attribute(struct jinja_run *run, struct jinja_value of,
                                           const char *name)
{
    static const char *const others[] = {
        "casefold", "encode",    "expandtabs",   "format",    "format_map",
        "isascii",  "isdecimal", "isidentifier", "isnumeric", "isprintable",
        "istitle",  "maketrans", "swapcase",     "translate", NULL};
    const struct jinja_routine *routine = jinja_find_string_method(name);
    if (routine && of.text->markup && strcmp(name, "strip") != 0)
        jinja_fail(run, STATUS_UNSUPPORTED, "methods of safe strings are not supported");
    if (routine)
        return method(run, of, routine);
    if (is_one_of(name, others))
        jinja_fail(run, STATUS_UNSUPPORTED, "the string method \"%s\" is not supported",
                   name);
    return jinja_undefined_named(&run->pool, name);
}

static struct jinja_value dict_attribute(struct jinja_run *run, struct jinja_value of,
                                         const char *name)
{
    /* The sandbox hides these, even where the dict has such a key. */
    static const char *const hidden[] = {"clear",      "pop",    "popitem",
                                         "setdefault", "update", NULL};
    static const char *const others[] = {"copy", "fromkeys", NULL};
    const struct jinja_routine *routine = jinja_find_dict_method(name);
    if (routine)
        return method(run, of, routine);
    if (is_one_of(name, others))
        jinja_fail(run, STATUS_UNSUPPORTED, "the dict method \"%s\" is not supported",
                   name);
    const struct jinja_value *value =
        is_one_of(name, hidden) ? NULL : jinja_dict_get_name(of.dict, name);
    return value ? *value : jinja_undefined_named(&run->pool, name);
}

static struct jinja_value list_attribute(struct jinja_run *run, struct jinja_value of,
                                         const char *name)
{
    static const char *const others[] = {"count", "index", "copy", NULL};
    if (of.type != JINJA_ITERATOR && is_one_of(name, others))
        jinja_fail(run, STATUS_UNSUPPORTED, "the list method \"%s\" is not supported",
                   name);
    return jinja_undefined_named(&run->pool, name);
}

static struct jinja_value neighbour(struct jinja_run *run, const struct jinja_loop *loop,
                                    bool there, size_t index, const char *name)
{
    return there ? loop->items->items[index] : jinja_undefined_named(&run->pool, name);
}

static struct jinja_value loop_attribute(struct jinja_run *run, struct jinja_value of,
                                         const char *name)
{
    const struct jinja_loop *loop = of.loop;
    const int64_t index = (int64_t)loop->index;
    const int64_t count = (int64_t)loop->items->count;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"index", index + 1},
        {"index0", index},
        {"revindex", count - index},
        {"revindex0", count - index - 1},
        {"length", count},
        {"depth", 1}, /* deeper only in recursive loops */
        {"depth0", 0},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return jinja_integer(numbers[i].value);
    if (strcmp(name, "first") == 0)
        return jinja_boolean(index == 0);
    if (strcmp(name, "last") == 0)
        return jinja_boolean(index + 1 == count);
    if (strcmp(name, "previtem") == 0)
        return neighbour(run, loop, index > 0, loop->index - 1, name);
    if (strcmp(name, "nextitem") == 0)
        return neighbour(run, loop, index + 1 < count, loop->index + 1, name);
    const struct jinja_routine *routine = jinja_find_loop_method(name);
    return routine ? method(run, of, routine) : jinja_undefined_named(&run->pool, name);
}

static struct jinja_value fail_undefined(struct jinja_run *run, struct jinja_value of)
{
    jinja_fail(run, STATUS_FORMAT, "\"%.*s\" is undefined: it has no parts",
               of.text ? (int)of.text->length : 1, of.text ? of.text->bytes : "?");
    return jinja_undefined();
}

struct jinja_value jinja_attribute(struct jinja_run *run, struct jinja_value of,
                                   const char *name)
{
    const struct jinja_value *value;
    if (name[0] == '_' && name[1] == '_') {
        jinja_fail(run, STATUS_UNSUPPORTED, "the sandbox hides \"%s\"", name);
        return jinja_undefined();
    }
    switch (of.type) {
    case JINJA_UNDEFINED:
        return fail_undefined(run, of);
    case JINJA_STRING:
        return string_attribute(run, of, name);
    case JINJA_DICT:
        return dict_attribute(run, of, name);
    case JINJA_NAMESPACE:
        value = jinja_dict_get_name(of.dict, name);
        return value ? *value : jinja_undefined_named(&run->pool, name);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_VIEW:
    case JINJA_ITERATOR:
        return list_attribute(run, of, name);
    case JINJA_LOOP:
        return loop_attribute(run, of, name);
    default:
        return jinja_undefined_named(&run->pool, name);
    }
}

/* The place of an index, counted from the end where it is negative; -1: none. */
static int64_t place_of(int64_t index, int64_t count)
{
    if (index < 0)
        index += count;
    return index >= 0 && index < count ? index : -1;
}

static struct jinja_value character(struct jinja_run *run, const struct jinja_text *text,
                                    int64_t index)
{
    const int64_t place = place_of(index, (int64_t)jinja_text_count(text));
    jinja_pool_charge(&run->pool, text->length / 64);
    if (place < 0)
        return jinja_undefined_named(&run->pool, "a character beyond the string");
    const size_t from = jinja_text_offset(text, (size_t)place);
    const struct jinja_value rest = jinja_part(&run->pool, text, from, text->length);
    return jinja_part(&run->pool, text, from, from + jinja_text_offset(rest.text, 1));
}

struct jinja_value jinja_item(struct jinja_run *run, struct jinja_value of,
                              struct jinja_value key)
{
    const struct jinja_value *found = NULL;
    switch (of.type) {
    case JINJA_UNDEFINED:
        return fail_undefined(run, of);
    case JINJA_DICT:
        found = jinja_dict_get(&run->pool, of.dict, key);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
        if (jinja_is_integer(key)) {
            const int64_t place = place_of(jinja_as_integer(key), (int64_t)of.list->count);
            found = place < 0 ? NULL : &of.list->items[place];
        }
        break;
    case JINJA_STRING:
        if (jinja_is_integer(key))
            return character(run, of.text, jinja_as_integer(key));
        break;
    default:
        break;
    }
    if (found)
        return *found;
    if (!jinja_is_string(key))
        return jinja_undefined_named(&run->pool, "an item that is not there");
    /* As in Jinja, a["b"] is a.b where there is no such item. */
    const char *name = jinja_pool_copy(&run->pool, key.text->bytes, key.text->length);
    return jinja_attribute(run, of, name);
}

/* Where a slice starts and stops, by Python's rules. */
struct slice {
    int64_t start, stop, step;
};

static int64_t bound(struct jinja_run *run, struct jinja_value value, int64_t fallback,
                     int64_t low, int64_t high, int64_t count)
{
    if (value.type == JINJA_NONE)
        return fallback;
    int64_t at = jinja_integer_argument(run, value, fallback);
    if (at < 0)
        at = at < -count ? low : at + count;
    return at < low ? low : at > high ? high : at;
}

static struct slice slice_of(struct jinja_run *run, const struct jinja_value bounds[3],
                             int64_t count)
{
    struct slice slice = {.step = 1};
    if (bounds[2].type != JINJA_NONE)
        slice.step = jinja_integer_argument(run, bounds[2], 1);
    if (slice.step == 0) {
        jinja_fail(run, STATUS_FORMAT, "a slice with a step of zero");
        slice.step = 1;
    }
    const bool back = slice.step < 0;
    const int64_t low = back ? -1 : 0;
    const int64_t high = back ? count - 1 : count;
    slice.start = bound(run, bounds[0], back ? high : low, low, high, count);
    slice.stop = bound(run, bounds[1], back ? low : high, low, high, count);
    return slice;
}

static bool slice_goes_on(const struct slice *slice, int64_t at)
{
    return slice->step > 0 ? at < slice->stop : at > slice->stop;
}

/* The next place, or the end where the step leads beyond all numbers. */
static int64_t slice_next(const struct slice *slice, int64_t at)
{
    int64_t next;
    return __builtin_add_overflow(at, slice->step, &next) ? slice->stop : next;
}

static struct jinja_value slice_text(struct jinja_run *run, const struct jinja_text *text,
                                     const struct jinja_value bounds[3])
{
    const size_t count = jinja_text_count(text);
    const struct slice slice = slice_of(run, bounds, (int64_t)count);
    struct jinja_builder out = {.pool = &run->pool};
    jinja_pool_charge(&run->pool, text->length / 64);
    if (slice.step == 1) {
        const size_t from = jinja_text_offset(text, (size_t)slice.start);
        const size_t to = jinja_text_offset(text, (size_t)slice.stop);
        return jinja_part(&run->pool, text, from, to > from ? to : from);
    }
    size_t *offsets = jinja_pool_array(&run->pool, count + 1, sizeof *offsets);
    for (size_t i = 0, n = 0; i <= text->length; i++)
        if (i == text->length || ((unsigned char)text->bytes[i] & 0xC0) != 0x80)
            offsets[n++] = i;
    for (int64_t at = slice.start; slice_goes_on(&slice, at); at = slice_next(&slice, at))
        jinja_build_part(&out, text, offsets[at], offsets[at + 1]);
    return jinja_built(&out);
}

struct jinja_value jinja_slice(struct jinja_run *run, struct jinja_value of,
                               const struct jinja_value bounds[3])
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    if (of.type == JINJA_UNDEFINED)
        return fail_undefined(run, of);
    if (of.type == JINJA_STRING)
        return slice_text(run, of.text, bounds);
    if (of.type != JINJA_LIST && of.type != JINJA_TUPLE) {
        jinja_fail(run, STATUS_FORMAT, "a slice of what is no text and no list");
        return of;
    }
    const struct slice slice = slice_of(run, bounds, (int64_t)of.list->count);
    for (int64_t at = slice.start; slice_goes_on(&slice, at) && !run->pool.exhausted;
         at = slice_next(&slice, at))
        jinja_list_add(&run->pool, list, of.list->items[at]);
    return jinja_of_list(of.type, list);
}

static struct jinja_list *characters(struct jinja_run *run, const struct jinja_text *text)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t from = 0; from < text->length && !run->pool.exhausted;) {
        size_t to = from + 1;
        while (to < text->length && ((unsigned char)text->bytes[to] & 0xC0) == 0x80)
            to++;
        jinja_list_add(&run->pool, list, jinja_part(&run->pool, text, from, to));
        from = to;
    }
    return list;
}

static struct jinja_list *keys(struct jinja_run *run, const struct jinja_dict *dict)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < dict->count; i++)
        jinja_list_add(&run->pool, list, dict->pairs[i].key);
    return list;
}

static struct jinja_list *take_rest(struct jinja_run *run, struct jinja_list *iterator)
{
    struct jinja_list *rest = jinja_list_new(&run->pool);
    for (; iterator->taken < iterator->count; iterator->taken++)
        jinja_list_add(&run->pool, rest, iterator->items[iterator->taken]);
    return rest;
}

const struct jinja_list *jinja_iterate(struct jinja_run *run, struct jinja_value value)
{
    switch (value.type) {
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_VIEW:
        return value.list;
    case JINJA_ITERATOR:
        return take_rest(run, value.list);
    case JINJA_STRING:
        return characters(run, value.text);
    case JINJA_DICT:
        return keys(run, value.dict);
    case JINJA_UNDEFINED:
        return jinja_list_new(&run->pool);
    default:
        jinja_fail(run, STATUS_FORMAT, "a value of type %s cannot be gone through",
                   jinja_type_name(value));
        return jinja_list_new(&run->pool);
    }
}

int64_t jinja_length(struct jinja_run *run, struct jinja_value value)
{
    switch (value.type) {
    case JINJA_STRING:
        jinja_pool_charge(&run->pool, value.text->length / 64);
        return (int64_t)jinja_text_count(value.text);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_VIEW:
        return (int64_t)value.list->count;
    case JINJA_DICT:
        return (int64_t)value.dict->count;
    case JINJA_LOOP:
        return (int64_t)value.loop->items->count;
    case JINJA_UNDEFINED:
        return 0;
    default:
        jinja_fail(run, STATUS_FORMAT, "a value of type %s has no length",
                   jinja_type_name(value));
        return -1;
    }
}
