#ifndef HOLDFAST_TRAIN_INSPECT_TENSE_H
#define HOLDFAST_TRAIN_INSPECT_TENSE_H

#include "base/error.h"

#include <stdint.h>

/*
 * A list of requests in other words, for tools of others: the prompts that `holdfast eval
 * --attack TENSES --attempts count` asks with the same seed and rules, one a row, with the
 * fields of attempts.jsonl:
 *
 *     index, behavior, category, request, attack, attempt, prompt
 *
 * list      what --behaviors takes (data_gen/source.h)
 * tenses    names with commas between
 * path      CSV if it ends in .csv, else JSONL; NULL: JSONL on stdout
 *
 * Errors: as request_list_read(); STATUS_USAGE for a name or a count that is none.
 */
enum status inspect_tense_list(const char *list, const char *tenses, int64_t count,
                               uint64_t seed, const char *path, struct error *error);

#endif
