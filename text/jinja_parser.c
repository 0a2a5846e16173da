/* Expressions. */
#include "text/jinja_parser.h"

#include "text/jinja_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PARSE_DEPTH_MAXIMUM = 150 };

void jinja_parse_fail(struct jinja_parser *parser, uint32_t at, enum status status,
                      const char *format, ...)
{
    char words[ERROR_MESSAGE_BYTES / 2];
    char place[JINJA_PLACE_BYTES];
    va_list arguments;
    parser->token = parser->end;
    if (parser->failed)
        return;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    jinja_place(place, &parser->parsed->source, at);
    error_set(parser->error, status, "%s: %s", place, words);
    parser->failed = true;
}

struct jinja_node *jinja_node_new(struct jinja_parser *parser, enum jinja_kind kind)
{
    struct jinja_node *node = jinja_pool_allocate(&parser->parsed->pool, sizeof *node);
    node->kind = kind;
    node->at = parser->token->at;
    return node;
}

void jinja_parse_enter(struct jinja_parser *parser)
{
    if (++parser->depth > PARSE_DEPTH_MAXIMUM)
        jinja_parse_fail(parser, parser->token->at, STATUS_LIMIT, "nested too deeply");
}

bool jinja_at_name(const struct jinja_parser *parser, const char *name)
{
    return parser->token->type == TOKEN_NAME && strcmp(parser->token->text, name) == 0;
}

bool jinja_at_operator(const struct jinja_parser *parser, const char *operator)
{
    return parser->token->type == TOKEN_OPERATOR &&
           strcmp(parser->token->text, operator) == 0;
}

bool jinja_take_name(struct jinja_parser *parser, const char *name)
{
    const bool there = jinja_at_name(parser, name);
    parser->token += there;
    return there;
}

bool jinja_take_operator(struct jinja_parser *parser, const char *operator)
{
    const bool there = jinja_at_operator(parser, operator);
    parser->token += there;
    return there;
}

void jinja_unexpected(struct jinja_parser *parser, const char *wanted)
{
    static const char *const names[] = {
        [TOKEN_END] = "the end of the template",
        [TOKEN_DATA] = "text",
        [TOKEN_TAG_BEGIN] = "\"{%\"",
        [TOKEN_TAG_END] = "\"%}\"",
        [TOKEN_PRINT_BEGIN] = "\"{{\"",
        [TOKEN_PRINT_END] = "\"}}\"",
        [TOKEN_STRING] = "a string",
        [TOKEN_INTEGER] = "a number",
        [TOKEN_FLOAT] = "a number",
    };
    const struct jinja_token *token = parser->token;
    if (token->text)
        jinja_parse_fail(parser, token->at, STATUS_FORMAT, "expected %s, found \"%s\"",
                         wanted, token->text);
    else
        jinja_parse_fail(parser, token->at, STATUS_FORMAT, "expected %s, found %s", wanted,
                         names[token->type]);
}

void jinja_expect_operator(struct jinja_parser *parser, const char *operator)
{
    char wanted[16];
    snprintf(wanted, sizeof wanted, "\"%s\"", operator);
    if (!jinja_take_operator(parser, operator))
        jinja_unexpected(parser, wanted);
}

const char *jinja_expect_any_name(struct jinja_parser *parser)
{
    if (parser->token->type == TOKEN_NAME)
        return (parser->token++)->text;
    jinja_unexpected(parser, "a name");
    return "";
}

static struct jinja_node *binary(struct jinja_parser *parser, enum jinja_kind kind,
                                 uint32_t at, struct jinja_node *a, struct jinja_node *b)
{
    struct jinja_node *node = jinja_node_new(parser, kind);
    node->at = at;
    node->a = a;
    node->b = b;
    return node;
}

