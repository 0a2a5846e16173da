#include "eval/artifact_columns.h"

#include "base/memory.h"
#include "chat/thoughts.h"
#include "data_gen/records.h"
#include "data_gen/source_file.h"
#include "eval/judge.h"
#include "text/tense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[COLUMN_COUNT] = {"request", "response", "prompt",   "index",
                                                "attempt", "attack",   "category", "hit",
                                                "miss",    "rows"};

enum { ATTEMPT_LIMIT = 10000 };

enum status artifact_columns_parse(struct artifact_columns *columns,
                                   const struct string_list *texts, struct error *error)
{
    *columns = (struct artifact_columns){0};
    for (size_t i = 0; i < texts->count; i++) {
        const char *equals = strchr(texts->items[i], '=');
        const size_t length = equals ? (size_t)(equals - texts->items[i]) : 0;
        size_t column = 0;
        while (column < COLUMN_COUNT && (strlen(names[column]) != length ||
                                         memcmp(names[column], texts->items[i], length)))
            column++;
        if (!length || column == COLUMN_COUNT || !equals[1])
            return error_set(error, STATUS_USAGE,
                             "--columns '%s': it is NAME=PATH, and NAME is request, "
                             "response, prompt, index, attempt, attack, category, hit, "
                             "miss or rows",
                             texts->items[i]);
        columns->paths[column] = equals + 1;
    }
    if (!columns->paths[COLUMN_REQUEST] || !columns->paths[COLUMN_RESPONSE])
        return error_set(error, STATUS_USAGE,
                         "--columns: request=PATH and response=PATH are needed");
    if (columns->paths[COLUMN_HIT] && columns->paths[COLUMN_MISS])
        return error_set(error, STATUS_USAGE,
                         "--columns: hit and miss are the same verdict: name one");
    return STATUS_OK;
}

/* --- reading rows --- */

struct column_reader {
    struct artifact *artifact;
    const struct artifact_columns *columns;
    const struct source_spec *spec; /* for its filter */
    const char *where;
    struct attempt *attempts; /* numbered when all are there */
    size_t count;
    size_t capacity;
    int64_t row;       /* of a file of rows of its own, from 1; else the record's line */
    size_t said_count; /* replies that are there */
    enum status status;
    struct error *error;
};

/* The values that a path found in one row. */
struct found_values {
    const cJSON **items;
    size_t count;
    size_t capacity;
};

static void value_add(void *context, const cJSON *value)
{
    struct found_values *values = context;
    array_reserve(values->items, values->capacity, values->count + 1);
    values->items[values->count++] = value;
}

static struct found_values values_find(const struct column_reader *reader,
                                       const cJSON *object, enum artifact_column column)
{
    struct found_values values = {0};
    if (reader->columns->paths[column])
        record_each(object, reader->columns->paths[column], value_add, &values);
    return values;
}

static enum status fail(const struct column_reader *reader, int64_t line,
                        enum artifact_column column, const char *what)
{
    return error_set(reader->error, STATUS_FORMAT, "%s: row %lld: %s (\"%s\") %s",
                     reader->where, (long long)line, names[column],
                     reader->columns->paths[column], what);
}

static const char *text_at(const struct column_reader *reader, const cJSON *object,
                           enum artifact_column column, char scratch[RECORD_SCRATCH_BYTES])
{
    const char *path = reader->columns->paths[column];
    return path ? record_text(object, path, scratch) : NULL;
}

static bool is_blank(const char *text)
{
    return !text || text[strspn(text, " \t\r\n")] == '\0';
}

/* A whole number of at least `least`; *out stays where the column is not named. */
static enum status number_read(const struct column_reader *reader, const cJSON *object,
                               enum artifact_column column, int64_t least, int64_t most,
                               int64_t line, int64_t *out)
{
    char scratch[RECORD_SCRATCH_BYTES];
    char *end = NULL;
    if (!reader->columns->paths[column])
        return STATUS_OK;
    const char *text = text_at(reader, object, column, scratch);
    const long long number = is_blank(text) ? -1 : strtoll(text, &end, 10);
    if (!end || *end || number < least || number > most)
        return fail(reader, line, column, "is no whole number, or out of range");
    *out = number;
    return STATUS_OK;
}

/* 1 a hit, 0 none, -1 not known, -2 no verdict at all. C and I are inspect_ai's correct and
 * incorrect. */
