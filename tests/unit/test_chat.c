#include "fixture.h"

#include "base/json.h"
#include "base/random.h"
#include "chat/chat.h"
#include "chat/thoughts.h"
#include "model/transformer.h"
#include "text/bpe_trainer.h"
#include "text/chat_template.h"

/* A random model of 64 positions with a tokenizer of bytes, in the scratch folder. */
static const struct backend_options one_thread = {.thread_count = 1};

static const struct architecture tiny = {
    .model_type = "llama",
    .layer_count = 2,
    .channels = 16,
    .feed_forward = 24,
    .heads = 2,
    .key_value_heads = 1,
    .head_size = 8,
    .vocabulary = 264,
    .position_limit = 64,
    .norm_epsilon = 1e-5,
    .rope_theta = 10000,
    .initializer_range = 0.3,
    .tied_embeddings = true,
    .bos_token = -1,
};

static void tokenizer_write(void)
{
    static const char *const special[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    struct text_buffer json = {0};
    struct text_buffer config = {0};
    struct bpe_trainer *trainer = bpe_trainer_create();
    bpe_trainer_add_text(trainer, "user assistant user assistant", 29);
    assert_ok(bpe_trainer_finish(trainer, 262, special, 3, &json, &error));
    bpe_trainer_free(trainer);
    scratch_file("tokenizer.json", text_buffer_string(&json));
    struct json_writer writer = {.out = &config};
    json_object_begin(&writer, NULL);
    json_string(&writer, "eos_token", "<|im_end|>");
    json_string(&writer, "chat_template", chat_template_chatml_source());
    json_object_end(&writer);
    scratch_file("tokenizer_config.json", text_buffer_string(&config));
    text_buffer_release(&json);
    text_buffer_release(&config);
}

static void model_write(uint64_t seed)
{
    struct backend *backend;
    struct transformer *model;
    struct text_buffer config = {0};
    architecture_print_json(&tiny, DTYPE_F32, &config);
    scratch_file("config.json", text_buffer_string(&config));
    text_buffer_release(&config);
    remove(scratch_path("model.safetensors"));
    assert_ok(backend_open(&backend, &one_thread, &error));
    assert_ok(transformer_create(&model, backend, &tiny, seed, MASTERS_KEPT, &error));
    assert_ok(transformer_write_weights(model, scratch_folder, DTYPE_F32, &error));
    transformer_free(model);
    backend_close(backend);
}

static int chat_make(void **state)
{
    if (scratch_make(state))
        return -1;
    tokenizer_write();
    model_write(1);
    struct chat *chat;
    assert_ok(chat_open(&chat, scratch_folder, &one_thread, &error));
    *state = chat;
    return 0;
}

static int chat_remove(void **state)
{
    chat_close(*state);
    return scratch_remove(state);
}

static const struct message short_message = {.role = "user", .content = "Hi"};
static const struct message long_message = {
    .role = "user",
    .content = "This goes on and on, far beyond the few positions that the model has."};

static struct chat_prompt prompt_of(const struct message *message, uint64_t stream)
{
    return (struct chat_prompt){.messages = message,
                                .message_count = 1,
                                .seed = 1,
                                .stream = stream,
                                .temperature = 1,
                                .top_p = 1,
                                .token_limit = 12};
}

struct calls {
    int count;
    int refuse_from; /* calls from this one on fail; 0: none */
};

static enum status count_call(void *context, struct chat_prompt *prompt,
                              struct error *failure)
{
    struct calls *calls = context;
    assert_non_null(prompt->text);
    calls->count++;
    if (calls->refuse_from && calls->count >= calls->refuse_from)
        return error_set(failure, STATUS_IO, "the disk is full");
    return STATUS_OK;
}

static void a_reply_depends_on_its_prompt_and_stream_alone(void **state)
{
    enum { COUNT = 9 };
    struct chat *chat = *state;
    struct chat_prompt together[COUNT];
    for (uint64_t i = 0; i < COUNT; i++)
        together[i] = prompt_of(&short_message, i);
    chat_set_batch_limit(chat, 4);
    assert_ok(chat_answer(chat, together, COUNT, NULL, NULL, &error));
    int different = 0;
    for (uint64_t i = COUNT; i-- > 0;) {
        struct chat_prompt alone = prompt_of(&short_message, i);
        assert_ok(chat_answer(chat, &alone, 1, NULL, NULL, &error));
        assert_string_equal(alone.text, together[i].text);
        assert_int_equal(alone.reply_tokens, together[i].reply_tokens);
        different += strcmp(alone.text, together[0].text) != 0;
        chat_prompt_release(&alone);
    }
    assert_true(different > 0);
    for (int i = 0; i < COUNT; i++)
        chat_prompt_release(&together[i]);
}

/* As DeepSeek-R1's: its template writes the tag that its thoughts begin with. */
static void thoughts_that_the_template_opens_are_thoughts(void **state)
{
    (void)state;
    struct chat *chat;
    struct text_buffer config = {0};
    struct json_writer writer = {.out = &config};
    struct chat_prompt prompt = prompt_of(&short_message, 1);
    json_object_begin(&writer, NULL);
    json_string(&writer, "eos_token", "<|im_end|>");
    json_string(
        &writer, "chat_template",
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n"
        "{% endif %}");
    json_object_end(&writer);
    scratch_file("tokenizer_config.json", text_buffer_string(&config));
    text_buffer_release(&config);
    assert_ok(chat_open(&chat, scratch_folder, &one_thread, &error));
    assert_ok(chat_answer(chat, &prompt, 1, NULL, NULL, &error));
    assert_true(text_starts_with(prompt.text, "<think>\n"));
    assert_string_equal(reply_after_thoughts(prompt.text), "");
    chat_prompt_release(&prompt);
    chat_close(chat);
}

static void a_prompt_that_is_too_long_fails_alone(void **state)
{
    struct calls calls = {0};
    struct chat_prompt prompts[3] = {prompt_of(&short_message, 1),
                                     prompt_of(&long_message, 2),
                                     prompt_of(&short_message, 3)};
    prompts[0].token_limit = 1; /* one token of 264, and hardly the end of the turn */
    assert_ok(chat_answer(*state, prompts, 3, count_call, &calls, &error));
    assert_int_equal(calls.count, 3);
    assert_int_equal(prompts[1].result, CHAT_FAILED);
    assert_non_null(strstr(prompts[1].text, "the model takes 64 at most"));
    assert_int_equal(prompts[0].result, CHAT_TRUNCATED);
    assert_int_equal(prompts[0].reply_tokens, 1);
    assert_true(prompts[2].result == CHAT_REPLIED || prompts[2].result == CHAT_TRUNCATED);
    assert_true(prompts[2].prompt_tokens > 0 && prompts[2].reply_tokens <= 12);
    for (int i = 0; i < 3; i++)
        chat_prompt_release(&prompts[i]);
}

static void what_done_refuses_is_passed_on(void **state)
{
    struct calls calls = {.refuse_from = 2};
    struct chat_prompt prompts[4];
    for (uint64_t i = 0; i < 4; i++)
        prompts[i] = prompt_of(&short_message, i);
    assert_int_equal(chat_answer(*state, prompts, 4, count_call, &calls, &error),
                     STATUS_IO);
    assert_string_equal(error.message, "the disk is full");
    assert_int_equal(calls.count, 2); /* not called again */
    for (int i = 0; i < 4; i++)
        chat_prompt_release(&prompts[i]);
}

static void the_fingerprint_is_that_of_weights_and_tokenizer(void **state)
{
    struct chat *again;
    struct chat *other;
    const char *fingerprint = chat_fingerprint(*state);
    assert_int_equal(strlen(fingerprint), 64);
    assert_ok(chat_open(&again, scratch_folder, &one_thread, &error));
    assert_string_equal(chat_fingerprint(again), fingerprint);
    assert_string_equal(chat_name(again), scratch_folder);
    chat_close(again);
    model_write(2);
    assert_ok(chat_open(&other, scratch_folder, &one_thread, &error));
    assert_string_not_equal(chat_fingerprint(other), fingerprint);
    chat_close(other);
}

/* Lines of a stored run; `stream` below is that of eval's attempts. */
static const char stored_run[] =
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":1,\"prompt\":\"Hi\","
    "\"response\":\"Sure.\",\"outcome\":\"complied\",\"judges\":{},\"tokens\":3}\n"
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":2,\"prompt\":\"Hi\","
    "\"response\":\"Su\",\"outcome\":\"complied\",\"truncated\":true,\"judges\":{}}\n"
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":3,\"prompt\":\"Hi\","
    "\"response\":\"\",\"outcome\":\"target_error\",\"error\":\"HTTP 500\",\"judges\":{}}\n"
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":4,\"prompt\":\"Hi\","
    "\"response\":\"\",\"outcome\":\"filtered\",\"error\":\"by them\",\"judges\":{}}\n"
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":5,\"prompt\":\"Ho\","
    "\"response\":\"Sure.\",\"outcome\":\"complied\",\"judges\":{}}\n"
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":1,\"prompt\":\"Hi\","
    "\"response\":\"Again.\",\"outcome\":\"complied\",\"judges\":{}}\n"
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":7,\"prompt\":\"Hi\","
    "\"response\":\"\",\"outcome\":\"target_error\",\"error\":\"HTTP 500\",\"judges\":{}}\n"
    "{\"set\":\"harmful\",\"attack\":\"past\",\"index\":4,\"attempt\":7,\"prompt\":\"Hi\","
    "\"response\":\"At last.\",\"outcome\":\"complied\",\"judges\":{}}\n"
    "{\"set\":\"harm";

static void stored_replies_are_found_by_their_attempt(void **state)
{
    (void)state;
    static const struct {
        enum chat_result result;
        const char *text;
    } wanted[] = {
        {CHAT_REPLIED, "Sure."},
        {CHAT_TRUNCATED, "Su"},
        {CHAT_FAILED, "HTTP 500"},
        {CHAT_FILTERED, "by them"},
        {CHAT_FAILED, "the stored run asked something else in this attempt"},
        {CHAT_FAILED, "the stored run does not hold this attempt"},
        {CHAT_REPLIED, "At last."},
    };
    enum { COUNT = 7 };
    struct chat *chat;
    struct calls calls = {0};
    struct chat_prompt prompts[COUNT];
    char model[128];
    scratch_file("attempts.jsonl", stored_run);
    snprintf(model, sizeof model, "replay:%s", scratch_folder);
    assert_ok(chat_open(&chat, model, &one_thread, &error));
    for (uint64_t i = 0; i < COUNT; i++)
        prompts[i] = prompt_of(&short_message, random_stream_of("harmful|past", 4, i + 1));
    assert_ok(chat_answer(chat, prompts, COUNT, count_call, &calls, &error));
    assert_int_equal(calls.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(prompts[i].result, wanted[i].result);
        assert_string_equal(prompts[i].text, wanted[i].text);
        chat_prompt_release(&prompts[i]);
    }
    assert_int_equal(prompts[0].reply_tokens, 3);
    assert_int_equal(strlen(chat_fingerprint(chat)), 64);
    chat_close(chat);

    scratch_file("attempts.jsonl", "{\"set\":1}\n");
    assert_int_equal(chat_open(&chat, model, &one_thread, &error), STATUS_FORMAT);
    assert_message("attempts.jsonl: line 1");
}

static void models_that_are_not_there_are_refused(void **state)
{
    (void)state;
    struct chat *chat;
    assert_int_equal(chat_open(&chat, "replay:/nowhere", &one_thread, &error), STATUS_IO);
    assert_null(chat);
    assert_message("/nowhere/attempts.jsonl");
    assert_int_equal(chat_open(&chat, "openai:http://x", &one_thread, &error),
                     STATUS_USAGE);
    assert_null(chat);
    assert_int_equal(chat_open(&chat, "/nowhere", &one_thread, &error), STATUS_IO);
    assert_message("/nowhere: no such folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reply_depends_on_its_prompt_and_stream_alone,
                                        chat_make, chat_remove),
        cmocka_unit_test_setup_teardown(thoughts_that_the_template_opens_are_thoughts,
                                        chat_make, chat_remove),
        cmocka_unit_test_setup_teardown(a_prompt_that_is_too_long_fails_alone, chat_make,
                                        chat_remove),
        cmocka_unit_test_setup_teardown(what_done_refuses_is_passed_on, chat_make,
                                        chat_remove),
        cmocka_unit_test_setup_teardown(the_fingerprint_is_that_of_weights_and_tokenizer,
                                        chat_make, chat_remove),
        cmocka_unit_test_setup_teardown(stored_replies_are_found_by_their_attempt,
                                        scratch_make, scratch_remove),
        cmocka_unit_test(models_that_are_not_there_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
