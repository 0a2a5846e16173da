#include "tests/unit/tokenizer_fixture.h"

#include <pthread.h>

static void test_variants(void **state)
{
    struct text_buffer json = fixture_read(GOLDEN_FOLDER "small.json");
    cJSON *small = cJSON_Parse(json.data);
    cJSON *lines = fixture_rows(GOLDEN_FOLDER "lines.jsonl");
    cJSON *rows = fixture_rows(GOLDEN_FOLDER "variants.jsonl");
    const cJSON **by_number = memory_allocate_array(1000, sizeof *by_number);
    struct tokenizer *tokenizer = NULL;
    const char *name = "";
    const cJSON *row;
    int line_count = 0, variant_count = 0, row_count = 0;
    (void)state;
    cJSON_ArrayForEach(row, lines)
    {
        by_number[line_count++] = row;
    }
    cJSON_ArrayForEach(row, rows)
    {
        if (json_get(row, "name")) {
            tokenizer_free(tokenizer);
            tokenizer = fixture_variant(small, row);
            name = json_get(row, "name")->valuestring;
            variant_count++;
            continue;
        }
        assert_row(tokenizer, row, by_number[(int)json_get(row, "line")->valuedouble],
                   name);
        row_count++;
    }
    assert_int_equal(line_count, 200);
    assert_int_equal(variant_count, 14);
    assert_in_range(row_count, 2500, 14 * line_count);
    tokenizer_free(tokenizer);
    free(by_number);
    cJSON_Delete(rows);
    cJSON_Delete(lines);
    cJSON_Delete(small);
    text_buffer_release(&json);
}

/* Bytes that the vocabulary lacks. */
static void test_unknown_bytes(void **state)
{
    cJSON *rows = fixture_rows(GOLDEN_FOLDER "unknown.jsonl");
    const cJSON *row, *line;
    (void)state;
    cJSON_ArrayForEach(row, rows)
    {
        char *json = cJSON_PrintUnformatted(json_get(row, "tokenizer"));
        struct tokenizer *tokenizer = fixture_tokenizer(json);
        cJSON_ArrayForEach(line, json_get(row, "lines"))
        {
            struct text_buffer text = fixture_line(line);
            assert_encoding(tokenizer, &text, ENCODE_SPECIAL, json_get(line, "ids"),
                            text.data);
            text_buffer_release(&text);
        }
        tokenizer_free(tokenizer);
        free(json);
    }
    cJSON_Delete(rows);
}

static void check_real(const char *name, int expected_lost)
{
    struct tokenizer *tokenizer = fixture_real(name);
    if (!tokenizer)
        skip();
    cJSON *rows = fixture_rows(GOLDEN_FOLDER "large.jsonl");
    const cJSON *row;
    int count = 0, lost = 0;
    cJSON_ArrayForEach(row, rows)
    {
        const char *text = json_get(row, "text")->valuestring;
        char hex[17];
        struct token_list ids = {0};
        struct text_buffer back = {0};
        tokenizer_encode(tokenizer, text, strlen(text), ENCODE_SPECIAL, &ids);
        snprintf(hex, sizeof hex, "%016llx", (unsigned long long)fixture_ids_hash(&ids));
        if (strcmp(hex, json_get(row, name)->valuestring) != 0)
            fail_msg("%s: other ids for \"%s\"", name, text);
        tokenizer_decode(tokenizer, ids.ids, ids.count, true, &back);
        lost += strcmp(text_buffer_string(&back), text) != 0;
        text_buffer_release(&back);
        token_list_release(&ids);
        count++;
    }
    assert_int_equal(count, 1200);
    assert_int_equal(lost, expected_lost);
    cJSON_Delete(rows);
    tokenizer_free(tokenizer);
}

static void test_gpt2(void **state)
{
    (void)state;
    check_real("gpt2", 0);
}

/* Its vocabulary lacks bytes such as C0 and F1, and `tokenizers` drops them too: six of
 * the lines do not come back whole. */
static void test_smollm(void **state)
{
    (void)state;
    check_real("smollm-135m", 6);
}

