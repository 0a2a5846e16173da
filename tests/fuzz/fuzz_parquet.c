/*
 * Parquet files: any bytes end in rows or in an error. Rows are JSON, a line each. The page
 * codecs of our own are also given the bytes as they are.
 */

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "data_gen/parquet.h"
#include "data_gen/parquet_codec.h"
#include "data_gen/parquet_schema.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_LIMIT = 1 << 20 };

static enum status keep(void *context, const void *bytes, size_t count, size_t consumed,
                        struct error *error)
{
    (void)consumed;
    struct text_buffer *text = context;
    text_buffer_append_bytes(text, bytes, count);
    return text->length > OUTPUT_LIMIT ? error_set(error, STATUS_LIMIT, "too large")
                                       : STATUS_OK;
}

static void line_check(const char *line, size_t count)
{
    struct error error = {0};
    cJSON *row = NULL;
    if (json_parse(&row, line, count, "fuzz", &error))
        CHECK(strstr(error.message, "stands twice"));
    cJSON_Delete(row);
}

static void file_check(const char *bytes, size_t count)
{
    struct error error = {0};
    struct text_buffer out = {0};
    struct line_reader lines;
    const struct file_map map = {
        .data = (const unsigned char *)bytes, .bytes = count, .is_copy = true};
    if (parquet_to_lines(&map, "fuzz", keep, &out, &error))
        CHECK(strncmp(error.message, "fuzz: ", 6) == 0 || error.status == STATUS_LIMIT);
    lines = (struct line_reader){.data = text_buffer_string(&out), .bytes = out.length};
    if (out.length < 1 << 14)
        while (line_next(&lines))
            line_check(lines.line, lines.line_bytes);
    text_buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t *values;
    size_t count;
    uint32_t value;
    if (parquet_is(data, size)) {
        char *copy = memory_duplicate_bytes((const char *)data, size);
        file_check(copy, size);
        free(copy);
    }
    if (size < 2)
        return 0;
    delta_unpack(data, size, 1 << 16, &values, &count);
    free(values);
    struct hybrid_reader runs = {
        .bytes = data + 1, .count = size - 1, .width = data[0] % 33};
    for (int i = 0; i < 1000 && hybrid_next(&runs, &value); i++)
        CHECK(runs.width == 32 || runs.width == 0 || !runs.is_packed ||
              value >> runs.width == 0);
    unsigned char *out = memory_allocate(data[0] + 1u);
    snappy_unpack(data, size, out, data[0]);
    lz4_unpack(data + 1, size - 1, out, data[0]);
    free(out);
    return 0;
}
