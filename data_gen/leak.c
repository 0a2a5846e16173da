#include "data_gen/leak.h"

#include "base/memory.h"
#include "data_gen/leak_tense.h"
#include "data_gen/leak_windows.h"
#include "data_gen/leak_words.h"

#include <stdlib.h>
#include <string.h>

static const char *const mode_names[LEAK_MODE_COUNT] = {
    [LEAK_EXACT] = "exact",           [LEAK_WORDS_13] = "words-13",
    [LEAK_WORDS_8] = "words-8",       [LEAK_WORDS_5] = "words-5",
    [LEAK_LETTERS_50] = "letters-50", [LEAK_TENSE] = "tense",
};
static const size_t mode_widths[LEAK_MODE_COUNT] = {
    [LEAK_WORDS_13] = 13, [LEAK_WORDS_8] = 8, [LEAK_WORDS_5] = 5, [LEAK_LETTERS_50] = 50};

const char *leak_mode_name(enum leak_mode mode)
{
    return mode_names[mode];
}

struct leak_options leak_options_default(void)
{
    struct leak_options options = {.threshold = 0.55};
    options.modes[LEAK_EXACT] = options.modes[LEAK_WORDS_13] = true;
    options.modes[LEAK_LETTERS_50] = options.modes[LEAK_TENSE] = true;
    return options;
}

enum status leak_options_parse(struct leak_options *options,
                               const struct string_list *modes, double threshold,
                               struct error *error)
{
    *options = leak_options_default();
    options->threshold = threshold;
    if (!(threshold > 0 && threshold <= 1))
        return error_set(error, STATUS_USAGE, "--threshold %g: it lies above 0 and up to 1",
                         threshold);
    if (modes->count)
        memset(options->modes, 0, sizeof options->modes);
    for (size_t i = 0; i < modes->count; i++) {
        int mode = 0;
        while (mode < LEAK_MODE_COUNT && strcmp(modes->items[i], mode_names[mode]) != 0)
            mode++;
        if (mode == LEAK_MODE_COUNT)
            return error_set(error, STATUS_USAGE,
                             "--modes %s: it is exact, words-13, words-8, words-5, "
                             "letters-50 or tense",
                             modes->items[i]);
        options->modes[mode] = true;
    }
    return STATUS_OK;
}

/* Of one request under one mode, while a row is looked at. */
struct row_state {
    int64_t text_hits; /* of the text that is looked at; 0 between texts */
    double score;      /* likewise */
    int64_t last_row;  /* that was counted */
};

struct leak_index {
    struct leak_options options;
    struct leak_lexicon lexicon;
    struct leak_windows windows[LEAK_MODE_COUNT]; /* not of the tense mode */
    struct leak_tense tense;
    struct leak_finding *findings; /* [request][mode] */
    struct row_state *states;      /* [request][mode] */
    size_t request_count;
    int64_t row_count;
    int64_t leaking_rows[LEAK_MODE_COUNT + 1];
    struct leak_text text; /* that is looked at */
    uint64_t *hashes;      /* of its words */
    size_t hash_capacity;
    int32_t *found; /* requests found under the mode in the text */
    size_t found_count;
    size_t found_capacity;
    enum leak_mode mode;
};

static void text_read(struct leak_index *index, const char *text)
{
    leak_text_read(&index->text, &index->lexicon, text);
    array_reserve(index->hashes, index->hash_capacity, index->text.word_count + 1);
    for (size_t i = 0; i < index->text.word_count; i++)
        index->hashes[i] = index->text.words[i].hash;
}

static const uint64_t *symbols_of(const struct leak_index *index, enum leak_mode mode,
                                  size_t *count)
{
    const bool letters = mode == LEAK_LETTERS_50;
    *count = letters ? index->text.letter_count : index->text.word_count;
    return letters ? index->text.letters : index->hashes;
}

struct leak_index *leak_index_create(const char *const *requests, size_t count,
                                     const struct leak_options *options)
{
    struct leak_index *index = memory_allocate(sizeof *index);
    index->options = *options;
    index->request_count = count;
    leak_lexicon_init(&index->lexicon);
    index->tense.common_count = index->lexicon.common_count;
    index->findings =
        memory_allocate_array(count * LEAK_MODE_COUNT + 1, sizeof *index->findings);
    index->states =
        memory_allocate_array(count * LEAK_MODE_COUNT + 1, sizeof *index->states);
    for (int mode = 0; mode < LEAK_TENSE; mode++)
        index->windows[mode].width = mode_widths[mode];
    for (size_t i = 0; i < count; i++) {
        text_read(index, requests[i]);
        for (int mode = 0; mode < LEAK_TENSE; mode++) {
            size_t symbol_count;
            const uint64_t *symbols =
                symbols_of(index, (enum leak_mode)mode, &symbol_count);
            leak_windows_add(&index->windows[mode], symbols, symbol_count);
        }
        leak_tense_add(&index->tense, &index->text);
    }
    for (int mode = 0; mode < LEAK_TENSE; mode++)
        leak_windows_finish(&index->windows[mode]);
    leak_tense_finish(&index->tense);
    return index;
}