static struct jinja_node *parse_list(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_LIST);
    struct jinja_node **last = &node->items;
    parser->token++;
    while (!parser->failed && !jinja_take_operator(parser, "]")) {
        if (node->items) {
            jinja_expect_operator(parser, ",");
            if (jinja_take_operator(parser, "]"))
                break;
        }
        *last = jinja_parse_expression(parser);
        last = &(*last)->next;
    }
    return node;
}

static struct jinja_node *parse_dict(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_DICT);
    struct jinja_node **last = &node->items;
    parser->token++;
    while (!parser->failed && !jinja_take_operator(parser, "}")) {
        if (node->items) {
            jinja_expect_operator(parser, ",");
            if (jinja_take_operator(parser, "}"))
                break;
        }
        struct jinja_node *pair = jinja_node_new(parser, NODE_PAIR);
        pair->a = jinja_parse_expression(parser);
        jinja_expect_operator(parser, ":");
        pair->b = jinja_parse_expression(parser);
        *last = pair;
        last = &pair->next;
    }
    return node;
}

static struct jinja_node *parse_name(struct jinja_parser *parser)
{
    static const struct {
        const char *word;
        enum jinja_type type;
        bool boolean;
    } constants[] = {
        {"true", JINJA_BOOLEAN, true},   {"True", JINJA_BOOLEAN, true},
        {"false", JINJA_BOOLEAN, false}, {"False", JINJA_BOOLEAN, false},
        {"none", JINJA_NONE, false},     {"None", JINJA_NONE, false},
    };
    struct jinja_node *node = jinja_node_new(parser, NODE_NAME);
    node->name = (parser->token++)->text;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        if (strcmp(node->name, constants[i].word) != 0)
            continue;
        node->kind = NODE_CONSTANT;
        node->value = (struct jinja_value){.type = constants[i].type,
                                           .boolean = constants[i].boolean};
    }
    return node;
}

/* Strings that follow one another are one. */
static struct jinja_node *parse_strings(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_CONSTANT);
    struct jinja_builder out = {.pool = &parser->parsed->pool};
    for (; parser->token->type == TOKEN_STRING; parser->token++)
        jinja_build_text(&out, parser->token->value.text);
    node->value = jinja_built(&out);
    return node;
}

struct jinja_node *jinja_parse_primary(struct jinja_parser *parser)
{
    struct jinja_node *node;
    switch (parser->token->type) {
    case TOKEN_NAME:
        return parse_name(parser);
    case TOKEN_STRING:
        return parse_strings(parser);
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
        node = jinja_node_new(parser, NODE_CONSTANT);
        node->value = (parser->token++)->value;
        return node;
    default:
        break;
    }
    if (jinja_at_operator(parser, "["))
        return parse_list(parser);
    if (jinja_at_operator(parser, "{"))
        return parse_dict(parser);
    if (!jinja_take_operator(parser, "(")) {
        jinja_unexpected(parser, "an expression");
        return jinja_node_new(parser, NODE_CONSTANT);
    }
    node = jinja_parse_tuple(parser, jinja_parse_expression, NULL, true);
    jinja_expect_operator(parser, ")");
    return node;
}

static bool tuple_ends(const struct jinja_parser *parser, const char *end_name)
{
    return parser->token->type == TOKEN_PRINT_END || parser->token->type == TOKEN_TAG_END ||
           parser->token->type == TOKEN_END || jinja_at_operator(parser, ")") ||
           (end_name && jinja_at_name(parser, end_name));
}

struct jinja_node *jinja_parse_tuple(struct jinja_parser *parser,
                                     struct jinja_node *item(struct jinja_parser *),
                                     const char *end_name, bool may_be_empty)
{
    struct jinja_node *tuple = jinja_node_new(parser, NODE_TUPLE);
    struct jinja_node **last = &tuple->items;
    bool comma = false;
    while (!tuple_ends(parser, end_name)) {
        *last = item(parser);
        last = &(*last)->next;
        if (!jinja_take_operator(parser, ","))
            break;
        comma = true;
    }
    if (!comma && tuple->items)
        return tuple->items;
    if (!comma && !may_be_empty)
        jinja_unexpected(parser, "an expression");
    return tuple;
}

