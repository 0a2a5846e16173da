#include "tests/unit/tokenizer_fixture.h"

#include "text/bpe_trainer.h"

static const char *const special[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
enum { BYTES = 256, SPECIALS = 3 };

/* The example of Sennrich et al. 2016, figure 1: low 5, lower 2, newest 6, widest 3. */
static const struct {
    const char *word;
    int count;
} corpus[] = {{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}};

/* By hand: counts 9 9 7 7 6 6 6 3 3 3 2 2, ties to the smaller ids. */
static const char *const merges[] = {"e s",    "es t",    "l o",     "lo w",
                                     "e w",    "n ew",    "new est", "d est",
                                     "i dest", "w idest", "e r",     "low er"};
enum { MERGES = sizeof merges / sizeof *merges };

static struct bpe_trainer *trained_corpus(void)
{
    struct bpe_trainer *trainer = bpe_trainer_create();
    for (size_t i = 0; i < sizeof corpus / sizeof *corpus; i++)
        for (int j = 0; j < corpus[i].count; j++)
            bpe_trainer_add_text(trainer, corpus[i].word, strlen(corpus[i].word));
    return trainer;
}

static cJSON *finish(struct bpe_trainer *trainer, int64_t count, size_t special_count)
{
    struct text_buffer json = {0};
    struct error error;
    cJSON *root;
    if (bpe_trainer_finish(trainer, count, special, special_count, &json, &error) ||
        json_parse(&root, json.data, json.length, "trained", &error))
        fail_msg("%s", error.message);
    text_buffer_release(&json);
    return root;
}

static void test_merges_by_hand(void **state)
{
    struct bpe_trainer *trainer = trained_corpus();
    cJSON *root = finish(trainer, BYTES + MERGES + SPECIALS, SPECIALS);
    const cJSON *learned = json_get(json_get(root, "model"), "merges");
    const cJSON *merge;
    size_t i = 0;
    (void)state;
    assert_int_equal(cJSON_GetArraySize(learned), MERGES);
    cJSON_ArrayForEach(merge, learned)
    {
        assert_string_equal(merge->valuestring, merges[i]);
        i++;
    }
    cJSON_Delete(root);
    bpe_trainer_free(trainer);
}

/* Bytes first, then merges, then special tokens, in the order given. */
static void test_ids(void **state)
{
    struct bpe_trainer *trainer = trained_corpus();
    struct text_buffer json = {0};
    struct token_list ids = {0};
    struct text_buffer text = {0};
    static const char input[] = "lower newest<|im_end|>";
    (void)state;
    assert_int_equal(bpe_trainer_finish(trainer, BYTES + MERGES + SPECIALS, special,
                                        SPECIALS, &json, NULL),
                     STATUS_OK);
    struct tokenizer *tokenizer = fixture_tokenizer(json.data);
    assert_int_equal(tokenizer_vocabulary_count(tokenizer), BYTES + MERGES + SPECIALS);
    assert_string_equal(tokenizer_token_text(tokenizer, 0), "!");
    assert_string_equal(tokenizer_token_text(tokenizer, BYTES), "es");
    assert_string_equal(tokenizer_token_text(tokenizer, BYTES + 11), "lower");
    for (int i = 0; i < SPECIALS; i++)
        assert_int_equal(tokenizer_token_id(tokenizer, special[i]), BYTES + MERGES + i);
    tokenizer_encode(tokenizer, input, strlen(input), ENCODE_SPECIAL, &ids);
    /* "lower", " " (byte 0x20 is character U+0120, id 220), "newest", "<|im_end|>" */
    assert_int_equal(ids.count, 4);
    assert_int_equal(ids.ids[0], BYTES + 11);
    assert_int_equal(ids.ids[1], 220);
    assert_int_equal(ids.ids[2], BYTES + 6);
    assert_int_equal(ids.ids[3], BYTES + MERGES + 2);
    tokenizer_decode(tokenizer, ids.ids, ids.count, true, &text);
    assert_string_equal(text.data, input);
    text_buffer_release(&text);
    token_list_release(&ids);
    tokenizer_free(tokenizer);
    text_buffer_release(&json);
    bpe_trainer_free(trainer);
}

/* The file depends on the texts, not on their order, and finishing twice is the same. */
static void test_order_does_not_matter(void **state)
{
    struct bpe_trainer *forward = bpe_trainer_create();
    struct bpe_trainer *backward = bpe_trainer_create();
    struct text_buffer files[3] = {{0}};
    cJSON *lines = fixture_rows(GOLDEN_FOLDER "large.jsonl");
    const cJSON *line;
    (void)state;
    cJSON_ArrayForEach(line, lines)
    {
        const char *text = json_get(line, "text")->valuestring;
        bpe_trainer_add_text(forward, text, strlen(text));
    }
    for (line = lines->child->prev; line; line = line == lines->child ? NULL : line->prev) {
        const char *text = json_get(line, "text")->valuestring;
        bpe_trainer_add_text(backward, text, strlen(text));
    }
    assert_int_equal(bpe_trainer_finish(forward, 1000, special, 3, &files[0], NULL), 0);
    assert_int_equal(bpe_trainer_finish(forward, 1000, special, 3, &files[1], NULL), 0);
    assert_int_equal(bpe_trainer_finish(backward, 1000, special, 3, &files[2], NULL), 0);
    assert_string_equal(files[0].data, files[1].data);
    assert_string_equal(files[0].data, files[2].data);
    for (int i = 0; i < 3; i++)
        text_buffer_release(&files[i]);
    cJSON_Delete(lines);
    bpe_trainer_free(forward);
    bpe_trainer_free(backward);
}

/* Runs of one byte: "aaaa" holds the pair three times but merges twice. */
static void test_runs(void **state)
{
    struct bpe_trainer *trainer = bpe_trainer_create();
    (void)state;
    bpe_trainer_add_text(trainer, "aaaaa", 5);
    cJSON *root = finish(trainer, BYTES + 3, 0);
    const cJSON *learned = json_get(json_get(root, "model"), "merges");
    /* a a a a a -> aa aa a; then (aa, a) and (aa, aa) once each: a has the smaller id */
    assert_string_equal(learned->child->valuestring, "a a");
    assert_string_equal(learned->child->next->valuestring, "aa a");
    assert_string_equal(learned->child->next->next->valuestring, "aa aaa");
    cJSON_Delete(root);
    bpe_trainer_free(trainer);
}

static void expect_failure(int64_t count, const char *const *names, size_t name_count,
                           enum status status, const char *words)
{
    struct bpe_trainer *trainer = trained_corpus();
    struct text_buffer json = {0};
    struct error error;
    assert_int_equal(bpe_trainer_finish(trainer, count, names, name_count, &json, &error),
                     status);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" lacks \"%s\"", error.message, words);
    assert_int_equal(json.length, 0);
    bpe_trainer_free(trainer);
}

