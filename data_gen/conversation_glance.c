#include "data_gen/conversation_read.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A row's text and its tokens; every function below errs towards "not sure" (false). */
struct glance {
    const char *bytes;
    const struct json_tape *tape;
};

static size_t text_length(const struct json_token *token)
{
    return token->end - token->begin - 2; /* less its quotes */
}

static bool has_escape(const struct glance *glance, const struct json_token *token)
{
    return memchr(glance->bytes + token->begin, '\\', token->end - token->begin) != NULL;
}

/* The index behind the value whose first token is `at`. */
static size_t behind(const struct glance *glance, size_t at)
{
    size_t depth = 0;
    do {
        const char kind = glance->tape->tokens[at++].kind;
        depth += kind == '{' || kind == '[';
        depth -= kind == '}' || kind == ']';
    } while (depth > 0);
    return at;
}

typedef int text_compare(const char *a, const char *b, size_t count);

/* Inlined, so that short names are compared as numbers. */
static inline __attribute__((always_inline)) size_t find_with(const struct glance *glance,
                                                              size_t object,
                                                              const char *name,
                                                              text_compare *compare)
{
    const struct json_token *tokens = glance->tape->tokens;
    const size_t length = strlen(name);
    size_t at = object + 1;
    while (tokens[at].kind == 'k') {
        if (text_length(&tokens[at]) == length &&
            compare(glance->bytes + tokens[at].begin + 1, name, length) == 0)
            return at + 1;
        at = behind(glance, at + 1);
    }
    return 0;
}

static int bytes_compare(const char *a, const char *b, size_t count)
{
    return memcmp(a, b, count);
}

/* Where the value of this name begins, as json_get() finds it; 0 if there is none. */
static inline size_t find_exactly(const struct glance *glance, size_t object,
                                  const char *name)
{
    return find_with(glance, object, name, bytes_compare);
}

/* As record_get() finds it. */
static inline size_t find(const struct glance *glance, size_t object, const char *name)
{
    const size_t exact = find_exactly(glance, object, name);
    return exact ? exact : find_with(glance, object, name, strncasecmp);
}

static bool is_equal_to(const struct glance *glance, size_t at, size_t other)
{
    const struct json_token *a = &glance->tape->tokens[at];
    const struct json_token *b = &glance->tape->tokens[other];
    return text_length(a) == text_length(b) &&
           memcmp(glance->bytes + a->begin, glance->bytes + b->begin, a->end - a->begin) ==
               0;
}

/* Whether no key has an escape, and no object a key twice. Of every object that is open,
 * `keys` holds the keys so far, and `first` where they begin in it. */
static bool keys_are_clear(const struct glance *glance)
{
    size_t keys[JSON_TAPE_TOKENS], first[JSON_TAPE_TOKENS];
    size_t key_count = 0, depth = 0;
    for (size_t i = 0; i < glance->tape->count; i++) {
        const char kind = glance->tape->tokens[i].kind;
        if (kind == '{')
            first[depth++] = key_count;
        else if (kind == '}')
            key_count = first[--depth];
        if (kind != 'k')
            continue;
        if (has_escape(glance, &glance->tape->tokens[i]))
            return false;
        for (size_t k = first[depth - 1]; k < key_count; k++)
            if (is_equal_to(glance, keys[k], i))
                return false;
        keys[key_count++] = i;
    }
    return true;
}

/* A string of which some byte is surely no white space. */
static bool is_surely_text(const struct glance *glance, size_t at)
{
    const struct json_token *token = &glance->tape->tokens[at];
    if (token->kind != '"')
        return false;
    const char *text = glance->bytes + token->begin + 1;
    const char *end = glance->bytes + token->end - 1;
    while (text < end && (*text == ' ' || (*text == '\\' && strchr("ntr", text[1]))))
        text += *text == ' ' ? 1 : 2;
    /* \u0020 and the like may be white space; no other escape is that is left. */
    return text < end && (strncmp(text, "\\u00", 4) != 0 || text[4] > '2');
}

