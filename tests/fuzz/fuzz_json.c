#include "base/json.h"
#include "text/unicode.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read can be written, and what was written reads back as the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *value, *again;
    struct error error;
    struct text_buffer first = {0}, second = {0};
    if (json_parse(&value, (const char *)data, size, "fuzz", &error))
        return 0;
    struct json_writer json = {.out = &first, .indent_spaces = (int)(size % 3)};
    json_value(&json, NULL, value);
    if (json_parse(&again, first.data, first.length, "written", &error)) {
        /* two keys that are not UTF-8 may have become one */
        CHECK(strstr(error.message, "stands twice") &&
              !utf8_is_valid((const char *)data, size));
        cJSON_Delete(value);
        text_buffer_release(&first);
        return 0;
    }
    json = (struct json_writer){.out = &second, .indent_spaces = (int)(size % 3)};
    json_value(&json, NULL, again);
    CHECK(strcmp(first.data, second.data) == 0);
    cJSON_Delete(value);
    cJSON_Delete(again);
    text_buffer_release(&first);
    text_buffer_release(&second);
    return 0;
}