/* "( … )" of a call, a filter or a test. */
static void parse_arguments(struct jinja_parser *parser, struct jinja_node *node)
{
    struct jinja_node **item = &node->items;
    struct jinja_node **keyword = &node->keywords;
    jinja_expect_operator(parser, "(");
    while (!parser->failed && !jinja_take_operator(parser, ")")) {
        if (node->items || node->keywords) {
            jinja_expect_operator(parser, ",");
            if (jinja_take_operator(parser, ")"))
                break;
        }
        if (jinja_at_operator(parser, "*") || jinja_at_operator(parser, "**")) {
            jinja_parse_fail(parser, parser->token->at, STATUS_UNSUPPORTED,
                             "* and ** in calls are not supported");
        } else if (parser->token->type == TOKEN_NAME &&
                   parser->token[1].type == TOKEN_OPERATOR &&
                   strcmp(parser->token[1].text, "=") == 0) {
            *keyword = jinja_node_new(parser, NODE_KEYWORD);
            (*keyword)->name = parser->token->text;
            parser->token += 2;
            (*keyword)->a = jinja_parse_expression(parser);
            keyword = &(*keyword)->next;
        } else {
            if (node->keywords)
                jinja_unexpected(parser, "an argument with a name");
            *item = jinja_parse_expression(parser);
            item = &(*item)->next;
        }
    }
}

static struct jinja_node *optional_bound(struct jinja_parser *parser)
{
    if (jinja_at_operator(parser, ":") || jinja_at_operator(parser, "]"))
        return NULL;
    return jinja_parse_expression(parser);
}

/* What stands between "[" and "]". */
static struct jinja_node *parse_subscript(struct jinja_parser *parser)
{
    struct jinja_node *slice = jinja_node_new(parser, NODE_SLICE);
    if (!jinja_at_operator(parser, ":")) {
        struct jinja_node *index = jinja_parse_expression(parser);
        if (!jinja_at_operator(parser, ":"))
            return index;
        slice->a = index;
    }
    jinja_expect_operator(parser, ":");
    slice->b = optional_bound(parser);
    if (jinja_take_operator(parser, ":"))
        slice->c = optional_bound(parser);
    return slice;
}

static struct jinja_node *parse_member(struct jinja_parser *parser, struct jinja_node *of)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_ATTRIBUTE);
    node->a = of;
    if (jinja_take_operator(parser, "[")) {
        node->kind = NODE_ITEM;
        node->b = parse_subscript(parser);
        if (jinja_at_operator(parser, ","))
            jinja_parse_fail(parser, parser->token->at, STATUS_UNSUPPORTED,
                             "several subscripts are not supported");
        jinja_expect_operator(parser, "]");
        return node;
    }
    parser->token++;
    if (parser->token->type == TOKEN_INTEGER) {
        node->kind = NODE_ITEM;
        node->b = jinja_parse_primary(parser);
    } else {
        node->name = jinja_expect_any_name(parser);
    }
    return node;
}

static struct jinja_node *parse_call(struct jinja_parser *parser, struct jinja_node *of)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_CALL);
    node->a = of;
    node->at = of->at;
    parse_arguments(parser, node);
    return node;
}

static struct jinja_node *parse_postfix(struct jinja_parser *parser,
                                        struct jinja_node *node)
{
    for (;;) {
        if (jinja_at_operator(parser, ".") || jinja_at_operator(parser, "["))
            node = parse_member(parser, node);
        else if (jinja_at_operator(parser, "("))
            node = parse_call(parser, node);
        else
            return node;
    }
}