static bool is_plain(const struct glance *glance, size_t at)
{
    const struct json_token *token = &glance->tape->tokens[at];
    return token->kind == '"' && !has_escape(glance, token);
}

static bool is_equal(const struct glance *glance, size_t at, const char *text)
{
    const struct json_token *token = &glance->tape->tokens[at];
    return text_length(token) == strlen(text) &&
           memcmp(glance->bytes + token->begin + 1, text, strlen(text)) == 0;
}

/* How a list of turns names its parts. */
enum turn_names {
    NAMES_OPENAI,   /* role, content */
    NAMES_SHAREGPT, /* from, value */
    NAMES_MIXED     /* role, content, with ShareGPT's roles or OpenAI's */
};

/* The turns of a row: the index of their list, or 0. */
static size_t turns_find(const struct glance *glance, enum turn_names *names)
{
    static const char *const lists[] = {"messages", "conversations", "conversation"};
    const struct json_token *tokens = glance->tape->tokens;
    size_t at = 0;
    for (size_t i = 0; i < 3 && !at; i++) {
        at = find(glance, 0, lists[i]);
        *names = i == 0 ? NAMES_OPENAI : NAMES_MIXED;
        if (tokens[at].kind == 'n')
            at = 0;
    }
    if (at && *names == NAMES_MIXED && tokens[at].kind == '[' &&
        tokens[at + 1].kind == '{' && find(glance, at + 1, "from"))
        *names = NAMES_SHAREGPT;
    return at;
}

/* Where a turn says who speaks, and what. False if not sure, or if the turn may have
 * something that cannot be trained on (message_problem()). */
static bool turn_find(const struct glance *glance, size_t at, enum turn_names names,
                      size_t *role, size_t *text)
{
    enum { TOKENS_OF_TWO_TEXTS = 6 };
    const bool is_sharegpt = names == NAMES_SHAREGPT;
    *role = is_sharegpt ? find(glance, at, "from") : find_exactly(glance, at, "role");
    *text = find_exactly(glance, at, is_sharegpt ? "value" : "content");
    if (!*role || !*text || glance->tape->tokens[*text].kind != '"')
        return false;
    return behind(glance, at) == at + TOKENS_OF_TWO_TEXTS ||
           !(find_exactly(glance, at, "tool_calls") ||
             find_exactly(glance, at, "function_call") ||
             find_exactly(glance, at, "weight"));
}

/* The role in OpenAI's words, "other" for one that is none of ours; NULL if not sure. */
static const char *role_of(const struct glance *glance, size_t at, enum turn_names names)
{
    char name[32];
    if (!is_plain(glance, at))
        return NULL;
    const struct json_token *token = &glance->tape->tokens[at];
    if (text_length(token) >= sizeof name)
        return NULL;
    memcpy(name, glance->bytes + token->begin + 1, text_length(token));
    name[text_length(token)] = '\0';
    if (names != NAMES_OPENAI)
        return conversation_sharegpt_role(name);
    if (strcmp(name, "user") == 0)
        return "user";
    return strcmp(name, "assistant") == 0 ? "assistant" : "other";
}

/* The list of turns at `at`: usable if the first user says something, and the first
 * assistant after it. */
static bool turns_are_usable(const struct glance *glance, size_t at, enum turn_names names)
{
    static const char *const speakers[] = {"user", "assistant"};
    const struct json_token *tokens = glance->tape->tokens;
    size_t role_at, text, spoken = 0;
    if (tokens[at++].kind != '[')
        return false;
    for (; tokens[at].kind == '{'; at = behind(glance, at)) {
        if (!turn_find(glance, at, names, &role_at, &text))
            return false;
        const char *role = role_of(glance, role_at, names);
        if (!role)
            return false;
        if (spoken == 2 || strcmp(role, speakers[spoken]) != 0)
            continue;
        if (!is_surely_text(glance, text))
            return false;
        spoken++;
    }
    return spoken == 2 && tokens[at].kind == ']';
}

