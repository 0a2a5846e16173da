#include "eval/judge.h"

#include "base/text_buffer.h"

#include <string.h>

static const struct judge *const judges[] = {&judge_rules, &judge_xstest,
                                             &judge_classifier};

enum { JUDGE_COUNT = sizeof judges / sizeof *judges };

enum status judge_find(const struct judge **judge, const char *name, struct error *error)
{
    struct text_buffer names = {0};
    for (size_t i = 0; i < JUDGE_COUNT; i++) {
        if (strcmp(judges[i]->name, name) == 0) {
            text_buffer_release(&names);
            *judge = judges[i];
            return STATUS_OK;
        }
        text_buffer_appendf(&names, "%s%s", i > 0 ? ", " : "", judges[i]->name);
    }
    error_set(error, STATUS_USAGE, "judge '%s' is not known; there are: %s", name,
              text_buffer_string(&names));
    text_buffer_release(&names);
    return STATUS_USAGE;
}

bool reply_is_empty(const char *reply)
{
    return reply[strspn(reply, " \t\r\n\v\f")] == '\0';
}
