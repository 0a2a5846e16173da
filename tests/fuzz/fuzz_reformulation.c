#include "base/memory.h"
#include "eval/reformulator.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The bytes as a prompt file, and as a reformulator's reply. What is read is rendered with
 * the request in it; a cleaned reply holds no double quote and stays as it is when cleaned
 * of nothing but a label.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char request[] = "zQ {attack} {request}";
    struct reformulation_prompt prompt;
    struct error error = {0};
    const enum status status =
        reformulation_prompt_parse(&prompt, (const char *)data, size, "input", &error);
    CHECK((status == STATUS_OK) == (error.message[0] == '\0'));
    for (int tense = 0; tense < TENSE_COUNT; tense++) {
        struct text_buffer out = {0};
        CHECK(status == STATUS_OK || !prompt.texts[tense]);
        if (!prompt.texts[tense])
            continue;
        reformulation_prompt_render(&prompt, (enum tense)tense, request, &out);
        CHECK(strstr(text_buffer_string(&out), request));
        text_buffer_release(&out);
    }
    reformulation_prompt_release(&prompt);
    char *reply = memory_duplicate_bytes((const char *)data, size);
    char *clean = reformulation_clean(reply);
    CHECK(!strchr(clean, '"') && strlen(clean) <= strlen(reply));
    for (int tense = 0; tense < TENSE_COUNT; tense++)
        reformulation_fault(clean, request, (enum tense)tense);
    free(clean);
    free(reply);
    return 0;
}
