#ifndef HOLDFAST_DATA_GEN_CONVERSATION_INDEX_H
#define HOLDFAST_DATA_GEN_CONVERSATION_INDEX_H

#include "data_gen/record_reader.h"
#include "data_gen/source.h"

/*
 * Where the usable chats of a source stand. A large source is cut into pieces, which as
 * many threads as there are cores go over; what is found, and what is said of an error, is
 * what one thread finds that goes over it from its first row to its last:
 *
 *     piece 0  |row row row row row|
 *     piece 1          guess: row row row|          does not begin where a row of 0 does:
 *     piece 2                      |row row row …   0 went on to where 2 begins
 *
 * Each piece is read up to where another one begins. The pieces that count are the first,
 * the one that begins where it ended, and so on. A piece with an error is read once more
 * when the number of its first row is known, for the message.
 */
struct conversation_index {
    struct index_piece *pieces;
    size_t piece_count;
    size_t count;          /* of usable chats */
    int64_t skipped_count; /* rows without an answer or of no known layout */
    int64_t first_skipped; /* the line of the first of them; 0: none */
};

/* The reader stands before its first row, and stays open as long as the index. `threads`
 * 0: one a core; more than 8 are 8. `piece_bytes` 0: 32 MiB. On an error nothing is to be
 * released. */
enum status conversation_index_read(struct conversation_index *index,
                                    struct record_reader *reader,
                                    const struct source_spec *spec, int threads,
                                    size_t piece_bytes, struct error *error);
void conversation_index_release(struct conversation_index *index);

/* Chat number `chat`: its place, and the number of its row in the source, from 0. */
struct record conversation_index_at(const struct conversation_index *index, size_t chat,
                                    int64_t *row);

#endif
