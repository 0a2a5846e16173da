#ifndef HOLDFAST_TEXT_JINJA_VALUE_H
#define HOLDFAST_TEXT_JINJA_VALUE_H

#include "text/jinja_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What expressions evaluate to: Python's values as far as templates meet them. All live
 * in the pool of a template (constants) or of a rendering, and none is changed once made,
 * except namespaces, iterators and lists under construction.
 */
enum jinja_type {
    JINJA_ABSENT, /* an argument that was not given */
    JINJA_UNDEFINED,
    JINJA_NONE,
    JINJA_BOOLEAN,
    JINJA_INTEGER,
    JINJA_FLOAT,
    JINJA_STRING,
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_DICT,
    JINJA_VIEW,     /* dict.keys(), .values(), .items(): a list that cannot be indexed */
    JINJA_ITERATOR, /* what map, select, … give: can be gone through once */
    JINJA_NAMESPACE,
    JINJA_MACRO,
    JINJA_FUNCTION, /* a global one */
    JINJA_METHOD,   /* bound to its object */
    JINJA_LOOP,
};

/* A string: UTF-8 and, unless it is all from the template, the origin of each byte. */
struct jinja_text {
    const char *bytes;
    const uint16_t *origins; /* NULL: all 0 */
    size_t length;
    bool markup; /* Markup of markupsafe: joining it to a plain string escapes that */
};

struct jinja_value {
    enum jinja_type type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        const struct jinja_text *text; /* STRING; UNDEFINED: what is undefined, or NULL */
        struct jinja_list *list;       /* LIST, TUPLE, VIEW, ITERATOR */
        struct jinja_dict *dict;       /* DICT, NAMESPACE */
        const struct jinja_macro *macro;
        const struct jinja_routine *routine;
        const struct jinja_method *method;
        struct jinja_loop *loop;
    };
};

struct jinja_list {
    struct jinja_value *items;
    size_t count;
    size_t capacity;
    size_t taken;     /* ITERATOR: how many are gone */
    const char *name; /* VIEW: dict_keys, … */
};

struct jinja_pair {
    struct jinja_value key;
    struct jinja_value value;
};

struct jinja_dict { /* in order of insertion */
    struct jinja_pair *pairs;
    size_t count;
    size_t capacity;
};

struct jinja_method {
    struct jinja_value self;
    const struct jinja_routine *routine;
};

struct jinja_loop {
    const struct jinja_list *items;
    size_t index;               /* from 0 */
    struct jinja_value changed; /* what loop.changed() was last given */
};

static inline struct jinja_value jinja_none(void)
{
    return (struct jinja_value){.type = JINJA_NONE};
}

static inline struct jinja_value jinja_undefined(void)
{
    return (struct jinja_value){.type = JINJA_UNDEFINED, .text = NULL};
}

static inline struct jinja_value jinja_boolean(bool boolean)
{
    return (struct jinja_value){.type = JINJA_BOOLEAN, .boolean = boolean};
}

static inline struct jinja_value jinja_integer(int64_t integer)
{
    return (struct jinja_value){.type = JINJA_INTEGER, .integer = integer};
}

static inline struct jinja_value jinja_float(double number)
{
    return (struct jinja_value){.type = JINJA_FLOAT, .number = number};
}

static inline struct jinja_value jinja_of_list(enum jinja_type type,
                                               struct jinja_list *list)
{
    return (struct jinja_value){.type = type, .list = list};
}

static inline struct jinja_value jinja_of_dict(struct jinja_dict *dict)
{
    return (struct jinja_value){.type = JINJA_DICT, .dict = dict};
}

static inline bool jinja_is_string(struct jinja_value value)
{
    return value.type == JINJA_STRING;
}

/* bool is an int in Python. */
static inline bool jinja_is_integer(struct jinja_value value)
{
    return value.type == JINJA_INTEGER || value.type == JINJA_BOOLEAN;
}

static inline bool jinja_is_number(struct jinja_value value)
{
    return jinja_is_integer(value) || value.type == JINJA_FLOAT;
}

static inline int64_t jinja_as_integer(struct jinja_value value)
{
    return value.type == JINJA_BOOLEAN ? value.boolean : value.integer;
}

static inline double jinja_as_number(struct jinja_value value)
{
    return value.type == JINJA_FLOAT ? value.number : (double)jinja_as_integer(value);
}

/* Makers; what they point to lies in `pool`. */
struct jinja_value jinja_string(struct jinja_pool *pool, const char *bytes, size_t length);
struct jinja_value jinja_string_of(struct jinja_pool *pool, const char *text);
struct jinja_value jinja_undefined_named(struct jinja_pool *pool, const char *name);
/* bytes [from, to) of a text, origins kept */
struct jinja_value jinja_part(struct jinja_pool *pool, const struct jinja_text *text,
                              size_t from, size_t to);
struct jinja_list *jinja_list_new(struct jinja_pool *pool);
void jinja_list_add(struct jinja_pool *pool, struct jinja_list *list,
                    struct jinja_value item);
struct jinja_value jinja_pair_tuple(struct jinja_pool *pool, struct jinja_value first,
                                    struct jinja_value second);
struct jinja_dict *jinja_dict_new(struct jinja_pool *pool);
/* Replaces the value of a key that is there. */
void jinja_dict_set(struct jinja_pool *pool, struct jinja_dict *dict,
                    struct jinja_value key, struct jinja_value value);
/* NULL if it is not there. */
const struct jinja_value *jinja_dict_get(struct jinja_pool *pool,
                                         const struct jinja_dict *dict,
                                         struct jinja_value key);
const struct jinja_value *jinja_dict_get_name(const struct jinja_dict *dict,
                                              const char *name);

bool jinja_truth(struct jinja_value value);
/* Python's ==. What lies deeper than 64 levels exhausts the pool. */
bool jinja_equal(struct jinja_pool *pool, struct jinja_value left,
                 struct jinja_value right);
bool jinja_text_is(const struct jinja_text *text, const char *word);
/* As Python names the type in its messages. */
const char *jinja_type_name(struct jinja_value value);

/* Code points of a text, and the byte where code point `index` starts. */
size_t jinja_text_count(const struct jinja_text *text);
size_t jinja_text_offset(const struct jinja_text *text, size_t index);

/*
 * A string under construction. Appending stops (and cuts) once the pool is exhausted.
 *     struct jinja_builder out = {.pool = pool};
 */
struct jinja_builder {
    struct jinja_pool *pool;
    char *bytes;
    uint16_t *origins; /* NULL: all 0 so far */
    size_t length;
    size_t capacity;
};
void jinja_build_bytes(struct jinja_builder *out, const char *bytes, size_t count,
                       uint16_t origin);
void jinja_build(struct jinja_builder *out, const char *text); /* of the template */
void jinja_build_part(struct jinja_builder *out, const struct jinja_text *text, size_t from,
                      size_t to);
void jinja_build_text(struct jinja_builder *out, const struct jinja_text *text);
struct jinja_value jinja_built(struct jinja_builder *out);

#endif
