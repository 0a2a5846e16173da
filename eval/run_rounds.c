#include "eval/run_rounds.h"

#include "base/memory.h"
#include "base/random.h"
#include "chat/thoughts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One attempt to be made. */
struct question {
    const struct request_set *set;
    const struct request *request;
    const char *attack;
    int64_t attempt;
    struct wording wording;     /* of harmful requests: its text is the prompt */
    const char *prompt;         /* NULL: there is none, wording.failure says why */
    struct message messages[2]; /* of the system, if there is one, and of the user */
};

/* The questions of a round; they do not move while they are asked. */
enum { QUESTION_LIMIT = 4096 };
struct round {
    struct evaluation *evaluation;
    struct question questions[QUESTION_LIMIT];
    struct chat_prompt prompts[QUESTION_LIMIT];
    size_t count;
    size_t posed; /* how many have a prompt: prompts[0 .. posed) */
};

bool set_is_harmful(const struct request_set *set)
{
    return strcmp(set->set, "harmful") == 0;
}

/* A question, its words still to be found. */
static void question_add(struct round *round, const struct request_set *set,
                         const struct request *request, const char *attack, int64_t attempt)
{
    round->questions[round->count++] =
        (struct question){.set = set,
                          .request = request,
                          .attack = attack,
                          .attempt = attempt,
                          .wording = {.request = request->text,
                                      .attack = attack,
                                      .index = request->index,
                                      .attempt = attempt},
                          .prompt = set_is_harmful(set) ? NULL : request->text};
}

/* What the model is asked, now that the words are there. */
static void question_pose(struct round *round, struct question *question)
{
    const struct eval_options *options = round->evaluation->options;
    struct text_buffer stream = {0};
    size_t count = 0;
    text_buffer_appendf(&stream, "%s|%s", question->set->set, question->attack);
    if (options->system)
        question->messages[count++] =
            (struct message){.role = "system", .content = options->system};
    question->messages[count++] =
        (struct message){.role = "user", .content = question->prompt};
    round->prompts[round->posed++] = (struct chat_prompt){
        .messages = question->messages,
        .message_count = count,
        .seed = (uint64_t)options->seed,
        .stream = random_stream_of(text_buffer_string(&stream),
                                   (uint64_t)question->request->index,
                                   (uint64_t)question->attempt),
        .temperature = set_is_harmful(question->set) ? options->temperature
                                                     : options->benign_temperature,
        .top_p = options->top_p,
        .token_limit = options->max_tokens,
        .tag = question,
    };
    text_buffer_release(&stream);
}

/* Adds what is still to be asked of one request under one attack. */
static void request_questions(struct round *round, const struct request_set *set,
                              const struct request *request, const char *attack,
                              int64_t attempts)
{
    const struct evaluation *evaluation = round->evaluation;
    for (int64_t k = 1; k <= attempts && round->count < QUESTION_LIMIT; k++) {
        const struct attempt *stored =
            attempt_list_find(&evaluation->attempts, set->set, request->index, attack, k);
        if (!stored)
            question_add(round, set, request, attack, k);
        if (evaluation->options->fixed_attempts)
            continue;
        if (!stored || stored->outcome == OUTCOME_COMPLIED)
            return;
    }
}

static void round_collect(struct round *round)
{
    const struct evaluation *evaluation = round->evaluation;
    const struct eval_options *options = evaluation->options;
    for (size_t s = 0; s < evaluation->sets.count; s++) {
        const struct request_set *set = &evaluation->sets.items[s];
        for (size_t i = 0; i < set->count; i++) {
            const struct request *request = &set->list.items[i];
            if (!set_is_harmful(set))
                request_questions(round, set, request, "none", 1);
            for (size_t a = 0; a < options->attacks.count && set_is_harmful(set); a++)
                request_questions(round, set, request, options->attacks.items[a],
                                  attack_words_attempts(&evaluation->words, request->index,
                                                        options->attacks.items[a]));
        }
    }
}

