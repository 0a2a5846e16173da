#ifndef HOLDFAST_DATA_GEN_LEAK_CHECK_H
#define HOLDFAST_DATA_GEN_LEAK_CHECK_H

#include "data_gen/leak.h"
#include "data_gen/source.h"

/*
 * Training files against evaluation lists, for `holdfast audit leak`, train and eval.
 *
 * A training file (source spec, data_gen/source.h) holds, told by its keys, chats
 * (`messages`, `conversations`), or rows with any of goal, request, request_reformulated,
 * prompt, instruction, input, context, question, text (asked) and output, response,
 * completion, answer (answers); with :COLUMN that column alone. Beside `messages`,
 * `request` is what the example was made of. Rows without any of these are counted in
 * unread_count; a file of such rows only is an error.
 */
struct leak_training {
    char *path;
    char sha256[65];
    int64_t row_count;
    int64_t unread_count;
};

struct leak_check {
    struct leak_training *training;
    size_t training_count;
    struct request_list *lists;
    size_t list_count;
    struct leak_index *index; /* requests of all lists, one list after the other */
    size_t request_count;
};
enum status leak_check_run(struct leak_check *check, const struct string_list *training,
                           const struct string_list *lists,
                           const struct leak_options *options, struct error *error);
void leak_check_release(struct leak_check *check);

/* The number of a list's request in the index. */
size_t leak_check_number(const struct leak_check *check, size_t list, size_t request);
size_t leak_check_leaked(const struct leak_check *check); /* requests with a leak */

/* "jbb 12 "…" is in mix.jsonl line 17 "…" (tense, 0.86)", long texts cut. */
void leak_check_describe(const struct leak_check *check, size_t list, size_t request,
                         struct text_buffer *out);

/*
 * Calls `visit` for every row of training file number `file` that holds text. With
 * `benign_verbatim` nothing counts as asked in rows that are marked benign or contrast.
 */
typedef void leak_row_visit(void *context, const struct leak_row *row);
enum status leak_rows_read(struct leak_training *training, const char *spec, size_t file,
                           bool benign_verbatim, leak_row_visit *visit, void *context,
                           struct error *error);

#endif
