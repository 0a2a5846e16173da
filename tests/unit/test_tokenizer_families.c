/* Tokenizers of the SentencePiece type: tokenizer.json and tokenizer.model. */
#include "tests/unit/tokenizer_fixture.h"

#include <unistd.h>

static struct tokenizer *model_tokenizer(const char *path, const char *config)
{
    struct text_buffer bytes = fixture_read(path);
    cJSON *tree = config ? cJSON_Parse(config) : NULL;
    struct tokenizer *tokenizer;
    struct error error;
    if (tokenizer_parse_sentencepiece(&tokenizer, bytes.data, bytes.length, tree, path,
                                      &error))
        fail_msg("%s", error.message);
    cJSON_Delete(tree);
    text_buffer_release(&bytes);
    return tokenizer;
}

static struct tokenizer *golden_model(const char *name, const char *config)
{
    char path[200];
    snprintf(path, sizeof path, GOLDEN_FOLDER "%s", name);
    return model_tokenizer(path, config);
}

/* The tokenizer that a row of families.jsonl speaks of. */
static struct tokenizer *family_tokenizer(const cJSON *row)
{
    const char *base = json_get(row, "base")->valuestring;
    char path[200];
    if (text_ends_with(base, ".model"))
        return golden_model(base, NULL);
    snprintf(path, sizeof path, GOLDEN_FOLDER "%s", base);
    struct text_buffer json = fixture_read(path);
    cJSON *whole = cJSON_Parse(json.data);
    struct tokenizer *tokenizer = fixture_variant(whole, row);
    cJSON_Delete(whole);
    text_buffer_release(&json);
    return tokenizer;
}

/* SentencePiece knows no special tokens in a text. */
static void assert_model_row(const struct tokenizer *tokenizer, const cJSON *row,
                             const cJSON *line, const char *name)
{
    struct text_buffer text = fixture_line(line);
    struct text_buffer repaired = {0};
    const cJSON *decoded = json_get(row, "decoded");
    const cJSON *ids = json_get(row, "ids");
    utf8_append_repaired(&repaired, text_buffer_string(&text), text.length);
    assert_encoding(tokenizer, &text, 0, ids, name);
    assert_decoding(tokenizer, ids, true,
                    decoded ? decoded->valuestring : text_buffer_string(&repaired));
    text_buffer_release(&repaired);
    text_buffer_release(&text);
}

/* Of these many tokenizers in the file; returns how many rows it holds. */
static int check_rows(const char *path, int expected_families)
{
    cJSON *lines = fixture_rows(GOLDEN_FOLDER "lines.jsonl");
    cJSON *rows = fixture_rows(path);
    const cJSON **by_number = memory_allocate_array(1000, sizeof *by_number);
    struct tokenizer *tokenizer = NULL;
    const char *name = "";
    const cJSON *row;
    bool is_model = false;
    int line_count = 0, family_count = 0, row_count = 0;
    cJSON_ArrayForEach(row, lines)
    {
        by_number[line_count++] = row;
    }
    cJSON_ArrayForEach(row, rows)
    {
        if (json_get(row, "name")) {
            tokenizer_free(tokenizer);
            tokenizer = family_tokenizer(row);
            name = json_get(row, "name")->valuestring;
            is_model = !json_get(row, "parts");
            family_count++;
            continue;
        }
        const cJSON *line = by_number[(int)json_get(row, "line")->valuedouble];
        (is_model ? assert_model_row : assert_row)(tokenizer, row, line, name);
        row_count++;
    }
    assert_int_equal(family_count, expected_families);
    tokenizer_free(tokenizer);
    free(by_number);
    cJSON_Delete(rows);
    cJSON_Delete(lines);
    return row_count;
}

static void test_families(void **state)
{
    (void)state;
    assert_in_range(check_rows(GOLDEN_FOLDER "families.jsonl", 25), 25 * 66, 25 * 67);
}

