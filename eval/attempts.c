#include "eval/attempts.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

bool attempt_is_given_up(const struct attempt *attempt)
{
    return !attempt->prompt[0] && !attempt->response[0];
}

void attempt_release(struct attempt *attempt)
{
    free(attempt->behavior);
    free(attempt->category);
    free(attempt->set);
    free(attempt->attack);
    free(attempt->request);
    free(attempt->prompt);
    free(attempt->response);
    free(attempt->thoughts);
    free(attempt->reason);
    cJSON_Delete(attempt->rejected);
    *attempt = (struct attempt){0};
}

void attempt_list_release(struct attempt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        attempt_release(&list->items[i]);
    for (size_t i = 0; i < list->judge_count; i++)
        free(list->judges[i]);
    free(list->items);
    free(list->slots);
    *list = (struct attempt_list){0};
}

int attempt_list_judge(struct attempt_list *list, const char *name)
{
    for (size_t i = 0; i < list->judge_count; i++)
        if (strcmp(list->judges[i], name) == 0)
            return (int)i;
    if (list->judge_count == JUDGE_LIMIT)
        return -1;
    list->judges[list->judge_count] = memory_duplicate_string(name);
    return (int)list->judge_count++;
}

/* The slot where this key is, or would be put: open addressing, linear probing. */
static size_t slot_of(const struct attempt_list *list, const char *set, int64_t index,
                      const char *attack, int64_t number)
{
    const uint64_t hash = random_stream_of(set, (uint64_t)index, (uint64_t)number) ^
                          random_stream_of(attack, 0, 0);
    size_t slot = (size_t)hash & (list->slot_count - 1);
    for (; list->slots[slot] >= 0; slot = (slot + 1) & (list->slot_count - 1)) {
        const struct attempt *item = &list->items[list->slots[slot]];
        if (item->index == index && item->attempt == number &&
            strcmp(item->set, set) == 0 && strcmp(item->attack, attack) == 0)
            break;
    }
    return slot;
}

static size_t slot_of_item(const struct attempt_list *list, const struct attempt *item)
{
    return slot_of(list, item->set, item->index, item->attack, item->attempt);
}

static void slots_fill(struct attempt_list *list)
{
    for (size_t i = 0; i < list->slot_count; i++)
        list->slots[i] = -1;
    for (size_t i = 0; i < list->count; i++)
        list->slots[slot_of_item(list, &list->items[i])] = (int64_t)i;
}

/* Doubles the table when it is half full. */
static void slots_reserve(struct attempt_list *list)
{
    enum { FIRST = 64 };
    if (2 * (list->count + 1) <= list->slot_count)
        return;
    free(list->slots);
    list->slot_count = list->slot_count ? 2 * list->slot_count : FIRST;
    list->slots = memory_allocate_array(list->slot_count, sizeof *list->slots);
    slots_fill(list);
}

bool attempt_list_add(struct attempt_list *list, const struct attempt *attempt)
{
    slots_reserve(list);
    const size_t slot = slot_of_item(list, attempt);
    if (list->slots[slot] >= 0)
        return false;
    array_reserve(list->items, list->capacity, list->count + 1);
    list->slots[slot] = (int64_t)list->count;
    list->items[list->count++] = *attempt;
    return true;
}

struct attempt *attempt_list_get(struct attempt_list *list, const char *set, int64_t index,
                                 const char *attack, int64_t number)
{
    if (list->slot_count == 0)
        return NULL;
    const int64_t item = list->slots[slot_of(list, set, index, attack, number)];
    return item < 0 ? NULL : &list->items[item];
}

const struct attempt *attempt_list_find(const struct attempt_list *list, const char *set,
                                        int64_t index, const char *attack, int64_t number)
{
    if (list->slot_count == 0)
        return NULL;
    const int64_t item = list->slots[slot_of(list, set, index, attack, number)];
    return item < 0 ? NULL : &list->items[item];
}

/* The target was asked; else no words were found. */
static bool has_failed(const struct attempt *attempt)
{
    return attempt->outcome == OUTCOME_TARGET_ERROR && *attempt->prompt != '\0';
}

/* Whether nothing came after it but what failed likewise: what stays must not stand behind
 * a hit. */
static bool is_at_the_end(const struct attempt_list *list, const struct attempt *attempt)
{
    const struct attempt *later = attempt;
    for (int64_t number = attempt->attempt + 1; later && has_failed(later); number++)
        later =
            attempt_list_find(list, attempt->set, attempt->index, attempt->attack, number);
    return !later;
}

static bool can_be_made_again(const struct attempt_list *list,
                              const struct attempt *attempt, bool in_turn)
{
    return has_failed(attempt) && (!in_turn || is_at_the_end(list, attempt));
}

