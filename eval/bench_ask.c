/* Asking chat models for verdicts. */
#include "eval/bench.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "chat/thoughts.h"
#include "eval/verdict_log.h"

#include <stdlib.h>
#include <string.h>

/* One reply before a judge. */
struct judgement {
    struct attempt *attempt;
    char *text;
    struct message message;
};

/* What one judge is asked at once. */
enum { JUDGEMENT_LIMIT = 4096 };
struct judging {
    struct bench *bench;
    const struct seat *seat;
    struct attempt_list *list;
    struct judgement judgements[JUDGEMENT_LIMIT];
    struct chat_prompt prompts[JUDGEMENT_LIMIT];
    size_t count;
    size_t *asked_as; /* [list->count] of the first of equal replies, the number of the one
                         that was asked, from 1; 0: none yet */
    bool at_end;
    struct progress progress;
    int64_t done;
};

static bool is_harmful(const struct attempt *attempt)
{
    return strcmp(attempt->set, "harmful") == 0;
}

static bool is_discriminated(const struct bench *bench, const char *attack)
{
    for (size_t i = 0; bench->discriminated && i < bench->discriminated->count; i++)
        if (strcmp(bench->discriminated->items[i], attack) == 0)
            return true;
    return false;
}

static bool is_confirmed_by(const struct bench *bench, const struct seat *seat,
                            const struct attempt *attempt)
{
    const int number = bench->seats[0].number;
    return seat == bench->confirm && attempt->judged[number] &&
           attempt->verdicts[number] == OUTCOME_COMPLIED;
}

/* The table at the top of bench.h. */
static bool seat_wants(const struct judging *judging, const struct attempt *attempt)
{
    const struct bench *bench = judging->bench;
    const struct seat *seat = judging->seat;
    if (reply_is_empty(attempt->response) || attempt->judged[seat->number])
        return false;
    if (bench->is_stored)
        return true;
    if (!is_harmful(attempt))
        return seat == bench->refusal;
    if (seat == bench->seats || is_confirmed_by(bench, seat, attempt))
        return true;
    if (seat == bench->refusal && attempt->attempt == 1 &&
        is_discriminated(bench, attempt->attack))
        return true;
    if (seat >= bench->seats + bench->listed_count)
        return false;
    return !bench->stops_early ||
           (judging->at_end &&
            !attempt_list_find(judging->list, attempt->set, attempt->index, attempt->attack,
                               attempt->attempt + 1));
}

/* The same question always has the same seed, so that a cache knows it. */
static void judgement_add(struct judging *judging, struct attempt *attempt)
{
    struct judgement *judgement = &judging->judgements[judging->count];
    struct text_buffer text = {0};
    judge_prompt_render(&judging->seat->spec.prompt, attempt->request, attempt->response,
                        &text);
    judgement->attempt = attempt;
    judgement->text = text_buffer_detach(&text);
    judgement->message = (struct message){.role = "user", .content = judgement->text};
    judging->prompts[judging->count++] = (struct chat_prompt){
        .messages = &judgement->message,
        .message_count = 1,
        .seed = judging->bench->seed,
        .stream = random_stream_of("judge", 0, 0),
        .temperature = 0,
        .top_p = 1,
        .token_limit = bench_token_limit(judging->bench, judging->seat),
        .tag = judgement,
    };
}

/* Why the judge has no verdict, in the words of the attempt. */
static enum outcome prompt_verdict(const struct judging *judging,
                                   const struct chat_prompt *prompt, const char **why)
{
    switch (prompt->result) {
    case CHAT_FAILED:
        *why = prompt->text;
        return OUTCOME_JUDGE_ERROR;
    case CHAT_FILTERED:
        *why = prompt->text;
        return OUTCOME_JUDGE_REFUSED;
    case CHAT_TRUNCATED:
        *why = "the judge was cut at its token limit before its last line; raise "
               "--judge-max-tokens";
        return OUTCOME_UNPARSED;
    case CHAT_REPLIED:
        break;
    }
    return judge_prompt_verdict(&judging->seat->spec.prompt,
                                reply_after_thoughts(prompt->text), why);
}

