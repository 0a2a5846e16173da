#ifndef HOLDFAST_CHAT_ANSWER_CACHE_H
#define HOLDFAST_CHAT_ANSWER_CACHE_H

#include "base/file.h"
#include "chat/chat.h"

/*
 * A folder of answers that were paid for, by the SHA-256 of all that the question was:
 * DIR/ab/abcdef….json, each renamed into its place when it is whole. Several processes may
 * share it. Failures are not kept. Files are not synced one by one: a power cut may cost
 * the last few answers, which the run's own log has, and syncing would cost more than they
 * do.
 *
 *     {"result":"replied",          or "truncated", "filtered"
 *      "text":"…","prompt_tokens":12,"reply_tokens":150}
 */

/* True, and the prompt's results are set, if the answer is there. A file that cannot be
 * read as one counts as absent. */
bool answer_cache_find(const char *folder, const char key[SHA256_HEX_BYTES],
                       struct chat_prompt *prompt);
bool answer_cache_has(const char *folder, const char key[SHA256_HEX_BYTES]);

enum status answer_cache_store(const char *folder, const char key[SHA256_HEX_BYTES],
                               const struct chat_prompt *prompt, struct error *error);

#endif
