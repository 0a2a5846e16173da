#ifndef HOLDFAST_TEXT_ADDED_TOKENS_H
#define HOLDFAST_TEXT_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tokens that are looked for in the text before it is cut into words: at each place the
 * longest, from left to right (a trie). `single_word`: not inside a word; `lstrip`,
 * `rstrip`: the white space before or behind belongs to it.
 */
struct added_token {
    int32_t id;
    bool special;
    bool single_word;
    bool lstrip;
    bool rstrip;
};

struct trie_node;

struct added_tokens {
    struct added_token *items;
    size_t count;
    size_t capacity;
    struct trie_node *nodes;
    size_t node_count;
    size_t node_capacity;
    int32_t roots[256]; /* node of a first byte, 0: none */
};

void added_tokens_release(struct added_tokens *tokens);

/* False if a token of this content is there already. The content is not empty. */
bool added_tokens_add(struct added_tokens *tokens, const char *content, size_t bytes,
                      struct added_token token);

/* Bytes of the longest token that the text begins with, 0 if there is none. */
size_t added_tokens_longest(const struct added_tokens *tokens, const char *text,
                            size_t bytes);

/*
 * Cuts valid UTF-8 into stretches of text and tokens, in order:
 *     struct added_scan scan = {.tokens = …, .text = …, .bytes = …};
 *     while (added_scan_next(&scan, &span)) …
 * With `special_is_text` special tokens are matched and left as text.
 */
struct added_span {
    size_t start;
    size_t end;
    int32_t id; /* -1: text */
};
struct added_scan {
    const struct added_tokens *tokens;
    const char *text;
    size_t bytes;
    bool special_is_text;
    size_t searched; /* matches start here or later */
    size_t emitted;  /* everything before has been handed out */
    struct added_span pending;
    bool has_pending;
};
bool added_scan_next(struct added_scan *scan, struct added_span *span);

#endif