/* Punctuation, splits behind ByteLevel and Metaspace, sets in sets. */
static void test_cuts(void **state)
{
    (void)state;
    assert_in_range(check_rows(GOLDEN_FOLDER "cuts.jsonl", 13), 13 * 66, 13 * 67 + 134);
}

/* Ids and text of the first lines of large.jsonl, as hashes. */
static void assert_large(struct tokenizer *tokenizer, const char *name)
{
    cJSON *lines = fixture_rows(GOLDEN_FOLDER "large.jsonl");
    cJSON *rows = fixture_rows(GOLDEN_FOLDER "large-families.jsonl");
    const cJSON *line = lines->child;
    const cJSON *row;
    int count = 0;
    cJSON_ArrayForEach(row, rows)
    {
        const char *text = json_get(line, "text")->valuestring;
        const cJSON *expected = json_get(row, name)->child;
        char ids_hex[17], text_hex[17];
        struct token_list ids = {0};
        struct text_buffer back = {0};
        tokenizer_encode(tokenizer, text, strlen(text), 0, &ids);
        tokenizer_decode(tokenizer, ids.ids, ids.count, true, &back);
        const uint64_t back_hash = fixture_hash(text_buffer_string(&back), back.length);
        snprintf(ids_hex, sizeof ids_hex, "%016llx",
                 (unsigned long long)fixture_ids_hash(&ids));
        snprintf(text_hex, sizeof text_hex, "%016llx", (unsigned long long)back_hash);
        if (strcmp(ids_hex, expected->valuestring) != 0)
            fail_msg("%s: other ids for \"%s\"", name, text);
        if (strcmp(text_hex, expected->next->valuestring) != 0)
            fail_msg("%s: \"%s\" comes back otherwise", name, text);
        text_buffer_release(&back);
        token_list_release(&ids);
        line = line->next;
        count++;
    }
    assert_int_equal(count, 400);
    cJSON_Delete(rows);
    cJSON_Delete(lines);
    tokenizer_free(tokenizer);
}

static void test_mistral_json(void **state)
{
    struct tokenizer *tokenizer = fixture_real("mistral-7b-v0.3-hf");
    (void)state;
    if (!tokenizer)
        skip();
    assert_int_equal(tokenizer_vocabulary_count(tokenizer), 32768);
    assert_int_equal(tokenizer_token_id(tokenizer, "[INST]"), 3);
    assert_string_equal(tokenizer_warnings(tokenizer), "");
    assert_large(tokenizer, "mistral-7b-v0.3-hf");
}

static void test_mistral_models(void **state)
{
    static const struct {
        const char *name;
        const char *file;
    } models[] = {
        {"mistral-v1", "mistral/tokenizer.model.v1"},
        {"mistral-v2", "mistral/mistral_instruct_tokenizer_240216.model.v2"},
        {"mistral-v3", "mistral/mistral_instruct_tokenizer_240323.model.v3"},
    };
    (void)state;
    if (!file_is_directory(SHARED_FOLDER "mistral")) {
        print_message("skipped: " SHARED_FOLDER "mistral is not there\n");
        skip();
    }
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[200];
        snprintf(path, sizeof path, SHARED_FOLDER "%s", models[i].file);
        assert_large(model_tokenizer(path, NULL), models[i].name);
    }
}

static void assert_tokens(const struct tokenizer *tokenizer, const char *text,
                          unsigned flags, const char *expected)
{
    struct token_list ids = {0};
    struct text_buffer spelled = {0};
    tokenizer_encode(tokenizer, text, strlen(text), flags, &ids);
    for (size_t i = 0; i < ids.count; i++) {
        text_buffer_append(&spelled, i ? " " : "");
        text_buffer_append(&spelled, tokenizer_token_text(tokenizer, ids.ids[i]));
    }
    assert_string_equal(text_buffer_string(&spelled), expected);
    text_buffer_release(&spelled);
    token_list_release(&ids);
}