struct jinja_node *jinja_parse_filters(struct jinja_parser *parser, struct jinja_node *node,
                                       bool at_name)
{
    while (at_name || jinja_take_operator(parser, "|")) {
        struct jinja_node *filter = jinja_node_new(parser, NODE_FILTER);
        filter->a = node;
        filter->name = jinja_expect_any_name(parser);
        filter->routine = jinja_find_filter(filter->name);
        if (!filter->routine && !parser->in_branch)
            jinja_parse_fail(parser, filter->at, STATUS_UNSUPPORTED,
                             "the filter \"%s\" is not supported", filter->name);
        if (jinja_at_operator(parser, "("))
            parse_arguments(parser, filter);
        node = filter;
        at_name = false;
    }
    return node;
}

/* A test's argument may stand without brackets: "x is divisibleby 3". */
static bool bare_argument_follows(const struct jinja_parser *parser)
{
    switch (parser->token->type) {
    case TOKEN_NAME:
        return !jinja_at_name(parser, "else") && !jinja_at_name(parser, "or") &&
               !jinja_at_name(parser, "and");
    case TOKEN_STRING:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
        return true;
    default:
        return jinja_at_operator(parser, "[") || jinja_at_operator(parser, "{");
    }
}

/* Behind "is". */
static struct jinja_node *parse_test(struct jinja_parser *parser, struct jinja_node *of)
{
    const bool negated = jinja_take_name(parser, "not");
    struct jinja_node *test = jinja_node_new(parser, NODE_TEST);
    test->a = of;
    test->name = jinja_expect_any_name(parser);
    test->routine = jinja_find_test(test->name);
    if (!test->routine && !parser->in_branch)
        jinja_parse_fail(parser, test->at, STATUS_UNSUPPORTED,
                         "the test \"%s\" is not supported", test->name);
    if (jinja_at_operator(parser, "(")) {
        parse_arguments(parser, test);
    } else if (bare_argument_follows(parser)) {
        if (jinja_at_name(parser, "is"))
            jinja_unexpected(parser, "no second \"is\"");
        test->items = parse_postfix(parser, jinja_parse_primary(parser));
    }
    return negated ? binary(parser, NODE_NOT, test->at, test, NULL) : test;
}

static struct jinja_node *parse_pipes(struct jinja_parser *parser, struct jinja_node *node)
{
    for (;;) {
        if (jinja_at_operator(parser, "|"))
            node = jinja_parse_filters(parser, node, false);
        else if (jinja_take_name(parser, "is"))
            node = parse_test(parser, node);
        else if (jinja_at_operator(parser, "("))
            node = parse_call(parser, node);
        else
            return node;
    }
}

static struct jinja_node *parse_unary(struct jinja_parser *parser, bool with_filter)
{
    struct jinja_node *node;
    const uint32_t at = parser->token->at;
    jinja_parse_enter(parser);
    if (jinja_take_operator(parser, "-"))
        node = binary(parser, NODE_NEGATE, at, parse_unary(parser, false), NULL);
    else if (jinja_take_operator(parser, "+"))
        node = binary(parser, NODE_POSITIVE, at, parse_unary(parser, false), NULL);
    else
        node = jinja_parse_primary(parser);
    node = parse_postfix(parser, node);
    if (with_filter)
        node = parse_pipes(parser, node);
    parser->depth--;
    return node;
}

/* The operator among `operators` (ended by NULL) that stands here. */
static const char *take_one(struct jinja_parser *parser, const char *const *operators)
{
    for (; *operators; operators++)
        if (jinja_take_operator(parser, *operators))
            return *operators;
    return NULL;
}

/* Operators of one rank, from left to right. */
static struct jinja_node *parse_rank(struct jinja_parser *parser,
                                     const char *const *operators,
                                     struct jinja_node *operand(struct jinja_parser *))
{
    struct jinja_node *left = operand(parser);
    for (;;) {
        const uint32_t at = parser->token->at;
        const char *operator= take_one(parser, operators);
        if (!operator)
            return left;
        left = binary(parser, NODE_BINARY, at, left, operand(parser));
        left->name = operator;
    }
}

