#include "text/bpe.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_WORD_BYTES = 64 };
static const uint64_t BPE_NO_PAIR = UINT64_MAX;
static const uint32_t NO_RANK = UINT32_MAX;

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static size_t pair_slot(const struct bpe *bpe, uint64_t pair)
{
    const uint64_t hash = (pair ^ pair >> 29) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(hash >> 32) & (bpe->merge_capacity - 1);
}

void bpe_init(struct bpe *bpe, size_t merge_count)
{
    *bpe = (struct bpe){.unknown_id = -1, .merge_capacity = 16};
    while (bpe->merge_capacity < 2 * merge_count)
        bpe->merge_capacity *= 2;
    bpe->merges = memory_allocate_array(bpe->merge_capacity, sizeof *bpe->merges);
    for (size_t i = 0; i < bpe->merge_capacity; i++)
        bpe->merges[i].pair = BPE_NO_PAIR;
    for (int i = 0; i < 256; i++)
        bpe->byte_ids[i] = -1;
    for (int i = 0; i < 128; i++)
        bpe->ascii_ids[i] = -1;
}

void bpe_release(struct bpe *bpe)
{
    free(bpe->merges);
    string_table_release(&bpe->words);
    string_table_release(&bpe->characters);
    free(bpe->neighbours);
    *bpe = (struct bpe){0};
}

/* The pair's slot, or the free one where it belongs. */
static struct bpe_merge *merge_slot(const struct bpe *bpe, uint64_t pair)
{
    size_t slot = pair_slot(bpe, pair);
    while (bpe->merges[slot].pair != pair && bpe->merges[slot].pair != BPE_NO_PAIR)
        slot = (slot + 1) & (bpe->merge_capacity - 1);
    return &bpe->merges[slot];
}

void bpe_add_merge(struct bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    const uint64_t pair = pair_of(left, right);
    *merge_slot(bpe, pair) = (struct bpe_merge){pair, rank, id};
}

void bpe_index_word(struct bpe *bpe, const char *word, size_t bytes, int32_t id)
{
    bool added;
    string_table_add(&bpe->words, word, bytes, id, &added);
}

/* The tokens of the bytes themselves; returns how many. `ids` has room for `bytes`. */
static size_t byte_tokens(const struct bpe *bpe, const char *word, size_t bytes,
                          int32_t *ids)
{
    size_t count = 0;
    bool in_unknown = false;
    for (size_t i = 0; i < bytes; i++) {
        const int32_t id = bpe->byte_ids[(unsigned char)word[i]];
        if (id >= 0) {
            ids[count++] = id;
            in_unknown = false;
        } else if (bpe->unknown_id >= 0) {
            if (!(in_unknown && bpe->fuse_unknown))
                ids[count++] = bpe->unknown_id;
            in_unknown = true;
        }
    }
    return count;
}

static size_t first_tokens(const struct bpe *bpe, const char *word, size_t bytes,
                           int32_t *ids)
{
    return bpe->byte_level ? byte_tokens(bpe, word, bytes, ids)
                           : bpe_character_tokens(bpe, word, bytes, ids);
}

static void append_all(struct token_list *list, const int32_t *ids, size_t count)
{
    if (list->capacity - list->count < count)
        array_reserve(list->ids, list->capacity, list->count + count);
    if (count)
        memcpy(list->ids + list->count, ids, count * sizeof *ids);
    list->count += count;
}

/* A pair of neighbours and what they merge to; rank NO_RANK if they do not. */
struct candidate {
    uint32_t rank;
    int32_t id;
};

static struct candidate candidate_of(const struct bpe *bpe, int32_t left, int32_t right)
{
    const struct bpe_merge *merge = merge_slot(bpe, pair_of(left, right));
    if (merge->pair == BPE_NO_PAIR)
        return (struct candidate){NO_RANK, -1};
    return (struct candidate){merge->rank, merge->id};
}

static void encode_short(const struct bpe *bpe, const char *word, size_t bytes,
                         struct token_list *list)
{
    int32_t ids[SHORT_WORD_BYTES];
    struct candidate pairs[SHORT_WORD_BYTES]; /* pairs[i]: ids[i] and ids[i + 1] */
    size_t count = first_tokens(bpe, word, bytes, ids);
    for (size_t i = 0; i + 1 < count; i++)
        pairs[i] = candidate_of(bpe, ids[i], ids[i + 1]);
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (pairs[i].rank < pairs[best].rank)
                best = i;
        if (pairs[best].rank == NO_RANK)
            break;
        ids[best] = pairs[best].id;
        count--;
        for (size_t i = best + 1; i < count; i++) {
            ids[i] = ids[i + 1];
            pairs[i - 1] = pairs[i];
        }
        if (best > 0)
            pairs[best - 1] = candidate_of(bpe, ids[best - 1], ids[best]);
        if (best + 1 < count)
            pairs[best] = candidate_of(bpe, ids[best], ids[best + 1]);
    }
    append_all(list, ids, count);
}

