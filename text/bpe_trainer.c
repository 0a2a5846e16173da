#include "text/bpe_trainer.h"

#include "base/json.h"
#include "base/memory.h"
#include "text/byte_level.h"
#include "text/pretokenizer.h"
#include "text/string_table.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

/*
 * While learning, a word is the list of its tokens; a pair knows how often it stands in all
 * words, and in which words it has stood:
 *
 *     words  [w] symbols  -> "Ġ t h e"     count 812
 *     pairs  [p] (t, h)   -> count 1043    words {w, …}
 *     heap   (count, left, right, p)       largest count on top, then smallest ids
 *
 * A count in the heap may be out of date, but never too small: one that is too large is
 * put back with the true count when it comes up.
 */
enum { BYTE_COUNT = 256 };

struct word {
    int32_t *symbols;
    size_t count;
    int64_t frequency;
};

struct pair {
    int32_t left;
    int32_t right;
    int64_t count;
    int64_t queued; /* count of its newest entry in the heap */
    uint32_t *words;
    size_t word_count;
    size_t word_capacity;
};

struct heap_item {
    int64_t count;
    uint32_t pair;
};

struct bpe_trainer {
    struct pretokenizer *pretokenizer;
    struct string_table words_by_text; /* to an index of frequencies */
    int64_t *frequencies;
    size_t frequency_capacity;
};

struct learning {
    struct word *words;
    size_t word_count;
    int32_t *symbol_memory;
    struct pair *pairs;
    size_t pair_count;
    size_t pair_capacity;
    uint32_t *pair_table; /* open addressing: index of pair + 1, 0: free */
    size_t table_capacity;
    struct heap_item *heap;
    size_t heap_count;
    size_t heap_capacity;
    uint32_t *touched; /* pairs that grew in this merge */
    size_t touched_count;
    size_t touched_capacity;
    struct vocabulary vocabulary;
    struct merge {
        int32_t left;
        int32_t right;
    } * merges;
    size_t merge_count;
    size_t merge_capacity;
};

struct bpe_trainer *bpe_trainer_create(void)
{
    struct bpe_trainer *trainer = memory_allocate(sizeof *trainer);
    trainer->pretokenizer = pretokenizer_create();
    CHECK(!pretokenizer_add_byte_level(trainer->pretokenizer, false, true, NULL));
    return trainer;
}

void bpe_trainer_free(struct bpe_trainer *trainer)
{
    if (!trainer)
        return;
    pretokenizer_free(trainer->pretokenizer);
    string_table_release(&trainer->words_by_text);
    free(trainer->frequencies);
    free(trainer);
}

static void count_word(void *context, const char *text, size_t bytes)
{
    struct bpe_trainer *trainer = context;
    bool added;
    const size_t next = trainer->words_by_text.count;
    CHECK(next < INT32_MAX);
    const struct string_entry *entry =
        string_table_add(&trainer->words_by_text, text, bytes, (int32_t)next, &added);
    if (added) {
        array_reserve(trainer->frequencies, trainer->frequency_capacity, next + 1);
        trainer->frequencies[next] = 0;
    }
    trainer->frequencies[entry->value]++;
}

void bpe_trainer_add_text(struct bpe_trainer *trainer, const char *text, size_t bytes)
{
    struct text_buffer repaired = {0};
    if (!utf8_is_valid(text, bytes)) {
        utf8_append_repaired(&repaired, text, bytes);
        text = repaired.data;
        bytes = repaired.length;
    }
    pretokenizer_run(trainer->pretokenizer, text, bytes, TEXT_FIRST, count_word, trainer);
    text_buffer_release(&repaired);
}

