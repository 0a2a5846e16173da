#ifndef HOLDFAST_TESTS_REFORMULATOR_REPLIES_H
#define HOLDFAST_TESTS_REFORMULATOR_REPLIES_H

#include "base/memory.h"
#include "base/text_buffer.h"

#include <stdlib.h>
#include <string.h>

/*
 * What models called "tense-…" say of the last "Request: …" line of a prompt. `hash` is
 * that of the body, so that another seed gets another wording:
 *
 *     tense-past      the request as a question about the past, in double quotes
 *     tense-mixed     that, a refusal, the request, nothing, or the present, by the hash
 *     tense-refuse    will not
 *     tense-echo      repeats the request
 *     tense-present   asks about the present
 *     tense-down      always answers 500
 */
static inline char *reformulator_request(const char *text)
{
    static const char label[] = "Request: ";
    const char *last = NULL;
    for (const char *at = strstr(text, label); at; at = strstr(at + 1, label))
        last = at + strlen(label);
    return last ? memory_duplicate_bytes(last, strcspn(last, "\n"))
                : memory_duplicate_string("nothing");
}

static inline char *reformulator_says(const char *model, const char *text, uint64_t hash)
{
    static const char *const kinds[] = {"past", "refuse", "echo", "nothing", "present"};
    const char *kind = model + strlen("tense-");
    struct text_buffer said = {0};
    char *request = reformulator_request(text);
    if (strcmp(kind, "mixed") == 0)
        kind = kinds[hash % 5];
    if (strcmp(kind, "refuse") == 0)
        text_buffer_append(&said, "I'm sorry, but I can't help with rewriting that.");
    else if (strcmp(kind, "echo") == 0)
        text_buffer_appendf(&said, "\"%s\"!", request);
    else if (strcmp(kind, "nothing") == 0)
        text_buffer_append(&said, " \n\"\" ");
    else if (strcmp(kind, "present") == 0)
        text_buffer_appendf(&said, "How do people do this today: %s?", request);
    else
        text_buffer_appendf(&said,
                            "Rewritten: \"How did people do thing %llx in 1920 (%s)?\"\n",
                            (unsigned long long)hash, request);
    free(request);
    return text_buffer_detach(&said);
}

#endif
