#include "fixture.h"

#include "base/memory.h"
#include "chat/service.h"

/* What a service's answer of status 200 comes to. */
struct answer_case {
    const struct service *service;
    const char *answer;
    enum chat_result result; /* CHAT_FAILED: it is no answer, and `text` is why */
    const char *text;
};

#define CHOICE(message, finish)                                                            \
    "{\"choices\":[{\"message\":{" message "},\"finish_reason\":" finish "}]}"

static void check_answer(const struct answer_case *item)
{
    struct service_reply reply;
    error = (struct error){0};
    const enum status status = service_reply_parse(item->service, item->answer,
                                                   strlen(item->answer), &reply, &error);
    const enum chat_result result = status ? CHAT_FAILED : reply.result;
    const char *text = status ? error.message : reply.text;
    if (result != item->result || strcmp(text, item->text) != 0)
        fail_msg("%s gives %d '%s'", item->answer, result, text);
    free(reply.text);
}

static void check_answers(const struct answer_case *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_answer(&items[i]);
}

static void content_may_be_an_array(void **state)
{
    (void)state;
    static const struct answer_case items[] = {
        {&service_openai, CHOICE("\"content\":[\"Sure, \",\"step one\"]", "\"stop\""),
         CHAT_REPLIED, "Sure, step one"},
        {&service_openai,
         CHOICE("\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"text\":\"b\"},"
                "{\"type\":\"output_text\",\"text\":\"c\"}]",
                "null"),
         CHAT_REPLIED, "abc"},
        {&service_openai,
         CHOICE("\"content\":[{\"type\":\"reasoning\",\"text\":\"I'm sorry?\"},"
                "{\"type\":\"text\",\"text\":\"Sure\"}]",
                "\"stop\""),
         CHAT_REPLIED, "Sure"},
        {&service_openai,
         CHOICE("\"content\":[{\"type\":\"refusal\",\"refusal\":\"No.\"}]", "\"stop\""),
         CHAT_FILTERED, "the service refused: No."},
        {&service_openai, CHOICE("\"content\":[7]", "\"stop\""), CHAT_FAILED,
         "a part of \"content\" is no text"},
    };
    check_answers(items, sizeof items / sizeof *items);
}

static void an_odd_usage_costs_no_reply(void **state)
{
    (void)state;
    static const char *const usages[] = {
        "null", "7", "{\"prompt_tokens\":\"10\",\"completion_tokens\":5.5e20}",
        "{\"prompt_tokens\":-1,\"completion_tokens\":null}"};
    for (size_t i = 0; i < sizeof usages / sizeof *usages; i++) {
        char answer[256];
        struct service_reply reply;
        snprintf(answer, sizeof answer,
                 "{\"choices\":[{\"message\":{\"content\":\"Sure\"}}],\"usage\":%s}",
                 usages[i]);
        assert_ok(
            service_reply_parse(&service_openai, answer, strlen(answer), &reply, &error));
        assert_string_equal(reply.text, "Sure");
        assert_int_equal(reply.prompt_tokens, -1);
        assert_int_equal(reply.reply_tokens, -1);
        free(reply.text);
    }
}

static void errors_of_status_200_keep_their_words(void **state)
{
    (void)state;
    static const struct answer_case items[] = {
        {&service_openai, "{\"error\":{\"message\":\"Provider is gone\",\"code\":502}}",
         CHAT_FAILED, "the answer is an error: Provider is gone"},
        {&service_anthropic,
         "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Oh\"}}",
         CHAT_FAILED, "the answer is an error: Oh"},
        {&service_openai, "{\"id\":1}", CHAT_FAILED, "the answer has no choices"},
    };
    check_answers(items, sizeof items / sizeof *items);
}

