#ifndef HOLDFAST_DATA_GEN_CONVERSATION_READ_H
#define HOLDFAST_DATA_GEN_CONVERSATION_READ_H

#include "base/json_scan.h"
#include "data_gen/source.h"

/*
 * One-turn layouts: `request` is what the user says, `reply` what the assistant says.
 * Alpaca, Dolly and GPTeacher may add an "input" or "context", joined by an empty line.
 */
struct conversation_layout {
    const char *request; /* NULL ends the list */
    const char *reply;
};
extern const struct conversation_layout conversation_layouts[];

/* Members with a system prompt beside the turns; NULL ends the list. */
extern const char *const conversation_system_keys[];

/* ShareGPT's names for who speaks; NULL for one we do not know. */
const char *conversation_sharegpt_role(const char *from);

/*
 * A row as a conversation; false, and `conversation` empty, if it holds no answer or is of
 * no known layout. `row` is its number from 0. The caller releases it.
 */
bool conversation_read(struct conversation *conversation, const cJSON *object, int64_t row,
                       const struct source_spec *spec);

/* Whether it can be trained on: a user says something, and then an assistant. */
bool conversation_is_usable(const struct conversation *conversation);

/* Names it after its row where the row itself has no id, and after its source. */
void conversation_complete(struct conversation *conversation, int64_t row,
                           const struct source_spec *spec);

/*
 * As conversation_read(), from the tokens of a row, without a tree: many times as fast, for
 * lists of messages or turns whose parts are strings, as almost all are. False, and empty,
 * for all other rows: conversation_read() knows.
 */
bool conversation_read_tokens(struct conversation *conversation, const char *bytes,
                              const struct json_tape *tape, int64_t row,
                              const struct source_spec *spec);

/*
 * The same question asked of the tokens of a row, without parsing it: whether it passes the
 * filter and conversation_read() would take it. Of most rows this can be said; UNCLEAR (an
 * escape in a name, a name twice, content in parts, …) must be parsed to know.
 */
enum conversation_glance { GLANCE_USABLE, GLANCE_FILTERED, GLANCE_UNCLEAR };
enum conversation_glance conversation_glance(const char *bytes,
                                             const struct json_tape *tape,
                                             const struct source_spec *spec);

#endif
