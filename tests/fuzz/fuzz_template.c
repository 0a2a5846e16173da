#include "text/jinja.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Input: a Jinja template. It is rendered on messages that quote it; a second rendering
 * gives the same, an error names a line, and every byte that comes from a message is one
 * of its bytes or of an escape of one.
 */
enum { SOURCE_BYTES_MAXIMUM = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status render(const struct jinja_template *parsed, const char *content,
                          bool prompt, struct jinja_output *output, struct error *error)
{
    static const struct jinja_variable variables[] = {{"bos_token", "<s>"},
                                                      {"eos_token", "</s>"}};
    const struct jinja_message messages[] = {
        {"system", "S\n"}, {"user", content}, {"assistant", " a\xC3\xA9 "}};
    const struct jinja_context context = {.messages = messages,
                                          .message_count = 3,
                                          .add_generation_prompt = prompt,
                                          .variables = variables,
                                          .variable_count = 2};
    return jinja_render(parsed, &context, output, error);
}

static void check_rendering(const struct jinja_template *parsed, const char *content)
{
    struct jinja_output output = {0};
    struct jinja_output again = {0};
    struct error error = {0};
    const enum status status = render(parsed, content, false, &output, &error);
    if (status) {
        CHECK(strncmp(error.message, "line ", 5) == 0);
    } else {
        for (size_t i = 0; i < output.text.length; i++)
            CHECK(output.origins[i] <= 3);
        if (!render(parsed, content, false, &again, NULL))
            CHECK(again.text.length == output.text.length);
    }
    (void)render(parsed, content, true, &again, NULL);
    jinja_output_release(&output);
    jinja_output_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jinja_template *parsed;
    struct error error = {0};
    if (size > SOURCE_BYTES_MAXIMUM)
        size = SOURCE_BYTES_MAXIMUM;
    char *source = memory_duplicate_bytes((const char *)data, size);
    if (jinja_parse(&parsed, source, size, &error)) {
        CHECK(strncmp(error.message, "line ", 5) == 0 || error.status == STATUS_LIMIT);
    } else {
        check_rendering(parsed, source);
        jinja_free(parsed);
    }
    free(source);
    return 0;
}
