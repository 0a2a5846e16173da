#include "data_gen/near_duplicates.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text_buffer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HASHES = NEAR_DUPLICATE_HASHES, GRAM_WORDS = NEAR_DUPLICATE_GRAM_WORDS };

struct gram_set {
    uint32_t *grams; /* ascending, distinct */
    size_t count;
    size_t capacity;
};

/* A text in the index, and its place in the chain of each of its bands. */
struct entry {
    struct gram_set set;
    int64_t compared; /* the last query it was compared with */
};

struct chain_slot {
    uint64_t key; /* of band and minima; 0 is free */
    int64_t last; /* entry added last */
};

struct near_duplicates {
    double threshold;
    int rows;
    int bands;
    uint64_t multiply[HASHES];
    uint64_t add[HASHES];
    struct entry *entries;
    size_t count;
    size_t capacity;
    int64_t *previous; /* [count][bands]: the entry before in the chain, or -1 */
    size_t previous_capacity;
    struct chain_slot *slots; /* open addressing, a power of two */
    size_t slot_count;
    size_t slot_capacity;
    int64_t query;
    struct gram_set scratch;
};

/* splitmix64's finaliser (Steele et al. 2014): every bit depends on every bit. */
static uint64_t mix_bits(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool is_ascii_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Kana and Han: no spaces stand between the words. */
static bool is_word_alone(uint32_t point)
{
    return (point >= 0x3040 && point <= 0x9fff) || (point >= 0x20000 && point <= 0x3ffff);
}

/* Latin-1 signs, general and CJK punctuation part words as ASCII's do; so do bytes that are
 * not UTF-8 (UINT32_MAX) and what stands for them. */
static bool is_word_point(uint32_t point)
{
    return point >= 0xc0 && point <= 0x10ffff && point != 0xfffd &&
           !(point >= 0x2000 && point <= 0x206f) && !(point >= 0x3000 && point <= 0x303f) &&
           !(point >= 0xff00 && point <= 0xff0f);
}

/*
 * The hash of the next word from *at on, which moves behind it; 0 at the end of the text.
 */
static uint64_t word_next(const char *text, size_t bytes, size_t *at)
{
    uint64_t hash = 0;
    while (*at < bytes) {
        const unsigned char c = (unsigned char)text[*at];
        uint32_t point = c;
        const size_t length =
            c < 128 ? 1 : text_utf8_decode(text + *at, bytes - *at, &point);
        const bool is_word = c < 128 ? is_ascii_word(c) : is_word_point(point);
        if (hash && (!is_word || is_word_alone(point)))
            break;
        *at += length;
        if (!is_word)
            continue;
        if (c >= 'A' && c <= 'Z')
            point += 'a' - 'A';
        hash = mix_bits(hash + 0x9e3779b97f4a7c15u + point) | 1;
        if (is_word_alone(point))
            break;
    }
    return hash;
}

static void gram_add(struct gram_set *set, uint64_t hash)
{
    array_reserve(set->grams, set->capacity, set->count + 1);
    set->grams[set->count++] = (uint32_t)(mix_bits(hash) >> 32);
}

static int gram_compare(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void grams_sort(struct gram_set *set)
{
    size_t kept = 0;
    if (set->count == 0)
        return;
    qsort(set->grams, set->count, sizeof *set->grams, gram_compare);
    for (size_t i = 0; i < set->count; i++)
        if (i == 0 || set->grams[i] != set->grams[i - 1])
            set->grams[kept++] = set->grams[i];
    set->count = kept;
}

static void grams_read(struct gram_set *set, const char *text)
{
    uint64_t window[GRAM_WORDS] = {0};
    const size_t bytes = strlen(text);
    size_t at = 0;
    size_t words = 0;
    uint64_t hash;
    set->count = 0;
    while ((hash = word_next(text, bytes, &at)) != 0) {
        memmove(window, window + 1, sizeof window - sizeof *window);
        window[GRAM_WORDS - 1] = hash;
        if (++words < GRAM_WORDS)
            continue;
        uint64_t gram = 0;
        for (int i = 0; i < GRAM_WORDS; i++)
            gram = mix_bits(gram + window[i]);
        gram_add(set, gram);
    }
    if (words && words < GRAM_WORDS) {
        uint64_t gram = words;
        for (int i = 0; i < GRAM_WORDS; i++)
            gram = mix_bits(gram + window[i]);
        gram_add(set, gram);
    }
    grams_sort(set);
}

static double jaccard(const struct gram_set *a, const struct gram_set *b)
{
    size_t i = 0;
    size_t j = 0;
    size_t both = 0;
    while (i < a->count && j < b->count) {
        const uint32_t left = a->grams[i];
        const uint32_t right = b->grams[j];
        both += left == right;
        i += left <= right;
        j += right <= left;
    }
    const size_t either = a->count + b->count - both;
    return either ? (double)both / (double)either : 0;
}

static void minima_make(const struct near_duplicates *index, const struct gram_set *set,
                        uint32_t minima[HASHES])
{
    memset(minima, 0xff, HASHES * sizeof *minima);
    for (size_t i = 0; i < set->count; i++) {
        const uint64_t gram = set->grams[i];
        for (int k = 0; k < HASHES; k++) {
            const uint32_t hash =
                (uint32_t)((index->multiply[k] * gram + index->add[k]) >> 32);
            minima[k] = hash < minima[k] ? hash : minima[k];
        }
    }
}

int near_duplicates_band_rows(double threshold)
{
    int rows = 1;
    for (int r = 2; r <= HASHES; r++) {
        const double missed = pow(1 - pow(threshold, r), (double)(HASHES / r));
        if (missed <= 0.001)
            rows = r;
    }
    return rows;
}

struct near_duplicates *near_duplicates_create(double threshold)
{
    CHECK(threshold > 0 && threshold <= 1);
    struct near_duplicates *index = memory_allocate(sizeof *index);
    struct random random = random_stream(1, random_stream_of("minhash", 0, 0));
    index->threshold = threshold;
    index->rows = near_duplicates_band_rows(threshold);
    index->bands = HASHES / index->rows;
    for (int k = 0; k < HASHES; k++) {
        index->multiply[k] = random_u64(&random) | 1;
        index->add[k] = random_u64(&random);
    }
    return index;
}

void near_duplicates_free(struct near_duplicates *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++)
        free(index->entries[i].set.grams);
    free(index->entries);
    free(index->previous);
    free(index->slots);
    free(index->scratch.grams);
    free(index);
}

static uint64_t band_key(const struct near_duplicates *index, int band,
                         const uint32_t minima[HASHES])
{
    uint64_t key = (uint64_t)band + 1;
    for (int row = 0; row < index->rows; row++)
        key = mix_bits(key * 0x9e3779b97f4a7c15u + minima[band * index->rows + row]);
    return key | 1;
}

/* The slot of `key`, or the free one where it would stand. */
static struct chain_slot *slot_find(const struct near_duplicates *index, uint64_t key)
{
    const size_t mask = index->slot_capacity - 1;
    size_t i = (size_t)(key >> 1) & mask;
    while (index->slots[i].key && index->slots[i].key != key)
        i = (i + 1) & mask;
    return &index->slots[i];
}

static void slots_grow(struct near_duplicates *index)
{
    struct chain_slot *old = index->slots;
    const size_t old_capacity = index->slot_capacity;
    index->slot_capacity = old_capacity ? 2 * old_capacity : 4096;
    index->slots = memory_allocate_array(index->slot_capacity, sizeof *index->slots);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].key)
            *slot_find(index, old[i].key) = old[i];
    free(old);
}