void leak_index_free(struct leak_index *index)
{
    if (!index)
        return;
    for (int mode = 0; mode < LEAK_TENSE; mode++)
        leak_windows_release(&index->windows[mode]);
    for (size_t i = 0; i < index->request_count * LEAK_MODE_COUNT; i++)
        free(index->findings[i].text);
    leak_tense_release(&index->tense);
    leak_text_release(&index->text);
    leak_lexicon_release(&index->lexicon);
    free(index->findings);
    free(index->states);
    free(index->hashes);
    free(index->found);
    free(index);
}

static struct row_state *state_of(struct leak_index *index, int32_t request)
{
    return &index->states[(size_t)request * LEAK_MODE_COUNT + index->mode];
}

static void request_found(struct leak_index *index, int32_t request)
{
    array_reserve(index->found, index->found_capacity, index->found_count + 1);
    index->found[index->found_count++] = request;
}

static void on_window(void *context, int32_t request)
{
    struct leak_index *index = context;
    if (state_of(index, request)->text_hits++ == 0)
        request_found(index, request);
}

static void on_twin(void *context, int32_t request, double score)
{
    struct leak_index *index = context;
    struct row_state *state = state_of(index, request);
    if (state->text_hits++ == 0)
        request_found(index, request);
    state->score = score > state->score ? score : state->score;
}

static void finding_take(struct leak_finding *finding, double score,
                         const struct leak_row *row, const char *text, bool new_row)
{
    finding->row_count += new_row;
    if (score <= finding->score)
        return;
    free(finding->text);
    finding->text = memory_duplicate_string(text);
    finding->score = score;
    finding->file = row->file;
    finding->line = row->line;
}

/* Enters what a text was found to hold, and makes its states ready for the next text. */
static void found_enter(struct leak_index *index, const struct leak_row *row,
                        const char *text)
{
    const struct leak_windows *windows = &index->windows[index->mode];
    for (size_t i = 0; i < index->found_count; i++) {
        const size_t request = (size_t)index->found[i];
        struct row_state *state = state_of(index, (int32_t)request);
        struct leak_finding *finding =
            &index->findings[request * LEAK_MODE_COUNT + index->mode];
        double score = state->score;
        if (index->mode != LEAK_TENSE)
            score = (double)state->text_hits / (double)windows->totals[request];
        finding_take(finding, score < 1 ? score : 1, row, text,
                     state->last_row != index->row_count);
        state->last_row = index->row_count;
        state->text_hits = 0;
        state->score = 0;
    }
}

static bool text_search(struct leak_index *index, const struct leak_row *row,
                        const struct leak_source_text *text)
{
    size_t count;
    const uint64_t *symbols = symbols_of(index, index->mode, &count);
    index->found_count = 0;
    if (index->mode == LEAK_TENSE)
        leak_tense_search(&index->tense, &index->text, index->options.threshold, on_twin,
                          index);
    else
        leak_windows_search(&index->windows[index->mode], symbols, count, on_window, index);
    found_enter(index, row, text->text);
    return index->found_count > 0;
}

void leak_index_add_row(struct leak_index *index, const struct leak_row *row)
{
    bool leaks[LEAK_MODE_COUNT + 1] = {0};
    index->row_count++;
    for (size_t i = 0; i < row->text_count; i++) {
        text_read(index, row->texts[i].text);
        for (int mode = 0; mode < LEAK_MODE_COUNT; mode++) {
            if (!index->options.modes[mode] || (mode == LEAK_TENSE && !row->texts[i].asked))
                continue;
            index->mode = (enum leak_mode)mode;
            if (text_search(index, row, &row->texts[i]))
                leaks[mode] = leaks[LEAK_MODE_COUNT] = true;
        }
    }
    for (int mode = 0; mode <= LEAK_MODE_COUNT; mode++)
        index->leaking_rows[mode] += leaks[mode];
}

int64_t leak_index_rows(const struct leak_index *index)
{
    return index->row_count;
}

int64_t leak_index_leaking_rows(const struct leak_index *index, enum leak_mode mode)
{
    return index->leaking_rows[mode];
}

const struct leak_finding *leak_index_finding(const struct leak_index *index,
                                              size_t request, enum leak_mode mode)
{
    return &index->findings[request * LEAK_MODE_COUNT + mode];
}

enum leak_mode leak_index_leak(const struct leak_index *index, size_t request)
{
    if (leak_index_finding(index, request, LEAK_EXACT)->row_count)
        return LEAK_EXACT;
    for (int mode = LEAK_MODE_COUNT - 1; mode >= 0; mode--)
        if (leak_index_finding(index, request, (enum leak_mode)mode)->row_count)
            return (enum leak_mode)mode;
    return LEAK_MODE_COUNT;
}
