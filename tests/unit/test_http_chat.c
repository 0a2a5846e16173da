#include "fixture.h"

#include "base/log.h"
#include "chat/chat.h"
#include "chat/hosted_spending.h"
#include "chat/pacing.h"
#include "chat/service.h"
#include "tests/server/fault_server.h"

static struct fault_server server;
static const struct backend_options no_backend = {.thread_count = 1};

enum { PROMPT_LIMIT = 400 };
struct talk {
    struct hosted_options options;
    struct chat *chat;
    struct chat_prompt prompts[PROMPT_LIMIT];
    struct message messages[PROMPT_LIMIT][2];
    char texts[PROMPT_LIMIT][96];
    int count;
    int calls;
};
static struct talk talk;

static int talk_make(void **state)
{
    unsetenv("OPENAI_API_KEY");
    unsetenv("ANTHROPIC_API_KEY");
    memset(&talk, 0, sizeof talk);
    hosted_options_defaults(&talk.options);
    talk.options.retries = 2;
    if (!fault_server_start(&server, 0))
        return -1;
    return scratch_make(state);
}

static void talk_clear(void)
{
    for (int i = 0; i < talk.count; i++)
        chat_prompt_release(&talk.prompts[i]);
    talk.count = 0;
    talk.calls = 0;
    chat_close(talk.chat);
    talk.chat = NULL;
}

static int talk_remove(void **state)
{
    talk_clear();
    fault_server_stop(&server);
    return scratch_remove(state);
}

static void ask(const char *text)
{
    const int i = talk.count++;
    snprintf(talk.texts[i], sizeof talk.texts[i], "%s", text);
    talk.messages[i][0] = (struct message){"user", talk.texts[i]};
    talk.prompts[i] = (struct chat_prompt){.messages = talk.messages[i],
                                           .message_count = 1,
                                           .seed = 1,
                                           .stream = (uint64_t)i,
                                           .temperature = 1,
                                           .top_p = 1,
                                           .token_limit = 20};
}

static void ask_with_system(const char *system, const char *text)
{
    ask(text);
    struct message *messages = talk.messages[talk.count - 1];
    messages[1] = messages[0];
    messages[0] = (struct message){"system", system};
    talk.prompts[talk.count - 1].message_count = 2;
}

static enum status count_call(void *context, struct chat_prompt *prompt,
                              struct error *failure)
{
    (void)context;
    (void)failure;
    assert_non_null(prompt->text);
    talk.calls++;
    return STATUS_OK;
}

static enum status answer_by(const char *prefix)
{
    char model[128];
    snprintf(model, sizeof model, "%shttp://127.0.0.1:%d/v1#m", prefix, server.port);
    error = (struct error){0};
    const enum status status =
        chat_open_hosted(&talk.chat, model, &no_backend, &talk.options, &error);
    if (status)
        return status;
    return chat_answer(talk.chat, talk.prompts, (size_t)talk.count, count_call, NULL,
                       &error);
}

static void assert_result(int i, enum chat_result result, const char *part)
{
    if (talk.prompts[i].result != result || !strstr(talk.prompts[i].text, part))
        fail_msg("'%s' gives %d '%s'", talk.texts[i], talk.prompts[i].result,
                 talk.prompts[i].text);
}

static void answer_as(const char *prefix)
{
    ask("Hello there");
    ask("fault:empty");
    ask("fault:length");
    ask("fault:cut");
    ask("fault:filter");
    ask("fault:500");
    ask("fault:400");
    ask("fault:500:2 then");
    assert_ok(answer_by(prefix));
    assert_int_equal(talk.calls, 8);
    assert_int_equal(talk.prompts[0].result, CHAT_REPLIED);
    assert_true(talk.prompts[0].prompt_tokens > 5);
    assert_int_equal(talk.prompts[0].reply_tokens, 10);
    assert_result(1, CHAT_REPLIED, " \n");
    assert_result(2, CHAT_TRUNCATED, "");
    assert_int_equal(strlen(talk.prompts[2].text), 0);
    assert_int_equal(talk.prompts[3].result, CHAT_TRUNCATED);
    assert_true(strlen(talk.prompts[3].text) > 10);
    assert_result(4, CHAT_FILTERED, "_reason is ");
    assert_result(5, CHAT_FAILED, "HTTP 500: broken (tried 3 times)");
    assert_result(6, CHAT_FAILED, "HTTP 400: bad thing [31mhere");
    assert_int_equal(talk.prompts[7].result, CHAT_REPLIED);
    talk_clear();
}

