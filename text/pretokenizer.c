#include "text/pretokenizer.h"

#include "base/memory.h"
#include "text/byte_level.h"
#include "text/split_pattern.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

struct split_step {
    struct split_pattern *pattern;
    enum split_behavior behavior;
    bool invert;
};

struct pretokenizer {
    struct split_step *steps;
    size_t step_count;
    size_t step_capacity;
    size_t first_count; /* of the steps: those in front of ByteLevel or Metaspace */
    bool has_byte_level;
    bool add_prefix_space;
    struct split_pattern *byte_level;        /* NULL without use_regex */
    char meta_space[UTF8_BYTES_MAXIMUM + 1]; /* "": no Metaspace */
    enum prepend_scheme prepend_scheme;
    bool meta_split;
};

struct piece {
    size_t start;
    size_t end;
    bool is_match;
};

struct piece_list {
    struct piece *items;
    size_t count;
    size_t capacity;
};

struct run {
    const struct pretokenizer *pretokenizer;
    const char *text;
    enum text_place place;
    pretokenizer_word *word;
    void *context;
    struct split_matcher matcher;
    struct piece_list matches; /* of one piece in one step */
    struct piece_list input;   /* of one step */
    struct piece_list output;
    struct text_buffer scratch; /* a piece with its spaces replaced */
};

struct pretokenizer *pretokenizer_create(void)
{
    return memory_allocate(sizeof(struct pretokenizer));
}

void pretokenizer_free(struct pretokenizer *pretokenizer)
{
    if (!pretokenizer)
        return;
    for (size_t i = 0; i < pretokenizer->step_count; i++)
        split_pattern_free(pretokenizer->steps[i].pattern);
    split_pattern_free(pretokenizer->byte_level);
    free(pretokenizer->steps);
    free(pretokenizer);
}

enum status pretokenizer_add_split(struct pretokenizer *pretokenizer, const char *pattern,
                                   bool literal, enum split_behavior behavior, bool invert,
                                   struct error *error)
{
    struct split_step step = {.behavior = behavior, .invert = invert};
    const enum status status =
        split_pattern_compile(&step.pattern, pattern, literal, error);
    if (status)
        return status;
    array_reserve(pretokenizer->steps, pretokenizer->step_capacity,
                  pretokenizer->step_count + 1);
    pretokenizer->steps[pretokenizer->step_count++] = step;
    pretokenizer->first_count += !pretokenizer_end(pretokenizer);
    return STATUS_OK;
}

enum status pretokenizer_add_byte_level(struct pretokenizer *pretokenizer,
                                        bool add_prefix_space, bool use_regex,
                                        struct error *error)
{
    CHECK(!pretokenizer_end(pretokenizer));
    pretokenizer->has_byte_level = true;
    pretokenizer->add_prefix_space = add_prefix_space;
    if (!use_regex)
        return STATUS_OK;
    return split_pattern_compile(&pretokenizer->byte_level, byte_level_pattern, false,
                                 error);
}

void pretokenizer_add_metaspace(struct pretokenizer *pretokenizer, const char *replacement,
                                enum prepend_scheme scheme, bool split)
{
    CHECK(!pretokenizer_end(pretokenizer));
    CHECK(replacement[0] && strlen(replacement) <= UTF8_BYTES_MAXIMUM);
    strcpy(pretokenizer->meta_space, replacement);
    pretokenizer->prepend_scheme = scheme;
    pretokenizer->meta_split = split;
}

const char *pretokenizer_end(const struct pretokenizer *pretokenizer)
{
    if (pretokenizer->has_byte_level)
        return "ByteLevel";
    return pretokenizer->meta_space[0] ? "Metaspace" : NULL;
}

bool pretokenizer_has_byte_level(const struct pretokenizer *pretokenizer)
{
    return pretokenizer->has_byte_level;
}

static void piece_append(struct piece_list *list, size_t start, size_t end, bool is_match)
{
    if (list->count == list->capacity)
        array_reserve(list->items, list->capacity, list->count + 1);
    list->items[list->count++] = (struct piece){start, end, is_match};
}

