#include "data_gen/conversation_index.h"

#include "base/memory.h"
#include "data_gen/conversation_read.h"
#include "data_gen/record_fork.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { PIECE_BYTES = 32 << 20, THREADS_MAXIMUM = 8 };

/* Where a usable row stands, and its number in its piece, from 0. */
struct place {
    struct record record; /* its line is counted in the piece */
    int64_t row;
};

struct index_piece {
    struct record_reader *reader; /* that of the whole source for piece 0, else the fork */
    struct record_reader *fork;   /* owned; NULL for piece 0 */
    struct source_file file;      /* of a fork: the same, but what it is done with */
    size_t begin;
    size_t next; /* the piece that begins where this one ended; their count: none */
    int64_t rows;
    int64_t lines;
    struct place *places;
    size_t count;
    size_t capacity;
    int64_t skipped_count;
    int64_t first_skipped;
    enum status status;
    struct error error;
    /* What came before it, once that is known: */
    size_t chats_before;
    int64_t rows_before;
    int64_t lines_before;
};

/* What the threads share. */
struct crew {
    struct index_piece *pieces;
    size_t count;
    const struct source_spec *spec;
    pthread_mutex_t lock;
    size_t taken; /* pieces that some thread reads or has read */
};

/* Parses a row about which a glance did not tell. */
static enum status row_judge(struct index_piece *piece, const struct record *record,
                             const struct source_spec *spec,
                             enum conversation_glance *verdict)
{
    struct conversation conversation;
    cJSON *object = NULL;
    if (record_parse(piece->reader, record, &object, &piece->error))
        return piece->error.status;
    *verdict = GLANCE_FILTERED;
    if (source_spec_matches(spec, object)) {
        if (conversation_read(&conversation, object, 0, spec))
            *verdict = GLANCE_USABLE;
        else if (piece->skipped_count++ == 0)
            piece->first_skipped = record->line;
        conversation_release(&conversation);
    }
    cJSON_Delete(object);
    return STATUS_OK;
}

static enum status row_take(struct index_piece *piece, const struct record *record,
                            const struct source_spec *spec)
{
    const struct record_reader *reader = piece->reader;
    enum conversation_glance verdict =
        conversation_glance(reader->file->bytes + reader->tape_base, &reader->tape, spec);
    if (verdict == GLANCE_UNCLEAR && row_judge(piece, record, spec, &verdict))
        return piece->error.status;
    if (verdict == GLANCE_USABLE) {
        array_reserve(piece->places, piece->capacity, piece->count + 1);
        piece->places[piece->count++] =
            (struct place){.record = *record, .row = piece->rows};
    }
    piece->rows++;
    return STATUS_OK;
}

/* Whether a piece begins at this row; those before it begin where no row does. */
static bool is_next(const struct crew *crew, struct index_piece *piece, size_t begin)
{
    while (piece->next < crew->count && crew->pieces[piece->next].begin < begin)
        piece->next++;
    return piece->next < crew->count && crew->pieces[piece->next].begin == begin;
}

static void piece_read(const struct crew *crew, struct index_piece *piece)
{
    struct record record = {.begin = piece->begin};
    bool met = false;
    while (!met && !piece->status &&
           record_next(piece->reader, &record, &piece->status, &piece->error)) {
        met = is_next(crew, piece, record.begin);
        if (!met)
            piece->status = row_take(piece, &record, crew->spec);
    }
    piece->lines = record.line - met;
    if (!met)
        piece->next = crew->count;
    source_file_forget_all(piece->reader->file, record.begin);
}

static void *crew_run(void *argument)
{
    struct crew *crew = argument;
    for (;;) {
        pthread_mutex_lock(&crew->lock);
        const size_t taken = crew->taken++;
        pthread_mutex_unlock(&crew->lock);
        if (taken >= crew->count)
            return NULL;
        piece_read(crew, &crew->pieces[taken]);
    }
}

static int cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* This thread is one of them. */
static void pieces_read(struct crew *crew, int threads)
{
    pthread_t others[THREADS_MAXIMUM];
    int count = 0;
    pthread_mutex_init(&crew->lock, NULL);
    while (count + 1 < threads && (size_t)count + 1 < crew->count &&
           pthread_create(&others[count], NULL, crew_run, crew) == 0)
        count++;
    crew_run(crew);
    while (count > 0)
        pthread_join(others[--count], NULL);
    pthread_mutex_destroy(&crew->lock);
}

