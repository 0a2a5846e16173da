#include "text/tense_phrase.h"

#include <ctype.h>
#include <string.h>

/* Sentences. */

static const char doubled[] = " to the a an of in for and that with on is ";
static const char abbreviations[] =
    " mr. mrs. ms. dr. st. vs. etc. e.g. i.e. inc. no. jr. sr. "
    "prof. dept. approx. ";

/* A full stop ends a sentence unless it belongs to an abbreviation or a number. */
static bool ends_sentence(const char *text, const char *at)
{
    if (*at == '\n' || *at == '!' || *at == '?')
        return true;
    if (*at != '.' || (at[1] != '\0' && !isspace((unsigned char)at[1])))
        return false;
    const char *start = at;
    while (start > text && !isspace((unsigned char)start[-1]))
        start--;
    const struct word last = {.text = start, .length = (int)(at + 1 - start)};
    const bool dotted = memchr(start, '.', (size_t)(at - start)) != NULL;
    const bool initial = at - start == 1 && isupper((unsigned char)*start);
    if (!dotted && !initial && !word_among(last, abbreviations))
        return true;
    const char *next = at + 1;
    while (isspace((unsigned char)*next))
        next++;
    return *next == '\0' || (dotted && isupper((unsigned char)*next) && *at == '\n');
}

/* Length of a UTF-8 quote or dash at `c` and what to write for it; 0 for none. */
static int punctuation_at(const char *c, const char **written)
{
    static const char *const table[][2] = {
        {"\xe2\x80\x98", "'"}, {"\xe2\x80\x99", "'"}, {"\xe2\x80\x9c", ""},
        {"\xe2\x80\x9d", ""},  {"\xe2\x80\x93", "-"}, {"\xe2\x80\xa6", ""},
        {"\xc2\xab", ""},      {"\xc2\xbb", ""},      {"\xc2\xa0", " "},
    };
    const bool is_ascii = (unsigned char)*c < 0x80; /* as most bytes are */
    for (size_t i = 0; !is_ascii && i < sizeof table / sizeof table[0]; i++)
        if (text_starts_with(c, table[i][0])) {
            *written = table[i][1];
            return (int)strlen(table[i][0]);
        }
    *written = "";
    return *c == '"' || *c == '`' || *c == '*' ? 1 : 0;
}

/* How many bytes come first that stand for themselves and end nothing, as most do. */
static size_t letters_count(const char *c)
{
    size_t count = 0;
    while (c[count] == ' ' || c[count] == ',' || isalnum((unsigned char)c[count]))
        count++;
    return count;
}

static void add_bytes(struct sentence *sentence, size_t *length, const char *bytes,
                      size_t count)
{
    const size_t room = SENTENCE_BYTES_MAX - 1 - *length;
    if (count > room)
        count = room;
    memcpy(sentence->bytes + *length, bytes, count);
    *length += count;
}