static void outcomes_are_the_services_own(void **state)
{
    (void)state;
    answer_as("openai:");
    answer_as("anthropic:");
    ask("fault:refusal");
    ask("fault:filter400");
    assert_ok(answer_by("openai:"));
    assert_result(0, CHAT_FILTERED, "the service refused: No.");
    assert_result(1, CHAT_FILTERED, "HTTP 400 content_filter: flagged");
}

static void faults_pass(void **state)
{
    (void)state;
    for (int i = 0; i < FAULT_PASSING_COUNT; i++) {
        char text[64];
        snprintf(text, sizeof text, "fault:%s:2", fault_passing[i]);
        ask(text);
    }
    assert_ok(answer_by("openai:"));
    for (int i = 0; i < talk.count; i++)
        assert_int_equal(talk.prompts[i].result, CHAT_REPLIED);
    /* A slow body is none. */
    assert_int_equal(server.requests, 3 * FAULT_PASSING_COUNT - 2);
}

static void faults_that_stay_are_failures_with_reasons(void **state)
{
    (void)state;
    talk.options.retries = 0;
    talk.options.timeout_seconds = 0.3;
    ask("fine");
    ask("fault:half");
    ask("fault:type");
    ask("fault:nochoices");
    ask("fault:partial");
    ask("fault:hang");
    ask("fault:huge");
    ask("fault:close");
    assert_ok(answer_by("openai:"));
    assert_int_equal(talk.prompts[0].result, CHAT_REPLIED);
    assert_result(1, CHAT_FAILED, "the answer: line 1");
    assert_result(2, CHAT_FAILED, "text/html, not application/json");
    assert_result(3, CHAT_FAILED, "no choices");
    assert_result(4, CHAT_FAILED, "");
    assert_result(5, CHAT_FAILED, "timed out");
    assert_result(6, CHAT_FAILED, "longer than 8 MiB");
    assert_result(7, CHAT_FAILED, "mpty reply from server");
    assert_int_equal(talk.calls, 8);
}

static void what_no_prompt_survives_stops_the_chat(void **state)
{
    (void)state;
    static const char *const texts[] = {"fault:quota", "fault:404", "fault:model",
                                        "fault:redirect"};
    static const char *const words[] = {"used up: no money", "no such model",
                                        "model 'm': HTTP 400: model 'm' not found",
                                        "redirect"};
    for (int i = 0; i < 4; i++) {
        ask(texts[i]);
        assert_int_equal(answer_by("openai:"), STATUS_IO);
        assert_message(words[i]);
        assert_int_equal(talk.calls, 0);
        talk_clear();
    }
    talk.options.retries = 0;
    for (int i = 0; i < 30; i++)
        ask("fault:503");
    assert_int_equal(answer_by("openai:"), STATUS_IO);
    assert_message("20 requests in a row failed");
    assert_int_equal(talk.calls, 0); /* a service that is down is no outcome */
    talk_clear();
    ask("anyone there?");
    assert_int_equal(chat_open_hosted(&talk.chat, "openai:http://127.0.0.1:1/v1#m",
                                      &no_backend, &talk.options, &error),
                     STATUS_OK);
    assert_int_equal(chat_answer(talk.chat, talk.prompts, 1, count_call, NULL, &error),
                     STATUS_IO);
    assert_message("cannot be reached");
}

/* Stops the server after the second reply: all is quiet then, as one asks at a time. */
static enum status stop_server_after_two(void *context, struct chat_prompt *prompt,
                                         struct error *failure)
{
    (void)context;
    (void)prompt;
    (void)failure;
    if (++talk.calls == 2)
        fault_server_stop(&server);
    return STATUS_OK;
}

static enum status answer_while_the_server_dies(void)
{
    char model[64];
    snprintf(model, sizeof model, "openai:http://127.0.0.1:%d/v1#m", server.port);
    talk.options.concurrency = 1;
    talk.options.retries = 0;
    error = (struct error){0};
    assert_ok(chat_open_hosted(&talk.chat, model, &no_backend, &talk.options, &error));
    return chat_answer(talk.chat, talk.prompts, (size_t)talk.count, stop_server_after_two,
                       NULL, &error);
}

static void a_server_that_died_is_no_outcome(void **state)
{
    (void)state;
    const uint16_t port = server.port;
    for (int i = 0; i < 5; i++)
        ask("Hello again");
    assert_int_equal(answer_while_the_server_dies(), STATUS_IO);
    assert_message("cannot be reached any more");
    assert_int_equal(talk.calls, 2);
    for (int i = 2; i < 5; i++)
        assert_null(talk.prompts[i].text);
    talk_clear();
    assert_true(fault_server_start_at(&server, 0, port));
}

