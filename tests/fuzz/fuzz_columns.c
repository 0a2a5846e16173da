/*
 * Stored replies by a map of columns: the first line is the map, NAME=PATH with commas,
 * what follows is the file. Every attempt must be whole, and found by its key.
 */

#include "eval/artifact_columns.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_attempts(const struct artifact *artifact)
{
    CHECK(artifact->list.count > 0);
    for (size_t i = 0; i < artifact->list.count; i++) {
        const struct attempt *attempt = &artifact->list.items[i];
        CHECK(attempt->attempt >= 1 && attempt->attempt <= artifact->attempts);
        CHECK(attempt->index >= 0 && attempt->request[0]);
        CHECK(attempt->behavior && attempt->category && attempt->prompt && attempt->attack);
        CHECK((attempt->outcome == OUTCOME_TARGET_ERROR) == (attempt->reason != NULL));
        CHECK(attempt_list_find(&artifact->list, attempt->set, attempt->index,
                                attempt->attack, attempt->attempt) == attempt);
    }
}

static enum status columns_of_line(struct artifact_columns *columns,
                                   struct string_list *texts, char *line,
                                   struct error *error)
{
    char *place = NULL;
    for (char *part = strtok_r(line, ",", &place); part; part = strtok_r(NULL, ",", &place))
        string_list_add(texts, part);
    return artifact_columns_parse(columns, texts, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    struct artifact_columns columns;
    struct string_list texts = {0};
    struct artifact artifact = {0};
    struct error error = {0};
    if (!end)
        return 0;
    const size_t length = (size_t)(end - data);
    char *line = memory_duplicate_bytes((const char *)data, length);
    enum status status = columns_of_line(&columns, &texts, line, &error);
    if (!status)
        status = artifact_parse_columns(&artifact, (const char *)end + 1, size - length - 1,
                                        "input", &columns, &error);
    CHECK(status == error.status);
    CHECK((status == STATUS_OK) == (error.message[0] == '\0'));
    if (!status)
        check_attempts(&artifact);
    artifact_release(&artifact);
    string_list_release(&texts);
    free(line);
    return 0;
}