static void entry_add(struct near_duplicates *index, const uint64_t *keys)
{
    const struct gram_set *set = &index->scratch;
    const int64_t number = (int64_t)index->count;
    array_reserve(index->entries, index->capacity, index->count + 1);
    struct entry *entry = &index->entries[index->count++];
    *entry = (struct entry){.set.count = set->count, .compared = -1};
    entry->set.grams = memory_allocate_array(set->count, sizeof *set->grams);
    memcpy(entry->set.grams, set->grams, set->count * sizeof *set->grams);
    array_reserve(index->previous, index->previous_capacity,
                  index->count * (size_t)index->bands);
    for (int band = 0; band < index->bands; band++) {
        if (2 * (index->slot_count + 1) > index->slot_capacity)
            slots_grow(index);
        struct chain_slot *slot = slot_find(index, keys[band]);
        index->previous[number * index->bands + band] = slot->key ? slot->last : -1;
        index->slot_count += slot->key == 0;
        *slot = (struct chain_slot){.key = keys[band], .last = number};
    }
}

/* The first entry that is near the scratch set, among those that share the band's key. */
static int64_t band_search(struct near_duplicates *index, int band, uint64_t key)
{
    int64_t found = -1;
    const struct chain_slot *slot = slot_find(index, key);
    for (int64_t i = slot->key ? slot->last : -1; i >= 0;
         i = index->previous[i * index->bands + band]) {
        struct entry *entry = &index->entries[i];
        if (entry->compared == index->query)
            continue;
        entry->compared = index->query;
        if (jaccard(&entry->set, &index->scratch) >= index->threshold)
            found = i;
    }
    return found;
}

int64_t near_duplicates_add(struct near_duplicates *index, const char *text)
{
    uint32_t minima[HASHES];
    uint64_t keys[HASHES];
    int64_t first = -1;
    grams_read(&index->scratch, text);
    if (index->scratch.count == 0)
        return -1;
    minima_make(index, &index->scratch, minima);
    index->query++;
    for (int band = 0; band < index->bands; band++) {
        keys[band] = band_key(index, band, minima);
        const int64_t found = index->slot_count ? band_search(index, band, keys[band]) : -1;
        if (found >= 0 && (first < 0 || found < first))
            first = found;
    }
    if (first < 0)
        entry_add(index, keys);
    return first;
}

double near_duplicates_jaccard(const char *a, const char *b)
{
    struct gram_set left = {0};
    struct gram_set right = {0};
    grams_read(&left, a);
    grams_read(&right, b);
    const double result = jaccard(&left, &right);
    free(left.grams);
    free(right.grams);
    return result;
}

double near_duplicates_estimate(const char *a, const char *b)
{
    uint32_t minima[2][HASHES];
    struct near_duplicates *index = near_duplicates_create(1);
    int equal = 0;
    grams_read(&index->scratch, a);
    minima_make(index, &index->scratch, minima[0]);
    grams_read(&index->scratch, b);
    minima_make(index, &index->scratch, minima[1]);
    for (int k = 0; k < HASHES; k++)
        equal += minima[0][k] == minima[1][k];
    near_duplicates_free(index);
    return (double)equal / HASHES;
}