static void *start_server_again(void *port)
{
    usleep(100000);
    while (!fault_server_start_at(&server, 0, *(const uint16_t *)port))
        usleep(10000);
    return NULL;
}

/* Each connection that fails is half a second's pause for all: of 15 jobs some find the
 * server again, and then all do. */
static void who_found_nobody_there_starts_over_when_it_is_back(void **state)
{
    (void)state;
    static uint16_t port;
    pthread_t thread;
    port = server.port;
    ask("Hello again");
    ask("Hello again");
    assert_ok(answer_while_the_server_dies());
    assert_int_equal(pthread_create(&thread, NULL, start_server_again, &port), 0);
    for (int i = 0; i < 15; i++)
        ask("Are you back?");
    assert_ok(chat_answer(talk.chat, talk.prompts + 2, 15, count_call, NULL, &error));
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 2; i < 17; i++)
        assert_int_equal(talk.prompts[i].result, CHAT_REPLIED);
    assert_int_equal(talk.calls, 17);
}

static void a_service_that_never_replied_is_no_outcome(void **state)
{
    (void)state;
    talk.options.retries = 0;
    ask("fault:503");
    ask("fault:503");
    assert_int_equal(answer_by("openai:"), STATUS_IO);
    assert_message("nothing was answered, at last with: HTTP 503: broken; try again when");
    assert_int_equal(talk.calls, 0);
    talk_clear();
    ask("fine");
    ask("fault:503");
    assert_ok(answer_by("openai:"));
    assert_int_equal(talk.prompts[0].result, CHAT_REPLIED);
    assert_result(1, CHAT_FAILED, "HTTP 503: broken");
}

static void packed_answers_are_unpacked(void **state)
{
    (void)state;
    ask("fault:packed");
    assert_ok(answer_by("openai:"));
    assert_int_equal(talk.prompts[0].result, CHAT_REPLIED);
}

static void retry_after_is_obeyed(void **state)
{
    (void)state;
    ask("fault:429wait:1");
    ask("fault:429later:1");
    const double start = clock_seconds();
    assert_ok(answer_by("openai:"));
    const double seconds = clock_seconds() - start;
    assert_int_equal(talk.prompts[1].result, CHAT_REPLIED);
    /* A date is whole seconds: two from now are more than one. */
    assert_true(seconds > 1.0);
}

static void bodies_say_what_was_asked(void **state)
{
    (void)state;
    ask_with_system("Be brief.", "show body \x01 \"quoted\" \xff");
    talk.prompts[0].top_p = 0.5;
    assert_ok(answer_by("openai:"));
    assert_string_equal(
        talk.prompts[0].text,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"user\",\"content\":\"show body \\u0001 \\\"quoted\\\" "
        "\xEF\xBF\xBD\"}],"
        "\"max_tokens\":20,\"temperature\":1,\"top_p\":0.5,\"seed\":1911817016}");
    talk_clear();
    ask_with_system("Be brief.", "show body");
    assert_ok(answer_by("anthropic:"));
    assert_string_equal(talk.prompts[0].text,
                        "{\"model\":\"m\",\"max_tokens\":20,\"system\":\"Be brief.\","
                        "\"messages\":[{\"role\":\"user\",\"content\":\"show body\"}],"
                        "\"temperature\":1}");
    talk_clear();
    talk.options.reasoning = true;
    ask_with_system("Be brief.", "show body");
    assert_ok(answer_by("openai:"));
    assert_non_null(strstr(talk.prompts[0].text,
                           "{\"role\":\"user\",\"content\":\"Be brief.\\n\\nshow body\"}],"
                           "\"max_completion_tokens\":20,\"seed\""));
}

static void the_services_own_error_adapts_once(void **state)
{
    (void)state;
    talk.options.concurrency = 1;
    for (int i = 0; i < 4; i++)
        ask_with_system("S", "fault:tokens show body");
    ask_with_system("S", "fault:temperature show body");
    ask_with_system("S", "fault:system show body");
    assert_ok(answer_by("openai:"));
    for (int i = 0; i < talk.count; i++)
        assert_result(i, CHAT_REPLIED, "\"max_completion_tokens\":20");
    assert_null(strstr(talk.prompts[5].text, "temperature\":"));
    assert_non_null(strstr(talk.prompts[5].text, "S\\n\\nfault:system"));
    assert_int_equal(server.requests, 6 + 3);
}