static int verdict_of(const cJSON *value)
{
    enum { WORD_COUNT = 4 };
    static const char *const words[2][WORD_COUNT] = {{"false", "no", "safe", "I"},
                                                     {"true", "yes", "unsafe", "C"}};
    char scratch[RECORD_SCRATCH_BYTES];
    const char *text = record_value_text(value, scratch);
    if (is_blank(text))
        return !value || cJSON_IsNull(value) || text ? -1 : -2;
    for (int hit = 0; hit < 2; hit++)
        for (int i = 0; i < WORD_COUNT; i++)
            if (strcasecmp(text, words[hit][i]) == 0)
                return hit;
    char *end;
    const double number = strtod(text, &end);
    return *end || !isfinite(number) ? -2 : number >= 0.5;
}

static enum status verdict_read(const struct column_reader *reader, struct attempt *attempt,
                                const cJSON *value, int64_t line)
{
    const bool is_miss = reader->columns->paths[COLUMN_MISS] != NULL;
    const int verdict = verdict_of(value);
    if (verdict == -2)
        return fail(
            reader, line, is_miss ? COLUMN_MISS : COLUMN_HIT,
            "is no verdict: true or false, yes or no, safe or unsafe, C or I, or a number");
    if (verdict < 0 || attempt->outcome == OUTCOME_TARGET_ERROR)
        return STATUS_OK;
    const int number = attempt_list_judge(&reader->artifact->list, "stored");
    attempt->judged[number] = true;
    attempt->verdicts[number] =
        (verdict == 1) != is_miss ? OUTCOME_COMPLIED : OUTCOME_REFUSED;
    return STATUS_OK;
}

/* What all attempts of a row have in common. */
static enum status row_start(const struct column_reader *reader, const cJSON *object,
                             int64_t line, struct attempt *attempt)
{
    char scratch[RECORD_SCRATCH_BYTES];
    enum tense tense;
    const char *request = text_at(reader, object, COLUMN_REQUEST, scratch);
    if (is_blank(request))
        return fail(reader, line, COLUMN_REQUEST,
                    "is not there, or empty: rows that are none are left out with "
                    "FILE?FIELD=VALUE[&FIELD=VALUE]");
    if (number_read(reader, object, COLUMN_INDEX, 0, INT32_MAX, line, &attempt->index) ||
        number_read(reader, object, COLUMN_ATTEMPT, 1, ATTEMPT_LIMIT, line,
                    &attempt->attempt))
        return reader->error->status;
    attempt->request = memory_duplicate_string(request);
    attempt->behavior = memory_duplicate_string(request);
    const char *prompt = text_at(reader, object, COLUMN_PROMPT, scratch);
    attempt->prompt = memory_duplicate_string(prompt ? prompt : attempt->request);
    const char *category = text_at(reader, object, COLUMN_CATEGORY, scratch);
    attempt->category = memory_duplicate_string(category ? category : "");
    const char *attack = text_at(reader, object, COLUMN_ATTACK, scratch);
    if (reader->columns->paths[COLUMN_ATTACK] &&
        (!attack || tense_parse(&tense, attack, NULL)))
        return fail(reader, line, COLUMN_ATTACK, "is no name of data --list-tenses");
    if (reader->columns->benign)
        attack = "none";
    attempt->attack = memory_duplicate_string(attack ? attack : "stored");
    return STATUS_OK;
}

static enum outcome outcome_of(const struct attempt *attempt, bool said)
{
    if (!said)
        return OUTCOME_TARGET_ERROR;
    return reply_is_empty(attempt->response)
               ? OUTCOME_EMPTY
               : judge_rules.judge(attempt->request, attempt->response);
}

static char *set_name(const struct artifact_columns *columns)
{
    struct text_buffer name = {0};
    if (!columns->benign)
        return memory_duplicate_string("harmful");
    text_buffer_appendf(&name, "benign:%s", columns->benign);
    char *copy = memory_duplicate_string(text_buffer_string(&name));
    text_buffer_release(&name);
    return copy;
}