/* Matches and the gaps between them: together they cover the piece. */
static void find_matches(struct run *run, const struct split_step *step, struct piece piece)
{
    size_t start, end, previous = 0;
    const size_t bytes = piece.end - piece.start;
    run->matches.count = 0;
    split_matcher_begin(&run->matcher, step->pattern, run->text + piece.start, bytes);
    while (split_matcher_next(&run->matcher, &start, &end)) {
        if (previous != start)
            piece_append(&run->matches, piece.start + previous, piece.start + start,
                         step->invert);
        piece_append(&run->matches, piece.start + start, piece.start + end, !step->invert);
        previous = end;
    }
    if (previous != bytes)
        piece_append(&run->matches, piece.start + previous, piece.end, step->invert);
}

/* True if this behaviour glues piece i to its neighbour before (or, merged with next,
 * says that piece i takes the one behind it). A run of matches merges only its first. */
static bool joins_previous(const struct piece_list *list, enum split_behavior behavior,
                           size_t i)
{
    const struct piece *items = list->items;
    switch (behavior) {
    case SPLIT_CONTIGUOUS:
        return i > 0 && items[i].is_match == items[i - 1].is_match;
    case SPLIT_MERGED_WITH_PREVIOUS:
        return i > 0 && items[i].is_match && !items[i - 1].is_match;
    case SPLIT_MERGED_WITH_NEXT:
        return i > 0 && items[i - 1].is_match && !items[i].is_match;
    case SPLIT_REMOVED:
    case SPLIT_ISOLATED:
        break;
    }
    return false;
}

static void split_piece(struct run *run, const struct split_step *step, struct piece piece)
{
    const size_t first = run->output.count;
    find_matches(run, step, piece);
    for (size_t i = 0; i < run->matches.count; i++) {
        const struct piece *match = &run->matches.items[i];
        if (step->behavior == SPLIT_REMOVED && match->is_match)
            continue;
        if (run->output.count > first && joins_previous(&run->matches, step->behavior, i))
            run->output.items[run->output.count - 1].end = match->end;
        else
            piece_append(&run->output, match->start, match->end, false);
    }
}

static void split_all(struct run *run, const struct split_step *step)
{
    run->output.count = 0;
    for (size_t i = 0; i < run->input.count; i++)
        if (run->input.items[i].end > run->input.items[i].start)
            split_piece(run, step, run->input.items[i]);
    const struct piece_list input = run->input;
    run->input = run->output;
    run->output = input;
}

/* Leaves in run->input what these steps make of the text. */
static void split_text(struct run *run, const struct split_step *steps, size_t count,
                       size_t bytes)
{
    run->input.count = 0;
    piece_append(&run->input, 0, bytes, false);
    for (size_t i = 0; i < count; i++)
        split_all(run, &steps[i]);
}

static void run_release(struct run *run)
{
    split_matcher_release(&run->matcher);
    free(run->matches.items);
    free(run->input.items);
    free(run->output.items);
    text_buffer_release(&run->scratch);
}

/* Bytes of the word that these bytes of run->text stand for: behind ByteLevel a character
 * is one of them. */
static size_t bytes_meant(const struct run *run, size_t start, size_t end)
{
    if (!run->pretokenizer->has_byte_level)
        return end - start;
    size_t count = 0;
    for (size_t i = start; i < end; i++)
        count += ((unsigned char)run->text[i] & 0xC0) != 0x80;
    return count;
}

/* A pretokenizer_word with a run of its own: splits what another run found. */
static void split_word(void *context, const char *word, size_t bytes)
{
    struct run *run = context;
    const struct pretokenizer *pretokenizer = run->pretokenizer;
    const size_t first = pretokenizer->first_count;
    size_t at = 0;
    text_buffer_clear(&run->scratch);
    if (pretokenizer->has_byte_level)
        byte_level_spell(&run->scratch, word, bytes);
    else
        text_buffer_append_bytes(&run->scratch, word, bytes);
    run->text = text_buffer_string(&run->scratch);
    split_text(run, pretokenizer->steps + first, pretokenizer->step_count - first,
               run->scratch.length);
    for (size_t i = 0, end = 0; i < run->input.count; i++) {
        const struct piece piece = run->input.items[i];
        at += bytes_meant(run, end, piece.start);
        const size_t count = bytes_meant(run, piece.start, piece.end);
        if (count > 0)
            run->word(run->context, word + at, count);
        at += count;
        end = piece.end;
    }
}

