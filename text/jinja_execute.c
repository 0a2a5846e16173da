/* Statements. */
#include "text/jinja.h"
#include "text/jinja_run.h"

#include <stdlib.h>
#include <string.h>

enum { EXECUTE_DEPTH_MAXIMUM = 800 };

static void assign(struct jinja_run *run, const struct jinja_node *target,
                   struct jinja_value value);

static void assign_tuple(struct jinja_run *run, const struct jinja_node *target,
                         struct jinja_value value)
{
    const struct jinja_list *parts = jinja_iterate(run, value);
    size_t wanted = 0;
    for (const struct jinja_node *item = target->items; item; item = item->next)
        wanted++;
    if (!run->failed && parts->count != wanted)
        jinja_fail(run, STATUS_FORMAT, "%zu values for %zu names", parts->count, wanted);
    size_t index = 0;
    for (const struct jinja_node *item = target->items; item && !run->failed;
         item = item->next)
        assign(run, item, parts->items[index++]);
}

static void assign(struct jinja_run *run, const struct jinja_node *target,
                   struct jinja_value value)
{
    run->at = target->at;
    if (target->kind == NODE_TUPLE) {
        assign_tuple(run, target, value);
        return;
    }
    if (target->kind == NODE_NAME) {
        jinja_scope_set(run, target->name, value);
        return;
    }
    const struct jinja_value of = jinja_scope_get(run, target->a->name);
    if (of.type != JINJA_NAMESPACE)
        jinja_fail(run, STATUS_FORMAT, "cannot assign attribute on non-namespace object");
    else
        jinja_dict_set(&run->pool, of.dict, jinja_string_of(&run->pool, target->name),
                       value);
}

/* What a body prints, as a string. */
static struct jinja_value capture(struct jinja_run *run, const struct jinja_node *body)
{
    struct jinja_builder inner = {.pool = &run->pool};
    struct jinja_builder *outer = run->out;
    run->out = &inner;
    jinja_execute(run, body);
    run->out = outer;
    return jinja_built(&inner);
}

static struct jinja_value capture_scoped(struct jinja_run *run,
                                         const struct jinja_node *body)
{
    jinja_scope_enter(run);
    const struct jinja_value text = capture(run, body);
    jinja_scope_leave(run);
    return text;
}

static void execute_set_block(struct jinja_run *run, const struct jinja_node *node)
{
    struct jinja_value text = capture_scoped(run, node->body);
    if (node->b && !run->failed)
        text = jinja_filter_text(run, node->b, text);
    if (!run->failed)
        assign(run, node->a, text);
}

static void print(struct jinja_run *run, struct jinja_value value)
{
    const struct jinja_value text = run->failed ? value : jinja_str(run, value);
    if (!run->failed)
        jinja_build_text(run->out, text.text);
}

static void execute_filter_block(struct jinja_run *run, const struct jinja_node *node)
{
    const struct jinja_value text = capture_scoped(run, node->body);
    if (!run->failed)
        print(run, jinja_filter_text(run, node->b, text));
}

/* The items that pass the "if" of a loop. */
static const struct jinja_list *loop_items(struct jinja_run *run,
                                           const struct jinja_node *node)
{
    const struct jinja_value value = jinja_evaluate(run, node->b);
    run->at = node->b->at;
    const struct jinja_list *all = jinja_iterate(run, value);
    if (!node->c)
        return all;
    struct jinja_list *some = jinja_list_new(&run->pool);
    for (size_t i = 0; i < all->count && jinja_going(run); i++) {
        jinja_scope_enter(run);
        assign(run, node->a, all->items[i]);
        if (!run->failed && jinja_truth(jinja_evaluate(run, node->c)))
            jinja_list_add(&run->pool, some, all->items[i]);
        jinja_scope_leave(run);
    }
    return some;
}

static void execute_for(struct jinja_run *run, const struct jinja_node *node)
{
    const struct jinja_list *items = loop_items(run, node);
    struct jinja_loop *loop = jinja_pool_allocate(&run->pool, sizeof *loop);
    bool is_run = false; /* some pass came to its end: else Jinja2 takes the "else", too */
    *loop = (struct jinja_loop){.items = items};
    for (size_t i = 0; i < items->count && jinja_going(run); i++) {
        loop->index = i;
        jinja_scope_enter(run);
        jinja_scope_set(run, "loop",
                        (struct jinja_value){.type = JINJA_LOOP, .loop = loop});
        assign(run, node->a, items->items[i]);
        jinja_execute(run, node->body);
        jinja_scope_leave(run);
        const enum jinja_leaving leaving = run->leaving;
        run->leaving = LEAVING_NOT;
        is_run = is_run || leaving == LEAVING_NOT;
        if (leaving == LEAVING_BREAK)
            break;
    }
    if (is_run || !node->otherwise || !jinja_going(run))
        return;
    jinja_scope_enter(run);
    jinja_execute(run, node->otherwise);
    jinja_scope_leave(run);
}

