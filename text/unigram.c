#include "text/unigram.h"

#include "base/error.h"
#include "base/memory.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_WORD_BYTES = 256, CAPACITY_FIRST = 1024 };
static const double UNKNOWN_PENALTY = 10;

/* Node 0 is the root; a slot whose node is 0 is free. */
struct unigram_node {
    uint32_t parent;
    uint32_t node;
    int32_t id; /* of the piece that ends here, -1: none */
    unsigned char byte;
};

void unigram_init(struct unigram *unigram, const struct vocabulary *vocabulary)
{
    *unigram = (struct unigram){.vocabulary = vocabulary, .unknown_id = -1};
    unigram->node_capacity = CAPACITY_FIRST;
    unigram->nodes = memory_allocate_array(CAPACITY_FIRST, sizeof *unigram->nodes);
    for (int i = 0; i < 256; i++)
        unigram->byte_ids[i] = -1;
}

void unigram_release(struct unigram *unigram)
{
    free(unigram->nodes);
    free(unigram->scores);
    *unigram = (struct unigram){0};
}

void unigram_set_score(struct unigram *unigram, int32_t id, double score)
{
    const size_t needed = (size_t)id + 1;
    if (needed > unigram->score_count) {
        array_reserve(unigram->scores, unigram->score_capacity, needed);
        for (size_t i = unigram->score_count; i < needed; i++)
            unigram->scores[i] = 0;
        unigram->score_count = needed;
    }
    unigram->scores[id] = score;
}

/* The slot of a parent's child, or the free one where it belongs. */
static struct unigram_node *node_slot(const struct unigram *unigram, uint32_t parent,
                                      unsigned char byte)
{
    const size_t mask = unigram->node_capacity - 1;
    const uint64_t key = (uint64_t)parent << 8 | byte;
    size_t slot = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & mask;
    for (;; slot = (slot + 1) & mask) {
        struct unigram_node *node = &unigram->nodes[slot];
        if (node->node == 0 || (node->parent == parent && node->byte == byte))
            return node;
    }
}

static void grow(struct unigram *unigram)
{
    struct unigram_node *old = unigram->nodes;
    const size_t old_capacity = unigram->node_capacity;
    unigram->node_capacity *= 2;
    unigram->nodes = memory_allocate_array(unigram->node_capacity, sizeof *unigram->nodes);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].node)
            *node_slot(unigram, old[i].parent, old[i].byte) = old[i];
    free(old);
}

void unigram_add_piece(struct unigram *unigram, const char *piece, size_t bytes, int32_t id)
{
    struct unigram_node *node = NULL;
    uint32_t parent = 0;
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char byte = (unsigned char)piece[i];
        if (unigram->node_count >= unigram->node_capacity / 2)
            grow(unigram);
        node = node_slot(unigram, parent, byte);
        if (node->node == 0) {
            CHECK(unigram->node_count < UINT32_MAX);
            *node =
                (struct unigram_node){parent, (uint32_t)++unigram->node_count, -1, byte};
        }
        parent = node->node;
    }
    if (node)
        node->id = id;
}

/* The best way to a place in the word. */
struct best {
    double score;
    uint32_t start; /* of the piece that ends here */
    int32_t id;     /* -1: not reached; unknown_id: one character */
};

static void offer(const struct unigram *unigram, struct best *best, double score,
                  uint32_t start, int32_t id)
{
    if (unigram->sentencepiece)
        score = (double)(float)score;
    if (best->id >= 0 && !(score > best->score))
        return;
    best->score = score;
    best->start = start;
    best->id = id;
}

static double unknown_score(const struct unigram *unigram, double so_far)
{
    if (!unigram->sentencepiece)
        return unigram->lowest_score - UNKNOWN_PENALTY + so_far;
    const float unknown = (float)unigram->lowest_score - (float)UNKNOWN_PENALTY;
    return (double)(unknown + (float)so_far);
}

/* Offers all pieces that start here to the places where they end. */
static void extend(const struct unigram *unigram, struct best *best, const char *word,
                   size_t bytes, uint32_t start)
{
    uint32_t code_point, parent = 0;
    const double so_far = best[start].score;
    const size_t character = utf8_decode(word + start, bytes - start, &code_point);
    bool covered = false;
    for (size_t i = start; i < bytes; i++) {
        const struct unigram_node *node =
            node_slot(unigram, parent, (unsigned char)word[i]);
        if (node->node == 0)
            break;
        parent = node->node;
        if (node->id < 0)
            continue;
        offer(unigram, &best[i + 1], unigram->scores[node->id] + so_far, start, node->id);
        covered |= i + 1 - start == character;
    }
    if (!covered)
        offer(unigram, &best[start + character], unknown_score(unigram, so_far), start,
              unigram->unknown_id);
}

static bool append_bytes(const struct unigram *unigram, const char *text, size_t bytes,
                         struct token_list *ids)
{
    for (size_t i = 0; i < bytes; i++)
        if (unigram->byte_ids[(unsigned char)text[i]] < 0)
            return false;
    for (size_t i = 0; i < bytes; i++)
        token_list_append(ids, unigram->byte_ids[(unsigned char)text[i]]);
    return true;
}

/* A run of unknown characters. `tokenizers` looks the run up as a whole. */
static void append_unknown(const struct unigram *unigram, const char *text, size_t bytes,
                           struct token_list *ids)
{
    const struct vocabulary *vocabulary = unigram->vocabulary;
    const int32_t whole =
        unigram->sentencepiece ? -1 : vocabulary_find(vocabulary, text, bytes);
    if (whole >= 0 && (size_t)whole < unigram->score_count &&
        !vocabulary->tokens[whole].special)
        token_list_append(ids, whole);
    else if (!unigram->byte_fallback || !append_bytes(unigram, text, bytes, ids))
        token_list_append(ids, unigram->unknown_id);
}

/* Walks the pieces from the end, turning `start` into "where the next one ends", then
 * appends them from the front. */
static void append_path(const struct unigram *unigram, struct best *best, const char *word,
                        size_t bytes, struct token_list *ids)
{
    uint32_t next = (uint32_t)bytes;
    struct best step = best[bytes];
    for (uint32_t end = next; end > 0;) {
        const uint32_t start = step.start;
        const struct best before = best[start];
        best[start].start = end;
        best[start].id = step.id;
        step = before;
        end = start;
    }
    for (uint32_t i = 0; i < bytes; i = next) {
        next = best[i].start;
        if (best[i].id != unigram->unknown_id) {
            token_list_append(ids, best[i].id);
            continue;
        }
        while (next < bytes && best[next].id == unigram->unknown_id)
            next = best[next].start;
        append_unknown(unigram, word + i, next - i, ids);
    }
}

void unigram_encode(const struct unigram *unigram, const char *word, size_t bytes,
                    struct token_list *ids)
{
    struct best short_best[SHORT_WORD_BYTES + 1];
    struct best *best = short_best;
    CHECK(bytes < UINT32_MAX);
    if (bytes > SHORT_WORD_BYTES)
        best = memory_allocate_array(bytes + 1, sizeof *best);
    for (size_t i = 0; i <= bytes; i++)
        best[i] = (struct best){0, 0, -1};
    for (uint32_t i = 0; i < bytes;) {
        uint32_t code_point;
        extend(unigram, best, word, bytes, i);
        i += (uint32_t)utf8_decode(word + i, bytes - i, &code_point);
    }
    append_path(unigram, best, word, bytes, ids);
    if (best != short_best)
        free(best);
}