/* What a user writes is text; what a template says may be a control token. */
static void test_model_special(void **state)
{
    struct tokenizer *tokenizer = golden_model("bpe.model", NULL);
    const int32_t ids[] = {1, 0, 2};
    struct text_buffer text = {0};
    (void)state;
    assert_tokens(tokenizer, "the dog</s>the dog", ENCODE_SPECIAL,
                  "▁the ▁dog </s> ▁the ▁dog");
    assert_tokens(tokenizer, "</s>", 0, "▁ <0x3C> <0x2F> s <0x3E>");
    assert_tokens(tokenizer, "<0x0A>", 0, "▁ <0x3C> <0x30> <0x78> <0x30> <0x41> <0x3E>");
    assert_tokens(tokenizer, "a", ENCODE_ADD_BOS, "<s> ▁a");
    assert_tokens(tokenizer, "", ENCODE_ADD_BOS, "<s>");
    assert_int_equal(tokenizer_token_id(tokenizer, "</s>"), 2);
    assert_true(tokenizer_token_is_special(tokenizer, 1));
    assert_false(tokenizer_token_is_special(tokenizer, 0));
    tokenizer_decode(tokenizer, ids, 3, true, &text);
    assert_string_equal(text.data, "<s> ⁇ </s>");
    text_buffer_clear(&text);
    tokenizer_decode(tokenizer, ids, 3, false, &text);
    assert_string_equal(text.data, " ⁇ ");
    text_buffer_release(&text);
    tokenizer_free(tokenizer);
}

/* tokenizer_config.json beside the model. */
static void test_model_config(void **state)
{
    struct tokenizer *tokenizer = golden_model(
        "bpe-symbols.model",
        "{\"add_bos_token\":false,\"add_eos_token\":true,\"legacy\":false,"
        "\"added_tokens_decoder\":{\"650\":{\"content\":\"<|end|>\",\"special\":true,"
        "\"rstrip\":true},\"5\":{\"content\":\"<|user|>\",\"special\":true}}}");
    (void)state;
    assert_int_equal(tokenizer_vocabulary_count(tokenizer), 651);
    assert_tokens(tokenizer, "the dog<|end|>  the<|user|>dog", ENCODE_SPECIAL,
                  "▁the ▁dog <|end|> the <|user|> d og");
    assert_tokens(tokenizer, "a", ENCODE_ADD_BOS, "▁a </s>");
    tokenizer_free(tokenizer);
    tokenizer = golden_model("bpe.model", "{\"add_prefix_space\":false}");
    assert_tokens(tokenizer, "the dog", 0, "the ▁dog");
    tokenizer_free(tokenizer);
}

static void write_file(const char *folder, const char *name, const void *data, size_t bytes)
{
    char *path = path_join(folder, name);
    assert_int_equal(file_write_all(path, data, bytes, NULL), STATUS_OK);
    free(path);
}

/* A directory is opened by its tokenizer.json, else by its tokenizer.model. */
static void test_directory(void **state)
{
    char folder[] = "/tmp/holdfast-test-XXXXXX";
    struct text_buffer model = fixture_read(GOLDEN_FOLDER "bpe.model");
    struct text_buffer json = fixture_read(GOLDEN_FOLDER "small.json");
    struct tokenizer *tokenizer;
    struct error error;
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "tokenizer.model", model.data, model.length);
    assert_int_equal(tokenizer_open_directory(&tokenizer, folder, &error), STATUS_OK);
    assert_int_equal(tokenizer_vocabulary_count(tokenizer), 700);
    tokenizer_free(tokenizer);
    write_file(folder, "added_tokens.json", "{}", 2);
    assert_int_equal(tokenizer_open_directory(&tokenizer, folder, &error),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, "added_tokens.json: tokens beside"));
    write_file(folder, "tokenizer_config.json", "{\"added_tokens_decoder\":{}}", 27);
    assert_int_equal(tokenizer_open_directory(&tokenizer, folder, &error), STATUS_OK);
    tokenizer_free(tokenizer);
    write_file(folder, "tokenizer_config.json",
               "{\"legacy\":1,\"added_tokens_decoder\":{}}", 38);
    assert_int_equal(tokenizer_open_directory(&tokenizer, folder, &error), STATUS_FORMAT);
    assert_non_null(strstr(error.message, "tokenizer_config.json: \"legacy\""));
    write_file(folder, "tokenizer.json", json.data, json.length);
    assert_int_equal(tokenizer_open_directory(&tokenizer, folder, &error), STATUS_OK);
    assert_int_equal(tokenizer_vocabulary_count(tokenizer), 498);
    tokenizer_free(tokenizer);
    file_remove_tree(folder, NULL);
    text_buffer_release(&model);
    text_buffer_release(&json);
}

