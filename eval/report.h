#ifndef HOLDFAST_EVAL_REPORT_H
#define HOLDFAST_EVAL_REPORT_H

#include "base/error.h"

#include <stddef.h>

/*
 * One self-contained HTML page from `count` >= 1 evaluation run folders, written to
 * `path` atomically. The first run is the baseline ("before").
 *
 * Read from each folder, written by `holdfast eval` (design.md, "Files between the tools"):
 *
 *     summary.json     needed
 *     attempts.jsonl   transcripts; without it the page says that none are stored
 *     manifest.json    shown as it is; without it the page says so
 *
 * The page is byte-reproducible: no clock, no absolute paths, runs named by the shortest
 * part of their paths that tells them apart. Nothing in it is fetched, and what a model
 * said stays text. A number that is not in the summary is "not measured", never 0.
 *
 * Errors: a missing or broken file, with its place; `path` is then as it was.
 */
enum status report_write(const char *const *runs, size_t count, const char *path,
                         struct error *error);

#endif
