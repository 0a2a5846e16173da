/* Filters on lists and dicts. */
#include "text/jinja_run.h"

#include <string.h>

#define FILTER(NAME)                                                                       \
    static struct jinja_value NAME(struct jinja_run *run, struct jinja_value self,         \
                                   const struct jinja_call *call)

static bool given(struct jinja_value value)
{
    return value.type != JINJA_ABSENT;
}

static bool is_set(struct jinja_value value)
{
    return given(value) && jinja_truth(value);
}

static struct jinja_value named_undefined(struct jinja_run *run, const char *words)
{
    return jinja_undefined_named(&run->pool, words);
}

/* item.a.b for "a.b", whole numbers as indices; the item itself without an attribute. */
static struct jinja_value get_path(struct jinja_run *run, struct jinja_value item,
                                   struct jinja_value path, struct jinja_value fallback)
{
    if (jinja_is_integer(path))
        return jinja_item(run, item, path);
    if (!given(path) || path.type == JINJA_NONE)
        return item;
    const struct jinja_text *text = jinja_text_argument(run, path);
    for (size_t from = 0; from <= text->length && !run->failed;) {
        size_t to = from;
        int64_t index = 0;
        bool is_number = to < text->length && text->length < 18;
        for (; to < text->length && text->bytes[to] != '.'; to++) {
            is_number = is_number && text->bytes[to] >= '0' && text->bytes[to] <= '9';
            index = is_number ? index * 10 + (text->bytes[to] - '0') : 0;
        }
        const struct jinja_value name = jinja_part(&run->pool, text, from, to);
        item = jinja_item(run, item, is_number ? jinja_integer(index) : name);
        if (item.type == JINJA_UNDEFINED && given(fallback))
            item = fallback;
        from = to + 1;
    }
    return item;
}

static const struct jinja_value absent = {.type = JINJA_ABSENT};

FILTER(filter_length)
{
    (void)call;
    const int64_t length = jinja_length(run, self);
    return jinja_integer(length);
}

FILTER(filter_list)
{
    (void)call;
    const struct jinja_list *from = jinja_iterate(run, self);
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < from->count && !run->pool.exhausted; i++)
        jinja_list_add(&run->pool, list, from->items[i]);
    return jinja_of_list(JINJA_LIST, list);
}

FILTER(filter_first)
{
    (void)call;
    if (self.type == JINJA_ITERATOR && self.list->taken < self.list->count)
        return self.list->items[self.list->taken++];
    const struct jinja_list *list = jinja_iterate(run, self);
    return list->count ? list->items[0] : named_undefined(run, "the first of no items");
}

FILTER(filter_last)
{
    (void)call;
    if (self.type == JINJA_ITERATOR)
        jinja_fail(run, STATUS_FORMAT, "last: what a filter generates has no last item");
    const struct jinja_list *list = jinja_iterate(run, self);
    return list->count ? list->items[list->count - 1]
                       : named_undefined(run, "the last of no items");
}

FILTER(filter_join)
{
    const struct jinja_list *list = jinja_iterate(run, self);
    const struct jinja_value between = given(call->bound[0])
                                           ? jinja_str(run, call->bound[0])
                                           : jinja_string_of(&run->pool, "");
    struct jinja_builder out = {.pool = &run->pool};
    for (size_t i = 0; i < list->count && jinja_going(run); i++) {
        const struct jinja_value item =
            jinja_str(run, get_path(run, list->items[i], call->bound[1], absent));
        if (i > 0 && !run->failed)
            jinja_build_text(&out, between.text);
        if (!run->failed)
            jinja_build_text(&out, item.text);
    }
    return jinja_built(&out);
}

FILTER(filter_items)
{
    (void)call;
    struct jinja_list *list = jinja_list_new(&run->pool);
    if (self.type != JINJA_DICT && self.type != JINJA_UNDEFINED)
        jinja_fail(run, STATUS_FORMAT, "items: a %s has no pairs", jinja_type_name(self));
    for (size_t i = 0; self.type == JINJA_DICT && i < self.dict->count; i++)
        jinja_list_add(&run->pool, list,
                       jinja_pair_tuple(&run->pool, self.dict->pairs[i].key,
                                        self.dict->pairs[i].value));
    return jinja_of_list(JINJA_ITERATOR, list);
}

