/* Statements, and the template as a whole. */
#include "text/jinja.h"
#include "text/jinja_parser.h"

#include "base/memory.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum {
    SOURCE_BYTES_MAXIMUM = 4 << 20,
    PARSE_BYTES_MAXIMUM = 1 << 30,
};

static void expect_tag_end(struct jinja_parser *parser)
{
    if (parser->token->type == TOKEN_TAG_END)
        parser->token++;
    else
        jinja_unexpected(parser, "\"%}\"");
}

/* The body of a statement up to its only end, whose tag is left to be closed. */
static struct jinja_node *parse_until(struct jinja_parser *parser, const char *end)
{
    const char *const ends[] = {end, NULL};
    (void)jinja_take_operator(parser, ":");
    expect_tag_end(parser);
    struct jinja_node *body = jinja_parse_body(parser, ends);
    parser->token += !parser->failed;
    return body;
}

static void check_target(struct jinja_parser *parser, const struct jinja_node *target,
                         bool with_attribute)
{
    bool good = target->kind == NODE_NAME;
    if (target->kind == NODE_TUPLE) {
        good = true;
        for (const struct jinja_node *item = target->items; item; item = item->next)
            check_target(parser, item, with_attribute);
    }
    if (target->kind == NODE_ATTRIBUTE && with_attribute)
        good = target->a->kind == NODE_NAME;
    if (!good)
        jinja_parse_fail(parser, target->at, STATUS_FORMAT,
                         "this cannot be assigned to: it is no name");
}

/* A name, or namespace.name. */
static struct jinja_node *parse_target_item(struct jinja_parser *parser)
{
    struct jinja_node *name = jinja_parse_primary(parser);
    if (name->kind != NODE_NAME || !jinja_take_operator(parser, "."))
        return name;
    struct jinja_node *attribute = jinja_node_new(parser, NODE_ATTRIBUTE);
    attribute->at = name->at;
    attribute->a = name;
    attribute->name = jinja_expect_any_name(parser);
    return attribute;
}

static struct jinja_node *parse_set(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_SET);
    node->a = jinja_parse_tuple(parser, parse_target_item, NULL, false);
    check_target(parser, node->a, true);
    if (jinja_take_operator(parser, "=")) {
        node->b = jinja_parse_tuple(parser, jinja_parse_expression, NULL, false);
        return node;
    }
    node->kind = NODE_SET_BLOCK;
    if (jinja_at_operator(parser, "|"))
        node->b = jinja_parse_filters(parser, NULL, false);
    node->body = parse_until(parser, "endset");
    return node;
}

static struct jinja_node *parse_for(struct jinja_parser *parser)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    struct jinja_node *node = jinja_node_new(parser, NODE_FOR);
    node->a = jinja_parse_tuple(parser, jinja_parse_primary, "in", false);
    check_target(parser, node->a, false);
    if (!jinja_take_name(parser, "in"))
        jinja_unexpected(parser, "\"in\"");
    node->b = jinja_parse_tuple(parser, jinja_parse_or, "recursive", false);
    if (jinja_take_name(parser, "if"))
        node->c = jinja_parse_expression(parser);
    if (jinja_at_name(parser, "recursive"))
        jinja_parse_fail(parser, parser->token->at, STATUS_UNSUPPORTED,
                         "recursive loops are not supported");
    (void)jinja_take_operator(parser, ":");
    expect_tag_end(parser);
    parser->loops++;
    node->body = jinja_parse_body(parser, ends);
    parser->loops--;
    if (jinja_take_name(parser, "else"))
        node->otherwise = parse_until(parser, "endfor");
    else
        parser->token += !parser->failed;
    return node;
}

static struct jinja_node *parse_if(struct jinja_parser *parser)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct jinja_node *first = NULL;
    struct jinja_node **place = &first;
    do {
        struct jinja_node *node = jinja_node_new(parser, NODE_IF);
        node->a = jinja_parse_tuple(parser, jinja_parse_or, NULL, false);
        (void)jinja_take_operator(parser, ":");
        expect_tag_end(parser);
        node->body = jinja_parse_body(parser, ends);
        *place = node;
        place = &node->otherwise;
    } while (jinja_take_name(parser, "elif"));
    if (jinja_take_name(parser, "else"))
        *place = parse_until(parser, "endif");
    else
        parser->token += !parser->failed;
    return first;
}

