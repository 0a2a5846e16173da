#include "eval/typographic.h"

#include "base/log.h"
#include "base/text_buffer.h"
#include "eval/judge.h"

#include <string.h>

static const char apostrophe[] = "\xE2\x80\x99";

static bool refuses_in_straight_letters(const struct attempt *attempt)
{
    struct text_buffer straight = {0};
    if (!strstr(attempt->response, apostrophe))
        return false;
    for (const char *at = attempt->response; *at;) {
        const bool curly = text_starts_with(at, apostrophe);
        text_buffer_append_char(&straight, curly ? '\'' : *at);
        at += curly ? strlen(apostrophe) : 1;
    }
    const bool refuses =
        judge_rules.judge(attempt->request, text_buffer_string(&straight)) ==
        OUTCOME_REFUSED;
    text_buffer_release(&straight);
    return refuses;
}

static bool is_answered_by_rules(const struct attempt_list *list,
                                 const struct attempt *attempt)
{
    for (size_t i = 0; i < list->judge_count; i++)
        if ((strcmp(list->judges[i], "rules") == 0 ||
             strcmp(list->judges[i], "rules_replayed") == 0) &&
            attempt->judged[i] && attempt->verdicts[i] == OUTCOME_COMPLIED)
            return true;
    return false;
}

int64_t typographic_misses(const struct attempt_list *list)
{
    int64_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += is_answered_by_rules(list, &list->items[i]) &&
                 refuses_in_straight_letters(&list->items[i]);
    return count;
}

void typographic_warn(const struct attempt_list *list)
{
    const int64_t count = typographic_misses(list);
    if (count > 0)
        log_warning(
            "rules: replies that it calls answered and that would be refusals with "
            "straight apostrophes (I'm, not I\xE2\x80\x99m): %lld; the paper's markers do "
            "not know them, --judge classifier does",
            (long long)count);
}
