#include "base/hello.h"

#include "base/file.h"
#include "base/version.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Raise the number with every change of what ranks say to one another. */
static const char mark[HELLO_MARK_BYTES] =
    "holdfast process group 2 of holdfast " HOLDFAST_VERSION;
enum { FAMILY_BYTES = sizeof "holdfast process group " - 1 };

/* Ends a text within its place, and leaves out what would play with a terminal. */
static void text_tame(char *text, size_t bytes)
{
    text[bytes - 1] = '\0';
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == '\x7f')
            *text = ' ';
}

void hello_make(struct hello *hello, const struct launch *launch, int port)
{
    struct text_buffer boot = {0};
    *hello = (struct hello){
        .job = launch->job, .rank = launch->rank, .size = launch->size, .port = port};
    memcpy(hello->mark, mark, sizeof mark);
    if (gethostname(hello->host, sizeof hello->host - 1))
        strcpy(hello->host, "?");
    if (!file_read(&boot, "/proc/sys/kernel/random/boot_id", 0, NULL))
        strncpy(hello->boot, text_buffer_string(&boot), sizeof hello->boot - 1);
    text_tame(hello->host, sizeof hello->host); /* as others read it */
    text_tame(hello->boot, sizeof hello->boot);
    text_buffer_release(&boot);
}

static enum hello_kind mark_check(char text[HELLO_MARK_BYTES])
{
    if (memcmp(text, mark, FAMILY_BYTES) != 0)
        return HELLO_STRANGER;
    const bool same = memcmp(text, mark, sizeof mark) == 0;
    text_tame(text, HELLO_MARK_BYTES);
    return same ? HELLO_WHOLE : HELLO_OTHER;
}

enum hello_kind hello_read(struct hello *hello, const void *bytes, size_t count)
{
    const size_t family = count < FAMILY_BYTES ? count : FAMILY_BYTES;
    if (memcmp(bytes, mark, family) != 0)
        return HELLO_STRANGER;
    if (count < HELLO_MARK_BYTES)
        return HELLO_BEGUN;
    memcpy(hello->mark, bytes, sizeof hello->mark);
    if (mark_check(hello->mark) == HELLO_OTHER)
        return HELLO_OTHER;
    if (count < sizeof *hello)
        return HELLO_BEGUN;
    memcpy(hello, bytes, sizeof *hello);
    text_tame(hello->mark, sizeof hello->mark);
    text_tame(hello->host, sizeof hello->host);
    text_tame(hello->boot, sizeof hello->boot);
    text_tame(hello->reason, sizeof hello->reason);
    return HELLO_WHOLE;
}

void answer_make(struct answer *answer, const char *refusal)
{
    *answer = (struct answer){.welcome = !refusal};
    memcpy(answer->mark, mark, sizeof mark);
    snprintf(answer->words, sizeof answer->words, "%s", refusal ? refusal : "");
}

enum hello_kind answer_check(struct answer *answer)
{
    text_tame(answer->words, sizeof answer->words);
    return mark_check(answer->mark);
}
