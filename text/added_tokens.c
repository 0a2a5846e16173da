#include "text/added_tokens.h"

#include "base/error.h"
#include "base/memory.h"
#include "text/unicode.h"

#include <stdlib.h>

/* Node 0 is never a node: 0 means none. */
struct trie_node {
    unsigned char byte;
    int32_t sibling;
    int32_t child;
    int32_t token; /* index of the token that ends here, -1: none */
};

void added_tokens_release(struct added_tokens *tokens)
{
    free(tokens->items);
    free(tokens->nodes);
    *tokens = (struct added_tokens){0};
}

static int32_t node_add(struct added_tokens *tokens, unsigned char byte, int32_t sibling)
{
    if (tokens->node_count == 0)
        tokens->node_count = 1;
    CHECK(tokens->node_count < INT32_MAX);
    array_reserve(tokens->nodes, tokens->node_capacity, tokens->node_count + 1);
    tokens->nodes[tokens->node_count] =
        (struct trie_node){.byte = byte, .sibling = sibling, .token = -1};
    return (int32_t)tokens->node_count++;
}

static int32_t node_child(const struct added_tokens *tokens, int32_t node,
                          unsigned char byte)
{
    int32_t child = tokens->nodes[node].child;
    while (child && tokens->nodes[child].byte != byte)
        child = tokens->nodes[child].sibling;
    return child;
}

bool added_tokens_add(struct added_tokens *tokens, const char *content, size_t bytes,
                      struct added_token token)
{
    CHECK(bytes > 0);
    const unsigned char *in = (const unsigned char *)content;
    int32_t node = tokens->roots[in[0]];
    if (!node)
        node = tokens->roots[in[0]] = node_add(tokens, in[0], 0);
    for (size_t i = 1; i < bytes; i++) {
        int32_t child = node_child(tokens, node, in[i]);
        if (!child) {
            child = node_add(tokens, in[i], tokens->nodes[node].child);
            tokens->nodes[node].child = child;
        }
        node = child;
    }
    if (tokens->nodes[node].token >= 0)
        return false;
    tokens->nodes[node].token = (int32_t)tokens->count;
    array_reserve(tokens->items, tokens->capacity, tokens->count + 1);
    tokens->items[tokens->count++] = token;
    return true;
}

/* The longest token that starts at `start`; -1 if none does. */
static int32_t longest_at(const struct added_scan *scan, size_t start, size_t *end)
{
    const struct added_tokens *tokens = scan->tokens;
    const unsigned char *in = (const unsigned char *)scan->text;
    int32_t found = -1;
    int32_t node = tokens->roots[in[start]];
    for (size_t i = start + 1; node; i++) {
        if (tokens->nodes[node].token >= 0) {
            found = tokens->nodes[node].token;
            *end = i;
        }
        node = i < scan->bytes ? node_child(tokens, node, in[i]) : 0;
    }
    return found;
}

size_t added_tokens_longest(const struct added_tokens *tokens, const char *text,
                            size_t bytes)
{
    const struct added_scan scan = {.tokens = tokens, .text = text, .bytes = bytes};
    size_t end = 0;
    return bytes > 0 && longest_at(&scan, 0, &end) >= 0 ? end : 0;
}

static bool word_touches(const struct added_scan *scan, size_t start, size_t end)
{
    uint32_t code_point;
    if (start > 0) {
        const size_t last = utf8_last_start(scan->text, start);
        utf8_decode(scan->text + last, start - last, &code_point);
        if (unicode_is_word(code_point))
            return true;
    }
    if (end == scan->bytes)
        return false;
    utf8_decode(scan->text + end, scan->bytes - end, &code_point);
    return unicode_is_word(code_point);
}

static size_t space_start(const struct added_scan *scan, size_t start)
{
    while (start > scan->emitted) {
        uint32_t code_point;
        const size_t last = utf8_last_start(scan->text, start);
        utf8_decode(scan->text + last, start - last, &code_point);
        if (!unicode_is_white_space(code_point) || last < scan->emitted)
            break;
        start = last;
    }
    return start;
}

static size_t space_end(const struct added_scan *scan, size_t end)
{
    while (end < scan->bytes) {
        uint32_t code_point;
        const size_t taken = utf8_decode(scan->text + end, scan->bytes - end, &code_point);
        if (!unicode_is_white_space(code_point))
            break;
        end += taken;
    }
    return end;
}

/* The next token from `searched` on. What is matched and then dropped is still passed
 * over, as in `tokenizers`: a token inside it is not found. */
static bool find_token(struct added_scan *scan, struct added_span *span)
{
    while (scan->searched < scan->bytes) {
        const size_t start = scan->searched;
        size_t end = start + 1;
        const int32_t index = longest_at(scan, start, &end);
        scan->searched = end;
        if (index < 0)
            continue;
        const struct added_token *token = &scan->tokens->items[index];
        if (token->special && scan->special_is_text)
            continue;
        if (token->single_word && word_touches(scan, start, end))
            continue;
        *span = (struct added_span){start, end, token->id};
        if (token->lstrip)
            span->start = space_start(scan, start);
        if (token->rstrip)
            span->end = space_end(scan, end);
        return true;
    }
    return false;
}

bool added_scan_next(struct added_scan *scan, struct added_span *span)
{
    if (scan->has_pending) {
        *span = scan->pending;
        scan->has_pending = false;
        return true;
    }
    const size_t emitted = scan->emitted;
    if (!find_token(scan, span)) {
        *span = (struct added_span){emitted, scan->bytes, -1};
        scan->emitted = scan->bytes;
        return emitted < scan->bytes;
    }
    scan->emitted = span->end;
    if (emitted < span->start) {
        scan->pending = *span;
        scan->has_pending = true;
        *span = (struct added_span){emitted, span->start, -1};
    }
    return true;
}