FILTER(filter_reverse)
{
    (void)call;
    static const int64_t step = -1;
    const struct jinja_value bounds[3] = {jinja_none(), jinja_none(), jinja_integer(step)};
    if (jinja_is_string(self))
        return jinja_slice(run, self, bounds);
    const struct jinja_list *from = jinja_iterate(run, self);
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = from->count; i > 0 && !run->pool.exhausted; i--)
        jinja_list_add(&run->pool, list, from->items[i - 1]);
    return jinja_of_list(self.type == JINJA_ITERATOR ? JINJA_LIST : JINJA_ITERATOR, list);
}

/* A routine on each item, with the arguments from `skip` on. */
static struct jinja_value apply(struct jinja_run *run, const struct jinja_routine *routine,
                                struct jinja_value item, const struct jinja_call *call,
                                size_t skip)
{
    struct jinja_arguments rest = call->arguments;
    rest.items += skip;
    rest.count -= skip;
    return jinja_call_routine(run, routine, item, &rest);
}

/* The filter or test that argument `index` names; NULL if there is no such argument. */
static const struct jinja_routine *
named_routine(struct jinja_run *run, const struct jinja_call *call, size_t index,
              const char *kind, const struct jinja_routine *find(const char *))
{
    if (index >= call->arguments.count)
        return NULL;
    const struct jinja_text *text = jinja_text_argument(run, call->arguments.items[index]);
    const char *name = jinja_pool_copy(&run->pool, text->bytes, text->length);
    const struct jinja_routine *routine = find(name);
    if (!routine)
        jinja_fail(run, STATUS_UNSUPPORTED, "the %s \"%s\" is not supported", kind, name);
    return routine;
}

static struct jinja_value keyword(const struct jinja_call *call, const char *name)
{
    for (size_t i = 0; i < call->arguments.named_count; i++)
        if (strcmp(call->arguments.names[i], name) == 0)
            return call->arguments.named[i];
    return absent;
}

/* What these filters go through: as in Jinja2, nothing where a value is not true. */
static const struct jinja_list *items_of(struct jinja_run *run, struct jinja_value self)
{
    return jinja_truth(self) ? jinja_iterate(run, self) : jinja_list_new(&run->pool);
}

FILTER(filter_map)
{
    const struct jinja_value path = keyword(call, "attribute");
    const struct jinja_value fallback = keyword(call, "default");
    const struct jinja_routine *routine =
        named_routine(run, call, 0, "filter", jinja_find_filter);
    const struct jinja_list *from = items_of(run, self);
    struct jinja_list *list = jinja_list_new(&run->pool);
    if (!routine && !given(path))
        jinja_fail(run, STATUS_FORMAT, "map: which filter, or which attribute?");
    for (size_t i = 0; i < from->count && jinja_going(run); i++)
        jinja_list_add(&run->pool, list,
                       routine ? apply(run, routine, from->items[i], call, 1)
                               : get_path(run, from->items[i], path, fallback));
    return jinja_of_list(JINJA_ITERATOR, list);
}

/* Items that pass a test, or do not; `by_attribute`: the first argument says which part of
 * an item is tested. Without a test, truth counts. */
static struct jinja_value choose(struct jinja_run *run, struct jinja_value self,
                                 const struct jinja_call *call, bool by_attribute,
                                 bool wanted)
{
    const size_t skip = by_attribute ? 1 : 0;
    const struct jinja_routine *test =
        named_routine(run, call, skip, "test", jinja_find_test);
    const struct jinja_list *from = items_of(run, self);
    struct jinja_list *list = jinja_list_new(&run->pool);
    if (call->arguments.count < skip)
        jinja_fail(run, STATUS_FORMAT, "the name of an attribute is missing");
    for (size_t i = 0; i < from->count && jinja_going(run); i++) {
        struct jinja_value part = from->items[i];
        if (by_attribute)
            part = get_path(run, part, call->arguments.items[0], absent);
        if (test && !run->failed)
            part = apply(run, test, part, call, skip + 1);
        if (jinja_truth(part) == wanted)
            jinja_list_add(&run->pool, list, from->items[i]);
    }
    return jinja_of_list(JINJA_ITERATOR, list);
}

