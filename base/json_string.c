#include "base/json_string.h"

#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

/* Half a block; the compiler makes of it what the processor has. */
typedef unsigned char byte_vector __attribute__((vector_size(32)));
enum { VECTOR_BYTES = sizeof(byte_vector), DIGITS_BYTES = 4 /* behind \u */ };
enum { EXAMINED_BYTES = JSON_BLOCK_BYTES + DIGITS_BYTES };

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Bit i of the result is the highest bit of byte i. */
typedef uint32_t highest_bits(const byte_vector *bytes);

static inline uint32_t highest_bits_baseline(const byte_vector *bytes)
{
#ifdef __SSE2__
    typedef char half_vector __attribute__((vector_size(16)));
    half_vector halves[2];
    memcpy(halves, bytes, sizeof halves);
    return (uint32_t)__builtin_ia32_pmovmskb128(halves[0]) |
           (uint32_t)__builtin_ia32_pmovmskb128(halves[1]) << 16;
#else
    uint32_t bits = 0;
    for (int i = 0; i < VECTOR_BYTES; i++)
        bits |= (uint32_t)((*bytes)[i] >> 7) << i;
    return bits;
#endif
}

/* What the bytes of a block are, a bit each. */
struct byte_kinds {
    uint64_t quotes;
    uint64_t backslashes;
    uint64_t controls;
    uint64_t n; /* with the two others above what most escapes end with */
};

static ALWAYS_INLINE struct byte_kinds byte_kinds_of(const char *bytes, highest_bits *bits)
{
    struct byte_kinds kinds = {0};
    for (int i = 0; i < JSON_BLOCK_BYTES; i += VECTOR_BYTES) {
        byte_vector block;
        memcpy(&block, bytes + i, sizeof block);
        const byte_vector quotes = (byte_vector)(block == '"');
        const byte_vector backslashes = (byte_vector)(block == '\\');
        const byte_vector controls = (byte_vector)(block < 0x20);
        const byte_vector n = (byte_vector)(block == 'n');
        kinds.quotes |= (uint64_t)bits(&quotes) << i;
        kinds.backslashes |= (uint64_t)bits(&backslashes) << i;
        kinds.controls |= (uint64_t)bits(&controls) << i;
        kinds.n |= (uint64_t)bits(&n) << i;
    }
    return kinds;
}

/* Whether '\' and these bytes make a character by themselves, and not NUL. */
static bool is_character(const char *bytes)
{
    enum { NONE, ZERO, OTHER, D };
    static const unsigned char kinds[256] = {
        ['0'] = ZERO,  ['1'] = OTHER, ['2'] = OTHER, ['3'] = OTHER, ['4'] = OTHER,
        ['5'] = OTHER, ['6'] = OTHER, ['7'] = OTHER, ['8'] = OTHER, ['9'] = OTHER,
        ['a'] = OTHER, ['b'] = OTHER, ['c'] = OTHER, ['d'] = D,     ['e'] = OTHER,
        ['f'] = OTHER, ['A'] = OTHER, ['B'] = OTHER, ['C'] = OTHER, ['D'] = D,
        ['E'] = OTHER, ['F'] = OTHER};
    if (*bytes != 'u')
        return *bytes != '\0' && strchr("\"\\/bfnrt", *bytes);
    unsigned kind[DIGITS_BYTES];
    for (int i = 0; i < DIGITS_BYTES; i++)
        kind[i] = kinds[(unsigned char)bytes[1 + i]];
    return kind[0] && kind[1] && kind[2] && kind[3] && kind[0] != D &&
           (kind[0] | kind[1] | kind[2] | kind[3]) != ZERO;
}

/* Of backslashes in a row every second one is escaped itself. */
static inline uint64_t escaping(uint64_t backslashes)
{
    for (uint64_t pairs; (pairs = backslashes & backslashes << 1) != 0;)
        backslashes &= ~(pairs & -pairs);
    return backslashes;
}