/* GPT-2's pattern, its words handed on as they are found. */
static void byte_level_words(struct run *run, const char *text, size_t bytes)
{
    size_t start, end, previous = 0;
    split_matcher_begin(&run->matcher, run->pretokenizer->byte_level, text, bytes);
    while (split_matcher_next(&run->matcher, &start, &end)) {
        if (previous != start)
            run->word(run->context, text + previous, start - previous);
        if (start != end)
            run->word(run->context, text + start, end - start);
        previous = end;
    }
    if (previous != bytes)
        run->word(run->context, text + previous, bytes - previous);
}

/* Words that start at the meta space, one each. */
static void meta_words(struct run *run, const char *text, size_t bytes)
{
    const char *meta_space = run->pretokenizer->meta_space;
    const size_t unit = strlen(meta_space);
    while (bytes > unit) {
        const char *next = memmem(text + 1, bytes - 1, meta_space, unit);
        if (!next)
            break;
        run->word(run->context, text, (size_t)(next - text));
        bytes -= (size_t)(next - text);
        text = next;
    }
    run->word(run->context, text, bytes);
}

static bool wants_prefix(const struct run *run, struct piece piece, const char *text)
{
    const struct pretokenizer *pretokenizer = run->pretokenizer;
    if (text_starts_with(text, pretokenizer->meta_space))
        return false;
    if (piece.start == 0 && run->place == TEXT_INSIDE)
        return false;
    return pretokenizer->prepend_scheme == PREPEND_ALWAYS ||
           (pretokenizer->prepend_scheme == PREPEND_FIRST && run->place == TEXT_FIRST &&
            piece.start == 0);
}

static void emit_meta_space(struct run *run, struct piece piece)
{
    const char *meta_space = run->pretokenizer->meta_space;
    const char *text = run->text + piece.start;
    const char *end = run->text + piece.end;
    const char *space;
    struct text_buffer *scratch = &run->scratch;
    text_buffer_clear(scratch);
    text_buffer_append(scratch, meta_space);
    const size_t prefix_bytes = scratch->length;
    while ((space = memchr(text, ' ', (size_t)(end - text))) != NULL) {
        text_buffer_append_bytes(scratch, text, (size_t)(space - text));
        text_buffer_append(scratch, meta_space);
        text = space + 1;
    }
    text_buffer_append_bytes(scratch, text, (size_t)(end - text));
    const char *replaced = scratch->data + prefix_bytes;
    if (wants_prefix(run, piece, replaced))
        replaced = scratch->data;
    const size_t bytes = (size_t)(scratch->data + scratch->length - replaced);
    if (run->pretokenizer->meta_split)
        meta_words(run, replaced, bytes);
    else
        run->word(run->context, replaced, bytes);
}

static void emit_text(struct run *run, const char *text, size_t bytes)
{
    if (run->pretokenizer->byte_level)
        byte_level_words(run, text, bytes);
    else
        run->word(run->context, text, bytes);
}

static void emit_piece(struct run *run, struct piece piece)
{
    const char *text = run->text + piece.start;
    const size_t bytes = piece.end - piece.start;
    if (bytes == 0)
        return;
    if (run->pretokenizer->meta_space[0]) {
        emit_meta_space(run, piece);
        return;
    }
    if (!run->pretokenizer->add_prefix_space || text[0] == ' ' ||
        (piece.start == 0 && run->place == TEXT_INSIDE)) {
        emit_text(run, text, bytes);
        return;
    }
    char *prefixed = memory_allocate(bytes + 1);
    prefixed[0] = ' ';
    memcpy(prefixed + 1, text, bytes);
    emit_text(run, prefixed, bytes + 1);
    free(prefixed);
}

void pretokenizer_run(const struct pretokenizer *pretokenizer, const char *text,
                      size_t bytes, enum text_place place, pretokenizer_word *word,
                      void *context)
{
    struct run run = {.pretokenizer = pretokenizer,
                      .text = text,
                      .place = place,
                      .word = word,
                      .context = context};
    struct run behind = run; /* of the splits behind ByteLevel or Metaspace */
    if (pretokenizer->first_count < pretokenizer->step_count) {
        run.word = split_word;
        run.context = &behind;
    }
    if (pretokenizer->first_count == 0) {
        emit_piece(&run, (struct piece){0, bytes, false});
    } else {
        split_text(&run, pretokenizer->steps, pretokenizer->first_count, bytes);
        for (size_t i = 0; i < run.input.count; i++)
            emit_piece(&run, run.input.items[i]);
    }
    run_release(&run);
    run_release(&behind);
}
