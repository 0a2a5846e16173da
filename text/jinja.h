#ifndef HOLDFAST_TEXT_JINJA_H
#define HOLDFAST_TEXT_JINJA_H

#include "base/error.h"
#include "base/text_buffer.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Jinja, as transformers' apply_chat_template sets it up: ImmutableSandboxedEnvironment,
 * trim_blocks, lstrip_blocks, break and continue, raise_exception, strftime_now, tojson
 * without HTML escapes, {% generation %} (its body is rendered, the mark is not used).
 *
 *   statements  for/else (if, tuple targets), if/elif/else, set (block, filter, namespace),
 *               macro, filter, with, raw, break, continue, generation
 *   expressions all operators, ternaries, slices, filters, tests, calls with keywords,
 *               string and dict methods, range, dict, namespace, loop.*
 *   refused     include, import, extends, block, call, autoescape, recursive loops, * and
 * ** in calls, and what the tables of jinja_filters.c, jinja_tests.c and jinja_methods.c do
 * not list: STATUS_UNSUPPORTED, with line and column sandbox     methods that change a list
 * or a dict are undefined, as transformers has it
 *
 * Differences from Jinja2: integers are 64 bits wide (an overflow is an error); what an
 * unknown filter or test stands in is refused when the template is parsed, also where it
 * would never run; letters whose case maps to several letters (other than the German sharp
 * s) are refused by upper, lower, title, capitalize; refused too are \N{…} in strings, and
 * names that are not ASCII.
 *
 * Every byte of a rendered text knows where it came from: 0 the template, n the content of
 * message n - 1. Slices, strip, replace, join, case, tojson and so on keep the origin.
 */
struct jinja_template; /* opaque, immutable: may be rendered from several threads */

/* Syntax errors are STATUS_FORMAT. Messages begin "line 3, column 7: ". */
enum status jinja_parse(struct jinja_template **parsed, const char *source, size_t bytes,
                        struct error *error);
void jinja_free(struct jinja_template *parsed);

struct jinja_message {
    const char *role;
    const char *content;
};

struct jinja_variable {
    const char *name;
    const char *text;
};

enum { JINJA_MESSAGES_MAXIMUM = 65534 };

/* What the template sees. tools and documents are none, as in transformers. */
struct jinja_context {
    const struct jinja_message *messages;
    size_t message_count;
    bool add_generation_prompt;
    const struct jinja_variable *variables; /* bos_token, … */
    size_t variable_count;
    const cJSON *more; /* an object: further variables, they win; NULL: none */
};

struct jinja_output {
    struct text_buffer text;
    uint16_t *origins; /* [text.length] */
    size_t capacity;   /* of origins */
};
void jinja_output_release(struct jinja_output *output);

/*
 * Renders into `output` (replacing it). raise_exception() is STATUS_USAGE: the template
 * refuses the messages; what Jinja2 would refuse to compute is STATUS_FORMAT; a template
 * that takes more than 4 million steps, 128 MiB or 16 MiB of output is STATUS_LIMIT.
 */
enum status jinja_render(const struct jinja_template *parsed,
                         const struct jinja_context *context, struct jinja_output *output,
                         struct error *error);

#endif