/* "Hello world" in GPT-2 is known to everyone: 15496 995. */
static void test_gpt2_facts(void **state)
{
    struct tokenizer *tokenizer = fixture_real("gpt2");
    struct token_list ids = {0};
    (void)state;
    if (!tokenizer)
        skip();
    tokenizer_encode(tokenizer, "Hello world", 11, 0, &ids);
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.ids[0], 15496);
    assert_int_equal(ids.ids[1], 995);
    assert_int_equal(tokenizer_vocabulary_count(tokenizer), 50257);
    assert_int_equal(tokenizer_token_id(tokenizer, "<|endoftext|>"), 50256);
    assert_int_equal(tokenizer_token_id(tokenizer, "Hello"), -1); /* not an added token */
    assert_string_equal(tokenizer_token_text(tokenizer, 995), "\xC4\xA0world");
    assert_null(tokenizer_token_text(tokenizer, 50257));
    assert_null(tokenizer_token_text(tokenizer, -1));
    assert_true(tokenizer_token_is_special(tokenizer, 50256));
    assert_false(tokenizer_token_is_special(tokenizer, 995));
    assert_string_equal(tokenizer_warnings(tokenizer),
                        "tokenizer.json asks for truncation: ignored");
    token_list_release(&ids);
    tokenizer_free(tokenizer);
}

static void test_warnings(void **state)
{
    struct tokenizer *tokenizer = fixture_real("smollm-135m");
    struct tokenizer *small = fixture_small();
    (void)state;
    assert_string_equal(tokenizer_warnings(small), "");
    tokenizer_free(small);
    if (!tokenizer)
        skip();
    assert_string_equal(
        tokenizer_warnings(tokenizer),
        "tokenizer.json asks for truncation: ignored; tokenizer.json asks for "
        "padding: ignored; the vocabulary lacks 21 of the 256 bytes: encoding "
        "drops them");
    tokenizer_free(tokenizer);
}

/* ENCODE_PLAIN does not even look for added tokens that are not special. */
static void test_plain(void **state)
{
    static const char json[] =
        "{\"added_tokens\":[{\"id\":3,\"content\":\"ba\",\"special\":false}],"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
        "\"decoder\":{\"type\":\"ByteLevel\"},"
        "\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}";
    struct tokenizer *tokenizer = fixture_tokenizer(json);
    struct token_list ids = {0};
    (void)state;
    tokenizer_encode(tokenizer, "aba", 3, 0, &ids);
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.ids[0], 0);
    assert_int_equal(ids.ids[1], 3);
    tokenizer_encode(tokenizer, "aba", 3, ENCODE_PLAIN, &ids); /* appends */
    assert_int_equal(ids.count, 4);
    assert_int_equal(ids.ids[2], 2);
    assert_int_equal(ids.ids[3], 0);
    token_list_release(&ids);
    tokenizer_free(tokenizer);
}

/* One word of a million bytes: the heap of long words, and its result by a law. */
static void test_long_word(void **state)
{
    static const char json[] =
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
        "\"use_regex\":false},\"decoder\":{\"type\":\"ByteLevel\"},"
        "\"model\":{\"vocab\":{\"a\":0,\"aa\":1,\"aaaa\":2},\"merges\":[\"a a\",\"aa "
        "aa\"]}}";
    enum { BYTES = 1000003 };
    struct tokenizer *tokenizer = fixture_tokenizer(json);
    struct token_list ids = {0};
    char *word = memory_allocate(BYTES);
    (void)state;
    memset(word, 'a', BYTES);
    tokenizer_encode(tokenizer, word, BYTES, 0, &ids);
    assert_int_equal(ids.count, BYTES / 4 + 2); /* …, aa, a */
    for (size_t i = 0; i < BYTES / 4; i++)
        assert_int_equal(ids.ids[i], 2);
    assert_int_equal(ids.ids[BYTES / 4], 1);
    assert_int_equal(ids.ids[BYTES / 4 + 1], 0);
    free(word);
    token_list_release(&ids);
    tokenizer_free(tokenizer);
}