static struct jinja_node *parse_operand(struct jinja_parser *parser)
{
    return parse_unary(parser, true);
}

static struct jinja_node *parse_power(struct jinja_parser *parser)
{
    static const char *const operators[] = {"**", NULL};
    return parse_rank(parser, operators, parse_operand);
}

static struct jinja_node *parse_product(struct jinja_parser *parser)
{
    static const char *const operators[] = {"*", "/", "//", "%", NULL};
    return parse_rank(parser, operators, parse_power);
}

static struct jinja_node *parse_concat(struct jinja_parser *parser)
{
    struct jinja_node *first = parse_product(parser);
    if (!jinja_at_operator(parser, "~"))
        return first;
    struct jinja_node *concat = jinja_node_new(parser, NODE_CONCAT);
    struct jinja_node **last = &first->next;
    concat->items = first;
    while (jinja_take_operator(parser, "~")) {
        *last = parse_product(parser);
        last = &(*last)->next;
    }
    return concat;
}

static struct jinja_node *parse_sum(struct jinja_parser *parser)
{
    static const char *const operators[] = {"+", "-", NULL};
    return parse_rank(parser, operators, parse_concat);
}

/* The comparison that stands here, "in" and "not in" among them. */
static const char *take_comparison(struct jinja_parser *parser)
{
    static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">", NULL};
    const char *operator= take_one(parser, operators);
    if (operator)
        return operator;
    if (jinja_take_name(parser, "in"))
        return "in";
    if (!jinja_at_name(parser, "not") || parser->token[1].type != TOKEN_NAME ||
        strcmp(parser->token[1].text, "in") != 0)
        return NULL;
    parser->token += 2;
    return "not in";
}

static struct jinja_node *parse_comparison(struct jinja_parser *parser)
{
    struct jinja_node *left = parse_sum(parser);
    struct jinja_node *compare = jinja_node_new(parser, NODE_COMPARE);
    struct jinja_node **last = &compare->items;
    compare->a = left;
    for (;;) {
        struct jinja_node *operand = jinja_node_new(parser, NODE_OPERAND);
        operand->name = take_comparison(parser);
        if (!operand->name)
            return compare->items ? compare : left;
        operand->a = parse_sum(parser);
        *last = operand;
        last = &operand->next;
    }
}

static struct jinja_node *parse_not(struct jinja_parser *parser)
{
    const uint32_t at = parser->token->at;
    if (!jinja_take_name(parser, "not"))
        return parse_comparison(parser);
    jinja_parse_enter(parser);
    struct jinja_node *node = binary(parser, NODE_NOT, at, parse_not(parser), NULL);
    parser->depth--;
    return node;
}

static struct jinja_node *parse_and(struct jinja_parser *parser)
{
    struct jinja_node *left = parse_not(parser);
    while (jinja_take_name(parser, "and"))
        left = binary(parser, NODE_AND, left->at, left, parse_not(parser));
    return left;
}

struct jinja_node *jinja_parse_or(struct jinja_parser *parser)
{
    struct jinja_node *left = parse_and(parser);
    while (jinja_take_name(parser, "or"))
        left = binary(parser, NODE_OR, left->at, left, parse_and(parser));
    return left;
}

struct jinja_node *jinja_parse_expression(struct jinja_parser *parser)
{
    jinja_parse_enter(parser);
    struct jinja_node *node = jinja_parse_or(parser);
    while (jinja_take_name(parser, "if")) {
        struct jinja_node *condition = jinja_node_new(parser, NODE_CONDITION);
        condition->b = node;
        condition->a = jinja_parse_or(parser);
        if (jinja_take_name(parser, "else"))
            condition->c = jinja_parse_expression(parser);
        node = condition;
    }
    parser->depth--;
    return node;
}
