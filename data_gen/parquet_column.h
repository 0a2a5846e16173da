#ifndef HOLDFAST_DATA_GEN_PARQUET_COLUMN_H
#define HOLDFAST_DATA_GEN_PARQUET_COLUMN_H

#include "base/file.h"
#include "data_gen/parquet_codec.h"
#include "data_gen/parquet_schema.h"

/*
 * The entries of one leaf in one row group, page by page. Each has two levels, as in
 * Melnik et al. 2010, "Dremel: interactive analysis of web-scale datasets": `repetition`
 * says which repeated ancestor it goes on with (0: a new row), `definition` how many of the
 * optional and repeated ancestors are there (all: there is a value).
 *
 *     data page     header, [repetition levels] [definition levels] values
 *     version 2     the same, but only the values are packed
 *     dictionary    values that data pages name by their number
 *
 * One page is held unpacked, and the dictionary.
 */
struct parquet_value {
    const unsigned char *bytes; /* as the file has it: little-endian, or a text */
    size_t count;
};

struct parquet_column {
    const struct parquet_node *leaf;
    const struct file_map *map;
    size_t end;       /* of the chunk in it */
    size_t at;        /* the next page */
    size_t forgotten; /* pages before it were given back */
    const char *where;
    int codec;

    unsigned char *page;
    int64_t page_left; /* entries */
    struct hybrid_reader repetitions;
    struct hybrid_reader definitions;
    int encoding;
    const unsigned char *values; /* in the page, or behind it in `made` */
    size_t values_bytes;
    size_t value_at;
    struct hybrid_reader places; /* in the dictionary; or booleans as runs */
    struct parquet_value *list;  /* values of encodings that are read as a whole */
    size_t list_count;
    unsigned char *made; /* what of these is not in the page as it is */

    unsigned char *dictionary_page;
    struct parquet_value *dictionary;
    size_t dictionary_count;
    unsigned char scratch[16];

    /* The entry at hand. */
    bool done;
    int repetition;
    int definition;
    struct parquet_value value; /* if definition is the leaf's own */
    enum status status;
    struct error *error; /* where it is told */
};

/* Stands at the first entry, if there is one (`done`). `status` is sticky, and ends it. */
void parquet_column_open(struct parquet_column *column, const struct parquet_node *leaf,
                         const struct parquet_chunk *chunk, const struct file_map *map,
                         const char *where, struct error *error);
void parquet_column_next(struct parquet_column *column);
void parquet_column_close(struct parquet_column *column);

#endif
