#ifndef HOLDFAST_TEXT_JINJA_PARSER_H
#define HOLDFAST_TEXT_JINJA_PARSER_H

#include "text/jinja_node.h"

/*
 * A recursive-descent parser in the order of Jinja's own. The first error sticks: from
 * then on the parser sees nothing but the end of the template, and every function still
 * returns a node.
 */
struct jinja_parser {
    struct jinja_template *parsed;
    const struct jinja_token *token; /* the current one */
    const struct jinja_token *end;
    struct error *error; /* not NULL */
    bool failed;
    int depth;
    int loops; /* around the current statement, within its macro */
    /* Whether the statement around is an "if": what is unknown there is an error only where
     * it is reached, as in Jinja. */
    bool in_branch;
};

void jinja_parse_fail(struct jinja_parser *parser, uint32_t at, enum status status,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
struct jinja_node *jinja_node_new(struct jinja_parser *parser, enum jinja_kind kind);
/* Steps into a nested construct; an error where they are nested too deeply. */
void jinja_parse_enter(struct jinja_parser *parser);

/* The current token; taking, or demanding, a name or an operator. */
bool jinja_at_name(const struct jinja_parser *parser, const char *name);
bool jinja_at_operator(const struct jinja_parser *parser, const char *operator);
bool jinja_take_name(struct jinja_parser *parser, const char *name);
bool jinja_take_operator(struct jinja_parser *parser, const char *operator);
void jinja_expect_operator(struct jinja_parser *parser, const char *operator);
const char *jinja_expect_any_name(struct jinja_parser *parser);
void jinja_unexpected(struct jinja_parser *parser, const char *wanted);

/* Expressions. */
struct jinja_node *jinja_parse_expression(struct jinja_parser *parser);
struct jinja_node *jinja_parse_or(struct jinja_parser *parser); /* without "if" */
struct jinja_node *jinja_parse_primary(struct jinja_parser *parser);
/* One expression or, with commas, a tuple; which ends at `end_name` too (may be NULL). */
struct jinja_node *jinja_parse_tuple(struct jinja_parser *parser,
                                     struct jinja_node *item(struct jinja_parser *),
                                     const char *end_name, bool may_be_empty);
/* Filters on `node`, from "|" on, or from the first filter's name. */
struct jinja_node *jinja_parse_filters(struct jinja_parser *parser, struct jinja_node *node,
                                       bool at_name);

/* Statements and text up to a tag that begins with one of `ends`, at which it stops. */
struct jinja_node *jinja_parse_body(struct jinja_parser *parser, const char *const *ends);

#endif