FILTER(filter_select)
{
    return choose(run, self, call, false, true);
}

FILTER(filter_reject)
{
    return choose(run, self, call, false, false);
}

FILTER(filter_selectattr)
{
    return choose(run, self, call, true, true);
}

FILTER(filter_rejectattr)
{
    return choose(run, self, call, true, false);
}

FILTER(filter_sum)
{
    const struct jinja_list *list = jinja_iterate(run, self);
    struct jinja_value sum = given(call->bound[1]) ? call->bound[1] : jinja_integer(0);
    if (jinja_is_string(sum))
        jinja_fail(run, STATUS_FORMAT, "sum: strings are joined with join");
    for (size_t i = 0; i < list->count && jinja_going(run); i++)
        sum = jinja_binary(run, "+", sum,
                           get_path(run, list->items[i], call->bound[0], absent));
    return sum;
}

/* What an item is ordered by. */
static struct jinja_value sort_key(struct jinja_run *run, struct jinja_value item,
                                   struct jinja_value path, bool case_sensitive)
{
    if (jinja_is_string(path) && memchr(path.text->bytes, ',', path.text->length) != NULL)
        jinja_fail(run, STATUS_UNSUPPORTED, "sorting by several attributes");
    const struct jinja_value key = get_path(run, item, path, absent);
    if (case_sensitive || !jinja_is_string(key))
        return key;
    return jinja_change_case(run, key.text, CASE_LOWER);
}

struct sorted {
    struct jinja_value key;
    struct jinja_value item;
};

/* A stable merge sort of [from, to), with room for as many in `spare`. */
static void merge_sort(struct jinja_run *run, struct sorted *items, struct sorted *spare,
                       size_t from, size_t to, bool reverse)
{
    if (to - from < 2 || run->failed)
        return;
    const size_t middle = from + (to - from) / 2;
    merge_sort(run, items, spare, from, middle, reverse);
    merge_sort(run, items, spare, middle, to, reverse);
    size_t left = from;
    size_t right = middle;
    for (size_t out = from; out < to && jinja_going(run); out++) {
        bool take_left = left < middle;
        if (left < middle && right < to) {
            const int order = jinja_order(run, items[right].key, items[left].key);
            take_left = reverse ? order <= 0 : order >= 0;
        }
        spare[out] = items[take_left ? left++ : right++];
    }
    memcpy(items + from, spare + from, (to - from) * sizeof *items);
}

static struct jinja_value sort_items(struct jinja_run *run, const struct jinja_list *from,
                                     struct jinja_value path, bool case_sensitive,
                                     bool reverse)
{
    struct sorted *items = jinja_pool_array(&run->pool, from->count + 1, sizeof *items);
    struct sorted *spare = jinja_pool_array(&run->pool, from->count + 1, sizeof *spare);
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < from->count && jinja_going(run); i++)
        items[i] = (struct sorted){sort_key(run, from->items[i], path, case_sensitive),
                                   from->items[i]};
    if (!run->failed)
        merge_sort(run, items, spare, 0, from->count, reverse);
    for (size_t i = 0; i < from->count && !run->failed; i++)
        jinja_list_add(&run->pool, list, items[i].item);
    return jinja_of_list(JINJA_LIST, list);
}

FILTER(filter_sort)
{
    return sort_items(run, jinja_iterate(run, self), call->bound[2], is_set(call->bound[1]),
                      is_set(call->bound[0]));
}

