/* Expressions. */
#include "text/jinja_run.h"

#include <string.h>

enum { EVALUATE_DEPTH_MAXIMUM = 800 };

static struct jinja_list *evaluate_list(struct jinja_run *run,
                                        const struct jinja_node *items)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (; items && !run->failed; items = items->next)
        jinja_list_add(&run->pool, list, jinja_evaluate(run, items));
    return list;
}

static bool is_hashable(struct jinja_value key)
{
    return key.type != JINJA_LIST && key.type != JINJA_DICT;
}

static struct jinja_value evaluate_dict(struct jinja_run *run,
                                        const struct jinja_node *node)
{
    struct jinja_dict *dict = jinja_dict_new(&run->pool);
    for (const struct jinja_node *pair = node->items; pair && !run->failed;
         pair = pair->next) {
        const struct jinja_value key = jinja_evaluate(run, pair->a);
        const struct jinja_value value = jinja_evaluate(run, pair->b);
        if (!is_hashable(key))
            jinja_fail(run, STATUS_FORMAT, "a %s cannot be a key", jinja_type_name(key));
        jinja_dict_set(&run->pool, dict, key, value);
    }
    return jinja_of_dict(dict);
}

/* Evaluates what stands between the brackets of a call, in order. */
static struct jinja_arguments evaluate_arguments(struct jinja_run *run,
                                                 const struct jinja_node *node)
{
    struct jinja_list *items = evaluate_list(run, node->items);
    struct jinja_list *named = jinja_list_new(&run->pool);
    size_t count = 0;
    for (const struct jinja_node *keyword = node->keywords; keyword;
         keyword = keyword->next)
        count++;
    const char **names = jinja_pool_array(&run->pool, count + 1, sizeof *names);
    for (const struct jinja_node *keyword = node->keywords; keyword && !run->failed;
         keyword = keyword->next) {
        names[named->count] = keyword->name;
        jinja_list_add(&run->pool, named, jinja_evaluate(run, keyword->a));
    }
    run->at = node->at;
    return (struct jinja_arguments){.items = items->items,
                                    .count = items->count,
                                    .names = names,
                                    .named = named->items,
                                    .named_count = named->count};
}

struct jinja_value jinja_call_value(struct jinja_run *run, struct jinja_value callee,
                                    const struct jinja_arguments *arguments)
{
    switch (callee.type) {
    case JINJA_FUNCTION:
        return jinja_call_routine(run, callee.routine, jinja_undefined(), arguments);
    case JINJA_METHOD:
        return jinja_call_routine(run, callee.method->routine, callee.method->self,
                                  arguments);
    case JINJA_MACRO:
        return jinja_call_macro(run, callee.macro, arguments);
    case JINJA_UNDEFINED:
        jinja_fail(run, STATUS_FORMAT, "\"%.*s\" is undefined, or not to be called here",
                   callee.text ? (int)callee.text->length : 1,
                   callee.text ? callee.text->bytes : "?");
        break;
    default:
        jinja_fail(run, STATUS_FORMAT, "a value of type %s cannot be called",
                   jinja_type_name(callee));
    }
    return jinja_undefined();
}

static struct jinja_value evaluate_call(struct jinja_run *run,
                                        const struct jinja_node *node)
{
    const struct jinja_value callee = jinja_evaluate(run, node->a);
    const struct jinja_arguments arguments = evaluate_arguments(run, node);
    return run->failed ? jinja_undefined() : jinja_call_value(run, callee, &arguments);
}

/* Filters and tests: routines on the value in front. */
static struct jinja_value evaluate_routine(struct jinja_run *run,
                                           const struct jinja_node *node,
                                           struct jinja_value self)
{
    const struct jinja_arguments arguments = evaluate_arguments(run, node);
    if (!run->failed && !node->routine) {
        run->at = node->at;
        jinja_fail(run, STATUS_UNSUPPORTED, "the %s \"%s\" is not supported",
                   node->kind == NODE_FILTER ? "filter" : "test", node->name);
    }
    if (run->failed)
        return jinja_undefined();
    return jinja_call_routine(run, node->routine, self, &arguments);
}

struct jinja_value jinja_filter_text(struct jinja_run *run, const struct jinja_node *filter,
                                     struct jinja_value text)
{
    if (filter->a)
        text = jinja_filter_text(run, filter->a, text);
    return evaluate_routine(run, filter, text);
}

static struct jinja_value evaluate_item(struct jinja_run *run,
                                        const struct jinja_node *node)
{
    const struct jinja_value of = jinja_evaluate(run, node->a);
    if (node->b->kind != NODE_SLICE) {
        const struct jinja_value key = jinja_evaluate(run, node->b);
        run->at = node->at;
        return run->failed ? of : jinja_item(run, of, key);
    }
    const struct jinja_node *const bounds[] = {node->b->a, node->b->b, node->b->c};
    struct jinja_value values[3];
    for (size_t i = 0; i < 3; i++)
        values[i] = bounds[i] ? jinja_evaluate(run, bounds[i]) : jinja_none();
    run->at = node->at;
    return run->failed ? of : jinja_slice(run, of, values);
}