/*
 * Long words. Node i starts as byte token i; a merge keeps the left node and takes the
 * right one out of the list (its id becomes -1). A heap entry is out of date when its
 * nodes are no longer the pair that it speaks of.
 */
struct node {
    int32_t id;
    int64_t previous; /* -1: none */
    int64_t next;
};

struct heap_entry {
    uint32_t rank;
    int32_t id; /* merged */
    int64_t left;
    int64_t right;
    uint64_t pair;
};

struct long_word {
    const struct bpe *bpe;
    struct node *nodes;
    struct heap_entry *heap;
    size_t heap_count;
    size_t heap_capacity;
};

static bool entry_before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static void heap_push(struct long_word *word, struct heap_entry entry)
{
    array_reserve(word->heap, word->heap_capacity, word->heap_count + 1);
    size_t i = word->heap_count++;
    while (i > 0 && entry_before(&entry, &word->heap[(i - 1) / 2])) {
        word->heap[i] = word->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    word->heap[i] = entry;
}

static struct heap_entry heap_pop(struct long_word *word)
{
    const struct heap_entry top = word->heap[0];
    const struct heap_entry last = word->heap[--word->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= word->heap_count)
            break;
        if (child + 1 < word->heap_count &&
            entry_before(&word->heap[child + 1], &word->heap[child]))
            child++;
        if (!entry_before(&word->heap[child], &last))
            break;
        word->heap[i] = word->heap[child];
        i = child;
    }
    word->heap[i] = last;
    return top;
}

static void push_pair(struct long_word *word, int64_t left, int64_t right)
{
    if (left < 0 || right < 0)
        return;
    const int32_t left_id = word->nodes[left].id;
    const int32_t right_id = word->nodes[right].id;
    const struct candidate candidate = candidate_of(word->bpe, left_id, right_id);
    if (candidate.rank != NO_RANK)
        heap_push(word, (struct heap_entry){candidate.rank, candidate.id, left, right,
                                            pair_of(left_id, right_id)});
}

static void merge_nodes(struct long_word *word, const struct heap_entry *entry)
{
    struct node *left = &word->nodes[entry->left];
    struct node *right = &word->nodes[entry->right];
    if (left->id < 0 || left->next != entry->right ||
        pair_of(left->id, right->id) != entry->pair)
        return;
    left->id = entry->id;
    left->next = right->next;
    right->id = -1;
    if (left->next >= 0)
        word->nodes[left->next].previous = entry->left;
    push_pair(word, left->previous, entry->left);
    push_pair(word, entry->left, left->next);
}

static void encode_long(const struct bpe *bpe, const char *bytes, size_t byte_count,
                        struct token_list *list)
{
    struct long_word word = {.bpe = bpe};
    int32_t *ids = memory_allocate_array(byte_count, sizeof *ids);
    const size_t count = first_tokens(bpe, bytes, byte_count, ids);
    word.nodes = memory_allocate_array(count + 1, sizeof *word.nodes);
    for (size_t i = 0; i < count; i++)
        word.nodes[i] =
            (struct node){ids[i], (int64_t)i - 1, i + 1 < count ? (int64_t)i + 1 : -1};
    for (size_t i = 0; i + 1 < count; i++)
        push_pair(&word, (int64_t)i, (int64_t)i + 1);
    while (word.heap_count > 0) {
        const struct heap_entry top = heap_pop(&word);
        merge_nodes(&word, &top);
    }
    size_t kept = 0;
    for (int64_t i = count ? 0 : -1; i >= 0; i = word.nodes[i].next)
        ids[kept++] = word.nodes[i].id;
    append_all(list, ids, kept);
    free(word.heap);
    free(word.nodes);
    free(ids);
}

static void encode_part(const struct bpe *bpe, const char *word, size_t bytes,
                        struct token_list *ids)
{
    const struct string_entry *whole = string_table_find(&bpe->words, word, bytes);
    if (whole)
        token_list_append(ids, whole->value);
    else if (bytes <= SHORT_WORD_BYTES)
        encode_short(bpe, word, bytes, ids);
    else
        encode_long(bpe, word, bytes, ids);
}

void bpe_encode(const struct bpe *bpe, const char *word, size_t bytes,
                struct token_list *ids)
{
    if (!bpe->neighbours) {
        encode_part(bpe, word, bytes, ids);
        return;
    }
    while (bytes > 0) {
        const size_t part = bpe_part_bytes(bpe, word, bytes);
        encode_part(bpe, word, part, ids);
        word += part;
        bytes -= part;
    }
}
