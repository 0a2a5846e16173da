#include "fixture.h"

#include "base/memory.h"
#include "data_gen/conversation_index.h"

#include <stdlib.h>

/* What is found is the same however a source is cut into pieces, and so are the errors. */

struct index_source {
    struct source_file file;
    struct record_reader reader;
    struct conversation_index index;
};

static const struct source_spec spec = {.name = (char[]){"x"}, .path = (char[]){"x"}};

/* Over a copy behind which nothing may be read. */
static enum status source_read(struct index_source *source, const char *bytes, size_t count,
                               int threads, size_t piece_bytes)
{
    error = (struct error){0};
    *source = (struct index_source){0};
    if (source_file_of_bytes(&source->file, bytes, count, "x", &error))
        return error.status;
    if (!record_reader_open(&source->reader, &source->file, &error))
        conversation_index_read(&source->index, &source->reader, &spec, threads,
                                piece_bytes, &error);
    return error.status;
}

static void source_close(struct index_source *source)
{
    conversation_index_release(&source->index);
    record_reader_close(&source->reader);
    source_file_close(&source->file);
}

static void assert_same(const struct conversation_index *found,
                        const struct conversation_index *expected)
{
    assert_int_equal(found->count, expected->count);
    assert_int_equal(found->skipped_count, expected->skipped_count);
    assert_int_equal(found->first_skipped, expected->first_skipped);
    for (size_t i = 0; i < expected->count; i++) {
        int64_t rows[2];
        const struct record a = conversation_index_at(found, i, &rows[0]);
        const struct record b = conversation_index_at(expected, i, &rows[1]);
        assert_int_equal(rows[0], rows[1]);
        assert_int_equal(a.begin, b.begin);
        assert_int_equal(a.end, b.end);
        assert_int_equal(a.line, b.line);
    }
}

/* Returns how many chats the pieces were, counted over all ways to cut. */
static size_t assert_cut_anyhow(const char *bytes, size_t count, size_t step)
{
    struct index_source whole, cut;
    size_t pieces = 0;
    source_read(&whole, bytes, count, 1, 0);
    const struct error expected = error;
    for (size_t piece_bytes = 1; piece_bytes <= count; piece_bytes += step)
        for (int threads = 1; threads <= 3; threads += 2) {
            assert_int_equal(source_read(&cut, bytes, count, threads, piece_bytes),
                             expected.status);
            if (expected.status)
                assert_string_equal(error.message, expected.message);
            else
                assert_same(&cut.index, &whole.index);
            pieces += cut.index.piece_count;
            source_close(&cut);
        }
    source_close(&whole);
    return pieces;
}

#define CHAT(id, text)                                                                     \
    "{\"id\":\"" id "\",\"conversations\":[{\"from\":\"human\",\"value\":\"" text          \
    "\"},{\"from\":\"gpt\",\"value\":\"A " text "\"}]}"
/* What looks like the beginning of a chat, in a string and in a member. */
#define TRICK ",{\\\"id\\\":\\\"x\\\\\\\"}\\n], [{}"
#define NESTED                                                                             \
    "{\"id\":\"n\",\"more\":[{\"id\":1},{\"id\":2}, "                                      \
    "{\"id\":3}],\"prompt\":\"P\",\"completion\":\"C\"}"
#define USELESS "{\"id\":\"u\",\"text\":\"no answer\"}"

static const char *const sources[] = {
    "[" CHAT("1", "a") "," CHAT("2", TRICK) "," USELESS "," CHAT(
        "3", "\\\\") "," NESTED "," CHAT("4", "\\ud83d\\ude00\\u0000") "]",
    " [\n  " CHAT("1", "{") " ,\n  " NESTED " ,\r\n\t" USELESS
                            ",\n" CHAT("2", "}],[{") "\n ] \n",
    "[" NESTED "," NESTED ",{\"prompt\":\"P\",\"id\":0,\"completion\":\"C\"}," NESTED "]",
    "{\"name\":\"x\",\"rows\":[" CHAT("1", "b") ", " NESTED
                                                "," CHAT("2", TRICK) "],\"n\":1}",
    CHAT("1", "a") "\n" NESTED "\n\n \t\n" USELESS "\n" CHAT("2", TRICK) "\n",
    "\xEF\xBB\xBF" CHAT("1", "a") "\r\n\r\n" CHAT("2", "b") "\r\n" NESTED,
    "prompt,completion\n\"a\nb\",c\nd,e\n",
    CHAT("1", "a one, of all the file"),
    "[{}," USELESS "," CHAT("1", "the first has no key") "," CHAT("2", "c") "]",
};
enum { SOURCE_COUNT = sizeof sources / sizeof *sources };

static void pieces_make_the_whole(void **state)
{
    (void)state;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        const size_t count = strlen(sources[i]);
        const size_t pieces = assert_cut_anyhow(sources[i], count, 1);
        const bool is_cut = i < 6; /* the others have one piece only */
        if (is_cut)
            assert_true(pieces > 4 * count);
        else
            assert_int_equal(pieces, 2 * count);
    }
}

/* Every byte of every source is made wrong in turn, or cut off. */
static void errors_are_those_of_the_whole(void **state)
{
    (void)state;
    static const char wrong[] = "\x01\"{]\\,";
    int failed = 0;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        const size_t count = strlen(sources[i]);
        for (size_t at = 1; at < count; at++) {
            char *bytes = memory_duplicate_bytes(sources[i], count);
            bytes[at] = wrong[at % (sizeof wrong - 1)];
            assert_cut_anyhow(bytes, count, 61);
            failed += error.status != STATUS_OK;
            free(bytes);
            bytes = memory_allocate(at);
            memcpy(bytes, sources[i], at);
            assert_cut_anyhow(bytes, at, 61);
            failed += error.status != STATUS_OK;
            free(bytes);
        }
    }
    assert_true(failed > 1000);
}

/* An error that tells the number of its row, which a piece by itself does not know. */
static void errors_know_the_number_of_their_row(void **state)
{
    (void)state;
    static const char array[] = "[" NESTED "," NESTED "," NESTED ",7]";
    static const char lines[] = NESTED "\n\n" NESTED "\n" NESTED "\n{\"a\":1,\"a\":2}\n";
    struct index_source source;
    assert_int_equal(source_read(&source, array, sizeof array - 1, 2, 80), STATUS_FORMAT);
    assert_string_equal(error.message, "x: element 4 is no object");
    source_close(&source);
    assert_int_equal(source_read(&source, lines, sizeof lines - 1, 2, 80), STATUS_FORMAT);
    assert_non_null(strstr(error.message, "x: line 5, column 8: \"a\" stands twice"));
    source_close(&source);
    assert_int_equal(source_read(&source, lines, sizeof lines - 1, 1000, 1), STATUS_FORMAT);
    source_close(&source);
    assert_cut_anyhow(array, sizeof array - 1, 1);
    assert_cut_anyhow(lines, sizeof lines - 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(errors_are_those_of_the_whole),
        cmocka_unit_test(errors_know_the_number_of_their_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
