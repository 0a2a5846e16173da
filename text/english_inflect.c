#include "text/english.h"

#include <ctype.h>
#include <string.h>

/* Words longer than this are names or noise and are never inflected. */
enum { STEM_BYTES_MAX = 40 };

static int lower(char c)
{
    return tolower((unsigned char)c);
}

struct word word_of(const char *literal)
{
    return (struct word){.text = literal, .length = (int)strlen(literal)};
}

bool word_is(struct word word, const char *literal)
{
    return (size_t)word.length == strlen(literal) &&
           strncasecmp(word.text, literal, (size_t)word.length) == 0;
}

bool word_among(struct word word, const char *list)
{
    char key[STEM_BYTES_MAX + 3];
    if (word.length < 1 || word.length > STEM_BYTES_MAX)
        return false;
    key[0] = ' ';
    for (int i = 0; i < word.length; i++)
        key[i + 1] = (char)lower(word.text[i]);
    key[word.length + 1] = ' ';
    key[word.length + 2] = '\0';
    return strstr(list, key) != NULL;
}

bool word_ends(struct word word, const char *suffix)
{
    const int length = (int)strlen(suffix);
    return word.length >= length &&
           strncasecmp(word.text + word.length - length, suffix, (size_t)length) == 0;
}

bool word_starts_upper(struct word word)
{
    return word.length > 0 && isupper((unsigned char)word.text[0]);
}

bool word_has_digit(struct word word)
{
    for (int i = 0; i < word.length; i++)
        if (isdigit((unsigned char)word.text[i]))
            return true;
    return false;
}

/* Verb tables. */

static int compare_key(struct word word, const char *entry)
{
    for (int i = 0; i < word.length; i++) {
        const char c = entry[i] == ':' || entry[i] == ' ' ? '\0' : entry[i];
        const int difference = lower(word.text[i]) - (unsigned char)c;
        if (difference != 0)
            return difference;
    }
    const char end = entry[word.length];
    return end == '\0' || end == ':' || end == ' ' ? 0 : -1;
}

/* The entry of a regular verb, or NULL; it ends at a space. */
static const char *regular_find(struct word word)
{
    char key[STEM_BYTES_MAX + 2] = " ";
    const int letter = lower(word.text[0]) - 'a';
    if (letter < 0 || letter > 25)
        return NULL;
    for (int i = 0; i < word.length; i++)
        key[i + 1] = (char)lower(word.text[i]);
    key[word.length + 1] = '\0';
    const char *entry = strstr(english_regular_verbs[letter], key);
    while (entry && entry[word.length + 1] != ' ' && entry[word.length + 1] != ':')
        entry = strstr(entry + 1, key);
    return entry ? entry + 1 : NULL;
}

