#ifndef HOLDFAST_DATA_GEN_SOURCE_H
#define HOLDFAST_DATA_GEN_SOURCE_H

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/chat_template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where requests and chats come from. A source is named on the command line by
 *
 *     [NAME=]PATH[:COLUMN][?FIELD=VALUE[&FIELD=VALUE]…]
 *
 *     jbb.csv:Goal        xstest-safe=xstest.csv:prompt?label=safe mix.jsonl?split=test
 *
 * NAME is what reports call the set (default: the file's name without its ending);
 * COLUMN holds the request (default: the first there is of goal, request, prompt,
 * instruction, question, text, behavior, upper or lower case); ?FIELD=VALUE keeps only
 * the rows that match, of several conditions all ('&' is part of a value where no
 * FIELD= follows). CSV (RFC 4180, BOM, CRLF and LF mixed, cells over several lines),
 * JSON (an array, or an object holding one) and JSONL, told apart by content
 * (data_gen/record_reader.h), also packed with gzip or zstd, and Parquet
 * (data_gen/source_file.h).
 */
struct source_filter {
    char *field;
    char *value;
};
enum { SOURCE_FILTER_LIMIT = 8 };
struct source_spec {
    char *name;
    char *path;
    char *column; /* NULL: default */
    struct source_filter filters[SOURCE_FILTER_LIMIT];
    size_t filter_count;
};
enum status source_spec_parse(struct source_spec *spec, const char *text,
                              struct error *error);
void source_spec_release(struct source_spec *spec);
/* Whether a row passes all filters. */
bool source_spec_matches(const struct source_spec *spec, const cJSON *object);
/* Appends " with FIELD = VALUE and FIELD = VALUE"; without filters `otherwise`. */
void source_spec_filters_print(const struct source_spec *spec, const char *otherwise,
                               struct text_buffer *out);

/*
 * Requests: harmful behaviours or single benign prompts. `behavior` and `category` are
 * taken from columns of these names where there are any (else the request and HarmBench's
 * SemanticCategory, or ""), `index`
 * from a column of that name, else the row number from 0. All strings are owned.
 */
struct request {
    char *text;
    char *behavior;
    char *category;
    int64_t index;
    int64_t line; /* in the file, from 1 */
};
struct request_list {
    struct request *items;
    size_t count;
    size_t capacity;
    char *name; /* of the set */
    char *path;
    char sha256[65];
};
enum status request_list_read(struct request_list *list, const char *spec,
                              struct error *error);
void request_list_release(struct request_list *list);

/*
 * Chats with answers. The layout of each object is told by its keys: OpenAI
 * `messages[].role/content` (content a string or typed list of texts), ShareGPT
 * `conversations[].from/value` (human|user, gpt|assistant, system; role/content too, and
 * under `conversation`), Alpaca `instruction/input/output` with `history`, Dolly
 * `instruction/context/response`, GPTeacher `instruction/input/response`, prompt/completion
 * (texts, or TRL's lists of messages), prompt/response, question/answer, question/response,
 * query/response, input/output; for CSV the columns are the keys. `system` or
 * `system_prompt` beside them is the system prompt. Rows that hold no answer, or another
 * layout, calls of tools or a reply of weight 0 are counted and reported, never silently
 * dropped.
 */
struct conversation {
    struct message *messages; /* roles and contents owned */
    size_t message_count;
    char *id;     /* from the file, else "name-row" */
    char *source; /* name of the set */
    char *topic;  /* column category or topic, else "" */
};
/*
 * The chats of a source, of any size: the list knows where each stands in the file, after
 * one walk over it in which every row was checked, and parses a chat when it is asked for.
 */
struct conversation_list {
    size_t count;
    char *name;
    char *path;
    int64_t skipped_count; /* rows without an answer or of no known layout */
    char *first_skipped;   /* "file: line 12: …", NULL if none */
    struct conversation_store *store;
};
enum status conversation_list_read(struct conversation_list *list, const char *spec,
                                   struct error *error);
void conversation_list_release(struct conversation_list *list);

/* Chat number `index`, below count. The caller releases it. */
enum status conversation_list_get(const struct conversation_list *list, size_t index,
                                  struct conversation *conversation, struct error *error);
/* The SHA-256 of the file, perhaps still being computed (data_gen/source_hash.h), once; the
 * caller frees. */
struct source_hash *conversation_list_take_hash(struct conversation_list *list);
void conversation_release(struct conversation *conversation);

#endif
