#include "eval/attack_words.h"

#include "base/memory.h"
#include "chat/service.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_replayed(const struct attack_words *words, const struct attack *attack)
{
    return words->options->replay && !attack->fresh;
}

static bool is_reformulated(const struct attack_words *words, const struct attack *attack)
{
    return words->options->reformulator && attack->tense != TENSE_NONE &&
           !is_replayed(words, attack);
}

static struct attack attack_named(const char *name)
{
    struct attack attack;
    const enum status status = attack_parse(&attack, name, NULL);
    CHECK(status == STATUS_OK); /* eval_options_check() came first */
    return attack;
}

static enum status prompt_check(const struct attack_words *words, struct error *error)
{
    const struct eval_options *options = words->options;
    bool any = false;
    for (size_t i = 0; i < options->attacks.count; i++) {
        const struct attack attack = attack_named(options->attacks.items[i]);
        if (!is_reformulated(words, &attack))
            continue;
        any = true;
        if (!words->prompt.texts[attack.tense])
            return error_set(error, STATUS_USAGE,
                             "%s: there is no section '=== %s ===' for the attack",
                             options->reformulation_prompt, tense_name(attack.tense));
    }
    return any ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--reformulator: no attack needs one: none is the request as it "
                           "stands, and --replay has its own words");
}

static enum status replayed_check(const struct attack_words *words,
                                  const struct request_sets *sets, struct error *error)
{
    const struct eval_options *options = words->options;
    const struct request_set *set = &sets->items[0]; /* the harmful one */
    bool any = false;
    for (size_t i = 0; i < options->attacks.count; i++) {
        const struct attack attack = attack_named(options->attacks.items[i]);
        if (!is_replayed(words, &attack))
            continue;
        any = true;
        if (replayed_run_check(&words->replayed, &set->list, set->count, attack.name,
                               options->attempts, options->fixed_attempts, error))
            return error->status;
    }
    return any ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--replay: every attack is fresh: nothing is replayed");
}

enum status attack_words_open(struct attack_words *words,
                              const struct eval_options *options,
                              const struct request_sets *sets, struct error *error)
{
    *words = (struct attack_words){.options = options};
    enum status status = STATUS_OK;
    if (options->reformulator)
        status =
            reformulation_prompt_read(&words->prompt, options->reformulation_prompt, error);
    if (!status && options->reformulator)
        status = prompt_check(words, error);
    if (!status && options->replay)
        status = replayed_run_read(&words->replayed, options->replay, error);
    if (!status && options->replay)
        status = replayed_check(words, sets, error);
    return status;
}

static struct hosted_options hosted_of(const struct attack_words *words,
                                       const struct hosted_options *hosted)
{
    struct hosted_options own = *hosted;
    const struct eval_options *options = words->options;
    own.price_in =
        isnan(options->reformulator_price_in) ? 0 : options->reformulator_price_in;
    own.price_out =
        isnan(options->reformulator_price_out) ? 0 : options->reformulator_price_out;
    own.reasoning = false;
    if (!(own.price_in > 0) && !(own.price_out > 0))
        own.max_cost = 0; /* a ceiling on cost is none of what costs nothing */
    return own;
}

enum status attack_words_connect(struct attack_words *words, struct chat *target,
                                 const struct backend_options *backend,
                                 const struct hosted_options *hosted, struct error *error)
{
    const char *name = words->options->reformulator;
    if (!name)
        return STATUS_OK;
    /* A local checkpoint is held in memory once; a hosted one has its own prices. */
    if (!chat_is_hosted(name) && strcmp(name, chat_name(target)) == 0) {
        words->chat = target;
        words->chat_is_target = true;
        return STATUS_OK;
    }
    const struct hosted_options own = hosted_of(words, hosted);
    if (chat_open_hosted(&words->chat, name, backend, &own, error))
        return error_prefix(error, "--reformulator");
    chat_set_batch_limit(words->chat, words->options->batch);
    return STATUS_OK;
}

void attack_words_release(struct attack_words *words)
{
    if (!words->chat_is_target)
        chat_close(words->chat);
    reformulation_prompt_release(&words->prompt);
    replayed_run_release(&words->replayed);
    *words = (struct attack_words){0};
}

int64_t attack_words_attempts(const struct attack_words *words, int64_t index,
                              const char *attack_name)
{
    const struct attack attack = attack_named(attack_name);
    const int64_t limit = words->options->attempts;
    if (!is_replayed(words, &attack))
        return limit;
    return replayed_run_attempts(&words->replayed, index, attack.name, limit);
}