static const char *irregular_find(struct word word)
{
    const char *const *table = english_irregular_verbs;
    int low = 0;
    int high = english_irregular_verb_count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const int order = compare_key(word, table[middle]);
        if (order == 0)
            return table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The flags behind the last field, if a colon is there. */
static unsigned flags_of(const char *fields_end)
{
    unsigned flags = 0;
    for (const char *c = fields_end; *c && *c != ' '; c++) {
        if (fields_end[0] != ':')
            break;
        flags |= *c == 'i' ? VERB_INTRANSITIVE : 0u;
        flags |= *c == 'n' ? VERB_NOUN : 0u;
        flags |= *c == 'p' ? VERB_PARTICIPLE : 0u;
        flags |= *c == 'd' ? VERB_DOUBLES : 0u;
        flags |= *c == 'k' ? VERB_ADDS_K : 0u;
    }
    return flags;
}

/* The next field of an entry, up to a space, a colon or the end. */
static struct word field_of(const char **cursor)
{
    const struct word field = {.text = *cursor, .length = (int)strcspn(*cursor, " :")};
    *cursor += field.length;
    if (**cursor == ' ')
        (*cursor)++;
    return field;
}

bool verb_of_base(struct word word, struct verb *verb)
{
    *verb = (struct verb){0};
    if (word.length < 2 || word.length > STEM_BYTES_MAX)
        return false;
    const char *cursor = irregular_find(word);
    if (cursor) {
        verb->base = field_of(&cursor);
        verb->past = field_of(&cursor);
        verb->participle = field_of(&cursor);
    } else {
        cursor = regular_find(word);
        if (!cursor)
            return false;
        verb->base = field_of(&cursor);
    }
    verb->flags = flags_of(cursor);
    return true;
}

bool verb_is_noun_too(struct word base)
{
    struct verb verb;
    return verb_of_base(base, &verb) && (verb.flags & VERB_NOUN);
}

/* "travelling" for "traveling": one more l, otherwise the same. */
static bool is_british(struct word word, const char *american)
{
    const char *l = strrchr(american, 'l');
    const int before = l ? (int)(l - american) + 1 : 0;
    return l && (size_t)word.length == strlen(american) + 1 &&
           lower(word.text[before]) == 'l' &&
           strncasecmp(word.text, american, (size_t)before) == 0 &&
           strcasecmp(american + before, "") != 0 &&
           strncasecmp(word.text + before + 1, american + before,
                       strlen(american + before)) == 0;
}

/* Tries word minus `cut` bytes plus `added` as a base form that inflects back to it. */
static bool try_stem(struct word word, int cut, const char *added,
                     void (*inflect)(struct text_buffer *, struct word), struct verb *verb)
{
    char stem[STEM_BYTES_MAX + 4];
    const int kept = word.length - cut;
    if (kept < 1 || word.length > STEM_BYTES_MAX)
        return false;
    memcpy(stem, word.text, (size_t)kept);
    strcpy(stem + kept, added);
    if (!verb_of_base(word_of(stem), verb))
        return false;
    struct text_buffer again = {0};
    inflect(&again, verb->base);
    const bool same = word_is(word, text_buffer_string(&again)) ||
                      is_british(word, text_buffer_string(&again));
    text_buffer_release(&again);
    return same;
}

bool verb_of_gerund(struct word word, struct verb *verb)
{
    if (word.length < 5 || !word_ends(word, "ing"))
        return false;
    return try_stem(word, 3, "", append_gerund, verb) ||
           try_stem(word, 3, "e", append_gerund, verb) ||
           try_stem(word, 4, "", append_gerund, verb) || /* stopping, trafficking */
           try_stem(word, 4, "ie", append_gerund, verb); /* lying */
}

bool verb_of_third(struct word word, struct verb *verb)
{
    if (word.length < 3 || !word_ends(word, "s"))
        return false;
    if (word_is(word, "has"))
        return verb_of_base(word_of("have"), verb);
    return try_stem(word, 1, "", append_third, verb) ||
           try_stem(word, 2, "", append_third, verb) || /* teaches */
           try_stem(word, 3, "y", append_third, verb);  /* tries */
}

/* Whether a form of this entry begins with `first`, which its base does not. */
static bool has_other_letter(const char *entry, int first)
{
    if (first == 'a')
        return strncmp(entry, "eat ", 4) == 0;
    return first == 'w' && (strncmp(entry, "be ", 3) == 0 || strncmp(entry, "go ", 3) == 0);
}

static bool irregular_of(struct word word, bool participle, struct verb *verb)
{
    if (word.length == 0)
        return false;
    const int first = lower(word.text[0]);
    for (int i = 0; i < english_irregular_verb_count; i++) {
        const char *cursor = english_irregular_verbs[i];
        if (*cursor != first && !has_other_letter(cursor, first))
            continue;
        const struct word base = field_of(&cursor);
        const struct word past = field_of(&cursor);
        const struct word third = field_of(&cursor);
        const struct word form = participle ? third : past;
        if (form.length == word.length &&
            strncasecmp(form.text, word.text, (size_t)form.length) == 0)
            return verb_of_base(base, verb);
    }
    return false;
}

static bool regular_past_of(struct word word, struct verb *verb)
{
    if (word.length < 4 || !word_ends(word, "ed"))
        return false;
    return (try_stem(word, 1, "", append_past, verb) ||
            try_stem(word, 2, "", append_past, verb) ||
            try_stem(word, 3, "y", append_past, verb) ||
            try_stem(word, 3, "", append_past, verb)) &&
           !verb->past.text;
}

bool verb_of_past(struct word word, struct verb *verb)
{
    return irregular_of(word, false, verb) || regular_past_of(word, verb);
}

bool verb_of_participle(struct word word, struct verb *verb)
{
    return irregular_of(word, true, verb) || regular_past_of(word, verb);
}

/* Spelling. */

static bool is_vowel(char c)
{
    return c != '\0' && strchr("aeiou", lower(c)) != NULL;
}

static char at_end(struct word word, int from_end)
{
    return word.length >= from_end ? (char)lower(word.text[word.length - from_end]) : '\0';
}

/* Groups of vowel letters: good enough for "is this one syllable". */
static int vowel_groups(struct word word)
{
    int groups = 0;
    bool inside = false;
    for (int i = 0; i < word.length; i++) {
        const bool vowel = is_vowel(word.text[i]) || (i > 0 && lower(word.text[i]) == 'y');
        groups += vowel && !inside;
        inside = vowel;
    }
    return groups;
}

/* stop -> stopped: one short vowel, one consonant, the stress on it. */
static bool doubles(struct word base)
{
    struct verb verb;
    const char last = at_end(base, 1);
    if (verb_of_base(base, &verb) && (verb.flags & VERB_DOUBLES))
        return true;
    if (is_vowel(last) || strchr("wxy", last) || !is_vowel(at_end(base, 2)))
        return false;
    const bool quit = at_end(base, 2) == 'i' && at_end(base, 3) == 'u';
    const char *irregulars = " begin forget beget undercut reset preset input inset quit ";
    return (vowel_groups(base) == 1 && (quit || !is_vowel(at_end(base, 3)))) ||
           word_among(base, irregulars);
}

static void append_slice(struct text_buffer *out, struct word word, int cut)
{
    text_buffer_append_bytes(out, word.text, (size_t)(word.length - cut));
}

/* The stem before a suffix that starts with a vowel, consonant doubled if need be. */
static void append_stem(struct text_buffer *out, struct word base)
{
    struct verb verb;
    append_slice(out, base, 0);
    if (verb_of_base(base, &verb) && (verb.flags & VERB_ADDS_K))
        text_buffer_append_char(out, 'k');
    else if (doubles(base))
        text_buffer_append_char(out, at_end(base, 1));
}

static void append_regular_past(struct text_buffer *out, struct word base)
{
    if (at_end(base, 1) == 'e') {
        append_slice(out, base, 0);
        text_buffer_append_char(out, 'd');
    } else if (at_end(base, 1) == 'y' && !is_vowel(at_end(base, 2))) {
        append_slice(out, base, 1);
        text_buffer_append(out, "ied");
    } else {
        append_stem(out, base);
        text_buffer_append(out, "ed");
    }
}

void append_past(struct text_buffer *out, struct word base)
{
    struct verb verb;
    if (verb_of_base(base, &verb) && verb.past.text)
        append_slice(out, verb.past, 0);
    else
        append_regular_past(out, base);
}

void append_participle(struct text_buffer *out, struct word base)
{
    struct verb verb;
    if (verb_of_base(base, &verb) && verb.participle.text)
        append_slice(out, verb.participle, 0);
    else
        append_regular_past(out, base);
}

void append_gerund(struct text_buffer *out, struct word base)
{
    const char before = at_end(base, 2);
    if (at_end(base, 1) == 'e' && before == 'i') {
        append_slice(out, base, 2);
        text_buffer_append_char(out, 'y');
    } else if (at_end(base, 1) == 'e' && base.length > 2 && !strchr("eoy", before) &&
               !word_among(base, " singe tinge ")) {
        append_slice(out, base, 1);
    } else {
        append_stem(out, base);
    }
    text_buffer_append(out, "ing");
}

static void append_s(struct text_buffer *out, struct word word)
{
    const char last = at_end(word, 1);
    const char before = at_end(word, 2);
    if (last == 'y' && before != '\0' && !is_vowel(before)) {
        append_slice(out, word, 1);
        text_buffer_append(out, "ies");
        return;
    }
    append_slice(out, word, 0);
    const bool hiss = last == 's' || last == 'x' || last == 'z' ||
                      (last == 'h' && (before == 'c' || before == 's'));
    text_buffer_append(out, hiss ? "es" : "s");
}

void append_third(struct text_buffer *out, struct word base)
{
    if (word_is(base, "be"))
        text_buffer_append(out, "is");
    else if (word_is(base, "have"))
        text_buffer_append(out, "has");
    else if (word_among(base, " do go undo redo forgo outdo overdo echo veto "))
        append_slice(out, base, 0), text_buffer_append(out, "es");
    else
        append_s(out, base);
}

static const char *const odd_plurals[][2] = {
    {"man", "men"},
    {"child", "children"},
    {"person", "people"},
    {"foot", "feet"},
    {"tooth", "teeth"},
    {"mouse", "mice"},
    {"goose", "geese"},
    {"knife", "knives"},
    {"wife", "wives"},
    {"life", "lives"},
    {"half", "halves"},
    {"thief", "thieves"},
    {"leaf", "leaves"},
    {"loaf", "loaves"},
    {"shelf", "shelves"},
    {"wolf", "wolves"},
    {"self", "selves"},
    {"calf", "calves"},
    {"crisis", "crises"},
    {"analysis", "analyses"},
    {"thesis", "theses"},
    {"hypothesis", "hypotheses"},
    {"criterion", "criteria"},
    {"phenomenon", "phenomena"},
    {"potato", "potatoes"},
    {"tomato", "tomatoes"},
    {"hero", "heroes"},
    {"echo", "echoes"},
    {"fish", "fish"},
    {"sheep", "sheep"},
    {"deer", "deer"},
    {"series", "series"},
    {"species", "species"},
    {"aircraft", "aircraft"},
    {"diagnosis", "diagnoses"},
    {"quiz", "quizzes"},
    {"bacterium", "bacteria"},
    {"torpedo", "torpedoes"},
    {"embargo", "embargoes"},
    {"manifesto", "manifestos"},
};

void append_plural(struct text_buffer *out, struct word noun)
{
    const int count = (int)(sizeof odd_plurals / sizeof odd_plurals[0]);
    for (int i = 0; i < count; i++)
        if (word_is(noun, odd_plurals[i][0])) {
            text_buffer_append(out, odd_plurals[i][1]);
            return;
        }
    if (noun.length > 5 && word_ends(noun, "sis")) {
        append_slice(out, noun, 2);
        text_buffer_append(out, "es");
    } else if (noun.length > 4 && word_ends(noun, "man") &&
               !word_among(noun, " human german roman ")) {
        append_slice(out, noun, 2);
        text_buffer_append(out, "en");
    } else {
        append_s(out, noun);
    }
}

/* "Write" -> "write", but "FBI", "iPhone", "McDonald" and "I" as they are. */
static void append_lower(struct text_buffer *out, struct word word)
{
    bool inner_upper = false;
    for (int i = 1; i < word.length; i++)
        inner_upper |= isupper((unsigned char)word.text[i]) || word.text[i] == '.';
    const bool keep = inner_upper || word_is(word, "i") || word_has_digit(word);
    text_buffer_append_char(out, keep ? word.text[0] : (char)lower(word.text[0]));
    text_buffer_append_bytes(out, word.text + 1, (size_t)(word.length - 1));
}

void word_append(struct text_buffer *out, struct word word)
{
    static void (*const inflections[])(struct text_buffer *, struct word) = {
        [WORD_LOWER] = append_lower,           [WORD_PAST] = append_past,
        [WORD_PARTICIPLE] = append_participle, [WORD_GERUND] = append_gerund,
        [WORD_THIRD] = append_third,           [WORD_PLURAL] = append_plural,
    };
    if (word.length < 1)
        return;
    if (word.form == WORD_AS_IS || word.length > STEM_BYTES_MAX)
        append_slice(out, word, 0);
    else
        inflections[word.form](out, word);
}
