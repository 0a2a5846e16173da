#include "checkpoints/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_float(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16;
}

/* What a caller may rely on: data inside the input, sizes that agree, findable names. */
static void check_entry(const struct safetensors *file,
                        const struct safetensors_entry *entry)
{
    const unsigned char *begin = entry->data;
    int64_t count;
    CHECK(begin >= file->map.data);
    CHECK(entry->bytes <= (size_t)(file->map.data + file->map.bytes - begin));
    CHECK(safetensors_shape_count(entry->shape, entry->rank, &count));
    CHECK(count == entry->count);
    CHECK((size_t)count * dtype_bytes(entry->dtype) == entry->bytes);
    CHECK(safetensors_find(file, entry->name) == entry);
    const enum dtype wide = is_float(entry->dtype) ? DTYPE_F32 : entry->dtype;
    void *copy = malloc((size_t)count * dtype_bytes(wide) + 1);
    CHECK(copy);
    safetensors_copy(entry, copy, wide);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors file;
    struct error error = {0};
    const enum status status = safetensors_parse(&file, data, size, "input", &error);
    CHECK(status == error.status);
    CHECK((status == STATUS_OK) == (error.message[0] == '\0'));
    for (size_t i = 0; i < file.entry_count; i++)
        check_entry(&file, &file.entries[i]);
    for (size_t i = 0; i < file.metadata_count; i++)
        CHECK(safetensors_metadata(&file, file.metadata[2 * i]));
    safetensors_close(&file);
    return 0;
}
