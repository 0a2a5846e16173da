#include "base/memory.h"
#include "data_gen/conversation_read.h"
#include "data_gen/record_reader.h"

#include <stdlib.h>
#include <string.h>

/* Where a usable row stands. */
struct conversation_place {
    struct record record;
    int64_t row; /* its number in the file, from 0 */
};

struct conversation_store {
    struct source_spec spec;
    struct source_file file;
    struct record_reader reader;
    struct conversation_place *places;
    size_t capacity;
};

static void skip(struct conversation_list *list, int64_t line)
{
    if (list->skipped_count++)
        return;
    struct text_buffer text = {0};
    text_buffer_appendf(&text, "%s: line %lld: no answer, or a layout that is not known",
                        list->path, (long long)line);
    list->first_skipped = text_buffer_detach(&text);
}

/* Parses a row about which a glance did not tell. */
static enum status row_judge(struct conversation_list *list, const struct record *record,
                             enum conversation_glance *verdict, struct error *error)
{
    struct conversation_store *store = list->store;
    struct conversation conversation;
    cJSON *object = NULL;
    if (record_parse(&store->reader, record, &object, error))
        return error->status;
    *verdict = GLANCE_FILTERED;
    if (source_spec_matches(&store->spec, object)) {
        if (conversation_read(&conversation, object, 0, &store->spec)) {
            conversation_release(&conversation);
            *verdict = GLANCE_USABLE;
        } else {
            skip(list, record->line);
        }
    }
    cJSON_Delete(object);
    return STATUS_OK;
}

static enum status rows_index(struct conversation_list *list, struct error *error)
{
    struct conversation_store *store = list->store;
    struct record_reader *reader = &store->reader;
    struct record record;
    enum status status = STATUS_OK;
    for (int64_t row = 0; record_next(reader, &record, &status, error); row++) {
        enum conversation_glance verdict = conversation_glance(
            store->file.bytes + reader->tape_base, &reader->tape, &store->spec);
        if (verdict == GLANCE_UNCLEAR && row_judge(list, &record, &verdict, error))
            return error->status;
        if (verdict != GLANCE_USABLE)
            continue;
        array_reserve(store->places, store->capacity, list->count + 1);
        store->places[list->count++] =
            (struct conversation_place){.record = record, .row = row};
    }
    return status;
}

static enum status list_open(struct conversation_list *list, const char *spec_text,
                             struct error *error)
{
    struct conversation_store *store = list->store;
    if (source_spec_parse(&store->spec, spec_text, error))
        return error->status;
    list->name = memory_duplicate_string(store->spec.name);
    list->path = memory_duplicate_string(store->spec.path);
    if (source_file_open(&store->file, list->path, error) ||
        record_reader_open(&store->reader, &store->file, error) || rows_index(list, error))
        return error->status;
    if (list->count == 0)
        return error_set(error, STATUS_FORMAT,
                         "%s: no chat with an answer: known layouts are OpenAI messages, "
                         "ShareGPT conversations, Alpaca, Dolly, GPTeacher, "
                         "prompt/completion, question/answer",
                         list->path);
    return STATUS_OK;
}

enum status conversation_list_read(struct conversation_list *list, const char *spec_text,
                                   struct error *error)
{
    *list = (struct conversation_list){.store = memory_allocate(sizeof *list->store)};
    const enum status status = list_open(list, spec_text, error);
    if (status)
        conversation_list_release(list);
    return status;
}

enum status conversation_list_get(const struct conversation_list *list, size_t index,
                                  struct conversation *conversation, struct error *error)
{
    CHECK(index < list->count);
    struct conversation_store *store = list->store;
    const struct conversation_place *place = &store->places[index];
    cJSON *object = NULL;
    *conversation = (struct conversation){0};
    enum status status = record_parse(&store->reader, &place->record, &object, error);
    if (!status && !conversation_read(conversation, object, place->row, &store->spec))
        status = error_set(error, STATUS_IO, "%s: changed while it was read", list->path);
    cJSON_Delete(object);
    return status;
}

enum status conversation_list_sha256(struct conversation_list *list,
                                     char hex[SHA256_HEX_BYTES], struct error *error)
{
    return source_file_sha256(&list->store->file, hex, error);
}

void conversation_list_release(struct conversation_list *list)
{
    if (list->store) {
        record_reader_close(&list->store->reader);
        source_file_close(&list->store->file);
        source_spec_release(&list->store->spec);
        free(list->store->places);
    }
    free(list->store);
    free(list->name);
    free(list->path);
    free(list->first_skipped);
    *list = (struct conversation_list){0};
}
