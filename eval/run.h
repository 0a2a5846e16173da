#ifndef HOLDFAST_EVAL_RUN_H
#define HOLDFAST_EVAL_RUN_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "eval/eval_options.h"

/*
 * One evaluation run, from options to
 *
 *     RUN/config.yaml       the resolved options; --config reads it back
 *     RUN/manifest.json     what the run is (eval/manifest.h); written once
 *     RUN/attempts.jsonl    every question and reply (eval/attempts.h), as they come
 *     RUN/summary.json      the figures (eval/summary.h), at the end
 *     RUN/report.html       the same to look at, with all transcripts (eval/report.h)
 *
 * Questions are asked in rounds: every behaviour's next attempt under every attack, until
 * the main judge says complied or --attempts are made; with --stop never all of them.
 * Benign requests are asked once, as they are. The random numbers of a reply are
 *
 *     random_stream(seed, random_stream_of("SET|ATTACK", index, attempt))
 *
 * so that neither batches, order nor interruption change it. Killed at any moment and run
 * again with `resume`, nothing that is stored is asked again and summary.json is the same.
 *
 * All files are written also where the status is STATUS_UNMEASURED (more unscored than
 * options->unscored_limit) or STATUS_GATE (options->fail_if).
 */
enum status eval_run(const struct eval_options *options, struct error *error);

/* The same; `shown` gets what the command prints: the table, or with options->json the
 * summary. It is filled with those two statuses as well. */
enum status eval_run_showing(const struct eval_options *options, struct text_buffer *shown,
                             struct error *error);

#endif
