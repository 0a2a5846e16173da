#include "base/json.h"

#include "base/file.h"
#include "base/json_scan.h"
#include "base/memory.h"
#include "base/repeated_string.h"

#include <stdio.h>
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

/* A child of the object whose key another one before it has; NULL if there is none. */
static const cJSON *repeated_child(const cJSON *object)
{
    const cJSON *child = object->child;
    const size_t count = (size_t)cJSON_GetArraySize(object);
    const char **keys = memory_allocate_array(count + 1, sizeof *keys);
    for (size_t i = 0; i < count; i++, child = child->next)
        keys[i] = child->string;
    size_t repeated = repeated_string(keys, count);
    free(keys);
    if (repeated == count)
        return NULL;
    for (child = object->child; repeated > 0; repeated--)
        child = child->next;
    return child;
}

/* The same anywhere in the tree, whose depth is limited by the grammar's. */
static const cJSON *repeated_key(const cJSON *value)
{
    const cJSON *child;
    const cJSON *found = cJSON_IsObject(value) && value->child && value->child->next
                             ? repeated_child(value)
                             : NULL;
    for (child = value->child; child && !found; child = child->next)
        if (child->child)
            found = repeated_key(child);
    return found;
}

/* Counts the keys in front of this one, in the order of the text. */
static bool count_keys_before(const cJSON *value, const cJSON *key, size_t *count)
{
    const cJSON *child;
    cJSON_ArrayForEach(child, value)
    {
        if (child == key)
            return true;
        *count += child->string != NULL;
        if (count_keys_before(child, key, count))
            return true;
    }
    return false;
}

/* Stands at the key of this number, in a text that has been scanned before. */
static void scan_to_key(struct json_scan *scan, size_t number)
{
    for (;;) {
        const bool is_key =
            json_scan_peek(scan) == '"' &&
            (scan->expect == JSON_EXPECT_KEY || scan->expect == JSON_EXPECT_KEY_OR_END);
        if (is_key && number-- == 0)
            return;
        json_scan_step(scan);
    }
}

enum { KEY_BYTES_SHOWN = 100 };

static enum status check_keys(const cJSON *value, const char *bytes, size_t count,
                              const char *where, struct error *error)
{
    size_t number = 0;
    char problem[200];
    struct json_scan scan;
    const cJSON *key = repeated_key(value);
    if (!key)
        return STATUS_OK;
    count_keys_before(value, key, &number);
    json_scan_init(&scan, bytes, count);
    scan_to_key(&scan, number);
    const size_t begin = scan.at;
    json_scan_step(&scan);
    /* as the text spells it: escapes do not reach the terminal */
    snprintf(problem, sizeof problem,
             "%.*s stands twice in one object: take one of them out",
             (int)(scan.at - begin < KEY_BYTES_SHOWN ? scan.at - begin : KEY_BYTES_SHOWN),
             bytes + begin);
    scan.at = begin;
    scan.problem = problem;
    return json_scan_fail(&scan, where, error);
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
    const enum status status = check_keys(*value, bytes, count, where, error);
    if (status) {
        cJSON_Delete(*value);
        *value = NULL;
    }
    return status;
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
