#include "model/architecture.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* config.json: any bytes give an architecture within its limits, or a message. What was
 * read is written and read again: it must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct architecture read, again;
    struct error error = {0};
    if (architecture_parse(&read, (const char *)data, size, "fuzz", &error)) {
        CHECK(error.status != STATUS_OK && error.message[0] != '\0');
        return 0;
    }
    CHECK(architecture_parameter_count(&read) > 0);
    CHECK(read.heads % read.key_value_heads == 0);
    CHECK(architecture_rotary_size(&read) % 2 == 0);
    CHECK(architecture_rotary_size(&read) <= read.head_size);
    struct text_buffer text = {0};
    architecture_print_json(&read, DTYPE_F32, &text);
    CHECK(!architecture_parse(&again, text.data, text.length, "written", &error));
    CHECK(read.channels == again.channels && read.rope_theta == again.rope_theta);
    CHECK(read.rope_kind == again.rope_kind);
    CHECK(architecture_rope_scale(&read) == architecture_rope_scale(&again));
    CHECK(read.eos_token_count == again.eos_token_count);
    CHECK(read.window == again.window && read.rotary_size == again.rotary_size);
    CHECK(read.attention_cap == again.attention_cap && read.logit_cap == again.logit_cap);
    CHECK(memcmp(read.windowed, again.windowed, sizeof read.windowed) == 0);
    CHECK(read.window_rope_theta == again.window_rope_theta);
    CHECK(memcmp(read.unturned, again.unturned, sizeof read.unturned) == 0);
    CHECK(read.activation == again.activation && read.query_scalar == again.query_scalar);
    CHECK(architecture_query_scale(&read) == architecture_query_scale(&again));
    CHECK(read.embedding_multiplier == again.embedding_multiplier);
    CHECK(read.residual_multiplier == again.residual_multiplier);
    CHECK(read.logits_scaling == again.logits_scaling);
    text_buffer_release(&text);
    return 0;
}