/* Of the block at `bytes`, behind which DIGITS_BYTES more can be read. */
static ALWAYS_INLINE struct json_block block_examine(const char *bytes, size_t begin,
                                                     uint64_t carry, highest_bits *bits)
{
    const struct byte_kinds kinds = byte_kinds_of(bytes, bits);
    const uint64_t escapes = escaping(kinds.backslashes & ~carry);
    const uint64_t escaped = escapes << 1 | carry;
    return (struct json_block){.begin = begin,
                               .next = begin + JSON_BLOCK_BYTES,
                               .stops = (kinds.quotes & ~escaped) | kinds.controls,
                               .escaped = escaped,
                               .rare =
                                   escaped & ~(kinds.quotes | kinds.backslashes | kinds.n),
                               .carry = escapes >> 63};
}

/* Of the last bytes of a text: the zeros behind them are stops. */
static __attribute__((noinline)) struct json_block
last_block_examine(const char *bytes, size_t count, size_t begin, uint64_t carry)
{
    char padded[EXAMINED_BYTES] = {0};
    memcpy(padded, bytes, count);
    struct json_block block = block_examine(padded, begin, carry, highest_bits_baseline);
    for (; block.rare; block.rare &= block.rare - 1)
        if (!is_character(padded + __builtin_ctzll(block.rare)))
            block.stops |= block.rare & -block.rare;
    return block;
}

/* The rare escapes of some blocks, to be checked together. */
enum { RARE_BLOCKS = 8 };
struct rare_escapes {
    struct {
        size_t begin;
        uint64_t bits;
    } blocks[RARE_BLOCKS];
    size_t count;
};

/* Takes note of those of the block's bytes [from, to): written in any case, counted if
 * there are some. */
static inline void rare_note(struct rare_escapes *rare, const struct json_block *block,
                             size_t from, size_t to)
{
    const uint64_t below = to < JSON_BLOCK_BYTES ? (UINT64_C(1) << to) - 1 : UINT64_MAX;
    const uint64_t bits = block->rare >> from << from & below;
    rare->blocks[rare->count].begin = block->begin;
    rare->blocks[rare->count].bits = bits;
    rare->count += bits != 0;
}

/* Where the first begins that is wrong or needs a look; `count` if none does. */
static inline size_t rare_check(struct rare_escapes *rare, const char *bytes, size_t count)
{
    for (size_t i = 0; i < rare->count; i++)
        for (uint64_t bits = rare->blocks[i].bits; bits; bits &= bits - 1) {
            const size_t at = rare->blocks[i].begin + (size_t)__builtin_ctzll(bits);
            if (!is_character(bytes + at))
                return at - 1;
        }
    rare->count = 0;
    return count;
}

static inline size_t begin_of_block(size_t at)
{
    return at / JSON_BLOCK_BYTES * JSON_BLOCK_BYTES;
}

/* Goes on from *at until a block has a stop, or too few bytes are left for a whole block.
 * Returns what is ahead of *at in the block; *wrong is what rare_check() found. */
static ALWAYS_INLINE uint64_t whole_blocks(struct json_block *block, const char *bytes,
                                           size_t count, size_t *at, size_t *wrong,
                                           highest_bits *bits)
{
    struct rare_escapes rare;
    struct json_block now = *block;
    uint64_t ahead = 0;
    rare.count = 0;
    do {
        /* Nothing is called in this loop, or the vectors would not stay in registers. */
        for (size_t begin; !ahead && rare.count < RARE_BLOCKS &&
                           (begin = begin_of_block(*at)) + EXAMINED_BYTES <= count;
             *at = ahead ? *at : now.next) {
            if (now.next != begin + JSON_BLOCK_BYTES) /* or it was for an earlier string */
                now = block_examine(bytes + begin, begin, now.next == begin ? now.carry : 0,
                                    bits);
            const size_t from = *at - begin;
            ahead = now.stops >> from;
            rare_note(&rare, &now, from,
                      ahead ? from + (size_t)__builtin_ctzll(ahead) : JSON_BLOCK_BYTES);
        }
        *wrong = rare_check(&rare, bytes, count);
    } while (!ahead && *wrong == count && begin_of_block(*at) + EXAMINED_BYTES <= count);
    *block = now;
    return ahead;
}