/* ---- files that are refused */

static void assert_refused(const char *data, size_t bytes, const char *words)
{
    struct tokenizer *tokenizer = NULL;
    struct error error = {0};
    if (!tokenizer_parse_sentencepiece(&tokenizer, data, bytes, NULL, "m", &error))
        fail_msg("accepted, but expected: %s", words);
    assert_null(tokenizer);
    if (!strstr(error.message, words))
        fail_msg("says   \"%s\"\n  but not \"%s\"", error.message, words);
}

/* One piece: field 1 of the model, with text (1), score 0 (2), type (3). */
static void append_piece(struct text_buffer *out, const char *text, int type)
{
    const size_t bytes = strlen(text);
    text_buffer_append_char(out, 0x0A);
    text_buffer_append_char(out, (char)(bytes + 9));
    text_buffer_append_char(out, 0x0A);
    text_buffer_append_char(out, (char)bytes);
    text_buffer_append(out, text);
    text_buffer_append_bytes(out, "\x15\0\0\0\0\x18", 6);
    text_buffer_append_char(out, (char)type);
}

struct hostile_piece {
    const char *text;
    int type;
};

static void assert_pieces_refused(const struct hostile_piece *pieces, size_t count,
                                  const char *trainer, const char *words)
{
    struct text_buffer model = {0};
    for (size_t i = 0; i < count; i++)
        append_piece(&model, pieces[i].text, pieces[i].type);
    text_buffer_append_bytes(&model, "\x12\x02\x18", 3); /* trainer_spec.model_type */
    text_buffer_append(&model, trainer);
    assert_refused(model.data, model.length, words);
    text_buffer_release(&model);
}

static void test_hostile_pieces(void **state)
{
    static const char bpe[] = "\2";
    (void)state;
#define REFUSED(trainer, words, ...)                                                       \
    assert_pieces_refused((const struct hostile_piece[]){__VA_ARGS__},                     \
                          sizeof((const struct hostile_piece[]){__VA_ARGS__}) /            \
                              sizeof(struct hostile_piece),                                \
                          trainer, words)
    REFUSED(bpe, "m: pieces: 0 stand for the unknown, expected one", {"a", 1});
    REFUSED(bpe, "m: pieces: 2 stand for the unknown, expected one", {"a", 2}, {"b", 2});
    REFUSED(bpe, "m: pieces[1]: \"b\": unused pieces are not supported", {"a", 2},
            {"b", 5});
    REFUSED(bpe, "m: pieces[1]: \"b\": its type is not known", {"a", 2}, {"b", 9});
    REFUSED(bpe, "m: pieces[1]: \"<0xZZ>\": a byte is spelled <0x0A>", {"a", 2},
            {"<0xZZ>", 6});
    REFUSED(bpe, "m: pieces[0]: it has no text", {"", 1});
    REFUSED(bpe, "m: pieces[0]: its text is not UTF-8", {"\xFF", 1});
    REFUSED(bpe, "m: pieces: token \"a\" is listed twice (ids 0 and 1)", {"a", 2},
            {"a", 1});
    REFUSED(bpe, "m: pieces: none is made of two others", {"u", 2}, {"a", 1}, {"b", 1});
    REFUSED(bpe, "m: pieces[2]: \"ab\" has a character that is no piece itself", {"u", 2},
            {"a", 1}, {"ab", 1});
    REFUSED("\3", "m: trainer_spec.model_type: WORD is not supported (UNIGRAM, BPE)",
            {"u", 2});
    REFUSED("\4", "m: trainer_spec.model_type: CHAR is not supported", {"u", 2});
#undef REFUSED
}