/* a < b < c: each neighbouring pair, up to the first that does not hold. */
static struct jinja_value evaluate_compare(struct jinja_run *run,
                                           const struct jinja_node *node)
{
    struct jinja_value left = jinja_evaluate(run, node->a);
    bool holds = true;
    for (const struct jinja_node *operand = node->items; operand && holds && !run->failed;
         operand = operand->next) {
        const struct jinja_value right = jinja_evaluate(run, operand->a);
        run->at = operand->at;
        holds = !run->failed && jinja_compare(run, operand->name, left, right);
        left = right;
    }
    return jinja_boolean(holds);
}

/* a ~ b: without autoescape markup is a string like any other. */
static struct jinja_value evaluate_concat(struct jinja_run *run,
                                          const struct jinja_node *node)
{
    const struct jinja_list *parts = evaluate_list(run, node->items);
    struct jinja_builder out = {.pool = &run->pool};
    run->at = node->at;
    for (size_t i = 0; i < parts->count && !run->failed; i++) {
        const struct jinja_value part = jinja_str(run, parts->items[i]);
        if (!run->failed)
            jinja_build_text(&out, part.text);
    }
    return jinja_built(&out);
}

static struct jinja_value evaluate_condition(struct jinja_run *run,
                                             const struct jinja_node *node)
{
    if (jinja_truth(jinja_evaluate(run, node->a)))
        return jinja_evaluate(run, node->b);
    if (node->c)
        return jinja_evaluate(run, node->c);
    return jinja_undefined_named(&run->pool, "the missing else of this if");
}

static struct jinja_value evaluate_binary(struct jinja_run *run,
                                          const struct jinja_node *node)
{
    const struct jinja_value left = jinja_evaluate(run, node->a);
    const struct jinja_value right = jinja_evaluate(run, node->b);
    run->at = node->at;
    return run->failed ? left : jinja_binary(run, node->name, left, right);
}

static struct jinja_value evaluate_filter(struct jinja_run *run,
                                          const struct jinja_node *node)
{
    const struct jinja_value self = jinja_evaluate(run, node->a);
    return evaluate_routine(run, node, self);
}

static struct jinja_value evaluate_attribute(struct jinja_run *run,
                                             const struct jinja_node *node)
{
    const struct jinja_value of = jinja_evaluate(run, node->a);
    run->at = node->at;
    return run->failed ? of : jinja_attribute(run, of, node->name);
}

/* "and" and "or" give the operand that decides, not a boolean. */
static struct jinja_value evaluate_logic(struct jinja_run *run,
                                         const struct jinja_node *node)
{
    const struct jinja_value left = jinja_evaluate(run, node->a);
    return jinja_truth(left) == (node->kind == NODE_AND) ? jinja_evaluate(run, node->b)
                                                         : left;
}

static struct jinja_value evaluate_sign(struct jinja_run *run,
                                        const struct jinja_node *node)
{
    const struct jinja_value value = jinja_evaluate(run, node->a);
    run->at = node->at;
    if (run->failed)
        return value;
    if (node->kind == NODE_NEGATE)
        return jinja_negate(run, value);
    return jinja_binary(run, "+", jinja_integer(0), value);
}

static struct jinja_value evaluate_kind(struct jinja_run *run,
                                        const struct jinja_node *node)
{
    switch (node->kind) {
    case NODE_CONSTANT:
        return node->value;
    case NODE_NAME:
        return jinja_scope_get(run, node->name);
    case NODE_LIST:
        return jinja_of_list(JINJA_LIST, evaluate_list(run, node->items));
    case NODE_TUPLE:
        return jinja_of_list(JINJA_TUPLE, evaluate_list(run, node->items));
    case NODE_DICT:
        return evaluate_dict(run, node);
    case NODE_ATTRIBUTE:
        return evaluate_attribute(run, node);
    case NODE_ITEM:
        return evaluate_item(run, node);
    case NODE_CALL:
        return evaluate_call(run, node);
    case NODE_FILTER:
    case NODE_TEST:
        return evaluate_filter(run, node);
    case NODE_NOT:
        return jinja_boolean(!jinja_truth(jinja_evaluate(run, node->a)));
    case NODE_AND:
    case NODE_OR:
        return evaluate_logic(run, node);
    case NODE_CONDITION:
        return evaluate_condition(run, node);
    case NODE_COMPARE:
        return evaluate_compare(run, node);
    case NODE_BINARY:
        return evaluate_binary(run, node);
    case NODE_NEGATE:
    case NODE_POSITIVE:
        return evaluate_sign(run, node);
    case NODE_CONCAT:
        return evaluate_concat(run, node);
    default:
        CHECK(false && "an expression");
    }
    return jinja_undefined();
}

struct jinja_value jinja_evaluate(struct jinja_run *run, const struct jinja_node *node)
{
    if (!jinja_going(run))
        return jinja_undefined();
    run->at = node->at;
    if (run->depth >= EVALUATE_DEPTH_MAXIMUM) {
        jinja_fail(run, STATUS_LIMIT, "nested too deeply");
        return jinja_undefined();
    }
    run->depth++;
    const struct jinja_value value = evaluate_kind(run, node);
    run->depth--;
    return run->failed ? jinja_undefined() : value;
}