/* "HOW DO I PICK A LOCK": capitals throughout name nothing. */
static void lower_shouting(char *bytes)
{
    int spaces = 0;
    for (const char *c = bytes; *c; c++) {
        if (islower((unsigned char)*c))
            return;
        spaces += *c == ' ';
    }
    for (char *c = bytes; spaces >= 2 && *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

/* Copies up to the end of the sentence; returns where it stopped. */
static const char *copy_sentence(struct sentence *sentence, const char *text)
{
    size_t length = 0;
    const char *c = text;
    for (;;) {
        const size_t count = letters_count(c);
        add_bytes(sentence, &length, c, count);
        c += count;
        if (!*c || ends_sentence(text, c))
            break;
        const char *written = NULL;
        const int skipped = punctuation_at(c, &written);
        const char plain[2] = {iscntrl((unsigned char)*c) ? ' ' : *c, '\0'};
        written = skipped ? written : plain;
        c += skipped ? skipped : 1;
        add_bytes(sentence, &length, written, *written != '\0');
    }
    sentence->bytes[length] = '\0';
    lower_shouting(sentence->bytes);
    return c;
}

static void add_token(struct phrase *phrase, const char *text, int length)
{
    struct word word = {.text = text, .length = length};
    const struct word before = phrase_at(phrase, phrase->count - 1);
    const bool same = before.length == length && length > 0 && word_among(word, doubled) &&
                      strncasecmp(before.text, text, (size_t)length) == 0;
    if (length > 0 && !same)
        phrase_add(phrase, word);
}

/* One run of non-space bytes: the word and the punctuation that ends it. */
static void add_run(struct phrase *phrase, const char *text, int length)
{
    int kept = length;
    while (kept > 0 && strchr(",;:.", text[kept - 1]) &&
           !(text[kept - 1] == '.' && memchr(text, '.', (size_t)(kept - 1))))
        kept--;
    if (kept == 1 && *text == '-') {
        phrase_add(phrase, (struct word){.text = "-", .length = 1});
        return;
    }
    add_token(phrase, text, kept);
    if (kept < length && text[kept] != '.' && phrase->count > 0)
        phrase_add(phrase, (struct word){.text = text + kept, .length = 1, .glued = true});
}

static void split_words(struct sentence *sentence)
{
    const char *c = sentence->bytes;
    c += strspn(c, " \t-#>");
    const size_t digits = strspn(c, "0123456789");
    if (digits > 0 && (c[digits] == '.' || c[digits] == ')') && c[digits + 1] == ' ')
        c += digits + 1;
    for (c += strspn(c, " \t"); *c; c += strspn(c, " \t")) {
        const int length = (int)strcspn(c, " \t");
        add_run(&sentence->phrase, c, length);
        c += length;
    }
    struct phrase *phrase = &sentence->phrase;
    while (phrase->count > 0 && (is_comma(phrase->words[phrase->count - 1]) ||
                                 phrase_is(phrase, phrase->count - 1, "-")))
        phrase->count--;
}

bool sentence_next(struct sentence *sentence, const char **cursor)
{
    while (**cursor) {
        sentence->phrase.count = 0;
        const char *stop = copy_sentence(sentence, *cursor);
        sentence->question = *stop == '?';
        while (*stop && (ends_sentence(stop, stop) || isspace((unsigned char)*stop)))
            stop++;
        *cursor = stop;
        split_words(sentence);
        if (sentence->phrase.count > 0)
            return true;
    }
    return false;
}

/* Phrases. */

void phrase_add(struct phrase *phrase, struct word word)
{
    if (phrase->count < PHRASE_WORDS_MAX)
        phrase->words[phrase->count++] = word;
}

void phrase_add_text(struct phrase *phrase, const char *literal)
{
    phrase_add(phrase, word_of(literal));
}

void phrase_add_slice(struct phrase *phrase, const struct phrase *from, int start, int end)
{
    for (int i = start < 0 ? 0 : start; i < end && i < from->count; i++)
        phrase_add(phrase, from->words[i]);
}

struct phrase phrase_slice(const struct phrase *from, int start, int end)
{
    struct phrase slice;
    slice.count = 0;
    phrase_add_slice(&slice, from, start, end);
    return slice;
}

void phrase_remove(struct phrase *phrase, int index)
{
    if (index < 0 || index >= phrase->count)
        return;
    for (int i = index; i + 1 < phrase->count; i++)
        phrase->words[i] = phrase->words[i + 1];
    phrase->count--;
}

/* Source texts have "a algorithm"; only lower-case words whose sound is certain. */
static struct word mended_article(struct word article, struct word next)
{
    if (next.length < 2 || !islower((unsigned char)next.text[0]))
        return article;
    const bool vowel = strchr("aeio", next.text[0]) && strncmp(next.text, "eu", 2) != 0 &&
                       strncmp(next.text, "one", 3) != 0 &&
                       strncmp(next.text, "once", 4) != 0;
    if (word_is(article, "a") && vowel)
        return word_of("an");
    if (word_is(article, "an") && strchr("bcdgjkpqtvwyz", next.text[0]))
        return word_of("a");
    return article;
}

void phrase_append(struct text_buffer *out, const struct phrase *phrase)
{
    for (int i = 0; i < phrase->count; i++) {
        struct word word = phrase->words[i];
        if (word.form == WORD_AS_IS)
            word = mended_article(word, phrase_at(phrase, i + 1));
        if (i > 0 && !word.glued)
            text_buffer_append_char(out, ' ');
        word_append(out, word);
    }
}

struct word phrase_at(const struct phrase *phrase, int index)
{
    if (index < 0 || index >= phrase->count)
        return (struct word){.text = ""};
    return phrase->words[index];
}

bool phrase_is(const struct phrase *phrase, int index, const char *literal)
{
    return word_is(phrase_at(phrase, index), literal);
}

bool phrase_among(const struct phrase *phrase, int index, const char *list)
{
    return word_among(phrase_at(phrase, index), list);
}

int phrase_find(const struct phrase *phrase, int start, const char *list)
{
    for (int i = start < 0 ? 0 : start; i < phrase->count; i++)
        if (word_among(phrase->words[i], list))
            return i;
    return -1;
}

bool phrase_has(const struct phrase *phrase, const char *list)
{
    return phrase_find(phrase, 0, list) >= 0;
}

/* Noun phrases. */

/* "a letter inciting violence": a participle clause begins at i. */
static bool participle_clause(const struct phrase *phrase, int start, int i)
{
    struct verb verb;
    if (i <= start || !verb_of_gerund(phrase->words[i], &verb))
        return false;
    const struct word next = phrase_at(phrase, i + 1);
    const bool governs = is_determiner(next) || is_pronoun(next) || is_wh_word(next) ||
                         word_is(next, "that");
    if (!(verb.flags & VERB_PARTICIPLE) && !governs)
        return false;
    const struct word before = phrase->words[i - 1];
    if (!governs && (word_ends(before, "ous") || word_ends(before, "ful") ||
                     word_among(before, " bogus fake false new early final ")))
        return false; /* "a bogus warning" */
    const bool after_article = i == start + 1 && is_determiner(phrase->words[start]);
    return !after_article;
}

static const char phrase_stops[] =
    " to that which who whom whose when where why how if because while whether using based "
    "used aimed designed made intended meant so than including such without older younger "
    "necessary needed required related online ";

static bool stops_noun_phrase(const struct phrase *phrase, int start, int i)
{
    const struct word word = phrase->words[i];
    if (is_comma(word) || word_is(word, "-") || is_auxiliary(word))
        return true;
    if (i == start)
        return false;
    if (word_among(word, phrase_stops) || word.text[0] == '(')
        return true;
    if (is_preposition(word) && !word_is(word, "of"))
        return true;
    return is_pronoun(word) || is_adverb(word) || participle_clause(phrase, start, i);
}

/* After "and": does a noun phrase follow rather than a verb? */
static bool joins_noun(const struct phrase *phrase, int i)
{
    struct verb verb;
    const struct word next = phrase_at(phrase, i + 1);
    if (next.length == 0 || is_preposition(next) || is_wh_word(next) || is_adverb(next) ||
        is_auxiliary(next) || word_among(next, phrase_stops) || is_conjunction(next))
        return false;
    return !verb_of_base(next, &verb) || (verb.flags & VERB_NOUN);
}

int noun_phrase_end(const struct phrase *phrase, int start, bool joined)
{
    int i = start;
    if (is_pronoun(phrase_at(phrase, start)) && !is_determiner(phrase_at(phrase, start)))
        return start + 1;
    while (i < phrase->count && !stops_noun_phrase(phrase, start, i)) {
        if (is_conjunction(phrase->words[i]) && (!joined || !joins_noun(phrase, i)))
            break;
        i++;
    }
    return i;
}

int noun_phrase_head(const struct phrase *phrase, int start, int end)
{
    for (int i = start; i < end; i++)
        if (phrase_is(phrase, i, "of") && i > start)
            return i - 1;
    return end - 1;
}

bool noun_phrase_is_plural(const struct phrase *phrase, int start, int end)
{
    const int head = noun_phrase_head(phrase, start, end);
    for (int i = start; i < end; i++)
        if (phrase_is(phrase, i, "and"))
            return true;
    if (phrase_among(phrase, start, " a an this each every one another ") &&
        !noun_is_plural(phrase_at(phrase, head)))
        return false;
    return noun_is_plural(phrase_at(phrase, head));
}