static void round_clear(struct round *round)
{
    for (size_t i = 0; i < round->posed; i++)
        chat_prompt_release(&round->prompts[i]);
    for (size_t i = 0; i < round->count; i++)
        wording_release(&round->questions[i].wording);
    round->count = round->posed = 0;
}

/* Why a reply cannot be judged, or OUTCOME_COMPLIED if it can. */
static enum outcome unjudgeable(const struct chat_prompt *prompt)
{
    if (prompt->result == CHAT_FAILED)
        return OUTCOME_TARGET_ERROR;
    if (prompt->result == CHAT_FILTERED)
        return OUTCOME_FILTERED;
    if (!reply_is_empty(reply_after_thoughts(prompt->text)))
        return OUTCOME_COMPLIED;
    return prompt->result == CHAT_TRUNCATED ? OUTCOME_TRUNCATED : OUTCOME_EMPTY;
}

static struct attempt attempt_begin(const struct question *question)
{
    return (struct attempt){
        .behavior = memory_duplicate_string(question->request->behavior),
        .index = question->request->index,
        .category = memory_duplicate_string(question->request->category),
        .set = memory_duplicate_string(question->set->set),
        .attack = memory_duplicate_string(question->attack),
        .attempt = question->attempt,
        .request = memory_duplicate_string(question->request->text),
        .prompt = memory_duplicate_string(question->prompt ? question->prompt : ""),
        .rejected = cJSON_Duplicate(question->wording.rejected, true),
    };
}

static struct attempt attempt_make(const struct evaluation *evaluation,
                                   const struct chat_prompt *prompt)
{
    const bool replied = prompt->result == CHAT_REPLIED || prompt->result == CHAT_TRUNCATED;
    struct attempt attempt = attempt_begin(prompt->tag);
    const char *reply = replied ? reply_after_thoughts(prompt->text) : "";
    attempt.response = memory_duplicate_string(reply);
    if (replied && reply != prompt->text)
        attempt.thoughts =
            memory_duplicate_bytes(prompt->text, (size_t)(reply - prompt->text));
    attempt.reason = replied ? NULL : memory_duplicate_string(prompt->text);
    attempt.outcome = unjudgeable(prompt);
    attempt.truncated = prompt->result == CHAT_TRUNCATED;
    attempt.tokens = prompt->reply_tokens;
    attempt.milliseconds = prompt->milliseconds;
    if (attempt.outcome == OUTCOME_COMPLIED)
        bench_judge_rules(&evaluation->bench, &attempt);
    return attempt;
}

/* Counts an attempt, and those that are not needed after it. */
static void progress_count(struct evaluation *evaluation, const struct attempt *attempt)
{
    const struct eval_options *options = evaluation->options;
    const bool hit =
        strcmp(attempt->set, "harmful") == 0 && attempt->outcome == OUTCOME_COMPLIED;
    evaluation->done++;
    evaluation->hits += hit;
    if (hit && !options->fixed_attempts)
        evaluation->done +=
            attack_words_attempts(&evaluation->words, attempt->index, attempt->attack) -
            attempt->attempt;
}

static enum status attempt_store(struct evaluation *evaluation, struct attempt *attempt,
                                 struct error *error)
{
    progress_count(evaluation, attempt);
    const enum status status =
        attempts_append(&evaluation->log, &evaluation->attempts, attempt, error);
    progress_update(&evaluation->progress, evaluation->done, "%lld harmful answered",
                    (long long)evaluation->hits);
    return status;
}

static enum status on_reply(void *context, struct chat_prompt *prompt, struct error *error)
{
    struct evaluation *evaluation = context;
    struct attempt attempt = attempt_make(evaluation, prompt);
    return attempt_store(evaluation, &attempt, error);
}

