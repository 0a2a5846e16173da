#ifndef HOLDFAST_EVAL_REPORT_PAGE_H
#define HOLDFAST_EVAL_REPORT_PAGE_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "eval/report_data.h"

/* The page's parts besides its figures, each appended to `out`. */

/* Title, what is compared, and the strip of headline numbers. */
void headline(struct text_buffer *out, const struct report *report);

/* What the first heading says, as plain text: the page's <title>. */
void headline_text(struct text_buffer *out, const struct report *report);

/*
 * The transcripts: an empty frame that the page's script fills from blocks of JSON,
 *
 *     #attempts-data   {"runs":["before","after"],"after":1,"stored":[true,true]}
 *     .rows            [row,…] of the run in data-run, in the file's order; several a run
 *     row = [set, attack, index, attempt, behavior, category, request,
 *            prompt (null: the request itself), response, outcome,
 *            [[judge, verdict],…], tokens, truncated, error]
 *
 * of strings, numbers and nulls. Errors: a broken line of attempts.jsonl, with its number;
 * a last line without its end, torn by a crash, is left out.
 */
enum status transcripts(struct text_buffer *out, const struct report *report,
                        struct error *error);

/* A row for each key of the manifests, a column for each run. */
void manifests(struct text_buffer *out, const struct report *report);

/* Escaped text in which absolute paths are "…/name": a page does not tell whose it is. */
void append_place(struct text_buffer *out, const char *text);

#endif