FILTER(filter_dictsort)
{
    const bool by_value =
        jinja_is_string(call->bound[1]) && jinja_text_is(call->bound[1].text, "value");
    const struct jinja_value pairs = filter_items(run, self, call);
    return sort_items(run, jinja_iterate(run, pairs), jinja_integer(by_value),
                      is_set(call->bound[0]), is_set(call->bound[2]));
}

FILTER(filter_unique)
{
    const struct jinja_list *from = jinja_iterate(run, self);
    struct jinja_list *seen = jinja_list_new(&run->pool);
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < from->count && jinja_going(run); i++) {
        const struct jinja_value key =
            sort_key(run, from->items[i], call->bound[1], is_set(call->bound[0]));
        if (jinja_contains(run, jinja_of_list(JINJA_LIST, seen), key))
            continue;
        jinja_list_add(&run->pool, seen, key);
        jinja_list_add(&run->pool, list, from->items[i]);
    }
    return jinja_of_list(JINJA_ITERATOR, list);
}

static struct jinja_value extreme(struct jinja_run *run, struct jinja_value self,
                                  const struct jinja_call *call, int sign)
{
    const struct jinja_list *list = jinja_iterate(run, self);
    struct jinja_value best = named_undefined(run, "the extreme of no items");
    struct jinja_value best_key = jinja_undefined();
    for (size_t i = 0; i < list->count && jinja_going(run); i++) {
        const struct jinja_value key =
            sort_key(run, list->items[i], call->bound[1], is_set(call->bound[0]));
        if (i > 0 && jinja_order(run, key, best_key) * sign <= 0)
            continue;
        best = list->items[i];
        best_key = key;
    }
    return best;
}

FILTER(filter_max)
{
    return extreme(run, self, call, 1);
}

FILTER(filter_min)
{
    return extreme(run, self, call, -1);
}

FILTER(filter_batch)
{
    const struct jinja_list *from = jinja_iterate(run, self);
    const int64_t size = jinja_integer_argument(run, call->bound[0], 0);
    const bool fills = given(call->bound[1]) && call->bound[1].type != JINJA_NONE;
    struct jinja_list *list = jinja_list_new(&run->pool);
    struct jinja_list *row = NULL;
    if (size < 1 || size > 100000) {
        jinja_fail(run, STATUS_FORMAT, "batch: a size from 1 to 100000");
        return jinja_undefined();
    }
    for (size_t i = 0; i < from->count && jinja_going(run); i++) {
        if (!row || row->count == (size_t)size) {
            row = jinja_list_new(&run->pool);
            jinja_list_add(&run->pool, list, jinja_of_list(JINJA_LIST, row));
        }
        jinja_list_add(&run->pool, row, from->items[i]);
    }
    while (row && fills && row->count < (size_t)size && jinja_going(run))
        jinja_list_add(&run->pool, row, call->bound[1]);
    return jinja_of_list(JINJA_ITERATOR, list);
}

static const struct jinja_routine filters[] = {
    {"batch", "linecount fill_with", 1, filter_batch},
    {"count", "", 0, filter_length},
    {"dictsort", "case_sensitive by reverse", 0, filter_dictsort},
    {"first", "", 0, filter_first},
    {"items", "", 0, filter_items},
    {"join", "d attribute", 0, filter_join},
    {"last", "", 0, filter_last},
    {"length", "", 0, filter_length},
    {"list", "", 0, filter_list},
    {"map", "*", 0, filter_map},
    {"max", "case_sensitive attribute", 0, filter_max},
    {"min", "case_sensitive attribute", 0, filter_min},
    {"reject", "*", 0, filter_reject},
    {"rejectattr", "*", 0, filter_rejectattr},
    {"reverse", "", 0, filter_reverse},
    {"select", "*", 0, filter_select},
    {"selectattr", "*", 0, filter_selectattr},
    {"sort", "reverse case_sensitive attribute", 0, filter_sort},
    {"sum", "attribute start", 0, filter_sum},
    {"unique", "case_sensitive attribute", 0, filter_unique},
};

const struct jinja_routine *jinja_find_list_filter(const char *name)
{
    return jinja_find(filters, sizeof filters / sizeof *filters, name);
}
