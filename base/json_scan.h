#ifndef HOLDFAST_BASE_JSON_SCAN_H
#define HOLDFAST_BASE_JSON_SCAN_H

#include "base/error.h"
#include "base/json_string.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Checks JSON against the whole grammar (RFC 8259) without building anything, and finds
 * where its values begin and end: a 2 GB array is walked element by element, and only the
 * elements that are wanted are parsed. What this takes is what json_parse() takes.
 *
 *     struct json_scan scan;
 *     json_scan_init(&scan, bytes, count);
 *     json_scan_step(&scan);                            // the '['
 *     while (json_scan_element(&scan, &begin, &end))
 *         use(bytes + begin, end - begin);
 *     if (scan.problem) return json_scan_fail(&scan, where, error);
 */
enum json_expect {
    JSON_EXPECT_VALUE,
    JSON_EXPECT_VALUE_OR_END, /* after '[' */
    JSON_EXPECT_KEY,
    JSON_EXPECT_KEY_OR_END, /* after '{' */
    JSON_EXPECT_COLON,
    JSON_EXPECT_COMMA_OR_END,
    JSON_EXPECT_NOTHING /* the value is complete */
};

/* A token but ':' and ','. Strings are [begin, end) with their quotes. */
struct json_token {
    size_t begin;
    size_t end;
    char kind; /* { } [ ], k a key, " a string, 0 a number, t f n a word */
};

/* The tokens of one value, if there are few. Set count and overflow to 0 between values. */
enum { JSON_TAPE_TOKENS = 512 };
struct json_tape {
    struct json_token tokens[JSON_TAPE_TOKENS];
    size_t count;
    bool overflow; /* there were more: those after the last are missing */
};

struct json_scan {
    const char *bytes;
    size_t count;
    size_t at;
    enum json_expect expect;
    size_t depth;                        /* brackets open at `at` */
    bool is_object[CJSON_NESTING_LIMIT]; /* for each of them */
    struct json_block block;             /* for the stops of strings */
    bool has_nul;                        /* some string holds \u0000 */
    const char *problem;                 /* NULL while all is well */
    char unexpected[32];                 /* room for one such problem */
    struct json_tape *tape;              /* borrowed; NULL: tokens are not kept */
};

void json_scan_init(struct json_scan *scan, const char *bytes, size_t count);

/* Moves over white space; the byte that stands there, or -1 at the end of the text. */
int json_scan_peek(struct json_scan *scan);

/* Moves over one token. Sets `problem` if it may not stand here, or the text ends. */
void json_scan_step(struct json_scan *scan);

/* Moves over the value that stands here, whole. False, with `problem`, if it is wrong. */
bool json_scan_value(struct json_scan *scan);

/*
 * The next element of the innermost open array, or the key of the next member of the
 * innermost open object (its value then stands at `at`, for json_scan_value()). False where
 * the bracket closes, which is then behind `at`; or with `problem`.
 */
bool json_scan_element(struct json_scan *scan, size_t *begin, size_t *end);
bool json_scan_member(struct json_scan *scan, size_t *key_begin, size_t *key_end);

/* The whole text: one value and nothing but white space. False, with `problem`, if not. */
bool json_scan_text(struct json_scan *scan);

/* Fails with the problem, its line and column (both from 1; a column is a character). */
enum status json_scan_fail(const struct json_scan *scan, const char *where,
                           struct error *error);

#endif