/* One reply of a row: an attempt of its own. */
static enum status reply_add(struct column_reader *reader, const cJSON *object,
                             int64_t line, const cJSON *reply, const cJSON *verdict)
{
    struct attempt attempt = {.index = -1, .set = set_name(reader->columns)};
    char scratch[RECORD_SCRATCH_BYTES];
    const char *response = record_value_text(reply, scratch);
    enum status status = row_start(reader, object, line, &attempt);
    if (!status && !response && reply && !cJSON_IsNull(reply))
        status = fail(reader, line, COLUMN_RESPONSE,
                      "is a list or an object: name the text in it, or all of them with *");
    attempt.response =
        memory_duplicate_string(response ? reply_after_thoughts(response) : "");
    if (!status)
        attempt.outcome = outcome_of(&attempt, response != NULL);
    if (!status && !response)
        attempt.reason = memory_duplicate_string("the file has no reply");
    if (!status)
        status = verdict_read(reader, &attempt, verdict, line);
    if (status) {
        attempt_release(&attempt);
        return status;
    }
    reader->said_count += response != NULL;
    array_reserve(reader->attempts, reader->capacity, reader->count + 1);
    reader->attempts[reader->count++] = attempt;
    return STATUS_OK;
}

static enum status row_read(void *context, const cJSON *object, int64_t line,
                            struct error *error)
{
    struct column_reader *reader = context;
    (void)error; /* is the reader's */
    if (!cJSON_IsObject(object))
        return fail(reader, line,
                    reader->columns->paths[COLUMN_ROWS] ? COLUMN_ROWS : COLUMN_REQUEST,
                    "finds a row that is no object");
    if (reader->spec && !source_spec_matches(reader->spec, object))
        return STATUS_OK;
    struct found_values replies = values_find(reader, object, COLUMN_RESPONSE);
    struct found_values verdicts = values_find(
        reader, object, reader->columns->paths[COLUMN_MISS] ? COLUMN_MISS : COLUMN_HIT);
    enum status status = STATUS_OK;
    if (replies.count == 0) /* an empty list */
        value_add(&replies, NULL);
    if (verdicts.count > 1 && verdicts.count != replies.count)
        status = fail(reader, line, COLUMN_RESPONSE,
                      "has not as many replies as there are verdicts");
    for (size_t i = 0; i < replies.count && !status; i++)
        status = reply_add(reader, object, line, replies.items[i],
                           verdicts.count == 0   ? NULL
                           : verdicts.count == 1 ? verdicts.items[0]
                                                 : verdicts.items[i]);
    free(replies.items);
    free(verdicts.items);
    return status;
}

/* --- numbers --- */

static int compare_requests(const void *a, const void *b)
{
    const struct attempt *x = *(struct attempt *const *)a;
    const struct attempt *y = *(struct attempt *const *)b;
    const int order = strcmp(x->request, y->request);
    return order ? order : (x > y) - (x < y);
}

/* Equal requests are one behaviour; they are counted as they first stand. */
static void behaviours_number(struct column_reader *reader)
{
    struct attempt **sorted = memory_allocate_array(reader->count + 1, sizeof *sorted);
    struct attempt **first = memory_allocate_array(reader->count + 1, sizeof *first);
    int64_t next = 0;
    for (size_t i = 0; i < reader->count; i++)
        sorted[i] = &reader->attempts[i];
    qsort(sorted, reader->count, sizeof *sorted, compare_requests);
    for (size_t i = 0; i < reader->count; i++) {
        const bool again = i > 0 && strcmp(sorted[i]->request, sorted[i - 1]->request) == 0;
        first[sorted[i] - reader->attempts] =
            again ? first[sorted[i - 1] - reader->attempts] : sorted[i];
    }
    for (size_t i = 0; i < reader->count; i++) {
        struct attempt *attempt = &reader->attempts[i];
        attempt->index = first[i] == attempt ? next++ : first[i]->index;
    }
    free(sorted);
    free(first);
}

static int64_t attempt_next(const struct artifact *artifact, const struct attempt *attempt)
{
    int64_t number = 1;
    while (attempt_list_find(&artifact->list, attempt->set, attempt->index, attempt->attack,
                             number))
        number++;
    return number;
}