/* Words of 60 to 70 bytes: both ways of merging give the same tokens. */
static void test_short_and_long_agree(void **state)
{
    struct tokenizer *tokenizer = fixture_small();
    char word[71];
    (void)state;
    for (size_t bytes = 60; bytes <= 70; bytes++) {
        struct token_list ids = {0};
        struct text_buffer back = {0};
        for (size_t i = 0; i < bytes; i++)
            word[i] = "thewoodenfencekilometres"[i % 24];
        tokenizer_encode(tokenizer, word, bytes, 0, &ids);
        /* The first 24 letters are the same word in all of them. */
        struct token_list first = {0};
        tokenizer_encode(tokenizer, word, 60, 0, &first);
        for (size_t i = 0; i + 8 < first.count; i++)
            assert_int_equal(ids.ids[i], first.ids[i]);
        tokenizer_decode(tokenizer, ids.ids, ids.count, true, &back);
        assert_int_equal(back.length, bytes);
        assert_memory_equal(back.data, word, bytes);
        text_buffer_release(&back);
        token_list_release(&first);
        token_list_release(&ids);
    }
    tokenizer_free(tokenizer);
}

/* A NUL is a byte like any other. */
static void test_nul(void **state)
{
    struct tokenizer *tokenizer = fixture_small();
    struct token_list ids = {0};
    struct text_buffer back = {0};
    (void)state;
    tokenizer_encode(tokenizer, "a\0b", 3, 0, &ids);
    assert_int_equal(ids.count, 3);
    tokenizer_decode(tokenizer, ids.ids, ids.count, true, &back);
    assert_int_equal(back.length, 3);
    assert_memory_equal(back.data, "a\0b", 3);
    text_buffer_release(&back);
    token_list_release(&ids);
    tokenizer_free(tokenizer);
}

static void *encode_again(void *argument)
{
    const struct tokenizer *tokenizer = argument;
    static const char text[] = "the gardener couldn't find 12 apples<|im_end|> caf\xC3\xA9";
    struct token_list first = {0};
    tokenizer_encode(tokenizer, text, strlen(text), ENCODE_SPECIAL, &first);
    uintptr_t same = 1;
    for (int i = 0; i < 200; i++) {
        struct token_list ids = {0};
        tokenizer_encode(tokenizer, text, strlen(text), ENCODE_SPECIAL, &ids);
        same &= fixture_ids_hash(&ids) == fixture_ids_hash(&first);
        token_list_release(&ids);
    }
    token_list_release(&first);
    return (void *)same;
}

static void test_threads(void **state)
{
    struct tokenizer *tokenizer = fixture_small();
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_again, tokenizer), 0);
    for (int i = 0; i < 4; i++) {
        void *same = NULL;
        assert_int_equal(pthread_join(threads[i], &same), 0);
        assert_non_null(same);
    }
    tokenizer_free(tokenizer);
}

#define BYTE_LEVEL "{\"type\":\"ByteLevel\"}"
#define VOCAB      "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}"
#define MERGES     "\"merges\":[\"a b\"]"
#define MODEL      "\"model\":{" VOCAB "," MERGES "}"
#define AROUND     ",\"pre_tokenizer\":" BYTE_LEVEL ",\"decoder\":" BYTE_LEVEL
#define WITH(part) "{" MODEL AROUND "," part "}"

#define SET(inside)                                                                        \
    "{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[" inside   \
    "]\"},\"behavior\":\"Isolated\"}}"