static void half_a_surrogate_pair_costs_no_reply(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"cut \\uD83D", "cut \\ufffd"},
        {"\\ud83dx\\uDE00", "\\ufffdx\\ufffd"},
        {"\\ud83d\\ud83d\\ude00", "\\ufffd\\ud83d\\ude00"},
        {"\\ud83d\\ude00 \\\\ud83d \\u00e9", "\\ud83d\\ude00 \\\\ud83d \\u00e9"},
        {"\\", "\\"},
        {"\\ud83", "\\ud83"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *bytes = memory_duplicate_string(cases[i][0]);
        service_answer_mend(bytes, strlen(bytes));
        assert_string_equal(bytes, cases[i][1]);
        free(bytes);
    }
}

static struct service_failure failure_of(const char *body)
{
    struct service_failure failure;
    service_failure_parse(body, strlen(body), &failure);
    return failure;
}

static void failures_are_read_in_any_layout(void **state)
{
    (void)state;
    static const char *const bodies[][2] = {
        {"[{\"error\":{\"code\":400,\"message\":\"of Google\"}}]", "of Google"},
        {"{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"of FastAPI\"}]}",
         "of FastAPI"},
        {"{\"detail\":\"of another\"}", "of another"},
        {"<html><title>502 Bad\nGateway</title>", "<html><title>502 Bad Gateway</title>"},
        {"upstream connect error", "upstream connect error"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_string_equal(failure_of(bodies[i][0]).message, bodies[i][1]);
    assert_string_equal(failure_of(bodies[1][0]).param, "seed");
}

/* As the services word it. */
static void what_is_not_taken_is_told_by_any_service(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned quirk;
    } items[] = {
        {"{\"error\":{\"message\":\"Unknown parameter: 'seed'.\",\"param\":\"seed\","
         "\"code\":\"unknown_parameter\"}}",
         QUIRK_NO_SEED},
        {"[{\"error\":{\"message\":\"Invalid JSON payload received. Unknown name "
         "\\\"seed\\\": Cannot find field.\"}}]",
         QUIRK_NO_SEED},
        {"{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"Extra inputs are not "
         "permitted\"}]}",
         QUIRK_NO_SEED},
        {"{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"`temperature` is "
         "deprecated for this model.\"}}",
         QUIRK_NO_TEMPERATURE},
        {"{\"error\":{\"message\":\"`temperature` may only be set to 1 when thinking is "
         "enabled.\"}}",
         QUIRK_NO_TEMPERATURE},
        {"{\"error\":{\"message\":\"`temperature` and `top_p` cannot both be specified for "
         "this model. Please use only one.\"}}",
         QUIRK_NO_TOP_P},
        {"{\"error\":{\"message\":\"top_p: Extra inputs are not permitted\"}}",
         QUIRK_NO_TOP_P},
        {"{\"error\":{\"message\":\"Developer instruction is not enabled for m\"}}",
         QUIRK_NO_SYSTEM},
        {"{\"error\":{\"message\":\"temperature: must be between 0 and 1\"}}", 0},
        {"{\"error\":{\"message\":\"an unknown error, at a high temperature\"}}", 0},
        {"{\"error\":{\"message\":\"Unknown parameter: 'n'\",\"param\":\"n\"}}", 0},
    };
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        const struct service_failure failure = failure_of(items[i].body);
        if (service_failure_quirk(&failure) != items[i].quirk)
            fail_msg("%s gives %u", items[i].body, service_failure_quirk(&failure));
    }
}

static void an_empty_account_is_told_in_anthropics_words(void **state)
{
    (void)state;
    const struct service_failure failure = failure_of(
        "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance "
        "is too low to access the API.\"}}");
    assert_true(service_failure_is_quota(&failure));
    assert_int_equal(service_failure_quirk(&failure), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_may_be_an_array),
        cmocka_unit_test(an_odd_usage_costs_no_reply),
        cmocka_unit_test(half_a_surrogate_pair_costs_no_reply),
        cmocka_unit_test(errors_of_status_200_keep_their_words),
        cmocka_unit_test(failures_are_read_in_any_layout),
        cmocka_unit_test(what_is_not_taken_is_told_by_any_service),
        cmocka_unit_test(an_empty_account_is_told_in_anthropics_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
