#ifndef HOLDFAST_EVAL_MANIFEST_H
#define HOLDFAST_EVAL_MANIFEST_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "chat/chat.h"
#include "eval/attack_words.h"
#include "eval/bench.h"
#include "eval/eval_options.h"
#include "eval/request_sets.h"

/*
 * RUN/manifest.json: what a run is. "identity" holds all that decides a reply or a verdict;
 * a run is only continued with an equal one. The rest is how it was carried out.
 *
 *     {"holdfast":"0.1.0",
 *      "identity":{"model_sha256","device","precision","seed","attacks":[…],"attempts","mode","temperature",
 *                  "top_p","max_tokens","benign_temperature","system","limit",
 *                  "judges":["rules",{"name","kind","prompt_sha256","model_sha256",
 *                             "max_tokens"},…],"confirm","refusal_judge",
 *                  "lists":[{"set","sha256","column","filter","count"}]},
 *      "identity_sha256":…,
 *      "model":…,"lists":[{"set","spec","path","sha256","count"}],
 *      "threads","batch","config":"config.yaml as it is beside this file"}
 */
enum status manifest_write(const char *path, const struct eval_options *options,
                           const struct request_sets *sets, const struct chat *chat,
                           const struct bench *bench, const struct attack_words *words,
                           struct error *error);

/* STATUS_USAGE, naming the first setting that differs, if the run at `path` is another. */
enum status manifest_check(const char *path, const struct eval_options *options,
                           const struct request_sets *sets, const struct chat *chat,
                           const struct bench *bench, const struct attack_words *words,
                           struct error *error);

#endif
