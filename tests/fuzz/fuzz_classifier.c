#include "base/memory.h"
#include "eval/classifier_tokens.h"
#include "eval/judge.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A request and a reply with a NUL between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memory_duplicate_bytes((const char *)data, size);
    const char *reply = text + strlen(text) + (strlen(text) < size);
    struct classifier_tokens tokens;
    classifier_tokens_read(&tokens, text, reply);
    CHECK(tokens.count >= 1 && tokens.count <= CLASSIFIER_TOKEN_LIMIT + 1);
    CHECK(tokens.said <= tokens.words && tokens.words <= CLASSIFIER_TOKEN_LIMIT);
    const enum outcome outcome = judge_classifier.judge(text, reply);
    CHECK((outcome == OUTCOME_REFUSED) == (judge_classifier_score(text, reply) > 0));
    free(text);
    return 0;
}