static void ceilings_hold_before_money_is_spent(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        ask("Hello");
    talk.options.max_requests = 7;
    assert_int_equal(answer_by("openai:"), STATUS_LIMIT);
    assert_message("--max-requests 7 is reached");
    assert_int_equal(server.requests, 7);
    assert_int_equal(talk.calls, 7);
    talk_clear();

    for (int i = 0; i < 50; i++)
        ask("Hello");
    talk.options.max_requests = 0;
    talk.options.max_total_tokens = 300;
    assert_int_equal(answer_by("openai:"), STATUS_LIMIT);
    assert_message("--max-total-tokens 300");
    assert_true(talk.calls > 4 && talk.calls <= 300 / 10);
    talk_clear();

    talk.options.max_total_tokens = 0;
    talk.options.max_cost = 1;
    ask("Hello");
    assert_int_equal(answer_by("openai:"), STATUS_USAGE);
    assert_message("--max-cost needs");
    talk_clear();
}

static void no_answer_is_paid_twice(void **state)
{
    (void)state;
    char *first[30];
    talk.options.cache = scratch_folder;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 30; i++)
            ask(i == 3 ? "fault:filter" : i == 4 ? "fault:cut" : "Hello");
        ask("fault:400"); /* failures are not kept */
        assert_ok(answer_by("openai:"));
        assert_int_equal(talk.calls, 31);
        for (int i = 0; i < 30; i++) {
            if (round == 0)
                first[i] = memory_duplicate_string(talk.prompts[i].text);
            else
                assert_string_equal(first[i], talk.prompts[i].text);
            assert_int_equal(chat_knows(talk.chat, &talk.prompts[i]), true);
        }
        assert_int_equal(talk.prompts[3].result, CHAT_FILTERED);
        assert_int_equal(talk.prompts[4].result, CHAT_TRUNCATED);
        assert_int_equal(talk.prompts[5].reply_tokens, 10);
        assert_int_equal(server.requests, 31 + round);
        talk_clear();
    }
    ask("Hello");
    talk.prompts[0].temperature = 0.5;
    assert_ok(answer_by("openai:"));
    assert_int_equal(server.requests, 33);
    for (int i = 0; i < 30; i++)
        free(first[i]);
}

static void concurrency_grows_to_its_limit(void **state)
{
    (void)state;
    talk.options.concurrency = 24;
    for (int i = 0; i < 300; i++)
        ask("fault:slow");
    assert_ok(answer_by("openai:"));
    assert_true(server.under_way_most >= 20 && server.under_way_most <= 24);
}

static void keys_are_sent_and_never_shown(void **state)
{
    (void)state;
    server.key = "sk-secret-0123456789";
    ask("fine");
    assert_int_equal(answer_by("openai:"), STATUS_IO);
    assert_message("wants a key; set OPENAI_API_KEY");
    talk_clear();
    setenv("OPENAI_API_KEY", "sk-secret-0123456789", 1);
    ask("fine");
    ask("fault:leak");
    assert_ok(answer_by("openai:"));
    assert_int_equal(talk.prompts[0].result, CHAT_REPLIED);
    assert_result(1, CHAT_FAILED, "HTTP 400: Bearer ****");
    assert_null(strstr(talk.prompts[1].text, "secret"));
    talk_clear();
    ask("fault:echo");
    assert_ok(answer_by("openai:"));
    assert_result(0, CHAT_REPLIED, "Bearer ********************");
    assert_null(strstr(talk.prompts[0].text, "secret"));
    talk_clear();
    char own[64];
    snprintf(own, sizeof own, "HOLDFAST_KEY_127_0_0_1_%d", server.port);
    setenv("OPENAI_API_KEY", "sk-of-another-house", 1);
    setenv(own, "sk-secret-0123456789", 1);
    ask("fine");
    assert_ok(answer_by("openai:"));
    talk_clear();
    setenv(own, "", 1);
    ask("fine");
    assert_int_equal(answer_by("openai:"), STATUS_IO);
    assert_message("wants a key; set ");
    assert_message(own);
    talk_clear();
    unsetenv(own);
    setenv("OPENAI_API_KEY", "bad\r\nX-Other: 1", 1);
    assert_int_equal(answer_by("openai:"), STATUS_USAGE);
    assert_null(strstr(error.message, "bad"));
    unsetenv("OPENAI_API_KEY");
}

