#include "eval/bench.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void seat_release(struct seat *seat)
{
    if (!seat->chat_is_another)
        chat_close(seat->chat);
    judge_spec_release(&seat->spec);
    free(seat->text);
}

void bench_release(struct bench *bench)
{
    if (bench->log.path)
        file_log_close(&bench->log);
    for (size_t i = 0; i < bench->count; i++)
        seat_release(&bench->seats[i]);
    free(bench->combined_name);
    same_replies_release(&bench->same);
    *bench = (struct bench){0};
}

bool bench_has_models(const struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i++)
        if (!bench->seats[i].spec.rule)
            return true;
    return false;
}

bool bench_has_hosted(const struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i++)
        if (!bench->seats[i].spec.rule && chat_is_hosted(bench->seats[i].spec.target))
            return true;
    return false;
}

bool bench_is_model(const struct bench *bench, const char *name)
{
    for (size_t i = 0; i < bench->count; i++) {
        const struct judge_spec *spec = &bench->seats[i].spec;
        if (spec->rule || !text_starts_with(name, spec->name))
            continue;
        const char *rest = name + strlen(spec->name);
        if (!*rest || strcmp(rest, "_replayed") == 0)
            return true;
    }
    return false;
}

size_t bench_judge_names(const struct bench *bench, const char *names[JUDGE_LIMIT])
{
    size_t count = 0;
    if (bench->combined_name)
        names[count++] = bench->combined_name;
    for (size_t i = 0; i < bench->listed_count; i++)
        names[count++] = bench->seats[i].spec.name;
    return count;
}

const char *bench_success_word(const struct bench *bench)
{
    const struct judge_spec *spec = &bench->seats[0].spec;
    return spec->rule || strcmp(spec->kind, "refusal3") == 0 ? "answered" : "hit";
}

/* The same text is the same judge; two judges of one name would be one in all tables. */
static enum status seat_add(struct bench *bench, const char *text, struct seat **added,
                            struct error *error)
{
    struct judge_spec spec;
    for (size_t i = 0; i < bench->count; i++) {
        *added = &bench->seats[i];
        if (strcmp(bench->seats[i].text, text) == 0)
            return STATUS_OK;
    }
    if (bench->count == JUDGE_LIMIT - 1) /* MAIN+CONFIRM takes a number too */
        return error_set(error, STATUS_USAGE, "more than %d judges", JUDGE_LIMIT - 1);
    if (judge_spec_parse(&spec, text, bench->options->prompt, error))
        return error->status;
    for (size_t i = 0; i < bench->count; i++) {
        if (strcmp(bench->seats[i].spec.name, spec.name) != 0)
            continue;
        error_set(error, STATUS_USAGE,
                  "two judges are called '%s'; call one of them NAME, as in NAME=%s:TARGET",
                  spec.name, spec.kind ? spec.kind : "rating");
        judge_spec_release(&spec);
        return error->status;
    }
    *added = &bench->seats[bench->count++];
    **added = (struct seat){.text = memory_duplicate_string(text), .spec = spec};
    return STATUS_OK;
}

/* A file that nobody asks with would be a mistake that nobody sees. */
static enum status prompt_check(const struct bench *bench, struct error *error)
{
    bool is_used = !bench->options->prompt;
    for (size_t i = 0; i < bench->count; i++)
        is_used = is_used || bench->seats[i].spec.prompt_is_option;
    return is_used ? STATUS_OK
                   : error_set(error, STATUS_USAGE,
                               "--judge-prompt %s: no judge takes it; name one with "
                               "--judge prompt:TARGET",
                               bench->options->prompt);
}

/* Prices are of judges that are chat models. */
static enum status prices_check(const struct bench *bench, struct error *error)
{
    const char *names[JUDGE_LIMIT];
    size_t count = 0;
    for (size_t i = 0; i < bench->count; i++)
        if (!bench->seats[i].spec.rule)
            names[count++] = bench->seats[i].spec.name;
    return judge_prices_check(bench->options, names, count, error);
}

static enum status seats_add(struct bench *bench, const struct bench_plan *plan,
                             struct error *error)
{
    struct seat *seat;
    for (size_t i = 0; i < plan->judges->count; i++)
        if (seat_add(bench, plan->judges->items[i], &seat, error))
            return error_prefix(error, "--judge");
    bench->listed_count = bench->count;
    if (plan->confirm && seat_add(bench, plan->confirm, &bench->confirm, error))
        return error_prefix(error, "--confirm");
    if (plan->refusal && seat_add(bench, plan->refusal, &bench->refusal, error))
        return error_prefix(error, "--refusal-judge");
    if (bench->confirm == &bench->seats[0])
        return error_set(error, STATUS_USAGE,
                         "--confirm '%s' is the main judge itself: it would confirm all "
                         "that it says; give another one",
                         plan->confirm);
    return prompt_check(bench, error) ? error->status : prices_check(bench, error);
}

enum status bench_open(struct bench *bench, const struct bench_plan *plan,
                       struct error *error)
{
    *bench = (struct bench){.options = plan->options,
                            .discriminated = plan->discriminated,
                            .stops_early = plan->stops_early,
                            .is_stored = plan->is_stored,
                            .seed = plan->seed};
    const enum status status = seats_add(bench, plan, error);
    if (status) {
        bench_release(bench);
        return status;
    }
    if (bench->confirm) {
        struct text_buffer name = {0};
        text_buffer_appendf(&name, "%s+%s", bench->seats[0].spec.name,
                            bench->confirm->spec.name);
        bench->combined_name = text_buffer_detach(&name);
    }
    return STATUS_OK;
}

