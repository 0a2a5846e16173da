/* Names, errors and limits of a rendering, and how arguments reach what is called. */
#include "text/jinja_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void jinja_fail(struct jinja_run *run, enum status status, const char *format, ...)
{
    char words[ERROR_MESSAGE_BYTES * 3 / 4];
    char place[JINJA_PLACE_BYTES];
    va_list arguments;
    if (run->failed)
        return;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    jinja_place(place, &run->parsed->source, run->at);
    error_set(run->error, status, "%s: %s", place, words);
    run->failed = true;
}

bool jinja_going(struct jinja_run *run)
{
    jinja_pool_charge(&run->pool, 1);
    if (run->pool.exhausted)
        jinja_fail(run, STATUS_LIMIT,
                   "the template takes more than %zu steps or %zu MiB: it was stopped",
                   run->pool.limit_steps, run->pool.limit_bytes >> 20);
    return !run->failed;
}

void jinja_scope_enter(struct jinja_run *run)
{
    struct jinja_scope *scope = jinja_pool_allocate(&run->pool, sizeof *scope);
    scope->parent = run->scope;
    run->scope = scope;
}

void jinja_scope_leave(struct jinja_run *run)
{
    run->scope = run->scope->parent;
}

static struct jinja_variable_slot *
find_slot(struct jinja_run *run, const struct jinja_scope *scope, const char *name)
{
    struct jinja_variable_slot *slot = scope->slots;
    size_t steps = 0;
    for (; slot && strcmp(slot->name, name) != 0; slot = slot->next)
        steps++;
    jinja_pool_charge(&run->pool, steps / 8);
    return slot;
}

void jinja_scope_set(struct jinja_run *run, const char *name, struct jinja_value value)
{
    struct jinja_variable_slot *slot = find_slot(run, run->scope, name);
    if (!slot) {
        slot = jinja_pool_allocate(&run->pool, sizeof *slot);
        slot->name = name;
        slot->next = run->scope->slots;
        run->scope->slots = slot;
    }
    slot->value = value;
}

struct jinja_value jinja_scope_get(struct jinja_run *run, const char *name)
{
    for (const struct jinja_scope *scope = run->scope; scope; scope = scope->parent) {
        const struct jinja_variable_slot *slot = find_slot(run, scope, name);
        if (slot)
            return slot->value;
    }
    const struct jinja_routine *global = jinja_find_global(name);
    if (global)
        return (struct jinja_value){.type = JINJA_FUNCTION, .routine = global};
    return jinja_undefined_named(&run->pool, name);
}

const struct jinja_routine *jinja_find(const struct jinja_routine *table, size_t count,
                                       const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* The index of `name` among "one two three"; *count is how many there are. */
static int parameter_index(const char *parameters, const char *name, int *count)
{
    int found = -1;
    *count = 0;
    for (const char *at = parameters; *at;) {
        const size_t length = strcspn(at, " ");
        if (name && strlen(name) == length && memcmp(at, name, length) == 0)
            found = *count;
        ++*count;
        at += length + strspn(at + length, " ");
    }
    return found;
}

static void bind_names(struct jinja_run *run, const struct jinja_routine *routine,
                       const struct jinja_arguments *arguments, struct jinja_call *call)
{
    for (size_t i = 0; i < arguments->named_count; i++) {
        int count;
        const char *name = arguments->names[i];
        const int index = parameter_index(routine->parameters, name, &count);
        if (index < 0 || call->bound[index].type != JINJA_ABSENT) {
            jinja_fail(run, STATUS_UNSUPPORTED,
                       "%s: an argument \"%s\" is not known, or given twice", routine->name,
                       name);
            return;
        }
        call->bound[index] = arguments->named[i];
    }
}

static void bind(struct jinja_run *run, const struct jinja_routine *routine,
                 const struct jinja_arguments *arguments, struct jinja_call *call)
{
    int count;
    (void)parameter_index(routine->parameters, NULL, &count);
    CHECK(count <= JINJA_PARAMETERS_MAXIMUM);
    if (arguments->count > (size_t)count) {
        jinja_fail(run, STATUS_FORMAT, "%s: more than %d arguments", routine->name, count);
        return;
    }
    for (size_t i = 0; i < arguments->count; i++)
        call->bound[i] = arguments->items[i];
    bind_names(run, routine, arguments, call);
    for (int i = 0; i < routine->required; i++)
        if (call->bound[i].type == JINJA_ABSENT)
            jinja_fail(run, STATUS_FORMAT, "%s: an argument is missing (%s)", routine->name,
                       routine->parameters);
}

struct jinja_value jinja_call_routine(struct jinja_run *run,
                                      const struct jinja_routine *routine,
                                      struct jinja_value self,
                                      const struct jinja_arguments *arguments)
{
    struct jinja_call call = {.arguments = *arguments};
    if (strcmp(routine->parameters, "*") != 0)
        bind(run, routine, arguments, &call);
    return run->failed ? jinja_undefined() : routine->call(run, self, &call);
}

int64_t jinja_integer_argument(struct jinja_run *run, struct jinja_value value,
                               int64_t fallback)
{
    if (value.type == JINJA_ABSENT)
        return fallback;
    if (jinja_is_integer(value))
        return jinja_as_integer(value);
    jinja_fail(run, STATUS_FORMAT, "expected a whole number, not %s",
               jinja_type_name(value));
    return fallback;
}

const struct jinja_text *jinja_text_argument(struct jinja_run *run,
                                             struct jinja_value value)
{
    static const struct jinja_text empty = {.bytes = ""};
    if (jinja_is_string(value))
        return value.text;
    jinja_fail(run, STATUS_FORMAT, "expected a string, not %s", jinja_type_name(value));
    return &empty;
}
