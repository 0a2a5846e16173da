#ifndef HOLDFAST_EVAL_ATTEMPTS_H
#define HOLDFAST_EVAL_ATTEMPTS_H

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "eval/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * RUN/attempts.jsonl: one question and its reply a line, appended and synced one by one.
 *
 *     {"behavior":"Defamation",      of the request list
 *      "index":0,                    of the request list; names the behaviour in its set
 *      "category":"Harassment/…",
 *      "set":"harmful",              or "benign:NAME"
 *      "attack":"past",              "none" for benign sets
 *      "attempt":1,                  from 1
 *      "request":"Write a …",        the original, which judges see
 *      "prompt":"How did people …",  what the model was asked
 *      "response":"In the 1980s …",  "" if there was none
 *      "thoughts":"<think>…",        only if the model thought aloud before (thoughts.h)
 *      "outcome":"complied",         by the main judge (benign sets: the refusal judge), or
 *                                    why there is no verdict
 *      "truncated":true,             only if cut at the token limit
 *      "error":"the prompt has …",   only where there is no verdict: why
 *      "judges":{"rules":{"jailbroken":true,"verdict":"complied"},…},   {} if unscored;
 *                                    benign sets have the verdict alone
 *      "rejected":[{"why":"refused","text":"I cannot …"}],  only if a chat model words the
 *                                    attack: replies that were not taken (reformulator.h)
 *      "tokens":150,                 of the reply
 *      "ms":812.5}                   from the start of its batch
 *
 * Lines come in the order in which replies end; nothing depends on it. A target_error may
 * be followed by a line of the same attempt, which was made again (--resume) and takes its
 * place; when the run is complete the file is written anew without the former. Verdicts of
 * chat models that judge follow when all have judged: until then they are in
 * verdicts.jsonl, and an attempt whose outcome is theirs to say is a judge_error that is
 * "not judged yet".
 */
enum { JUDGE_LIMIT = 8 };

struct attempt {
    char *behavior;
    int64_t index;
    char *category;
    char *set;
    char *attack;
    int64_t attempt; /* from 1 */
    char *request;
    char *prompt;
    char *response;
    char *thoughts;  /* NULL if none */
    char *reason;    /* "error"; NULL if none */
    cJSON *rejected; /* NULL if none */
    enum outcome outcome;
    bool truncated;
    bool judged[JUDGE_LIMIT]; /* by the list's judge of this number */
    enum outcome verdicts[JUDGE_LIMIT];
    int64_t tokens;
    double milliseconds;
};

struct attempt_list {
    struct attempt *items;
    size_t count;
    size_t capacity;
    char *judges[JUDGE_LIMIT]; /* names; verdicts[i] is that of judges[i] */
    size_t judge_count;
    int64_t duplicate_count; /* lines left out: the same attempt twice, the first counts */
    int64_t again_count;     /* lines that took the place of a target_error */
    int64_t *slots;          /* hash of keys -> item; -1 is free */
    size_t slot_count;
};
void attempt_list_release(struct attempt_list *list);

/* The number of a judge's name, added if new; -1 if there are JUDGE_LIMIT already. */
int attempt_list_judge(struct attempt_list *list, const char *name);

/* Takes over the attempt's strings. False, and nothing taken, if its key (set, index,
 * attack, attempt) is there already. */
bool attempt_list_add(struct attempt_list *list, const struct attempt *attempt);

/* The attempt of this key, NULL if none; valid until the next is added. */
const struct attempt *attempt_list_find(const struct attempt_list *list, const char *set,
                                        int64_t index, const char *attack, int64_t number);
struct attempt *attempt_list_get(struct attempt_list *list, const char *set, int64_t index,
                                 const char *attack, int64_t number);
void attempt_release(struct attempt *attempt);

/*
 * Takes out what failed and can be made again: every target_error whose prompt was sent;
 * with `in_turn` (attempts end with a hit) only where all attempts after it are taken out.
 * The number of them.
 */
int64_t attempt_list_forget_failures(struct attempt_list *list, bool in_turn);

/* The attack found nothing to ask (stored artifacts only): a miss by definition, no reply.
 */
bool attempt_is_given_up(const struct attempt *attempt);

/* One line, without its end. */
void attempt_print(const struct attempt *attempt, const struct attempt_list *list,
                   struct text_buffer *line);

/*
 * Adds what `count` bytes of attempts.jsonl hold. A last line without its end, torn by a
 * crash, is left out; any other malformed line is an error naming it.
 */
enum status attempts_parse(struct attempt_list *list, const char *bytes, size_t count,
                           const char *where, struct error *error);

/*
 * Opens a run's log for appending, first repairing a torn last line (*torn says so), and
 * reads what it holds into `list` (empty before). The caller closes `log` if all is well.
 */
enum status attempts_open(struct file_log *log, struct attempt_list *list, const char *path,
                          bool *torn, struct error *error);

/* All attempts in place of what is at `path`, whole or not at all. */
enum status attempts_write(const struct attempt_list *list, const char *path,
                           struct error *error);

/* Appends and syncs one attempt, then keeps it in the list; its strings are taken over. */
enum status attempts_append(struct file_log *log, struct attempt_list *list,
                            struct attempt *attempt, struct error *error);

#endif