static void parse_parameters(struct jinja_parser *parser, struct jinja_node *macro)
{
    struct jinja_node **last = &macro->items;
    bool has_default = false;
    jinja_expect_operator(parser, "(");
    while (!parser->failed && !jinja_take_operator(parser, ")")) {
        if (macro->items)
            jinja_expect_operator(parser, ",");
        struct jinja_node *parameter = jinja_node_new(parser, NODE_KEYWORD);
        parameter->name = jinja_expect_any_name(parser);
        if (jinja_take_operator(parser, "="))
            parameter->a = jinja_parse_expression(parser);
        else if (has_default)
            jinja_unexpected(parser, "a default, as the parameter before has one");
        has_default = parameter->a != NULL;
        *last = parameter;
        last = &parameter->next;
    }
}

static struct jinja_node *parse_macro(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_MACRO);
    const int loops = parser->loops;
    node->name = jinja_expect_any_name(parser);
    parse_parameters(parser, node);
    parser->loops = 0;
    node->body = parse_until(parser, "endmacro");
    parser->loops = loops;
    return node;
}

static struct jinja_node *parse_with(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_WITH);
    struct jinja_node **last = &node->items;
    while (!parser->failed && parser->token->type != TOKEN_TAG_END) {
        if (node->items)
            jinja_expect_operator(parser, ",");
        struct jinja_node *pair = jinja_node_new(parser, NODE_PAIR);
        pair->a = jinja_parse_tuple(parser, jinja_parse_primary, NULL, false);
        check_target(parser, pair->a, false);
        jinja_expect_operator(parser, "=");
        pair->b = jinja_parse_expression(parser);
        *last = pair;
        last = &pair->next;
    }
    node->body = parse_until(parser, "endwith");
    return node;
}

static struct jinja_node *parse_filter_block(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_FILTER_BLOCK);
    node->b = jinja_parse_filters(parser, NULL, true);
    node->body = parse_until(parser, "endfilter");
    return node;
}

static struct jinja_node *parse_generation(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_SCOPE);
    node->body = parse_until(parser, "endgeneration");
    return node;
}

static struct jinja_node *parse_leave(struct jinja_parser *parser)
{
    const bool is_break = strcmp(parser->token[-1].text, "break") == 0;
    if (parser->loops == 0)
        jinja_parse_fail(parser, parser->token[-1].at, STATUS_FORMAT,
                         "this stands in no loop");
    return jinja_node_new(parser, is_break ? NODE_BREAK : NODE_CONTINUE);
}

static struct jinja_node *parse_print_tag(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_PRINT);
    node->a = jinja_parse_expression(parser);
    if (jinja_at_operator(parser, ","))
        jinja_parse_fail(parser, parser->token->at, STATUS_UNSUPPORTED,
                         "print with several values is not supported");
    return node;
}

/* At the name of a tag. */
static struct jinja_node *parse_statement(struct jinja_parser *parser)
{
    static const struct {
        const char *name;
        struct jinja_node *(*parse)(struct jinja_parser *);
    } statements[] = {
        {"set", parse_set},
        {"for", parse_for},
        {"if", parse_if},
        {"macro", parse_macro},
        {"with", parse_with},
        {"filter", parse_filter_block},
        {"generation", parse_generation},
        {"break", parse_leave},
        {"continue", parse_leave},
        {"print", parse_print_tag},
    };
    const uint32_t at = parser->token->at;
    const char *name = jinja_expect_any_name(parser);
    const bool in_branch = parser->in_branch;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && !parser->failed; i++) {
        if (strcmp(name, statements[i].name) != 0)
            continue;
        if (statements[i].parse != parse_set)
            parser->in_branch = statements[i].parse == parse_if;
        struct jinja_node *node = statements[i].parse(parser);
        parser->in_branch = in_branch;
        return node;
    }
    const bool is_end = strncmp(name, "end", 3) == 0 || strcmp(name, "else") == 0 ||
                        strcmp(name, "elif") == 0;
    if (is_end)
        jinja_parse_fail(parser, at, STATUS_FORMAT, "nothing is open that \"%s\" ends",
                         name);
    else
        jinja_parse_fail(parser, at, STATUS_UNSUPPORTED,
                         "the statement \"%s\" is not supported", name);
    return jinja_node_new(parser, NODE_DATA);
}