static void pieces_cut(struct conversation_index *index, struct record_reader *reader,
                       size_t piece_bytes)
{
    const size_t count = reader->file->count;
    index->pieces =
        memory_allocate_array((count - 1) / piece_bytes + 1, sizeof *index->pieces);
    index->pieces[0] = (struct index_piece){.reader = reader, .next = 1};
    index->piece_count = 1;
    for (size_t from = piece_bytes; from < count; from += piece_bytes) {
        struct index_piece *piece = &index->pieces[index->piece_count];
        struct record_reader *fork = memory_allocate(sizeof *fork);
        piece->file = *reader->file;
        if (!record_fork(fork, reader, &piece->file, from, from + piece_bytes)) {
            free(fork);
            continue;
        }
        piece->reader = piece->fork = fork;
        piece->begin = piece->file.forgotten = record_fork_begin(fork);
        piece->next = ++index->piece_count;
    }
}

/* Once more, now that the number of its first row is known, for the message. */
static void piece_fail(const struct crew *crew, struct index_piece *piece, int64_t lines)
{
    piece->status = STATUS_OK;
    record_fork_start(piece->reader, piece->begin, lines);
    piece_read(crew, piece);
    if (!piece->status)
        piece->status = error_set(&piece->error, STATUS_IO, "%s: changed while it was read",
                                  piece->file.where);
}

/* Goes from each piece that counts to the one that begins where it ended. */
static enum status pieces_join(struct conversation_index *index, const struct crew *crew,
                               struct error *error)
{
    int64_t rows = 0, lines = 0;
    for (size_t i = 0, next = 0; i < crew->count; i++) {
        struct index_piece *piece = &index->pieces[i];
        piece->chats_before = index->count;
        piece->rows_before = rows;
        piece->lines_before = lines;
        if (i < next) { /* it does not count */
            piece->count = 0;
            continue;
        }
        if (piece->status && i > 0)
            piece_fail(crew, piece, lines);
        if (piece->status) {
            *error = piece->error;
            return error->status;
        }
        next = piece->next;
        if (index->skipped_count == 0 && piece->skipped_count)
            index->first_skipped = lines + piece->first_skipped;
        index->skipped_count += piece->skipped_count;
        index->count += piece->count;
        rows += piece->rows;
        lines += piece->lines;
    }
    return STATUS_OK;
}

enum status conversation_index_read(struct conversation_index *index,
                                    struct record_reader *reader,
                                    const struct source_spec *spec, int threads,
                                    size_t piece_bytes, struct error *error)
{
    *index = (struct conversation_index){0};
    if (threads == 0)
        threads = cores();
    if (threads > THREADS_MAXIMUM)
        threads = THREADS_MAXIMUM;
    if (piece_bytes == 0)
        piece_bytes = threads == 1 ? SIZE_MAX : PIECE_BYTES;
    pieces_cut(index, reader, piece_bytes);
    struct crew crew = {.pieces = index->pieces, .count = index->piece_count, .spec = spec};
    pieces_read(&crew, threads);
    const enum status status = pieces_join(index, &crew, error);
    for (size_t i = 0; i < index->piece_count; i++) {
        free(index->pieces[i].fork);
        index->pieces[i].fork = index->pieces[i].reader = NULL;
    }
    if (status)
        conversation_index_release(index);
    return status;
}

void conversation_index_release(struct conversation_index *index)
{
    for (size_t i = 0; i < index->piece_count; i++)
        free(index->pieces[i].places);
    free(index->pieces);
    *index = (struct conversation_index){0};
}

struct record conversation_index_at(const struct conversation_index *index, size_t chat,
                                    int64_t *row)
{
    size_t low = 0, high = index->piece_count;
    CHECK(chat < index->count);
    while (high - low > 1) { /* the last piece that begins at the chat or before it */
        const size_t middle = low + (high - low) / 2;
        if (index->pieces[middle].chats_before <= chat)
            low = middle;
        else
            high = middle;
    }
    const struct index_piece *piece = &index->pieces[low];
    const struct place *place = &piece->places[chat - piece->chats_before];
    struct record record = place->record;
    record.line += piece->lines_before;
    *row = piece->rows_before + place->row;
    return record;
}