int64_t attempt_list_forget_failures(struct attempt_list *list, bool in_turn)
{
    bool *forgotten = memory_allocate_array(list->count + 1, sizeof *forgotten);
    const size_t count = list->count;
    for (size_t i = 0; i < count; i++)
        forgotten[i] = can_be_made_again(list, &list->items[i], in_turn);
    list->count = 0;
    for (size_t i = 0; i < count; i++)
        if (forgotten[i])
            attempt_release(&list->items[i]);
        else
            list->items[list->count++] = list->items[i];
    slots_fill(list);
    free(forgotten);
    return (int64_t)(count - list->count);
}

static void verdicts_print(const struct attempt *attempt, const struct attempt_list *list,
                           struct json_writer *json)
{
    const bool harmful = strcmp(attempt->set, "harmful") == 0;
    json_object_begin(json, "judges");
    for (size_t i = 0; i < list->judge_count; i++) {
        if (!attempt->judged[i])
            continue;
        json_object_begin(json, list->judges[i]);
        if (harmful && outcome_is_scored(attempt->verdicts[i]))
            json_bool(json, "jailbroken", attempt->verdicts[i] == OUTCOME_COMPLIED);
        json_string(json, "verdict", outcome_name(attempt->verdicts[i]));
        json_object_end(json);
    }
    json_object_end(json);
}

void attempt_print(const struct attempt *attempt, const struct attempt_list *list,
                   struct text_buffer *line)
{
    struct json_writer json = {.out = line};
    json_object_begin(&json, NULL);
    json_string(&json, "behavior", attempt->behavior);
    json_integer(&json, "index", attempt->index);
    json_string(&json, "category", attempt->category);
    json_string(&json, "set", attempt->set);
    json_string(&json, "attack", attempt->attack);
    json_integer(&json, "attempt", attempt->attempt);
    json_string(&json, "request", attempt->request);
    json_string(&json, "prompt", attempt->prompt);
    json_string(&json, "response", attempt->response);
    if (attempt->thoughts)
        json_string(&json, "thoughts", attempt->thoughts);
    json_string(&json, "outcome", outcome_name(attempt->outcome));
    if (attempt->truncated)
        json_bool(&json, "truncated", true);
    if (attempt->reason)
        json_string(&json, "error", attempt->reason);
    verdicts_print(attempt, list, &json);
    if (attempt->rejected)
        json_value(&json, "rejected", attempt->rejected);
    json_integer(&json, "tokens", attempt->tokens);
    json_number(&json, "ms", attempt->milliseconds);
    json_object_end(&json);
}

static enum status outcome_read(enum outcome *outcome, const cJSON *object, const char *key,
                                const char *where, struct error *error)
{
    const char *name;
    if (json_required_string(object, key, &name, where, error))
        return error->status;
    if (!outcome_parse(outcome, name))
        return error_set(error, STATUS_FORMAT, "%s: \"%s\": '%s' is no outcome", where, key,
                         name);
    return STATUS_OK;
}

static enum status verdicts_read(struct attempt *attempt, struct attempt_list *list,
                                 const cJSON *object, const char *where,
                                 struct error *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get(object, "judges"))
    {
        const int judge = item->string ? attempt_list_judge(list, item->string) : -1;
        if (judge < 0)
            return error_set(error, STATUS_LIMIT, "%s: more than %d judges", where,
                             (int)JUDGE_LIMIT);
        if (outcome_read(&attempt->verdicts[judge], item, "verdict", where, error))
            return error->status;
        attempt->judged[judge] = true;
    }
    return STATUS_OK;
}

static enum status rejected_read(struct attempt *attempt, const cJSON *array,
                                 const char *where, struct error *error)
{
    const cJSON *item;
    if (!array)
        return STATUS_OK;
    attempt->rejected = cJSON_CreateArray();
    cJSON_ArrayForEach(item, array)
    {
        const char *why, *text;
        if (json_required_string(item, "why", &why, where, error) ||
            json_required_string(item, "text", &text, where, error))
            return error_prefix(error, "\"rejected\"");
        cJSON *copy = cJSON_CreateObject();
        cJSON_AddStringToObject(copy, "why", why);
        cJSON_AddStringToObject(copy, "text", text);
        cJSON_AddItemToArray(attempt->rejected, copy);
    }
    return STATUS_OK;
}

static enum status string_read(char **out, const cJSON *object, const char *key,
                               const char *where, struct error *error)
{
    const char *text;
    if (json_required_string(object, key, &text, where, error))
        return error->status;
    *out = memory_duplicate_string(text);
    return STATUS_OK;
}