static enum status verdict_log(const struct judging *judging,
                               const struct chat_prompt *prompt, enum outcome verdict,
                               const char *why, struct error *error)
{
    const struct judgement *judgement = prompt->tag;
    const struct attempt *attempt = judgement->attempt;
    const bool said = prompt->result == CHAT_REPLIED || prompt->result == CHAT_TRUNCATED;
    struct text_buffer line = {0};
    char question[SHA256_HEX_BYTES];
    if (!judging->bench->log.path)
        return STATUS_OK;
    bench_question(judging->bench, judging->seat, attempt, question);
    logged_verdict_print(&(struct logged_verdict){.judge = judging->seat->spec.name,
                                                  .set = attempt->set,
                                                  .index = attempt->index,
                                                  .attack = attempt->attack,
                                                  .attempt = attempt->attempt,
                                                  .question = question,
                                                  .verdict = verdict,
                                                  .said = said ? prompt->text : NULL,
                                                  .why = why,
                                                  .tokens = prompt->reply_tokens,
                                                  .milliseconds = prompt->milliseconds},
                         &line);
    const enum status status =
        file_log_append(&judging->bench->log, line.data, line.length, error);
    text_buffer_release(&line);
    return status;
}

static enum status on_verdict(void *context, struct chat_prompt *prompt,
                              struct error *error)
{
    struct judging *judging = context;
    const struct judgement *judgement = prompt->tag;
    const char *why = NULL;
    const enum outcome verdict = prompt_verdict(judging, prompt, &why);
    if (verdict_log(judging, prompt, verdict, why, error))
        return error->status;
    bench_apply(judging->bench, judging->seat, judgement->attempt, verdict, why);
    progress_update(&judging->progress, ++judging->done, "%s", judging->seat->spec.name);
    return STATUS_OK;
}

/* What stands for an attempt: its own question, or the verdict of an equal one. */
static void attempt_take(struct judging *judging, size_t item)
{
    const int number = judging->seat->number;
    struct attempt *attempt = &judging->list->items[item];
    const size_t first = judging->bench->same.first[item];
    if (!seat_wants(judging, attempt))
        return;
    const size_t asked_as = judging->asked_as[first];
    const struct attempt *equal = &judging->list->items[asked_as ? asked_as - 1 : first];
    if (equal->judged[number]) {
        const enum outcome verdict = equal->verdicts[number];
        bench_apply(judging->bench, judging->seat, attempt, verdict,
                    outcome_is_scored(verdict) ? NULL : equal->reason);
    } else if (!asked_as) { /* else its verdict is on the way */
        judging->asked_as[first] = item + 1;
        judgement_add(judging, attempt);
    }
}

static void pass_clear(struct judging *judging)
{
    for (size_t i = 0; i < judging->count; i++) {
        chat_prompt_release(&judging->prompts[i]);
        free(judging->judgements[i].text);
    }
    judging->count = 0;
}

static void pass_collect(struct judging *judging)
{
    for (size_t i = 0; i < judging->list->count && judging->count < JUDGEMENT_LIMIT; i++)
        attempt_take(judging, i);
}

/* Pass after pass until nobody waits for this judge. */
static enum status seat_judge(struct judging *judging, struct error *error)
{
    enum status status = STATUS_OK;
    memset(judging->asked_as, 0, judging->list->count * sizeof *judging->asked_as);
    for (pass_collect(judging); judging->count > 0 && !status; pass_collect(judging)) {
        judging->done = 0;
        progress_begin(&judging->progress, "judge", 0, (int64_t)judging->count);
        status = chat_answer(judging->seat->chat, judging->prompts, judging->count,
                             on_verdict, judging, error);
        progress_end(&judging->progress);
        pass_clear(judging);
    }
    pass_clear(judging);
    return status ? error_prefix(error, "judge '%s'", judging->seat->spec.name) : STATUS_OK;
}

enum status bench_judge_models(struct bench *bench, struct attempt_list *list, bool at_end,
                               struct error *error)
{
    if (!bench_has_models(bench))
        return STATUS_OK;
    enum status status = STATUS_OK;
    struct judging *judging = memory_allocate(sizeof *judging);
    same_replies_update(&bench->same, list);
    judging->bench = bench;
    judging->list = list;
    judging->asked_as = memory_allocate_array(list->count + 1, sizeof *judging->asked_as);
    judging->at_end = at_end;
    for (size_t i = 0; i < bench->count && !status; i++) {
        judging->seat = &bench->seats[i];
        if (!judging->seat->spec.rule)
            status = seat_judge(judging, error);
    }
    free(judging->asked_as);
    free(judging);
    return status;
}