/* The pair's slot in the table, or the free one where it belongs. */
static uint32_t *pair_slot(const struct learning *learning, int32_t left, int32_t right)
{
    const size_t mask = learning->table_capacity - 1;
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t slot = (size_t)((key ^ key >> 29) * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;
    for (;; slot = (slot + 1) & mask) {
        uint32_t *entry = &learning->pair_table[slot];
        if (*entry == 0)
            return entry;
        const struct pair *pair = &learning->pairs[*entry - 1];
        if (pair->left == left && pair->right == right)
            return entry;
    }
}

static void table_grow(struct learning *learning)
{
    free(learning->pair_table);
    learning->table_capacity =
        learning->table_capacity ? learning->table_capacity * 2 : 1024;
    learning->pair_table =
        memory_allocate_array(learning->table_capacity, sizeof *learning->pair_table);
    for (size_t i = 0; i < learning->pair_count; i++)
        *pair_slot(learning, learning->pairs[i].left, learning->pairs[i].right) =
            (uint32_t)i + 1;
}

static uint32_t pair_index(struct learning *learning, int32_t left, int32_t right)
{
    if (learning->pair_count >= learning->table_capacity / 2)
        table_grow(learning);
    uint32_t *slot = pair_slot(learning, left, right);
    if (*slot)
        return *slot - 1;
    CHECK(learning->pair_count < UINT32_MAX - 1);
    array_reserve(learning->pairs, learning->pair_capacity, learning->pair_count + 1);
    learning->pairs[learning->pair_count] = (struct pair){.left = left, .right = right};
    *slot = (uint32_t)++learning->pair_count;
    return *slot - 1;
}

/* Equal counts: the pair with the smaller ids comes first. */
static bool item_before(const struct learning *learning, const struct heap_item *a,
                        const struct heap_item *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    const struct pair *left = &learning->pairs[a->pair];
    const struct pair *right = &learning->pairs[b->pair];
    if (left->left != right->left)
        return left->left < right->left;
    return left->right < right->right;
}

static void heap_push(struct learning *learning, uint32_t pair)
{
    const struct heap_item item = {learning->pairs[pair].count, pair};
    array_reserve(learning->heap, learning->heap_capacity, learning->heap_count + 1);
    struct heap_item *heap = learning->heap;
    size_t i = learning->heap_count++;
    while (i > 0 && item_before(learning, &item, &heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = item;
    learning->pairs[pair].queued = item.count;
}

static struct heap_item heap_pop(struct learning *learning)
{
    struct heap_item *heap = learning->heap;
    const struct heap_item top = heap[0];
    const struct heap_item last = heap[--learning->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= learning->heap_count)
            break;
        if (child + 1 < learning->heap_count &&
            item_before(learning, &heap[child + 1], &heap[child]))
            child++;
        if (!item_before(learning, &heap[child], &last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

/* Adds `sign` times the word's frequency to each of its pairs. */
static void count_pairs(struct learning *learning, uint32_t word_index, int sign)
{
    const struct word *word = &learning->words[word_index];
    for (size_t i = 0; i + 1 < word->count; i++) {
        const uint32_t index = pair_index(learning, word->symbols[i], word->symbols[i + 1]);
        struct pair *pair = &learning->pairs[index];
        pair->count += sign * word->frequency;
        if (sign < 0)
            continue;
        if (pair->word_count == 0 || pair->words[pair->word_count - 1] != word_index) {
            array_reserve(pair->words, pair->word_capacity, pair->word_count + 1);
            pair->words[pair->word_count++] = word_index;
        }
        array_reserve(learning->touched, learning->touched_capacity,
                      learning->touched_count + 1);
        learning->touched[learning->touched_count++] = index;
    }
}

/* Queues the pairs that are now more frequent than the heap believes. */
static void queue_touched(struct learning *learning)
{
    for (size_t i = 0; i < learning->touched_count; i++) {
        const uint32_t index = learning->touched[i];
        if (learning->pairs[index].count > learning->pairs[index].queued)
            heap_push(learning, index);
    }
    learning->touched_count = 0;
}

static void merge_word(struct word *word, int32_t left, int32_t right, int32_t merged)
{
    size_t kept = 0;
    for (size_t i = 0; i < word->count; i++) {
        int32_t symbol = word->symbols[i];
        if (symbol == left && i + 1 < word->count && word->symbols[i + 1] == right) {
            symbol = merged;
            i++;
        }
        word->symbols[kept++] = symbol;
    }
    word->count = kept;
}

static bool word_has(const struct word *word, int32_t left, int32_t right)
{
    for (size_t i = 0; i + 1 < word->count; i++)
        if (word->symbols[i] == left && word->symbols[i + 1] == right)
            return true;
    return false;
}

static void apply_merge(struct learning *learning, uint32_t pair_number, int32_t merged)
{
    struct pair pair = learning->pairs[pair_number];
    learning->pairs[pair_number].words = NULL; /* refilled if the pair comes back */
    learning->pairs[pair_number].word_count = 0;
    learning->pairs[pair_number].word_capacity = 0;
    for (size_t i = 0; i < pair.word_count; i++) {
        struct word *word = &learning->words[pair.words[i]];
        if (!word_has(word, pair.left, pair.right))
            continue;
        count_pairs(learning, pair.words[i], -1);
        merge_word(word, pair.left, pair.right, merged);
        count_pairs(learning, pair.words[i], 1);
    }
    free(pair.words);
    learning->pairs[pair_number].queued = 0;
    queue_touched(learning);
}

/* The token that spells left + right: there already if other merges spell the same. */
static int32_t merged_token(struct learning *learning, const struct pair *pair)
{
    struct vocabulary *vocabulary = &learning->vocabulary;
    struct text_buffer spelling = {0};
    text_buffer_append(&spelling, vocabulary->tokens[pair->left].spelling);
    text_buffer_append(&spelling, vocabulary->tokens[pair->right].spelling);
    int32_t id = vocabulary_find(vocabulary, spelling.data, spelling.length);
    if (id < 0) {
        id = (int32_t)vocabulary->count;
        CHECK(!vocabulary_add(vocabulary, spelling.data, id, NULL));
    }
    text_buffer_release(&spelling);
    return id;
}

/* Merges until the vocabulary holds `target` tokens; false if the pairs run out. */
static bool learn(struct learning *learning, size_t target)
{
    while (learning->vocabulary.count < target) {
        if (learning->heap_count == 0)
            return false;
        const struct heap_item top = heap_pop(learning);
        const struct pair *pair = &learning->pairs[top.pair];
        if (top.count != pair->queued)
            continue; /* a newer entry speaks for the pair */
        if (top.count != pair->count) {
            learning->pairs[top.pair].queued = 0;
            if (pair->count > 0)
                heap_push(learning, top.pair);
            continue;
        }
        array_reserve(learning->merges, learning->merge_capacity,
                      learning->merge_count + 1);
        learning->merges[learning->merge_count++] = (struct merge){pair->left, pair->right};
        const int32_t merged = merged_token(learning, pair);
        apply_merge(learning, top.pair, merged);
    }
    return true;
}

static void add_bytes(struct learning *learning, int32_t byte_ids[BYTE_COUNT])
{
    struct text_buffer spelling = {0};
    for (int32_t id = 0; id < BYTE_COUNT; id++) {
        const unsigned char byte = byte_level_ordered((size_t)id);
        text_buffer_clear(&spelling);
        utf8_append(&spelling, byte_level_character(byte));
        CHECK(!vocabulary_add(&learning->vocabulary, spelling.data, id, NULL));
        byte_ids[byte] = id;
    }
    text_buffer_release(&spelling);
}

static void place_words(struct learning *learning, const struct bpe_trainer *trainer)
{
    int32_t byte_ids[BYTE_COUNT];
    const struct string_table *table = &trainer->words_by_text;
    size_t symbol_count = 0;
    add_bytes(learning, byte_ids);
    for (size_t i = 0; i < table->capacity; i++)
        symbol_count += table->slots[i].key ? table->slots[i].bytes : 0;
    learning->word_count = table->count;
    learning->words = memory_allocate_array(table->count + 1, sizeof *learning->words);
    learning->symbol_memory = memory_allocate_array(symbol_count + 1, sizeof(int32_t));
    int32_t *symbols = learning->symbol_memory;
    for (size_t i = 0; i < table->capacity; i++) {
        const struct string_entry *entry = &table->slots[i];
        if (!entry->key)
            continue;
        learning->words[entry->value] =
            (struct word){symbols, entry->bytes, trainer->frequencies[entry->value]};
        for (uint32_t j = 0; j < entry->bytes; j++)
            *symbols++ = byte_ids[(unsigned char)entry->key[j]];
    }
    for (size_t i = 0; i < learning->word_count; i++)
        count_pairs(learning, (uint32_t)i, 1);
    queue_touched(learning);
}

static void learning_release(struct learning *learning)
{
    for (size_t i = 0; i < learning->pair_count; i++)
        free(learning->pairs[i].words);
    vocabulary_release(&learning->vocabulary);
    free(learning->words);
    free(learning->symbol_memory);
    free(learning->pairs);
    free(learning->pair_table);
    free(learning->heap);
    free(learning->touched);
    free(learning->merges);
}

static void write_byte_level(struct json_writer *json, const char *key)
{
    json_object_begin(json, key);
    json_string(json, "type", "ByteLevel");
    json_bool(json, "add_prefix_space", false);
    json_bool(json, "trim_offsets", true);
    json_bool(json, "use_regex", true);
    json_object_end(json);
}

static void write_added_token(struct json_writer *json, const char *content, size_t id)
{
    json_object_begin(json, NULL);
    json_integer(json, "id", (int64_t)id);
    json_string(json, "content", content);
    json_bool(json, "single_word", false);
    json_bool(json, "lstrip", false);
    json_bool(json, "rstrip", false);
    json_bool(json, "normalized", false);
    json_bool(json, "special", true);
    json_object_end(json);
}

static void write_model(struct json_writer *json, const struct learning *learning)
{
    const struct vocabulary *vocabulary = &learning->vocabulary;
    json_object_begin(json, "model");
    json_string(json, "type", "BPE");
    json_null(json, "dropout");
    json_null(json, "unk_token");
    json_null(json, "continuing_subword_prefix");
    json_null(json, "end_of_word_suffix");
    json_bool(json, "fuse_unk", false);
    json_bool(json, "byte_fallback", false);
    json_bool(json, "ignore_merges", false);
    json_object_begin(json, "vocab");
    for (size_t id = 0; id < vocabulary->count; id++)
        json_integer(json, vocabulary->tokens[id].spelling, (int64_t)id);
    json_object_end(json);
    json_array_begin(json, "merges");
    struct text_buffer merge = {0};
    for (size_t i = 0; i < learning->merge_count; i++) {
        text_buffer_clear(&merge);
        text_buffer_appendf(&merge, "%s %s",
                            vocabulary->tokens[learning->merges[i].left].spelling,
                            vocabulary->tokens[learning->merges[i].right].spelling);
        json_string(json, NULL, text_buffer_string(&merge));
    }
    text_buffer_release(&merge);
    json_array_end(json);
    json_object_end(json);
}

static void write_tokenizer(const struct learning *learning, const char *const *special,
                            size_t special_count, struct text_buffer *out)
{
    struct json_writer json = {.out = out};
    const size_t first_special = learning->vocabulary.count - special_count;
    json_object_begin(&json, NULL);
    json_string(&json, "version", "1.0");
    json_null(&json, "truncation");
    json_null(&json, "padding");
    json_array_begin(&json, "added_tokens");
    for (size_t i = 0; i < special_count; i++)
        write_added_token(&json, special[i], first_special + i);
    json_array_end(&json);
    json_null(&json, "normalizer");
    write_byte_level(&json, "pre_tokenizer");
    json_null(&json, "post_processor");
    write_byte_level(&json, "decoder");
    write_model(&json, learning);
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

static enum status add_special(struct learning *learning, const char *const *special,
                               size_t special_count, struct error *error)
{
    for (size_t i = 0; i < special_count; i++) {
        const int32_t id = (int32_t)learning->vocabulary.count;
        if (!special[i][0])
            return error_set(error, STATUS_USAGE, "special token %zu is empty", i);
        const enum status status =
            vocabulary_add(&learning->vocabulary, special[i], id, error);
        if (status) {
            error_prefix(error, "special token %zu", i);
            return status;
        }
    }
    return STATUS_OK;
}

enum status bpe_trainer_finish(struct bpe_trainer *trainer, int64_t vocabulary_count,
                               const char *const *special, size_t special_count,
                               struct text_buffer *tokenizer_json, struct error *error)
{
    const int64_t least = BYTE_COUNT + (int64_t)special_count + 1;
    struct learning learning = {0};
    struct error ignored;
    enum status status;
    if (!error)
        error = &ignored;
    if (vocabulary_count < least || vocabulary_count > VOCABULARY_LIMIT)
        return error_set(error, STATUS_USAGE,
                         "a vocabulary of %lld tokens: %lld to %d are possible with %zu "
                         "special tokens",
                         (long long)vocabulary_count, (long long)least, VOCABULARY_LIMIT,
                         special_count);
    place_words(&learning, trainer);
    if (!learn(&learning, (size_t)vocabulary_count - special_count))
        status = error_set(error, STATUS_LIMIT,
                           "the texts hold pairs for a vocabulary of %zu tokens only, %lld "
                           "were asked for: add texts or ask for fewer",
                           learning.vocabulary.count + special_count,
                           (long long)vocabulary_count);
    else
        status = add_special(&learning, special, special_count, error);
    if (!status)
        write_tokenizer(&learning, special, special_count, tokenizer_json);
    learning_release(&learning);
    return status;
}
