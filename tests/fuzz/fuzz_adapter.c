#include "model/lora.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* adapter_config.json: any bytes give options within their limits, or a message. What was
 * read is written and read again: it must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lora_options read, again;
    struct error error = {0};
    if (lora_config_parse(&read, (const char *)data, size, "fuzz", &error)) {
        CHECK(error.status != STATUS_OK && error.message[0] != '\0');
        return 0;
    }
    CHECK(read.rank >= 1 && read.rank <= LORA_RANK_MAXIMUM);
    struct text_buffer text = {0};
    lora_config_print(&read, "base", size % 2, &text);
    CHECK(!lora_config_parse(&again, text.data, text.length, "written", &error));
    CHECK(read.rank == again.rank && read.alpha == again.alpha);
    CHECK(read.rank_stabilised == again.rank_stabilised && read.dora == again.dora);
    CHECK(read.dropout >= 0 && read.dropout < 1 && read.dropout == again.dropout);
    CHECK(memcmp(read.targets, again.targets, sizeof read.targets) == 0);
    text_buffer_release(&text);
    return 0;
}