/* Files that must be refused, and what the message must say. */
static const struct {
    const char *json;
    const char *words;
} hostile[] = {
    {"", "t.json"},
    {"[]", "t.json: expected an object"},
    {"{\"model\":", "t.json"},
    {"version https://git-lfs.github.com/spec/v1\noid sha256:05e9\nsize 17477929\n",
     "t.json: is a git-LFS pointer, not the file itself: fetch it with `git lfs pull`"},
    {"{}", "t.json: model: expected an object"},
    {"{\"model\":[]}", "t.json: model: expected an object"},
    {"{\"model\":{\"type\":\"WordPiece\"}}",
     "t.json: model.type: \"WordPiece\" is not supported (BPE, Unigram)"},
    {"{\"model\":{\"type\":7}}", "t.json: model: \"type\""},
    {"{\"model\":{" MERGES "}}", "t.json: model.vocab: expected an object of token: id"},
    {"{\"model\":{\"vocab\":[]," MERGES "}}", "t.json: model.vocab: expected an object"},
    {"{\"model\":{\"vocab\":{}," MERGES "}}", "t.json: model.vocab: holds no tokens"},
    {"{\"model\":{" VOCAB "}}", "t.json: model.merges: expected an array"},
    {"{\"model\":{" VOCAB ",\"merges\":{}}}", "t.json: model.merges: expected an array"},
    {"{\"model\":{" VOCAB ",\"merges\":[]}}", "t.json: model.merges: holds no merges"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"a b\",\"a c\"]}}",
     "t.json: model.merges[1]: \"c\" is not in the vocabulary"},
    {"{\"model\":{" VOCAB ",\"merges\":[[\"x\",\"b\"]]}}",
     "t.json: model.merges[0]: \"x\" is not in the vocabulary"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"b a\"]}}",
     "t.json: model.merges[0]: \"ba\" is not in the vocabulary"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"ab\"]}}",
     "t.json: model.merges[0]: expected \"left right\" or [\"left\", \"right\"]"},
    {"{\"model\":{" VOCAB ",\"merges\":[\"a b \"]}}", "t.json: model.merges[0]: expected"},
    {"{\"model\":{" VOCAB ",\"merges\":[\" b\"]}}", "t.json: model.merges[0]: expected"},
    {"{\"model\":{" VOCAB ",\"merges\":[[\"a\"]]}}", "t.json: model.merges[0]: expected"},
    {"{\"model\":{" VOCAB ",\"merges\":[[\"a\",\"b\",\"a\"]]}}",
     "model.merges[0]: expected"},
    {"{\"model\":{" VOCAB ",\"merges\":[[\"a\",1]]}}", "t.json: model.merges[0]: expected"},
    {"{\"model\":{" VOCAB ",\"merges\":[null]}}", "t.json: model.merges[0]: expected"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"b\":\"1\"}," MERGES "}}",
     "t.json: model.vocab[\"b\"]: expected a whole number, the id"},
    {"{\"model\":{\"vocab\":{\"a\":0.5}," MERGES "}}",
     "model.vocab[\"a\"]: expected a whole"},
    {"{\"model\":{\"vocab\":{\"a\":-1}," MERGES "}}",
     "model.vocab[\"a\"]: expected a whole"},
    {"{\"model\":{\"vocab\":{\"a\":1e300}," MERGES "}}", "model.vocab[\"a\"]: expected"},
    {"{\"model\":{\"vocab\":{\"a\":900000000}," MERGES "}}",
     "t.json: model.vocab: token \"a\": id 900000000 is not in 0 to 4194303"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0,\"ab\":1}," MERGES "}}",
     "t.json: model.vocab: tokens \"a\" and \"b\" have the same id 0"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"a\":1,\"ab\":2}," MERGES "}}",
     "t.json: line 1, column 26: \"a\" stands twice in one object"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":3}," MERGES "}" AROUND "}",
     "t.json: model.vocab: no token has id 2, but the largest id is 3"},
    {"{\"model\":{\"vocab\":{\"\xFF\":0}," MERGES "}}",
     "t.json: model.vocab: the token with "
     "id 0 is not UTF-8"},
    {"{\"model\":{" VOCAB "," MERGES ",\"byte_fallback\":true}" AROUND "}",
     "t.json: model.byte_fallback: true together with ByteLevel is not supported"},
    {"{\"model\":{" VOCAB "," MERGES ",\"dropout\":0.1}}",
     "t.json: model.dropout: only null"},
    {"{\"model\":{" VOCAB "," MERGES ",\"end_of_word_suffix\":\"</w>\"}}",
     "t.json: model.end_of_word_suffix: \"</w>\" is not supported"},
    {"{\"model\":{" VOCAB "," MERGES ",\"ignore_merges\":1}}", "t.json: decoder: null"},
    {"{\"model\":{" VOCAB "," MERGES ",\"ignore_merges\":1}" AROUND "}",
     "t.json: model: \"ignore_merges\""},
    {"{" MODEL "}", "t.json: decoder: null is not supported: it would put a space"},
    {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}",
     "t.json: pre_tokenizer: \"UnicodeScripts\" is not supported (ByteLevel, Metaspace, "
     "Split, Digits, Punctuation, WhitespaceSplit, Sequence)"},
    {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"isolated\"}}",
     "t.json: pre_tokenizer.behavior: \"isolated\" is not known"},
    {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
     "\"Digits\"},{\"type\":\"Whitespace\"}]}}",
     "t.json: pre_tokenizer.pretokenizers[1]: \"Whitespace\" is not supported"},
    {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL
     ",{\"type\":\"Metaspace\"}]}}",
     "t.json: pre_tokenizer.pretokenizers[1]: \"Metaspace\" after ByteLevel is not"},
    {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},"
     "\"behavior\":\"Isolated\"}}",
     "t.json: pre_tokenizer.pattern: regular expression: byte 1: "},
    {"{" MODEL
     ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&[b]]\"},"
     "\"behavior\":\"Isolated\"}}",
     "t.json: pre_tokenizer.pattern: regular expression: byte 2: sets inside sets"},
    {SET("a[^b]"), "regular expression: byte 2: sets inside sets are not supported"},
    {SET("a[b[c]]"), "regular expression: byte 2: sets inside sets are not supported"},
    {SET("a-[bc]"), "regular expression: byte 3: sets inside sets are not supported"},
    {SET("[bc]-d"), "regular expression: byte 1: sets inside sets are not supported"},
    {SET("[b-]d"), "regular expression: byte 1: sets inside sets are not supported"},
    {SET("[]b]d"), "regular expression: byte 1: sets inside sets are not supported"},
    {SET("b]a{2,3}+[c"), "expression: byte 4: a repeated interval from 2 on is not supp"},
    {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},"
     "\"behavior\":\"Merged\"}}",
     "t.json: pre_tokenizer.behavior: \"Merged\" is not known"},
    {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":\"a\"}}",
     "t.json: pre_tokenizer.pattern: expected {\"Regex\": …} or {\"String\": …}"},
    {"{" MODEL ",\"pre_tokenizer\":" BYTE_LEVEL "}",
     "t.json: decoder: null is not supported"},
    {"{" MODEL ",\"pre_tokenizer\":" BYTE_LEVEL ",\"decoder\":{\"type\":\"WordPiece\"}}",
     "t.json: decoder: \"WordPiece\" is not supported (ByteLevel, Replace, ByteFallback, "
     "Fuse, Strip, Metaspace, Sequence)"},
    {WITH("\"normalizer\":{\"type\":\"BertNormalizer\"}"),
     "t.json: normalizer: \"BertNormalizer\" is not supported (NFC, NFD, NFKC, NFKD, "
     "Prepend, Replace, Strip, Lowercase, Precompiled, Sequence)"},
    {WITH("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},"
          "{\"type\":\"StripAccents\"}]}"),
     "t.json: normalizer.normalizers[1]: \"StripAccents\" is not supported"},
    {WITH("\"normalizer\":\"NFC\""), "t.json: normalizer: expected an object with a type"},
    {WITH("\"post_processor\":{\"type\":\"BertProcessing\"}"),
     "t.json: post_processor: \"BertProcessing\" is not supported"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[]}"),
     "t.json: post_processor.single: no Sequence"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
          "\"SpecialToken\":"
          "{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{}}"),
     "t.json: post_processor: special_tokens has no ids for \"<s>\""},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
          "\"SpecialToken\":"
          "{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":"
          "{\"ids\":[9]}}}"),
     "t.json: post_processor: no token has id 9"},
    {WITH("\"added_tokens\":{}"), "t.json: added_tokens: expected an array"},
    {WITH("\"added_tokens\":[3]"), "t.json: added_tokens[0]: expected an object"},
    {WITH("\"added_tokens\":[{\"id\":3}]"),
     "t.json: added_tokens[0]: \"content\" is missing"},
    {WITH("\"added_tokens\":[{\"content\":\"x\"}]"), "t.json: added_tokens[0]: \"id\" is"},
    {WITH("\"added_tokens\":[{\"id\":3,\"content\":\"\"}]"),
     "t.json: added_tokens[0]: the content is empty"},
    {WITH("\"added_tokens\":[{\"id\":3,\"content\":\"x\"},{\"id\":3,\"content\":\"y\"}]"),
     "t.json: added_tokens[1]: tokens \"x\" and \"y\" have the same id 3"},
    {WITH("\"added_tokens\":[{\"id\":3,\"content\":\"x\"},{\"id\":3,\"content\":\"x\"}]"),
     "t.json: added_tokens[1]: \"x\" is listed twice"},
    {WITH("\"added_tokens\":[{\"id\":7,\"content\":\"b\"}]"),
     "t.json: added_tokens[0]: \"b\" has id 7 here and id 1 in model.vocab"},
    {WITH("\"added_tokens\":[{\"id\":9,\"content\":\"x\"}]"),
     "t.json: model.vocab: no token has id 3, but the largest id is 9"},
    {WITH("\"added_tokens\":[{\"id\":3,\"content\":\"x\",\"special\":1}]"),
     "t.json: added_tokens[0]: \"special\""},
};

