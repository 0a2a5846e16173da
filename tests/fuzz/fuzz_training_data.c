#include "base/json.h"
#include "checkpoints/training_data.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* training_data.json: any bytes give whole hashes, each once, or a message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct training_data read;
    struct error error = {0};
    if (training_data_parse(&read, (const char *)data, size, "fuzz", &error)) {
        CHECK(error.status != STATUS_OK && error.message[0] != '\0' && !read.items);
        return 0;
    }
    for (size_t i = 0; i < read.count; i++) {
        CHECK(strlen(read.items[i].sha256) == SHA256_HEX_BYTES - 1 && read.items[i].data);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(read.items[i].sha256, read.items[j].sha256) != 0);
    }
    training_data_release(&read);
    return 0;
}
