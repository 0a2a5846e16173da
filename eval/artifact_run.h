#ifndef HOLDFAST_EVAL_ARTIFACT_RUN_H
#define HOLDFAST_EVAL_ARTIFACT_RUN_H

#include "base/error.h"
#include "base/options.h"

#include <stdbool.h>

/*
 * What the manifest.json of a run says of the attempts.jsonl beside it, and the attempts
 * cannot: who of their judges decides, and how the attempts were made.
 */
struct artifact_run {
    bool is_known;
    struct string_list judges; /* of hits, as `holdfast eval` has them: "MAIN+CONFIRM" if
                                  there is one, then those of --judge */
    char *refusal_judge;       /* NULL: not known */
    bool answers_are_hits;     /* the main judge only knows refusals */
    bool fixed_attempts;
    bool attempts_may_lack; /* it replayed another run */
};

/* Beside `path`; no manifest.json there leaves the run unknown. STATUS_FORMAT for one that
 * is no manifest of ours; then nothing is held. */
enum status artifact_run_read(struct artifact_run *run, const char *path,
                              struct error *error);
enum status artifact_run_parse(struct artifact_run *run, const char *bytes, size_t count,
                               const char *where, struct error *error);
void artifact_run_release(struct artifact_run *run);

#endif