static void test_hostile_models(void **state)
{
    (void)state;
    assert_refused("", 0, "m: pieces: holds none");
    assert_refused("version https://git-lfs.github.com/spec/v1\n", 43,
                   "m: is a git-LFS pointer, not the file itself");
    assert_refused("IQ== 0\nIg== 1\n", 14, "m: is a list of ranks (tiktoken)");
    assert_refused("\x0A", 1, "m: byte 0: no field of a Protocol Buffers message");
    assert_refused("\x0B\x01", 2, "m: byte 0: no field of a Protocol Buffers message");
    assert_refused("\x08\x01", 2, "m: byte 0: field 1 is no message");
    assert_refused("\x12\x01\x18", 3, "m: trainer_spec: byte 0: no field");
    assert_refused("\x2A\x03\x12\x01x", 5, "m: denormalizer_spec: rules for decoding");
}

/* Every beginning is refused, or a model with fewer pieces; nothing leaks. */
static void test_cut_models(void **state)
{
    static const char *const names[] = {"bpe-symbols.model", "unigram.model"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char path[200];
        snprintf(path, sizeof path, GOLDEN_FOLDER "%s", names[i]);
        struct text_buffer model = fixture_read(path);
        for (size_t bytes = 0; bytes < model.length; bytes += 7) {
            struct tokenizer *tokenizer;
            char *cut = memory_duplicate_bytes(model.data, bytes);
            (void)tokenizer_parse_sentencepiece(&tokenizer, cut, bytes, NULL, "m", NULL);
            tokenizer_free(tokenizer);
            free(cut);
        }
        text_buffer_release(&model);
    }
}

#define UNIGRAM(fields) "{\"model\":{\"type\":\"Unigram\"," fields "}"
#define DECODER         ",\"decoder\":{\"type\":\"Fuse\"}"
#define PIECES          "\"unk_id\":0,\"vocab\":[[\"u\",0],[\"a\",-1]]"
#define WITH(part)      UNIGRAM(PIECES) DECODER "," part "}"

