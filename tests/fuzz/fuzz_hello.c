#include "base/hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t bytes)
{
    CHECK(memchr(text, '\0', bytes));
    for (; *text; text++)
        CHECK((unsigned char)*text >= ' ' && *text != '\x7f');
}

/* What comes in pieces, of any size, is what comes at once; texts end and are harmless. */
static enum hello_kind hello_feed(struct hello *hello, const uint8_t *data, size_t size)
{
    enum hello_kind kind = HELLO_BEGUN;
    for (size_t count = 0; count <= size && kind == HELLO_BEGUN; count++) {
        uint8_t *exact = malloc(count + 1);
        CHECK(exact);
        memcpy(exact, data, count);
        kind = hello_read(hello, exact, count);
        free(exact);
    }
    return kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hello hello = {0}, whole = {0};
    struct answer answer = {0};
    const size_t most = size < sizeof hello ? size : sizeof hello;
    const enum hello_kind kind = hello_feed(&hello, data, most);
    CHECK(kind == hello_read(&whole, data, most));
    if (kind == HELLO_OTHER || kind == HELLO_WHOLE)
        check_text(hello.mark, sizeof hello.mark);
    if (kind == HELLO_WHOLE) {
        CHECK(most == sizeof hello);
        check_text(hello.host, sizeof hello.host);
        check_text(hello.boot, sizeof hello.boot);
        check_text(hello.reason, sizeof hello.reason);
    }
    memcpy(&answer, data, size < sizeof answer ? size : sizeof answer);
    if (answer_check(&answer) != HELLO_STRANGER)
        check_text(answer.mark, sizeof answer.mark);
    check_text(answer.words, sizeof answer.words);
    return 0;
}