static void find_replayed(const struct attack_words *words, struct wording *wording)
{
    struct text_buffer why = {0};
    const struct attempt *stored =
        attempt_list_find(&words->replayed.attempts, "harmful", wording->index,
                          wording->attack, wording->attempt);
    CHECK(stored); /* attack_words_attempts() counts no more */
    if (*stored->prompt != '\0') {
        wording->text = memory_duplicate_string(stored->prompt);
        return;
    }
    text_buffer_appendf(&why, "the replayed run has no prompt for this attempt: %s",
                        stored->reason ? stored->reason : "it says nothing why");
    wording->failure = text_buffer_detach(&why);
}

static void find_by_rule(const struct attack_words *words, const struct attack *attack,
                         struct wording *wording)
{
    struct text_buffer text = {0};
    attack_request(attack, wording->request, (uint64_t)words->options->seed,
                   wording->attempt, &text);
    wording->text = memory_duplicate_string(text_buffer_string(&text));
    text_buffer_release(&text);
}

/* Those for the model are moved to `asked`, and back when it has answered. */
static enum status find_by_model(const struct attack_words *words, struct wording *wordings,
                                 size_t count, struct error *error)
{
    const struct reformulator reformulator = {
        .chat = words->chat,
        .prompt = &words->prompt,
        .seed = (uint64_t)words->options->seed,
        .tries = words->options->reformulation_tries,
    };
    struct wording *asked = memory_allocate_array(count, sizeof *asked);
    size_t *places = memory_allocate_array(count, sizeof *places);
    size_t asked_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!wordings[i].text && !wordings[i].failure) {
            places[asked_count] = i;
            asked[asked_count++] = wordings[i];
        }
    const enum status status =
        asked_count == 0 ? STATUS_OK
                         : reformulator_word(&reformulator, asked, asked_count, error);
    for (size_t i = 0; i < asked_count; i++)
        wordings[places[i]] = asked[i];
    free(asked);
    free(places);
    return status;
}

void attack_words_guess(const struct attack_words *words, struct wording *wording)
{
    const struct attack attack = attack_named(wording->attack);
    wording->tense = attack.tense;
    if (is_replayed(words, &attack))
        find_replayed(words, wording);
    else if (!is_reformulated(words, &attack))
        find_by_rule(words, &attack, wording);
}

enum status attack_words_find(const struct attack_words *words, struct wording *wordings,
                              size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        attack_words_guess(words, &wordings[i]);
    return find_by_model(words, wordings, count, error);
}

void attack_words_identity_print(const struct attack_words *words, struct json_writer *json)
{
    const struct eval_options *options = words->options;
    json_string(json, "replay_sha256", options->replay ? words->replayed.sha256 : NULL);
    if (!options->reformulator) {
        json_null(json, "reformulator");
        return;
    }
    json_object_begin(json, "reformulator");
    json_string(json, "model_sha256", chat_fingerprint(words->chat));
    json_string(json, "prompt_sha256", words->prompt.sha256);
    json_integer(json, "tries", options->reformulation_tries);
    json_object_end(json);
}

double attack_words_estimate_print(const struct attack_words *words,
                                   const struct request_sets *sets, struct text_buffer *out)
{
    const struct eval_options *options = words->options;
    const struct reformulator reformulator = {.prompt = &words->prompt};
    const struct hosted_options own = hosted_of(words, &options->hosted);
    const int64_t asks = options->attempts * options->reformulation_tries;
    struct tokens tokens = {0};
    int64_t requests = 0;
    for (size_t a = 0; a < options->attacks.count && options->reformulator; a++) {
        const struct attack attack = attack_named(options->attacks.items[a]);
        for (size_t i = 0; i < sets->items[0].count && is_reformulated(words, &attack);
             i++) {
            const struct wording wording = {.request = sets->items[0].list.items[i].text,
                                            .attack = attack.name,
                                            .tense = attack.tense};
            struct reformulator_ask ask;
            const struct chat_prompt prompt =
                reformulator_prompt(&reformulator, &wording, 1, &ask);
            tokens.prompt += asks * service_tokens_guess(&prompt);
            tokens.reply += asks * REFORMULATION_TOKENS;
            requests += asks;
            free(ask.text);
        }
    }
    if (requests == 0)
        return 0;
    text_buffer_appendf(out,
                        "reformulator: %lld requests at most, about %lld prompt and %lld "
                        "reply tokens at most",
                        (long long)requests, (long long)tokens.prompt,
                        (long long)tokens.reply);
    const bool hosted = chat_is_hosted(options->reformulator);
    const bool priced =
        !isnan(options->reformulator_price_in) && !isnan(options->reformulator_price_out);
    const double cost = tokens_cost(&own, tokens);
    if (hosted && priced)
        text_buffer_appendf(out, "; cost %.4f at most, retries apart", cost);
    else if (hosted)
        text_buffer_append(out, "; cost unknown without --reformulator-price-in and "
                                "--reformulator-price-out");
    text_buffer_append(out, "\n");
    return !hosted ? 0 : priced ? cost : (double)NAN;
}