static ALWAYS_INLINE size_t stop_with(struct json_block *block, const char *bytes,
                                      size_t count, size_t at, highest_bits *bits)
{
    size_t wrong;
    uint64_t ahead = whole_blocks(block, bytes, count, &at, &wrong, bits);
    if (wrong < count)
        return wrong;
    for (; at < count && !ahead; at = ahead ? at : block->next) {
        const size_t begin = begin_of_block(at);
        if (block->next != begin + JSON_BLOCK_BYTES)
            *block = last_block_examine(bytes + begin, count - begin, begin,
                                        block->next == begin ? block->carry : 0);
        ahead = block->stops >> (at - begin);
    }
    if (ahead)
        return json_block_stop(block, at, ahead);
    return block->next == count ? count - block->carry : count; /* a '\' may be the last */
}

size_t json_string_stop_baseline(struct json_block *block, const char *bytes, size_t count,
                                 size_t at)
{
    return stop_with(block, bytes, count, at, highest_bits_baseline);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static inline uint32_t
highest_bits_avx2(const byte_vector *bytes)
{
    typedef char char_vector __attribute__((vector_size(32)));
    return (uint32_t)__builtin_ia32_pmovmskb256((char_vector)*bytes);
}

__attribute__((target("avx2"))) static size_t
stop_avx2(struct json_block *block, const char *bytes, size_t count, size_t at)
{
    return stop_with(block, bytes, count, at, highest_bits_avx2);
}
#endif

size_t json_string_stop_far(struct json_block *block, const char *bytes, size_t count,
                            size_t at)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return stop_avx2(block, bytes, count, at);
#endif
    return json_string_stop_baseline(block, bytes, count, at);
}

static unsigned digits_value(const char *digits)
{
    unsigned value = 0;
    for (int i = 0; i < DIGITS_BYTES; i++) {
        const char c = digits[i];
        value = 16 * value + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static char *utf8_put(char *out, unsigned c)
{
    const int rest = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    *out++ = (char)(leads[rest] | c >> 6 * rest);
    for (int i = rest - 1; i >= 0; i--)
        *out++ = (char)(0x80 | (c >> 6 * i & 0x3F));
    return out;
}

/* Puts what the escape at *in says; moves *in behind it. */
static char *escape_put(char *out, const char **in)
{
    enum { REPLACEMENT = 0xFFFD };
    static const char letters[] = "b\bf\fn\nr\rt\t";
    const char kind = (*in)[1];
    *in += 2;
    if (kind != 'u') {
        const char *letter = strchr(letters, kind); /* '"', '\\' and '/' are themselves */
        *out++ = letter ? letter[1] : kind;
        return out;
    }
    unsigned c = digits_value(*in);
    *in += DIGITS_BYTES;
    if (c >= 0xD800 && c < 0xDC00) { /* the other half follows */
        c = 0x10000 + ((c - 0xD800) << 10) + (digits_value(*in + 2) - 0xDC00);
        *in += 2 + DIGITS_BYTES;
    }
    return utf8_put(out, c ? c : REPLACEMENT);
}

char *json_string_text(const char *bytes, size_t count)
{
    char *text =
        memory_duplicate_bytes(bytes, count); /* no escape is shorter than its text */
    const char *end = bytes + count;
    char *out = text;
    for (const char *in = bytes; in < end;) {
        const char *escape = memchr(in, '\\', (size_t)(end - in));
        const size_t plain = (size_t)((escape ? escape : end) - in);
        memcpy(out, in, plain);
        out += plain;
        in += plain;
        if (escape)
            out = escape_put(out, &in);
    }
    *out = '\0';
    return text;
}