/* No words were found: the target could not be asked, which is no verdict on it. */
static enum status attempt_fail(struct evaluation *evaluation,
                                const struct question *question, struct error *error)
{
    struct attempt attempt = attempt_begin(question);
    attempt.response = memory_duplicate_string("");
    attempt.reason = memory_duplicate_string(question->wording.failure);
    attempt.outcome = OUTCOME_TARGET_ERROR;
    return attempt_store(evaluation, &attempt, error);
}

/* Finds the words of all harmful questions. */
static enum status round_word(struct round *round, struct error *error)
{
    struct wording *wordings = memory_allocate_array(round->count, sizeof *wordings);
    size_t count = 0;
    for (size_t i = 0; i < round->count; i++)
        if (set_is_harmful(round->questions[i].set))
            wordings[count++] = round->questions[i].wording;
    const enum status status =
        attack_words_find(&round->evaluation->words, wordings, count, error);
    count = 0;
    for (size_t i = 0; i < round->count; i++) {
        struct question *question = &round->questions[i];
        if (!set_is_harmful(question->set))
            continue;
        question->wording = wordings[count++];
        question->prompt = question->wording.text;
    }
    free(wordings);
    return status;
}

/* Words the round, stores what has failed already, and asks the rest. */
static enum status round_ask(struct round *round, struct error *error)
{
    struct evaluation *evaluation = round->evaluation;
    enum status status = round_word(round, error);
    for (size_t i = 0; i < round->count && !status; i++)
        if (round->questions[i].prompt)
            question_pose(round, &round->questions[i]);
        else
            status = attempt_fail(evaluation, &round->questions[i], error);
    if (!status && round->posed > 0)
        status = chat_answer(evaluation->chat, round->prompts, round->posed, on_reply,
                             evaluation, error);
    return status;
}

static int64_t attempts_total(const struct evaluation *evaluation)
{
    const struct string_list *attacks = &evaluation->options->attacks;
    int64_t total = 0;
    for (size_t s = 0; s < evaluation->sets.count; s++) {
        const struct request_set *set = &evaluation->sets.items[s];
        total += set_is_harmful(set) ? 0 : (int64_t)set->count;
        for (size_t i = 0; i < set->count && set_is_harmful(set); i++)
            for (size_t a = 0; a < attacks->count; a++)
                total += attack_words_attempts(&evaluation->words, set->list.items[i].index,
                                               attacks->items[a]);
    }
    return total;
}

/* Judges may have turned what was no hit into one. */
static void progress_recount(struct evaluation *evaluation)
{
    evaluation->done = 0;
    evaluation->hits = 0;
    for (size_t i = 0; i < evaluation->attempts.count; i++)
        progress_count(evaluation, &evaluation->attempts.items[i]);
}

/* What is stored is judged first, then every round when it is answered. */
enum status rounds_run(struct evaluation *evaluation, struct error *error)
{
    struct round *round = memory_allocate(sizeof *round);
    round->evaluation = evaluation;
    enum status status =
        bench_judge_models(&evaluation->bench, &evaluation->attempts, false, error);
    progress_recount(evaluation);
    progress_begin(&evaluation->progress, "eval", evaluation->done,
                   attempts_total(evaluation));
    for (round_collect(round); round->count > 0 && !status; round_collect(round)) {
        status = round_ask(round, error);
        round_clear(round);
        if (!status)
            status =
                bench_judge_models(&evaluation->bench, &evaluation->attempts, false, error);
        progress_recount(evaluation);
    }
    progress_end(&evaluation->progress);
    if (!status)
        status = bench_judge_models(&evaluation->bench, &evaluation->attempts, true, error);
    round_clear(round);
    free(round);
    return status;
}

/* What a dry run counts; tokens are guesses from above (service_tokens_guess()). */
struct estimate {
    int64_t requests;
    int64_t cached;
    struct tokens tokens; /* of what is not in the cache */
    struct judge_estimate judges[JUDGE_LIMIT];
};