static enum status attempt_read(struct attempt *attempt, struct attempt_list *list,
                                const cJSON *object, const char *where, struct error *error)
{
    const char *thoughts = NULL;
    const char *reason = NULL;
    if (string_read(&attempt->behavior, object, "behavior", where, error) ||
        json_required_integer(object, "index", &attempt->index, where, error) ||
        string_read(&attempt->category, object, "category", where, error) ||
        string_read(&attempt->set, object, "set", where, error) ||
        string_read(&attempt->attack, object, "attack", where, error) ||
        json_required_integer(object, "attempt", &attempt->attempt, where, error) ||
        string_read(&attempt->request, object, "request", where, error) ||
        string_read(&attempt->prompt, object, "prompt", where, error) ||
        string_read(&attempt->response, object, "response", where, error) ||
        json_optional_string(object, "thoughts", &thoughts, where, error) ||
        outcome_read(&attempt->outcome, object, "outcome", where, error) ||
        json_optional_bool(object, "truncated", &attempt->truncated, where, error) ||
        json_optional_string(object, "error", &reason, where, error) ||
        verdicts_read(attempt, list, object, where, error) ||
        json_optional_integer(object, "tokens", &attempt->tokens, where, error) ||
        json_optional_number(object, "ms", &attempt->milliseconds, where, error) ||
        rejected_read(attempt, json_get(object, "rejected"), where, error))
        return error->status;
    attempt->thoughts = memory_duplicate_string(thoughts);
    attempt->reason = memory_duplicate_string(reason);
    if (attempt->attempt < 1)
        return error_set(error, STATUS_FORMAT, "%s: \"attempt\" counts from 1", where);
    return STATUS_OK;
}

/* Whether the stored attempt of this key had failed; it is replaced then. */
static bool failure_replace(struct attempt_list *list, const struct attempt *attempt)
{
    struct attempt *stored = attempt_list_get(list, attempt->set, attempt->index,
                                              attempt->attack, attempt->attempt);
    if (stored->outcome != OUTCOME_TARGET_ERROR)
        return false;
    attempt_release(stored);
    *stored = *attempt;
    list->again_count++;
    return true;
}

static enum status line_read(struct attempt_list *list, const struct line_reader *lines,
                             const char *where, struct error *error)
{
    cJSON *object = NULL;
    struct attempt attempt = {0};
    struct text_buffer place = {0};
    text_buffer_appendf(&place, "%s: line %lld", where, (long long)lines->number);
    enum status status = json_parse_line(&object, lines->line, lines->line_bytes,
                                         text_buffer_string(&place), error);
    if (!status)
        status = attempt_read(&attempt, list, object, text_buffer_string(&place), error);
    if (status || !(attempt_list_add(list, &attempt) || failure_replace(list, &attempt))) {
        list->duplicate_count += !status;
        attempt_release(&attempt);
    }
    cJSON_Delete(object);
    text_buffer_release(&place);
    return status;
}

enum status attempts_parse(struct attempt_list *list, const char *bytes, size_t count,
                           const char *where, struct error *error)
{
    struct line_reader lines = {.data = bytes, .bytes = count};
    enum status status = STATUS_OK;
    while (!status && line_next(&lines)) {
        const bool torn = bytes[lines.offset - 1] != '\n';
        if (!torn && !line_is_blank(&lines))
            status = line_read(list, &lines, where, error);
    }
    return status;
}

enum status attempts_open(struct file_log *log, struct attempt_list *list, const char *path,
                          bool *torn, struct error *error)
{
    struct file_map map;
    if (file_log_open(log, path, torn, error))
        return error->status;
    enum status status = file_map(&map, path, error);
    if (!status) {
        status = attempts_parse(list, (const char *)map.data, map.bytes, path, error);
        file_unmap(&map);
    }
    if (status)
        file_log_close(log);
    return status;
}

enum status attempts_write(const struct attempt_list *list, const char *path,
                           struct error *error)
{
    struct text_buffer lines = {0};
    for (size_t i = 0; i < list->count; i++) {
        attempt_print(&list->items[i], list, &lines);
        text_buffer_append_char(&lines, '\n');
    }
    const enum status status =
        file_write_all(path, text_buffer_string(&lines), lines.length, error);
    text_buffer_release(&lines);
    return status;
}

enum status attempts_append(struct file_log *log, struct attempt_list *list,
                            struct attempt *attempt, struct error *error)
{
    struct text_buffer line = {0};
    attempt_print(attempt, list, &line);
    enum status status = file_log_append(log, line.data, line.length, error);
    text_buffer_release(&line);
    if (status || !attempt_list_add(list, attempt)) {
        CHECK(status); /* an attempt that is stored is not made again */
        attempt_release(attempt);
    }
    return status;
}