static bool layout_is_usable(const struct glance *glance, const char *column)
{
    if (find(glance, 0, "history"))
        return false;
    for (const struct conversation_layout *layout = conversation_layouts; layout->request;
         layout++) {
        const size_t request = find(glance, 0, column ? column : layout->request);
        const size_t reply = find(glance, 0, layout->reply);
        if (request && reply)
            return is_surely_text(glance, request) && is_surely_text(glance, reply);
    }
    return false;
}

enum conversation_glance conversation_glance(const char *bytes,
                                             const struct json_tape *tape,
                                             const struct source_spec *spec)
{
    const struct glance glance = {.bytes = bytes, .tape = tape};
    if (tape->overflow || tape->count == 0 || !keys_are_clear(&glance))
        return GLANCE_UNCLEAR;
    for (size_t i = 0; i < spec->filter_count; i++) {
        const size_t value = find(&glance, 0, spec->filters[i].field);
        if (!value || !is_plain(&glance, value))
            return GLANCE_UNCLEAR;
        if (!is_equal(&glance, value, spec->filters[i].value))
            return GLANCE_FILTERED;
    }
    enum turn_names names;
    const size_t turns = turns_find(&glance, &names);
    const bool usable = turns ? turns_are_usable(&glance, turns, names)
                              : layout_is_usable(&glance, spec->column);
    return usable ? GLANCE_USABLE : GLANCE_UNCLEAR;
}

/* --- reading --- */

static char *text_at(const struct glance *glance, size_t at)
{
    const struct json_token *token = &glance->tape->tokens[at];
    return json_string_text(glance->bytes + token->begin + 1, text_length(token));
}

/* The messages of the list at `at`; false if some part of one is no string. */
static bool messages_take(struct conversation *conversation, const struct glance *glance,
                          size_t at, enum turn_names names)
{
    const struct json_token *tokens = glance->tape->tokens;
    size_t capacity = 0, role, text;
    if (tokens[at++].kind != '[')
        return false;
    for (; tokens[at].kind == '{'; at = behind(glance, at)) {
        if (!turn_find(glance, at, names, &role, &text) || tokens[role].kind != '"')
            return false;
        const char *known = names == NAMES_OPENAI ? NULL : role_of(glance, role, names);
        if (names != NAMES_OPENAI && !known)
            return false;
        array_reserve(conversation->messages, capacity, conversation->message_count + 1);
        conversation->messages[conversation->message_count++] = (struct message){
            .role = known ? memory_duplicate_string(known) : text_at(glance, role),
            .content = text_at(glance, text)};
    }
    return tokens[at].kind == ']';
}

/* The text of a member, if it has one that is not blank and *text is still NULL; false if
 * it is no string. */
static bool name_take(char **text, const struct glance *glance, const char *key)
{
    const size_t at = find(glance, 0, key);
    if (!at || *text)
        return true;
    if (glance->tape->tokens[at].kind != '"')
        return false;
    *text = text_at(glance, at);
    if ((*text)[strspn(*text, " \t\r\n")] == '\0') {
        free(*text);
        *text = NULL;
    }
    return true;
}

bool conversation_read_tokens(struct conversation *conversation, const char *bytes,
                              const struct json_tape *tape, int64_t row,
                              const struct source_spec *spec)
{
    const struct glance glance = {.bytes = bytes, .tape = tape};
    *conversation = (struct conversation){0};
    if (tape->overflow || tape->count == 0 || tape->tokens[0].kind != '{' ||
        !keys_are_clear(&glance))
        return false;
    for (size_t i = 0; conversation_system_keys[i]; i++)
        if (find(&glance, 0, conversation_system_keys[i]))
            return false;
    enum turn_names names;
    const size_t at = turns_find(&glance, &names);
    if (at && messages_take(conversation, &glance, at, names) &&
        conversation_is_usable(conversation) &&
        name_take(&conversation->id, &glance, "id") &&
        name_take(&conversation->topic, &glance, "category") &&
        name_take(&conversation->topic, &glance, "topic")) {
        conversation_complete(conversation, row, spec);
        return true;
    }
    conversation_release(conversation);
    return false;
}
