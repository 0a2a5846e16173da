/* CSV, JSON and JSONL sources: any bytes, one visit a row. */

#include "data_gen/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status visit(void *context, const cJSON *object, int64_t line,
                         struct error *error)
{
    (void)error;
    char scratch[RECORD_SCRATCH_BYTES];
    int64_t *rows = context;
    CHECK(line >= 1);
    CHECK(cJSON_IsObject(object));
    record_text(object, "goal", scratch);
    (*rows)++;
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    int64_t rows = 0;
    if (records_parse((const char *)data, size, "fuzz", visit, &rows, &error))
        CHECK(error.message[0] != '\0');
    return 0;
}