static const struct {
    const char *json;
    const char *words;
} hostile[] = {
    {UNIGRAM("\"vocab\":{}") "}",
     "t: model.vocab: expected an array of [\"piece\", score]"},
    {UNIGRAM("\"vocab\":[]") "}", "t: model.vocab: holds no pieces"},
    {UNIGRAM("\"vocab\":[[\"a\"]]") "}", "t: model.vocab[0]: expected [\"piece\", score]"},
    {UNIGRAM("\"vocab\":[[\"a\",0,1]]") "}", "t: model.vocab[0]: expected"},
    {UNIGRAM("\"vocab\":[[\"a\",0],[\"a\",1]]") "}", "token \"a\" is listed twice"},
    {UNIGRAM("\"vocab\":[[\"a\",1e999]]") "}", "t: model.vocab[0]: the score is no number"},
    {UNIGRAM("\"vocab\":[[\"a\",0]]") "}", "t: model.unk_id: null is not supported"},
    {UNIGRAM("\"vocab\":[[\"a\",0]],\"unk_id\":1") "}", "t: model.unk_id: is no id"},
    {UNIGRAM(PIECES) DECODER ",\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}",
     "t: pre_tokenizer: ByteLevel with a Unigram model is not supported"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\"}"), "\"replacement\" is missing"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}"),
     "t: pre_tokenizer.replacement: expected one character"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\","
          "\"add_prefix_space\":false}"),
     "t: pre_tokenizer: add_prefix_space false contradicts prepend_scheme \"always\""},
    {WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\","
          "\"prepend_scheme\":\"last\"}"),
     "t: pre_tokenizer.prepend_scheme: \"last\" is not known"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
          "\"Metaspace\",\"replacement\":\"_\"},{\"type\":\"ByteLevel\"}]}"),
     "t: pre_tokenizer.pretokenizers[1]: \"ByteLevel\" after Metaspace is not supported"},
    {WITH("\"normalizer\":{\"type\":\"Prepend\"}"),
     "t: normalizer: \"prepend\" is missing"},
    {WITH("\"normalizer\":{\"type\":\"Replace\",\"content\":\"\"}"),
     "t: normalizer.pattern: expected {\"Regex\": …} or {\"String\": …}"},
    {WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},"
          "\"content\":\"\"}"),
     "t: normalizer.pattern: an empty string matches nothing"},
    {WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},"
          "\"content\":\"\"}"),
     "t: normalizer.pattern: regular expression: byte 1: "},
    {WITH("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"?\"}"),
     "t: normalizer: precompiled_charsmap: is no Base64"},
    {WITH("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":"
          "\"AAAAAAAA\"}"),
     "t: normalizer: precompiled_charsmap: 6 bytes do not hold a trie of 0"},
    {UNIGRAM(PIECES) ",\"decoder\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},"
                     "\"content\":\"x\"}}",
     "t: decoder.pattern: an empty string matches nothing"},
    {UNIGRAM(PIECES) ",\"decoder\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a[\"},"
                     "\"content\":\"x\"}}",
     "t: decoder.pattern: regular expression: byte "},
    {UNIGRAM(PIECES) ",\"decoder\":{\"type\":\"Strip\",\"content\":\"\",\"start\":1,"
                     "\"stop\":0}}",
     "t: decoder.content: expected one character"},
    {UNIGRAM(PIECES) ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":"
                     "\"Fuse\"},{\"type\":\"CTC\"}]}}",
     "t: decoder.decoders[1]: \"CTC\" is not supported"},
};

static void test_hostile_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct tokenizer *tokenizer = NULL;
        struct error error = {0};
        const char *json = hostile[i].json;
        if (!tokenizer_parse(&tokenizer, json, strlen(json), "t", &error))
            fail_msg("accepted: %s", json);
        assert_null(tokenizer);
        if (!strstr(error.message, hostile[i].words))
            fail_msg("%s\n  says   \"%s\"\n  but not \"%s\"", json, error.message,
                     hostile[i].words);
    }
}

/* A control token that normalising or the model itself would make stays out of reach. */
static void test_unigram_special(void **state)
{
    static const char json[] =
        UNIGRAM("\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"</s>\",0],[\"<\",-9],[\"/\",-9],"
                "[\"s\",-9],[\">\",-9]]") DECODER
        ",\"normalizer\":{\"type\":\"NFKC\"},\"added_tokens\":["
        "{\"id\":1,\"content\":\"</s>\",\"special\":true}]}";
    struct tokenizer *tokenizer = fixture_tokenizer(json);
    (void)state;
    assert_tokens(tokenizer, "</s>", ENCODE_SPECIAL, "</s>");
    assert_tokens(tokenizer, "</s>", 0, "< / s >");
    assert_tokens(tokenizer, "＜/s＞", ENCODE_SPECIAL, "< / s >");
    tokenizer_free(tokenizer);
}

/* Parts of a text: which get the space in front that the tokenizer wants. */
static void assert_parts(struct tokenizer *tokenizer, const char *first, const char *after,
                         const char *inside)
{
    assert_tokens(tokenizer, "the dog", 0, first);
    assert_tokens(tokenizer, "the dog", ENCODE_AFTER_TOKEN, after);
    assert_tokens(tokenizer, "the dog", ENCODE_INSIDE, inside);
    tokenizer_free(tokenizer);
}