static void test_hostile_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct tokenizer *tokenizer = NULL;
        struct error error = {0};
        const size_t bytes = strlen(hostile[i].json);
        if (!tokenizer_parse(&tokenizer, hostile[i].json, bytes, "t.json", &error))
            fail_msg("accepted: %s", hostile[i].json);
        assert_null(tokenizer);
        if (!strstr(error.message, hostile[i].words))
            fail_msg("%s\n  says   \"%s\"\n  but not \"%s\"", hostile[i].json,
                     error.message, hostile[i].words);
        assert_int_equal(tokenizer_parse(&tokenizer, hostile[i].json, bytes, "t", NULL),
                         error.status);
    }
}

/* What `tokenizers` 0.23 knows besides what we read. */
static void test_unknown_parts(void **state)
{
    static const char *const parts[][2] = {
        {"pre_tokenizer", "BertPreTokenizer"},
        {"pre_tokenizer", "CharDelimiterSplit"},
        {"pre_tokenizer", "FixedLength"},
        {"pre_tokenizer", "UnicodeScripts"},
        {"pre_tokenizer", "Whitespace"},
        {"normalizer", "BertNormalizer"},
        {"normalizer", "ByteLevel"},
        {"normalizer", "Nmt"},
        {"normalizer", "StripAccents"},
        {"decoder", "BPEDecoder"},
        {"decoder", "CTC"},
        {"decoder", "WordPiece"},
        {"post_processor", "BertProcessing"},
        {"post_processor", "RobertaProcessing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct tokenizer *tokenizer;
        struct error error = {0};
        char json[400], words[100];
        snprintf(json, sizeof json, "{" MODEL ",\"%s\":{\"type\":\"%s\"}}", parts[i][0],
                 parts[i][1]);
        snprintf(words, sizeof words, "%s: \"%s\" is not supported (", parts[i][0],
                 parts[i][1]);
        assert_int_equal(tokenizer_parse(&tokenizer, json, strlen(json), "t", &error),
                         STATUS_UNSUPPORTED);
        if (!strstr(error.message, words))
            fail_msg("no \"%s\" in \"%s\"", words, error.message);
    }
}

/* Every beginning of a good file is refused, whatever it leaves half built. */
static void test_cut_files(void **state)
{
    static const char good[] = WITH("\"added_tokens\":[{\"id\":3,\"content\":\"x\"}]");
    struct tokenizer *tokenizer;
    (void)state;
    for (size_t bytes = 0; bytes < strlen(good); bytes++)
        assert_int_not_equal(tokenizer_parse(&tokenizer, good, bytes, "t", NULL),
                             STATUS_OK);
    tokenizer_free(fixture_tokenizer(good));
}

static void test_pointer_file(void **state)
{
    struct tokenizer *tokenizer;
    struct error error;
    (void)state;
    if (!file_exists(SHARED_FOLDER "gemma1/tokenizer.json")) {
        print_message("skipped: " SHARED_FOLDER "gemma1 is not there\n");
        skip();
    }
    assert_int_equal(tokenizer_open_directory(&tokenizer, SHARED_FOLDER "gemma1", &error),
                     STATUS_FORMAT);
    assert_string_equal(error.message, SHARED_FOLDER
                        "gemma1/tokenizer.json: is a git-LFS pointer, not the "
                        "file itself: fetch it with `git lfs pull`, or "
                        "download it again");
}

static void test_missing_file(void **state)
{
    char folder[] = "/tmp/holdfast-test-XXXXXX";
    struct tokenizer *tokenizer;
    struct error error;
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(tokenizer_open_directory(&tokenizer, folder, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "tokenizer.json: no such file: is it a Hugging"));
    char *merges = path_join(folder, "merges.txt");
    assert_int_equal(file_write_all(merges, "a b\n", 4, NULL), STATUS_OK);
    assert_int_equal(tokenizer_open_directory(&tokenizer, folder, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "it has vocab.json and merges.txt; convert"));
    free(merges);
    file_remove_tree(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_unknown_bytes),
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_smollm),
        cmocka_unit_test(test_gpt2_facts),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_short_and_long_agree),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_unknown_parts),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_pointer_file),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
