#include "base/file.h"
#include "base/memory.h"
#include "data_gen/leak_check.h"
#include "data_gen/mix.h"
#include "data_gen/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is said in a row of a known key. */
static const struct key {
    const char *name;
    bool asked;
} keys[] = {
    {"goal", true},    {"request", true},   {"request_reformulated", true},
    {"prompt", true},  {"question", true},  {"instruction", true},
    {"input", true},   {"context", true},   {"text", true},
    {"output", false}, {"response", false}, {"completion", false},
    {"answer", false},
};

struct row_reader {
    struct leak_training *training;
    const struct source_spec *spec;
    size_t file;
    bool benign_verbatim;
    bool is_benign; /* the row, and benign_verbatim */
    leak_row_visit *visit;
    void *context;
    struct leak_source_text *texts;
    size_t text_count;
    size_t text_capacity;
};

static void text_add(struct row_reader *reader, const char *text, bool asked)
{
    if (!text || !*text)
        return;
    array_reserve(reader->texts, reader->text_capacity, reader->text_count + 1);
    reader->texts[reader->text_count++] =
        (struct leak_source_text){.text = text, .asked = asked && !reader->is_benign};
}

static void string_add(struct row_reader *reader, const cJSON *value, bool asked)
{
    if (cJSON_IsString(value))
        text_add(reader, value->valuestring, asked);
}

static void turns_add(struct row_reader *reader, const cJSON *turns)
{
    const cJSON *turn;
    cJSON_ArrayForEach(turn, turns)
    {
        const cJSON *from = json_get(turn, "from");
        const bool answer =
            cJSON_IsString(from) &&
            (!strcmp(from->valuestring, "gpt") || !strcmp(from->valuestring, "assistant") ||
             !strcmp(from->valuestring, "chatgpt"));
        string_add(reader, json_get(turn, "value"), !answer);
    }
}

static enum status column_add(struct row_reader *reader, const cJSON *object, int64_t line,
                              struct error *error)
{
    const cJSON *value = record_get(object, reader->spec->column);
    if (!value)
        return error_set(error, STATUS_FORMAT, "%s: line %" PRId64 ": no column '%s'",
                         reader->spec->path, line, reader->spec->column);
    string_add(reader, value, true);
    return STATUS_OK;
}

static void row_visit(struct row_reader *reader, int64_t line)
{
    struct leak_training *training = reader->training;
    const struct leak_row row = {.texts = reader->texts,
                                 .text_count = reader->text_count,
                                 .file = reader->file,
                                 .line = line};
    training->row_count++;
    if (row.text_count)
        reader->visit(reader->context, &row);
    else
        training->unread_count++;
}

static enum status messages_visit(struct row_reader *reader, const cJSON *object,
                                  int64_t line, struct error *error)
{
    struct message *messages;
    size_t count;
    char where[512];
    snprintf(where, sizeof where, "%s: line %" PRId64, reader->spec->path, line);
    if (messages_parse(&messages, &count, record_get(object, "messages"), where, error))
        return error->status;
    string_add(reader, record_get(object, "request"), true);
    for (size_t i = 0; i < count; i++)
        text_add(reader, messages[i].content, strcmp(messages[i].role, "assistant") != 0);
    row_visit(reader, line);
    messages_free(messages, count);
    return STATUS_OK;
}

static bool is_marked_benign(const cJSON *object)
{
    const cJSON *kind = json_get(object, "kind");
    return cJSON_IsString(kind) && (strcmp(kind->valuestring, "benign") == 0 ||
                                    strcmp(kind->valuestring, "contrast") == 0);
}

static enum status on_record(void *context, const cJSON *object, int64_t line,
                             struct error *error)
{
    struct row_reader *reader = context;
    reader->text_count = 0;
    if (!source_spec_matches(reader->spec, object))
        return STATUS_OK;
    reader->is_benign = reader->benign_verbatim && is_marked_benign(object);
    if (!reader->spec->column && record_get(object, "messages"))
        return messages_visit(reader, object, line, error);
    if (reader->spec->column) {
        if (column_add(reader, object, line, error))
            return error->status;
    } else if (record_get(object, "conversations")) {
        turns_add(reader, record_get(object, "conversations"));
    } else {
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            string_add(reader, record_get(object, keys[i].name), keys[i].asked);
    }
    row_visit(reader, line);
    return STATUS_OK;
}

enum status leak_rows_read(struct leak_training *training, const char *spec_text,
                           size_t file, bool benign_verbatim, leak_row_visit *visit,
                           void *context, struct error *error)
{
    struct source_spec spec;
    *training = (struct leak_training){0};
    if (source_spec_parse(&spec, spec_text, error))
        return error->status;
    struct row_reader reader = {.training = training,
                                .spec = &spec,
                                .file = file,
                                .benign_verbatim = benign_verbatim,
                                .visit = visit,
                                .context = context};
    training->path = memory_duplicate_string(spec.path);
    enum status status = file_sha256(training->sha256, spec.path, error);
    if (!status)
        status = records_read(spec.path, on_record, &reader, error);
    if (!status && training->row_count == training->unread_count)
        status = error_set(error, STATUS_FORMAT,
                           "%s: no text to compare: known keys are messages, "
                           "conversations, goal, request, prompt, instruction, question, "
                           "text, …; name another as %s:COLUMN",
                           spec.path, spec.path);
    free(reader.texts);
    source_spec_release(&spec);
    return status;
}
