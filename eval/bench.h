#ifndef HOLDFAST_EVAL_BENCH_H
#define HOLDFAST_EVAL_BENCH_H

#include "base/json.h"
#include "chat/chat.h"
#include "chat/hosted_spending.h"
#include "eval/attempts.h"
#include "eval/judge_options.h"
#include "eval/judge_prices.h"
#include "eval/judge_spec.h"
#include "eval/same_replies.h"

/*
 * The judges of a run, and who of them judges what:
 *
 *     rules             every reply, at once
 *     the main judge    every reply to a harmful request (of --judge the first)
 *     --confirm         those that the main judge calls a hit
 *     other judges      every reply to a harmful request; where attempts stop at the first
 *                       hit, the last attempt of a behaviour alone, at the end (as the
 *                       paper's second and third judge)
 *     --refusal-judge   every reply to a benign request, and the first attempt of attacks
 *                       that a discrimination is measured for
 *
 * Chat models judge a reply when all replies of a round are there, many at once. Their
 * verdicts go to verdicts.jsonl (verdict_log.h) one by one. With --confirm, "MAIN+CONFIRM"
 * is a judge as well, and decides: no hit where the main judge has none, else what the
 * confirming judge says.
 *
 * An attempt that waits for the judge who decides has the outcome judge_error and the
 * reason "not judged yet".
 */
struct seat {
    char *text; /* as it was given */
    struct judge_spec spec;
    int number;           /* in the attempt list */
    struct chat *chat;    /* NULL: a rule, or not connected yet */
    bool chat_is_another; /* borrowed from the target or another seat */
};

struct bench {
    struct seat seats[JUDGE_LIMIT];
    size_t count;
    size_t listed_count;  /* those of --judge come first; seats[0] is the main judge */
    struct seat *confirm; /* NULL: none */
    struct seat *refusal;
    char *combined_name; /* "MAIN+CONFIRM"; NULL: none */
    int combined_number;
    bool stops_early;                        /* at the first hit */
    const struct string_list *discriminated; /* attacks; borrowed */
    bool is_stored; /* of `holdfast score`: all judge all, nobody decides */
    const struct judge_options *options; /* borrowed */
    uint64_t seed;
    struct file_log log; /* verdicts.jsonl; its path NULL: none is kept */
    struct same_replies same;
};

/* What a bench is made of; all borrowed. */
struct bench_plan {
    const struct string_list *judges;
    const char *confirm; /* NULL: none */
    const char *refusal; /* NULL: none */
    const struct judge_options *options;
    const struct string_list *discriminated; /* NULL: none */
    bool stops_early;
    bool is_stored;
    uint64_t seed;
};

/* Reads names and prompt files; opens no model. After an error nothing is held. */
enum status bench_open(struct bench *bench, const struct bench_plan *plan,
                       struct error *error);
void bench_release(struct bench *bench);
bool bench_has_models(const struct bench *bench);
bool bench_has_hosted(const struct bench *bench); /* of them, behind HTTP */

/* Whether one of the judges that are chat models has this name, or it and "_replayed". */
bool bench_is_model(const struct bench *bench, const char *name);

/* The judges of a summary, the one who decides first: MAIN+CONFIRM if there is one, then
 * those of --judge. Borrowed; returns how many. */
size_t bench_judge_names(const struct bench *bench, const char *names[JUDGE_LIMIT]);

/* What a hit is in a table: "answered", where the main judge only knows refusals. */
const char *bench_success_word(const struct bench *bench);

/* Where judges run. A local checkpoint that the target or another judge has is shared. */
struct bench_places {
    struct chat *target; /* NULL: none */
    struct backend_options backend;
    struct hosted_options hosted; /* the target's; judges have their own prices */
    int64_t batch_limit;
};
enum status bench_connect(struct bench *bench, const struct bench_places *places,
                          struct error *error);

/* The prices of hosted judges are needed for --max-cost, both or none. */
enum status bench_check_prices(const struct bench *bench,
                               const struct hosted_options *hosted, struct error *error);

/* Gives every judge its number in the list; `ending` is appended to names. */
enum status bench_number(struct bench *bench, struct attempt_list *list, const char *ending,
                         struct error *error);

/* What decides verdicts, for a manifest: names of rules; of the others name, kind, prompt
 * and model. An array at `key`, and confirm and refusal judge if the run has them. */
void bench_identity_print(const struct bench *bench, struct json_writer *json);

/* Rules judge a new attempt that holds a reply; its outcome is set. */
void bench_judge_rules(const struct bench *bench, struct attempt *attempt);

/*
 * Opens verdicts.jsonl, first repairing it, and gives the attempts in the list what it
 * holds. A judge that had failed (judge_error) has not judged: it is asked again.
 */
enum status bench_resume(struct bench *bench, struct attempt_list *list, const char *path,
                         struct error *error);

/*
 * Chat models judge whatever of the list waits for them. `at_end`: no attempt will follow.
 * Errors: a judge that is out of reach as a whole, a full disk; what was judged is kept.
 */
enum status bench_judge_models(struct bench *bench, struct attempt_list *list, bool at_end,
                               struct error *error);

/* For bench_*.c: a verdict of this seat, and the outcome that follows. */
void bench_apply(const struct bench *bench, const struct seat *seat,
                 struct attempt *attempt, enum outcome verdict, const char *why);

/* SHA-256 of all that a verdict depends on. */
void bench_question(const struct bench *bench, const struct seat *seat,
                    const struct attempt *attempt, char hex[SHA256_HEX_BYTES]);
int64_t bench_token_limit(const struct bench *bench, const struct seat *seat);

/* What judges of one request would be asked at most; added up by seat. */
struct judge_estimate {
    int64_t requests;
    struct tokens tokens;
};
void bench_estimate(const struct bench *bench, const char *request, bool harmful,
                    const struct string_list *attacks, int64_t attempts,
                    int64_t reply_tokens, struct judge_estimate estimates[JUDGE_LIMIT]);

/* A line for each judge that is a chat model; returns what they cost together, NaN if some
 * price is not given. */
double bench_estimate_print(const struct bench *bench,
                            const struct judge_estimate estimates[JUDGE_LIMIT],
                            struct text_buffer *out);

#endif
