#include "eval/classifier_tokens.h"

#include "base/memory.h"
#include "eval/classifier_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A word (of the lower-cased copy, or of a contraction) or a mark, which has no bytes. */
struct piece {
    const char *text;
    size_t bytes;
    bool is_word;
};

struct pieces {
    struct piece items[CLASSIFIER_TOKEN_LIMIT];
    int count;
    char *copy;
};

static const char mark_line[] = "\n";
static const char mark_item[] = "<li>";
static const char mark_end[] = ".";
static const char mark_colon[] = ":";
static const char mark_comma[] = ",";
static const char asked_word[] = "<q>";
static const char other_word[] = "<w>";

static const struct {
    const char *suffix;
    const char *meaning;
} contractions[] = {{"n't", "not"},  {"'m", "am"},    {"'re", "are"},
                    {"'ve", "have"}, {"'ll", "will"}, {"'d", "would"}};

static const char *const before_is[] = {"it",  "that", "there", "here", "what",
                                        "let", "he",   "she",   "who",  "how"};

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool is_space(char c)
{
    return c != '\0' && strchr(" \t\r\n\v\f", c);
}

/* Lower case, with straight apostrophes. */
static char *text_fold(const char *text)
{
    char *copy = memory_duplicate_string(text);
    char *out = copy;
    for (; *text; text++) {
        if (strncmp(text, "\xe2\x80\x99", 3) == 0) {
            *out++ = '\'';
            text += 2;
        } else {
            *out++ = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;
        }
    }
    *out = '\0';
    return copy;
}

static void piece_add(struct pieces *pieces, const char *text, size_t bytes, bool is_word)
{
    if (pieces->count < CLASSIFIER_TOKEN_LIMIT)
        pieces->items[pieces->count++] =
            (struct piece){.text = text, .bytes = bytes, .is_word = is_word};
}

static void mark_add(struct pieces *pieces, const char *mark)
{
    piece_add(pieces, mark, strlen(mark), false);
}

static bool last_is(const struct pieces *pieces, const char *mark)
{
    return pieces->count > 0 && pieces->items[pieces->count - 1].text == mark;
}

static bool word_is(const char *word, size_t bytes, const char *other)
{
    return strlen(other) == bytes && memcmp(word, other, bytes) == 0;
}

static bool word_ends(const char *word, size_t bytes, const char *suffix)
{
    const size_t length = strlen(suffix);
    return bytes > length && memcmp(word + bytes - length, suffix, length) == 0;
}

static void possessive_add(struct pieces *pieces, const char *word, size_t bytes)
{
    piece_add(pieces, word, bytes, true);
    for (size_t i = 0; i < sizeof before_is / sizeof *before_is; i++)
        if (word_is(word, bytes, before_is[i]))
            piece_add(pieces, "is", 2, true);
}

static void word_add(struct pieces *pieces, const char *word, size_t bytes)
{
    if (word_is(word, bytes, "can't")) {
        piece_add(pieces, "cannot", 6, true);
        return;
    }
    if (word_is(word, bytes, "won't")) {
        piece_add(pieces, "will", 4, true);
        piece_add(pieces, "not", 3, true);
        return;
    }
    for (size_t i = 0; i < sizeof contractions / sizeof *contractions; i++) {
        const char *meaning = contractions[i].meaning;
        if (!word_ends(word, bytes, contractions[i].suffix))
            continue;
        piece_add(pieces, word, bytes - strlen(contractions[i].suffix), true);
        piece_add(pieces, meaning, strlen(meaning), true);
        return;
    }
    if (word_ends(word, bytes, "'s"))
        possessive_add(pieces, word, bytes - 2);
    else
        piece_add(pieces, word, bytes, true);
}

static size_t word_bytes(const char *text)
{
    size_t bytes = 1;
    while (is_word_byte(text[bytes]) ||
           (text[bytes] == '\'' && is_word_byte(text[bytes + 1])))
        bytes++;
    return bytes;
}

