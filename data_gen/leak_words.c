#include "data_gen/leak_words.h"

#include "base/memory.h"
#include "data_gen/leak_frame.h"
#include "text/english.h"
#include "text/unicode.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Words that say nothing of what is asked for. */
static const char *const empty_words[] = {
    /* grammar */
    "a an the this that these those my your his her its our their yours i you he she "
    "it we they me him us them one ones someone anyone everyone somebody anybody who whom "
    "whose which what when where why how and or but nor so if then than as at by for from "
    "in into of on onto to with without about against between through during before after "
    "over under up down out off within upon via toward towards among across around not no "
    "am is are was were be been being do does did doing done has have had having will "
    "would "
    "shall should can could may might must cannot there here also such any some each every "
    "other others another more most less very too just only own same both all several many "
    "much few however while because until since per etc don doesn didn isn wasn weren "
    "couldn wouldn ll re ve please",
    /* frames of requests and of questions about the past or the future */
    "way ways method methods step steps stages detail details detailed detailing specific "
    "provide give write create make made making tutorial guide guidance instruction "
    "instructions instructional explain explaining describe list develop draft design "
    "generate offer outline strategy strategies plan plans tip tips trick tricks technique "
    "techniques approach approaches tactic tactics means manner kind kinds sort process "
    "use used using uses get gets getting got go going went commit commits committed "
    "committing manage managed able possible order carry "
    "carried conduct people person individual individuals man men woman women common "
    "commonly typical typically exactly succeed succeeded succeeding learn learned find "
    "found start started want wanted try tried turn turned take took takes look like put "
    "together draw drew resources preparations work worked need needed",
    /* time */
    "past present future today nowadays currently now ago then year years decade decades "
    "century centuries generation era age day days time times moment while back early "
    "earlier late later previous prior previously former formerly historically history "
    "twentieth twenty fifty hundred millennium ahead near distant soon eventually "
    "twenties thirties forties fifties sixties seventies eighties nineties noughties once "
    "usual usually nineteenth yesteryear bygone olden",
};

static bool is_number(const char *word)
{
    const size_t digits = strspn(word, "0123456789");
    return digits &&
           (!word[digits] || !strcmp(word + digits, "s") || !strcmp(word + digits, "th"));
}

/*
 * Longest first. Endings are taken off twice at most ("manipulat|ive|ly"), and so that four
 * letters stay. Of shorter words only inflections are, before.
 */
static const char *const endings[] = {
    "ization", "isation", "ational", "ability", "ibility", "ations", "itions", "ements",
    "ation",   "ition",   "ement",   "ments",   "ances",   "ences",  "ingly",  "ously",
    "ively",   "ities",   "tions",   "sions",   "ment",    "ance",   "ence",   "edly",
    "ness",    "ings",    "tion",    "sion",    "ists",    "isms",   "ical",   "ally",
    "able",    "ible",    "ity",     "ing",     "ers",     "ors",    "ist",    "ism",
    "ary",     "ory",     "ous",     "ive",     "ful",     "er",     "or",     "al",
    "ic",      "ed",      "es",      "ly",      "s",       "e",      "y",
};

/* "stopp" -> "stop", but "kill", "press", "buzz" stay; of four letters ("rigg") only where
 * an inflection stood behind them: "butter" is no "but". */
static void single_consonant(char *stem, size_t length, const char *ending)
{
    const bool is_inflection = !strcmp(ending, "ed") || !strcmp(ending, "ing");
    if (length > (is_inflection ? 3 : 4) && stem[length - 1] == stem[length - 2] &&
        !strchr("lsz", stem[length - 1]))
        stem[length - 1] = '\0';
}

static bool ending_drop(char *stem)
{
    const size_t length = strlen(stem);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t kept = length - strlen(endings[i]);
        if (length < strlen(endings[i]) + 4 || strcmp(stem + kept, endings[i]) != 0)
            continue;
        if (!strcmp(endings[i], "s") && stem[kept - 1] == 's')
            continue;
        stem[kept] = '\0';
        single_consonant(stem, kept, endings[i]);
        return true;
    }
    return false;
}

static bool is_vowel(char c)
{
    return c && strchr("aeiou", c);
}

