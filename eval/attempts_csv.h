#ifndef HOLDFAST_EVAL_ATTEMPTS_CSV_H
#define HOLDFAST_EVAL_ATTEMPTS_CSV_H

#include "base/error.h"

#include <stddef.h>

/*
 * The attempts of one or more runs as one CSV file (RFC 4180), for spreadsheets: a row an
 * attempt, in the order of the runs and of their attempts.jsonl:
 *
 *     run,set,attack,index,attempt,category,behavior,request,prompt,response,outcome,
 *     error,tokens,ms,judge:NAME…
 *
 * with a column for each judge of any run, which holds its verdict ("complied", …) or
 * nothing. A cell that a spreadsheet would take for a formula (=, +, -, @, tab) gets a "'"
 * in front: replies are somebody else's text. A run without attempts.jsonl is an error.
 */
enum status attempts_write_csv(const char *const *runs, size_t count, const char *path,
                               struct error *error);

#endif
