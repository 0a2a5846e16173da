#ifndef HOLDFAST_TEXT_JINJA_RUN_H
#define HOLDFAST_TEXT_JINJA_RUN_H

#include "text/jinja_node.h"

/*
 * One rendering. The first error sticks: after it every function gives undefined, and
 * whoever loops stops when jinja_going() says no.
 */
struct jinja_variable_slot {
    const char *name;
    struct jinja_value value;
    struct jinja_variable_slot *next;
};

struct jinja_scope {
    struct jinja_scope *parent; /* NULL: the outermost, which holds the context */
    struct jinja_variable_slot *slots;
};

enum jinja_leaving { LEAVING_NOT, LEAVING_BREAK, LEAVING_CONTINUE };

struct jinja_run {
    const struct jinja_template *parsed;
    struct jinja_pool pool;
    struct error *error; /* not NULL */
    bool failed;
    uint32_t at; /* byte of the source of what is evaluated */
    int depth;
    struct jinja_scope *scope;
    struct jinja_builder *out;
    enum jinja_leaving leaving;
};

void jinja_fail(struct jinja_run *run, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Counts a step; false once there was an error or a limit is passed. */
bool jinja_going(struct jinja_run *run);

/* The arguments of a call, in order of appearance. */
struct jinja_arguments {
    const struct jinja_value *items;
    size_t count;
    const char *const *names; /* of the keyword arguments */
    const struct jinja_value *named;
    size_t named_count;
};

/*
 * A filter, a test, a method or a global function. `parameters` are their names, set
 * apart by spaces; "*" leaves the arguments as they are.
 */
enum { JINJA_PARAMETERS_MAXIMUM = 6 };
struct jinja_call {
    struct jinja_value bound[JINJA_PARAMETERS_MAXIMUM]; /* JINJA_ABSENT: not given */
    struct jinja_arguments arguments;                   /* for "*" */
};
typedef struct jinja_value jinja_routine_call(struct jinja_run *run,
                                              struct jinja_value self,
                                              const struct jinja_call *call);
struct jinja_routine {
    const char *name;
    const char *parameters;
    int required;
    jinja_routine_call *call;
};
struct jinja_value jinja_call_routine(struct jinja_run *run,
                                      const struct jinja_routine *routine,
                                      struct jinja_value self,
                                      const struct jinja_arguments *arguments);

struct jinja_macro {
    const struct jinja_node *node;
    struct jinja_scope *scope; /* where it was defined */
};

/* The tables. NULL: no such thing. */
const struct jinja_routine *jinja_find(const struct jinja_routine *table, size_t count,
                                       const char *name);
const struct jinja_routine *jinja_find_filter(const char *name);
const struct jinja_routine *jinja_find_list_filter(const char *name);
const struct jinja_routine *jinja_find_test(const char *name);
const struct jinja_routine *jinja_find_global(const char *name);
const struct jinja_routine *jinja_find_string_method(const char *name);
const struct jinja_routine *jinja_find_dict_method(const char *name);
const struct jinja_routine *jinja_find_loop_method(const char *name);

/* jinja_evaluate.c, jinja_execute.c */
struct jinja_value jinja_evaluate(struct jinja_run *run, const struct jinja_node *node);
struct jinja_value jinja_call_value(struct jinja_run *run, struct jinja_value callee,
                                    const struct jinja_arguments *arguments);
void jinja_execute(struct jinja_run *run, const struct jinja_node *body);
struct jinja_value jinja_call_macro(struct jinja_run *run, const struct jinja_macro *macro,
                                    const struct jinja_arguments *arguments);
/* A filter chain on the text of a block. */
struct jinja_value jinja_filter_text(struct jinja_run *run, const struct jinja_node *filter,
                                     struct jinja_value text);

/* jinja_scope.c */
void jinja_scope_enter(struct jinja_run *run);
void jinja_scope_leave(struct jinja_run *run);
void jinja_scope_set(struct jinja_run *run, const char *name, struct jinja_value value);
struct jinja_value jinja_scope_get(struct jinja_run *run, const char *name);

/* jinja_operators.c */
struct jinja_value jinja_binary(struct jinja_run *run, const char *operator,
                                struct jinja_value left, struct jinja_value right);
struct jinja_value jinja_negate(struct jinja_run *run, struct jinja_value value);
bool jinja_contains(struct jinja_run *run, struct jinja_value in, struct jinja_value what);
/* < 0, 0, > 0; fails where Python does not order the two. */
int jinja_order(struct jinja_run *run, struct jinja_value left, struct jinja_value right);
bool jinja_compare(struct jinja_run *run, const char *operator, struct jinja_value left,
                   struct jinja_value right);
/* Strings joined as + does it: markup escapes what is none. */
struct jinja_value jinja_concat(struct jinja_run *run, struct jinja_value left,
                                struct jinja_value right);
struct jinja_value jinja_escape(struct jinja_run *run, struct jinja_value value);
struct jinja_value jinja_printf(struct jinja_run *run, const struct jinja_text *format,
                                const struct jinja_list *values);

/* jinja_access.c */
struct jinja_value jinja_attribute(struct jinja_run *run, struct jinja_value of,
                                   const char *name);
struct jinja_value jinja_item(struct jinja_run *run, struct jinja_value of,
                              struct jinja_value key);
struct jinja_value jinja_slice(struct jinja_run *run, struct jinja_value of,
                               const struct jinja_value bounds[3]);
/* Goes through a value as "for" does; an iterator is used up by it. */
const struct jinja_list *jinja_iterate(struct jinja_run *run, struct jinja_value value);
/* len() of a value; -1 and an error where it has none. */
int64_t jinja_length(struct jinja_run *run, struct jinja_value value);

/* jinja_print.c: Python's str() and repr(), json.dumps() */
struct jinja_value jinja_str(struct jinja_run *run, struct jinja_value value);
struct json_style {
    bool ascii;
    bool sort_keys;
    const char *indent; /* NULL: one line */
    struct jinja_value item_separator;
    struct jinja_value key_separator;
};
struct jinja_value jinja_dump_json(struct jinja_run *run, struct jinja_value value,
                                   const struct json_style *style);

/* jinja_case.c */
bool jinja_is_space(uint32_t code_point); /* Python's str.isspace() */
enum jinja_case { CASE_UPPER, CASE_LOWER, CASE_TITLE, CASE_CAPITALIZE, CASE_WORDS };
struct jinja_value jinja_change_case(struct jinja_run *run, const struct jinja_text *text,
                                     enum jinja_case to);
/* strip(), with `characters` NULL for white space. */
enum jinja_sides { SIDE_LEFT = 1, SIDE_RIGHT = 2, SIDE_BOTH = 3 };
struct jinja_value jinja_strip(struct jinja_run *run, const struct jinja_text *text,
                               const struct jinja_text *characters, enum jinja_sides sides);
/* Bytes of the line end at byte `at`, as str.splitlines() sees it; 0: there is none. */
size_t jinja_line_end(const struct jinja_text *text, size_t at);
/* The first place of `needle` in [from, length); SIZE_MAX if there is none. */
size_t jinja_text_find(struct jinja_run *run, const struct jinja_text *text, size_t from,
                       const struct jinja_text *needle);
struct jinja_value jinja_replace(struct jinja_run *run, const struct jinja_text *text,
                                 const struct jinja_text *from, const struct jinja_text *to,
                                 int64_t limit);

/* Arguments as Python takes them; `fallback` where it is absent. */
int64_t jinja_integer_argument(struct jinja_run *run, struct jinja_value value,
                               int64_t fallback);
const struct jinja_text *jinja_text_argument(struct jinja_run *run,
                                             struct jinja_value value);

#endif