static void test_failures(void **state)
{
    static const char *const twice[] = {"<a>", "<a>"};
    static const char *const taken[] = {"low"};
    static const char *const empty[] = {""};
    static const char *const bad[] = {"\xFF"};
    (void)state;
    expect_failure(BYTES + MERGES + 1 + SPECIALS, special, SPECIALS, STATUS_LIMIT,
                   "a vocabulary of 271 tokens only, 272 were asked for");
    expect_failure(BYTES + SPECIALS, special, SPECIALS, STATUS_USAGE,
                   "a vocabulary of 259 tokens: 260 to ");
    expect_failure(-1, special, SPECIALS, STATUS_USAGE, "a vocabulary of -1 tokens");
    expect_failure(BYTES + 4, twice, 2, STATUS_FORMAT, "token \"<a>\" is listed twice");
    expect_failure(BYTES + MERGES + 1, taken, 1, STATUS_FORMAT,
                   "special token 0: token \"low\" is listed twice");
    expect_failure(BYTES + 2, empty, 1, STATUS_USAGE, "special token 0 is empty");
    expect_failure(BYTES + 2, bad, 1, STATUS_FORMAT, "not UTF-8");
}

static void test_no_text(void **state)
{
    struct bpe_trainer *trainer = bpe_trainer_create();
    struct text_buffer json = {0};
    (void)state;
    bpe_trainer_add_text(trainer, "", 0);
    assert_int_equal(bpe_trainer_finish(trainer, BYTES + 1, NULL, 0, &json, NULL),
                     STATUS_LIMIT);
    bpe_trainer_free(trainer);
}

/* Bytes that are not UTF-8 count as U+FFFD, as encoding reads them. */
static void test_invalid_text(void **state)
{
    struct bpe_trainer *trainer = bpe_trainer_create();
    (void)state;
    bpe_trainer_add_text(trainer, "\xFF\xFF\xFF", 3);
    cJSON *root = finish(trainer, BYTES + 2, 0);
    const cJSON *learned = json_get(json_get(root, "model"), "merges");
    /* EF BF BD EF BF BD EF BF BD: (BF,BD) and (EF,BF) three times each; BF < EF */
    assert_string_equal(learned->child->valuestring, "\xC2\xBF \xC2\xBD");
    assert_string_equal(learned->child->next->valuestring, "\xC3\xAF \xC2\xBF\xC2\xBD");
    cJSON_Delete(root);
    bpe_trainer_free(trainer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges_by_hand),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_no_text),
        cmocka_unit_test(test_invalid_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