/*
 * Inflections of three letters: "acted", "fixes", "bars". A single consonant behind a
 * single vowel would have doubled: "faked" comes from "fake", where "rigged" comes from
 * "rig".
 */
static bool short_ending_drop(char *stem)
{
    const size_t length = strlen(stem);
    const char *ending = stem + 3;
    if (length < 4 || (!is_vowel(stem[0]) && !is_vowel(stem[1]) && !is_vowel(stem[2])))
        return false;
    const bool is_plural = !strcmp(ending, "s") && !strchr("siu", stem[2]);
    const bool is_third = !strcmp(ending, "es") && stem[2] == 'x';
    const bool is_past = !strcmp(ending, "ed") && stem[2] != 'e';
    if (!is_plural && !is_third && !is_past && strcmp(ending, "ing") != 0)
        return false;
    const bool has_e = !is_plural && !is_third && is_vowel(stem[1]) && !is_vowel(stem[0]) &&
                       !is_vowel(stem[2]) && !strchr("wxy", stem[2]);
    strcpy(stem + 3, has_e ? "e" : "");
    return true;
}

static bool is_irregular(const char *word, struct verb *verb)
{
    const struct word form = word_of(word);
    return (verb_of_past(form, verb) || verb_of_participle(form, verb)) && verb->past.text;
}

static const char *const odd_plurals[][2] = {
    {"children", "child"}, {"mice", "mouse"},  {"teeth", "tooth"},   {"feet", "foot"},
    {"knives", "knife"},   {"wives", "wife"},  {"thieves", "thief"}, {"selves", "self"},
    {"ids", "id"},         {"wolves", "wolf"}, {"shelves", "shelf"}, {"buses", "bus"},
    {"gases", "gas"},
};

/* "bodies" -> "body", "copied" -> "copy" */
static void plural_drop(char *stem)
{
    const size_t length = strlen(stem);
    for (size_t i = 0; i < sizeof odd_plurals / sizeof *odd_plurals; i++)
        if (strcmp(stem, odd_plurals[i][0]) == 0)
            strcpy(stem, odd_plurals[i][1]);
    if (length > 4 &&
        (strcmp(stem + length - 3, "ies") == 0 || strcmp(stem + length - 3, "ied") == 0))
        strcpy(stem + length - 3, "y");
}

void leak_stem(char stem[LEAK_STEM_BYTES], const char *word)
{
    struct verb verb;
    snprintf(stem, LEAK_STEM_BYTES, "%s", word);
    if (is_irregular(word, &verb))
        snprintf(stem, LEAK_STEM_BYTES, "%.*s", verb.base.length, verb.base.text);
    else
        plural_drop(stem);
    if (!short_ending_drop(stem) && ending_drop(stem))
        ending_drop(stem);
}

static const struct leak_word_info *word_add(struct leak_lexicon *lexicon, const char *word,
                                             int32_t stem)
{
    bool added;
    struct string_entry *entry = string_table_add(&lexicon->words, word, strlen(word),
                                                  (int32_t)lexicon->info_count, &added);
    if (added) {
        array_reserve(lexicon->infos, lexicon->info_capacity, lexicon->info_count + 1);
        lexicon->infos[lexicon->info_count++] = (struct leak_word_info){
            .stem = stem, .roles = leak_frame_roles(&lexicon->roles, word)};
    }
    return &lexicon->infos[entry->value];
}

static void empty_word_add(struct leak_lexicon *lexicon, const char *word)
{
    char stem[LEAK_STEM_BYTES];
    bool added;
    leak_stem(stem, word);
    word_add(lexicon, word, -1);
    string_table_add(&lexicon->stems, stem, strlen(stem), -1, &added);
}

static void common_word_add(struct leak_lexicon *lexicon, const char *word)
{
    char stem[LEAK_STEM_BYTES];
    bool added;
    leak_stem(stem, word);
    string_table_add(&lexicon->stems, stem, strlen(stem), lexicon->stem_count, &added);
    lexicon->stem_count += added;
}

static void words_add(struct leak_lexicon *lexicon, const char *words,
                      void (*add)(struct leak_lexicon *, const char *))
{
    char word[LEAK_STEM_BYTES];
    for (const char *at = words; *at; at += *at == ' ') {
        const size_t length = strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        add(lexicon, word);
        at += length;
    }
}

