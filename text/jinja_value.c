#include "text/jinja_value.h"

#include "base/error.h"

#include <string.h>

enum { EQUAL_DEPTH_MAXIMUM = 64 };

struct jinja_value jinja_string(struct jinja_pool *pool, const char *bytes, size_t length)
{
    struct jinja_text *text = jinja_pool_allocate(pool, sizeof *text);
    *text = (struct jinja_text){.bytes = bytes, .length = length};
    return (struct jinja_value){.type = JINJA_STRING, .text = text};
}

struct jinja_value jinja_string_of(struct jinja_pool *pool, const char *text)
{
    const size_t length = strlen(text);
    return jinja_string(pool, jinja_pool_copy(pool, text, length), length);
}

struct jinja_value jinja_undefined_named(struct jinja_pool *pool, const char *name)
{
    struct jinja_value value = jinja_string_of(pool, name);
    value.type = JINJA_UNDEFINED;
    return value;
}

struct jinja_value jinja_part(struct jinja_pool *pool, const struct jinja_text *text,
                              size_t from, size_t to)
{
    struct jinja_text *part = jinja_pool_allocate(pool, sizeof *part);
    CHECK(from <= to && to <= text->length);
    *part = *text;
    part->bytes += from;
    part->length = to - from;
    if (part->origins)
        part->origins += from;
    return (struct jinja_value){.type = JINJA_STRING, .text = part};
}

struct jinja_list *jinja_list_new(struct jinja_pool *pool)
{
    return jinja_pool_allocate(pool, sizeof(struct jinja_list));
}

void jinja_list_add(struct jinja_pool *pool, struct jinja_list *list,
                    struct jinja_value item)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 4;
        struct jinja_value *items = jinja_pool_array(pool, capacity, sizeof *items);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

struct jinja_value jinja_pair_tuple(struct jinja_pool *pool, struct jinja_value first,
                                    struct jinja_value second)
{
    struct jinja_list *pair = jinja_list_new(pool);
    jinja_list_add(pool, pair, first);
    jinja_list_add(pool, pair, second);
    return jinja_of_list(JINJA_TUPLE, pair);
}

struct jinja_dict *jinja_dict_new(struct jinja_pool *pool)
{
    return jinja_pool_allocate(pool, sizeof(struct jinja_dict));
}

static bool equal_at(struct jinja_pool *pool, struct jinja_value left,
                     struct jinja_value right, int depth);

static struct jinja_pair *find_pair(struct jinja_pool *pool, const struct jinja_dict *dict,
                                    struct jinja_value key, int depth)
{
    for (size_t i = 0; i < dict->count; i++)
        if (equal_at(pool, dict->pairs[i].key, key, depth))
            return &dict->pairs[i];
    return NULL;
}

void jinja_dict_set(struct jinja_pool *pool, struct jinja_dict *dict,
                    struct jinja_value key, struct jinja_value value)
{
    struct jinja_pair *pair = find_pair(pool, dict, key, 0);
    if (pair) {
        pair->value = value;
        return;
    }
    if (dict->count == dict->capacity) {
        const size_t capacity = dict->capacity ? 2 * dict->capacity : 4;
        struct jinja_pair *pairs = jinja_pool_array(pool, capacity, sizeof *pairs);
        if (dict->count > 0)
            memcpy(pairs, dict->pairs, dict->count * sizeof *pairs);
        dict->pairs = pairs;
        dict->capacity = capacity;
    }
    dict->pairs[dict->count++] = (struct jinja_pair){key, value};
}

const struct jinja_value *jinja_dict_get(struct jinja_pool *pool,
                                         const struct jinja_dict *dict,
                                         struct jinja_value key)
{
    const struct jinja_pair *pair = find_pair(pool, dict, key, 0);
    return pair ? &pair->value : NULL;
}

const struct jinja_value *jinja_dict_get_name(const struct jinja_dict *dict,
                                              const char *name)
{
    for (size_t i = 0; i < dict->count; i++)
        if (jinja_is_string(dict->pairs[i].key) &&
            jinja_text_is(dict->pairs[i].key.text, name))
            return &dict->pairs[i].value;
    return NULL;
}

bool jinja_truth(struct jinja_value value)
{
    switch (value.type) {
    case JINJA_ABSENT:
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return false;
    case JINJA_BOOLEAN:
        return value.boolean;
    case JINJA_INTEGER:
        return value.integer != 0;
    case JINJA_FLOAT:
        return value.number != 0;
    case JINJA_STRING:
        return value.text->length > 0;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_VIEW:
        return value.list->count > 0;
    case JINJA_DICT:
        return value.dict->count > 0;
    default:
        return true;
    }
}

static bool equal_lists(struct jinja_pool *pool, const struct jinja_list *left,
                        const struct jinja_list *right, int depth)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++)
        if (!equal_at(pool, left->items[i], right->items[i], depth))
            return false;
    return true;
}

static bool equal_dicts(struct jinja_pool *pool, const struct jinja_dict *left,
                        const struct jinja_dict *right, int depth)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++) {
        const struct jinja_pair *other = find_pair(pool, right, left->pairs[i].key, depth);
        if (!other || !equal_at(pool, left->pairs[i].value, other->value, depth))
            return false;
    }
    return true;
}

