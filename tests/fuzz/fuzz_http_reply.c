#include "base/memory.h"
#include "chat/service.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(const struct service *service, const char *bytes, size_t count)
{
    struct service_reply reply;
    struct error error = {0};
    const enum status status = service_reply_parse(service, bytes, count, &reply, &error);
    CHECK(status == error.status);
    CHECK((status == STATUS_OK) == (reply.text != NULL));
    CHECK(status == STATUS_OK || status == STATUS_FORMAT || status == STATUS_LIMIT);
    CHECK(status || reply.result != CHAT_FAILED);
    free(reply.text);
}

/* Mended once, there is nothing more to mend. */
static void check_mended(const char *bytes, size_t count)
{
    char *once = memory_duplicate_bytes(bytes, count);
    service_answer_mend(once, count);
    char *twice = memory_duplicate_bytes(once, count);
    service_answer_mend(twice, count);
    CHECK(memcmp(once, twice, count) == 0);
    check_reply(&service_openai, once, count);
    free(once);
    free(twice);
}

static void check_printable(const char *text)
{
    for (; *text; text++)
        CHECK((unsigned char)*text >= ' ' && *text != 0x7F);
}

/* Whatever a service sends is a reply, or an error with words that harm no terminal. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct service_failure failure;
    check_reply(&service_openai, bytes, size);
    check_reply(&service_anthropic, bytes, size);
    check_mended(bytes, size);
    service_failure_parse(bytes, size, &failure);
    check_printable(failure.message);
    check_printable(failure.code);
    check_printable(failure.param);
    const unsigned quirk = service_failure_quirk(&failure);
    CHECK((quirk & (quirk - 1)) == 0);
    return 0;
}