static void urls_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool insecure;
        const char *url; /* NULL: refused */
    } cases[] = {
        {"http://localhost:8000#m", false, "http://localhost:8000/v1/chat/completions"},
        {"http://127.9.9.9/v1/#m", false, "http://127.9.9.9/v1/chat/completions"},
        {"http://[::1]:80/x#m", false, "http://[::1]:80/x/chat/completions"},
        {"https://a.example/v1/chat/completions#org/m", false,
         "https://a.example/v1/chat/completions"},
        {"http://a.example/v1#m", false, NULL},
        {"http://a.example/v1#m", true, "http://a.example/v1/chat/completions"},
        {"http://127.0.0.1.example/#m", false, NULL},
        {"http://localhost@a.example/#m", true, NULL},
        {"https://me:word@a.example/#m", false, NULL},
        {"https://a.example/v1?key=1#m", false, NULL},
        {"ftp://a.example/#m", true, NULL},
        {"file:///etc/passwd#m", true, NULL},
        {"https://a.example/v1", false, NULL},
        {"https://a.example/v1#", false, NULL},
        {"https://a b/#m", false, NULL},
        {"#m", false, NULL},
        {"a.example#m", false, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct service_target target;
        const enum status status = service_target_parse(
            &target, &service_openai, cases[i].text, cases[i].insecure, &error);
        if ((status == STATUS_OK) != (cases[i].url != NULL))
            fail_msg("%s: %d", cases[i].text, status);
        if (cases[i].url)
            assert_string_equal(target.url, cases[i].url);
        else
            assert_int_equal(status, STATUS_USAGE);
        assert_null(strstr(error.message, "me:word"));
        service_target_release(&target);
    }
}

static void pacing_grows_and_halves(void **state)
{
    (void)state;
    struct pacing pacing;
    pacing_init(&pacing, 64);
    assert_int_equal(pacing.limit, 4);
    for (int i = 0; i < 4 + 8 + 16 + 32; i++)
        pacing_note(&pacing, PACING_GOOD);
    assert_int_equal(pacing.limit, 64);
    for (int i = 0; i < 64; i++) /* a fifth of faults costs nothing */
        pacing_note(&pacing, i % 5 ? PACING_GOOD : PACING_FAULT);
    assert_int_equal(pacing.limit, 64);
    for (int i = 0; i < 64 + 32 + 16; i++)
        pacing_note(&pacing, PACING_BUSY);
    assert_int_equal(pacing.limit, 8);
    for (int i = 0; i < 8; i++)
        pacing_note(&pacing, PACING_GOOD);
    assert_int_equal(pacing.limit, 10);
    for (int i = 0; i < 100; i++)
        pacing_note(&pacing, PACING_BUSY);
    assert_int_equal(pacing.limit, 1);
    pacing_pause(&pacing, 100, 5);
    pacing_pause(&pacing, 100, 1e9);
    assert_true(pacing.pause_until_seconds == 100 + RETRY_AFTER_LIMIT_SECONDS);
}

static void backoff_doubles_with_seeded_jitter(void **state)
{
    (void)state;
    static const double longest[] = {0.5, 1, 2, 4, 8, 16, 30, 30};
    for (int64_t tries = 1; tries <= 8; tries++) {
        struct random one = random_stream(1, 2);
        struct random other = one;
        const double wait = backoff_seconds(tries, 0, &one);
        assert_true(wait >= longest[tries - 1] / 2 && wait < longest[tries - 1]);
        assert_true(wait == backoff_seconds(tries, 0, &other));
    }
    struct random random = random_stream(1, 2);
    assert_true(backoff_seconds(1, 7, &random) == 7);
    assert_true(backoff_seconds(1, 1e9, &random) == RETRY_AFTER_LIMIT_SECONDS);
}

#define TALK(name) cmocka_unit_test_setup_teardown(name, talk_make, talk_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TALK(outcomes_are_the_services_own),
        TALK(faults_pass),
        TALK(faults_that_stay_are_failures_with_reasons),
        TALK(what_no_prompt_survives_stops_the_chat),
        TALK(a_server_that_died_is_no_outcome),
        TALK(who_found_nobody_there_starts_over_when_it_is_back),
        TALK(a_service_that_never_replied_is_no_outcome),
        TALK(packed_answers_are_unpacked),
        TALK(retry_after_is_obeyed),
        TALK(bodies_say_what_was_asked),
        TALK(the_services_own_error_adapts_once),
        TALK(ceilings_hold_before_money_is_spent),
        TALK(no_answer_is_paid_twice),
        TALK(concurrency_grows_to_its_limit),
        TALK(keys_are_sent_and_never_shown),
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(pacing_grows_and_halves),
        cmocka_unit_test(backoff_doubles_with_seeded_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