static struct jinja_node *parse_data(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_DATA);
    node->value = (parser->token++)->value;
    return node;
}

static struct jinja_node *parse_print(struct jinja_parser *parser)
{
    struct jinja_node *node = jinja_node_new(parser, NODE_PRINT);
    parser->token++;
    node->a = jinja_parse_tuple(parser, jinja_parse_expression, NULL, false);
    if (parser->token->type == TOKEN_PRINT_END)
        parser->token++;
    else
        jinja_unexpected(parser, "\"}}\"");
    return node;
}

static bool at_end(const struct jinja_parser *parser, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (jinja_at_name(parser, *ends))
            return true;
    return false;
}

/* One statement, print or text; NULL at a tag that is one of `ends`. */
static struct jinja_node *parse_piece(struct jinja_parser *parser, const char *const *ends)
{
    if (parser->token->type == TOKEN_DATA)
        return parse_data(parser);
    if (parser->token->type == TOKEN_PRINT_BEGIN)
        return parse_print(parser);
    parser->token++; /* "{%" */
    if (at_end(parser, ends))
        return NULL;
    struct jinja_node *node = parse_statement(parser);
    expect_tag_end(parser);
    return node;
}

struct jinja_node *jinja_parse_body(struct jinja_parser *parser, const char *const *ends)
{
    struct jinja_node *first = NULL;
    struct jinja_node **last = &first;
    const uint32_t begin = parser->token->at;
    jinja_parse_enter(parser);
    while (parser->token->type != TOKEN_END) {
        *last = parse_piece(parser, ends);
        if (!*last)
            break;
        last = &(*last)->next;
    }
    if (ends && parser->token->type == TOKEN_END)
        jinja_parse_fail(parser, begin, STATUS_FORMAT,
                         "what begins here has no end: \"%s\" is missing", ends[0]);
    parser->depth--;
    return first;
}

static enum status parse_source(struct jinja_template *parsed, const char *source,
                                size_t bytes, struct error *error)
{
    struct text_buffer repaired = {0};
    struct jinja_tokens tokens;
    utf8_append_repaired(&repaired, source, bytes);
    jinja_source_init(&parsed->source, text_buffer_string(&repaired), repaired.length,
                      &parsed->pool);
    text_buffer_release(&repaired);
    if (jinja_lex(&tokens, &parsed->source, &parsed->pool, error))
        return error->status;
    struct jinja_parser parser = {.parsed = parsed,
                                  .token = tokens.items,
                                  .end = tokens.items + tokens.count - 1,
                                  .error = error};
    parsed->body = jinja_parse_body(&parser, NULL);
    if (parser.failed)
        return error->status;
    if (parsed->pool.exhausted)
        return error_set(error, STATUS_LIMIT, "the template is too large");
    return STATUS_OK;
}

enum status jinja_parse(struct jinja_template **parsed, const char *source, size_t bytes,
                        struct error *error)
{
    struct error ignored;
    if (!error)
        error = &ignored;
    *parsed = NULL;
    if (bytes > SOURCE_BYTES_MAXIMUM)
        return error_set(error, STATUS_LIMIT, "a template of more than 4 MiB");
    struct jinja_template *built = memory_allocate(sizeof *built);
    built->pool.limit_bytes = PARSE_BYTES_MAXIMUM;
    built->pool.limit_steps = SIZE_MAX;
    const enum status status = parse_source(built, source, bytes, error);
    if (status)
        jinja_free(built);
    else
        *parsed = built;
    return status;
}

void jinja_free(struct jinja_template *parsed)
{
    if (!parsed)
        return;
    jinja_pool_release(&parsed->pool);
    free(parsed);
}