enum status bench_check_prices(const struct bench *bench,
                               const struct hosted_options *hosted, struct error *error)
{
    for (size_t i = 0; i < bench->count && hosted->max_cost > 0; i++) {
        const struct judge_spec *spec = &bench->seats[i].spec;
        const struct judge_prices prices = judge_prices_of(bench->options, spec->name);
        const bool paid = prices.in > 0 && prices.out > 0;
        const bool free_of_charge = prices.in == 0 && prices.out == 0;
        if (spec->target && chat_is_hosted(spec->target) && !paid && !free_of_charge)
            return error_set(error, STATUS_USAGE,
                             "--max-cost needs --judge-price-in and --judge-price-out, or "
                             "--judge-price %s=IN:OUT, the prices of the judge '%s' (both "
                             "0 if it costs nothing)",
                             spec->name, spec->name);
    }
    return STATUS_OK;
}

/* A ceiling on cost is none of a judge that costs nothing. */
static struct hosted_options hosted_of_seat(const struct bench *bench,
                                            const struct seat *seat,
                                            const struct bench_places *places)
{
    const struct judge_prices prices = judge_prices_of(bench->options, seat->spec.name);
    struct hosted_options hosted = places->hosted;
    hosted.reasoning = bench->options->reasoning;
    hosted.price_in = isnan(prices.in) ? 0 : prices.in;
    hosted.price_out = isnan(prices.out) ? 0 : prices.out;
    if (!(hosted.price_in > 0))
        hosted.max_cost = 0;
    return hosted;
}

/* A checkpoint that is loaded already. */
static struct chat *chat_find(const struct bench *bench, const struct seat *seat,
                              const struct bench_places *places)
{
    if (chat_is_hosted(seat->spec.target))
        return NULL;
    if (places->target && strcmp(chat_name(places->target), seat->spec.target) == 0)
        return places->target;
    for (const struct seat *other = bench->seats; other < seat; other++)
        if (other->chat && strcmp(other->spec.target, seat->spec.target) == 0)
            return other->chat;
    return NULL;
}

static enum status seat_connect(struct bench *bench, struct seat *seat,
                                const struct bench_places *places, struct error *error)
{
    const struct hosted_options hosted = hosted_of_seat(bench, seat, places);
    seat->chat = chat_find(bench, seat, places);
    seat->chat_is_another = seat->chat != NULL;
    if (!seat->chat &&
        chat_open_hosted(&seat->chat, seat->spec.target, &places->backend, &hosted, error))
        return error_prefix(error, "judge '%s'", seat->spec.name);
    chat_set_batch_limit(seat->chat, places->batch_limit);
    return STATUS_OK;
}

enum status bench_connect(struct bench *bench, const struct bench_places *places,
                          struct error *error)
{
    for (size_t i = 0; i < bench->count; i++)
        if (!bench->seats[i].spec.rule &&
            seat_connect(bench, &bench->seats[i], places, error))
            return error->status;
    return STATUS_OK;
}

static int number_of(struct attempt_list *list, const char *name, const char *ending)
{
    struct text_buffer text = {0};
    text_buffer_appendf(&text, "%s%s", name, ending);
    const int number = attempt_list_judge(list, text_buffer_string(&text));
    text_buffer_release(&text);
    return number;
}

enum status bench_number(struct bench *bench, struct attempt_list *list, const char *ending,
                         struct error *error)
{
    bool fits = true;
    for (size_t i = 0; i < bench->count; i++) {
        struct seat *seat = &bench->seats[i];
        seat->number = number_of(list, seat->spec.name, ending);
        fits = fits && seat->number >= 0;
    }
    if (bench->combined_name) {
        bench->combined_number = number_of(list, bench->combined_name, ending);
        fits = fits && bench->combined_number >= 0;
    }
    return fits ? STATUS_OK
                : error_set(error, STATUS_LIMIT, "more than %d judges", (int)JUDGE_LIMIT);
}

int64_t bench_token_limit(const struct bench *bench, const struct seat *seat)
{
    return bench->options->max_tokens ? bench->options->max_tokens
                                      : seat->spec.prompt.token_limit;
}

void bench_question(const struct bench *bench, const struct seat *seat,
                    const struct attempt *attempt, char hex[SHA256_HEX_BYTES])
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_array_begin(&json, NULL);
    json_string(&json, NULL, seat->spec.prompt.sha256);
    json_string(&json, NULL, chat_fingerprint(seat->chat));
    json_integer(&json, NULL, bench_token_limit(bench, seat));
    json_string(&json, NULL, attempt->request);
    json_string(&json, NULL, attempt->response);
    json_array_end(&json);
    bytes_sha256(hex, text_buffer_string(&text), text.length);
    text_buffer_release(&text);
}

static void seat_identity_print(const struct bench *bench, const struct seat *seat,
                                const char *key, struct json_writer *json)
{
    const struct judge_spec *spec = &seat->spec;
    if (spec->rule) {
        json_string(json, key, spec->name);
        return;
    }
    json_object_begin(json, key);
    json_string(json, "name", spec->name);
    json_string(json, "kind", spec->kind);
    json_string(json, "prompt_sha256", spec->prompt.sha256);
    json_string(json, "model_sha256", chat_fingerprint(seat->chat));
    json_integer(json, "max_tokens", bench_token_limit(bench, seat));
    json_object_end(json);
}

void bench_identity_print(const struct bench *bench, struct json_writer *json)
{
    json_array_begin(json, "judges");
    for (size_t i = 0; i < bench->listed_count; i++)
        seat_identity_print(bench, &bench->seats[i], NULL, json);
    json_array_end(json);
    if (bench->confirm)
        seat_identity_print(bench, bench->confirm, "confirm", json);
    else
        json_null(json, "confirm");
    if (bench->refusal)
        seat_identity_print(bench, bench->refusal, "refusal_judge", json);
}
