#ifndef HOLDFAST_TEXT_JINJA_LEXER_H
#define HOLDFAST_TEXT_JINJA_LEXER_H

#include "base/error.h"
#include "text/jinja_value.h"

/*
 * A template's text as tokens, white space around tags taken away by Jinja's rules with
 * trim_blocks and lstrip_blocks. Comments are gone, raw blocks are data.
 */
enum jinja_token_type {
    TOKEN_END,
    TOKEN_DATA,
    TOKEN_TAG_BEGIN, /* {% */
    TOKEN_TAG_END,
    TOKEN_PRINT_BEGIN, /* {{ */
    TOKEN_PRINT_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_OPERATOR,
};

struct jinja_token {
    enum jinja_token_type type;
    uint32_t at;              /* byte of the source */
    const char *text;         /* NAME, OPERATOR */
    struct jinja_value value; /* DATA, STRING, INTEGER, FLOAT */
};

struct jinja_source {
    const char *text; /* newlines as \n, one at the end gone; NUL-terminated */
    size_t bytes;
};

struct jinja_tokens {
    struct jinja_token *items; /* the last is TOKEN_END */
    size_t count;
    size_t capacity;
};

void jinja_source_init(struct jinja_source *source, const char *text, size_t bytes,
                       struct jinja_pool *pool);
enum status jinja_lex(struct jinja_tokens *tokens, const struct jinja_source *source,
                      struct jinja_pool *pool, struct error *error);

/* "line 3, column 7", both from 1, columns in code points. */
enum { JINJA_PLACE_BYTES = 64 };
void jinja_place(char place[JINJA_PLACE_BYTES], const struct jinja_source *source,
                 size_t at);

#endif