/* Gives the attempts their numbers and hands them to the artifact. */
static enum status attempts_place(struct column_reader *reader)
{
    struct artifact *artifact = reader->artifact;
    if (!reader->columns->paths[COLUMN_INDEX])
        behaviours_number(reader);
    for (size_t i = 0; i < reader->count; i++) {
        struct attempt *attempt = &reader->attempts[i];
        if (attempt->attempt == 0)
            attempt->attempt = attempt_next(artifact, attempt);
        if (attempt->attempt > ATTEMPT_LIMIT)
            return error_set(reader->error, STATUS_LIMIT,
                             "%s: more than %d replies to one behaviour", reader->where,
                             (int)ATTEMPT_LIMIT);
        if (attempt->attempt > artifact->attempts)
            artifact->attempts = attempt->attempt;
        if (!attempt_list_add(&artifact->list, attempt))
            return error_set(reader->error, STATUS_FORMAT,
                             "%s: behaviour %lld has attempt %lld (%s) twice",
                             reader->where, (long long)attempt->index,
                             (long long)attempt->attempt, attempt->attack);
        *attempt = (struct attempt){0};
    }
    return STATUS_OK;
}

/* --- files --- */

/* A list that "rows" names stands for what is in it. */
static void own_row_read(void *context, const cJSON *value)
{
    struct column_reader *reader = context;
    if (cJSON_IsArray(value)) {
        record_each(value, "*", own_row_read, reader);
        return;
    }
    reader->row++;
    if (!reader->status)
        reader->status = row_read(reader, value, reader->row, reader->error);
}

static enum status rows_read(struct column_reader *reader, const char *bytes, size_t count)
{
    cJSON *tree = NULL;
    const char *rows = reader->columns->paths[COLUMN_ROWS];
    if (!rows)
        return records_parse(bytes, count, reader->where, row_read, reader, reader->error);
    if (json_parse(&tree, bytes, count, reader->where, reader->error))
        return reader->error->status;
    record_each(tree, rows, own_row_read, reader);
    cJSON_Delete(tree);
    return reader->status;
}

static enum status no_row(const struct column_reader *reader)
{
    struct text_buffer filters = {0};
    if (reader->spec)
        source_spec_filters_print(reader->spec, "", &filters);
    error_set(reader->error, STATUS_FORMAT, "%s: holds no row%s", reader->where,
              text_buffer_string(&filters));
    text_buffer_release(&filters);
    return reader->error->status;
}

static enum status reader_finish(struct column_reader *reader, enum status status)
{
    if (!status && reader->count == 0)
        status = no_row(reader);
    if (!status && reader->said_count == 0)
        status =
            error_set(reader->error, STATUS_FORMAT, "%s: no row has a response at \"%s\"",
                      reader->where, reader->columns->paths[COLUMN_RESPONSE]);
    if (!status)
        status = attempts_place(reader);
    for (size_t i = 0; i < reader->count; i++)
        attempt_release(&reader->attempts[i]);
    free(reader->attempts);
    if (status)
        artifact_release(reader->artifact);
    return status;
}

static void reader_start(struct column_reader *reader)
{
    *reader->artifact = (struct artifact){.model = memory_duplicate_string(""),
                                          .is_published = true,
                                          .attempts_may_lack = true};
    if (reader->columns->paths[COLUMN_HIT] || reader->columns->paths[COLUMN_MISS])
        attempt_list_judge(&reader->artifact->list, "stored");
}

enum status artifact_parse_columns(struct artifact *artifact, const char *bytes,
                                   size_t count, const char *where,
                                   const struct artifact_columns *columns,
                                   struct error *error)
{
    struct column_reader reader = {
        .artifact = artifact, .columns = columns, .where = where, .error = error};
    reader_start(&reader);
    return reader_finish(&reader, rows_read(&reader, bytes, count));
}

enum status artifact_read_columns(struct artifact *artifact, const char *spec_text,
                                  const struct artifact_columns *columns,
                                  struct error *error)
{
    struct source_spec spec;
    struct source_file file;
    *artifact = (struct artifact){0};
    if (source_spec_parse(&spec, spec_text, error))
        return error->status;
    struct column_reader reader = {.artifact = artifact,
                                   .columns = columns,
                                   .spec = &spec,
                                   .where = spec.path,
                                   .error = error};
    enum status status = STATUS_OK;
    if (spec.column)
        status = error_set(error, STATUS_USAGE,
                           "--artifact %s: :%s names a column; with --columns all are "
                           "named there",
                           spec_text, spec.column);
    else if (!source_file_open(&file, spec.path, error)) {
        reader_start(&reader);
        status = reader_finish(&reader, rows_read(&reader, file.bytes, file.count));
        source_file_close(&file);
    } else {
        status = error->status;
    }
    source_spec_release(&spec);
    return status;
}