static void execute_with(struct jinja_run *run, const struct jinja_node *node)
{
    struct jinja_list *values = jinja_list_new(&run->pool);
    size_t index = 0;
    for (const struct jinja_node *pair = node->items; pair; pair = pair->next)
        jinja_list_add(&run->pool, values, jinja_evaluate(run, pair->b));
    jinja_scope_enter(run);
    for (const struct jinja_node *pair = node->items; pair && !run->failed;
         pair = pair->next)
        assign(run, pair->a, values->items[index++]);
    jinja_execute(run, node->body);
    jinja_scope_leave(run);
}

static void execute_macro(struct jinja_run *run, const struct jinja_node *node)
{
    struct jinja_macro *macro = jinja_pool_allocate(&run->pool, sizeof *macro);
    *macro = (struct jinja_macro){node, run->scope};
    jinja_scope_set(run, node->name,
                    (struct jinja_value){.type = JINJA_MACRO, .macro = macro});
}

/* The argument for one parameter: by place, by name, by default, or undefined. */
static struct jinja_value macro_argument(struct jinja_run *run,
                                         const struct jinja_node *parameter, size_t index,
                                         const struct jinja_arguments *arguments,
                                         size_t *named_used)
{
    if (index < arguments->count)
        return arguments->items[index];
    for (size_t i = 0; i < arguments->named_count; i++)
        if (strcmp(arguments->names[i], parameter->name) == 0) {
            ++*named_used;
            return arguments->named[i];
        }
    if (parameter->a)
        return jinja_evaluate(run, parameter->a);
    return jinja_undefined_named(&run->pool, parameter->name);
}

static void bind_parameters(struct jinja_run *run, const struct jinja_node *node,
                            const struct jinja_arguments *arguments)
{
    size_t index = 0;
    size_t named_used = 0;
    for (const struct jinja_node *parameter = node->items; parameter && !run->failed;
         parameter = parameter->next, index++)
        jinja_scope_set(run, parameter->name,
                        macro_argument(run, parameter, index, arguments, &named_used));
    if (arguments->count > index || arguments->named_count > named_used)
        jinja_fail(run, STATUS_FORMAT,
                   "the macro \"%s\" has no place for one of these arguments", node->name);
}

struct jinja_value jinja_call_macro(struct jinja_run *run, const struct jinja_macro *macro,
                                    const struct jinja_arguments *arguments)
{
    struct jinja_scope *caller = run->scope;
    run->scope = macro->scope;
    jinja_scope_enter(run);
    bind_parameters(run, macro->node, arguments);
    const struct jinja_value text =
        run->failed ? jinja_undefined() : capture(run, macro->node->body);
    run->scope = caller;
    return text;
}

static void execute_scope(struct jinja_run *run, const struct jinja_node *node)
{
    jinja_scope_enter(run);
    jinja_execute(run, node->body);
    jinja_scope_leave(run);
}

static void execute_if(struct jinja_run *run, const struct jinja_node *node)
{
    while (node && node->kind == NODE_IF && !run->failed) {
        if (jinja_truth(jinja_evaluate(run, node->a))) {
            jinja_execute(run, node->body);
            return;
        }
        if (!node->otherwise || node->otherwise->kind != NODE_IF || node->otherwise->next)
            break;
        node = node->otherwise;
    }
    if (!run->failed)
        jinja_execute(run, node->otherwise);
}

static void execute_one(struct jinja_run *run, const struct jinja_node *node)
{
    switch (node->kind) {
    case NODE_DATA:
        jinja_build_text(run->out, node->value.text);
        break;
    case NODE_PRINT:
        print(run, jinja_evaluate(run, node->a));
        break;
    case NODE_FOR:
        execute_for(run, node);
        break;
    case NODE_IF:
        execute_if(run, node);
        break;
    case NODE_SET:
        assign(run, node->a, jinja_evaluate(run, node->b));
        break;
    case NODE_SET_BLOCK:
        execute_set_block(run, node);
        break;
    case NODE_FILTER_BLOCK:
        execute_filter_block(run, node);
        break;
    case NODE_MACRO:
        execute_macro(run, node);
        break;
    case NODE_WITH:
        execute_with(run, node);
        break;
    case NODE_SCOPE:
        execute_scope(run, node);
        break;
    case NODE_BREAK:
    case NODE_CONTINUE:
        run->leaving = node->kind == NODE_BREAK ? LEAVING_BREAK : LEAVING_CONTINUE;
        break;
    default:
        CHECK(false && "a statement");
    }
}

void jinja_execute(struct jinja_run *run, const struct jinja_node *body)
{
    if (run->depth >= EXECUTE_DEPTH_MAXIMUM)
        jinja_fail(run, STATUS_LIMIT, "nested too deeply");
    run->depth++;
    for (; body && run->leaving == LEAVING_NOT && jinja_going(run); body = body->next) {
        run->at = body->at;
        execute_one(run, body);
    }
    run->depth--;
}