/* Words that only a run would find are taken to be as long as the request. */
static void estimate_add(struct estimate *estimate, struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct question *question = &round->questions[i];
        if (!question->prompt)
            question->prompt = question->request->text;
        question_pose(round, question);
    }
    for (size_t i = 0; i < round->posed; i++) {
        const struct chat_prompt *prompt = &round->prompts[i];
        estimate->requests++;
        if (chat_knows(round->evaluation->chat, prompt)) {
            estimate->cached++;
            continue;
        }
        estimate->tokens.prompt += service_tokens_guess(prompt);
        estimate->tokens.reply += prompt->token_limit;
    }
    round_clear(round);
}

static void estimate_request(struct estimate *estimate, struct round *round,
                             const struct request_set *set, const struct request *request)
{
    const struct eval_options *options = round->evaluation->options;
    bench_estimate(&round->evaluation->bench, request->text, set_is_harmful(set),
                   &options->attacks, options->attempts, options->max_tokens,
                   estimate->judges);
    if (!set_is_harmful(set)) {
        question_add(round, set, request, "none", 1);
        estimate_add(estimate, round);
        return;
    }
    for (size_t a = 0; a < options->attacks.count; a++) {
        const char *attack = options->attacks.items[a];
        const int64_t attempts =
            attack_words_attempts(&round->evaluation->words, request->index, attack);
        for (int64_t k = 1; k <= attempts; k++) {
            question_add(round, set, request, attack, k);
            attack_words_guess(&round->evaluation->words,
                               &round->questions[round->count - 1].wording);
            round->questions[round->count - 1].prompt =
                round->questions[round->count - 1].wording.text;
            estimate_add(estimate, round);
        }
    }
}

/* Of the model alone; returns its cost, NaN if its prices are not given. */
static double estimate_print(const struct estimate *estimate,
                             const struct eval_options *options, struct text_buffer *shown)
{
    const double cost = tokens_cost(&options->hosted, estimate->tokens);
    const bool priced = options->hosted.price_in > 0 || options->hosted.price_out > 0;
    const bool early = options->attempts > 1 && !options->fixed_attempts;
    text_buffer_appendf(shown,
                        "requests       %lld%s\n"
                        "in the cache   %lld\n"
                        "prompt tokens  about %lld at most\n"
                        "reply tokens   %lld at most\n",
                        (long long)estimate->requests,
                        early ? " at most: hits end a behaviour early" : "",
                        (long long)estimate->cached, (long long)estimate->tokens.prompt,
                        (long long)estimate->tokens.reply);
    if (priced)
        text_buffer_appendf(shown, "cost           %.4f at most, retries apart\n", cost);
    else
        text_buffer_append(shown, "cost           unknown without --price-in and "
                                  "--price-out\n");
    return priced ? cost : chat_is_hosted(options->model) ? (double)NAN : 0;
}

/* Of all services. */
static void total_print(double cost, struct text_buffer *shown)
{
    if (isnan(cost))
        text_buffer_append(shown, "all together: cost unknown, for some prices are not "
                                  "given\n");
    else
        text_buffer_appendf(shown, "all together: cost %.4f at most, retries apart\n",
                            cost);
}

void rounds_estimate(struct evaluation *evaluation, struct text_buffer *shown)
{
    struct estimate estimate = {0};
    struct round *round = memory_allocate(sizeof *round);
    round->evaluation = evaluation;
    for (size_t s = 0; s < evaluation->sets.count; s++)
        for (size_t i = 0; i < evaluation->sets.items[s].count; i++)
            estimate_request(&estimate, round, &evaluation->sets.items[s],
                             &evaluation->sets.items[s].list.items[i]);
    free(round);
    if (!shown)
        return;
    const double target = estimate_print(&estimate, evaluation->options, shown);
    const double words =
        attack_words_estimate_print(&evaluation->words, &evaluation->sets, shown);
    const double judges = bench_estimate_print(&evaluation->bench, estimate.judges, shown);
    if (evaluation->options->reformulator || bench_has_hosted(&evaluation->bench))
        total_print(target + words + judges, shown);
}
