#include "base/json.h"

#include "base/file.h"
#include "base/json_scan.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* The text with \u0000 replaced by \ufffd, of the same length; the caller frees. */
static char *without_nul_escapes(const char *bytes, size_t count)
{
    char *copy = memory_duplicate_bytes(bytes, count);
    for (size_t i = 0; i < count; i++) {
        if (copy[i] != '\\')
            continue;
        if (strncmp(copy + i + 1, "u0000", 5) == 0)
            memcpy(copy + i + 1, "ufffd", 5);
        i++; /* "\\" is one escape, not the start of the next */
    }
    return copy;
}

/* The first key that is twice in a small object of the tree; NULL if there is none. Its
 * depth is limited by the grammar's. */
static const char *key_given_twice(const cJSON *value)
{
    enum { KEYS_LOOKED_THROUGH = 64 };
    const cJSON *child, *other;
    int keys = 0;
    cJSON_ArrayForEach(child, value)
    {
        const char *found = key_given_twice(child);
        if (found)
            return found;
        keys += keys <= KEYS_LOOKED_THROUGH;
    }
    if (!cJSON_IsObject(value) || keys > KEYS_LOOKED_THROUGH)
        return NULL;
    cJSON_ArrayForEach(
        child, value) for (other = child->next; other;
                           other = other->next) if (strcmp(child->string, other->string) ==
                                                    0) return child->string;
    return NULL;
}

enum status json_check_keys(const cJSON *value, const char *where, struct error *error)
{
    const char *twice = key_given_twice(value);
    if (!twice)
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "%s: \"%s\" stands twice in one object: take one of them out", where,
                     twice);
}

enum status json_parse(cJSON **value, const char *bytes, size_t count, const char *where,
                       struct error *error)
{
    *value = NULL;
    if (count >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    struct json_scan scan;
    json_scan_init(&scan, bytes, count);
    if (json_scan_peek(&scan) < 0)
        return error_set(error, STATUS_FORMAT, "%s: is empty; a JSON value is expected",
                         where);
    if (!json_scan_text(&scan))
        return json_scan_fail(&scan, where, error);
    char *copy = scan.has_nul ? without_nul_escapes(bytes, count) : NULL;
    *value = cJSON_ParseWithLength(copy ? copy : bytes, count);
    free(copy);
    if (!*value) /* the grammar is right, so nothing else is left */
        return error_set(error, STATUS_MEMORY, "%s: no memory for the JSON value", where);
    return STATUS_OK;
}

enum status json_parse_line(cJSON **value, const char *line, size_t count,
                            const char *where, struct error *error)
{
    static const char first[] = ": line 1, column ", short_first[] = ", column ";
    const enum status status = json_parse(value, line, count, where, error);
    const size_t length = strlen(where);
    if (status && error && strncmp(error->message, where, length) == 0 &&
        text_starts_with(error->message + length, first)) {
        char *at = error->message + length;
        const char *rest = at + strlen(first);
        memcpy(at, short_first, strlen(short_first));
        memmove(at + strlen(short_first), rest, strlen(rest) + 1);
    }
    return status;
}

enum status json_parse_file(cJSON **value, const char *path, struct error *error)
{
    struct file_map map;
    *value = NULL;
    enum status result = file_map(&map, path, error);
    if (result)
        return result;
    if (bytes_are_lfs_pointer(map.data, map.bytes))
        result = error_set(error, STATUS_FORMAT,
                           "%s: is a git-LFS pointer, not the file itself; "
                           "fetch the file with 'git lfs pull'",
                           path);
    else
        result = json_parse(value, (const char *)map.data, map.bytes, path, error);
    file_unmap(&map);
    return result;
}
