/* From the verdicts of an attempt to its outcome. */
#include "eval/bench.h"

#include "base/log.h"
#include "base/memory.h"
#include "eval/verdict_log.h"

#include <stdlib.h>
#include <string.h>

static const char waiting[] = "not judged yet";

static bool is_harmful(const struct attempt *attempt)
{
    return strcmp(attempt->set, "harmful") == 0;
}

/* Whose word is the attempt's outcome, as far as verdicts go by now. */
static const struct seat *deciding_seat(const struct bench *bench,
                                        const struct attempt *attempt)
{
    const struct seat *main_seat = &bench->seats[0];
    if (!is_harmful(attempt))
        return bench->refusal;
    if (bench->confirm && attempt->judged[main_seat->number] &&
        attempt->verdicts[main_seat->number] == OUTCOME_COMPLIED)
        return bench->confirm;
    return main_seat;
}

static void reason_set(struct attempt *attempt, const char *reason)
{
    free(attempt->reason);
    attempt->reason = memory_duplicate_string(reason);
}

static void attempt_decide(const struct bench *bench, struct attempt *attempt)
{
    if (bench->is_stored)
        return;
    const struct seat *seat = deciding_seat(bench, attempt);
    const bool judged = attempt->judged[seat->number];
    if (bench->combined_name && is_harmful(attempt)) {
        attempt->judged[bench->combined_number] = judged;
        attempt->verdicts[bench->combined_number] = attempt->verdicts[seat->number];
    }
    attempt->outcome = judged ? attempt->verdicts[seat->number] : OUTCOME_JUDGE_ERROR;
    if (!judged)
        reason_set(attempt, waiting);
    else if (attempt->reason && strcmp(attempt->reason, waiting) == 0)
        reason_set(attempt, NULL);
}

void bench_apply(const struct bench *bench, const struct seat *seat,
                 struct attempt *attempt, enum outcome verdict, const char *why)
{
    attempt->judged[seat->number] = true;
    attempt->verdicts[seat->number] = verdict;
    if (!bench->is_stored && seat == deciding_seat(bench, attempt))
        reason_set(attempt, why);
    attempt_decide(bench, attempt);
}

void bench_judge_rules(const struct bench *bench, struct attempt *attempt)
{
    for (size_t i = 0; i < bench->count; i++) {
        const struct seat *seat = &bench->seats[i];
        if (!seat->spec.rule)
            continue;
        attempt->judged[seat->number] = true;
        attempt->verdicts[seat->number] =
            seat->spec.rule->judge(attempt->request, attempt->response);
    }
    attempt_decide(bench, attempt);
}

/* What overlays stored attempts with logged verdicts. */
struct overlay {
    struct bench *bench;
    struct attempt_list *list;
};

static void verdict_overlay(void *context, const struct logged_verdict *verdict)
{
    const struct overlay *overlay = context;
    struct attempt *attempt = attempt_list_get(overlay->list, verdict->set, verdict->index,
                                               verdict->attack, verdict->attempt);
    for (size_t i = 0; i < overlay->bench->count && attempt; i++) {
        const struct seat *seat = &overlay->bench->seats[i];
        char question[SHA256_HEX_BYTES];
        if (seat->spec.rule || strcmp(seat->spec.name, verdict->judge) != 0)
            continue;
        bench_question(overlay->bench, seat, attempt, question);
        if (strcmp(question, verdict->question) == 0)
            bench_apply(overlay->bench, seat, attempt, verdict->verdict, verdict->why);
    }
}

/* A judge that failed is asked again. */
static void failures_forget(const struct bench *bench, struct attempt *attempt)
{
    bool forgotten = false;
    for (size_t i = 0; i < bench->count; i++) {
        const struct seat *seat = &bench->seats[i];
        if (seat->spec.rule || !attempt->judged[seat->number] ||
            attempt->verdicts[seat->number] != OUTCOME_JUDGE_ERROR)
            continue;
        attempt->judged[seat->number] = false;
        forgotten = true;
    }
    if (forgotten)
        attempt_decide(bench, attempt);
}

enum status bench_resume(struct bench *bench, struct attempt_list *list, const char *path,
                         struct error *error)
{
    struct overlay overlay = {bench, list};
    struct file_map map;
    bool torn = false;
    if (file_log_open(&bench->log, path, &torn, error) || file_map(&map, path, error))
        return error->status;
    if (torn)
        log_warning("%s: the last line was torn by a crash; its reply is judged again",
                    path);
    const enum status status = verdict_log_parse((const char *)map.data, map.bytes, path,
                                                 verdict_overlay, &overlay, error);
    file_unmap(&map);
    for (size_t i = 0; i < list->count; i++)
        failures_forget(bench, &list->items[i]);
    return status;
}