void leak_lexicon_init(struct leak_lexicon *lexicon)
{
    *lexicon = (struct leak_lexicon){0};
    leak_frame_roles_add(&lexicon->roles);
    for (size_t i = 0; i < sizeof empty_words / sizeof *empty_words; i++)
        words_add(lexicon, empty_words[i], empty_word_add);
    words_add(lexicon, leak_common_words, common_word_add);
    lexicon->common_count = lexicon->stem_count;
}

void leak_lexicon_release(struct leak_lexicon *lexicon)
{
    string_table_release(&lexicon->words);
    string_table_release(&lexicon->stems);
    string_table_release(&lexicon->roles);
    free(lexicon->infos);
    *lexicon = (struct leak_lexicon){0};
}

static int32_t stem_number(struct leak_lexicon *lexicon, const char *word)
{
    char stem[LEAK_STEM_BYTES];
    bool added;
    if (!word[1] || is_number(word))
        return -1;
    leak_stem(stem, word);
    const struct string_entry *entry =
        string_table_add(&lexicon->stems, stem, strlen(stem), lexicon->stem_count, &added);
    lexicon->stem_count += added;
    return entry->value;
}

static uint64_t bytes_hash(const char *bytes, size_t count)
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211U;
    return hash ^ (hash >> 29);
}

/* A word longer than this is cut into several: it is no word. */
enum { WORD_BYTES_MAX = 96 };

static void word_end(struct leak_text *text, struct leak_lexicon *lexicon, char *word,
                     size_t *bytes, bool has_capital)
{
    if (!*bytes)
        return;
    word[*bytes] = '\0';
    const struct string_entry *known = string_table_find(&lexicon->words, word, *bytes);
    const struct leak_word_info *info =
        known ? &lexicon->infos[known->value]
              : word_add(lexicon, word, stem_number(lexicon, word));
    const bool is_first =
        !text->word_count || text->words[text->word_count - 1].ends_clause;
    array_reserve(text->words, text->word_capacity, text->word_count + 1);
    text->words[text->word_count++] =
        (struct leak_word){.hash = bytes_hash(word, *bytes),
                           .stem = info->stem,
                           .roles = info->roles,
                           .is_name = has_capital && info->stem >= 0 && !is_first};
    *bytes = 0;
}

static void clause_end(struct leak_text *text, uint32_t c)
{
    if (text->word_count && c < 128 && strchr(".!?:;\n", (int)c))
        text->words[text->word_count - 1].ends_clause = true;
}

static void letter_add(struct leak_text *text, uint32_t c)
{
    const bool joins =
        c < 128 ? c == '_' : utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_PC;
    if (joins)
        return; /* the underscore is a word character and no letter */
    array_reserve(text->letters, text->letter_capacity, text->letter_count + 1);
    text->letters[text->letter_count++] = c;
}

void leak_text_read(struct leak_text *text, struct leak_lexicon *lexicon, const char *bytes)
{
    char word[WORD_BYTES_MAX + UTF8_BYTES_MAXIMUM + 1];
    size_t word_bytes = 0;
    bool has_capital = false;
    size_t left = strlen(bytes);
    text->word_count = text->letter_count = 0;
    while (left > 0) {
        uint32_t c;
        const size_t took = utf8_decode(bytes, left, &c);
        const bool in_word = c < 128 ? isalnum((int)c) || c == '_'
                                     : c != UNICODE_REPLACEMENT && unicode_is_word(c);
        if (in_word) {
            if (!word_bytes)
                has_capital = c < 128 && isupper((int)c);
            c = c < 128 ? (uint32_t)tolower((int)c)
                        : (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
            word_bytes += utf8_encode(word + word_bytes, c);
            letter_add(text, c);
        }
        if (!in_word || word_bytes > WORD_BYTES_MAX)
            word_end(text, lexicon, word, &word_bytes, has_capital);
        if (!in_word)
            clause_end(text, c);
        bytes += took;
        left -= took;
    }
    word_end(text, lexicon, word, &word_bytes, has_capital);
}

void leak_text_release(struct leak_text *text)
{
    free(text->words);
    free(text->letters);
    *text = (struct leak_text){0};
}
