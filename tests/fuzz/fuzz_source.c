/*
 * CSV, JSON and JSONL sources, also packed with gzip or zstd: any bytes, one visit a row.
 * What a glance at the tokens of a row says must be what the parser says, and what is read
 * from them what is read from its tree. Cut into pieces, a source gives the same chats.
 */

#include "base/unpack.h"
#include "data_gen/conversation_index.h"
#include "data_gen/conversation_read.h"
#include "data_gen/record_reader.h"
#include "data_gen/records.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNPACKED_LIMIT = 1 << 20 };

static enum status keep(void *context, const void *bytes, size_t count, size_t consumed,
                        struct error *error)
{
    (void)consumed;
    struct text_buffer *text = context;
    text_buffer_append_bytes(text, bytes, count);
    return text->length > UNPACKED_LIMIT ? error_set(error, STATUS_LIMIT, "too large")
                                         : STATUS_OK;
}

static void tokens_check(const struct record_reader *reader, const cJSON *object,
                         const struct source_spec *spec)
{
    struct conversation quick, chat;
    if (reader->kind == RECORD_CSV ||
        !conversation_read_tokens(&quick, reader->file->bytes + reader->tape_base,
                                  &reader->tape, 0, spec))
        return;
    CHECK(conversation_read(&chat, object, 0, spec));
    CHECK(strcmp(quick.id, chat.id) == 0 && strcmp(quick.topic, chat.topic) == 0);
    CHECK(quick.message_count == chat.message_count);
    for (size_t i = 0; i < chat.message_count; i++)
        CHECK(strcmp(quick.messages[i].role, chat.messages[i].role) == 0 &&
              strcmp(quick.messages[i].content, chat.messages[i].content) == 0);
    conversation_release(&quick);
    conversation_release(&chat);
}

static void row_check(struct record_reader *reader, const struct record *record)
{
    char field[] = "kind";
    char value[] = "a";
    char scratch[RECORD_SCRATCH_BYTES];
    const struct source_spec spec = {.name = field,
                                     .path = field,
                                     .filters = {{field, value}},
                                     .filter_count = record->line % 2};
    struct conversation chat;
    struct error error = {0};
    cJSON *object = NULL;
    CHECK(record->line >= 1);
    const enum conversation_glance glance =
        conversation_glance(reader->file->bytes + reader->tape_base, &reader->tape, &spec);
    if (record_parse(reader, record, &object, &error)) {
        CHECK(strstr(error.message, "stands twice") && glance == GLANCE_UNCLEAR);
        return;
    }
    CHECK(cJSON_IsObject(object));
    record_text(object, "goal", scratch);
    const bool passes = source_spec_matches(&spec, object);
    const bool usable = conversation_read(&chat, object, record->line, &spec);
    CHECK(glance != GLANCE_USABLE || (passes && usable));
    CHECK(glance != GLANCE_FILTERED || !passes);
    conversation_release(&chat);
    tokens_check(reader, object, &spec);
    cJSON_Delete(object);
}

/* Fills `said` with the chats' places, or with the error. */
static void index_print(struct source_file *file, size_t piece_bytes,
                        struct text_buffer *said)
{
    static struct record_reader reader;
    const struct source_spec spec = {.name = (char[]){"x"}, .path = (char[]){"x"}};
    struct conversation_index index;
    struct error error = {0};
    if (record_reader_open(&reader, file, &error))
        return;
    if (conversation_index_read(&index, &reader, &spec, 1, piece_bytes, &error)) {
        text_buffer_append(said, error.message);
    } else {
        text_buffer_appendf(said, "%lld %lld", (long long)index.skipped_count,
                            (long long)index.first_skipped);
        for (size_t i = 0; i < index.count; i++) {
            int64_t row;
            const struct record record = conversation_index_at(&index, i, &row);
            text_buffer_appendf(said, " %zu %zu %lld %lld", record.begin, record.end,
                                (long long)record.line, (long long)row);
        }
        conversation_index_release(&index);
    }
    record_reader_close(&reader);
}

static void pieces_check(struct source_file *file)
{
    struct text_buffer whole = {0}, pieces = {0};
    index_print(file, 0, &whole);
    index_print(file, file->count / 5 + 1, &pieces);
    CHECK(strcmp(text_buffer_string(&whole), text_buffer_string(&pieces)) == 0);
    text_buffer_release(&whole);
    text_buffer_release(&pieces);
}

static void source_check(const char *bytes, size_t count)
{
    static struct record_reader reader;
    struct error error = {0};
    struct source_file file;
    struct record record;
    if (source_file_of_bytes(&file, bytes, count, "fuzz", &error))
        return;
    enum status status = record_reader_open(&reader, &file, &error);
    if (!status) {
        while (record_next(&reader, &record, &status, &error))
            row_check(&reader, &record);
        record_reader_close(&reader);
    }
    CHECK(!status || error.message[0] != '\0');
    pieces_check(&file);
    source_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct text_buffer text = {0};
    if (packing_of(data, size) == PACKING_NONE)
        source_check((const char *)data, size);
    else if (unpack(data, size, "fuzz", keep, &text, &error) == STATUS_OK)
        source_check(text_buffer_string(&text), text.length);
    else
        CHECK(error.message[0] != '\0');
    text_buffer_release(&text);
    return 0;
}
