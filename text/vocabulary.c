#include "text/vocabulary.h"

#include "base/memory.h"
#include "text/byte_level.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

void vocabulary_release(struct vocabulary *vocabulary)
{
    free(vocabulary->tokens);
    string_table_release(&vocabulary->by_spelling);
    text_buffer_release(&vocabulary->bytes);
    *vocabulary = (struct vocabulary){0};
}

enum status vocabulary_add(struct vocabulary *vocabulary, const char *spelling, int32_t id,
                           struct error *error)
{
    const size_t bytes = strlen(spelling);
    bool added = false;
    if (!utf8_is_valid(spelling, bytes))
        return error_set(error, STATUS_FORMAT, "the token with id %d is not UTF-8", id);
    if (id < 0 || id >= VOCABULARY_LIMIT)
        return error_set(error, STATUS_FORMAT, "token \"%s\": id %d is not in 0 to %d",
                         spelling, id, VOCABULARY_LIMIT - 1);
    if ((size_t)id < vocabulary->count && vocabulary->tokens[id].spelling)
        return error_set(error, STATUS_FORMAT,
                         "tokens \"%s\" and \"%s\" have the same id %d",
                         vocabulary->tokens[id].spelling, spelling, id);
    const struct string_entry *entry =
        string_table_add(&vocabulary->by_spelling, spelling, bytes, id, &added);
    if (!added)
        return error_set(error, STATUS_FORMAT,
                         "token \"%s\" is listed twice (ids %d and %d)", spelling,
                         entry->value, id);
    const size_t needed = (size_t)id + 1;
    if (needed > vocabulary->count) {
        array_reserve(vocabulary->tokens, vocabulary->capacity, needed);
        memset(vocabulary->tokens + vocabulary->count, 0,
               (needed - vocabulary->count) * sizeof *vocabulary->tokens);
        vocabulary->count = needed;
    }
    vocabulary->tokens[id].spelling = entry->key;
    return STATUS_OK;
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *spelling,
                        size_t bytes)
{
    const struct string_entry *entry =
        string_table_find(&vocabulary->by_spelling, spelling, bytes);
    return entry ? entry->value : -1;
}

int32_t vocabulary_first_gap(const struct vocabulary *vocabulary)
{
    for (size_t id = 0; id < vocabulary->count; id++)
        if (!vocabulary->tokens[id].spelling)
            return (int32_t)id;
    return -1;
}

void vocabulary_finish(struct vocabulary *vocabulary)
{
    for (size_t id = 0; id < vocabulary->count; id++) {
        struct vocabulary_token *token = &vocabulary->tokens[id];
        const size_t length = strlen(token->spelling);
        token->bytes_offset = vocabulary->bytes.length;
        if (!byte_level_unspell(&vocabulary->bytes, token->spelling, length))
            text_buffer_append_bytes(&vocabulary->bytes, token->spelling, length);
        token->bytes_count = (uint32_t)(vocabulary->bytes.length - token->bytes_offset);
    }
}

const char *vocabulary_bytes(const struct vocabulary *vocabulary, int32_t id, size_t *count)
{
    const struct vocabulary_token *token = &vocabulary->tokens[id];
    *count = token->bytes_count;
    return text_buffer_string(&vocabulary->bytes) + token->bytes_offset;
}
