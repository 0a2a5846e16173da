#ifndef HOLDFAST_DATA_GEN_MIX_H
#define HOLDFAST_DATA_GEN_MIX_H

#include "base/error.h"
#include "base/json.h"
#include "text/chat_template.h"

#include <stddef.h>
#include <stdint.h>

/*
 * mix.jsonl: one training example a line, as design.md lays it down:
 *
 *     {"id":"refusal-past-0012-3","messages":[{"role":"user","content":"…"},
 *      {"role":"assistant","content":"…"}],"kind":"refusal","tense":"past",
 *      "behavior":"…","category":"…","source":"jbb","split":"train","request":"…"}
 *
 * kind is refusal, benign or contrast; split is train, validation or test: no behaviour
 * stands in two. `request` is the harmful request before reformulation ("" for benign).
 */
struct mix_example {
    char *id;
    struct message *messages; /* roles and contents owned */
    size_t message_count;
    char *kind;
    char *tense;
    char *behavior;
    char *category;
    char *source;
    char *split;
    char *request;
};

struct mix {
    struct mix_example *examples;
    size_t count;
    size_t capacity;
    char *path;
    char sha256[65];
};

/*
 * Reads a mix, or any JSONL of OpenAI `messages` (kind, split, … then have their
 * defaults "benign", "train", ""), plain or packed with gzip or zstd. Errors name file and
 * line. sha256 is that of the file on disk.
 */
enum status mix_read(struct mix *mix, const char *path, struct error *error);
void mix_release(struct mix *mix);
void mix_example_release(struct mix_example *example); /* what it owns */

/*
 * An array of {"role","content"} -> owned messages; content may be OpenAI's typed list of
 * texts. *messages is freed with messages_free(); NULL on error.
 */
enum status messages_parse(struct message **messages, size_t *count, const cJSON *array,
                           const char *where, struct error *error);
/* Why a message, said by `role`, cannot be trained on as it stands, in words; NULL if it
 * can: calls of tools, which we have no text for, and OpenAI's "weight": 0 on a reply. */
const char *message_problem(const cJSON *message, const char *role);
void messages_free(struct message *messages, size_t count);

#endif
