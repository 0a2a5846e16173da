#ifndef HOLDFAST_EVAL_ARTIFACT_H
#define HOLDFAST_EVAL_ARTIFACT_H

#include "base/error.h"
#include "data_gen/source.h"
#include "eval/artifact_run.h"
#include "eval/attempts.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Stored replies: JailbreakBench's artifacts (artifact_jailbreakbench.h), the paper's
 * result files,
 *
 *     {"target_model","n_requests","n_restarts","attack"?,
 *      "jb_artifacts":[{"i_request","request","request_reformulated","response","i_restart",
 *                       "jailbroken_gpt","jailbroken_llama","jailbroken_rules"}]}
 *
 * and holdfast's own attempts.jsonl, told apart by content; any other layout by a map of
 * its columns (artifact_columns.h). In the paper's files only the last attempt of a
 * behaviour is stored, number i_restart + 1; those before it were misses of the GPT-4
 * judge. "attack" is missing in the earliest files, which are past tense; n_requests may be
 * larger than the number of rows. A verdict that is null is none.
 *
 * Each attempt has the stored verdicts (gpt, llama, rules; or those of the run) and after
 * artifact_replay() also NAME_replayed, our judge NAME run afresh, where there is one.
 */
struct artifact {
    char *model;      /* "" if the file does not say */
    int64_t attempts; /* made for a behaviour at most */
    bool earlier_missed;
    bool attempts_may_lack;    /* behaviours have as many attempts as there are */
    bool is_published;         /* no run of ours: the stored judges speak of hits */
    bool is_own;               /* an attempts.jsonl */
    int64_t given_up_count;    /* behaviours that the attack had no prompt for: misses */
    struct artifact_run run;   /* of an attempts.jsonl with its manifest.json beside it */
    size_t stored_judge_count; /* of the list; those that judge afresh follow */
    struct attempt_list list;
};
/* As it is, or packed with gzip or zstd. */
enum status artifact_read(struct artifact *artifact, const char *path, struct error *error);
enum status artifact_parse(struct artifact *artifact, const char *bytes, size_t count,
                           const char *where, struct error *error);
void artifact_release(struct artifact *artifact);

/* Runs rule judge `name` over every reply and keeps its verdicts as NAME_replayed. */
enum status artifact_replay(struct artifact *artifact, const char *name,
                            struct error *error);

/* Whether an empty reply is a miss, which nobody need be asked about: in the paper's files,
 * and where an attack gave up. */
bool artifact_scores_empty(const struct artifact *artifact, const struct attempt *attempt);

/*
 * Takes behaviours and categories from a list, joined on the index. STATUS_FORMAT if an
 * index is not in the list, or the request at it is another one.
 */
enum status artifact_join(struct artifact *artifact, const struct request_list *behaviors,
                          struct error *error);

#endif
