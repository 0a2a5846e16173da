#include "base/memory.h"
#include "data_gen/conversation_index.h"
#include "data_gen/conversation_read.h"
#include "data_gen/record_reader.h"

#include <stdlib.h>
#include <string.h>

struct conversation_store {
    struct source_spec spec;
    struct source_file file;
    struct record_reader reader;
    struct conversation_index index;
};

static enum status rows_index(struct conversation_list *list, struct error *error)
{
    struct conversation_store *store = list->store;
    if (conversation_index_read(&store->index, &store->reader, &store->spec, 0, 0, error))
        return error->status;
    list->count = store->index.count;
    list->skipped_count = store->index.skipped_count;
    if (list->skipped_count == 0)
        return STATUS_OK;
    struct text_buffer text = {0};
    text_buffer_appendf(&text, "%s: line %lld: no answer, or a layout that is not known",
                        list->path, (long long)store->index.first_skipped);
    list->first_skipped = text_buffer_detach(&text);
    return STATUS_OK;
}

/* The names in the first row, for the message; false if there is no row. */
static bool first_names(struct conversation_store *store, struct text_buffer *names)
{
    struct error error;
    struct record record;
    enum status status = STATUS_OK;
    struct record_reader *reader = memory_allocate(sizeof *reader);
    cJSON *object = NULL;
    const cJSON *item;
    if (!record_reader_open(reader, &store->file, &error)) {
        if (record_next(reader, &record, &status, &error))
            record_parse(reader, &record, &object, &error);
        record_reader_close(reader);
    }
    free(reader);
    cJSON_ArrayForEach(item, object)
        text_buffer_appendf(names, "%s%s", names->length ? ", " : "", item->string);
    const bool found = object != NULL;
    cJSON_Delete(object);
    return found;
}

static enum status no_chat(struct conversation_list *list, struct error *error)
{
    struct conversation_store *store = list->store;
    struct text_buffer text = {0};
    if (!first_names(store, &text))
        error_set(error, STATUS_FORMAT, "%s: no row", list->path);
    else if (list->skipped_count)
        error_set(error, STATUS_FORMAT,
                  "%s: no chat with an answer: known layouts are OpenAI messages, ShareGPT "
                  "conversations, Alpaca, Dolly, GPTeacher, prompt/completion, "
                  "question/answer; its first row has: %.300s",
                  list->path, text_buffer_string(&text));
    else {
        text_buffer_clear(&text);
        source_spec_filters_print(&store->spec, "", &text);
        error_set(error, STATUS_FORMAT, "%s: no row%s", list->path,
                  text_buffer_string(&text));
    }
    text_buffer_release(&text);
    return error->status;
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
    return list->count ? STATUS_OK : no_chat(list, error);
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

/* From the tokens of its row; false where that does not do, or the row has changed. */
static bool chat_take(struct conversation_store *store, const struct record *record,
                      int64_t row, struct conversation *conversation)
{
    struct error why; /* of no use here: it is told when the row is read again */
    struct json_scan scan;
    struct json_tape *tape = &store->reader.tape;
    const size_t count = record->end - record->begin;
    if (store->reader.kind == RECORD_CSV)
        return false;
    char *bytes = memory_allocate(count + 1);
    json_scan_init(&scan, bytes, count);
    scan.tape = tape;
    tape->count = 0;
    tape->overflow = false;
    const bool taken =
        !source_file_read(&store->file, record->begin, bytes, count, &why) &&
        json_scan_text(&scan) &&
        conversation_read_tokens(conversation, bytes, tape, row, &store->spec);
    free(bytes);
    return taken;
}

enum status conversation_list_get(const struct conversation_list *list, size_t index,
                                  struct conversation *conversation, struct error *error)
{
    CHECK(index < list->count);
    struct conversation_store *store = list->store;
    cJSON *object = NULL;
    int64_t row;
    const struct record record = conversation_index_at(&store->index, index, &row);
    if (chat_take(store, &record, row, conversation))
        return STATUS_OK;
    *conversation = (struct conversation){0};
    enum status status = record_parse(&store->reader, &record, &object, error);
    if (!status && !conversation_read(conversation, object, row, &store->spec))
        status = error_set(error, STATUS_IO, "%s: changed while it was read", list->path);
    cJSON_Delete(object);
    return status;
}

struct source_hash *conversation_list_take_hash(struct conversation_list *list)
{
    return source_file_take_hash(&list->store->file);
}

void conversation_list_release(struct conversation_list *list)
{
    if (list->store) {
        conversation_index_release(&list->store->index);
        record_reader_close(&list->store->reader);
        source_file_close(&list->store->file);
        source_spec_release(&list->store->spec);
    }
    free(list->store);
    free(list->name);
    free(list->path);
    free(list->first_skipped);
    *list = (struct conversation_list){0};
}
