#ifndef HOLDFAST_TEXT_JINJA_NODE_H
#define HOLDFAST_TEXT_JINJA_NODE_H

#include "text/jinja_lexer.h"

/*
 * The syntax tree. One struct for all kinds; which fields a kind uses stands beside it.
 * Lists (items, keywords, body, otherwise) are linked by `next`.
 */
enum jinja_kind {
    /* expressions */
    NODE_CONSTANT,  /* value */
    NODE_NAME,      /* name */
    NODE_LIST,      /* items */
    NODE_TUPLE,     /* items */
    NODE_DICT,      /* items: NODE_PAIR */
    NODE_PAIR,      /* a: key or target, b: value */
    NODE_ATTRIBUTE, /* a . name */
    NODE_ITEM,      /* a [ b ] */
    NODE_SLICE,     /* a : b : c, each may be NULL; only as b of NODE_ITEM */
    NODE_CALL,      /* a ( items, keywords ) */
    NODE_FILTER,    /* a | routine ( items, keywords ); a NULL: the text of a block */
    NODE_TEST,      /* a is routine ( items, keywords ) */
    NODE_KEYWORD,   /* name = a */
    NODE_NOT,       /* a */
    NODE_AND,       /* a, b */
    NODE_OR,        /* a, b */
    NODE_CONDITION, /* b if a else c; c may be NULL */
    NODE_COMPARE,   /* a, items: NODE_OPERAND */
    NODE_OPERAND,   /* name (the operator), a */
    NODE_BINARY,    /* a name b */
    NODE_NEGATE,    /* a */
    NODE_POSITIVE,  /* a */
    NODE_CONCAT,    /* items */
    /* statements */
    NODE_DATA,  /* value */
    NODE_PRINT, /* a */
    NODE_FOR,   /* a: target, b: what is gone through, c: test or NULL; body, otherwise */
    NODE_IF,    /* a; body, otherwise */
    NODE_SET,   /* a: target, b */
    NODE_SET_BLOCK,    /* a: target, b: filters or NULL; body */
    NODE_FILTER_BLOCK, /* b: filters; body */
    NODE_MACRO,        /* name, items: NODE_KEYWORD with a the default or NULL; body */
    NODE_WITH,         /* items: NODE_PAIR; body */
    NODE_SCOPE,        /* body */
    NODE_BREAK,
    NODE_CONTINUE,
};

struct jinja_routine;

struct jinja_node {
    enum jinja_kind kind;
    uint32_t at; /* byte of the source */
    const char *name;
    const struct jinja_routine *routine;
    struct jinja_value value;
    struct jinja_node *a;
    struct jinja_node *b;
    struct jinja_node *c;
    struct jinja_node *items;
    struct jinja_node *keywords;
    struct jinja_node *body;
    struct jinja_node *otherwise;
    struct jinja_node *next;
};

struct jinja_template {
    struct jinja_pool pool;
    struct jinja_source source;
    struct jinja_node *body;
};

#endif
