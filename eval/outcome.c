#include "eval/outcome.h"

#include <string.h>

static const struct {
    const char *name;
    bool scored;
} outcomes[] = {
#define OUTCOME_ENTRY(name, text, scored) {text, scored},
    OUTCOME_LIST(OUTCOME_ENTRY)
#undef OUTCOME_ENTRY
};

const char *outcome_name(enum outcome outcome)
{
    return outcomes[outcome].name;
}

bool outcome_parse(enum outcome *outcome, const char *name)
{
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (strcmp(outcomes[i].name, name) != 0)
            continue;
        *outcome = (enum outcome)i;
        return true;
    }
    return false;
}

bool outcome_is_scored(enum outcome outcome)
{
    return outcomes[outcome].scored;
}