static struct tokenizer *bpe_with(const char *normalizer, const char *pre_tokenizer)
{
    struct text_buffer json = fixture_read(GOLDEN_FOLDER "bpe.json");
    cJSON *whole = cJSON_Parse(json.data);
    cJSON_ReplaceItemInObjectCaseSensitive(whole, "normalizer", cJSON_Parse(normalizer));
    cJSON_ReplaceItemInObjectCaseSensitive(whole, "pre_tokenizer",
                                           cJSON_Parse(pre_tokenizer));
    char *changed = cJSON_PrintUnformatted(whole);
    struct tokenizer *tokenizer = fixture_tokenizer(changed);
    free(changed);
    cJSON_Delete(whole);
    text_buffer_release(&json);
    return tokenizer;
}

static void test_parts(void **state)
{
    static const char with[] = "▁the ▁dog", without[] = "the ▁dog";
#define SPACES(scheme)                                                                     \
    "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"" scheme "\"}"
    (void)state;
    assert_parts(bpe_with("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
                          "\"prepend\":\"▁\"},{\"type\":\"Replace\",\"pattern\":{"
                          "\"String\":\" \"},\"content\":\"▁\"}]}",
                          "null"),
                 with, with, without);
    assert_parts(bpe_with("null", SPACES("first")), with, without, without);
    assert_parts(bpe_with("null", SPACES("always")), with, with, without);
    assert_parts(bpe_with("null", SPACES("never")), without, without, without);
    assert_parts(golden_model("bpe.model", NULL), with, with, without);
    assert_parts(golden_model("bpe.model", "{\"legacy\":false}"), with, without, without);
#undef SPACES
}

/* After an added token that stands in the text itself. */
static void test_after_token(void **state)
{
    struct tokenizer *tokenizer = golden_model("bpe.model", "{\"legacy\":false}");
    (void)state;
    assert_tokens(tokenizer, "the</s>the dog", ENCODE_SPECIAL, "▁the </s> the ▁dog");
    assert_tokens(tokenizer, "the</s>the", ENCODE_SPECIAL | ENCODE_INSIDE, "the </s> the");
    tokenizer_free(tokenizer);
}

/* A text without a space is one word of the model, however long. */
static void test_long_texts(void **state)
{
    static const char *const names[] = {"bpe.model", "unigram-bytes.model"};
    enum { BYTES = 1 << 20 };
    char *text = memory_allocate(BYTES);
    (void)state;
    for (size_t i = 0; i < BYTES; i++)
        text[i] = "thewoodenfence"[i % 14];
    for (size_t i = 0; i < 2; i++) {
        struct tokenizer *tokenizer = golden_model(names[i], NULL);
        struct token_list ids = {0};
        struct text_buffer back = {0};
        tokenizer_encode(tokenizer, text, BYTES, 0, &ids);
        tokenizer_decode(tokenizer, ids.ids, ids.count, true, &back);
        assert_int_equal(back.length, BYTES);
        assert_memory_equal(back.data, text, BYTES);
        text_buffer_release(&back);
        token_list_release(&ids);
        tokenizer_free(tokenizer);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),       cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_mistral_json),   cmocka_unit_test(test_mistral_models),
        cmocka_unit_test(test_model_special),  cmocka_unit_test(test_model_config),
        cmocka_unit_test(test_directory),      cmocka_unit_test(test_hostile_pieces),
        cmocka_unit_test(test_hostile_models), cmocka_unit_test(test_cut_models),
        cmocka_unit_test(test_hostile_files),  cmocka_unit_test(test_unigram_special),
        cmocka_unit_test(test_long_texts),     cmocka_unit_test(test_parts),
        cmocka_unit_test(test_after_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
