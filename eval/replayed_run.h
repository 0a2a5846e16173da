#ifndef HOLDFAST_EVAL_REPLAYED_RUN_H
#define HOLDFAST_EVAL_REPLAYED_RUN_H

#include "data_gen/source.h"
#include "eval/attempts.h"

/*
 * The attempts of another run, whose prompts are put to this run's model (--replay RUN),
 * so that two models face the same attack. Behaviours are matched by index and request.
 *
 * A behaviour has as many attempts as the other run made in a row, from the first: where
 * that run stopped at a hit, the prompts beyond it do not exist, and a behaviour that is
 * not hit by what there is counts as missed.
 */
struct replayed_run {
    struct attempt_list attempts;
    char sha256[SHA256_HEX_BYTES]; /* of its attempts.jsonl */
};
enum status replayed_run_read(struct replayed_run *run, const char *folder,
                              struct error *error);
void replayed_run_release(struct replayed_run *run);

/*
 * Whether the first `count` requests of the list are all there under `attack`, else an
 * error names the first that is not. `fixed`: each with equally many attempts, and `wanted`
 * of them, as an unbiased estimate needs.
 */
enum status replayed_run_check(const struct replayed_run *run,
                               const struct request_list *list, size_t count,
                               const char *attack, int64_t wanted, bool fixed,
                               struct error *error);

/* Attempts in a row of one behaviour, at most `limit`. */
int64_t replayed_run_attempts(const struct replayed_run *run, int64_t index,
                              const char *attack, int64_t limit);

#endif