static bool equal_texts(struct jinja_pool *pool, const struct jinja_text *left,
                        const struct jinja_text *right)
{
    jinja_pool_charge(pool, left->length / 64);
    return left->length == right->length &&
           (left->length == 0 || memcmp(left->bytes, right->bytes, left->length) == 0);
}

static bool equal_at(struct jinja_pool *pool, struct jinja_value left,
                     struct jinja_value right, int depth)
{
    jinja_pool_charge(pool, depth > EQUAL_DEPTH_MAXIMUM ? pool->limit_steps : 1);
    if (pool->exhausted)
        return false;
    if (jinja_is_integer(left) && jinja_is_integer(right))
        return jinja_as_integer(left) == jinja_as_integer(right);
    if (jinja_is_number(left) && jinja_is_number(right))
        return jinja_as_number(left) >= jinja_as_number(right) &&
               jinja_as_number(left) <= jinja_as_number(right);
    if (left.type != right.type)
        return false;
    switch (left.type) {
    case JINJA_STRING:
        return equal_texts(pool, left.text, right.text);
    case JINJA_LIST:
    case JINJA_TUPLE:
        return equal_lists(pool, left.list, right.list, depth + 1);
    case JINJA_DICT:
        return equal_dicts(pool, left.dict, right.dict, depth + 1);
    case JINJA_ABSENT:
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return true;
    default:
        return left.list == right.list; /* the same object */
    }
}

bool jinja_equal(struct jinja_pool *pool, struct jinja_value left, struct jinja_value right)
{
    return equal_at(pool, left, right, 0);
}

bool jinja_text_is(const struct jinja_text *text, const char *word)
{
    const size_t length = strlen(word);
    return text->length == length && memcmp(text->bytes, word, length) == 0;
}

const char *jinja_type_name(struct jinja_value value)
{
    static const char *const names[] = {
        [JINJA_ABSENT] = "nothing",      [JINJA_UNDEFINED] = "undefined",
        [JINJA_NONE] = "none",           [JINJA_BOOLEAN] = "bool",
        [JINJA_INTEGER] = "int",         [JINJA_FLOAT] = "float",
        [JINJA_STRING] = "str",          [JINJA_LIST] = "list",
        [JINJA_TUPLE] = "tuple",         [JINJA_DICT] = "dict",
        [JINJA_VIEW] = "dict view",      [JINJA_ITERATOR] = "generator",
        [JINJA_NAMESPACE] = "namespace", [JINJA_MACRO] = "macro",
        [JINJA_FUNCTION] = "function",   [JINJA_METHOD] = "method",
        [JINJA_LOOP] = "loop",
    };
    return names[value.type];
}

static bool starts_code_point(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

size_t jinja_text_count(const struct jinja_text *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->length; i++)
        count += starts_code_point(text->bytes[i]);
    return count;
}

size_t jinja_text_offset(const struct jinja_text *text, size_t index)
{
    for (size_t i = 0; i < text->length; i++)
        if (starts_code_point(text->bytes[i]) && index-- == 0)
            return i;
    return text->length;
}

/* Room for `count` more bytes; false once the pool is exhausted. */
static bool builder_reserve(struct jinja_builder *out, size_t count)
{
    if (out->pool->exhausted || count > out->pool->limit_bytes) {
        out->pool->exhausted = true;
        return false;
    }
    if (out->length + count <= out->capacity)
        return true;
    size_t capacity = out->capacity ? 2 * out->capacity : 32;
    if (capacity < out->length + count)
        capacity = out->length + count;
    out->bytes = memcpy(jinja_pool_allocate(out->pool, capacity),
                        out->bytes ? out->bytes : "", out->length);
    if (out->origins)
        out->origins = memcpy(jinja_pool_array(out->pool, capacity, sizeof *out->origins),
                              out->origins, out->length * sizeof *out->origins);
    out->capacity = capacity;
    return true;
}

static void builder_mark(struct jinja_builder *out)
{
    if (!out->origins)
        out->origins = jinja_pool_array(out->pool, out->capacity, sizeof *out->origins);
}

void jinja_build_bytes(struct jinja_builder *out, const char *bytes, size_t count,
                       uint16_t origin)
{
    if (count == 0 || !builder_reserve(out, count))
        return;
    memcpy(out->bytes + out->length, bytes, count);
    if (origin || out->origins) {
        builder_mark(out);
        for (size_t i = 0; i < count; i++)
            out->origins[out->length + i] = origin;
    }
    out->length += count;
}

void jinja_build(struct jinja_builder *out, const char *text)
{
    jinja_build_bytes(out, text, strlen(text), 0);
}

void jinja_build_part(struct jinja_builder *out, const struct jinja_text *text, size_t from,
                      size_t to)
{
    const size_t length = out->length;
    jinja_build_bytes(out, text->bytes + from, to - from, 0);
    if (!text->origins || out->length == length)
        return;
    builder_mark(out);
    memcpy(out->origins + length, text->origins + from, (to - from) * sizeof *out->origins);
}

void jinja_build_text(struct jinja_builder *out, const struct jinja_text *text)
{
    jinja_build_part(out, text, 0, text->length);
}

struct jinja_value jinja_built(struct jinja_builder *out)
{
    struct jinja_text *text = jinja_pool_allocate(out->pool, sizeof *text);
    *text = (struct jinja_text){.bytes = out->bytes ? out->bytes : "",
                                .origins = out->origins,
                                .length = out->length};
    return (struct jinja_value){.type = JINJA_STRING, .text = text};
}
