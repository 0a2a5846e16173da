#include "text/jinja_lexer.h"

#include "text/unicode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lexer {
    const struct jinja_source *source;
    struct jinja_tokens *tokens;
    struct jinja_pool *pool;
    struct error *error;
    size_t at;
    bool line_starts; /* what was consumed last ended with a newline */
};

enum { BRACKET_DEPTH_MAXIMUM = 200 };

static enum status lexer_fail(struct lexer *lexer, size_t at, const char *words)
{
    char place[JINJA_PLACE_BYTES];
    jinja_place(place, lexer->source, at);
    return error_set(lexer->error, STATUS_FORMAT, "%s: %s", place, words);
}

void jinja_place(char place[JINJA_PLACE_BYTES], const struct jinja_source *source,
                 size_t at)
{
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < at && i < source->bytes; i++) {
        if (source->text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)source->text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    snprintf(place, JINJA_PLACE_BYTES, "line %zu, column %zu", line, column);
}

void jinja_source_init(struct jinja_source *source, const char *text, size_t bytes,
                       struct jinja_pool *pool)
{
    char *out = jinja_pool_allocate(pool, bytes + 1);
    size_t length = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\r' && i + 1 < bytes && text[i + 1] == '\n')
            continue;
        out[length++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (length > 0 && out[length - 1] == '\n')
        length--;
    out[length] = '\0';
    *source = (struct jinja_source){out, length};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct lexer *lexer, size_t ahead)
{
    const size_t at = lexer->at + ahead;
    return at < lexer->source->bytes ? lexer->source->text[at] : '\0';
}

static size_t skip_space(const struct lexer *lexer, size_t at)
{
    while (at < lexer->source->bytes && is_space(lexer->source->text[at]))
        at++;
    return at;
}

static void token_add(struct lexer *lexer, struct jinja_token token)
{
    struct jinja_tokens *tokens = lexer->tokens;
    if (tokens->count == tokens->capacity) {
        const size_t capacity = tokens->capacity ? 2 * tokens->capacity : 256;
        struct jinja_token *items = jinja_pool_array(lexer->pool, capacity, sizeof *items);
        if (tokens->count > 0)
            memcpy(items, tokens->items, tokens->count * sizeof *items);
        tokens->items = items;
        tokens->capacity = capacity;
    }
    tokens->items[tokens->count++] = token;
}

static void token_add_type(struct lexer *lexer, enum jinja_token_type type, size_t at)
{
    token_add(lexer, (struct jinja_token){.type = type, .at = (uint32_t)at});
}

static size_t rstrip(const char *text, size_t from, size_t to)
{
    while (to > from) {
        uint32_t code_point;
        const size_t start = from + utf8_last_start(text + from, to - from);
        utf8_decode(text + start, to - start, &code_point);
        if (!unicode_is_white_space(code_point) &&
            !(code_point >= 0x1C && code_point <= 0x1F))
            break;
        to = start;
    }
    return to;
}

/* The end of the text [from, to) before a tag, less what the tag takes off it. */
static size_t text_end(const struct lexer *lexer, size_t from, size_t to, char sign,
                       bool is_print)
{
    const char *text = lexer->source->text;
    if (sign == '-')
        return rstrip(text, from, to);
    if (sign == '+' || is_print)
        return to;
    size_t line = to;
    while (line > from && text[line - 1] != '\n' && is_space(text[line - 1]))
        line--;
    const bool whole = line > from ? text[line - 1] == '\n' : lexer->line_starts;
    return whole ? line : to;
}

static void data_add(struct lexer *lexer, size_t from, size_t to)
{
    if (to <= from)
        return;
    token_add(lexer, (struct jinja_token){.type = TOKEN_DATA,
                                          .at = (uint32_t)from,
                                          .value = jinja_string(lexer->pool,
                                                                lexer->source->text + from,
                                                                to - from)});
}

/* Steps over the end of a tag ("-%}" and the like) and what it takes with it. */
static void close_tag(struct lexer *lexer, bool takes_newline)
{
    const char sign = peek(lexer, 0) == '-' || peek(lexer, 0) == '+' ? peek(lexer, 0) : 0;
    lexer->at += sign ? 3 : 2;
    if (sign == '-')
        lexer->at = skip_space(lexer, lexer->at);
    else if (!sign && takes_newline && peek(lexer, 0) == '\n')
        lexer->at++;
    lexer->line_starts = lexer->source->text[lexer->at - 1] == '\n';
}

/* Whether at `at` stands "%}" or the like, perhaps behind a sign. */
static bool ends_tag(const struct lexer *lexer, char mark, const char *signs)
{
    const char first = peek(lexer, 0);
    const size_t skip = first && strchr(signs, first) ? 1 : 0;
    return peek(lexer, skip) == mark && peek(lexer, skip + 1) == '}';
}

static bool word_at(const struct lexer *lexer, size_t at, const char *word)
{
    const size_t length = strlen(word);
    return at + length <= lexer->source->bytes &&
           memcmp(lexer->source->text + at, word, length) == 0;
}

/* Where the tag that holds only `word` ends: its "%}" or "-%}"; 0 if it is another one. */
static size_t bare_tag(const struct lexer *lexer, size_t at, const char *word)
{
    at = skip_space(lexer, at);
    if (!word_at(lexer, at, word))
        return 0;
    at = skip_space(lexer, at + strlen(word));
    const size_t mark = word_at(lexer, at, "-") || word_at(lexer, at, "+") ? at + 1 : at;
    return word_at(lexer, mark, "%}") ? at : 0;
}

static char sign_at(const struct lexer *lexer, size_t at)
{
    const char c = at < lexer->source->bytes ? lexer->source->text[at] : '\0';
    return c == '-' || c == '+' ? c : '\0';
}

/* Behind "{% raw %}": its text, up to and with "{% endraw %}". */
static enum status lex_raw(struct lexer *lexer, size_t begin)
{
    const size_t from = lexer->at;
    for (size_t to = from; to + 1 < lexer->source->bytes; to++) {
        if (!word_at(lexer, to, "{%"))
            continue;
        const char sign = sign_at(lexer, to + 2);
        const size_t end = bare_tag(lexer, to + (sign ? 3 : 2), "endraw");
        if (!end)
            continue;
        data_add(lexer, from, text_end(lexer, from, to, sign, false));
        lexer->at = end;
        close_tag(lexer, true);
        return STATUS_OK;
    }
    return lexer_fail(lexer, begin, "this raw block has no {% endraw %}");
}

static enum status lex_comment(struct lexer *lexer, size_t begin)
{
    for (; lexer->at < lexer->source->bytes; lexer->at++)
        if (ends_tag(lexer, '#', "-+")) {
            close_tag(lexer, true);
            return STATUS_OK;
        }
    return lexer_fail(lexer, begin, "this comment has no end");
}

/* Appends `code_point` as an escape gives it; false for a surrogate. */
static bool append_code_point(struct jinja_builder *out, uint32_t code_point)
{
    char bytes[UTF8_BYTES_MAXIMUM];
    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
        return false;
    jinja_build_bytes(out, bytes, utf8_encode(bytes, code_point), 0);
    return true;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* \xHH, \uHHHH, \UHHHHHHHH: `digits` of them behind the letter. */
static bool unescape_hex(struct jinja_builder *out, const char *text, size_t left,
                         size_t digits, size_t *taken)
{
    char hex[9] = {0};
    if (left < digits + 1)
        return false;
    for (size_t i = 0; i < digits; i++) {
        hex[i] = text[1 + i];
        if (!is_hex(hex[i]))
            return false;
    }
    *taken = digits + 1;
    return append_code_point(out, (uint32_t)strtoul(hex, NULL, 16));
}

static bool unescape_octal(struct jinja_builder *out, const char *text, size_t left,
                           size_t *taken)
{
    uint32_t code_point = 0;
    size_t i = 0;
    for (; i < 3 && i < left && text[i] >= '0' && text[i] <= '7'; i++)
        code_point = code_point * 8 + (uint32_t)(text[i] - '0');
    *taken = i;
    return append_code_point(out, code_point);
}

/* What stands behind a backslash, as Python's unicode-escape reads it. */
static bool unescape(struct jinja_builder *out, const char *text, size_t left,
                     size_t *taken)
{
    static const char from[] = "\n\\'\"abfnrtv";
    static const char *const to[] = {"",   "\\", "'",  "\"", "\a", "\b",
                                     "\f", "\n", "\r", "\t", "\v"};
    const char *found = *text ? strchr(from, *text) : NULL;
    *taken = 1;
    if (found) {
        jinja_build(out, to[found - from]);
        return true;
    }
    switch (*text) {
    case 'x':
        return unescape_hex(out, text, left, 2, taken);
    case 'u':
        return unescape_hex(out, text, left, 4, taken);
    case 'U':
        return unescape_hex(out, text, left, 8, taken);
    case 'N':
        return false;
    default:
        if (*text >= '0' && *text <= '7')
            return unescape_octal(out, text, left, taken);
        jinja_build(out, "\\");
        *taken = 0; /* the character itself follows as it is */
        return true;
    }
}

static enum status lex_string(struct lexer *lexer)
{
    const size_t begin = lexer->at;
    const char *text = lexer->source->text;
    const char quote = text[lexer->at++];
    struct jinja_builder out = {.pool = lexer->pool};
    while (peek(lexer, 0) != quote) {
        const size_t left = lexer->source->bytes - lexer->at;
        size_t taken = 1;
        if (left == 0)
            return lexer_fail(lexer, begin, "this string has no end");
        if (text[lexer->at] != '\\') {
            jinja_build_bytes(&out, text + lexer->at, 1, 0);
        } else {
            if (left < 2)
                return lexer_fail(lexer, begin, "this string has no end");
            if (!unescape(&out, text + lexer->at + 1, left - 1, &taken))
                return lexer_fail(
                    lexer, lexer->at,
                    "a string escape that is none, or \\N, which is not supported");
            taken++;
        }
        lexer->at += taken;
    }
    lexer->at++;
    token_add(lexer, (struct jinja_token){.type = TOKEN_STRING,
                                          .at = (uint32_t)begin,
                                          .value = jinja_built(&out)});
    return STATUS_OK;
}

/* Copies digits of a number to `out`, underscores between them left out. */
static size_t copy_digits(struct lexer *lexer, char *out, size_t count, size_t room)
{
    while (is_digit(peek(lexer, 0)) ||
           (peek(lexer, 0) == '_' && is_digit(peek(lexer, 1)))) {
        if (peek(lexer, 0) != '_' && count < room)
            out[count++] = peek(lexer, 0);
        lexer->at++;
    }
    return count;
}

static bool fraction_follows(const struct lexer *lexer)
{
    return peek(lexer, 0) == '.' && is_digit(peek(lexer, 1));
}

static bool exponent_follows(const struct lexer *lexer)
{
    const size_t sign = peek(lexer, 1) == '-' || peek(lexer, 1) == '+';
    return (peek(lexer, 0) == 'e' || peek(lexer, 0) == 'E') &&
           is_digit(peek(lexer, 1 + sign));
}

static enum status lex_number(struct lexer *lexer)
{
    enum { NUMBER_BYTES = 400 };
    const size_t begin = lexer->at;
    const bool behind_dot = begin > 0 && lexer->source->text[begin - 1] == '.';
    char digits[NUMBER_BYTES + 1] = {0};
    size_t count = copy_digits(lexer, digits, 0, NUMBER_BYTES / 2);
    bool is_float = false;
    if (!behind_dot && fraction_follows(lexer)) {
        is_float = true;
        digits[count++] = '.';
        lexer->at++;
        count = copy_digits(lexer, digits, count, NUMBER_BYTES - 20);
    }
    if (!behind_dot && exponent_follows(lexer)) {
        is_float = true;
        digits[count++] = 'e';
        lexer->at++;
        if (!is_digit(peek(lexer, 0)))
            digits[count++] = lexer->source->text[lexer->at++];
        count = copy_digits(lexer, digits, count, NUMBER_BYTES);
    }
    struct jinja_token token = {.at = (uint32_t)begin};
    errno = 0;
    if (is_float) {
        token.type = TOKEN_FLOAT;
        token.value = jinja_float(strtod(digits, NULL));
    } else {
        token.type = TOKEN_INTEGER;
        token.value = jinja_integer(strtoll(digits, NULL, 10));
        if (errno || (digits[0] == '0' && strspn(digits, "0") != count) ||
            is_name_start(peek(lexer, 0)))
            return lexer_fail(lexer, begin, "a number that is none, or beyond 64 bits");
    }
    token_add(lexer, token);
    return STATUS_OK;
}

static void lex_name(struct lexer *lexer)
{
    const size_t begin = lexer->at;
    while (is_name_start(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        lexer->at++;
    token_add(lexer, (struct jinja_token){
                         .type = TOKEN_NAME,
                         .at = (uint32_t)begin,
                         .text = jinja_pool_copy(lexer->pool, lexer->source->text + begin,
                                                 lexer->at - begin)});
}

/* The operator that stands here, the longer of two; NULL if none does. */
static const char *operator_at(const struct lexer *lexer)
{
    static const char *const operators[] = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (word_at(lexer, lexer->at, operators[i]))
            return operators[i];
    return NULL;
}

struct brackets {
    char open[BRACKET_DEPTH_MAXIMUM];
    size_t count;
};

static enum status lex_operator(struct lexer *lexer, struct brackets *brackets)
{
    static const char opening[] = "([{";
    static const char closing[] = ")]}";
    const char *operator= operator_at(lexer);
    if (!operator)
        return lexer_fail(lexer, lexer->at, "an unexpected character");
    const char *open = strchr(opening, operator[0]);
    const char *close = strchr(closing, operator[0]);
    if (open && brackets->count == BRACKET_DEPTH_MAXIMUM)
        return lexer_fail(lexer, lexer->at, "brackets are nested too deeply");
    if (open)
        brackets->open[brackets->count++] = closing[open - opening];
    if (close && (brackets->count == 0 || brackets->open[--brackets->count] != operator[0]))
        return lexer_fail(lexer, lexer->at, "a bracket that closes nothing");
    token_add(lexer, (struct jinja_token){.type = TOKEN_OPERATOR,
                                          .at = (uint32_t)lexer->at,
                                          .text = operator});
    lexer->at += strlen(operator);
    return STATUS_OK;
}

static enum status lex_one(struct lexer *lexer, struct brackets *brackets)
{
    const char c = peek(lexer, 0);
    if (is_digit(c))
        return lex_number(lexer);
    if (c == '\'' || c == '"')
        return lex_string(lexer);
    if (!is_name_start(c))
        return lex_operator(lexer, brackets);
    lex_name(lexer);
    return STATUS_OK;
}

/* The inside of a tag, up to and with its end. */
static enum status lex_inside(struct lexer *lexer, size_t begin, bool is_print)
{
    struct brackets brackets = {.count = 0};
    enum status status = STATUS_OK;
    while (!status) {
        lexer->at = skip_space(lexer, lexer->at);
        if (lexer->at >= lexer->source->bytes)
            return lexer_fail(lexer, begin, "this tag has no end");
        if (brackets.count == 0 &&
            ends_tag(lexer, is_print ? '}' : '%', is_print ? "-" : "-+")) {
            token_add_type(lexer, is_print ? TOKEN_PRINT_END : TOKEN_TAG_END, lexer->at);
            close_tag(lexer, !is_print);
            return STATUS_OK;
        }
        status = lex_one(lexer, &brackets);
    }
    return status;
}

/* At "{%", "{{" or "{#"; the text before it starts at `from`. */
static enum status lex_tag(struct lexer *lexer, size_t from)
{
    const size_t begin = lexer->at;
    const char kind = peek(lexer, 1);
    const char sign = sign_at(lexer, begin + 2);
    data_add(lexer, from, text_end(lexer, from, begin, sign, kind == '{'));
    lexer->at += sign ? 3 : 2;
    lexer->line_starts = false;
    if (kind == '#')
        return lex_comment(lexer, begin);
    const size_t raw = kind == '%' ? bare_tag(lexer, lexer->at, "raw") : 0;
    if (raw && !word_at(lexer, raw, "+")) {
        lexer->at = raw;
        close_tag(lexer, false);
        return lex_raw(lexer, begin);
    }
    token_add_type(lexer, kind == '{' ? TOKEN_PRINT_BEGIN : TOKEN_TAG_BEGIN, begin);
    return lex_inside(lexer, begin, kind == '{');
}

static bool tag_begins(const struct lexer *lexer)
{
    const char next = peek(lexer, 1);
    return peek(lexer, 0) == '{' && (next == '%' || next == '{' || next == '#');
}

enum status jinja_lex(struct jinja_tokens *tokens, const struct jinja_source *source,
                      struct jinja_pool *pool, struct error *error)
{
    struct lexer lexer = {.source = source,
                          .tokens = tokens,
                          .pool = pool,
                          .error = error,
                          .line_starts = true};
    size_t from = 0;
    *tokens = (struct jinja_tokens){0};
    while (lexer.at < source->bytes) {
        if (!tag_begins(&lexer)) {
            lexer.at++;
            continue;
        }
        if (lex_tag(&lexer, from))
            return error ? error->status : STATUS_FORMAT;
        from = lexer.at;
    }
    data_add(&lexer, from, source->bytes);
    token_add_type(&lexer, TOKEN_END, source->bytes);
    return STATUS_OK;
}
