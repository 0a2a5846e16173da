/* Global functions, and methods of dicts and loops. */
#include "text/jinja_run.h"

#include <string.h>
#include <time.h>

#define ROUTINE(NAME)                                                                      \
    static struct jinja_value NAME(struct jinja_run *run, struct jinja_value self,         \
                                   const struct jinja_call *call)

enum { RANGE_MAXIMUM = 100000 }; /* MAX_RANGE of Jinja's sandbox */

/* dict(a=1), dict(pairs), namespace(…): one mapping, then names. */
static struct jinja_value make_dict(struct jinja_run *run,
                                    const struct jinja_arguments *arguments)
{
    struct jinja_dict *dict = jinja_dict_new(&run->pool);
    if (arguments->count > 1 ||
        (arguments->count == 1 && arguments->items[0].type != JINJA_DICT))
        jinja_fail(run, STATUS_UNSUPPORTED, "dict and namespace take one dict and names");
    else if (arguments->count == 1)
        for (size_t i = 0; i < arguments->items[0].dict->count; i++)
            jinja_dict_set(&run->pool, dict, arguments->items[0].dict->pairs[i].key,
                           arguments->items[0].dict->pairs[i].value);
    for (size_t i = 0; i < arguments->named_count; i++)
        jinja_dict_set(&run->pool, dict, jinja_string_of(&run->pool, arguments->names[i]),
                       arguments->named[i]);
    return jinja_of_dict(dict);
}

ROUTINE(global_dict)
{
    (void)self;
    return make_dict(run, &call->arguments);
}

ROUTINE(global_namespace)
{
    (void)self;
    struct jinja_value dict = make_dict(run, &call->arguments);
    dict.type = JINJA_NAMESPACE;
    return dict;
}

ROUTINE(global_range)
{
    (void)self;
    const bool one = call->bound[1].type == JINJA_ABSENT;
    const int64_t start = one ? 0 : jinja_integer_argument(run, call->bound[0], 0);
    const int64_t stop = jinja_integer_argument(run, call->bound[one ? 0 : 1], 0);
    const int64_t step = jinja_integer_argument(run, call->bound[2], 1);
    struct jinja_list *list = jinja_list_new(&run->pool);
    if (step == 0)
        jinja_fail(run, STATUS_FORMAT, "range: a step of zero");
    for (int64_t at = start; !run->failed && (step > 0 ? at < stop : at > stop);) {
        if (list->count == RANGE_MAXIMUM)
            jinja_fail(run, STATUS_LIMIT, "range: more than %d numbers", RANGE_MAXIMUM);
        jinja_list_add(&run->pool, list, jinja_integer(at));
        if (__builtin_add_overflow(at, step, &at))
            break;
    }
    return jinja_of_list(JINJA_LIST, list);
}

ROUTINE(global_raise_exception)
{
    (void)self;
    const struct jinja_value words = jinja_str(run, call->bound[0]);
    if (!run->failed)
        jinja_fail(run, STATUS_USAGE, "the template refuses this conversation: %.*s",
                   (int)words.text->length, words.text->bytes);
    return jinja_undefined();
}

ROUTINE(global_strftime_now)
{
    (void)self;
    enum { TIME_BYTES = 256 };
    char out[TIME_BYTES];
    const struct jinja_text *format = jinja_text_argument(run, call->bound[0]);
    char *copy = jinja_pool_copy(&run->pool, format->bytes, format->length);
    const time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const size_t length = strftime(out, sizeof out, copy, &local);
#pragma GCC diagnostic pop
    if (length == 0 && format->length > 0)
        jinja_fail(run, STATUS_LIMIT, "strftime_now: more than 255 bytes, or none");
    return jinja_string(&run->pool, jinja_pool_copy(&run->pool, out, length), length);
}

static const struct jinja_routine globals[] = {
    {"dict", "*", 0, global_dict},
    {"namespace", "*", 0, global_namespace},
    {"raise_exception", "message", 1, global_raise_exception},
    {"range", "start stop step", 1, global_range},
    {"strftime_now", "format", 1, global_strftime_now},
};

const struct jinja_routine *jinja_find_global(const char *name)
{
    return jinja_find(globals, sizeof globals / sizeof *globals, name);
}

static struct jinja_value view(struct jinja_list *list, const char *name)
{
    list->name = name;
    return jinja_of_list(JINJA_VIEW, list);
}

ROUTINE(dict_keys)
{
    (void)call;
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < self.dict->count; i++)
        jinja_list_add(&run->pool, list, self.dict->pairs[i].key);
    return view(list, "dict_keys");
}

ROUTINE(dict_values)
{
    (void)call;
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < self.dict->count; i++)
        jinja_list_add(&run->pool, list, self.dict->pairs[i].value);
    return view(list, "dict_values");
}

ROUTINE(dict_items)
{
    (void)call;
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < self.dict->count; i++)
        jinja_list_add(&run->pool, list,
                       jinja_pair_tuple(&run->pool, self.dict->pairs[i].key,
                                        self.dict->pairs[i].value));
    return view(list, "dict_items");
}

ROUTINE(dict_get)
{
    const struct jinja_value *value = jinja_dict_get(&run->pool, self.dict, call->bound[0]);
    if (value)
        return *value;
    return call->bound[1].type == JINJA_ABSENT ? jinja_none() : call->bound[1];
}

static const struct jinja_routine dict_methods[] = {
    {"get", "key default", 1, dict_get},
    {"items", "", 0, dict_items},
    {"keys", "", 0, dict_keys},
    {"values", "", 0, dict_values},
};

const struct jinja_routine *jinja_find_dict_method(const char *name)
{
    return jinja_find(dict_methods, sizeof dict_methods / sizeof *dict_methods, name);
}

ROUTINE(loop_cycle)
{
    if (call->arguments.count == 0 || call->arguments.named_count > 0) {
        jinja_fail(run, STATUS_FORMAT, "loop.cycle: nothing to choose from");
        return jinja_undefined();
    }
    return call->arguments.items[self.loop->index % call->arguments.count];
}

/* Whether the values differ from those of the last call. */
ROUTINE(loop_changed)
{
    struct jinja_list *values = jinja_list_new(&run->pool);
    for (size_t i = 0; i < call->arguments.count; i++)
        jinja_list_add(&run->pool, values, call->arguments.items[i]);
    const struct jinja_value now = jinja_of_list(JINJA_TUPLE, values);
    const bool same = self.loop->changed.type == JINJA_TUPLE &&
                      jinja_equal(&run->pool, self.loop->changed, now);
    self.loop->changed = now;
    return jinja_boolean(!same);
}

static const struct jinja_routine loop_methods[] = {
    {"changed", "*", 0, loop_changed},
    {"cycle", "*", 0, loop_cycle},
};

const struct jinja_routine *jinja_find_loop_method(const char *name)
{
    return jinja_find(loop_methods, sizeof loop_methods / sizeof *loop_methods, name);
}