/* Bytes of "1.", "2)", "*" or "-" with a blank behind it, 0 if there is none. */
static size_t list_mark_bytes(const char *text)
{
    size_t bytes = strspn(text, "0123456789");
    if (bytes > 0 && (text[bytes] == '.' || text[bytes] == ')'))
        bytes++;
    else
        bytes = *text == '*' || *text == '-';
    return bytes > 0 && (text[bytes] == ' ' || text[bytes] == '\t') ? bytes : 0;
}

static void punctuation_add(struct pieces *pieces, const char *text)
{
    if (*text == ',')
        mark_add(pieces, mark_comma);
    else if (strchr(".!?:", *text) && (text[1] == '\0' || is_space(text[1])) &&
             pieces->count > 0 && !last_is(pieces, mark_end))
        mark_add(pieces, *text == ':' ? mark_colon : mark_end);
}

static void pieces_read(struct pieces *pieces, const char *text)
{
    bool begins_line = true;
    pieces->count = 0;
    pieces->copy = text_fold(text);
    for (const char *at = pieces->copy; *at && pieces->count < CLASSIFIER_TOKEN_LIMIT;) {
        size_t bytes = 1;
        if (*at == '\n') {
            if (pieces->count > 0 && !last_is(pieces, mark_line))
                mark_add(pieces, mark_line);
            begins_line = true;
        } else if (!is_space(*at)) {
            const size_t mark = begins_line ? list_mark_bytes(at) : 0;
            begins_line = false;
            if (mark > 0) {
                mark_add(pieces, mark_item);
                bytes = mark;
            } else if (is_word_byte(*at)) {
                bytes = word_bytes(at);
                word_add(pieces, at, bytes);
            } else {
                punctuation_add(pieces, at);
            }
        }
        at += bytes;
    }
}

/* What is left of a word without its ending: enough to see that it was said before. */
static size_t stem_bytes(const struct piece *word)
{
    static const char *const endings[] = {"ing", "ed", "es", "s"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t length = strlen(endings[i]);
        if (word_ends(word->text, word->bytes, endings[i]) && word->bytes - length >= 3)
            return word->bytes - length;
    }
    return word->bytes - (word->bytes > 3 && word->text[word->bytes - 1] == 'e');
}

static bool is_asked(const struct pieces *request, const struct piece *word)
{
    const size_t bytes = stem_bytes(word);
    for (int i = 0; i < request->count; i++) {
        const struct piece *other = &request->items[i];
        if (other->is_word && stem_bytes(other) == bytes &&
            memcmp(other->text, word->text, bytes) == 0)
            return true;
    }
    return false;
}

static int lexicon_compare(const void *key, const void *item)
{
    const struct piece *word = key;
    const char *known = *(const char *const *)item;
    const int order = strncmp(word->text, known, word->bytes);
    return order != 0 ? order : known[word->bytes] == '\0' ? 0 : -1;
}

/* The lexicon's own copy, NULL if it does not have the word. */
static const char *lexicon_find(const struct piece *word)
{
    const char *const *found =
        bsearch(word, classifier_lexicon, (size_t)classifier_lexicon_count,
                sizeof *classifier_lexicon, lexicon_compare);
    return found ? *found : NULL;
}

static void unknown_add(struct classifier_tokens *tokens, bool asked)
{
    const char **last = &tokens->items[tokens->count - 1];
    tokens->said += asked;
    if (*last != asked_word && *last != other_word)
        tokens->items[tokens->count++] = asked ? asked_word : other_word;
    else if (asked)
        *last = asked_word;
}

void classifier_tokens_read(struct classifier_tokens *tokens, const char *request,
                            const char *reply)
{
    struct pieces asked, said;
    pieces_read(&asked, request);
    pieces_read(&said, reply);
    *tokens = (struct classifier_tokens){.items = {"^"}, .count = 1};
    for (int i = 0; i < said.count; i++) {
        const struct piece *piece = &said.items[i];
        const char *known = piece->is_word ? lexicon_find(piece) : piece->text;
        tokens->words += piece->is_word;
        if (known)
            tokens->items[tokens->count++] = known;
        else
            unknown_add(tokens, is_asked(&asked, piece));
    }
    free(asked.copy);
    free(said.copy);
}
