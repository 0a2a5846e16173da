#include "fixture.h"

#include "text/bpe_trainer.h"
#include "train/dataset.h"

static struct tokenizer *tokenizer;
static struct chat_template *chat_template;

static const char *const chats =
    "{\"id\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"},"
    "{\"role\":\"assistant\",\"content\":\"hello you\"}]}\n"
    "{\"id\":\"two\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
    "{\"role\":\"assistant\",\"content\":\"the "
    "thing\"},{\"role\":\"user\",\"content\":\"more\"},"
    "{\"role\":\"assistant\",\"content\":\"<|im_end|> is text\"}]}\n"
    "{\"id\":\"three\",\"split\":\"validation\",\"messages\":[{\"role\":\"user\","
    "\"content\":\"x\"},"
    "{\"role\":\"assistant\",\"content\":\"y\"}]}\n";

static int open_all(void **state)
{
    static const char *const special[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    struct bpe_trainer *trainer = bpe_trainer_create();
    struct text_buffer json = {0};
    bpe_trainer_add_text(trainer, "hello hello there there", 23);
    if (scratch_make(state) ||
        bpe_trainer_finish(trainer, 262, special, 3, &json, &error) ||
        tokenizer_parse(&tokenizer, json.data, json.length, "t", &error) ||
        chat_template_parse(&chat_template, NULL, tokenizer, &error))
        return -1;
    bpe_trainer_free(trainer);
    text_buffer_release(&json);
    return 0;
}

static int close_all(void **state)
{
    chat_template_free(chat_template);
    tokenizer_free(tokenizer);
    return scratch_remove(state);
}

static void build(struct dataset *dataset, const char *text, struct dataset_rules rules)
{
    struct mix mix;
    assert_ok(mix_read(&mix, scratch_file("d.jsonl", text), &error));
    assert_ok(dataset_build(dataset, &mix, tokenizer, chat_template, &rules, &error));
    mix_release(&mix);
}

/* What the model is trained to say, as text. */
static void targets_text(const struct dataset *dataset, int64_t index,
                         struct text_buffer *out)
{
    for (int64_t i = dataset->starts[index]; i < dataset->starts[index + 1]; i++)
        if (dataset->targets[i] >= 0)
            tokenizer_decode(tokenizer, &dataset->targets[i], 1, true, out);
}

static void only_the_assistant_is_trained_on(void **state)
{
    (void)state;
    struct dataset dataset;
    struct text_buffer text = {0};
    build(&dataset, chats, (struct dataset_rules){.split = "train", .max_length = 1000});
    assert_int_equal(dataset.count, 2);
    targets_text(&dataset, 0, &text);
    assert_string_equal(text_buffer_string(&text), "hello you<|im_end|>");
    text_buffer_clear(&text);
    targets_text(&dataset, 1, &text);
    assert_string_equal(text_buffer_string(&text),
                        "the thing<|im_end|><|im_end|> is text<|im_end|>");
    text_buffer_release(&text);

    /* Each target is the next token of the same document; the last token has none. */
    int64_t targets = 0;
    for (int64_t i = 0; i < dataset.token_count; i++)
        if (dataset.targets[i] >= 0) {
            assert_int_equal(dataset.targets[i], dataset.tokens[i + 1]);
            targets++;
        }
    assert_int_equal(targets, dataset.target_count);
    assert_int_equal(dataset.targets[dataset.starts[1] - 1], -1);
    dataset_release(&dataset);
}

static void overlong_examples_are_refused_dropped_or_cut(void **state)
{
    (void)state;
    struct dataset dataset;
    build(&dataset, chats, (struct dataset_rules){.max_length = 1000});
    assert_int_equal(dataset.count, 3);
    const int64_t one = dataset_example_tokens(&dataset, 0);
    const int64_t three = dataset_example_tokens(&dataset, 2);
    assert_true(three < one);
    dataset_release(&dataset);

    struct mix mix;
    struct dataset_rules rules = {.max_length = one - 1};
    assert_ok(mix_read(&mix, scratch_file("d.jsonl", chats), &error));
    assert_int_equal(
        dataset_build(&dataset, &mix, tokenizer, chat_template, &rules, &error),
        STATUS_LIMIT);
    assert_message("example 0 (one)");
    assert_message("--overlong drop");
    rules.overlong = OVERLONG_DROP;
    assert_ok(dataset_build(&dataset, &mix, tokenizer, chat_template, &rules, &error));
    assert_int_equal(dataset.count, 1);
    assert_int_equal(dataset.dropped_count, 2);
    dataset_release(&dataset);
    rules.overlong = OVERLONG_TRUNCATE;
    rules.max_length = one - 2;
    assert_ok(dataset_build(&dataset, &mix, tokenizer, chat_template, &rules, &error));
    assert_int_equal(dataset.truncated_count, 2);
    assert_int_equal(dataset_example_tokens(&dataset, 0), one - 2);
    dataset_release(&dataset);
    rules.max_length = 5; /* the assistant has not yet spoken */
    assert_int_equal(
        dataset_build(&dataset, &mix, tokenizer, chat_template, &rules, &error),
        STATUS_FORMAT);
    assert_message("no token that carries loss once it is truncated");
    mix_release(&mix);
}

static void every_epoch_holds_every_example_once(void **state)
{
    (void)state;
    struct batch_order batches;
    batch_order_init(&batches, 11, 10, 4);
    assert_int_equal(batches.steps_per_epoch, 3);
    int64_t orders[2][10];
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        int seen[10] = {0};
        int64_t n = 0;
        for (int64_t step = 0; step < 3; step++) {
            int64_t count;
            const int64_t *examples = batch_order_step(&batches, 3 * epoch + step, &count);
            assert_int_equal(count, step < 2 ? 4 : 2);
            for (int64_t i = 0; i < count; i++) {
                orders[epoch][n++] = examples[i];
                seen[examples[i]]++;
            }
        }
        for (int i = 0; i < 10; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
    int64_t count; /* going back gives the same again */
    assert_memory_equal(batch_order_step(&batches, 0, &count), orders[0],
                        4 * sizeof(int64_t));
    batch_order_release(&batches);
}

static void packing_stops_at_the_limits(void **state)
{
    (void)state;
    struct dataset dataset;
    struct packed_batch batch;
    const int64_t order[] = {2, 0, 1};
    build(&dataset, chats, (struct dataset_rules){.max_length = 1000});
    const int64_t tokens[] = {dataset_example_tokens(&dataset, 0),
                              dataset_example_tokens(&dataset, 1),
                              dataset_example_tokens(&dataset, 2)};
    packed_batch_init(&batch, dataset.token_count, 3);
    assert_int_equal(dataset_pack(&dataset, order, 3, dataset.token_count, 3, &batch), 3);
    assert_int_equal(batch.token_count, dataset.token_count);
    assert_int_equal(batch.target_count, dataset.target_count);
    assert_int_equal(batch.document_starts[1], tokens[2]);
    assert_int_equal(batch.document_starts[2], tokens[2] + tokens[0]);
    assert_int_equal(batch.positions[tokens[2]], 0);
    assert_int_equal(batch.positions[tokens[2] + tokens[0] - 1], tokens[0] - 1);
    assert_int_equal(batch.tokens[tokens[2]], dataset.tokens[0]);
    assert_int_equal(
        dataset_pack(&dataset, order, 3, tokens[2] + tokens[0] + tokens[1] - 1, 3, &batch),
        2);
    assert_int_equal(dataset_pack(&dataset, order, 3, dataset.token_count, 1, &batch), 1);
    packed_batch_release(&batch);
    dataset_release(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_assistant_is_trained_on),
        cmocka_unit_test(overlong_examples_are_refused_dropped_or_cut),
        cmocka_unit_test(every_epoch_holds_every_example_once),
        cmocka_unit_test(packing_stops_at_the_limits),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
